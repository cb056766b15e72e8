"""The commands about tickets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, names, printing_tickets, times
from .command import HomeOption, JsonOption, need_command, pass_on, running, typed_or_read

if TYPE_CHECKING:
    from ..protocol.ticket import Ticket
    from .views_contacts import TicketDetails

tickets_app = typer.Typer(
    invoke_without_command=True,
    help="Texts by which somebody far away can become a contact.",
)

QrOption = Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")]
OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="FILE", help="Write the QR code to a new .png or .svg."),
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(tickets_app, name="ticket")


@tickets_app.callback()
def tickets(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Texts by which somebody far away can become a contact."""
    pass_on(context, home, json)
    need_command(context)


@tickets_app.command("new")
def new(
    context: typer.Context,
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long it is valid, 30d at most.")
    ] = "1h",
    uses: Annotated[
        int, typer.Option("--uses", metavar="N", help="How many people may use it.")
    ] = 1,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the one who uses it.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="ADDRESS",
            help="Where this node can be reached as well; may be given again.",
        ),
    ] = None,
    qr: QrOption = True,
    out: OutOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a ticket, to be passed on: who has it can become a contact until it ends.

    The other side uses it with `kinlight pair`.
    """
    with running(context, home, json) as command:
        seconds = times.parse_length(length)
        if out is not None:
            _check_out(out)
        made = command.ask(
            lambda node: node.new_ticket(seconds=seconds, uses=uses, name=name, at=at or [])
        )
        printing_tickets.made(command.out, made, qr=qr and out is None)
        if out is not None and made.text is not None:
            _write(made.text, out)
            command.out.say(f"Its QR code is in {names.shown(str(out))}.")


@tickets_app.command("list")
def list_tickets(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the tickets that were made here, and who used them."""
    with running(context, home, json) as command:
        printing_tickets.listed(command.out, command.ask(lambda node: node.tickets()))


@tickets_app.command()
def revoke(
    context: typer.Context,
    ticket: Annotated[str, typer.Argument(metavar="ID", help="The ticket's id or its beginning.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take a ticket back. Who used it stays a contact."""
    with running(context, home, json) as command:
        printing_tickets.listed(command.out, [command.ask(lambda node: node.revoke_ticket(ticket))])


@tickets_app.command()
def show(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The ticket, or - to read it from stdin.")],
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")] = False,
    out: OutOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Check a ticket and show what it says, whoever made it; needs no node."""
    with running(context, home, json) as command:
        from ..protocol.ticket import Ticket

        ticket = Ticket.parse(typed_or_read(text))
        if out is not None:
            _check_out(out)
            _write(str(ticket), out)
        printing_tickets.checked(command.out, _details(ticket), str(ticket), qr=qr)


def _details(ticket: Ticket) -> TicketDetails:
    import time

    from ..crypto.errors import PeerError
    from ..crypto.identity import fingerprint
    from .views_contacts import TicketDetails

    state = "valid"
    try:
        ticket.check(int(time.time()))
    except PeerError as error:
        state = error.code.removeprefix("ticket-")
    return TicketDetails(
        id=ticket.ticket_id.hex(),
        state=state,
        fingerprint=fingerprint(ticket.identity),
        identity=ticket.identity.hex(),
        device=ticket.device.hex(),
        issued=ticket.issued,
        expires=ticket.expires,
        uses=ticket.uses,
        addresses=list(ticket.addresses),
        relays=list(ticket.relays),
    )


def _check_out(path: Path) -> None:
    """Before a ticket is made for a file that can't be."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise errors.UsageError("--out takes a file that ends in .png or .svg")
    if path.exists():
        raise errors.NameTakenError(path.name)
    if not path.parent.is_dir():
        raise errors.UnwritableFolderError(f"{path.parent} is no folder")


def _write(text: str, path: Path) -> None:
    """The QR code, into a new file that only this user may read: it holds the secret."""
    picture = printing_tickets.picture(text, path.suffix.lower())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(picture)
    except FileExistsError:
        raise errors.NameTakenError(path.name) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise errors.UnwritableFolderError(f"{path.parent}, {reason}") from None
