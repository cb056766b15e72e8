"""Whether this node speaks to the wide area, and what it is there. Off unless the settings say so.

With it off nothing of libp2p is imported. It starts beside everything else, and where it can't, the
local network goes on: `state` and `reason` say how it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from ..protocol.opening import Entropy
from .addresses import Address
from .errors import WideAreaOffError
from .events import Events
from .finding import Find
from .library import Library
from .link import Link
from .multiaddrs import Multiaddr
from .pipes import Dial, Pipe
from .rendezvous import Ask
from .upnp import Forwarding

if TYPE_CHECKING:
    from .p2p import WideArea

State = Literal["off", "starting", "on", "failed"]

SEED_BYTES: Final = 32
_SEED_SETTING: Final = "transport-seed"
_PORT_SETTING: Final = "wide-port"

_log = logging.getLogger(__name__)


class Wide:
    """The node's side of the wide area; `dial` reaches addresses of every kind."""

    def __init__(
        self,
        *,
        on: bool,
        port: int,
        relaying: bool,
        bootstraps: Sequence[Multiaddr] | None,
        upnp: bool,
        library: Library,
        tcp: Dial,
        accept: Callable[[Pipe], Awaitable[None]],
        improved: Callable[[Pipe], Awaitable[None]],
        attend: Callable[[Link, Ask], Coroutine[Any, Any, None]],
        keep_finding: Callable[[Find], Coroutine[Any, Any, None]],
        entropy: Entropy,
        events: Events,
    ) -> None:
        self.state: State = "starting" if on else "off"
        self.reason: str | None = None
        self.relaying = relaying
        self.bootstraps = bootstraps
        self._port = port
        self._upnp = upnp
        self.forwarding: Final = Forwarding(self._forwarded)
        self._library = library
        self._tcp = tcp
        self._accept = accept
        self._improved = improved
        self._attend = attend
        self._keep_finding = keep_finding
        self._entropy = entropy
        self._events = events
        self._area: WideArea | None = None
        self._starting: asyncio.Task[None] | None = None
        self._keeping: list[asyncio.Task[None]] = []
        self._turning = asyncio.Lock()

    def start(self) -> None:
        """Begin to start, if it is on."""
        if self.state == "starting":
            self._starting = asyncio.create_task(self._start())

    async def turn(
        self, *, on: bool, relaying: bool, bootstraps: Sequence[Multiaddr] | None
    ) -> None:
        """Turn it on or off, whether it relays, and by whom it makes look-ups, None for not at all;
        returns when it is so, or has failed.

        Links over it end when something changes, and are made again.
        """
        async with self._turning:
            await self.settled()
            now = (self.state, self.relaying, self.bootstraps)
            if now == ("on" if on else "off", relaying, bootstraps):
                return
            await self.close()
            self.relaying, self.bootstraps, self.reason = relaying, bootstraps, None
            self.state = "starting" if on else "off"
            self.start()
            await self.settled()

    @property
    def on(self) -> bool:
        """Whether it should be on."""
        return self.state != "off"

    async def _start(self) -> None:
        try:
            # Half a second in which others get on with what they do.
            module = await asyncio.to_thread(importlib.import_module, f"{__package__}.p2p")
            area: WideArea = module.WideArea(
                self.seed(),
                self._accept,
                self._improved,
                relaying=self.relaying,
                bootstraps=self.bootstraps,
            )
            await self._listen(area)
        except OSError as error:
            self.state, self.reason = "failed", self._why(error)
            _log.warning("the wide area does not start: %s", self.reason)
        except Exception:
            self.state, self.reason = "failed", "libp2p does not work here; the log says why"
            _log.exception("the wide area does not start")
        else:
            self._area, self.state = area, "on"
            if self.bootstraps is not None:
                self._keeping.append(asyncio.create_task(self._keep_finding(area.find)))
            if self._upnp:
                self._keeping.append(asyncio.create_task(self.forwarding.keep(area.port)))
        self._events.publish("wide", state=self.state)

    def _why(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE and self._port:
            return (
                f"port {self._port} is in use by another program; give another one in [wide] of"
                " config.toml, then `kinlight down` and `kinlight up`"
            )
        return error.strerror or str(error)

    def seed(self) -> bytes:
        """What the transport key is made of: no identity, and kept so that addresses stay."""
        seed = self._library.setting(_SEED_SETTING)
        if seed is None:
            seed = self._entropy(SEED_BYTES)
            self._library.set_setting(_SEED_SETTING, seed)
        return seed

    async def _listen(self, area: WideArea) -> None:
        """On the port of the settings, else on the one of last time, else on any free one."""
        if self._port:
            await area.start(self._port)
            return
        last = int.from_bytes(self._library.setting(_PORT_SETTING) or b"")
        try:
            await area.start(last)
        except OSError:
            await area.start(0)
        if area.port != last:
            self._library.set_setting(_PORT_SETTING, area.port.to_bytes(2))

    async def settled(self) -> None:
        """Until it is known whether it starts."""
        if self.state == "starting" and self._starting is not None:
            await asyncio.wait({self._starting})

    def _forwarded(self, outside: Address | None) -> None:
        if self._area is not None:
            self._area.outside = outside
            self._events.publish("wide", state=self.state)

    def addresses(self) -> list[str]:
        """Where it can be dialled, as far as it can know."""
        return [] if self._area is None else [str(each) for each in self._area.addresses()]

    async def relayed(self) -> tuple[tuple[bytes, ...], int, int, int]:
        """The transport ids that can be reached through this node, the circuits that stand, the
        bytes that went through them since it is on, and the sealed notices that are kept.
        """
        if self._area is None:
            return (), 0, 0, 0
        found = await self._area.relayed()
        return found.reachable, found.circuits, found.passed, found.notices

    def found(self) -> tuple[int, list[tuple[str, str | None]]]:
        """How many nodes are known that take part in look-ups, and each bootstrap with the reason
        for which it can't be used, None where it can.
        """
        if self._area is None:
            return 0, [(str(each), "the wide area is off") for each in self.bootstraps or ()]
        found = self._area.found()
        return found.known, list(found.bootstraps)

    async def dial(self, address: Address) -> Pipe:
        """A pipe to any address; `OSError` or `TimeoutError` if that fails."""
        if not isinstance(address, Multiaddr):
            return await self._tcp(address)
        await self.settled()
        if self._area is None:
            raise OSError(errno.ENETUNREACH, "no way leads there")
        return await self._area.dial(address)

    def check(self, address: Address) -> None:
        """Before a person waits for it: raises why no way can lead to such an address, if none can.

        `WideAreaOffError`.
        """
        if isinstance(address, Multiaddr) and self.state in ("off", "failed"):
            raise WideAreaOffError(self.reason or "")

    async def accompany(self, link: Link) -> None:
        """For as long as a link stands: contacts who reach each other directly may relay, those who
        are relayed look for a better way.
        """
        transport = link.pipe.transport
        if self._area is None or transport is None:
            return
        if link.pipe.path == "direct":
            async with asyncio.TaskGroup() as group:
                group.create_task(
                    self._area.accompany(transport.peer, link.peer.identity, link.ended)
                )
                group.create_task(self._attend(link, partial(self._area.ask, transport.peer)))
        else:
            await self._area.improve(transport.peer, link.ended)

    async def close(self) -> None:
        """End it. Never raises."""
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
            self._starting = None
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        if self._area is not None:
            await self._area.close()
            self._area, self.state = None, "off"
