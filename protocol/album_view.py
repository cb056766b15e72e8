"""What an album is to who looks at it: the photos that count, and what was said about them.

A pure function of the judged log and the feeds, in whatever order all of it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .album_authority import Authority, Removal
from .album_errors import AlbumRefusedError, AlbumRemovedError, AlbumRoleError, OldEpochError
from .album_feed import (
    AskDelete,
    Caption,
    Comment,
    Cover,
    Favourite,
    FeedEntry,
    Leave,
    Order,
    Photo,
    Register,
)
from .album_feeds import Feeds
from .album_log import Name, Tier, at_least
from .rendition import Rendition


@dataclass(slots=True)
class AlbumPhoto:
    """A photo in the album; of several entries that add it, `added` has the lowest hash."""

    added: FeedEntry
    photo: Photo
    caption: Caption | None = None
    place: bytes = b""
    """Where it stands; those without a place follow."""
    comments: list[FeedEntry] = field(default_factory=list[FeedEntry])
    favourite_of: set[bytes] = field(default_factory=set[bytes])
    asked_to_delete: set[bytes] = field(default_factory=set[bytes])
    """The identities that asked. It is a request, and is shown as one."""


class AlbumView:
    """The album as it stands with what is here."""

    def __init__(self, authority: Authority, feeds: Feeds) -> None:
        self.authority: Final = authority
        self._feeds: Final = feeds
        self.members: Final = authority.members()
        self.devices: Final = authority.devices()
        self.photos: Final[dict[bytes, AlbumPhoto]] = {}
        self.void: Final[dict[bytes, type[AlbumRefusedError]]] = {
            authority.graph.entries[number].digest: error
            for number, error in authority.void.items()
        }
        """The entries that do not count, of log and feeds, and why."""
        self.leaving: Final[set[bytes]] = set()
        """Members that asked to be taken out and still are in."""
        self.cover: bytes | None = None
        self.tier: Final = self._tier()
        self.name: Final = self._name()
        """The name, sealed, and under which key."""
        self._cuts: Final[dict[tuple[int, int], set[bytes]]] = {}
        self._registers: Final[dict[_About, list[tuple[FeedEntry, Register]]]] = {}
        self._look()

    def ordered(self) -> list[bytes]:
        """The ids of all photos: those with a place by it, then the others by when they say."""

        def rank(photo_id: bytes) -> tuple[bool, bytes, int, bytes]:
            found = self.photos[photo_id]
            return not found.place, found.place, found.added.time, photo_id

        return sorted(self.photos, key=rank)

    def standing(self, act: Register, identity: bytes) -> tuple[bytes, ...]:
        """The entries that an act by this identity has to replace, ascending."""
        found = _standing(self._registers.get(_about(act, identity), ()))
        return tuple(entry.digest for entry, _ in found)

    def _look(self) -> None:
        photos: list[tuple[FeedEntry, Photo]] = []
        rest: list[FeedEntry] = []
        for digest, entry in self._feeds.entries.items():
            error = self._judge(entry)
            if error is not None:
                self.void[digest] = error
            elif isinstance(entry.act, Photo):
                photos.append((entry, entry.act))
            else:
                rest.append(entry)
        for entry, photo in sorted(photos, key=lambda pair: pair[0].digest):
            self.photos.setdefault(photo.record.photo_id, AlbumPhoto(entry, photo))
        for entry in sorted(rest, key=lambda entry: (entry.time, entry.digest)):
            self._note(entry)
        for found in self._registers.values():
            self._set(*_standing(found)[0])

    def _note(self, entry: FeedEntry) -> None:
        act = entry.act
        if isinstance(act, Leave):
            if entry.identity in self.members and not self._came_back(entry):
                self.leaving.add(entry.identity)
            return
        photo = self.photos.get(act.photo_id) if not isinstance(act, Photo) else None
        if photo is None:
            return
        match act:
            case Comment():
                photo.comments.append(entry)
            case AskDelete():
                photo.asked_to_delete.add(entry.identity)
            case Caption() if not self._may_caption(entry, photo):
                self.void[entry.digest] = AlbumRoleError
            case Caption() | Favourite() | Cover() | Order():
                about = _about(act, entry.identity)
                self._registers.setdefault(about, []).append((entry, act))
            case _:
                pass

    def _set(self, entry: FeedEntry, act: Register) -> None:
        photo = self.photos[act.photo_id]
        match act:
            case Caption():
                photo.caption = act
            case Favourite():
                if act.chosen:
                    photo.favourite_of.add(entry.identity)
            case Cover():
                self.cover = act.photo_id
            case Order():
                photo.place = act.place

    def _judge(self, entry: FeedEntry) -> type[AlbumRefusedError] | None:
        """Why an entry does not count, or None if it does."""
        authority, seen = self.authority, self._feeds.seen[entry.digest]
        for removal in authority.removals_of(entry.identity, entry.device):
            if not seen >> removal.entry & 1 and entry.digest not in self._cut(removal):
                return AlbumRemovedError
        if authority.chain(entry.identity, entry.device, seen) is None:
            return AlbumRemovedError
        act, role = entry.act, authority.role(entry.identity, seen)
        if role is None or not at_least(role, act.role):
            return AlbumRoleError
        if isinstance(act, Photo | Comment | Caption) and not self._excludes(act.key_id, seen):
            return OldEpochError
        return None

    def _excludes(self, key_id: bytes, seen: int) -> bool:
        """Whether the epoch of that key came with or after all removals that were seen."""
        numbers = self.authority.graph.epochs(key_id, seen)
        return all(self.authority.covers(number, seen) for number in numbers)

    def _cut(self, removal: Removal) -> set[bytes]:
        """What a removal accepts of the feeds that it ends."""
        place = (removal.entry, removal.number)
        if place not in self._cuts:
            self._cuts[place] = self._feeds.leading_to(removal.op.heads)
        return self._cuts[place]

    def _came_back(self, entry: FeedEntry) -> bool:
        """Whether who asked to be taken out was taken out, and is a member again."""
        seen = self._feeds.seen[entry.digest]
        removals = self.authority.removals_of(entry.identity, b"")
        return any(not seen >> removal.entry & 1 for removal in removals)

    def _may_caption(self, entry: FeedEntry, photo: AlbumPhoto) -> bool:
        role = self.authority.role(entry.identity, self._feeds.seen[entry.digest])
        is_admin = role is not None and at_least(role, "admin")
        return is_admin or photo.photo.record.author == entry.identity

    def _tier(self) -> Rendition:
        found = self._last_op(Tier)
        return found.rendition if isinstance(found, Tier) else self.authority.graph.created.tier

    def _name(self) -> Name | None:
        found = self._last_op(Name)
        return found if isinstance(found, Name) else None

    def _last_op(self, kind: type[Tier] | type[Name]) -> Tier | Name | None:
        graph, counting = self.authority.graph, self.authority.counting
        found: list[tuple[int, Tier | Name]] = []
        for number, entry in enumerate(graph.entries):
            ops = [op for op in entry.ops if isinstance(op, kind)]
            if ops and counting >> number & 1:
                found.append((number, ops[-1]))
        before = 0
        for number, _ in found:
            before |= graph.past[number]
        last = [
            (graph.entries[number].digest, op) for number, op in found if not before >> number & 1
        ]
        return min(last, key=lambda pair: pair[0])[1] if last else None


_About = tuple[type, bytes, bytes]
"""What a register is about: its kind, and the photo or the person, where there is one for each."""


def _about(act: Register, identity: bytes) -> _About:
    photo_id = b"" if isinstance(act, Cover) else act.photo_id
    return type(act), photo_id, identity if isinstance(act, Favourite) else b""


def _standing(found: Sequence[tuple[FeedEntry, Register]]) -> list[tuple[FeedEntry, Register]]:
    """The entries that no other replaces, that with the lowest hash first: it is the one."""
    replaced = {digest for _, act in found for digest in act.replaced}
    standing = [pair for pair in found if pair[0].digest not in replaced]
    return sorted(standing, key=lambda pair: pair[0].digest)
