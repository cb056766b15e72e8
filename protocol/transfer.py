"""Bringing a blob over: which pieces are missing, which are under way, how much may come.

Both sides are plain bookkeeping. The receiver's only lasting state is which pieces it has, and
that is found again by hashing what lies on the disk: a bitmap that can't lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from ..crypto.blob import Manifest, manifest_length
from ..crypto.errors import MalformedError, PieceMismatchError
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
        runs: list[tuple[int, int]] = []
        start: int | None = None
        for index in range(self.size + 1):
            absent = index < self.size and index not in self
            if absent and start is None:
                start = index
            elif not absent and start is not None:
                runs.append((start, index - start))
                start = None
                if len(runs) == most:
                    break
        return runs


class Download:
    """The receiver's side of one blob. Give it the manifest's bytes, then pieces."""

    def __init__(self, content_id: bytes, ciphertext_length: int | None) -> None:
        self.content_id: Final = content_id
        self.manifest: Manifest | None = None
        self.have: Bitmap = Bitmap(0)
        self._expected = ciphertext_length
        self._buffer = bytearray()

    def receive_manifest(self, data: bytes) -> bool:
        """Take the next part; True once the manifest is whole and the right one."""
        if self.manifest is not None:
            raise UnexpectedMessageError
        if not data:  # or parts could go on for ever
            raise MalformedError("an empty part of a manifest")
        self._buffer += data
        wanted = self._manifest_length()
        if wanted is None or len(self._buffer) < wanted:
            return False
        if len(self._buffer) > wanted:
            raise TooMuchError("a manifest longer than its blob needs")
        self.resume(bytes(self._buffer))
        self._buffer.clear()
        return True

    def resume(self, manifest: bytes) -> None:
        """Set the manifest, also one kept from an earlier run."""
        decoded = Manifest.decode(manifest, self.content_id)
        if self._expected is not None and decoded.length != self._expected:
            raise MalformedError("the manifest's length is not the record's")
        self.manifest = decoded
        self.have = Bitmap(decoded.pieces)

    def _manifest_length(self) -> int | None:
        if self._expected is not None:
            return manifest_length(self._expected)
        # A small blob whose length no record gives: its manifest says it in the first 8 bytes.
        if len(self._buffer) < 8:
            return None
        length = int.from_bytes(self._buffer[:8])
        wanted = manifest_length(length)
        if length > limits.METADATA_BYTES * 2:
            raise TooMuchError("a metadata blob of more than 128 KiB")
        return wanted

    def receive_piece(self, index: int, data: bytes) -> None:
        """Check a piece; return only if it is right and was not there yet."""
        if self.manifest is None:
            raise UnexpectedMessageError
        self.manifest.check_piece(index, data)
        if index in self.have:
            raise PieceMismatchError(f"piece {index} came twice")

    @property
    def complete(self) -> bool:
        """Whether every piece is there."""
        return self.manifest is not None and self.have.complete


class Depth:
    """How many pieces of one fetch may be under way, as the receiver sees it.

    It begins with `FIRST` and doubles while the receiver waits for the wire, up to `limits.CREDIT`;
    it halves when half of it waits to be written.
    """

    FIRST: Final = 8

    def __init__(self) -> None:
        self._depth = self.FIRST
        self._outstanding = 0
        self._unwritten = 0

    def open(self) -> int:
        """The credit that a fetch begins with."""
        self._outstanding = self._depth
        return self._depth

    def take(self) -> bool:
        """A piece came; whether there was credit for it."""
        if self._outstanding == 0:
            return False
        self._outstanding -= 1
        self._unwritten += 1
        return True

    def written(self, count: int, waiting: int) -> int:
        """So many were written, and `waiting` more wait for that; gives the credit to be told.

        Small credits are saved up, so that there is not a message for each piece.
        """
        self._unwritten -= count
        if waiting == 0:
            self._depth = min(2 * self._depth, limits.CREDIT)
        elif 2 * waiting > self._depth:
            self._depth = max(self._depth // 2, self.FIRST)
        credit = self._depth - self._outstanding - self._unwritten
        if credit < self.FIRST // 2:
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
