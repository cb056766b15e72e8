"""The commands about the wide area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import printing_wide
from .command import HomeOption, JsonOption, running
from .errors import BadRequestError
from .exits import EXIT_FAILED

if TYPE_CHECKING:
    from .views import WideArea


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.command()(wide)
    app.command()(relay)


def wide(
    context: typer.Context,
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Turn it on or off, now and after the next start."),
    ] = None,
    lookup: Annotated[
        bool | None,
        typer.Option(
            "--lookup/--no-lookup",
            help="Take part in look-ups: ask others where contacts are, and tell others.",
        ),
    ] = None,
    bootstrap: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom to ask first in look-ups, by an address of the wide area; repeatable."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how contacts reach this node beyond the local network, or turn that on or off."""
    with running(context, home, json) as command:
        if bootstrap and (lookup is False or on is False):
            raise BadRequestError("--bootstrap turns on the wide area and look-ups in it")
        if lookup and on is False:
            raise BadRequestError("--lookup turns on the wide area")
        lookup = True if bootstrap else lookup
        on = True if lookup else on
        if on is None and lookup is None:
            found = command.ask(lambda node: node.wide())
        else:
            found = command.ask(
                lambda node: node.set_wide(on=on, lookup=lookup, bootstraps=bootstrap or None)
            )
        printing_wide.wide(command.out, found)
        if on:
            _need_it(found)


def relay(
    context: typer.Context,
    off: Annotated[
        bool, typer.Option("--off", help="Relay no longer; the wide area stays on.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show what is relayed; change nothing.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let contacts reach each other through this node, which reads nothing of it.

    It turns on the wide area. The machine must be reached from outside.
    """
    with running(context, home, json) as command:
        if off and status:
            raise BadRequestError("--status goes alone: it changes nothing")
        if status:
            found = command.ask(lambda node: node.wide())
        elif off:
            found = command.ask(lambda node: node.set_wide(relay=False))
        else:
            found = command.ask(lambda node: node.set_wide(on=True, relay=True))
        printing_wide.relay(command.out, found)
        if not off and not status:
            _need_it(found)


def _need_it(found: WideArea) -> None:
    """For who asked for it: a script must not take a failure for a success."""
    if found.state == "failed":
        raise typer.Exit(EXIT_FAILED)
