"""A clock that is set back or runs ahead, at whole nodes."""

from __future__ import annotations

import pytest
from kinlight.node.photo_errors import EndedGrantError
from kinlight.node.views import Clock as ClockView
from kinlight.protocol import limits
from kinlight.protocol.errors import ExpiredGrantError

from .conftest import Picture, Start, Two
from .nodes import NOW, Clock, TestedNode

HOUR, DAY = 3_600, 86_400
EDGE = limits.CLOCK_SECONDS


@pytest.fixture
async def joined(joined: Two) -> Two:
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


async def ended_grant(two: Two, picture: Picture, clock: Clock) -> str:
    """A photo that Bob has under a grant that has just ended."""
    item = await two.anna.share_one(picture(), "Bob", until=NOW + HOUR)
    clock.time = NOW + HOUR
    with pytest.raises(ExpiredGrantError):
        two.bob.engine.photo(item.photo_id or "")
    two.anna.parts.clock.keep()
    return item.photo_id or ""


def time_of(node: TestedNode) -> ClockView:
    found = node.engine.status().clock
    assert found is not None
    return found


@pytest.mark.parametrize("back", [1, 240, EDGE])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_set_back_a_little_brings_no_ended_grant_back(
    joined: Two, picture: Picture, clock: Clock, back: int, restarted: bool
) -> None:
    photo = await ended_grant(joined, picture, clock)
    clock.time -= back
    if restarted:
        await joined.bob.restart()
    with pytest.raises(ExpiredGrantError):
        joined.bob.engine.photo(photo)
    assert time_of(joined.bob) == ClockView(NOW + HOUR, NOW + HOUR - back)
    (grant,) = joined.anna.engine.granting.grants(None, None)
    assert grant.state == "expired"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("back", [EDGE + 61, DAY])
async def test_a_clock_set_back_further_is_judged_by_and_is_said_to_look_wrong(
    joined: Two, picture: Picture, clock: Clock, back: int, restarted: bool
) -> None:
    bob = joined.bob
    photo = await ended_grant(joined, picture, clock)
    with bob.engine.events.listen({"clock"}) as news:
        clock.time -= back
        if restarted:
            await bob.restart()
        bob.parts.clock.keep()
        bob.parts.clock.keep()
        if not restarted:
            event = news.get_nowait()
            assert event.data == {"system": clock.time, "witnessed": NOW + HOUR}
            assert news.empty()
    assert time_of(bob) == ClockView(clock.time, clock.time, NOW + HOUR)
    assert bob.engine.photo(photo).id == photo
    # And the clock goes on from there: what it sees now holds against a small step back.
    clock.time += 60
    assert time_of(bob).now == clock.time
    clock.time -= 60
    assert time_of(bob) == ClockView(clock.time + 60, clock.time, NOW + HOUR)


async def test_a_clock_that_is_right_again_says_nothing_any_more(
    start: Start, clock: Clock
) -> None:
    anna = await start("Anna")
    clock.time -= DAY
    assert time_of(anna).witnessed == NOW
    clock.time = NOW + 1
    assert time_of(anna) == ClockView(NOW + 1, NOW + 1)
    await anna.restart()
    assert time_of(anna) == ClockView(NOW + 1, NOW + 1)


async def test_a_clock_that_once_ran_far_ahead_ends_no_grant_for_ever(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    bob = joined.bob
    item = await joined.anna.share_one(picture(), "Bob", until=NOW + DAY)
    photo = item.photo_id or ""
    clock.time = NOW + 365 * DAY
    with pytest.raises(ExpiredGrantError):
        bob.engine.photo(photo)
    await bob.stop()
    clock.time = NOW + HOUR
    await bob.start()
    assert time_of(bob) == ClockView(NOW + HOUR, NOW + HOUR, NOW + 365 * DAY)
    assert bob.engine.photo(photo).id == photo
    clock.time = NOW + DAY
    with pytest.raises(ExpiredGrantError):
        bob.engine.photo(photo)


async def test_who_says_that_the_clock_is_right_is_believed(start: Start, clock: Clock) -> None:
    anna = await start("Anna")
    clock.time = NOW + 365 * DAY
    time_of(anna)
    clock.time = NOW
    assert time_of(anna).witnessed == NOW + 365 * DAY
    assert anna.engine.believe_clock() == ClockView(NOW, NOW)
    await anna.restart()
    assert time_of(anna) == ClockView(NOW, NOW)


async def test_after_a_kill_what_was_kept_last_counts(start: Start, clock: Clock) -> None:
    anna = await start("Anna")
    clock.time = NOW + 30
    anna.parts.clock.keep()
    clock.time = NOW + 40
    time_of(anna)
    library = anna.parts.library
    kept = {name: library.setting(name) for name in ("clock-seen", "clock-aside")}
    assert kept == {"clock-seen": (NOW + 30).to_bytes(8), "clock-aside": bytes(8)}


async def test_one_second_more_than_five_minutes_is_too_much(start: Start, clock: Clock) -> None:
    anna = await start("Anna")
    clock.time = NOW - EDGE
    assert time_of(anna) == ClockView(NOW, NOW - EDGE)
    clock.time = NOW - EDGE - 1
    assert time_of(anna) == ClockView(NOW - EDGE - 1, NOW - EDGE - 1, NOW)


async def test_nothing_is_granted_until_a_moment_that_was_seen_already(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    clock.time = NOW + 200
    time_of(joined.anna)
    clock.time = NOW
    with pytest.raises(EndedGrantError):
        await joined.anna.share_one(picture(), "Bob", until=NOW + 200)
