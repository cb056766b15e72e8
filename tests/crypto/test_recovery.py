from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import WrongWordsError
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from mnemonic import Mnemonic

# From the test vectors of BIP-39 (trezor/python-mnemonic).
BIP_39 = [
    ("00" * 32, "abandon " * 23 + "art"),
    ("7f" * 32, "legal winner thank year wave sausage worth useful " * 2
     + "legal winner thank year wave sausage worth title"),
    ("80" * 32, "letter advice cage absurd amount doctor acoustic avoid " * 2
     + "letter advice cage absurd amount doctor acoustic bless"),
    ("ff" * 32, "zoo " * 23 + "vote"),
    ("68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
     " ".join(("hamster diagram private dutch cause delay private meat slide toddler razor book",
               "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"))),
]  # fmt: skip


@pytest.mark.parametrize(("entropy", "phrase"), BIP_39)
def test_the_words_are_those_of_bip_39(entropy: str, phrase: str) -> None:
    words = RecoveryWords(Secret(bytes.fromhex(entropy)))
    assert words.phrase() == phrase
    assert RecoveryWords.parse(phrase).root_seed() == words.root_seed()


@given(st.binary(min_size=32, max_size=32))
def test_words_parse_in_any_spacing_and_case(entropy: bytes) -> None:
    words = RecoveryWords(Secret(entropy))
    typed = "\n " + words.phrase().upper().replace(" ", " \t\n ") + " "
    again = RecoveryWords.parse(typed)
    assert again.unlock_key() == words.unlock_key()
    assert again.phrase() == words.phrase()


def test_the_three_keys_differ() -> None:
    words = RecoveryWords(Secret(bytes(32)))
    keys = {
        words.root_seed().reveal(),
        words.recovery_kem_seed().reveal(),
        words.unlock_key().reveal(),
    }
    assert len(keys) == 3


PHRASE = RecoveryWords(Secret(bytes(range(32)))).phrase()


def test_the_number_of_words_is_named() -> None:
    with pytest.raises(WrongWordsError, match="23 words were given, there are 24"):
        RecoveryWords.parse(PHRASE.rsplit(" ", 1)[0])
    with pytest.raises(WrongWordsError, match="0 words"):
        RecoveryWords.parse("")


@pytest.mark.parametrize("position", [1, 13, 24])
def test_an_unknown_word_is_named_by_its_position(position: int) -> None:
    words = PHRASE.split()
    words[position - 1] = "wrongword"
    with pytest.raises(WrongWordsError, match=f"word {position} ") as caught:
        RecoveryWords.parse(" ".join(words))
    sentence = str(caught.value)
    assert not set(words) & set(sentence.replace(":", " ").split()) - {"word", "is", "not"}


def test_swapped_words_are_found_by_the_checksum() -> None:
    words = PHRASE.split()
    words[3], words[4] = words[4], words[3]
    with pytest.raises(WrongWordsError, match="checksum") as caught:
        RecoveryWords.parse(" ".join(words))
    assert words[3] not in str(caught.value)


@given(st.lists(st.sampled_from(Mnemonic("english").wordlist), min_size=24, max_size=24))
def test_words_at_random_are_refused_or_stand_for_themselves(words: list[str]) -> None:
    with contextlib.suppress(WrongWordsError):
        assert RecoveryWords.parse(" ".join(words)).phrase() == " ".join(words)


def test_recovery_words_show_nothing() -> None:
    assert repr(RecoveryWords.parse(PHRASE)) == "RecoveryWords(hidden)"
    with pytest.raises(ValueError, match="32"):
        RecoveryWords(Secret(bytes(16)))
