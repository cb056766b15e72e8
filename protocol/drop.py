"""Drop links: what travels in the data channel when a browser sends photos (docs/spec/drop.md).

page -> node: a photo that it has         node -> page: a challenge, and then whose node it is
page -> node: parts of one that may come  node -> page: how a photo stands, and what is here of it
                                          node -> page: why nothing more is taken
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ..crypto.errors import PeerError
from . import limits
from .weblink_errors import LinkOfferError

OFFER: Final = 0x11
PART: Final = 0x12
CHALLENGE: Final = 0x90
STANDING: Final = 0x91
GREETING: Final = 0x92
REFUSED: Final = 0x83

_LAST_MODIFIED: Final = (2**63 - 1) // 1_000_000
"""In milliseconds, of the year 2262: of later ones the nanoseconds have more than 63 bits."""
_OFFER: Final = struct.Struct(">BIQQ32s")
_PART: Final = struct.Struct(">BIQ")
_STANDING: Final = struct.Struct(">BIBQ")


class Standing(IntEnum):
    """How a photo stands at the node."""

    WANTED = 0
    """It may come, from the offset that is said."""
    WAITS = 1
    """Until its owner has decided."""
    HERE = 2
    """It is here, by this link or another way."""
    DECLINED = 3
    BROKEN = 4
    """What came is not what was offered; it may be offered again."""
    REFUSED = 5
    """It can't be taken: a word says why."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A photo that a page has; `number` is the page's own for it, in this channel."""

    number: int
    length: int
    modified: int
    """Milliseconds since 1970."""
    sha256: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a photo. `offset` is a multiple of `limits.DROP_PART_BYTES`."""

    number: int
    offset: int
    data: bytes


def read(frame: bytes) -> Offered | Part:
    """A frame of a page; `LinkOfferError` for anything else."""
    if len(frame) >= _OFFER.size and frame[0] == OFFER:
        _, number, length, modified, sha256 = _OFFER.unpack_from(frame)
        try:
            name = frame[_OFFER.size :].decode()
        except UnicodeDecodeError:
            raise LinkOfferError from None
        if not 0 < len(name) <= limits.DROP_NAME_CHARACTERS or length > limits.DROP_BYTES:
            raise LinkOfferError
        return Offered(number, length, min(modified, _LAST_MODIFIED), sha256, name)
    if len(frame) > _PART.size and frame[0] == PART:
        _, number, offset = _PART.unpack_from(frame)
        data = frame[_PART.size :]
        if offset % limits.DROP_PART_BYTES or len(data) > limits.DROP_PART_BYTES:
            raise LinkOfferError
        return Part(number, offset, data)
    raise LinkOfferError


def offer(offered: Offered) -> bytes:
    """The same as bytes; the page makes it in JavaScript."""
    head = _OFFER.pack(OFFER, offered.number, offered.length, offered.modified, offered.sha256)
    return head + offered.name.encode()


def part(number: int, offset: int, data: bytes) -> bytes:
    """A part as bytes; the page makes it in JavaScript."""
    return _PART.pack(PART, number, offset) + data


def challenge(drawn: bytes) -> bytes:
    """The first message of a node, the one that is not sealed."""
    return bytes([CHALLENGE]) + drawn


def greeting(name: str) -> bytes:
    """What the owner of the node calls themselves; the first frame that is sealed."""
    return bytes([GREETING]) + name.encode()


def standing(number: int, how: Standing, offset: int = 0, why: str = "") -> bytes:
    """How a photo stands; `offset` is how many of its bytes are here, `why` for a person."""
    return _STANDING.pack(STANDING, number, how, offset) + why.encode()


def read_standing(frame: bytes) -> tuple[int, Standing, int, str]:
    """Number, standing, offset and why; the page reads it in JavaScript."""
    _, number, how, offset = _STANDING.unpack_from(frame)
    return number, Standing(how), offset, frame[_STANDING.size :].decode()


def refused(error: PeerError) -> bytes:
    """Why nothing more is taken: its code, and the words for a person."""
    return bytes([REFUSED]) + f"{error.code}\n{error.sentence()}".encode()
