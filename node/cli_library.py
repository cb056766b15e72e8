"""The commands about the library: import, search, albums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors
from .command import HomeOption, JsonOption, running

if TYPE_CHECKING:
    from .node import Node
    from .views import ImportItem


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    app.command("import")(import_photos)
    for run in (search, albums):
        app.command()(run)


def import_photos(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with photos.")],
    album: Annotated[
        str | None, typer.Option("--album", help="Put all of them into this album.")
    ] = None,
    no_albums: Annotated[
        bool, typer.Option("--no-albums", help="Make no albums of the folders.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take photos into the library, encrypted, without sharing them."""
    with running(context, home, json) as command:
        from . import printing_library
        from .views import ImportItem

        items: list[ImportItem] = []

        async def take(node: Node) -> None:
            steps = node.import_steps(paths, album=album, albums=not no_albums)
            with printing_library.import_progress(command.out) as show:
                async for step in steps:
                    if isinstance(step, ImportItem):
                        items.append(step)
                        printing_library.import_item(command.out, step)
                    else:
                        show(step)

        command.ask(take)
        if not items:
            raise errors.BadRequestError("there is no photo in those folders")
        printing_library.import_sum(command.out, items)
        if any(item.state == "failed" for item in items):
            raise typer.Exit(errors.EXIT_FAILED)


def search(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(help="Words that are all in the name.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="2026, 2026-07, 2026-07-14, or with a time."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last year, month or day.")
    ] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="NAME", help="Author, sender or receiver."),
    ] = None,
    album: Annotated[str | None, typer.Option("--album", metavar="NAME", help="In it.")] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="TEXT", help="A part of the camera's name.")
    ] = None,
    near: Annotated[
        str | None, typer.Option("--near", metavar="LAT,LON", help="Taken near there; degrees.")
    ] = None,
    within: Annotated[
        float, typer.Option("--within", metavar="KM", help="How near, in kilometres.")
    ] = 5.0,
    place: Annotated[
        str | None, typer.Option("--place", metavar="TEXT", help="A part of a place's name.")
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(
            "--verdict", metavar="valid|valid-untrusted|invalid|none", help="State of its C2PA."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 100,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Find photos in the library, the latest first."""
    with running(context, home, json) as command:
        from . import printing_library

        position = None if near is None else _position(near)
        found = command.ask(
            lambda node: node.search(
                " ".join(words or ()) or None,
                start=start, end=end, person=person, album=album, camera=camera, near=position,
                within=within, place=place, verdict=verdict, limit=limit,
            )
        )  # fmt: skip
        printing_library.library(command.out, found)


def albums(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the albums."""
    with running(context, home, json) as command:
        from . import printing_library

        printing_library.albums(command.out, command.ask(lambda node: node.albums()))


def _position(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        raise errors.BadRequestError("near is LAT,LON in degrees, as 48.14,11.58") from None
    return latitude, longitude
