"""Photos that came are looked at for signs of editing; it informs and holds up nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

import pytest
from kinlight.node import check_service, checks
from kinlight.node.check_service import CheckService
from kinlight.node.check_wire import Seen
from kinlight.node.checks import Check, Turns
from kinlight.node.events import Events
from kinlight.node.photo_errors import NoSuchPhotoError
from kinlight.node.views_checks import Verdict
from PIL import Image

from ..scenario.household import sha256
from .conftest import Picture, Two
from .nodes import TestedNode
from .photographs import photograph
from .test_check_service import needs_torch

SIGNS = Check("signs", Seen("signs", score=0.9, model="ab" * 32), 1.5, 7)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PAUSE_SECONDS", 0.0)


async def looking(node: TestedNode) -> None:
    """Have a node look at what it receives from now on."""
    node.home.config.write_text("[network]\ndiscovery = false\n")
    await node.restart()


@pytest.fixture
async def two_look(two: Two) -> Two:
    """Bob looks at what he takes from Anna without being asked."""
    await looking(two.bob)
    await two.bob.engine.update_contact("Anna", accept="always")
    return two


def verdict(node: TestedNode, photo: str | None) -> Verdict | None:
    return node.engine.photo(photo or "").verdict


async def checked(node: TestedNode, events: Events, photo: str | None) -> Verdict:
    """The verdict on a photo, when the event says that it is there."""
    with events.listen(("checked",)) as news:
        while (found := verdict(node, photo)) is None:
            async with asyncio.timeout(100):
                await news.get()
    return found


async def given(two: Two, path: Path) -> str:
    """A photo of Anna's that has come to Bob; its id."""
    item = await two.anna.share_one(path, "Bob")
    photo = item.photo_id or ""
    await two.bob.until(lambda: two.bob.inbox_state(photo) == "stored")
    return photo


async def test_a_photo_that_came_and_can_not_be_opened_has_a_verdict_with_the_reason(
    two_look: Two, picture: Picture
) -> None:
    bob = two_look.bob
    with bob.engine.events.listen(("checked",)) as news:
        photo = await given(two_look, picture("noise.jpg"))
        found = await checked(bob, bob.engine.events, photo)
        told = await news.get()
    assert (found.verdict, found.score, found.model) == ("cannot-tell", None, None)
    assert found.reason
    assert found.provenance.signature == "valid"
    assert "Anna" in found.evidence[0].text
    assert told.data == {"id": photo, "verdict": "cannot-tell", "score": None}
    (item,) = bob.engine.inbox()
    assert item.verdict == found
    (listed,) = bob.engine.collection.search(verdict="cannot-tell")
    assert (listed.id, listed.verdict) == (photo, "cannot-tell")
    assert bob.engine.collection.search(verdict="signs") == []


async def test_verdicts_survive_a_restart_and_what_waits_is_looked_at_then(
    two_look: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = two_look.bob
    first = await given(two_look, picture("first.jpg"))
    known = await checked(bob, bob.engine.events, first)
    monkeypatch.setattr(checks, "PAUSE_SECONDS", 3600.0)  # it is not begun before the end
    second = await given(two_look, picture("second.jpg"))
    assert verdict(bob, second) is None
    monkeypatch.setattr(checks, "PAUSE_SECONDS", 0.0)
    await bob.restart()
    assert verdict(bob, first) == known
    assert (await checked(bob, bob.engine.events, second)).verdict == "cannot-tell"


async def test_where_nothing_can_look_it_says_so_and_looks_when_that_has_changed(
    two_look: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = two_look.bob
    needed = check_service.NEEDED
    monkeypatch.setattr(check_service, "NEEDED", ("no_such_module",))
    photo = await given(two_look, photograph(tmp_path / "beach.jpg"))
    found = await checked(bob, bob.engine.events, photo)
    assert found.verdict == "cannot-tell"
    assert 'pip install "kinlight[ml]"' in found.reason
    assert bob.parts.checks.waiting() == {two_look.anna.identity: deque([bytes.fromhex(photo)])}
    monkeypatch.setattr(check_service, "NEEDED", needed)
    monkeypatch.setattr(CheckService, "check", _sees_signs)
    monkeypatch.setattr(CheckService, "start", _starts)
    await bob.restart()
    await bob.until(lambda: bob.parts.checks.verdict(bytes.fromhex(photo)) == "signs")
    assert bob.parts.checks.waiting() == {}
    (item,) = bob.engine.collection.search(verdict="signs")
    assert item.id == photo


async def _sees_signs(*_arguments: object, **_options: object) -> Seen:
    return SIGNS.seen


async def _starts(_service: object) -> None:
    pass


async def test_nothing_is_looked_at_where_that_is_switched_off(two: Two, picture: Picture) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    photo = await given(two, picture("noise.jpg"))
    assert two.bob.parts.checks.waiting() == {}
    assert verdict(two.bob, photo) is None
    await looking(two.bob)
    assert two.bob.parts.checks.waiting() == {}
    assert (await two.bob.engine.check(photo)).verdict == "cannot-tell"  # but on wish
    with pytest.raises(NoSuchPhotoError):
        await two.bob.engine.check("00" * 16)


async def test_a_verdict_keeps_the_model_that_gave_it_until_somebody_asks_again(
    two: Two, picture: Picture
) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    photo = await given(two, picture("noise.jpg"))
    two.bob.parts.checks.put(bytes.fromhex(photo), SIGNS, waits=False)
    await looking(two.bob)
    found = verdict(two.bob, photo)
    assert found is not None
    assert (found.verdict, found.model, found.checked, found.seconds) == (
        "signs", "ab" * 32, 7, 1.5,
    )  # fmt: skip
    again = await two.bob.engine.check(photo)
    assert (again.verdict, again.model) == ("cannot-tell", None)
    assert verdict(two.bob, photo) == again


async def test_a_verdict_goes_with_its_photo(two: Two, picture: Picture) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    photo = await given(two, picture("noise.jpg"))
    photo_id = bytes.fromhex(photo)
    two.bob.parts.checks.put(photo_id, SIGNS, waits=False)
    assert two.bob.parts.checks.get(photo_id) == SIGNS
    await two.bob.engine.remove(photo, force=False)
    assert two.bob.parts.checks.get(photo_id) is None
    two.bob.parts.checks.put(photo_id, SIGNS, waits=False)  # it was under way meanwhile
    assert two.bob.parts.checks.get(photo_id) is None


async def test_a_process_that_is_not_there_leaves_a_reason_and_the_photo(
    two_look: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = two_look.bob
    monkeypatch.setattr(check_service, "NEEDED", ())
    bob.parts.check_service._command = ["/bin/false"]  # pyright: ignore[reportPrivateUsage]
    photo = await given(two_look, photograph(tmp_path / "beach.jpg", size=(160, 128)))
    found = await checked(bob, bob.engine.events, photo)
    assert found.verdict == "cannot-tell"
    assert "ended without an answer" in found.reason
    assert bob.parts.checks.waiting() == {}
    exported = await bob.engine.export(photo, tmp_path / "out", keep_both=False)
    assert exported.sha256 == sha256(tmp_path / "beach.jpg")


@needs_torch
async def test_one_s_own_photos_are_looked_at_before_they_go_if_that_is_wished(
    two: Two, tmp_path: Path
) -> None:
    anna = two.anna
    path = tmp_path / "grey.png"
    Image.effect_noise((144, 128), 60).save(path)
    steps = [
        step
        async for step in anna.engine.share(
            [path], ["Bob"], metadata="original", until=None, check=True, wait=False
        )
    ]
    (item,) = [step for step in steps if hasattr(step, "state")]
    assert item.state == "queued"  # type: ignore[union-attr]
    found = verdict(anna, item.photo_id)  # type: ignore[union-attr]
    assert found is not None
    assert item.verdict == found.verdict  # type: ignore[union-attr]
    assert found.model is not None
    assert "you signed it" in found.evidence[0].text


def test_who_sends_many_photos_does_not_hold_up_the_checks_of_what_others_sent() -> None:
    turns = Turns()
    queues = {b"many": deque([b"m1", b"m2", b"m3"]), b"few": deque([b"f1"])}
    assert [turns.take(queues) for _ in range(2)] == [b"m1", b"f1"]
    # News: what waits is read again, with more of whoever has had a turn.
    queues = {b"many": deque([b"m2", b"m3"]), b"few": deque([b"f2"]), b"new": deque([b"n1"])}
    assert [turns.take(queues) for _ in range(4)] == [b"n1", b"m2", b"f2", b"m3"]
    assert queues == {}


async def test_what_waits_of_each_author_is_the_oldest_first(two: Two, picture: Picture) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    photos = [bytes.fromhex(await given(two, picture(f"{number}.jpg"))) for number in range(3)]
    for photo in photos:
        two.bob.parts.checks.wait(photo)
    (queue,) = two.bob.parts.checks.waiting().values()
    kept = [two.bob.parts.library.photo(photo) for photo in photos]
    added = {photo.photo_id: photo.added for photo in kept if photo is not None}
    assert sorted(queue, key=lambda photo: (added[photo], photo)) == list(queue)
    assert set(queue) == set(photos)
