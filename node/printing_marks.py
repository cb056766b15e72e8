"""What is printed of invisible marks; see `printing`."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from . import names
from .exits import from_code
from .printing import Output

if TYPE_CHECKING:
    from .views_marks import MarkedFile, TracedMark


def marked(out: Output, made: MarkedFile) -> None:
    """A marked copy."""
    if out.as_json:
        out.value(made)
        return
    out.say(names.shown(made.copy), style="bold")
    out.say(f"  bears the mark {made.payload}")
    if made.left_out:
        out.say(f"  left out: {', '.join(made.left_out)}")


def traced(out: Output, found: TracedMark) -> None:
    """A mark in a file, or that there is none."""
    if out.as_json:
        value = dataclasses.asdict(found)
        if found.code is None:
            del value["code"]
        out.value(value)
        return
    out.say(names.shown(found.file), style="bold")
    for line in _lines(found):
        out.say(f"  {names.shown(line)}")


def _lines(found: TracedMark) -> list[str]:
    if found.code is not None:
        return [str(from_code(found.code, ""))]
    if found.payload is None:
        return ["no mark can be read: it has none, or not enough is left of it"]
    bound = found.false_claim_bound or 1.0
    lines = [
        f"mark {found.payload}, agreement {found.confidence}",
        f"at most one in {1 / bound:.0e} such pictures without it would be read so",
    ]
    if found.recipient is None:
        return [*lines, "this node set no such mark"]
    if found.receipt is None:
        return [*lines, f"issued to {found.recipient}, who signed no receipt for it"]
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.receipt.time))
    receipt = found.receipt
    return [
        *lines,
        f"issued to {found.recipient}, whose device signed that it has that copy since {day} UTC",
        f"receipt: kinlight receipt {receipt.photo}, device {receipt.device[:16]}",
        "this is evidence for you, and no proof against anybody: marks can be copied",
    ]
