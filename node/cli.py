"""The command line: parses, calls the API, prints. docs/cli.md has the JSON and the exit codes.

Everything heavy is imported where it is used: `kinlight --help` starts in a fraction of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.exceptions import TyperException

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from . import errors, names, passphrases
from .home import Home
from .printing import Output

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords
    from .node import Node

_Result = TypeVar("_Result")

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="A private photo-sharing node: photos go straight to the people chosen, encrypted.",
)
contacts_app = typer.Typer(invoke_without_command=True, help="People that this node paired with.")
inbox_app = typer.Typer(invoke_without_command=True, help="Photos that were offered to you.")
app.add_typer(contacts_app, name="contacts")
app.add_typer(inbox_app, name="inbox")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The node's folder. Default: KINLIGHT_HOME, else the user's own."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on stdout and nothing else; progress on stderr.")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File with the pass phrase. Default: KINLIGHT_PASSPHRASE_FILE, else it is asked for.",
    ),
]
NameArgument = Annotated[str, typer.Argument(help="The contact's name.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The photo's id or its beginning.")]
OffOption = Annotated[bool, typer.Option("--off", help="Take it back.")]


class Command:
    """One run of a command: which home, how to print, how to ask the node."""

    def __init__(self, home: Path | None, out: Output) -> None:
        self.home = Home.locate(home)
        self.out = out

    def ask(self, question: Callable[[Node], Coroutine[Any, Any, _Result]]) -> _Result:
        """Ask the running daemon."""
        from .node import Node

        async def run() -> _Result:
            async with Node.connect(self.home.path) as node:
                return await question(node)

        return asyncio.run(run())

    def passphrase(self, file: Path | None, *, new: bool = False) -> Secret | None:
        """The pass phrase from a file, else typed; None where there is no terminal either."""
        given = passphrases.given(file)
        if given is not None or not self.interactive:
            return given
        prompt = "New pass phrase" if new else "Pass phrase"
        typed: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True)
        return Secret(typed.encode())

    @property
    def interactive(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and not self.out.as_json


@contextlib.contextmanager
def _command(context: typer.Context, home: Path | None, json: bool) -> Generator[Command]:
    """Errors become a sentence, or JSON, and an exit code."""
    earlier_home, earlier_json = context.obj or (None, False)
    out = Output(as_json=json or earlier_json)
    try:
        yield Command(home or earlier_home, out)
    except KinlightError as error:
        out.error(error)
        raise typer.Exit(errors.exit_code(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(errors.EXIT_INTERRUPTED) from None


def _pass_on(context: typer.Context, home: Path | None, json: bool) -> None:
    """Options of a group of commands, for the command that follows."""
    earlier_home, earlier_json = context.obj or (None, False)
    context.obj = (home or earlier_home, json or earlier_json)


def _need_command(context: typer.Context) -> None:
    """Without a command: the help for people, an error for scripts."""
    if context.invoked_subcommand is None:
        if context.obj[1]:
            raise TyperException("Missing command.")
        print(context.get_help())
        raise typer.Exit(errors.EXIT_USAGE)


@app.callback()
def options(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Options that may also follow the command."""
    _pass_on(context, home, json)
    _need_command(context)


@app.command()
def version(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the version."""
    with _command(context, home, json) as command:
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
    locked: Annotated[bool, typer.Option("--locked", help="Start without unlocking.")] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal until Ctrl-C.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Start the node; the first time, make one and show its recovery words once."""
    with _command(context, home, json) as command:
        secret: Secret | RecoveryWords | None = None
        if not command.home.exists:
            secret = _first_start(command, passphrase_file, recovery_words_file, name)
        elif recovery_words_file is not None:
            secret = passphrases.words_in(recovery_words_file)
        if foreground:
            if secret is None and not locked:
                secret = command.passphrase(passphrase_file)
            _run_here(command.home, None if locked else secret)
        else:
            _start(command, passphrase_file, None if locked else secret, locked=locked)


def _first_start(
    command: Command, passphrase_file: Path | None, words_file: Path | None, name: str | None
) -> Secret:
    from . import launch

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
        else:
            command.out.recovery_words(words.phrase())

    launch.make_node(command.home, passphrase, chosen, show)
    return passphrase


def _run_here(home: Home, secret: Secret | RecoveryWords | None) -> None:
    from . import daemon, logfile

    home.prepare()
    logfile.start(home.log)
    asyncio.run(daemon.run(home, secret))


def _start(
    command: Command,
    passphrase_file: Path | None,
    secret: Secret | RecoveryWords | None,
    *,
    locked: bool,
) -> None:
    """Start the daemon if it doesn't run, unlock it if that is wanted and possible."""
    from . import launch

    asyncio.run(launch.ensure_daemon(command.home))
    status = command.ask(lambda node: node.status())
    if status.locked and not locked:
        known = secret or command.passphrase(passphrase_file)
        if known is not None:
            _unlock(command, known)
            status = command.ask(lambda node: node.status())
    command.out.status(status)


def _unlock(command: Command, secret: Secret | RecoveryWords) -> None:
    if isinstance(secret, Secret):
        passphrase = secret.reveal().decode()
        command.ask(lambda node: node.unlock(passphrase))
    else:
        phrase = secret.phrase()
        command.ask(lambda node: node.unlock(recovery_words=phrase))


@app.command()
def down(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """End the daemon."""
    with _command(context, home, json) as command:
        from . import launch

        asyncio.run(launch.stop_daemon(command.home))
        command.out.done("Ended.")


@app.command()
def status(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show how the node is and who is connected."""
    with _command(context, home, json) as command:
        command.out.status(command.ask(lambda node: node.status()))


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
    with _command(context, home, json) as command:
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
    with _command(context, home, json) as command:
        command.ask(lambda node: node.lock())
        command.out.done("Locked.")


@app.command("id")
def identity(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show who this node is to others."""
    with _command(context, home, json) as command:
        command.out.identity(command.ask(lambda node: node.identity()))


# People.


@app.command()
def pair(
    context: typer.Context,
    code: Annotated[
        str | None, typer.Argument(help="The other side's code or QR text; none shows a code here.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="host:port of the other node, where it is not found.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call the contact.")] = None,
    qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the QR code.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Meet somebody: show a code, or use the one that the other side shows."""
    with _command(context, home, json) as command:

        async def meet(node: Node) -> None:
            from .views import PairingCode

            if code is not None:
                command.out.paired(await node.pair(code, at=at, name=name))
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
    _pass_on(context, home, json)
    _need_command(context)


@contacts_app.command("list")
def contacts_list(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False
) -> None:
    """List the contacts."""
    with _command(context, home, json) as command:
        command.out.contacts(command.ask(lambda node: node.contacts()))


@contacts_app.command()
def verify(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[
        bool, typer.Option("--yes", help="The numbers were compared and agree.")
    ] = False,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the safety number, in person or by phone, and mark the contact as verified."""
    with _command(context, home, json) as command:
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
def rename(
    context: typer.Context,
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(help="The new name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Call a contact something else."""
    with _command(context, home, json) as command:
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
    with _command(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, muted=not off))
        command.out.contact(contact)


@contacts_app.command()
def block(
    context: typer.Context,
    name: NameArgument,
    off: OffOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Treat a contact as a stranger: no connection, nothing in, nothing out."""
    with _command(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, blocked=not off))
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
    with _command(context, home, json) as command:
        contact = command.ask(lambda node: node.update_contact(name, accept=policy))
        command.out.contact(contact)


# Photos.


@app.command()
def share(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with photos.")],
    to: Annotated[list[str], typer.Option("--with", help="A contact; may be given again.")],
    until: Annotated[
        str | None, typer.Option("--until", help="End of the grant: 30d, 12h, or 2026-12-31.")
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="original|no-location|clean",
            help="What leaves with the photo. This version has only original: the file as it is.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay until it is there or can't get there.")
    ] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Share photos with contacts, end to end encrypted."""
    with _command(context, home, json) as command:
        from . import times

        end = None if until is None else times.parse_until(until, int(time.time()))

        async def send(node: Node) -> None:
            with command.out.progress() as bars:
                items = await node.share(
                    paths, to, metadata=metadata, until=end, wait=wait, progress=bars.show
                )
            for item in items:
                command.out.share_item(item)
            if not items:
                raise errors.BadRequestError("there is no photo in those folders")
            if any(item.code is not None for item in items):
                failed.append(True)

        failed: list[bool] = []
        command.ask(send)
        if failed:
            raise typer.Exit(errors.EXIT_FAILED)


@inbox_app.callback()
def inbox(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Photos that were offered to you."""
    with _command(context, home, json) as command:
        if context.invoked_subcommand is None:
            command.out.inbox(command.ask(lambda node: node.inbox()))
        else:
            _pass_on(context, home, json)


@inbox_app.command()
def accept(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch a photo that waits."""
    with _command(context, home, json) as command:
        command.out.inbox_item(command.ask(lambda node: node.accept(photo)))


@inbox_app.command()
def decline(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Decline a photo that waits; its sender is told."""
    with _command(context, home, json) as command:
        command.out.inbox_item(command.ask(lambda node: node.decline(photo)))


@app.command()
def show(
    context: typer.Context,
    photo: IdArgument,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show all about a photo that is here: who signed it, what was checked."""
    with _command(context, home, json) as command:
        command.out.photo(command.ask(lambda node: node.get(photo)))


@app.command()
def export(
    context: typer.Context,
    photo: IdArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")],
    keep_both: Annotated[
        bool, typer.Option("--keep-both", help="Add a number if another file has the name.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write a photo to a folder, byte-exact, with its name and time."""
    with _command(context, home, json) as command:
        exported = command.ask(lambda node: node.export(photo, folder, keep_both=keep_both))
        command.out.exported(exported)


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
    with _command(context, home, json) as command:
        from . import demo as story

        result = asyncio.run(story.run(photos, command.out))
        if not result.ok:
            raise typer.Exit(errors.EXIT_FAILED)


def main() -> None:
    """The console script. What was typed wrong is an error like any other."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        Output(as_json="--json" in sys.argv).error(errors.UsageError(error.format_message()))
        code = errors.EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = errors.EXIT_INTERRUPTED
    sys.exit(code)
