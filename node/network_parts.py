"""How an unlocked node is found and reached."""

from __future__ import annotations

import logging
from abc import ABC
from typing import Final

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from ..protocol.joining import DeviceRequest
from ..protocol.opening import Acquaintance
from .addresses import Address
from .core import Given
from .counters import counted_accept, counted_listener
from .discovery import Discovery
from .errors import HomeUnusableError, LockedError
from .finding import Finding
from .keeping_parts import KeepingParts
from .link import Link
from .meeting import Meeting
from .pipes import Pipe
from .rendezvous import Rendezvous
from .surroundings import Surroundings
from .tasks import Tasks
from .wide import Wide

_PORT_SETTING: Final = "port"

_log = logging.getLogger(__name__)


class NetworkParts(KeepingParts, ABC):
    """The port, the wide area, and looking for others."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.listener: Final = counted_listener(
            self.environment.listen, self.peers.accept, self.events.counters
        )
        self.rendezvous: Final = Rendezvous(
            device=self.device,
            contacts=lambda: [
                *(each for each in self.library.contacts() if not each.blocked),
                *self.roster.siblings(),
            ],
            wanted=self.peers.sought,
            addresses=lambda: self.wide.addresses(),
            whereabouts=self.whereabouts,
            heard=self.peers.nudge,
            filler=lambda: Secret(self.wide.seed()),
            now=self.clock,
        )
        self.finding: Final = Finding(
            wanted=self.peers.sought,
            whereabouts=self.whereabouts,
            heard=self.peers.nudge,
        )
        self.wide: Final = Wide(
            on=self.config.wide,
            port=self.config.wide_port,
            relaying=self.config.wide_relay,
            bootstraps=self.config.wide_bootstrap if self.config.wide_lookup else None,
            upnp=self.config.wide_upnp,
            library=self.library,
            tcp=self.environment.dial,
            accept=counted_accept(self.peers.accept, self.events.counters),
            improved=counted_accept(self.peers.improve, self.events.counters),
            attend=self.rendezvous.attend,
            keep_finding=self.finding.keep,
            entropy=self.entropy,
            events=self.events,
        )
        self.surroundings: Final = Surroundings()
        self.discovery: Discovery | None = None
        self._meeting: Meeting | None = None
        self._accompanying = Tasks(_log)

    @property
    def meeting(self) -> Meeting:
        """Pairing, once the node listens."""
        if self._meeting is None:
            raise LockedError
        return self._meeting

    async def _dial(self, address: Address) -> Pipe:
        return await self.wide.dial(address)

    async def _listen(self) -> None:
        """On the port of the settings, else on the one of last time, else on any free one.

        Contacts remember where they reached this node, so the port should stay.
        """
        if self.config.port:
            try:
                await self.listener.start(self.config.port)
            except OSError as error:
                raise HomeUnusableError(
                    f"port {self.config.port} of config.toml is taken, {error.strerror}"
                ) from None
            return
        last = int.from_bytes(self.library.setting(_PORT_SETTING) or b"")
        try:
            await self.listener.start(last)
        except OSError:
            await self.listener.start(0)
        if self.listener.port != last:
            self.library.set_setting(_PORT_SETTING, self.listener.port.to_bytes(2))

    async def _paired(self, link: Link, acquaintance: Acquaintance | DeviceRequest) -> None:
        await self.meeting.paired(link, acquaintance)

    def _refused(self, error: KinlightError) -> None:
        self.events.counters.refused("caller", error.code)
        self.events.publish("caller-refused", code=error.code)
        self.meeting.refused(error)
