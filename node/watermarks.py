"""Invisible marks of this library: its key, and which one was set for whom.

A mark says six random bytes. What they mean is here alone: who finds one learns nothing from it.
Who has the key, which never leaves the library, can read, set and wipe out all of its marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..protocol.opening import Entropy
from .database import Database
from .library import Library
from .mark_wire import KEY_BYTES, MARK_BYTES

_KEY: Final = "watermark-key"
_EARLIER: Final = "watermark-keys"
EARLIER_KEYS: Final = 8
"""Keys of devices that were before, at most: each is looked for in every file that is traced."""


@dataclass(frozen=True, slots=True)
class IssuedMark:
    """A mark that was set in a copy for an identity."""

    mark_id: bytes
    photo_id: bytes
    recipient: bytes
    issued: int


class Watermarks:
    """The marks of an unlocked node."""

    def __init__(
        self, *, database: Database, library: Library, entropy: Entropy, now: Callable[[], int]
    ) -> None:
        self._db = database
        self._library = library
        self._entropy = entropy
        self._now = now

    def key(self) -> bytes:
        """The key of all marks of this library, made at the first one."""
        key = self._library.setting(_KEY)
        if key is None:
            key = self._entropy(KEY_BYTES)
            self._library.set_setting(_KEY, key)
        return key

    def keys(self) -> list[bytes]:
        """All keys under which marks may have been set, without making one."""
        key, earlier = self._library.setting(_KEY), self._library.setting(_EARLIER) or b""
        keys = [] if key is None else [key]
        return keys + [earlier[at : at + KEY_BYTES] for at in range(0, len(earlier), KEY_BYTES)]

    def all(self) -> list[IssuedMark]:
        """All that were set."""
        rows = self._db.rows("SELECT * FROM watermarks ORDER BY mark_id")
        return [IssuedMark(**dict(row)) for row in rows]

    def retire(self) -> None:
        """The key is of a device that is gone, and whoever has that one has it: as in `restore`."""
        keys = self.keys()[:EARLIER_KEYS]
        with self._db.transaction():
            self._library.set_setting(_EARLIER, b"".join(keys))
            self._db.execute("DELETE FROM settings WHERE name = ?", _KEY)

    def restore(self, keys: Iterable[bytes], marks: Iterable[IssuedMark]) -> None:
        """What a device that is gone had set is read from now on; what is known here stays.

        Its key sets no new marks: whoever has that device can read them, and set them.
        """
        known = self.keys()
        earlier = self._library.setting(_EARLIER) or b""
        new = [key for key in dict.fromkeys(keys) if key not in known]
        with self._db.transaction():
            whole = (earlier + b"".join(new))[: EARLIER_KEYS * KEY_BYTES]
            if whole != earlier:
                self._library.set_setting(_EARLIER, whole)
            for mark in marks:
                self._db.execute(
                    "INSERT OR IGNORE INTO watermarks VALUES (?, ?, ?, ?)",
                    mark.mark_id, mark.photo_id, mark.recipient, mark.issued,
                )  # fmt: skip

    def new_id(self) -> bytes:
        """An id that no mark has."""
        while self.find(mark_id := self._entropy(MARK_BYTES)) is not None:
            pass
        return mark_id

    def put(self, mark_id: bytes, photo_id: bytes, recipient: bytes) -> None:
        """Note for whom a marked copy is, before it can go anywhere."""
        self._db.write(
            "INSERT INTO watermarks VALUES (?, ?, ?, ?)",
            mark_id, photo_id, recipient, self._now(),
        )  # fmt: skip

    def ids(self) -> tuple[bytes, ...]:
        """All that were issued."""
        rows = self._db.rows("SELECT mark_id FROM watermarks ORDER BY mark_id")
        return tuple(row["mark_id"] for row in rows)

    def find(self, mark_id: bytes) -> IssuedMark | None:
        """What is known of a mark."""
        row = self._db.row("SELECT * FROM watermarks WHERE mark_id = ?", mark_id)
        return None if row is None else IssuedMark(**dict(row))
