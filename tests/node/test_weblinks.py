"""Links between a whole node and a visitor: what one gets, how often, until when, and what not."""

from __future__ import annotations

import contextlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from kinlight.node import weblink_desk, weblinks
from kinlight.node.errors import BadRequestError
from kinlight.node.forms import ORIGINAL, Form
from kinlight.node.photo_errors import (
    LinkPageError,
    NoPhotosError,
    NoSuchLinkError,
    TooManyLinksError,
)
from kinlight.node.views_weblinks import WebLink
from kinlight.node.weblinks import Terms
from kinlight.protocol import limits, weblink
from kinlight.protocol.weblink_errors import LinkOfferError
from PIL import ExifTags, Image

from .conftest import Picture, Start
from .link_visitor import Visitor, base, unbase
from .nodes import NOW, Clock, TestedNode, random_bytes
from .photographs import photograph

HOUR = 3600
FAMILY = """
[[rule]]
name = "family"
effect = "allow"
attributes = { role = ["family"] }
"""


async def linked(
    node: TestedNode,
    *paths: Path,
    form: Form = ORIGINAL,
    seconds: int = HOUR,
    count: int = 1,
    host: str = "127.0.0.1",
    secure: bool = False,
) -> WebLink:
    """A new link of a node, for an hour and one opening, whose page is on loopback."""
    terms = Terms(seconds, count, form == ORIGINAL, host, secure)
    making = node.engine.weblinks.make(list(paths), terms, form, rehash=False)
    async with contextlib.aclosing(making):
        async for step in making:
            if isinstance(step, WebLink):
                return step
    raise AssertionError


def visitor(link: WebLink, **changes: Any) -> Visitor:
    return Visitor(link.url or "", **changes)


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


async def test_a_visitor_with_a_link_gets_the_files_byte_for_byte(
    anna: TestedNode, picture: Picture
) -> None:
    small, large = picture("a.jpg"), picture("b.jpg", 600_000)
    link = await linked(anna, small, large)
    assert (link.state, link.photos, link.served) == ("open", 2, True)
    async with visitor(link).connected() as channel:
        said = await channel.list()
        assert (said["from"], said["original"], said["expires"]) == ("Anna", True, NOW + HOUR)
        assert [photo["name"] for photo in said["photos"]] == ["a.jpg", "b.jpg"]
        got = [await channel.photo(photo, number) for number, photo in enumerate(said["photos"])]
    assert got == [small.read_bytes(), large.read_bytes()]


async def test_without_original_a_small_copy_goes_that_tells_no_place(
    anna: TestedNode, tmp_path: Path
) -> None:
    path = photograph(
        tmp_path / "beach.jpg", size=(90, 60), taken="2026:07:14 09:30:00", position=(48.1, 11.5)
    )
    link = await linked(anna, path, form=Form("clean", 64))
    async with visitor(link).connected() as channel:
        said = await channel.list()
        got = await channel.photo(said["photos"][0], 0)
    assert said["original"] is False
    with Image.open(BytesIO(got)) as copy:
        assert max(copy.size) == 64
        assert not copy.getexif().get_ifd(ExifTags.IFD.GPSInfo)


async def test_one_browser_counts_once_and_may_come_back_another_is_refused(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    first = visitor(link)
    for _ in range(2):
        async with first.connected() as channel:
            await channel.list()
    assert await visitor(link).refusal() == "link-used-up"
    (view,) = anna.engine.weblinks.list()
    assert (view.state, view.used, view.url) == ("used-up", 1, None)
    assert await first.state() == "link-used-up"


async def test_an_expired_a_revoked_and_an_unknown_link_say_so(
    anna: TestedNode, picture: Picture, clock: Clock
) -> None:
    path = picture()
    revoked, expired = await linked(anna, path), await linked(anna, path)
    assert anna.engine.weblinks.revoke(revoked.id[:8]).state == "revoked"
    clock.time += HOUR
    for link, code in ((revoked, "link-revoked"), (expired, "link-expired")):
        assert await visitor(link).state() == code
        assert await visitor(link).refusal() == code
    unknown = Visitor(f"http://{_authority(expired)}/l/{base(bytes(16))}#{base(bytes(32))}")
    assert (await unknown.post({})).json()["error"]["code"] == "link-unknown"


async def test_a_link_that_is_taken_back_ends_what_is_under_way(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    async with visitor(link).connected() as channel:
        await channel.list()
        anna.engine.weblinks.revoke(link.id)
        channel.ask(0, 0, 1)
        assert await channel.refusal() == "link-revoked"


async def test_a_photo_that_was_removed_is_gone_from_its_link(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    async with visitor(link).connected() as channel:
        listed = (await channel.list())["photos"][0]
        await anna.engine.remove(_id(listed), force=True)
        channel.ask(0, 0, 1)
        assert await channel.refusal() == "link-gone"


async def test_the_owner_s_rules_hold_for_whoever_has_a_link(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    async with visitor(link).connected() as channel:
        anna.engine.rules.put(FAMILY)
        channel.ask(0, 0, 1)
        assert await channel.refusal() == "link-denied"
    with pytest.raises(NoPhotosError):
        await linked(anna, picture())


async def test_the_key_in_the_fragment_is_needed_and_counts_nothing_when_wrong(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    url = (link.url or "").split("#")[0]
    wrong = Visitor(f"{url}#{base(bytes(32))}")
    assert await wrong.refusal() == "link-key"
    assert anna.engine.weblinks.list()[0].used == 0
    assert await visitor(link).refusal() == "open"


async def test_nothing_in_the_home_makes_a_link_again(anna: TestedNode, picture: Picture) -> None:
    link = await linked(anna, picture())
    token, key = visitor(link).path[3:], visitor(link).key
    rows = anna.parts.database.rows("SELECT * FROM weblinks")
    stored = b"".join(value if isinstance(value, bytes) else b"" for row in rows for value in row)
    assert key not in stored
    assert token not in str(stored)
    assert "url" not in repr(link)
    assert base(key) not in repr(link)


async def test_links_outlive_the_daemon_at_their_port(anna: TestedNode, picture: Picture) -> None:
    path = picture()
    link = await linked(anna, path)
    await anna.restart()
    await anna.until(lambda: anna.engine.weblinks.list()[0].served)
    async with visitor(link).connected() as channel:
        assert await channel.photo((await channel.list())["photos"][0], 0) == path.read_bytes()


async def test_the_page_is_served_only_while_there_are_links(
    anna: TestedNode, picture: Picture, clock: Clock
) -> None:
    desk = anna.engine.weblinks
    assert desk.list() == []
    link = await linked(anna, picture())
    clock.time += HOUR + weblinks.KEPT_SECONDS + 1
    await desk.renew()
    with pytest.raises(OSError, match="All connection attempts failed"):
        await _state(link)


async def _state(link: WebLink) -> str:
    try:
        return await visitor(link).state()
    except Exception as error:
        raise OSError(str(error)) from None


async def test_what_can_t_be_promised_is_refused(anna: TestedNode, picture: Picture) -> None:
    path = picture()
    for seconds in (0, limits.LINK_SECONDS + 1):
        with pytest.raises(BadRequestError):
            await linked(anna, path, seconds=seconds)
    for count in (0, limits.LINK_COUNT + 1):
        with pytest.raises(BadRequestError):
            await linked(anna, path, count=count)
    with pytest.raises(NoPhotosError):
        await linked(anna, path.parent / "none.jpg")
    with pytest.raises(LinkPageError):
        await linked(anna, path, host="203.0.113.9")
    with pytest.raises(BadRequestError):
        weblink_desk.where("203.0.113.9")
    with pytest.raises(NoSuchLinkError):
        anna.engine.weblinks.revoke("ffffffff")


async def test_only_so_many_links_are_open(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINKS", 1)
    link = await linked(anna, picture())
    with pytest.raises(TooManyLinksError):
        await linked(anna, picture())
    anna.engine.weblinks.revoke(link.id)
    await linked(anna, picture())


# Who has a link and wants more.


async def test_a_link_leads_to_its_own_photos_alone(anna: TestedNode, picture: Picture) -> None:
    one, other = await linked(anna, picture()), await linked(anna, picture())
    async with visitor(one).connected() as channel:
        await channel.list()
        channel.ask(1, 0, 1)
        assert await channel.refusal() == "link-scope"
    # The token of one with the key of the other opens neither.
    mixed = Visitor(f"{(one.url or '').split('#')[0]}#{(other.url or '').split('#')[1]}")
    assert await mixed.refusal() == "link-key"


async def test_what_no_page_asks_ends_the_visit(anna: TestedNode, picture: Picture) -> None:
    who = visitor(await linked(anna, picture()))
    for message in (b"\x01\x00", b"\x02" + bytes(10), b"\x02" + b"\xff" * 10, "text"):
        async with who.connected() as channel:
            channel.channel.send(message)
            assert await channel.refusal() == "link-offer"


@pytest.mark.parametrize("message", [b"", b"\x02", b"\x03", b"\x82" + bytes(30), bytes(11)])
def test_what_is_no_question_is_not_read(message: bytes) -> None:
    with pytest.raises(LinkOfferError):
        weblink.read_ask(message)


async def test_a_piece_beyond_the_last_is_none(anna: TestedNode, picture: Picture) -> None:
    link = await linked(anna, picture())
    async with visitor(link).connected() as channel:
        channel.ask(0, 1, 1)
        assert await channel.refusal() == "link-offer"


async def test_who_asks_for_more_than_it_takes_is_let_go(
    anna: TestedNode, picture: Picture
) -> None:
    link = await linked(anna, picture())
    async with visitor(link).connected() as channel:
        for _ in range(2):
            channel.ask(0, 0, limits.LINK_PIECES_ASKED)
        assert await channel.refusal() in ("link-busy", "link-offer")


async def test_a_damaged_blob_does_not_go(anna: TestedNode, picture: Picture) -> None:
    link = await linked(anna, picture())
    for blob in anna.blob_files():
        blob.write_bytes(random_bytes("damage", blob.stat().st_size))
    async with visitor(link).connected() as channel:
        channel.ask(0, 0, 1)
        assert await channel.refusal() == "link-gone"


async def test_only_so_many_connections_are_open_at_a_time(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinlight.node import weblink_rtc

    monkeypatch.setattr(weblink_rtc, "CONNECTIONS_EACH", 1)
    link = await linked(anna, picture(), count=9)
    async with visitor(link).connected():
        assert await visitor(link).refusal() == "link-busy"


def _id(listed: dict[str, Any]) -> str:
    return unbase(listed["id"]).hex()


def _authority(link: WebLink) -> str:
    return (link.url or "").split("/")[2]
