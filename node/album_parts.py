"""What an unlocked node has for albums, wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from ..crypto.identity import DeviceChain
from .album_adding import AlbumAdding
from .album_photos import AlbumPhotos
from .album_previews import Previews
from .album_shelf import SharedAlbum, Shelf
from .album_showing import AlbumShowing
from .album_storage import AlbumStore
from .album_tending import AlbumTending
from .albums import Albums
from .removing import Remover
from .rules import Rules

if TYPE_CHECKING:
    from .people_parts import PeopleParts


class AlbumParts:
    """The parts, as `unlocked` and each conversation use them."""

    def __init__(
        self,
        parts: PeopleParts,
        *,
        rules: Rules,
        remover: Remover,
        changed: Callable[[SharedAlbum], None],
        connected: Callable[[], Mapping[bytes, DeviceChain]],
        revoked: Callable[[], None],
    ) -> None:
        """`parts` are those that these stand on. `changed` hears of each album to which something
        came; else see `AlbumTending`.
        """
        self.device: Final = parts.device
        self.library: Final = parts.library
        self.store: Final = AlbumStore(parts.database)
        self.shelf: Final = Shelf(
            device=parts.device,
            database=parts.database,
            store=self.store,
            events=parts.events,
            now=parts.clock,
            changed=changed,
        )
        self.photos: Final = AlbumPhotos(
            device=parts.device,
            database=parts.database,
            library=parts.library,
            store=self.store,
            shelf=self.shelf,
            copies=parts.copies,
            papers=parts.papers,
            rules=rules,
            entropy=parts.entropy,
            now=parts.clock,
        )
        self.previews: Final = Previews(
            library=parts.library,
            store=self.store,
            photos=self.photos,
            renditions=parts.renditions,
            events=parts.events,
        )
        self.tending: Final = AlbumTending(
            device=parts.device,
            shelf=self.shelf,
            papers=parts.papers,
            entropy=parts.entropy,
            now=parts.clock,
            connected=connected,
            revoked=revoked,
            go_on=lambda shared: adding.go_on(shared),
        )
        adding = AlbumAdding(
            device=parts.device,
            library=parts.library,
            store=self.store,
            shelf=self.shelf,
            tending=self.tending,
            previews=self.previews,
            catalogue=parts.catalogue,
            cataloguer=parts.cataloguer,
            copies=parts.copies,
            importer=parts.importer,
            rules=rules,
            now=parts.clock,
        )
        showing = AlbumShowing(
            device=parts.device,
            library=parts.library,
            store=self.store,
            shelf=self.shelf,
            previews=self.previews,
            derivations=parts.derivations,
            is_away=parts.blobs.away.__contains__,
            now=parts.clock,
        )
        self.albums: Final = Albums(
            device=parts.device,
            library=parts.library,
            store=self.store,
            shelf=self.shelf,
            tending=self.tending,
            adding=adding,
            previews=self.previews,
            showing=showing,
            catalogue=parts.catalogue,
            remover=remover,
            entropy=parts.entropy,
            now=parts.clock,
        )
