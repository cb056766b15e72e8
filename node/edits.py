"""An edit script over a picture: which bytes of it stay, and what stands between them.

The bytes that stay are named, not copied, so a script is small even for a film, and it shows that
the coded picture was not touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from .facts import Buffer, PictureError

LeftOut = Literal[
    "place",
    "maker notes",
    "thumbnail",
    "further pictures",
    "clip",
    "C2PA",
    "XMP",
    "IPTC",
    "Photoshop data",
    "comments",
    "timed metadata",
    "other tags",
    "other data",
]
"""What a stripped copy lacks, in the words that people are shown."""

WORDS: Final[tuple[LeftOut, ...]] = get_args(LeftOut)

MAX_PUT: Final = 1 << 26
"""Bytes that one script may bring along."""

MAX_PIECES: Final = 1 << 16
"""Pieces of one script; a film of an hour with a track of timed metadata has some 10,000."""


class Keep(NamedTuple):
    """Bytes of the source."""

    offset: int
    length: int


class Put(NamedTuple):
    """New bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Stripped:
    """The edit script of a copy, and what the copy lacks (in the order of `LeftOut`)."""

    pieces: tuple[Keep | Put, ...]
    left_out: tuple[LeftOut, ...]

    def apply(self, data: Buffer) -> bytes:
        """The copy; `data` is the source of the script."""
        return b"".join(
            bytes(data[piece.offset : piece.offset + piece.length])
            if isinstance(piece, Keep)
            else piece.data
            for piece in self.pieces
        )

    def changes(self, data: Buffer) -> bool:
        """Whether the copy differs from its source."""
        return self.pieces != (Keep(0, len(data)),)


class Script:
    """Collects the pieces of a copy of `data`, in the copy's order."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.left_out: set[LeftOut] = set()
        self.length = 0
        """Bytes of the copy so far."""
        self._pieces: list[Keep | Put] = []

    def keep(self, start: int, end: int) -> None:
        """The bytes from `start` to `end` of the source come next."""
        end = min(end, len(self.data))
        if start >= end:
            return
        self.length += end - start
        match self._pieces:
            case [*_, Keep(offset, length)] if offset + length == start:
                self._pieces[-1] = Keep(offset, end - offset)
            case _:
                self._pieces.append(Keep(start, end - start))

    def put(self, new: bytes) -> None:
        """`new` comes next."""
        if not new:
            return
        self.length += len(new)
        match self._pieces:
            case [*_, Put(data)] if len(data) < 4096:
                self._pieces[-1] = Put(data + new)
            case _:
                self._pieces.append(Put(new))

    def extend(self, other: Script) -> None:
        """The pieces of `other`, a script over the same source, come next."""
        self.left_out |= other.left_out
        for piece in other._pieces:
            if isinstance(piece, Keep):
                self.keep(piece.offset, piece.offset + piece.length)
            else:
                self.put(piece.data)

    def leave_out(self, words: Iterable[LeftOut]) -> None:
        """The copy lacks these."""
        self.left_out.update(words)

    def finish(self) -> Stripped:
        """The script; a single `Keep` if the copy would be what the source is."""
        if not self._differs():
            return Stripped((Keep(0, len(self.data)),), ())
        if sum(len(piece.data) for piece in self._pieces if isinstance(piece, Put)) > MAX_PUT:
            raise PictureError("too much would have to be overwritten")
        if len(self._pieces) > MAX_PIECES:
            raise PictureError("too many places would have to be overwritten")
        return Stripped(tuple(self._pieces), tuple(sorted(self.left_out, key=WORDS.index)))

    def _differs(self) -> bool:
        if self.length != len(self.data) or not self.left_out:
            # Without a word nothing had to go: then a change would only be another layout.
            return bool(self.left_out)
        at = 0
        for piece in self._pieces:
            if isinstance(piece, Keep):
                if piece.offset != at:
                    return True
                at += piece.length
            else:
                if bytes(self.data[at : at + len(piece.data)]) != piece.data:
                    return True
                at += len(piece.data)
        return False
