"""The commands that write a whole library into a file, and make a node from one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import passphrases, printing_archive
from .command import Command, HomeOption, JsonOption, PassphraseFile, finish, running
from .errors import BadWordsFileError, PassphraseNeededError

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords
    from .node import Node
    from .views_archive import Archived

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup file.")]
WordsOption = Annotated[
    bool, typer.Option("--words", help="Ask for the 24 recovery words in place of the pass phrase.")
]
WordsFile = Annotated[
    Path | None, typer.Option("--recovery-words-file", help="File with the 24 words.")
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    file: FileArgument,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check one that was written, to its last byte; no daemon."),
    ] = False,
    passphrase_file: PassphraseFile = None,
    words: WordsOption = False,
    recovery_words_file: WordsFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the whole library into one sealed file: photos, albums, contacts, settings, keys.

    Your pass phrase as it is now, or your 24 recovery words, open it with `kinlight restore`.
    """
    with running(context, home, json) as command:
        if verify:
            given = _words(command, words=words, file=recovery_words_file)
            phrase = None if given is not None else _passphrase(command, passphrase_file)
            found = _verified(command, file, phrase, given)
            printing_archive.verified(command.out, found)
            return

        async def write(node: Node) -> Archived:
            with printing_archive.progress(command.out, "backing up") as show:
                return await node.backup(file, progress=show)

        printing_archive.written(command.out, command.ask(write))


def restore(
    context: typer.Context,
    file: FileArgument,
    passphrase_file: PassphraseFile = None,
    words: WordsOption = False,
    recovery_words_file: WordsFile = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a node from a backup file, in a home where there is none.

    It is a new device of your identity, so the old machine may go on. With the recovery words its
    pass phrase is a new one; without them it is that of the backup.
    """
    with running(context, home, json) as command:
        from .node import Node

        given = _words(command, words=words, file=recovery_words_file)
        phrase = _passphrase(command, passphrase_file, new=given is not None)
        with printing_archive.progress(command.out, "restoring") as show:
            made = finish(
                Node.restore_backup(
                    file,
                    command.home.path,
                    passphrase=phrase,
                    recovery_words=None if given is None else given.phrase(),
                    progress=show,
                )
            )
        printing_archive.restored(command.out, made)


def _verified(
    command: Command, file: Path, phrase: str | None, words: RecoveryWords | None
) -> Archived:
    from .node import Node

    with printing_archive.progress(command.out, "checking") as show:
        return finish(
            Node.verify_backup(
                file,
                passphrase=phrase,
                recovery_words=None if words is None else words.phrase(),
                progress=show,
            )
        )


def _words(command: Command, *, words: bool, file: Path | None) -> RecoveryWords | None:
    from . import asking_words

    if file is not None:
        return asking_words.parsed(passphrases.text_of_words(file))
    if not words:
        return None
    if not command.interactive:
        raise BadWordsFileError("without a terminal `--recovery-words-file` names it")
    return asking_words.typed(command.out.say)


def _passphrase(command: Command, file: Path | None, *, new: bool = False) -> str:
    passphrase = command.passphrase(file, new=new)
    if passphrase is None:
        raise PassphraseNeededError
    return passphrase.reveal().decode()
