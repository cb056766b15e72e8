"""Shares of the recovery words: enough of them make the words, and what is wrong is told apart."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.errors import (
    BadShareError,
    KinlightError,
    MixedSharesError,
    RepeatedShareError,
    TooFewSharesError,
)
from kinlight.crypto.guardians import SHARE_WORDS, Share, combine, split
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret

WORDS = RecoveryWords(Secret(bytes(range(32))))
SHARES = split(WORDS, 5, 3)


def test_any_three_of_five_make_the_words_and_more_do_no_harm() -> None:
    for some in combinations(SHARES, 3):
        assert combine(some).phrase() == WORDS.phrase()
    assert combine(SHARES).phrase() == WORDS.phrase()
    assert combine([*SHARES[:3], SHARES[0]]).phrase() == WORDS.phrase()


def test_a_share_has_33_words_and_is_read_in_any_case_and_spacing() -> None:
    share = SHARES[0]
    assert len(share.words.split()) == SHARE_WORDS
    assert Share.parse("  " + share.words.upper().replace(" ", "\n")) == share
    assert (share.number, share.need) == (0, 3)
    assert share.words not in repr(share)


def test_too_few_shares_say_how_many_miss() -> None:
    with pytest.raises(TooFewSharesError, match="2 are here, 3 are needed"):
        combine(SHARES[:2])
    with pytest.raises(TooFewSharesError):
        combine([])


def test_one_share_given_twice_is_told_from_too_few() -> None:
    with pytest.raises(RepeatedShareError, match="2 of 3"):
        combine([SHARES[0], SHARES[1], SHARES[1]])


def test_shares_of_an_earlier_split_or_of_somebody_else_are_told_as_mixed() -> None:
    earlier = split(WORDS, 5, 3)
    others = split(RecoveryWords(Secret(bytes(32))), 5, 3)
    for other in (earlier, others):
        with pytest.raises(MixedSharesError):
            combine([*SHARES[:2], other[4]])
    assert combine(earlier[:3]).phrase() == WORDS.phrase()  # an earlier split goes on working


def test_a_slip_is_noticed_in_the_share_itself() -> None:
    words = SHARES[0].words.split()
    swapped = [words[1], words[0], *words[2:]]
    wrong = [*words[:10], "academic" if words[10] != "academic" else "acid", *words[11:]]
    for bad in (swapped, wrong, [*words[:5], "kinlight", *words[6:]]):
        with pytest.raises(BadShareError, match="a word is wrong, or two are swapped"):
            Share.parse(" ".join(bad))
    with pytest.raises(BadShareError, match="32 words were given"):
        Share.parse(" ".join(words[:-1]))


@pytest.mark.parametrize(("count", "need"), [(1, 1), (3, 1), (3, 4), (17, 3), (0, 0)])
def test_numbers_that_guard_nothing_are_refused(count: int, need: int) -> None:
    with pytest.raises(ValueError, match="2 to 16"):
        split(WORDS, count, need)


def test_the_vectors_of_slip_39_read_as_they_should() -> None:
    """Of the standard's own: 256 bits, two of three, without and with a wrong checksum."""
    good = (
        "humidity disease academic always aluminum jewelry energy woman receiver strategy amuse"
        " duckling lying evidence network walnut tactics forget hairy rebound impulse brother"
        " survive clothes stadium mailman rival ocean reward venture always armed unwrap"
    )
    share = Share.parse(good)
    assert (share.number, share.need) == (2, 2)
    with pytest.raises(BadShareError):
        Share.parse(good.replace("unwrap", "unusual"))


FILE = Path(__file__).parents[1] / "vectors" / "guardians" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())


def judged(shares: list[str]) -> str:
    try:
        found = combine(map(Share.parse, shares))
    except KinlightError as error:
        return error.code
    assert found.entropy().reveal().hex() == VECTORS["entropy"]
    return "success"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["case"])
def test_every_vector_is_judged_as_it_says(case: dict[str, Any]) -> None:
    assert judged(case["shares"]) == case["expect"]


def test_the_generator_makes_the_vectors_that_are_here(tmp_path: Path) -> None:
    generator = FILE.parents[1] / "generate_guardians.py"
    subprocess.run([sys.executable, str(generator), str(tmp_path)], check=True)
    assert (tmp_path / "guardians" / "vectors.json").read_bytes() == FILE.read_bytes()
