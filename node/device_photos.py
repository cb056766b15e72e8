"""What a person sees and chooses of what devices have in common: how far each is, and what of the
photos is kept on this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from ..protocol.photo import Metadata
from . import views_siblings as views
from .library import Library, StoredBlob
from .roster import Roster
from .sibling_keeping import SiblingKeeping
from .sibling_parts import SiblingParts


class DevicePhotos:
    """See the module. `look` is called when what is kept here changes."""

    def __init__(
        self,
        *,
        parts: SiblingParts,
        library: Library,
        roster: Roster,
        connected: Callable[[], Collection[bytes]],
        look: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._keeping: Final[SiblingKeeping] = parts.keeping
        self._library = library
        self._roster = roster
        self._connected = connected
        self._look = look

    # How far the others are.

    def standing(self) -> list[views.DeviceStanding]:
        """What each other device lacks, as far as is known here."""
        heard, connected = self._parts.store.heard(), self._connected()
        this = self._parts.device.chain.device
        found: list[views.DeviceStanding] = []
        for each in self._roster.live():
            if each.device == this:
                continue
            last = heard.get(each.device)
            found.append(
                views.DeviceStanding(
                    name=each.name,
                    device=each.device.hex(),
                    connected=each.device in connected,
                    heard=None if last is None else last.heard,
                    behind=self._parts.store.behind({} if last is None else last.vector),
                    lacks=None if last is None else last.lacks,
                )
            )
        return found

    # What is kept here.

    def kept(self) -> views.DeviceKeeping:
        """What a person chose for this device, and what came of it."""
        choice = self._keeping.choice()
        return views.DeviceKeeping(
            keep=choice.what,
            space=choice.space,
            coming=self._library.sibling_offers_count("accepted"),
            away=self._library.sibling_offers_count("waiting"),
            pinned=self._keeping.pinned(),
        )

    def keep(self, what: str | None, space: int | None) -> views.DeviceKeeping:
        """Choose what is kept here, if `what` is given; see `SiblingKeeping`."""
        if what is not None:
            self._keeping.choose(what, space)
            self._look()
        return self.kept()

    def pin(self, photos: Sequence[str], *, pinned: bool) -> views.DeviceKeeping:
        """Photos, by how their ids begin, are to be here whatever else, or are as all others."""
        found = [self._keeping.find(photo) for photo in photos]
        for photo_id in found:
            if pinned:
                self._keeping.pin(photo_id)
            else:
                self._keeping.unpin(photo_id)
        self._look()
        return self.kept()

    def remove(self, photo_id: bytes) -> None:
        """Remove a photo whose original is elsewhere."""
        self._keeping.remove(photo_id)

    def away(self) -> list[views.AwayPhoto]:
        """Photos whose originals are with other devices, the latest first."""
        found: list[views.AwayPhoto] = []
        for each in self._keeping.away():
            metadata = each.metadata
            found.append(
                views.AwayPhoto(
                    id=each.photo_id.hex(),
                    name=None if metadata is None else metadata.name,
                    bytes=None if metadata is None else metadata.length,
                    added=each.added,
                    preview=each.preview is not None,
                    coming=each.coming,
                )
            )
        return found

    # What was removed on other devices.

    def removed(self) -> list[views.TrashedPhoto]:
        """Photos that were removed on another device and can be brought back, the latest first."""
        return [
            views.TrashedPhoto(photo_id.hex(), metadata.name, metadata.length, until)
            for photo_id, metadata, until in self._parts.trash.all()
        ]

    def bring_back(self, photos: Sequence[str]) -> list[str]:
        """Have them again, on all devices; their ids."""
        return [self._parts.trash.bring_back(photo).hex() for photo in photos]

    async def preview(self, photo_id: bytes) -> tuple[bytes, StoredBlob, Metadata] | None:
        """See `SiblingKeeping.preview`."""
        return await self._keeping.preview(photo_id)
