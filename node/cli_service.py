"""The commands about the node as a service that the system starts at login."""

from __future__ import annotations

import typer

from . import exits, printing_care
from .command import HomeOption, JsonOption, finish, need_command, pass_on, running

service_app = typer.Typer(
    invoke_without_command=True, help="The node as a service, which starts, locked, at login."
)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(service_app, name="service")


@service_app.callback()
def service(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The node as a service, which starts, locked, at login."""
    pass_on(context, home, json)
    need_command(context)


@service_app.command()
def install(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Have the system start the node now and at each login; typed again, it changes nothing."""
    with running(context, home, json) as command:
        from . import launch
        from .service import Service

        state = Service.of(command.home).install()
        if state.running:
            finish(launch.until_answers(command.home))  # so that `unlock` may follow
        printing_care.service(command.out, state)


@service_app.command()
def remove(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """End the service and remove its file; the node itself stays."""
    with running(context, home, json) as command:
        from .service import Service

        printing_care.service(command.out, Service.of(command.home).remove())


@service_app.command()
def status(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show whether the service is installed, starts at login, and runs; 1 if it is not in order."""
    with running(context, home, json) as command:
        from .service import Service

        state = Service.of(command.home).state()
        printing_care.service(command.out, state)
        if not (state.current and state.enabled):
            raise typer.Exit(exits.EXIT_FAILED)
