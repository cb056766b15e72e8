"""Frames: how messages are cut out of the channel's byte stream, and padded.

    frame = u32be(length) || message || zeros, up to 256, 1,024 or 4,096 bytes in all

Longer frames are not padded: they carry pieces of blobs whose size is already padded, or
envelopes, which are padded inside. So on the wire the small talk has three sizes.
"""

from __future__ import annotations

from typing import Final

from ..crypto.errors import MalformedError
from . import limits
from .errors import TooMuchError

PREFIX_BYTES: Final = 4
SIZES: Final = (256, 1024, 4096)


def frame(message: bytes) -> bytes:
    """One message as it goes into the channel."""
    return len(message).to_bytes(PREFIX_BYTES) + message + bytes(_padding(len(message)))


def _padding(length: int) -> int:
    total = PREFIX_BYTES + length
    return next((size - total for size in SIZES if total <= size), 0)


class FrameReader:
    """Collects plaintext and gives out whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Messages completed by `data`, in order.

        `TooMuchError` for a length over the limit, at once; `MalformedError` for padding that
        is not zero.
        """
        self._buffer += data
        messages: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= PREFIX_BYTES:
            length = int.from_bytes(self._buffer[start : start + PREFIX_BYTES])
            if length > limits.MESSAGE_BYTES:
                raise TooMuchError("a message of more than 1 MiB")
            begin = start + PREFIX_BYTES
            end = begin + length + _padding(length)
            if len(self._buffer) < end:
                break
            padding = end - begin - length
            if padding and self._buffer.count(0, begin + length, end) != padding:
                raise MalformedError("padding")
            with memoryview(self._buffer) as buffer:
                messages.append(bytes(buffer[begin : begin + length]))
            start = end
        del self._buffer[:start]
        return messages
