"""Keys of albums over one link: the wrap for this device, and whole sets for those who come later.

AlbumWrapAsk -> AlbumWrap      one at a time, the newest key first: it may open the others
AlbumSetAsk  -> AlbumSetPart…  kept, as who made a set may be away when somebody comes for it
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ..protocol import limits
from ..protocol.album import Album
from ..protocol.album_keys import ONE_WRAP_BYTES, OneWrap, WrapSet
from ..protocol.album_log import Epoch, LogEntry, Wraps
from ..protocol.album_messages import (
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
    wanted,
)
from ..protocol.opening import LocalDevice
from .album_shelf import SharedAlbum, Shelf
from .album_storage import AlbumStore
from .link import Link

SETS_KEPT: Final = 256
"""Whole sets are kept by all for so many devices, and beyond that by admins."""
SETS_BYTES: Final = 256 * 1024 * 1024
"""And of one album so much of them, about, the newest first. Where the newest key leads to all of
before, its own sets are enough, and no more are kept."""

_log = logging.getLogger(__name__)


Sets = list[tuple[LogEntry, Epoch | Wraps]]
"""Sets of wraps, each by the entry and the op that names it."""


def worth_keeping(album: Album, *, all_sizes: bool, all_keys: bool = False) -> Sets:
    """The sets of an album for which somebody may still come, the newest first; with `all_keys`
    also those to whose keys the newest one leads.
    """
    safe = album.authority.safe_epochs()
    newest = safe[0][1].key_id if safe else None
    chained = album.graph.created.history == "all" and not all_keys
    known = _led_to(album, newest) if chained else set[bytes]()
    found: Sets = []
    used = 0
    for entry in reversed(album.graph.entries):
        for op in entry.ops:
            if not isinstance(op, Epoch | Wraps) or op.key_id in known:
                continue
            if all_sizes or op.count <= SETS_KEPT:
                used += op.count * ONE_WRAP_BYTES
                if used > SETS_BYTES and found:
                    return found
                found.append((entry, op))
    return found


def _led_to(album: Album, newest: bytes | None) -> set[bytes]:
    """The keys that who has the newest one has by that."""
    past: dict[bytes, set[bytes]] = {}
    for _, epoch in album.graph.all_epochs():
        past.setdefault(epoch.key_id, set()).update(name for name, _ in epoch.past)
    found, pending = set[bytes](), [] if newest is None else [newest]
    while pending:
        for name in past.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found - {newest}


@dataclass(slots=True)
class _Coming:
    """A set of which parts are here."""

    ask: AlbumSetAsk
    op: Epoch | Wraps
    pairs: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])


class AlbumWraps:
    """Asks the peer for wraps, and gives those that it may have."""

    def __init__(self, link: Link, *, device: LocalDevice, store: AlbumStore, shelf: Shelf) -> None:
        self._link = link
        self._device = device
        self._store = store
        self._shelf = shelf
        self._asked: dict[bytes, AlbumWrapAsk] = {}
        self._set: _Coming | None = None
        self.unanswered: Final[Counter[bytes]] = Counter()
        """Of each album, what was asked for and not answered yet."""
        self._tried: dict[bytes, set[tuple[bytes, bytes, bool]]] = {}
        """What was asked for of an album: the entry, the key, and whether the set of it."""

    def refused(self, album_id: bytes) -> None:
        """The peer gives us nothing of an album."""
        self._asked.pop(album_id, None)
        if self._set is not None and self._set.ask.album == album_id:
            self._set = None

    async def _ask(self, ask: AlbumWrapAsk | AlbumSetAsk) -> None:
        self.unanswered[ask.album] += 1
        await self._link.send(ask)

    def heard_news(self, album_id: bytes) -> None:
        """The peer has news of an album, so it may have by now what it lacked."""
        self._tried.pop(album_id, None)

    async def want(self, shared: SharedAlbum) -> None:
        """Ask the peer, who is in the album, for what misses here. Sets are for others and can be
        large: for them only if somebody here takes part.
        """
        await self._want_wrap(shared)
        if shared.state == "joined":
            await self._want_set(shared)

    # One's own.

    async def _want_wrap(self, shared: SharedAlbum) -> None:
        if shared.album_id in self._asked:
            return
        us, tried = self._device, self._tried.setdefault(shared.album_id, set())
        for ask in wanted(shared.album, us.identity, us.signing.public, shared.keys):
            if (place := (ask.entry, ask.key_id, False)) not in tried:
                tried.add(place)
                self._asked[shared.album_id] = ask
                await self._ask(ask)
                return

    async def give(self, shared: SharedAlbum, ask: AlbumWrapAsk) -> bool:
        """Give a member's device its own wrap, or nothing if it is not here; whether it is."""
        device = self._link.peer.device
        found = self._store.wrap(shared.album_id, ask.entry, ask.key_id, device)
        await self._link.send(AlbumWrap(ask.album, ask.entry, ask.key_id, found or b""))
        return found is not None

    def take(self, shared: SharedAlbum, message: AlbumWrap) -> None:
        """The wrap that was asked for. Raises what it is wrong with."""
        ask = self._asked.pop(message.album, None)
        if ask is None or (ask.entry, ask.key_id) != (message.entry, message.key_id):
            return
        if message.wrap:
            self._open(shared, OneWrap.decode(message.wrap), ask.entry, ask.key_id)

    def _open(self, shared: SharedAlbum, wrap: OneWrap, entry: bytes, key_id: bytes) -> None:
        graph, us = shared.album.graph, self._device
        if key_id in shared.keys or entry not in graph:
            return
        named = graph.entries[graph.numbers[entry]]
        key = wrap.open(us.kem, us.signing.public, named, key_id)
        self._shelf.learn(shared, key)

    # Sets.

    async def _want_set(self, shared: SharedAlbum) -> None:
        if self._set is not None:
            return
        tried = self._tried.setdefault(shared.album_id, set())
        worth = worth_keeping(shared.album, all_sizes=self._shelf.has_seat(shared))
        self._prune(shared, worth)
        for entry, op in worth:
            place = entry.digest, op.key_id, True
            if place in tried or self._store.has_set(shared.album_id, *place[:2]):
                continue
            tried.add(place)
            ask = AlbumSetAsk(shared.album_id, entry.digest, op.key_id, 0)
            self._set = _Coming(ask, op)
            await self._ask(ask)
            return

    def _prune(self, shared: SharedAlbum, worth: Sets) -> None:
        """Once the log has grown, let go of what is not worth keeping any more. As long as the
        newest is not here, what was before it stays, as far as there is room.
        """
        album, grown = shared.album, len(shared.album.graph.entries)
        if shared.pruned == grown:
            return
        shared.pruned = grown
        safe = album.authority.safe_epochs()
        if not safe or not self._store.has_set(
            shared.album_id, album.graph.entries[safe[0][0]].digest, safe[0][1].key_id
        ):
            worth = worth_keeping(album, all_sizes=True, all_keys=True)
            shared.pruned = 0
        self._store.keep_sets(shared.album_id, {(entry.digest, op.key_id) for entry, op in worth})

    async def give_set(self, ask: AlbumSetAsk) -> bool:
        """Give a member's device the next part of a set, or nothing if it is not here; whether it
        is.
        """
        pairs = self._store.set_part(
            ask.album, ask.entry, ask.key_id, ask.first, limits.ALBUM_WRAPS_AT_ONCE
        )
        await self._link.send(AlbumSetPart(ask.album, ask.entry, ask.key_id, ask.first, pairs))
        return bool(pairs)

    async def take_set(self, shared: SharedAlbum, part: AlbumSetPart) -> None:
        """The part that was asked for. Raises what the whole is wrong with."""
        coming = self._set
        if coming is None or coming.ask.album != part.album:
            return
        ask, first = coming.ask, len(coming.pairs)
        if (part.entry, part.key_id, part.first) != (ask.entry, ask.key_id, first):
            return
        coming.pairs += part.wraps
        if part.wraps and len(coming.pairs) < coming.op.count:
            more = AlbumSetAsk(ask.album, ask.entry, ask.key_id, len(coming.pairs))
            await self._ask(more)
            return
        self._set = None
        if not part.wraps:
            return
        wraps = WrapSet.rebuild(coming.op, coming.pairs)
        self._store.add_wraps(shared.album_id, ask.entry, wraps)
        mine = wraps.wraps.get(self._device.signing.public)
        if mine is not None:
            self._open(shared, mine, ask.entry, ask.key_id)
        self._shelf.came(shared)  # who asked for one of them in vain is told
