"""The owner's rules: who gets what of the photos here, in which form, and when.

A rule fits if all its conditions hold. One denying rule that fits denies; otherwise the first
allowing rule that fits allows, in the rendition that it demands; what no rule allows is denied.
What isn't known never helps: it is as if a condition of an allowing rule failed, and as if one of
a denying rule held. Rules are written as text in `policy_text`.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .judging import Fact
from .rendition import ORIGINAL, Rendition

ACTIONS: Final = ("view", "reshare", "contribute")
SENSITIVITIES: Final = ("low", "normal", "high")
NETWORKS: Final = ("lan", "internet")
MINUTES: Final = 24 * 60

Attribute: TypeAlias = tuple[str, str, bytes]
"""A name, a value, and the identity on whose word it rests."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule. None sets no condition; a set means any of its items.

    `attributes` maps a name to the values that count, by the word of any of `attested_by`; every
    name must be met. `hours` are minutes since midnight, first included and last not, and may go
    over midnight; both days are included. `rendition` is for what it allows.
    """

    name: str
    allow: bool
    actions: frozenset[str] | None = None
    attributes: tuple[tuple[str, frozenset[str]], ...] = ()
    attested_by: frozenset[bytes] = frozenset()
    albums: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    has_faces: bool | None = None
    has_location: bool | None = None
    sensitivity: frozenset[str] | None = None
    hours: tuple[int, int] | None = None
    first_day: datetime.date | None = None
    last_day: datetime.date | None = None
    networks: frozenset[str] | None = None
    devices: frozenset[bytes] | None = None
    fresh_factor: bool | None = None
    rendition: Rendition = ORIGINAL


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one request. None: not known.

    `attributes` are those of the subject that hold now, attested. `minute` and `day` are the
    owner's local ones. `device` is the key of the asking device.
    """

    action: str
    attributes: frozenset[Attribute] = frozenset()
    albums: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    has_faces: bool | None = None
    has_location: bool | None = None
    sensitivity: str | None = None
    minute: int | None = None
    day: datetime.date | None = None
    network: str | None = None
    device: bytes | None = None
    fresh_factor: bool | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say; `rule` is the name of the one that decided, None if none allows it.

    `rendition` is the least strict one that is allowed; it means nothing where nothing is.
    """

    allowed: bool
    rule: str | None = None
    facts: tuple[Fact, ...] = ()
    rendition: Rendition = field(default=ORIGINAL)


def decide(rules: Collection[Rule], facts: Facts) -> Decision:
    """What the rules say to these facts."""
    for rule in rules:
        if not rule.allow and fits(rule, facts):
            return Decision(False, rule.name, used(rule, facts))
    for rule in rules:
        if rule.allow and fits(rule, facts):
            return Decision(True, rule.name, used(rule, facts), rule.rendition)
    return Decision(False)


def fits(rule: Rule, facts: Facts) -> bool:
    """Whether a rule applies. A condition on what isn't known holds for denying rules alone."""
    unknown = not rule.allow
    return all(unknown if holds is None else holds for _, holds in _conditions(rule, facts))


def used(rule: Rule, facts: Facts) -> tuple[Fact, ...]:
    """The facts that a rule looks at."""
    return tuple(fact for fact, _ in _conditions(rule, facts))


def _conditions(rule: Rule, facts: Facts) -> Iterator[tuple[Fact, bool | None]]:
    """Each condition of the rule with the fact it is about; None where that isn't known."""
    if rule.actions is not None:
        yield ("action", facts.action), facts.action in rule.actions
    for name, values in rule.attributes:
        held = {
            value
            for found, value, issuer in facts.attributes
            if found == name and issuer in rule.attested_by
        }
        yield (name, tuple(sorted(held))), not held.isdisjoint(values)
    yield from _any("albums", rule.albums, facts.albums)
    yield from _any("tags", rule.tags, facts.tags)
    yield from _same("has_faces", rule.has_faces, facts.has_faces)
    yield from _same("has_location", rule.has_location, facts.has_location)
    yield from _among("sensitivity", rule.sensitivity, facts.sensitivity)
    if rule.hours is not None:
        minute = facts.minute
        yield ("minute", minute), None if minute is None else _within(minute, *rule.hours)
    if rule.first_day is not None:
        late = None if facts.day is None else facts.day >= rule.first_day
        yield ("day", _shown(facts.day)), late
    if rule.last_day is not None:
        early = None if facts.day is None else facts.day <= rule.last_day
        yield ("day", _shown(facts.day)), early
    yield from _among("network", rule.networks, facts.network)
    yield from _among("device", rule.devices, facts.device)
    yield from _same("fresh_factor", rule.fresh_factor, facts.fresh_factor)


_Condition: TypeAlias = "Iterator[tuple[Fact, bool | None]]"


def _any(name: str, wanted: frozenset[str] | None, found: frozenset[str] | None) -> _Condition:
    if wanted is not None:
        shown = None if found is None else tuple(sorted(found))
        yield (name, shown), None if found is None else not found.isdisjoint(wanted)


def _among(
    name: str,
    wanted: frozenset[str] | frozenset[bytes] | None,
    found: str | bytes | None,
) -> _Condition:
    if wanted is not None:
        yield (name, found), None if found is None else found in wanted


def _same(name: str, wanted: bool | None, found: bool | None) -> _Condition:
    if wanted is not None:
        yield (name, found), None if found is None else found == wanted


def _within(minute: int, start: int, end: int) -> bool:
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def _shown(day: datetime.date | None) -> str | None:
    return None if day is None else day.isoformat()
