"""The commands about photos: what goes out, what came in, what is here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import cli_weblinks, errors, exits, photo_errors
from .command import POLICIES_SHOWN, HomeOption, IdArgument, JsonOption, pass_on, running

if TYPE_CHECKING:
    from .node import Node
    from .printing import Output
    from .views_sharing import ShareItem

UntilOption = Annotated[
    str | None, typer.Option("--until", help="End of the grant: 30d, 12h, or 2026-12-31.")
]
MetadataOption = Annotated[
    str | None,
    typer.Option(
        "--metadata",
        metavar=POLICIES_SHOWN,
        help="What leaves with the photos. Default: what is set for each contact.",
    ),
]
MaxPxOption = Annotated[
    int | None,
    typer.Option("--max-px", help="A clean copy goes, no side longer than so many pixels."),
]
WatermarkOption = Annotated[
    bool,
    typer.Option(
        "--watermark", help="A clean copy goes, with an invisible mark for each contact: see trace."
    ),
]
RehashOption = Annotated[
    bool,
    typer.Option("--rehash", help="Read files again although they look as they did before."),
]
CheckOption = Annotated[
    bool,
    typer.Option(
        "--check", help="Look for signs of editing first, and tell; it goes all the same."
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Stay until it is there or can't get there.")
]

inbox_app = typer.Typer(invoke_without_command=True, help="Photos that were offered to you.")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    for run in (share, show, export):
        app.command()(run)
    app.add_typer(inbox_app, name="inbox")


def share(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders with photos.", readable=False)
    ],
    to: Annotated[
        list[str] | None, typer.Option("--with", help="A contact; may be given again.")
    ] = None,
    until: UntilOption = None,
    metadata: MetadataOption = None,
    max_px: MaxPxOption = None,
    watermark: WatermarkOption = False,
    rehash: RehashOption = False,
    check: CheckOption = False,
    wait: WaitOption = True,
    link: Annotated[
        bool, typer.Option("--link", help="Make a link that any browser opens, for no contact.")
    ] = False,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="How long the link is valid; 1d, 30d."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", help="How many browsers may open it.")
    ] = None,
    original: Annotated[
        bool, typer.Option("--original", help="The link leads to the files as they are.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ADDRESS", help="Where its page is served, or localhost."),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="Serve its page with this node's own certificate.")
    ] = False,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the link's QR code.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Share photos with contacts, end to end encrypted; or make a link to them."""
    with running(context, home, json) as command:
        if link:
            if to or until is not None or check or watermark:
                raise errors.UsageError(
                    "a link is for no contact: --with, --until, --check and --watermark are not"
                    " for it"
                )
            well = cli_weblinks.share(
                command,
                paths,
                expires=expires or cli_weblinks.EXPIRES,
                count=1 if count is None else count,
                original=original,
                metadata=metadata,
                max_px=max_px,
                at=at,
                https=https,
                rehash=rehash,
                qr=qr,
            )
            if not well:
                raise typer.Exit(exits.EXIT_FAILED)
            return
        if original or https or not (expires is count is at is None):
            raise errors.UsageError(
                "--expires, --count, --original, --at and --https are for --link"
            )
        if not to:
            raise errors.UsageError(
                "say with whom: --with NAME, or --link. `kinlight share --help` says how it is used"
            )
        end = end_of(until)

        async def send(node: Node) -> bool:
            from .client import last

            with command.out.progress() as bars:
                steps = node.share_steps(
                    paths, to, metadata=metadata, max_px=max_px, watermark=watermark, until=end,
                    rehash=rehash, check=check, wait=wait,
                )  # fmt: skip
                items = await last(steps, bars.show, bars.stands)
            if not items:
                raise photo_errors.NoPhotosError
            return sent(command.out, items)

        try:
            well = command.ask(send)
        except KeyboardInterrupt:
            command.out.say("The node goes on: what it has queued by now it still delivers.")
            raise
        if not well:
            raise typer.Exit(exits.EXIT_FAILED)


def end_of(until: str | None) -> int | None:
    """The end of a grant, as it was typed."""
    from . import times

    return None if until is None else times.parse_until(until, int(time.time()))


def sent(out: Output, items: Sequence[ShareItem]) -> bool:
    """Print what leaves and how each item stands; whether all went well."""
    out.leaves(list(items))
    for item in items:
        out.share_item(item)
        if item.state == "open" and not out.as_json:
            out.say(f"  {_contacts(items, item)} now, and whoever else comes to have it")
    return all(item.code is None for item in items)


def _contacts(items: Sequence[ShareItem], grant: ShareItem) -> str:
    """How many contacts get something by an open grant."""
    count = sum(item.grant == grant.grant and item is not grant for item in items)
    return "1 contact" if count == 1 else f"{count} contacts"


@inbox_app.callback()
def inbox(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Photos that were offered to you."""
    with running(context, home, json) as command:
        if context.invoked_subcommand is None:
            from . import printing_albums

            command.out.inbox(command.ask(lambda node: node.inbox()))
            if not command.out.as_json:
                found = command.ask(lambda node: node.album_list())
                printing_albums.invitations(command.out, found)
        else:
            pass_on(context, home, json)


@inbox_app.command()
def accept(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch a photo that waits."""
    with running(context, home, json) as command:
        command.out.inbox_item(command.ask(lambda node: node.accept(photo)))


@inbox_app.command()
def decline(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Decline a photo that waits; its sender is told."""
    with running(context, home, json) as command:
        command.out.inbox_item(command.ask(lambda node: node.decline(photo)))


def show(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show all about a photo that is here: who signed it, what was checked."""
    with running(context, home, json) as command:
        command.out.photo(command.ask(lambda node: node.get(photo)))


def export(
    context: typer.Context,
    photo: IdArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")],
    keep_both: Annotated[
        bool, typer.Option("--keep-both", help="Add a number if another file has the name.")
    ] = False,
    rendition: Annotated[
        str | None,
        typer.Option(
            "--rendition", metavar="preview|thumbnail", help="A JPEG to look at in its place."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write a photo to a folder, byte-exact, with its name and time."""
    with running(context, home, json) as command:
        exported = command.ask(
            lambda node: node.export(photo, folder, keep_both=keep_both, rendition=rendition)
        )
        command.out.exported(exported)
