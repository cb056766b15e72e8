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
from collections.abc import Callable, Iterator
from typing import Final

from ..crypto import encoding
from ..crypto.blob import Kind
from ..protocol import backup, limits, messages
from ..protocol.backup import ContactsBackup, Entry, KeptContact, PhotoBackup
from ..protocol.certificates import Certificates
from ..protocol.delivery import HeldBlob, day_of, mailbox_tag
from ..protocol.errors import NotHoldingError, from_wire
from ..protocol.opening import LocalDevice
from .database import Database
from .library import Library, Photo, StoredBlob
from .link import Link
from .mailboxes import Mailboxes

LOOK_SECONDS: Final = 30.0
"""How often it is looked whether there is more to back up."""
RETRY_SECONDS: Final = 600.0
"""For how long a holder that did not take something is left alone."""
_AT_ONCE: Final = limits.DEPOSITS // 4
"""Entries under way to one holder: what is for people who are away goes beside them."""
_PAGE: Final = 64
_FOREVER: Final = 2**32 - 1

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
        """A holder has it no longer; whether it was one of these."""
        return bool(
            self._db.write(
                "DELETE FROM backups WHERE holder = ? AND envelope_hash = ?", holder, envelope_hash
            )
        )

    def holders(self, photo_id: bytes) -> list[bytes]:
        """The identities of those who have a photo."""
        rows = self._db.rows(
            "SELECT holder FROM backups WHERE subject = ? AND envelope IS NULL", photo_id
        )
        return [row[0] for row in rows]

    def all_of(self, holder: bytes) -> list[tuple[bytes, bytes, bool]]:
        """(subject, hash of the envelope, whether it is a photo that is here) of all that a holder
        may have.
        """
        rows = self._db.rows(
            "SELECT subject, envelope_hash, photo_id FROM backups"
            " LEFT JOIN photos ON photo_id = subject WHERE holder = ?",
            holder,
        )
        return [(row[0], row[1], row[2] is not None) for row in rows]


class BackingUp:
    """What all links have in common: what is to be backed up, and how it is sealed."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        backups: Backups,
        mailboxes: Mailboxes,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self.library: Final = library
        self.backups: Final = backups
        self.mailboxes: Final = mailboxes
        self.now: Final = now
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
        capability, certificates = b"", Certificates(self._device.chain.certificates)
        if photo.author != self._device.identity:
            offers = self.library.offers_of(photo.photo_id)
            came = next((offer for offer in offers if offer.state == "stored"), None)
            if came is None or not came.certificates:
                return None  # of before version 0.2.0: nobody could check any more whose it is
            capability = came.capability
            certificates = Certificates.decode(came.certificates)
        entry = PhotoBackup(photo.record, keys, capability, certificates)
        return entry, tuple(_held(each) for each in blobs)

    def contacts(self) -> Iterator[tuple[bytes, ContactsBackup]]:
        """(digest, entry) for all contacts, in parts."""
        contacts = [
            KeptContact(contact.identity, contact.name, contact.pair_secret, contact.verified)
            for contact in self.library.contacts()
        ]
        for entry in ContactsBackup.all_of(contacts):
            yield hashlib.sha256(encoding.encode(entry.to_value())).digest(), entry


class Backer:
    """Backs up with the contact at the other end of one link, if a person here lets it."""

    def __init__(self, link: Link, backing_up: BackingUp) -> None:
        self._link = link
        self._holder: Final = link.peer.identity
        self._all = backing_up
        self._news = asyncio.Event()
        self._answers = asyncio.Event()
        self._under_way: dict[bytes, tuple[bytes, ...]] = {}
        self._told_over: set[bytes] = set()
        self._not_possible: set[bytes] = set()
        self._quiet_until = 0.0

    @property
    def _is_on(self) -> bool:
        holder = self._all.mailboxes.holder(self._holder)
        return holder is not None and holder.holds and holder.backup and holder.backed_up

    def tell(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Back up what there is, for as long as the link is up."""
        self._all.join(self)
        try:
            while True:
                self._news.clear()
                contacts = dict(self._all.contacts()) if self._is_on else {}
                await self._tell_over(set(contacts))
                if self._is_on and not self._is_quiet():
                    await self._leave_all(contacts)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if self._is_on else None):
                        await self._news.wait()
        finally:
            self._all.leave(self)

    def _is_quiet(self) -> bool:
        return asyncio.get_running_loop().time() < self._quiet_until

    async def _tell_over(self, contacts: set[bytes]) -> None:
        """Say which entries need not be kept: of photos that were removed, of contacts as they were
        before, or all if nothing is backed up there any more.
        """
        replaced = all(self._all.backups.has(self._holder, subject) for subject in contacts)
        for subject, envelope_hash, is_here in self._all.backups.all_of(self._holder):
            wanted = self._is_on and (is_here or subject in contacts)
            if wanted or envelope_hash in self._told_over or envelope_hash in self._under_way:
                continue
            if self._is_on and len(subject) == _DIGEST and not replaced:
                continue  # what is newer has to be there first
            self._told_over.add(envelope_hash)
            await self._link.send(messages.HeldDone(envelope_hash, b""))  # there may be thousands

    async def _leave_all(self, contacts: dict[bytes, ContactsBackup]) -> None:
        for digest, entry in contacts.items():
            if not self._all.backups.has(self._holder, digest):
                await self._leave(digest, lambda entry=entry: (entry, ()))
        while not self._is_quiet() and self._is_on:
            most = _PAGE + len(self._not_possible) + len(self._under_way)
            missing = [
                photo_id
                for photo_id in self._all.backups.missing(self._holder, most)
                if photo_id not in self._not_possible and not self._is_under_way(photo_id)
            ]
            if not missing:
                return
            for photo_id in missing:
                if not self._is_quiet():
                    await self._leave_photo(photo_id)

    async def _leave_photo(self, photo_id: bytes) -> None:
        photo = self._all.library.photo(photo_id)
        found = None if photo is None else self._all.photo(photo)
        if found is None:
            self._not_possible.add(photo_id)
            return
        await self._leave(photo_id, lambda: found)

    def _is_under_way(self, photo_id: bytes) -> bool:
        envelope = self._all.backups.envelope(self._holder, photo_id)
        return envelope is not None and hashlib.sha256(envelope).digest() in self._under_way

    async def _leave(
        self, subject: bytes, make: Callable[[], tuple[Entry, tuple[HeldBlob, ...]]]
    ) -> None:
        while len(self._under_way) >= _AT_ONCE:
            self._answers.clear()
            await self._answers.wait()
        tag = self._all.tag()
        if tag is None or self._is_quiet() or not self._is_on:
            return
        entry, blobs = make()
        envelope = self._all.backups.envelope(self._holder, subject)
        if envelope is None:
            envelope = await asyncio.to_thread(self._all.seal, entry)
            self._all.backups.put(self._holder, subject, envelope)
        envelope_hash = hashlib.sha256(envelope).digest()
        if envelope_hash in self._under_way:
            return
        self._under_way[envelope_hash] = tuple(each.content_id for each in blobs)
        await self._link.send(messages.Deposit(tag, envelope, _FOREVER, blobs))

    # What the other side says.

    def to_pull(self, message: messages.FetchHeld) -> StoredBlob | None:
        """A blob that the holder may fetch, as it belongs to what is under way to it."""
        if not any(message.content_id in blobs for blobs in self._under_way.values()):
            return None
        return self._all.library.blob(message.content_id)

    def held(self, envelope_hash: bytes) -> bool:
        """It has an entry and all its blobs; whether that is one of ours."""
        if self._under_way.pop(envelope_hash, None) is None:
            return False
        self._all.backups.held(self._holder, envelope_hash)
        self._answers.set()
        if not self._under_way:
            self.tell()  # an older entry may be over now
        return True

    def refused(self, envelope_hash: bytes, code: int) -> bool:
        """It does not take an entry now; whether that is one of ours."""
        if self._under_way.pop(envelope_hash, None) is None:
            return False
        error = from_wire(code)
        _log.info("a holder did not take a part of the backup: %s", error.code)
        if isinstance(error, NotHoldingError):
            self._all.backups.gone(self._holder, envelope_hash)
        self._quiet_until = asyncio.get_running_loop().time() + RETRY_SECONDS
        self._answers.set()
        return True

    def gone(self, envelope_hash: bytes) -> None:
        """It does not have an entry any more."""
        told = envelope_hash in self._told_over
        self._told_over.discard(envelope_hash)
        if self._all.backups.gone(self._holder, envelope_hash) and not told:
            # It dropped what it was to keep: it gets that again, but not as often as it likes.
            self._quiet_until = asyncio.get_running_loop().time() + RETRY_SECONDS


_KINDS: Final = (Kind.ORIGINAL, Kind.METADATA)
_DIGEST: Final = 32
"""Bytes of the subject of an entry about contacts; a photo's id is shorter."""


def _held(stored: StoredBlob) -> HeldBlob:
    length = stored.decoded_manifest().length
    return HeldBlob.under(stored.content_id, length, stored.key)
