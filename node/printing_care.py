"""What the commands about the node's own health print; see `printing`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Final

from . import names
from .printing import Output

if TYPE_CHECKING:
    from .views import DoctorProgress, Finding

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
