"""The commands about invisible marks: to set one, and to learn whose copy a file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, exits
from .command import Command, HomeOption, JsonOption, finish, means_folder, running

if TYPE_CHECKING:
    from .views_marks import TracedMark


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    for run in (mark, trace):
        app.command()(run)


def mark(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture.", readable=False)],
    out: Annotated[
        str, typer.Option("-o", "--out", help="Where to: a new file, or a folder (DIR/).")
    ],
    payload: Annotated[
        str, typer.Option("--payload", metavar="HEX12", help="What the mark says: 12 hex digits.")
    ],
    keep_both: Annotated[
        bool, typer.Option("--keep-both", help="Add a number if another file has the name.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a copy with an invisible mark that anybody can read, and wipe out; see `trace`."""
    with running(context, home, json) as command:
        from . import loose_marks, printing_marks

        made = loose_marks.marked(
            file, Path(out), loose_marks.payload_of(payload),
            into_folder=means_folder(out), keep_both=keep_both,
        )  # fmt: skip
        printing_marks.marked(command.out, finish(made))


def trace(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Pictures, or folders of them.", readable=False),
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Tell whose copy a picture is, by the invisible mark that `share --watermark` set in it.

    With a node that runs it names the contact, and shows the receipt; without, it reads what
    `mark` set. A mark is no proof against anybody: it can be copied from one picture to another.
    """
    with running(context, home, json) as command:
        from . import printing_marks

        found = _traced(command, files)
        for each in found:
            printing_marks.traced(command.out, each)
        codes = [each.code for each in found if each.code is not None]
        if "picture-refused" in codes:
            raise typer.Exit(exits.EXIT_REFUSED)
        if codes:
            raise typer.Exit(exits.EXIT_FILES)


def _traced(command: Command, files: list[Path]) -> list[TracedMark]:
    from . import tracing

    async def loosely() -> list[TracedMark]:
        return [each async for each in tracing.loosely(files)]

    try:
        return command.ask(lambda node: node.trace(files))
    except errors.NotRunningError:
        command.out.say("No node runs here, so only marks of `kinlight mark` are read.")
        return finish(loosely())
