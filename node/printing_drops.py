"""What the commands about drop links print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, printing_weblinks, times
from .printing import Output

if TYPE_CHECKING:
    from .views_drops import DropLink

_ID_DIGITS: Final = 8


def made(out: Output, link: DropLink, *, qr: bool) -> None:
    """A new link, to be opened on the phone that it is for."""
    if out.as_json:
        out.value(link)
        return
    name = names.shown(link.name)
    consent = (
        "What comes is taken at once."
        if link.accept == "always"
        else f"What comes waits: `kinlight inbox` shows it, `kinlight drop accept '{name}'` takes"
        " it."
    )
    out.say(
        f"Whoever has this link can send photos here while this node runs, until you take it back,"
        f" and see none. {consent}\n"
    )
    printing_weblinks.address(out, link.url or "", qr=qr)
    out.say(f"\n`kinlight drop revoke {link.id[:_ID_DIGITS]}` takes it back.")
    printing_weblinks.warn(out, link)


def listed(out: Output, links: Sequence[DropLink]) -> None:
    """Links that were made here, and what came by them."""
    if out.as_json:
        for link in links:
            out.value(link)
        return
    if not links:
        out.say("No drop links. `kinlight drop new NAME` makes one.")
        return
    rows = [
        (
            link.id[:_ID_DIGITS],
            names.shown(link.name),
            link.state,
            link.accept,
            _counts(link),
            "never" if link.seen is None else times.shown(link.seen),
            link.host if link.served else f"{link.host}: {link.reason or 'not served'}",
        )
        for link in links
    ]
    out.table(("id", "name", "", "accept", "photos", "last here", "at"), rows)


def _counts(link: DropLink) -> str:
    parts = (("stored", link.stored), ("wait", link.waiting), ("coming", link.coming))
    return ", ".join(f"{count} {word}" for word, count in parts if count) or "none"
