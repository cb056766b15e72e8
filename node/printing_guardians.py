"""What the commands about guardians print; see `printing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views_guardians import Guarded, Guardians


def listed(out: Output, found: Guardians) -> None:
    """Who has a share, and for whom one is kept."""
    if out.as_json:
        out.value(found)
        return
    if found.guardians:
        count = len(found.guardians)
        out.say(f"Any {found.need} of these {count} together can make your recovery words again:")
        for each in found.guardians:
            state = "has it" if each.kept else "gets it when you are next connected"
            out.say(
                f"  {each.number}. {names.shown(each.contact)}  {state}",
                style="green" if each.kept else "yellow",
            )
    else:
        out.say("Nobody has a share of your recovery words.")
    for each in found.guarded:
        out.say(
            f"You keep share {each.number} of {each.count} for {names.shown(each.contact)}, since"
            f" {times.shown(each.since)}; {each.need} are needed."
        )


def revealed(out: Output, found: Guarded) -> None:
    """A share, to be read out."""
    if out.as_json:
        out.value(found)
        return
    out.say(
        f"Share {found.number} of {found.count} for {names.shown(found.contact)};"
        f" {found.need} are needed. Read it out to nobody else:"
    )
    words = found.share.split()
    for start in range(0, len(words), 3):
        row = words[start : start + 3]
        out.say("   " + "".join(f"{start + n:>3}. {word:<12}" for n, word in enumerate(row, 1)))
