"""The commands about drop links, by which browsers send photos."""

from __future__ import annotations

from typing import Annotated

import typer

from . import printing_drops
from .command import HomeOption, JsonOption, need_command, pass_on, running

drops_app = typer.Typer(
    invoke_without_command=True, help="Links by which a phone's browser sends photos here."
)

DropArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The link's name, or the beginning of its id.")
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(drops_app, name="drop")


@drops_app.callback()
def drops(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Links by which a phone's browser sends photos here. `kinlight drop new NAME` makes one."""
    pass_on(context, home, json)
    need_command(context)


@drops_app.command("new")
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose phone it is for.")],
    accept: Annotated[
        str,
        typer.Option(
            "--accept", metavar="ask|always", help="Whether photos wait until you accept them."
        ),
    ] = "ask",
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ADDRESS", help="Where the page is served; or localhost."),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="Serve the page with the node's own certificate.")
    ] = False,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a lasting link by which the browser of one phone sends photos here."""
    with running(context, home, json) as command:
        made = command.ask(lambda node: node.drop_link(name, accept=accept, at=at, https=https))
        printing_drops.made(command.out, made, qr=qr)


@drops_app.command("list")
def list_drops(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the drop links that were made here, and what came by them."""
    with running(context, home, json) as command:
        printing_drops.listed(command.out, command.ask(lambda node: node.drops()))


@drops_app.command()
def accept(
    context: typer.Context, drop: DropArgument, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Accept all photos that wait by a link; `kinlight inbox accept` takes one."""
    with running(context, home, json) as command:
        printing_drops.listed(command.out, [command.ask(lambda node: node.drop_accept(drop))])


@drops_app.command()
def decline(
    context: typer.Context, drop: DropArgument, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Decline all photos that wait by a link; its page is told."""
    with running(context, home, json) as command:
        printing_drops.listed(command.out, [command.ask(lambda node: node.drop_decline(drop))])


@drops_app.command("accept-from")
def accept_from(
    context: typer.Context,
    drop: DropArgument,
    policy: Annotated[str, typer.Argument(metavar="ask|always")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take photos of a link when they come (always), or after you accepted them (ask)."""
    with running(context, home, json) as command:
        changed = command.ask(lambda node: node.drop_accept_from(drop, policy))
        printing_drops.listed(command.out, [changed])


@drops_app.command()
def revoke(
    context: typer.Context, drop: DropArgument, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Take a link back and end what is under way. What came by it stays in the library."""
    with running(context, home, json) as command:
        printing_drops.listed(command.out, [command.ask(lambda node: node.revoke_drop(drop))])
