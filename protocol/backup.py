"""What a node leaves of its own with a holder, sealed to its recovery key (docs/spec/backup.md).

One entry for each photo: all that leads from its sealed blobs to the picture. Some for the
contacts: all that is needed to meet them again. Some for what else there is (`backup_notes`). Only
the 24 words open them, so neither who holds them nor who has a device of ours can read in them.
Anybody can seal to that key, so each entry shows that a device of ours signed it: who has nothing
but the words can check that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ..crypto import encoding, signing
from ..crypto.blob import Kind
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, MalformedError
from ..crypto.identity import MAX_DEVICE_CERTIFICATES
from ..crypto.secret import Secret
from ..crypto.signing import Signed
from ..crypto.wrap import KemKey
from . import limits
from .backup_notes import AlbumBackup, NotesBackup
from .capability import Capability
from .certificates import Certificates
from .opening import LocalDevice
from .padding import open_padded, seal_padded
from .photo import KINDS, PhotoRecord, read_keys

BACKUP_DOMAIN: Final = b"kinlight/backup1"
PAIR_SECRET_BYTES: Final = 32
CONTACTS_EACH: Final = 128
"""Contacts in one entry: with the longest names they still fit."""

_INFO: Final = "kinlight/bak1"
_RECORD_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class PhotoBackup:
    """One photo: its record, the keys of its blobs, and by which grant it came, if it is another's.

    `certificates` show whose device signed the record, and who signed the grant.
    """

    record: PhotoRecord
    keys: Mapping[Kind, Secret] = field(repr=False)
    capability: bytes
    certificates: Certificates

    def to_value(self) -> list[Value]:
        """What is signed of it."""
        return [
            "photo",
            self.record.signed.to_value(),
            [[int(kind), key.reveal()] for kind, key in sorted(self.keys.items())],
            self.capability,
            [certificate.signed.to_value() for certificate in self.certificates.found],
        ]

    @classmethod
    def read(cls, reader: Reader) -> PhotoBackup:
        """The reverse."""
        record_signed = Signed.from_value(reader.array("record", 2), _RECORD_BYTES, "photo record")
        keys = read_keys(reader.array("keys", len(KINDS)))
        capability = reader.octets("capability", maximum=limits.CAPABILITY_BYTES)
        papers = reader.array("certificates", limits.ENVELOPE_CERTIFICATES)
        record = PhotoRecord.read(record_signed)
        certificates = Certificates.read(papers)
        if certificates.devices.get(record.device) != record.author:
            raise BadCertificateError("the photo's device does not speak for its author")
        return cls(record, keys, capability, certificates)

    def check(self, identity: bytes) -> None:
        """Check how it came to `identity`: its own needs no grant, another's came by one.

        Whether that grant allows anything is judged apart, with a clock.
        """
        if self.record.author != identity:
            chain = Capability.decode(self.capability)
            chain.verify(self.record.author, self.certificates.devices)
        elif self.capability:
            raise MalformedError("backup: capability")


@dataclass(frozen=True, slots=True)
class KeptContact:
    """One contact, as it is needed to be met again: it then shows its devices itself."""

    identity: bytes
    name: str
    pair_secret: Secret
    verified: bool

    def to_value(self) -> list[Value]:
        """What is signed of it."""
        return [self.identity, self.name, self.pair_secret.reveal(), int(self.verified)]

    @classmethod
    def read(cls, item: Value) -> KeptContact:
        """The reverse of `to_value`."""
        if not isinstance(item, list):
            raise MalformedError("backup: contacts")
        reader = Reader(item, "contact")
        identity = signing.check_public_key(reader.octets("identity", signing.KEY_BYTES))
        name = reader.text("name", limits.NAME_BYTES)
        secret = Secret(reader.octets("pair secret", PAIR_SECRET_BYTES))
        verified = bool(reader.integer("verified", 1))
        reader.end()
        return cls(identity, name, secret, verified)


@dataclass(frozen=True, slots=True)
class ContactsBackup:
    """Some of the contacts: part `part` of `parts`, counted from 0, in the order of identities.

    `whole` is the digest of all of them: parts with the same one belong together, whenever each of
    them was sealed.
    """

    whole: bytes
    part: int
    parts: int
    contacts: tuple[KeptContact, ...]

    def to_value(self) -> list[Value]:
        """What is signed of it."""
        contacts: Value = [contact.to_value() for contact in self.contacts]
        return ["contacts", self.whole, self.part, self.parts, contacts]

    @classmethod
    def read(cls, reader: Reader) -> ContactsBackup:
        """The reverse."""
        whole = reader.octets("whole", 32)
        part, parts = reader.integer("part"), reader.integer("parts")
        if part >= parts:
            raise MalformedError("backup: parts")
        items = reader.array("contacts", CONTACTS_EACH)
        contacts = tuple(KeptContact.read(item) for item in items)
        if not _are_in_order(contacts):
            raise MalformedError("backup: order of contacts")
        return cls(whole, part, parts, contacts)

    @classmethod
    def all_of(cls, contacts: Iterable[KeptContact]) -> list[ContactsBackup]:
        """All contacts, each of them once, in as many parts as it takes; of none, one part."""
        ordered = tuple(sorted(contacts, key=lambda contact: contact.identity))
        whole = _digest(ordered)
        starts = range(0, max(len(ordered), 1), CONTACTS_EACH)
        return [
            cls(whole, number, len(starts), ordered[start : start + CONTACTS_EACH])
            for number, start in enumerate(starts)
        ]


Entry = PhotoBackup | ContactsBackup | NotesBackup | AlbumBackup


def seal(device: LocalDevice, entry: Entry, time: int) -> bytes:
    """Sign an entry by this device, and seal it to the recovery key of its identity.

    `time` is in seconds since 1970: of two that say the same the later one counts.
    """
    certificates: Value = [each.signed.to_value() for each in device.chain.certificates]
    body: Value = [1, "bak", device.signing.public, certificates, time, *entry.to_value()]
    signed = device.signing.sign_value(BACKUP_DOMAIN, body)
    kem = device.chain.recovery_kem
    return seal_padded(kem, _info(device.identity, kem), signed)


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry, which device of the identity signed it, and when by its clock."""

    device: bytes
    time: int
    entry: Entry


def open_sealed(sealed: bytes, kem: KemKey, identity: bytes) -> Opened:
    """Open an entry with the recovery key that the words of `identity` make.

    Whether its device was lost since is for the reader to know. Raises `SealBrokenError`,
    `MalformedError`, `BadCertificateError`, `BadSignatureError`, and `BrokenGrantError` for a photo
    of somebody else with a grant that is none.
    """
    if len(sealed) > limits.ENVELOPE_BYTES:
        raise MalformedError("backup too long")
    signed = open_padded(kem, _info(identity, kem.public), sealed, "backup")
    reader = Reader(signed.unverified(), "backup")
    reader.literal(1, "bak")
    device = signing.check_public_key(reader.octets("device", signing.KEY_BYTES))
    papers = reader.array("certificates", MAX_DEVICE_CERTIFICATES)
    time = reader.integer("time", 2**63 - 1)
    kind = reader.text("kind", 16)
    if Certificates.read(papers).devices.get(device) != identity:
        raise BadCertificateError("what signed the backup is no device of its identity")
    signing.verify(device, BACKUP_DOMAIN, signed.body, signed.signature)
    match kind:
        case "photo":
            entry: Entry = PhotoBackup.read(reader)
            entry.check(identity)
        case "contacts":
            entry = ContactsBackup.read(reader)
        case "notes":
            entry = NotesBackup.read(reader)
        case "album":
            entry = AlbumBackup.read(reader)
        case _:
            raise MalformedError("backup: kind")
    reader.end()
    return Opened(device, time, entry)


def newest_contacts(found: Iterable[Opened]) -> tuple[KeptContact, ...]:
    """The contacts as they were last, of all entries that were found: of the parts that belong
    together and are all there, those with the latest time. None, if there is no whole.
    """
    newest = newest_whole(found)
    return () if newest is None else newest.contacts


@dataclass(frozen=True, slots=True)
class WholeContacts:
    """All contacts as they were at a time, by its digest."""

    whole: bytes
    time: int
    contacts: tuple[KeptContact, ...]


def newest_whole(found: Iterable[Opened]) -> WholeContacts | None:
    """The same, told apart from a whole of no contacts."""
    wholes: dict[tuple[bytes, int], dict[int, tuple[KeptContact, ...]]] = {}
    times: dict[tuple[bytes, int], int] = {}
    for each in sorted(found, key=lambda opened: opened.time):
        if isinstance(each.entry, ContactsBackup):
            key = each.entry.whole, each.entry.parts
            wholes.setdefault(key, {})[each.entry.part] = each.entry.contacts
            times[key] = each.time
    for key in sorted(wholes, key=lambda key: (times[key], key), reverse=True):
        (whole, count), parts = key, wholes[key]
        joined = tuple(contact for number in sorted(parts) for contact in parts[number])
        if len(parts) == count and _are_in_order(joined) and _digest(joined) == whole:
            return WholeContacts(whole, times[key], joined)
    return None


def _are_in_order(contacts: Sequence[KeptContact]) -> bool:
    """Whether their identities rise, so that none is there twice."""
    identities = [contact.identity for contact in contacts]
    return all(one < other for one, other in pairwise(identities))


def _digest(contacts: Iterable[KeptContact]) -> bytes:
    digest = hashlib.sha256()
    for contact in contacts:
        digest.update(encoding.encode(contact.to_value()))
    return digest.digest()


def _info(identity: bytes, kem_public: bytes) -> bytes:
    return encoding.encode([_INFO, identity, hashlib.sha256(kem_public).digest()])
