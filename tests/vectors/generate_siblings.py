"""Writes the vectors of siblings: `python tests/vectors/generate_siblings.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run.
"""

from __future__ import annotations

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
    SigningKey,
    Value,
    device_certificate,
    encode,
    fixed,
    public,
    readable,
    sign,
    write_json,
)

NOW = 1_800_000_000
DOMAIN = b"kinlight/sibling1"
ME = public(ROOT)
SECOND = 2**20


def moment(seconds: int = NOW, count: int = 0) -> int:
    return seconds * SECOND + count


def there(*fields: Value) -> bytes:
    return encode([1, *fields])


def gone(*dots: list[Value]) -> bytes:
    return encode([0, *dots])


def body(device: SigningKey = PHONE, **changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "sib", "identity": ME, "device": public(device),
        "moment": moment(), "kind": "contact-name", "subject": fixed("contact"),
        "value": there("Ben"),
    }  # fmt: skip
    return list((fields | changes).values())


def record(
    device: SigningKey = PHONE,
    *,
    signer: SigningKey | None = None,
    domain: bytes = DOMAIN,
    more: list[Value] | None = None,
    **changes: Value,
) -> bytes:
    return encode(sign(signer or device, domain, [*body(device, **changes), *(more or [])]))


def papers(*devices: SigningKey, issuer: SigningKey = ROOT) -> bytes:
    return encode([device_certificate(issuer, device) for device in devices])


def record_cases() -> list[Case]:
    def case(name: str, kind: str, expect: str, data: bytes, **more: Any) -> Case:
        found: Case = {
            "op": "sibling-record", "name": name, "class": kind, "expect": expect,
            "identity": ME.hex(), "certificates": papers(PHONE).hex(), "encoded": data.hex(),
        }  # fmt: skip
        return {**found, **more}

    def good(name: str, **changes: Any) -> Case:
        fields = readable(body(**changes))
        return case(
            name, "valid", "success", encode(sign(PHONE, DOMAIN, body(**changes))), fields=fields
        )

    flipped = sign(PHONE, DOMAIN, body())
    assert isinstance(flipped[0], bytes)
    flipped[0] = flipped[0].replace(b"Ben", b"Eve")
    return [
        good("a name"),
        good("the first moment", moment=1),
        good("the last moment", moment=2**63 - 1),
        good("nothing about nothing", kind="x", subject=b"", value=b""),
        good("a kind of a later version", kind="some-other-kind", value=there(1, [2, b"3"])),
        good("the longest subject", subject=bytes(512)),
        good("the longest kind", kind="k" * 32),
        case("a value swapped", "bad signature", "bad-signature", encode(flipped)),
        case("signed by another device", "bad signature", "bad-signature", record(signer=LAPTOP)),
        case("signed as a receipt", "wrong domain", "bad-signature",
             record(domain=b"kinlight/receipt1")),
        case("by a device without papers", "wrong context", "bad-certificate", record(LAPTOP)),
        case("of another identity", "wrong context", "bad-certificate",
             record(identity=public(STRANGER))),
        case("with papers of another identity", "wrong context", "bad-certificate", record(),
             certificates=papers(PHONE, issuer=STRANGER).hex()),
        case("moment 0", "bad field", "malformed", record(moment=0)),
        case("moment 2^63", "bad field", "malformed", record(moment=2**63)),
        case("no kind", "bad field", "malformed", record(kind="")),
        case("a kind of 33 bytes", "too long", "malformed", record(kind="k" * 33)),
        case("a subject of 513 bytes", "too long", "malformed", record(subject=bytes(513))),
        case("version 2", "bad field", "malformed", record(version=2)),
        case("another type", "bad field", "malformed", record(type="rcpt")),
        case("a field too many", "trailing data", "malformed", record(more=[0])),
        case("a device that is no key", "bad field", "malformed",
             encode(sign(PHONE, DOMAIN, [1, "sib", ME, bytes(32), 5, "x", b"", b""]))),
        case("cut short", "truncated", "malformed", record()[:-1]),
    ]  # fmt: skip


def merge_cases() -> list[Case]:
    """What records amount to, whoever brings them in which order."""

    def case(
        name: str,
        records: list[bytes],
        ends: list[tuple[str, bytes, bytes | None]],
        *,
        revoked: tuple[SigningKey, ...] = (),
        more: dict[str, str] | None = None,
    ) -> Case:
        found: Case = {
            "op": "sibling-merge", "name": name, "class": "valid", "expect": "success",
            "identity": ME.hex(), "now": NOW, "records": [each.hex() for each in records],
            "revoked": [public(each).hex() for each in revoked],
            "ends": [
                [kind, subject.hex(), "gone" if value is None else value.hex()]
                for kind, subject, value in ends
            ],
        }  # fmt: skip
        return {**found, **(more or {})}

    def tag(device: SigningKey, at: int, value: bytes = there("Sea")) -> bytes:
        return record(device, kind="tag", subject=word, moment=moment(count=at), value=value)

    def name(device: SigningKey, at: int, said: str) -> bytes:
        return record(device, moment=at, value=there(said))

    def cut(device: SigningKey, of: SigningKey, up_to: int, count: int = 50) -> bytes:
        return record(
            device, kind="cut", subject=public(of), value=there(up_to), moment=moment(count=count)
        )

    ben, word = fixed("contact"), fixed("photo", 16) + b"sea"
    by_phone, by_laptop = tag(PHONE, 1), tag(LAPTOP, 2)
    higher = max(PHONE, LAPTOP, key=public)
    equal = [name(PHONE, 7, "Phone's"), name(LAPTOP, 7, "Laptop's")]
    said = "Phone's" if higher is PHONE else "Laptop's"
    thief = [name(PHONE, moment(), "before"), name(PHONE, moment(count=9), "after")]
    return [
        case("the later word counts", [name(PHONE, 5, "old"), name(LAPTOP, 6, "new")],
             [("contact-name", ben, there("new"))]),
        case("the higher device decides between two of one moment", equal,
             [("contact-name", ben, there(said))]),
        case("a name that is taken away", [name(PHONE, 5, "Ben"),
             record(LAPTOP, moment=6, value=gone())], [("contact-name", ben, None)]),
        case("what two gave", [by_phone, by_laptop], [("tag", word, there("Sea"))]),
        case("what one of two took away that had not seen the other's",
             [by_phone, by_laptop, tag(PHONE, 3, gone())], [("tag", word, there("Sea"))]),
        case("what one took away that had seen the other's",
             [by_laptop, tag(PHONE, 3, gone([public(LAPTOP), moment(count=2)]))],
             [("tag", word, None)]),
        case("what was given again after that",
             [tag(LAPTOP, 4), tag(PHONE, 3, gone([public(LAPTOP), moment(count=2)]))],
             [("tag", word, there("Sea"))]),
        case("300 seconds ahead", [name(PHONE, moment(NOW + 300, SECOND - 1), "soon")],
             [("contact-name", ben, there("soon"))]),
        case("301 seconds ahead", [name(PHONE, moment(NOW + 301), "later")],
             [("contact-name", ben, None)]),
        case("a thief's word after the cut", [thief[1], cut(LAPTOP, PHONE, moment())],
             [("contact-name", ben, None)], revoked=(PHONE,)),
        case("the owner's word before the cut", [thief[0], cut(LAPTOP, PHONE, moment())],
             [("contact-name", ben, there("before"))], revoked=(PHONE,)),
        case("of two cuts the lower one",
             [thief[1], cut(LAPTOP, PHONE, moment(count=9)), cut(TABLET, PHONE, moment())],
             [("contact-name", ben, None)], revoked=(PHONE,)),
        case("a cut by the device itself", [cut(PHONE, PHONE, 2**62, count=1), thief[1],
             cut(LAPTOP, PHONE, moment())], [("contact-name", ben, None)], revoked=(PHONE,)),
        case("a cut about a device that is not revoked",
             [thief[1], cut(LAPTOP, PHONE, moment())], [("contact-name", ben, there("after"))]),
        case("a record of another identity", [record(identity=public(STRANGER))], [],
             more={"expect": "bad-certificate", "class": "wrong context"}),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = "What a reader must make of each case. `expect` is success or the error's code."
    write_json(folder / "siblings", "siblings", about, [*record_cases(), *merge_cases()])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
