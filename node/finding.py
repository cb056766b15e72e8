"""Asks the nodes that take part in look-ups where contacts are who are not connected.

It asks for transport keys by which a contact was reached, or said that it can be. What comes back
are addresses to try, no more: whoever answers there has to prove that key, and then the contact's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from .calling import Wanted
from .multiaddrs import Multiaddr
from .whereabouts import Whereabouts

FIRST_SECONDS: Final = 2.0
FIND_SECONDS: Final = 60.0
"""Between two rounds of questions. The first one is asked sooner: nothing is known yet."""
KEYS: Final = 4
"""Transport keys of one contact that are asked for, the latest ones."""

Find = Callable[[bytes], Awaitable[Sequence[Multiaddr]]]

_log = logging.getLogger(__name__)


class Finding:
    """`find` asks for one key; `heard` is called when there are new `whereabouts` of somebody."""

    def __init__(
        self,
        *,
        wanted: Callable[[], Sequence[Wanted]],
        whereabouts: Whereabouts,
        heard: Callable[[], None],
    ) -> None:
        self._wanted = wanted
        self._whereabouts = whereabouts
        self._heard = heard

    async def keep(self, find: Find) -> None:
        """Go on asking until cancelled."""
        pause = FIRST_SECONDS
        while True:
            for contact in self._wanted():
                if await self._look_for(contact, find):
                    self._heard()
            await asyncio.sleep(pause)
            pause = min(2 * pause, FIND_SECONDS)

    async def _look_for(self, contact: Wanted, find: Find) -> bool:
        known = self._whereabouts.everywhere().get(contact.key, [])
        keys = dict.fromkeys(each.peer for each in known if isinstance(each, Multiaddr))
        found: list[Multiaddr] = []
        for key in list(keys)[:KEYS]:
            try:
                found += await find(key)
            except (OSError, TimeoutError) as error:
                _log.debug("a look-up failed: %s", error)
        return bool(found) and self._whereabouts.told(contact.key, found)
