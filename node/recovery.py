"""What comes back from the 24 words: which entries were found with whom, and what became of each.

    begin(words) -> the recovery key, until all is here -> entries, opened -> photos and contacts

The words themselves are kept nowhere. The one key of theirs that opens entries lies in the library
while photos are still to come, so that a start anew goes on, and is forgotten when all is here.
What holders say counts for nothing (docs/spec/backup.md); `recovering` is the part on a link.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from ..crypto.errors import PeerError
from ..crypto.recovery import RecoveryWords
from ..crypto.signing import SigningKey
from ..crypto.wrap import KemKey
from ..protocol import backup
from ..protocol.backup import ContactsBackup, Opened, PhotoBackup, WholeContacts
from ..protocol.backup_notes import Part
from ..protocol.capability import Capability
from ..protocol.errors import sentence
from ..protocol.opening import LocalDevice
from ..protocol.photo import Envelope, Metadata
from . import names, views_recovery
from .backing_up import Backups
from .errors import BadRequestError, OtherWordsError
from .events import Events
from .judge import Judge
from .library import Library, StoredBlob
from .notes_back import NotesBack
from .noting import subject_of
from .own_devices import OwnDevices
from .recovery_found import AskedHolder, EntriesOf, Found
from .recovery_state import DEVICES_LEFT_OUT, RecoveryState

MISSING_SHOWN: Final = 100
"""Photos that a view names one by one."""

_log = logging.getLogger(__name__)


class Asking(Protocol):
    """A link over which it comes back."""

    def tell(self) -> None:
        """There may be something to do."""
        ...


class Recovery:
    """All of one recovery. Not thread-safe: it belongs to one event loop."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        judge: Judge,
        own_devices: OwnDevices,
        backups: Backups,
        notes: NotesBack,
        events: Events,
        fingerprint: Callable[[bytes], bytes],
        arrived: Callable[[bytes], None],
        met: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """`arrived` hears of each photo of somebody else within the transaction that enters it,
        `met` when contacts are back.
        """
        self._device = device
        self._library = library
        self._state = RecoveryState(library)
        self._judge = judge
        self._own_devices = own_devices
        self._backups = backups
        self._notes = notes
        self._events = events
        self._fingerprint = fingerprint
        self._arrived = arrived
        self._met = met
        self._now = now
        self._kem: KemKey | None = None
        self._without: frozenset[bytes] = frozenset()
        self._links: dict[Asking, bytes] = {}
        self.round = 0
        """Grows whenever it begins: links ask anew then."""
        self._forget()
        self._load()

    def _forget(self) -> None:
        self._holders: dict[bytes, AskedHolder] = {}
        self._found: dict[bytes, Found] = {}
        self._devices: dict[bytes, EntriesOf] = {}
        self._contacts: list[Opened] = []
        self._notes.forget()
        self._seen: set[bytes] = set()
        self._shown: dict[bytes, dict[bytes, bytes]] = {}
        self._parts: set[tuple[bytes, bytes]] = set()
        self._open = 0
        self._photos = 0
        self._bytes = 0
        self._contacts_back: set[bytes] = set()

    # Begin and end.

    @property
    def is_on(self) -> bool:
        """Whether something may be still to come."""
        return self._kem is not None

    def _load(self) -> None:
        kept = self._state.key()
        if kept is not None:
            seed, self._without = kept
            self._kem = KemKey(seed)
            self._parts = set(self._state.parts())
            self.round += 1

    def begin(self, words: RecoveryWords, without: Sequence[str] = ()) -> views_recovery.Recovery:
        """Ask all who are here, or come, for what they keep of ours.

        Entries of the devices `without`, by the hex digits of their keys, count for nothing.
        `OtherWordsError` if the words are of another identity.
        """
        if SigningKey(words.root_seed()).public != self._device.identity:
            raise OtherWordsError
        try:
            devices = [bytes.fromhex(each) for each in without]
        except ValueError:
            raise BadRequestError("a device is the 64 hex digits of its key") from None
        if len(devices) > DEVICES_LEFT_OUT:
            raise BadRequestError(f"no more than {DEVICES_LEFT_OUT} devices can be left out")
        self._forget()
        self._state.begin(words.recovery_kem_seed(), devices)
        self._load()
        self._notes.root = SigningKey(words.root_seed())
        self._tell()
        return self.view()

    def stop(self) -> views_recovery.Recovery:
        """Forget the key: what did not come stays where it is."""
        if self.is_on:
            self._end("stopped")
        return self.view()

    def _end(self, state: str) -> None:
        result = dataclasses.replace(self.view(), state=state, ended=self._now())
        for holder in self._shown:
            self._backups.found(holder, self._to_go_on_with(holder))
        self._state.end(result)
        self._kem = None
        self._forget()
        self._events.publish("recovery", state=state)

    def _to_go_on_with(self, holder: bytes) -> list[tuple[bytes, bytes]]:
        """(subject, hash of the envelope) of what a holder showed, as `Backups` has it: what it has
        of a photo that is here counts, and what is older, or did not come whole, is over once there
        is something better. What never came at all is let be.
        """
        rows: list[tuple[bytes, bytes]] = []
        for envelope_hash, subject in self._shown[holder].items():
            found = self._found.get(subject)
            if found is None:  # contacts
                rows.append((subject, envelope_hash))
            elif found.settled and found.reason is None:
                counts = found.envelope_hash == envelope_hash and holder not in found.failed
                rows.append((subject if counts else envelope_hash, envelope_hash))
        return rows

    def _tell(self) -> None:
        for each in self._links:
            each.tell()

    # Links.

    def join(self, link: Asking, holder: bytes) -> None:
        """A link to a contact is up."""
        self._links[link] = holder

    def leave(self, link: Asking, holder: bytes) -> None:
        """It has ended."""
        self._links.pop(link, None)
        self._of(holder).listing = False

    def _of(self, holder: bytes) -> AskedHolder:
        return self._holders.setdefault(holder, AskedHolder())

    # Entries.

    def listing(self, holder: bytes) -> None:
        """A contact is asked what it keeps, from the beginning."""
        kept = self._of(holder)
        kept.entries, kept.listing = 0, True
        kept.refused.clear()
        for queue in kept.waiting.values():
            queue.clear()
        for found in self._found.values():
            found.failed.pop(holder, None)
        self._events.publish("recovery", state="running")

    async def take(self, holder: bytes, sealed: Sequence[bytes]) -> None:
        """Entries as a contact shows them: what does not open, or is by no device of ours, is as if
        it were not there.
        """
        kem, turn = self._kem, self.round
        if kem is None:
            return
        opened = await asyncio.to_thread(self._open_all, kem, sealed)
        if self.round != turn or not self.is_on:
            return
        kept = self._of(holder)
        for envelope, found in zip(sealed, opened, strict=True):
            if isinstance(found, str):
                kept.refused[found] += 1
            else:
                kept.entries += 1
                self._take_one(holder, hashlib.sha256(envelope).digest(), found)
        if any(kept.refused.values()):
            _log.info("entries of a backup were refused: %s", dict(kept.refused))

    def _open_all(self, kem: KemKey, sealed: Sequence[bytes]) -> list[Opened | str]:
        """In a thread."""
        found: list[Opened | str] = []
        for each in sealed:
            try:
                opened = backup.open_sealed(each, kem, self._device.identity)
            except PeerError as error:
                found.append(error.code)
            else:
                found.append(LOST_DEVICE if opened.device in self._without else opened)
        return found

    def _take_one(self, holder: bytes, envelope_hash: bytes, opened: Opened) -> None:
        entry = opened.entry
        subject = entry.record.photo_id if isinstance(entry, PhotoBackup) else subject_of(entry)
        self._shown.setdefault(holder, {})[envelope_hash] = subject
        if envelope_hash not in self._seen:
            self._seen.add(envelope_hash)
            self._note_device(opened)
            if isinstance(entry, ContactsBackup):
                self._contacts.append(opened)
            elif not isinstance(entry, PhotoBackup):
                self._notes.take(Part(opened.device, opened.time, entry))
        if not isinstance(entry, PhotoBackup):
            return
        photo_id = entry.record.photo_id
        known = self._found.get(photo_id)
        if known is None or known.opened.time < opened.time:
            known = self._add(Found(opened, entry, envelope_hash), known)
        if known.entry.record.signed == entry.record.signed:
            known.holders.add(holder)
            self._queue(known, holder)

    def _add(self, found: Found, earlier: Found | None) -> Found:
        if earlier is not None:
            if earlier.entry.record.signed == found.entry.record.signed:
                found.holders, found.failed = earlier.holders, earlier.failed
            found.under_way = earlier.under_way
            self._open -= not earlier.settled
        self._found[found.photo_id] = found
        self._open += 1
        if self._library.photo(found.photo_id) is not None:
            if earlier is not None and earlier.settled:
                found.settled = True
                self._open -= 1
            else:
                self._came(found)
        elif earlier is not None and earlier.settled:
            found.settled = True  # a copy for sharing, or it was removed meanwhile
            self._open -= 1
        return found

    def _note_device(self, opened: Opened) -> None:
        known = self._devices.get(opened.device)
        if known is None:
            self._devices[opened.device] = EntriesOf(1, opened.time, opened.time)
        else:
            known.entries += 1
            known.first = min(known.first, opened.time)
            known.last = max(known.last, opened.time)

    async def listed(self, holder: bytes) -> None:
        """A contact has shown all that it keeps."""
        self._of(holder).listing = False
        if not any(each.listing for each in self._holders.values()):
            self._notes.look()
            self._bring_contacts()
            await self._notes.bring()
        self.settle()

    def _newest_contacts(self) -> WholeContacts | None:
        return backup.newest_whole(self._contacts)

    def _bring_contacts(self) -> None:
        """The contacts as they were last. Who is a contact already stays as it is."""
        newest = self._newest_contacts()
        if newest is None:
            return
        came = False
        for each in newest.contacts:
            self._contacts_back.add(each.identity)
            if each.identity == self._device.identity:
                continue
            if not self._library.restore_contact(
                each.identity, names.contact_name(each.name), each.pair_secret,
                verified=each.verified, now=self._now(),
            ):  # fmt: skip
                continue
            came = True
            noted = self._notes.of_contact(each.identity)
            if noted is not None:
                self._library.update_contact(each.identity, **dataclasses.asdict(noted))
        if came:
            self._met()

    # Photos.

    def _queue(self, found: Found, holder: bytes) -> None:
        if not found.settled:
            self._of(holder).waiting[found.is_small].append(found.photo_id)

    def claim(self, holder: bytes, *, small: bool) -> Found | None:
        """A photo that a contact is to be asked for next; it is under way until `release`."""
        queue = self._of(holder).waiting[small]
        while queue:
            found = self._found.get(queue.popleft())
            if found is None or found.settled or found.under_way or found.reason is not None:
                continue
            if holder in found.holders and holder not in found.failed:
                found.under_way = True
                self._keep_part(found)
                return found
        return None

    def release(self, found: Found, holder: bytes, code: str | None) -> None:
        """It came, or did not: with a code its holder does not have it, without it may yet."""
        found.under_way = False
        if self._found.get(found.photo_id) is not found:
            found = self._found.get(found.photo_id, found)  # a later entry took its place
            found.under_way, code = False, None
        if not found.settled:
            if code is not None:
                found.failed[holder] = code
            for each in found.holders - found.failed.keys():
                self._queue(found, each)
        self._keep_part(found)
        self._events.publish("recovery", state="running", photos=self._photos)
        self._tell()

    def _keep_part(self, found: Found) -> None:
        """Note of which photos parts may lie here: the next start must not take them for leftovers.

        A small one has no parts.
        """
        if found.is_small:
            return
        part = found.photo_id, found.entry.record.content_id
        if found.settled or found.reason is not None:
            self._parts.discard(part)
        elif part in self._parts:
            return
        else:
            self._parts.add(part)
        self._state.set_parts(self._parts)

    def check(self, found: Found) -> None:
        """Judge the grant of a photo by somebody else as if it came now; raises the reason."""
        if found.entry.record.author != self._device.identity:
            self._judge.allow_us(Capability.decode(found.entry.capability), found.photo_id)

    def is_copy(self, found: Found, details: Metadata) -> bool:
        """Whether it is a copy that was made here of another photo, to be shared: none is needed,
        and of which photo it was is in no backup.
        """
        own = found.entry.record.author == self._device.identity
        return own and details.policy != "original"

    def is_wanted(self, found: Found) -> bool:
        """Whether it is still the one to bring."""
        return self.is_on and self._found.get(found.photo_id) is found and not found.settled

    def leave_out(self, found: Found, code: str | None = None) -> None:
        """It is not to be had, whoever brings it; without a code it is one of those copies for
        sharing that are made again when they are needed.
        """
        found.reason = code
        if not found.settled:
            found.settled = True
            self._open -= 1

    def enter(self, found: Found, details: Metadata, blobs: Iterable[StoredBlob]) -> None:
        """Enter a photo whose files lie here durably, within a group commit."""
        record, now = found.entry.record, self._now()
        stored_offer = None
        if record.author == self._device.identity:
            self._own_devices.keep(record.device, found.entry.certificates)
        else:
            stored_offer = self._add_offer(found, now)
        fingerprint = self._fingerprint(details.sha256)
        self._library.add_photo(record, details, blobs, fingerprint, now, stored_offer=stored_offer)
        self._notes.entered(found.photo_id)
        if stored_offer is not None:
            self._arrived(found.photo_id)

    def _add_offer(self, found: Found, now: int) -> bytes:
        """By which grant it came, as if its sender had offered it to this device."""
        entry, capability = found.entry, Capability.decode(found.entry.capability)
        last = capability.links[-1]
        envelope = Envelope(
            last.signer, self._device.signing.public, entry.record, capability, entry.keys,
            entry.certificates,
        )  # fmt: skip
        self._library.add_offer(found.envelope_hash, last.issuer, envelope, "accepted", now)
        return found.envelope_hash

    def came(self, found: Found) -> None:
        """A photo is here, durably."""
        self._came(found)
        self._events.publish("photo", id=found.photo_id.hex())

    def _came(self, found: Found) -> None:
        found.settled = True
        self._open -= 1
        self._photos += 1
        self._bytes += found.entry.record.ciphertext_length

    def settle(self) -> None:
        """See whether that was all: then the key is forgotten."""
        asking = any(each.listing for each in self._holders.values())
        if not self.is_on or asking or self._open or not (self._found or self._contacts):
            return
        if self._contacts and self._newest_contacts() is None:
            return  # parts of them miss
        if any(found.reason is not None for found in self._found.values()):
            return  # a person is to see which
        self._notes.fill_albums()
        self._end("done")

    # For people.

    def _name_of(self, identity: bytes) -> str:
        contact = self._library.contact_of(identity)
        return "" if contact is None else contact.name

    def view(self) -> views_recovery.Recovery:
        """How it stands."""
        if not self.is_on:
            return self._state.result()
        newest = self._newest_contacts()
        wholes = {
            each.device: each.entry.whole
            for each in sorted(self._contacts, key=lambda each: each.time)
            if isinstance(each.entry, ContactsBackup)
        }
        here = set(self._links.values())
        seats = self._notes.standing()
        records = [each.entry.record for each in self._found.values()]
        return views_recovery.Recovery(
            state=self._standing(),
            photos=self._photos,
            photos_found=len(self._found),
            bytes=self._bytes,
            bytes_found=sum(record.ciphertext_length for record in records),
            contacts=len(self._contacts_back),
            contacts_found=0 if newest is None else len(newest.contacts),
            contacts_damaged=bool(self._contacts) and newest is None,
            albums=seats.taken,
            albums_found=self._notes.found,
            albums_waiting=seats.waiting,
            forked=len(set(wholes.values())) > 1,
            holders=[
                views_recovery.RecoveryHolder(
                    self._name_of(identity),
                    "listing" if kept.listing else "here" if identity in here else "away",
                    kept.entries,
                    dict(kept.refused),
                )
                for identity, kept in self._holders.items()
            ],
            devices=[
                views_recovery.RecoveryDevice(device.hex(), each.entries, each.first, each.last)
                for device, each in sorted(self._devices.items())
            ],
            missing=[self._missing(each) for each in self._missing_photos()],
        )

    def _missing_photos(self) -> list[Found]:
        found = [
            each
            for each in self._found.values()
            if each.reason is not None
            or not (each.settled or each.under_way or each.holders - each.failed.keys())
        ]
        return found[:MISSING_SHOWN]

    def _missing(self, found: Found) -> views_recovery.RecoveryMissing:
        code = found.reason or next(iter(found.failed.values()), "gone")
        holders = sorted(map(self._name_of, found.failed or found.holders))
        return views_recovery.RecoveryMissing(found.photo_id.hex(), code, sentence(code), holders)

    def _standing(self) -> str:
        if not self._found and not self._contacts:
            return "running" if any(each.listing for each in self._holders.values()) else "waiting"
        here = set(self._links.values())
        comes = any(
            not each.settled and (each.under_way or (each.holders & here) - each.failed.keys())
            for each in self._found.values()
        )
        listing = any(each.listing for each in self._holders.values())
        return "running" if comes or listing else "incomplete"


LOST_DEVICE: Final = "device-revoked"
"""The code under which entries are counted that are by a device which was left out."""
