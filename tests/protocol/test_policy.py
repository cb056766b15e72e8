"""The owner's rules: what they decide, and how they are written."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.protocol import limits
from kinlight.protocol.errors import BadPolicyError
from kinlight.protocol.policy import Decision, Facts, Rule, decide
from kinlight.protocol.policy_text import parse, write
from kinlight.protocol.rendition import ORIGINAL, Rendition

from .people import fixed

ME, ANNA, STRANGER = fixed("me"), fixed("anna"), fixed("stranger")
NAMES = {"me": ME, "anna": ANNA}
DAY = datetime.date(2026, 12, 24)

RULES = """
[[rule]]
name = "never intimate pictures"
effect = "deny"
photo = { sensitivity = ["high"] }

[[rule]]
name = "family sees everything"
effect = "allow"
attributes = { role = ["family"] }
attested_by = ["me", "anna"]

[[rule]]
name = "the club sees small pictures by day"
effect = "allow"
actions = ["view"]
attributes = { role = ["club", "guest"] }
photo = { albums = ["Summer"], has_faces = false }
context = { from = "08:00", until = "22:00", networks = ["lan"] }
rendition = { max_px = 2048, faces = "hidden", location = "removed", watermark = true }
"""


def read(text: str) -> tuple[Rule, ...]:
    return parse(text, NAMES)


def facts(**known: Any) -> Facts:
    plain: dict[str, Any] = {
        "action": "view",
        "sensitivity": "low",
        "albums": frozenset(["Summer"]),
        "has_faces": False,
        "minute": 12 * 60,
        "network": "lan",
    }
    return Facts(**(plain | known))


def holds(name: str, value: str, issuer: bytes = ME) -> frozenset[tuple[str, str, bytes]]:
    return frozenset([(name, value, issuer)])


FAMILY, CLUB = holds("role", "family"), holds("role", "club")


# Deciding.


def test_what_no_rule_allows_is_denied() -> None:
    assert decide(read(RULES), facts()) == Decision(False)
    assert decide((), facts(attributes=FAMILY)) == Decision(False)


def test_an_allowing_rule_says_which_and_by_which_facts() -> None:
    found = decide(read(RULES), facts(attributes=FAMILY))
    assert found == Decision(True, "family sees everything", (("role", ("family",)),), ORIGINAL)


def test_a_rule_demands_its_rendition() -> None:
    found = decide(read(RULES), facts(attributes=CLUB))
    assert found.rule == "the club sees small pictures by day"
    assert found.rendition == Rendition(2048, True, True, True)
    assert dict(found.facts) == {
        "action": "view",
        "role": ("club",),
        "albums": ("Summer",),
        "has_faces": False,
        "minute": 720,
        "network": "lan",
    }


def test_of_two_that_allow_the_first_decides() -> None:
    both = decide(read(RULES), facts(attributes=FAMILY | CLUB))
    assert (both.rule, both.rendition) == ("family sees everything", ORIGINAL)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_denying_rule_wins_wherever_it_stands(place: int) -> None:
    rules = list(read(RULES))
    rules.insert(place, rules.pop(0))
    found = decide(rules, facts(attributes=FAMILY | CLUB, sensitivity="high"))
    assert (found.allowed, found.rule) == (False, "never intimate pictures")
    assert found.facts == (("sensitivity", "high"),)


def test_only_the_word_of_who_is_named_counts() -> None:
    assert decide(read(RULES), facts(attributes=holds("role", "family", ANNA))).allowed
    assert not decide(read(RULES), facts(attributes=holds("role", "family", STRANGER))).allowed
    assert not decide(read(RULES), facts(attributes=holds("role", "club", ANNA))).allowed


CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "actions": ({"actions": frozenset(["view"])}, {"action": "view"}, {"action": "reshare"}),
    "albums": (
        {"albums": frozenset(["a", "b"])},
        {"albums": frozenset(["b", "c"])},
        {"albums": frozenset(["c"])},
    ),
    "tags": ({"tags": frozenset(["a"])}, {"tags": frozenset(["a"])}, {"tags": frozenset[str]()}),
    "has_faces": ({"has_faces": True}, {"has_faces": True}, {"has_faces": False}),
    "has_location": ({"has_location": False}, {"has_location": False}, {"has_location": True}),
    "sensitivity": (
        {"sensitivity": frozenset(["low"])}, {"sensitivity": "low"}, {"sensitivity": "high"},
    ),
    "hours": ({"hours": (60, 120)}, {"minute": 60}, {"minute": 120}),
    "first_day": ({"first_day": DAY}, {"day": DAY}, {"day": DAY - datetime.timedelta(1)}),
    "last_day": ({"last_day": DAY}, {"day": DAY}, {"day": DAY + datetime.timedelta(1)}),
    "networks": ({"networks": frozenset(["lan"])}, {"network": "lan"}, {"network": "internet"}),
    "devices": ({"devices": frozenset([ME])}, {"device": ME}, {"device": ANNA}),
    "fresh_factor": ({"fresh_factor": True}, {"fresh_factor": True}, {"fresh_factor": False}),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_is_met_or_not(name: str) -> None:
    condition, right, wrong = CONDITIONS[name]
    for allow in (True, False):
        rules = [Rule("everything", True)] if not allow else []
        rules.append(Rule("this", allow, **condition))
        for known, fits in ((right, True), (wrong, False)):
            found = decide(rules, dataclasses.replace(Facts("view"), **known))
            assert found.allowed == (fits == allow)
            assert (found.rule == "this") == fits


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "actions"])
def test_what_is_not_known_never_helps(name: str) -> None:
    condition, _, _ = CONDITIONS[name]
    assert not decide([Rule("allows", True, **condition)], Facts("view")).allowed
    rules = [Rule("everything", True), Rule("denies", False, **condition)]
    assert decide(rules, Facts("view")).rule == "denies"


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [((480, 1320), (480, 1319), (479, 1320)), ((1320, 360), (1320, 1439, 0, 359), (360, 1319))],
)
def test_hours_may_go_over_midnight(
    hours: tuple[int, int], inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    rules = [Rule("night", True, hours=hours)]
    assert all(decide(rules, Facts("view", minute=minute)).allowed for minute in inside)
    assert not any(decide(rules, Facts("view", minute=minute)).allowed for minute in outside)


def test_every_attribute_of_a_rule_must_be_met() -> None:
    both = (("role", frozenset(["family"])), ("team", frozenset(["red"])))
    rules = [Rule("both", True, attributes=both, attested_by=frozenset([ME]))]
    assert not decide(rules, facts(attributes=FAMILY)).allowed
    assert decide(rules, facts(attributes=FAMILY | holds("team", "red"))).allowed


# Text.


def test_what_is_written_is_read_as_the_same_rules() -> None:
    rules = read(RULES)
    assert read(write(rules, NAMES)) == rules
    assert write(read(write(rules, NAMES)), NAMES) == write(rules, NAMES)


def test_a_rule_is_written_as_a_person_would() -> None:
    text = write(read(RULES), NAMES)
    assert 'attested_by = ["anna", "me"]' in text
    assert 'context = { from = "08:00", until = "22:00", networks = ["lan"] }' in text
    assert 'photo = { sensitivity = ["high"] }' in text


def test_who_has_no_name_is_written_as_a_key() -> None:
    rules = (
        Rule(
            "a", True, attributes=(("role", frozenset(["x"])),), attested_by=frozenset([STRANGER])
        ),
    )
    assert STRANGER.hex() in write(rules, NAMES)
    assert read(write(rules, NAMES)) == rules


def test_no_text_is_no_rules() -> None:
    assert read("") == read("# nothing yet\n") == ()


START = '[[rule]]\nname = "a"\neffect = "allow"\n'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rules = 1", "rules: there is no such field"),
        ("rule = 1", "rule: not a list"),
        ("rule = [1]", "rule 1: not a table"),
        ("[[rule]]\neffect = 'allow'", "rule 1: name: it has none"),
        ("[[rule]]\nname = 1", "rule 1: name: not a text"),
        ("[[rule]]\nname = ''", "rule 1: name: 1 to 255 bytes"),
        ("[[rule]]\nname = \"a\\u0007\"", "rule 1: name: control characters"),
        ("[[rule]]\nname = 'a'", 'rule "a": effect: allow or deny'),
        ("[[rule]]\nname = 'a'\neffect = 'perhaps'", 'rule "a": effect: allow or deny'),
        (START + START, "rule 2: name: there are two rules of this name"),
        (START + "action = ['view']", 'rule "a": action: there is no such field'),
        (START + "actions = []", 'rule "a": actions: 1 to 64 items'),
        (START + "actions = ['dance']", 'rule "a": actions: each one of view, reshare'),
        (START + "actions = ['view', 'view']", 'rule "a": actions: an item twice'),
        (START + "actions = [1]", 'rule "a": actions: not a text'),
        (START + "actions = 'view'", 'rule "a": actions: not a list'),
        (START + "attributes = { Role = ['x'] }", 'rule "a": attributes.Role: not an attribute'),
        (START + "attributes = { role = 'x' }", 'rule "a": attributes.role: not a list'),
        (START + "attested_by = ['me']", 'rule "a": attested_by: there are no attributes'),
        (START + "attributes = { role = ['x'] }\nattested_by = ['bob']", "nobody is called"),
        (START + "photo = 1", 'rule "a": photo: not a table'),
        (START + "photo = { has_face = true }", 'rule "a": photo.has_face: there is no such'),
        (START + "photo = { has_faces = 1 }", 'rule "a": photo.has_faces: not a true or false'),
        (START + "photo = { sensitivity = ['odd'] }", 'rule "a": photo.sensitivity: each one of'),
        (START + "context = { from = '8:00', until = '09:00' }", "context.from: a time looks like"),
        (START + "context = { from = '24:00', until = '09:00' }", "context.from: a time looks"),
        (START + "context = { from = '08:00' }", "context.from: goes with an until"),
        (START + "context = { from = '08:00', until = '08:00' }", "context.from: goes with"),
        (START + "context = { first_day = '2026-01-01' }", "context.first_day: not a day like"),
        (START + "context = { first_day = 2026-01-01T00:00:00Z }", "context.first_day: not a day"),
        (
            START + "context = { first_day = 2026-01-02, last_day = 2026-01-01 }",
            "context.last_day: before first_day",
        ),
        (START + "context = { networks = ['moon'] }", "context.networks: each one of"),
        (START + "rendition = { max_px = 0 }", "rendition.max_px: 1 to 65535"),
        (START + "rendition = { max_px = true }", "rendition.max_px: not a whole number"),
        (START + "rendition = { faces = 'blurred' }", "rendition.faces: one of shown, hidden"),
        (START + "rendition = { location = 'none' }", "rendition.location: one of kept, removed"),
        (
            "[[rule]]\nname = 'a'\neffect = 'deny'\nrendition = { max_px = 1 }",
            "a rule that denies gives no rendition",
        ),
        ("[[rule", "not TOML"),
        ("a = " + "[" * 30_000, "not TOML"),
        ("a = " + "9" * 5_000, "not TOML"),
    ],
)  # fmt: skip
def test_an_error_says_where_it_is(text: str, where: str) -> None:
    with pytest.raises(BadPolicyError) as caught:
        read(text)
    assert where in caught.value.detail
    assert "\n" not in str(caught.value)


def test_without_a_name_for_oneself_nobodys_word_is_assumed() -> None:
    with pytest.raises(BadPolicyError):
        parse(START + "attributes = { role = ['x'] }", {})


def many_rules(count: int) -> str:
    return "".join(f"[[rule]]\nname = 'r{n}'\neffect = 'deny'\n" for n in range(count))


def many_items(count: int) -> str:
    return START + f"photo = {{ tags = {[f't{n}' for n in range(count)]} }}"


def long_name(count: int) -> str:
    return f"[[rule]]\nname = '{'n' * count}'\neffect = 'deny'"


def long_text(count: int) -> str:
    return "#" * count


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (many_rules, limits.POLICY_RULES),
        (many_items, limits.POLICY_ITEMS),
        (long_name, limits.POLICY_TEXT_BYTES),
        (long_text, limits.POLICY_BYTES),
    ],
)
def test_rules_are_taken_to_their_bounds_and_no_further(
    make: Callable[[int], str], limit: int
) -> None:
    read(make(limit))
    with pytest.raises(BadPolicyError):
        read(make(limit + 1))


@given(st.text(max_size=200))
def test_any_text_is_rules_or_an_error(text: str) -> None:
    """Never another exception."""
    for tried in (text, START + text, START + f"photo = {{ tags = [{text!r}] }}"):
        try:
            rules = read(tried)
        except BadPolicyError:
            continue
        assert read(write(rules, NAMES)) == rules


@given(
    st.sampled_from(["actions", "attributes", "attested_by", "photo", "context", "rendition"]),
    st.recursive(
        st.integers() | st.booleans() | st.sampled_from(["'x'", "'view'", "'me'", "08:00:00"]),
        lambda inner: st.lists(inner, max_size=3),
    ),
)
def test_any_value_of_a_field_is_read_or_an_error(field: str, value: object) -> None:
    text = str(value).lower().replace('"', "")
    for shown in (text, f"{{ role = {text}, albums = {text}, from = {text}, max_px = {text} }}"):
        try:
            read(f"{START}{field} = {shown}")
        except BadPolicyError:
            continue
