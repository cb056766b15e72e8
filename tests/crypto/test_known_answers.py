"""Vectors of others, through our own functions where they fit and the primitive below where not.

Not run: age's test kit (kinlight has no age files), the RFC 9180 file (another KEM, and an AAD that
the public API lacks), Cobblestone-128, ChaCha20- and XChaCha20-Poly1305 (not used).
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl as rust_openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kinlight.crypto import signing, wrap
from kinlight.crypto.errors import BadSignatureError, MalformedError, SealBrokenError
from kinlight.crypto.secret import Secret

Vectors = Callable[[str], Any]
_un = bytes.fromhex


def cases(document: Any) -> Iterator[tuple[Any, Any]]:
    for group in document["testGroups"]:
        for test in group["tests"]:
            yield group, test


def test_wrap_opens_the_valid_cobblestone_messages_and_no_other(external: Vectors) -> None:
    ran = 0
    for _, test in cases(external("wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json")):
        key, context = Secret(_un(test["key"])), _un(test["ctx"])
        sealed = zlib.decompress(_un(test["ct"]))
        if test["result"] == "valid":
            opened = wrap.unwrap(key, context, sealed)
            assert len(opened) == test["msgLength"]
            assert hashlib.sha512(opened).hexdigest() == test["msgSha512"]
        else:
            expected = ValueError if "InvalidKeySize" in test["flags"] else SealBrokenError
            with pytest.raises(expected):
                wrap.unwrap(key, context, sealed)
        ran += 1
    assert ran == 35


@pytest.mark.parametrize("portion", [1009, 16_399, 16_401, 262_400])
def test_cobblestone_streams_only_the_valid_prefix(external: Vectors, portion: int) -> None:
    for _, test in cases(external("wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json")):
        if "InvalidKeySize" in test["flags"]:
            continue
        sealed = zlib.decompress(_un(test["ct"]))
        decryptor = Cobblestone256Decryptor(_un(test["key"]), context=_un(test["ctx"]))
        opened, failed = bytearray(), False
        try:
            for start in range(0, len(sealed), portion):
                opened += decryptor.update(sealed[start : start + portion])
            opened += decryptor.finalize()
        except InvalidTag:
            failed = True
        assert failed == (test["result"] == "invalid"), test["comment"]
        # A portion that holds the bad chunk gives nothing at all: less than the prefix is fine.
        if not failed:
            assert hashlib.sha512(opened).hexdigest() == test["msgSha512"]
        elif len(opened) == test.get("msgLength", 0):
            assert hashlib.sha512(opened).hexdigest() == test.get(
                "msgSha512", hashlib.sha512().hexdigest()
            )
        else:
            assert len(opened) < test.get("msgLength", 0), test["comment"]


def test_aes_gcm_agrees_with_wycheproof(external: Vectors) -> None:
    ran = 0
    for group, test in cases(external("wycheproof/aes_gcm_test.json")):
        nonce = _un(test["iv"])
        if group["tagSize"] != 128 or not 8 <= len(nonce) <= 128:
            continue  # shapes that AESGCM never takes
        aead = AESGCM(_un(test["key"]))
        sealed, aad = _un(test["ct"] + test["tag"]), _un(test["aad"])
        if test["result"] == "valid":
            assert aead.decrypt(nonce, sealed, aad) == _un(test["msg"])
            assert aead.encrypt(nonce, _un(test["msg"]), aad) == sealed
        else:
            with pytest.raises(InvalidTag):
                aead.decrypt(nonce, sealed, aad)
        ran += 1
    assert ran > 250


def accepts(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        signing.verify_bytes(public, message, signature)
    except BadSignatureError:
        return False
    return True


def test_our_verifier_agrees_with_wycheproof(external: Vectors) -> None:
    ran = 0
    for group, test in cases(external("wycheproof/ed25519_test.json")):
        public = _un(group["publicKey"]["pk"])
        verdict = accepts(public, _un(test["msg"]), _un(test["sig"]))
        assert verdict == (test["result"] == "valid"), test["comment"]
        ran += 1
    assert ran == 151


def test_our_verdicts_on_the_edge_cases_of_ed25519_are_these(external: Vectors) -> None:
    document = external("ed25519/ed25519vectors.json")
    assert len(document) == 914
    accepted = [
        test
        for test in document
        if accepts(_un(test["key"]), test["msg"].encode(), _un(test["sig"]))
    ]
    assert [test["number"] for test in accepted] == ACCEPTED_EDGE_CASES
    # What is left are points with a part of small order in canonical form, where the plain
    # equation holds: such keys are refused where they come in, by `check_public_key`.
    for test in accepted:
        assert not set(test["flags"] or ()) & {
            "low_order_A",
            "low_order_R",
            "non_canonical_A",
            "non_canonical_R",
            "low_order_residue",
        }


# fmt: off
ACCEPTED_EDGE_CASES = [
    7, 29, 50, 117, 139, 161, 182, 249, 305, 411, 425, 438, 465, 473, 481,
    489, 497, 511, 525, 538, 565, 573, 581, 589, 597, 611, 625, 638, 665, 673,
    681, 689, 697, 711, 725, 738, 765, 773, 781, 789, 797, 832, 899,
]
# fmt: on


def test_keys_of_small_or_mixed_order_are_refused_where_they_come_in(external: Vectors) -> None:
    for test in external("ed25519/ed25519vectors.json"):
        strange = {"low_order_A", "low_order_component_A", "non_canonical_A"}
        if strange & set(test["flags"] or ()):
            with pytest.raises(MalformedError):
                signing.check_public_key(_un(test["key"]))
        else:
            assert signing.check_public_key(_un(test["key"]))


@pytest.mark.parametrize(
    ("name", "algorithm", "count"),
    [("hkdf_sha256_test", SHA256(), 86), ("hkdf_sha512_test", SHA512(), 83)],
)
def test_hkdf_agrees_with_wycheproof(
    external: Vectors, name: str, algorithm: HashAlgorithm, count: int
) -> None:
    ran = without_salt = 0
    for _, test in cases(external(f"wycheproof/{name}.json")):
        ikm, salt, info = _un(test["ikm"]), _un(test["salt"]), _un(test["info"])
        if test["result"] == "valid":
            okm = HKDF(algorithm, test["size"], salt=salt, info=info).derive(ikm)
            assert okm == _un(test["okm"])
            if isinstance(algorithm, SHA256) and not salt:
                assert Secret(ikm).derive(info, test["size"]).reveal() == okm
                without_salt += 1
        else:
            with pytest.raises(ValueError, match="larger than"):
                HKDF(algorithm, test["size"], salt=salt, info=info)
        ran += 1
    assert ran == count
    assert without_salt > 5 or isinstance(algorithm, SHA512)


def test_hmac_agrees_with_wycheproof(external: Vectors) -> None:
    ran = 0
    for group, test in cases(external("wycheproof/hmac_sha256_test.json")):
        tag = hmac.digest(_un(test["key"]), _un(test["msg"]), "sha256")[: group["tagSize"] // 8]
        verdict = hmac.compare_digest(tag, _un(test["tag"]))
        assert verdict == (test["result"] == "valid")
        ran += 1
    assert ran == 174


def test_x25519_agrees_with_wycheproof_and_refuses_an_all_zero_secret(external: Vectors) -> None:
    ran = 0
    for _, test in cases(external("wycheproof/x25519_test.json")):
        private = X25519PrivateKey.from_private_bytes(_un(test["private"]))
        public = X25519PublicKey.from_public_bytes(_un(test["public"]))
        if "ZeroSharedSecret" in test["flags"]:
            with pytest.raises(ValueError, match="shared key"):
                private.exchange(public)
        else:
            assert private.exchange(public) == _un(test["shared"])
        ran += 1
    assert ran == 518


def test_ml_kem_public_keys_of_wycheproof_are_taken(shared: Vectors) -> None:
    # Its private keys are in the expanded form, which the library doesn't take: ours are seeds.
    # Decapsulation runs under the X-Wing vectors below.
    document = shared("wycheproof/mlkem_768_semi_expanded_decaps_test.json")
    keys = [_un(test["ek"]) for _, test in cases(document) if test["result"] == "valid"]
    assert len(keys) == 3
    for key in keys:
        assert wrap.check_public_key(
            key + X25519PrivateKey.generate().public_key().public_bytes_raw()
        )


def test_kem_keys_are_those_of_the_x_wing_draft(shared: Vectors) -> None:
    document = shared("xwing/test-vectors.json")
    assert len(document) == 3
    for test in document:
        seed = Secret(_un(test["seed"]))
        assert wrap.KemKey(seed).public == _un(test["pk"])
        # Its shared secret by the draft's combiner over the parts that KemKey is made of.
        expanded = hashlib.shake_256(seed.reveal()).digest(96)
        ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        sealed = _un(test["ct"])
        point = sealed[1088:]
        shared_secret = hashlib.sha3_256(
            ml_kem.decapsulate(sealed[:1088])
            + x25519.exchange(X25519PublicKey.from_public_bytes(point))
            + point
            + x25519.public_key().public_bytes_raw()
            + b"\\.//^\\"
        ).digest()
        assert shared_secret == _un(test["ss"])


def test_hybrid_hpke_opens_the_vectors_of_the_draft(shared: Vectors) -> None:
    # The draft has our KEM with ChaCha20-Poly1305 alone, and its messages carry an AAD, which only
    # a private function takes: it runs here, nowhere in kinlight.
    decrypt = rust_openssl.hpke._decrypt_with_aad  # pyright: ignore[reportPrivateUsage]
    kdfs = {0x0001: hpke.KDF.HKDF_SHA256, 0x0011: hpke.KDF.SHAKE256}
    ran = 0
    for test in shared("hpke-pq/test-vectors.json"):
        if test["kem_id"] != 0x647A:
            continue
        assert test["aead_id"] == 0x0003
        suite = hpke.Suite(
            hpke.KEM.MLKEM768_X25519, kdfs[test["kdf_id"]], hpke.AEAD.CHACHA20_POLY1305
        )
        key = wrap.KemKey(Secret(_un(test["skRm"])))
        assert key.public == _un(test["pkRm"])
        first = test["encryptions"][0]  # single-shot HPKE is the first message of a context
        opened = decrypt(
            suite,
            _un(test["enc"] + first["ct"]),
            key._key,  # pyright: ignore[reportPrivateUsage]
            _un(test["info"]),
            _un(first["aad"]),
        )
        assert opened == _un(first["pt"])
        ran += 1
    assert ran == 2
