"""Guardians' shares, as a person types them while they are read out."""

from __future__ import annotations

from collections.abc import Callable

from ..crypto import guardians
from ..crypto.errors import BadShareError, MixedSharesError
from ..crypto.guardians import Share
from ..crypto.recovery import RecoveryWords

Ask = Callable[[str], str]
Say = Callable[[str], None]


def typed(say: Say, ask: Ask | None = None) -> RecoveryWords:
    """The words, once as many shares are there as it takes; one that is wrong is asked for again.

    Raises `MixedSharesError` for one of another set: which of them is the wrong one nobody knows.
    """
    ask = ask or _prompt
    say("Ask your guardians to run `kinlight guardians reveal`, and type what each reads out.")
    found: dict[int, Share] = {}
    while True:
        try:
            share = Share.parse(ask(f"Share {len(found) + 1}"))
        except BadShareError as error:
            say(str(error))
            continue
        if any((share.set_id, share.need) != (each.set_id, each.need) for each in found.values()):
            raise MixedSharesError
        if share.number in found:
            say("That one is here already. Ask another guardian for theirs.")
            continue
        found[share.number] = share
        if len(found) == share.need:
            return guardians.combine(found.values())
        say(f"{len(found)} of {share.need} are here.")


def _prompt(text: str) -> str:
    import typer  # what scripts use of this needs none of it

    answer: str = typer.prompt(text, err=True)
    return answer
