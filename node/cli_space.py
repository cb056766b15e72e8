"""The commands about the room that photos take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, exits
from .command import HomeOption, JsonOption, need_command, pass_on, running

if TYPE_CHECKING:
    from .node import Node
    from .views_space import SpaceItem

_HELP = "The room that photos take on this machine, and how to have more."
space_app = typer.Typer(invoke_without_command=True, help=_HELP)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(space_app, name="space")


@space_app.callback(help=_HELP)
def space(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Options that may also follow the command."""
    pass_on(context, home, json)
    need_command(context)


@space_app.command()
def show(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show what takes how much, and what was let go."""
    with running(context, home, json) as command:
        from . import printing_space

        printing_space.use(command.out, command.ask(lambda node: node.space()))


@space_app.command()
def clean(
    context: typer.Context,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="SIZE", help="How much is to stay, such as 20G."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="What came longer ago, such as 90d."),
    ] = None,
    own: Annotated[
        bool,
        typer.Option("--own", help="Photos of yours too, of which a contact holds your backup."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; nothing does.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let photos go from this machine that somebody who is here shows to have, the oldest first.

    They stay in the library, with a small picture, and come back by `space fetch`. A photo of which
    no other copy is known never goes.
    """
    with running(context, home, json) as command:
        from . import printing_space, sizes, times

        if keep is None and older_than is None:
            raise errors.UsageError("say --keep, --older-than, or both")
        items: list[SpaceItem] = []

        async def let_go(node: Node) -> None:
            steps = node.space_clean(
                keep=None if keep is None else sizes.parse(keep),
                older_than=None if older_than is None else times.parse_length(older_than),
                own=own,
                dry_run=dry_run,
            )
            async for item in steps:
                items.append(item)
                printing_space.item(command.out, item)

        command.ask(let_go)
        printing_space.cleaned(command.out, items)


@space_app.command()
def fetch(
    context: typer.Context,
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Photos that were let go.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Have photos again that were let go: now, or when somebody is here who has them."""
    with running(context, home, json) as command:
        from . import printing_space

        if bool(photos) == every:
            raise errors.UsageError("say which photos, or --all")
        found = command.ask(lambda node: node.space_fetch(photos or ()))
        for item in found:
            printing_space.item(command.out, item)
        if not found and not command.out.as_json:
            command.out.say("None of them was let go.")
        if any(item.state == "refused" for item in found):
            raise typer.Exit(exits.EXIT_FAILED)
