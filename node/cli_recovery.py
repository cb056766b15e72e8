"""The command that gets everything back from the 24 words."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import errors, names, passphrases, printing_recovery
from .command import Command, HomeOption, JsonOption, PassphraseFile, finish, running
from .errors import BadRequestError

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords
    from .node import Node
    from .views import Identity, Recovery


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    app.command()(recover)


def recover(
    context: typer.Context,
    recovery_words_file: Annotated[
        Path | None,
        typer.Option(
            "--recovery-words-file", help="File with the 24 words. Default: they are asked for."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What others see when pairing.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    again: Annotated[
        bool, typer.Option("--again", help="Into the node that is here: what is new is added.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE", help="Leave out entries of a stolen device; may be given again."
        ),
    ] = None,
    check_words: Annotated[
        bool,
        typer.Option("--check-words", help="See that the words on paper are those of this node."),
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far it is; change nothing.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Ask for nothing more; forget the words' key.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a node from the 24 recovery words, and get back what contacts keep of yours.

    It is a new device of the same identity. Pair with who keeps your backup, and it comes.
    """
    with running(context, home, json) as command:
        others = recovery_words_file or name or passphrase_file or again or without
        if (status or stop) and (others or (status and stop)):
            raise BadRequestError("--status and --stop go alone")
        if check_words:
            if name or passphrase_file or again or without or status or stop:
                raise BadRequestError("--check-words goes alone")
            phrase = _words(command, recovery_words_file).phrase()
            found = command.ask(lambda node: node.check_words(phrase))
            printing_recovery.ready(command.out, found)
        elif status:
            printing_recovery.standing(command.out, command.ask(lambda node: node.recovery()))
        elif stop:
            ended = command.ask(lambda node: node.stop_recovering())
            printing_recovery.standing(command.out, ended)
        elif again:
            if name is not None or passphrase_file is not None:
                raise BadRequestError("--name and --passphrase-file are for a new node")
            command.ask(lambda node: node.recovery())  # before anybody types words for nothing
            words = _words(command, recovery_words_file)
            begun = _begin(command, words, without or [])[1]
            printing_recovery.standing(command.out, begun)
        else:
            _new_device(command, recovery_words_file, passphrase_file, name, without or [])


def _words(command: Command, file: Path | None) -> RecoveryWords:
    """Those of a file, else as they are typed."""
    from . import asking_words

    if file is not None:
        return asking_words.parsed(passphrases.text_of_words(file))
    if not command.interactive:
        raise errors.BadWordsFileError("without a terminal `--recovery-words-file` names it")
    return asking_words.typed(command.out.say)


def _new_device(
    command: Command,
    words_file: Path | None,
    passphrase_file: Path | None,
    name: str | None,
    without: list[str],
) -> None:
    from . import launch

    if command.home.exists:
        raise errors.HomeExistsError("`kinlight recover --again` brings back into it what it lacks")
    words = _words(command, words_file)
    passphrase = command.passphrase(passphrase_file, new=True)
    if passphrase is None:
        raise errors.PassphraseNeededError
    chosen = names.contact_name(name or getpass.getuser())
    launch.remake_node(command.home, words, passphrase, chosen)
    finish(launch.ensure_daemon(command.home))
    phrase = passphrase.reveal().decode()
    command.ask(lambda node: node.unlock(phrase))
    identity, found = _begin(command, words, without)
    printing_recovery.begun(command.out, identity, found)


def _begin(command: Command, words: RecoveryWords, without: list[str]) -> tuple[Identity, Recovery]:
    phrase = words.phrase()

    async def begin(node: Node) -> tuple[Identity, Recovery]:
        found = await node.recover(phrase, without=without)
        return await node.identity(), found

    return command.ask(begin)
