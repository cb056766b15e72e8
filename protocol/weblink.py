"""Links to photos: what the list says, and what travels in the data channel (docs/spec/link.md).

page -> node: the list                    node -> page: parts of the sealed list
page -> node: pieces of a photo           node -> page: parts of each, as they are taken
                                          node -> page: why nothing more comes
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto.blob import Kind
from ..crypto.errors import PeerError
from ..crypto.secret import Secret
from . import limits
from .weblink_errors import LinkOfferError

LIST: Final = 0x01
PIECES: Final = 0x02
LIST_PART: Final = 0x81
PIECE_PART: Final = 0x82
REFUSED: Final = 0x83

_PIECES: Final = struct.Struct(">BHII")
_LIST_PART: Final = struct.Struct(">BII")
_PIECE_PART: Final = struct.Struct(">BHII")


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo in a list: what it is called, and what its pieces are checked and opened with."""

    name: str
    media_type: str
    length: int
    photo_id: bytes
    kind: Kind
    key: Secret
    manifest: bytes


@dataclass(frozen=True, slots=True)
class Listing:
    """What a link leads to. `sender` is the maker's own word for themselves."""

    sender: str
    expires: int
    count: int
    original: bool
    photos: tuple[Listed, ...]

    def encode(self) -> bytes:
        """JSON: it is sealed whole, so nobody but its maker ever gives it to a parser."""
        photos = [
            {
                "name": photo.name,
                "type": photo.media_type,
                "bytes": photo.length,
                "id": text(photo.photo_id),
                "kind": int(photo.kind),
                "key": text(photo.key.reveal()),
                "manifest": text(photo.manifest),
            }
            for photo in self.photos
        ]
        whole = {
            "version": 1,
            "from": self.sender,
            "expires": self.expires,
            "count": self.count,
            "original": self.original,
            "photos": photos,
        }
        return json.dumps(whole, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def text(data: bytes) -> str:
    """Base 64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def data(encoded: str, length: int) -> bytes | None:
    """So many bytes, from their one text; None for any other text."""
    if len(encoded) != -(-4 * length // 3) or not encoded.isascii():
        return None
    try:
        found = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except ValueError:
        return None
    return found if text(found) == encoded else None


# In the channel.


@dataclass(frozen=True, slots=True)
class AskList:
    """The list, please."""


@dataclass(frozen=True, slots=True)
class AskPieces:
    """Pieces `first` to `first + count - 1` of the photo with that number in the list."""

    photo: int
    first: int
    count: int


def read_ask(message: bytes) -> AskList | AskPieces:
    """What a page asks; `LinkOfferError` for anything else."""
    if message == bytes([LIST]):
        return AskList()
    if len(message) != _PIECES.size or message[0] != PIECES:
        raise LinkOfferError
    _, photo, first, count = _PIECES.unpack(message)
    if not 0 < count <= limits.LINK_PIECES_ASKED:
        raise LinkOfferError
    return AskPieces(photo, first, count)


def ask_pieces(photo: int, first: int, count: int) -> bytes:
    """The same as bytes; the page makes it in JavaScript."""
    return _PIECES.pack(PIECES, photo, first, count)


def list_parts(sealed: bytes) -> Iterator[bytes]:
    """The messages that carry a sealed list."""
    for offset in range(0, len(sealed), limits.LINK_PART_BYTES):
        part = sealed[offset : offset + limits.LINK_PART_BYTES]
        yield _LIST_PART.pack(LIST_PART, offset, len(sealed)) + part


def piece_parts(photo: int, piece: int, sealed: bytes) -> Iterator[bytes]:
    """The messages that carry a sealed piece."""
    for offset in range(0, len(sealed), limits.LINK_PART_BYTES):
        part = sealed[offset : offset + limits.LINK_PART_BYTES]
        yield _PIECE_PART.pack(PIECE_PART, photo, piece, offset) + part


def refused(error: PeerError) -> bytes:
    """Why nothing more comes: its code, and the words for a person."""
    return bytes([REFUSED]) + f"{error.code}\n{error.sentence()}".encode()


def size_of_list(photos: Sequence[Listed]) -> int:
    """About how many bytes their list has, from above."""
    return sum(2 * len(photo.manifest) + 6 * len(photo.name) + 512 for photo in photos)
