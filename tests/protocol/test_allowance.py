from __future__ import annotations

from kinlight.protocol.allowance import Allowance


def test_so_many_turns_are_there_at_once_and_no_more() -> None:
    allowance = Allowance(3, 0.5)
    assert [allowance.take(7.0) for _ in range(4)] == [True, True, True, False]


def test_turns_come_back_with_the_time_up_to_the_most() -> None:
    allowance = Allowance(2, 0.5)
    assert [allowance.take(0.0) for _ in range(2)] == [True, True]
    assert not allowance.take(1.9)
    assert allowance.take(2.0)
    assert not allowance.take(2.0)
    assert [allowance.take(1_000.0) for _ in range(3)] == [True, True, False]


def test_who_asks_in_vain_does_not_wait_longer() -> None:
    allowance = Allowance(1, 1.0)
    assert allowance.take(0.0)
    assert not any(allowance.take(step / 10) for step in range(1, 10))
    assert allowance.take(1.0)
