"""What the commands about access print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..protocol.errors import sentence
from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views_access import Attribute, Explanation, Grant, Policy, Revocation


def grants(out: Output, found: Sequence[Grant]) -> None:
    """What was granted."""
    if out.as_json:
        for grant in found:
            out.value(grant)
        return
    if not found:
        out.say("Nothing was granted yet. `kinlight share` and `kinlight grant` do.")
        return
    rows = [
        (
            grant.hash[:8],
            grant.of[:8],
            names.shown(grant.name) + _by(grant),
            names.shown(grant.to),
            ", ".join(grant.operations),
            form(grant.max_px, grant.location, grant.watermarked),
            "" if grant.until is None else times.shown(grant.until),
            grant.state + (f", went to {_listed(grant.went_to)}" if grant.went_to else ""),
        )
        for grant in found
    ]
    out.table(("grant", "photo", "name", "to", "may", "as", "until", "state"), rows)


def _listed(people: Sequence[str]) -> str:
    return ", ".join(map(names.shown, people))


def _by(grant: Grant) -> str:
    """Whose photo was passed on."""
    return "" if grant.parent is None else f" (by {names.shown(grant.author)})"


def form(max_px: int | None, location: str, watermarked: bool = False) -> str:
    """A form in words."""
    words = [] if max_px is None else [f"{max_px} px"]
    if location == "removed":
        words.append("no location")
    if watermarked:
        words.append("with a mark")
    return ", ".join(words) or "original"


def attributes(out: Output, found: Sequence[Attribute]) -> None:
    """What is said of people."""
    if out.as_json:
        for said in found:
            out.value(said)
        return
    if not found:
        out.say("Nothing is said of anybody. `kinlight attest NAME role=family` says something.")
        return
    rows = [
        (
            names.shown(said.who),
            names.shown(f"{said.name}={said.value}"),
            names.shown(said.by),
            times.shown(said.until),
            said.state + (f", shown to {_listed(said.shown_to)}" if said.shown_to else ""),
        )
        for said in found
    ]
    out.table(("who", "what", "says", "until", "state"), rows)


def policy(out: Output, found: Policy) -> None:
    """That rules were taken."""
    count = len(found.rules)
    if out.as_json:
        out.value(found)
    elif count == 0:
        out.say("No rules: nothing is forbidden by them.")
    else:
        out.say(f"{count} rules. What none of them allows is denied." if count > 1 else "1 rule.")
    if not out.as_json:
        for album in found.missing_albums:
            out.say(f"There is no album {names.shown(album)} here yet.", style="yellow")


def policy_text(out: Output, found: Policy) -> None:
    """The rules themselves."""
    if out.as_json:
        out.value(found)
    elif found.text:
        out.say(found.text.rstrip("\n"))


def explanation(out: Output, why: Explanation) -> None:
    """Why somebody may have a photo or not."""
    if out.as_json:
        out.value(why)
        return
    may = "may" if why.allowed else "may not"
    out.say(
        f"{names.shown(why.who)} {may} {why.operation} {why.photo[:8]} now"
        + ("." if why.code is None else f": {sentence(why.code)}"),
        style="green" if why.allowed else "red",
    )
    if why.policy is None:
        out.say("There are no rules.")
    elif why.rule is None:
        out.say("No rule allows it.")
    else:
        shown = form(why.max_px, why.location, why.watermarked)
        out.say(f"Rule {names.shown(why.rule)}: {why.policy}, as {shown}.")
    _facts(out, why.facts)
    for grant in why.grants:
        said = "allows it" if grant.code is None else sentence(grant.code)
        out.say(f"Grant {grant.hash[:8]}: {said}")
        _facts(out, grant.facts)


def _facts(out: Output, facts: Sequence[Sequence[str]]) -> None:
    for name, value in facts:
        out.say(f"  {names.shown(name)}: {names.shown(value)}")


def revocations(out: Output, found: Sequence[Revocation]) -> None:
    """What was taken back."""
    for taken in found:
        if out.as_json:
            out.value(taken)
        elif taken.kind == "grant":
            out.say(f"Taken back: photo {taken.what[:8]} from {names.shown(taken.who)}.")
        else:
            out.say(f"Taken back: device {taken.what[:8]}.")
    if not out.as_json:
        out.say("Contacts are told when they are connected. What they fetched stays with them.")
