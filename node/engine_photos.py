"""Photos that came and are here, as the API asks for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..crypto.identity import fingerprint
from ..protocol import errors as protocol_errors
from ..protocol.capability import Capability
from . import exporting, library, views_checks, views_library, views_sharing
from .drops import DropItem
from .engine_state import EngineState
from .exporting import Exported, ExportedPhoto
from .outbox import FINAL_STATES
from .photo_errors import NoSuchPhotoError, NotWaitingError
from .sibling_keeping import PREVIEW
from .unlocked import Unlocked
from .views_space import SpaceItem


class EnginePhotos(EngineState):
    """Photos in, and what there is of them."""

    def inbox(self) -> list[views_library.InboxItem]:
        """Every offer that came, and what browsers offered by drop links, oldest first."""
        opened = self._unlocked()
        items = [self._inbox_item(opened, offer) for offer in opened.library.offers()]
        items += [self._dropped_item(opened, item) for item in opened.drops.items()]
        return sorted(items, key=lambda item: item.received)

    def _dropped_item(self, opened: Unlocked, item: DropItem) -> views_library.InboxItem:
        photo = None if item.photo_id is None else opened.library.photo(item.photo_id)
        return views_library.InboxItem(
            id=(item.photo_id or item.item_id).hex(),
            sender=item.drop_name,
            state=item.state,
            bytes=item.length,
            received=item.received,
            expires=None,
            name=item.name,
            sha256=item.sha256.hex(),
            verdict=None if photo is None else opened.verdicts.of(photo),
            by_link=True,
        )

    def _inbox_item(
        self, opened: Unlocked, offer: library.IncomingOffer
    ) -> views_library.InboxItem:
        contact = opened.library.contact_of(offer.identity)
        author = opened.library.contact_of(offer.record.author)
        photo = opened.library.photo(offer.photo_id)
        ended = None if photo is None else opened.judge.ended(photo)
        state, code = offer.state, offer.code
        if ended is not None:
            photo = None  # what it is called is not to be seen either
            if state == "stored":
                state, code = "ended", ended.code
        pieces = opened.inbox.progress(offer.photo_id)
        return views_library.InboxItem(
            id=offer.photo_id.hex(),
            sender=contact.name if contact else "",
            state=state,
            bytes=photo.metadata.length if photo else offer.record.ciphertext_length,
            received=offer.received,
            expires=Capability.decode(offer.capability).expires,
            name=photo.metadata.name if photo else None,
            sha256=photo.metadata.sha256.hex() if photo else None,
            code=code,
            message=protocol_errors.sentence(code) if code else None,
            pieces=pieces[0] if pieces else None,
            pieces_total=pieces[1] if pieces else None,
            author=author.name if author else None,
            author_fingerprint=fingerprint(offer.record.author),
            verdict=None if photo is None else opened.verdicts.of(photo),
        )

    async def check(self, photo: str) -> views_checks.Verdict:
        """Look at a photo that is here for signs of editing, also if that was done before."""
        opened = self._unlocked()
        found = opened.inbox.require(opened.library.find_photo_id(photo))
        await opened.checker.check(found, again=True)
        verdict = opened.verdicts.of(found)
        if verdict is None:  # it was removed meanwhile
            raise NoSuchPhotoError
        return verdict

    def decide(self, photo: str, *, accept: bool) -> views_library.InboxItem:
        """Accept or decline the latest open offer of a photo; `photo` begins its id.

        Its author's comes before those of others who pass it on: their grants may end earlier.
        """
        opened = self._unlocked()
        if (dropped := opened.drops.find_item(photo)) is not None:
            if dropped.state == "stored":
                raise NotWaitingError
            decided = opened.drops.decide(dropped, accept=accept)
            return self._dropped_item(opened, decided)
        offers = opened.library.offers_of(opened.library.find_photo_id(photo))
        open_offers = [offer for offer in offers if offer.state not in ("stored", "declined")]
        if not open_offers:
            raise NotWaitingError
        open_offers.sort(key=lambda offer: offer.identity != offer.record.author)
        offer = opened.inbox.decide(open_offers[0], accept=accept)
        opened.follow_up(offer)
        return self._inbox_item(opened, offer)

    def photo(self, photo: str) -> views_library.PhotoDetails:
        """All about a photo that is here; `photo` begins its id."""
        opened = self._unlocked()
        found = opened.inbox.require(opened.library.find_photo_id(photo))
        author = opened.library.contact_of(found.author)
        offers = opened.library.offers_of(found.photo_id)
        senders = [opened.library.contact_of(offer.identity) for offer in offers]
        sent = [(found.photo_id, found.metadata.policy)]
        sent += opened.catalogue.copies_of(found.photo_id)
        deliveries = [
            views_sharing.DeliveryState(
                name, item.state, item.code, item.expires, item.updated, policy,
                item.device.hex(), opened.receipts.time_of(item),
                [] if item.state in FINAL_STATES else opened.deposits.holders(item.envelope_hash),
            )
            for photo_id, policy in sent
            for name, item in opened.outbox.states(photo_id)
        ]  # fmt: skip
        metadata = found.metadata
        item = opened.collection.item(found.photo_id)
        return views_library.PhotoDetails(
            id=found.photo_id.hex(),
            name=metadata.name,
            media_type=metadata.media_type,
            bytes=metadata.length,
            sha256=metadata.sha256.hex(),
            modified=metadata.modified // 10**9,
            policy=metadata.policy,
            own=found.author == opened.device.identity,
            author=author.name if author else None,
            author_fingerprint=fingerprint(found.author),
            author_device=found.record.device.hex(),
            signature="valid",
            content_id=found.record.content_id.hex(),
            added=found.added,
            expires=Capability.decode(offers[0].capability).expires if offers else None,
            deliveries=deliveries,
            captured=item.captured,
            captured_source=item.captured_source,
            camera=item.camera,
            width=item.width,
            height=item.height,
            c2pa=item.c2pa,
            refused=item.refused,
            clip=item.clip,
            albums=item.albums,
            tags=item.tags,
            sensitivity=item.sensitivity,
            position=item.position,
            place=item.place,
            senders=sorted({sender.name for sender in senders if sender is not None}),
            verdict=opened.verdicts.of(found),
            away=found.record.content_id in opened.blobs.away,
        )

    def tag(
        self, photos: list[str], *, add: list[str], remove: list[str], sensitivity: str | None
    ) -> list[views_library.LibraryItem]:
        """What a person says of photos that are here; see `Collection.tag`."""
        opened = self._unlocked()
        found = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        return opened.collection.tag(found, add=add, remove=remove, sensitivity=sensitivity)

    async def remove(self, photo: str, *, force: bool) -> views_library.RemovedPhoto:
        """Take a photo out of the library; see `Remover.remove`."""
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if opened.library.photo(photo_id) is None and opened.library.is_at_sibling(photo_id):
            opened.device_photos.remove(photo_id)
            return views_library.RemovedPhoto(photo_id.hex(), "", [])
        found = opened.inbox.here(photo_id)
        removed = await opened.remover.remove(found.photo_id, force=force)
        return views_library.RemovedPhoto(found.photo_id.hex(), found.metadata.name, removed.people)

    async def rendition(self, photo: str, name: str) -> bytes:
        """A picture made from a photo that is here; see `Renditions.get`. Of one that another
        device of ours keeps there may be a preview.
        """
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if name == PREVIEW and opened.library.photo(photo_id) is None:
            shown = await opened.device_photos.preview(photo_id)
            if shown is not None:
                return shown[0]
        found = opened.inbox.require(photo_id)
        return await opened.renditions.get(found, name)

    async def fetch_away(self, photos: list[str]) -> list[SpaceItem]:
        """Have photos again that were let go, by their ids, or all of them."""
        opened = self._unlocked()
        found = [opened.library.find_photo_id(photo) for photo in photos]
        return await opened.space.fetch(found or None)

    async def export(
        self, photo: str, folder: Path, *, keep_both: bool, rendition: str | None = None
    ) -> views_library.ExportedFile:
        """Write a photo, or a rendition of it, into a folder; see `exporting.export`."""
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if rendition == PREVIEW and opened.library.photo(photo_id) is None:
            shown = await opened.device_photos.preview(photo_id)
            if shown is not None:
                made = await asyncio.to_thread(
                    exporting.export, opened.blobs, *shown[1:], folder, keep_both=keep_both
                )
                return _exported(photo_id, ExportedPhoto(made, None))
        found = opened.inbox.require(photo_id)
        if rendition is None:
            written = await opened.exporter.export(found, folder, keep_both=keep_both)
            return _exported(found.photo_id, written)
        stored, metadata = await opened.renditions.stored(found, rendition)
        made = await asyncio.to_thread(
            exporting.export, opened.blobs, stored, metadata, folder, keep_both=keep_both
        )
        return _exported(found.photo_id, ExportedPhoto(made, None))


def _exported(photo_id: bytes, written: ExportedPhoto) -> views_library.ExportedFile:
    def view(
        file: Exported, clip: views_library.ExportedFile | None = None
    ) -> views_library.ExportedFile:
        return views_library.ExportedFile(
            photo_id.hex(), str(file.path), file.sha256, file.length, file.already, clip
        )

    return view(written.photo, None if written.clip is None else view(written.clip))
