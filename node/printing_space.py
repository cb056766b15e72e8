"""What the commands about room on this machine print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names
from .printing import Output, size

if TYPE_CHECKING:
    from .views_space import SpaceItem, SpaceUse

_STATES: Final = {
    "needed": "stays: others may come for it, or it is being repaired",
    "only-copy": "stays: nobody else is known to keep it",
    "nobody-here": "stays: who keeps it is not here to show it",
    "not-shown": "stays: who should have it did not show it",
    "here": "is here again",
    "coming": "comes when somebody is here who has it",
    "refused": "was refused by whoever has it",
}


def use(out: Output, found: SpaceUse) -> None:
    """What takes how much."""
    if out.as_json:
        out.value(found)
        return
    rows = [
        ("your photos", size(found.own)),
        ("photos of others", size(found.received)),
        ("pictures drawn of them", size(found.pictures)),
        ("previews in shared albums", size(found.previews)),
        ("kept for others", size(found.held)),
    ]
    out.table(("", ""), rows)
    if found.away:
        out.say(
            f"{found.away} photos were let go, of {size(found.away_bytes)}."
            " `kinlight space fetch --all` brings them back."
        )


def item(out: Output, found: SpaceItem) -> None:
    """One photo that was looked at."""
    if out.as_json:
        out.value(found)
        return
    what = f"{found.photo[:8]}  {names.shown(found.name)}, {size(found.bytes)}"
    if found.what == "preview":
        what += " (the picture drawn of it)"
    if found.state in ("gone", "would-go"):
        how = "gone from here" if found.state == "gone" else "would go"
        shown = f"; {names.shown(found.holder)} has shown it" if found.holder else ""
        out.say(f"{what}: {how}{shown}")
        return
    why = _STATES.get(found.state, found.state)
    if found.message is not None:
        why += f" ({names.shown(found.message)})"
    out.say(f"{what}: {why}", style="yellow")


def cleaned(out: Output, items: Sequence[SpaceItem]) -> None:
    """What came of it."""
    if out.as_json:
        return
    freed = sum(each.bytes for each in items if each.state in ("gone", "would-go"))
    count = sum(each.state in ("gone", "would-go") for each in items)
    would = any(each.state == "would-go" for each in items)
    if not count:
        out.say("Nothing went.")
        return
    verb = "would be free" if would else "are free"
    out.say(f"{size(freed)} {verb}, of {count} {'file' if count == 1 else 'files'}.")
    if any(each.state == "gone" and each.what == "photo" for each in items):
        out.say("`kinlight space fetch --all` brings them back from those who have them.")
