"""What goes between two devices of one person over one link.

    SiblingHave -> SiblingRecords… -> SiblingAll -> SiblingHave     both ways, and again at news
    photos that are to be here: `sibling_bringing`

Each keeps in mind what the other has, so that only what is new goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from ..crypto.errors import LocalError, PeerError, TruncatedError
from ..protocol.allowance import Allowance
from ..protocol.certificates import Certificates
from ..protocol.errors import RevokedDeviceError, TooMuchError, UnexpectedMessageError
from ..protocol.messages import Message
from ..protocol.sibling_messages import SiblingAll, SiblingHave, SiblingRecords, fitting
from ..protocol.siblings import SiblingRecord, Vector
from .library import Library
from .link import Link
from .siblings import Siblings

WORDS_AT_ONCE: Final = 256
WORDS_PER_SECOND: Final = 16.0
"""What a sibling may say of what it has: each is looked through."""
HAVE_SECONDS: Final = 1.0
"""After photos came, until it is told: others may wait for them."""

_log = logging.getLogger(__name__)


class SiblingSync:
    """The records' part of one link."""

    def __init__(
        self,
        link: Link,
        siblings: Siblings,
        library: Library,
        *,
        revoked: Callable[[bytes], bool],
        now: Callable[[], int],
        heard: Callable[[], None],
    ) -> None:
        """`heard` is called when the sibling says what it has, which may be more than before."""
        self._link = link
        self._siblings = siblings
        self._library = library
        self._revoked = revoked
        self._now = now
        self._heard = heard
        self._peer: dict[bytes, int] | None = None
        self._lacks = 0
        self._told: dict[bytes, int] = {}
        self._later: dict[bytes, int] = {}
        self._news = asyncio.Event()
        self._words = Allowance(WORDS_AT_ONCE, WORDS_PER_SECOND)
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Say what is here, and go on with what is new."""
        if self._link.session.takes(SiblingHave):
            self._task = asyncio.create_task(self._work())

    def tell(self) -> None:
        """There is something to say."""
        self._news.set()

    def arrived(self) -> None:
        """A photo came here, for which the sibling may wait."""
        if self._timer is None and not self._link.ended.is_set():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(HAVE_SECONDS, self._say_have)

    async def close(self) -> None:
        """The link has ended."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What is said.

    def _say_have(self) -> None:
        self._timer = None
        # The link is about to end, or the library can't be read: the next link begins with this.
        with contextlib.suppress(PeerError, LocalError):
            vector = self._siblings.book.ledger.vector
            lacks = self._library.sibling_offers_count("accepted")
            self._link.post(SiblingHave(lacks, tuple(sorted(vector.items()))))

    async def _work(self) -> None:
        with contextlib.suppress(TruncatedError):
            try:
                await self._siblings.say_all()
            except LocalError as error:  # a full disk: what was said before can be told
                _log.warning("what changed is not told for now: %s", error.code)
            self._say_have()
            while True:
                await self._news.wait()
                self._news.clear()
                try:
                    await self._send_missing()
                except LocalError as error:
                    _log.warning("a sibling is not told for now: %s", error.code)

    async def _send_missing(self) -> None:
        """Send what the sibling lacks, by what it said and what it was told since. What it put off
        is not said again on this link: it may be so for long.
        """
        if self._peer is None:
            return
        ledger, known = self._siblings.book.ledger, later_of(self._peer, self._told)
        vector = ledger.vector  # before it is gone through: what comes meanwhile is for next time
        if all(known.get(device, 0) >= moment for device, moment in vector.items()):
            return
        for page in ledger.missing(known):
            await self._send(page)
        await self._link.send(SiblingAll(tuple(sorted(vector.items()))))
        self._told = later_of(self._told, vector)

    async def _send(self, page: Sequence[SiblingRecord]) -> None:
        way = self._siblings.certificates(page[0].device)
        if not way:
            return  # never, as they were kept with its first record
        certificates = Certificates(way).encode()
        encoded = [record.encoded for record in page]
        while encoded:
            if self._revoked(self._link.peer.device):
                raise TruncatedError  # the link is being ended
            some = fitting(encoded)
            await self._link.send(SiblingRecords(certificates, some))
            encoded = encoded[len(some) :]

    # What is heard.

    async def handle(self, message: Message) -> None:
        """A message of the sibling. Raises what ends the link."""
        if self._task is None:
            raise UnexpectedMessageError
        if self._revoked(self._link.peer.device):
            raise RevokedDeviceError
        match message:
            case SiblingHave():
                self._take_have(message)
            case SiblingRecords():
                later = await self._siblings.take(message.certificates, message.records)
                for device, moment in later.items():
                    self._later[device] = min(moment, self._later.get(device, moment))
            case SiblingAll():
                self._take_all(message)
            case _:
                raise UnexpectedMessageError

    def _take_have(self, message: SiblingHave) -> None:
        if not self._words.take(asyncio.get_running_loop().time()):
            raise TooMuchError("what a sibling has")
        before, self._peer = self._peer or {}, dict(message.vector)
        if any(self._peer.get(device, 0) < moment for device, moment in before.items()):
            self._told = {}  # it forgot what did not count, and needs the rest again
        self._lacks = message.lacks
        self._note()
        self._heard()
        self._news.set()

    def _note(self) -> None:
        with contextlib.suppress(LocalError):  # it is only for people to see
            self._siblings.store.hear(
                self._link.peer.device, self._peer or {}, self._lacks, self._now()
            )

    def _take_all(self, message: SiblingAll) -> None:
        if not self._words.take(asyncio.get_running_loop().time()):
            raise TooMuchError("what a sibling has")
        vector = dict(message.vector)
        self._told = later_of(self._told, vector)  # it has that itself
        self._peer = later_of(self._peer or {}, vector)
        self._note()
        later, self._later = self._later, {}
        self._siblings.complete(vector, later)
        self._say_have()


def later_of(one: Vector, other: Vector) -> dict[bytes, int]:
    """Of each device the later moment of two."""
    return {device: max(one.get(device, 0), other.get(device, 0)) for device in {*one, *other}}
