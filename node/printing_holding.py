"""What the command about holding prints; see `printing`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import names, times
from .printing import Output, size

if TYPE_CHECKING:
    from .views_contacts import Contact
    from .views_holding import HeldFor, Holding


def started(out: Output, found: Holding) -> None:
    """That it holds, and what that means."""
    if out.as_json:
        out.value(found)
        return
    out.say(_terms(found))
    out.say(
        "You see who leaves something, for whom, when, and how large it is. You can't see photos,"
        " their names, albums, or who may see what; nor can who takes your disk."
    )
    out.say(
        "Each contact decides whether you hold for them: `kinlight contacts let-hold` there, with"
        " your name. What they have fetched is removed here."
    )
    backed = [contact.name for contact in found.contacts if contact.backup]
    if backed:
        out.say(f"{_listed(backed)} may keep things here without end.")


def let(out: Output, contact: Contact) -> None:
    """Whether a contact holds for this node now, and what that means."""
    out.contact(contact)
    if contact.holder == "chosen" and not contact.blocked and not out.as_json:
        name = names.shown(contact.name)
        out.say(
            f"What others send you while you are away is held by {name}, sealed."
            f" {name} learns who sends you something, how much and when."
        )


def stopped(out: Output, found: Holding, who: Sequence[str], *, dropped: bool) -> None:
    """That it holds no longer, and what is left."""
    if out.as_json:
        out.value(found)
        return
    out.say(f"You hold nothing new for {_listed(who) if who else 'anybody'}.")
    if dropped:
        out.say("What was held is removed. Who left it still has it, and offers it all the same.")
        return
    left = [contact for contact in found.contacts if contact.items and not contact.holds]
    if left:
        named = "".join(f" --for {shlex.quote(names.shown(name))}" for name in who)
        out.say(
            f"What is here stays until it is fetched or its time is over:"
            f" {_items(sum(contact.items for contact in left))},"
            f" {size(sum(contact.bytes for contact in left))},"
            f" for {_listed([contact.name for contact in left])}."
            f" `kinlight hold --off{named} --drop` removes it now."
        )


def holding(out: Output, found: Holding) -> None:
    """What is held, by contact."""
    if out.as_json:
        out.value(found)
        return
    out.say(_terms(found))
    if not found.contacts:
        return
    rows = [
        (
            names.shown(contact.name),
            _state(contact),
            str(contact.items),
            size(contact.bytes),
            "" if contact.oldest is None else times.shown(contact.oldest),
            f"{contact.left_items}, {size(contact.left_bytes)}" if contact.left_items else "",
        )
        for contact in found.contacts
    ]
    out.table(("contact", "you hold", "items", "size", "oldest", "left here for others"), rows)


def _state(contact: HeldFor) -> str:
    if contact.backup:
        return "also without end"
    if not contact.holds:
        return "nothing new"
    return "yes" if contact.lets else "if they let you"


def _terms(found: Holding) -> str:
    whom = [contact.name for contact in found.contacts if contact.holds]
    if not found.everybody and not whom:
        return "You hold for nobody. `kinlight hold` begins."
    who = _listed(whom)
    if found.everybody:
        others = [contact.name for contact in found.contacts if not contact.holds]
        who = f"all contacts but {_listed(others)}" if others else "all contacts"
    days = f"{found.days} days" if found.days > 1 else "a day"
    return (
        f"You hold for {who}: up to {size(found.quota)} in all and {size(found.per_contact)} for"
        f" one, each thing for {days}. {_items(found.items)} now, {size(found.bytes)}."
    )


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _listed(people: Sequence[str]) -> str:
    return ", ".join(map(names.shown, people))
