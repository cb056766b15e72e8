from __future__ import annotations

import asyncio

from kinlight.node.events import Events
from kinlight.node.views import Event


def drained(queue: asyncio.Queue[Event]) -> list[Event]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def test_every_listener_gets_what_happens_while_it_listens() -> None:
    events = Events()
    events.publish("before")
    with events.listen() as one:
        events.publish("first", number=1)
        with events.listen() as two:
            events.publish("second")
        events.publish("third")
        assert [event.name for event in drained(two)] == ["second"]
        assert [event.name for event in drained(one)] == ["first", "second", "third"]
        assert drained(one) == []


async def test_a_listener_that_sleeps_costs_a_bounded_backlog_and_no_other_listener() -> None:
    events = Events()
    with events.listen() as asleep, events.listen() as awake:
        seen: list[object] = []
        for number in range(5000):
            events.publish("news", number=number)
            seen += [event.data["number"] for event in drained(awake)]
        assert seen == list(range(5000))
        assert asleep.qsize() <= 1000
        assert drained(asleep)[-1].data == {"number": 4999}


async def test_what_nobody_hears_is_forgotten() -> None:
    events = Events()
    events.publish("nobody")
    with events.listen() as queue:
        assert drained(queue) == []
