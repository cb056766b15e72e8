"""The albums of this node, in memory as they are in the library, and what keeps the two equal.

    entries of a peer -> take -> kept durably -> changed -> told to others
    what we write     -> write -> kept durably, with its wraps and keys -> changed -> told to others

An entry is kept before anybody hears of it: both steps are one turn of the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..crypto.errors import KinlightError, LocalError, PeerError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol.album import Album, Entry, read_entry
from ..protocol.album_admin import Admin, Founded, Written
from ..protocol.album_errors import AlbumGapError
from ..protocol.album_feed import FeedEntry
from ..protocol.album_keys import KeyRing
from ..protocol.album_log import Member
from ..protocol.album_roles import Role
from ..protocol.album_writing import Author
from ..protocol.opening import LocalDevice
from .album_storage import AlbumStore, KeptAlbum, State
from .database import Database
from .events import Events

_Made = TypeVar("_Made", Written, FeedEntry)

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class SharedAlbum:
    """One album, its keys, and how this node stands to it."""

    album: Album
    keys: KeyRing
    state: State
    inviter: bytes
    since: int
    expected: set[bytes] = field(default_factory=set[bytes])
    """The entries whose photos were noted to be fetched, or need not be."""
    unasked: int = 0
    """Bytes of entries that came while nobody here took part."""
    pruned: int = 0
    """How long the log was when sets of wraps were last looked through."""
    previews: set[bytes] | None = None
    """The entries whose previews are here, once somebody has asked."""

    @property
    def album_id(self) -> bytes:
        """16 bytes."""
        return self.album.album_id

    def has(self, chain: DeviceChain) -> bool:
        """Whether a device is in the album, as the identity for which it speaks."""
        return chain.identity in self.album.authority.holders(chain.device)

    def ever_had(self, chain: DeviceChain) -> bool:
        """Whether it was ever let in."""
        return (chain.identity, chain.device) in self.album.graph.let_in

    def role(self, identity: bytes) -> Role | None:
        """The role of an identity; None if it is not in the album."""
        return self.album.view.members.get(identity)


@dataclass(slots=True)
class Taken:
    """What became of entries that came together: those that are new, and those that wait."""

    added: list[Entry] = field(default_factory=list[Entry])
    waiting: list[Entry] = field(default_factory=list[Entry])
    """They build on what is not here, or was refused."""


class Shelf:
    """All albums of this node."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        store: AlbumStore,
        events: Events,
        now: Callable[[], int],
        changed: Callable[[SharedAlbum], None],
    ) -> None:
        """`changed` hears of each album to which something came, once that is kept."""
        self._device = device
        self._db = database
        self._store = store
        self._events = events
        self._now = now
        self._changed = changed
        self._albums: dict[bytes, SharedAlbum] = {}

    async def load(self) -> None:
        """Read all albums, before anything else goes on: seconds for large ones, in a thread."""
        for kept in self._store.albums():
            entries, keys = self._store.entries(kept.album_id), self._store.keys(kept.album_id)
            try:
                album = await asyncio.to_thread(Album.load, entries)
            except PeerError as error:  # of its form: a later version may have kept it
                _log.error("an album can't be read: %s", error.code)
                continue
            ring = KeyRing(kept.album_id, keys)
            shared = SharedAlbum(album, ring, kept.state, kept.inviter, kept.since)
            if kept.state == "invited":
                shared.unasked = sum(map(len, entries))
            self._albums[kept.album_id] = shared

    def get(self, album_id: bytes) -> SharedAlbum | None:
        """The album, if it is here."""
        return self._albums.get(album_id)

    def all(self) -> list[SharedAlbum]:
        """All of them, the oldest first."""
        return list(self._albums.values())

    # Who writes.

    def author(self, shared: SharedAlbum) -> Author:
        """This device, as it adds to its feed."""
        us = self._device
        return Author(shared.album, us.signing, us.identity, shared.keys)

    def admin(self, shared: SharedAlbum) -> Admin:
        """This device, as it writes the log."""
        us = self._device
        return Admin(shared.album, us.signing, us.identity, shared.keys)

    def has_seat(self, shared: SharedAlbum) -> bool:
        """Whether this device may write the log."""
        us = self._device
        seat = shared.album.authority.seat_of(us.identity, us.signing.public)
        return seat is not None and us.identity in shared.album.view.members

    # What comes.

    def found(self, founded: Founded) -> SharedAlbum:
        """An album of our own."""
        us, album = self._device.identity, founded.album
        kept = KeptAlbum(album.album_id, "joined", us, self._now())
        entry, wraps = founded.written.entry, founded.written.wraps
        with self._db.transaction():
            self._store.begin(kept)
            self._store.add_entries(album.album_id, [entry])
            self._store.add_keys(album.album_id, founded.keys.keys())
            if wraps is not None:
                self._store.add_wraps(album.album_id, entry.digest, wraps)
        shared = SharedAlbum(album, founded.keys, kept.state, us, kept.since)
        self._albums[album.album_id] = shared
        self._publish(shared, "founded")
        return shared

    def restore(
        self,
        album: Album,
        keys: Iterable[Secret],
        inviter: bytes,
        since: int,
        hidden: Iterable[bytes],
    ) -> None:
        """An album of which a backup was kept, with its keys; its entries were verified.

        If an admin's node was faster, it is here as an invitation: what was kept is added to it.
        Else it stays as it stands here.
        """
        here = self._albums.get(album.album_id)
        if here is not None:
            if here.state == "invited":
                self._take_part_again(here, album, list(keys), inviter, hidden)
            return
        kept = KeptAlbum(album.album_id, "joined", inviter, since)
        shared = SharedAlbum(album, KeyRing(album.album_id, keys), kept.state, inviter, since)
        with self._db.transaction():
            self._store.begin(kept)
            self._store.add_entries(album.album_id, map(read_entry, album.kept()))
            self._store.add_keys(album.album_id, shared.keys.keys())
            for photo_id in hidden:
                self._store.hide(album.album_id, photo_id)
        self._albums[album.album_id] = shared
        self._publish(shared, "joined")
        self._changed(shared)

    def _take_part_again(
        self,
        shared: SharedAlbum,
        album: Album,
        keys: Sequence[Secret],
        inviter: bytes,
        hidden: Iterable[bytes],
    ) -> None:
        with self._db.transaction():
            self._store.add_keys(shared.album_id, keys)
            for photo_id in hidden:
                self._store.hide(shared.album_id, photo_id)
        for key in keys:
            shared.keys.add(key)
        entries = map(read_entry, album.kept())
        self.take(shared, [entry for entry in entries if entry.digest not in shared.album])
        shared.inviter = inviter
        self.set_state(shared, "joined")
        self.came(shared)

    def invited(self, album: Album, inviter: bytes) -> SharedAlbum:
        """An album that somebody let us into."""
        kept = KeptAlbum(album.album_id, "invited", inviter, self._now())
        encoded = album.kept()
        entries = [read_entry(each) for each in encoded]
        with self._db.transaction():
            self._store.begin(kept)
            self._store.add_entries(album.album_id, entries)
        shared = SharedAlbum(album, KeyRing(album.album_id), kept.state, inviter, kept.since)
        shared.unasked = sum(map(len, encoded))
        self._albums[album.album_id] = shared
        self._publish(shared, "invited")
        self._changed(shared)
        return shared

    def adopt(self, album: Album, kept: KeptAlbum) -> SharedAlbum:
        """An album that another device of ours has, as a person decided there."""
        entries = [read_entry(each) for each in album.kept()]
        with self._db.transaction():
            self._store.begin(kept)
            self._store.add_entries(album.album_id, entries)
        shared = SharedAlbum(album, KeyRing(album.album_id), kept.state, kept.inviter, kept.since)
        self._albums[album.album_id] = shared
        self._publish(shared, kept.state)
        self._changed(shared)
        return shared

    def take(self, shared: SharedAlbum, entries: Iterable[Entry]) -> Taken:
        """Add entries that came from somebody, each after those that it needs, and keep them.

        What is refused is left out, and with it what builds on it. Raises a `LocalError` if they
        can't be kept; then none of them is here.
        """
        taken = Taken()
        pending = list(entries)
        while pending:
            waiting: list[Entry] = []
            before = len(taken.added)
            for entry in pending:
                try:
                    if shared.album.take(entry):
                        taken.added.append(entry)
                except AlbumGapError:
                    waiting.append(entry)
                except PeerError as error:
                    self._refused(error)
            pending = waiting if len(taken.added) > before else []
            taken.waiting = waiting
        if taken.added:
            self._keep(shared, lambda: self._store.add_entries(shared.album_id, taken.added))
            if shared.state != "joined":
                shared.unasked += sum(len(entry.signed.encode()) for entry in taken.added)
        return taken

    def read(self, encoded: Sequence[bytes]) -> list[Entry]:
        """Read entries as they came, in any thread: what has no form is left out."""
        found: list[Entry] = []
        for each in encoded:
            try:
                found.append(read_entry(each))
            except PeerError as error:
                self._refused(error)
        return found

    def came(self, shared: SharedAlbum) -> None:
        """To be called after `take`, when all that came together is here."""
        self._learn(shared)
        self._stand(shared)
        if shared.album_id in self._albums:
            self._changed(shared)

    def learn(self, shared: SharedAlbum, key: Secret) -> None:
        """Keep a key that came for this device, and those that it opens."""
        shared.keys.add(key)
        self._keep(shared, lambda: self._store.add_keys(shared.album_id, [key]))
        self._learn(shared)
        self._publish(shared, "key")
        self._changed(shared)

    def _learn(self, shared: SharedAlbum) -> None:
        if shared.keys.learn(epoch for _, epoch in shared.album.graph.all_epochs()):
            keys = shared.keys.keys()
            self._keep(shared, lambda: self._store.add_keys(shared.album_id, keys))

    def _refused(self, error: PeerError) -> None:
        _log.info("an album's entry was refused: %s", error.code)
        self._events.counters.refused("album", error.code)

    # What we write.

    def write(
        self,
        shared: SharedAlbum,
        make: Callable[[], _Made],
        keep_too: Callable[[_Made], None] | None = None,
    ) -> _Made:
        """Make an entry of ours and keep it, with its wraps and its key, or nothing of it.

        `keep_too` keeps what goes with it, in the same transaction. Raises what `make` raises, and
        a `LocalError` if it can't be kept.
        """
        try:
            made = make()
        except (KinlightError, ValueError):
            raise
        except BaseException:
            self._reload(shared)
            raise

        def keep() -> None:
            album_id = shared.album_id
            if keep_too is not None:
                keep_too(made)
            if isinstance(made, FeedEntry):
                self._store.add_entries(album_id, [made])
                return
            self._store.add_entries(album_id, [made.entry])
            self._store.add_keys(album_id, shared.keys.keys())
            if made.wraps is not None:
                self._store.add_wraps(album_id, made.entry.digest, made.wraps)

        self._keep(shared, keep)
        self._stand(shared)
        self._changed(shared)
        return made

    def _keep(self, shared: SharedAlbum, keep: Callable[[], None]) -> None:
        """What is in memory is in the library, or in neither."""
        try:
            with self._db.transaction():
                keep()
        except BaseException:
            self._reload(shared)
            raise

    def _reload(self, shared: SharedAlbum) -> None:
        try:
            shared.album = Album.load(self._store.entries(shared.album_id))
            shared.keys = KeyRing(shared.album_id, self._store.keys(shared.album_id))
            shared.previews = None
        except LocalError:  # it can't be read either: what can't be kept is not to be told
            del self._albums[shared.album_id]

    # How this node stands to it.

    def join(self, shared: SharedAlbum) -> None:
        """A person here takes part in it."""
        self.set_state(shared, "joined")
        self._changed(shared)

    def expect_again(self, shared: SharedAlbum, photo_id: bytes) -> None:
        """A photo that was not wanted may come."""
        photo = shared.album.view.photos.get(photo_id)
        if photo is not None:
            shared.expected.discard(photo.added.digest)
            self._changed(shared)

    def set_state(self, shared: SharedAlbum, state: State) -> None:
        """A person joins or leaves, or somebody took us out."""
        if state == shared.state:
            return
        if state == "invited":
            shared.inviter = inviter_of(shared.album, self._device.identity) or shared.inviter
        with self._db.transaction():
            self._store.set_state(shared.album_id, state, shared.inviter)
            if state != "joined":
                self._store.forget_expected(shared.album_id)
                self._store.wait_no_more(shared.album_id)
        shared.state = state
        shared.unasked = 0
        shared.expected.clear()
        self._publish(shared, state)

    def _stand(self, shared: SharedAlbum) -> None:
        """What others wrote may have taken us out, or let us in again."""
        inside = shared.has(self._device.chain) or self._is_to_be_let_in(shared)
        asked = shared.album.view.has_left(self._device.identity)  # perhaps another device of ours
        match shared.state:
            case "invited" if not inside and not self._store.states(shared.album_id):
                self._forget(shared)
            case "invited" | "joined" if not inside:
                self.set_state(shared, "left" if asked or self._went(shared) else "removed")
            case "invited" | "removed" if asked:
                self.set_state(shared, "left")
            case "removed" | "left" if inside and not asked:
                self.set_state(shared, "invited")
            case _:
                pass

    def _is_to_be_let_in(self, shared: SharedAlbum) -> bool:
        """Whether we are in it and no admin has met this device yet, as it was added or restored:
        who looks after the album lets it in.
        """
        us = self._device.chain
        return us.identity in shared.album.view.members and not shared.ever_had(us)

    def _forget(self, shared: SharedAlbum) -> None:
        """An invitation was taken back before anything came by it. Else one contact could leave
        albums here without end, by letting us in and taking us out again.
        """
        self._store.forget(shared.album_id)
        del self._albums[shared.album_id]
        self._publish(shared, "removed")

    def _went(self, shared: SharedAlbum) -> bool:
        """Whether we took ourselves out, as an admin does who leaves."""
        us, device = self._device.identity, self._device.signing.public
        removals = shared.album.authority.removals_of(us, device)
        return any(removal.seat.identity == us for removal in removals)

    def _publish(self, shared: SharedAlbum, what: str) -> None:
        by = {"by": shared.inviter.hex()} if what == "invited" else {}
        self._events.publish("album", id=shared.album_id.hex(), what=what, **by)


def inviter_of(album: Album, identity: bytes) -> bytes | None:
    """Who let an identity in last, among what counts."""
    graph, counting = album.graph, album.authority.counting
    for number in range(len(graph.entries) - 1, -1, -1):
        entry = graph.entries[number]
        if counting >> number & 1 and any(
            isinstance(op, Member) and op.identity == identity for op in entry.ops
        ):
            return entry.identity
    return None
