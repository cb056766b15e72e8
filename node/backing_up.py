"""Backing up: what is ours, left with holders who keep it without end.

    each photo, and the contacts -> sealed to the recovery key -> Deposit in our own mailbox -> Held
    removed, changed, or not to be backed up there any more      -> HeldDone -> HeldGone

The sealed blobs of photos go as they lie here. The entries say how to open them, to who has the 24
words (docs/spec/backup.md). A holder of a backup also brings pieces that are damaged here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding
from ..crypto.blob import Kind
from ..crypto.encoding import Value
from ..crypto.errors import LocalError
from ..protocol import backup, limits, messages
from ..protocol.backup import ContactsBackup, Entry, KeptContact, PhotoBackup
from ..protocol.certificates import Certificates
from ..protocol.delivery import HeldBlob, day_of, mailbox_tag
from ..protocol.errors import (
    BusyError,
    GoneError,
    HolderFullError,
    NotHoldingError,
    PeerFailedError,
    StorageFullError,
    from_wire,
)
from ..protocol.opening import LocalDevice
from .database import Database
from .library import Library, Photo, StoredBlob
from .link import Link
from .mailboxes import Mailboxes
from .noting import Noted, Noting, subject_of
from .own_devices import OwnDevices
from .tasks import together

LOOK_SECONDS: Final = 30.0
"""How often it is looked whether there is more to back up."""
_AT_ONCE: Final = limits.DEPOSITS // 4
"""Entries under way to one holder: what is for people who are away goes beside them."""
_PAGE: Final = 64
_FOREVER: Final = 2**32 - 1
_AGAIN: Final = (BusyError, HolderFullError, PeerFailedError, StorageFullError)
"""Refusals that are about the moment: the same bytes are left again, so that what came of them
counts."""
_ANEW: Final = (GoneError, NotHoldingError)
"""Those after which it is sealed anew."""

_FOUND: Final = "backup-found-"

_log = logging.getLogger(__name__)


class Backups:
    """What is backed up where. It shares the database with `library`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def missing(self, holder: bytes, most: int) -> list[bytes]:
        """Ids of photos that are here and not with a holder."""
        rows = self._db.rows(
            "SELECT photo_id FROM photos WHERE NOT EXISTS (SELECT 1 FROM backups"
            " WHERE holder = ? AND subject = photo_id AND envelope IS NULL)"
            " AND NOT EXISTS (SELECT 1 FROM away WHERE away.photo_id = photos.photo_id)"
            " ORDER BY added, photo_id LIMIT ?",
            holder,
            most,
        )
        return [row[0] for row in rows]

    def count(self, holder: bytes) -> int:
        """How many photos a holder has."""
        return self._db.value(
            "SELECT count(*) FROM backups JOIN photos ON photo_id = subject"
            " WHERE holder = ? AND envelope IS NULL",
            holder,
        )

    def envelope(self, holder: bytes, subject: bytes) -> bytes | None:
        """The entry that is on its way to a holder, if there is one."""
        return self._db.value(
            "SELECT envelope FROM backups WHERE holder = ? AND subject = ?", holder, subject
        )

    def has(self, holder: bytes, subject: bytes) -> bool:
        """Whether a holder has an entry about something."""
        return bool(
            self._db.value(
                "SELECT 1 FROM backups WHERE holder = ? AND subject = ? AND envelope IS NULL",
                holder,
                subject,
            )
        )

    def put(self, holder: bytes, subject: bytes, envelope: bytes) -> None:
        """An entry is to go to a holder."""
        self._db.write(
            "INSERT OR REPLACE INTO backups VALUES (?, ?, ?, ?)",
            holder, subject, hashlib.sha256(envelope).digest(), envelope,
        )  # fmt: skip

    def held(self, holder: bytes, envelope_hash: bytes) -> None:
        """A holder has it."""
        self._db.write(
            "UPDATE backups SET envelope = NULL WHERE holder = ? AND envelope_hash = ?",
            holder,
            envelope_hash,
        )

    def gone(self, holder: bytes, envelope_hash: bytes) -> bool:
        """A holder has it no longer; whether it was one of these. What rested on that is to come
        back from whoever else may have it.
        """
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO repairs SELECT content_id FROM away JOIN backups"
                " ON subject = photo_id AND backups.holder = ?1 WHERE envelope_hash = ?2",
                holder, envelope_hash,
            )  # fmt: skip
            found = self._db.execute(
                "DELETE FROM backups WHERE holder = ? AND envelope_hash = ?", holder, envelope_hash
            )
        return bool(found)

    def holders(self, photo_id: bytes) -> list[bytes]:
        """The identities of those who have a photo."""
        rows = self._db.rows(
            "SELECT holder FROM backups WHERE subject = ? AND envelope IS NULL", photo_id
        )
        return [row[0] for row in rows]

    def of_no_photo(self, holder: bytes) -> list[tuple[bytes, bytes]]:
        """(subject, hash of the envelope) of all that a holder may have but of photos that are
        here.
        """
        rows = self._db.rows(
            "SELECT subject, envelope_hash FROM backups WHERE holder = ? AND NOT EXISTS"
            " (SELECT 1 FROM photos WHERE photo_id = subject)",
            holder,
        )
        return [(row[0], row[1]) for row in rows]

    def found(self, holder: bytes, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """(subject, hash of the envelope) of what a holder has from a device of ours that is no
        more. It counts as soon as a person lets that holder keep a backup again, see `take_up`.
        """
        value: Value = [list(each) for each in entries]
        self._db.write(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            _FOUND + holder.hex(), encoding.encode(value),
        )  # fmt: skip

    def take_up(self, holder: bytes) -> None:
        """Go on with what was found there, once: it need not be left anew."""
        name = _FOUND + holder.hex()
        kept = self._db.value("SELECT value FROM settings WHERE name = ?", name)
        if not kept:
            return
        with self._db.transaction():
            for entry in encoding.decode(kept, len(kept)):
                match entry:
                    case [bytes() as subject, bytes() as envelope_hash]:
                        self._db.execute(
                            "INSERT OR IGNORE INTO backups VALUES (?, ?, ?, NULL)",
                            holder, subject, envelope_hash,
                        )  # fmt: skip
                    case _:
                        pass
            self._db.execute("DELETE FROM settings WHERE name = ?", name)

    def over(self, holder: bytes, envelope_hashes: Iterable[bytes]) -> None:
        """Entries are not wanted there any more: they count for nothing, and are remembered by
        their hashes alone until the holder says that it has them no longer.
        """
        with self._db.transaction():
            for envelope_hash in envelope_hashes:
                self._db.execute(
                    "UPDATE backups SET subject = ?2, envelope = NULL"
                    " WHERE holder = ?1 AND envelope_hash = ?2",
                    holder, envelope_hash,
                )  # fmt: skip

    def over_all(self, holder: bytes) -> bool:
        """Nothing counts that a holder has, as in `over`, but for photos that are not here: what it
        has of them may be all that there is. Whether there was anything.
        """
        return bool(
            self._db.write(
                "UPDATE backups SET subject = envelope_hash, envelope = NULL WHERE holder = ?"
                " AND subject NOT IN (SELECT photo_id FROM away)",
                holder,
            )
        )


class BackingUp:
    """What all links have in common: what is to be backed up, and how it is sealed."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        own_devices: OwnDevices,
        library: Library,
        backups: Backups,
        noting: Noting,
        mailboxes: Mailboxes,
        completed: Callable[[bytes], None],
        now: Callable[[], int],
        pause: Callable[[], float],
    ) -> None:
        """`completed` hears of a holder that has all of it, whenever that comes true."""
        self._device = device
        self._own_devices = own_devices
        self.library: Final = library
        self.backups: Final = backups
        self._noting = noting
        self.mailboxes: Final = mailboxes
        self.now: Final = now
        self._pause = pause
        self._completed = completed
        self._whole: set[bytes] = set()
        self._quiet_until: dict[bytes, float] = {}
        self._backers: set[Backer] = set()

    def join(self, backer: Backer) -> None:
        """A link is up."""
        self._backers.add(backer)

    def leave(self, backer: Backer) -> None:
        """It has ended."""
        self._backers.discard(backer)

    def tell(self) -> None:
        """Where to back up has changed."""
        for backer in self._backers:
            backer.tell()

    def leave_alone(self, holder: bytes) -> None:
        """A holder did not take something, or dropped it: it gets nothing for some minutes, also if
        it comes again meanwhile.
        """
        self._quiet_until[holder] = asyncio.get_running_loop().time() + self._pause()

    def is_quiet(self, holder: bytes) -> bool:
        """Whether a holder is left alone now."""
        return asyncio.get_running_loop().time() < self._quiet_until.get(holder, 0.0)

    def began_again(self, holder: bytes) -> None:
        """A holder takes backups that did not for a while: what it had may be over by now, so it
        gets all of it again. What is still there need not travel.
        """
        if self.backups.over_all(holder):
            self.leave_alone(holder)

    def look_whether_whole(self, holder: bytes, *, under_way: bool) -> None:
        """A holder may have all of it now, or lack something that is new."""
        whole = not (under_way or self.backups.missing(holder, 1)) and all(
            self.backups.has(holder, digest) for digest, _ in self.noted()
        )
        if not whole:
            self._whole.discard(holder)
        elif holder not in self._whole:
            self._whole.add(holder)
            self._completed(holder)

    def seal(self, entry: Entry) -> bytes:
        """An entry, for the recovery key."""
        return backup.seal(self._device, entry, self.now())

    def tag(self) -> bytes | None:
        """Under what we leave something in our own mailbox now."""
        secret = self.mailboxes.secret()
        identity, today = self._device.identity, day_of(self.now())
        return None if secret is None else mailbox_tag(secret, identity, today)

    def photo(self, photo: Photo) -> tuple[PhotoBackup, tuple[HeldBlob, ...]] | None:
        """The entry about a photo, and its blobs; None if one of them is missing."""
        stored = [self.library.blob(photo.record.blob_id(kind)) for kind in _KINDS]
        blobs = [each for each in stored if each is not None]
        if len(blobs) != len(stored):
            return None
        keys = {kind: each.key for kind, each in zip(_KINDS, blobs, strict=True)}
        signed_by = self._own_devices.leading_to(photo.record.device)
        capability, certificates = b"", Certificates(signed_by)
        if photo.author != self._device.identity:
            offers = self.library.offers_of(photo.photo_id)
            came = next((offer for offer in offers if offer.state == "stored"), None)
            if came is None or not came.certificates:
                return None  # of before version 0.2.0: nobody could check any more whose it is
            capability = came.capability
            certificates = Certificates.decode(came.certificates)
        if certificates.devices.get(photo.record.device) != photo.author:
            return None
        entry = PhotoBackup(photo.record, keys, capability, certificates)
        return entry, tuple(_held(each) for each in blobs)

    def noted(self) -> Iterator[tuple[bytes, Noted]]:
        """(digest, entry) for all contacts, in parts, and for what else is backed up. Who is
        blocked is not among them: restored without that word, it would be a contact like any other.
        """
        contacts = [
            KeptContact(contact.identity, contact.name, contact.pair_secret, contact.verified)
            for contact in self.library.contacts()
            if not contact.blocked
        ]
        for entry in ContactsBackup.all_of(contacts):
            yield subject_of(entry), entry
        yield from self._noting.entries()


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """What a holder has not answered yet: what it is about, and which blobs belong to it."""

    subject: bytes
    blobs: frozenset[bytes]


class Backer:
    """Backs up with the contact at the other end of one link, if a person here lets it.

    What the holder says counts for no more than that it says so: it can claim to have what it has
    not, drop it, or refuse it. None of this costs more than another try after some minutes.
    """

    def __init__(self, link: Link, backing_up: BackingUp) -> None:
        self._link = link
        self._holder: Final = link.peer.identity
        self._all = backing_up
        self._news = asyncio.Event()
        self._news_of_over = asyncio.Event()
        self._room = asyncio.Event()
        self._under_way: dict[bytes, _UnderWay] = {}
        self._told_over: set[bytes] = set()
        self._not_possible: set[bytes] = set()

    @property
    def _is_on(self) -> bool:
        holder = self._all.mailboxes.holder(self._holder)
        return holder is not None and holder.takes_backups and holder.backed_up

    @property
    def _is_wanted(self) -> bool:
        """Whether a person here wants a backup there, also while the holder takes nothing."""
        holder = self._all.mailboxes.holder(self._holder)
        return holder is not None and holder.chosen and holder.backed_up

    @property
    def _goes_on(self) -> bool:
        """Whether something may be left there now."""
        return self._is_on and not self._all.is_quiet(self._holder)

    def tell(self) -> None:
        """There may be something to do."""
        self._news.set()
        self._news_of_over.set()
        self._room.set()

    async def run(self) -> None:
        """Back up what there is, and say what is over, for as long as the link is up.

        Neither waits for the other: a holder may take hours for what it fetches, or not answer.
        """
        self._all.join(self)
        try:
            await together(
                self._keep(self._news, self._leave_all),
                self._keep(self._news_of_over, self._tell_over),
            )
        finally:
            self._all.leave(self)

    async def _keep(self, news: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        """Do it whenever there are news, and now and then."""
        while True:
            news.clear()
            try:
                await work()
            except LocalError as error:  # a full disk, say
                _log.warning("the backup does not go on for now: %s", error.code)
                self._all.leave_alone(self._holder)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if self._is_on else None):
                    await news.wait()

    async def _tell_over(self) -> None:
        """Say which entries need not be kept: of photos that were removed, of contacts as they were
        before, or all if nothing is to be backed up there any more.
        """
        over = [each for each in self._over() if each not in self._told_over]
        for start in range(0, len(over), _PAGE):
            page = over[start : start + _PAGE]
            self._all.backups.over(self._holder, page)
            for envelope_hash in page:
                self._told_over.add(envelope_hash)
                if self._under_way.pop(envelope_hash, None) is not None:
                    self._room.set()
                await self._link.send(messages.HeldDone(envelope_hash, b""))

    def _over(self) -> list[bytes]:
        """Hashes of the entries that need not be kept there any more."""
        backups, holder = self._all.backups, self._holder
        if not self._is_wanted:
            backups.over_all(holder)
            return [envelope_hash for _, envelope_hash in backups.of_no_photo(holder)]
        noted = {digest for digest, _ in self._all.noted()}
        has_noted = all(backups.has(holder, digest) for digest in noted)
        has_all = has_noted and not self._missing(1)
        found: list[bytes] = []
        for subject, envelope_hash in backups.of_no_photo(holder):
            # What is newer has to be there first. Of what is left anew the blobs are there, too.
            if subject == envelope_hash:
                is_over = has_all
            elif len(subject) == _DIGEST:
                is_over = has_noted and subject not in noted
            else:
                is_over = True
            if is_over:
                found.append(envelope_hash)
        return found

    def _missing(self, most: int) -> list[bytes]:
        """Ids of photos that can be left there and are not there yet; at least one, if any is."""
        left_out = self._not_possible
        found = self._all.backups.missing(self._holder, most + len(left_out))
        return [photo_id for photo_id in found if photo_id not in left_out]

    async def _leave_all(self) -> None:
        if not self._goes_on:
            return
        self._all.backups.take_up(self._holder)
        for digest, entry in self._all.noted():
            if not self._all.backups.has(self._holder, digest):
                await self._leave(digest, entry, ())
        while self._goes_on:
            under_way = {each.subject for each in self._under_way.values()}
            missing = [
                photo_id
                for photo_id in self._missing(_PAGE + len(under_way))
                if photo_id not in under_way
            ]
            if not missing:
                break
            for photo_id in missing:
                if not await self._leave_photo(photo_id):
                    return
        if self._goes_on:
            self._all.look_whether_whole(self._holder, under_way=bool(self._under_way))

    async def _leave_photo(self, photo_id: bytes) -> bool:
        """Leave a photo there, if that is possible; False if nothing goes there now."""
        photo, holder = self._all.library.photo(photo_id), self._all.mailboxes.holder(self._holder)
        found = None if photo is None else self._all.photo(photo)
        if found is None or holder is None:
            self._not_possible.add(photo_id)
            return True
        entry, blobs = found
        if sum(each.length for each in blobs) + limits.ENVELOPE_BYTES > holder.quota:
            self._not_possible.add(photo_id)  # larger than all that is kept there
            return True
        return await self._leave(photo_id, entry, blobs)

    async def _leave(self, subject: bytes, entry: Entry, blobs: tuple[HeldBlob, ...]) -> bool:
        """Leave an entry there as soon as there is room; False if nothing goes there now."""
        while len(self._under_way) >= _AT_ONCE and self._goes_on:
            self._room.clear()
            await self._room.wait()
        envelope = self._all.backups.envelope(self._holder, subject)
        if envelope is None:
            envelope = await asyncio.to_thread(self._all.seal, entry)
            if not self._goes_on:
                return False
            self._all.backups.put(self._holder, subject, envelope)
        tag = self._all.tag()
        if tag is None or not self._goes_on:
            return False
        envelope_hash = hashlib.sha256(envelope).digest()
        if envelope_hash not in self._under_way:
            ids = frozenset(each.content_id for each in blobs)
            self._under_way[envelope_hash] = _UnderWay(subject, ids)
            await self._link.send(messages.Deposit(tag, envelope, _FOREVER, blobs))
        return True

    # What the other side says.

    def to_pull(self, message: messages.FetchHeld) -> StoredBlob | None:
        """A blob that the holder may fetch, as it belongs to what is under way to it."""
        if not any(message.content_id in each.blobs for each in self._under_way.values()):
            return None
        return self._all.library.blob(message.content_id)

    def held(self, envelope_hash: bytes) -> bool:
        """It has an entry and all its blobs; whether that is one of ours."""
        if self._answered(envelope_hash) is None:
            return envelope_hash in self._told_over  # it was on its way when that was said
        self._all.backups.held(self._holder, envelope_hash)
        if not self._under_way:
            self.tell()  # an older entry may be over now
        return True

    def refused(self, envelope_hash: bytes, code: int) -> bool:
        """It does not take an entry, now or ever; whether that is one of ours."""
        refused = self._answered(envelope_hash)
        if refused is None:
            return envelope_hash in self._told_over
        error = from_wire(code)
        _log.info("a holder did not take a part of the backup: %s", error.code)
        self._all.leave_alone(self._holder)
        if not isinstance(error, _AGAIN):
            self._all.backups.gone(self._holder, envelope_hash)
            if not isinstance(error, _ANEW):
                self._not_possible.add(refused.subject)  # on this link
        return True

    def _answered(self, envelope_hash: bytes) -> _UnderWay | None:
        """What was under way and is not any more."""
        answered = self._under_way.pop(envelope_hash, None)
        if answered is not None:
            self._room.set()
        return answered

    def gone(self, envelope_hash: bytes) -> None:
        """It does not have an entry any more."""
        told = envelope_hash in self._told_over
        self._told_over.discard(envelope_hash)
        if self._all.backups.gone(self._holder, envelope_hash) and not told:
            # It dropped what it was to keep: it gets that again, but not as often as it likes.
            self._all.leave_alone(self._holder)


_KINDS: Final = (Kind.ORIGINAL, Kind.METADATA)
_DIGEST: Final = 32
"""Bytes of the subject of an entry about no photo, and of one that is over; a photo's id is
shorter."""


def _held(stored: StoredBlob) -> HeldBlob:
    length = stored.decoded_manifest().length
    return HeldBlob.under(stored.content_id, length, stored.key)
