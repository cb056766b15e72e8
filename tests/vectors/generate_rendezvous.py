"""Writes the vectors of the rendezvous: `python tests/vectors/generate_rendezvous.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run.
"""

from __future__ import annotations

import hmac
import sys
from pathlib import Path
from typing import Any

from generate import (
    HERE,
    PHONE,
    ROOT,
    STRANGER,
    Case,
    Value,
    encode,
    fixed,
    hkdf,
    public,
    readable,
    wrap,
    write_json,
)

NOW = 1_800_000_000
DAY = 86_400
PAIR_SECRET = fixed("pair secret")
ADDRESSES: list[Value] = [
    "/ip4/192.0.2.7/tcp/4711/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
]
ROOM = 2048 - 72


def tag(day: int, secret: bytes = PAIR_SECRET) -> bytes:
    return hmac.digest(secret, b"kinlight/rendezvous1\x00" + day.to_bytes(8), "sha256")


def body(**changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "notice", "identity": public(ROOT), "device": public(PHONE),
        "issued": NOW, "addresses": ADDRESSES,
    }  # fmt: skip
    return list({**fields, **changes}.values())


def filled(value: Value, fill: bytes = b"\0") -> bytes:
    data = encode(value)
    return (len(data).to_bytes(2) + data).ljust(ROOM, fill)


def sealed(
    content: bytes,
    day: int = NOW // DAY,
    secret: bytes = PAIR_SECRET,
    purpose: bytes = b"kinlight/rendezvous-record1\x00",
) -> bytes:
    key = hkdf(secret, b"kinlight/rendezvous-key1")
    return wrap(key, purpose + tag(day, secret), content, "rendezvous")


def case(
    name: str, kind: str, expect: str, record: bytes, now: int = NOW, **more: Any
) -> Case:  # fmt: skip
    return {"op": "notice", "name": name, "class": kind, "expect": expect,
            "pair_secret": PAIR_SECRET.hex(), "identity": public(ROOT).hex(), "now": now,
            "record": record.hex(), **more}  # fmt: skip


def valid(name: str, value: list[Value], now: int = NOW) -> Case:
    issued = value[4]
    assert isinstance(issued, int)
    day = issued // DAY
    more = {"tag": tag(day).hex(), "fields": readable(value[3:])}
    return case(name, "valid", "success", sealed(filled(value), day), now, **more)


def notices() -> list[Case]:
    plain = filled(body())
    good = sealed(plain)
    flipped = bytearray(good)
    flipped[-1] ^= 1
    bad: dict[str, tuple[str, str, bytes]] = {
        "under another pair secret": ("wrong key", "seal-broken", sealed(plain, secret=fixed("b"))),
        "for another purpose": (
            "wrong context", "seal-broken", sealed(plain, purpose=b"kinlight/album-past1\x00"),
        ),
        "altered": ("changed", "seal-broken", bytes(flipped)),
        "nothing": ("truncated", "malformed", b""),
        "a byte less": ("truncated", "malformed", good[:-1]),
        "a byte more": ("trailing data", "malformed", good + b"\0"),
        "of somebody else": (
            "wrong sender", "malformed", sealed(filled(body(identity=public(STRANGER)))),
        ),
        "issued on another day than its tag's": (
            "bad time", "malformed", sealed(filled(body(issued=NOW - DAY))),
        ),
        "a fill that is not zero": ("trailing data", "malformed", sealed(filled(body(), b"\1"))),
        "longer than it is": (
            "truncated", "malformed", sealed((ROOM - 1).to_bytes(2) + plain[2:]),
        ),
        "version 2": ("version", "malformed", sealed(filled(body(version=2)))),
        "another type": ("wrong type", "malformed", sealed(filled(body(type="ticket")))),
        "an identity of 31 bytes": (
            "bad field", "malformed", sealed(filled(body(identity=public(ROOT)[1:]))),
        ),
        "nine addresses": ("too long", "malformed", sealed(filled(body(addresses=["a"] * 9)))),
        "an address of 256 bytes": (
            "too long", "malformed", sealed(filled(body(addresses=["a" * 256]))),
        ),
        "an address in bytes": (
            "wrong type", "malformed", sealed(filled(body(addresses=[b"a"]))),
        ),
        "a field too many": ("trailing data", "malformed", sealed(filled([*body(), 0]))),
        "a field too few": ("truncated", "malformed", sealed(filled(body()[:-1]))),
    }  # fmt: skip
    return [
        valid("a notice", body()),
        valid("without an address", body(addresses=[])),
        valid("eight addresses", body(addresses=[f"/ip4/192.0.2.{n}/tcp/1" for n in range(8)])),
        valid("read by a clock that is a day behind", body(), NOW - DAY),
        valid("read by a clock that is a day ahead", body(), NOW + DAY),
        valid("in the first second of a day", body(issued=NOW // DAY * DAY)),
        *(case(name, kind, expect, record) for name, (kind, expect, record) in bad.items()),
        case("read two days later", "bad time", "seal-broken", good, NOW + 2 * DAY),
        case("read two days before", "bad time", "seal-broken", good, NOW - 2 * DAY),
    ]


def exchanges() -> list[Case]:
    record, one = bytes(2048), tag(NOW // DAY)
    pair: list[Value] = [one, record]

    def said(op: str, name: str, kind: str, expect: str, value: Value) -> Case:
        return {"op": op, "name": name, "class": kind, "expect": expect,
                "encoded": encode(value).hex()}  # fmt: skip

    def request(name: str, kind: str, expect: str, value: Value) -> Case:
        return said("rendezvous-request", name, kind, expect, value)

    def answer(name: str, kind: str, expect: str, value: Value) -> Case:
        return said("rendezvous-answer", name, kind, expect, value)

    wrong = ("malformed",)
    return [
        request("leaves one and asks for one", "valid", "success", [1, "meet", [pair], [one]]),
        request("leaves and asks nothing", "valid", "success", [1, "meet", [], []]),
        request("asks for 192", "valid", "success", [1, "meet", [], [one] * 192]),
        request("asks for 193", "too long", *wrong, [1, "meet", [], [one] * 193]),
        request("leaves 65", "too long", *wrong, [1, "meet", [pair] * 65, []]),
        request(
            "a record of 2,047 bytes", "bad field", *wrong, [1, "meet", [[one, record[1:]]], []]
        ),
        request("a tag of 31 bytes", "bad field", *wrong, [1, "meet", [], [one[1:]]]),
        request("a pair of three", "too long", *wrong, [1, "meet", [[*pair, 0]], []]),
        request("version 2", "version", *wrong, [2, "meet", [], []]),
        request("an answer", "wrong type", *wrong, [1, "met", 0, []]),
        request("a field too many", "trailing data", *wrong, [1, "meet", [], [], 0]),
        answer("kept one and found one", "valid", "success", [1, "met", 1, [record]]),
        answer("found nothing", "valid", "success", [1, "met", 0, []]),
        answer("kept 65", "too long", *wrong, [1, "met", 65, []]),
        answer("a record of 2,049 bytes", "bad field", *wrong, [1, "met", 0, [record + b"\0"]]),
        answer("a field too few", "truncated", *wrong, [1, "met", 0]),
    ]


def main(folder: Path) -> None:
    about = (
        "What a reader who is `identity`'s contact must make of `record` at the time `now`, having"
        " asked for the tags of that day, the one before and the one after; and the form of what"
        " is said to a keeper. `expect` is success or the error's code."
    )
    write_json(folder / "rendezvous", "rendezvous", about, [*notices(), *exchanges()])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
