"""The vectors of the protocol (tests/vectors), through our code and the generator."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceChain
from kinlight.crypto.pairing import Code, Invitation, PairingKey
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.protocol import messages
from kinlight.protocol.capability import Capability, Request
from kinlight.protocol.errors import UnknownPeerError
from kinlight.protocol.framing import FrameReader, frame
from kinlight.protocol.messages import PairChain, PairConfirm, Prove
from kinlight.protocol.opening import (
    ContactOpening,
    LocalDevice,
    PairOpening,
    Pinned,
    recognise,
)
from kinlight.protocol.photo import KINDS, Envelope, Metadata, PhotoRecord

from .people import FixedEntropy, Person

VECTORS = Path(__file__).parents[1] / "vectors"
FOLDERS = ("channel", "pairing", "capability", "record")
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
    assert dataclasses.astuple(message) == plain(case["fields"])  # type: ignore[arg-type]
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


def check_prove(case: Case) -> None:
    role = "listener" if case["prover"] == "dialer" else "dialer"
    contact = Pinned(_un(case["contact"]), Secret(bytes(32)))
    opening = ContactOpening(judge(case["judge"]), role, _un(case["exporter"]), contact)
    chain = opening.check_proof(Prove(_un(case["chain"]), _un(case["signature"])))
    assert chain.identity == contact.identity


class KeyedPairing(PairOpening):
    """The listener's side of a run whose key is given."""

    def __init__(self, case: Case) -> None:
        key, exporter = Secret(_un(case["key"])), _un(case["exporter"])
        invitation = Invitation(bytes(32), key, (), 0)  # a QR secret takes the key's place
        super().__init__(judge(case["judge"]), "listener", exporter, invitation, FixedEntropy())


def check_code(case: Case) -> None:
    code = Code.parse(case["text"])
    assert str(code) == "-".join(case["text"].lower().split()).replace("--", "-")


def check_papers(case: Case) -> None:
    KeyedPairing(case).receive_chain(PairChain(_un(case["sealed"])))


def check_confirm(case: Case) -> None:
    run = KeyedPairing(case)
    run.receive_chain(PairChain(_un(case["sealed"])))
    met = run.receive_confirm(PairConfirm(_un(case["confirmation"]), _un(case["signature"])))
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


CHECKS: dict[str, Callable[[Case], None]] = {
    "frame": check_frame,
    "message": check_message,
    "tags": check_tags,
    "prove": check_prove,
    "code": check_code,
    "papers": check_papers,
    "confirm": check_confirm,
    "capability": check_capability,
    "record": check_record,
    "metadata": check_metadata,
    "envelope": check_envelope,
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


def test_the_generator_writes_the_same_vectors_again(tmp_path: Path) -> None:
    generator = VECTORS / "generate_protocol.py"
    subprocess.run([sys.executable, str(generator), str(tmp_path)], check=True, timeout=60)
    for folder in FOLDERS:
        written = (tmp_path / folder / "vectors.json").read_bytes()
        assert written == (VECTORS / folder / "vectors.json").read_bytes(), folder
