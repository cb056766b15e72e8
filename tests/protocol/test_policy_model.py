"""The owner's rules against Cedar, on generated rules and requests: no disagreement."""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import cedarpy
import pytest
from kinlight.protocol.policy import ACTIONS, MINUTES, NETWORKS, SENSITIVITIES, Facts, Rule, decide
from kinlight.protocol.policy_text import parse, write
from kinlight.protocol.rendition import Rendition

ISSUERS = {"me": bytes(32), "anna": b"a" * 32, "mallory": b"m" * 32}
DEVICES = [b"1" * 32, b"2" * 32]
ALBUMS, TAGS = ["Sommer ü", 'quo"ted'], ["sea", "\\", "family"]
VALUES = {"role": ["family", "club"], "team": ["red", "blue"]}
DAY = datetime.date(2026, 11, 1)

_Item = TypeVar("_Item")


def some(draw: random.Random, items: Iterable[_Item]) -> frozenset[_Item]:
    """One or more of the items."""
    listed = list(items)
    return frozenset(draw.sample(listed, draw.randint(1, len(listed))))


def maybe(draw: random.Random, chance: float, value: _Item) -> _Item | None:
    return value if draw.random() < chance else None


def rule(draw: random.Random, name: str) -> Rule:
    allow = draw.random() < 0.7
    names = draw.sample(sorted(VALUES), draw.choice([0, 0, 1, 1, 2]))
    attributes = tuple((name, some(draw, VALUES[name])) for name in sorted(names))
    start, end = draw.sample(range(0, MINUTES, 240), 2)
    return Rule(
        name,
        allow,
        maybe(draw, 0.7, some(draw, ACTIONS)),
        attributes,
        some(draw, ISSUERS.values()) if attributes else frozenset(),
        maybe(draw, 0.2, some(draw, ALBUMS)),
        maybe(draw, 0.2, some(draw, TAGS)),
        maybe(draw, 0.15, draw.random() < 0.5),
        maybe(draw, 0.15, draw.random() < 0.5),
        maybe(draw, 0.2, some(draw, SENSITIVITIES)),
        maybe(draw, 0.2, (start, end)),
        maybe(draw, 0.15, DAY + datetime.timedelta(draw.randint(-3, 1))),
        maybe(draw, 0.15, DAY + datetime.timedelta(draw.randint(1, 4))),
        maybe(draw, 0.2, some(draw, NETWORKS)),
        maybe(draw, 0.15, some(draw, DEVICES)),
        maybe(draw, 0.15, draw.random() < 0.5),
        Rendition(draw.choice([None, 2048]), draw.random() < 0.3) if allow else Rendition(),
    )


def facts(draw: random.Random) -> Facts:
    attributes = [
        (name, value, issuer)
        for name, values in VALUES.items()
        for value in values
        for issuer in ISSUERS.values()
        if draw.random() < 0.2
    ]
    return Facts(
        draw.choice([*ACTIONS, "dance"]),
        frozenset(attributes),
        maybe(draw, 0.8, frozenset(draw.sample(ALBUMS, draw.randint(0, 2)))),
        maybe(draw, 0.8, frozenset(draw.sample(TAGS, draw.randint(0, 3)))),
        maybe(draw, 0.8, draw.random() < 0.5),
        maybe(draw, 0.8, draw.random() < 0.5),
        maybe(draw, 0.8, draw.choice(SENSITIVITIES)),
        maybe(draw, 0.8, draw.choice([*range(0, MINUTES, 240), MINUTES - 1, 239])),
        maybe(draw, 0.8, DAY + datetime.timedelta(draw.randint(-4, 5))),
        maybe(draw, 0.8, draw.choice([*NETWORKS, "moon"])),
        maybe(draw, 0.8, draw.choice(DEVICES)),
        maybe(draw, 0.8, draw.random() < 0.5),
    )


# The same in Cedar.


def listed(items: Iterable[str]) -> str:
    return f"[{', '.join(json.dumps(item, ensure_ascii=False) for item in sorted(items))}]"


def to_cedar(rule: Rule) -> str:
    conditions: list[str] = []

    def known(name: str, condition: str) -> None:
        if rule.allow:
            conditions.append(f"(context has {name} && {condition})")
        else:
            conditions.append(f"(!(context has {name}) || {condition})")

    if rule.actions is not None:
        conditions.append(f"{listed(rule.actions)}.contains(context.action)")
    for name, values in rule.attributes:
        held = [f"{name}={value}@{issuer.hex()}" for value in values for issuer in rule.attested_by]
        conditions.append(f"context.attributes.containsAny({listed(held)})")
    if rule.albums is not None:
        known("albums", f"context.albums.containsAny({listed(rule.albums)})")
    if rule.tags is not None:
        known("tags", f"context.tags.containsAny({listed(rule.tags)})")
    for name in ("has_faces", "has_location", "fresh_factor"):
        wanted = getattr(rule, name)
        if wanted is not None:
            known(name, f"context.{name} == {str(wanted).lower()}")
    if rule.sensitivity is not None:
        known("sensitivity", f"{listed(rule.sensitivity)}.contains(context.sensitivity)")
    if rule.hours is not None:
        start, end = rule.hours
        both = "&&" if start < end else "||"
        known("minute", f"(context.minute >= {start} {both} context.minute < {end})")
    if rule.first_day is not None:
        known("day", f"context.day >= {rule.first_day.toordinal()}")
    if rule.last_day is not None:
        known("day", f"context.day <= {rule.last_day.toordinal()}")
    if rule.networks is not None:
        known("network", f"{listed(rule.networks)}.contains(context.network)")
    if rule.devices is not None:
        devices = [device.hex() for device in rule.devices]
        known("device", f"{listed(devices)}.contains(context.device)")
    effect = "permit" if rule.allow else "forbid"
    return f"{effect}(principal, action, resource) when {{ {' && '.join(conditions) or 'true'} }};"


def context_of(facts: Facts) -> dict[str, Any]:
    context: dict[str, Any] = {
        "action": facts.action,
        "attributes": [
            f"{name}={value}@{issuer.hex()}" for name, value, issuer in sorted(facts.attributes)
        ],
        "albums": None if facts.albums is None else sorted(facts.albums),
        "tags": None if facts.tags is None else sorted(facts.tags),
        "has_faces": facts.has_faces,
        "has_location": facts.has_location,
        "sensitivity": facts.sensitivity,
        "minute": facts.minute,
        "day": None if facts.day is None else facts.day.toordinal(),
        "network": facts.network,
        "device": None if facts.device is None else facts.device.hex(),
        "fresh_factor": facts.fresh_factor,
    }
    return {name: value for name, value in context.items() if value is not None}


def ask_cedar(rules: Sequence[Rule], asked: Sequence[Facts]) -> list[cedarpy.AuthzResult]:
    requests = [
        {
            "principal": 'Person::"anybody"',
            "action": 'Action::"any"',
            "resource": 'Photo::"any"',
            "context": context_of(facts),
        }
        for facts in asked
    ]
    policies = "\n".join(map(to_cedar, rules))
    return cedarpy.is_authorized_batch(  # pyright: ignore[reportUnknownMemberType] - bare dict
        requests, policies, []
    )


def compare(seed: int, sets: int, requests: int) -> dict[bool, int]:
    """Decide by both, and say how often each answer came."""
    draw, counts = random.Random(seed), {True: 0, False: 0}
    for _ in range(sets):
        rules = [rule(draw, f"rule {number}") for number in range(draw.randint(0, 8))]
        assert parse(write(rules, ISSUERS), ISSUERS) == tuple(rules)
        asked = [facts(draw) for _ in range(requests)]
        for each, answer in zip(asked, ask_cedar(rules, asked), strict=True):
            decision = decide(rules, each)
            assert not answer.diagnostics.errors
            assert decision.allowed == answer.allowed, (rules, each)
            fitting = sorted(
                int(reason.removeprefix("policy")) for reason in answer.diagnostics.reasons
            )
            if fitting:
                assert decision.rule == rules[fitting[0]].name
                assert decision.rendition == rules[fitting[0]].rendition
            else:
                assert decision.rule is None
            counts[decision.allowed] += 1
    return counts


def test_generated_rules_decide_as_cedar_does() -> None:
    counts = compare(seed=5, sets=400, requests=50)
    assert sum(counts.values()) == 20_000
    assert min(counts.values()) > 3_000


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_million_generated_rules_decide_as_cedar_does() -> None:
    assert sum(compare(seed=6, sets=10_000, requests=100).values()) == 1_000_000
