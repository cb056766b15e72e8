"""What the commands about tickets print; see `printing`."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .multiaddrs import leads_from_afar, parse_any_address
from .printing import Output

if TYPE_CHECKING:
    from segno import QRCode

    from .views_contacts import Ticket, TicketDetails

_BORDER: Final = 2
"""Light modules around a QR code on a terminal, where each column counts; readers get by."""
_SCALE: Final = 6
"""Pixels of a module in a picture."""
_ID_DIGITS: Final = 8


def made(out: Output, ticket: Ticket, *, qr: bool) -> None:
    """A new ticket, to be passed on."""
    if out.as_json:
        out.value(ticket)
        return
    text = ticket.text or ""
    who = "one person" if ticket.uses == 1 else f"{ticket.uses} people"
    out.say(
        f"For {who}, until {times.shown(ticket.expires)}. Whoever has this text can become a"
        " contact, so pass it on where nobody else reads it:\n"
    )
    out.say(text, style="bold")
    if qr:
        _draw(out, text)
    out.say(
        "\nThere: `kinlight pair 'kinlight:ticket/…'`, while this node runs."
        f" `kinlight ticket revoke {ticket.id[:_ID_DIGITS]}` takes it back."
    )
    if not any(leads_from_afar(parse_any_address(each)) for each in ticket.addresses):
        out.say(
            "It works in this local network alone: it names no address that leads here from"
            " elsewhere. `--at ADDRESS` adds one, and so does `kinlight wide --on` where this"
            " machine, or a friend who relays, has one.",
            style="yellow",
        )


def listed(out: Output, tickets: Sequence[Ticket]) -> None:
    """Tickets that were made here, and how they stand."""
    if out.as_json:
        for ticket in tickets:
            out.value(ticket)
        return
    if not tickets:
        out.say("No tickets. `kinlight ticket new` makes one.")
        return
    rows = [
        (
            ticket.id[:_ID_DIGITS],
            ticket.state.replace("-", " "),
            times.shown(ticket.expires),
            f"{ticket.used} of {ticket.uses}",
            names.shown(ticket.name or ""),
            ", ".join(map(names.shown, ticket.by)),
        )
        for ticket in tickets
    ]
    out.table(("id", "", "until", "used", "for", "by"), rows)


def checked(out: Output, ticket: TicketDetails, text: str, *, qr: bool) -> None:
    """What a ticket says, whoever made it."""
    if out.as_json:
        out.value(ticket)
        return
    match ticket.state:
        case "valid":
            out.say("✓ A ticket, rightly signed", style="green")
        case "expired":
            out.say("✗ A ticket, rightly signed, that has expired", style="yellow")
        case _:
            out.say("✗ A ticket, rightly signed, that is from the future", style="yellow")
    rows = [
        ("id", ticket.id),
        ("made by", ticket.fingerprint),
        ("device", ticket.device),
        ("made", times.shown(ticket.issued)),
        ("until", times.shown(ticket.expires)),
        ("uses", str(ticket.uses)),
        *(("address", names.shown(address)) for address in ticket.addresses),
        *(("relay", names.shown(relay)) for relay in ticket.relays),
    ]
    out.table(("", ""), rows)
    out.say("Whether it was used up or taken back, its maker's node knows alone.")
    if qr:
        _draw(out, text)


def picture(text: str, suffix: str) -> bytes:
    """The QR code of a ticket as a picture: `.png` or `.svg`."""
    file = io.BytesIO()
    _code(text).save(file, kind=suffix.removeprefix("."), scale=_SCALE)
    return file.getvalue()


def _code(text: str) -> QRCode:
    """Capitals take less room in a QR code, and read the same."""
    import segno

    return segno.make(text.upper(), error="l", micro=False)


def _draw(out: Output, text: str) -> None:
    code = _code(text)
    width = code.symbol_size(border=_BORDER)[0]
    if width > shutil.get_terminal_size().columns:
        out.say("\nIts QR code is too wide for this terminal: --out FILE.png writes it to a file.")
        return
    out.say("")
    code.terminal(border=_BORDER, compact=True)
