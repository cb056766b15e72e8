"""One browser that sends photos over a data channel: what may come is written down part by part.

A page has no more under way than `limits.DROP_WINDOW_BYTES`, and hears how much of a photo is here,
so that a slow disk costs no memory. It lives on the loop of the channel; what is asked of the
library is asked on the daemon's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from ..crypto import drop_keys
from ..crypto.drop_keys import Frames
from ..crypto.errors import KinlightError, PeerError
from ..crypto.secret import Secret
from ..protocol import drop, limits
from ..protocol.drop import Offered, Part, Standing
from ..protocol.opening import Entropy
from ..protocol.weblink_errors import LinkBusyError, LinkElsewhereError, LinkOfferError
from .drop_parts import PartFile
from .weblink_serving import Channel

IDLE_SECONDS: Final = 1800.0
"""After which a page that sends nothing is let go: it may wait for a decision that long."""
ACK_BYTES: Final = limits.DROP_WINDOW_BYTES // 4
"""How often a page hears how much is here."""
STORING: Final = 3
"""Photos of one page that are sealed at a time, while others come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """How an offered photo stands; with `parts` where it may come."""

    standing: Standing
    item_id: bytes = b""
    parts: PartFile | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What one browser may do, each question judged when it is asked; see `Drops`."""

    drop_id: bytes
    name: str
    """What the owner calls themselves."""
    auth: Secret
    offer: bytes
    entropy: Entropy
    offered: Callable[[Offered], Awaitable[Judged]]
    store: Callable[[bytes], Awaitable[Judged]]
    """What becomes of an item whose parts are all here."""
    check: Callable[[int], Awaitable[None]]
    """Raises where nothing more may come, or not as many bytes."""


@dataclass(slots=True)
class Conversations:
    """Those of all browsers. Of one item only who asked last writes: a page that comes back is not
    held up by its own channel that broke off.
    """

    live: dict[bytes, set[Receiving]] = field(default_factory=dict[bytes, "set[Receiving]"])
    writers: dict[bytes, Receiving] = field(default_factory=dict[bytes, "Receiving"])
    stored: set[bytes] = field(default_factory=set[bytes])
    """Items that are being stored: nobody writes them meanwhile."""

    def tell(self, drop_id: bytes) -> None:
        """Something was decided: pages of that link hear of it. On the loop of the channels."""
        for receiving in self.live.get(drop_id, ()):
            receiving.look_again()


@dataclass(slots=True)
class _Coming:
    """A photo that may come."""

    offered: Offered
    item_id: bytes
    parts: PartFile
    told: int


class Receiving:
    """Takes what one page sends."""

    def __init__(self, channel: Channel, admitted: Admitted, others: Conversations) -> None:
        self._channel = channel
        self._admitted = admitted
        self._others = others
        self._challenge = admitted.entropy(drop_keys.CHALLENGE_BYTES)
        self._frames = Frames.of_node(
            admitted.auth, admitted.drop_id, admitted.offer, self._challenge
        )
        self._heard: deque[Offered | Part] = deque()
        self._owed = 0
        self._offers = 0
        self._news = asyncio.Event()
        self._fault: KinlightError | None = None
        self._decided = False
        self._waiting: dict[int, Offered] = {}
        self._coming: dict[int, _Coming] = {}
        self._storing: set[asyncio.Task[None]] = set()

    def hear(self, message: object) -> None:
        """A message of the page: more than was agreed ends the visit."""
        try:
            if not isinstance(message, bytes):
                raise LinkOfferError
            frame = drop.read(self._frames.open(message))
            if isinstance(frame, Part):
                self._owed += len(frame.data)
            else:
                self._offers += 1
            if self._owed > limits.DROP_WINDOW_BYTES or self._offers > limits.DROP_OFFERS:
                raise LinkBusyError
            self._heard.append(frame)
        except KinlightError as fault:
            self._fault = fault
        self._news.set()

    def look_again(self) -> None:
        """Something was decided about what was offered, or the link."""
        self._decided = True
        self._news.set()

    async def run(self) -> None:
        """Until something ends it, which the page is told."""
        here = self._others.live.setdefault(self._admitted.drop_id, set())
        here.add(self)
        try:
            self._channel.send(drop.challenge(self._challenge))
            self._say(drop.greeting(self._admitted.name))
            await self._take_all()
        except KinlightError as error:
            reason = error if isinstance(error, PeerError) else LinkBusyError()
            _log.debug("a visit ended: %s", error.code)
            self._say(drop.refused(reason))
            await self._channel.drained()
        except TimeoutError:
            _log.debug("a visit ended: the page sends nothing")
        finally:
            here.discard(self)
            for coming in self._coming.values():
                self._leave(coming)
            # A photo that is whole is stored, whether or not anybody waits to hear of it.
            if self._storing:
                await asyncio.wait(self._storing)

    async def _take_all(self) -> None:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._news.wait()
            self._news.clear()
            await self._judge_again()
            while self._heard:
                frame = self._heard.popleft()
                if isinstance(frame, Part):
                    self._owed -= len(frame.data)
                    await self._take(frame)
                else:
                    self._offers -= 1
                    await self._judge(frame)
                await self._judge_again()  # a page that sends without end must not put it off
                await self._channel.drained()  # nor have answers pile up that it does not read
            if self._fault is not None:
                raise self._fault

    async def _judge_again(self) -> None:
        """If something was decided, what was offered stands otherwise now."""
        if not self._decided:
            return
        self._decided = False
        await self._admitted.check(0)
        coming = [each.offered for each in self._coming.values()]
        for offered in (*self._waiting.values(), *coming):
            await self._judge(offered)

    async def _judge(self, offered: Offered) -> None:
        """Say how a photo stands; one that may come is awaited."""
        judged = await self._admitted.offered(offered)
        number = offered.number
        self._waiting.pop(number, None)
        if number in self._coming:
            self._leave(self._coming.pop(number))
        here = 0
        if judged.parts is not None and self._is_taken(judged.item_id):
            # The same photo under another number, or it is being stored: that is awaited.
            judged = Judged(Standing.WAITS)
        if judged.parts is not None:
            if len(self._coming) >= limits.DROP_ITEMS:
                raise LinkBusyError
            before = self._others.writers.get(judged.item_id)
            if before is not None and before is not self:
                before.lose(judged.item_id)
            here = judged.parts.begin()
            coming = _Coming(offered, judged.item_id, judged.parts, here)
            self._coming[number] = coming
            self._others.writers[judged.item_id] = self
            if judged.parts.whole:  # it came, and the daemon ended before it was stored
                await self._finish(coming)
                return
        elif judged.standing is Standing.WAITS:
            if len(self._waiting) >= limits.DROP_ITEMS:
                raise LinkBusyError
            self._waiting[number] = offered
        self._tell(number, judged, here)

    def _is_taken(self, item_id: bytes) -> bool:
        """Whether this page sends it already, or all of it is here and being stored."""
        return item_id in self._others.stored or any(
            coming.item_id == item_id for coming in self._coming.values()
        )

    async def _take(self, part: Part) -> None:
        coming = self._coming.get(part.number)
        if coming is None:
            return  # it was declined, or another page of this link sends it
        if not coming.parts.takes(part.offset, part.data):
            raise LinkOfferError
        coming.parts.add(part.data)
        if coming.parts.whole:
            await self._finish(coming)
        elif coming.parts.here - coming.told >= ACK_BYTES:
            # Judged anew: a link that is taken back now ends here, and so does a disk that fills.
            await self._admitted.check(coming.offered.length - coming.parts.here)
            coming.told = coming.parts.here
            self._say(drop.standing(part.number, Standing.WANTED, coming.told))

    async def _finish(self, coming: _Coming) -> None:
        """All of a photo is here: it is stored while others come."""
        coming.parts.close()
        del self._coming[coming.offered.number]
        self._others.stored.add(coming.item_id)
        try:
            while len(self._storing) >= STORING:
                await asyncio.wait(self._storing, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._others.stored.discard(coming.item_id)
            raise
        task = asyncio.create_task(self._store(coming))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _store(self, coming: _Coming) -> None:
        try:
            judged = await self._admitted.store(coming.item_id)
        except KinlightError as error:
            self._fault = error
            self._news.set()
            return
        finally:
            self._let_go(coming)
            self._others.stored.discard(coming.item_id)
            self._others.tell(self._admitted.drop_id)  # whoever waits for the same photo
        self._tell(coming.offered.number, judged, coming.offered.length)

    def lose(self, item_id: bytes) -> None:
        """Another page of the link sends it from now on, and this one is let go: two would take it
        from each other without end.
        """
        for number, coming in list(self._coming.items()):
            if coming.item_id == item_id:
                self._leave(self._coming.pop(number))
                self._fault = LinkElsewhereError()
                self._news.set()

    def _leave(self, coming: _Coming) -> None:
        coming.parts.close()
        self._let_go(coming)

    def _let_go(self, coming: _Coming) -> None:
        if self._others.writers.get(coming.item_id) is self:
            del self._others.writers[coming.item_id]

    def _tell(self, number: int, judged: Judged, here: int) -> None:
        self._say(drop.standing(number, judged.standing, here, judged.why))

    def _say(self, frame: bytes) -> None:
        try:
            self._channel.send(self._frames.seal(frame))
        except TimeoutError:  # it has gone; what came is kept
            self._news.set()
