"""What the commands about backup files print; see `printing`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from . import names, times
from .printing import Output, size

if TYPE_CHECKING:
    from .views_archive import Archived, ArchiveProgress, Restored


@contextlib.contextmanager
def progress(out: Output, what: str) -> Generator[Callable[[ArchiveProgress], None]]:
    """One bar for all of it while the block runs."""
    with out.bars() as bars:
        task = bars.add_task(what, total=None)

        def show(step: ArchiveProgress) -> None:
            bars.update(task, completed=step.done, total=step.total)

        yield show


def written(out: Output, found: Archived) -> None:
    """That a file was written, and what to do with it."""
    if out.as_json:
        out.value(found)
        return
    out.say(
        f"{found.photos} photos and all that belongs to them are in {names.shown(found.file)}"
        f" ({size(found.size)}).",
        style="green",
    )
    _missing(out, found.missing)
    out.say(
        "Your pass phrase as it is now, or your recovery words, open it. Keep it on another disk;"
        " `kinlight backup --verify` checks it there, `kinlight restore` makes a node of it."
    )


def verified(out: Output, found: Archived) -> None:
    """That a file is whole."""
    if out.as_json:
        out.value(found)
        return
    out.say(
        f"It is whole: {found.photos} photos as they were on {times.shown(found.time)}"
        f" ({size(found.size)}).",
        style="green",
    )
    _missing(out, found.missing)


def restored(out: Output, made: Restored) -> None:
    """What came back, and what is to be known of it."""
    if out.as_json:
        out.value(made)
        return
    out.say(
        f"{made.photos} photos and {made.contacts} contacts are back, as they were on"
        f" {times.shown(made.time)}. This is a new device of your identity:",
        style="green",
    )
    out.say(f"   {made.fingerprint}", style="bold")
    _missing(out, made.missing)
    if made.certified_by == "device":
        out.say(
            "The device that was backed up certified this one, as the recovery words were not"
            " given. If that device was stolen, restore with `--words`."
        )
    if made.waiting:
        out.say(
            f"{_counted(made.waiting, 'shared album')} can take this device in only when it meets"
            " one of the admins; until then it adds nothing there."
        )
    if made.undelivered:
        out.say(
            f"Still on their way at that time: {_counted(made.undelivered, 'photo')}."
            " Share again what did not come."
        )
    out.say("`kinlight up` starts it.")


def _missing(out: Output, count: int) -> None:
    if count:
        out.say(
            f"{count} sealed files were damaged or gone in the home, and are not in it."
            " `kinlight doctor --repair` says what can be done.",
            style="yellow",
        )


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"
