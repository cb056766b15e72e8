"""Entries of albums in bytes: what reads back, and every other form is refused."""

from __future__ import annotations

from typing import Any

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import (
    BadCertificateError,
    MalformedError,
    PeerError,
)
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.album import read_entry
from kinlight.protocol.album_feed import (
    FEED_DOMAIN,
    FeedEntry,
)
from kinlight.protocol.album_log import (
    LOG_DOMAIN,
    LogEntry,
)
from kinlight.protocol.album_roles import OPERATIONS
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.caveats import Caveats

from .albums import (
    ALICE,
    BOB,
    CAROL,
    record_by,
)
from .people import NOW, fixed

# The form of a log entry.

HASH, KEY = fixed("hash"), fixed("key")


def body_of(ops: Value, **changes: Any) -> list[Any]:
    fields: dict[str, Any] = {
        "version": 1, "type": "alog", "album": fixed("album", 16), "seq": 1, "parents": [HASH],
        "identity": ALICE.identity, "device": ALICE.chain.device, "time": NOW, "ops": ops,
    } | changes  # fmt: skip
    return list(fields.values())


TIER: Value = ["tier", ["original"]]
CREATE: Value = ["create", fixed("n", 16), "all", ["original"], ALICE.chain.encoded]
EPOCH: Value = ["epoch", KEY, HASH, 1, []]
CAPABILITY = Capability.grant(
    ALICE.signing, ALICE.identity, Audience("identity", BOB.identity),
    Caveats(album=fixed("album", 16), operations=OPERATIONS["viewer"]), fixed("n", 16),
).encoded  # fmt: skip
PAST: list[Value] = [[bytes([place]) * 32, bytes(104)] for place in range(66)]


def member(**changes: Any) -> Value:
    fields: dict[str, Any] = {
        "name": "member", "identity": BOB.identity, "role": "viewer", "capability": CAPABILITY,
        "chains": [BOB.chain.encoded],
    } | changes  # fmt: skip
    return list(fields.values())


MALFORMED: dict[str, list[Any]] = {
    "another version": body_of([TIER], version=2),
    "another type": body_of([TIER], type="afeed"),
    "no op": body_of([]),
    "17 ops": body_of([TIER] * 17),
    "an album of 15 bytes": body_of([TIER], album=bytes(15)),
    "no album": body_of([TIER], album=b""),
    "no parent": body_of([TIER], parents=[]),
    "65 parents": body_of([TIER], parents=[bytes([place]) * 32 for place in range(65)]),
    "parents out of order": body_of([TIER], parents=[bytes([2]) * 32, bytes([1]) * 32]),
    "a parent twice": body_of([TIER], parents=[HASH, HASH]),
    "seq 0 with a parent": body_of([TIER], seq=0),
    "a time of 64 bits": body_of([TIER], time=2**63),
    "a field too many": [*body_of([TIER]), 0],
    "a field too few": body_of([TIER])[:-1],
    "create later": body_of([CREATE]),
    "create second": body_of([CREATE, CREATE], album=b"", seq=0, parents=[]),
    "no create first": body_of([TIER], album=b"", seq=0, parents=[]),
    "created by another": body_of(
        [CREATE], album=b"", seq=0, parents=[], device=BOB.chain.device
    ),
    "created for another": body_of([CREATE], album=b"", seq=0, parents=[], identity=BOB.identity),
    "a nonce of 15 bytes": body_of(
        [["create", bytes(15), "all", ["original"], ALICE.chain.encoded]],
        album=b"", seq=0, parents=[],
    ),
    "another history": body_of(
        [["create", bytes(16), "some", ["original"], ALICE.chain.encoded]],
        album=b"", seq=0, parents=[],
    ),
    "two epochs": body_of([EPOCH, EPOCH]),
    "an unknown op": body_of([["freeze"]]),
    "an op that is no array": body_of(["tier"]),
    "an op without a name": body_of([[]]),
    "an unknown tier": body_of([["tier", ["smaller"]]]),
    "a tier of four zeros": body_of([["tier", ["copy", 0, 0, 0, 0]]]),
    "a wraps hash of 31 bytes": body_of([["wraps", KEY, HASH[:31], 1]]),
    "an epoch for nobody": body_of([["epoch", KEY, HASH, 0, []]]),
    "an epoch for 4,097 devices": body_of([["epoch", KEY, HASH, 4097, []]]),
    "65 earlier keys": body_of([["epoch", KEY, HASH, 1, PAST[:65]]]),
    "earlier keys out of order": body_of([["epoch", KEY, HASH, 1, PAST[1::-1]]]),
    "an earlier key of 103 bytes": body_of([["epoch", KEY, HASH, 1, [[KEY, bytes(103)]]]]),
    "an earlier key that is no array": body_of([["epoch", KEY, HASH, 1, [KEY]]]),
    "65 heads": body_of([["remove", BOB.identity, [bytes([n]) * 32 for n in range(65)]]]),
    "a removal of no key": body_of([["remove", bytes(32), []]]),
    "a drop of no key": body_of([["drop", bytes(32), []]]),
    "an owner more": body_of([member(role="owner")]),
    "a member without devices": body_of([member(chains=[])]),
    "9 devices": body_of([member(chains=[BOB.chain.encoded] * 9)]),
    "a device twice": body_of([member(chains=[BOB.chain.encoded] * 2)]),
    "a device of another": body_of([member(chains=[CAROL.chain.encoded])]),
    "a capability that is none": body_of([member(capability=b"")]),
    "a name of 256 bytes": body_of([["name", KEY, bytes(256 + 72)]]),
    "a name of no bytes": body_of([["name", KEY, bytes(72)]]),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_a_log_entry_of_another_form_is_malformed(case: str) -> None:
    signed = ALICE.signing.sign_value(LOG_DOMAIN, MALFORMED[case])
    with pytest.raises(MalformedError):
        read_entry(signed.encode())


@pytest.mark.parametrize(
    "body",
    [
        body_of([TIER]),
        body_of([TIER] * 16),
        body_of([CREATE, EPOCH], album=b"", seq=0, parents=[]),
        body_of([member(), ["drop", BOB.chain.device, [HASH]], ["device", BOB.chain.encoded]]),
        body_of([["epoch", KEY, HASH, 4096, PAST[:64]], ["wraps", KEY, HASH, 1]]),
        body_of([["remove", BOB.identity, [bytes([n]) * 32 for n in range(64)]]]),
        body_of([["name", KEY, bytes(255 + 72)], ["tier", ["copy", 2048, 0, 1, 0]]]),
        body_of([TIER], parents=[bytes([place]) * 32 for place in range(64)]),
    ],
)
def test_a_log_entry_reads_back_up_to_every_limit(body: list[Any]) -> None:
    signed = ALICE.signing.sign_value(LOG_DOMAIN, body)
    entry = read_entry(signed.encode())
    assert isinstance(entry, LogEntry)
    assert [op.to_value() for op in entry.ops] == encoding.decode(encoding.encode(body), 2**20)[-1]


def test_a_log_entry_is_read_up_to_its_bound_and_no_further() -> None:
    chains: Value = [["device", ALICE.chain.encoded]] * 16
    assert isinstance(
        LogEntry.read(ALICE.signing.sign_value(LOG_DOMAIN, body_of(chains))), LogEntry
    )
    most = limits.ALBUM_ENTRY_BYTES
    signed = Signed(encoding.encode([1, "alog", bytes(most)]), bytes(64))
    with pytest.raises(MalformedError):
        LogEntry.read(signed)
    with pytest.raises(MalformedError):
        read_entry(signed.encode())


def test_papers_that_lead_nowhere_are_refused() -> None:
    chain = bytearray(BOB.chain.encoded)
    chain[-1] ^= 1  # in the signature of the KEM statement
    body = body_of([["device", bytes(chain)]])
    with pytest.raises(BadCertificateError):
        LogEntry.read(ALICE.signing.sign_value(LOG_DOMAIN, body))


def feed_body(op: Value, **changes: Any) -> list[Any]:
    fields: dict[str, Any] = {
        "version": 1, "type": "afeed", "album": fixed("album", 16), "identity": CAROL.identity,
        "device": CAROL.chain.device, "seq": 0, "previous": b"", "seen": [HASH], "time": NOW,
        "op": op,
    } | changes  # fmt: skip
    return list(fields.values())


PID = fixed("photo", 16)
RECORD = record_by(CAROL, fixed("nonce", 16)).signed
KEYS: list[Value] = [[1, bytes(104)], [2, bytes(104)]]
ASK: Value = ["ask-delete", PID]
PHOTO: list[Value] = ["photo", RECORD.to_value(), KEY, KEYS, []]
FEED_MALFORMED: dict[str, list[Any]] = {
    "another version": feed_body(ASK, version=0),
    "an album of 17 bytes": feed_body(ASK, album=bytes(17)),
    "no op": feed_body([]),
    "an unknown op": feed_body(["delete", PID]),
    "an op with more": feed_body([*ASK, 0]),  # type: ignore[misc]
    "an op that is no array": feed_body("leave"),
    "nothing seen": feed_body(ASK, seen=[]),
    "65 seen": feed_body(ASK, seen=[bytes([place]) * 32 for place in range(65)]),
    "seen out of order": feed_body(ASK, seen=[bytes([2]) * 32, bytes([1]) * 32]),
    "seq 0 with one before": feed_body(ASK, previous=HASH),
    "seq 1 with none before": feed_body(ASK, seq=1),
    "a previous of 31 bytes": feed_body(ASK, seq=1, previous=HASH[:31]),
    "a time of 64 bits": feed_body(ASK, time=2**63),
    "a photo of another author": feed_body(
        ["photo", record_by(BOB, bytes(16)).signed.to_value(), KEY, KEYS, []]
    ),
    "a photo without its second key": feed_body(["photo", RECORD.to_value(), KEY, KEYS[:1], []]),
    "keys in another order": feed_body(["photo", RECORD.to_value(), KEY, KEYS[::-1], []]),
    "a key of 103 bytes": feed_body(
        ["photo", RECORD.to_value(), KEY, [[1, bytes(103)], KEYS[1]], []]
    ),
    "a key that is no array": feed_body(["photo", RECORD.to_value(), KEY, [1, 2], []]),
    "a preview without a length": feed_body([*PHOTO, [HASH]]),
    "a preview with more": feed_body([*PHOTO, [HASH, 900, 0]]),
    "a preview of 65,537 bytes": feed_body([*PHOTO, [HASH, 65_537]]),
    "a preview of nothing": feed_body([*PHOTO, [HASH, 72]]),
    "two previews": feed_body([*PHOTO, [HASH, 900], [HASH, 900]]),
    "a preview that is no array": feed_body([*PHOTO, HASH]),
    "a comment of 4,097 bytes": feed_body(["comment", PID, KEY, bytes(4097 + 72)]),
    "a comment of no bytes": feed_body(["comment", PID, KEY, bytes(72)]),
    "a flag of two": feed_body(["favourite", PID, 2, []]),
    "17 replaced": feed_body(["cover", PID, [bytes([place]) * 32 for place in range(17)]]),
    "no place": feed_body(["order", PID, b"", []]),
    "a place of 33 bytes": feed_body(["order", PID, bytes(33), []]),
    "a photo id of 15 bytes": feed_body(["ask-delete", PID[:15]]),
}  # fmt: skip


@pytest.mark.parametrize("case", FEED_MALFORMED)
def test_a_feed_entry_of_another_form_is_malformed(case: str) -> None:
    signed = CAROL.signing.sign_value(FEED_DOMAIN, FEED_MALFORMED[case])
    with pytest.raises(MalformedError):
        FeedEntry.read(signed)


@pytest.mark.parametrize(
    "op",
    [
        PHOTO,
        [*PHOTO, [HASH, 73]],
        [*PHOTO, [HASH, 65_536]],
        ["comment", PID, KEY, bytes(4096 + 72)],
        ["caption", PID, KEY, bytes(73), []],
        ["favourite", PID, 1, [HASH]],
        ["cover", PID, [bytes([place]) * 32 for place in range(16)]],
        ["order", PID, bytes(32), []],
        ["ask-delete", PID],
        ["ask-original", PID],
        ["leave"],
    ],
)
def test_a_feed_entry_reads_back_up_to_every_limit(op: Value) -> None:
    signed = CAROL.signing.sign_value(FEED_DOMAIN, feed_body(op))
    entry = read_entry(signed.encode())
    assert isinstance(entry, FeedEntry)
    assert encoding.encode([entry.act.to_value()]) == encoding.encode([op])
    assert FeedEntry.sign(
        CAROL.signing, entry.identity, entry.album, 0, b"", entry.seen, NOW, entry.act
    ).digest == entry.digest  # fmt: skip


def test_a_feed_entry_is_read_up_to_its_bound_and_no_further() -> None:
    body = encoding.encode([1, "afeed", bytes(limits.ALBUM_FEED_ENTRY_BYTES)])
    with pytest.raises(MalformedError):
        FeedEntry.read(Signed(body, bytes(64)))


def test_no_error_of_an_album_carries_what_a_peer_wrote() -> None:
    evil = "evil\x1b[31m text"
    for body in (
        [1, "alog", evil], [1, evil], body_of([[evil]]), body_of([["tier", [evil]]]),
        body_of([member(role=evil[:16])]), feed_body([evil]), feed_body(["comment", evil]),
    ):  # fmt: skip
        signed = ALICE.signing.sign_value(LOG_DOMAIN, body)  # type: ignore[arg-type]
        with pytest.raises(PeerError) as caught:
            read_entry(signed.encode())
        assert "evil" not in f"{caught.value} {caught.value.args} {caught.value!r}"
