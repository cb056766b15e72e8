"""The commands `pair` and `contacts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import (
    contact_errors,
    errors,
    printing_contacts,
    printing_holding,
)
from .command import (
    Command,
    HomeOption,
    JsonOption,
    NameArgument,
    OffOption,
    PolicyArgument,
    need_command,
    pass_on,
    running,
    typed_or_read,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .node import Node
    from .views_contacts import Contact


LastOption = Annotated[bool, typer.Option("--yes", help="Even if that ends the only backup.")]

contacts_app = typer.Typer(invoke_without_command=True, help="People that this node paired with.")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.command()(pair)
    app.add_typer(contacts_app, name="contacts")


def pair(
    context: typer.Context,
    code: Annotated[
        str | None,
        typer.Argument(
            help="The other side's code, QR text or ticket, or - to read it from stdin;"
            " none shows a code here."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="ADDRESS",
            help="Where the other node is, if it is not found: host:port, or one of the wide area.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call the contact.")] = None,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Meet somebody: show a code, or use the code or the ticket of the other side."""
    with running(context, home, json) as command:
        text = None if code is None else typed_or_read(code)

        async def meet(node: Node) -> None:
            from .views_contacts import PairingCode

            if text is not None:
                command.out.paired(await node.pair(text, at=at, name=name))
                return
            async for step in node.open_pairing(name):
                if isinstance(step, PairingCode):
                    command.out.pairing_code(step, qr=qr)
                else:
                    command.out.paired(step)

        command.ask(meet)


@contacts_app.callback()
def contacts(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """People that this node paired with."""
    pass_on(context, home, json)
    need_command(context)


@contacts_app.command("list")
def contacts_list(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False
) -> None:
    """List the contacts."""
    with running(context, home, json) as command:
        command.out.contacts(command.ask(lambda node: node.contacts()))


@contacts_app.command("show")
def contacts_show(
    context: typer.Context,
    name: NameArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one contact: its keys, and what is in doubt about them."""
    with running(context, home, json) as command:
        printing_contacts.shown(command.out, command.ask(lambda node: node.contact(name)))


@contacts_app.command()
def verify(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[
        bool, typer.Option("--yes", help="The numbers were compared and agree.")
    ] = False,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", help="What they read out of `status` or `show`: compare it."),
    ] = None,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the safety number, in person or by phone, and mark the contact as verified.

    That also ends a doubt about the contact's key, see `contacts show`.
    """
    with running(context, home, json) as command:
        if fingerprint is not None:
            if off:
                raise errors.BadRequestError("--off and --fingerprint don't go together")
            command.out.contact(
                command.ask(lambda node: node.update_contact(name, fingerprint=fingerprint))
            )
            return
        contact = command.ask(lambda node: node.contact(name))
        if not off:
            command.out.safety_number(contact)
        agreed = yes or (
            command.interactive
            and not off
            and typer.confirm("Does the other side show the same number?", err=True)
        )
        if agreed or off:
            contact = command.ask(lambda node: node.update_contact(name, verified=not off))
        command.out.contact(contact)


@contacts_app.command()
def reach(
    context: typer.Context,
    name: NameArgument,
    at: Annotated[str, typer.Argument(metavar="ADDRESS", help="host:port of their node.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Connect a contact at an address, where the network hides them; it is remembered."""
    with running(context, home, json) as command:
        command.out.contact(command.ask(lambda node: node.reach(name, at)))


@contacts_app.command()
def rename(
    context: typer.Context,
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(help="The new name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Call a contact something else."""
    with running(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, rename=new_name))
        command.out.contact(contact)


@contacts_app.command()
def mute(
    context: typer.Context,
    name: NameArgument,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Keep what a contact offers waiting, without news of it."""
    with running(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, muted=not off))
        command.out.contact(contact)


@contacts_app.command()
def block(
    context: typer.Context,
    name: NameArgument,
    off: OffOption = False,
    yes: LastOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Treat a contact as a stranger: no connection, nothing in, nothing out."""
    with running(context, home, json) as command:
        contact = _unless_last(
            command, lambda node, sure: node.update_contact(name, blocked=not off, yes=sure), yes
        )
        command.out.contact(contact)


@contacts_app.command("accept-from")
def accept_from(
    context: typer.Context,
    name: NameArgument,
    policy: Annotated[str, typer.Argument(metavar="ask|always", help="ask is the default.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch a contact's photos when they come (always), or after you accepted each (ask)."""
    with running(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, accept=policy))
        command.out.contact(contact)


@contacts_app.command()
def metadata(
    context: typer.Context,
    name: NameArgument,
    policy: PolicyArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Set what leaves with photos for a contact, where `share --metadata` says nothing else."""
    with running(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, metadata=policy))
        command.out.contact(contact)


@contacts_app.command("let-hold")
def let_hold(
    context: typer.Context,
    name: NameArgument,
    off: OffOption = False,
    backup: Annotated[
        bool | None,
        typer.Option("--backup/--no-backup", help="Keep a backup of your library there as well."),
    ] = None,
    yes: LastOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let a contact hold what others send you while you are away, if it runs `kinlight hold`.

    It keeps ciphertext. It learns who sends you something, how much and when.
    """
    with running(context, home, json) as command:
        contact = _unless_last(
            command,
            lambda node, sure: node.update_contact(name, holder=not off, backup=backup, yes=sure),
            yes,
        )
        printing_holding.let(command.out, contact)


def _unless_last(
    command: Command, change: Callable[[Node, bool], Coroutine[Any, Any, Contact]], yes: bool
) -> Contact:
    """Change a contact; on a terminal a person is asked where that ends the only backup."""
    try:
        return command.ask(lambda node: change(node, yes))
    except contact_errors.LastBackupError as error:
        if not command.interactive:
            raise
        command.out.say(str(error))
        if not typer.confirm("End the only backup?", err=True):
            raise
        return command.ask(lambda node: change(node, True))
