"""What people see of an album: who is in it, what, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, assert_never

from ..crypto.errors import KinlightError
from ..crypto.identity import fingerprint
from ..protocol.album_feed import FeedEntry
from ..protocol.album_keys import What
from ..protocol.album_log import (
    Create,
    Device,
    Drop,
    Epoch,
    LogEntry,
    Member,
    Name,
    Op,
    Remove,
    Tier,
    Wraps,
)
from ..protocol.album_roles import attribute
from ..protocol.album_view import AlbumPhoto
from ..protocol.opening import LocalDevice
from ..protocol.policy_text import ME
from ..protocol.rendition import Rendition
from .album_previews import Previews
from .album_shelf import SharedAlbum, Shelf
from .album_storage import AlbumStore
from .derivations import Derivations
from .forms import ORIGINAL, Form
from .library import Library
from .views_albums import (
    AlbumAct,
    AlbumComment,
    AlbumDetails,
    AlbumFork,
    AlbumLogEntry,
    AlbumMember,
    AlbumPhotoItem,
    AlbumSummary,
)

COMMENTS_OF_ONE: Final = 100
"""Of one member's comments on a photo so many are shown, those that say they are the newest: nobody
can hide what others say behind their own.
"""
_STATES = {"accepted": "coming", "stored": "coming", "declined": "hidden", "refused": "refused"}


def form_of(tier: Rendition) -> Form:
    """In which form photos go that are added under a tier."""
    return ORIGINAL.meeting(tier)


def _newest(comments: list[FeedEntry]) -> list[FeedEntry]:
    """The newest comments of each member, in their order."""
    by: Counter[bytes] = Counter()
    found: list[FeedEntry] = []
    for entry in reversed(comments):
        by[entry.identity] += 1
        if by[entry.identity] <= COMMENTS_OF_ONE:
            found.append(entry)
    return found[::-1]


def _key_state(shared: SharedAlbum) -> str:
    safe = shared.album.authority.safe_epochs()
    if not safe:
        return "due"
    return "here" if safe[0][1].key_id in shared.keys else "coming"


class AlbumShowing:
    """Makes views of albums."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        store: AlbumStore,
        shelf: Shelf,
        previews: Previews,
        derivations: Derivations,
        is_away: Callable[[bytes], bool],
        now: Callable[[], int],
    ) -> None:
        """`is_away` says of a content id that its blob was let go, as somebody else has it."""
        self._device = device
        self._library = library
        self._store = store
        self._shelf = shelf
        self._previews = previews
        self._derivations = derivations
        self._is_away = is_away
        self._now = now

    def called(self, identity: bytes) -> str:
        """A contact's name; `me`; or the fingerprint of somebody unknown."""
        if identity == self._device.identity:
            return ME
        contact = self._library.contact_of(identity)
        return contact.name if contact else fingerprint(identity)

    def name(self, shared: SharedAlbum) -> str:
        """What the album is called, if its key is here."""
        name = shared.album.view.name
        if name is None:
            return ""
        return self._text(shared, name.key_id, "name", name.sealed) or ""

    def _text(
        self, shared: SharedAlbum, key_id: bytes, what: What, sealed: bytes, photo_id: bytes = b""
    ) -> str | None:
        try:
            return shared.keys.open_text(key_id, what, sealed, photo_id)
        except KinlightError:
            return None

    def candidates(self, found: list[SharedAlbum]) -> str:
        """Albums among which somebody has to choose, told apart by their ids and owners."""
        every = [(each, self.name(each), self.called(each.album.graph.owner)) for each in found]
        return ", ".join(
            f"{each.album_id.hex()[:8]} ({f'{name}, ' if name else ''}owner: {owner})"
            for each, name, owner in every
        )

    def summary(self, shared: SharedAlbum) -> AlbumSummary:
        """An album, as a list shows it."""
        view, graph, us = shared.album.view, shared.album.graph, self._device.identity
        tier = form_of(view.tier) if not (view.tier.faces_hidden or view.tier.watermarked) else None
        admin = shared.state == "joined" and self._shelf.has_seat(shared)
        return AlbumSummary(
            id=shared.album_id.hex(),
            name=self.name(shared),
            state=shared.state,
            role=view.members.get(us),
            owner=self.called(graph.owner),
            invited_by=None if shared.inviter == us else self.called(shared.inviter),
            members=len(view.members),
            photos=len(view.photos),
            here=sum(
                not self._is_away(view.photos[photo].photo.record.content_id)
                for photo in self._store.here() & view.photos.keys()
            ),
            history=graph.created.history,
            metadata="clean" if tier is None else tier.policy,
            max_px=view.tier.max_px,
            since=shared.since,
            attribute=attribute(shared.album_id),
            due=self._shelf.admin(shared).due(self._now()) if admin else None,
            key=_key_state(shared),
            previews=len(self._previews.here(shared)),
            waiting=len(self._store.waiting(shared.album_id)),
        )

    def details(self, shared: SharedAlbum, limit: int) -> AlbumDetails:
        """An album, with the first `limit` of its photos."""
        view, authority = shared.album.view, shared.album.authority
        safe = authority.safe_epochs()
        keyless = authority.newcomers(safe[0][0]) if safe else view.devices
        seniors = list(dict.fromkeys(seat.identity for seat in authority.successors()))
        members = [
            AlbumMember(
                name=self.called(identity),
                fingerprint=fingerprint(identity),
                role=role,
                devices=sorted(
                    device.hex()
                    for device, chain in view.devices.items()
                    if chain.identity == identity
                ),
                leaving=identity in view.leaving,
                keyless=sorted(
                    device.hex() for device in keyless if view.devices[device].identity == identity
                ),
                seniority=seniors.index(identity) + 1 if identity in seniors else None,
            )
            for identity, role in view.members.items()
        ]
        members.sort(key=lambda member: (member.name != ME, member.name))
        states, hidden = self._store.states(shared.album_id), self._store.hidden(shared.album_id)
        photos: list[AlbumPhotoItem] = []
        for photo_id in view.ordered()[:limit]:
            state = "hidden" if photo_id in hidden else states.get(photo_id, "")
            photos.append(self._photo(shared, view.photos[photo_id], state))
        forks = [
            AlbumFork(
                self.called(fork.one.identity),
                fork.device.hex(),
                fork.one.digest.hex(),
                fork.other.digest.hex(),
                [each.signed.encode().hex() for each in (fork.one, fork.other)],
            )
            for fork in shared.album.forks
        ]
        return AlbumDetails(self.summary(shared), members, photos, forks)

    def _photo(self, shared: SharedAlbum, photo: AlbumPhoto, state: str) -> AlbumPhotoItem:
        record = photo.photo.record
        here = self._library.photo(record.photo_id)
        if state != "hidden":
            no_key = photo.photo.key_id not in shared.keys
            coming = _STATES.get(state, "no-key" if no_key else "coming")
            let_go = "away" if self._is_away(record.content_id) else "here"
            state = coming if here is None else let_go
        shown = here if state in ("here", "away") else None
        caption, comments = photo.caption, _newest(photo.comments)
        return AlbumPhotoItem(
            id=record.photo_id.hex(),
            state=state,
            by=self.called(record.author),
            added=photo.added.time,
            name=shown.metadata.name if shown else None,
            bytes=shown.metadata.length if shown else None,
            caption=caption
            and self._text(shared, caption.key_id, "caption", caption.sealed, record.photo_id),
            comments=[self._comment(shared, entry) for entry in comments],
            comments_left_out=len(photo.comments) - len(comments),
            favourite_of=sorted(map(self.called, photo.favourite_of)),
            delete_asked_by=sorted(map(self.called, photo.asked_to_delete)),
            cover=shared.album.view.cover == record.photo_id,
            original_asked_by=sorted(map(self.called, self._still_asking(photo))),
            preview=here is not None or (state != "hidden" and self._previews.has(shared, photo)),
        )

    def original(self, photo_id: bytes) -> bytes:
        """The photo of our library of which one of ours was made."""
        return self._derivations.source(photo_id)

    def _still_asking(self, photo: AlbumPhoto) -> set[bytes]:
        """Who asks for the original and, as far as we know, has no grant of it."""
        if photo.photo.record.author != self._device.identity or not photo.asked_original:
            return photo.asked_original
        source = self.original(photo.photo.record.photo_id)
        return photo.asked_original - {
            delivery.identity for delivery in self._library.deliveries(source)
        }

    def _comment(self, shared: SharedAlbum, entry: FeedEntry) -> AlbumComment:
        act = entry.act
        text = self._text(shared, act.key_id, "comment", act.sealed, act.photo_id)  # type: ignore[union-attr]
        return AlbumComment(self.called(entry.identity), entry.time, text)

    def log(self, shared: SharedAlbum) -> list[AlbumLogEntry]:
        """What admins did, in an order in which each follows what it builds on."""
        void, forked = shared.album.view.void, dict[bytes, str]()
        for one, other in shared.album.graph.forks.values():
            forked |= {one.digest: other.digest.hex(), other.digest: one.digest.hex()}
        found: list[AlbumLogEntry] = []
        for entry in shared.album.graph.entries:
            error = void.get(entry.digest)
            found.append(
                AlbumLogEntry(
                    hash=entry.digest.hex(),
                    number=entry.seq,
                    time=entry.time,
                    by=self.called(entry.identity),
                    device=entry.device.hex(),
                    acts=self._acts(shared, entry),
                    counts=error is None,
                    code=error and error.code,
                    message=error and str(error()),
                    fork=forked.get(entry.digest),
                )
            )
        return found

    def _acts(self, shared: SharedAlbum, entry: LogEntry) -> list[AlbumAct]:
        return [self._act(shared, op) for op in entry.ops]

    def _act(self, shared: SharedAlbum, op: Op) -> AlbumAct:
        match op:
            case Create():
                who = self.called(op.chain.identity)
                return AlbumAct("create", who, "owner", op.chain.device.hex(), op.history)
            case Member():
                return AlbumAct("member", self.called(op.identity), op.role)
            case Device():
                return AlbumAct(
                    "device", self.called(op.chain.identity), device=op.chain.device.hex()
                )
            case Remove():
                return AlbumAct("remove", self.called(op.identity))
            case Drop():
                return AlbumAct("drop", device=op.device.hex())
            case Epoch():
                return AlbumAct("epoch", value=op.key_id.hex())
            case Wraps():
                return AlbumAct("wraps", value=op.key_id.hex())
            case Tier():
                form = " ".join(str(item) for item in op.rendition.to_value())
                return AlbumAct("tier", value=form)
            case Name():
                return AlbumAct("name", value=self._text(shared, op.key_id, "name", op.sealed))
            case _:
                assert_never(op)
