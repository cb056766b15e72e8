"""Drop links between a whole node and a browser that sends: what comes, how often, and what not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from kinlight.crypto import drop_keys
from kinlight.crypto.drop_keys import Frames
from kinlight.crypto.errors import SealBrokenError
from kinlight.crypto.secret import Secret
from kinlight.node.errors import BadRequestError, DiskFullError
from kinlight.node.photo_errors import (
    DropNameTakenError,
    NoSuchDropError,
    NotWaitingError,
    TooManyDropsError,
)
from kinlight.node.views_drops import DropLink
from kinlight.node.views_library import InboxItem
from kinlight.node.weblinks import KEPT_SECONDS, Place
from kinlight.protocol import drop, limits
from kinlight.protocol.drop import Offered, Part, Standing
from kinlight.protocol.weblink_errors import LinkOfferError

from .conftest import Picture, Start
from .drop_visitor import (
    BROKEN,
    DECLINED,
    HERE,
    PART,
    REFUSED,
    WAITS,
    WANTED,
    Phone,
)
from .link_visitor import base, unbase
from .nodes import Clock, TestedNode, random_bytes
from .photographs import photograph

LOOPBACK = Place("127.0.0.1", secure=False)


async def dropping(node: TestedNode, name: str = "Oma", accept: str = "always") -> DropLink:
    return await node.engine.drops.new(name, accept, LOOPBACK)


def phone(link: DropLink) -> Phone:
    return Phone(link.url or "")


async def content(node: TestedNode, item: InboxItem, folder: Path) -> bytes:
    await node.engine.export(item.id, folder, keep_both=False)
    return (folder / (item.name or "")).read_bytes()


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


async def test_what_a_phone_sends_is_in_the_library_byte_for_byte(
    anna: TestedNode, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived: list[bytes] = []
    monkeypatch.setattr(anna.parts.drops, "_arrived", arrived.append)
    files = [photograph(tmp_path / "beach.jpg"), picture("film.mp4", 5 * PART + 17)]
    files += [picture("even.bin", 2 * PART)]
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        assert sending.name == "Anna"
        assert await sending.send_all(files) == [HERE] * 3
    items = anna.engine.inbox()
    assert [(item.name, item.sender, item.state, item.by_link) for item in items] == [
        (name, "Oma", "stored", True) for name in sorted(file.name for file in files)
    ]
    folder = tmp_path / "out"
    folder.mkdir()
    got = {item.name: await content(anna, item, folder) for item in items}
    assert got == {file.name: file.read_bytes() for file in files}
    assert not list(anna.home.dropped.iterdir())
    # It is looked at for signs of editing, as what contacts send.
    assert sorted(photo.hex() for photo in arrived) == sorted(item.id for item in items)


async def test_a_photo_that_is_here_comes_no_second_time(
    anna: TestedNode, picture: Picture
) -> None:
    ours, theirs = picture(), picture()
    await anna.parts.importer.take(ours, None)
    link = await dropping(anna)
    for _ in range(2):
        async with phone(link).sending() as sending:
            assert await sending.send_all([ours, theirs]) == [HERE, HERE]
    other = await dropping(anna, "Opa")
    async with phone(other).sending() as sending:
        sending.offer(1, theirs.read_bytes(), "again.jpg")
        assert (await sending.standing())[1] == HERE
    names = [row["name"] for row in anna.parts.database.rows("SELECT name FROM drop_items")]
    assert sorted(names) == sorted([ours.name, theirs.name, "again.jpg"])
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 2


async def test_a_photo_that_was_chosen_twice_comes_once_and_stands_so_for_both(
    anna: TestedNode, picture: Picture
) -> None:
    content = picture(length=3 * PART).read_bytes()
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        sending.offer(1, content, "one.jpg")
        assert await sending.standing() == (1, WANTED, 0)
        sending.offer(2, content, "two.jpg")
        assert await sending.standing() == (2, WAITS, 0)
        for offset in range(0, len(content), PART):
            sending.part(1, content, offset)
        ends = {await sending.standing() for _ in range(2)}
        assert {(number, standing) for number, standing, _ in ends} == {(1, HERE), (2, HERE)}
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 1
    assert not list(anna.home.dropped.iterdir())


async def test_what_says_to_be_of_a_far_future_is_kept(anna: TestedNode, picture: Picture) -> None:
    content = picture().read_bytes()
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        sending.offer(1, content, "a.jpg", modified=2**63)
        await sending.standing()
        sending.part(1, content, 0)
        assert (await sending.standing())[1] == HERE


async def test_a_disk_that_fills_meanwhile_ends_a_visit_before_it_is_full(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture(length=8 * PART).read_bytes()
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        sending.offer(1, content, "film.mp4")
        assert await sending.standing() == (1, WANTED, 0)

        def full(length: int) -> None:
            assert length > 0
            raise DiskFullError

        monkeypatch.setattr(anna.parts.blobs, "check_room", full)
        for offset in range(0, len(content) - PART, PART):
            sending.part(1, content, offset)
        assert await sending.refusal() == "link-busy"


async def test_all_that_was_accepted_and_never_came_can_be_declined(
    anna: TestedNode, picture: Picture
) -> None:
    content = picture(length=2 * PART).read_bytes()
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        sending.offer(1, content, "film.mp4")
        assert await sending.standing() == (1, WANTED, 0)
        sending.part(1, content, 0)
        anna.engine.drops.decide_all("Oma", accept=False)
        assert (await sending.standing())[1] == DECLINED
    assert [item.state for item in anna.engine.inbox()] == ["declined"]


async def test_a_photo_that_was_removed_is_not_brought_back(
    anna: TestedNode, picture: Picture
) -> None:
    path = picture()
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        await sending.send_all([path])
        (item,) = anna.engine.inbox()
        await anna.engine.remove(item.id, force=True)
        assert await sending.send(2, path.read_bytes(), path.name) == HERE
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 0


async def test_without_consent_nothing_comes_and_the_page_hears_of_the_decision(
    anna: TestedNode, picture: Picture
) -> None:
    files = [picture() for _ in range(3)]
    link = await dropping(anna, accept="ask")
    async with phone(link).sending() as sending:
        for number, file in enumerate(files):
            sending.offer(number, file.read_bytes(), file.name)
            assert await sending.standing() == (number, WAITS, 0)
        sending.part(0, files[0].read_bytes(), 0)  # nobody takes it
        items = {item.name: item for item in anna.engine.inbox()}
        assert {item.state for item in items.values()} == {"waiting"}
        assert anna.engine.drops.list()[0].waiting == 3
        declined = anna.engine.decide(items[files[1].name].id[:8], accept=False)
        assert declined.state == "declined"
        decided = [await sending.standing() for _ in range(3)]
        assert decided == [(0, WAITS, 0), (1, DECLINED, 0), (2, WAITS, 0)]
        assert anna.engine.decide(items[files[0].name].id, accept=True).state == "accepted"
        decided = [await sending.standing() for _ in range(2)]
        assert decided == [(0, WANTED, 0), (2, WAITS, 0)]
        sending.part(0, files[0].read_bytes(), 0)
        assert (await sending.standing())[:2] == (0, HERE)
        assert anna.engine.drops.decide_all("oma", accept=True).coming == 1
        assert await sending.standing() == (2, WANTED, 0)
    states = {item.name: item.state for item in anna.engine.inbox()}
    assert states == {
        file.name: state
        for file, state in zip(files, ("stored", "declined", "accepted"), strict=True)
    }
    with pytest.raises(NotWaitingError):
        anna.engine.decide(items[files[0].name].id, accept=True)


async def test_what_broke_off_goes_on_where_it_was_also_after_a_restart(
    anna: TestedNode, picture: Picture
) -> None:
    path = picture("film.bin", 20 * PART + 5)
    whole = path.read_bytes()
    link = await dropping(anna)
    for begin in (0, 8):
        async with phone(link).sending() as sending:
            sending.offer(7, whole, path.name)
            assert await sending.standing() == (7, WANTED, begin * PART)
            for number in range(begin, begin + 8):
                sending.part(7, whole, number * PART)
            await anna.until(lambda at=begin: _sealed_parts(anna) == at + 8)
        await anna.restart()
        await anna.until(lambda: anna.engine.drops.list()[0].served)
    async with phone(link).sending() as sending:
        assert await sending.send(1, whole, path.name) == HERE
    (item,) = anna.engine.inbox()
    assert item.sha256 == hashlib.sha256(whole).hexdigest()


def _sealed_parts(node: TestedNode) -> int:
    return sum(file.stat().st_size for file in _dropped(node)) // (PART + 28)


async def test_what_is_on_its_way_lies_sealed_and_goes_when_it_is_not_wanted(
    anna: TestedNode,
) -> None:
    marked = b"here is what a phone sends " * 10_000
    link = await dropping(anna)
    async with phone(link).sending() as sending:
        sending.offer(1, marked, "secret.bin")
        await sending.standing()
        for number in range(5):
            sending.part(1, marked, number * PART)
        await anna.until(lambda: sum(f.stat().st_size for f in _dropped(anna)) > PART)
        for file in _dropped(anna):
            assert marked[:27] not in file.read_bytes()
            assert file.stat().st_mode & 0o077 == 0
        (item,) = anna.engine.inbox()
        anna.engine.decide(item.id, accept=False)
        assert (await sending.standing())[1] in (WANTED, DECLINED)
    assert _dropped(anna) == []
    stray = anna.home.dropped / f"{bytes(16).hex()}.parts"
    stray.write_bytes(b"left over")
    await anna.restart()
    assert not stray.exists()


def _dropped(node: TestedNode) -> list[Path]:
    folder = node.home.dropped
    return list(folder.iterdir()) if folder.exists() else []


async def test_what_is_not_what_was_offered_is_not_stored(
    anna: TestedNode, picture: Picture
) -> None:
    link = await dropping(anna)
    content = picture().read_bytes()
    async with phone(link).sending() as sending:
        sending.offer(1, content, "a.jpg", sha256=bytes(32))
        assert (await sending.standing())[1] == WANTED
        sending.part(1, content, 0)
        assert (await sending.standing())[1] == BROKEN
        sending.offer(2, b"", "empty.jpg")
        assert (await sending.standing())[1] == REFUSED
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 0
    assert _dropped(anna) == []


async def test_a_link_that_is_taken_back_ends_what_is_under_way_and_says_so(
    anna: TestedNode, picture: Picture, clock: Clock
) -> None:
    link, path = await dropping(anna), picture(length=3 * PART)
    async with phone(link).sending() as sending:
        await sending.send_all([picture()])
        sending.offer(9, path.read_bytes(), path.name)
        await sending.standing()
        sending.part(9, path.read_bytes(), 0)
        assert anna.engine.drops.revoke("Oma").state == "revoked"
        assert await sending.refusal() == "link-revoked"
    assert await phone(link).state() == "link-revoked"
    assert [item.state for item in anna.engine.inbox()] == ["stored"]
    # Its name is free again, and it is forgotten a day later.
    again = await dropping(anna)
    assert anna.engine.drops.revoke("oma").id == again.id
    clock.time += KEPT_SECONDS + 1
    assert anna.engine.drops.list() == []
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 1


async def test_the_key_is_needed_and_a_drop_link_leads_to_no_photo(anna: TestedNode) -> None:
    link = await dropping(anna)
    url = link.url or ""
    assert await Phone(f"{url.split('#')[0]}#{base(bytes(32))}").refusal() == "link-key"
    # Its token opens nothing at the other door, nor does its tag.
    assert await Phone(url.replace("/d/", "/l/")).refusal() == "link-unknown"
    stored = anna.parts.database.rows("SELECT * FROM drops")
    held = b"".join(value for row in stored for value in row if isinstance(value, bytes))
    assert unbase(url.split("#")[1]) not in held
    assert unbase(url.split("/d/")[1].split("#")[0]) not in held
    assert "url" not in repr(link)


async def test_what_no_page_says_ends_the_visit(anna: TestedNode, picture: Picture) -> None:
    link = await dropping(anna)
    whole = picture(length=3 * PART).read_bytes()
    for frame in (b"", b"\x01", b"\x11" + bytes(52), b"\x13" + bytes(60)):
        async with phone(link).sending() as sending:
            sending.say(frame)
            assert await sending.refusal() in ("link-offer", "link-elsewhere")
    async with phone(link).sending() as sending:
        sending.conversation.channel.send(b"what nobody sealed, " * 3)
        assert await sending.refusal() == "seal-broken"
    async with phone(link).sending() as sending:
        sending.offer(1, whole, "a.bin")
        await sending.standing()
        sending.part(1, whole, PART)  # not the part that comes next
        assert await sending.refusal() == "link-offer"


async def test_of_two_windows_one_sends_a_photo(anna: TestedNode, picture: Picture) -> None:
    link = await dropping(anna)
    whole = picture(length=3 * PART).read_bytes()
    async with phone(link).sending() as first:
        first.offer(1, whole, "a.bin")
        await first.standing()
        async with phone(link).sending() as second:
            assert await second.send(5, whole, "a.bin") == HERE
        assert await first.refusal() == "link-elsewhere"
    assert anna.parts.database.value("SELECT count(*) FROM photos") == 1


async def test_limits_hold_before_anything_is_kept(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DROPS", 1)
    monkeypatch.setattr(limits, "DROP_ITEMS", 1)
    link = await dropping(anna, accept="ask")
    with pytest.raises(TooManyDropsError):
        await dropping(anna, "Opa")
    async with phone(link).sending() as sending:
        for number in range(2):
            sending.offer(number, picture().read_bytes(), "a.jpg")
        assert await sending.refusal() == "link-busy"
    assert anna.engine.drops.list()[0].waiting == 1


async def test_a_full_disk_refuses_in_words_and_loses_nothing(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, path = await dropping(anna), picture()

    def no_room(_length: int) -> None:
        raise DiskFullError

    async with phone(link).sending() as sending:
        with monkeypatch.context() as full:
            full.setattr(anna.parts.blobs, "check_room", no_room)
            sending.offer(1, path.read_bytes(), path.name)
            frame = await sending.next()
        assert drop.read_standing(frame)[1] is Standing.REFUSED
        assert "no room" in drop.read_standing(frame)[3]
        assert await sending.send(2, path.read_bytes(), path.name) == HERE


async def test_names_are_somebody_s_and_one_link_s(anna: TestedNode) -> None:
    await dropping(anna)
    with pytest.raises(DropNameTakenError):
        await dropping(anna, "OMA")
    for name, accept in (("", "ask"), ("Opa", "sometimes")):
        with pytest.raises(BadRequestError):
            await dropping(anna, name, accept)
    with pytest.raises(NoSuchDropError):
        anna.engine.drops.revoke("Uncle")
    assert anna.engine.drops.accept_from("oma", "ask").accept == "ask"


# Frames and messages.


def test_frames_open_once_in_their_order_and_with_the_right_key_alone() -> None:
    auth, bound = Secret(random_bytes("auth", 32)), (b"d" * 32, b"offer", b"c" * 32)
    node, page = Frames.of_node(auth, *bound), Frames.of_page(auth, *bound)
    first, second = page.seal(b"one"), page.seal(b"two")
    with pytest.raises(SealBrokenError):
        node.open(second)
    assert (node.open(first), node.open(second)) == (b"one", b"two")
    for sealed in (second, first, b"", node.seal(b"to the page")):
        with pytest.raises(SealBrokenError):
            node.open(sealed)
    other = Frames.of_node(auth, b"d" * 32, b"another offer", b"c" * 32)
    with pytest.raises(SealBrokenError):
        other.open(first)
    assert drop_keys.drop_id(bytes(16)) != drop_keys.drop_id(bytes(15) + b"\x01")


def test_messages_are_read_as_they_were_made_and_others_refused() -> None:
    offered = Offered(3, 70_000, 1_700_000_000_000, b"h" * 32, "Straße.jpg")
    assert drop.read(drop.offer(offered)) == offered
    part = Part(3, PART, b"bytes")
    assert drop.read(drop.part(3, PART, b"bytes")) == part
    standing = drop.standing(3, Standing.REFUSED, 5, "no")
    assert drop.read_standing(standing) == (3, Standing.REFUSED, 5, "no")
    for wrong in (
        b"", b"\x11", drop.part(3, 1, b"x"), drop.part(3, 0, bytes(PART + 1)), drop.part(3, 0, b""),
        drop.offer(Offered(3, limits.DROP_BYTES + 1, 0, b"h" * 32, "x")),
        drop.offer(Offered(3, 1, 0, b"h" * 32, "")),
        drop.offer(Offered(3, 1, 0, b"h" * 32, "x" * 201)),
        drop.offer(offered)[:-1] + b"\xff", b"\x90" + bytes(60),
    ):  # fmt: skip
        with pytest.raises(LinkOfferError):
            drop.read(wrong)
