"""What `contacts show` prints; see `printing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import names, times
from .doubt_reasons import REASONS
from .printing import Output

if TYPE_CHECKING:
    from .views_contacts import Contact

_SEEN: Final = {
    "secret": "Somebody who has the secret that you two share showed another key",
    "name": "Somebody new with the same name has another key",
    "fork": "A device of theirs said two things that can't both be true",
}


def shown(out: Output, contact: Contact) -> None:
    """One contact, and what is in doubt about it."""
    if out.as_json:
        out.value(contact)
        return
    for line, style in lines(contact):
        out.say(line, style=style)


def lines(contact: Contact) -> list[tuple[str, str]]:
    """The same as lines, each with its style."""
    verified = "verified" if contact.verified else "not verified"
    found = [
        (
            f"{names.shown(contact.name)}, {verified}, met {times.shown(contact.added)}",
            "",
        ),
        (f"  key            {contact.fingerprint}", ""),
        (f"  safety number  {contact.safety_number}", ""),
    ]
    if contact.doubt is None:
        return found
    seen = f"{_SEEN[contact.doubt]}, since {times.shown(contact.doubt_since or 0)}:"
    found += [(seen, "red"), (f"  {contact.doubt_seen}", "red")]
    found.append(("Nothing goes to them or comes from them. One of three things is behind it:", ""))
    found += [(f"  {number}. {reason};", "") for number, reason in enumerate(REASONS, 1)]
    what = (
        "Ask them, in person or by phone, and compare the safety number:"
        f" `kinlight contacts verify {names.shown(contact.name)}`."
    )
    found.append((what, "yellow"))
    if contact.doubt_proof:
        found.append(("Both statements are signed: `--json` has them, as proof for anybody.", ""))
    return found
