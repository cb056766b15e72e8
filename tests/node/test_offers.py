"""A contact that is asked for: nothing comes before somebody said yes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kinlight.node import outbox
from kinlight.node.errors import BadRequestError
from kinlight.node.photo_errors import AmbiguousIdError, NoSuchPhotoError, NotHereYetError
from kinlight.node.views import Event
from kinlight.protocol import limits
from kinlight.protocol.errors import ExpiredGrantError

from .conftest import Picture, Two
from .network import Network
from .nodes import NOW, Clock, TestedNode
from .test_hostile_delegating import conversation


async def offered(two: Two, path: Path, *, until: int | None = None) -> str:
    """The id of a photo that waits at Bob's."""
    item = await two.anna.share_one(path, "Bob", until=until)
    assert item.state == "waiting"
    assert item.photo_id is not None
    assert two.bob.inbox_state(item.photo_id) == "waiting"
    return item.photo_id


async def has(node: TestedNode, photo: str, state: str) -> None:
    await node.until(lambda: node.inbox_state(photo) == state)


async def knows(node: TestedNode, photo: str, state: str) -> None:
    await node.until(lambda: node.delivery_state(photo) == state)


async def test_nothing_is_fetched_before_it_was_accepted(joined: Two, picture: Picture) -> None:
    photo = await offered(joined, picture(length=500_000))
    assert joined.bob.blob_files() == []
    (item,) = joined.bob.engine.inbox()
    assert (item.sender, item.name, item.sha256) == ("Anna", None, None)
    assert item.bytes >= 500_000
    with pytest.raises(NotHereYetError):
        joined.bob.engine.photo(photo)
    with pytest.raises(NotHereYetError):
        await joined.bob.engine.export(photo, Path("unused"), keep_both=False)
    joined.bob.engine.decide(photo, accept=True)
    await has(joined.bob, photo, "stored")
    await knows(joined.anna, photo, "delivered")
    assert joined.bob.engine.photo(photo).name == "1.jpg"


async def test_a_new_contact_is_asked_for(joined: Two) -> None:
    assert {contact.accept for contact in joined.bob.engine.contacts()} == {"ask"}


async def test_a_declined_photo_never_comes_and_its_sender_is_told(
    joined: Two, picture: Picture
) -> None:
    photo = await offered(joined, picture())
    assert joined.bob.engine.decide(photo, accept=False).state == "declined"
    await knows(joined.anna, photo, "refused")
    (delivery,) = joined.anna.engine.photo(photo).deliveries
    assert delivery.code == "declined"
    await joined.bob.restart()
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))
    assert joined.bob.inbox_state(photo) == "declined"
    assert joined.bob.blob_files() == []


async def test_a_photo_that_is_declined_on_its_way_stays_declined(
    joined: Two, network: Network, picture: Picture
) -> None:
    photo = await offered(joined, picture(length=3_000_000))
    pipes = [pipe for pair in network.pipes for pipe in pair if not pipe.closed]
    with joined.bob.engine.events.listen() as news:
        joined.bob.engine.decide(photo, accept=True)
        await joined.bob.until(
            lambda: any((item.pieces or 0) > 1 for item in joined.bob.engine.inbox()), news=news
        )
    for pipe in pipes:
        pipe.outgoing.flowing.clear()
    joined.bob.engine.decide(photo, accept=False)
    for pipe in pipes:
        pipe.outgoing.flowing.set()
    await knows(joined.anna, photo, "refused")
    # Another photo goes the whole way meanwhile; what was declined did not.
    await joined.bob.engine.update_contact("Anna", accept="always")
    assert (await joined.anna.share_one(picture(), "Bob")).state == "delivered"
    assert joined.bob.inbox_state(photo) == "declined"
    with pytest.raises(NotHereYetError):
        joined.bob.engine.photo(photo)


async def test_a_photo_can_not_be_accepted_after_its_grant_ended(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    photo = await offered(joined, picture(), until=NOW + 60)
    assert joined.bob.engine.inbox()[0].expires == NOW + 60
    clock.time += 60
    with pytest.raises(ExpiredGrantError):
        joined.bob.engine.decide(photo, accept=True)
    assert joined.bob.inbox_state(photo) == "waiting"
    assert joined.bob.blob_files() == []
    assert joined.bob.engine.decide(photo, accept=False).state == "declined"


async def test_a_second_grant_can_be_accepted_when_the_first_has_ended(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    original = picture()
    photo = await offered(joined, original, until=NOW + 60)
    clock.time += 60
    assert (await joined.anna.share_one(original, "Bob")).state == "waiting"
    joined.bob.engine.decide(photo, accept=True)
    await joined.bob.until(lambda: "stored" in [item.state for item in joined.bob.engine.inbox()])
    assert joined.bob.engine.photo(photo).expires is None


@pytest.mark.parametrize("state", ["stored", "declined"])
async def test_what_was_decided_is_not_decided_again(
    joined: Two, picture: Picture, state: str
) -> None:
    photo = await offered(joined, picture())
    joined.bob.engine.decide(photo, accept=state == "stored")
    await has(joined.bob, photo, state)
    for accept in (True, False):
        with pytest.raises(BadRequestError):
            joined.bob.engine.decide(photo, accept=accept)
    assert joined.bob.inbox_state(photo) == state


async def test_accepting_twice_fetches_once(joined: Two, picture: Picture) -> None:
    photo = await offered(joined, picture(length=600_000))
    with joined.anna.engine.events.listen() as news:
        joined.bob.engine.decide(photo, accept=True)
        joined.bob.engine.decide(photo, accept=True)
        await knows(joined.anna, photo, "delivered")
        sent = [news.get_nowait() for _ in range(news.qsize())]
    pieces = [event.data["pieces"] for event in sent if event.name == "sending"]
    assert pieces == [1, 2, 3]


async def test_an_id_may_be_shortened_as_long_as_it_is_clear(joined: Two, picture: Picture) -> None:
    photo = await offered(joined, picture())
    assert joined.bob.engine.decide(photo[:6].upper(), accept=False).id == photo
    for text in ("", " ", "zz", "%", "_" * 32, photo + "00", "0" * 31):
        with pytest.raises(NoSuchPhotoError):
            joined.bob.engine.decide(text, accept=True)


async def test_an_unclear_id_is_refused(joined: Two, picture: Picture) -> None:
    await joined.anna.share(*(picture() for _ in range(17)), to="Bob")
    first = [item.id[0] for item in joined.bob.engine.inbox()]
    twice = next(digit for digit in first if first.count(digit) > 1)
    with pytest.raises(AmbiguousIdError):
        joined.bob.engine.decide(twice, accept=True)


# Muted and blocked


def offers_told(events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == "offer"]


async def test_of_a_muted_contact_offers_wait_and_nobody_is_told(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always", muted=True)
    with joined.bob.engine.events.listen() as news:
        photo = await offered(joined, picture())
        told = [news.get_nowait() for _ in range(news.qsize())]
    assert offers_told(told) == []
    assert joined.bob.blob_files() == []
    joined.bob.engine.decide(photo, accept=True)
    await has(joined.bob, photo, "stored")


async def test_who_is_blocked_is_cut_off_at_once_and_let_in_again(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", blocked=True)
    await joined.anna.until(lambda: not joined.anna.connected_to(joined.bob))
    item = await joined.anna.share_one(picture(), "Bob", wait=False)
    assert item.photo_id is not None
    assert joined.bob.engine.inbox() == []
    assert not joined.bob.connected_to(joined.anna)
    await joined.bob.engine.update_contact("Anna", blocked=False)
    await has(joined.bob, item.photo_id, "waiting")


# What is told


async def test_an_offer_and_its_way_are_told_as_events(joined: Two, picture: Picture) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    with joined.bob.engine.events.listen() as news:
        item = await joined.anna.share_one(picture(length=600_000), "Bob")
        told = [news.get_nowait() for _ in range(news.qsize())]
    assert [event.data["state"] for event in offers_told(told)] == ["accepted", "stored"]
    progress = [event.data for event in told if event.name == "progress"]
    assert progress[-1] == {"id": item.photo_id, "pieces": 3, "of": 3}


async def test_the_sender_sees_the_states_of_each_contact(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    photo = await offered(joined, picture(), until=NOW + 60)
    clock.time += 5
    joined.bob.engine.decide(photo, accept=True)
    await knows(joined.anna, photo, "delivered")
    details = joined.anna.engine.photo(photo)
    assert details.own
    assert details.author is None
    (delivery,) = details.deliveries
    assert (delivery.to, delivery.expires, delivery.updated) == ("Bob", NOW + 60, NOW + 5)


async def test_a_second_link_that_does_not_stay_takes_no_news_from_the_first(
    joined: Two, picture: Picture
) -> None:
    anna = joined.anna.parts
    # Both ends dial at once, say: for a moment there are two links to one device.
    link = conversation(joined.anna, joined.bob)._link  # pyright: ignore[reportPrivateUsage]
    passing = asyncio.create_task(anna.outbox.deliver(link, anna.judge.check_offer))
    await asyncio.sleep(0)
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    item = await joined.anna.share_one(picture(), "Bob")
    assert item.state == "waiting"


async def test_what_had_no_room_there_is_offered_again_on_the_same_link(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(limits, "OFFERS_PER_CONTACT", 1)
    anna, bob = joined.anna, joined.bob
    first = await anna.share_one(picture(), "Bob")
    second = await anna.share_one(picture(), "Bob")
    assert (first.state, second.state, second.code) == ("waiting", "offered", "busy")
    bob.engine.decide(first.photo_id or "", accept=False)
    await anna.until(lambda: anna.delivery_state(second.photo_id or "") == "waiting")
