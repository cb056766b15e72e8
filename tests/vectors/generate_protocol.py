"""Writes the vectors of the protocol: `python tests/vectors/generate_protocol.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run, but for
envelopes and entries of backups, whose HPKE randomness the library draws; those are kept from the
file that is there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from generate import (
    DEVICE_KEM,
    ENTROPY,
    HERE,
    LAPTOP,
    PHONE,
    RECOVERY_KEM,
    ROOT,
    STRANGER,
    TABLET,
    Case,
    Value,
    device_certificate,
    encode,
    fixed,
    hkdf,
    identity_certificate,
    kem_statement,
    public,
    readable,
    sign,
    wrap,
    write_json,
)
from nacl.signing import SigningKey

X = fixed("exporter")
OTHER_X = fixed("exporter of another channel")
PAIR_SECRET = fixed("pair secret")
NOW = 1_800_000_000

# Two people: Ada is ROOT with PHONE, Ben is STRANGER with LAPTOP.
ADA, BEN = public(ROOT), public(STRANGER)
ADA_PAPER = device_certificate(ROOT, PHONE)
BEN_PAPER = device_certificate(STRANGER, LAPTOP, identity=BEN)
ADA_CHAIN = encode([identity_certificate(), [ADA_PAPER], kem_statement(PHONE)])
BEN_CHAIN = encode([identity_certificate(STRANGER), [BEN_PAPER], kem_statement(LAPTOP)])


def case(op: str, name: str, kind: str, expect: str, **fields: Any) -> Case:
    shown = {
        field: value.hex() if isinstance(value, bytes) else value for field, value in fields.items()
    }
    return {"op": op, "name": name, "class": kind, "expect": expect, **shown}


def frame(message: bytes) -> bytes:
    total = 4 + len(message)
    padded = next((size for size in (256, 1024, 4096) if total <= size), total)
    return len(message).to_bytes(4) + message + bytes(padded - total)


# channel


def hello_signature(
    key: SigningKey,
    mode: str,
    role: str,
    exporter: bytes,
    chain: bytes,
    peer: bytes,
    transport: bytes | None = None,
) -> bytes:
    digest = hashlib.sha256(chain).digest()
    body: list[Value] = [1, "hello", mode, role, exporter, digest, peer]
    if transport is not None:
        body.append(transport)
    signature = sign(key, b"kinlight/hello1", body)[1]
    assert isinstance(signature, bytes)
    return signature


def tag(purpose: bytes, secret: bytes = PAIR_SECRET, exporter: bytes = X) -> bytes:
    return hmac.digest(secret, purpose + exporter, "sha256")


def frame_cases() -> list[Case]:
    good = {
        "nothing": b"",
        "the last size of the first class": fixed("m", 252),
        "the first size of the second class": fixed("m", 253),
        "the last size of the third class": fixed("m", 4092),
        "the first size without padding": fixed("m", 4093),
    }
    stream = frame(b"message")
    bad = {
        "padding at its first byte": ("padding", "malformed", stream[:11] + b"\x01" + stream[12:]),
        "padding at its last byte": ("padding", "malformed", stream[:-1] + b"\x80"),
        "a length of 1 MiB and a byte": ("too long", "too-much", (2**20 + 1).to_bytes(4)),
        "a length of 4 GiB less a byte": ("too long", "too-much", b"\xff" * 4),
    }
    return [
        *(
            case("frame", name, "valid", "success", message=message, stream=frame(message))
            for name, message in good.items()
        ),
        *(
            case("frame", name, kind, expect, stream=data)
            for name, (kind, expect, data) in bad.items()
        ),
    ]


def message_cases() -> list[Case]:
    fetch: list[Value] = [
        20, 7, fixed("photo", 16), fixed("content id"), b"capability", 1, [[0, 3], [5, 1]], 32,
    ]  # fmt: skip
    held: list[Value] = [26, 7, fixed("content id"), fixed("token"), 0, [[2, 1]], 1]
    blob: list[Value] = [fixed("content id"), 72, fixed("token hash")]
    good: dict[str, list[Value]] = {
        "Hello": [1, [1], "contact", "", fixed("tags", 256)],
        "Welcome": [2, 1, fixed("tag")],
        "Prove": [3, ADA_CHAIN, fixed("signature", 64)],
        "PairChain": [4, fixed("sealed", 100)],
        "PairConfirm": [5, fixed("confirmation"), fixed("signature", 64)],
        "PairDone": [6],
        "Offer": [10, fixed("envelope", 100)],
        "OfferTaken": [11, fixed("hash"), 1],
        "OfferRefused": [12, fixed("hash"), 23],
        "Stored": [13, fixed("hash")],
        "Fetch": fetch,
        "ManifestPart": [21, 7, fixed("part", 100)],
        "Piece": [22, 7, 65_535, fixed("piece", 100)],
        "Credit": [23, 7, 64],
        "FetchRefused": [24, 7, 20],
        "FetchStop": [25, 2**32 - 1],
        "Ping": [30, 2**64 - 1],
        "Pong": [31, 0],
        "Bye": [40, 0],
        "Papers": [50, fixed("shown", 100), fixed("list", 100)],
        "Delivered": [14, fixed("hash"), fixed("receipt", 200)],
        "FetchHeld": held,
        "Mailbox": [60, fixed("mailbox"), fixed("marks", 64)],
        "Holding": [61, 10**10, 2_592_000, 0],
        "Deposit": [62, fixed("tag"), fixed("envelope", 100), 20_863, [blob]],
        "Held": [63, fixed("hash")],
        "HeldRefused": [64, fixed("hash"), 24],
        "Collect": [65, 0, 256, 1],
        "HeldItem": [66, 1, fixed("envelope", 100)],
        "HeldEnd": [67, 1, 1],
        "HeldDone": [68, fixed("hash"), b""],
        "HeldGone": [69, fixed("hash")],
        "HeldReceipt": [70, fixed("hash"), fixed("receipt", 200)],
    }
    reached: dict[str, list[Value]] = {
        "Prove": [*good["Prove"], fixed("transport", 64)],
        "PairConfirm": [*good["PairConfirm"], fixed("transport", 1)],
    }
    bad: dict[str, tuple[str, list[Value]]] = {
        "no number": ("truncated", []),
        "number of no message": ("unknown number", [7]),
        "number of a later message": ("unknown number", [255, b""]),
        "a field too many": ("trailing data", [6, 0]),
        "a field too few": ("truncated", [11, fixed("hash")]),
        "a flag of two": ("bad field", [11, fixed("hash"), 2]),
        "a hash of 31 bytes": ("bad field", [13, fixed("hash", 31)]),
        "text for bytes": ("wrong type", [10, "envelope"]),
        "17 versions": ("too long", [1, list(range(17)), "contact", "", b""]),
        "33 dial tags": ("too long", [1, [1], "contact", "", bytes(33 * 32)]),
        "an envelope of 64 KiB and a byte": ("too long", [10, bytes(65_537)]),
        "an index that no piece has": ("bad field", [22, 7, 65_536, b""]),
        "credit for 65 pieces": ("bad field", [23, 7, 65]),
        "a request of 33 bits": ("bad field", [25, 2**32]),
        "an empty range": ("bad range", [*fetch[:6], [[0, 0]], 1]),
        "ranges that overlap": ("bad range", [*fetch[:6], [[0, 2], [1, 1]], 1]),
        "ranges that fall": ("bad range", [*fetch[:6], [[5, 1], [0, 1]], 1]),
        "a range beyond the last piece": ("bad range", [*fetch[:6], [[65_535, 2]], 1]),
        "a range of three numbers": ("bad range", [*fetch[:6], [[0, 1, 1]], 1]),
        "a receipt of 513 bytes": ("too long", [14, fixed("hash"), bytes(513)]),
        "a token of 31 bytes": ("bad field", [*held[:3], bytes(31), *held[4:]]),
        "a mailbox secret of 31 bytes": ("bad field", [60, bytes(31), b""]),
        "marks of 9 holders": ("too long", [60, fixed("mailbox"), bytes(9 * 32)]),
        "a deposit of 9 blobs": ("too long", [62, fixed("tag"), b"", 0, [blob] * 9]),
        "a held blob of 71 bytes": (
            "bad field",
            [62, fixed("tag"), b"", 0, [[blob[0], 71, blob[2]]]],
        ),
        "a held blob without a token hash": ("truncated", [62, fixed("tag"), b"", 0, [blob[:2]]]),
        "257 envelopes at a time": ("bad field", [65, 0, 257, 0]),
        "a transport id of no bytes": ("not minimal", [*good["Prove"], b""]),
        "a transport id of 65 bytes": ("too long", [*good["Prove"], bytes(65)]),
        "a field behind the transport id": ("trailing data", [*reached["PairConfirm"], 0]),
        "a hello to a known version alone with more": (
            "trailing data",
            [1, [1], "contact", "", fixed("tags", 256), 0],
        ),
    }
    both: list[Value] = [1, [1, 5], "contact", "", fixed("tags", 256)]
    later: dict[str, list[Value]] = {
        "a hello without this version": [1, [5, 6], "contact", "", fixed("tags", 256)],
        "a hello of another form without this version": [1, [5], [[b"later"]], 7],
        "a hello to no version": [1, [], "contact", "", fixed("tags", 256)],
        "a welcome in another version": [2, 5, fixed("tag")],
        "a welcome of another form in another version": [2, 5, [], "later"],
    }
    return [
        *(
            case("message", name, "valid", "success", encoded=encode(items),
                 fields=readable(items[1:]))
            for name, items in (*good.items(), *reached.items())
        ),
        *(
            case("message", name, kind, "malformed", encoded=encode(items))
            for name, (kind, items) in bad.items()
        ),
        # What a dialer says that speaks a later version too, and what this version reads of it.
        case("message", "Hello", "valid", "success", encoded=encode([*both, "more", [7]]),
             fields=readable(both[1:]), written=encode(both)),
        *(
            case("message", name, "version", "other-version", encoded=encode(items))
            for name, items in later.items()
        ),
        case("message", "a map", "wrong type", "malformed", encoded=bytes.fromhex("8106c0")),
        case("message", "a number in nine bits", "not minimal", "malformed",
             encoded=bytes.fromhex("91cc06")),
    ]  # fmt: skip


def tag_cases() -> list[Case]:
    mine = tag(b"dial")
    others = [fixed(f"tag {number}") for number in range(15)]

    def hello(name: str, kind: str, expect: str, tags: Sequence[bytes]) -> Case:
        proof = b"".join(tags)
        return case("tags", name, kind, expect, pair_secret=PAIR_SECRET, exporter=X, proof=proof,
                    accept_tag=tag(b"accept"))  # fmt: skip

    return [
        hello("first of eight", "valid", "success", [mine, *others[:7]]),
        hello("last of sixteen", "valid", "success", [*others, mine]),
        hello("among none", "not a contact", "unknown-peer", others[:8]),
        hello("of another channel", "replay", "unknown-peer",
              [tag(b"dial", exporter=OTHER_X), *others[:7]]),
        hello("of another pair secret", "not a contact", "unknown-peer",
              [tag(b"dial", secret=bytes(32)), *others[:7]]),
        hello("accept for dial", "reflected", "unknown-peer", [tag(b"accept"), *others[:7]]),
        hello("none", "bad field", "malformed", []),
        hello("seven", "bad field", "malformed", [mine, *others[:6]]),
        hello("cut", "bad field", "malformed", [mine, *others[:6], others[6][:31]]),
    ]  # fmt: skip


def proof_cases() -> list[Case]:
    """Ada proves herself to Ben."""
    stolen = encode(
        [identity_certificate(STRANGER), [device_certificate(STRANGER, PHONE, identity=BEN)],
         kem_statement(PHONE)]
    )  # fmt: skip

    def proof(
        name: str,
        kind: str,
        expect: str,
        *,
        key: SigningKey = PHONE,
        mode: str = "contact",
        role: str = "dialer",
        exporter: bytes = X,
        chain: bytes = ADA_CHAIN,
        signed_chain: bytes | None = None,
        peer: bytes = BEN,
        signed: bytes | None = None,
        **reached: bytes,
    ) -> Case:
        body_end = signed if signed is not None else reached.get("transport")
        signature = hello_signature(
            key, mode, role, exporter, signed_chain or chain, peer, body_end
        )
        return case("prove", name, kind, expect, prover="dialer", exporter=X, judge=BEN_CHAIN,
                    contact=ADA, chain=chain, signature=signature, **reached)  # fmt: skip

    own, other = fixed("peer id", 38), fixed("other peer id", 38)

    return [
        proof("a contact", "valid", "success"),
        proof("by another key", "bad signature", "wrong-peer", key=LAPTOP),
        proof("for another channel", "replay", "wrong-peer", exporter=OTHER_X),
        proof("in the other role", "reflected", "wrong-peer", role="listener"),
        proof("in the other mode", "wrong context", "wrong-peer", mode="pair"),
        proof("for another peer", "wrong context", "wrong-peer", peer=ADA),
        proof("over another chain", "wrong context", "wrong-peer", signed_chain=BEN_CHAIN),
        proof("papers of another identity", "not the contact", "other-key", key=LAPTOP,
              chain=BEN_CHAIN),
        proof("the key in papers of another identity", "not the contact", "other-key",
              chain=stolen),
        proof("papers cut", "truncated", "malformed", chain=ADA_CHAIN[:-1]),
        proof("by the transport key of the pipe", "valid", "success", transport=own, pipe=own),
        proof("by another transport key", "somebody between", "wrong-transport", transport=other,
              pipe=own),
        proof("by no transport key on a pipe that knows one", "somebody between",
              "wrong-transport", pipe=own),
        proof("by a transport key on a pipe that knows none", "bad field", "malformed",
              transport=own),
        proof("over another transport key", "bad signature", "wrong-peer", transport=own, pipe=own,
              signed=other),
    ]  # fmt: skip


# pairing


def pairing_cases() -> list[Case]:
    key = fixed("SPAKE2 key")
    pairing_key = hkdf(key, b"kinlight/pair-key1" + X)
    digests = [hashlib.sha256(chain).digest() for chain in (ADA_CHAIN, BEN_CHAIN)]

    def confirmation(role: bytes = b"A", exporter: bytes = X, order: int = 1) -> bytes:
        return hmac.digest(pairing_key, role + exporter + b"".join(digests[::order]), "sha256")

    def papers(name: str, kind: str, expect: str, body: bytes, role: bytes = b"A",
               sealing_key: bytes = pairing_key, exporter: bytes = X) -> Case:  # fmt: skip
        context = b"kinlight/pair-chain1\x00" + role + exporter
        sealed = wrap(sealing_key, context, body, f"papers {name}")
        return case("papers", name, kind, expect, key=key, exporter=X, judge=BEN_CHAIN,
                    sealed=sealed)  # fmt: skip

    def confirm(name: str, kind: str, expect: str, confirmed: bytes, signature: bytes,
                **reached: bytes) -> Case:  # fmt: skip
        context = b"kinlight/pair-chain1\x00A" + X
        sealed = wrap(pairing_key, context, encode([ADA_CHAIN, "Ada's phone"]), "papers")
        secret = hkdf(pairing_key, b"pair1" + b"".join(sorted((ADA, BEN))))
        return case("confirm", name, kind, expect, key=key, exporter=X, judge=BEN_CHAIN,
                    sealed=sealed, confirmation=confirmed, signature=signature,
                    pair_secret=secret, **reached)  # fmt: skip

    def signature(signer: SigningKey = PHONE, mode: str = "pair", role: str = "dialer",
                  exporter: bytes = X, peer: bytes = BEN,
                  transport: bytes | None = None) -> bytes:  # fmt: skip
        return hello_signature(signer, mode, role, exporter, ADA_CHAIN, peer, transport)

    own, other = fixed("peer id", 38), fixed("other peer id", 38)

    good = encode([ADA_CHAIN, "Ada's phone"])
    codes: dict[str, tuple[str, str, str]] = {
        "a code": ("valid", "success", "7-maple-orbit"),
        "in capitals with spaces": ("valid", "success", "  7 Maple  ORBIT "),
        "slot of two digits": ("valid", "success", "99-acid-zoom"),
        "slot nought": ("bad field", "invalid-code", "0-maple-orbit"),
        "slot with a nought before": ("bad field", "invalid-code", "07-maple-orbit"),
        "slot of three digits": ("bad field", "invalid-code", "100-maple-orbit"),
        "one word": ("truncated", "invalid-code", "7-maple"),
        "three words": ("trailing data", "invalid-code", "7-maple-orbit-acid"),
        "a word that is not listed": ("bad field", "invalid-code", "7-maple-kinlight"),
        "nothing": ("truncated", "invalid-code", ""),
    }
    return [
        *(
            case("code", name, kind, expect, text=text)
            for name, (kind, expect, text) in codes.items()
        ),
        papers("papers of the dialer", "valid", "success", good),
        papers("sealed in the other role", "reflected", "wrong-code", good, role=b"B"),
        papers("sealed with another key", "wrong key", "wrong-code", good,
               sealing_key=fixed("other key")),
        papers("sealed for another channel", "replay", "wrong-code", good, exporter=OTHER_X),
        papers("no name", "truncated", "malformed", encode([ADA_CHAIN])),
        papers("a name of 256 bytes", "too long", "malformed", encode([ADA_CHAIN, "n" * 256])),
        papers("a field too many", "trailing data", "malformed", encode([ADA_CHAIN, "n", 0])),
        papers("papers of oneself", "own identity", "bad-certificate",
               encode([BEN_CHAIN, "Ben"])),
        confirm("confirmed", "valid", "success", confirmation(), signature()),
        confirm("confirmation of the other role", "reflected", "wrong-code", confirmation(b"B"),
                signature()),
        confirm("confirmation for another channel", "replay", "wrong-code",
                confirmation(exporter=OTHER_X), signature()),
        confirm("confirmation of the chains swapped", "wrong context", "wrong-code",
                confirmation(order=-1), signature()),
        confirm("signature by another key", "bad signature", "wrong-peer", confirmation(),
                signature(LAPTOP)),
        confirm("signature in the other mode", "wrong context", "wrong-peer", confirmation(),
                signature(mode="contact")),
        confirm("signature in the other role", "reflected", "wrong-peer", confirmation(),
                signature(role="listener")),
        confirm("signature for another channel", "replay", "wrong-peer", confirmation(),
                signature(exporter=OTHER_X)),
        confirm("signature for another peer", "wrong context", "wrong-peer", confirmation(),
                signature(peer=ADA)),
        confirm("by the transport key of the pipe", "valid", "success", confirmation(),
                signature(transport=own), transport=own, pipe=own),
        confirm("by another transport key", "somebody between", "wrong-transport", confirmation(),
                signature(transport=other), transport=other, pipe=own),
        confirm("by no transport key on a pipe that knows one", "somebody between",
                "wrong-transport", confirmation(), signature(), pipe=own),
        confirm("by a transport key on a pipe that knows none", "bad field", "malformed",
                confirmation(), signature(transport=own), transport=own),
        confirm("over no transport key", "bad signature", "wrong-peer", confirmation(),
                signature(), transport=own, pipe=own),
    ]  # fmt: skip


# capability

PHOTO, OTHER_PHOTO = fixed("photo", 16), fixed("other photo", 16)
VIEW: Value = ["ops", ["view"]]
SHARE: Value = ["ops", ["reshare", "view"]]
PHOTOS: Value = ["photos", [PHOTO]]


def link(
    issuer: SigningKey,
    signer: SigningKey,
    audience: bytes,
    caveats: Sequence[Value],
    parent: Value | None = None,
    *,
    kind: str = "identity",
    domain: bytes = b"kinlight/cap1",
    version: int = 1,
) -> list[Value]:
    parent_hash = b"" if parent is None else hashlib.sha256(encode(parent)).digest()
    body: Value = [
        version, "cap", parent_hash, public(issuer), public(signer), [kind, audience],
        list(caveats), fixed("nonce", 16),
    ]  # fmt: skip
    return sign(signer, domain, body)


def capability_cases() -> list[Case]:
    def judged(name: str, kind: str, expect: str, links: Sequence[Value], **asked: Any) -> Case:
        request = {
            "identity": BEN.hex(), "device": public(LAPTOP).hex(), "photo_id": PHOTO.hex(),
            "operation": "view", "rendition": "original", "now": NOW, **asked,
        }  # fmt: skip
        devices = {
            public(PHONE).hex(): ADA.hex(),
            public(LAPTOP).hex(): BEN.hex(),
        }
        return case("capability", name, kind, expect, chain=encode(list(links)), author=ADA,
                    devices=devices, request=request)  # fmt: skip

    def root(*caveats: Value, **other: Any) -> list[Value]:
        return link(ROOT, PHONE, BEN, caveats or (VIEW, PHOTOS), **other)

    timed = root(["after", NOW], ["before", NOW + 1], VIEW, PHOTOS)
    shared = root(SHARE, PHOTOS)
    on = link(STRANGER, LAPTOP, ADA, [VIEW], shared)
    back = {"identity": ADA.hex(), "device": public(PHONE).hex()}
    to_device = link(ROOT, PHONE, public(LAPTOP), [SHARE, PHOTOS], kind="device")
    flipped = root()
    assert isinstance(flipped[1], bytes)
    flipped[1] = flipped[1][:-1] + bytes([flipped[1][-1] ^ 1])
    four = [shared]
    for number in range(1, 5):
        who = (STRANGER, LAPTOP, ADA) if number % 2 else (ROOT, PHONE, BEN)
        four.append(link(*who, [SHARE], four[-1]))

    return [
        judged("a grant", "valid", "success", [root()]),
        judged("to a device", "valid", "success", [to_device]),
        judged("for an original", "valid", "success",
               [root(VIEW, PHOTOS, ["rendition", "original"])]),
        judged("within its time", "valid", "success", [timed]),
        judged("passed on", "valid", "success", [shared, on], **back),
        judged("passed on by the device it was for", "valid", "success",
               [to_device, link(STRANGER, LAPTOP, ADA, [VIEW], to_device)], **back),
        judged("four links", "valid", "success", four[:4], **back),
        judged("five links", "too deep", "malformed", four),
        judged("no link", "truncated", "malformed", []),
        judged("before its time", "time", "grant-not-yet", [timed], now=NOW - 1),
        judged("at its end", "time", "grant-expired", [timed], now=NOW + 1),
        judged("parent expired", "time", "grant-expired",
               [p := root(["before", NOW], SHARE, PHOTOS),
                link(STRANGER, LAPTOP, ADA, [["before", NOW + 9], VIEW], p)], **back),
        judged("another photo", "scope", "grant-other-photo", [root()],
               photo_id=OTHER_PHOTO.hex()),
        judged("widened to another photo", "widened", "grant-other-photo",
               [shared, link(STRANGER, LAPTOP, ADA, [["photos", [OTHER_PHOTO]]], shared)],
               photo_id=OTHER_PHOTO.hex(), **back),
        judged("another operation", "scope", "grant-other-operation", [root()],
               operation="contribute"),
        judged("another rendition", "scope", "grant-other-rendition",
               [root(VIEW, PHOTOS, ["rendition", "original"])], rendition="preview"),
        judged("for another identity", "audience", "grant-for-another", [root()], **back),
        judged("for another device", "audience", "grant-for-another", [to_device],
               device=public(TABLET).hex()),
        judged("identity for device", "audience", "grant-for-another",
               [root(kind="device")]),
        judged("a condition of a later version", "unknown condition", "grant-unknown-condition",
               [root(["network", "lan"], VIEW, PHOTOS)]),
        judged("a condition that nobody knows", "unknown condition", "grant-unknown-condition",
               [root(VIEW, PHOTOS, ["zzz", 1, [2]])]),
        judged("an operation that nobody knows", "unknown condition", "grant-unknown-condition",
               [root(["ops", ["dance", "view"]], PHOTOS)]),
        judged("a rendition of a later version", "unknown condition", "grant-unknown-condition",
               [root(VIEW, PHOTOS, ["rendition", 2048, 1, 0, ""])]),
        judged("silent on photos", "tacit", "grant-broken", [root(VIEW)]),
        judged("silent on operations", "tacit", "grant-broken", [root(PHOTOS)]),
        judged("without reshare passed on", "widened", "grant-passed-on",
               [p := root(), link(STRANGER, LAPTOP, ADA, [VIEW], p)], **back),
        judged("passed on by who does not hold it", "widened", "grant-passed-on",
               [shared, link(ROOT, PHONE, ADA, [VIEW], shared)], **back),
        judged("under another parent", "widened", "grant-passed-on", [timed, on], **back),
        judged("a first link with a parent", "forged", "grant-broken",
               [link(ROOT, PHONE, BEN, [VIEW, PHOTOS], shared)]),
        judged("begun by another", "forged", "grant-broken",
               [link(STRANGER, LAPTOP, BEN, [VIEW, PHOTOS])]),
        judged("signed by a device of another", "forged", "grant-broken",
               [link(ROOT, LAPTOP, BEN, [VIEW, PHOTOS])]),
        judged("signed by an unknown device", "forged", "grant-broken",
               [link(ROOT, TABLET, BEN, [VIEW, PHOTOS])]),
        judged("signature changed", "bad signature", "grant-broken", [flipped]),
        judged("signed as another type", "wrong domain", "grant-broken",
               [root(domain=b"kinlight/photo1")]),
        judged("version 2", "bad field", "malformed", [root(version=2)]),
        judged("empty audience", "bad field", "malformed",
               [link(ROOT, PHONE, b"", [VIEW, PHOTOS])]),
        judged("audience of another kind", "bad field", "malformed", [root(kind="people")]),
        judged("caveats out of order", "not canonical", "malformed", [root(PHOTOS, VIEW)]),
        judged("a caveat twice", "not canonical", "malformed", [root(VIEW, VIEW, PHOTOS)]),
        judged("photos out of order", "not canonical", "malformed",
               [root(VIEW, ["photos", sorted([PHOTO, OTHER_PHOTO], reverse=True)])]),
        judged("an operation twice", "not canonical", "malformed",
               [root(["ops", ["view", "view"]], PHOTOS)]),
        judged("time as text", "wrong type", "malformed", [root(["before", "1"], VIEW, PHOTOS)]),
        judged("17 caveats", "too long", "malformed",
               [root(VIEW, PHOTOS, *([f"x{number:02}"] for number in range(15)))]),
        judged("65 photos", "too long", "malformed",
               [root(VIEW, ["photos", [number.to_bytes(16) for number in range(65)]])]),
    ]  # fmt: skip


# record

KEM_SEED = fixed("device kem")
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def photo_id(author: bytes, nonce: bytes) -> bytes:
    return hashlib.sha256(b"kinlight/pid1" + author + nonce).digest()[:16]


def record_body(**changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "photo", "author": ADA,
        "nonce": fixed("nonce", 16), "kind": 1,
        "content_id": fixed("content id"), "length": 5000,
        "metadata_id": fixed("metadata id"), "device": public(PHONE),
    }  # fmt: skip
    return list((fields | changes).values())


def signed_record(signer: SigningKey = PHONE, **changes: Value) -> list[Value]:
    return sign(signer, b"kinlight/photo1", record_body(**changes))


def record_cases() -> list[Case]:
    flipped = signed_record()
    assert isinstance(flipped[0], bytes)
    flipped[0] = flipped[0].replace(fixed("content id"), fixed("other content id"))

    def read(name: str, kind: str, expect: str, signed: Value) -> Case:
        return case("record", name, kind, expect, signed=encode(signed))

    return [
        case("record", "a record", "valid", "success", signed=encode(signed_record()),
             fields=readable(record_body()), photo_id=photo_id(ADA, fixed("nonce", 16))),
        read("content swapped", "bad signature", "bad-signature", flipped),
        read("signed by another device", "bad signature", "bad-signature",
             signed_record(LAPTOP)),
        read("signed as another type", "wrong domain", "bad-signature",
             sign(PHONE, b"kinlight/cap1", record_body())),
        read("version 2", "bad field", "malformed", signed_record(version=2)),
        read("another type", "bad field", "malformed", signed_record(type="meta")),
        read("metadata as the content", "bad field", "malformed", signed_record(kind=2)),
        read("a nonce of 15 bytes", "bad field", "malformed", signed_record(nonce=bytes(15))),
        read("a nonce of 17 bytes", "bad field", "malformed", signed_record(nonce=bytes(17))),
        read("an author that is no key", "bad key", "malformed", signed_record(author=bytes(32))),
        read("a blob of 71 bytes", "bad field", "malformed", signed_record(length=71)),
        read("a blob beyond the last piece", "bad field", "malformed",
             signed_record(length=56 + 65_536 * 262_400 + 1)),
        read("a field too many", "trailing data", "malformed", signed_record(more=0)),
    ]  # fmt: skip


def metadata_cases() -> list[Case]:
    good: dict[str, Value] = {
        "version": 1, "type": "meta", "name": "Küste 1.jpg", "media_type": "image/jpeg",
        "modified": 1_700_000_000_123_456_789, "length": 4_123_456, "sha256": fixed("content"),
        "policy": "original",
    }  # fmt: skip
    bad: dict[str, tuple[str, dict[str, Value]]] = {
        "version 2": ("bad field", {"version": 2}),
        "a name of 256 bytes": ("too long", {"name": "ü" * 128}),
        "a media type of 128 bytes": ("too long", {"media_type": "m" * 128}),
        "a time of 64 bits": ("bad field", {"modified": 2**63}),
        "a hash of 31 bytes": ("bad field", {"sha256": bytes(31)}),
        "a policy that is none": ("bad field", {"policy": "some"}),
        "a field too many": ("trailing data", {"more": 0}),
    }
    return [
        case("metadata", "metadata", "valid", "success", encoded=encode(list(good.values())),
             fields=readable(list(good.values()))),
        *(
            case("metadata", name, kind, "malformed", encoded=encode(list((good | new).values())))
            for name, (kind, new) in bad.items()
        ),
    ]  # fmt: skip


def envelope_info(device: bytes) -> bytes:
    return encode(["kinlight/env1", device, hashlib.sha256(DEVICE_KEM).digest()])


def fill(signed: bytes) -> bytes:
    prefixed = len(signed).to_bytes(4) + signed
    return prefixed + bytes(-len(prefixed) % 4096)


def sealer(folder: str, kem_public: bytes) -> Callable[[bytes, bytes], bytes]:
    """Seals a plaintext to a key in a context, as in the vectors that are there."""
    path = HERE / folder / "vectors.json"
    cases: list[Case] = json.loads(path.read_text())["cases"] if path.exists() else []
    kept = {(old["plaintext"], old["info"]): old["sealed"] for old in cases if "sealed" in old}
    kem = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(kem_public[:1184]),
        X25519PublicKey.from_public_bytes(kem_public[1184:]),
    )

    def seal(plaintext: bytes, info: bytes) -> bytes:
        named = (plaintext.hex(), info.hex())
        if named not in kept:
            kept[named] = SUITE.encrypt(plaintext, kem, info=info).hex()
        return bytes.fromhex(kept[named])

    return seal


def envelope_cases() -> list[Case]:
    """Ada's phone sends to Ben's laptop."""
    seal = sealer("record", DEVICE_KEM)
    keys: list[Value] = [[1, fixed("file key")], [2, fixed("metadata key")]]
    record = signed_record()
    caveats: list[Value] = [VIEW, ["photos", [photo_id(ADA, fixed("nonce", 16))]]]
    capability = encode([link(ROOT, PHONE, BEN, caveats)])

    def body(**changes: Value) -> list[Value]:
        fields: dict[str, Value] = {
            "version": 1, "type": "env", "sender": public(PHONE), "recipient": public(LAPTOP),
            "record": record, "capability": capability, "keys": keys,
            "certificates": [ADA_PAPER],
        }  # fmt: skip
        return list((fields | changes).values())

    def envelope(
        name: str,
        kind: str,
        expect: str,
        *,
        signer: SigningKey = PHONE,
        sent_by: SigningKey = PHONE,
        to: bytes = public(LAPTOP),
        domain: bytes = b"kinlight/envelope1",
        padded: bytes | None = None,
        **changes: Value,
    ) -> Case:
        plaintext = padded or fill(encode(sign(signer, domain, body(**changes))))
        info = envelope_info(to)
        return case("envelope", name, kind, expect, sender=public(sent_by), device_seed=
                    bytes(LAPTOP), kem_seed=KEM_SEED, recipient_chain=BEN_CHAIN, info=info,
                    plaintext=plaintext, sealed=seal(plaintext, info))  # fmt: skip

    good = fill(encode(sign(PHONE, b"kinlight/envelope1", body())))
    of_ben = encode([link(STRANGER, LAPTOP, BEN, caveats)])
    forged = signed_record(LAPTOP, device=public(LAPTOP))
    ada_under_ben = device_certificate(STRANGER, PHONE, identity=BEN)
    return [
        envelope("an envelope", "valid", "success"),
        envelope("handed over by another device", "wrong sender", "bad-signature", sent_by=TABLET),
        envelope("signed by another device", "bad signature", "bad-signature", signer=TABLET),
        envelope("signed as another type", "wrong domain", "bad-signature",
                 domain=b"kinlight/photo1"),
        envelope("for another device inside", "re-targeted", "seal-broken",
                 recipient=public(TABLET)),
        envelope("for another device outside", "wrong context", "seal-broken",
                 to=public(TABLET)),
        envelope("padding not zero", "padding", "malformed", padded=good[:-1] + b"\x01"),
        envelope("padding of a step too many", "padding", "malformed", padded=good + bytes(4096)),
        envelope("no padding", "padding", "malformed",
                 padded=good[: 4 + int.from_bytes(good[:4])]),
        envelope("one key", "bad field", "malformed", keys=keys[:1]),
        envelope("a key twice", "bad field", "malformed", keys=[keys[0], keys[0]]),
        envelope("keys out of order", "bad field", "malformed", keys=keys[::-1]),
        envelope("a rendition's key for the metadata's", "bad field", "malformed",
                 keys=[keys[0], [3, fixed("metadata key")]]),
        envelope("no certificate", "broken chain", "bad-certificate", certificates=[]),
        envelope("certificate of another identity", "broken chain", "bad-certificate",
                 certificates=[ada_under_ben]),
        envelope("two identities for a device", "broken chain", "bad-certificate",
                 certificates=[ADA_PAPER, ada_under_ben]),
        envelope("record by a device of another", "forged", "bad-certificate", record=forged,
                 certificates=[ADA_PAPER, BEN_PAPER]),
        envelope("grant by another than the author", "forged", "grant-broken", capability=of_ben,
                 certificates=[ADA_PAPER, BEN_PAPER]),
        envelope("a field too many", "trailing data", "malformed", more=0),
    ]  # fmt: skip


# receipt


def receipt_cases() -> list[Case]:
    """Ben's laptop has what Ada sent."""

    def body(**changes: Value) -> list[Value]:
        fields: dict[str, Value] = {
            "version": 1, "type": "rcpt", "recipient": public(LAPTOP), "sender": ADA,
            "content_id": fixed("content id"), "time": NOW, "commitment": b"",
        }  # fmt: skip
        return list((fields | changes).values())

    def signed(
        signer: SigningKey = LAPTOP, domain: bytes = b"kinlight/receipt1", **changes: Value
    ) -> list[Value]:
        return sign(signer, domain, body(**changes))

    def good(name: str, **changes: Any) -> Case:
        return case("receipt", name, "valid", "success", encoded=encode(signed(**changes)),
                    fields=readable(body(**changes)), device=public(LAPTOP), sender=ADA,
                    content_id=fixed("content id"))  # fmt: skip

    def bad(name: str, kind: str, expect: str, encoded: bytes, **asked: bytes) -> Case:
        expected = {"device": public(LAPTOP), "sender": ADA, "content_id": fixed("content id")}
        return case("receipt", name, kind, expect, encoded=encoded, **(expected | asked))

    whole = encode(signed())
    flipped = signed()
    assert isinstance(flipped[0], bytes)
    flipped[0] = flipped[0].replace(fixed("content id"), fixed("other content id"))
    return [
        good("a receipt"),
        good("a receipt with a commitment", commitment=fixed("commitment")),
        good("a receipt of the first second", time=0),
        good("a receipt of the last second", time=2**63 - 1),
        bad("content swapped", "bad signature", "bad-signature", encode(flipped)),
        bad("signed by another device", "bad signature", "bad-signature", encode(signed(PHONE))),
        bad("signed as another type", "wrong domain", "bad-signature",
            encode(signed(domain=b"kinlight/photo1"))),
        bad("a photo record", "wrong domain", "malformed", encode(signed_record(LAPTOP))),
        bad("of another device", "wrong context", "receipt-broken", whole, device=public(PHONE)),
        bad("to another sender", "wrong context", "receipt-broken", whole, sender=BEN),
        bad("for another photo", "replay", "receipt-broken", whole,
            content_id=fixed("other content id")),
        bad("version 2", "bad field", "malformed", encode(signed(version=2))),
        bad("another type", "bad field", "malformed", encode(signed(type="photo"))),
        bad("a sender that is no key", "bad key", "malformed", encode(signed(sender=bytes(32)))),
        bad("a content id of 31 bytes", "bad field", "malformed",
            encode(signed(content_id=bytes(31)))),
        bad("a time of 64 bits", "bad field", "malformed", encode(signed(time=2**63))),
        bad("a time as text", "wrong type", "malformed", encode(signed(time="1800000000"))),
        bad("a commitment of 31 bytes", "bad field", "malformed",
            encode(signed(commitment=bytes(31)))),
        bad("a commitment of 33 bytes", "too long", "malformed",
            encode(signed(commitment=bytes(33)))),
        bad("a field too many", "trailing data", "malformed", encode(signed(more=0))),
        bad("cut", "truncated", "malformed", whole[:-1]),
        bad("a byte behind it", "trailing data", "malformed", whole + b"\x00"),
        bad("513 bytes", "too long", "malformed", bytes(513)),
        bad("nothing", "truncated", "malformed", b""),
    ]  # fmt: skip


# holding


def holding_cases() -> list[Case]:
    """Ada's mailbox, for which Ben holds."""
    secret, day = fixed("mailbox"), NOW // 86_400

    def day_tag(
        day: int,
        secret: bytes = secret,
        purpose: bytes = b"kinlight/mailbox1",
        owner: bytes = ADA,
    ) -> bytes:
        return hmac.digest(secret, purpose + b"\x00" + owner + day.to_bytes(8), "sha256")

    def mark(identity: bytes, secret: bytes = secret) -> bytes:
        return hmac.digest(secret, b"kinlight/holder1\x00" + identity, "sha256")

    def left(name: str, kind: str, expect: str, tag: bytes, now: int = NOW) -> Case:
        return case("mailbox", name, kind, expect, secret=secret, owner=ADA,
                    now=now, tag=tag)  # fmt: skip

    def held_by(name: str, kind: str, expect: str, holders: bytes, who: bytes = BEN) -> Case:
        return case("marks", name, kind, expect, secret=secret, identity=who, holders=holders)

    def token_of(name: str, kind: str, expect: str, token: bytes) -> Case:
        return case("token", name, kind, expect, file_key=key, token_hash=token_hash, token=token)

    key = fixed("file key")
    token = hkdf(key, b"kinlight/fetch1")
    token_hash = hashlib.sha256(token).digest()
    both = b"".join(sorted((mark(BEN), mark(public(PHONE)))))
    refused = "not-holding"
    return [
        left("today's tag", "valid", "success", day_tag(day)),
        left("yesterday's tag", "valid", "success", day_tag(day - 1)),
        left("tomorrow's tag", "valid", "success", day_tag(day + 1)),
        left("the tag of the first day", "valid", "success", day_tag(0), 0),
        left("the last second of a day", "valid", "success", day_tag(8), 9 * 86_400 + 86_399),
        left("the tag of two days ago", "replay", refused, day_tag(day - 2)),
        left("the tag of the day after tomorrow", "too early", refused, day_tag(day + 2)),
        left("a second into the second day", "replay", refused, day_tag(8), 10 * 86_400),
        left("of somebody who knows the secret", "wrong context", refused,
             day_tag(day, owner=public(PHONE))),
        left("without the owner", "wrong domain", refused, day_tag(day, owner=b"")),
        left("of another secret", "wrong context", refused, day_tag(day, fixed("another"))),
        left("made for another purpose", "wrong domain", refused,
             day_tag(day, purpose=b"kinlight/holder1")),
        left("without the byte between", "wrong domain", refused,
             hmac.digest(secret, b"kinlight/mailbox1" + ADA + day.to_bytes(8), "sha256")),
        left("the day in four bytes", "bad field", refused,
             hmac.digest(secret, b"kinlight/mailbox1\x00" + ADA + day.to_bytes(4), "sha256")),
        left("zeros", "forged", refused, bytes(32)),
        held_by("one holder", "valid", "success", mark(BEN)),
        held_by("one of two", "valid", "success", both),
        held_by("none", "wrong context", refused, b""),
        held_by("another's", "wrong context", refused, both, ADA),
        held_by("of another secret", "wrong context", refused, mark(BEN, fixed("another"))),
        held_by("a byte too few", "truncated", "malformed", both[:-1]),
        held_by("a byte too many", "trailing data", "malformed", both + b"\x00"),
        token_of("of its file key", "valid", "success", token),
        token_of("of another key", "wrong context", "gone", hkdf(bytes(32), b"kinlight/fetch1")),
        token_of("made for another purpose", "wrong domain", "gone", hkdf(key, b"kinlight/fetch2")),
        token_of("the hash itself", "forged", "gone", token_hash),
        token_of("the file key", "forged", "gone", key),
        token_of("none", "truncated", "gone", b""),
    ]  # fmt: skip


# backup

RECOVERY_SEED = hkdf(ENTROPY, b"kinlight/recovery-kem1")


def backup_info(identity: bytes = ADA, kem: bytes = RECOVERY_KEM) -> bytes:
    return encode(["kinlight/bak1", identity, hashlib.sha256(kem).digest()])


def kept_contact(label: str, name: str = "", verified: int = 0) -> list[Value]:
    key = SigningKey(fixed(f"contact {label}"))
    return [public(key), name or label, fixed(f"pair secret {label}"), verified]


def in_order(contacts: Sequence[list[Value]]) -> list[list[Value]]:
    return sorted(contacts, key=lambda contact: bytes(contact[0]))  # type: ignore[arg-type]


def digest_of(contacts: Sequence[list[Value]]) -> bytes:
    return hashlib.sha256(b"".join(map(encode, contacts))).digest()


def backup_cases() -> list[Case]:
    """Ada's phone backs up; her words are those of `identity`."""
    seal = sealer("backup", RECOVERY_KEM)
    keys: list[Value] = [[1, fixed("file key")], [2, fixed("metadata key")]]
    caveats: list[Value] = [VIEW, ["photos", [photo_id(BEN, fixed("nonce", 16))]]]
    bens: dict[str, Value] = {
        "record": signed_record(LAPTOP, author=BEN, device=public(LAPTOP)), "keys": keys,
        "capability": encode([link(STRANGER, LAPTOP, ADA, caveats)]),
        "certificates": [BEN_PAPER],
    }  # fmt: skip
    own: dict[str, Value] = {
        "record": signed_record(), "keys": keys, "capability": b"", "certificates": [ADA_PAPER],
    }  # fmt: skip
    friends = in_order([kept_contact("Ben", verified=1), kept_contact("Küste"), kept_contact("C")])
    all_friends: dict[str, Value] = {
        "whole": digest_of(friends), "part": 0, "parts": 1, "contacts": list(friends),
    }  # fmt: skip
    many = in_order([kept_contact(str(number)) for number in range(129)])

    def entry(
        name: str,
        kind: str,
        expect: str,
        what: dict[str, Value] = own,
        *,
        signer: SigningKey = PHONE,
        device: bytes = public(PHONE),
        papers: Value = (ADA_PAPER,),
        domain: bytes = b"kinlight/backup1",
        info: bytes | None = None,
        padded: bytes | None = None,
        version: int = 1,
        bak: str = "bak",
        time: int = NOW,
        says: str = "",
        **changes: Value,
    ) -> Case:
        says = says or ("contacts" if "parts" in what else "photo")
        fields = list((what | changes).values())
        body: list[Value] = [version, bak, device, list(papers), time, says, *fields]  # type: ignore[arg-type]
        plaintext = padded or fill(encode(sign(signer, domain, body)))
        info = info or backup_info()
        more = {"fields": readable(body)} if kind == "valid" else {}
        return case(
            "backup", name, kind, expect, identity=ADA, recovery_kem_seed=RECOVERY_SEED,
            info=info, plaintext=plaintext, sealed=seal(plaintext, info), **more,
        )  # fmt: skip

    body: list[Value] = [1, "bak", public(PHONE), [ADA_PAPER], NOW, "photo", *own.values()]
    good = fill(encode(sign(PHONE, b"kinlight/backup1", body)))
    trusted = device_certificate(ROOT, PHONE, may_certify=1)
    by_phone = device_certificate(PHONE, TABLET)
    ben: dict[str, Any] = {"signer": LAPTOP, "device": public(LAPTOP)}
    one = kept_contact("Ben")
    noted = b"".join(len(each).to_bytes(4) + each for each in map(encode, (
        ["tags", b"p" * 16, ["sea", "K\u00fcste"]], ["sensitivity", b"p" * 16, "high"],
        ["in", "Mine", b"p" * 16], ["rules", "", ""],
        ["contact", BEN, "always", "clean", 1],
        ["shared", b"a" * 16, BEN, NOW], ["key", b"a" * 16, bytes(32)],
        ["hidden", b"a" * 16, b"h" * 16],
    )))  # fmt: skip
    notes: dict[str, Value] = {
        "whole": hashlib.sha256(noted).digest(), "part": 0, "parts": 1, "notes": noted,
    }  # fmt: skip
    album: dict[str, Value] = {
        "album": b"a" * 16, "part": 0, "entries": (3).to_bytes(4) + b"one",
    }  # fmt: skip
    further = [
        entry("notes", "valid", "success", notes, says="notes"),
        entry("a part of an album", "valid", "success", album, says="album"),
        entry("a part of notes beyond the last", "bad field", "malformed", notes, says="notes",
              part=1),
        entry("notes with a digest that is short", "bad field", "malformed", notes, says="notes",
              whole=bytes(31)),
        entry("notes above 49,152 bytes", "too long", "malformed", notes, says="notes",
              notes=bytes(49_153)),
        entry("notes in more parts than are put together", "too long", "malformed", notes,
              says="notes", parts=1_366),
        entry("a part of an album with a short id", "bad field", "malformed", album, says="album",
              album=bytes(15)),
        entry("a part of an album above 49,152 bytes", "too long", "malformed", album,
              says="album", entries=bytes(49_153)),
        entry("a part of an album with a field too many", "trailing data", "malformed", album,
              says="album", more=0),
    ]  # fmt: skip
    return [
        *further,
        entry("a photo of one's own", "valid", "success"),
        entry("a photo that came from somebody", "valid", "success", bens),
        entry("contacts", "valid", "success", all_friends),
        entry("no contacts", "valid", "success", all_friends, whole=digest_of([]), contacts=[]),
        entry("by a device that a device certified", "valid", "success", signer=TABLET,
              device=public(TABLET), papers=[trusted, by_phone]),
        entry("for another identity", "wrong context", "seal-broken", info=backup_info(BEN)),
        entry("for another key", "wrong context", "seal-broken",
              info=backup_info(kem=DEVICE_KEM)),
        entry("by somebody else's device, with its papers", "forged", "bad-certificate",
              all_friends, papers=[BEN_PAPER], **ben),
        entry("by somebody else's device, with hers", "forged", "bad-certificate", all_friends,
              **ben),
        entry("by somebody else's device, under the name of hers", "bad signature", "bad-signature",
              all_friends, signer=LAPTOP),
        entry("no papers", "broken chain", "bad-certificate", papers=[]),
        entry("by a device that another may not certify", "broken chain", "bad-certificate",
              signer=TABLET, device=public(TABLET), papers=[ADA_PAPER, by_phone]),
        entry("three papers", "too long", "malformed", papers=[ADA_PAPER] * 3),
        entry("signed as another type", "wrong domain", "bad-signature",
              domain=b"kinlight/envelope1"),
        entry("padding not zero", "padding", "malformed", padded=good[:-1] + b"\x01"),
        entry("padding of a step too many", "padding", "malformed", padded=good + bytes(4096)),
        entry("no padding", "padding", "malformed",
              padded=good[: 4 + int.from_bytes(good[:4])]),
        entry("version 2", "bad field", "malformed", version=2),
        entry("another type", "bad field", "malformed", bak="env"),
        entry("a time of 64 bits", "bad field", "malformed", time=2**63),
        entry("another kind", "bad field", "malformed", says="albums"),
        entry("a photo as contacts", "wrong type", "malformed", says="contacts"),
        entry("a photo with one key", "bad field", "malformed", keys=keys[:1]),
        entry("a photo with keys out of order", "bad field", "malformed", keys=keys[::-1]),
        entry("a photo of one's own with a grant", "bad field", "malformed",
              capability=bens["capability"]),
        entry("a photo of somebody without a grant", "truncated", "malformed", bens,
              capability=b""),
        entry("a photo of somebody with the grant of another", "forged", "grant-broken", bens,
              capability=encode([link(ROOT, PHONE, ADA, caveats)]),
              certificates=[BEN_PAPER, ADA_PAPER]),
        entry("a photo with the papers of another", "broken chain", "bad-certificate",
              certificates=[BEN_PAPER]),
        entry("a photo with a field too many", "trailing data", "malformed", more=0),
        entry("a part beyond the last", "bad field", "malformed", all_friends, part=1),
        entry("no parts", "bad field", "malformed", all_friends, parts=0),
        entry("129 contacts", "too long", "malformed", all_friends, contacts=list(many)),
        entry("contacts out of order", "bad field", "malformed", all_friends,
              contacts=friends[::-1]),
        entry("a contact twice", "bad field", "malformed", all_friends, contacts=[one, one]),
        entry("a contact that is no key", "bad key", "malformed", all_friends,
              contacts=[[bytes(32), *one[1:]]]),
        entry("a contact without a secret", "bad field", "malformed", all_friends,
              contacts=[[*one[:2], b"", 0]]),
    ]  # fmt: skip


def newest_cases() -> list[Case]:
    """Which contacts count, of entries that opened: `found` has their times and, encoded, what
    follows in their bodies; `contacts` the encoded array of those that count.
    """
    few = in_order([kept_contact(str(number)) for number in range(3)])
    many = in_order([kept_contact(str(number)) for number in range(129)])
    renamed = [*many[:-1], [many[-1][0], "another name", *many[-1][2:]]]

    def parts(contacts: Sequence[list[Value]], *times: int) -> list[Any]:
        whole = digest_of(contacts)
        count = max(1, -(-len(contacts) // 128))
        cut = [list(contacts[128 * number : 128 * (number + 1)]) for number in range(count)]
        return [
            [time, ["contacts", whole, number, count, some]]
            for number, (time, some) in enumerate(zip(times, cut, strict=True))
        ]

    def newest(name: str, kind: str, expect: str, found: Sequence[Any],
               count: Sequence[list[Value]] = ()) -> Case:  # fmt: skip
        entries = [[time, encode(fields).hex()] for time, fields in found]
        return case("contacts", name, kind, expect, found=entries,
                    contacts=encode(list(count)))  # fmt: skip

    first, second = parts(many, NOW, NOW + 9)
    other_second = parts(renamed, NOW, NOW)[1]
    old, new = parts(few, NOW), parts(few[:2], NOW + 5)
    false: list[Any] = [[NOW + 20, ["contacts", digest_of(few), 0, 1, few[:1]]]]
    return [
        newest("one entry", "valid", "success", old, few),
        newest("the newest of two", "valid", "success", [*new, *old], few[:2]),
        newest("both parts, of different times", "valid", "success", [second, first], many),
        newest("the latest part tells the time", "valid", "success", [first, second, *new], many),
        newest("a later part without the other", "valid", "success", [*old, second], few),
        newest("a later one that is not what its digest says", "valid", "success",
               [*new, *false], few[:2]),
        newest("nothing", "truncated", "gone", []),
        newest("one part of two", "truncated", "gone", [second]),
        newest("parts of different contacts", "wrong context", "gone", [first, other_second]),
        newest("another digest", "forged", "gone", false),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = "What a reader must make of each case. `expect` is success or the error's code."
    for name, cases in (
        ("channel", [*frame_cases(), *message_cases(), *tag_cases(), *proof_cases()]),
        ("pairing", pairing_cases()),
        ("capability", capability_cases()),
        ("record", [*record_cases(), *metadata_cases(), *envelope_cases()]),
        ("receipt", receipt_cases()),
        ("holding", holding_cases()),
        ("backup", [*backup_cases(), *newest_cases()]),
    ):
        write_json(folder / name, name, about, cases)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
