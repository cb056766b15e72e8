"""What the commands about access print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views import Attribute, Grant


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
            names.shown(grant.name),
            names.shown(grant.to),
            ", ".join(grant.operations),
            form(grant),
            "" if grant.until is None else times.shown(grant.until),
            grant.state,
        )
        for grant in found
    ]
    out.table(("grant", "photo", "name", "to", "may", "as", "until", "state"), rows)


def form(grant: Grant) -> str:
    """In which form it was granted, in words."""
    words = [] if grant.max_px is None else [f"{grant.max_px} px"]
    if grant.location == "removed":
        words.append("no location")
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
            said.state,
        )
        for said in found
    ]
    out.table(("who", "what", "says", "until", "state"), rows)
