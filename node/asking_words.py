"""The 24 words, as a person types them: all of them to get everything back, two to show that they
were written down.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from ..crypto.errors import WrongWordsError
from ..crypto.recovery import WORD_COUNT, RecoveryWords, is_word
from .errors import MistypedWordsError

ASKED: Final = 2
"""Words that are asked for after they were shown."""
TRIES: Final = 3
"""Wrong answers after which all are shown again."""

Ask = Callable[[str], str]
Say = Callable[[str], None]


def parsed(phrase: str) -> RecoveryWords:
    """All of them at once. `MistypedWordsError` names the place of a wrong one."""
    try:
        return RecoveryWords.parse(phrase)
    except WrongWordsError as error:
        raise MistypedWordsError(error.detail) from None


def typed(say: Say, ask: Ask | None = None) -> RecoveryWords:
    """All of them, as they are typed: one a line, some, or all at once.

    One that is not in the list is asked for again, by its place.
    """
    ask = ask or _prompt
    say("Type the 24 recovery words, one a line or all at once.")
    found: list[str] = []
    while len(found) < WORD_COUNT:
        for word in ask(f"Word {len(found) + 1}").lower().split():
            if len(found) == WORD_COUNT:
                raise MistypedWordsError(f"there are {WORD_COUNT}, and more were given")
            if not is_word(word):
                say(f"Word {len(found) + 1} is not in the list. Type it, and what follows, again.")
                break
            found.append(word)
    return parsed(" ".join(found))


def confirm(
    words: RecoveryWords,
    show: Callable[[str], None],
    say: Say,
    ask: Ask | None = None,
    choose: Callable[[int], int] = secrets.randbelow,
) -> None:
    """Show the words of a new node, then ask for two of them, until both are right.

    After three wrong answers they are shown again, and two others are asked for.
    """
    ask = ask or _prompt
    phrase = words.phrase()
    while True:
        show(phrase)
        if _has_them(phrase.split(), say, ask, choose):
            return
        say("That was wrong three times. Here they are again.")


def _has_them(words: list[str], say: Say, ask: Ask, choose: Callable[[int], int]) -> bool:
    places = list(range(WORD_COUNT))
    chosen = sorted(places.pop(choose(len(places))) for _ in range(ASKED))
    say("To be sure that they are on paper:")
    wrong = 0
    for place in chosen:
        while ask(f"Word {place + 1}").strip().lower() != words[place]:
            wrong += 1
            if wrong == TRIES:
                return False
            say(f"That is not word {place + 1}.")
    return True


def _prompt(text: str) -> str:
    import typer  # what scripts use of this needs none of it

    answer: str = typer.prompt(text, err=True)
    return answer
