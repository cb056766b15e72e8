"""Bringing a blob over: which pieces are missing, which are under way, how much may come.

Both sides are plain bookkeeping. The receiver's only lasting state is which pieces it has, and
that is found again by hashing what lies on the disk: a bitmap that can't lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from ..crypto.blob import Manifest, manifest_length, piece_count
from ..crypto.errors import MalformedError
from . import limits
from .errors import TooMuchError, UnexpectedMessageError


class Bitmap:
    """Which of `size` pieces are there."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self._bits = bytearray(-(-size // 8))
        self.count = 0

    def __contains__(self, index: int) -> bool:
        return bool(self._bits[index >> 3] & (1 << (index & 7)))

    def add(self, index: int) -> None:
        """Note that piece `index` is there."""
        if index not in self:
            self._bits[index >> 3] |= 1 << (index & 7)
            self.count += 1

    @property
    def complete(self) -> bool:
        """Whether none is missing."""
        return self.count == self.size

    def missing(self, most: int) -> list[tuple[int, int]]:
        """The first `most` runs of missing pieces as (first, count)."""
        return runs((index for index in range(self.size) if index not in self), most)


def runs(indices: Iterable[int], most: int) -> list[tuple[int, int]]:
    """The first `most` runs of rising numbers as (first, count)."""
    found: list[tuple[int, int]] = []
    first = count = 0
    for index in indices:
        if count and index == first + count:
            count += 1
            continue
        if count:
            found.append((first, count))
            if len(found) == most:
                return found
        first, count = index, 1
    return [*found, (first, count)] if count else found


class Download:
    """The receiver's side of one blob, from however many sources: its manifest, what is here."""

    def __init__(self, content_id: bytes, ciphertext_length: int | None) -> None:
        self.content_id: Final = content_id
        self.expected: Final = ciphertext_length
        """Bytes that the record says it has; None for a small blob whose length no record gives."""
        self.manifest: Manifest | None = None
        pieces = 1 if ciphertext_length is None else piece_count(ciphertext_length)
        self.have: Bitmap = Bitmap(pieces)

    def resume(self, manifest: bytes) -> None:
        """Set the manifest, one kept from an earlier run, and that nothing is here yet."""
        self.accept(manifest)
        if self.manifest is not None:
            self.have = Bitmap(self.manifest.pieces)

    def accept(self, manifest: bytes) -> None:
        """Check a manifest and keep it."""
        decoded = Manifest.decode(manifest, self.content_id)
        if self.expected is not None and decoded.length != self.expected:
            raise MalformedError("the manifest's length is not the record's")
        self.manifest = decoded

    def check_piece(self, index: int, data: bytes) -> None:
        """Return only if a piece is the right one."""
        if self.manifest is None:
            raise UnexpectedMessageError
        self.manifest.check_piece(index, data)

    @property
    def complete(self) -> bool:
        """Whether every piece is there."""
        return self.manifest is not None and self.have.complete


class ManifestParts:
    """A manifest as one source sends it, in parts."""

    def __init__(self, download: Download) -> None:
        self.whole = False
        self._download = download
        self._buffer = bytearray()

    def receive(self, data: bytes) -> bool:
        """Take the next part; True once all is there and the right one: `download` has it then."""
        if self.whole:
            raise UnexpectedMessageError
        if not data:  # or parts could go on for ever
            raise MalformedError("an empty part of a manifest")
        self._buffer += data
        wanted = self._length()
        if wanted is None or len(self._buffer) < wanted:
            return False
        if len(self._buffer) > wanted:
            raise TooMuchError("a manifest longer than its blob needs")
        self._download.accept(bytes(self._buffer))
        self._buffer.clear()
        self.whole = True
        return True

    def _length(self) -> int | None:
        if self._download.expected is not None:
            return manifest_length(self._download.expected)
        # A small blob whose length no record gives: its manifest says it in the first 8 bytes.
        if len(self._buffer) < 8:
            return None
        length = int.from_bytes(self._buffer[:8])
        wanted = manifest_length(length)
        if length > limits.METADATA_BYTES * 2:
            raise TooMuchError("a metadata blob of more than 128 KiB")
        return wanted


class Depth:
    """How many pieces of one fetch may be under way, as the receiver sees it.

    It begins with `FIRST` and doubles while the receiver waits for the wire, up to `limits.CREDIT`;
    it halves when half of it waits to be written. What was learnt holds for the next fetch too.
    """

    FIRST: Final = 8

    def __init__(self) -> None:
        self._depth = self.FIRST
        self._outstanding = 0
        self._unwritten = 0

    def open(self, most: int) -> int:
        """The credit that a fetch of `most` pieces begins with."""
        self._outstanding = min(self._depth, most)
        self._unwritten = 0
        return self._outstanding

    def take(self) -> bool:
        """A piece came; whether there was credit for it."""
        if self._outstanding == 0:
            return False
        self._outstanding -= 1
        self._unwritten += 1
        return True

    def written(self, count: int, most: int) -> int:
        """So many were written; gives the credit to be told, for `most` more pieces at most.

        Small credits are saved up, so that there is not a message for each piece.
        """
        self._unwritten -= count
        if self._unwritten == 0:
            self._depth = min(2 * self._depth, limits.CREDIT)
        elif 2 * self._unwritten > self._depth:
            self._depth = max(self._depth // 2, self.FIRST)
        credit = min(self._depth - self._outstanding - self._unwritten, most)
        if credit < min(self.FIRST // 2, most):
            return 0
        self._outstanding += credit
        return credit


class Upload:
    """The sender's side of one fetch: which piece is next, within the credit."""

    def __init__(self, pieces: int, ranges: tuple[tuple[int, int], ...], credit: int) -> None:
        clamped = [range(first, min(first + count, pieces)) for first, count in ranges]
        self._next: Iterator[int] = chain.from_iterable(clamped)
        self._left = sum(len(run) for run in clamped)
        self._credit = credit

    @property
    def done(self) -> bool:
        """Whether every piece that was asked for has been taken."""
        return self._left == 0

    def add_credit(self, pieces: int) -> None:
        """The receiver has room for so many more."""
        self._credit += pieces
        if self._credit > limits.CREDIT:
            raise TooMuchError("more credit than a fetch may have")

    def take(self) -> int | None:
        """The next piece to send, or None: no credit at the moment, or `done`."""
        if self._credit == 0 or self.done:
            return None
        self._credit -= 1
        self._left -= 1
        return next(self._next)
