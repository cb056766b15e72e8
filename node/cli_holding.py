"""The command for who holds for others."""

from __future__ import annotations

from typing import Annotated

import typer

from . import printing_holding, sizes
from .command import HomeOption, JsonOption, running
from .errors import BadRequestError


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    app.command()(hold)


def hold(
    context: typer.Context,
    contacts: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="For this contact; may be given again."),
    ] = None,
    quota: Annotated[
        str | None, typer.Option(metavar="SIZE", help="How much in all, at first 10 GB.")
    ] = None,
    per_contact: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="How much for one contact and from one, at first 2 GB."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(metavar="N", help="For how long, at first 30 days; 90 at most.")
    ] = None,
    backup: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Let this contact keep things here without end."),
    ] = None,
    off: Annotated[
        bool, typer.Option("--off", help="Hold nothing new for those of --for, or for anybody.")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="With --off: remove at once what is held.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show what is held; change nothing.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep sealed photos for contacts who sleep, until they come for them.

    Without --for it is for all contacts. Each of them decides whether you hold for them.
    """
    with running(context, home, json) as command:
        names = contacts or []
        terms = quota is not None or per_contact is not None or days is not None or bool(backup)
        if drop and not off:
            raise BadRequestError("--drop goes with --off: `kinlight hold --off --drop`")
        if status and (off or terms or names):
            raise BadRequestError("--status goes alone: it shows all")
        if off and terms:
            raise BadRequestError("--off goes with --for and --drop alone")
        if status:
            printing_holding.holding(command.out, command.ask(lambda node: node.holding()))
        elif off:
            left = command.ask(lambda node: node.stop_holding(names, drop=drop))
            printing_holding.stopped(command.out, left, names, dropped=drop)
        else:
            held = command.ask(
                lambda node: node.hold(
                    names,
                    quota=None if quota is None else sizes.parse(quota),
                    per_contact=None if per_contact is None else sizes.parse(per_contact),
                    days=days,
                    backup=backup or [],
                )
            )
            printing_holding.started(command.out, held)
