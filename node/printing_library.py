"""What the commands about the library print; see `printing`."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .facts import A_CLIP
from .printing import Output, size

if TYPE_CHECKING:
    from .views_library import (
        Album,
        Folder,
        ImportItem,
        ImportProgress,
        LibraryItem,
        PhotoDetails,
        RemovedPhoto,
    )

_LEAVES: Final = {
    "original": "the files as they are, with place, time and camera if they tell them.",
    "no-location": "the pictures, time and camera. Left out: the place.",
    "clean": "the pictures and their time. Left out: all else.",
}


@contextlib.contextmanager
def import_progress(out: Output) -> Generator[Callable[[ImportProgress], None]]:
    """One bar for the whole import while the block runs."""
    with out.bars() as bars:
        task = bars.add_task("looking for photos", total=None)

        def show(step: ImportProgress) -> None:
            more = " or more" if step.counting else ""
            what = f"{step.done} of {step.total}{more} files, {size(step.bytes)}"
            total = None if step.counting else step.total
            bars.update(task, description=what, completed=step.done, total=total)

        yield show


def import_item(out: Output, item: ImportItem) -> None:
    """A file that was or was not imported; people read only of what went otherwise than well."""
    if out.as_json:
        out.value(item)
        return
    name = names.shown(item.name)
    if item.state == "failed":
        out.say(f"✗ {name}: {names.shown(item.message or item.code or '')}", style="red")
    elif item.refused not in (None, A_CLIP):
        out.say(f"! {name}: kept as it is, but can't be shown: {names.shown(item.refused)}")


def import_sum(out: Output, items: Sequence[ImportItem]) -> None:
    """What an import came to, for people."""
    counts = Counter(item.state for item in items)
    words = [
        f"{counts[state]} {said}"
        for state, said in (
            ("imported", "imported"),
            ("present", "here already"),
            ("unchanged", "unchanged since their import"),
            ("failed", "failed"),
        )
        if counts[state]
    ]
    if not out.as_json and words:
        out.say(", ".join(words) + ".")


def library(out: Output, items: Sequence[LibraryItem], *, asked: bool) -> None:
    """Photos that were found; `asked` says that not simply all were looked for."""
    if out.as_json:
        for item in items:
            out.value(item)
        return
    if not items:
        empty = "The library is empty. `kinlight import` takes photos into it."
        out.say("No photo fits." if asked else empty)
        return
    rows = [
        (
            item.id[:8],
            names.shown(item.name) + (" + clip" if item.clip else "") + _ended(item),
            (item.captured or "")[:16].replace("T", " ") or f"({times.shown(item.modified)})",
            names.shown(item.camera or ""),
            f"{item.width}x{item.height}" if item.width else "",
            ", ".join(names.shown(album) for album in item.albums),
            ", ".join(names.shown(person) for person in item.people),
        )
        for item in items
    ]
    out.table(("id", "name", "captured", "camera", "size", "albums", "people"), rows)


def _ended(item: LibraryItem) -> str:
    """Why it is not to be seen any more."""
    return "" if item.ended is None else f" ({item.ended})"


def tagged(out: Output, items: Sequence[LibraryItem]) -> None:
    """What is said of photos now."""
    for item in items:
        if out.as_json:
            out.value(item)
            continue
        words = ", ".join(names.shown(tag) for tag in item.tags) or "no words"
        out.say(f"{item.id[:8]}  {names.shown(item.name)}: {words}; sensitivity {item.sensitivity}")


def _listed(people: Sequence[str]) -> str:
    return ", ".join(names.shown(name) for name in dict.fromkeys(people))


def to_remove(out: Output, photos: Sequence[PhotoDetails]) -> None:
    """What somebody is about to remove."""
    for photo in photos:
        clip = " + clip" if photo.clip else ""
        out.say(f"{photo.id[:8]}  {names.shown(photo.name)}{clip}, {size(photo.bytes)}")
        unsigned = [
            delivery.to
            for delivery in photo.deliveries
            if delivery.state == "delivered" and delivery.receipt is None
        ]
        if unsigned:
            out.say(f"  {_listed(unsigned)} got it and signed no receipt.", style="yellow")


def removed(out: Output, photo: RemovedPhoto) -> None:
    """A photo that was removed, and what stays of it."""
    if out.as_json:
        out.value(photo)
        return
    people = _listed(photo.people)
    stays = f" What {people} got of it stays there." if people else ""
    out.say(f"{names.shown(photo.name)}: removed.{stays}")


def albums(out: Output, found: Sequence[Album]) -> None:
    """The albums."""
    if out.as_json:
        for album in found:
            out.value(album)
        return
    if not found:
        out.say(
            "No albums in your library yet. `kinlight import DIR` makes one of each folder."
            " `kinlight album list` shows those that you keep with others."
        )
        return
    rows = [
        (names.shown(album.name), f"{album.photos}", times.shown(album.created)) for album in found
    ]
    out.table(("album", "photos", "made"), rows)


def folders(out: Output, found: Sequence[Folder], kind: str) -> None:
    """The folders of a kind that are kept up."""
    shown = [folder for folder in found if folder.kind == kind]
    for each in shown:
        folder(out, each)
    if not shown and not out.as_json:
        out.say(f"There is none. `kinlight {kind} --help` says how to make one.")


def folder(out: Output, kept: Folder) -> None:
    """A folder that is kept up, or was."""
    if out.as_json:
        out.value(kept)
        return
    if kept.kind == "mirror":
        what = f"gets what is in {names.shown(kept.album or '')}"
        if kept.contact is not None:
            what = f"gets what comes from {names.shown(kept.contact)}"
    else:
        what = f"goes into {names.shown(kept.album or 'albums named like its folders')}"
        if kept.to:
            what += " and to " + ", ".join(names.shown(name) for name in kept.to)
    out.say(f"{names.shown(kept.path)}: {what}; {kept.state}, {kept.photos} photos so far")
    if kept.message is not None:
        out.say(f"  {names.shown(kept.message)}", style="red")


def watched(out: Output, begun: Folder, leaves: Mapping[str, str]) -> None:
    """A watch that was begun: what it takes at once, and by contact's policy what leaves."""
    folder(out, begun)
    if out.as_json:
        return
    count = (
        f"{begun.there} photo or clip" if begun.there == 1 else f"{begun.there} photos and clips"
    )
    what = "imported and shared" if begun.to else "imported"
    out.say(f"  {count} in it now: what lies there is {what}, and so is what comes.")
    for name, policy in leaves.items():
        out.say(f"  For {names.shown(name)} leaves: {_LEAVES[policy]}")
    if leaves:
        out.say("  `kinlight watch --off DIR` ends it.")
