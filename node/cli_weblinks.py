"""The commands about links to photos, and what `share --link` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, printing_weblinks
from .command import Command, HomeOption, JsonOption, need_command, pass_on, running

if TYPE_CHECKING:
    from .node import Node
    from .views_sharing import ShareItem
    from .views_weblinks import WebLink

links_app = typer.Typer(
    invoke_without_command=True, help="Links to photos, which any browser opens."
)

EXPIRES = "1d"
"""How long a link is valid where nothing is said."""


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(links_app, name="links")


def share(
    command: Command,
    paths: list[Path],
    *,
    expires: str,
    count: int,
    original: bool,
    metadata: str | None,
    max_px: int | None,
    at: str | None,
    https: bool,
    rehash: bool,
    qr: bool,
) -> bool:
    """Make a link and print it; whether all files went into it."""
    from . import times

    seconds = times.parse_length(expires)

    async def make(node: Node) -> tuple[list[ShareItem], WebLink]:
        from .views_sharing import ShareItem, ShareProgress

        items: list[ShareItem] = []
        made: WebLink | None = None
        steps = node.share_link_steps(
            paths, seconds=seconds, count=count, original=original, metadata=metadata,
            max_px=max_px, at=at, https=https, rehash=rehash,
        )  # fmt: skip
        with command.out.progress() as bars:
            async for step in steps:
                if isinstance(step, ShareItem):
                    items.append(step)
                elif isinstance(step, ShareProgress):
                    bars.show(step)
                else:
                    made = step
        if made is None:
            raise errors.InternalError
        return items, made

    items, link = command.ask(make)
    printing_weblinks.made(command.out, items, link, qr=qr)
    return all(item.code is None for item in items)


@links_app.callback()
def links(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Links to photos, which any browser opens. `kinlight share PHOTO --link` makes one."""
    pass_on(context, home, json)
    need_command(context)


@links_app.command("list")
def list_links(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the links that were made here, and how often they were opened."""
    with running(context, home, json) as command:
        printing_weblinks.listed(command.out, command.ask(lambda node: node.links()))


@links_app.command()
def revoke(
    context: typer.Context,
    link: Annotated[str, typer.Argument(metavar="ID", help="The link's id or its beginning.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take a link back, and end what is under way. What a browser has by then it keeps."""
    with running(context, home, json) as command:
        printing_weblinks.listed(command.out, [command.ask(lambda node: node.revoke_link(link))])
