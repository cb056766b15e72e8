"""Grants as plain descriptions, and what they allow: a naive reference, written apart.

It knows nothing of bytes, hashes or signatures. It collects every reason against a request instead
of looking for the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Person = int
Device = tuple[Person, int]
Fault = Literal["", "signature", "domain", "parent", "signer"]
WEEK, LEEWAY = 7 * 86_400, 300


@dataclass
class LinkPlan:
    """`audience` is a person, a device, or None for whoever meets the attributes."""

    issuer: Person
    device: int
    audience: Person | Device | None
    ops: set[str] | None = None
    photos: set[int] | None = None
    album: int | None = None
    after: int | None = None
    before: int | None = None
    max_depth: int | None = None
    rendition: tuple[int, bool, bool, bool] | None = None
    lan: bool = False
    count: int | None = None
    attributes: dict[tuple[str, str], set[Person]] = field(
        default_factory=dict[tuple[str, str], set[Person]]
    )
    odd: bool = False
    fault: Fault = ""


@dataclass
class Word:
    """An attestation."""

    issuer: Person
    device: int
    subject: Person
    name: str
    value: str
    start: int
    end: int
    forged: bool = False


@dataclass
class Back:
    """A list of revocations: numbers of links and of attestations, and devices."""

    as_of: int
    links: set[int]
    words: set[int]
    devices: set[Device]


@dataclass
class World:
    """One chain and all that is known around it; person 0 is the author."""

    links: list[LinkPlan]
    words: list[Word]
    backs: dict[Person, Back]
    own: Person | None = None


@dataclass
class Asked:
    person: Person
    device: int
    photo: int
    operation: str
    rendition: tuple[int, bool, bool, bool]
    now: int
    albums: set[int] | None
    network: str | None
    uses: int | None
    words: list[int]


def broken(world: World) -> bool:
    """Whether the chain is none, whoever asks for what."""
    for number, link in enumerate(world.links):
        following = len(world.links) - number - 1
        if link.fault or (link.max_depth is not None and following > link.max_depth):
            return True
        if number == 0:
            if link.issuer != 0 or link.ops is None or (link.photos is None and link.album is None):
                return True
            continue
        before = world.links[number - 1]
        if "reshare" not in (before.ops or ()):
            return True
        if before.audience not in (None, link.issuer, (link.issuer, link.device)):
            return True
    return False


def against(world: World, asked: Asked) -> set[str]:
    """The codes of everything that speaks against the request."""
    return set(_against(world, asked))


def _against(world: World, asked: Asked) -> Iterator[str]:
    sensitive = asked.operation != "view" or asked.rendition == (0, False, False, False)

    def revoked_device(device: Device) -> bool:
        back = world.backs.get(device[0])
        return back is not None and device in back.devices

    def stale(person: Person) -> bool:
        back = world.backs.get(person)
        if back is None or person == world.own or not sensitive:
            return False
        return not -LEEWAY <= asked.now - back.as_of < WEEK

    if revoked_device((asked.person, asked.device)):
        yield "device-revoked"
    holders = [*(link.issuer for link in world.links[1:]), asked.person]
    last = len(world.links) - 1
    for number, (link, holder) in enumerate(zip(world.links, holders, strict=True)):
        if any(
            number in world.backs[other.issuer].links
            for other in world.links
            if other.issuer in world.backs
        ):
            yield "grant-revoked"
        if revoked_device((link.issuer, link.device)):
            yield "device-revoked"
        if stale(link.issuer):
            yield "revocations-stale"
        if link.odd:
            yield "grant-unknown-condition"
        if link.after is not None and link.after > asked.now:
            yield "grant-not-yet"
        if link.before is not None and link.before <= asked.now:
            yield "grant-expired"
        if link.photos is not None and asked.photo not in link.photos:
            yield "grant-other-photo"
        if link.album is not None:
            if asked.albums is None:
                yield "grant-unknown-condition"
            elif link.album not in asked.albums:
                yield "grant-other-photo"
        if link.ops is not None and asked.operation not in link.ops:
            yield "grant-other-operation"
        if link.max_depth == last - number and asked.operation == "reshare":
            yield "grant-other-operation"
        if link.rendition is not None:
            pixels, *flags = link.rendition
            given, *given_flags = asked.rendition
            too_large = pixels and not 0 < given <= pixels
            if too_large or any(
                flag and not has for flag, has in zip(flags, given_flags, strict=True)
            ):
                yield "grant-other-rendition"
        if link.lan and asked.network != "lan":
            yield "grant-other-network" if asked.network else "grant-unknown-condition"
        if link.count is not None:
            if asked.uses is None:
                yield "grant-unknown-condition"
            elif asked.uses >= link.count:
                yield "grant-used-up"
        for (name, value), issuers in link.attributes.items():
            good = [
                word
                for which, word in enumerate(world.words)
                if which in asked.words
                and not word.forged
                and (word.subject, word.name, word.value) == (holder, name, value)
                and word.issuer in issuers
                and word.start <= asked.now < word.end
                and not revoked_device((word.issuer, word.device))
                and not (word.issuer in world.backs and which in world.backs[word.issuer].words)
            ]
            if all(stale(word.issuer) for word in good):
                yield "revocations-stale" if good else "attribute-missing"
    audience = world.links[-1].audience
    if audience not in (None, asked.person, (asked.person, asked.device)):
        yield "grant-for-another"
