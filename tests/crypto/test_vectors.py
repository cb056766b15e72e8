"""Our own vectors (tests/vectors), through our code, a second reader and the generator."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto import blob, encoding, identity, pairing, wrap
from kinlight.crypto.blob import MAX_CONTENT_BYTES, Kind, Manifest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceChain
from kinlight.crypto.keystore import KeyFile
from kinlight.crypto.pairing import Code, CodeExchange, Invitation, PairingKey
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey

VECTORS = Path(__file__).parents[1] / "vectors"
Vectors = Callable[[str], Any]
Case = dict[str, Any]
_un = bytes.fromhex


def run(case: Case, check: Callable[[Case], None]) -> None:
    """The code of the error that came, or success, must be what the case expects."""
    try:
        check(case)
        outcome = "success"
    except KinlightError as error:
        outcome = error.code
    assert outcome == case["expect"], case["name"]


def readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [readable(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def check_encoding(case: Case) -> None:
    value = encoding.decode(_un(case["encoded"]), 65_536)
    assert readable(value) == case["value"]
    assert encoding.encode(value) == _un(case["encoded"])


def check_identity(case: Case) -> None:
    if "chain" in case:
        chain = DeviceChain.decode(_un(case["chain"]))
        assert chain.identity == _un(case["identity"])
        assert chain.device == _un(case["device"])
        assert hashlib.sha256(chain.kem).hexdigest() == case["kem_sha256"]
        assert chain.kem_not_after == case["kem_not_after"]
    elif "words" in case:
        words = RecoveryWords.parse(case["words"])
        assert SigningKey(words.root_seed()).public == _un(case["identity"])
        kem = wrap.KemKey(words.recovery_kem_seed()).public
        assert hashlib.sha256(kem).hexdigest() == case["recovery_kem_sha256"]
    else:
        key = _un(case["identity"])
        assert identity.fingerprint(key) == case["fingerprint"]
        root = SigningKey(RecoveryWords(Secret(hashlib.shake_256(
            b"kinlight vectors recovery words").digest(32))).root_seed()).public  # fmt: skip
        assert identity.safety_number(key, root) == case["safety_number_with_root"]


def check_keystore(case: Case) -> None:
    file = KeyFile.decode(_un(case["file"]))
    if "passphrase" in case:
        store_key = file.open_with_passphrase(Secret(case["passphrase"].encode()))
    else:
        store_key = file.open_with_recovery_words(RecoveryWords(Secret(_un(case["words_entropy"]))))
    assert store_key == Secret(_un(case["store_key"]))
    assert file.content(store_key) == _un(case["content"])
    assert file.encode() == _un(case["file"])


def check_wrap(case: Case) -> None:
    sealed = _un(case["sealed"])
    if "seed" in case:
        opened = wrap.KemKey(Secret(_un(case["seed"]))).open(_un(case["info"]), sealed)
    else:
        opened = wrap.unwrap(Secret(_un(case["key"])), _un(case["context"]), sealed)
    assert opened == _un(case["plaintext"])


def check_pairing(case: Case) -> None:
    if "words" in case:
        one, two = case["words"].split("-")
        exchange = CodeExchange(
            Code(1, (one, two)),
            dialer=True,
            exporter=_un(case["exporter"]),
            entropy=lambda _: _un(case["dialer_entropy"]),
        )
        assert exchange.message == _un(case["dialer_message"])
        assert exchange.finish(_un(case["listener_message"])) == Secret(_un(case["key"]))
    elif "text" in case:
        invitation = Invitation.parse(case["text"])
        assert invitation.expects(_un(case["identity"]))
        assert invitation.identity_hash == _un(case["identity_hash"])
        assert invitation.secret == Secret(_un(case["secret"]))
        assert list(invitation.addresses) == case["addresses"]
        assert invitation.expires == case["expires"]
    else:
        exporter = _un(case["exporter"])
        key = PairingKey(Secret(_un(case["key"])), exporter)
        digests = _un(case["dialer_chain_digest"]), _un(case["listener_chain_digest"])
        for role, dialer in (("dialer", True), ("listener", False)):
            confirmation = key.confirmation(*digests, dialer=dialer)
            assert confirmation == _un(case[f"{role}_confirmation"])
            chain = key.open_chain(_un(case[f"sealed_by_{role}"]), dialer=dialer)
            assert chain == _un(case["chain"])
        pair_secret = key.pair_secret(*map(_un, case["identities"]))
        assert pair_secret == Secret(_un(case["pair_secret"]))
        assert pairing.dial_tag(pair_secret, exporter) == _un(case["dial_tag"])
        assert pairing.accept_tag(pair_secret, exporter) == _un(case["accept_tag"])


@pytest.mark.parametrize(
    ("folder", "check"),
    [
        ("encoding", check_encoding),
        ("identity", check_identity),
        ("keystore", check_keystore),
        ("wrap", check_wrap),
        ("pairing-derivations", check_pairing),
    ],
)
def test_our_vectors_come_out_as_they_say(
    own_vectors: Vectors, folder: str, check: Callable[[Case], None]
) -> None:
    cases = own_vectors(f"{folder}/vectors.json")
    assert {case["expect"] == "success" for case in cases} == {True, False}
    for case in cases:
        run(case, check)


def blob_case(path: Path) -> tuple[dict[str, str], bytes]:
    header, _, ciphertext = path.read_bytes().partition(b"\n\n")
    return dict(line.split(": ", 1) for line in header.decode().splitlines()), ciphertext


BLOBS = sorted((VECTORS / "blob").iterdir())


def verdict_on_blob(fields: dict[str, str], ciphertext: bytes) -> str:
    try:
        manifest = Manifest.decode(_un(fields["manifest"]), _un(fields["content-id"]))
        for index in range(manifest.pieces):
            offset = blob.piece_offset(index)
            end = offset + blob.PIECE_BYTES
            manifest.check_piece(index, ciphertext[offset:end])
        sink = io.BytesIO()
        key, kind = Secret(_un(fields["key"])), Kind(int(fields["kind"]))
        source, photo_id = io.BytesIO(ciphertext), _un(fields["photo-id"])
        length = blob.unseal(source, sink, key, kind, photo_id, MAX_CONTENT_BYTES)
    except KinlightError as error:
        return error.code
    return f"success {length} {hashlib.sha256(sink.getvalue()).hexdigest()}"


def expected(fields: dict[str, str]) -> str:
    if fields["expect"] != "success":
        return fields["expect"]
    return f"success {fields['content-length']} {fields['content-sha256']}"


@pytest.mark.parametrize("path", BLOBS, ids=lambda path: path.name)
def test_our_blobs_open_or_are_refused_as_they_say(path: Path) -> None:
    fields, ciphertext = blob_case(path)
    assert fields["format"] == "kinlight blob vector 1"
    assert verdict_on_blob(fields, ciphertext) == expected(fields)


def test_a_reader_written_from_the_page_alone_comes_to_the_same_verdicts() -> None:
    reader = Path(__file__).with_name("independent_blob.py")
    assert "import kinlight" not in reader.read_text()
    assert "from kinlight" not in reader.read_text()
    run = subprocess.run(
        [sys.executable, "-I", str(reader), str(VECTORS / "blob")],
        check=True,
        capture_output=True,
        text=True,
    )
    verdicts = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert verdicts == {path.name: expected(blob_case(path)[0]) for path in BLOBS}


def test_the_generator_writes_the_same_vectors_again(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(VECTORS / "generate.py"), str(tmp_path)], check=True, timeout=60
    )
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == len(BLOBS) + 5
    for path in written:
        assert (tmp_path / path).read_bytes() == (VECTORS / path).read_bytes(), path
