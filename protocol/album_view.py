"""What an album is to who looks at it: the photos that count, and what was said about them.

A pure function of the judged log and the feeds, in whatever order all of it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from .album_authority import Authority
from .album_errors import AlbumRefusedError, AlbumRemovedError, AlbumRoleError, OldEpochError
from .album_feed import (
    AskDelete,
    AskOriginal,
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
from .album_log import Name, Tier
from .album_roles import at_least
from .album_seats import Removal
from .rendition import Rendition

_Act = TypeVar("_Act", bound=Register)


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
    asked_original: set[bytes] = field(default_factory=set[bytes])
    """The identities that asked its author for more than the album has of it."""


class AlbumView:
    """The album as it stands with what is here. It follows feeds as they grow, for one log."""

    def __init__(self, authority: Authority, feeds: Feeds) -> None:
        self.authority: Final = authority
        self._feeds: Final = feeds
        self.members: Final = authority.members()
        self.devices: Final = authority.devices()
        self.tier: Final = self._tier()
        self.name: Final = self._name()
        """The name, sealed, and under which key."""
        self._void: Final[dict[bytes, type[AlbumRefusedError]]] = {
            authority.graph.entries[number].digest: error
            for number, error in authority.void.items()
        }
        self._photos: Final[dict[bytes, AlbumPhoto]] = {}
        self._said: Final[dict[bytes, list[FeedEntry]]] = {}
        """What counts and is about a photo, whether that is here or not."""
        self._stale: Final[set[bytes]] = set()
        """Photos about which something new was said."""
        self._leaves: Final[list[FeedEntry]] = []
        self._cuts: Final[dict[tuple[int, int], set[bytes]]] = {}
        self._awaited: Final = {
            head
            for removal in authority.removals
            for head in removal.op.heads
            if head not in feeds.entries
        }
        for entry in feeds.entries.values():
            self.add(entry)

    def awaits(self, digest: bytes) -> bool:
        """Whether a removal names this entry and it was not here: then all is to be judged anew."""
        return digest in self._awaited

    def add(self, entry: FeedEntry) -> None:
        """Take in an entry that came to the feeds."""
        error = self._judge(entry)
        act = entry.act
        if error is not None:
            self._void[entry.digest] = error
        elif isinstance(act, Leave):
            self._leaves.append(entry)
        elif isinstance(act, Photo):
            self._add_photo(entry, act)
        else:
            self._said.setdefault(act.photo_id, []).append(entry)
            self._stale.add(act.photo_id)

    @property
    def photos(self) -> Mapping[bytes, AlbumPhoto]:
        """The photos, by their ids."""
        for photo_id in self._stale & self._photos.keys():
            self._photos[photo_id] = self._look_at(self._photos[photo_id])
        self._stale.difference_update(self._photos)
        return self._photos

    @property
    def void(self) -> Mapping[bytes, type[AlbumRefusedError]]:
        """The entries that do not count, of log and feeds, and why."""
        _ = self.photos  # whose author a caption is by shows with the photo
        return self._void

    @property
    def leaving(self) -> set[bytes]:
        """Members that asked to be taken out and still are in."""
        return {identity for identity in self.members if self.has_left(identity)}

    def has_left(self, identity: bytes) -> bool:
        """Whether somebody asked to be taken out, and was not let in again since: who is out was
        taken out once since then, which is how the album does what they asked for.
        """
        most = 0 if identity in self.members else 1
        asked = (entry for entry in self._leaves if entry.identity == identity)
        return any(len(self._removals_since(entry)) <= most for entry in asked)

    @property
    def cover(self) -> bytes | None:
        """The photo on the album."""
        found = _standing(self._register(Cover(b""), b""))
        return found[0][1].photo_id if found else None

    def ordered(self) -> list[bytes]:
        """The ids of all photos: those with a place by it, then the others by when they say."""
        photos = self.photos

        def rank(photo_id: bytes) -> tuple[bool, bytes, int, bytes]:
            found = photos[photo_id]
            return not found.place, found.place, found.added.time, photo_id

        return sorted(photos, key=rank)

    def standing(self, act: Register, identity: bytes) -> tuple[bytes, ...]:
        """The entries that an act by this identity has to replace, ascending."""
        return tuple(entry.digest for entry, _ in _standing(self._register(act, identity)))

    def _add_photo(self, entry: FeedEntry, act: Photo) -> None:
        photo_id = act.record.photo_id
        before = self._photos.get(photo_id)
        if before is None or entry.digest < before.added.digest:
            self._photos[photo_id] = AlbumPhoto(entry, act)
            self._stale.add(photo_id)

    def _look_at(self, photo: AlbumPhoto) -> AlbumPhoto:
        """The photo, with all that was said about it."""
        found = AlbumPhoto(photo.added, photo.photo)
        said = self._said.get(photo.photo.record.photo_id, ())
        marks: dict[bytes, list[tuple[FeedEntry, Favourite]]] = {}
        captions: list[tuple[FeedEntry, Caption]] = []
        orders: list[tuple[FeedEntry, Order]] = []
        for entry in sorted(said, key=lambda entry: (entry.time, entry.digest)):
            match entry.act:
                case Comment():
                    found.comments.append(entry)
                case AskDelete():
                    found.asked_to_delete.add(entry.identity)
                case AskOriginal():
                    found.asked_original.add(entry.identity)
                case Favourite() as act:
                    marks.setdefault(entry.identity, []).append((entry, act))
                case Caption() as act:
                    if self._may_caption(entry, found):
                        captions.append((entry, act))
                    else:
                        self._void[entry.digest] = AlbumRoleError
                case Order() as act:
                    orders.append((entry, act))
                case _:
                    pass
        found.caption = _standing(captions)[0][1] if captions else None
        found.place = _standing(orders)[0][1].place if orders else b""
        found.favourite_of = {
            identity for identity, each in marks.items() if _standing(each)[0][1].chosen
        }
        return found

    def _register(self, act: Register, identity: bytes) -> list[tuple[FeedEntry, Register]]:
        """What counts about the same thing as this act: the album, a photo, or one's own mark."""
        photo_ids = self._photos if isinstance(act, Cover) else (act.photo_id,)
        void = self.void
        return [
            (entry, entry.act)
            for photo_id in photo_ids
            for entry in self._said.get(photo_id, ())
            if isinstance(entry.act, Register)
            and type(entry.act) is type(act)
            and entry.digest not in void
            and (not isinstance(act, Favourite) or entry.identity == identity)
        ]

    def _judge(self, entry: FeedEntry) -> type[AlbumRefusedError] | None:
        """Why an entry does not count, or None if it does."""
        authority, seen = self.authority, self._feeds.seen[entry.digest]
        for removal in authority.unseen_removals_of(entry.identity, entry.device, seen):
            if entry.digest not in self._cut(removal):
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

    def _removals_since(self, entry: FeedEntry) -> list[Removal]:
        """The removals of who wrote an entry that they had not seen then."""
        seen = self._feeds.seen[entry.digest]
        return self.authority.unseen_removals_of(entry.identity, b"", seen)

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


def _standing(found: Sequence[tuple[FeedEntry, _Act]]) -> list[tuple[FeedEntry, _Act]]:
    """The entries that no other replaces, that with the lowest hash first: it is the one."""
    replaced = {digest for _, act in found for digest in act.replaced}
    standing = [pair for pair in found if pair[0].digest not in replaced]
    return sorted(standing, key=lambda pair: pair[0].digest)
