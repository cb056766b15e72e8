"""The commands that look at files, and change copies of them, without a daemon or a node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import errors, exits
from .command import POLICIES_SHOWN, HomeOption, JsonOption, finish, means_folder, running

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Pictures and clips.", readable=False)
]
PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...", help="Pictures and clips, or folders with some.", readable=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    for run in (inspect, strip, check):
        app.command()(run)


def inspect(
    context: typer.Context, paths: PathsArgument, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Tell what is in pictures: sizes, date, camera, place or none, further pictures, C2PA."""
    with running(context, home, json) as command:
        from . import loose_files, printing_pictures

        async def look() -> bool:
            readable = True
            async for found in loose_files.inspected(paths):
                printing_pictures.inspected(command.out, found)
                readable = readable and found.readable
            return readable

        if not finish(look()):
            raise typer.Exit(exits.EXIT_FAILED)


def strip(
    context: typer.Context,
    files: FilesArgument,
    out: Annotated[
        str,
        typer.Option("-o", "--out", help="Where to: a new file, or a folder (DIR/, or several)."),
    ],
    policy: Annotated[
        str,
        typer.Option("--policy", metavar=POLICIES_SHOWN, help="What the copies may tell."),
    ] = "no-location",
    keep_both: Annotated[
        bool, typer.Option("--keep-both", help="Add a number if another file has the name.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make copies that tell less, and say what was left out; the files stay as they are."""
    with running(context, home, json) as command:
        from . import loose_files, printing_pictures

        async def work() -> bool:
            done = True
            copies = loose_files.stripped(
                files, Path(out), policy, into_folder=means_folder(out), keep_both=keep_both
            )
            async for copy in copies:
                printing_pictures.stripped(command.out, copy)
                done = done and copy.code is None
            return done

        if not finish(work()):
            raise typer.Exit(exits.EXIT_FILES)


def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Pictures, or folders of them.", readable=False),
    ] = None,
    map_out: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="OUT",
            help="Write what looks edited as a grey PNG, a new file; or into a folder.",
        ),
    ] = None,
    photo: Annotated[
        str | None,
        typer.Option("--photo", metavar="ID", help="Check a photo of the library again instead."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Look for signs of editing: signatures and C2PA first, then a network. It may be wrong."""
    with running(context, home, json) as command:
        from . import printing_checks

        if photo is not None:
            if paths or map_out is not None:
                raise errors.BadRequestError("--photo is for one photo, without files and a map")
            chosen = photo
            printing_checks.verdict(command.out, command.ask(lambda node: node.check(chosen)))
            return
        if not paths:
            raise errors.BadRequestError("say which files to check")
        from . import loose_checks

        meant = paths

        async def look() -> list[str]:
            codes: list[str] = []
            with command.out.bars() as bars:
                found = loose_checks.checked(
                    meant,
                    out=None if map_out is None else Path(map_out),
                    into_folder=map_out is not None and means_folder(map_out),
                    begins=printing_checks.Progress(bars).begins,
                )
                async for file in found:
                    printing_checks.checked(command.out, file, with_map=map_out is not None)
                    codes += [file.code] if file.code is not None else []
            return codes

        codes = finish(look())
        if "picture-refused" in codes:
            raise typer.Exit(exits.EXIT_REFUSED)
        if codes:
            raise typer.Exit(exits.EXIT_FILES)
