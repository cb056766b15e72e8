"""The messages by which devices of one identity bring each other to the same state
(docs/spec/siblings.md).

They belong to version 4 of the protocol; a session of an earlier one carries none of them.
"""

from __future__ import annotations

from typing import Any, Final

from ..crypto import signing
from ..crypto.blob import CONTENT_ID_BYTES, PHOTO_ID_BYTES
from ..crypto.encoding import Reader
from ..crypto.errors import MalformedError
from ..crypto.signing import SIGNED_OVERHEAD
from . import limits
from .messages import (
    Message,
    _choice,  # pyright: ignore[reportPrivateUsage] - one registry of messages, in several modules
    _form,  # pyright: ignore[reportPrivateUsage]
    _integer,  # pyright: ignore[reportPrivateUsage]
    _message,  # pyright: ignore[reportPrivateUsage]
    _octets,  # pyright: ignore[reportPrivateUsage]
)
from .siblings import LAST_MOMENT

SINCE: Final = 4
_CERTIFICATES_BYTES: Final = 1024
_RECORD_BYTES: Final = limits.SIBLING_RECORD_BYTES + SIGNED_OVERHEAD
_ROOM: Final = limits.MESSAGE_BYTES - 16 * 1024
"""For records: the rest of a message is less than what this leaves."""

Pairs = tuple[tuple[bytes, int], ...]


def _vector() -> Any:
    """Devices, rising, each with a moment."""

    def read(reader: Reader, name: str) -> Pairs:
        found: list[tuple[bytes, int]] = []
        for item in reader.array(name, limits.SIBLING_DEVICES):
            if not isinstance(item, list):
                raise MalformedError(name)
            pair = Reader(item, name)
            device = pair.octets("device", signing.KEY_BYTES)
            moment = pair.integer("moment", LAST_MOMENT)
            pair.end()
            if found and device <= found[-1][0]:
                raise MalformedError(name)
            found.append((device, moment))
        return tuple(found)

    return _form(read, lambda pairs: [list(pair) for pair in sorted(pairs)])


def _records() -> Any:
    """Records as they are signed."""

    def read(reader: Reader, name: str) -> tuple[bytes, ...]:
        items = reader.array(name, limits.SIBLING_BATCH)
        inner = Reader(items, name)
        return tuple(inner.octets(name, maximum=_RECORD_BYTES) for _ in items)

    return _form(read, list)


def _photos() -> Any:
    """Ids of photos, rising."""

    def read(reader: Reader, name: str) -> tuple[bytes, ...]:
        items = reader.array(name, limits.SIBLING_ASKED)
        inner = Reader(items, name)
        found = tuple(inner.octets(name, PHOTO_ID_BYTES) for _ in items)
        if list(found) != sorted(set(found)):
            raise MalformedError(name)
        return found

    return _form(read, lambda photos: sorted(photos))


@_message(100, since=SINCE)
class SiblingHave(Message):
    """How many photos the sender of this knows of that it wants and lacks, and what it has of what
    the devices of its identity say.
    """

    lacks: int = _integer(2**32 - 1)
    vector: Pairs = _vector()


@_message(101, since=SINCE)
class SiblingRecords(Message):
    """Records of one device, which these certificates lead to, the earliest first."""

    certificates: bytes = _octets(maximum=_CERTIFICATES_BYTES)
    records: tuple[bytes, ...] = _records()


@_message(102, since=SINCE)
class SiblingAll(Message):
    """The receiver of this was sent all that it said to lack, as far as this vector."""

    vector: Pairs = _vector()


@_message(103, since=SINCE)
class SiblingKeep(Message):
    """Keep the originals of these photos for the sender of this, which wants to let go of its own.
    Of none: it asks for no more than an answer.
    """

    photos: tuple[bytes, ...] = _photos()


@_message(104, since=SINCE)
class SiblingKept(Message):
    """The answer: these are here, and stay until another device promises the same."""

    photos: tuple[bytes, ...] = _photos()


@_message(105, since=SINCE)
class SiblingLetGo(Message):
    """The sender of this has the originals of these photos again: no promise binds any more."""

    photos: tuple[bytes, ...] = _photos()


@_message(106, since=SINCE)
class SiblingPreviewAsk(Message):
    """Ask for the preview of a photo."""

    photo_id: bytes = _octets(PHOTO_ID_BYTES)


@_message(107, since=SINCE)
class SiblingPreview(Message):
    """The answer: the sealed preview, its key and its size; nothing if there is none to be had."""

    photo_id: bytes = _octets(PHOTO_ID_BYTES)
    content_id: bytes = _choice(0, CONTENT_ID_BYTES)
    key: bytes = _choice(0, 32)
    width: int = _integer(2**16 - 1)
    height: int = _integer(2**16 - 1)


SIBLING_WORK: Final[tuple[type[Message], ...]] = (
    SiblingHave, SiblingRecords, SiblingAll,
    SiblingKeep, SiblingKept, SiblingLetGo, SiblingPreviewAsk, SiblingPreview,
)  # fmt: skip
"""Of an established session between two devices of one identity."""


def fitting(records: list[bytes]) -> tuple[bytes, ...]:
    """As many of these, from the first on, as one message holds; at least one."""
    room, found = _ROOM, list[bytes]()
    for record in records[: limits.SIBLING_BATCH]:
        room -= len(record) + 5
        if found and room < 0:
            break
        found.append(record)
    return tuple(found)
