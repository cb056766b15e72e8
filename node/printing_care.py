"""What the commands about the node's own health print; see `printing`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Final

from . import names
from .printing import Output
from .printing_status import clock_line, connection_line, status_lines

if TYPE_CHECKING:
    from .views import DoctorProgress, Finding, ServiceState, Status

_KINDS: Final = {
    "database": "the library is damaged",
    "dangling-rows": "rows of the library point at nothing",
    "blob-missing": "its sealed file is gone",
    "blob-length": "its sealed file has the wrong length",
    "blob-pieces": "its sealed file is damaged",
    "blob-unreadable": "its sealed file can't be read",
    "stray-file": "a file that nothing names",
    "partial-file": "part of a photo that is not on its way",
    "mode": "other users may open it",
    "owner": "it belongs to another user",
    "disk": "the disk is almost full",
}
_STYLES: Final = {"repaired": "green", "waiting": "yellow", "lost": "red"}


@contextlib.contextmanager
def doctor_progress(out: Output) -> Generator[Callable[[DoctorProgress], None]]:
    """One bar for the whole examination while the block runs."""
    with out.bars() as bars:
        task = bars.add_task("looking through the home", total=None)

        def show(step: DoctorProgress) -> None:
            bars.update(task, completed=step.done, total=step.total)

        yield show


def findings(out: Output, found: Sequence[Finding]) -> None:
    """What the doctor found."""
    for finding in found:
        if out.as_json:
            out.value(finding)
        else:
            _finding(out, finding)
    if not found and not out.as_json:
        out.say("Nothing is wrong.")


def _finding(out: Output, finding: Finding) -> None:
    what = finding.file or ""
    if finding.photo is not None:
        what = f"{finding.photo[:8]} {names.shown(finding.name or '')}".rstrip()
    told = f"{names.shown(what)}: " if what else ""
    line = f"{finding.severity}: {told}{_KINDS[finding.kind]}. {names.shown(finding.remedy)}"
    out.say(line, style=_STYLES.get(finding.state, ""))


@contextlib.contextmanager
def watched_status(out: Output) -> Generator[Callable[[Status], None]]:
    """Shows how the node is, as it changes: in place on a terminal, else what changed."""
    if sys.stdout.isatty() and not out.as_json:
        with _drawn() as draw:
            yield draw
        return
    before: Status | None = None

    def tell(status: Status) -> None:
        nonlocal before
        if before is not None and _lasting(status) == _lasting(before):
            return
        if out.as_json or before is None:
            out.status(status)
        else:
            for line in _changes(before, status):
                out.say(line)
        before = status

    yield tell


@contextlib.contextmanager
def _drawn() -> Generator[Callable[[Status], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False) as live:

        def draw(status: Status) -> None:
            lines = [Text(text, style) for text, style in status_lines(status)]
            live.update(Text("\n").join(lines), refresh=True)

        yield draw


def _lasting(status: Status) -> tuple[Status, int | None]:
    """All but the time, which is another each second, and whether that looks wrong; and but when
    those who are absent were looked for, which comes again and again.
    """
    clock = status.clock
    absent = [dataclasses.replace(each, tried=None) for each in status.absent]
    lasting = dataclasses.replace(status, clock=None, absent=absent)
    return lasting, None if clock is None else clock.witnessed


def _changes(before: Status, now: Status) -> list[str]:
    """What is another than before, a line each."""
    lines: list[str] = []
    if now.locked != before.locked:
        lines.append("locked" if now.locked else f"unlocked as {names.shown(now.name or '')}")
    if (now.discovery, now.discovery_reason) != (before.discovery, before.discovery_reason):
        lines.append(f"discovery: {now.discovery or 'off'}")
    if now.clock is not None and _lasting(now)[1] not in (None, _lasting(before)[1]):
        lines.append(clock_line(now.clock)[0])
    if now.nodes_seen != before.nodes_seen:
        lines.append(f"nodes in sight: {now.nodes_seen}")
    if now.sandbox != before.sandbox:
        lines.append(f"sandbox: {now.sandbox or 'off'}")
    at = now.clock.now if now.clock is not None else 0
    for word, some, others in (
        ("connected", now, before),
        ("disconnected", before, now),
    ):
        lines += [
            f"{word}: {connection_line(each, at)}"
            for each in some.connections
            if each not in others.connections
        ]
    return lines


def service(out: Output, state: ServiceState) -> None:
    """How the node stands as a service, and what to type next."""
    if out.as_json:
        out.value(state)
        return
    if not state.installed:
        out.say(f"The node in {names.shown(state.home)} is not installed as a service.")
        if state.other:
            out.say(f"Another service has its place: {names.shown(state.other)}.")
        return
    out.say(
        f"The node in {names.shown(state.home)} is installed as a service, by"
        f" {names.shown(state.file)}."
    )
    if not state.current:
        out.say(
            "It is not what this version would write: `kinlight service install` writes it again.",
            style="yellow",
        )
    elif state.system == "systemd" and not state.confined:
        out.say(
            "This system gives services of users no view of the files of their own, so that part of"
            " the confinement is left out.",
            style="yellow",
        )
    out.say("It starts at login." if state.enabled else "It does not start at login yet.")
    if state.running:
        out.say("It runs now. It starts locked: `kinlight unlock` opens the keys.")
    elif state.running is None:
        out.say(
            f"{state.system} does not answer here, so it was not started. Type this where you log"
            " in:"
        )
    else:
        out.say("It does not run now. To start it, type:")
    for line in state.start_with:
        out.say(f"    {line}", style="bold")
