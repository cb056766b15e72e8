"""Albums that several people keep, as people here use them: the acts of `kinlight album`.

album_shelf    the albums, in memory as in the library     album_storage   their rows
album_sync     with one peer: entries                      album_wraps     and keys
album_photos   which photos are to come, who may have ours album_coming    fetched from members
album_previews small pictures, which come first
album_tending  what an admin's node does by itself         album_adding    photos into an album
album_showing  what people see
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

from ..crypto.identity import fingerprint
from ..protocol import album_admin
from ..protocol.album_admin import Written
from ..protocol.album_errors import AlbumDeniedError, KeyDueError
from ..protocol.album_feed import FeedEntry
from ..protocol.album_log import History
from ..protocol.album_roles import GIVEN, Role, attribute
from ..protocol.album_writing import Author
from ..protocol.limits import ALBUM_NAME_BYTES, ALBUM_PLACE_BYTES
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.policy_text import ME
from . import forms
from .album_adding import AlbumAdding
from .album_previews import Previews
from .album_shelf import SharedAlbum, Shelf
from .album_showing import AlbumShowing
from .album_storage import AlbumStore
from .album_tending import AlbumTending
from .catalogue import Catalogue
from .collection import album_name
from .contact_errors import BlockedContactError, NoDeviceError, NoSuchContactError
from .errors import BadRequestError
from .forms import Form
from .library import Library, Photo
from .names import folded
from .photo_errors import (
    AmbiguousAlbumError,
    AmbiguousIdError,
    NoSuchAlbumError,
    NoSuchDeviceError,
    NoSuchPhotoError,
    NotHereYetError,
    NotOursError,
)
from .removing import Remover
from .views_albums import AlbumDetails, AlbumItem, AlbumLogEntry, AlbumSummary
from .views_library import ImportProgress

SHOWN: Final = 100
"""Photos that are shown of an album, if nothing is said."""
ID_SHOWN: Final = 8
"""Digits of an id, as people are shown it."""
_DEVICES: Final = 8
"""That one op lets in; the others follow by themselves."""


class Albums:
    """What can be done with albums on an unlocked node. `album` is a name or how its id begins."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        store: AlbumStore,
        shelf: Shelf,
        tending: AlbumTending,
        adding: AlbumAdding,
        previews: Previews,
        showing: AlbumShowing,
        catalogue: Catalogue,
        remover: Remover,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._store = store
        self._shelf = shelf
        self._tending = tending
        self._catalogue = catalogue
        self._remover = remover
        self._entropy = entropy
        self._now = now
        self._showing = showing
        self._adding = adding
        self._previews = previews

    # What there is.

    def all(self) -> list[AlbumSummary]:
        """All albums, the oldest first."""
        return [self._showing.summary(shared) for shared in self._shelf.all()]

    def summary(self, album: str) -> AlbumSummary:
        """One album, as a list shows it."""
        return self._showing.summary(self.find(album))

    def show(self, album: str, *, limit: int = SHOWN) -> AlbumDetails:
        """Who is in an album, and the first photos in it."""
        if limit < 0:
            raise BadRequestError("limit is 0 or more")
        return self._showing.details(self.find(album), limit)

    def log(self, album: str) -> list[AlbumLogEntry]:
        """What admins did, and what of it counts."""
        return self._showing.log(self.find(album))

    def find(self, album: str) -> SharedAlbum:
        """The album of that name, in any case, or whose id begins so. Others give the names, so as
        much of an id as people are shown is never taken for a name alone.

        Raises `NoSuchAlbumError`, `AmbiguousAlbumError`.
        """
        every, wanted = self._shelf.all(), folded(album)
        found = [each for each in every if wanted and folded(self._showing.name(each)) == wanted]
        digits = album.strip().lower()
        if not found or len(digits) >= ID_SHOWN:
            found += [
                each
                for each in every
                if digits and each.album_id.hex().startswith(digits) and each not in found
            ]
        if not found:
            raise NoSuchAlbumError(album)
        if len(found) > 1:  # one that we are in goes before one that we left
            found = [each for each in found if each.state in ("joined", "invited")] or found
        if len(found) != 1:
            raise AmbiguousAlbumError(self._showing.candidates(found))
        return found[0]

    def invitations(self) -> int:
        """How many albums wait for a person to join or to decline."""
        return sum(each.state == "invited" for each in self._shelf.all())

    # For the library.

    def photos_in(self, name: str) -> set[bytes] | None:
        """The photos in all albums of that name; None if there is none."""
        wanted = folded(name)
        found = [each for each in self._shelf.all() if folded(self._showing.name(each)) == wanted]
        if not found or not wanted:
            return None
        return {photo_id for each in found for photo_id in each.album.view.photos}

    def names_of(self, photo_id: bytes) -> list[str]:
        """The names of the albums that a photo is in, itself or as a copy of ours."""
        copies = [copy for copy, _ in self._catalogue.copies_of(photo_id)]
        found = [
            self._showing.name(each)
            for each in self._shelf.all()
            if any(one in each.album.view.photos for one in (photo_id, *copies))
        ]
        return [name for name in found if name]

    def relies_on_us(self, photo_id: bytes) -> bool:
        """Whether a photo of ours is in an album with others. Who of them has it nobody knows."""
        return any(
            each.state == "joined"
            and len(each.album.view.devices) > 1
            and (found := each.album.view.photos.get(photo_id)) is not None
            and found.photo.record.author == self._device.identity
            for each in self._shelf.all()
        )

    def roles_of(self, identity: bytes) -> frozenset[tuple[str, str, bytes]]:
        """The attributes that somebody has by their roles, each by the word of the album's owner:
        (name, value, issuer). Of albums that are only offered to this node they count for nothing.
        """
        return frozenset(
            (attribute(each.album_id), role, each.album.graph.owner)
            for each in self._shelf.all()
            if each.state == "joined" and (role := each.role(identity)) is not None
        )

    # Who is in it.

    def create(
        self,
        name: str,
        *,
        history: str = "all",
        metadata: str = "no-location",
        max_px: int | None = None,
    ) -> AlbumSummary:
        """Found an album. Photos are added to it in that form, whoever adds them.

        `metadata` is `original` or `no-location`, `history` `all` or `from-join`: which photos
        those see who come later.
        """
        named = _named(name)
        if history not in ("all", "from-join"):
            raise BadRequestError("history is all or from-join")
        tier = _form(metadata, max_px).rendition
        chosen: History = "all" if history == "all" else "from-join"
        us = self._device
        founded = album_admin.found(
            us.signing, us.chain, self._now(), self._entropy(16), self._tending.key(),
            history=chosen, tier=tier,
        )  # fmt: skip
        shared = self._shelf.found(founded)
        self._name(shared, named)
        return self._showing.summary(shared)

    def rename(self, album: str, name: str) -> AlbumSummary:
        """Call an album otherwise, for all."""
        shared = self._joined(album)
        self._name(shared, _named(name))
        return self._showing.summary(shared)

    def _name(self, shared: SharedAlbum, name: str) -> None:
        admin = self._shelf.admin(shared)
        self._log(shared, lambda: admin.set_name(self._now(), name, self._tending.key()))

    def set_form(self, album: str, metadata: str, max_px: int | None = None) -> AlbumSummary:
        """In which form photos are added from now on."""
        shared, tier = self._joined(album), _form(metadata, max_px).rendition
        admin = self._shelf.admin(shared)
        self._log(shared, lambda: admin.set_tier(self._now(), tier, self._tending.key()))
        return self._showing.summary(shared)

    def invite(self, album: str, contact: str, *, role: str | None = None) -> AlbumDetails:
        """Let a contact in, or give one that is in another role: at once for all, while they see no
        photo before they have joined. Without a role who is in keeps theirs.
        """
        shared, found = self._joined(album), self._library.contact(contact)
        roles: dict[str | None, Role] = {each: each for each in GIVEN}
        wanted = roles.get(role or shared.role(found.identity) or "contributor")
        if shared.role(found.identity) == "owner":
            raise AlbumDeniedError("it is the owner's album")
        if wanted is None:
            raise BadRequestError(f"role is one of {', '.join(reversed(GIVEN))}")
        if found.blocked:
            raise BlockedContactError(found.name)
        chains = [
            chain
            for chain in self._library.devices(found.identity)
            if not self._tending.is_lost(found.identity, chain.device)
        ]
        if not chains:
            raise NoDeviceError(found.name)
        if shared.role(found.identity) != wanted or not any(map(shared.has, chains)):
            admin = self._shelf.admin(shared)
            self._log(
                shared,
                lambda: admin.invite(
                    self._now(), wanted, chains[:_DEVICES], self._entropy(16), self._tending.key()
                ),
            )
        return self._showing.details(shared, SHOWN)

    def join(self, album: str) -> AlbumSummary:
        """Take part in an album that somebody let us into: its photos come."""
        shared = self.find(album)
        if shared.state == "joined":
            return self._showing.summary(shared)
        if shared.state != "invited":
            raise AlbumDeniedError("this node is not in it any more")
        self._shelf.join(shared)
        return self._showing.summary(shared)

    def leave(self, album: str) -> AlbumSummary:
        """Ask to be taken out, or decline an invitation; an admin's node does it, and changes the
        key. What is here stays.
        """
        shared = self.find(album)
        us = self._device.identity
        if shared.state not in ("joined", "invited"):
            return self._showing.summary(shared)
        others = {
            seat.identity for seat in shared.album.authority.successors() if seat.identity != us
        }
        if not others and len(shared.album.view.members) > 1:
            raise AlbumDeniedError(
                "nobody would be left who can change the key: make somebody an admin first"
            )
        if others and self._shelf.has_seat(shared):
            self._tending.remove(shared, us)  # no junior could
        elif others:
            self._say(shared, lambda author: author.leave(self._now()))
        self._shelf.set_state(shared, "left")
        return self._showing.summary(shared)

    def remove(self, album: str, who: str) -> AlbumDetails:
        """Take somebody out. The key changes in the same step, before anything else is added."""
        shared = self._joined(album)
        identity = self._member(shared, who)
        if identity == self._device.identity:
            raise BadRequestError("that is you: leave the album")
        self._tending.remove(shared, identity)
        return self._showing.details(shared, SHOWN)

    def drop(self, album: str, device: str) -> AlbumDetails:
        """Take one device out, by the hex digits of its key or how they begin."""
        shared, digits = self._joined(album), device.strip().lower()
        found = [each for each in shared.album.view.devices if each.hex().startswith(digits)]
        if not digits or len(found) != 1:
            raise NoSuchDeviceError(device)
        admin = self._shelf.admin(shared)
        self._log(shared, lambda: admin.drop(self._now(), found[0], self._tending.key()))
        return self._showing.details(shared, SHOWN)

    def rotate(self, album: str) -> AlbumSummary:
        """Change the key now."""
        shared = self._joined(album)
        admin = self._shelf.admin(shared)
        self._log(shared, lambda: admin.rotate(self._now(), self._tending.key()))
        return self._showing.summary(shared)

    def _member(self, shared: SharedAlbum, who: str) -> bytes:
        """A member by the contact's name, `me`, a fingerprint or how the identity begins."""
        digits = who.strip().lower()
        members = shared.album.view.members
        if digits == ME:
            return self._device.identity
        for identity in members:
            if fingerprint(identity).lower() == digits:
                return identity
        try:
            identity = self._library.contact(who).identity
        except NoSuchContactError:
            found = [each for each in members if digits and each.hex().startswith(digits)]
            if len(found) != 1:
                raise
            return found[0]
        if identity not in members:
            raise NoSuchContactError(f"{who} is not in the album")
        return identity

    # What is in it.

    async def preview(self, album: str, photo: str) -> bytes:
        """A JPEG of a photo of an album: of its preview, as long as the photo has not come."""
        shared = self.find(album)
        photo_id = self._photo_id(shared, photo)
        return await self._previews.show(shared, shared.album.view.photos[photo_id])

    async def add(
        self, album: str, *, paths: list[Path] | None = None, photos: list[str] | None = None
    ) -> AsyncGenerator[AlbumItem | ImportProgress]:
        """Add files, the photos in folders, and photos that are here by their ids; yields an item
        for each.

        Only photos of our own can be added: others add theirs.
        """
        shared = self._joined(album)
        if not paths and not photos:
            raise BadRequestError("say what to add")
        role = shared.role(self._device.identity)
        if role is None or role == "viewer":
            raise AlbumDeniedError
        for photo in [self._photo(photo) for photo in photos or []]:
            for item in await self._adding.add(shared, photo, photo.photo_id.hex()):
                yield item
        if paths:
            async for step in self._adding.files(shared, paths):
                yield step

    def _photo(self, photo: str) -> Photo:
        found = self._library.photo(self._library.find_photo_id(photo))
        if found is None:
            raise NotHereYetError
        return found

    def comment(self, album: str, photo: str, text: str) -> AlbumDetails:
        """Say something about a photo, for all members."""
        return self._about(album, photo, lambda author, photo_id: author.comment(
            self._now(), photo_id, text
        ))  # fmt: skip

    def caption(self, album: str, photo: str, text: str) -> AlbumDetails:
        """Write the text under a photo: under one's own, or as an admin under any."""
        return self._about(album, photo, lambda author, photo_id: author.caption(
            self._now(), photo_id, text
        ))  # fmt: skip

    def favourite(self, album: str, photo: str, *, chosen: bool = True) -> AlbumDetails:
        """Mark a photo as a favourite of ours, or not."""
        return self._about(album, photo, lambda author, photo_id: author.favourite(
            self._now(), photo_id, chosen=chosen
        ))  # fmt: skip

    def set_cover(self, album: str, photo: str) -> AlbumDetails:
        """Put a photo on the album."""
        return self._about(album, photo, lambda author, photo_id: author.set_cover(
            self._now(), photo_id
        ))  # fmt: skip

    def place(self, album: str, photo: str, place: str) -> AlbumDetails:
        """Say where a photo stands: places are compared letter by letter, photos without one
        follow.
        """
        encoded = place.encode(errors="replace")
        if encoded.decode() != place or not 0 < len(encoded) <= ALBUM_PLACE_BYTES:
            raise BadRequestError(f"a place has 1 to {ALBUM_PLACE_BYTES} bytes")
        return self._about(album, photo, lambda author, photo_id: author.place(
            self._now(), photo_id, encoded
        ))  # fmt: skip

    def ask_delete(self, album: str, photo: str) -> AlbumDetails:
        """Ask everybody to delete a photo: a request, nothing is deleted by it."""
        return self._about(album, photo, lambda author, photo_id: author.ask_delete(
            self._now(), photo_id
        ))  # fmt: skip

    def ask_original(self, album: str, photo: str) -> AlbumDetails:
        """Ask who added a photo for its original, of which an album has no key. Whether they give
        it is for them; they see who asks, as all members do.
        """
        shared = self._joined(album)
        found = shared.album.view.photos[self._photo_id(shared, photo)]
        if found.photo.record.author == self._device.identity:
            raise BadRequestError("it is your own photo")
        if self._device.identity in found.asked_original:
            return self._showing.details(shared, SHOWN)
        return self._about(album, photo, lambda author, photo_id: author.ask_original(
            self._now(), photo_id
        ))  # fmt: skip

    def original(self, album: str, photo: str) -> bytes:
        """The photo of our library of which one of ours in an album was made; that one itself if
        it is the original. To be granted to whom we want to have it.
        """
        shared = self.find(album)
        photo_id = self._photo_id(shared, photo)
        if shared.album.view.photos[photo_id].photo.record.author != self._device.identity:
            raise NotOursError
        return self._showing.original(photo_id)

    async def hide(self, album: str, photo: str) -> AlbumDetails:
        """Delete a photo for us: it is removed from this machine if it came by the album, and does
        not come again. Others keep it.
        """
        shared = self.find(album)
        photo_id = self._photo_id(shared, photo)
        self._store.hide(shared.album_id, photo_id)
        self._previews.forget(shared, shared.album.view.photos[photo_id])
        here = self._library.photo(photo_id)
        offers = self._library.offers_of(photo_id)
        shared_with_us = any(offer.state == "stored" for offer in offers)
        others = set(self._store.came_by(photo_id)) - {shared.album_id}
        own = here is not None and here.author == self._device.identity
        if here is not None and not (own or shared_with_us or others):
            await self._remover.remove(photo_id)
        return self._showing.details(shared, SHOWN)

    def unhide(self, album: str, photo: str) -> AlbumDetails:
        """Have a photo again that was deleted for us, as long as a member has it."""
        shared = self.find(album)
        photo_id = self._photo_id(shared, photo)
        self._store.show(shared.album_id, photo_id)
        self._shelf.expect_again(shared, photo_id)
        return self._showing.details(shared, SHOWN)

    def _photo_id(self, shared: SharedAlbum, photo: str) -> bytes:
        digits = photo.strip().lower()
        photos = shared.album.view.photos
        found = [each for each in photos if digits and each.hex().startswith(digits)]
        if not found:
            raise NoSuchPhotoError(photo)
        if len(found) > 1:
            raise AmbiguousIdError(photo)
        return found[0]

    # How it is written.

    def _joined(self, album: str) -> SharedAlbum:
        shared = self.find(album)
        if shared.state == "invited":
            raise AlbumDeniedError("join it first")
        if shared.state != "joined":
            raise AlbumDeniedError("this node is not in it any more")
        return shared

    def _about(
        self, album: str, photo: str, act: Callable[[Author, bytes], FeedEntry]
    ) -> AlbumDetails:
        shared = self._joined(album)
        photo_id = self._photo_id(shared, photo)
        self._say(shared, lambda author: act(author, photo_id))
        return self._showing.details(shared, SHOWN)

    def _say(self, shared: SharedAlbum, act: Callable[[Author], FeedEntry]) -> None:
        """Write into our feed; where the key has to change first and we may do so, we do."""
        author = self._shelf.author(shared)
        self._after_settling(shared, lambda: self._shelf.write(shared, lambda: act(author)))

    def _log(self, shared: SharedAlbum, act: Callable[[], Written]) -> None:
        """Write into the log."""
        self._after_settling(shared, lambda: self._shelf.write(shared, act))

    def _after_settling(self, shared: SharedAlbum, write: Callable[[], object]) -> None:
        try:
            try:
                write()
            except KeyDueError:
                if not self._shelf.has_seat(shared):
                    raise
                self._tending.settle(shared)
                write()
        except ValueError as error:
            raise BadRequestError(str(error)) from None


def _named(name: str) -> str:
    """What an album can be called."""
    named = album_name(name)
    if named is None:
        raise BadRequestError("an album has a name")
    if len(named.encode()) > ALBUM_NAME_BYTES:
        raise BadRequestError(f"the name is longer than {ALBUM_NAME_BYTES} bytes")
    return named


def _form(metadata: str, max_px: int | None) -> Form:
    """The form of an album's photos."""
    if max_px is not None:
        forms.check(None, max_px)
        return forms.asked("clean", max_px)
    if metadata not in ("original", "no-location"):
        raise BadRequestError("metadata is original or no-location; smaller pictures are clean")
    return Form(metadata)
