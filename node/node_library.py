"""The part of `Node` about the photos that are here: import, search, folders, inbox, export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from . import views_checks, views_sharing
from .client import Client, Paths, absolute, photo_segment, read_step, several
from .views_checks import Verdict
from .views_library import (
    Album,
    ExportedFile,
    Folder,
    ImportItem,
    ImportProgress,
    InboxItem,
    LibraryItem,
    PhotoDetails,
    RemovedPhoto,
)


class NodeLibrary(Client):
    """The photos of a node; see `node.Node`."""

    async def import_photos(
        self,
        paths: Paths,
        *,
        album: str | None = None,
        albums: bool = True,
        rehash: bool = False,
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> list[ImportItem]:
        """Take files, and the photos in folders, into the library without sharing them.

        Every photo goes into `album`; where none is said and `albums` holds, those from folders go
        into albums named like the folder that they lie in. What is here already is not sealed
        again. A file that can't be read is a `failed` item and the others go on. One path needs no
        list. Ends early with `DiskFullError`; another run goes on from there.
        """
        items: list[ImportItem] = []
        async for step in self.import_steps(paths, album=album, albums=albums, rehash=rehash):
            if isinstance(step, ImportItem):
                items.append(step)
            elif progress is not None:
                progress(step)
        return items

    async def import_steps(
        self, paths: Paths, *, album: str | None = None, albums: bool = True, rehash: bool = False
    ) -> AsyncGenerator[ImportItem | ImportProgress]:
        """As `import_photos`, but yields each item when it is done, and progress in between."""
        places = [absolute(path) for path in several(paths)]
        async for line in self._stream(
            "library", "import", paths=places, album=album, albums=albums, rehash=rehash
        ):
            yield read_step(line, ImportItem, ImportProgress)

    async def search(
        self,
        words: str | None = None,
        *,
        start: str | None = None,
        end: str | None = None,
        person: str | None = None,
        album: str | None = None,
        tag: str | None = None,
        camera: str | None = None,
        near: tuple[float, float] | None = None,
        within: float | None = None,
        place: str | None = None,
        verdict: str | None = None,
        limit: int = 100,
    ) -> list[LibraryItem]:
        """Photos of the library, the latest capture first; what is not given fits all.

        `words` must all be in the name. `start` and `end` are a year, a month, a day or a time
        (`2026`, `2026-07-14T09:30`) and belong to the span; a photo without a capture time is found
        by its file's. `tag` is a word of `tag`, and `person` a contact: author, sender or receiver.
        `camera` and `place` are parts of words, `near` is (latitude, longitude) in degrees,
        `within` (5) in kilometres, and `verdict` the word of a `Verdict` or the C2PA state. Nothing
        of this leaves the machine. Raises `NoSuchContactError`, `NoSuchAlbumError`, `BadDayError`,
        `BadRequestError`.
        """
        found = await self._post(
            "library", "search", words=words, start=start, end=end, person=person, album=album,
            tag=tag, camera=camera, near=near, within=within, place=place, verdict=verdict,
            limit=limit,
        )  # fmt: skip
        return [LibraryItem(**item) for item in found]

    async def tag(
        self,
        photos: str | Sequence[str],
        *,
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
        sensitivity: str | None = None,
    ) -> list[LibraryItem]:
        """Give photos words, take words away, and say whether they are `low`, `normal` or `high`.

        It is for searches and for the owner's rules, and never sent. Raises `NoSuchPhotoError`,
        `BadRequestError`, and changes nothing then.
        """
        found = await self._post(
            "library", "tag", photos=several(photos), add=several(add), remove=several(remove),
            sensitivity=sensitivity,
        )  # fmt: skip
        return [LibraryItem(**item) for item in found]

    async def remove(self, photo: str, *, force: bool = False) -> RemovedPhoto:
        """Take a photo out of the library, with its clip and the copies made of it.

        What others got stays with them, and so do files that were exported. A photo that somebody
        sent counts as declined from then on. Raises `OpenDeliveryError` while it is on its way to
        somebody, which `force` ends, and `InAlbumError` where others keep it in an album, unless
        `force` says to; `NoSuchPhotoError`, `NotHereYetError`.
        """
        return RemovedPhoto(**await self._post("photos", photo, "remove", force=force))

    async def albums(self) -> list[Album]:
        """All albums, by name."""
        return [Album(**item) for item in await self._get("albums")]

    async def folders(self) -> list[Folder]:
        """The folders that this node keeps up, mirrors and watches, and how each is."""
        return [Folder(**item) for item in await self._get("folders")]

    async def mirror(self, source: str, folder: Path | str) -> Folder:
        """Keep `folder` up with every photo of an album, or from a contact, of the name `source`.

        A photo is written once, never over another file; what is renamed or removed there stays
        so. Raises `NoSuchAlbumError`, `FolderTakenError`, `UnwritableFolderError`.
        """
        body = await self._post("folders", "mirror", source=source, folder=absolute(folder))
        return Folder(**body)

    async def watch(
        self,
        folder: Path | str,
        *,
        album: str | None = None,
        to: Sequence[str] = (),
        metadata: str | None = None,
    ) -> Folder:
        """Import what lies and what appears in `folder`, and share it with the contacts `to`.

        A file is taken when it has not changed for two seconds. `metadata` is the policy for all
        of `to`; the default is each contact's own. Raises `NoSuchContactError`,
        `FolderTakenError`, `BadRequestError`.
        """
        place = absolute(folder)
        body = await self._post(
            "folders", "watch", folder=place, album=album, to=several(to), metadata=metadata
        )
        return Folder(**body)

    async def end_mirror(self, folder: Path | str) -> Folder:
        """Write no more to a mirror; its files stay. `NoSuchFolderError`."""
        return Folder(**await self._post("folders", "mirror", "off", folder=absolute(folder)))

    async def end_watch(self, folder: Path | str) -> Folder:
        """Watch a folder no more; what was imported stays. `NoSuchFolderError`."""
        return Folder(**await self._post("folders", "watch", "off", folder=absolute(folder)))

    async def inbox(self) -> list[InboxItem]:
        """Every photo that was offered to this node, oldest first."""
        return [_inbox_item(item) for item in await self._get("inbox")]

    async def accept(self, photo: str) -> InboxItem:
        """Fetch a photo that waits; `photo` is its id or the beginning of it."""
        return _inbox_item(await self._post("inbox", photo_segment(photo), "accept"))

    async def decline(self, photo: str) -> InboxItem:
        """Decline a photo that waits."""
        return _inbox_item(await self._post("inbox", photo_segment(photo), "decline"))

    async def get(self, photo: str) -> PhotoDetails:
        """All about a photo that is here; `NoSuchPhotoError`, `NotHereYetError`."""
        body = await self._get("photos", photo_segment(photo))
        deliveries = [views_sharing.DeliveryState(**item) for item in body.pop("deliveries")]
        verdict = body.pop("verdict")
        return PhotoDetails(
            **body,
            deliveries=deliveries,
            verdict=None if verdict is None else read_verdict(verdict),
        )

    async def check(self, photo: str) -> Verdict:
        """Look at a photo that is here for signs of editing, also if that was done before.

        `photo` is its id. What comes from others is looked at by itself, and `get` and `inbox` tell
        what was seen. Raises `NoSuchPhotoError`, `NotHereYetError`, `BlobMissingError`. Takes
        seconds; the first time more.
        """
        body = await self._post("photos", photo_segment(photo), "check")
        return read_verdict(body)

    async def export(
        self,
        photo: str,
        folder: Path | str,
        *,
        keep_both: bool = False,
        rendition: str | None = None,
    ) -> ExportedFile:
        """Write a photo into `folder`, byte-exact, with its name (made safe) and its time.

        The clip of a live photo is written beside it. Never touches a file that is there:
        `NameTakenError`, or a number with `keep_both`. With `rendition` (`preview` or `thumbnail`)
        it is that JPEG which is written, under a name that says so.
        """
        place = absolute(folder)
        body = await self._post(
            "photos",
            photo_segment(photo),
            "export",
            folder=place,
            keep_both=keep_both,
            rendition=rendition,
        )
        clip = body.pop("clip")
        return ExportedFile(**body, clip=None if clip is None else ExportedFile(**clip))

    async def rendition(self, photo: str, name: str) -> bytes:
        """A JPEG made from a photo that is here, upright, in sRGB; of a clip, its first frame.

        `name` is `preview` (at most 2048 pixels a side) or `thumbnail` (at most 320). Raises
        `BadRequestError` for another one, `PictureRefusedError`, `DecoderDiedError`,
        `DecoderTimeoutError`, `BlobMissingError`.
        """
        return await self._bytes("photos", photo_segment(photo), name)


def _inbox_item(body: dict[str, Any]) -> InboxItem:
    verdict = body.pop("verdict")
    return InboxItem(**body, verdict=None if verdict is None else read_verdict(verdict))


def read_verdict(body: dict[str, Any]) -> Verdict:
    """A verdict out of JSON."""
    body["regions"] = [views_checks.Region(**each) for each in body["regions"]]
    body["provenance"] = views_checks.Provenance(**body["provenance"])
    body["evidence"] = [views_checks.Evidence(**each) for each in body["evidence"]]
    return Verdict(**body)
