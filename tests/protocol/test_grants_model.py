"""Generated chains, attestations, revocations and requests against a naive reference."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.signing import Signed
from kinlight.protocol.attributes import ATTESTATION_DOMAIN, Attestation, Attributes
from kinlight.protocol.capability import CAPABILITY_DOMAIN, Capability, Request
from kinlight.protocol.errors import BrokenGrantError
from kinlight.protocol.rendition import Rendition
from kinlight.protocol.revocation import RevocationList, Revocations, Standing, device_hash

from .grants_reference import Asked, Back, Device, Fault, LinkPlan, Word, World, against, broken
from .people import NOW, Person, fixed

PEOPLE = [Person.named(name) for name in ("Alice", "Bob", "Carol", "Mallory")]
KEYS = {(number, device): PEOPLE[number].signing_key(f"device {device}")
        for number in range(len(PEOPLE)) for device in range(2)}  # fmt: skip
DEVICES = {key.public: PEOPLE[number].identity for (number, _), key in KEYS.items()}
PHOTOS = [fixed(f"photo {number}", 16) for number in range(3)]
ALBUMS = [fixed(f"album {number}", 16) for number in range(2)]
ATTRIBUTES = [("role", "family"), ("role", "club")]
SIZES = [0, 0, 1024, 2048]
DAY = 86_400

_Item = TypeVar("_Item")


class Draw(random.Random):
    """Draws worlds in which most things are right: what is wrong must not drown each other."""

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def maybe(self, probability: float, value: _Item) -> _Item | None:
        return value if self.chance(probability) else None

    def some(self, items: Sequence[_Item]) -> set[_Item]:
        return set(self.sample(items, self.randint(1, len(items))))

    def time(self) -> int:
        return NOW + self.choice([-DAY, -1, 0, 1, 2, DAY])

    def rendition(self) -> tuple[int, bool, bool, bool]:
        return self.choice(SIZES), self.chance(0.3), self.chance(0.3), self.chance(0.3)

    def world(self) -> World:
        links: list[LinkPlan] = []
        issuer, device = (0 if self.chance(0.98) else 1), self.randrange(2)
        length = self.choice([1, 1, 2, 2, 3, 4])
        for number in range(length):
            links.append(link := self.link(number, issuer, device))
            if number < length - 1 and self.chance(0.9):
                link.ops = (link.ops or {"view"}) | {"reshare"}
                link.max_depth = None if self.chance(0.7) else link.max_depth
            if self.chance(0.03):
                issuer, device = self.randrange(4), self.randrange(2)
            elif isinstance(link.audience, tuple):
                issuer, device = link.audience
            elif link.audience is None:
                issuer, device = self.randrange(4), self.randrange(2)
            else:
                issuer, device = link.audience, self.randrange(2)
        words = [self.word(links) for _ in range(self.choice([0, 1, 3, 5]))]
        backs = {
            person: self.back(person, links, words) for person in range(4) if self.chance(0.25)
        }
        return World(links, words, backs, self.maybe(0.5, 0))

    def link(self, number: int, issuer: int, device: int) -> LinkPlan:
        person: int = self.randrange(4)
        audience: int | Device | None = person
        if self.chance(0.25):
            audience = (person, self.randrange(2))
        elif number == 0 and self.chance(0.3):
            audience = None
        said = 0.98 if number == 0 else 0.3
        ops = self.choice([["view", "reshare"], ["view", "reshare", "contribute"], ["view"]])
        attributes = {
            attribute: self.some(range(4))
            for attribute in ATTRIBUTES
            if self.chance(0.7 if audience is None else 0.08)
        }
        if audience is None and not attributes:
            attributes = {ATTRIBUTES[0]: {0, 1}}
        faults: list[Fault] = ["signature", "domain", "signer"]
        return LinkPlan(
            issuer,
            device,
            audience,
            self.maybe(0.98 if number == 0 else 0.6, set(ops)),
            self.maybe(said, self.some(range(3)) | {0}),
            self.maybe(0.08, self.randrange(2)),
            self.maybe(0.1, self.time()),
            self.maybe(0.2, self.time()),
            self.maybe(0.1, self.randrange(4)),
            self.maybe(0.3, self.rendition()),
            self.chance(0.05),
            self.maybe(0.05, self.randrange(3)),
            attributes,
            self.chance(0.01),
            self.choice([*faults, "parent"] if number else faults) if self.chance(0.01) else "",
        )

    def word(self, links: Sequence[LinkPlan]) -> Word:
        demands = [
            (name, value, by)
            for link in links
            for (name, value), issuers in link.attributes.items()
            for by in issuers
        ]
        name, value, issuer = self.choice(demands or [("role", "family", 1)])
        if self.chance(0.2):
            issuer = self.randrange(4)
        start, length = self.time() - 2, self.choice([1, 2, 3, DAY, 90 * DAY])
        subject, device = self.randrange(4), self.randrange(2)
        return Word(issuer, device, subject, name, value, start, start + length, self.chance(0.05))

    def back(self, person: int, links: Sequence[LinkPlan], words: Sequence[Word]) -> Back:
        def few(count: int) -> set[int]:
            return {number for number in range(count) if self.chance(0.1)}

        as_of = NOW - self.choice([0, 1, DAY, 7 * DAY - 1, 7 * DAY, 7 * DAY + 1, -300, -301, -302])
        devices = {(person, device) for device in range(2) if self.chance(0.05)}
        return Back(as_of, few(len(links)), few(len(words)), devices)

    def asked(self, world: World) -> Asked:
        audience = world.links[-1].audience
        if isinstance(audience, tuple):
            person, device = audience
        else:
            person = self.randrange(4) if audience is None else audience
            device = self.randrange(2)
        if self.chance(0.08):
            person = self.randrange(4)
        if self.chance(0.05):
            device = 1 - device
        words = [number for number in range(len(world.words)) if self.chance(0.9)]
        return Asked(
            person,
            device,
            0 if self.chance(0.85) else self.randrange(3),
            self.choice(["view"] * 6 + ["reshare", "contribute", "dance"]),
            (1024, True, True, True) if self.chance(0.4) else self.rendition(),
            NOW if self.chance(0.7) else self.time(),
            self.maybe(0.9, self.some(range(2))),
            self.choice(["lan", "lan", "lan", "internet", None]),
            self.choice([0, 0, 1, 2, None]),
            words,
        )


# From descriptions to bytes.


def caveats_of(link: LinkPlan) -> list[Value]:
    found: list[Value] = []
    if link.after is not None:
        found.append(["after", link.after])
    if link.album is not None:
        found.append(["album", ALBUMS[link.album]])
    if link.attributes:
        demands: list[Value] = [
            [name, value, sorted(PEOPLE[issuer].identity for issuer in issuers)]
            for (name, value), issuers in sorted(link.attributes.items())
        ]
        found.append(["attr", demands])
    if link.before is not None:
        found.append(["before", link.before])
    if link.count is not None:
        found.append(["count", link.count])
    if link.max_depth is not None:
        found.append(["max_depth", link.max_depth])
    if link.lan:
        found.append(["network", "lan"])
    if link.ops is not None:
        found.append(["ops", sorted(link.ops)])
    if link.photos is not None:
        found.append(["photos", sorted(PHOTOS[photo] for photo in link.photos)])
    if link.rendition is not None:
        flags = [int(value) for value in link.rendition]
        found.append(["rendition", "copy", *flags] if any(flags) else ["rendition", "original"])
    if link.odd:
        found.append(["zzz", 1])
    return found


def sign_chain(links: Sequence[LinkPlan]) -> list[Signed]:
    signed: list[Signed] = []
    for link in links:
        key = KEYS[link.issuer, link.device]
        signer = KEYS[(link.issuer + 1) % 4, 0] if link.fault == "signer" else key
        parent = signed[-1].digest() if signed else b""
        if link.fault == "parent":
            parent = bytes(32)
        match link.audience:
            case None:
                audience: Value = ["attributes", b""]
            case (_, _):
                audience = ["device", KEYS[link.audience].public]
            case person:
                audience = ["identity", PEOPLE[person].identity]
        body: Value = [
            1, "cap", parent, PEOPLE[link.issuer].identity, signer.public, audience,
            caveats_of(link), bytes(16),
        ]  # fmt: skip
        domain = ATTESTATION_DOMAIN if link.fault == "domain" else CAPABILITY_DOMAIN
        made = signer.sign_value(domain, body)
        if link.fault == "signature":
            made = Signed(made.body, made.signature[:40] + bytes(24))
        signed.append(made)
    return signed


def attest(word: Word, number: int) -> Attestation:
    device = ((word.issuer + 1) % 4, 0) if word.forged else (word.issuer, word.device)
    return Attestation.issue(
        KEYS[device],
        PEOPLE[word.issuer].identity,
        PEOPLE[word.subject].identity,
        word.name,
        word.value,
        word.start,
        word.end,
        number.to_bytes(16),
    )


def revocations_of(world: World, chain: Capability, words: Sequence[Attestation]) -> Revocations:
    known: dict[bytes, Standing] = {}
    for person, back in world.backs.items():
        hashes = [
            *(chain.links[number].signed.digest() for number in back.links),
            *(words[number].signed.digest() for number in back.words),
            *(device_hash(KEYS[device].public) for device in back.devices),
        ]
        found = RevocationList.sign(KEYS[person, 0], PEOPLE[person].identity, 1, back.as_of, hashes)
        found.verify(DEVICES)
        known[found.issuer] = Standing(RevocationList.decode(found.signed.encode()))
    return Revocations(known, b"" if world.own is None else PEOPLE[world.own].identity)


def request_of(asked: Asked, words: Sequence[Attestation], revocations: Revocations) -> Request:
    pixels, *flags = asked.rendition
    return Request(
        PEOPLE[asked.person].identity,
        KEYS[asked.person, asked.device].public,
        PHOTOS[asked.photo],
        asked.operation,
        Rendition(pixels or None, *flags),
        asked.now,
        None if asked.albums is None else frozenset(ALBUMS[album] for album in asked.albums),
        asked.network,
        asked.uses,
        Attributes.verified((words[number] for number in asked.words), DEVICES),
        revocations,
    )


def compare(seed: int, chains: int, requests: int) -> Counter[str]:
    """Judge by both, and say how often each answer came."""
    draw, counts = Draw(seed), Counter[str]()
    author = PEOPLE[0].identity
    for _ in range(chains):
        world = draw.world()
        signed = sign_chain(world.links)
        chain = Capability.decode(encoding.encode([link.to_value() for link in signed]))
        try:
            chain.verify(author, DEVICES)
            verified = True
        except BrokenGrantError:
            verified = False
        assert verified != broken(world), world
        if not verified:
            counts["broken"] += requests
            continue
        words = [attest(word, number) for number, word in enumerate(world.words)]
        revocations = revocations_of(world, chain, words)
        for _ in range(requests):
            asked = draw.asked(world)
            verdict = chain.judge(request_of(asked, words, revocations))
            reasons = against(world, asked)
            assert verdict.allowed == (not reasons), (world, asked, verdict, reasons)
            assert verdict.allowed or verdict.code in reasons, (world, asked, verdict, reasons)
            counts[verdict.code or "allowed"] += 1
    return counts


def test_generated_grants_are_judged_as_the_reference_does() -> None:
    counts = compare(seed=21, chains=2_000, requests=10)
    assert sum(counts.values()) == 20_000
    assert counts["allowed"] > 1_500
    assert len(counts) == 15, sorted(counts)
    assert counts["broken"] < 6_000
    assert min(counts.values()) > 10, counts


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_million_generated_grants_are_judged_as_the_reference_does() -> None:
    assert sum(compare(seed=22, chains=100_000, requests=10).values()) == 1_000_000
