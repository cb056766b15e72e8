"""What the command about getting everything back prints; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .printing import Output, size
from .printing_status import readiness_lines

if TYPE_CHECKING:
    from .views import Identity
    from .views_recovery import Readiness, Recovery, RecoveryHolder

_REFUSED: Final = {
    "seal-broken": "not sealed to these words: somebody else's, or damaged",
    "bad-certificate": "not by a device of yours: somebody else made them",
    "bad-signature": "not by the device that they name: damaged, or somebody else made them",
    "device-revoked": "by a device that you left out",
    "grant-broken": "photos of others, without a grant that leads to you",
    "malformed": "no entries at all",
}


def begun(out: Output, identity: Identity, found: Recovery) -> None:
    """That it has begun, and what is to be done."""
    if out.as_json:
        out.value(found)
        return
    out.say("This node is a new device of your identity:")
    out.say(f"   {identity.fingerprint}", style="bold")
    out.say(
        "Now pair with who keeps your backup: `kinlight pair` here or there. What they keep comes"
        " back by itself; `kinlight recover --status` says how far it is."
    )


def ready(out: Output, found: Readiness) -> None:
    """That the words are the right ones, and what else there is."""
    if out.as_json:
        out.value(found)
        return
    out.say("These are the words of this node.", style="green")
    for line, style in readiness_lines(found):
        out.say(line, style=style)


def standing(out: Output, found: Recovery) -> None:
    """How far it is."""
    if out.as_json:
        out.value(found)
        return
    for line, style in lines(found):
        out.say(line, style=style)


def lines(found: Recovery) -> list[tuple[str, str]]:
    """How far it is, for people: lines, each with its style."""
    shown = [(_state(found), _STYLES.get(found.state, ""))]
    if found.state == "off":
        return shown
    shown += [(f"  {line}", "") for holder in found.holders for line in _holder(holder)]
    if len(found.devices) > 1:
        text = (
            "Entries are by several devices of yours; of each photo the latest counts. One that was"
            " stolen is left out by `kinlight recover --again --without DEVICE`:"
        )
        shown.append((text, ""))
        shown += [
            (f"  {each.device}  {_entries(each.entries)}, the last of {times.shown(each.last)}", "")
            for each in found.devices
        ]
    elif found.devices:
        shown.append((f"The last entry is of {times.shown(found.devices[0].last)}.", ""))
    if found.forked:
        shown.append(("Two of your devices left different contacts; the later count.", "yellow"))
    if found.albums_waiting:
        count = found.albums_waiting
        text = (
            f"{count} shared albums let this device in when it meets one of their admins; of your"
            " own, `kinlight recover --again` does."
        )
        shown.append((text, "yellow"))
    if found.contacts_damaged:
        text = "The contacts are not whole: a part of them misses. None came back from there."
        shown.append((text, "yellow"))
    shown += [
        (f"  {each.id[:12]} did not come: {each.message} ({_listed(each.holders)})", "yellow")
        for each in found.missing
    ]
    if found.missing:
        text = (
            "It is tried again whenever a holder connects. `kinlight recover --stop` ends it, and"
            " leaves those out."
        )
        shown.append((text, ""))
    return shown


_STYLES: Final = {"done": "green", "incomplete": "yellow"}


def _state(found: Recovery) -> str:
    so_far = (
        f"{found.photos} of {found.photos_found} photos ({size(found.bytes)} of"
        f" {size(found.bytes_found)}) and {found.contacts} contacts are back"
    )
    match found.state:
        case "off":
            return "Nothing is to come back here. `kinlight recover` begins with the 24 words."
        case "waiting":
            return "Nothing came back yet: nobody who is here showed an entry of this identity."
        case "running":
            return f"It goes on: {so_far}."
        case "incomplete":
            return f"Not all is to be had from who is here: {so_far}."
        case "done":
            return f"All that was found is here: {found.photos} photos, {found.contacts} contacts."
        case _:
            return f"It was ended: {so_far}."


def _holder(holder: RecoveryHolder) -> list[str]:
    name = names.shown(holder.contact)
    if holder.state == "listing":
        shown = [f"{name} is asked what they keep: {_entries(holder.entries)} so far."]
    elif holder.entries:
        away = " They are not connected now." if holder.state == "away" else ""
        shown = [f"{name} has {_entries(holder.entries)}.{away}"]
    elif holder.state == "away":
        shown = [f"{name} is not connected."]
    else:
        shown = [
            f"{name} keeps nothing for this identity. If they should: are these the right words?"
        ]
    for code, count in holder.refused.items():
        why = _REFUSED.get(code, code)
        shown.append(f"{name}: {_entries(count)} did not count, {why}.")
    return shown


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _listed(people: Sequence[str]) -> str:
    return ", ".join(map(names.shown, people))
