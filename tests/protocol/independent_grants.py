"""A second reader of capabilities, attestations and revocations, written from docs/spec alone.

    python tests/protocol/independent_grants.py FILE...

prints, for each case of the vectors, its type, its name and `success` or the failure's code. It
imports no kinlight.
"""

from __future__ import annotations

import hashlib
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgpack
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

WEEK, QUARTER, LEEWAY = 604_800, 7_776_000, 300
UNKNOWN = object()


class Refused(Exception):
    pass


def require(holds: object, code: str = "malformed") -> None:
    if not holds:
        raise Refused(code)


# encoding.md


def plain(value: object, depth: int = 8) -> bool:
    if type(value) is int:
        return 0 <= value < 2**64
    if isinstance(value, list):
        items = cast("list[object]", value)
        return depth > 0 and len(items) <= 4096 and all(plain(item, depth - 1) for item in items)
    return type(value) in (bytes, str)


def decode(data: bytes, limit: int) -> list[Any]:
    require(len(data) <= limit)
    try:
        value = msgpack.unpackb(data, raw=False)
        same = msgpack.packb(value, use_bin_type=True) == data
    except Exception:
        raise Refused("malformed") from None
    require(type(value) is list and plain(value) and same)
    return value


def pair(value: Any, limit: int) -> tuple[list[Any], bytes]:
    """The body of a signed pair, and the pair's digest."""
    require([type(part) for part in a_list(value, 2)] == [bytes, bytes])
    require(len(value[0]) <= limit and len(value[1]) == 64)
    return decode(value[0], limit), hashlib.sha256(msgpack.packb(value)).digest()


def signed(value: Any, key: bytes, domain: bytes) -> bool:
    try:
        message = domain + b"\x00" + hashlib.sha256(value[0]).digest()
        VerifyKey(key).verify(message, value[1])
    except BadSignatureError:
        return False
    return True


def octets(value: Any, length: int) -> None:
    require(type(value) is bytes and len(value) == length)


def number(value: Any, most: int = 2**64 - 1) -> None:
    require(type(value) is int and value <= most)


def text(value: Any, most: int) -> None:
    require(type(value) is str and len(value.encode()) <= most)


def rising(items: list[Any]) -> None:
    require(all(one < other for one, other in pairwise(items)))


def a_list(value: Any, most: int) -> list[Any]:
    require(type(value) is list and len(value) <= most)
    return value


# attestation.md


def attribute(name: Any, value: Any) -> None:
    text(name, 32)
    text(value, 64)
    small, rest = "abcdefghijklmnopqrstuvwxyz", "0123456789-_"
    require(name and name[0] in small and all(char in small + rest for char in name))
    require(value and all(ord(char) >= 0x20 and ord(char) != 0x7F for char in value))


def read_attestation(value: Any) -> dict[str, Any]:
    body, digest = pair(value, 256)
    require(len(body) == 10 and body[:2] == [1, "attest"])
    for key in body[2:5]:
        octets(key, 32)
    attribute(body[5], body[6])
    number(body[7])
    number(body[8])
    octets(body[9], 16)
    require(0 < body[8] - body[7] <= QUARTER)
    names = ("issuer", "signer", "subject", "name", "value", "start", "end")
    return dict(zip(names, body[2:9], strict=True)) | {"digest": digest, "pair": value}


def authentic(found: dict[str, Any], devices: dict[bytes, bytes], domain: bytes) -> bool:
    known = devices.get(found["signer"]) == found["issuer"]
    return known and signed(found["pair"], found["signer"], domain)


# revocation.md


def device_hash(key: bytes) -> bytes:
    return hashlib.sha256(b"kinlight/revoked-device1" + b"\x00" + key).digest()


def read_revocations(value: Any) -> dict[str, Any]:
    body, _ = pair(value, 140_000)
    require(len(body) == 7 and body[:2] == [1, "revs"])
    octets(body[2], 32)
    octets(body[3], 32)
    number(body[4])
    number(body[5])
    for item in a_list(body[6], 4096):
        octets(item, 32)
    rising(body[6])
    names = ("issuer", "signer", "seq", "as_of", "hashes")
    return dict(zip(names, body[2:7], strict=True)) | {"pair": value}


class Lists:
    """What is known of each identity's lists."""

    def __init__(self) -> None:
        self.counting: dict[bytes, list[dict[str, Any]]] = {}
        self.forks: set[bytes] = set()

    def take(self, found: dict[str, Any]) -> None:
        issuer = found["issuer"]
        now = self.counting.get(issuer)
        if now is None:
            self.counting[issuer] = [found]
            return
        newest = now[0]
        if found["pair"][0] == newest["pair"][0]:
            return
        require(found["seq"] >= newest["seq"], "revocations-old")
        require(not self.revokes(issuer, device_hash(found["signer"])), "device-revoked")
        if found["seq"] == newest["seq"]:
            self.forks.add(issuer)
            self.counting[issuer] = [*now, found][:2]
            return
        require(found["as_of"] >= newest["as_of"], "revocations-old")
        self.counting[issuer] = [found]

    def revokes(self, issuer: bytes, digest: bytes) -> bool:
        return any(digest in found["hashes"] for found in self.counting.get(issuer, []))

    def stale(self, issuer: bytes, now: int) -> bool:
        times = [found["as_of"] for found in self.counting.get(issuer, [])]
        return any(now - time >= WEEK or time - now > LEEWAY for time in times)


# capability.md


def read_link(value: Any) -> dict[str, Any]:
    body, digest = pair(value, 4096)
    require(len(body) == 8 and body[:2] == [1, "cap"])
    _, _, parent, issuer, signer, audience, caveats, nonce = body
    require(type(parent) is bytes and len(parent) <= 32)
    octets(issuer, 32)
    octets(signer, 32)
    require(type(audience) is list and len(audience) == 2)
    require(audience[0] in ("identity", "device", "attributes"))
    octets(audience[1], 0 if audience[0] == "attributes" else 32)
    octets(nonce, 16)
    require(all(type(caveat) is list and caveat for caveat in a_list(caveats, 16)))
    for caveat in caveats:
        text(caveat[0], 32)
        require(caveat[0])
    rising([caveat[0] for caveat in caveats])
    conditions = {caveat[0]: read_caveat(*caveat) for caveat in caveats}
    if audience[0] == "attributes":
        require(not parent and "attr" in conditions)
    return {
        "parent": parent, "issuer": issuer, "signer": signer, "audience": audience,
        "conditions": conditions, "digest": digest, "pair": value,
    }  # fmt: skip


def read_caveat(name: str, *values: Any) -> Any:
    if name == "rendition":
        return read_rendition(values)
    if name not in (
        "after", "before", "album", "photos", "ops", "max_depth", "network", "count", "attr",
    ):  # fmt: skip
        return UNKNOWN
    require(len(values) == 1)
    value = values[0]
    if name in ("after", "before", "count"):
        number(value)
    elif name == "album":
        octets(value, 16)
    elif name == "photos":
        for photo in a_list(value, 64):
            octets(photo, 16)
        rising(value)
    elif name == "ops":
        for operation in a_list(value, 16):
            text(operation, 32)
        rising(value)
    elif name == "max_depth":
        number(value, 4)
    elif name == "network":
        text(value, 32)
        return value if value == "lan" else UNKNOWN
    else:
        require(a_list(value, 4))
        for demand in value:
            require(len(a_list(demand, 3)) == 3)
            attribute(demand[0], demand[1])
            require(a_list(demand[2], 8))
            for issuer in demand[2]:
                octets(issuer, 32)
            rising(demand[2])
        rising([demand[:2] for demand in value])
    return value


def read_rendition(values: Any) -> Any:
    """(max_px, faces, location, watermark); the original is four zeros."""
    if values[:1] == ("original",):
        require(len(values) == 1)
        return (0, 0, 0, 0)
    fields = values[1:5]
    known = values[:1] == ("copy",) and len(fields) == 4
    known = known and all(type(field) is int for field in fields)
    if not known or fields[0] > 65_535 or max(fields[1:]) > 1:
        return UNKNOWN
    require(len(values) == 5 and any(fields))
    return fields


def strictest(one: Any, other: Any) -> Any:
    sizes = [size for size in (one[0], other[0]) if size]
    return (min(sizes, default=0), *(max(two) for two in zip(one[1:], other[1:], strict=True)))


def judge(case: dict[str, Any]) -> None:
    """The case of a chain; `Refused` unless it allows the request."""
    items = decode(bytes.fromhex(case["chain"]), 8192)
    require(1 <= len(items) <= 4)
    links = [read_link(item) for item in items]
    devices = known_devices(case)
    verify(links, bytes.fromhex(case["author"]), devices)

    asked = dict(case["request"])
    for name in ("identity", "device", "photo_id"):
        asked[name] = bytes.fromhex(asked[name])
    given = asked["rendition"]
    given = (given,) if isinstance(given, str) else tuple(given)
    given = (0, 0, 0, 0) if given == ("copy", 0, 0, 0, 0) else read_rendition(given)
    asked["rendition"] = given
    encoded = [bytes.fromhex(one) for one in case.get("attestations", ())]
    shown = [read_attestation(decode(one, 400)) for one in encoded]
    shown = [one for one in shown if authentic(one, devices, b"kinlight/attest1")]
    lists = Lists()
    for one in case.get("revocations", ()):
        found = read_revocations(decode(bytes.fromhex(one), 150_000))
        require(authentic(found, devices, b"kinlight/revs1"), "revocations-broken")
        lists.take(found)
    own = bytes.fromhex(case.get("own", ""))

    require(not lists.revokes(asked["identity"], device_hash(asked["device"])), "device-revoked")
    for link in links:
        for other in links:
            require(not lists.revokes(other["issuer"], link["digest"]), "grant-revoked")
        require(not lists.revokes(link["issuer"], device_hash(link["signer"])), "device-revoked")
    require(given is not UNKNOWN, "grant-other-rendition")
    sensitive = asked["operation"] in ("reshare", "contribute") or given == (0, 0, 0, 0)

    def stale(issuer: bytes) -> bool:
        return sensitive and issuer != own and lists.stale(issuer, asked["now"])

    for place, link in enumerate(links):
        following = links[place + 1 :]
        holder = following[0]["issuer"] if following else asked["identity"]
        conditions(link["conditions"], asked, len(following))
        for name, value, issuers in link["conditions"].get("attr", ()):
            good = [
                one
                for one in shown
                if (one["subject"], one["name"], one["value"]) == (holder, name, value)
                and one["issuer"] in issuers
                and one["start"] <= asked["now"] < one["end"]
                and not lists.revokes(one["issuer"], one["digest"])
                and not lists.revokes(one["issuer"], device_hash(one["signer"]))
            ]
            fresh = [one for one in good if not stale(one["issuer"])]
            require(fresh, "revocations-stale" if good else "attribute-missing")
    kind, key = links[-1]["audience"]
    holds = kind == "attributes" or key == asked["device" if kind == "device" else "identity"]
    require(holds, "grant-for-another")
    require(not any(stale(link["issuer"]) for link in links), "revocations-stale")


def verify(links: list[dict[str, Any]], author: bytes, devices: dict[bytes, bytes]) -> None:
    for place, link in enumerate(links):
        require(authentic(link, devices, b"kinlight/cap1"), "grant-broken")
        said = link["conditions"]
        if place == 0:
            scope = "ops" in said and ("photos" in said or "album" in said)
            require(not link["parent"] and link["issuer"] == author and scope, "grant-broken")
        else:
            before = links[place - 1]
            kind, key = before["audience"]
            holder = link["signer" if kind == "device" else "issuer"]
            follows = link["parent"] == before["digest"] and (kind == "attributes" or key == holder)
            require(follows and "reshare" in before["conditions"].get("ops", ()), "grant-passed-on")
        require(len(links) - 1 - place <= said.get("max_depth", 4), "grant-passed-on")


def conditions(said: dict[str, Any], asked: dict[str, Any], following: int) -> None:
    unknown = "grant-unknown-condition"
    require(not any(value is UNKNOWN for value in said.values()), unknown)
    require(set(said.get("ops", ())) <= {"contribute", "reshare", "view"}, unknown)
    require(asked["now"] >= said.get("after", 0), "grant-not-yet")
    require(asked["now"] < said.get("before", 2**64), "grant-expired")
    if "album" in said:
        require(asked.get("albums") is not None, unknown)
        require(said["album"].hex() in asked["albums"], "grant-other-photo")
    if "photos" in said:
        require(asked["photo_id"] in said["photos"], "grant-other-photo")
    if "ops" in said:
        require(asked["operation"] in said["ops"], "grant-other-operation")
    if "max_depth" in said and asked["operation"] == "reshare":
        require(following < said["max_depth"], "grant-other-operation")
    if "rendition" in said:
        strict = strictest(said["rendition"], asked["rendition"]) == asked["rendition"]
        require(strict, "grant-other-rendition")
    if "network" in said:
        require(asked.get("network") is not None, unknown)
        require(asked["network"] == said["network"], "grant-other-network")
    if "count" in said:
        require(asked.get("uses") is not None, unknown)
        require(asked["uses"] < said["count"], "grant-used-up")


# The vectors.


def known_devices(case: dict[str, Any]) -> dict[bytes, bytes]:
    return {bytes.fromhex(one): bytes.fromhex(other) for one, other in case["devices"].items()}


def check_attestation(case: dict[str, Any]) -> None:
    found = read_attestation(decode(bytes.fromhex(case["encoded"]), 400))
    require(authentic(found, known_devices(case), b"kinlight/attest1"), "attestation-broken")
    require(all(found["start"] <= now < found["end"] for now in case["holds"]), "holds")
    require(not any(found["start"] <= now < found["end"] for now in case["holds_not"]), "holds not")
    require(found["digest"].hex() == case["digest"], "digest")


def check_revocations(case: dict[str, Any]) -> None:
    lists, devices = Lists(), known_devices(case)
    issuer = b""
    for one in case["lists"]:
        found = read_revocations(decode(bytes.fromhex(one), 140_080))
        require(authentic(found, devices, b"kinlight/revs1"), "revocations-broken")
        lists.take(found)
        issuer = found["issuer"]
    after = case["after"]
    require(all(lists.revokes(issuer, bytes.fromhex(one)) for one in after["revoked"]), "revoked")
    stands = [bytes.fromhex(one) for one in after["stands"]]
    require(not any(lists.revokes(issuer, one) for one in stands), "stands")
    require(lists.stale(issuer, case["now"]) != after["fresh"], "fresh")
    require((issuer in lists.forks) == after["fork"], "fork")


CHECKS = {
    "capability": judge,
    "grant": judge,
    "attestation": check_attestation,
    "revocation": check_revocations,
}


def outcome(case: dict[str, Any]) -> str:
    try:
        CHECKS[case["op"]](case)
    except Refused as refused:
        return str(refused)
    return "success"


def main(files: list[str]) -> None:
    for file in files:
        for case in json.loads(Path(file).read_text("utf-8"))["cases"]:
            print(f"{case['op']}: {case['name']}: {outcome(case)}")


if __name__ == "__main__":
    main(sys.argv[1:])
