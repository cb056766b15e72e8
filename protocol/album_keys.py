"""Keys of an album: made, wrapped for each device, opened, and what is sealed under them.

A key is known to all by its id, which commits to it: who gets another key than the rest notices.
The wraps of an epoch are a set of their own beside the log. A device needs its own one alone, and
can check that it is the one that the log names (docs/spec/album.md, "Sealed things").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from ..crypto import encoding, merkle
from ..crypto.blob import Kind
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError, SealBrokenError
from ..crypto.secret import Secret
from ..crypto.wrap import SEALED_OVERHEAD, KemKey, seal_to, unwrap, wrap
from . import limits
from .album_errors import AlbumWrapError, NoAlbumKeyError
from .album_feed import Photo
from .album_log import HASH_BYTES, KEY_BYTES, Epoch, LogEntry, Wraps
from .photo import KINDS, PhotoRecord

What = Literal["name", "comment", "caption"]
"""What a sealed text is."""

WRAP_BYTES: Final = KEY_BYTES + SEALED_OVERHEAD
ONE_WRAP_BYTES: Final = WRAP_BYTES + 16 + merkle.MAX_PATH * HASH_BYTES
"""One wrap with the proof of its place, as it travels."""

_ID: Final = b"kinlight/epoch-id1"
_WRAP: Final = "kinlight/album-epoch1"
_KEY: Final = "kinlight/album-key1"
_PAST: Final = "kinlight/album-past1"
_TEXT: Final = "kinlight/album-text1"
_PREVIEW: Final = "kinlight/album-preview1"


def key_id(key: Secret) -> bytes:
    """The name of a key: 32 bytes that tell nothing of it and that no other key has."""
    return key.derive(_ID).reveal()


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device that is to get a key, and its KEM key."""

    device: bytes
    kem: bytes


@dataclass(frozen=True, slots=True)
class OneWrap:
    """One device's wrap, and the proof of its place in the set. Which device's, its open says."""

    place: int
    sealed: bytes
    path: bytes

    def encode(self) -> bytes:
        """Canonical bytes, for a message or to be kept."""
        return encoding.encode([self.place, self.sealed, self.path])

    @classmethod
    def decode(cls, data: bytes) -> OneWrap:
        """The reverse; nothing is checked but the form."""
        reader = Reader(encoding.decode(data, ONE_WRAP_BYTES), "wrap")
        place = reader.integer("place", limits.ALBUM_WRAPS - 1)
        sealed = reader.octets("sealed", WRAP_BYTES)
        path = reader.octets("path", maximum=merkle.MAX_PATH * HASH_BYTES)
        reader.end()
        if len(path) % HASH_BYTES:
            raise MalformedError("wrap: path")
        return cls(place, sealed, path)

    def open(self, kem: KemKey, device: bytes, entry: LogEntry, wanted: bytes) -> Secret:
        """The key `wanted`, for this device, from the entry in whose set the wrap is.

        `AlbumWrapError` if the wrap is another's, not in the set, or does not give that key.
        """
        if not any(op.key_id == wanted and self.is_in(op, device) for op in _sets(entry)):
            raise AlbumWrapError
        info = _info(entry.album, wanted, entry.parents, entry.device, device, kem.public)
        try:
            key = Secret(kem.open(info, self.sealed))
        except SealBrokenError:
            raise AlbumWrapError from None
        if key_id(key) != wanted:
            raise AlbumWrapError("another key than everybody's")
        return key

    def is_in(self, op: Epoch | Wraps, device: bytes) -> bool:
        """Whether the op names the set that has this wrap for that device."""
        starts = range(0, len(self.path), HASH_BYTES)
        path = [self.path[start : start + HASH_BYTES] for start in starts]
        leaf = _leaf(device, self.sealed)
        return merkle.is_in(op.wraps_hash, op.count, self.place, leaf, path)


@dataclass(frozen=True, slots=True)
class WrapSet:
    """The wraps of one op, all of them: who made them has them, and gives each device its own."""

    key_id: bytes
    wraps_hash: bytes
    wraps: Mapping[bytes, OneWrap]

    @classmethod
    def seal(
        cls,
        key: Secret,
        album: bytes,
        parents: Iterable[bytes],
        sender: bytes,
        recipients: Sequence[Recipient],
    ) -> WrapSet:
        """Wrap a key for 1 to `ALBUM_WRAPS` devices, in an entry by `sender` with these parents.

        `album` is what that entry has: nothing, in the first one. Raises `ValueError`.
        """
        if not 1 <= len(recipients) <= limits.ALBUM_WRAPS:
            raise ValueError(f"a key is wrapped for 1 to {limits.ALBUM_WRAPS} devices")
        name, ordered = key_id(key), sorted(parents)
        sealed: list[tuple[bytes, bytes]] = []
        for each in sorted(recipients, key=lambda recipient: recipient.device):
            info = _info(album, name, ordered, sender, each.device, each.kem)
            sealed.append((each.device, seal_to(each.kem, info, key.reveal())))
        return cls._of(name, sealed)

    @classmethod
    def rebuild(cls, op: Epoch | Wraps, sealed: Sequence[tuple[bytes, bytes]]) -> WrapSet:
        """The set that an op names, from its devices and what is sealed to each, as they came.

        Raises `AlbumWrapError` if it is another one.
        """
        devices = [device for device, _ in sealed]
        if len(sealed) != op.count or any(later <= one for one, later in pairwise(devices)):
            raise AlbumWrapError
        found = cls._of(op.key_id, sealed)
        if found.wraps_hash != op.wraps_hash:
            raise AlbumWrapError
        return found

    @classmethod
    def _of(cls, name: bytes, sealed: Sequence[tuple[bytes, bytes]]) -> WrapSet:
        leaves = [_leaf(device, wrapped) for device, wrapped in sealed]
        wraps = {
            device: OneWrap(place, wrapped, b"".join(path))
            for place, ((device, wrapped), path) in enumerate(
                zip(sealed, merkle.paths(leaves), strict=True)
            )
        }
        return cls(name, merkle.root(leaves), wraps)

    @property
    def sealed(self) -> list[tuple[bytes, bytes]]:
        """The devices, ascending, and what is sealed to each."""
        return [(device, wrap.sealed) for device, wrap in self.wraps.items()]

    def epoch(self, past: Mapping[bytes, bytes] | None = None) -> Epoch:
        """The op that begins the epoch. `past` are earlier keys under this one, by their ids."""
        pairs = tuple(sorted((past or {}).items()))
        return Epoch(self.key_id, self.wraps_hash, len(self.wraps), pairs)

    def later(self) -> Wraps:
        """The op that gives the key to these devices too."""
        return Wraps(self.key_id, self.wraps_hash, len(self.wraps))


class KeyRing:
    """The keys of one album that this device has."""

    def __init__(self, album: bytes, keys: Iterable[Secret] = ()) -> None:
        self._album: Final = album
        self._keys: Final[dict[bytes, Secret]] = {}
        for key in keys:
            self.add(key)

    def __contains__(self, name: bytes) -> bool:
        return name in self._keys

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    def add(self, key: Secret) -> None:
        """Keep a key."""
        self._keys[key_id(key)] = key

    def get(self, name: bytes) -> Secret:
        """The key with that id. Raises `NoAlbumKeyError`."""
        if name not in self._keys:
            raise NoAlbumKeyError
        return self._keys[name]

    def keys(self) -> list[Secret]:
        """All of them, to be kept."""
        return list(self._keys.values())

    def learn(self, epochs: Iterable[Epoch]) -> int:
        """Open the earlier keys that epochs add, as far as theirs are here; how many are new.

        One that is not the key that it should be is left out: it is its admin's fault.
        """
        before = len(self._keys)
        chained: dict[bytes, list[Epoch]] = {}
        for epoch in epochs:
            chained.setdefault(epoch.key_id, []).append(epoch)
        pending = [name for name in chained if name in self._keys]
        while pending:
            by = pending.pop()
            for name, wrapped in (pair for epoch in chained.get(by, ()) for pair in epoch.past):
                if self._learn(by, name, wrapped):
                    pending.append(name)
        return len(self._keys) - before

    def _learn(self, by: bytes, name: bytes, wrapped: bytes) -> bool:
        """Whether this earlier key is new and is what it should be; then it is kept."""
        if name in self._keys:
            return False
        try:
            key = Secret(unwrap(self._keys[by], self._context(_PAST, by, name), wrapped))
        except SealBrokenError:
            return False
        if key_id(key) != name:
            return False
        self._keys[name] = key
        return True

    def past_under(self, new: Secret, names: Iterable[bytes]) -> dict[bytes, bytes]:
        """These earlier keys under a new one, by their ids."""
        by = key_id(new)
        return {
            name: wrap(new, self._context(_PAST, by, name), self.get(name).reveal())
            for name in names
        }

    def wrap_photo(
        self, name: bytes, record: PhotoRecord, keys: Mapping[Kind, Secret]
    ) -> tuple[bytes, ...]:
        """A photo's file keys under the key `name`, in the order of `KINDS`."""
        return tuple(
            wrap(self.get(name), self._of_photo(name, record, kind), keys[kind].reveal())
            for kind in KINDS
        )

    def unwrap_photo(self, photo: Photo) -> dict[Kind, Secret]:
        """A photo's file keys. Raises `NoAlbumKeyError` and `SealBrokenError`."""
        key = self.get(photo.key_id)
        return {
            kind: Secret(unwrap(key, self._of_photo(photo.key_id, photo.record, kind), wrapped))
            for kind, wrapped in zip(KINDS, photo.wrapped, strict=True)
        }

    def seal_preview(self, name: bytes, photo_id: bytes, picture: bytes) -> bytes:
        """A small picture of a photo under the key `name`; `ValueError` for one too large."""
        sealed = wrap(self.get(name), self._context(_PREVIEW, name, photo_id), picture)
        if not picture or len(sealed) > limits.ALBUM_PREVIEW_BYTES:
            raise ValueError(f"a preview has 1 to {limits.ALBUM_PREVIEW_BYTES} bytes, sealed")
        return sealed

    def open_preview(self, name: bytes, photo_id: bytes, sealed: bytes) -> bytes:
        """The reverse. Raises `NoAlbumKeyError` and `SealBrokenError`."""
        return unwrap(self.get(name), self._context(_PREVIEW, name, photo_id), sealed)

    def seal_text(self, name: bytes, what: What, text: str, photo_id: bytes = b"") -> bytes:
        """A text under the key `name`; `photo_id` is of the photo that it is about, if any.

        `ValueError` for none and for one that is too long.
        """
        most = limits.ALBUM_NAME_BYTES if what == "name" else limits.ALBUM_TEXT_BYTES
        if not 1 <= len(text.encode()) <= most:
            raise ValueError(f"a {what} has 1 to {most} bytes")
        return wrap(self.get(name), self._context(_TEXT, name, what, photo_id), text.encode())

    def open_text(self, name: bytes, what: What, sealed: bytes, photo_id: bytes = b"") -> str:
        """The reverse. Raises `NoAlbumKeyError`, `SealBrokenError`, and `MalformedError`."""
        opened = unwrap(self.get(name), self._context(_TEXT, name, what, photo_id), sealed)
        try:
            return opened.decode()
        except UnicodeDecodeError:
            raise MalformedError("album text") from None

    def _context(self, purpose: str, name: bytes, *more: Value) -> bytes:
        return encoding.encode([purpose, self._album, name, *more])

    def _of_photo(self, name: bytes, record: PhotoRecord, kind: Kind) -> bytes:
        return self._context(_KEY, name, record.photo_id, int(kind), record.blob_id(kind))


def _sets(entry: LogEntry) -> list[Epoch | Wraps]:
    return [op for op in entry.ops if isinstance(op, Epoch | Wraps)]


def _leaf(device: bytes, sealed: bytes) -> bytes:
    return encoding.encode([device, sealed])


def _info(
    album: bytes,
    name: bytes,
    parents: Sequence[bytes],
    sender: bytes,
    recipient: bytes,
    kem: bytes,
) -> bytes:
    log = hashlib.sha256(encoding.encode(list(parents))).digest()
    return encoding.encode(
        [_WRAP, album, name, log, sender, recipient, hashlib.sha256(kem).digest()]
    )
