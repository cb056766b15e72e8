"""The commands about the node's own health."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from . import exits, printing_care
from .command import HomeOption, JsonOption, running

if TYPE_CHECKING:
    from .node import Node
    from .views import Finding


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    app.command()(doctor)


def add_status_to(app: typer.Typer) -> None:
    """Put `status` where it stands in the help: among the commands of the node itself."""
    app.command()(status)


def status(
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again as it changes, until Ctrl-C.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show how the node is and who is connected."""
    with running(context, home, json) as command:
        if not watch:
            command.out.status(command.ask(lambda node: node.status()))
            return

        async def follow(node: Node) -> None:
            with printing_care.watched_status(command.out) as show:
                async with contextlib.aclosing(node.watch_status()) as states:
                    async for state in states:
                        show(state)

        command.ask(follow)


def doctor(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Remove leftovers, and bring back what can be brought back."),
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every sealed file and check each piece of it.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Look through the home of an unlocked node: what is damaged, gone, left over, or open."""
    with running(context, home, json) as command:

        async def examine(node: Node) -> list[Finding]:
            with printing_care.doctor_progress(command.out) as show:
                return await node.doctor(repair=repair, deep=deep, progress=show)

        found = command.ask(examine)
        printing_care.findings(command.out, found)
        if any(finding.state != "repaired" for finding in found):
            raise typer.Exit(exits.EXIT_FAILED)
