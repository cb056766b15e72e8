"""The commands about access: who may see which photo, in which form, until when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..protocol.errors import BadPolicyError
from . import errors, exits, printing_access, rule_file
from .cli_photos import (
    MaxPxOption,
    MetadataOption,
    UntilOption,
    WaitOption,
    WatermarkOption,
    end_of,
    sent,
)
from .command import HomeOption, JsonOption, NameArgument, OffOption, need_command, pass_on, running

if TYPE_CHECKING:
    from .node import Node


WhoOption = Annotated[str | None, typer.Option("--who", help="A contact.")]
PhotoOption = Annotated[
    str | None, typer.Option("--photo", help="The photo's id or its beginning.")
]


policy_app = typer.Typer(
    invoke_without_command=True, help="The owner's rules: who gets what, in which form, when."
)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    for run in (grant, delegate, grants, attest, attributes, revoke, explain):
        app.command()(run)
    app.add_typer(policy_app, name="policy")


def grant(
    context: typer.Context,
    who: Annotated[
        list[str] | None, typer.Option("--who", help="A contact; may be given again.")
    ] = None,
    having: Annotated[
        list[str] | None,
        typer.Option(
            "--having", metavar="NAME=VALUE", help="Whoever has this attribute, now or later."
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="me|NAME", help="Whose word counts for it; may be repeated."),
    ] = None,
    photo: Annotated[
        list[str] | None,
        typer.Option("--photo", help="A photo's id or its beginning; may be given again."),
    ] = None,
    album: Annotated[
        str | None, typer.Option("--album", help="All photos of this album as they are now.")
    ] = None,
    op: Annotated[
        str, typer.Option("--op", metavar="view|view,reshare", help="What they may do with it.")
    ] = "view",
    until: UntilOption = None,
    metadata: MetadataOption = None,
    max_px: MaxPxOption = None,
    watermark: WatermarkOption = False,
    wait: WaitOption = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Grant photos of the library to contacts, or to whoever has an attribute: as `share`."""
    with running(context, home, json) as command:
        end = end_of(until)
        operations = op.split(",")

        async def send(node: Node) -> bool:
            with command.out.progress() as bars:
                items = await node.grant(
                    photo or (), who or (), having=having or (), by=by or (), album=album,
                    operations=operations, metadata=metadata, max_px=max_px, watermark=watermark,
                    until=end, wait=wait, progress=bars.show,
                )  # fmt: skip
            return sent(command.out, items)

        if not command.ask(send):
            raise typer.Exit(exits.EXIT_FAILED)


def delegate(
    context: typer.Context,
    photo: Annotated[
        list[str],
        typer.Option("--photo", help="A photo's id or its beginning; may be given again."),
    ],
    who: Annotated[list[str], typer.Option("--who", help="A contact; may be given again.")],
    op: Annotated[
        str, typer.Option("--op", metavar="view|view,reshare", help="What they may do with it.")
    ] = "view",
    until: UntilOption = None,
    max_px: Annotated[
        int | None,
        typer.Option("--max-px", help="Refuse if a side is longer: only its author can shrink it."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="The key of the one device that gets it.")
    ] = None,
    wait: WaitOption = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Pass on photos that others granted to you for passing on."""
    with running(context, home, json) as command:
        end = end_of(until)
        operations = op.split(",")

        async def send(node: Node) -> bool:
            with command.out.progress() as bars:
                items = await node.delegate(
                    photo, who, operations=operations, max_px=max_px, until=end, device=device,
                    wait=wait, progress=bars.show,
                )  # fmt: skip
            return sent(command.out, items)

        if not command.ask(send):
            raise typer.Exit(exits.EXIT_FAILED)


def grants(
    context: typer.Context,
    who: WhoOption = None,
    photo: PhotoOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List what was granted: photo, to whom, what for, in which form, until when."""
    with running(context, home, json) as command:
        found = command.ask(lambda node: node.grants(who=who, photo=photo))
        printing_access.grants(command.out, found)


def attest(
    context: typer.Context,
    name: NameArgument,
    attribute: Annotated[
        str, typer.Argument(metavar="ATTRIBUTE=VALUE", help="What is said, as role=family.")
    ],
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends, at most 90d, which is the default.")
    ] = None,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a contact has an attribute, signed; rules and grants can ask for it."""
    with running(context, home, json) as command:
        if off:
            found = command.ask(lambda node: node.unattest(name, attribute))
        else:
            end = end_of(until)
            found = [command.ask(lambda node: node.attest(name, attribute, until=end))]
        printing_access.attributes(command.out, found)


def attributes(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A contact; none lists all.")] = None,
    show: Annotated[
        str | None,
        typer.Option(
            "--show", metavar="NAME=VALUE", help="With --to: let a contact know it of you."
        ),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="A contact.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who says it; none means all who do.")
    ] = None,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List what is said of people, by whom and until when; or show what others say of you."""
    with running(context, home, json) as command:
        if show is not None and to is not None and name is None:
            found = command.ask(lambda node: node.show_attribute(show, to, by=by, off=off))
        elif (show, to, by, off) == (None, None, None, False):
            found = command.ask(lambda node: node.attributes(name))
        else:
            raise errors.BadRequestError("to show something say --show NAME=VALUE --to CONTACT")
        printing_access.attributes(command.out, found)


def revoke(
    context: typer.Context,
    grant: Annotated[
        str | None, typer.Argument(metavar="HASH", help="A grant's hash or its beginning.")
    ] = None,
    who: WhoOption = None,
    photo: PhotoOption = None,
    attribute: Annotated[
        str | None,
        typer.Option("--attribute", metavar="NAME=VALUE", help="With --who: as attest --off."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="The key of a device of yours that is lost.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take back a grant, all of a photo to a contact, what was said of somebody, or a device."""
    with running(context, home, json) as command:
        if attribute is None:
            found = command.ask(
                lambda node: node.revoke(grant, who=who, photo=photo, device=device)
            )
            printing_access.revocations(command.out, found)
        elif who is not None and (grant, photo, device) == (None, None, None):
            said = command.ask(lambda node: node.unattest(who, attribute))
            printing_access.attributes(command.out, said)
        else:
            raise errors.BadRequestError("--attribute goes with --who alone")


def explain(
    context: typer.Context,
    who: Annotated[str, typer.Option("--who", help="A contact.")],
    photo: Annotated[str, typer.Option("--photo", help="The photo's id or its beginning.")],
    op: Annotated[str, typer.Option("--op", metavar="view|reshare|contribute")] = "view",
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="lan|internet", help="Default: the better of the two."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a contact may have a photo now, and why: rule, grants, and facts."""
    with running(context, home, json) as command:
        found = command.ask(lambda node: node.explain(who, photo, operation=op, network=network))
        printing_access.explanation(command.out, found)


@policy_app.callback()
def policy(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The owner's rules: who gets what, in which form, when."""
    pass_on(context, home, json)
    need_command(context)


@policy_app.command("import")
def policy_import(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML; an empty file ends all rules.")
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take the rules of a file in place of all others."""
    with running(context, home, json) as command:
        text = rule_file.read(file)
        printing_access.policy(command.out, command.ask(lambda node: node.set_policy(text)))


@policy_app.command("export")
def policy_export(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Print the rules, as `import` takes them."""
    with running(context, home, json) as command:
        printing_access.policy_text(command.out, command.ask(lambda node: node.policy()))


@policy_app.command("edit")
def policy_edit(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Open the rules in an editor (VISUAL, EDITOR, else vi), and take what was written."""
    with running(context, home, json) as command:
        before = command.ask(lambda node: node.policy()).text
        with rule_file.edited(before) as (text, file):
            try:
                taken = command.ask(lambda node: node.set_policy(text))
            except BadPolicyError:
                command.out.say(f"What was written is in {file}; `kinlight policy import` takes it")
                raise
        printing_access.policy(command.out, taken)
