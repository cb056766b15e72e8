"""The commands about guardians: contacts who keep a share of the recovery words each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import passphrases, printing_guardians
from .command import HomeOption, JsonOption, NameArgument, need_command, pass_on, running
from .errors import BadRequestError, BadWordsFileError

_app = typer.Typer(help="Contacts who keep a share of your recovery words each.")


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(_app, name="guardians", invoke_without_command=True)


@_app.callback()
def guardians(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Contacts who keep a share of your recovery words each."""
    pass_on(context, home, json)
    need_command(context)


@_app.command()
def split(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The guardians.")],
    need: Annotated[int, typer.Option("--need", help="How many shares make the words again.")],
    of: Annotated[
        int | None, typer.Option("--of", help="How many guardians there are, to be sure.")
    ] = None,
    recovery_words_file: Annotated[
        Path | None,
        typer.Option(
            "--recovery-words-file", help="File with the 24 words. Default: they are asked for."
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give each of some contacts a share of your 24 words; a few of them together can restore you.

    Whoever has that many shares has your words. One fewer tells nothing.
    """
    with running(context, home, json) as command:
        from . import asking_words

        if of is not None and of != len(names):
            raise BadRequestError(f"--of says {of}, and {len(names)} are named")
        command.ask(lambda node: node.guardians())  # before anybody types words for nothing
        if recovery_words_file is not None:
            words = asking_words.parsed(passphrases.text_of_words(recovery_words_file))
        elif command.interactive:
            words = asking_words.typed(command.out.say)
        else:
            raise BadWordsFileError("without a terminal `--recovery-words-file` names it")
        phrase = words.phrase()
        found = command.ask(lambda node: node.split_words(phrase, names, need=need))
        printing_guardians.listed(command.out, found)


@_app.command("list")
def guardians_list(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False
) -> None:
    """List who has a share of your words, and for whom you keep one."""
    with running(context, home, json) as command:
        printing_guardians.listed(command.out, command.ask(lambda node: node.guardians()))


@_app.command()
def reveal(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[
        bool, typer.Option("--yes", help="They asked you themselves, and you know it is them.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show the share that you keep for a contact, to read it out to them.

    Be sure that it is them who ask: in person, or by a call in which you know them.
    """
    with running(context, home, json) as command:
        agreed = yes or (
            command.interactive
            and typer.confirm("Are you sure that it is they themselves who ask?", err=True)
        )
        if not agreed:
            raise BadRequestError("`--yes` says that they asked you themselves")
        printing_guardians.revealed(command.out, command.ask(lambda node: node.reveal_share(name)))
