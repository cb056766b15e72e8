"""The commands `up`, `down`, `clock`, `unlock`, `lock` and `id`."""

from __future__ import annotations

import contextlib
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from . import (
    cli_care,
    errors,
    names,
    passphrases,
)
from .command import (
    Command,
    HomeOption,
    JsonOption,
    PassphraseFile,
    finish,
    running,
)
from .home import Home

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line, in the order of its help."""
    app.command()(up)
    app.command()(down)
    cli_care.add_status_to(app)
    app.command()(clock)
    app.command()(unlock)
    app.command()(lock)
    app.command("id")(identity)


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


def down(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """End the daemon."""
    with running(context, home, json) as command:
        from . import launch

        finish(launch.stop_daemon(command.home))
        command.out.done("Ended.")


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


def lock(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Forget the keys and end all connections; the daemon stays."""
    with running(context, home, json) as command:
        command.ask(lambda node: node.lock())
        command.out.done("Locked.")


def identity(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show who this node is to others."""
    with running(context, home, json) as command:
        command.out.identity(command.ask(lambda node: node.identity()))
