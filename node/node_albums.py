"""The part of `Node` about albums that several people keep."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from .client import Client, Paths, absolute, album_segment, photo_segment, read_step, several
from .views_albums import (
    AlbumAct,
    AlbumComment,
    AlbumDetails,
    AlbumFork,
    AlbumItem,
    AlbumLogEntry,
    AlbumMember,
    AlbumPhotoItem,
    AlbumSummary,
)
from .views_library import ImportProgress

_ALBUMS = "shared-albums"


class NodeAlbums(Client):
    """Albums that several people keep together; see `node.Node`.

    `album` is a name, or how the id begins. Every method raises `NoSuchAlbumError` and
    `AmbiguousAlbumError`, and those about a photo `NoSuchPhotoError` and `AmbiguousIdError`. Those
    that write raise `AlbumDeniedError`, for what one's role does not allow, and `KeyDueError`, if
    the key of the album has to change first and only an admin's node can.
    """

    async def album_list(self) -> list[AlbumSummary]:
        """All albums, the oldest first."""
        return [AlbumSummary(**item) for item in await self._get(_ALBUMS)]

    async def album_show(self, album: str, *, limit: int = 100) -> AlbumDetails:
        """Who is in an album, and the first `limit` photos in it, in their order."""
        return _details(await self._of(album, "show", limit=limit))

    async def album_log(self, album: str) -> list[AlbumLogEntry]:
        """What admins did, the oldest first, and what of it counts."""
        found = await self._get(_ALBUMS, album_segment(album), "log")
        return [_log_entry(item) for item in found]

    async def album_create(
        self,
        name: str,
        *,
        history: str = "all",
        metadata: str = "no-location",
        max_px: int | None = None,
    ) -> AlbumSummary:
        """Found an album, whose owner this node is.

        Photos are added to it in one form, whoever adds them: `metadata` is `original` or
        `no-location`; with `max_px` they are copies, no side longer than that. With `history`
        `from-join` those who come later see nothing of before. Raises `BadRequestError`.
        """
        body = await self._post(
            _ALBUMS, name=name, history=history, metadata=metadata, max_px=max_px
        )
        return AlbumSummary(**body)

    async def album_rename(self, album: str, name: str) -> AlbumSummary:
        """Call an album otherwise, for all members."""
        return AlbumSummary(**await self._of(album, "rename", name=name))

    async def album_form(
        self, album: str, *, metadata: str = "no-location", max_px: int | None = None
    ) -> AlbumSummary:
        """Say in which form photos are added from now on."""
        return AlbumSummary(**await self._of(album, "form", metadata=metadata, max_px=max_px))

    async def album_invite(
        self, album: str, contact: str, *, role: str | None = None
    ) -> AlbumDetails:
        """Let a contact in as `admin`, `contributor` or `viewer`, or give a member another role.

        None is `contributor` for who is not in it, and changes nothing for who is.

        They join when they want to. Raises `NoSuchContactError`, `BlockedContactError`,
        `NoDeviceError`, `BadRequestError`.
        """
        return _details(await self._of(album, "invite", contact=contact, role=role))

    async def album_join(self, album: str) -> AlbumSummary:
        """Take part in an album that somebody let this node into: its photos come."""
        return AlbumSummary(**await self._of(album, "join"))

    async def album_leave(self, album: str) -> AlbumSummary:
        """Ask to be taken out, or decline an invitation. What is here stays."""
        return AlbumSummary(**await self._of(album, "leave"))

    async def album_remove(self, album: str, who: str) -> AlbumDetails:
        """Take somebody out: a contact's name, or a member's fingerprint. The key changes with it.

        What they have they keep. Raises `NoSuchContactError`.
        """
        return _details(await self._of(album, "remove", who=who))

    async def album_drop(self, album: str, device: str) -> AlbumDetails:
        """Take one device out, by the hex digits of its key, or how they begin.

        Raises `NoSuchDeviceError`.
        """
        return _details(await self._of(album, "drop", device=device))

    async def album_rotate(self, album: str) -> AlbumSummary:
        """Change the key now."""
        return AlbumSummary(**await self._of(album, "rotate"))

    async def album_add(
        self,
        album: str,
        paths: Paths = (),
        *,
        photos: str | Sequence[str] = (),
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> list[AlbumItem]:
        """Add files, the photos in folders, and own photos that are here, by their ids.

        A photo goes in the form of the album; what can't be added is a `failed` item and the others
        go on. The items come in the order in which they were done.
        Raises `NoSuchPhotoError`, `BadRequestError`, `DiskFullError`.
        """
        items: list[AlbumItem] = []
        async for step in self.album_add_steps(album, paths, photos=photos):
            if isinstance(step, AlbumItem):
                items.append(step)
            elif progress is not None:
                progress(step)
        return items

    async def album_add_steps(
        self, album: str, paths: Paths = (), *, photos: str | Sequence[str] = ()
    ) -> AsyncGenerator[AlbumItem | ImportProgress]:
        """As `album_add`, but yields each item when it is done, and progress in between."""
        places = [absolute(path) for path in several(paths)]
        async for line in self._stream(
            _ALBUMS, album_segment(album), "add", paths=places, photos=several(photos)
        ):
            yield read_step(line, AlbumItem, ImportProgress)

    async def album_preview(self, album: str, photo: str) -> bytes:
        """A JPEG of a photo of an album, drawn here: at most 2048 pixels a side of the photo, or at
        most 512 of its preview as long as the photo has not come.

        What the preview shows is the word of who added the photo. Raises `NotHereYetError`,
        `PictureRefusedError`.
        """
        place = (_ALBUMS, album_segment(album), "photos", photo_segment(photo), "preview")
        return await self._bytes(*place)

    async def album_comment(self, album: str, photo: str, text: str) -> AlbumDetails:
        """Say something about a photo of an album, for all members."""
        return await self._about(album, photo, "comment", text=text)

    async def album_caption(self, album: str, photo: str, text: str) -> AlbumDetails:
        """Write the text under a photo: one's own, or as an admin any."""
        return await self._about(album, photo, "caption", text=text)

    async def album_favourite(self, album: str, photo: str, *, chosen: bool = True) -> AlbumDetails:
        """Mark a photo as a favourite, or not any more."""
        return await self._about(album, photo, "favourite", chosen=chosen)

    async def album_cover(self, album: str, photo: str) -> AlbumDetails:
        """Put a photo on the album, as an admin."""
        return await self._about(album, photo, "cover")

    async def album_place(self, album: str, photo: str, place: str) -> AlbumDetails:
        """Say where a photo stands, as an admin: places are compared letter by letter."""
        return await self._about(album, photo, "place", place=place)

    async def album_ask_delete(self, album: str, photo: str) -> AlbumDetails:
        """Ask all members to delete a photo. Nothing is deleted by it, and nobody can know who
        does.
        """
        return await self._about(album, photo, "ask-delete")

    async def album_ask_original(self, album: str, photo: str) -> AlbumDetails:
        """Ask who added a photo for its original. Members see that; nothing is given by it."""
        return await self._about(album, photo, "ask-original")

    async def album_original(self, album: str, photo: str) -> str:
        """The id of the photo of one's own library of which one in the album was made, to be
        granted (`grant`) to whom one wants to have it. Raises `NotOursError`.
        """
        place = (_ALBUMS, album_segment(album), "photos", photo_segment(photo), "original")
        return (await self._get(*place))["id"]

    async def album_hide(self, album: str, photo: str) -> AlbumDetails:
        """Delete a photo of an album for this node alone; it does not come again."""
        return await self._about(album, photo, "hide")

    async def album_unhide(self, album: str, photo: str) -> AlbumDetails:
        """Have such a photo again, as long as a member has it."""
        return await self._about(album, photo, "unhide")

    async def _of(self, album: str, act: str, **body: object) -> Any:
        return await self._post(_ALBUMS, album_segment(album), act, **body)

    async def _about(self, album: str, photo: str, act: str, **body: object) -> AlbumDetails:
        place = (_ALBUMS, album_segment(album), "photos", photo_segment(photo), act)
        return _details(await self._post(*place, **body))


def _details(body: dict[str, Any]) -> AlbumDetails:
    photos: list[AlbumPhotoItem] = []
    for item in body["photos"]:
        comments = [AlbumComment(**each) for each in item.pop("comments")]
        photos.append(AlbumPhotoItem(**item, comments=comments))
    return AlbumDetails(
        AlbumSummary(**body["album"]),
        [AlbumMember(**item) for item in body["members"]],
        photos,
        [AlbumFork(**item) for item in body["forks"]],
    )


def _log_entry(body: dict[str, Any]) -> AlbumLogEntry:
    acts = [AlbumAct(**item) for item in body.pop("acts")]
    return AlbumLogEntry(**body, acts=acts)
