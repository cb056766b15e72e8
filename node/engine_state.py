"""Locked or unlocked, and what there is while it is unlocked."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ..crypto.identity import DeviceChain
from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import keys
from .albums import Albums
from .archiving import Archiver
from .collection import Collection
from .config import Config
from .device_photos import DevicePhotos
from .doctor import Doctor
from .drop_desk import DropDesk
from .environment import Environment
from .errors import LockedError, NoHomeError
from .events import Events
from .explaining import Explainer
from .granting import Granting
from .guardians import Guarding
from .holding import Hold
from .home import Home
from .keeping import Keeper
from .metrics import Metrics
from .our_devices import OurDevices
from .readiness import Readiness
from .receipts import Receipts
from .recovery import Recovery
from .rules import Rules
from .space import Space
from .tasks import Tasks
from .tickets import Tickets
from .unlocked import Unlocked
from .weblink_desk import WebLinkDesk

_log = logging.getLogger(__name__)


class EngineState:
    """A home, opened or not, and the parts of an unlocked node for who asks for one of them."""

    def __init__(self, home: Home, environment: Environment | None = None) -> None:
        self.home: Final = home
        self.events: Final = Events()
        self._metrics = Metrics(self.events.counters)
        self._environment = environment or Environment()
        self._open: Unlocked | None = None
        self._keys: keys.UnlockedKeys | None = None
        self._unlocking = asyncio.Lock()
        self._tasks = Tasks(_log)

    async def unlock(self, secret: Secret | RecoveryWords) -> None:
        """Open everything; a wrong pass phrase changes nothing.

        Of a node that is unlocked already it says that its owner is there, for rules that ask.
        """
        async with self._unlocking:
            config = Config.load(self.home)
            unlocked = await asyncio.to_thread(keys.unlock, self.home, secret)
            if self._open is not None:
                self._open.rules.present()
                return
            self._open = await self._opened(config, unlocked)
            self.events.publish("unlocked")

    async def _opened(self, config: Config, unlocked: keys.UnlockedKeys) -> Unlocked:
        opened = await Unlocked.open(
            self.home, config, unlocked, self.events, self._environment, self._new_papers
        )
        self._keys = unlocked
        return opened

    def _new_papers(self, chain: DeviceChain) -> None:
        """Another device certified this one anew."""
        self._tasks.spawn(self._with_papers(chain))

    async def _with_papers(self, chain: DeviceChain, words: RecoveryWords | None = None) -> None:
        """Open everything anew with other papers for this device: each part has them."""
        async with self._unlocking:
            if self._open is None or self._keys is None:
                return
            if self._open.device.chain.encoded == chain.encoded:
                return  # it was told twice
            unlocked = await asyncio.to_thread(keys.with_chain, self.home, self._keys, chain, words)
            opened, self._open = self._open, None
            await opened.close()
            self._open = await self._opened(Config.load(self.home), unlocked)
            self.events.publish("devices")

    async def lock(self) -> None:
        """End all connections, close the library and forget the keys."""
        async with self._unlocking:
            opened, self._open, self._keys = self._open, None, None
            if opened is not None:
                self.events.publish("locked")
                await opened.close()

    def _unlocked(self) -> Unlocked:
        if self._open is None:
            raise LockedError if self.home.exists else NoHomeError
        return self._open

    @property
    def collection(self) -> Collection:
        """The library: import, search, albums."""
        return self._unlocked().collection

    @property
    def albums(self) -> Albums:
        """Albums that several people keep."""
        return self._unlocked().albums

    @property
    def doctor(self) -> Doctor:
        """Looks through the home, and repairs it."""
        return self._unlocked().doctor

    @property
    def space(self) -> Space:
        """The room that photos take here."""
        return self._unlocked().space

    @property
    def granting(self) -> Granting:
        """What was granted, and to whom."""
        return self._unlocked().granting

    @property
    def receipts(self) -> Receipts:
        """Who signed that it has what was sent."""
        return self._unlocked().receipts

    @property
    def explainer(self) -> Explainer:
        """Why somebody may have a photo or not."""
        return self._unlocked().explainer

    @property
    def rules(self) -> Rules:
        """The owner's rules."""
        return self._unlocked().rules

    @property
    def hold(self) -> Hold:
        """What is held for others."""
        return self._unlocked().hold

    @property
    def recovery(self) -> Recovery:
        """What comes back from the 24 words."""
        return self._unlocked().recovery

    @property
    def our_devices(self) -> OurDevices:
        """The devices of this person."""
        return self._unlocked().our_devices

    @property
    def archiver(self) -> Archiver:
        """Backups of the whole library in a file."""
        return self._unlocked().archiver

    @property
    def device_photos(self) -> DevicePhotos:
        """What the devices of this person have in common."""
        return self._unlocked().device_photos

    @property
    def guarding(self) -> Guarding:
        """Shares of recovery words, ours and others'."""
        return self._unlocked().guarding

    @property
    def readiness(self) -> Readiness:
        """What there is to get everything back with."""
        return self._unlocked().readiness

    @property
    def tickets(self) -> Tickets:
        """The tickets that were made here."""
        return self._unlocked().tickets

    @property
    def drops(self) -> DropDesk:
        """Links by which browsers send photos."""
        return self._unlocked().drops

    @property
    def weblinks(self) -> WebLinkDesk:
        """Links to photos that browsers open."""
        return self._unlocked().weblinks

    @property
    def keeper(self) -> Keeper:
        """The folders that are kept up."""
        return self._unlocked().keeper
