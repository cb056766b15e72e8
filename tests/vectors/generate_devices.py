"""Writes the vectors of further devices: `python tests/vectors/generate_devices.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from generate import (
    HERE,
    LAPTOP,
    PHONE,
    ROOT,
    STRANGER,
    TABLET,
    Case,
    Value,
    device_certificate,
    encode,
    fixed,
    hkdf,
    kem_statement,
    public,
    sign,
    write_json,
)
from nacl.signing import SigningKey

SECRET = fixed("own secret")
NOW = 1_800_000_000
DAY = 86_400


def request(**changes: Value) -> bytes:
    fields: dict[str, Value] = {
        "version": 1, "type": "request", "device": public(TABLET),
        "kem": kem_statement(TABLET), "name": "tablet",
    }  # fmt: skip
    return encode(list({**fields, **changes}.values()))


def gift(*certificates: Value, **changes: Value) -> bytes:
    fields: dict[str, Value] = {
        "version": 1, "type": "gift", "certificates": list(certificates),
        "secret": [3, SECRET], "name": "kitchen",
    }  # fmt: skip
    return encode(list({**fields, **changes}.values()))


def case(op: str, name: str, kind: str, expect: str, **more: Any) -> Case:
    return {"op": op, "name": name, "class": kind, "expect": expect, **more}


def requests() -> list[Case]:
    def asked(name: str, kind: str, expect: str, data: bytes) -> Case:
        more = {"device": public(TABLET).hex(), "said": "tablet"} if expect == "success" else {}
        return case("device-request", name, kind, expect, encoded=data.hex(), **more)

    return [
        asked("a request", "valid", "success", request()),
        asked("a statement of another device", "forged", "bad-certificate",
              request(kem=kem_statement(PHONE))),
        asked("for another key", "forged", "bad-certificate", request(device=public(PHONE))),
        asked("a statement that another key signed", "bad signature", "bad-certificate",
              request(kem=[kem_statement(TABLET)[0], kem_statement(PHONE)[1]])),  # type: ignore[index]
        asked("a key that is none", "bad field", "malformed", request(device=bytes(32))),
        asked("a name of 256 bytes", "too long", "malformed", request(name="n" * 256)),
        asked("a gift", "another type", "malformed", gift(device_certificate(ROOT, TABLET))),
        asked("a field too many", "trailing data", "malformed", request(more=0)),
    ]  # fmt: skip


def gifts() -> list[Case]:
    by_root = device_certificate(ROOT, TABLET)
    laptop = device_certificate(ROOT, LAPTOP, may_certify=1)
    by_laptop = device_certificate(LAPTOP, TABLET)
    third = device_certificate(TABLET, PHONE)

    def given(name: str, kind: str, expect: str, data: bytes) -> Case:
        more: dict[str, Any] = {}
        if expect == "success":
            more = {"device": public(TABLET).hex(), "generation": 3, "secret": SECRET.hex(),
                    "called": "kitchen"}  # fmt: skip
        return case("device-gift", name, kind, expect, encoded=data.hex(),
                    identity=public(ROOT).hex(), **more)  # fmt: skip

    return [
        given("by the root key", "valid", "success", gift(by_root)),
        given("by a certifier", "valid", "success", gift(laptop, by_laptop)),
        given("by a device that may not", "no authority", "bad-certificate",
              gift(device_certificate(ROOT, LAPTOP), by_laptop)),
        given("without the certifier's own", "no authority", "bad-certificate", gift(by_laptop)),
        given("in the wrong order", "no authority", "bad-certificate", gift(by_laptop, laptop)),
        given("by the root key of another", "forged", "bad-certificate",
              gift(device_certificate(STRANGER, TABLET, identity=public(STRANGER)))),
        given("of nothing", "no authority", "bad-certificate", gift()),
        given("a chain of three", "too long", "malformed", gift(laptop, by_laptop, third)),
        given("a secret of 31 bytes", "bad field", "malformed",
              gift(by_root, secret=[3, SECRET[:31]])),
        given("a generation beyond a database", "bad field", "malformed",
              gift(by_root, secret=[2**63, SECRET])),
        given("a request", "another type", "malformed", request()),
        given("a field too many", "trailing data", "malformed", gift(by_root, more=0)),
    ]  # fmt: skip


def secrets() -> list[Case]:
    one, other = sorted((public(PHONE), public(LAPTOP)))

    def derived(name: str, kind: str, expect: str, items: Value) -> Case:
        more = {}
        if expect == "success":
            more = {
                "listener": hkdf(SECRET, b"kinlight/own-listener1" + one).hex(),
                "pair": hkdf(SECRET, b"kinlight/own-pair1" + one + other).hex(),
            }
        return case("own-secret", name, kind, expect, encoded=encode(items).hex(),
                    one=one.hex(), other=other.hex(), **more)  # fmt: skip

    return [
        derived("a secret", "valid", "success", [1, SECRET]),
        derived("a field too many", "trailing data", "malformed", [1, SECRET, 0]),
    ]


def ranks() -> list[Case]:
    """Lists that come one after the other, and whether each signer may certify devices."""

    def revoked(device: SigningKey) -> bytes:
        return hashlib.sha256(b"kinlight/revoked-device1\x00" + public(device)).digest()

    def listed(signer: SigningKey, *hashes: bytes, seq: int = 1, as_of: int = NOW) -> str:
        body: Value = [1, "revs", public(ROOT), public(signer), seq, as_of, sorted(hashes)]
        return encode(sign(signer, b"kinlight/revs1", body)).hex()

    def ranked(
        name: str, kind: str, expect: str, *lists: tuple[str, int], lost: Any = (), live: Any = ()
    ) -> Case:
        return case("revocation-ranks", name, kind, expect, identity=public(ROOT).hex(),
                    lists=[[one, may] for one, may in lists],
                    lost=[public(each).hex() for each in lost],
                    live=[public(each).hex() for each in live])  # fmt: skip

    phone, laptop = revoked(PHONE), revoked(LAPTOP)
    high = 2**64 - 1
    return [
        ranked("by a certifier", "valid", "success", (listed(LAPTOP, phone), 1),
               lost=[PHONE], live=[LAPTOP]),
        ranked("by a device that may not certify", "valid", "success", (listed(PHONE, laptop), 0),
               live=[LAPTOP, PHONE]),
        ranked("a certifier after the highest number of another", "valid", "success",
               (listed(PHONE, laptop, seq=high), 0), (listed(LAPTOP, phone), 1),
               lost=[PHONE], live=[LAPTOP]),
        ranked("the root key after all", "valid", "success",
               (listed(LAPTOP, phone, seq=high), 1), (listed(ROOT, laptop, seq=NOW), 0),
               lost=[LAPTOP], live=[PHONE]),
        ranked("a device after the root key", "valid", "success",
               (listed(ROOT, laptop, seq=NOW), 0),
               (listed(PHONE, seq=NOW + 1, as_of=NOW + 1), 1), lost=[LAPTOP], live=[PHONE]),
        ranked("of before the root key's", "rollback", "revocations-old",
               (listed(ROOT, laptop, seq=NOW), 0),
               (listed(PHONE, seq=high, as_of=NOW - 1), 1)),
        ranked("by a device that the root key revoked", "forged", "device-revoked",
               (listed(ROOT, laptop, seq=NOW), 0),
               (listed(LAPTOP, phone, seq=high, as_of=NOW + DAY), 1)),
        ranked("the root key's of before", "rollback", "revocations-old",
               (listed(ROOT, laptop, seq=NOW), 0),
               (listed(ROOT, seq=NOW - 1, as_of=NOW + DAY), 0)),
        ranked("two who revoke each other", "forged", "device-revoked",
               (listed(LAPTOP, phone), 1), (listed(PHONE, laptop, seq=2), 1)),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = "What a reader must make of each case. `expect` is success or the error's code."
    write_json(folder / "devices", "devices", about, [*requests(), *gifts(), *secrets(), *ranks()])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
