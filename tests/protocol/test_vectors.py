"""The vectors of the protocol (tests/vectors), through our code and the generator."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Reader
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceChain, device_of
from kinlight.crypto.pairing import Code, Invitation, PairingKey
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.protocol import backup, delivery, limits, messages, rendezvous
from kinlight.protocol.attributes import (
    Attestation,
    Attributes,
    decode_shown,
    encode_shown,
)
from kinlight.protocol.backup import ContactsBackup, Opened
from kinlight.protocol.capability import Capability, Request
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.delivery import HeldBlob
from kinlight.protocol.devices import OwnSecret
from kinlight.protocol.errors import (
    BrokenReceiptError,
    GoneError,
    NotHoldingError,
    UnknownPeerError,
    UnknownTicketError,
)
from kinlight.protocol.framing import FrameReader, frame
from kinlight.protocol.joining import DeviceRequest, Gift
from kinlight.protocol.messages import PairChain, PairConfirm, Prove
from kinlight.protocol.opening import (
    ContactOpening,
    LocalDevice,
    PairOpening,
    Pinned,
    Transport,
    recognise,
)
from kinlight.protocol.photo import KINDS, Envelope, Metadata, PhotoRecord
from kinlight.protocol.profile import Profile
from kinlight.protocol.receipt import Receipt
from kinlight.protocol.rendition import Rendition
from kinlight.protocol.revocation import RevocationList, Revocations, Standing
from kinlight.protocol.sibling_kinds import MERGES
from kinlight.protocol.sibling_ledger import Ledger
from kinlight.protocol.siblings import SiblingRecord
from kinlight.protocol.ticket import IssuedTicket, Ticket, recognise_ticket

from . import independent_grants
from .people import FixedEntropy, Person
from .siblings import KeptInMemory

VECTORS = Path(__file__).parents[1] / "vectors"
GENERATED = {
    "generate_protocol.py": (
        "channel", "pairing", "capability", "record", "receipt", "holding", "backup",
    ),
    "generate_grants.py": ("grants", "attestation", "revocation"),
    "generate_tickets.py": ("ticket",),
    "generate_rendezvous.py": ("rendezvous",),
    "generate_profile.py": ("profile",),
    "generate_devices.py": ("devices",),
    "generate_siblings.py": ("siblings",),
}  # fmt: skip
FOLDERS = [folder for folders in GENERATED.values() for folder in folders]
Case = dict[str, Any]
_un = bytes.fromhex


def load() -> list[Case]:
    return [
        case
        for folder in FOLDERS
        for case in json.loads((VECTORS / folder / "vectors.json").read_text("utf-8"))["cases"]
    ]


def plain(value: object) -> object:
    """JSON's {"hex": …} back to bytes, lists to tuples."""
    if isinstance(value, dict):
        return _un(str(value["hex"]))  # type: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        return tuple(plain(item) for item in value)  # type: ignore[reportUnknownVariableType]
    return value


def check_frame(case: Case) -> None:
    stream = _un(case["stream"])
    found = FrameReader().feed(stream)
    assert found == [_un(case["message"])]
    assert frame(found[0]) == stream


def check_message(case: Case) -> None:
    message = messages.decode(_un(case["encoded"]))
    assert type(message).__name__ == case["name"]
    values = dataclasses.astuple(message)  # type: ignore[arg-type]
    shown = len(case["fields"])
    assert values[:shown] == plain(case["fields"])
    assert not any(values[shown:])  # a transport id that is absent
    assert message.encode() == _un(case.get("written", case["encoded"]))


def check_tags(case: Case) -> None:
    contact = Pinned(b"somebody", Secret(_un(case["pair_secret"])))
    exporter = _un(case["exporter"])
    if recognise([contact], _un(case["proof"]), exporter) is None:
        raise UnknownPeerError
    opening = ContactOpening(Person.named("Ben").device(), "listener", exporter, contact)
    assert opening.accept_tag() == _un(case["accept_tag"])


def judge(chain: str) -> LocalDevice:
    """A device whose papers are known and whose keys are not needed."""
    anybody = Person.named("anybody").device()
    return LocalDevice(anybody.signing, anybody.kem, DeviceChain.decode(_un(chain)), "judge")


def reached(case: Case) -> Transport | None:
    """What the judge's pipe knows."""
    return Transport(b"judge", _un(case["pipe"])) if "pipe" in case else None


def check_prove(case: Case) -> None:
    role = "listener" if case["prover"] == "dialer" else "dialer"
    contact = Pinned(_un(case["contact"]), Secret(bytes(32)))
    opening = ContactOpening(
        judge(case["judge"]), role, _un(case["exporter"]), contact, reached(case)
    )
    shown = _un(case.get("transport", ""))
    chain = opening.check_proof(Prove(_un(case["chain"]), _un(case["signature"]), shown))
    assert chain.identity == contact.identity


class KeyedPairing(PairOpening):
    """The listener's side of a run whose key is given."""

    def __init__(self, case: Case) -> None:
        key, exporter = Secret(_un(case["key"])), _un(case["exporter"])
        invitation = Invitation(bytes(32), key, (), 0)  # a QR secret takes the key's place
        device, entropy = judge(case["judge"]), FixedEntropy()
        super().__init__(device, "listener", exporter, invitation, entropy, reached(case))


def check_code(case: Case) -> None:
    code = Code.parse(case["text"])
    assert str(code) == "-".join(case["text"].lower().split()).replace("--", "-")


def check_papers(case: Case) -> None:
    KeyedPairing(case).receive_chain(PairChain(_un(case["sealed"])))


def check_confirm(case: Case) -> None:
    run = KeyedPairing(case)
    run.receive_chain(PairChain(_un(case["sealed"])))
    shown = _un(case.get("transport", ""))
    met = run.receive_confirm(PairConfirm(_un(case["confirmation"]), _un(case["signature"]), shown))
    assert met.name == "Ada's phone"
    assert met.pair_secret.reveal() == _un(case["pair_secret"])
    key = PairingKey(Secret(_un(case["key"])), _un(case["exporter"]))
    own = judge(case["judge"]).chain
    assert key.pair_secret(met.chain.identity, own.identity) == met.pair_secret


def check_capability(case: Case) -> None:
    capability = Capability.decode(_un(case["chain"]))
    capability.verify(
        _un(case["author"]), {_un(one): _un(other) for one, other in case["devices"].items()}
    )
    asked = case["request"]
    capability.allow(
        Request(
            _un(asked["identity"]),
            _un(asked["device"]),
            _un(asked["photo_id"]),
            asked["operation"],
            asked["rendition"],
            asked["now"],
        )
    )


def devices_of(case: Case) -> dict[bytes, bytes]:
    return {_un(one): _un(other) for one, other in case["devices"].items()}


def revocations_of(case: Case) -> dict[bytes, Standing]:
    """What is known after the lists of the case came, one after the other."""
    known: dict[bytes, Standing] = {}
    for encoded in case.get("lists") or case.get("revocations", []):
        found = RevocationList.decode(_un(encoded))
        found.verify(devices_of(case))
        before = known.get(found.issuer)
        known[found.issuer] = before.take(found) if before else Standing(found)
    return known


def check_grant(case: Case) -> None:
    devices, asked = devices_of(case), case["request"]
    capability = Capability.decode(_un(case["chain"]))
    shown = encode_shown(Attestation.decode(_un(one)) for one in case["attestations"])
    albums = asked["albums"]
    request = Request(
        _un(asked["identity"]),
        _un(asked["device"]),
        _un(asked["photo_id"]),
        asked["operation"],
        Rendition.read(asked["rendition"]) or "",
        asked["now"],
        None if albums is None else frozenset(map(_un, albums)),
        asked["network"],
        asked["uses"],
        Attributes.verified(decode_shown(shown), devices),
        Revocations(revocations_of(case), _un(case["own"])),
    )
    verdict = capability.explain(_un(case["author"]), devices, request)
    assert verdict.code == ("" if case["expect"] == "success" else case["expect"])
    capability.verify(_un(case["author"]), devices)
    capability.allow(request)


def check_attestation(case: Case) -> None:
    attestation = Attestation.decode(_un(case["encoded"]))
    attestation.verify(devices_of(case))
    assert attestation.signed.digest() == _un(case["digest"])
    assert all(attestation.holds(now) for now in case["holds"])
    assert not any(attestation.holds(now) for now in case["holds_not"])


def check_revocation(case: Case) -> None:
    (standing,) = revocations_of(case).values()
    after = case["after"]
    assert all(standing.revokes(_un(one)) for one in after["revoked"])
    assert not any(standing.revokes(_un(one)) for one in after["stands"])
    assert standing.fresh(case["now"]) == after["fresh"]
    assert (standing.fork is not None) == after["fork"]


def check_record(case: Case) -> None:
    signed = Signed.decode(_un(case["signed"]), 512, "photo record")
    record = PhotoRecord.read(signed)
    fields = plain(case["fields"])
    assert isinstance(fields, tuple)
    assert fields[2:] == (
        record.author, record.nonce, record.kind, record.content_id,
        record.ciphertext_length, record.metadata_id, record.device,
    )  # fmt: skip
    assert record.photo_id == _un(case["photo_id"])


def check_metadata(case: Case) -> None:
    metadata = Metadata.decode(_un(case["encoded"]))
    fields = plain(case["fields"])
    assert isinstance(fields, tuple)
    assert dataclasses.astuple(metadata) == fields[2:]
    assert metadata.encode() == _un(case["encoded"])


def check_envelope(case: Case) -> None:
    device = LocalDevice(
        SigningKey(Secret(_un(case["device_seed"]))),
        KemKey(Secret(_un(case["kem_seed"]))),
        DeviceChain.decode(_un(case["recipient_chain"])),
        "recipient",
    )
    envelope = Envelope.open(_un(case["sealed"]), device, _un(case["sender"]))
    assert device.kem.open(_un(case["info"]), _un(case["sealed"])) == _un(case["plaintext"])
    assert envelope.record.author == envelope.devices[_un(case["sender"])]
    assert set(envelope.keys) == set(KINDS)


def check_receipt(case: Case) -> None:
    receipt = Receipt.decode(_un(case["encoded"]))
    if not receipt.acknowledges(*(_un(case[name]) for name in ("device", "sender", "content_id"))):
        raise BrokenReceiptError
    fields = plain(case["fields"])
    assert isinstance(fields, tuple)
    assert fields[2:] == (
        receipt.recipient, receipt.sender, receipt.content_id, receipt.time, receipt.commitment,
    )  # fmt: skip
    assert receipt.encoded == _un(case["encoded"])


def check_mailbox(case: Case) -> None:
    secret, today = Secret(_un(case["secret"])), delivery.day_of(case["now"])
    if _un(case["tag"]) not in delivery.mailbox_tags(secret, _un(case["owner"]), today):
        raise NotHoldingError


def check_marks(case: Case) -> None:
    secret, holders = Secret(_un(case["secret"])), _un(case["holders"])
    if not delivery.is_marked(secret, _un(case["identity"]), holders):
        raise NotHoldingError


def check_token(case: Case) -> None:
    held = HeldBlob(bytes(32), 72, _un(case["token_hash"]))
    if delivery.token_hash(_un(case["token"])) != held.token_hash:
        raise GoneError
    assert held == HeldBlob.under(bytes(32), 72, Secret(_un(case["file_key"])))


def check_backup(case: Case) -> None:
    kem, identity = KemKey(Secret(_un(case["recovery_kem_seed"]))), _un(case["identity"])
    found = backup.open_sealed(_un(case["sealed"]), kem, identity)
    assert kem.open(_un(case["info"]), _un(case["sealed"])) == _un(case["plaintext"])
    fields: Any = plain(case["fields"])
    assert (fields[2], fields[4]) == (found.device, found.time)
    assert encoding.encode(found.entry.to_value()) == encoding.encode(fields[5:])


def check_contacts(case: Case) -> None:
    found: list[Opened] = []
    for time, encoded in case["found"]:
        reader = Reader(encoding.decode(_un(encoded), limits.ENVELOPE_BYTES), "backup")
        reader.literal("contacts")
        found.append(Opened(bytes(32), time, ContactsBackup.read(reader)))
    contacts = backup.newest_contacts(found)
    if not contacts:
        raise GoneError
    assert encoding.encode([each.to_value() for each in contacts]) == _un(case["contacts"])


def check_ticket(case: Case) -> None:
    ticket = Ticket.parse(case["text"])
    ticket.check(case["now"])
    assert (ticket.identity, ticket.device) == (_un(case["identity"]), _un(case["device"]))
    assert plain(case["fields"]) == (
        ticket.secret.reveal(), ticket.issued, ticket.expires, ticket.uses, ticket.addresses,
        ticket.relays,
    )  # fmt: skip
    assert ticket.encode() == _un(case["data"])
    assert ticket.ticket_id == _un(case["ticket_id"])
    assert ticket.rendezvous_secret.reveal() == _un(case["rendezvous_secret"])
    assert str(ticket) == "".join(case["text"].split()).replace("\u200b", "").lower()


def check_ticket_tag(case: Case) -> None:
    made = IssuedTicket(b"", Secret(_un(case["secret"])))
    if recognise_ticket([made], _un(case["tag"]), _un(case["exporter"])) is None:
        raise UnknownTicketError


def check_notice(case: Case) -> None:
    secret = Secret(_un(case["pair_secret"]))
    found = rendezvous.Notice.open(_un(case["record"]), secret, _un(case["identity"]), case["now"])
    assert [{"hex": found.device.hex()}, found.issued, list(found.addresses)] == case["fields"]
    assert rendezvous.tag_of(secret, delivery.day_of(found.issued)).hex() == case["tag"]


def check_rendezvous_request(case: Case) -> None:
    assert rendezvous.Request.decode(_un(case["encoded"])).encode().hex() == case["encoded"]


def check_rendezvous_answer(case: Case) -> None:
    assert rendezvous.Answer.decode(_un(case["encoded"])).encode().hex() == case["encoded"]


def check_profile(case: Case) -> None:
    found = Profile.decode(_un(case["data"]), _un(case["peer"]), _un(case["challenge"]))
    assert [list(found.versions), list(found.roles)] == [case["versions"], case["roles"]]
    assert found.encode().hex() == case["data"]


def check_sibling_record(case: Case) -> None:
    found = SiblingRecord.decode(_un(case["encoded"]))
    certificates = Certificates.decode(_un(case["certificates"]))
    found.verify(_un(case["identity"]), certificates)
    fields = plain(case["fields"])
    assert isinstance(fields, tuple)
    assert fields[2:] == (
        found.identity, found.device, found.moment, found.kind, found.subject, found.value,
    )  # fmt: skip
    assert found.encoded.hex() == case["encoded"]


def check_sibling_merge(case: Case) -> None:
    revoked = {_un(device) for device in case["revoked"]}
    records = [SiblingRecord.decode(_un(each)) for each in case["records"]]
    for order in permutations(records):
        ledger = Ledger(
            KeptInMemory(),
            identity=_un(case["identity"]),
            device=bytes(32),
            revoked=revoked.__contains__,
        )
        for record in (*order, *order):  # what is forgotten for a cut is asked for again
            ledger.take(record, case["now"])
            ledger.cut_off()
        for kind, subject, value in case["ends"]:
            found = ledger.value(kind, MERGES[kind], _un(subject))
            assert (found.hex() if found is not None else "gone") == value


def check_device_request(case: Case) -> None:
    found = DeviceRequest.decode(_un(case["encoded"]))
    assert (found.device, found.name) == (_un(case["device"]), case["said"])


def check_device_gift(case: Case) -> None:
    found = Gift.decode(_un(case["encoded"]))
    device = device_of(_un(case["identity"]), found.certificates)
    assert device == _un(case["device"])
    assert (found.secret.generation, found.secret.secret.reveal().hex(), found.name) == (
        case["generation"], case["secret"], case["called"],
    )  # fmt: skip
    assert found.encode() == _un(case["encoded"])


def check_own_secret(case: Case) -> None:
    found = OwnSecret.read(encoding.decode(_un(case["encoded"]), 100))
    one, other = _un(case["one"]), _un(case["other"])
    assert found.listener(bytes(32), one).pair_secret.reveal().hex() == case["listener"]
    assert found.pair(other, one).reveal().hex() == case["pair"]


def check_revocation_ranks(case: Case) -> None:
    standing: Standing | None = None
    for encoded, may_certify in case["lists"]:
        found = RevocationList.decode(_un(encoded))
        found.verify({found.signer: _un(case["identity"])})
        certifier = bool(may_certify)
        standing = (
            Standing.of(found, certifier=certifier)
            if standing is None
            else standing.take(found, certifier=certifier)
        )
    assert standing is not None
    assert all(standing.revokes_device(_un(each)) for each in case["lost"])
    assert not any(standing.revokes_device(_un(each)) for each in case["live"])


CHECKS: dict[str, Callable[[Case], None]] = {
    "frame": check_frame,
    "message": check_message,
    "tags": check_tags,
    "prove": check_prove,
    "code": check_code,
    "papers": check_papers,
    "confirm": check_confirm,
    "capability": check_capability,
    "grant": check_grant,
    "attestation": check_attestation,
    "revocation": check_revocation,
    "record": check_record,
    "metadata": check_metadata,
    "envelope": check_envelope,
    "receipt": check_receipt,
    "mailbox": check_mailbox,
    "marks": check_marks,
    "token": check_token,
    "backup": check_backup,
    "contacts": check_contacts,
    "ticket": check_ticket,
    "ticket-tag": check_ticket_tag,
    "notice": check_notice,
    "rendezvous-request": check_rendezvous_request,
    "rendezvous-answer": check_rendezvous_answer,
    "profile": check_profile,
    "sibling-record": check_sibling_record,
    "sibling-merge": check_sibling_merge,
    "device-request": check_device_request,
    "device-gift": check_device_gift,
    "own-secret": check_own_secret,
    "revocation-ranks": check_revocation_ranks,
}


@pytest.mark.parametrize("case", load(), ids=lambda case: f"{case['op']}: {case['name']}")
def test_a_vector_comes_out_as_it_says(case: Case) -> None:
    check = CHECKS[case["op"]]
    assert (case["expect"] == "success") == (case["class"] == "valid")
    if case["expect"] == "success":
        check(case)
        return
    with pytest.raises(KinlightError) as caught:
        check(case)
    assert caught.value.code == case["expect"]


def test_every_check_has_good_and_bad_vectors() -> None:
    cases = load()
    for op in CHECKS:
        assert {case["expect"] == "success" for case in cases if case["op"] == op} == {True, False}


@pytest.mark.parametrize("generator", GENERATED)
def test_a_generator_writes_the_same_vectors_again(generator: str, tmp_path: Path) -> None:
    command = [sys.executable, str(VECTORS / generator), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    for folder in GENERATED[generator]:
        written = (tmp_path / folder / "vectors.json").read_bytes()
        assert written == (VECTORS / folder / "vectors.json").read_bytes(), folder


def test_a_second_reader_agrees_on_every_grant() -> None:
    judged = [case for case in load() if case["op"] in independent_grants.CHECKS]
    assert len(judged) > 200
    outcomes = {
        f"{case['op']}: {case['name']}": independent_grants.outcome(case) for case in judged
    }
    assert outcomes == {f"{case['op']}: {case['name']}": case["expect"] for case in judged}


def test_the_second_reader_imports_nothing_of_kinlight() -> None:
    source = Path(independent_grants.__file__).read_text("utf-8")
    imported = re.findall(r"^(?:from|import) ([a-z_]+)", source, re.MULTILINE)
    assert "msgpack" in imported
    assert not any(name.startswith("kinlight") for name in imported)
