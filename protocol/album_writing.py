"""What members add to an album, each as one entry of a feed: photos, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..crypto.blob import Kind
from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from . import limits
from .album import Album
from .album_errors import AlbumDeniedError, KeyDueError
from .album_feed import (
    Act,
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
    Preview,
    Register,
)
from .album_keys import KeyRing
from .album_roles import Role, at_least
from .certificates import Certificates
from .photo import PhotoRecord


class Author:
    """A device of a member, and what it adds to its feed.

    Each method makes one entry, signs it and adds it to the album. Raises `AlbumDeniedError` where
    it would not count, and where something is sealed, `KeyDueError` if the key has to change
    first, and `NoAlbumKeyError` if the key of now has not come yet.
    """

    def __init__(self, album: Album, signer: SigningKey, identity: bytes, keys: KeyRing) -> None:
        self._album: Final = album
        self._signer: Final = signer
        self._identity: Final = identity
        self._keys: Final = keys

    def publish(
        self,
        time: int,
        record: PhotoRecord,
        file_keys: Mapping[Kind, Secret],
        certificates: Certificates | None = None,
        preview: bytes = b"",
    ) -> FeedEntry:
        """Add a photo of this identity, sealed already, in the tier of the album.

        `certificates` are for a record by a device that is not in the album. `preview` is what
        `seal_preview` gave, in the same breath: both are under the key of now.
        """
        if record.author != self._identity:
            raise AlbumDeniedError("it is another author's photo")
        name = self._key(Photo.role)
        wrapped = self._keys.wrap_photo(name, record, file_keys)
        shown = Preview.of(preview) if preview else None
        papers = certificates or Certificates()
        return self._post(time, Photo(record, name, wrapped, papers, shown))

    def seal_preview(self, photo_id: bytes, picture: bytes) -> bytes:
        """A small picture of a photo that is about to be added, sealed under the key of now.

        `ValueError` for none, and for one that is too large.
        """
        return self._keys.seal_preview(self._key(Photo.role), photo_id, picture)

    def comment(self, time: int, photo_id: bytes, text: str) -> FeedEntry:
        """Say something about a photo; `ValueError` for more than 4,096 bytes, and for none."""
        name = self._key(Comment.role)
        sealed = self._keys.seal_text(name, "comment", text, photo_id)
        return self._post(time, Comment(photo_id, name, sealed))

    def caption(self, time: int, photo_id: bytes, text: str) -> FeedEntry:
        """Write the text under a photo: one's own, or as an admin any; as `comment`."""
        photo = self._album.view.photos.get(photo_id)
        role = self._album.view.members.get(self._identity)
        mine = photo is not None and photo.photo.record.author == self._identity
        if not mine and (role is None or not at_least(role, "admin")):
            raise AlbumDeniedError
        name = self._key(Caption.role)
        sealed = self._keys.seal_text(name, "caption", text, photo_id)
        replaced = self._standing(Caption(photo_id, name, sealed))
        return self._post(time, Caption(photo_id, name, sealed, replaced))

    def favourite(self, time: int, photo_id: bytes, *, chosen: bool = True) -> FeedEntry:
        """Mark a photo as a favourite of this identity, or not."""
        replaced = self._standing(Favourite(photo_id, chosen))
        return self._post(time, Favourite(photo_id, chosen, replaced))

    def set_cover(self, time: int, photo_id: bytes) -> FeedEntry:
        """Put a photo on the album."""
        return self._post(time, Cover(photo_id, self._standing(Cover(photo_id))))

    def place(self, time: int, photo_id: bytes, place: bytes) -> FeedEntry:
        """Say where a photo stands, 1 to 32 bytes: places are compared as bytes."""
        replaced = self._standing(Order(photo_id, place))
        return self._post(time, Order(photo_id, place, replaced))

    def ask_delete(self, time: int, photo_id: bytes) -> FeedEntry:
        """Ask all members to delete a photo. Nobody can know whether they do."""
        return self._post(time, AskDelete(photo_id))

    def ask_original(self, time: int, photo_id: bytes) -> FeedEntry:
        """Ask who added a photo for more than the album has of it."""
        return self._post(time, AskOriginal(photo_id))

    def leave(self, time: int) -> FeedEntry:
        """Ask to be taken out of the album. An admin's device does it, and changes the key."""
        return self._post(time, Leave())

    def _key(self, role: Role) -> bytes:
        """The key to seal under, for who has at least this role."""
        self._check(role)
        safe = self._album.authority.safe_epochs()
        if not safe:
            raise KeyDueError
        name = safe[0][1].key_id
        self._keys.get(name)
        return name

    def _check(self, demanded: Role) -> None:
        holders = self._album.authority.holders(self._signer.public)
        role = self._album.view.members.get(self._identity)
        if role is None or self._identity not in holders:
            raise AlbumDeniedError
        if not at_least(role, demanded):
            raise AlbumDeniedError

    def _post(self, time: int, act: Act) -> FeedEntry:
        self._check(act.role)
        feeds = self._album.feeds
        mine = [feeds.entries[tip] for tip in feeds.tips.get(self._signer.public, ())]
        last = max(mine, key=lambda entry: (entry.seq, entry.digest), default=None)
        entry = FeedEntry.sign(
            self._signer,
            self._identity,
            self._album.album_id,
            last.seq + 1 if last else 0,
            last.digest if last else b"",
            sorted(self._album.graph.heads)[: limits.ALBUM_HEADS],
            time,
            act,
        )
        self._album.take(entry)
        return entry

    def _standing(self, act: Register) -> tuple[bytes, ...]:
        return self._album.view.standing(act, self._identity)[: limits.ALBUM_REPLACED]
