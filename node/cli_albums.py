"""The commands about albums that several people keep together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, exits, names, photo_errors
from .command import HomeOption, IdArgument, JsonOption, need_command, pass_on, running

if TYPE_CHECKING:
    from .node import Node
    from .views_albums import AlbumItem

_HELP = (
    "Albums that several people keep together. `kinlight albums` lists the library's own, which"
    " are yours alone."
)
album_app = typer.Typer(invoke_without_command=True, help=_HELP)

AlbumArgument = Annotated[
    str, typer.Argument(metavar="ALBUM", help="The album's name, or how its id begins.")
]
AlbumMetadataOption = Annotated[
    str,
    typer.Option(
        "--metadata",
        metavar="original|no-location",
        help="The files as they are, or without their place.",
    ),
]
AlbumPixelsOption = Annotated[
    int | None,
    typer.Option("--max-px", help="Clean copies, no side longer than so many pixels."),
]
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(album_app, name="album")


@album_app.callback(help=_HELP)
def album_options(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Options that may also follow the command."""
    pass_on(context, home, json)
    need_command(context)


# What there is.


@album_app.command("list")
def list_albums(
    context: typer.Context,
    left: Annotated[
        bool, typer.Option("--left", help="Those that you left or were taken out of, too.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List them, also those that wait for you to join."""
    with running(context, home, json) as command:
        from . import printing_albums

        every = command.ask(lambda node: node.album_list())
        shown = [each for each in every if left or each.state in ("invited", "joined")]
        printing_albums.listed(command.out, shown, left=len(every) - len(shown))


@album_app.command()
def show(
    context: typer.Context,
    album: AlbumArgument,
    limit: Annotated[int, typer.Option("--limit", help="At most so many photos.")] = 100,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show who is in an album, what is in it, and what was said about it."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_show(album, limit=limit))
        printing_albums.shown(command.out, found)


@album_app.command()
def previews(
    context: typer.Context,
    album: AlbumArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="It is made if it is not there.")],
    limit: Annotated[int, typer.Option("--limit", help="At most so many photos.")] = 100,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write small pictures of an album's photos into a folder, also of those still on their way."""
    with running(context, home, json) as command:
        from . import previewing

        async def write(node: Node) -> None:
            async for written in previewing.written(node, album, folder, limit):
                command.out.exported(written)

        command.ask(write)


@album_app.command()
def log(
    context: typer.Context,
    album: AlbumArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what its admins did, the oldest first, and what of it does not count."""
    with running(context, home, json) as command:
        from . import printing_albums

        printing_albums.log(command.out, command.ask(lambda node: node.album_log(album)))


# The album.


@album_app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it; its members see that.")],
    history: Annotated[
        str,
        typer.Option(
            "--history",
            metavar="all|from-join",
            help="Who comes later sees all photos, or those added from then on. It stays so.",
        ),
    ] = "all",
    metadata: AlbumMetadataOption = "no-location",
    max_px: AlbumPixelsOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Found an album, which is yours. Whoever adds photos, they go in the form said here."""
    with running(context, home, json) as command:
        from . import printing_albums

        made = command.ask(
            lambda node: node.album_create(name, history=history, metadata=metadata, max_px=max_px)
        )
        others = [
            each for each in command.ask(lambda node: node.album_list()) if each.id != made.id
        ]
        kept = [each for each in others if each.state in ("joined", "invited")]
        twin = any(names.folded(each.name or "") == names.folded(made.name or "") for each in kept)
        printing_albums.created(command.out, made, twin=twin)


@album_app.command()
def rename(
    context: typer.Context,
    album: AlbumArgument,
    name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The new name, for all.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Call an album something else, as an admin."""
    with running(context, home, json) as command:
        from . import printing_albums

        printing_albums.album(command.out, command.ask(lambda node: node.album_rename(album, name)))


@album_app.command()
def form(
    context: typer.Context,
    album: AlbumArgument,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="original|no-location",
            help="The files as they are, or without their place.",
        ),
    ] = None,
    max_px: AlbumPixelsOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show in which form photos are added, or as an admin say it, from now on."""
    with running(context, home, json) as command:
        from . import printing_albums

        if metadata is None and max_px is None:
            found = command.ask(lambda node: node.album_show(album, limit=0)).album
        else:
            wanted = metadata or "no-location"
            found = command.ask(lambda node: node.album_form(album, metadata=wanted, max_px=max_px))
        printing_albums.album(command.out, found)


@album_app.command()
def rotate(
    context: typer.Context,
    album: AlbumArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Change the key now, as an admin. It changes by itself after a removal and each 30 days."""
    with running(context, home, json) as command:
        from . import printing_albums

        printing_albums.rotated(command.out, command.ask(lambda node: node.album_rotate(album)))


# Who is in it.


@album_app.command()
def invite(
    context: typer.Context,
    album: AlbumArgument,
    contact: Annotated[str, typer.Argument(metavar="NAME", help="The contact's name.")],
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="admin|contributor|viewer",
            help="What they may do: at first contributor. Of who is in the album it changes that.",
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let a contact in, or give a member another role, as an admin.

    Viewers comment, contributors add photos too, admins let people in and take them out too.
    """
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_invite(album, contact, role=role))
        printing_albums.invited(command.out, found, contact)


@album_app.command()
def join(
    context: typer.Context,
    album: AlbumArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take part in an album that somebody let you into: its photos come."""
    with running(context, home, json) as command:
        from . import printing_albums

        printing_albums.joined(command.out, command.ask(lambda node: node.album_join(album)))


@album_app.command()
def leave(
    context: typer.Context,
    album: AlbumArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Leave an album, or decline to join it. What came stays here."""
    with running(context, home, json) as command:
        from . import printing_albums

        printing_albums.left(command.out, command.ask(lambda node: node.album_leave(album)))


@album_app.command()
def remove(
    context: typer.Context,
    album: AlbumArgument,
    who: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A contact's name, or a member's fingerprint."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="KEY", help="One device alone; how its key begins."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take somebody out, as an admin. The key changes with it; what they have they keep."""
    with running(context, home, json) as command:
        from . import printing_albums

        if (who is None) == (device is None):
            raise errors.UsageError("say who, or --device with its key")
        if device is not None:
            found = command.ask(lambda node: node.album_drop(album, device))
            printing_albums.removed(command.out, found, f"device {device}")
        elif who is not None:
            found = command.ask(lambda node: node.album_remove(album, who))
            printing_albums.removed(command.out, found, who)


# Photos, and what is said of them.


@album_app.command()
def add(
    context: typer.Context,
    album: AlbumArgument,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or folders with photos.", readable=False),
    ] = None,
    photo: Annotated[
        list[str] | None,
        typer.Option(
            "--photo", metavar="ID", help="One of yours in the library; may be given again."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add photos. They are imported into your library, too, and go in the album's form."""
    with running(context, home, json) as command:
        from . import printing_albums, printing_library
        from .views_albums import AlbumItem

        if not paths and not photo:
            raise errors.UsageError("say which photos: files, folders, or --photo with an id")
        items: list[AlbumItem] = []

        async def take(node: Node) -> None:
            steps = node.album_add_steps(album, paths or (), photos=photo or ())
            with printing_library.import_progress(command.out) as show_progress:
                async for step in steps:
                    if isinstance(step, AlbumItem):
                        items.append(step)
                        printing_albums.item(command.out, step)
                    else:
                        show_progress(step)

        try:
            command.ask(take)
        except KeyboardInterrupt:
            command.out.say("What was added by now stays. Typed again, it goes on from there.")
            raise
        if not items:
            raise photo_errors.NoPhotosError
        printing_albums.added(command.out, items)
        if any(item.state == "failed" for item in items):
            raise typer.Exit(exits.EXIT_FAILED)


@album_app.command()
def comment(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    text: TextArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say something about a photo, for all members. It can't be taken back."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_comment(album, photo, text))
        printing_albums.said(command.out, found, photo)


@album_app.command()
def caption(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    text: TextArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the text under a photo of yours; as an admin, under any."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_caption(album, photo, text))
        printing_albums.said(command.out, found, photo)


@album_app.command()
def favourite(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    off: Annotated[bool, typer.Option("--off", help="It is one no longer.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Mark a photo as a favourite of yours; all members see it."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_favourite(album, photo, chosen=not off))
        printing_albums.said(command.out, found, photo)


@album_app.command()
def cover(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put a photo on the album, as an admin."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_cover(album, photo))
        printing_albums.said(command.out, found, photo)


@album_app.command()
def place(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    where: Annotated[
        str,
        typer.Argument(
            metavar="PLACE", help="Such as 010: places are compared letter by letter, as words are."
        ),
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a photo stands in the order, as an admin. Those without a place come last."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_place(album, photo, where))
        printing_albums.said(command.out, found, photo)


@album_app.command()
def hide(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    off: Annotated[
        bool, typer.Option("--off", help="Have it again, as long as a member has it.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a photo of an album for yourself; others keep it, and it does not come again."""
    with running(context, home, json) as command:
        from . import printing_albums

        if off:
            found = command.ask(lambda node: node.album_unhide(album, photo))
        else:
            found = command.ask(lambda node: node.album_hide(album, photo))
        printing_albums.hidden(command.out, found, photo)


@album_app.command("ask-original")
def ask_original(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask who added a photo for its original, of which the album has no key."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_ask_original(album, photo))
        printing_albums.said(command.out, found, photo)


@album_app.command("give-original")
def give_original(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    who: Annotated[list[str], typer.Argument(metavar="NAME…", help="Contacts of yours.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give the original of a photo of yours to contacts, by a grant of its own.

    It goes as the file is, place and all, and to nobody else in the album.
    """
    with running(context, home, json) as command:
        from .cli_photos import sent

        async def give(node: Node) -> bool:
            original = await node.album_original(album, photo)
            items = await node.grant([original], who, metadata="original", wait=False)
            return sent(command.out, items)

        if not command.ask(give):
            raise typer.Exit(exits.EXIT_FAILED)


@album_app.command("ask-delete")
def ask_delete(
    context: typer.Context,
    album: AlbumArgument,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask all members to delete a photo. Nothing is deleted by that: each of them decides."""
    with running(context, home, json) as command:
        from . import printing_albums

        found = command.ask(lambda node: node.album_ask_delete(album, photo))
        printing_albums.asked(command.out, found, photo)
