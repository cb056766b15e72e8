"""How long who was turned away waits before the next try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.pace import about


@given(st.binary(min_size=2, max_size=2))
def test_a_pause_is_half_to_one_and_a_half_times_as_long(drawn: bytes) -> None:
    assert 150 <= about(300, lambda _: drawn) < 450


def test_two_who_were_turned_away_together_do_not_come_again_together() -> None:
    assert about(300, lambda _: b"\x00\x01") != about(300, lambda _: b"\x80\x00")
