"""The commands about the library: import, search, albums, folders that are kept up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..protocol.errors import DeniedError
from . import errors, exits, photo_errors
from .cli_photos import RehashOption
from .command import HomeOption, JsonOption, running

if TYPE_CHECKING:
    from .node import Node
    from .views_library import Folder, ImportItem, PhotoDetails


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    app.command("import")(import_photos)
    for run in (search, albums, tag, remove, mirror, watch):
        app.command()(run)


def import_photos(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders with photos.", readable=False)
    ],
    album: Annotated[
        str | None, typer.Option("--album", help="Put all of them into this album.")
    ] = None,
    no_albums: Annotated[
        bool, typer.Option("--no-albums", help="Make no albums of the folders.")
    ] = False,
    rehash: RehashOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take photos into the library, encrypted, without sharing them."""
    with running(context, home, json) as command:
        from . import printing_library
        from .views_library import ImportItem

        items: list[ImportItem] = []

        async def take(node: Node) -> None:
            steps = node.import_steps(paths, album=album, albums=not no_albums, rehash=rehash)
            with printing_library.import_progress(command.out) as show:
                async for step in steps:
                    if isinstance(step, ImportItem):
                        items.append(step)
                        printing_library.import_item(command.out, step)
                    else:
                        show(step)

        try:
            command.ask(take)
        except KeyboardInterrupt:
            command.out.say("What was imported by now stays. Typed again, it goes on from there.")
            raise
        if not items:
            raise photo_errors.NoPhotosError
        printing_library.import_sum(command.out, items)
        if any(item.state == "failed" for item in items):
            raise typer.Exit(exits.EXIT_FAILED)


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
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="WORD", help="A word of `kinlight tag`.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="TEXT", help="A part of the camera's name.")
    ] = None,
    near: Annotated[
        str | None, typer.Option("--near", metavar="LAT,LON", help="Taken near there; degrees.")
    ] = None,
    within: Annotated[
        float | None,
        typer.Option("--within", metavar="KM", help="How near, in kilometres. Default: 5."),
    ] = None,
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
                start=start, end=end, person=person, album=album, tag=tag, camera=camera,
                near=position, within=within, place=place, verdict=verdict,
                limit=limit + (limit > 0),
            )
        )  # fmt: skip
        asked = (words, start, end, person, album, tag, camera, near, place, verdict)
        printing_library.library(command.out, found[:limit], asked=any(asked))
        if len(found) > limit:
            command.out.say(f"There are more than these {limit}: `--limit` shows more of them.")


def albums(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the albums of your library, yours alone; `kinlight album` has those kept with others."""
    with running(context, home, json) as command:
        from . import printing_library

        printing_library.albums(command.out, command.ask(lambda node: node.albums()))


def tag(
    context: typer.Context,
    photos: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Photos, each by its id or its beginning.")
    ],
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="WORD", help="May be given again.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="WORD", help="May be given again.")
    ] = None,
    sensitivity: Annotated[
        str | None,
        typer.Option("--sensitivity", metavar="low|normal|high", help="How delicate they are."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give photos words, for searches and for the rules; they never leave this machine."""
    with running(context, home, json) as command:
        from . import printing_library

        found = command.ask(
            lambda node: node.tag(
                photos, add=add or (), remove=remove or (), sensitivity=sensitivity
            )
        )
        printing_library.tagged(command.out, found)


def remove(
    context: typer.Context,
    photos: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Photos, each by its id or its beginning.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing, and end what is still on its way.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take photos out of the library; what others got of them stays with them."""
    with running(context, home, json) as command:
        from . import printing_library

        async def details(node: Node) -> dict[str, PhotoDetails | None]:
            found: dict[str, PhotoDetails | None] = {}
            for photo in photos:
                try:
                    shown = await node.get(photo)
                    found[shown.id] = shown
                except DeniedError:  # its grant has ended: it is not shown any more, but may go
                    found[photo] = None
            return found

        found = command.ask(details)
        if not yes:
            if not command.interactive:
                raise errors.UsageError("without a terminal --yes is needed")
            shown = [photo for photo in found.values() if photo is not None]
            printing_library.to_remove(command.out, shown)
            if not typer.confirm("Remove from the library?", err=True):
                return
        for photo in found:
            removed = command.ask(lambda node, photo=photo: node.remove(photo, force=yes))
            printing_library.removed(command.out, removed)


def mirror(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="ALBUM|CONTACT", help="Whose photos; none lists.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The folder to keep up.")
    ] = None,
    off: Annotated[
        Path | None, typer.Option("--off", metavar="DIR", help="End it; the files stay.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep a plain folder up with an album, or with what comes from a contact."""
    with running(context, home, json) as command:
        from . import printing_library

        if off is not None:
            if source is not None:
                raise errors.UsageError("--off needs no ALBUM and no second DIR")
            ended = command.ask(lambda node: node.end_mirror(off))
            printing_library.folder(command.out, ended)
        elif source is None:
            found = command.ask(lambda node: node.folders())
            printing_library.folders(command.out, found, "mirror")
        elif folder is None:
            raise errors.UsageError("the DIR is missing")
        else:
            made = command.ask(lambda node: node.mirror(source, folder))
            printing_library.folder(command.out, made)


def watch(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The folder to take from; none lists.")
    ] = None,
    album: Annotated[
        str | None, typer.Option("--album", help="Put all of it into this album.")
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--with", help="Share it; may be given again.")
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="original|no-location|clean",
            help="What leaves. Default: what the contact gets.",
        ),
    ] = None,
    off: Annotated[
        Path | None, typer.Option("--off", metavar="DIR", help="End it; the photos stay.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Import what lies and appears in a folder, and share it if that is said."""
    with running(context, home, json) as command:
        from . import printing_library

        if off is not None:
            if folder is not None:
                raise errors.UsageError("--off needs no second DIR")
            ended = command.ask(lambda node: node.end_watch(off))
            printing_library.folder(command.out, ended)
        elif folder is None:
            found = command.ask(lambda node: node.folders())
            printing_library.folders(command.out, found, "watch")
        else:

            async def begin(node: Node) -> tuple[Folder, dict[str, str]]:
                made = await node.watch(folder, album=album, to=to or (), metadata=metadata)
                leaves = {
                    name: made.metadata or (await node.contact(name)).metadata for name in made.to
                }
                return made, leaves

            printing_library.watched(command.out, *command.ask(begin))


def _position(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        raise errors.BadRequestError("near is LAT,LON in degrees, as 48.14,11.58") from None
    return latitude, longitude
