"""Photos into an album: files are imported, brought into the album's form, and published.

file -> importing -> copies (the album's form) -> a preview -> an entry in our feed -> told to all
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from ..crypto.blob import Kind
from ..crypto.errors import KinlightError, LocalError
from ..crypto.secret import Secret
from ..protocol.album_errors import KeyDueError, NoAlbumKeyError
from ..protocol.album_feed import FeedEntry
from ..protocol.certificates import Certificates
from ..protocol.errors import PolicyDeniedError
from ..protocol.opening import LocalDevice
from ..protocol.photo import KINDS
from .album_previews import Previews
from .album_shelf import SharedAlbum, Shelf
from .album_showing import form_of
from .album_storage import AlbumStore
from .album_tending import AlbumTending
from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .copies import Copies, Sendable
from .forms import ORIGINAL
from .grants import VIEW
from .importing import Importer
from .library import Library, Photo
from .originals import untold
from .photo_errors import BlobMissingError, NotOursError
from .rules import Rules
from .sharing import CLIP
from .views_albums import AlbumItem
from .views_library import ImportItem, ImportProgress

_log = logging.getLogger(__name__)


class AlbumAdding:
    """Adds photos of ours."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        store: AlbumStore,
        shelf: Shelf,
        tending: AlbumTending,
        previews: Previews,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        copies: Copies,
        importer: Importer,
        rules: Rules,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._store = store
        self._shelf = shelf
        self._tending = tending
        self._previews = previews
        self._catalogue = catalogue
        self._cataloguer = cataloguer
        self._copies = copies
        self._importer = importer
        self._rules = rules
        self._now = now

    async def files(
        self, shared: SharedAlbum, paths: list[Path]
    ) -> AsyncGenerator[AlbumItem | ImportProgress]:
        """Import files, and the photos in folders, and add each as it is done."""
        importing = self._importer.run(paths, album=None, albums=False)
        async with contextlib.aclosing(importing):
            async for step in importing:
                if not isinstance(step, ImportItem):
                    yield step
                    continue
                photo = None if step.id is None else self._library.photo(bytes.fromhex(step.id))
                if photo is None:
                    yield AlbumItem(
                        step.file, step.name, "failed", code=step.code, message=step.message
                    )
                    continue
                for item in await self.add(shared, photo, step.file):
                    yield item

    async def add(self, shared: SharedAlbum, photo: Photo, file: str) -> list[AlbumItem]:
        """Add a photo that is here, with its clip where the album takes originals."""
        try:
            if photo.author != self._device.identity:
                raise NotOursError
            source, at_most = self._copies.origin(photo)
            with contextlib.suppress(LocalError):  # what it tells is for the rules
                await self._cataloguer.look(source)
            tier = shared.album.view.tier
            form = form_of(tier).within(at_most)
            clip_id = self._catalogue.clip_of(source.photo_id)
            clip = None if clip_id is None else self._library.photo(clip_id)
            sendable = await self._copies.under(form, source, untold)
            items: list[AlbumItem] = []
            if clip is not None and form == ORIGINAL:
                other = await self._copies.under(form, clip, untold)
                items.append(await self._show_and_publish(shared, other, clip.metadata.name))
            elif clip is not None:
                sendable = sendable.without(CLIP)
            return [await self._show_and_publish(shared, sendable, file), *items]
        except (KeyDueError, NoAlbumKeyError) as error:
            self._store.wait(shared.album_id, photo.photo_id)
            return [self._failed(photo, file, error, "waiting")]
        except KinlightError as error:
            return [self._failed(photo, file, error, "failed")]

    @staticmethod
    def _failed(photo: Photo, file: str, error: KinlightError, state: str) -> AlbumItem:
        id_ = photo.photo_id.hex() if state == "waiting" else None
        name = photo.metadata.name
        return AlbumItem(file, name, state, id_, code=error.code, message=str(error))

    async def go_on(self, shared: SharedAlbum) -> None:
        """Add what waited for the key, if it is here by now. What can't be added for another reason
        is logged and given up.
        """
        for photo_id in self._store.waiting(shared.album_id):
            safe = shared.album.authority.safe_epochs()
            if shared.state != "joined" or not safe or safe[0][1].key_id not in shared.keys:
                return
            photo = self._library.photo(photo_id)
            items = [] if photo is None else await self.add(shared, photo, photo_id.hex())
            if any(item.state == "waiting" for item in items):
                return
            self._store.wait_no_more(shared.album_id, photo_id)
            for item in items:
                if item.code is not None:
                    _log.info("a photo that waited for an album's key is not added: %s", item.code)

    async def _show_and_publish(
        self, shared: SharedAlbum, sendable: Sendable, file: str
    ) -> AlbumItem:
        """The preview first: a photo that is in the album is looked for at once."""
        picture = b""
        if sendable.photo.photo_id not in shared.album.view.photos:
            picture = await self._previews.draw(sendable.photo)
        return self._publish(shared, sendable, file, picture)

    def _publish(
        self, shared: SharedAlbum, sendable: Sendable, file: str, picture: bytes
    ) -> AlbumItem:
        photo = sendable.photo
        item = AlbumItem(
            file,
            photo.metadata.name,
            "present",
            photo.photo_id.hex(),
            photo.metadata.length,
            list(sendable.left_out),
        )
        if photo.photo_id in shared.album.view.photos:
            return item
        self._check_rules(shared, photo)
        record, author = photo.record, self._shelf.author(shared)
        keys: dict[Kind, Secret] = {}
        for kind in KINDS:
            stored = self._library.blob(record.blob_id(kind))
            if stored is None:
                raise BlobMissingError
            keys[kind] = stored.key
        # One of ours that was made on another device of ours shows whose it is.
        papers = Certificates()
        if (record.author, record.device) not in shared.album.graph.let_in:
            papers = Certificates(self._device.chain.certificates)

        sealed = b""

        def publish() -> FeedEntry:
            nonlocal sealed
            sealed = author.seal_preview(photo.photo_id, picture) if picture else b""
            return author.publish(self._now(), record, keys, papers, sealed)

        def keep(entry: FeedEntry) -> None:
            if sealed:
                self._previews.keep_ours(shared, entry.digest, sealed)

        try:
            self._shelf.write(shared, publish, keep)
        except KeyDueError:
            if not self._shelf.has_seat(shared):
                raise
            self._tending.settle(shared)
            self._shelf.write(shared, publish, keep)
        return AlbumItem(file, item.name, "added", item.photo_id, item.bytes, item.left_out)

    def _check_rules(self, shared: SharedAlbum, photo: Photo) -> None:
        """The owner's rules may say that one of the members must not have it, or not in this form.

        Who comes later is judged when they fetch it.
        """
        given = self._copies.rendition(photo)
        for identity in shared.album.view.members:
            if identity == self._device.identity:
                continue
            demand = self._rules.demand(photo.photo_id, identity, VIEW)
            if not given.at_least_as_strict_as(demand):
                contact = self._library.contact_of(identity)
                raise PolicyDeniedError(f"not in this form for {contact.name if contact else '?'}")
