"""The command that hides faces in a copy of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command import HomeOption, JsonOption, finish, means_folder, running


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    app.command()(anonymise)


def anonymise(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture.", readable=False)],
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            help="Where to: a new file, or a folder (DIR/). Without it faces are only looked for.",
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,W,H", help="Hide this too, in pixels; may be repeated."),
    ] = None,
    keep: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Show this face, by its number; may be repeated."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="blur, pixelate or solid, which leaves nothing.")
    ] = "blur",
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing unless each face was seen clearly.")
    ] = False,
    keep_both: Annotated[
        bool, typer.Option("--keep-both", help="Add a number if another file has the name.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a copy of a picture in which faces are hidden. Clothes and places still tell people."""
    with running(context, home, json) as command:
        from . import loose_faces, printing_faces

        boxes = [loose_faces.box_of(each) for each in box or []]
        loose_faces.check_method(method)
        made = (
            loose_faces.found(file, boxes)
            if out is None
            else loose_faces.anonymised(
                file, Path(out), boxes=boxes, keep=keep or [], method=method, strict=strict,
                into_folder=means_folder(out), keep_both=keep_both,
            )
        )  # fmt: skip
        printing_faces.anonymised(command.out, finish(made))
