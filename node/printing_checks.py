"""What is printed of verdicts; see `printing`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from . import names
from .exits import from_code
from .printing import Output
from .verdicts import verdict_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress as Bars

    from .views_checks import CheckedFile, Verdict


def checked(out: Output, found: CheckedFile, *, with_map: bool = False) -> None:
    """The verdict on a file; `with_map` where a map was asked for."""
    if out.as_json:
        verdict = dataclasses.asdict(found.verdict)
        del verdict["checked"]  # now
        out.value({"file": found.file, **verdict, "map": found.map, "code": found.code})
        return
    out.say(names.shown(found.file), style="bold")
    if found.code in ("picture-refused", "unreadable"):
        out.say(f"  {names.shown(found.verdict.reason)}", style="red")
        return
    for line in verdict_lines(found.verdict):
        out.say(f"  {names.shown(line)}")
    if found.map is not None:
        out.say(f"  map: {names.shown(found.map)}")
    elif found.code is not None:
        why = names.shown(str(from_code(found.code, "")))
        out.say(f"  the map was not written: {why}", style="red")
    elif with_map:
        out.say("  no map: the network was not asked")


def verdict(out: Output, found: Verdict) -> None:
    """The verdict on a photo of the library."""
    if out.as_json:
        out.value(found)
        return
    for line in verdict_lines(found):
        out.say(names.shown(line))


class Progress:
    """Which file is looked at, and how many there are."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._all = bars.add_task("looking for pictures", total=None)

    def begins(self, file: Path, number: int, count: int) -> None:
        """To be called when a file's turn has come."""
        what = f"checking {names.shown(file.name)}, {number + 1} of {count}"
        self._bars.update(self._all, description=what, completed=number, total=count)
