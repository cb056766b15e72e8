"""What an admin's node does by itself: it lets devices in, takes out who wants to go, changes keys.

What can wait is left to the most senior admin's device that is connected, for a while
(docs/spec/album.md, "Epochs").
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ..crypto.errors import KinlightError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol.album_admin import Written
from ..protocol.album_log import Member
from ..protocol.errors import RevocationsFullError
from ..protocol.opening import Entropy, LocalDevice
from .album_shelf import SharedAlbum, Shelf
from .papers import Papers

LOOK_SECONDS: Final = 60.0
"""How often all albums are looked at where there is no news: keys grow old."""
LEFT_SECONDS: Final = 120
"""For so long a senior admin who is connected may do it."""
_AT_ONCE: Final = 64
"""Steps in one album before other albums have their turn."""

_log = logging.getLogger(__name__)


class AlbumTending:
    """Looks after the albums in which this device has a seat."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        shelf: Shelf,
        papers: Papers,
        entropy: Entropy,
        now: Callable[[], int],
        connected: Callable[[], Mapping[bytes, DeviceChain]],
        revoked: Callable[[], None],
        go_on: Callable[[SharedAlbum], Awaitable[None]],
    ) -> None:
        """`connected` are the devices at the other ends of our links; `revoked` is called when
        something was put on our list of revocations, `go_on` after each album was looked at: it
        adds what waited for its key.
        """
        self._device = device
        self._shelf = shelf
        self._papers = papers
        self._entropy = entropy
        self._now = now
        self._connected = connected
        self._revoked = revoked
        self._go_on = go_on
        self._news = asyncio.Event()
        self._since: dict[bytes, int] = {}

    def look_again(self) -> None:
        """Something came to an album."""
        self._news.set()

    async def run(self) -> None:
        """Do what is to be done, now and from now on."""
        while True:
            self._news.clear()
            for shared in self._shelf.all():
                await self._tend(shared)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _tend(self, shared: SharedAlbum) -> None:
        try:
            for _ in range(_AT_ONCE):
                more = self._step(shared)
                await asyncio.sleep(0)  # a step in a large album takes a while
                if not more:
                    break
            await self._go_on(shared)
        except KinlightError as error:
            _log.info("an album is not looked after now: %s", error.code)
        except Exception:
            _log.exception("an album is not looked after")

    def _step(self, shared: SharedAlbum) -> bool:
        """Do one thing; whether there was one."""
        if shared.state != "joined" or not self._shelf.has_seat(shared):
            return False
        todo = self._todo(shared)
        if todo is None:
            self._since.pop(shared.album_id, None)
            return False
        now = self._now()
        since = self._since.setdefault(shared.album_id, now)
        if self._senior_is_here(shared) and 0 <= now - since < LEFT_SECONDS:
            return False
        todo()
        return True

    def _senior_is_here(self, shared: SharedAlbum) -> bool:
        connected, us = self._connected(), self._device.signing.public
        for seat in shared.album.authority.successors():
            if seat.device == us:
                return False
            if seat.device in connected:
                return True
        return False

    def _todo(self, shared: SharedAlbum) -> Callable[[], object] | None:
        view, us = shared.album.view, self._device.identity
        for identity in sorted(view.leaving - {us}):
            return lambda: self.remove(shared, identity)
        lost = [
            device
            for device, chain in view.devices.items()
            if device != self._device.signing.public and self.is_lost(chain.identity, device)
        ]
        admin, now = self._shelf.admin(shared), self._now()
        if lost:
            return lambda: self._write(shared, lambda: admin.drop(now, lost[0], self.key()))
        new = [
            chain
            for chain in self._connected().values()
            if chain.identity in view.members
            and not shared.ever_had(chain)
            and not self.is_lost(chain.identity, chain.device)
        ]
        if new:
            return lambda: self._write(shared, lambda: admin.let_in(now, new[0], self.key()))
        if admin.due(now) is not None:
            return lambda: self.settle(shared)
        return None

    def is_lost(self, identity: bytes, device: bytes) -> bool:
        """Whether an identity said that a device is no longer its own."""
        return self._papers.revocations.revokes_device(identity, device)

    def _write(self, shared: SharedAlbum, make: Callable[[], Written]) -> Written:
        return self._shelf.write(shared, make)

    # Also for what a person asks.

    def key(self) -> Secret:
        """A new key."""
        return Secret(self._entropy(32))

    def settle(self, shared: SharedAlbum) -> None:
        """Change the key if it has to be, or give it to devices that came."""
        admin, now = self._shelf.admin(shared), self._now()
        if admin.due(now) is None:
            return

        def make() -> Written:
            written = admin.settle(now, self.key())
            if written is None:
                raise AssertionError("it was due just now")
            return written

        self._write(shared, make)

    def remove(self, shared: SharedAlbum, identity: bytes) -> None:
        """Take an identity out, change the key, and take back the grants that we gave to it."""
        admin, now = self._shelf.admin(shared), self._now()
        self._write(shared, lambda: admin.remove(now, identity, self.key()))
        us = self._device.identity
        given = {
            op.capability.links[-1].signed.digest()
            for entry in shared.album.graph.entries
            for op in entry.ops
            if isinstance(op, Member) and op.identity == identity and entry.identity == us
        }
        if given:
            with contextlib.suppress(RevocationsFullError):  # the log says the same
                self._papers.revoke(given)
            self._revoked()
