"""Invisible marks of this library: its key, and which one was set for whom.

A mark says six random bytes. What they mean is here alone: who finds one learns nothing from it.
Who has the key, which never leaves the library, can read, set and wipe out all of its marks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..protocol.opening import Entropy
from .database import Database
from .library import Library
from .mark_wire import KEY_BYTES, MARK_BYTES

_KEY: Final = "watermark-key"


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
