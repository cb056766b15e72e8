"""What the commands about the wide area print; see `printing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import names
from .multiaddrs import leads_from_afar, parse_any_address
from .printing import Output, size
from .printing_status import bootstrap_lines

if TYPE_CHECKING:
    from .views import WideArea


def wide(out: Output, found: WideArea) -> None:
    """How it is, and where this node can be reached."""
    if out.as_json:
        out.value(found)
        return
    match found.state:
        case "on":
            out.say("The wide area is on. Contacts reach this node at")
            addresses(out, found)
        case "starting":
            out.say("The wide area is about to start.")
        case "failed":
            out.say(f"The wide area does not work: {found.reason}.", style="yellow")
        case _:
            out.say("The wide area is off. `kinlight wide --on` turns it on.")
    if found.state == "on" and found.relaying:
        out.say(_relayed(found))
    if found.state == "on" and found.forwarded is not None:
        out.say(f"The router leads {found.forwarded} here.")
    if found.state == "on" and found.lookup:
        nodes = "1 other node" if found.known == 1 else f"{found.known} other nodes"
        out.say(f"It takes part in look-ups, with {nodes}.")
        for line in bootstrap_lines(found.bootstraps):
            out.say(line, style="yellow")


def relay(out: Output, found: WideArea) -> None:
    """Whether it relays, and for whom."""
    if out.as_json:
        out.value(found)
        return
    if not found.relaying:
        out.say("Nobody is relayed. `kinlight relay` lets contacts reach each other through here.")
    elif found.state == "on":
        out.say(_relayed(found))
        out.say("You see who speaks with whom, when and how much, and nothing of what. They need")
        out.say("an address at which this machine can be reached from outside:")
        addresses(out, found)
    else:
        wide(out, found)


def addresses(out: Output, found: WideArea) -> None:
    """Where it can be reached, as far as it can know."""
    for address in found.addresses:
        out.say(f"  {address}")
    if not any(leads_from_afar(parse_any_address(each)) for each in found.addresses):
        out.say(
            "From elsewhere none of these leads here. Behind a router have it forward the port, and"
            " give away the router's own address in place of this machine's.",
            style="yellow",
        )


def _relayed(found: WideArea) -> str:
    who = ", ".join(map(names.shown, found.reachable)) or "nobody yet"
    open_now = "1 circuit stands" if found.circuits == 1 else f"{found.circuits} circuits stand"
    notices = "1 sealed notice is" if found.notices == 1 else f"{found.notices} sealed notices are"
    return (
        f"Contacts reach each other through this node: {who}. {open_now},"
        f" {size(found.bytes_relayed)} went through. {notices} kept."
    )
