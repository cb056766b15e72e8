"""Everything that exists only while the node is unlocked, wired together and started.

It is built in floors, each a class that inherits from the one beneath and uses what is there:

    Core             keys, library, blobs, the time
    PhotoParts       photos on this machine
    PeopleParts      contacts, devices, papers, links
    ExchangeParts    what goes, what comes, and who may have it; albums
    KeepingParts     backups, what is held, what devices share, room and repair
    NetworkParts     the port, the wide area, looking for others
    Reactions        who is told when something changes
    Unlocked         started and ended

What a floor needs of one above it is declared there as an abstract method. A new part stands on
the lowest floor that has what it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from ..crypto.errors import KinlightError
from ..crypto.identity import DeviceChain
from . import trimming
from .blobstore import BlobStore
from .clock import KEPT_SECONDS
from .config import Config
from .core import Given
from .database import Database
from .discovery import Discovery
from .environment import Environment
from .errors import LibraryDamagedError
from .events import Events
from .home import Home
from .keys import UnlockedKeys
from .library import Library
from .meeting import Meeting
from .mending import Repairs
from .notifying import Notifier
from .reactions import Reactions
from .recovery_state import expected

PROBE_SECONDS: Final = 2.0


class Unlocked(Reactions):
    """The parts of an unlocked node. Made by `open`, ended by `close`."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls,
        home: Home,
        config: Config,
        keys: UnlockedKeys,
        events: Events,
        environment: Environment,
        renewed: Callable[[DeviceChain], None],
    ) -> Unlocked:
        """Open the library, clear leftovers, listen, and look for contacts."""
        blobs = BlobStore(home.blobs)
        # Opening would make a new library, and the sweep would then take every blob for a leftover.
        if not Database.exists(home.library) and blobs.holds_any():
            raise LibraryDamagedError("library.db is missing or empty")
        database = Database(home.library, keys.library_key)
        library = Library(database)
        try:
            coming = [*expected(library), *Repairs(database).expected()]
            await asyncio.to_thread(blobs.sweep, library.blob_ids(), coming)
            given = Given(
                home, keys, database, library, blobs, config, events, environment, renewed
            )
            opened = cls(given)
        except BaseException:
            library.close()
            raise
        try:
            await opened.album_parts.shelf.load()
            await opened._start()
        except BaseException:
            await opened.close()
            raise
        return opened

    async def _start(self) -> None:
        self.catalogue.prepare()
        self.archiver.sweep()
        await asyncio.to_thread(self.hold.held.sweep())
        await self._listen()
        if self.config.discovery:
            self.discovery = Discovery(
                self.listener.port, self.config.interfaces, surroundings=self.surroundings
            )
            await self.discovery.start()
        self._meeting = Meeting(
            device=self.device,
            library=self.library,
            whereabouts=self.whereabouts,
            peers=self.peers,
            tickets=self.tickets,
            lost=lambda identity, device: self.papers.revocations.revokes_device(identity, device),
            check=self.wide.check,
            same_name=lambda known, new: self.doubts.saw(known, "name", new),
            events=self.events,
            discovery=self.discovery,
            port=self.listener.port,
            entropy=self.entropy,
            choose=self.environment.choose,
            now=self.clock,
        )
        self.wide.start()
        self.peers.start(self.discovery, self.surroundings)
        self.surroundings.start()
        self.keeper.start()
        work = [
            self.cataloguer.run(),
            self.checker.run(),
            self._probe(),
            self.open_grants.run(),
            self._witness(),
            self.hold.run(),
            self.album_parts.tending.run(),
            self.sibling_parts.run(),
            self.weblinks.run(),
            trimming.keep_trimmed(lambda: self.events.counters.pieces),
        ]
        if self.config.desktop:
            notifier = Notifier(
                events=self.events,
                library=self.library,
                pace=self.environment.pace,
                details=self.config.details,
            )
            work.append(notifier.run())
        self._tasks += map(asyncio.create_task, work)

    async def _witness(self) -> None:
        """Keep the time that was seen, so that a clock which is set back is noticed."""
        while True:
            with contextlib.suppress(KinlightError):  # a full disk: it is tried again
                self.clock.keep()
            await asyncio.sleep(KEPT_SECONDS)

    async def _probe(self) -> None:
        """Learn how pictures will be caged, so that `status` can tell before there is one."""
        await asyncio.sleep(PROBE_SECONDS)  # after what somebody may be waiting for
        with contextlib.suppress(KinlightError):  # it is said when a picture is to be opened
            await self.decoder.probe()

    async def close(self) -> None:
        """End all of it. Never raises."""
        try:
            await self.listener.close()
            await self.surroundings.close()
            await self.peers.close()
            await self._accompanying.close()
            await self.wide.close()
            if self.discovery is not None:
                await self.discovery.close()
            for task in self._tasks:
                task.cancel()
                await asyncio.wait({task})
            await self.hold.close()
            await self.sibling_parts.close()
            await self.keeper.close()
            await self.importer.close()
            await self.check_service.close()
            await self.mark_service.close()
            await self.decoder.close()
        finally:
            with contextlib.suppress(KinlightError):
                self.clock.keep()
            with contextlib.suppress(KinlightError):
                self.library.close()
