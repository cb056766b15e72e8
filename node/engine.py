"""The node itself, as the API asks it: its state, and what the classes that it inherits from do.

    Engine(home)            locked: answers `status` only
      unlock(secret)        opens keys and library, listens, looks for peers
      lock()                closes all of that and forgets the keys

One photo's way: `share` in `engine_sending`, `outbox`, `sync` at both ends, `inbox` there, and
`export` in `engine_photos` there.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from . import views
from .config import Config, read_bootstraps, set_wide
from .engine_people import EnginePeople
from .engine_photos import EnginePhotos
from .engine_sending import EngineSending
from .unlocked import Unlocked
from .version import VERSION


class Engine(EnginePeople, EngineSending, EnginePhotos):
    """One node. Not thread-safe: it lives on one event loop."""

    def status(self) -> views.Status:
        """How the node is; the one question that a locked node answers."""
        locked = views.Status(VERSION, os.getpid(), str(self.home.path), locked=True)
        if self._open is None:
            return locked
        opened = self._open
        discovery = opened.discovery
        return dataclasses.replace(
            locked,
            locked=False,
            name=opened.device.name,
            port=opened.listener.port,
            discovery=discovery.state if discovery else "off",
            discovery_reason=discovery.reason if discovery else None,
            nodes_seen=len(discovery.sightings()) if discovery else 0,
            looking=discovery is not None and discovery.looking,
            sandbox=opened.decoder.level,
            libraries=opened.decoder.libraries,
            clock=opened.clock.view(),
            wide=opened.wide.state,
            wide_reason=opened.wide.reason,
            wide_addresses=opened.wide.addresses(),
            wide_bootstraps=[views.Bootstrap(*each) for each in opened.wide.found()[1]],
            invitations=opened.albums.invitations(),
            readiness=opened.readiness.view(),
            connections=[
                views.Connection(
                    standing.contact.name,
                    standing.link.pipe.path,
                    str(standing.link.pipe.remote or ""),
                    opened.peers.interface_of(standing.link),
                    standing.since,
                )
                for standing in opened.peers.standing()
            ],
            absent=self._absent(opened),
            devices=opened.device_photos.standing(),
        )

    @staticmethod
    def _absent(opened: Unlocked) -> list[views.Absent]:
        """Who is not connected; who was here last comes first."""
        last_seen = opened.whereabouts.last_seen()
        known = opened.whereabouts.known()
        absent: list[views.Absent] = []
        for contact in opened.peers.wanted():
            attempt = opened.peers.last_try(known.get(contact.identity, ()))
            found = views.Absent(contact.name, last_seen.get(contact.identity))
            if attempt is not None:
                address, tried = attempt
                found = dataclasses.replace(
                    found, address=str(address), tried=tried.at, outcome=tried.outcome
                )
            absent.append(found)
        return sorted(absent, key=lambda each: each.last_seen or 0, reverse=True)

    def believe_clock(self) -> views.Clock:
        """A person says that the system's clock is right."""
        opened = self._unlocked()
        opened.clock.believe()
        return opened.clock.view()

    def metrics(self) -> bytes:
        """The node in numbers, as OpenMetrics; few of them while it is locked."""
        return self._metrics.text(self._open)

    async def wide(self) -> views.WideArea:
        """How this node is in the wide area."""
        opened = self._unlocked()
        peers, circuits, passed, notices = await opened.wide.relayed()
        known, bootstraps = opened.wide.found()
        outside = opened.wide.forwarding.outside
        names = {
            standing.link.pipe.transport.peer: standing.contact.name
            for standing in opened.peers.standing()
            if standing.link.pipe.transport is not None
        }
        return views.WideArea(
            state=opened.wide.state,
            reason=opened.wide.reason,
            addresses=opened.wide.addresses(),
            relaying=opened.wide.relaying,
            reachable=sorted(names[peer] for peer in peers if peer in names),
            circuits=circuits,
            bytes_relayed=passed,
            notices=notices,
            lookup=opened.wide.bootstraps is not None,
            known=known,
            bootstraps=[views.Bootstrap(*each) for each in bootstraps],
            forwarded=None if outside is None else str(outside),
            forwarded_reason=opened.wide.forwarding.reason,
        )

    async def set_wide(
        self,
        *,
        on: bool | None,
        relay: bool | None,
        lookup: bool | None = None,
        bootstraps: Sequence[str] | None = None,
    ) -> views.WideArea:
        """Turn the wide area on or off, relaying in it, and look-ups, by way of `bootstraps`; None
        leaves it. The settings say so from then on.

        `BadConfigError` if they can't be changed, `BadAddressError` for a bootstrap that is none.
        """
        opened = self._unlocked()
        relay = opened.wide.relaying if relay is None else relay
        on = opened.wide.on if on is None else on
        before = Config.load(self.home)
        by = before.wide_bootstrap if bootstraps is None else read_bootstraps(bootstraps)
        lookup = opened.wide.bootstraps is not None if lookup is None else lookup
        set_wide(self.home, on=on, relay=relay, lookup=lookup, bootstraps=by)
        await opened.wide.turn(on=on, relaying=relay, bootstraps=by if lookup else None)
        return await self.wide()
