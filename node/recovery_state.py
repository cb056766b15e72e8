"""What lasts of a recovery over starts: the key while it goes on, parts of photos, how it ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Final

from ..crypto import encoding
from ..crypto.encoding import Reader
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from . import views_recovery
from .errors import LibraryDamagedError
from .library import Library

DEVICES_LEFT_OUT: Final = 64
_KEY: Final = "recovery"
_PARTS: Final = "recovery-parts"
_RESULT: Final = "recovery-result"
_SEED_BYTES: Final = 32


class RecoveryState:
    """Settings of the library, which is encrypted."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def key(self) -> tuple[Secret, frozenset[bytes]] | None:
        """The seed of the recovery key, and the devices that are left out, while it goes on."""
        kept = self._library.setting(_KEY)
        if not kept:
            return None
        try:
            reader = Reader(encoding.decode(kept, len(kept)), "recovery")
            reader.literal(1)
            seed = Secret(reader.octets("seed", _SEED_BYTES))
            without = reader.array("without", DEVICES_LEFT_OUT)
        except MalformedError:
            raise LibraryDamagedError from None
        return seed, frozenset(each for each in without if isinstance(each, bytes))

    def begin(self, seed: Secret, without: Iterable[bytes]) -> None:
        """It goes on from now."""
        self._library.set_setting(_KEY, encoding.encode([1, seed.reveal(), list(without)]))

    def end(self, result: views_recovery.Recovery) -> None:
        """It is over: the key is forgotten."""
        self._library.set_setting(_RESULT, json.dumps(dataclasses.asdict(result)).encode())
        self._library.set_setting(_KEY, b"")
        self._library.set_setting(_PARTS, b"")

    def result(self) -> views_recovery.Recovery:
        """How it ended, if it ever did."""
        kept = self._library.setting(_RESULT)
        return (
            views_recovery.recovery(json.loads(kept))
            if kept
            else views_recovery.Recovery(state="off")
        )

    def parts(self) -> list[tuple[bytes, bytes]]:
        """The (photo id, content id) of what may lie here in part: those files are no leftovers."""
        kept = self._library.setting(_PARTS)
        try:
            items = encoding.decode(kept, len(kept)) if kept else []
        except MalformedError:
            raise LibraryDamagedError from None
        found: list[tuple[bytes, bytes]] = []
        for item in items:
            match item:
                case [bytes() as photo_id, bytes() as content_id]:
                    found.append((photo_id, content_id))
                case _:
                    pass
        return found

    def set_parts(self, parts: Iterable[tuple[bytes, bytes]]) -> None:
        """Note them, before anything is written."""
        self._library.set_setting(_PARTS, encoding.encode([list(each) for each in sorted(parts)]))


def expected(library: Library) -> list[tuple[bytes, bytes]]:
    """The (photo id, content id) of all blobs of photos that may still come."""
    return [*library.coming(), *RecoveryState(library).parts()]
