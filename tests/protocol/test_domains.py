"""A signature made for one type of statement counts as no other, anywhere that one is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from kinlight.crypto import identity, signing
from kinlight.crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    PeerError,
)
from kinlight.crypto.identity import DeviceCertificate, DeviceChain, issue_identity, issue_kem
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.protocol import (
    album_feed,
    album_log,
    attributes,
    backup,
    capability,
    opening,
    photo,
    receipt,
    revocation,
    siblings,
    ticket,
)
from kinlight.protocol.album import Album
from kinlight.protocol.album_feed import FeedEntry
from kinlight.protocol.album_log import LogEntry
from kinlight.protocol.attributes import Attestation
from kinlight.protocol.backup import ContactsBackup
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import (
    BrokenAttestationError,
    BrokenGrantError,
    BrokenRevocationsError,
    ForgedTicketError,
    WrongPeerError,
)
from kinlight.protocol.messages import Prove
from kinlight.protocol.opening import ContactOpening
from kinlight.protocol.photo import PhotoRecord
from kinlight.protocol.receipt import Receipt
from kinlight.protocol.revocation import RevocationList
from kinlight.protocol.siblings import SiblingRecord, present
from kinlight.protocol.ticket import Ticket

from .albums import Node
from .people import NOW, Person, fixed, pinned, ticket_of
from .photos import Draft, grant_by, record_by
from .test_backup import Draft as BackupDraft
from .test_capability import ROOT, Chain

DOMAINS: Mapping[str, bytes] = {
    "identity": identity.IDENTITY_DOMAIN,
    "device": identity.DEVICE_DOMAIN,
    "kem": identity.KEM_DOMAIN,
    "hello": opening.HELLO_DOMAIN,
    "record": photo.RECORD_DOMAIN,
    "envelope": photo.ENVELOPE_DOMAIN,
    "capability": capability.CAPABILITY_DOMAIN,
    "attestation": attributes.ATTESTATION_DOMAIN,
    "revocation": revocation.REVOCATION_DOMAIN,
    "receipt": receipt.RECEIPT_DOMAIN,
    "backup": backup.BACKUP_DOMAIN,
    "ticket": ticket.TICKET_DOMAIN,
    "album log": album_log.LOG_DOMAIN,
    "album feed": album_feed.FEED_DOMAIN,
    "sibling": siblings.SIBLING_DOMAIN,
}

ALICE, BOB = Person.named("Alice"), Person.named("Bob")
PHONE = ALICE.signing_key("phone")


def moved(signed: Signed, key: SigningKey, domain: bytes) -> Signed:
    return Signed(signed.body, key.sign(domain, signed.body))


def read_identity(domain: bytes) -> None:
    paper = moved(issue_identity(ALICE.words), ALICE.root, domain)
    DeviceChain.assemble(
        paper, [ALICE.certificate(PHONE.public)], issue_kem(PHONE, ALICE.device().kem.public)
    )


def read_device(domain: bytes) -> None:
    paper = moved(ALICE.certificate(PHONE.public).signed, ALICE.root, domain)
    DeviceCertificate.read(paper)


def read_kem(domain: bytes) -> None:
    paper = moved(issue_kem(PHONE, ALICE.device().kem.public), PHONE, domain)
    DeviceChain.assemble(issue_identity(ALICE.words), [ALICE.certificate(PHONE.public)], paper)


class Recorder:
    """Stands in for a key and keeps what it was asked to sign."""

    def __init__(self) -> None:
        self.body = b""
        self.public = PHONE.public

    def sign(self, domain: bytes, body: bytes) -> bytes:
        self.body = body
        return PHONE.sign(domain, body)


def read_hello(domain: bytes) -> None:
    device, exporter = ALICE.device(), fixed("X")
    recorder = Recorder()
    object.__setattr__(device, "signing", recorder)
    chain = ContactOpening(device, "dialer", exporter, pinned(BOB, ALICE)).prove().chain
    judge = ContactOpening(BOB.device(), "listener", exporter, pinned(ALICE, BOB))
    judge.check_proof(Prove(chain, PHONE.sign(domain, recorder.body)))


def read_record(domain: bytes) -> None:
    PhotoRecord.read(moved(record_by(ALICE).signed, PHONE, domain))


def read_envelope(domain: bytes) -> None:
    record = record_by(ALICE)
    draft = Draft.of(
        ALICE, BOB, record, grant_by(ALICE, BOB, record), [ALICE.certificate(PHONE.public)]
    )
    draft.domain = domain
    draft.open()


def read_capability(domain: bytes) -> None:
    Chain().link(ALICE, BOB, ROOT, domain=domain).verified(ALICE)


def read_attestation(domain: bytes) -> None:
    said = Attestation.issue(
        PHONE, ALICE.identity, BOB.identity, "role", "family", NOW, NOW + 1, bytes(16)
    )
    Attestation.read(moved(said.signed, PHONE, domain)).verify({PHONE.public: ALICE.identity})


def read_revocation(domain: bytes) -> None:
    found = RevocationList.sign(PHONE, ALICE.identity, 1, NOW, [fixed("statement")])
    RevocationList.read(moved(found.signed, PHONE, domain)).verify({PHONE.public: ALICE.identity})


def read_receipt(domain: bytes) -> None:
    said = Receipt.sign(PHONE, BOB.identity, fixed("content id"), NOW)
    Receipt.decode(moved(said.signed, PHONE, domain).encode())


def a_sibling_record() -> SiblingRecord:
    return SiblingRecord.sign(PHONE, ALICE.identity, 1, "rules", b"", present())


def read_sibling(domain: bytes) -> None:
    papers = Certificates(ALICE.device().chain.certificates)
    made = moved(a_sibling_record().signed, PHONE, domain)
    SiblingRecord.read(made).verify(ALICE.identity, papers)


def read_backup(domain: bytes) -> None:
    contacts = ContactsBackup.all_of([])[0]
    BackupDraft.of(contacts, domain=domain).open()


def read_ticket(domain: bytes) -> None:
    Ticket.read(moved(ticket_of(ALICE).signed, PHONE, domain))


def read_album_log(domain: bytes) -> None:
    first = Node.founding(ALICE.device()).album.graph.entries[0]
    Album(LogEntry.read(moved(first.signed, PHONE, domain)))


def read_album_feed(domain: bytes) -> None:
    node = Node.founding(ALICE.device())
    entry = FeedEntry.read(moved(node.author.leave(NOW).signed, PHONE, domain))
    Album(node.album.graph.entries[0]).take(entry)


READERS: Mapping[str, tuple[Callable[[bytes], None], type[PeerError]]] = {
    "identity": (read_identity, BadCertificateError),
    "device": (read_device, BadSignatureError),
    "kem": (read_kem, BadCertificateError),
    "hello": (read_hello, WrongPeerError),
    "record": (read_record, BadSignatureError),
    "envelope": (read_envelope, BadSignatureError),
    "capability": (read_capability, BrokenGrantError),
    "attestation": (read_attestation, BrokenAttestationError),
    "revocation": (read_revocation, BrokenRevocationsError),
    "receipt": (read_receipt, BadSignatureError),
    "backup": (read_backup, BadSignatureError),
    "ticket": (read_ticket, ForgedTicketError),
    "album log": (read_album_log, BadSignatureError),
    "album feed": (read_album_feed, BadSignatureError),
    "sibling": (read_sibling, BadSignatureError),
}


def test_every_domain_of_the_two_rooms_is_in_the_matrix() -> None:
    found = {
        value
        for module in (
            identity, opening, photo, capability, attributes, revocation, receipt, backup,
            ticket, album_log, album_feed, siblings,
        )
        for name, value in vars(module).items()
        if name.endswith("_DOMAIN")
    }  # fmt: skip
    assert set(DOMAINS.values()) == found
    assert len(found) == len(DOMAINS)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_reader_takes_its_own_type_of_signature_alone(reader: str, domain: str) -> None:
    read, error = READERS[reader]
    if reader == domain:
        read(DOMAINS[domain])
    else:
        with pytest.raises(error):
            read(DOMAINS[domain])


def statements() -> dict[str, Signed]:
    """One of each type whose body alone says what it is, signed by one device."""
    record = record_by(ALICE)
    return {
        "record": record.signed,
        "capability": grant_by(ALICE, BOB, record).links[0].signed,
        "attestation": Attestation.issue(
            PHONE, ALICE.identity, BOB.identity, "role", "family", NOW, NOW + 1, bytes(16)
        ).signed,
        "revocation": RevocationList.sign(PHONE, ALICE.identity, 1, NOW, []).signed,
        "receipt": Receipt.sign(PHONE, BOB.identity, fixed("content id"), NOW).signed,
        "device": ALICE.certificate(PHONE.public).signed,
        "album log": Node.founding(ALICE.device()).album.graph.entries[0].signed,
        "album feed": Node.founding(ALICE.device()).author.leave(NOW).signed,
        "sibling": a_sibling_record().signed,
    }


BODIES: Mapping[str, Callable[[Signed], object]] = {
    "record": PhotoRecord.read,
    "capability": capability.Link.read,
    "attestation": Attestation.read,
    "revocation": RevocationList.read,
    "receipt": lambda signed: Receipt.decode(signed.encode()),
    "device": DeviceCertificate.read,
    "album log": LogEntry.read,
    "album feed": FeedEntry.read,
    "sibling": SiblingRecord.read,
}


@pytest.mark.parametrize("reader", BODIES)
@pytest.mark.parametrize("body", BODIES)
def test_a_reader_takes_its_own_type_of_body_alone(reader: str, body: str) -> None:
    signed = statements()[body]
    if reader == body:
        BODIES[reader](signed)
    else:
        resigned = moved(signed, PHONE, DOMAINS[reader])
        with pytest.raises(MalformedError):
            BODIES[reader](resigned)


def test_no_domain_begins_another() -> None:
    for one in DOMAINS.values():
        for other in DOMAINS.values():
            assert one == other or not other.startswith(one)
    signature = PHONE.sign(b"kinlight/test1", b"body")
    with pytest.raises(BadSignatureError):
        signing.verify(PHONE.public, b"kinlight/test", b"body", signature)
