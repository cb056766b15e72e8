"""Writes the vectors of heads: `python tests/vectors/generate_heads.py [FOLDER]`.

Like `generate`, it follows docs/spec/heads.md alone and imports nothing of kinlight.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

sys.path.insert(0, str(Path(__file__).parent))
import generate

HERE = Path(__file__).parent
ROOT, PHONE, LAPTOP = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))
NOW = 1_800_000_000
X, SPEAKER = b"X" * 32, b"s" * 32
HEAD, DEVICE = b"kinlight/head1", b"kinlight/device1"


def public(key: SigningKey) -> bytes:
    return bytes(key.verify_key)


def signed(key: SigningKey, domain: bytes, body: list[Any]) -> list[Any]:
    return list(generate.sign(key, domain, body))


def certificate(device: SigningKey) -> list[Any]:
    body = [1, "dev", public(ROOT), public(ROOT), public(device), NOW, 1, 0]
    return signed(ROOT, DEVICE, body)


def digest(head: list[Any]) -> bytes:
    return hashlib.sha256(HEAD + b"\x00" + head[0]).digest()


def head(
    seq: int = 0, previous: bytes = b"", devices: Any = None, revoked: bytes = b"",
    key: SigningKey = PHONE, domain: bytes = HEAD, **changes: Any,
) -> list[Any]:  # fmt: skip
    body: dict[str, Any] = {
        "version": 1, "type": "head", "identity": public(ROOT), "signer": public(PHONE),
        "seq": seq, "previous": previous, "time": NOW,
        "devices": [public(PHONE)] if devices is None else devices, "revoked": revoked,
    }  # fmt: skip
    return signed(key, domain, list((body | changes).values()))


def line(identity: bytes, signer: bytes, seq: int, what: bytes) -> tuple[bytes, bytes]:
    key = hmac.digest(X, generate.encode([identity, signer, SPEAKER]), "sha256")
    plain = seq.to_bytes(8) + what
    stream = hmac.digest(key, b"kinlight/head-veil1", "sha512")
    veiled = bytes(one ^ other for one, other in zip(plain, stream, strict=False))
    return key, hmac.digest(key, b"kinlight/head-tag1", "sha256")[:16] + veiled


def both(one: bytes, other: bytes) -> list[bytes]:
    return sorted((one, other))


def cases() -> list[dict[str, Any]]:
    first = head()
    second = head(1, digest(first), both(public(PHONE), public(LAPTOP)))
    twin = head(1, digest(first), [public(LAPTOP)])
    third = head(2, digest(second), revoked=b"r" * 32)
    own = [certificate(PHONE)]
    many = sorted(bytes([number]) * 32 for number in range(65))
    laptops = head(1, digest(first), signer=public(LAPTOP), key=LAPTOP)
    found: list[dict[str, Any]] = []

    def add(name: str, expect: str, *shown: list[Any], papers: list[Any] | None = None) -> None:
        found.append(
            {
                "case": name,
                "expect": expect,
                "heads": [generate.encode(each).hex() for each in shown],
                "certificates": generate.encode(own if papers is None else papers).hex(),
            }
        )

    add("the first head", "success", first)
    add("three in a chain", "success", first, second, third)
    add("two far apart", "success", first, third)
    add("two of one number", "fork", second, twin)
    add("one that does not follow", "fork", twin, third)
    add("64 devices", "success", head(devices=many[:64]))
    add("65 devices", "malformed", head(devices=many))
    add("devices that descend", "malformed",
        head(devices=both(public(PHONE), public(LAPTOP))[::-1]))  # fmt: skip
    add("a device twice", "malformed", head(devices=[public(PHONE)] * 2))
    add("version 2", "malformed", head(version=2))
    add("another type", "malformed", head(type="dev"))
    add("a first one with a previous", "malformed", head(0, bytes(32)))
    add("a second one without", "malformed", head(1, b""))
    add("a number of 64 bits", "malformed", head(2**63, bytes(32)))
    add("a short list of revocations", "malformed", head(revoked=b"r" * 31))
    add("a further item", "malformed", head(more=0))
    add("signed as another type", "head-broken", head(domain=DEVICE))
    add("signed by another device", "head-broken", head(key=LAPTOP))
    add("by a device of nobody", "head-broken", laptops)
    add("by another device of the identity, no fork", "success", second, laptops,
        papers=[certificate(PHONE), certificate(LAPTOP)])  # fmt: skip
    return found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "heads").mkdir(parents=True, exist_ok=True)
    first = head()
    key, told = line(public(ROOT), public(PHONE), 0, digest(first))
    body = {
        "format": "kinlight heads, version 1 (docs/spec/heads.md)",
        "cases": cases(),
        "line": {
            "identity": public(ROOT).hex(), "signer": public(PHONE).hex(),
            "exporter": X.hex(), "speaker": SPEAKER.hex(),
            "seq": 0, "digest": digest(first).hex(), "key": key.hex(), "line": told.hex(),
        },
    }  # fmt: skip
    (folder / "heads" / "vectors.json").write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
