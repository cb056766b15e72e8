"""What the commands about files without a library print; see `printing`."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from . import names, sniffing
from .printing import Output

if TYPE_CHECKING:
    from .facts import Facts
    from .loose_files import Inspected
    from .views_library import StrippedFile

FIELDS = (
    *("format", "stored", "upright", "orientation", "frames", "captured", "captured_source"),
    *("camera", "location", "icc", "hidden", "pair", "c2pa", "c2pa_code", "refused", "damaged"),
)
"""Of a line of `inspect --json`, after `file`. Where it was taken is not among them."""
_PLACE: Final = {
    True: "tells its place",
    False: "tells no place",
    None: "not known whether it tells its place",
}


def inspected(out: Output, found: Inspected) -> None:
    """What is in a file."""
    if out.as_json:
        values = {**found.facts.to_value(), "location": _location(found.facts)}
        out.value({"file": found.file, **{name: values[name] for name in FIELDS}})
        return
    facts = found.facts
    out.say(names.shown(found.file), style="bold")
    if not found.readable:
        out.say(f"  {names.shown(facts.refused or '')}", style="red")
        return
    for line in _lines(facts):
        out.say(f"  {names.shown(line)}")


def _location(facts: Facts) -> bool | None:
    """Whether a file tells its place; None where none was seen and not all of it is read here."""
    return facts.location or (False if facts.format in sniffing.READ else None)


def _lines(facts: Facts) -> list[str]:
    lines = [facts.format]
    if facts.stored is not None:
        lines[0] += f", {facts.stored[0]} x {facts.stored[1]}"
    if facts.upright is not None and facts.upright != facts.stored:
        lines[0] += f", upright {facts.upright[0]} x {facts.upright[1]}"
    if (facts.frames or 1) > 1:
        lines[0] += f", {facts.frames} frames"
    if facts.refused is not None:
        lines.append(facts.refused)
    if facts.damaged:
        lines.append("damaged: a part of it is missing or wrong")
    if facts.captured is not None:
        lines.append(f"taken {facts.captured} ({facts.captured_source})")
    lines += [
        f"{title} {value}"
        for title, value in (
            ("camera", facts.camera),
            ("colours", facts.icc),
            ("also in it", ", ".join(facts.hidden) or None),
            ("clip", facts.pair),
        )
        if value is not None
    ]
    lines.append(_PLACE[_location(facts)])
    if facts.c2pa != "none":
        lines.append(f"C2PA {facts.c2pa}" + (f" ({facts.c2pa_code})" if facts.c2pa_code else ""))
    return lines


def stripped(out: Output, copy: StrippedFile) -> None:
    """A copy that was made, or why there is none."""
    if out.as_json:
        out.value(copy)
    elif copy.path is None:
        reason = names.shown(copy.message or copy.code or "")
        out.say(f"✗ {names.shown(copy.file)}: {reason}", style="red")
    else:
        left_out = ", ".join(copy.left_out) or "nothing"
        how = " (was there already)" if copy.already else ""
        line = f"{copy.file} -> {copy.path}{how}. Left out: {left_out}."
        endings = sniffing.SUFFIXES.get(copy.format or "")
        if endings is not None and PurePath(copy.path).suffix.lower() not in endings:
            line += f" It is a {copy.format} file, which its name does not say."
        out.say(names.shown(line))
