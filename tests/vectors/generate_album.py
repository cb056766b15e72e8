"""Writes the vectors of albums: `python tests/vectors/generate_album.py [FOLDER]`.

As `generate.py`: from docs/spec alone, without kinlight, the same bytes at every run, but for the
wraps, whose HPKE randomness the library draws; those are kept from the file that is there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generate import (
    DEVICE_KEM,
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
    identity_certificate,
    kem_statement,
    public,
    sign,
    wrap,
    write_json,
)
from generate_grants import CEM, CEM_PHONE, CEM_ROOT, digest
from generate_protocol import ADA, BEN, KEM_SEED, NOW, case, link, photo_id, sealer
from nacl.signing import SigningKey

KEYS = {"old": fixed("album key"), "new": fixed("new album key"), "third": fixed("third key")}
KEY_IDS = {name: hkdf(key, b"kinlight/epoch-id1") for name, key in KEYS.items()}
WRAPS = fixed("wraps hash")
ROLES = {
    "viewer": ["view"],
    "contributor": ["contribute", "view"],
    "admin": ["contribute", "reshare", "view"],
}
OWNERS = {PHONE: ROOT, TABLET: ROOT, LAPTOP: STRANGER, CEM_PHONE: CEM_ROOT, ROOT: ROOT}


def chain(device: SigningKey) -> bytes:
    root = OWNERS[device]
    paper = device_certificate(root, device, identity=public(root))
    return encode([identity_certificate(root), [paper], kem_statement(device)])


def identity(device: SigningKey) -> bytes:
    return public(OWNERS[device])


def first(signer: SigningKey = PHONE, history: str = "all", **changes: Any) -> list[Value]:
    create: Value = ["create", fixed("nonce", 16), history, ["original"], chain(signer)]
    fields: dict[str, Any] = {
        "version": 1, "type": "alog", "album": b"", "seq": 0, "parents": [],
        "identity": identity(signer), "device": public(signer), "time": NOW,
        "ops": [create, epoch("old")],
    } | changes  # fmt: skip
    return sign(signer, b"kinlight/album-log1", list(fields.values()))


def epoch(name: str, past: Sequence[Value] = ()) -> list[Value]:
    return ["epoch", KEY_IDS[name], WRAPS, 1, list(past)]


def album_of(entry: Value) -> bytes:
    return hashlib.sha256(b"kinlight/album-id1\x00" + encode(entry)).digest()[:16]


FIRST = first()
ALBUM = album_of(FIRST)


def log(
    signer: SigningKey,
    ops: Sequence[Value],
    parents: Sequence[Value],
    seq: int,
    *,
    key: SigningKey | None = None,
    domain: bytes = b"kinlight/album-log1",
    **changes: Any,
) -> list[Value]:
    fields: dict[str, Any] = {
        "version": 1, "type": "alog", "album": ALBUM, "seq": seq,
        "parents": sorted(map(digest, parents)), "identity": identity(signer),
        "device": public(signer), "time": NOW, "ops": list(ops),
    } | changes  # fmt: skip
    return sign(key or signer, domain, list(fields.values()))


def grant(by: SigningKey, to: SigningKey, role: str, parent: Value | None = None) -> list[Value]:
    caveats: list[Value] = [["album", ALBUM], ["ops", ROLES[role]]]
    return link(OWNERS[by], by, identity(to), caveats, parent)


def member(
    by: SigningKey, to: SigningKey, role: str, before: Sequence[Value] = (), **changes: Any
) -> list[Value]:
    links = [*before, grant(by, to, role, before[-1] if before else None)]
    fields: dict[str, Any] = {
        "name": "member", "identity": identity(to), "role": role, "capability": encode(links),
        "chains": [chain(to)],
    } | changes  # fmt: skip
    return list(fields.values())


def remove(device: SigningKey, heads: Sequence[Value] = ()) -> list[Value]:
    return ["remove", identity(device), sorted(map(digest, heads))]


def drop(device: SigningKey, heads: Sequence[Value] = ()) -> list[Value]:
    return ["drop", public(device), sorted(map(digest, heads))]


def feed(
    signer: SigningKey,
    op: Value,
    seen: Sequence[Value],
    before: Value | None = None,
    *,
    key: SigningKey | None = None,
    domain: bytes = b"kinlight/album-feed1",
    **changes: Any,
) -> list[Value]:
    fields: dict[str, Any] = {
        "version": 1, "type": "afeed", "album": ALBUM, "identity": identity(signer),
        "device": public(signer), "seq": 0 if before is None else 1,
        "previous": b"" if before is None else digest(before),
        "seen": sorted(map(digest, seen)), "time": NOW, "op": op,
    } | changes  # fmt: skip
    return sign(key or signer, domain, list(fields.values()))


def record(signer: SigningKey, label: str) -> list[Value]:
    body: Value = [
        1, "photo", identity(signer), fixed(label, 16), 1, fixed("content id"), 5000,
        fixed("metadata id"), public(signer),
    ]  # fmt: skip
    return sign(signer, b"kinlight/photo1", body)


def pid(signer: SigningKey, label: str) -> bytes:
    return photo_id(identity(signer), fixed(label, 16))


def wrapped_keys(signer: SigningKey, label: str, name: str, album: bytes = ALBUM) -> list[Value]:
    wrapped: list[Value] = []
    for kind, content in ((1, fixed("content id")), (2, fixed("metadata id"))):
        context = encode(
            ["kinlight/album-key1", album, KEY_IDS[name], pid(signer, label), kind, content]
        )
        key = fixed(f"file key {kind}")
        wrapped.append([kind, wrap(KEYS[name], context, key, f"album {label} {kind} {name}")])
    return wrapped


def photo(signer: SigningKey, label: str, name: str = "old") -> list[Value]:
    return [
        "photo", record(signer, label), KEY_IDS[name], wrapped_keys(signer, label, name), [],
    ]  # fmt: skip


def text(what: str, about: bytes, said: str, name: str = "old") -> bytes:
    context = encode(["kinlight/album-text1", ALBUM, KEY_IDS[name], what, about])
    return wrap(KEYS[name], context, said.encode(), f"album {what} {said}")


ENTRIES: dict[str, str] = {}


def named(entry: Value) -> str:
    """An entry that many cases share: they have its hash, and the file its bytes once."""
    ENTRIES[digest(entry).hex()] = encode(entry).hex()
    return digest(entry).hex()


# A small album: Ada founds it, Ben is an admin, Cem a contributor.

BEN_IN = log(PHONE, [member(PHONE, LAPTOP, "admin")], [FIRST], 1)
CEM_IN = log(PHONE, [member(PHONE, CEM_PHONE, "contributor")], [BEN_IN], 2)
BASE = [FIRST, BEN_IN, CEM_IN]
BEN_GRANT = grant(PHONE, LAPTOP, "admin")
SMALL: Value = ["copy", 2048, 0, 1, 0]
TIER: Value = ["tier", SMALL]


def view(name: str, entries: Sequence[Value], **expected: Any) -> Case:
    """Entries, in an order that is not theirs, and what they amount to."""
    shown: dict[str, Any] = {
        "members": {ADA: "owner", BEN: "admin", CEM: "contributor"},
        "devices": [public(PHONE), public(LAPTOP), public(CEM_PHONE)],
        "seats": [public(PHONE), public(LAPTOP)],
        "safe": [KEY_IDS["old"]], "photos": [], "void": {}, "tier": ["original"], "forks": [],
    } | expected  # fmt: skip
    mixed = sorted(entries, key=lambda entry: digest(entry)[1:])
    return case(
        "album", name, "valid", "success",
        first=named(entries[0]), entries=[named(entry) for entry in mixed],
        members={key.hex(): role for key, role in shown["members"].items()},
        devices=sorted(key.hex() for key in shown["devices"]),
        seats=[key.hex() for key in shown["seats"]],
        safe=[key.hex() for key in shown["safe"]],
        photos=sorted(key.hex() for key in shown["photos"]),
        void={key.hex(): code for key, code in shown["void"].items()},
        tier=shown["tier"], forks=sorted(key.hex() for key in shown["forks"]),
    )  # fmt: skip


def views() -> list[Case]:
    new = [KEY_IDS["new"]]
    shot = feed(CEM_PHONE, photo(CEM_PHONE, "one"), [CEM_IN])
    late = feed(CEM_PHONE, photo(CEM_PHONE, "late"), [CEM_IN], shot)
    without_cem = {
        "members": {ADA: "owner", BEN: "admin"}, "devices": [public(PHONE), public(LAPTOP)],
        "safe": new,
    }  # fmt: skip
    gone = log(PHONE, [remove(CEM_PHONE, [shot]), epoch("new")], [CEM_IN], 3)
    old_key = feed(LAPTOP, photo(LAPTOP, "old key"), [gone])
    unknowing = feed(LAPTOP, photo(LAPTOP, "unknowing"), [CEM_IN])
    with_new = feed(LAPTOP, photo(LAPTOP, "new key", "new"), [gone])
    ben_gone = log(PHONE, [remove(LAPTOP), epoch("new")], [CEM_IN], 3)
    ben_did = log(LAPTOP, [TIER], [CEM_IN], 3)
    revenge = log(LAPTOP, [remove(PHONE), epoch("third")], [CEM_IN], 3)
    again = log(LAPTOP, [member(LAPTOP, CEM_PHONE, "contributor", [BEN_GRANT])], [CEM_IN], 3)
    cem_gone = log(PHONE, [remove(CEM_PHONE), epoch("new")], [CEM_IN], 3)
    back = log(PHONE, [member(PHONE, CEM_PHONE, "viewer")], [cem_gone], 4)
    stolen = log(ROOT, [drop(PHONE), ["device", chain(TABLET)], epoch("new")], [CEM_IN], 3)
    thief = log(PHONE, [remove(LAPTOP), epoch("third")], [CEM_IN], 3)
    less = log(PHONE, [remove(LAPTOP), member(PHONE, LAPTOP, "viewer"), epoch("new")], [CEM_IN], 3)
    other_tier = log(LAPTOP, [["tier", ["copy", 512, 1, 1, 0]]], [CEM_IN], 3)
    ada_tier = log(PHONE, [TIER], [CEM_IN], 3)
    lowest = min((other_tier, ada_tier), key=digest)
    two = [log(LAPTOP, [TIER], [CEM_IN], 3, time=NOW + 1), ben_did]
    two_ends = {
        "members": {ADA: "owner", BEN: "admin"}, "safe": [],
        "devices": [public(PHONE), public(LAPTOP)],
    }  # fmt: skip
    ben_drops = log(LAPTOP, [drop(CEM_PHONE), epoch("third")], [CEM_IN], 3)
    cover = feed(CEM_PHONE, ["cover", pid(CEM_PHONE, "one"), []], [CEM_IN], shot)
    caption: Value = [
        "caption", pid(CEM_PHONE, "one"), KEY_IDS["old"],
        text("caption", pid(CEM_PHONE, "one"), "mine"), [],
    ]  # fmt: skip
    at_once = [
        log(signer, [epoch(name)], [CEM_IN], 3)
        for signer, name in ((PHONE, "new"), (LAPTOP, "third"))
    ]
    left = log(LAPTOP, [remove(LAPTOP)], [CEM_IN], 3)
    ben_early = log(LAPTOP, [TIER], [BEN_IN], 2)
    roles_at_once = [
        log(PHONE, [member(PHONE, CEM_PHONE, "contributor")], [CEM_IN], 3),
        log(LAPTOP, [member(LAPTOP, CEM_PHONE, "viewer", [BEN_GRANT])], [CEM_IN], 3),
    ]
    first_of_two = min(at_once, key=digest)
    two_names = ["new", "third"] if first_of_two is at_once[0] else ["third", "new"]
    dave = log(PHONE, [member(PHONE, TABLET, "admin", chains=[chain(TABLET)])], [CEM_IN], 3)
    return [
        view("founded, an admin, a contributor", BASE),
        view("a photo", [*BASE, shot], photos=[pid(CEM_PHONE, "one")]),
        view("a removal counts what its heads lead to", [*BASE, shot, late, gone],
             photos=[pid(CEM_PHONE, "one")], void={digest(late): "album-removed"},
             **without_cem),
        view("who had seen a removal uses no key of before", [*BASE, gone, shot, old_key],
             photos=[pid(CEM_PHONE, "one")], void={digest(old_key): "album-old-epoch"},
             **without_cem),
        view("who could not know of the removal may", [*BASE, gone, shot, unknowing],
             photos=[pid(CEM_PHONE, "one"), pid(LAPTOP, "unknowing")], **without_cem),
        view("and with the new key everybody may", [*BASE, gone, shot, with_new],
             photos=[pid(CEM_PHONE, "one"), pid(LAPTOP, "new key")], **without_cem),
        view("what a removed admin did unseen is void", [*BASE, ben_gone, ben_did],
             members={ADA: "owner", CEM: "contributor"}, safe=new, seats=[public(PHONE)],
             devices=[public(PHONE), public(CEM_PHONE)], void={digest(ben_did): "album-removed"}),
        view("also where it removes who removes it", [*BASE, ben_gone, revenge],
             members={ADA: "owner", CEM: "contributor"}, safe=new, seats=[public(PHONE)],
             devices=[public(PHONE), public(CEM_PHONE)], void={digest(revenge): "album-removed"}),
        view("a junior admin does not remove a senior one", [*BASE, revenge],
             safe=[KEY_IDS["third"], KEY_IDS["old"]], void={digest(revenge): "album-senior"}),
        view("an addition at the same time as a removal loses", [*BASE, cem_gone, again],
             **without_cem),
        view("an addition after it stands", [*BASE, cem_gone, back], safe=new,
             members={ADA: "owner", BEN: "admin", CEM: "viewer"}),
        view("the owner's root puts a stolen device out", [*BASE, stolen, thief], safe=new,
             devices=[public(TABLET), public(LAPTOP), public(CEM_PHONE)],
             seats=[public(LAPTOP), public(TABLET)], void={digest(thief): "album-removed"}),
        view("a lesser role in one entry", [*BASE, less], safe=new, seats=[public(PHONE)],
             members={ADA: "owner", BEN: "viewer", CEM: "contributor"}),
        view("of two tiers at once that with the lowest hash", [*BASE, other_tier, ada_tier],
             tier=SMALL if lowest is ada_tier else ["copy", 512, 1, 1, 0]),
        view("a fork of an admin's device counts", [*BASE, *two], tier=SMALL,
             forks=[public(LAPTOP)]),
        view("two removals at once leave no safe key", [*BASE, cem_gone, ben_drops],
             **two_ends),
        view("who left does nothing more, on no older entry", [*BASE, left, ben_early],
             members={ADA: "owner", CEM: "contributor"}, safe=[], seats=[public(PHONE)],
             devices=[public(PHONE), public(CEM_PHONE)], void={digest(ben_early): "album-removed"},
             forks=[public(LAPTOP)]),
        view("of two roles at once the lesser stands", [*BASE, *roles_at_once],
             members={ADA: "owner", BEN: "admin", CEM: "viewer"}),
        view("of two keys at once that with the lowest hash is first", [*BASE, *at_once],
             safe=[KEY_IDS[name] for name in (*two_names, "old")]),
        view("a contributor chooses no cover", [*BASE, shot, cover],
             photos=[pid(CEM_PHONE, "one")], void={digest(cover): "album-role"}),
        view("an author writes the caption",
             [*BASE, shot, feed(CEM_PHONE, caption, [CEM_IN], shot)],
             photos=[pid(CEM_PHONE, "one")]),
        view("nobody else but admins does",
             [*BASE, shot, ada_in := log(PHONE, [["device", chain(TABLET)]], [CEM_IN], 3),
              feed(TABLET, caption, [ada_in])],
             photos=[pid(CEM_PHONE, "one")], seats=[public(PHONE), public(LAPTOP), public(TABLET)],
             devices=[public(PHONE), public(LAPTOP), public(CEM_PHONE), public(TABLET)]),
        view("an owner's device by a member op", [*BASE, dave],
             seats=[public(PHONE), public(LAPTOP), public(TABLET)],
             devices=[public(PHONE), public(LAPTOP), public(CEM_PHONE), public(TABLET)],
             members={ADA: "admin", BEN: "admin", CEM: "contributor"}),
    ]  # fmt: skip


def refusals() -> list[Case]:
    def refused(
        name: str, kind: str, expect: str, entry: Value, base: Sequence[Value] = BASE
    ) -> Case:
        return case(
            "album-entry", name, kind, expect, first=named(base[0]),
            entries=[named(each) for each in base], entry=encode(entry),
        )  # fmt: skip

    dave = fixed("somebody")
    shot = feed(CEM_PHONE, photo(CEM_PHONE, "one"), [CEM_IN])
    gone = log(PHONE, [remove(CEM_PHONE), epoch("new")], [CEM_IN], 3)
    ask: Value = ["ask-delete", fixed("photo", 16)]
    joined = first(history="from-join")
    into: Any = {"album": album_of(joined)}
    past: Value = [[KEY_IDS["old"], fixed("wrapped", 104)]]
    of_nobody = grant(PHONE, LAPTOP, "admin", None)[0]
    forged = sign(SigningKey(dave), b"kinlight/cap1", [1, of_nobody])
    ops: dict[str, tuple[str, str, Value]] = {
        "an entry": ("valid", "success", log(PHONE, [TIER], [CEM_IN], 3)),
        "sixteen ops": ("valid", "success", log(PHONE, [TIER] * 16, [CEM_IN], 3)),
        "seventeen ops": ("too long", "malformed", log(PHONE, [TIER] * 17, [CEM_IN], 3)),
        "no ops": ("bad field", "malformed", log(PHONE, [], [CEM_IN], 3)),
        "an op that nobody knows": ("bad field", "malformed", log(PHONE, [["x"]], [CEM_IN], 3)),
        "two epochs": (
            "bad field", "malformed", log(PHONE, [epoch("new"), epoch("third")], [CEM_IN], 3),
        ),
        "create again": (
            "bad field", "malformed", first(album=ALBUM, seq=3, parents=[digest(CEM_IN)]),
        ),
        "version 2": ("bad field", "malformed", log(PHONE, [TIER], [CEM_IN], 3, version=2)),
        "a wrong number": ("bad field", "malformed", log(PHONE, [TIER], [CEM_IN], 4)),
        "a parent before another": (
            "bad field", "malformed", log(PHONE, [TIER], [CEM_IN, BEN_IN], 3),
        ),
        "another album": (
            "wrong context", "album-other", log(PHONE, [TIER], [CEM_IN], 3, album=bytes(16)),
        ),
        "a parent that is not here": ("gap", "album-gap", log(PHONE, [TIER], [gone], 4)),
        "by a contributor": ("stranger", "album-stranger", log(CEM_PHONE, [TIER], [CEM_IN], 3)),
        "by a device that was not let in": (
            "stranger", "album-stranger", log(TABLET, [TIER], [CEM_IN], 3),
        ),
        "on what was before the seat": (
            "stranger", "album-stranger", log(LAPTOP, [TIER], [FIRST], 1),
        ),
        "for another identity": (
            "stranger", "album-stranger", log(LAPTOP, [TIER], [CEM_IN], 3, identity=ADA),
        ),
        "by the owner's root": ("valid", "success", log(ROOT, [TIER], [CEM_IN], 3)),
        "by the root of another admin": (
            "stranger", "album-stranger",
            log(LAPTOP, [TIER], [CEM_IN], 3, device=BEN, key=STRANGER),
        ),
        "a key again": ("replay", "album-epoch", log(LAPTOP, [epoch("old")], [CEM_IN], 3)),
        "wraps of no key": (
            "bad field", "album-epoch",
            log(PHONE, [["wraps", KEY_IDS["new"], WRAPS, 1]], [CEM_IN], 3),
        ),
        "wraps of its own key": (
            "valid", "success",
            log(PHONE, [epoch("new"), ["wraps", KEY_IDS["new"], WRAPS, 1]], [CEM_IN], 3),
        ),
        "a name under no key": (
            "bad field", "album-epoch",
            log(PHONE, [["name", KEY_IDS["new"], fixed("sealed", 80)]], [CEM_IN], 3),
        ),
        "a grant for more": (
            "widened", "album-grant",
            log(PHONE, [member(PHONE, CEM_PHONE, "viewer",
                               capability=encode([grant(PHONE, CEM_PHONE, "admin")]))],
                [CEM_IN], 3),
        ),
        "a grant by an admin alone": (
            "forged", "album-grant",
            log(LAPTOP, [member(LAPTOP, CEM_PHONE, "viewer")], [CEM_IN], 3),
        ),
        "a grant by an admin": (
            "valid", "success",
            log(LAPTOP, [member(LAPTOP, CEM_PHONE, "viewer", [BEN_GRANT])], [CEM_IN], 3),
        ),
        "a grant that is none": (
            "bad field", "malformed",
            log(PHONE, [member(PHONE, CEM_PHONE, "viewer", capability=encode([forged]))],
                [CEM_IN], 3),
        ),
        "a device of another": (
            "bad field", "malformed",
            log(PHONE, [member(PHONE, CEM_PHONE, "viewer", chains=[chain(LAPTOP)])], [CEM_IN], 3),
        ),
        "signed by another": (
            "bad signature", "bad-signature", log(PHONE, [TIER], [CEM_IN], 3, key=LAPTOP),
        ),
        "signed as another type": (
            "wrong domain", "bad-signature",
            log(PHONE, [TIER], [CEM_IN], 3, domain=b"kinlight/album-feed1"),
        ),
    }  # fmt: skip
    feeds: dict[str, tuple[str, str, Value]] = {
        "a photo": ("valid", "success", shot),
        "a comment": (
            "valid", "success",
            feed(CEM_PHONE, ["comment", fixed("p", 16), KEY_IDS["old"],
                             text("comment", fixed("p", 16), "hm")], [CEM_IN]),
        ),
        "a photo with a preview": (
            "valid", "success",
            feed(CEM_PHONE, [*photo(CEM_PHONE, "seen"), [fixed("preview"), 65_536]], [CEM_IN]),
        ),
        "a preview too large": (
            "bad field", "malformed",
            feed(CEM_PHONE, [*photo(CEM_PHONE, "seen"), [fixed("preview"), 65_537]], [CEM_IN]),
        ),
        "a preview that holds nothing": (
            "bad field", "malformed",
            feed(CEM_PHONE, [*photo(CEM_PHONE, "seen"), [fixed("preview"), 72]], [CEM_IN]),
        ),
        "a request for an original": (
            "valid", "success",
            feed(CEM_PHONE, ["ask-original", fixed("photo", 16)], [CEM_IN]),
        ),
        "a photo of another author": (
            "forged", "malformed", feed(CEM_PHONE, photo(LAPTOP, "his"), [CEM_IN]),
        ),
        "a photo signed by nobody": (
            "bad signature", "bad-signature",
            feed(CEM_PHONE, ["photo", [record(CEM_PHONE, "x")[0], bytes(64)], KEY_IDS["old"],
                             wrapped_keys(CEM_PHONE, "x", "old"), []], [CEM_IN]),
        ),
        "under no key": (
            "bad field", "album-epoch", feed(CEM_PHONE, photo(CEM_PHONE, "n", "new"), [CEM_IN]),
        ),
        "from another album": (
            "wrong context", "album-other", feed(CEM_PHONE, ask, [CEM_IN], album=bytes(16)),
        ),
        "after one that is not here": ("gap", "album-gap", feed(CEM_PHONE, ask, [CEM_IN], shot)),
        "having seen what is not here": ("gap", "album-gap", feed(CEM_PHONE, ask, [gone])),
        "by who was not let in yet": (
            "stranger", "album-stranger", feed(CEM_PHONE, ask, [BEN_IN]),
        ),
        "having seen nothing": ("bad field", "malformed", feed(CEM_PHONE, ask, [])),
        "of an op that nobody knows": (
            "bad field", "malformed", feed(CEM_PHONE, ["delete"], [CEM_IN]),
        ),
        "signed by another device": (
            "bad signature", "bad-signature", feed(CEM_PHONE, ask, [CEM_IN], key=LAPTOP),
        ),
    }  # fmt: skip
    known = [*BASE, gone, feed(LAPTOP, ask, [gone])]
    with_shot = [*BASE, shot]
    return [
        *(refused(name, kind, expect, entry) for name, (kind, expect, entry) in ops.items()),
        *(refused(f"a feed's entry: {name}", kind, expect, entry)
          for name, (kind, expect, entry) in feeds.items()),
        refused("a feed's entry: forgetting", "went back", "album-went-back",
                feed(LAPTOP, ask, [CEM_IN], known[-1]), known),
        refused("a feed's entry: numbered on", "bad field", "malformed",
                feed(CEM_PHONE, ask, [CEM_IN], shot, seq=2), with_shot),
        refused("a feed's entry: behind another device's", "bad field", "malformed",
                feed(LAPTOP, ask, [CEM_IN], shot), with_shot),
        refused("from-join: earlier keys", "bad field", "album-epoch",
                log(PHONE, [epoch("new", past)], [joined], 1, **into), [joined]),
        refused("from-join: wraps for later", "bad field", "album-epoch",
                log(PHONE, [["wraps", KEY_IDS["old"], WRAPS, 1]], [joined], 1, **into), [joined]),
        refused("from-join: another key", "valid", "success",
                log(PHONE, [epoch("new")], [joined], 1, **into), [joined]),
    ]  # fmt: skip


# Keys.


def leaf_hash(device: bytes, sealed: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + encode([device, sealed])).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def wrap_cases() -> list[Case]:
    """Ada wraps the new key for three devices, which all have one KEM key here."""
    seal = sealer("album", DEVICE_KEM)
    parents = hashlib.sha256(encode([digest(CEM_IN)])).digest()
    devices = sorted(public(device) for device in (PHONE, LAPTOP, CEM_PHONE))

    def info(device: bytes) -> bytes:
        return encode(
            ["kinlight/album-epoch1", ALBUM, KEY_IDS["new"], parents, public(PHONE), device,
             hashlib.sha256(DEVICE_KEM).digest()]
        )  # fmt: skip

    sealed = [seal(KEYS["new"], info(device)) for device in devices]
    lie = seal(KEYS["third"], info(devices[1]))
    leaves = [leaf_hash(*pair) for pair in zip(devices, sealed, strict=True)]
    pair = node_hash(leaves[0], leaves[1])
    paths = [leaves[1] + leaves[2], leaves[0] + leaves[2], pair]
    root = node_hash(pair, leaves[2])
    entry = log(PHONE, [["epoch", KEY_IDS["new"], root, 3, []]], [CEM_IN], 3)
    lied = node_hash(node_hash(leaves[0], leaf_hash(devices[1], lie)), leaves[2])
    liar = log(PHONE, [["epoch", KEY_IDS["new"], lied, 3, []]], [CEM_IN], 3)

    def opened(
        name: str, kind: str, expect: str, place: int, path: bytes, box: bytes,
        device: bytes = devices[1], seed: bytes = KEM_SEED, of: Value = entry,
    ) -> Case:  # fmt: skip
        made: dict[bytes, str] = {lie: "third", sealed[place]: "new"}
        more: dict[str, Any] = {}
        if box in made:  # what was sealed, in which context: as it is kept for the next run
            more = {"info": info(devices[place]), "sealed": box, "plaintext": KEYS[made[box]]}
        return case(
            "album-wrap", name, kind, expect, entry=encode(of), device=device, kem_seed=seed,
            key_id=KEY_IDS["new"], wrap=encode([place, box, path]), key=KEYS["new"], **more,
        )  # fmt: skip

    return [
        *(opened(f"number {place} of three", "valid", "success", place, paths[place],
                 sealed[place], devices[place]) for place in range(3)),
        opened("in another place", "wrong context", "album-wrap-broken", 0, paths[1], sealed[1]),
        opened("with another path", "changed", "album-wrap-broken", 1, paths[0], sealed[1]),
        opened("without its path", "truncated", "album-wrap-broken", 1, b"", sealed[1]),
        opened("for another device", "wrong context", "album-wrap-broken", 1, paths[1], sealed[1],
               devices[0]),
        opened("by another KEM key", "wrong key", "album-wrap-broken", 1, paths[1], sealed[1],
               seed=fixed("other seed")),
        opened("of another entry", "wrong context", "album-wrap-broken", 1, paths[1], sealed[1],
               of=CEM_IN),
        opened("of another key than it says", "forged", "album-wrap-broken", 1,
               leaves[0] + leaves[2], lie, of=liar),
        opened("half a hash in its path", "bad field", "malformed", 1, paths[1][:48], sealed[1]),
    ]  # fmt: skip


PICTURE = b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9"


def preview(photo: bytes, label: str = "album preview") -> bytes:
    context = encode(["kinlight/album-preview1", ALBUM, KEY_IDS["old"], photo])
    return wrap(KEYS["old"], context, PICTURE, label)


def seal_cases() -> list[Case]:
    """What is under the old key: a photo's keys, an earlier key, a text."""
    about = pid(CEM_PHONE, "one")
    context = encode(["kinlight/album-past1", ALBUM, KEY_IDS["new"], KEY_IDS["old"]])
    past = wrap(KEYS["new"], context, KEYS["old"], "album past")
    swapped = wrapped_keys(CEM_PHONE, "one", "old")
    other = wrapped_keys(CEM_PHONE, "two", "old")

    def keys(name: str, kind: str, expect: str, wrapped: list[Value]) -> Case:
        entry = feed(CEM_PHONE, ["photo", record(CEM_PHONE, "one"), KEY_IDS["old"], wrapped, []],
                     [CEM_IN])  # fmt: skip
        return case("album-photo", name, kind, expect, album=ALBUM, key=KEYS["old"],
                    entry=encode(entry),
                    file_keys=[fixed("file key 1").hex(), fixed("file key 2").hex()])  # fmt: skip

    def said(name: str, kind: str, expect: str, what: str, photo: bytes, sealed: bytes) -> Case:
        return case("album-text", name, kind, expect, album=ALBUM, key=KEYS["old"], what=what,
                    photo_id=photo, wrapped=sealed, text="Küste 🌱")  # fmt: skip

    def chained(name: str, kind: str, expect: str, key: str, wrapped: bytes) -> Case:
        return case("album-past", name, kind, expect, album=ALBUM, key=KEYS[key],
                    key_id=KEY_IDS["new"], earlier=KEY_IDS["old"], wrapped=wrapped,
                    found=KEYS["old"])  # fmt: skip

    def shown(name: str, kind: str, expect: str, photo: bytes, sealed: bytes) -> Case:
        return case("album-preview", name, kind, expect, album=ALBUM, key=KEYS["old"],
                    photo_id=photo, wrapped=sealed, picture=PICTURE,
                    digest=hashlib.sha256(preview(about)).digest(),
                    length=len(preview(about)))  # fmt: skip

    comment = text("comment", about, "Küste 🌱")
    return [
        keys("a photo's keys", "valid", "success", swapped),
        keys("of another photo", "wrong context", "seal-broken", other),
        keys("of another album", "wrong context", "seal-broken",
             wrapped_keys(CEM_PHONE, "one", "old", bytes(16))),
        said("a comment", "valid", "success", "comment", about, comment),
        said("a name", "valid", "success", "name", b"", text("name", b"", "Küste 🌱")),
        said("a comment as a caption", "wrong context", "seal-broken", "caption", about, comment),
        said("about another photo", "wrong context", "seal-broken", "comment", bytes(16), comment),
        said("a comment, cut", "truncated", "seal-broken", "comment", about, comment[:-1]),
        shown("a preview", "valid", "success", about, preview(about)),
        shown("a preview of another photo", "wrong context", "seal-broken", bytes(16),
              preview(about)),
        shown("another preview of the same photo", "forged", "piece-mismatch", about,
              preview(about, "another salt")),
        chained("an earlier key", "valid", "success", "new", past),
        chained("under another key", "wrong key", "album-no-key", "third", past),
        chained("changed", "changed", "album-no-key", "new", past[:-1] + b"\x00"),
        chained("of another key than it says", "forged", "album-no-key", "new",
                wrap(KEYS["new"], context, KEYS["third"], "album lie")),
    ]  # fmt: skip


def main(folder: Path) -> None:
    about = (
        "What a reader must make of each case. `expect` is success or the error's code. `first` and"
        " `entries` are hashes of entries in the table `entries`; they come in any order."
    )
    cases = [*views(), *refusals(), *wrap_cases(), *seal_cases()]
    write_json(folder / "album", "album", about, cases)
    path = folder / "album" / "vectors.json"
    document = json.loads(path.read_text("utf-8")) | {"entries": ENTRIES}
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
