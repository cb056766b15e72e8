"""What the devices of our identity have in common, kept equal to the library.

    the library changes -> noted by triggers -> said, signed -> told on every link
    records of a sibling -> verified -> kept -> the library becomes so, in one transaction

`Siblings` is what all links share, `sibling_sync` the part on one link, and the tellers know the
kinds of things (docs/spec/siblings.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ..crypto.errors import KinlightError, LocalError, PeerError
from ..crypto.identity import DeviceCertificate
from ..protocol.certificates import Certificates
from ..protocol.errors import BadPolicyError
from ..protocol.opening import LocalDevice
from ..protocol.sibling_kinds import CONTACT, OF_PHOTOS, PHOTO, KeptPhoto
from ..protocol.sibling_ledger import CUT, Taken
from ..protocol.siblings import SiblingRecord, Vector
from .contact_errors import ContactExistsError
from .database import Database
from .errors import BadRequestError
from .library import Library
from .own_devices import OwnDevices
from .sibling_book import SiblingBook
from .sibling_store import SiblingStore, Thing
from .sibling_tellers import UNSAID, Teller

AT_ONCE: Final = 128
"""Records, or changes, in one transaction: the loop waits for them."""
SAID_SECONDS: Final = 0.05
"""From a change to its being said: what a command changes at once goes together."""

_CAN_NOT_BE: Final = (PeerError, BadPolicyError, BadRequestError, ContactExistsError)
"""What is wrong with a record. A full disk is not: it ends the transaction, and it comes again."""

_log = logging.getLogger(__name__)


class Siblings:
    """Says what changes here, and does what other devices of ours say."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        book: SiblingBook,
        own_devices: OwnDevices,
        others: Callable[[], bool],
        applied: Callable[[set[str]], None],
        said: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """`others` says whether there is another device at all. `applied` hears of which kinds the
        library became otherwise, `said` that there is something to tell; both once it is durable.
        """
        self._device = device
        self._db = database
        self._library = library
        self.book: Final = book
        self.store: Final[SiblingStore] = book.store
        self._own_devices = own_devices
        self._others = others
        self._applied = applied
        self._said = said
        self._now = now
        self._tellers: dict[str, Teller] = {}
        self._news = asyncio.Event()
        database.listen(self._news.set)

    def know(self, *tellers: Teller) -> None:
        """These tellers know of their kinds."""
        for teller in tellers:
            self._tellers |= dict.fromkeys(teller.kinds, teller)

    # What changes here.

    async def run(self) -> None:
        """Say what changes, for as long as the node is unlocked."""
        while True:
            await self._news.wait()
            await asyncio.sleep(SAID_SECONDS)
            self._news.clear()
            try:
                await self.say_all()
            except LocalError as error:  # a full disk: at the next change it is tried again
                _log.warning("what changed is not told for now: %s", error.code)
            except Exception:  # of this change: later ones are looked at
                _log.exception("what changed is not told for now")

    async def say_all(self) -> None:
        """Say all that changed. With no other device there is nobody to say it to, yet."""
        while self._others() and (changes := self.store.changes(AT_ONCE)):
            with self._db.transaction():
                said = self._say(changes)
            if said:
                self._said()
            await asyncio.sleep(0)

    def _say(self, changes: Iterable[Thing]) -> bool:
        """Look at things that may be otherwise than was said; whether anything was to be said."""
        found = False
        changed = list(changes)
        for kind, subject in changed:
            teller = self._tellers.get(kind)
            try:
                if teller is not None:
                    found = self._say_one(teller, kind, teller.thing(kind, subject)) or found
            except PeerError as error:
                _log.warning("what changed can't be told: %s", error.code)
            if kind == PHOTO and self._library.photo(subject) is not None:
                self._settle_photo(subject)
        self.store.looked_at(changed)
        return found

    def _say_one(self, teller: Teller, kind: str, subject: bytes) -> bool:
        said = teller.said(kind, subject)
        if said is UNSAID or teller.is_same(kind, subject, said, self.book.value(kind, subject)):
            return False
        if said is None and not self.store.about(kind, subject):
            return False  # nobody was ever told of it
        self.book.say(kind, subject, said)
        return True

    def _settle_photo(self, photo_id: bytes) -> None:
        """A photo came: what was said of it before counts from now on."""
        for kind in OF_PHOTOS:
            for subject in self.book.subjects(kind, photo_id):
                self._do(kind, subject)

    # What others say.

    def read(self, certificates: bytes, records: Sequence[bytes]) -> list[SiblingRecord]:
        """Records of one device as they came, verified; in any thread. Raises `PeerError`."""
        papers = Certificates.decode(certificates)
        found = [SiblingRecord.decode(each) for each in records]
        for record in found:
            record.verify(self._device.identity, papers)
            if record.kind == PHOTO:
                self._read_photo(record)
        return found

    def _read_photo(self, record: SiblingRecord) -> None:
        """Verify its papers here, where nobody waits: signatures that were good are remembered."""
        with contextlib.suppress(KinlightError):  # found again when it is done
            KeptPhoto.read(record.value, self._device.identity)

    async def take(self, certificates: bytes, records: Sequence[bytes]) -> dict[bytes, int]:
        """Do what records of one device say. Returns the first moment of those that are put off.

        Raises the `PeerError` of what is no record of ours, a `LocalError` if it can't be kept.
        """
        read = await asyncio.to_thread(self.read, certificates, records)
        later: dict[bytes, int] = {}
        await self.say_all()
        for start in range(0, len(read), AT_ONCE):
            some = read[start : start + AT_ONCE]
            with self._db.transaction():
                if start == 0 and some:
                    self._own_devices.keep(some[0].device, Certificates.decode(certificates))
                kinds = self._take(some, later)
            if kinds:
                self._applied(kinds)
            await asyncio.sleep(0)
        return later

    def _take(self, records: Iterable[SiblingRecord], later: dict[bytes, int]) -> set[str]:
        # What changed here is said first, or it would be lost: what is said next may be older.
        while changes := self.store.changes(AT_ONCE):
            self._say(changes)
        new: list[Thing] = []
        for record in records:
            match self.book.ledger.take(record, self._now()):
                case Taken.NEW:
                    new.append((record.kind, record.subject))
                case Taken.LATER:
                    first = later.get(record.device, record.moment)
                    later[record.device] = min(first, record.moment)
                case _:
                    pass
        for kind, subject in new:
            if kind == CUT:
                self.store.doubt(self.book.ledger.cut_off())
            else:
                self._do(kind, subject)
        return {kind for kind, _ in new}

    def _do(self, kind: str, subject: bytes) -> None:
        teller = self._tellers.get(kind)
        if teller is None:
            return  # of a later version: kept, and passed on
        try:
            with self._db.transaction():
                teller.apply(kind, subject, self.book.value(kind, subject))
        except _CAN_NOT_BE as error:
            _log.warning("what another device says of a %s can't be done: %s", kind, error.code)

    def complete(self, vector: Vector, later: dict[bytes, int]) -> None:
        """A sibling has told all that it has."""
        with self._db.transaction():
            self.book.ledger.complete(vector, later)
            doubts = self.store.take_doubts()
            for kind, subject in doubts:
                self._resolve(kind, subject)
        if doubts:
            self._applied({kind for kind, _ in doubts})
        self._said()

    def _resolve(self, kind: str, subject: bytes) -> None:
        """What a stolen device said did not count. Nothing that a person has is lost by that: a
        photo that is here is told of by us, and a contact that only the thief named is blocked.
        """
        if self.store.about(kind, subject):
            self._do(kind, subject)
        elif kind == CONTACT and self._library.contact_of(subject) is not None:
            self._library.update_contact(subject, blocked=True)
        elif kind == PHOTO or kind.startswith(CONTACT):
            self.store.look_at((kind, subject))
        else:
            self._do(kind, subject)

    def revoked(self, devices: Iterable[bytes] = ()) -> None:
        """Devices were taken back: these by a person here, others perhaps by what was heard."""
        with self._db.transaction():
            for device in devices:
                self.book.cut(device)
            self.store.doubt(self.book.ledger.cut_off())
        self._said()

    # For links.

    def certificates(self, device: bytes) -> tuple[DeviceCertificate, ...]:
        """From the root to a device of ours; none if they are not known."""
        return self._own_devices.leading_to(device)
