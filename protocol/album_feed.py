"""Entries of a device's feed in an album: photos, and what members say about them.

Here is their form alone, photo records verified. See docs/spec/album.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from ..crypto import signing
from ..crypto.blob import PHOTO_ID_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.signing import Signed, SigningKey
from ..crypto.wrap import WRAP_OVERHEAD
from . import limits
from .album_log import (
    ALBUM_ID_BYTES,
    HASH_BYTES,
    KEY_BYTES,
    LAST_TIME,
    read_hashes,
    read_sealed,
)
from .album_roles import Role
from .certificates import Certificates
from .photo import KINDS, PhotoRecord

FEED_DOMAIN: Final = b"kinlight/album-feed1"
_RECORD_BYTES: Final = 512


class FeedOp(Protocol):
    """What all ops of a feed have: the least role that may do it, and their form."""

    role: ClassVar[Role]

    def to_value(self) -> Value:
        """The op as it is signed."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of a photo, sealed apart from it under the same key of the album.

    `digest` is the SHA-256 of what is sealed, and `length` its bytes: who has no photo yet can ask
    anybody for it, and knows it from everything else.
    """

    digest: bytes
    length: int

    @classmethod
    def of(cls, sealed: bytes) -> Preview:
        """The one that is these bytes."""
        return cls(hashlib.sha256(sealed).digest(), len(sealed))

    def to_value(self) -> Value:
        """As it stands in the op that adds the photo."""
        return [self.digest, self.length]


@dataclass(frozen=True, slots=True)
class Photo:
    """Adds a photo: its record, and its file keys under the key `key_id`, in the order of `KINDS`.

    `certificates` show whose device signed the record, where the log does not.
    """

    role: ClassVar[Role] = "contributor"
    record: PhotoRecord
    key_id: bytes
    wrapped: tuple[bytes, ...]
    certificates: Certificates
    preview: Preview | None = None

    def to_value(self) -> Value:
        """See `FeedOp.to_value`, as with all ops."""
        wrapped: Value = [[int(kind), key] for kind, key in zip(KINDS, self.wrapped, strict=True)]
        papers: Value = [paper.signed.to_value() for paper in self.certificates.found]
        shown: list[Value] = [] if self.preview is None else [self.preview.to_value()]
        return ["photo", self.record.signed.to_value(), self.key_id, wrapped, papers, *shown]


@dataclass(frozen=True, slots=True)
class Comment:
    """Says something about a photo."""

    role: ClassVar[Role] = "viewer"
    photo_id: bytes
    key_id: bytes
    sealed: bytes

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["comment", self.photo_id, self.key_id, self.sealed]


@dataclass(frozen=True, slots=True)
class Caption:
    """The text under a photo. Who added the photo may write it, and admins."""

    role: ClassVar[Role] = "contributor"
    photo_id: bytes
    key_id: bytes
    sealed: bytes
    replaced: tuple[bytes, ...] = ()

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["caption", self.photo_id, self.key_id, self.sealed, list(self.replaced)]


@dataclass(frozen=True, slots=True)
class Favourite:
    """Marks a photo as a favourite of the writer's, or takes that back."""

    role: ClassVar[Role] = "viewer"
    photo_id: bytes
    chosen: bool
    replaced: tuple[bytes, ...] = ()

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["favourite", self.photo_id, int(self.chosen), list(self.replaced)]


@dataclass(frozen=True, slots=True)
class Cover:
    """The picture on the album."""

    role: ClassVar[Role] = "admin"
    photo_id: bytes
    replaced: tuple[bytes, ...] = ()

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["cover", self.photo_id, list(self.replaced)]


@dataclass(frozen=True, slots=True)
class Order:
    """Where a photo stands: places are compared as bytes, and between two there is always one."""

    role: ClassVar[Role] = "admin"
    photo_id: bytes
    place: bytes
    replaced: tuple[bytes, ...] = ()

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["order", self.photo_id, self.place, list(self.replaced)]


@dataclass(frozen=True, slots=True)
class AskDelete:
    """Asks everybody to delete a photo. It is a request: nothing is deleted by it."""

    role: ClassVar[Role] = "viewer"
    photo_id: bytes

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["ask-delete", self.photo_id]


@dataclass(frozen=True, slots=True)
class AskOriginal:
    """Asks who added a photo for more than what the album has of it. Nothing is given by it: who
    gets that gets it by an envelope.
    """

    role: ClassVar[Role] = "viewer"
    photo_id: bytes

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["ask-original", self.photo_id]


@dataclass(frozen=True, slots=True)
class Leave:
    """Asks to be taken out of the album."""

    role: ClassVar[Role] = "viewer"

    def to_value(self) -> Value:
        """See `Photo.to_value`."""
        return ["leave"]


Register = Caption | Favourite | Cover | Order
"""What has one value at a time."""
Act = Photo | Comment | Register | AskDelete | AskOriginal | Leave


@dataclass(frozen=True, slots=True, eq=False)
class FeedEntry:
    """One entry, read and not verified. `previous` is empty in a device's first."""

    album: bytes
    identity: bytes
    device: bytes
    seq: int
    previous: bytes
    seen: tuple[bytes, ...]
    time: int
    act: Act
    signed: Signed
    digest: bytes

    @classmethod
    def sign(
        cls,
        device: SigningKey,
        identity: bytes,
        album: bytes,
        seq: int,
        previous: bytes,
        seen: Sequence[bytes],
        time: int,
        act: Act,
    ) -> FeedEntry:
        """Make one. Raises `MalformedError` for what every reader would refuse by its form."""
        body: Value = [
            1, "afeed", album, identity, device.public, seq, previous, sorted(seen), time,
            act.to_value(),
        ]  # fmt: skip
        return cls.read(device.sign_value(FEED_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> FeedEntry:
        """Check the form. Raises `MalformedError`, and what a photo record raises."""
        if len(signed.body) > limits.ALBUM_FEED_ENTRY_BYTES:
            raise MalformedError("feed entry: too long")
        reader = Reader(signed.unverified(), "feed entry")
        reader.literal(1, "afeed")
        album = reader.octets("album", ALBUM_ID_BYTES)
        identity = reader.octets("identity", signing.KEY_BYTES)
        device = reader.octets("device", signing.KEY_BYTES)
        seq = reader.integer("seq", LAST_TIME)
        previous = reader.octets("previous", maximum=HASH_BYTES)
        seen = read_hashes(reader, "seen", limits.ALBUM_HEADS)
        time = reader.integer("time", LAST_TIME)
        act = _read_act(reader.array("op", 8))
        reader.end()
        if len(previous) != (HASH_BYTES if seq else 0) or not seen:
            raise MalformedError("feed entry")
        if isinstance(act, Photo) and act.record.author != identity:
            raise MalformedError("feed entry: author")
        return cls(
            album, identity, device, seq, previous, seen, time, act, signed, signed.digest()
        )  # fmt: skip

    def verify(self) -> None:
        """Check the signature. Raises `BadSignatureError`."""
        signing.verify(self.device, FEED_DOMAIN, self.signed.body, self.signed.signature)


def _read_act(items: list[Value]) -> Act:
    reader = Reader(items, "feed op")
    act: Act
    match reader.text("name", 16):
        case "photo":
            act = _read_photo(reader)
        case "comment":
            act = Comment(_photo_id(reader), _key_id(reader), _sealed(reader))
        case "caption":
            act = Caption(_photo_id(reader), _key_id(reader), _sealed(reader), _replaced(reader))
        case "favourite":
            act = Favourite(_photo_id(reader), bool(reader.integer("flag", 1)), _replaced(reader))
        case "cover":
            act = Cover(_photo_id(reader), _replaced(reader))
        case "order":
            photo_id = _photo_id(reader)
            place = reader.octets("place", maximum=limits.ALBUM_PLACE_BYTES)
            if not place:
                raise MalformedError("feed op: place")
            act = Order(photo_id, place, _replaced(reader))
        case "ask-delete":
            act = AskDelete(_photo_id(reader))
        case "ask-original":
            act = AskOriginal(_photo_id(reader))
        case "leave":
            act = Leave()
        case _:
            raise MalformedError("feed op: name")
    reader.end()
    return act


def _read_photo(reader: Reader) -> Photo:
    signed = Signed.from_value(reader.array("record", 2), _RECORD_BYTES, "photo record")
    key_id = _key_id(reader)
    wrapped: list[bytes] = []
    items = reader.array("keys", len(KINDS))
    if len(items) != len(KINDS):
        raise MalformedError("feed op: a key is missing")
    for item, kind in zip(items, KINDS, strict=True):
        if not isinstance(item, list):
            raise MalformedError("feed op: keys")
        pair = Reader(item, "key")
        if pair.integer("kind") != kind:
            raise MalformedError("feed op: keys")
        wrapped.append(pair.octets("wrapped", KEY_BYTES + WRAP_OVERHEAD))
        pair.end()
    papers = reader.array("certificates", limits.ENVELOPE_CERTIFICATES)
    preview = _read_preview(reader.array("preview", 2)) if reader.more() else None
    record = PhotoRecord.read(signed)
    return Photo(record, key_id, tuple(wrapped), Certificates.read(papers), preview)


def _read_preview(items: list[Value]) -> Preview:
    reader = Reader(items, "preview")
    digest = reader.octets("digest", HASH_BYTES)
    length = reader.integer("length", limits.ALBUM_PREVIEW_BYTES)
    reader.end()
    if length <= WRAP_OVERHEAD:
        raise MalformedError("preview: length")
    return Preview(digest, length)


def _photo_id(reader: Reader) -> bytes:
    return reader.octets("photo id", PHOTO_ID_BYTES)


def _key_id(reader: Reader) -> bytes:
    return reader.octets("id", KEY_BYTES)


def _sealed(reader: Reader) -> bytes:
    return read_sealed(reader, limits.ALBUM_TEXT_BYTES)


def _replaced(reader: Reader) -> tuple[bytes, ...]:
    return read_hashes(reader, "replaced", limits.ALBUM_REPLACED)
