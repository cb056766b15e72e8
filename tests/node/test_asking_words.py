"""Recovery words as people type them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node import asking_words
from kinlight.node.errors import MistypedWordsError

WORDS = RecoveryWords(Secret(bytes(range(32))))
PHRASE = WORDS.phrase()
LIST = PHRASE.split()


class Person:
    """Types these lines, and remembers what was asked and said."""

    def __init__(self, *lines: str) -> None:
        self._lines: Iterator[str] = iter(lines)
        self.asked: list[str] = []
        self.said: list[str] = []
        self.shown = 0

    def ask(self, text: str) -> str:
        self.asked.append(text)
        return next(self._lines)

    def show(self, phrase: str) -> None:
        assert phrase == PHRASE
        self.shown += 1


def typed(person: Person) -> str:
    return asking_words.typed(person.said.append, person.ask).phrase()


def test_words_are_taken_one_a_line_or_all_at_once() -> None:
    assert typed(Person(*LIST)) == PHRASE
    assert typed(Person(PHRASE)) == PHRASE
    assert typed(Person(" ".join(LIST[:5]).upper(), "", " ".join(LIST[5:]))) == PHRASE


def test_a_word_that_is_none_is_named_by_its_place_and_asked_for_again() -> None:
    person = Person(" ".join([*LIST[:6], "kinlight", *LIST[7:]]), " ".join(LIST[6:]))
    assert typed(person) == PHRASE
    assert person.asked == ["Word 1", "Word 7"]
    assert "Word 7 is not in the list" in person.said[-1]


def test_two_words_that_are_swapped_are_noticed_by_the_checksum() -> None:
    swapped = [LIST[1], LIST[0], *LIST[2:]]
    with pytest.raises(MistypedWordsError, match="checksum is off"):
        typed(Person(" ".join(swapped)))
    with pytest.raises(MistypedWordsError, match="more were given"):
        typed(Person(PHRASE + " abandon"))


def confirm(person: Person, *places: int) -> None:
    drawn = iter(places)
    asking_words.confirm(WORDS, person.show, person.said.append, person.ask, lambda _: next(drawn))


def test_two_words_are_asked_for_by_their_places_after_they_were_shown() -> None:
    person = Person(LIST[3], LIST[20].upper() + " ")
    confirm(person, 3, 19)  # of the 23 that are left
    assert person.asked == ["Word 4", "Word 21"]
    assert person.shown == 1


def test_after_three_wrong_answers_the_words_are_shown_again_and_others_asked_for() -> None:
    person = Person("one", LIST[3], "two", "three", LIST[0], LIST[1])
    confirm(person, 3, 19, 0, 0)
    assert person.asked == ["Word 4", "Word 4", "Word 21", "Word 21", "Word 1", "Word 2"]
    assert person.shown == 2
