"""The messages by which nodes bring their albums to the same state (docs/spec/album.md).

They belong to version 4 of the protocol; a session of an earlier one carries none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from ..crypto import signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from . import limits
from .album import ENTRY_BYTES, Album, Entry, Heads
from .album_keys import ONE_WRAP_BYTES, WRAP_BYTES, KeyRing
from .album_log import ALBUM_ID_BYTES, HASH_BYTES, KEY_BYTES, Epoch, Wraps
from .messages import (
    Message,
    _flag,  # pyright: ignore[reportPrivateUsage] - one registry of messages, in two modules
    _form,  # pyright: ignore[reportPrivateUsage]
    _integer,  # pyright: ignore[reportPrivateUsage]
    _message,  # pyright: ignore[reportPrivateUsage]
    _octets,  # pyright: ignore[reportPrivateUsage]
)

SINCE: Final = 4
_ENVELOPE_BYTES: Final = 64
"""What a message has besides its entries, and a bit more."""

Pairs = tuple[tuple[bytes, bytes], ...]
"""Devices, and what is sealed to each; or entries, and the preview of the photo that each adds."""


def _hashes(most: int) -> Any:
    """Hashes, each as it is."""

    def read(reader: Reader, name: str) -> tuple[bytes, ...]:
        items = reader.array(name, most)
        inner = Reader(items, name)
        return tuple(inner.octets(name, HASH_BYTES) for _ in items)

    return _form(read, list)


def _entries() -> Any:
    """Entries as they are signed."""

    def read(reader: Reader, name: str) -> tuple[bytes, ...]:
        items = reader.array(name, limits.ALBUM_BATCH)
        inner = Reader(items, name)
        return tuple(inner.octets(name, maximum=ENTRY_BYTES) for _ in items)

    return _form(read, list)


def _pairs() -> Any:
    """Devices, ascending, and what is sealed to each."""

    def one(pair: Reader) -> tuple[bytes, bytes]:
        return pair.octets("device", signing.KEY_BYTES), pair.octets("w", WRAP_BYTES)

    return _list_of(limits.ALBUM_WRAPS_AT_ONCE, one)


def _previews() -> Any:
    """Entries that add photos, and the sealed preview of each."""

    def one(pair: Reader) -> tuple[bytes, bytes]:
        entry = pair.octets("entry", HASH_BYTES)
        return entry, pair.octets("preview", maximum=limits.ALBUM_PREVIEW_BYTES)

    return _list_of(limits.ALBUM_PREVIEWS_AT_ONCE, one)


def _list_of(most: int, one: Callable[[Reader], tuple[bytes, bytes]]) -> Any:
    def read(reader: Reader, name: str) -> Pairs:
        found: list[tuple[bytes, bytes]] = []
        for item in reader.array(name, most):
            if not isinstance(item, list):
                raise MalformedError(name)
            pair = Reader(item, name)
            found.append(one(pair))
            pair.end()
        return tuple(found)

    def write(pairs: Pairs) -> Value:
        return [list(pair) for pair in pairs]

    return _form(read, write)


@_message(80, since=SINCE)
class AlbumHeads(Message):
    """What the sender of this has of an album: all that leads to these entries."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    log: tuple[bytes, ...] = _hashes(limits.ALBUM_HEADS)
    feeds: tuple[bytes, ...] = _hashes(limits.ALBUM_WRAPS)


@_message(81, since=SINCE)
class AlbumEntries(Message):
    """The answer: what the receiver of this lacks, each after those that it needs. With `more`
    there is more, for who says again what it has.
    """

    album: bytes = _octets(ALBUM_ID_BYTES)
    more: bool = _flag()
    entries: tuple[bytes, ...] = _entries()


@_message(82, since=SINCE)
class AlbumRefused(Message):
    """Nothing of this album is for the receiver of this; see `code`."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    code: int = _integer()


@_message(83, since=SINCE)
class AlbumWrapAsk(Message):
    """Ask for the wrap for one's own device: of the key `key_id`, in the set that `entry` names."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    entry: bytes = _octets(HASH_BYTES)
    key_id: bytes = _octets(KEY_BYTES)


@_message(84, since=SINCE)
class AlbumWrap(Message):
    """The answer: the wrap and its proof, or nothing if it is not here."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    entry: bytes = _octets(HASH_BYTES)
    key_id: bytes = _octets(KEY_BYTES)
    wrap: bytes = _octets(maximum=ONE_WRAP_BYTES)


@_message(85, since=SINCE)
class AlbumSetAsk(Message):
    """Ask for a set of wraps from number `first` on, to keep it for those who come for theirs."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    entry: bytes = _octets(HASH_BYTES)
    key_id: bytes = _octets(KEY_BYTES)
    first: int = _integer(limits.ALBUM_WRAPS - 1)


@_message(86, since=SINCE)
class AlbumSetPart(Message):
    """The answer: wraps from number `first` on, or none if they are not here."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    entry: bytes = _octets(HASH_BYTES)
    key_id: bytes = _octets(KEY_BYTES)
    first: int = _integer(limits.ALBUM_WRAPS - 1)
    wraps: Pairs = _pairs()


@_message(87, since=SINCE)
class AlbumPreviewAsk(Message):
    """Ask for previews of photos, by the entries that add them, under a capability as in `Fetch`.

    Who asks counts what they have together, as their entries say: no more than a message holds.
    """

    album: bytes = _octets(ALBUM_ID_BYTES)
    capability: bytes = _octets(maximum=limits.CAPABILITY_BYTES)
    entries: tuple[bytes, ...] = _hashes(limits.ALBUM_PREVIEWS_AT_ONCE)


@_message(88, since=SINCE)
class AlbumPreviews(Message):
    """The answer: what there is of that here, each by its entry, in the order asked for."""

    album: bytes = _octets(ALBUM_ID_BYTES)
    previews: Pairs = _previews()


ALBUM_WORK: Final[tuple[type[Message], ...]] = (
    AlbumHeads, AlbumEntries, AlbumRefused, AlbumWrapAsk, AlbumWrap, AlbumSetAsk, AlbumSetPart,
    AlbumPreviewAsk, AlbumPreviews,
)  # fmt: skip
"""What an established session carries besides `messages.WORK`, from version 4 on."""


def heads_of(album: Album) -> AlbumHeads:
    """What to say first, after each `AlbumEntries` with `more`, and when there is news.

    Of heads too many for a message the rest are left out; what they lead to then comes again.
    """
    heads = album.heads
    return AlbumHeads(
        album.album_id, heads.log[: limits.ALBUM_HEADS], heads.feeds[: limits.ALBUM_WRAPS]
    )


def answer(album: Album, asked: AlbumHeads) -> AlbumEntries:
    """What to answer to who is in the album: as much as a message holds."""
    missing = album.missing(Heads(asked.log, asked.feeds))
    return _batch(album.album_id, missing)


def farewell(album: Album, identity: bytes, device: bytes, asked: AlbumHeads) -> AlbumEntries:
    """What to answer to who was taken out: the log as far as that."""
    lacking = {entry.digest for entry in album.graph.missing(asked.log)}
    told = [entry for entry in album.farewell(identity, device) if entry.digest in lacking]
    return _batch(album.album_id, told)


def wanted(album: Album, identity: bytes, device: bytes, keys: KeyRing) -> list[AlbumWrapAsk]:
    """The wraps that may be for this device, of keys that it lacks, the newest first.

    With the newest key `KeyRing.learn` may open the others, so one at a time is asked for.
    """
    graph = album.graph
    let_in = graph.let_in.get((identity, device), ())
    return [
        AlbumWrapAsk(album.album_id, entry.digest, op.key_id)
        for number, entry in reversed(list(enumerate(graph.entries)))
        if any(other == number or graph.is_before(other, number) for other in let_in)
        for op in entry.ops
        if isinstance(op, Epoch | Wraps) and op.key_id not in keys
    ]


def previews(album_id: bytes, found: Iterable[tuple[bytes, bytes]]) -> AlbumPreviews:
    """As many previews as a message holds. Who asked for more asks again for the others."""
    room = limits.MESSAGE_BYTES - _ENVELOPE_BYTES
    told: list[tuple[bytes, bytes]] = []
    for entry, sealed in found:
        room -= preview_room(len(sealed))
        if room < 0:
            break
        told.append((entry, sealed))
    return AlbumPreviews(album_id, tuple(told))


def preview_room(length: int) -> int:
    """What a preview of so many bytes takes of a message."""
    return length + HASH_BYTES + 8


def _batch(album_id: bytes, entries: Sequence[Entry]) -> AlbumEntries:
    batch: list[bytes] = []
    room = limits.MESSAGE_BYTES - _ENVELOPE_BYTES
    for entry in entries[: limits.ALBUM_BATCH]:
        encoded = entry.signed.encode()
        room -= len(encoded) + 5
        if room < 0:
            break
        batch.append(encoded)
    return AlbumEntries(album_id, len(batch) < len(entries), tuple(batch))
