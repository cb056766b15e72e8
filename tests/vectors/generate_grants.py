"""Writes the vectors of grants: `python tests/vectors/generate_grants.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run. They are
about conditions, attestations and revocations together; plain chains are in `capability`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
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
    encode,
    fixed,
    public,
    sign,
    write_json,
)
from generate_protocol import (
    ADA,
    BEN,
    NOW,
    OTHER_PHOTO,
    PHOTO,
    PHOTOS,
    SHARE,
    VIEW,
    case,
    link,
)
from nacl.signing import SigningKey

# Ada has PHONE and TABLET, Ben has LAPTOP, Cem has a phone of his own.
CEM_ROOT, CEM_PHONE = SigningKey(fixed("Cem")), SigningKey(fixed("Cem's phone"))
CEM = public(CEM_ROOT)
DEVICES = {
    public(PHONE).hex(): ADA.hex(),
    public(TABLET).hex(): ADA.hex(),
    public(LAPTOP).hex(): BEN.hex(),
    public(CEM_PHONE).hex(): CEM.hex(),
}
DAY = 86_400
ALBUM = fixed("album", 16)
SMALL: Value = ["rendition", "copy", 2048, 0, 1, 0]
ROLE: Value = ["attr", [["role", "family", [ADA]]]]


def digest(signed: Value) -> bytes:
    return hashlib.sha256(encode(signed)).digest()


def device_hash(device: SigningKey) -> bytes:
    return hashlib.sha256(b"kinlight/revoked-device1\x00" + public(device)).digest()


def root(*caveats: Value, audience: bytes = BEN, kind: str = "identity") -> list[Value]:
    listed: list[Any] = [*caveats]
    names = [caveat[0] for caveat in listed]
    listed += [] if "ops" in names else [SHARE]
    listed += [] if "photos" in names or "album" in names else [PHOTOS]
    ordered = sorted(listed, key=lambda caveat: caveat[0])
    return link(ROOT, PHONE, audience, ordered, kind=kind)


def whoever(*caveats: Value) -> list[Value]:
    return root(*caveats, audience=b"", kind="attributes")


def attestation(
    subject: bytes = BEN,
    name: str = "role",
    value: str = "family",
    start: int = NOW,
    end: int = NOW + 30 * DAY,
    *,
    issuer: bytes = ADA,
    signer: SigningKey = PHONE,
    domain: bytes = b"kinlight/attest1",
    more: Sequence[Value] = (),
    version: int = 1,
    nonce: bytes = bytes(16),
) -> list[Value]:
    body: list[Value] = [
        version, "attest", issuer, public(signer), subject, name, value, start, end, nonce, *more,
    ]  # fmt: skip
    return sign(signer, domain, body)


def revocations(
    *hashes: bytes,
    seq: int = 1,
    as_of: int = NOW,
    issuer: bytes = ADA,
    signer: SigningKey = PHONE,
    domain: bytes = b"kinlight/revs1",
    in_order: bool = True,
    more: Sequence[Value] = (),
) -> list[Value]:
    listed: list[Value] = list(sorted(hashes) if in_order else hashes)
    return sign(signer, domain, [1, "revs", issuer, public(signer), seq, as_of, listed, *more])


def grant_cases() -> list[Case]:
    def judged(
        name: str,
        kind: str,
        expect: str,
        links: Sequence[Value],
        *,
        shown: Sequence[Value] = (),
        lists: Sequence[Value] = (),
        own: bytes = b"",
        **asked: Any,
    ) -> Case:
        request = {
            "identity": BEN.hex(), "device": public(LAPTOP).hex(), "photo_id": PHOTO.hex(),
            "operation": "view", "rendition": ["copy", 1024, 1, 1, 1], "now": NOW,
            "albums": None, "network": None, "uses": None, **asked,
        }  # fmt: skip
        return case("grant", name, kind, expect, chain=encode(list(links)), author=ADA,
                    devices=DEVICES, attestations=[encode(one).hex() for one in shown],
                    revocations=[encode(one).hex() for one in lists], own=own,
                    request=request)  # fmt: skip

    def small(*items: Value) -> list[Value]:
        return ["copy", *items]

    cem: dict[str, Any] = {"identity": CEM.hex(), "device": public(CEM_PHONE).hex()}
    original: dict[str, Any] = {"rendition": ["original"]}
    plain = root()
    on = link(STRANGER, LAPTOP, CEM, [SHARE], plain)
    family = whoever(ROLE)
    passed = link(STRANGER, LAPTOP, CEM, [VIEW], family)
    mine = attestation()
    by_tablet = attestation(signer=TABLET)
    ben_says = attestation(issuer=BEN, signer=LAPTOP)
    two: Value = ["attr", [["club", "chess", [ADA, BEN] if ADA < BEN else [BEN, ADA]],
                           ["role", "family", [ADA]]]]  # fmt: skip
    chess = attestation(name="club", value="chess", issuer=BEN, signer=LAPTOP)
    depth: list[Sequence[Value]] = []
    for allowed in (0, 1, 5):
        first = root(["max_depth", allowed])
        second = link(STRANGER, LAPTOP, CEM, [SHARE], first)
        depth += [[first, second], [first, second, link(CEM_ROOT, CEM_PHONE, BEN, [VIEW], second)]]
    inner_first = root()
    inner = link(STRANGER, LAPTOP, CEM, [["max_depth", 0], SHARE], inner_first)
    inner_third = link(CEM_ROOT, CEM_PHONE, BEN, [VIEW], inner)
    week = 7 * DAY

    small_one = root(SMALL)
    no_faces: Value = ["rendition", "copy", 4096, 1, 0, 0]
    without_faces = link(STRANGER, LAPTOP, CEM, [no_faces], small_one)
    renditions = [
        judged("the rendition demanded", "valid", "success", [root(SMALL)],
               rendition=small(2048, 0, 1, 0)),
        judged("a stricter one", "valid", "success", [root(SMALL)],
               rendition=small(2047, 1, 1, 1)),
        judged("any size, but no faces", "valid", "success",
               [root(["rendition", "copy", 0, 1, 0, 0])], rendition=small(0, 1, 0, 0)),
        judged("a copy where the original is allowed", "valid", "success",
               [root(["rendition", "original"])]),
        judged("the largest number of pixels", "valid", "success",
               [root(["rendition", "copy", 65_535, 0, 0, 0])], rendition=small(65_535, 0, 0, 0)),
        judged("a pixel too many", "rendition", "grant-other-rendition", [root(SMALL)],
               rendition=small(2049, 0, 1, 0)),
        judged("no bound where there is one", "rendition", "grant-other-rendition",
               [root(SMALL)], rendition=small(0, 1, 1, 1)),
        judged("the location kept", "rendition", "grant-other-rendition", [root(SMALL)],
               rendition=small(2048, 1, 0, 1)),
        judged("the original for a copy", "rendition", "grant-other-rendition", [root(SMALL)],
               **original),
        judged("the strictest of two links", "valid", "success",
               [small_one, without_faces],
               rendition=small(2048, 1, 1, 0), **cem),
        judged("a later link asks for less", "rendition", "grant-other-rendition",
               [small_one, link(STRANGER, LAPTOP, CEM, [["rendition", "original"]], small_one)],
               **original, **cem),
        judged("each link's part alone", "rendition", "grant-other-rendition",
               [small_one, without_faces],
               rendition=small(2048, 0, 1, 0), **cem),
        judged("65,536 pixels", "unknown condition", "grant-unknown-condition",
               [root(["rendition", "copy", 65_536, 0, 0, 0])]),
        judged("faces of another kind", "unknown condition", "grant-unknown-condition",
               [root(["rendition", "copy", 2048, 2, 0, 0])]),
        judged("a copy of three numbers", "unknown condition", "grant-unknown-condition",
               [root(["rendition", "copy", 2048, 0, 0])]),
        judged("a copy that is the original", "not canonical", "malformed",
               [root(["rendition", "copy", 0, 0, 0, 0])]),
        judged("a copy of five numbers", "trailing data", "malformed",
               [root(["rendition", "copy", 2048, 0, 0, 0, 0])]),
        judged("an original with more", "trailing data", "malformed",
               [root(["rendition", "original", 1])]),
    ]  # fmt: skip

    facts = [
        judged("in the album", "valid", "success", [root(["album", ALBUM])],
               albums=[ALBUM.hex(), bytes(16).hex()]),
        judged("in another album", "scope", "grant-other-photo", [root(["album", ALBUM])],
               albums=[bytes(16).hex()]),
        judged("in no known album", "unknown condition", "grant-unknown-condition",
               [root(["album", ALBUM])]),
        judged("in the album and not the photo", "scope", "grant-other-photo",
               [root(["album", ALBUM], PHOTOS)], albums=[ALBUM.hex()], photo_id=OTHER_PHOTO.hex()),
        judged("an album of 15 bytes", "bad field", "malformed", [root(["album", bytes(15)])]),
        judged("on the local network", "valid", "success", [root(["network", "lan"])],
               network="lan"),
        judged("on another network", "network", "grant-other-network",
               [root(["network", "lan"])], network="internet"),
        judged("a network nobody knows", "unknown condition", "grant-unknown-condition",
               [root(["network", "moon"])], network="lan"),
        judged("the last use", "valid", "success", [root(["count", 3])], uses=2),
        judged("a use too many", "count", "grant-used-up", [root(["count", 3])], uses=3),
        judged("nobody counts", "unknown condition", "grant-unknown-condition",
               [root(["count", 3])]),
        judged("the least count of two links", "count", "grant-used-up",
               [p := root(["count", 1]), link(STRANGER, LAPTOP, CEM, [["count", 9]], p)],
               uses=1, **cem),
        judged("no resharing, not reshared", "valid", "success", [root(["max_depth", 0])]),
        judged("no resharing, reshared", "widened", "grant-passed-on", depth[0], **cem),
        judged("no resharing, asked for", "scope", "grant-other-operation",
               [root(["max_depth", 0])], operation="reshare"),
        judged("as deep as it may be", "valid", "success", depth[2], **cem),
        judged("as deep as it may be, and on", "scope", "grant-other-operation", depth[2],
               operation="reshare", **cem),
        judged("a link too deep", "widened", "grant-passed-on", depth[3]),
        judged("a later link ends it", "widened", "grant-passed-on",
               [inner_first, inner, inner_third]),
        judged("a depth of five", "bad field", "malformed", depth[4], **cem),
    ]  # fmt: skip

    attributes = [
        judged("whoever is family", "valid", "success", [family], shown=[mine]),
        judged("with others shown beside", "valid", "success", [family],
               shown=[chess, ben_says, mine]),
        judged("attested by another device", "valid", "success", [family], shown=[by_tablet]),
        judged("passed on by who is family", "valid", "success", [family, passed],
               shown=[mine], **cem),
        judged("Ben, and only as family", "valid", "success", [root(ROLE)], shown=[mine]),
        judged("two attributes", "valid", "success", [whoever(two)], shown=[mine, chess]),
        judged("in its last second", "valid", "success", [family],
               shown=[attestation(start=NOW - DAY, end=NOW + 1)]),
        judged("for 90 days", "valid", "success", [family],
               shown=[attestation(end=NOW + 90 * DAY)]),
        judged("nothing shown", "attribute", "attribute-missing", [family]),
        judged("one of two attributes", "attribute", "attribute-missing", [whoever(two)],
               shown=[mine]),
        judged("of another subject", "attribute", "attribute-missing", [family],
               shown=[attestation(CEM)]),
        judged("of another name", "attribute", "attribute-missing", [family],
               shown=[attestation(name="rank")]),
        judged("of another value", "attribute", "attribute-missing", [family],
               shown=[attestation(value="Family")]),
        judged("on one's own word", "attribute", "attribute-missing", [family],
               shown=[ben_says]),
        judged("signed by a device of another", "attribute", "attribute-missing", [family],
               shown=[attestation(signer=LAPTOP)]),
        judged("signed by an unknown device", "attribute", "attribute-missing", [family],
               shown=[attestation(signer=STRANGER)]),
        judged("signed as another type", "wrong domain", "attribute-missing", [family],
               shown=[attestation(domain=b"kinlight/cap1")]),
        judged("expired", "time", "attribute-missing", [family],
               shown=[attestation(start=NOW - DAY, end=NOW)]),
        judged("not valid yet", "time", "attribute-missing", [family],
               shown=[attestation(start=NOW + 1, end=NOW + DAY)]),
        judged("far in the future", "time", "attribute-missing", [family],
               shown=[attestation(start=2**63, end=2**63 + DAY)]),
        judged("passed on by who is not", "attribute", "attribute-missing", [family, passed],
               shown=[attestation(CEM)], **cem),
        judged("for another, though family", "audience", "grant-for-another", [root(ROLE)],
               shown=[attestation(CEM)], **cem),
        judged("whoever, of whom nothing is asked", "bad field", "malformed",
               [link(ROOT, PHONE, b"", [SHARE, PHOTOS], kind="attributes")]),
        judged("whoever, with a key", "bad field", "malformed",
               [root(ROLE, kind="attributes")]),
        judged("whoever, in a later link", "bad field", "malformed",
               [plain, link(STRANGER, LAPTOP, b"", [ROLE, SHARE], plain, kind="attributes")],
               shown=[mine]),
        judged("no attribute", "bad field", "malformed", [root(["attr", []])]),
        judged("no issuer", "bad field", "malformed",
               [root(["attr", [["role", "family", []]]])]),
        judged("an attribute twice", "not canonical", "malformed",
               [root(["attr", [["role", "family", [ADA]], ["role", "family", [BEN]]]])]),
        judged("attributes out of order", "not canonical", "malformed",
               [root(["attr", [["role", "family", [ADA]], ["club", "chess", [ADA]]]])]),
        judged("issuers out of order", "not canonical", "malformed",
               [root(["attr", [["role", "family", sorted([ADA, BEN], reverse=True)]]])]),
        judged("five attributes", "too long", "malformed",
               [root(["attr", [[f"a{number}", "x", [ADA]] for number in range(5)]])]),
        judged("nine issuers", "too long", "malformed",
               [root(["attr", [["role", "x", [bytes([n]) * 32 for n in range(9)]]]])]),
        judged("an attribute with a capital", "bad field", "malformed",
               [root(["attr", [["Role", "family", [ADA]]]])]),
        judged("an empty value", "bad field", "malformed",
               [root(["attr", [["role", "", [ADA]]]])]),
    ]  # fmt: skip

    taken_back = [
        judged("other things revoked", "valid", "success", [plain],
               lists=[revocations(bytes(32), digest(on))]),
        judged("taken back", "revoked", "grant-revoked", [plain],
               lists=[revocations(digest(plain))]),
        judged("parent taken back", "revoked", "grant-revoked", [plain, on],
               lists=[revocations(digest(plain))], **cem),
        judged("child taken back by the first", "revoked", "grant-revoked", [plain, on],
               lists=[revocations(digest(on))], **cem),
        judged("child taken back by who passed it on", "revoked", "grant-revoked", [plain, on],
               lists=[revocations(digest(on), issuer=BEN, signer=LAPTOP)], **cem),
        judged("child taken back, parent stands", "valid", "success", [plain],
               lists=[revocations(digest(on), issuer=BEN, signer=LAPTOP)]),
        judged("taken back by a stranger", "valid", "success", [plain, on],
               lists=[revocations(digest(plain), issuer=CEM, signer=CEM_PHONE)], **cem),
        judged("taken back in an old list", "revoked", "grant-revoked", [plain],
               lists=[revocations(digest(plain), as_of=NOW - 30 * DAY)]),
        judged("revoked before conditions", "revoked", "grant-revoked", [root(["before", 1])],
               lists=[revocations(digest(root(["before", 1])))]),
        judged("signed by a revoked device", "revoked", "device-revoked", [plain],
               lists=[revocations(device_hash(PHONE), signer=TABLET)]),
        judged("a device revoked by another", "valid", "success", [plain],
               lists=[revocations(device_hash(PHONE), issuer=BEN, signer=LAPTOP)]),
        judged("asked for by a revoked device", "revoked", "device-revoked", [plain],
               lists=[revocations(device_hash(LAPTOP), issuer=BEN, signer=LAPTOP)]),
        judged("attestation taken back", "revoked", "attribute-missing", [family],
               shown=[mine], lists=[revocations(digest(mine))]),
        judged("attestation taken back, another stands", "valid", "success", [family],
               shown=[mine, by_tablet], lists=[revocations(digest(mine))]),
        judged("attestation taken back by another", "valid", "success", [family],
               shown=[mine], lists=[revocations(digest(mine), issuer=BEN, signer=LAPTOP)]),
        judged("attestation by a revoked device", "revoked", "attribute-missing",
               [link(ROOT, TABLET, b"", [ROLE, SHARE, PHOTOS], kind="attributes")], shown=[mine],
               lists=[revocations(device_hash(PHONE), signer=TABLET)]),
        judged("the original on a fresh list", "valid", "success", [plain],
               lists=[revocations(as_of=NOW - week + 1)], **original),
        judged("the original on a stale list", "stale", "revocations-stale", [plain],
               lists=[revocations(as_of=NOW - week)], **original),
        judged("a copy on a stale list", "valid", "success", [plain],
               lists=[revocations(as_of=NOW - week)]),
        judged("resharing on a stale list", "stale", "revocations-stale", [plain],
               lists=[revocations(as_of=NOW - week)], operation="reshare"),
        judged("contributing on a stale list", "stale", "revocations-stale",
               [root(["ops", ["contribute"]])], lists=[revocations(as_of=0)],
               operation="contribute"),
        judged("the original where no list is known", "valid", "success", [plain], **original),
        judged("the original on a list of the future", "stale", "revocations-stale", [plain],
               lists=[revocations(as_of=NOW + 301)], **original),
        judged("the original on a list a little ahead", "valid", "success", [plain],
               lists=[revocations(as_of=NOW + 300)], **original),
        judged("the original on one's own stale list", "valid", "success", [plain],
               lists=[revocations(as_of=0)], own=ADA, **original),
        judged("the original, and who passed it on is stale", "stale", "revocations-stale",
               [plain, on], lists=[revocations(), revocations(as_of=0, issuer=BEN, signer=LAPTOP)],
               **original, **cem),
        judged("the original, and who attested is stale", "stale", "revocations-stale",
               [whoever(["attr", [["role", "family", [BEN]]]])], shown=[ben_says],
               lists=[revocations(as_of=0, issuer=BEN, signer=LAPTOP)], **original),
        judged("a copy, and who attested is stale", "valid", "success",
               [whoever(["attr", [["role", "family", [BEN]]]])], shown=[ben_says],
               lists=[revocations(as_of=0, issuer=BEN, signer=LAPTOP)]),
        judged("stale, and for another", "audience", "grant-for-another", [plain],
               lists=[revocations(as_of=0)], **original, **cem),
    ]  # fmt: skip
    return [*renditions, *facts, *attributes, *taken_back]


def attestation_cases() -> list[Case]:
    def read(name: str, kind: str, expect: str, signed: Value, **more: Any) -> Case:
        return case("attestation", name, kind, expect, encoded=encode(signed), devices=DEVICES,
                    **more)  # fmt: skip

    changed = attestation()
    assert isinstance(changed[0], bytes)
    changed[0] = changed[0].replace(b"family", b"fumily")
    shortest = attestation(name="a", value="b", start=0, end=1)
    longest = attestation(name="n" * 32, value="ü" * 32, start=2**64 - 2, end=2**64 - 1)
    return [
        read("an attestation", "valid", "success", attestation(), holds=[NOW, NOW + 30 * DAY - 1],
             holds_not=[NOW - 1, NOW + 30 * DAY, 0], digest=digest(attestation())),
        read("the shortest", "valid", "success", shortest, holds=[0], holds_not=[1],
             digest=digest(shortest)),
        read("the longest", "valid", "success", longest, holds=[2**64 - 2],
             holds_not=[2**64 - 1, NOW], digest=digest(longest)),
        read("about oneself", "valid", "success", attestation(ADA), holds=[NOW], holds_not=[],
             digest=digest(attestation(ADA))),
        read("changed", "bad signature", "attestation-broken", changed),
        read("signed by a device of another", "forged", "attestation-broken",
             attestation(signer=LAPTOP)),
        read("signed by an unknown device", "forged", "attestation-broken",
             attestation(signer=STRANGER)),
        read("signed by the identity's own key", "forged", "attestation-broken",
             attestation(signer=ROOT)),
        read("signed as a capability", "wrong domain", "attestation-broken",
             attestation(domain=b"kinlight/cap1")),
        read("signed as a list of revocations", "wrong domain", "attestation-broken",
             attestation(domain=b"kinlight/revs1")),
        read("91 days", "too long", "malformed", attestation(end=NOW + 90 * DAY + 1)),
        read("no time at all", "bad field", "malformed", attestation(end=NOW)),
        read("ends before it begins", "bad field", "malformed", attestation(end=NOW - 1)),
        read("no name", "bad field", "malformed", attestation(name="")),
        read("a name of 33 bytes", "too long", "malformed", attestation(name="n" * 33)),
        read("a name with a capital", "bad field", "malformed", attestation(name="rOle")),
        read("a name that begins with a digit", "bad field", "malformed", attestation(name="1st")),
        read("a name of other letters", "bad field", "malformed", attestation(name="rólé")),
        read("a name with a line's end", "bad field", "malformed", attestation(name="role\n")),
        read("no value", "bad field", "malformed", attestation(value="")),
        read("a value of 65 bytes", "too long", "malformed", attestation(value="v" * 65)),
        read("a value with a control character", "bad field", "malformed",
             attestation(value="fa\x1b[1mmily")),
        read("a nonce of 15 bytes", "bad field", "malformed", attestation(nonce=bytes(15))),
        read("version 2", "bad field", "malformed", attestation(version=2)),
        read("a field too many", "trailing data", "malformed", attestation(more=[0])),
        read("a list of revocations", "another type", "malformed", revocations()),
        read("a link of a capability", "another type", "malformed", root()),
    ]  # fmt: skip


def revocation_cases() -> list[Case]:
    """Lists that come one after the other; the expectation is about the last."""

    def taken(
        name: str, kind: str, expect: str, lists: Sequence[Value], now: int = NOW, **after: Any
    ) -> Case:
        return case("revocation", name, kind, expect, lists=[encode(one).hex() for one in lists],
                    devices=DEVICES, now=now, after=after)  # fmt: skip

    one, other = fixed("one statement"), fixed("another statement")
    many = [fixed(f"statement {number}") for number in range(4097)]
    by_tablet = revocations(other, signer=TABLET)
    no_phone = revocations(device_hash(PHONE), signer=TABLET)
    changed = revocations(one)
    assert isinstance(changed[0], bytes)
    changed[0] = changed[0].replace(one, other)
    return [
        taken("an empty list", "valid", "success", [revocations()], revoked=[], stands=[one.hex()],
              fresh=True, fork=False),
        taken("a list", "valid", "success", [revocations(one)], revoked=[one.hex()],
              stands=[other.hex()], fresh=True, fork=False),
        taken("the longest list", "valid", "success", [revocations(*many[:4096])],
              revoked=[many[0].hex(), many[4095].hex()], stands=[one.hex()], fresh=True,
              fork=False),
        taken("the same again", "valid", "success", [revocations(one)] * 2, revoked=[one.hex()],
              stands=[other.hex()], fresh=True, fork=False),
        taken("a newer one", "valid", "success",
              [revocations(one), revocations(one, other, seq=2)],
              revoked=[one.hex(), other.hex()], stands=[], fresh=True, fork=False),
        taken("a newer one with a gap", "valid", "success",
              [revocations(one), revocations(one, other, seq=2**64 - 1)],
              revoked=[one.hex(), other.hex()], stands=[], fresh=True, fork=False),
        taken("a newer one that leaves out", "valid", "success",
              [revocations(one), revocations(other, seq=2)],
              revoked=[other.hex()], stands=[one.hex()], fresh=True, fork=False),
        taken("a fork", "valid", "success", [revocations(one), by_tablet],
              revoked=[one.hex(), other.hex()], stands=[], fresh=True, fork=True),
        taken("a fork of which one is old", "valid", "success",
              [revocations(one, as_of=0), by_tablet],
              revoked=[one.hex(), other.hex()], stands=[], fresh=False, fork=True),
        taken("a third of the same number", "valid", "success",
              [revocations(one), by_tablet, revocations(bytes(32))],
              revoked=[one.hex(), other.hex()], stands=[bytes(32).hex()], fresh=True, fork=True),
        taken("a newer one after a fork", "valid", "success",
              [revocations(one), by_tablet, revocations(other, seq=2)],
              revoked=[other.hex()], stands=[one.hex()], fresh=True, fork=True),
        taken("by another device after one was revoked", "valid", "success",
              [no_phone, revocations(device_hash(PHONE), one, seq=2, signer=TABLET)],
              revoked=[device_hash(PHONE).hex(), one.hex()], stands=[], fresh=True, fork=False),
        taken("a second before it is seven days old", "valid", "success", [revocations()],
              now=NOW + 7 * DAY - 1, revoked=[], stands=[], fresh=True, fork=False),
        taken("seven days old", "valid", "success", [revocations()], now=NOW + 7 * DAY,
              revoked=[], stands=[], fresh=False, fork=False),
        taken("five minutes ahead", "valid", "success", [revocations()], now=NOW - 300,
              revoked=[], stands=[], fresh=True, fork=False),
        taken("further ahead", "valid", "success", [revocations()], now=NOW - 301,
              revoked=[], stands=[], fresh=False, fork=False),
        taken("an older one", "rollback", "revocations-old",
              [revocations(one, seq=2), revocations()]),
        taken("a newer one of an earlier time", "rollback", "revocations-old",
              [revocations(one), revocations(seq=2, as_of=NOW - 1)]),
        taken("by a device that was revoked", "forged", "device-revoked",
              [no_phone, revocations(seq=2)]),
        taken("the same number, by a device that was revoked", "forged", "device-revoked",
              [no_phone, revocations()]),
        taken("changed", "bad signature", "revocations-broken", [changed]),
        taken("signed by a device of another", "forged", "revocations-broken",
              [revocations(signer=LAPTOP)]),
        taken("signed by an unknown device", "forged", "revocations-broken",
              [revocations(signer=STRANGER)]),
        taken("signed as an attestation", "wrong domain", "revocations-broken",
              [revocations(domain=b"kinlight/attest1")]),
        taken("4,097 hashes", "too long", "malformed", [revocations(*many)]),
        taken("hashes out of order", "not canonical", "malformed",
              [revocations(*sorted([one, other], reverse=True), in_order=False)]),
        taken("a hash twice", "not canonical", "malformed", [revocations(one, one)]),
        taken("a hash of 31 bytes", "bad field", "malformed", [revocations(one[:31])]),
        taken("a field too many", "trailing data", "malformed", [revocations(more=[0])]),
        taken("an attestation", "another type", "malformed", [attestation()]),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = "What a reader must make of each case. `expect` is success or the error's code."
    write_json(folder / "grants", "grants", about, grant_cases())
    write_json(folder / "attestation", "attestation", about, attestation_cases())
    write_json(folder / "revocation", "revocation", about, revocation_cases())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
