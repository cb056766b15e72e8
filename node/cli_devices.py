"""The commands about devices of one's own."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, names, passphrases, printing_devices
from .command import (
    Command,
    HomeOption,
    JsonOption,
    PassphraseFile,
    finish,
    need_command,
    pass_on,
    running,
    typed_or_read,
)

if TYPE_CHECKING:
    from .node import Node

devices_app = typer.Typer(
    invoke_without_command=True, help="Your devices: a laptop, a phone, a machine at home."
)

DeviceArgument = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Its name, or the first 8 digits of its key.")
]
WordsFile = Annotated[
    Path | None,
    typer.Option("--recovery-words-file", help="File with the 24 words."),
]
WordsOption = Annotated[
    bool, typer.Option("--words", help="By the 24 words; they are asked for, or in a file.")
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(devices_app, name="device")


@devices_app.callback()
def devices(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Your devices: a laptop, a phone, a machine at home."""
    pass_on(context, home, json)
    need_command(context)


@devices_app.command("list")
def list_devices(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List your devices: who added each, when it was here, and what it may do."""
    with running(context, home, json) as command:
        printing_devices.listed(command.out, command.ask(lambda node: node.devices()))


@devices_app.command()
def add(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="What to call the new one.")] = None,
    may_certify: Annotated[
        bool,
        typer.Option("--may-certify", help="It may add and revoke others; takes the 24 words."),
    ] = False,
    words: WordsOption = False,
    recovery_words_file: WordsFile = None,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show a code by which a new machine becomes a device of yours: `kinlight device join` there.

    It gets no recovery words. A device that was itself added so takes them to add others.
    """
    with running(context, home, json) as command:
        phrase = _words(command, recovery_words_file, asked=words or may_certify)

        async def run(node: Node) -> None:
            from .views_contacts import PairingCode

            steps = node.add_device(name, may_certify=may_certify, recovery_words=phrase)
            async for step in steps:
                if isinstance(step, PairingCode):
                    printing_devices.code(command.out, step, qr=qr)
                else:
                    printing_devices.added(command.out, step)

        command.ask(run)


@devices_app.command()
def join(
    context: typer.Context,
    code: Annotated[
        str,
        typer.Argument(help="The code or QR text of `device add`, or - to read it from stdin."),
    ],
    name: Annotated[str | None, typer.Option("--name", help="What to call this machine.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ADDRESS", help="host:port of the other, if not found."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make this machine a device of yours, by the code that another one shows; and start it.

    Where there is a node of yours already, made from the words, it links with the other one.
    """
    with running(context, home, json) as command:
        from . import joining, launch

        text = typed_or_read(code)
        if command.home.exists:
            if name is not None:
                raise errors.HomeExistsError("it has a name: `kinlight device rename` changes it")
            met = command.ask(lambda node: node.meet_device(text, at=at))
            printing_devices.listed(command.out, [met])
            return
        passphrase = command.passphrase(passphrase_file, new=True)
        if passphrase is None:
            raise errors.PassphraseNeededError
        called = names.contact_name(name or getpass.getuser())
        made = finish(joining.join(command.home, text, passphrase, called, at=at))
        finish(launch.ensure_daemon(command.home))
        phrase = passphrase.reveal().decode()
        command.ask(lambda node: node.unlock(phrase))
        printing_devices.joined(command.out, made)


@devices_app.command()
def rename(
    context: typer.Context,
    device: DeviceArgument,
    new_name: Annotated[str, typer.Argument(help="The new name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Call a device something else, on all of them. Contacts don't see these names."""
    with running(context, home, json) as command:
        found = command.ask(lambda node: node.rename_device(device, new_name))
        printing_devices.listed(command.out, [found])


@devices_app.command()
def revoke(
    context: typer.Context,
    device: DeviceArgument,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="DEVICE", help="One that it added and that stays; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    words: WordsOption = False,
    recovery_words_file: WordsFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take a lost or stolen device back, and what it added: contacts refuse it from then on."""
    with running(context, home, json) as command:
        phrase = _words(command, recovery_words_file, asked=words)
        if command.interactive and not yes:
            typer.confirm(
                f"Only the 24 words bring {names.shown(device)} back. Revoke it?",
                abort=True,
                err=True,
            )
        gone = command.ask(
            lambda node: node.revoke_device(device, keep=keep or [], recovery_words=phrase)
        )
        printing_devices.revoked(command.out, gone)


@devices_app.command()
def restore(
    context: typer.Context,
    device: DeviceArgument,
    recovery_words_file: WordsFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """By the 24 words: let a device count again that was revoked by mistake, or by a thief."""
    with running(context, home, json) as command:
        phrase = _words(command, recovery_words_file, asked=True) or ""
        found = command.ask(lambda node: node.restore_device(device, phrase))
        printing_devices.listed(command.out, [found])


@devices_app.command()
def allow(
    context: typer.Context,
    recovery_words_file: WordsFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """By the 24 words: let this device add and revoke others; the words unlock it, too."""
    with running(context, home, json) as command:
        phrase = _words(command, recovery_words_file, asked=True) or ""
        found = command.ask(lambda node: node.allow_device(phrase))
        printing_devices.listed(command.out, [found])


def _words(command: Command, file: Path | None, *, asked: bool) -> str | None:
    """The words of a file; else, if they are `asked` for, as they are typed."""
    from . import asking_words

    if file is not None:
        return asking_words.parsed(passphrases.text_of_words(file)).phrase()
    if not asked:
        return None
    command.ask(lambda node: node.devices())  # before anybody types words for nothing
    if not command.interactive:
        raise errors.BadWordsFileError("without a terminal `--recovery-words-file` names it")
    return asking_words.typed(command.out.say).phrase()
