"""The command line: parses, calls the API, prints. docs/cli.md has the JSON and the exit codes.

Everything heavy is imported where it is used: `kinlight --help` starts in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from . import (
    cli_access,
    cli_albums,
    cli_archive,
    cli_care,
    cli_devices,
    cli_drops,
    cli_guardians,
    cli_holding,
    cli_library,
    cli_marks,
    cli_photos,
    cli_pictures,
    cli_receipts,
    cli_recovery,
    cli_service,
    cli_siblings,
    cli_space,
    cli_tickets,
    cli_weblinks,
    cli_wide,
    errors,
    names,
    passphrases,
    printing_contacts,
    printing_holding,
)
from .command import (
    Command,
    HomeOption,
    JsonOption,
    NameArgument,
    OffOption,
    PassphraseFile,
    PolicyArgument,
    finish,
    need_command,
    pass_on,
    running,
    typed_or_read,
)
from .home import Home
from .printing import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..crypto.recovery import RecoveryWords
    from .node import Node
    from .views import Contact

LastOption = Annotated[bool, typer.Option("--yes", help="Even if that ends the only backup.")]

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="A private photo-sharing node: photos go straight to the people chosen, encrypted.",
)
contacts_app = typer.Typer(invoke_without_command=True, help="People that this node paired with.")
app.add_typer(contacts_app, name="contacts")


@app.callback()
def options(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Options that may also follow the command."""
    pass_on(context, home, json)
    need_command(context)


@app.command()
def version(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the version."""
    with running(context, home, json) as command:
        from .version import VERSION

        command.out.result({"version": VERSION}, VERSION)


# The node itself.


@app.command()
def up(
    context: typer.Context,
    passphrase_file: PassphraseFile = None,
    recovery_words_file: Annotated[
        Path | None,
        typer.Option(
            "--recovery-words-file",
            help="First start: write the 24 words there (a new file). Later: unlock with them.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="First start: what others see when pairing.")
    ] = None,
    words_check: Annotated[
        bool,
        typer.Option(
            "--words-check/--no-words-check",
            help="First start on a terminal: ask for two of the words.",
        ),
    ] = True,
    locked: Annotated[bool, typer.Option("--locked", help="Start without unlocking.")] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal until Ctrl-C.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Start the node; the first time, make one and show its recovery words once."""
    with running(context, home, json) as command:
        secret: Secret | RecoveryWords | None = None
        shown: list[RecoveryWords] = []
        if not command.home.exists:
            secret = _first_start(
                command, passphrase_file, recovery_words_file, name, shown, check=words_check
            )
        elif recovery_words_file is not None:
            secret = passphrases.words_in(recovery_words_file)
        if foreground:
            if secret is None and not locked:
                secret = command.passphrase(passphrase_file)
            _run_here(command.home, None if locked else secret)
        else:
            _start(command, passphrase_file, None if locked else secret, shown, locked=locked)


def _first_start(
    command: Command,
    passphrase_file: Path | None,
    words_file: Path | None,
    name: str | None,
    shown: list[RecoveryWords],
    *,
    check: bool,
) -> Secret:
    """Make a node; its words are in `shown` if a person has shown that they have them."""
    from . import asking_words, launch

    passphrase = command.passphrase(passphrase_file, new=True)
    if passphrase is None:
        raise errors.PassphraseNeededError
    if words_file is None and not command.interactive:
        raise errors.BadWordsFileError(
            "a new node shows 24 recovery words; without a terminal `--recovery-words-file` says"
            " where to write them"
        )
    chosen = names.contact_name(name or getpass.getuser())

    def show(words: RecoveryWords) -> None:
        if words_file is not None:
            passphrases.save_words(words_file, words)
            command.out.say(f"The 24 recovery words are in {words_file}. Keep them on paper.")
        elif check and command.interactive:
            asking_words.confirm(words, command.out.recovery_words, command.out.say)
            shown.append(words)
        else:
            command.out.recovery_words(words.phrase())

    launch.make_node(command.home, passphrase, chosen, show)
    return passphrase


def _run_here(home: Home, secret: Secret | RecoveryWords | None) -> None:
    from . import daemon, logfile
    from .config import Config

    home.prepare()
    try:
        form = Config.load(home).format
    except errors.BadConfigError:  # it is told when the node is unlocked
        form = "text"
    logfile.start(home.log, form=form)
    finish(daemon.run(home, secret))


def _start(
    command: Command,
    passphrase_file: Path | None,
    secret: Secret | RecoveryWords | None,
    shown: list[RecoveryWords],
    *,
    locked: bool,
) -> None:
    """Start the daemon if it doesn't run, unlock it if that is wanted and possible.

    One that was started for nothing is ended again.
    """
    from . import launch

    started = finish(launch.ensure_daemon(command.home))
    try:
        status = command.ask(lambda node: node.status())
        if status.locked and not locked:
            known = secret or command.passphrase(passphrase_file)
            if known is not None:
                _unlock(command, known)
                for words in shown:
                    phrase = words.phrase()
                    command.ask(lambda node, phrase=phrase: node.check_words(phrase))
                status = command.ask(lambda node: node.status())
    except BaseException:  # also Ctrl-C where a pass phrase is asked for
        if started:
            with contextlib.suppress(KinlightError):
                finish(launch.stop_daemon(command.home))
        raise
    command.out.status(status)


def _unlock(command: Command, secret: Secret | RecoveryWords) -> None:
    if isinstance(secret, Secret):
        passphrase = secret.reveal().decode()
        command.ask(lambda node: node.unlock(passphrase))
    else:
        phrase = secret.phrase()
        command.ask(lambda node: node.unlock(recovery_words=phrase))


def _unless_last(
    command: Command, change: Callable[[Node, bool], Coroutine[Any, Any, Contact]], yes: bool
) -> Contact:
    """Change a contact; on a terminal a person is asked where that ends the only backup."""
    try:
        return command.ask(lambda node: change(node, yes))
    except errors.LastBackupError as error:
        if not command.interactive:
            raise
        command.out.say(str(error))
        if not typer.confirm("End the only backup?", err=True):
            raise
        return command.ask(lambda node: change(node, True))


@app.command()
def down(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """End the daemon."""
    with running(context, home, json) as command:
        from . import launch

        finish(launch.stop_daemon(command.home))
        command.out.done("Ended.")


cli_care.add_status_to(app)


@app.command()
def clock(
    context: typer.Context,
    right: Annotated[
        bool, typer.Option("--right", help="This machine's clock is right: believe it again.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the time by which the node judges, and whether the clock looks wrong."""
    with running(context, home, json) as command:
        if right:
            command.out.clock(command.ask(lambda node: node.believe_clock()))
            return
        found = command.ask(lambda node: node.status()).clock
        if found is None:
            raise errors.LockedError
        command.out.clock(found)


@app.command()
def unlock(
    context: typer.Context,
    passphrase_file: PassphraseFile = None,
    recovery_words_file: Annotated[
        Path | None,
        typer.Option("--recovery-words-file", help="Unlock with the words in this file."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Open the keys of a locked node."""
    with running(context, home, json) as command:
        command.ask(lambda node: node.status())  # before anybody types a pass phrase for nothing
        if recovery_words_file is not None:
            _unlock(command, passphrases.words_in(recovery_words_file))
        else:
            secret = command.passphrase(passphrase_file)
            if secret is None:
                raise errors.PassphraseNeededError
            _unlock(command, secret)
        command.out.done("Unlocked.")


@app.command()
def lock(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Forget the keys and end all connections; the daemon stays."""
    with running(context, home, json) as command:
        command.ask(lambda node: node.lock())
        command.out.done("Locked.")


@app.command("id")
def identity(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show who this node is to others."""
    with running(context, home, json) as command:
        command.out.identity(command.ask(lambda node: node.identity()))


# People.


@app.command()
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
            from .views import PairingCode

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


cli_tickets.add_to(app)
cli_siblings.add_to(cli_devices.devices_app)
cli_devices.add_to(app)

# Photos.

cli_photos.add_to(app)
cli_weblinks.add_to(app)
cli_drops.add_to(app)
cli_receipts.add_to(app)
cli_access.add_to(app)
cli_library.add_to(app)
cli_albums.add_to(app)
cli_pictures.add_to(app)
cli_marks.add_to(app)
cli_holding.add_to(app)
cli_recovery.add_to(app)
cli_archive.add_to(app)
cli_guardians.add_to(app)
cli_wide.add_to(app)
cli_space.add_to(app)
cli_care.add_to(app)
cli_service.add_to(app)


@app.command()
def demo(
    context: typer.Context,
    photos: Annotated[
        Path | None, typer.Option("--photos", help="A folder with photos, in place of the samples.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Watch two nodes meet, pair, share three photos, and refuse three attacks."""
    with running(context, home, json) as command:
        from . import demo as story

        result = finish(story.run(photos, command.out))
        if not result.ok:
            raise typer.Exit(errors.EXIT_FAILED)


def _usage(error: TyperException) -> str:
    """What was typed wrong, and what says how it is right."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = "kinlight" if context is None else context.command_path
    said = error.format_message().rstrip(".")
    end = "" if said.endswith("?") else "."
    return f"{said}{end} `{command} --help` says how it is used."


def main() -> None:
    """The console script. What was typed wrong is an error like any other."""
    try:
        code = app(prog_name="kinlight", standalone_mode=False)
    except TyperException as error:
        Output(as_json="--json" in sys.argv).error(errors.UsageError(_usage(error)))
        code = errors.EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = errors.EXIT_INTERRUPTED
    sys.exit(code)
