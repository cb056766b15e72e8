"""The command line: parses, calls the API, prints. docs/cli.md has the JSON and the exit codes.

Everything heavy is imported where it is used: `kinlight --help` starts in a fraction of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.main
from typer.exceptions import TyperException

from . import (
    cli_access,
    cli_albums,
    cli_archive,
    cli_care,
    cli_contacts,
    cli_devices,
    cli_drops,
    cli_faces,
    cli_guardians,
    cli_holding,
    cli_library,
    cli_marks,
    cli_photos,
    cli_pictures,
    cli_receipts,
    cli_recovery,
    cli_running,
    cli_service,
    cli_siblings,
    cli_space,
    cli_tickets,
    cli_weblinks,
    cli_wide,
    errors,
    exits,
)
from .command import HomeOption, JsonOption, finish, need_command, pass_on, running
from .printing import Output

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="A private photo-sharing node: photos go straight to the people chosen, encrypted.",
)


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


cli_running.add_to(app)
cli_contacts.add_to(app)
cli_tickets.add_to(app)
cli_siblings.add_to(cli_devices.devices_app)
cli_devices.add_to(app)

# Photos.

cli_photos.add_to(app)
cli_weblinks.add_to(app)
cli_receipts.add_to(app)
cli_access.add_to(app)
cli_library.add_to(app)
cli_albums.add_to(app)
cli_pictures.add_to(app)
cli_marks.add_to(app)
cli_faces.add_to(app)
cli_drops.add_to(app)
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
            raise typer.Exit(exits.EXIT_FAILED)


def _usage(error: TyperException) -> str:
    """What was typed wrong, and what says how it is right."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = "kinlight" if context is None else context.command_path
    said = error.format_message().rstrip(".")
    end = "" if said.endswith("?") else "."
    return f"{said}{end} `{command} --help` says how it is used."


@cache
def commands() -> Callable[..., Any]:
    """The tree of all commands, which is most of what a short one takes."""
    return typer.main.get_command(app)


def main() -> None:
    """The console script. What was typed wrong is an error like any other."""
    try:
        code = commands()(prog_name="kinlight", standalone_mode=False)
    except TyperException as error:
        Output(as_json="--json" in sys.argv).error(errors.UsageError(_usage(error)))
        code = exits.EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = exits.EXIT_INTERRUPTED
    sys.exit(code)
