"""Writes the vectors of profiles: `python tests/vectors/generate_profile.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from generate import HERE, PHONE, STRANGER, Case, Value, encode, fixed, public, sign, write_json
from nacl.signing import SigningKey

DOMAIN = b"kinlight/profile1"
PREFIX = bytes.fromhex("002408011220")
PEER = PREFIX + public(PHONE)
CHALLENGE = fixed("challenge", 16)


def body(**changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "profile", "peer": PEER, "challenge": CHALLENGE,
        "versions": [1, 2, 3], "roles": ["relay"],
    }  # fmt: skip
    return list({**fields, **changes}.values())


def case(name: str, kind: str, expect: str, data: bytes, challenge: bytes = CHALLENGE) -> Case:
    return {"op": "profile", "name": name, "class": kind, "expect": expect, "peer": PEER.hex(),
            "challenge": challenge.hex(), "data": data.hex()}  # fmt: skip


def data_of(value: Value, signer: SigningKey = PHONE, domain: bytes = DOMAIN) -> bytes:
    return encode(sign(signer, domain, value))


def valid(name: str, challenge: bytes = CHALLENGE, **changes: Value) -> Case:
    value = body(challenge=challenge, **changes)
    more: dict[str, Any] = {"versions": value[4], "roles": value[5]}
    return {**case(name, "valid", "success", data_of(value), challenge), **more}


def main(folder: Path) -> None:
    signed = sign(PHONE, DOMAIN, body())
    bad: dict[str, tuple[str, str, bytes]] = {
        "by another key": ("forged", "bad-signature", data_of(body(), STRANGER)),
        "for another purpose": (
            "wrong context", "bad-signature", data_of(body(), domain=b"kinlight/ticket1"),
        ),
        "altered": ("changed", "bad-signature", encode([encode(body(roles=[])), signed[1]])),
        "of another node": (
            "wrong sender", "malformed",
            data_of(body(peer=PREFIX + public(STRANGER)), STRANGER),
        ),
        "for another challenge": ("replay", "malformed", data_of(body(challenge=fixed("old", 16)))),
        "without a challenge": ("bad field", "malformed", data_of(body(challenge=b""))),
        "a challenge of 65 bytes": ("too long", "malformed", data_of(body(challenge=bytes(65)))),
        "a peer id of another kind": (
            "bad field", "malformed", data_of(body(peer=bytes(6) + public(PHONE))),
        ),
        "versions out of order": ("not canonical", "malformed", data_of(body(versions=[2, 1]))),
        "a version twice": ("not canonical", "malformed", data_of(body(versions=[1, 1]))),
        "17 versions": ("too long", "malformed", data_of(body(versions=list(range(17))))),
        "roles out of order": (
            "not canonical", "malformed", data_of(body(roles=["relay", "lookup"])),
        ),
        "a role of 33 bytes": ("too long", "malformed", data_of(body(roles=["r" * 33]))),
        "a role in bytes": ("wrong type", "malformed", data_of(body(roles=[b"relay"]))),
        "version 2": ("version", "malformed", data_of(body(version=2))),
        "another type": ("wrong type", "malformed", data_of(body(type="ticket"))),
        "a field too many": ("trailing data", "malformed", data_of([*body(), 0])),
        "a field too few": ("truncated", "malformed", data_of(body()[:-1])),
        "nothing": ("truncated", "malformed", b""),
        "more than 1,024 bytes": ("too long", "malformed", data_of(body(roles=["r" * 1024]))),
    }  # fmt: skip
    cases = [
        valid("a profile"),
        valid("of a node with no role", roles=[]),
        valid("with a role that is not known", roles=["juggler", "relay"]),
        valid("with the longest challenge", challenge=fixed("challenge", 64)),
        *(case(name, kind, expect, data) for name, (kind, expect, data) in bad.items()),
    ]
    about = (
        "What who asked `peer` with `challenge` must make of `data`; `expect` is success or the"
        " error's code."
    )
    write_json(folder / "profile", "profile", about, cases)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
