"""What the commands about access print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views import Grant


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
