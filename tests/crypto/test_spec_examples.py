"""The example bytes on the pages of docs/spec are what the code makes."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from kinlight.crypto import blob, encoding, identity, wrap
from kinlight.crypto.blob import Kind, Manifest, padme
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.keystore import Argon2Cost, KeyFile
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey

SPEC = Path(__file__).parents[2] / "docs" / "spec"
Example = dict[str, str]
_un = bytes.fromhex


def example_of(page: str) -> Example:
    """The `name = value` lines of the page's example block."""
    _, _, rest = (SPEC / page).read_text("utf-8").partition("\n```example\n")
    block, _, _ = rest.partition("\n```\n")
    pairs = (line.rsplit(" = ", 1) for line in block.splitlines())
    return {name.strip(): value for name, value in pairs}


def encoding_page(example: Example) -> Example:
    key, domain = SigningKey(Secret(_un(example["seed"]))), example["domain"].encode()
    signed = key.sign_value(domain, [1, "example", b"\x00\xff", [300, "tä"]])
    assert signed.read(key.public, domain)
    return {
        "public": key.public.hex(),
        "body": signed.body.hex(),
        "signature": signed.signature.hex(),
        "encoded": signed.encode().hex(),
        "digest": signed.digest().hex(),
    }


def identity_page(example: Example) -> Example:
    words = RecoveryWords(Secret(_un(example["entropy"])))
    root, device = SigningKey(words.root_seed()), SigningKey(Secret(_un(example["device seed"])))
    certificate = DeviceCertificate.issue(
        root, root.public, device.public, not_before=1_700_000_000, seq=1, may_certify=False
    )
    zeros = "00" * 32
    return {
        "words": words.phrase(),
        "root seed": words.root_seed().reveal().hex(),
        "identity": root.public.hex(),
        "fingerprint": identity.fingerprint(root.public),
        f"safety number with {zeros}": identity.safety_number(root.public, _un(zeros)),
        "device": device.public.hex(),
        "device certificate body (not_before 1700000000, seq 1, may_certify 0)": (
            certificate.signed.body.hex()
        ),
        "signature": certificate.signed.signature.hex(),
    }


def cobblestone(key: bytes, context: bytes, salt: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """The derived bytes, and the ciphertext of less than a chunk, with a salt of one's own."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    okm = HKDFExpand(SHA512(), 76, info).derive(key)
    return okm, salt + okm[44:] + AESGCM(okm[:32]).encrypt(okm[32:44], plaintext, None)


def blob_page(example: Example) -> Example:
    key, photo_id, content = (_un(example[name]) for name in ("file key", "photo id", "content"))
    kind = Kind(int(example["kind"]))
    plaintext = len(content).to_bytes(8) + content
    plaintext += bytes(padme(len(plaintext)) - len(plaintext))
    context = b"kinlight/pb1\x00" + bytes([kind]) + photo_id
    okm, ciphertext = cobblestone(key, context, _un(example["salt"]), plaintext)
    sink = io.BytesIO()
    blob.unseal(io.BytesIO(ciphertext), sink, Secret(key), kind, photo_id, 100)
    assert sink.getvalue() == content
    piece = hashlib.sha256(ciphertext[56:]).digest()
    manifest = Manifest(len(ciphertext), ciphertext[:56], piece)
    assert Manifest.decode(manifest.encode(), manifest.content_id) == manifest
    return {
        "plaintext": plaintext.hex(),
        "okm": okm.hex(),
        "ciphertext": ciphertext.hex(),
        "manifest": manifest.encode().hex(),
        "content id": manifest.content_id.hex(),
    }


def wrap_page(example: Example) -> Example:
    public = wrap.KemKey(Secret(_un(example["seed"]))).public
    key, plaintext = _un(example["key"]), _un(example["plaintext"])
    context = example["context"].encode()
    _, wrapped = cobblestone(key, context, _un(example["salt"]), plaintext)
    assert wrap.unwrap(Secret(key), context, wrapped) == plaintext
    return {
        "SHA-256 of public": hashlib.sha256(public).hexdigest(),
        "X25519 part of public": public[1184:].hex(),
        "wrapped": wrapped.hex(),
    }


def keystore_page(example: Example) -> Example:
    store_key, salt = Secret(_un(example["store key"])), _un(example["salt"])
    passphrase = Secret(example["pass phrase"].encode())
    memory, passes, lanes = map(int, example["cost"].strip("[]").split(", "))
    file, _ = KeyFile.create(b"", lambda _: store_key.reveal())
    file = file.with_passphrase(
        store_key, passphrase, lambda _: salt, Argon2Cost(memory, passes, lanes)
    )
    assert file.open_with_passphrase(passphrase) == store_key
    covered = encoding.encode([1, "keys", [], b"\x00"])
    context = b"kinlight/slot1\x00passphrase"
    slot_key = Secret(_un(example["slot key"]))
    assert wrap.unwrap(slot_key, context, file.slots[0].wrapped) == store_key.reveal()
    mac_key = store_key.derive(b"mac").reveal()
    return {
        'K("content")': store_key.derive(b"content").reveal().hex(),
        'K("mac")': mac_key.hex(),
        "mac of no slots and sealed = h'00'": hmac.digest(mac_key, covered, "sha256").hex(),
    }


@pytest.mark.parametrize(
    ("page", "make"),
    [
        ("encoding.md", encoding_page),
        ("identity.md", identity_page),
        ("blob.md", blob_page),
        ("wrap.md", wrap_page),
        ("keystore.md", keystore_page),
    ],
)
def test_the_example_on_the_page_is_what_the_code_makes(
    page: str, make: Callable[[Example], Example]
) -> None:
    example = example_of(page)
    assert "?" not in example.values()
    made = make(example)
    assert made == {name: example[name] for name in made}
