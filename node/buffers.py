"""A picture's bytes as a file, for native readers that want to seek; nothing is copied."""

from __future__ import annotations

import io
import os

from .facts import Buffer


class BufferFile(io.RawIOBase):
    """A read-only, seekable file over a buffer."""

    def __init__(self, data: Buffer) -> None:
        super().__init__()
        self._data = memoryview(data)
        self._position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, into: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill `into` as far as the bytes reach; 0 at the end."""
        piece = self._data[self._position : self._position + len(into)]
        into[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, past the end too; `ValueError` for a place before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._data)}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position
