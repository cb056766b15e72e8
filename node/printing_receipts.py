"""What the command about receipts prints; see `printing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import names, times
from .printing import Output

if TYPE_CHECKING:
    from .views_sharing import Receipt

_MEANING: Final = (
    "It says stored and verified there: not that anybody saw it, nor that it still is."
)


def kept(out: Output, found: Sequence[Receipt]) -> None:
    """Receipts that came for what was sent."""
    for receipt in found:
        if out.as_json:
            out.value(receipt)
            continue
        to = names.shown(receipt.to or "somebody")
        name = names.shown(receipt.name or (receipt.photo or "")[:8])
        out.say(f"✓ {name}: device {receipt.device[:16]} of {to} has it", style="green")
        rows = [
            ("since", f"{times.shown(receipt.time)}, by its own clock"),
            ("receipt came", times.shown(receipt.received or 0)),
            ("device", f"{receipt.device} of {receipt.fingerprint}"),
            *_content(receipt),
        ]
        out.table(("", ""), rows)
        if receipt.clock_differs:
            out.say("That clock and ours differ by more than five minutes.", style="yellow")
    if not out.as_json:
        out.say(_MEANING)


def checked(out: Output, receipt: Receipt) -> None:
    """A receipt out of a file."""
    if out.as_json:
        out.value(receipt)
        return
    out.say("✓ A receipt, rightly signed", style="green")
    rows = [
        ("by device", receipt.device),
        ("since", f"{times.shown(receipt.time)}, by its own clock"),
        ("sent by", f"{receipt.sender_fingerprint} ({receipt.sender})"),
        *_content(receipt),
    ]
    out.table(("", ""), rows)
    out.say(f"{_MEANING} Whose device that is, its owner's certificate says.")


def _content(receipt: Receipt) -> list[tuple[str, str]]:
    rows = [("content id", receipt.content_id)]
    if receipt.commitment:
        rows.append(("commitment", receipt.commitment))
    return rows
