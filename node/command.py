"""What every command of the command line shares: its options, its run, its errors."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from typer.exceptions import TyperException

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from . import errors, exits, names, passphrases
from .home import Home
from .printing import Output

if TYPE_CHECKING:
    from .node import Node

_Result = TypeVar("_Result")

_STDIN_BYTES: Final = 64 * 1024
"""More is no code and no ticket."""
_BEGINS: Final = "kinlight:"
_BLANK_LINES: Final = re.compile(r"\n\s*\n\s*")

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
POLICIES_SHOWN = "original|no-location|clean"
PolicyArgument = Annotated[
    str,
    typer.Argument(
        metavar=POLICIES_SHOWN,
        help="The file as it is; without place; or the picture and its date alone.",
    ),
]
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
                node.check_version()
                return await question(node)

        return finish(run())

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


def finish(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run what is asynchronous to its end."""
    import asyncio  # a tenth of a second, which neither help nor a wrong option needs

    return asyncio.run(work)


@contextlib.contextmanager
def running(context: typer.Context, home: Path | None, json: bool) -> Generator[Command]:
    """Errors become a sentence, or JSON, and an exit code."""
    earlier_home, earlier_json = context.obj or (None, False)
    out = Output(as_json=json or earlier_json)
    try:
        yield Command(home or earlier_home, out)
    except KinlightError as error:
        out.error(error)
        raise typer.Exit(exits.exit_code(error)) from None
    except BrokenPipeError:
        # Whoever reads has enough, as `head` has. Python would complain at its end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(exits.EXIT_FAILED) from None
    except OSError as error:
        # A folder that is gone, a name too long: a fault of this machine, and none of ours.
        what = "this folder" if error.filename is None else names.shown(str(error.filename))
        told = errors.UnreadableFileError(f"{what}, {error.strerror or type(error).__name__}")
        out.error(told)
        raise typer.Exit(exits.exit_code(told)) from None
    except KeyboardInterrupt:
        raise typer.Exit(exits.EXIT_INTERRUPTED) from None


def typed_or_read(text: str) -> str:
    """What was typed; where that is `-`, what stdin holds: nobody else then sees it in the list of
    processes.
    """
    if text != "-":
        return text
    read = sys.stdin.buffer.read(_STDIN_BYTES).decode(errors="replace")
    # As `ticket new` prints it, and as mails have it, it stands between other words.
    paragraphs = _BLANK_LINES.split(read.strip())
    if not paragraphs[0].lower().startswith(_BEGINS):
        return next((each for each in paragraphs if each.lower().startswith(_BEGINS)), read)
    return read


def pass_on(context: typer.Context, home: Path | None, json: bool) -> None:
    """Options of a group of commands, for the command that follows."""
    earlier_home, earlier_json = context.obj or (None, False)
    context.obj = (home or earlier_home, json or earlier_json)


def need_command(context: typer.Context) -> None:
    """Without a command: the help for people, an error for scripts."""
    if context.invoked_subcommand is None:
        if context.obj[1]:
            raise TyperException("Missing command.")
        print(context.get_help())
        raise typer.Exit(exits.EXIT_USAGE)


def means_folder(out: str) -> bool:
    """Whether a path that is written so can only be a folder."""
    return Path(out).name in ("", "..") or out.endswith((os.sep, os.altsep or os.sep))
