"""Writes our own vectors: `python tests/vectors/generate.py [FOLDER]` (by default, this folder).

It follows docs/spec alone and imports nothing of kinlight, so that the vectors prove the pages as
well as the code. Every key and salt is fixed and two runs give the same bytes, but for what is
sealed by HPKE: the library draws its randomness, so those cases are kept from the files that are
there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from mnemonic import Mnemonic
from nacl.signing import SigningKey
from spake2 import SPAKE2_A, SPAKE2_B

HERE = Path(__file__).parent
CHUNK = 16 * 1024
TAG = 16
PIECE = 16 * (CHUNK + TAG)
FOREVER = 2**63 - 1

Value: TypeAlias = "int | bytes | str | Sequence[Value]"
Case: TypeAlias = dict[str, Any]


def encode(value: Value) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def fixed(label: str, length: int = 32) -> bytes:
    """The bytes that stand for random ones."""
    return hashlib.shake_256(b"kinlight vectors " + label.encode()).digest(length)


def hkdf(key: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=info).derive(key)


def cobblestone(key: bytes, context: bytes, salt: bytes, plaintext: bytes) -> bytes:
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    okm = HKDFExpand(SHA512(), 32 + 12 + 32, info).derive(key)
    aead, nonce, commitment = AESGCM(okm[:32]), int.from_bytes(okm[32:44]), okm[44:]
    return b"".join(
        [
            salt,
            commitment,
            *(
                aead.encrypt((nonce ^ index).to_bytes(12), plaintext[index * CHUNK :][:CHUNK], None)
                for index in range(len(plaintext) // CHUNK + 1)
            ),
        ]
    )


def wrap(key: bytes, context: bytes, plaintext: bytes, label: str) -> bytes:
    return cobblestone(key, context, fixed(f"salt {label}", 24), plaintext)


def x_wing(seed: bytes) -> tuple[hpke.MLKEM768X25519PrivateKey, bytes]:
    expanded = hashlib.shake_256(seed).digest(96)
    ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(ml_kem, x25519), public


def write_json(folder: Path, what: str, about: str, cases: list[Case]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"format": f"kinlight {what} vectors 1", "about": about, "cases": cases}
    (folder / "vectors.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


# encoding


def readable(value: Value) -> Any:
    """JSON has no byte strings: they become {"hex": …}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, int | str):
        return value
    return [readable(item) for item in value]


def encoding_vectors() -> list[Case]:
    deep: Value = []
    for _ in range(7):
        deep = [deep]
    good: dict[str, Value] = {
        "empty array": [],
        "small integers": [0, 1, 127],
        "integers at each border": [
            128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1,
        ],
        "bytes at each border": [b"", b"a" * 255, b"a" * 256],
        "text at each border": ["", "a" * 31, "a" * 32, "a" * 255, "a" * 256],
        "text beyond ASCII": ["tä🌱"],
        "array of 15 and of 16": [[0] * 15, [0] * 16],
        "eight arrays deep": deep,
    }  # fmt: skip
    bad = {
        "nothing": ("truncated", ""),
        "cut array": ("truncated", "9201"),
        "cut bytes": ("truncated", "91c40361"),
        "array of four billion items": ("truncated", "ddffffffff"),
        "trailing byte": ("trailing data", "910100"),
        "no array at the top": ("wrong type", "07"),
        "nil": ("wrong type", "91c0"),
        "true": ("wrong type", "91c3"),
        "float": ("wrong type", "91cb3ff0000000000000"),
        "map": ("wrong type", "9181a16101"),
        "map with a key twice": ("wrong type", "9182a16101a16102"),
        "extension": ("wrong type", "91d40100"),
        "timestamp": ("wrong type", "91d6ff00000000"),
        "minus one": ("negative", "91ff"),
        "negative of 64 bits": ("negative", "91d3ffffffffffffffff"),
        "one in nine bits": ("not minimal", "91cc01"),
        "signed form of one": ("not minimal", "91d001"),
        "255 in 16 bits": ("not minimal", "91cd00ff"),
        "text with a long length": ("not minimal", "91d90161"),
        "bytes with a long length": ("not minimal", "91c5000161"),
        "array with a long length": ("not minimal", "dc000101"),
        "surrogate": ("not UTF-8", "91a3eda080"),
        "overlong UTF-8": ("not UTF-8", "91a2c0af"),
        "nine arrays deep": ("too deep", "91" + encode(deep).hex()),
        "4,097 items": ("too long", encode([[0] * 4097]).hex()),
    }
    return [
        {"name": name, "class": "valid", "expect": "success", "encoded": encode(value).hex(),
         "value": readable(value)}
        for name, value in good.items()
    ] + [
        {"name": name, "class": kind, "expect": "malformed", "encoded": data}
        for name, (kind, data) in bad.items()
    ]  # fmt: skip


# identity

ENTROPY = fixed("recovery words")
ROOT = SigningKey(hkdf(ENTROPY, b"kinlight/root1"))
PHONE = SigningKey(fixed("phone"))
LAPTOP = SigningKey(fixed("laptop"))
TABLET = SigningKey(fixed("tablet"))
STRANGER = SigningKey(fixed("stranger"))
RECOVERY_KEM = x_wing(hkdf(ENTROPY, b"kinlight/recovery-kem1"))[1]
DEVICE_KEM = x_wing(fixed("device kem"))[1]


def public(key: SigningKey) -> bytes:
    return bytes(key.verify_key)


def sign(key: SigningKey, domain: bytes, body: Value) -> list[Value]:
    encoded = encode(body)
    message = domain + b"\x00" + hashlib.sha256(encoded).digest()
    return [encoded, key.sign(message).signature]


def identity_certificate(key: SigningKey = ROOT) -> Value:
    return sign(key, b"kinlight/identity1", [1, "id", public(key), RECOVERY_KEM])


def device_certificate(
    issuer: SigningKey,
    device: SigningKey,
    *,
    may_certify: int = 0,
    identity: bytes | None = None,
    domain: bytes = b"kinlight/device1",
    signer: SigningKey | None = None,
) -> Value:
    body: Value = [
        1, "dev", identity or public(ROOT), public(issuer), public(device), 1_700_000_000, 1,
        may_certify,
    ]  # fmt: skip
    return sign(signer or issuer, domain, body)


def kem_statement(device: SigningKey, kem: bytes = DEVICE_KEM) -> Value:
    return sign(device, b"kinlight/kem1", [1, "kem", public(device), kem, FOREVER])


LUHN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def fingerprint(identity: bytes) -> str:
    digest = hashlib.sha256(b"kinlight/fp1\x00" + identity).digest()
    digits = base64.b32encode(digest).decode()[:52]
    checked = ""
    for start in range(0, 52, 13):
        total = 0
        for place, digit in enumerate(digits[start : start + 13]):
            doubled = LUHN.index(digit) * (1 + (place + 1) % 2)
            total += doubled // 32 + doubled % 32
        checked += digits[start : start + 13] + LUHN[-total % 32]
    return "-".join(checked[start : start + 7] for start in range(0, 56, 7))


def safety_number(one: bytes, other: bytes) -> str:
    halves: list[str] = []
    for identity in (one, other):
        digest = b"kinlight/safety1\x00" + identity
        for _ in range(5200):
            digest = hashlib.sha512(digest + identity).digest()
        halves.append(
            "".join(
                f"{int.from_bytes(digest[start : start + 5]) % 100_000:05d}"
                for start in range(0, 30, 5)
            )
        )
    digits = "".join(sorted(halves))
    return " ".join(digits[start : start + 5] for start in range(0, 60, 5))


def identity_vectors() -> list[Case]:
    phone = device_certificate(ROOT, PHONE)
    certifier = device_certificate(ROOT, PHONE, may_certify=1)
    good = {
        "one device": [identity_certificate(), [phone], kem_statement(PHONE)],
        "two devices deep": [
            identity_certificate(),
            [certifier, device_certificate(PHONE, LAPTOP)],
            kem_statement(LAPTOP),
        ],
    }
    one = encode(good["one device"])
    flipped = bytearray(one)
    flipped[-1] ^= 1
    small_order = bytes.fromhex("ec" + "ff" * 30 + "7f")
    refused: list[tuple[str, str, str, list[Value]]] = [
            ("no device", "broken chain", "bad-certificate",
             [identity_certificate(), [], kem_statement(ROOT)]),
            ("another root", "broken chain", "bad-certificate",
             [identity_certificate(STRANGER), [phone], kem_statement(PHONE)]),
            ("certified by a stranger", "broken chain", "bad-certificate",
             [identity_certificate(), [device_certificate(STRANGER, PHONE)], kem_statement(PHONE)]),
            ("signed by a stranger", "bad signature", "bad-certificate",
             [identity_certificate(), [device_certificate(ROOT, PHONE, signer=STRANGER)],
              kem_statement(PHONE)]),
            ("for another identity", "broken chain", "bad-certificate",
             [identity_certificate(),
              [device_certificate(ROOT, PHONE, identity=public(STRANGER))], kem_statement(PHONE)]),
            ("a device that may not certify", "broken chain", "bad-certificate",
             [identity_certificate(), [phone, device_certificate(PHONE, LAPTOP)],
              kem_statement(LAPTOP)]),
            ("certificates in the wrong order", "broken chain", "bad-certificate",
             [identity_certificate(), [device_certificate(PHONE, LAPTOP), certifier],
              kem_statement(LAPTOP)]),
            ("three devices deep", "too deep", "malformed",
             [identity_certificate(),
              [certifier, device_certificate(PHONE, LAPTOP, may_certify=1),
               device_certificate(LAPTOP, TABLET)], kem_statement(TABLET)]),
            ("KEM key of another device", "broken chain", "bad-certificate",
             [identity_certificate(), [phone], kem_statement(LAPTOP)]),
            ("KEM key that is none", "bad key", "malformed",
             [identity_certificate(), [phone], kem_statement(PHONE, b"\xff" * 1216)]),
            ("device key of small order", "bad key", "malformed",
             [identity_certificate(),
              [sign(ROOT, b"kinlight/device1",
                    [1, "dev", public(ROOT), public(ROOT), small_order, 1_700_000_000, 1, 0])],
              kem_statement(PHONE)]),
            ("signed as another type", "wrong domain", "bad-certificate",
             [identity_certificate(), [device_certificate(ROOT, PHONE, domain=b"kinlight/kem1")],
              kem_statement(PHONE)]),
            ("flag of two", "bad field", "malformed",
             [identity_certificate(), [device_certificate(ROOT, PHONE, may_certify=2)],
              kem_statement(PHONE)]),
            ("papers swapped", "bad field", "malformed",
             [kem_statement(PHONE), [phone], identity_certificate()]),
    ]  # fmt: skip
    bad = {name: (kind, expect, encode(value)) for name, kind, expect, value in refused}
    bad["last byte changed"] = ("bad signature", "bad-certificate", bytes(flipped))
    bad["cut"] = ("truncated", "malformed", one[:-1])
    bad["trailing byte"] = ("trailing data", "malformed", one + b"\x00")
    root = {
        "entropy": ENTROPY.hex(),
        "words": Mnemonic("english").to_mnemonic(ENTROPY),
        "identity": public(ROOT).hex(),
        "recovery_kem_sha256": hashlib.sha256(RECOVERY_KEM).hexdigest(),
    }
    return [
        {"name": "from the recovery words", "class": "valid", "expect": "success", **root},
        *(
            {"name": name, "class": "valid", "expect": "success", "chain": encode(value).hex(),
             "identity": public(ROOT).hex(), "device": public(device).hex(),
             "kem_sha256": hashlib.sha256(DEVICE_KEM).hexdigest(), "kem_not_after": FOREVER}
            for (name, value), device in zip(good.items(), (PHONE, LAPTOP), strict=True)
        ),
        *(
            {"name": name, "class": kind, "expect": expect, "chain": data.hex()}
            for name, (kind, expect, data) in bad.items()
        ),
        *(
            {"name": f"shown of {key.hex()[:8]}", "class": "valid", "expect": "success",
             "identity": key.hex(), "fingerprint": fingerprint(key),
             "safety_number_with_root": safety_number(key, public(ROOT))}
            for key in (public(STRANGER), bytes(32), bytes(range(32)))
        ),
    ]  # fmt: skip


# blob


def padme(length: int) -> int:
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def padded(content: bytes) -> bytes:
    plaintext = len(content).to_bytes(8) + content
    return plaintext + bytes(padme(len(plaintext)) - len(plaintext))


FILE_KEY = fixed("file key")
PHOTO_ID = fixed("photo id", 16)


def context(kind: int = 1, photo_id: bytes = PHOTO_ID) -> bytes:
    return b"kinlight/pb1\x00" + bytes([kind]) + photo_id


def manifest(ciphertext: bytes) -> bytes:
    body = ciphertext[56:]
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
    hashes = b"".join(hashlib.sha256(piece).digest() for piece in pieces)
    return len(ciphertext).to_bytes(8) + ciphertext[:56] + hashes


def content_id(encoded_manifest: bytes) -> bytes:
    return hashlib.sha256(b"kinlight/cid1\x00" + encoded_manifest).digest()


def write_blob(
    folder: Path,
    name: str,
    kind_of_case: str,
    expect: str,
    ciphertext: bytes,
    *,
    key: bytes = FILE_KEY,
    kind: int = 1,
    photo_id: bytes = PHOTO_ID,
    content: bytes | None = None,
    named: bytes | None = None,
    identifier: bytes | None = None,
) -> None:
    """One file: a header of lines, an empty line, the ciphertext."""
    named = manifest(ciphertext) if named is None else named
    lines = {
        "format": "kinlight blob vector 1",
        "class": kind_of_case,
        "expect": expect,
        "key": key.hex(),
        "kind": str(kind),
        "photo-id": photo_id.hex(),
        "content-id": (identifier or content_id(named)).hex(),
        "manifest": named.hex(),
    }
    if content is not None:
        lines["content-length"] = str(len(content))
        lines["content-sha256"] = hashlib.sha256(content).hexdigest()
    header = "".join(f"{name}: {value}\n" for name, value in lines.items())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name.replace(" ", "-")).write_bytes(header.encode() + b"\n" + ciphertext)


def blob_vectors(folder: Path) -> None:
    def seal(name: str, plaintext: bytes, kind: int = 1) -> bytes:
        return cobblestone(FILE_KEY, context(kind), fixed(f"salt {name}", 24), plaintext)

    good = {
        "empty": b"",
        "one byte": b"K",
        "ends before a chunk border": fixed("a", CHUNK - 8 - 512),
        "ends at a chunk border": fixed("b", CHUNK - 8),
        "ends after a chunk border": fixed("c", CHUNK - 7),
        "ends at a piece border": fixed("d", 16 * CHUNK - 8),
    }
    for name, content in good.items():
        write_blob(folder, name, "valid", "success", seal(name, padded(content)), content=content)
    content = fixed("m", 100)
    write_blob(
        folder, "metadata", "valid", "success", seal("metadata", padded(content), 2),
        kind=2, content=content,
    )  # fmt: skip
    content = fixed("r", 100)
    write_blob(
        folder, "rendition", "valid", "success", seal("rendition", padded(content), 3),
        kind=3, content=content,
    )  # fmt: skip

    content = fixed("e", 2 * CHUNK + 3000)
    whole = seal("bad", padded(content))
    sealed = CHUNK + TAG
    head, body = whole[:56], whole[56:]
    first, second, rest = body[:sealed], body[sealed : 2 * sealed], body[2 * sealed :]

    def bad(name: str, kind_of_case: str, ciphertext: bytes, **other: Any) -> None:
        write_blob(folder, name, kind_of_case, "seal-broken", ciphertext, **other)

    bad("wrong key", "wrong key", whole, key=fixed("another key"))
    bad("wrong kind", "wrong context", whole, kind=2)
    bad("original as a rendition", "wrong context", whole, kind=3)
    bad("wrong photo", "wrong context", whole, photo_id=fixed("another photo", 16))
    bad("cut at the first chunk border", "truncated", head + first)
    bad("cut at the last chunk border", "truncated", head + first + second)
    bad("cut by a byte", "truncated", whole[:-1])
    bad("last chunk gone from two", "truncated", head + first + second[:TAG])
    bad("longer by a byte", "trailing data", whole + b"\x00")
    bad("last chunk twice", "trailing data", whole + rest)
    bad("chunks swapped", "reordered", head + second + first + rest)
    bad("chunk repeated", "reordered", head + first + first + rest)
    bad("chunk left out", "reordered", head + first + rest)
    for name, position in (("salt", 0), ("commitment", 24), ("chunk", 56), ("tag", 56 + CHUNK)):
        changed = bytearray(whole)
        changed[position] ^= 1
        bad(f"changed {name}", "changed", bytes(changed))

    def inside(name: str, plaintext: bytes) -> None:
        bad(name, "plaintext", seal(name, plaintext))

    inside("no length", b"")
    inside("cut length", bytes(7))
    inside("length beyond the end", (101).to_bytes(8) + bytes(100))
    inside("absurd length", b"\xff" * 8 + bytes(104))
    inside("padding not zero", (100).to_bytes(8) + b"x" * 100 + b"\x00\x00\x00\x01")
    inside("too little padding", (100).to_bytes(8) + b"x" * 100 + bytes(3))
    inside("too much padding", (100).to_bytes(8) + b"x" * 100 + bytes(20))

    small = seal("manifest", padded(b"content"))
    named = manifest(small)

    def refused(name: str, kind_of_case: str, expect: str, named: bytes, **other: Any) -> None:
        write_blob(folder, name, kind_of_case, expect, small, named=named, **other)

    refused("content id of another", "content id", "malformed", named, identifier=fixed("cid"))
    refused("hash too many", "manifest", "malformed", named + bytes(32))
    refused("hash missing", "manifest", "malformed", named[:-32])
    refused("manifest of a header", "manifest", "malformed", named[:63])
    too_long = (57 + 2**16 * PIECE).to_bytes(8)
    refused("too many pieces", "manifest", "malformed", too_long + named[8:])
    refused("impossible length", "manifest", "malformed", (71).to_bytes(8) + named[8:])
    other = manifest(seal("other", padded(b"c0ntent")))
    refused("piece of another blob", "piece", "piece-mismatch", named[:64] + other[64:])
    longer = (len(small) + 1).to_bytes(8) + named[8:]
    refused("piece of another size", "piece", "piece-mismatch", longer)


# keystore


def slot_key(passphrase: str, salt: bytes, cost: Sequence[int]) -> bytes:
    memory, passes, lanes = cost
    argon2 = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return argon2.derive(unicodedata.normalize("NFKC", passphrase).encode())


STORE_KEY = fixed("store key")
CONTENT = fixed("private keys", 96)
CHEAP = [8192, 1, 1]
PASSPHRASE = "caf\u0065\u0301 au lait"


def passphrase_slot(
    cost: list[int] = CHEAP, passphrase: str = PASSPHRASE, store_key: bytes = STORE_KEY
) -> list[Value]:
    salt = fixed("slot salt", 16)
    key = slot_key(passphrase, salt, cost)
    wrapped = wrap(key, b"kinlight/slot1\x00passphrase", store_key, f"slot {cost}")
    return ["passphrase", salt, cost, wrapped]


def recovery_slot() -> list[Value]:
    key = hkdf(ENTROPY, b"kinlight/unlock1")
    wrapped = wrap(key, b"kinlight/slot1\x00recovery", STORE_KEY, "recovery slot")
    return ["recovery", b"", [], wrapped]


def key_file(slots: Sequence[Value], *, mac_of: Sequence[Value] | None = None) -> bytes:
    sealed = wrap(hkdf(STORE_KEY, b"content"), b"kinlight/keys1", CONTENT, "content")
    covered: list[Value] = [1, "keys", slots if mac_of is None else mac_of, sealed]
    mac = hmac.digest(hkdf(STORE_KEY, b"mac"), encode(covered), "sha256")
    return encode([1, "keys", slots, sealed, mac])


def keystore_vectors() -> list[Case]:
    both = [passphrase_slot(), recovery_slot()]
    file = key_file(both)
    changed = bytearray(file)
    changed[-1] ^= 1
    dear = [["passphrase", bytes(16), [2**26, 1, 1], bytes(104)]]
    answer = {"store_key": STORE_KEY.hex(), "content": CONTENT.hex()}
    typed = {"passphrase": PASSPHRASE}
    words = {"words_entropy": ENTROPY.hex()}
    default = key_file([passphrase_slot([256 * 1024, 3, 4])])
    cases: list[tuple[str, str, str, bytes, Case]] = [
        ("by pass phrase", "valid", "success", file, typed | answer),
        ("by pass phrase composed otherwise", "valid", "success", file,
         {"passphrase": "caf\u00e9 au lait"} | answer),
        ("by recovery words", "valid", "success", file, words | answer),
        ("at the default cost", "valid", "success", default, typed | answer),
        ("other pass phrase", "wrong pass phrase", "wrong-passphrase", file,
         {"passphrase": "cafe au lait"}),
        ("other words", "wrong words", "wrong-words", file,
         {"words_entropy": fixed("other words").hex()}),
        ("no slot for words", "wrong words", "wrong-words", default, words),
        ("slot taken out", "changed slots", "key-file-damaged",
         key_file(both[:1], mac_of=both), typed),
        ("slots swapped", "changed slots", "key-file-damaged",
         key_file(both[::-1], mac_of=both), words),
        ("MAC changed", "changed slots", "key-file-damaged", bytes(changed), typed),
        ("cost above the bounds", "bounds", "key-file-damaged", key_file(dear), typed),
        ("cost below the bounds", "bounds", "key-file-damaged",
         key_file([["passphrase", bytes(16), [8191, 1, 1], bytes(104)]]), typed),
        ("two pass phrase slots", "bounds", "key-file-damaged",
         key_file([both[0], both[0]]), typed),
        ("short salt", "bounds", "key-file-damaged",
         key_file([["passphrase", bytes(7), CHEAP, bytes(104)]]), typed),
        ("unknown slot", "bounds", "key-file-damaged",
         key_file([["token", b"", [], bytes(104)]]), typed),
        ("cut", "truncated", "key-file-damaged", file[:-1], typed),
        ("trailing byte", "trailing data", "key-file-damaged", file + b"\x00", typed),
    ]  # fmt: skip
    return [
        {"name": name, "class": kind, "expect": expect, "file": data.hex()} | other
        for name, kind, expect, data, other in cases
    ]


# wrap


def wrap_vectors() -> list[Case]:
    """Wraps under a shared key, and HPKE seals, the latter kept if they are there."""
    path = HERE / "wrap" / "vectors.json"
    kept = (
        {case["name"]: case["sealed"] for case in json.loads(path.read_text())["cases"]}
        if path.exists()
        else {}
    )
    seed = fixed("kem seed")
    _, kem_public = x_wing(seed)
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    library_key = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(kem_public[:1184]),
        X25519PublicKey.from_public_bytes(kem_public[1184:]),
    )
    cases: list[Case] = []

    def add(name: str, kind: str, expect: str, sealed: bytes, **other: str) -> None:
        case = {"name": name, "class": kind, "expect": expect, "sealed": sealed.hex()}
        cases.append(case | other)

    def hybrid(name: str, info: bytes, plaintext: bytes) -> bytes:
        if name in kept:
            return bytes.fromhex(kept[name])
        return suite.encrypt(plaintext, library_key, info=info)

    info, plaintext = b"kinlight vectors", fixed("plaintext")
    common = {"seed": seed.hex(), "public_sha256": hashlib.sha256(kem_public).hexdigest()}
    good = hybrid("to a device", info, plaintext)
    opened = {"info": info.hex(), "plaintext": plaintext.hex()}
    add("to a device", "valid", "success", good, **common, **opened)
    nothing = hybrid("to a device, nothing in nothing", b"", b"")
    add("to a device, nothing in nothing", "valid", "success", nothing, **common, info="",
        plaintext="")  # fmt: skip
    add("to a device, other info", "wrong context", "seal-broken", good, **common, info="00")
    other_seed = {"seed": fixed("other seed").hex()}
    add("to another device", "wrong key", "seal-broken", good, **other_seed, info=info.hex())
    add("to a device, cut", "truncated", "seal-broken", good[:-1], **common, info=info.hex())
    low_order = good[:1088] + bytes(32) + good[1120:]
    add("to a device, point of small order", "bad key", "seal-broken", low_order, **common,
        info=info.hex())  # fmt: skip

    key, bound = fixed("wrap key"), b"kinlight vectors"
    wrapped = wrap(key, bound, plaintext, "wrap")
    shared = {"key": key.hex(), "context": bound.hex()}
    add("under a key", "valid", "success", wrapped, **shared, plaintext=plaintext.hex())
    long = fixed("long", CHUNK + 1)
    add("under a key, two chunks", "valid", "success", wrap(key, bound, long, "long"), **shared,
        plaintext=long.hex())  # fmt: skip
    add("under another key", "wrong key", "seal-broken", wrapped, key=fixed("x").hex(),
        context=bound.hex())  # fmt: skip
    add("in another context", "wrong context", "seal-broken", wrapped, key=key.hex(), context="")
    add("under a key, cut", "truncated", "seal-broken", wrapped[:-1], **shared)
    add("under a key, longer", "trailing data", "seal-broken", wrapped + b"\x00", **shared)
    other = wrap(fixed("x"), bound, plaintext, "wrap")
    add("commitment of another key", "changed", "seal-broken",
        wrapped[:24] + other[24:56] + wrapped[56:], **shared)  # fmt: skip
    return cases


# pairing


def pairing_vectors() -> list[Case]:
    exporter = fixed("exporter")
    secret_words = "maple-orbit"
    entropy = {"dialer": fixed("dialer", 64), "listener": fixed("listener", 64)}
    ids = {"idA": b"A" + exporter, "idB": b"B" + exporter}
    dialer = SPAKE2_A(secret_words.encode(), **ids, entropy_f=lambda _: entropy["dialer"])
    listener = SPAKE2_B(secret_words.encode(), **ids, entropy_f=lambda _: entropy["listener"])
    to_listener, to_dialer = dialer.start(), listener.start()
    spake_key = dialer.finish(to_dialer)
    assert listener.finish(to_listener) == spake_key

    def derivations(name: str, key: bytes) -> Case:
        pairing_key = hkdf(key, b"kinlight/pair-key1" + exporter)
        one, two = sorted((public(ROOT), public(STRANGER)))
        digests = fixed("dialer chain"), fixed("listener chain")
        pair_secret = hkdf(pairing_key, b"pair1" + one + two)
        chain = fixed("chain", 200)
        return {
            "name": name, "class": "valid", "expect": "success",
            "exporter": exporter.hex(), "key": key.hex(), "pairing_key": pairing_key.hex(),
            "dialer_chain_digest": digests[0].hex(), "listener_chain_digest": digests[1].hex(),
            "dialer_confirmation": hmac.digest(
                pairing_key, b"A" + exporter + digests[0] + digests[1], "sha256").hex(),
            "listener_confirmation": hmac.digest(
                pairing_key, b"B" + exporter + digests[0] + digests[1], "sha256").hex(),
            "identities": [public(ROOT).hex(), public(STRANGER).hex()],
            "pair_secret": pair_secret.hex(),
            "dial_tag": hmac.digest(pair_secret, b"dial" + exporter, "sha256").hex(),
            "accept_tag": hmac.digest(pair_secret, b"accept" + exporter, "sha256").hex(),
            "chain": chain.hex(),
            "sealed_by_dialer": wrap(
                pairing_key, b"kinlight/pair-chain1\x00A" + exporter, chain, f"{name} A").hex(),
            "sealed_by_listener": wrap(
                pairing_key, b"kinlight/pair-chain1\x00B" + exporter, chain, f"{name} B").hex(),
        }  # fmt: skip

    invitation_secret = fixed("invitation", 16)
    identity_hash = hashlib.sha256(b"kinlight/invite1\x00" + public(ROOT)).digest()
    body: Value = [
        1, "invite", identity_hash, invitation_secret, ["192.0.2.7:41000", "[2001:db8::7]:41000"],
        1_800_000_000,
    ]  # fmt: skip
    text = "kinlight:" + base64.urlsafe_b64encode(encode(body)).decode().rstrip("=")
    run = {
        "name": "SPAKE2 with the words maple and orbit", "class": "valid", "expect": "success",
        "words": secret_words, "exporter": exporter.hex(),
        "dialer_entropy": entropy["dialer"].hex(), "listener_entropy": entropy["listener"].hex(),
        "dialer_message": to_listener.hex(), "listener_message": to_dialer.hex(),
        "key": spake_key.hex(),
    }  # fmt: skip
    refused = {
        "point of small order": ("bad point", b"B\x01" + bytes(31)),
        "point not on the curve": ("bad point", b"B\x02" + bytes(31)),
        "own message back": ("reflected", to_listener),
        "own message with the other letter": ("reflected", b"B" + to_listener[1:]),
        "cut message": ("truncated", to_dialer[:-1]),
    }
    invitation = {
        "name": "invitation", "class": "valid", "expect": "success", "text": text,
        "identity": public(ROOT).hex(), "identity_hash": identity_hash.hex(),
        "secret": invitation_secret.hex(), "addresses": body[4], "expires": body[5],
    }  # fmt: skip
    bad_texts = {
        "cut invitation": ("truncated", text[:-1]),
        "padded invitation": ("not canonical", text + "="),
        "invitation of version 2": (
            "bad field",
            "kinlight:" + base64.urlsafe_b64encode(encode([2, *body[1:]])).decode().rstrip("="),
        ),
    }
    return [
        run,
        derivations("after SPAKE2", spake_key),
        derivations("after a QR code", invitation_secret),
        invitation,
        *(
            {**run, "name": name, "class": kind, "expect": "wrong-code",
             "listener_message": message.hex()}
            for name, (kind, message) in refused.items()
        ),
        *(
            {"name": name, "class": kind, "expect": "invalid-code", "text": bad}
            for name, (kind, bad) in bad_texts.items()
        ),
    ]  # fmt: skip


def main(folder: Path) -> None:
    reads = "What a reader must make of `{}`. `expect` is success or the error's code."
    write_json(folder / "encoding", "encoding", reads.format("encoded"), encoding_vectors())
    write_json(folder / "identity", "identity", reads.format("chain"), identity_vectors())
    write_json(folder / "keystore", "keystore", reads.format("file"), keystore_vectors())
    write_json(folder / "wrap", "wrap", reads.format("sealed"), wrap_vectors())
    write_json(
        folder / "pairing-derivations",
        "pairing derivation",
        "Values that both ends derive; `expect` is success or the error's code.",
        pairing_vectors(),
    )
    blob_vectors(folder / "blob")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
