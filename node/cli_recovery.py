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
    from .views import Identity
    from .views_recovery import Recovery


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
    guardians: Annotated[
        bool,
        typer.Option("--guardians", help="In place of the words: ask for shares of guardians."),
    ] = False,
    share_file: Annotated[
        list[Path] | None,
        typer.Option(help="File with a guardian's share; may be given again."),
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
        if (guardians or share_file) and command.home.exists and not (again or check_words):
            raise errors.HomeExistsError("`--again` brings back into it what it lacks")
        collected = _collected(command, share_file or [], asked=guardians)
        if collected is not None and (recovery_words_file or status or stop):
            raise BadRequestError("shares stand for the words")
        others = recovery_words_file or name or passphrase_file or again or without
        if (status or stop) and (others or (status and stop)):
            raise BadRequestError("--status and --stop go alone")
        if check_words:
            if name or passphrase_file or again or without or status or stop:
                raise BadRequestError("--check-words goes alone")
            phrase = (collected or _words(command, recovery_words_file)).phrase()
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
            words = collected or _words(command, recovery_words_file)
            begun = _begin(command, words, without or [])[1]
            printing_recovery.standing(command.out, begun)
        else:
            _new_device(
                command, recovery_words_file, passphrase_file, name, without or [], collected
            )


def _collected(command: Command, files: list[Path], *, asked: bool) -> RecoveryWords | None:
    """The words that shares make, of files or as they are typed; None if nobody wants that."""
    if not files and not asked:
        return None
    from ..crypto import guardians
    from . import asking_shares

    if files:
        return guardians.combine(
            guardians.Share.parse(passphrases.text_of_words(file)) for file in files
        )
    if not command.interactive:
        raise errors.BadWordsFileError("without a terminal `--share-file` names each share")
    return asking_shares.typed(command.out.say)


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
    collected: RecoveryWords | None,
) -> None:
    from . import launch

    if command.home.exists:
        raise errors.HomeExistsError("`kinlight recover --again` brings back into it what it lacks")
    words = collected or _words(command, words_file)
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
