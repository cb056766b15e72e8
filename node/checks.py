"""What was seen of the photos of the library when they were looked at for signs of editing.

Every photo that comes from others waits here and is looked at once it has arrived and nothing else
travels: one at a time, in a process that gives way to everything. It informs and holds up nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from weakref import WeakValueDictionary

import msgpack

from ..crypto.errors import KinlightError
from . import verdicts, views_checks
from .blobstore import BlobStore
from .catalogue import Catalogue
from .cataloguing import LOOKED_AT_BYTES, PATIENCE, PAUSE_SECONDS, Cataloguer
from .check_service import CheckService
from .check_wire import Seen
from .commits import Commits
from .database import Database
from .decoder import Decoder
from .events import Events
from .examining import Examined, examine, out_of_range
from .facts import Facts
from .library import Library, Photo
from .picture_errors import CheckUnavailableError
from .unsealing import unsealed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """What was seen of a photo, when, and how long that took."""

    verdict: str
    seen: Seen
    seconds: float
    checked: int


class Checks:
    """The rows: one for each photo that was looked at or is to be."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def wait(self, photo_id: bytes) -> None:
        """A photo is to be looked at."""
        self._db.execute("INSERT OR IGNORE INTO checks (photo_id, waits) VALUES (?, 1)", photo_id)

    def waiting(self) -> dict[bytes, deque[bytes]]:
        """Photos that are to be looked at, by author, the oldest first."""
        rows = self._db.rows(
            "SELECT author, photo_id FROM checks JOIN photos USING (photo_id) WHERE waits"
            " ORDER BY added, photo_id"
        )
        queues: dict[bytes, deque[bytes]] = {}
        for author, photo_id in rows:
            queues.setdefault(author, deque()).append(photo_id)
        return queues

    def put(self, photo_id: bytes, check: Check, *, waits: bool) -> None:
        """Note what was seen, in place of what was noted; nothing of a photo that is gone."""
        self._db.execute(
            "INSERT OR REPLACE INTO checks SELECT photo_id, ?, ?, ?, ?, ? FROM photos"
            " WHERE photo_id = ?",
            int(waits), check.verdict, msgpack.packb(check.seen.to_value()), check.seconds,
            check.checked, photo_id,
        )  # fmt: skip

    def get(self, photo_id: bytes) -> Check | None:
        """What was seen of a photo; None if nobody has looked yet."""
        row = self._db.row(
            "SELECT verdict, seen, seconds, checked FROM checks"
            " WHERE photo_id = ? AND seen IS NOT NULL",
            photo_id,
        )
        if row is None:
            return None
        seen = Seen.read(cast("dict[str, object]", msgpack.unpackb(row["seen"])))
        return Check(row["verdict"], seen, row["seconds"], row["checked"])

    def verdict(self, photo_id: bytes) -> str | None:
        """The verdict alone."""
        return self._db.value("SELECT verdict FROM checks WHERE photo_id = ?", photo_id)


class Verdicts:
    """What it comes to for people: what was seen of a photo, with who signed it and its C2PA."""

    def __init__(
        self, *, us: bytes, checks: Checks, library: Library, catalogue: Catalogue
    ) -> None:
        """`us` is the own identity."""
        self._us = us
        self._checks = checks
        self._library = library
        self._catalogue = catalogue

    def of(self, photo: Photo) -> views_checks.Verdict | None:
        """The verdict on a photo that is here; None if nobody has looked yet."""
        check = self._checks.get(photo.photo_id)
        if check is None:
            return None
        author = self._library.contact_of(photo.author)
        signature = verdicts.signed_by(
            author.name if author else None, own=photo.author == self._us
        )
        facts = self._catalogue.facts(photo.photo_id)
        return verdicts.join(
            check.seen, facts, signature, seconds=check.seconds, checked=check.checked
        )


class Turns:
    """Whose photo is next: whoever sends thousands does not hold up what others send."""

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._given = 0

    def take(self, queues: dict[bytes, deque[bytes]]) -> bytes:
        """A photo of the author whose last turn is the longest ago, taken out of `queues`."""
        author = min(queues, key=lambda each: self._last.get(each, 0))
        self._given += 1
        self._last[author] = self._given
        queue = queues[author]
        photo_id = queue.popleft()
        if not queue:
            del queues[author]
        return photo_id


class Checker:
    """Looks at photos and notes what was seen."""

    def __init__(
        self,
        *,
        checks: Checks,
        library: Library,
        cataloguer: Cataloguer,
        blobs: BlobStore,
        commits: Commits,
        decoder: Decoder,
        service: CheckService,
        events: Events,
        now: Callable[[], int],
        received: bool,
    ) -> None:
        """`received` says whether what comes from others is looked at by itself."""
        self._checks = checks
        self._library = library
        self._cataloguer = cataloguer
        self._blobs = blobs
        self._commits = commits
        self._decoder = decoder
        self._service = service
        self._events = events
        self._now = now
        self._received = received
        self._news = asyncio.Event()
        self._one = asyncio.Lock()
        self._left: set[bytes] = set()
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def arrived(self, photo_id: bytes) -> None:
        """A photo came from somebody; to be called within the transaction that enters it."""
        if self._received:
            self._checks.wait(photo_id)
            self._left.discard(photo_id)  # one that was removed may come again
            self._news.set()

    async def check(self, photo: Photo, *, again: bool = False) -> Check:
        """What is seen in a photo that is here: as it was noted, or by a look now.

        A photo that can't be looked at is one of which nothing can be told; raises only what
        `Cataloguer.look` raises.
        """
        async with self._turns.setdefault(photo.photo_id, asyncio.Lock()):
            known = self._checks.get(photo.photo_id)
            if known is not None and not again:
                return known
            facts = await self._cataloguer.look(photo)
            waits = False
            try:
                examined = await self._examine(photo, facts)
            except CheckUnavailableError as error:
                waits = self._received  # until something is there that can look
                examined = Examined(Seen("cannot-tell", str(error)), 0.0)
            verdict = verdicts.join(examined.seen, facts).verdict
            check = Check(verdict, examined.seen, examined.seconds, self._now())
            await self._commits.run(lambda: self._checks.put(photo.photo_id, check, waits=waits))
        self._events.publish(
            "checked", id=photo.photo_id.hex(), verdict=verdict, score=check.seen.score
        )
        return check

    async def _examine(self, photo: Photo, facts: Facts) -> Examined:
        reason = out_of_range(facts)
        if reason is None and photo.metadata.length > LOOKED_AT_BYTES:
            reason = "the file is too large to be looked at"
        if reason is not None:
            return Examined(Seen("cannot-tell", reason), 0.0)
        async with self._one:  # pixels of others would lie in memory while they wait
            return await examine(
                self._decoder, self._service, facts,
                lambda: unsealed(self._library, self._blobs, photo),
            )  # fmt: skip

    async def run(self) -> None:
        """Look at every photo that waits, now and from now on."""
        if not self._received:
            return
        turns = Turns()
        while True:
            self._news.clear()
            queues = self._checks.waiting()
            while queues and not self._news.is_set():
                photo_id = turns.take(queues)
                if photo_id not in self._left:
                    await self._lull()
                    await self._look_at(photo_id)
            await self._news.wait()

    async def _look_at(self, photo_id: bytes) -> None:
        photo = self._library.photo(photo_id)
        # Not again in this run: where nothing can look, all would be tried at each news.
        self._left.add(photo_id)
        try:
            if photo is not None:
                await self.check(photo, again=True)
        except KinlightError as error:
            # Its sealed file is damaged, say, or the disk is full. The next start tries again.
            _log.info("a photo was not checked: %s", error.code)
        except Exception:
            _log.exception("a photo was not checked")

    async def _lull(self) -> None:
        """Wait while photos go to and fro; in the end one is looked at all the same."""
        moved = self._events.counters.pieces
        for _ in range(PATIENCE):
            await asyncio.sleep(PAUSE_SECONDS)
            if moved == self._events.counters.pieces:
                return
            moved = self._events.counters.pieces
