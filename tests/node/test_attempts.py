"""How long each place rests after a try, and whom it is not asked for again."""

from __future__ import annotations

import errno
import socket

import pytest
from kinlight.node.addresses import Address
from kinlight.node.attempts import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    REPEAT_PAUSE,
    STRANGER_PAUSE,
    Attempts,
    Place,
    outcome_of,
)

from .nodes import NOW

HOME = Place(Address("192.0.2.1", 4711))
SEEN = Place(Address("192.0.2.1", 4711), "a" * 16)
ANNA, BOB = b"Anna", b"Bob"


class Time:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def attempts(time: Time) -> Attempts:
    return Attempts(time, lambda: NOW)


def test_a_place_that_fails_rests_ever_longer_up_to_half_a_minute(attempts: Attempts) -> None:
    assert attempts.seconds_until(HOME) == 0
    pauses: list[float] = []
    for _ in range(8):
        attempts.failed(HOME, "no-answer")
        pauses.append(attempts.seconds_until(HOME))
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_place_where_somebody_answered_may_be_called_again_soon(
    attempts: Attempts, time: Time
) -> None:
    attempts.failed(HOME, "refused")
    attempts.reached(HOME)
    assert attempts.seconds_until(HOME) == REPEAT_PAUSE
    time.seconds += 1
    assert attempts.seconds_until(HOME) == 0
    assert attempts.failed(HOME, "refused") == 1


def test_on_another_network_every_place_is_worth_a_try(attempts: Attempts) -> None:
    for _ in range(6):
        attempts.failed(HOME, "no-answer")
    attempts.try_all_again()
    assert attempts.seconds_until(HOME) == 0
    attempts.failed(HOME, "no-answer")
    assert attempts.seconds_until(HOME) == FIRST_PAUSE


def test_a_node_in_sight_is_not_asked_twice_for_a_contact_that_it_is_not(
    attempts: Attempts,
) -> None:
    attempts.denied(SEEN, [ANNA])
    assert attempts.worth_asking(SEEN, [ANNA, BOB]) == [BOB]
    assert attempts.seconds_until(SEEN) == 0
    attempts.try_all_again()
    assert attempts.worth_asking(SEEN, [ANNA]) == []
    attempts.forget()
    assert attempts.worth_asking(SEEN, [ANNA]) == [ANNA]


def test_a_remembered_address_that_is_somebody_elses_now_is_tried_again_much_later(
    attempts: Attempts,
) -> None:
    attempts.denied(HOME, [ANNA])
    assert attempts.worth_asking(HOME, [ANNA]) == [ANNA]
    assert attempts.seconds_until(HOME) == FIRST_PAUSE  # who was blocked for a moment comes back
    for _ in range(20):
        attempts.denied(HOME, [ANNA])
    assert attempts.seconds_until(HOME) == STRANGER_PAUSE


def test_places_that_are_no_more_are_forgotten(attempts: Attempts) -> None:
    attempts.denied(SEEN, [ANNA])
    attempts.failed(HOME, "refused")
    attempts.keep([HOME])
    assert attempts.worth_asking(SEEN, [ANNA]) == [ANNA]
    assert attempts.seconds_until(HOME) == FIRST_PAUSE


def test_the_last_try_is_that_at_the_first_address_that_was_tried(attempts: Attempts) -> None:
    elsewhere = Address("192.0.2.2", 4711)
    assert attempts.last([elsewhere, HOME.address]) is None
    attempts.failed(HOME, "refused")
    found = attempts.last([elsewhere, HOME.address])
    assert found is not None
    address, attempt = found
    assert (address, attempt.outcome, attempt.at) == (HOME.address, "refused", NOW)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "refused"),
        (TimeoutError(), "no-answer"),
        (OSError(errno.EHOSTUNREACH, ""), "no-answer"),
        (OSError(errno.ENETUNREACH, ""), "no-way"),
        (socket.gaierror(socket.EAI_NONAME, ""), "unknown-name"),
    ],
)
def test_what_failed_is_told_apart(error: OSError | TimeoutError, outcome: str) -> None:
    assert outcome_of(error) == outcome
