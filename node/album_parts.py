"""What an unlocked node has for albums, wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..crypto.identity import DeviceChain
from ..protocol.opening import Entropy, LocalDevice
from .album_adding import AlbumAdding
from .album_photos import AlbumPhotos
from .album_previews import Previews
from .album_shelf import SharedAlbum, Shelf
from .album_showing import AlbumShowing
from .album_storage import AlbumStore
from .album_tending import AlbumTending
from .albums import Albums
from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .copies import Copies
from .database import Database
from .derivations import Derivations
from .events import Events
from .importing import Importer
from .library import Library
from .papers import Papers
from .removing import Remover
from .renditions import Renditions
from .rules import Rules


class AlbumParts:
    """The parts, as `unlocked` and each conversation use them."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        copies: Copies,
        renditions: Renditions,
        importer: Importer,
        rules: Rules,
        remover: Remover,
        papers: Papers,
        events: Events,
        entropy: Entropy,
        now: Callable[[], int],
        changed: Callable[[SharedAlbum], None],
        connected: Callable[[], Mapping[bytes, DeviceChain]],
        revoked: Callable[[], None],
    ) -> None:
        """`changed` hears of each album to which something came; else see `AlbumTending`."""
        self.device: Final = device
        self.library: Final = library
        self.store: Final = AlbumStore(database)
        self.shelf: Final = Shelf(
            device=device,
            database=database,
            store=self.store,
            events=events,
            now=now,
            changed=changed,
        )
        self.photos: Final = AlbumPhotos(
            device=device,
            database=database,
            library=library,
            store=self.store,
            shelf=self.shelf,
            copies=copies,
            papers=papers,
            rules=rules,
            entropy=entropy,
            now=now,
        )
        self.previews: Final = Previews(
            library=library,
            store=self.store,
            photos=self.photos,
            renditions=renditions,
            events=events,
        )
        self.tending: Final = AlbumTending(
            device=device,
            shelf=self.shelf,
            papers=papers,
            entropy=entropy,
            now=now,
            connected=connected,
            revoked=revoked,
            go_on=lambda shared: adding.go_on(shared),
        )
        adding = AlbumAdding(
            device=device,
            library=library,
            store=self.store,
            shelf=self.shelf,
            tending=self.tending,
            previews=self.previews,
            catalogue=catalogue,
            cataloguer=cataloguer,
            copies=copies,
            importer=importer,
            rules=rules,
            now=now,
        )
        showing = AlbumShowing(
            device=device,
            library=library,
            store=self.store,
            shelf=self.shelf,
            previews=self.previews,
            derivations=Derivations(database),
            now=now,
        )
        self.albums: Final = Albums(
            device=device,
            library=library,
            store=self.store,
            shelf=self.shelf,
            tending=self.tending,
            adding=adding,
            previews=self.previews,
            showing=showing,
            catalogue=catalogue,
            remover=remover,
            entropy=entropy,
            now=now,
        )
