"""The time to judge by: neither a clock set back nor one that runs ahead decides alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.protocol import limits
from kinlight.protocol.clock import Reckoning, Witness, reckon

from .people import NOW

MINE, ALSO_MINE, OTHERS = b"my phone", b"my laptop", b"a contact"
TRUSTED = {MINE, ALSO_MINE}
EDGE = limits.CLOCK_SECONDS


def test_without_witnesses_the_system_is_believed() -> None:
    assert reckon(NOW, [], TRUSTED) == Reckoning(NOW)


@pytest.mark.parametrize("behind", [1, 60, EDGE])
def test_a_clock_set_back_a_little_does_not_bring_anything_back(behind: int) -> None:
    assert reckon(NOW - behind, [Witness(MINE, NOW)], TRUSTED) == Reckoning(NOW)


def test_a_witness_further_ahead_is_set_aside_and_shown() -> None:
    ahead = Witness(MINE, NOW + EDGE + 1)
    assert reckon(NOW, [ahead], TRUSTED) == Reckoning(NOW, doubtful=True, aside=(ahead,))


def test_what_is_set_aside_does_not_hide_what_is_believed() -> None:
    far, near = Witness(MINE, NOW + 10**9), Witness(ALSO_MINE, NOW + 7)
    assert reckon(NOW, [far, near], TRUSTED) == Reckoning(NOW + 7, doubtful=True, aside=(far,))


def test_a_clock_that_runs_ahead_here_is_not_held_back_by_older_witnesses() -> None:
    assert reckon(NOW, [Witness(MINE, NOW - 10**6)], TRUSTED) == Reckoning(NOW)


@pytest.mark.parametrize("time", [NOW + 1, NOW + EDGE, NOW + EDGE + 1, 2**64])
def test_what_others_say_the_time_is_counts_for_nothing(time: int) -> None:
    assert reckon(NOW, [Witness(OTHERS, time)], TRUSTED) == Reckoning(NOW)


@given(
    st.integers(0, 2**40),
    st.lists(st.builds(Witness, st.sampled_from([MINE, OTHERS]), st.integers(0, 2**64))),
)
def test_the_time_is_never_before_the_system_nor_far_after_it(
    system: int, witnesses: list[Witness]
) -> None:
    found = reckon(system, witnesses, TRUSTED)
    assert system <= found.now <= system + EDGE
    assert found.doubtful == bool(found.aside)
    assert all(witness.device == MINE for witness in found.aside)
