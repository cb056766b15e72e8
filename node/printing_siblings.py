"""What the commands about what devices have in common print; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .printing import Output, size

if TYPE_CHECKING:
    from .views_siblings import AwayPhoto, DeviceKeeping, TrashedPhoto

_ID_DIGITS: Final = 8
_KEPT: Final = {
    "originals": "Originals of all photos are kept here",
    "previews": "Of photos that another device keeps there are previews here",
    "nothing": "Photos that another device keeps are not kept here",
}


def kept(out: Output, found: DeviceKeeping) -> None:
    """What is kept on this device."""
    if out.as_json:
        out.value(found)
        return
    room = f", in {size(found.space)}" if found.space is not None else ""
    out.say(f"{_KEPT[found.keep]}{room}.")
    if found.pinned:
        out.say(f"Pinned: {found.pinned}.")
    if found.coming:
        out.say(f"Still to come from other devices: {found.coming}.", style="yellow")
    if found.away:
        out.say(f"With other devices alone: {found.away}; `kinlight device photos` lists them.")


def away(out: Output, photos: Sequence[AwayPhoto]) -> None:
    """Photos whose originals are elsewhere."""
    if out.as_json:
        for each in photos:
            out.value(each)
        return
    if not photos:
        out.say("All originals are here.")
    for each in photos:
        what = "coming" if each.coming else "preview" if each.preview else "elsewhere"
        name = "" if each.name is None else names.shown(each.name)
        length = "" if each.bytes is None else size(each.bytes)
        out.say(
            f"{each.id[:_ID_DIGITS]}  {what:<9}  {length:>9}  {times.shown(each.added)}  {name}"
        )


def removed(out: Output, photos: Sequence[TrashedPhoto]) -> None:
    """Photos that were removed on another device."""
    if out.as_json:
        for each in photos:
            out.value(each)
        return
    if not photos:
        out.say("Nothing that another device removed lies here.")
    for each in photos:
        until = f"until {times.shown(each.until)}"
        out.say(f"{each.id[:_ID_DIGITS]}  {size(each.bytes):>9}  {until}  {names.shown(each.name)}")


def back(out: Output, photos: Sequence[str]) -> None:
    """Photos are here again."""
    if out.as_json:
        out.value({"photos": photos})
        return
    out.say(f"Back on all your devices: {', '.join(each[:_ID_DIGITS] for each in photos)}.")
