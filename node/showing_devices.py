"""Our other devices, as contacts are told of them: so they are sent what is for us before they were
ever met. And those of contacts, as they tell us.
"""

from __future__ import annotations

from collections.abc import Callable

from ..crypto.errors import PeerError
from ..crypto.identity import DeviceChain
from ..protocol import limits
from ..protocol.device_messages import DeviceChains
from ..protocol.errors import WrongPeerError
from .library import Contact, Library
from .link import Link
from .papers import Papers
from .roster import Roster


class DeviceShower:
    """What all links share; `changed` is called when a contact has a device that is news."""

    def __init__(
        self,
        *,
        library: Library,
        roster: Roster,
        papers: Papers,
        lost: Callable[[DeviceChain], bool],
        changed: Callable[[], None],
    ) -> None:
        self._library = library
        self._roster = roster
        self._papers = papers
        self._lost = lost
        self._changed = changed

    def chains(self) -> DeviceChains:
        """Of our devices that count, as many as are shown."""
        live = [each.chain.encoded for each in self._roster.live()]
        return DeviceChains(tuple(live[: limits.SHOWN_DEVICES]))

    def take(self, contact: Contact, message: DeviceChains) -> None:
        """Keep those of a contact that are new, or have new papers.

        Raises `WrongPeerError` for a device of somebody else, and for what is no chain.
        """
        known = {each.device: each for each in self._library.devices(contact.identity)}
        news = False
        for encoded in message.chains:
            chain = DeviceChain.decode(encoded)
            if chain.identity != contact.identity:
                raise WrongPeerError
            before = known.get(chain.device)
            if self._lost(chain) or (before is not None and not self._replaces(chain, before)):
                continue
            self._papers.note(chain.certificates)
            self._library.tell_device(chain)
            news = True
        if news:
            self._changed()

    def _replaces(self, chain: DeviceChain, before: DeviceChain) -> bool:
        """What a device shows of itself counts more, while that counts at all."""
        return chain.encoded != before.encoded and self._lost(before)


class Shown:
    """What was told over one link."""

    def __init__(self, link: Link, shower: DeviceShower) -> None:
        self._link = link
        self._shower = shower
        self._told = DeviceChains(())

    def tell(self) -> None:
        """Tell the contact of our devices, if there are several and that is news."""
        now = self._shower.chains()
        if len(now.chains) < 2 or now == self._told or not self._link.session.takes(DeviceChains):
            return
        self._told = now
        try:
            self._link.post(now)
        except PeerError:  # the link is about to end
            return
