"""Writes the vectors of tickets: `python tests/vectors/generate_tickets.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
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
    public,
    readable,
    sign,
    write_json,
)
from nacl.signing import SigningKey

NOW = 1_800_000_000
X = fixed("exporter")
SECRET = fixed("ticket", 16)
DOMAIN = b"kinlight/ticket1"
PAPERS: list[Value] = [device_certificate(ROOT, PHONE)]


def body(**changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "ticket", "certificates": PAPERS, "secret": SECRET, "issued": NOW,
        "expires": NOW + 3600, "uses": 1, "addresses": ["192.0.2.7:4430"], "relays": [],
    }  # fmt: skip
    return list({**fields, **changes}.values())


def data_of(value: Value, signer: SigningKey = PHONE, domain: bytes = DOMAIN) -> bytes:
    return encode(sign(signer, domain, value))


def text_of(data: bytes) -> str:
    checksum = hashlib.sha256(b"kinlight/ticket-check1\x00" + data).digest()[:4]
    return "kinlight:ticket/" + base64.b32encode(data + checksum).decode().rstrip("=").lower()


def case(name: str, kind: str, expect: str, text: str, now: int = NOW, **more: Any) -> Case:
    return {"op": "ticket", "name": name, "class": kind, "expect": expect, "text": text,
            "now": now, **more}  # fmt: skip


def valid(name: str, value: list[Value], text: str | None = None, now: int = NOW) -> Case:
    data = data_of(value)
    more = {
        "identity": public(ROOT).hex(),
        "device": public(PHONE).hex(),
        "fields": readable(value[3:]),
        "data": data.hex(),
        "ticket_id": hashlib.sha256(data).digest()[:8].hex(),
        "rendezvous_secret": hkdf(SECRET, b"kinlight/ticket-rendezvous1").hex(),
    }
    return case(name, "valid", "success", text or text_of(data), now, **more)


def texts() -> list[Case]:
    plain = text_of(data_of(body()))
    lines = "\r\n".join(plain[start : start + 60] for start in range(0, len(plain), 60))
    digits = plain.removeprefix("kinlight:ticket/")
    spare = plain[:-1] + ("b" if plain[-1] == "a" else "a")
    bad = {
        "nothing": ("truncated", ""),
        "the prefix alone": ("truncated", "kinlight:ticket/"),
        "an invitation": ("wrong type", "kinlight:" + digits),
        "without its last digit": ("truncated", plain[:-1]),
        "a digit more": ("trailing data", plain + "a"),
        "padded": ("not canonical", plain + "="),
        "a last digit with spare bits": ("not canonical", spare),
        "a digit that base 32 lacks": ("bad field", plain[:40] + "1" + plain[41:]),
        "a digit changed": (
            "changed",
            plain[:60] + ("b" if plain[60] == "a" else "a") + plain[61:],
        ),
        "another checksum": ("changed", plain.removesuffix(digits[-6:]) + "abcdef"),
        "more than 2,048 bytes": ("too long", text_of(data_of(body(relays=["r" * 255] * 8)))),
    }
    return [
        valid("a ticket", body()),
        valid("in capitals", body(), plain.upper()),
        valid("in lines", body(), lines),
        valid("with white space of every kind", body(), f"\t {plain[:9]}\u200b{plain[9:]}\u00a0\n"),
        *(
            case(name, kind, "invalid-ticket", text)
            for name, (kind, text) in bad.items()
        ),
    ]  # fmt: skip


def forms() -> list[Case]:
    good: dict[str, dict[str, Value]] = {
        "no address": {"addresses": []},
        "a multiaddr and a relay": {
            "addresses": ["/ip4/192.0.2.7/tcp/4430", "[2001:db8::7]:4430"],
            "relays": ["/dns/relay.example/tcp/4430"],
        },
        "an address of no known kind": {"addresses": ["by pigeon"]},
        "eight addresses, 100 uses, 30 days": {
            "addresses": [f"192.0.2.{number}:1" for number in range(8)],
            "uses": 100,
            "expires": NOW + 2_592_000,
        },
    }
    bad: dict[str, tuple[str, dict[str, Value]]] = {
        "another type": ("wrong type", {"type": "invite"}),
        "a secret of 15 bytes": ("bad field", {"secret": fixed("ticket", 15)}),
        "an end before its beginning": ("bad field", {"expires": NOW - 1}),
        "an end at its beginning": ("bad field", {"expires": NOW}),
        "30 days and a second": ("too long", {"expires": NOW + 2_592_001}),
        "no use": ("bad field", {"uses": 0}),
        "101 uses": ("bad field", {"uses": 101}),
        "nine addresses": ("too long", {"addresses": ["a:1"] * 9}),
        "an address of 256 bytes": ("too long", {"addresses": ["a" * 256]}),
        "five relays": ("too long", {"relays": ["a:1"] * 5}),
        "an address in bytes": ("wrong type", {"addresses": [b"192.0.2.7:4430"]}),
        "a field too many": ("trailing data", {"more": 0}),
        "three certificates": ("too long", {"certificates": PAPERS * 3}),
    }
    return [
        *(valid(name, body(**changes)) for name, changes in good.items()),
        *(
            case(name, kind, "invalid-ticket", text_of(data_of(body(**changes))))
            for name, (kind, changes) in bad.items()
        ),
        case("a field too few", "truncated", "invalid-ticket", text_of(data_of(body()[:-1]))),
        case("no array", "wrong type", "invalid-ticket", text_of(b"\x07")),
        case("version 2", "version", "ticket-other-version", text_of(data_of(body(version=2)))),
        case("version 2 of another form", "version", "ticket-other-version",
             text_of(data_of([2, "ticket", 0]))),
    ]  # fmt: skip


def forgeries() -> list[Case]:
    by_tablet: list[Value] = [
        device_certificate(ROOT, TABLET, may_certify=1), device_certificate(TABLET, PHONE),
    ]  # fmt: skip
    certificates: dict[str, list[Value]] = {
        "no certificate": [],
        "a certificate by a stranger": [device_certificate(STRANGER, PHONE)],
        "a certificate that the device gave itself": [device_certificate(PHONE, PHONE)],
        "a device that may not certify": [
            device_certificate(ROOT, TABLET), device_certificate(TABLET, PHONE),
        ],
        "certificates of two identities": [
            by_tablet[0], device_certificate(TABLET, PHONE, identity=public(STRANGER)),
        ],
        "certificates that are not one way": [by_tablet[0], PAPERS[0]],
        "the certificate of another device": [device_certificate(ROOT, LAPTOP)],
    }  # fmt: skip
    signed = sign(PHONE, DOMAIN, body())
    stolen: list[Value] = [device_certificate(STRANGER, PHONE, identity=public(STRANGER))]
    texts: dict[str, tuple[str, bytes]] = {
        "by another key": ("forged", data_of(body(), STRANGER)),
        "signed for another purpose": (
            "wrong context", data_of(body(), domain=b"kinlight/receipt1"),
        ),
        "more uses than were signed": ("changed", encode([encode(body(uses=2)), signed[1]])),
        "another address than was signed": (
            "changed", encode([encode(body(addresses=["192.0.2.8:4430"])), signed[1]]),
        ),
        "certificates of somebody else over the same device": (
            "forged", encode([encode(body(certificates=stolen)), signed[1]]),
        ),
        "no signature": ("forged", encode([signed[0], bytes(64)])),
    }  # fmt: skip
    return [
        valid("by a device that a device certified", body(certificates=by_tablet)),
        *(
            case(name, "forged", "ticket-forged", text_of(data_of(body(certificates=papers))))
            for name, papers in certificates.items()
        ),
        *(case(name, kind, "ticket-forged", text_of(data)) for name, (kind, data) in texts.items()),
    ]


def times() -> list[Case]:
    text = text_of(data_of(body()))
    return [
        valid("made by a clock that is ahead by 300 s", body(), now=NOW - 300),
        valid("in its last second", body(), now=NOW + 3599),
        case(
            "made by a clock that is ahead by 301 s", "bad time", "ticket-not-yet", text, NOW - 301
        ),
        case("at its end", "bad time", "ticket-expired", text, NOW + 3600),
    ]


def tags() -> list[Case]:
    def tag(name: str, kind: str, expect: str, shown: bytes) -> Case:
        return {"op": "ticket-tag", "name": name, "class": kind, "expect": expect,
                "secret": SECRET.hex(), "exporter": X.hex(), "tag": shown.hex()}  # fmt: skip

    def of(secret: bytes, purpose: bytes, exporter: bytes) -> bytes:
        return hmac.digest(secret, purpose + exporter, "sha256")

    good = of(SECRET, b"ticket", X)
    return [
        tag("the tag of a ticket", "valid", "success", good),
        tag("of another channel", "replay", "ticket-unknown",
            of(SECRET, b"ticket", fixed("exporter of another channel"))),
        tag("of another ticket", "wrong key", "ticket-unknown",
            of(fixed("another", 16), b"ticket", X)),
        tag("for another purpose", "wrong context", "ticket-unknown", of(SECRET, b"dial", X)),
        tag("cut", "truncated", "ticket-unknown", good[:-1]),
        tag("none", "truncated", "ticket-unknown", b""),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = (
        "What a reader must make of `text` at the time `now`, and a listener of `tag`; `expect` is"
        " success or the error's code."
    )
    cases = [*texts(), *forms(), *forgeries(), *times(), *tags()]
    write_json(folder / "ticket", "ticket", about, cases)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
