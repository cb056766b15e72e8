"""Shares under way, as whoever shares watches them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final

from ..protocol.errors import sentence
from .library import Delivery
from .open_grants import OPEN
from .outbox import FINAL_STATES
from .photo_errors import NoSuchPhotoError
from .views import Event
from .views_sharing import ShareItem, ShareProgress

EVENTS: Final = frozenset({"delivery", "sending"})
PATIENCE_SECONDS: Final = 10.0
"""How long to wait for a contact that is not connected."""
QUIET_SECONDS: Final = 1.0
_SETTLED: Final = (*FINAL_STATES, "waiting", "held", "failed", OPEN)

RANK: Final = {"refused": 0, "queued": 1, "offered": 2, "held": 3, "waiting": 4, "delivered": 5}

Step = ShareItem | ShareProgress


class Following:
    """Follows items until each is delivered, refused, waiting for a person, or has nobody to go to.

    News only say where to look: the state itself is always read from the library, so news that
    were lost because nobody listened for a while delay a report and change nothing.
    """

    def __init__(
        self,
        news: asyncio.Queue[Event],
        states: Callable[[bytes], list[tuple[str, Delivery]]],
    ) -> None:
        self._news = news
        self._states = states
        self._items: dict[tuple[str, str], ShareItem] = {}

    def add(self, item: ShareItem) -> None:
        """Follow an item that was queued."""
        if item.photo_id is not None and item.state not in _SETTLED:
            self._items[item.photo_id, item.to] = item

    def drain(self, *first: Event) -> Iterator[Step]:
        """What has happened up to now; `first` was taken from the news already."""
        touched: dict[str, None] = {}
        progress: dict[tuple[str, str], ShareProgress] = {}
        events = list(first)
        while not self._news.empty():
            events.append(self._news.get_nowait())
        for event in events:
            photo, to = str(event.data.get("photo")), str(event.data.get("to"))
            if event.name == "delivery":
                touched[photo] = None
            elif (item := self._items.get((photo, to))) is not None:
                done, total = event.data["pieces"], event.data["of"]
                if isinstance(done, int) and isinstance(total, int):
                    progress[photo, to] = ShareProgress(item.file, to, done, total)
        yield from progress.values()
        for photo in touched:
            yield from self._look(photo)

    def _look(self, photo: str) -> Iterator[ShareItem]:
        """The items of one photo whose state is another than was last reported."""
        # A contact may have several devices; the best news is what counts.
        best: dict[str, Delivery] = {}
        states = self._states(bytes.fromhex(photo))
        if not states:
            yield from self._removed(photo)
        for to, delivery in states:
            item = self._items.get((photo, to))
            of_it = item is not None and delivery.grant_hash == bytes.fromhex(item.grant or "")
            if of_it and (to not in best or RANK[delivery.state] >= RANK[best[to].state]):
                best[to] = delivery
        for to, delivery in best.items():
            item = self._items.get((photo, to))
            if item is None or (item.state, item.code) == (delivery.state, delivery.code):
                continue
            message = None if delivery.code is None else sentence(delivery.code)
            item = dataclasses.replace(
                item, state=delivery.state, code=delivery.code, message=message
            )
            # A code without a final state is trouble that passes in its own time, such as a full
            # disk there: the node tries again by itself, and who shares is told and let go.
            if item.state in _SETTLED or item.code is not None:
                del self._items[photo, to]
            else:
                self._items[photo, to] = item
            yield item

    def _removed(self, photo: str) -> Iterator[ShareItem]:
        """The items of a photo that was taken out of the library meanwhile."""
        for key in [key for key in self._items if key[0] == photo]:
            yield dataclasses.replace(
                self._items.pop(key), state="failed", code=NoSuchPhotoError.code,
                message="It was removed from the library before it was delivered.",
            )  # fmt: skip

    async def until_settled(self, connected: Callable[[], set[str]]) -> AsyncGenerator[Step]:
        """Report until nothing is left to follow; `connected` names the contacts that are."""
        clock = asyncio.get_running_loop().time
        patience = clock() + PATIENCE_SECONDS
        for step in self.drain():
            yield step
        for photo in {photo for photo, _ in self._items}:
            for step in self._look(photo):
                yield step
        while self._items:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    event = await self._news.get()
                steps = self.drain(event)
            except TimeoutError:
                photos = {photo for photo, _ in self._items}
                steps = (step for photo in photos for step in self._look(photo))
            for step in steps:
                yield step
            if clock() > patience:
                patience = clock() + QUIET_SECONDS  # there may be ten thousand, and news of each
                here = connected()
                self._items = {key: item for key, item in self._items.items() if key[1] in here}
