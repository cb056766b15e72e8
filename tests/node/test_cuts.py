"""The connection is cut at each moment, and either node restarts: all arrives, whole and once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from kinlight.node import attempts
from kinlight.node.photo_errors import OpenDeliveryError

from .conftest import Picture, Two
from .network import Network

LONG = 900_000


def arrived(two: Two, photo: str, original: Path) -> bool:
    details = two.bob.engine.photo(photo)
    return details.sha256 == hashlib.sha256(original.read_bytes()).hexdigest()


async def delivered(two: Two, photo: str) -> None:
    await two.anna.until(lambda: two.anna.delivery_state(photo) == "delivered")


def whole_blobs(two: Two) -> int:
    """Blob files at Bob's; none may be half."""
    assert all(path.parent.name != "incoming" for path in two.bob.blob_files())
    return len(two.bob.blob_files())


async def test_a_photo_arrives_wherever_its_link_is_cut(
    joined: Two, network: Network, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    shared = 0
    for portions in range(1, 25):
        original = picture(length=LONG)
        network.cut_after(portions)
        item = await joined.anna.share_one(original, "Bob", wait=False)
        shared += 1
        assert item.photo_id is not None
        await delivered(joined, item.photo_id)
        assert arrived(joined, item.photo_id, original)
    assert whole_blobs(joined) == 2 * shared
    assert len(joined.bob.engine.inbox()) == shared


async def test_a_photo_arrives_wherever_the_new_link_is_cut_again(
    joined: Two, network: Network, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count begins with the handshake of the link that is to carry it."""
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 0.05)  # after a call that failed
    await joined.bob.engine.update_contact("Anna", accept="always")
    for portions in range(1, 22):
        original = picture(length=LONG)
        network.cut()
        network.cut_after(portions)
        item = await joined.anna.share_one(original, "Bob", wait=False)
        assert item.photo_id is not None
        await delivered(joined, item.photo_id)
        assert arrived(joined, item.photo_id, original)
    assert joined.bob.blob_files()
    whole_blobs(joined)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
async def test_f12_a_photo_may_be_removed_once_the_receipt_for_it_is_here(
    joined: Two, network: Network, picture: Picture, part: float
) -> None:
    """The link is cut when so much of it has passed, with no goodbye."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    before = network.passed
    measured = await joined.anna.share_one(picture(length=LONG), "Bob")
    assert measured.state == "delivered"
    network.cut_after(max(1, round(part * (network.passed - before))))
    original = picture(length=LONG)
    item = await joined.anna.share_one(original, "Bob", wait=False)
    photo = item.photo_id or ""
    refusals = 0
    with joined.anna.engine.events.listen() as news:
        while joined.anna.delivery_state(photo) != "delivered":
            assert joined.anna.engine.receipts.find(photo) == []
            with pytest.raises(OpenDeliveryError):
                await joined.anna.engine.remove(photo, force=False)
            refusals += 1
            await news.get()
    assert refusals
    (receipt,) = joined.anna.engine.receipts.find(photo)
    assert receipt.content_id == joined.anna.engine.photo(photo).content_id
    assert arrived(joined, photo, original)
    await joined.anna.engine.remove(photo, force=False)
    assert arrived(joined, photo, original)


@pytest.mark.parametrize("restarting", ["anna", "bob"])
async def test_a_photo_that_nobody_was_there_for_is_offered_after_a_restart(
    joined: Two, picture: Picture, restarting: str
) -> None:
    await joined.bob.stop()
    original = picture()
    item = await joined.anna.share_one(original, "Bob", wait=False)
    assert item.state == "queued"
    assert item.photo_id is not None
    if restarting == "anna":
        await joined.anna.restart()
    await joined.bob.start()
    await joined.bob.until(lambda: joined.bob.inbox_state(item.photo_id or "") == "waiting")
    await joined.anna.until(lambda: joined.anna.delivery_state(item.photo_id or "") == "waiting")


@pytest.mark.parametrize("restarting", ["anna", "bob"])
async def test_an_accepted_photo_is_fetched_after_a_restart(
    joined: Two, network: Network, picture: Picture, restarting: str
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture(length=LONG)
    network.cut_after(12)
    with joined.bob.engine.events.listen() as news:
        item = await joined.anna.share_one(original, "Bob", wait=False)
        assert item.photo_id is not None
        await joined.bob.until(lambda: not joined.bob.connected_to(joined.anna), news=news)
    await getattr(joined, restarting).restart()
    joined.bob.parts.peers.nudge()
    await delivered(joined, item.photo_id)
    assert arrived(joined, item.photo_id, original)
    assert whole_blobs(joined) == 2


async def test_a_waiting_photo_survives_a_restart_of_both_and_is_one_offer(
    joined: Two, picture: Picture
) -> None:
    item = await joined.anna.share_one(picture(), "Bob")
    assert item.state == "waiting"
    assert item.photo_id is not None
    await joined.anna.restart()
    await joined.bob.restart()
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))
    assert [entry.state for entry in joined.bob.engine.inbox()] == ["waiting"]
    joined.bob.engine.decide(item.photo_id, accept=True)
    await delivered(joined, item.photo_id)
    assert len(joined.bob.engine.inbox()) == 1


async def test_pieces_that_came_before_the_cut_are_not_asked_for_again(
    joined: Two, network: Network, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture(length=3_000_000)
    seen: list[int] = []
    with joined.anna.engine.events.listen() as sent, joined.bob.engine.events.listen() as news:
        network.cut_after(18)
        item = await joined.anna.share_one(original, "Bob", wait=False)
        assert item.photo_id is not None
        await joined.bob.until(
            lambda: joined.bob.inbox_state(item.photo_id or "") == "stored", news=news
        )
        while not sent.empty():
            event = sent.get_nowait()
            if event.name == "sending" and event.data["of"] != 1:
                seen.append(int(str(event.data["pieces"])))
    assert set(seen) == set(range(1, 13))
    assert len(seen) < 2 * 12


async def test_what_is_damaged_on_the_disk_between_two_links_is_fetched_again(
    joined: Two, network: Network, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture(length=3_000_000)
    network.cut_after(18)
    with joined.bob.engine.events.listen() as news:
        item = await joined.anna.share_one(original, "Bob", wait=False)
        assert item.photo_id is not None
        await joined.bob.until(lambda: not joined.bob.connected_to(joined.anna), news=news)
    await joined.bob.stop()
    for part in joined.bob.home.blobs.rglob("*.part"):
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(bytes(content))
    await joined.bob.start()
    await delivered(joined, item.photo_id)
    assert arrived(joined, item.photo_id, original)
