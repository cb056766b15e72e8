"""The commands about what devices of one person have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from . import printing_siblings, sizes
from .command import HomeOption, JsonOption, running

PhotoArguments = Annotated[list[str], typer.Argument(metavar="PHOTO…", help="How ids begin.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands among those about devices."""
    for function in (keep, pin, unpin):
        app.command()(function)
    app.command("photos")(list_away)
    app.command("removed")(list_removed)
    app.command("bring-back")(bring_back)


def keep(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="WHAT", help="originals, previews or nothing.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Room for originals, 20GB say; the oldest go first."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Choose what of the photos that your devices share is kept on this one, or show it.

    Pinned photos stay. An original goes only when another device has promised to keep it.
    """
    with running(context, home, json) as command:
        size = None if space is None else sizes.parse(space)
        found = command.ask(lambda node: node.device_keep(what, space=size))
        printing_siblings.kept(command.out, found)


def pin(
    context: typer.Context,
    photos: PhotoArguments,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep originals of these photos on this device, and fetch those that are elsewhere."""
    with running(context, home, json) as command:
        printing_siblings.kept(command.out, command.ask(lambda node: node.device_pin(photos)))


def unpin(
    context: typer.Context,
    photos: PhotoArguments,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let these photos be kept as all others are."""
    with running(context, home, json) as command:
        printing_siblings.kept(command.out, command.ask(lambda node: node.device_unpin(photos)))


def list_away(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the photos whose originals are on other devices of yours alone."""
    with running(context, home, json) as command:
        printing_siblings.away(command.out, command.ask(lambda node: node.device_photos()))


def list_removed(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List photos that were removed on another device of yours; they lie here for 30 days."""
    with running(context, home, json) as command:
        printing_siblings.removed(command.out, command.ask(lambda node: node.device_removed()))


def bring_back(
    context: typer.Context,
    photos: PhotoArguments,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Have photos again that were removed on another device, on all of them."""
    with running(context, home, json) as command:
        printing_siblings.back(
            command.out, command.ask(lambda node: node.device_bring_back(photos))
        )
