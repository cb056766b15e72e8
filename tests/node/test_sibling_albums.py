"""Albums that several people keep, on several devices of one of them."""

from __future__ import annotations

from .circle import added_one, album_of, found, has, key_of, knows, let_in, state
from .conftest import Picture
from .nodes import TestedNode
from .siblings import Pair


def stands(node: TestedNode, expected: str) -> bool:
    return knows(node) and state(node) == expected


async def test_an_album_of_ours_is_on_the_other_device_with_its_photos(
    pair: Pair, picture: Picture
) -> None:
    found(pair.laptop)
    photo = await added_one(pair.laptop, picture())
    await pair.phone.until(lambda: stands(pair.phone, "joined"))
    await pair.phone.until(lambda: has(pair.phone, photo))
    await pair.phone.until(lambda: key_of(pair.phone) == key_of(pair.laptop))
    await pair.phone.until(lambda: album_of(pair.phone).has(pair.phone.parts.device.chain))
    other = await added_one(pair.phone, picture())
    await pair.laptop.until(lambda: has(pair.laptop, other))


async def test_an_album_that_one_device_joined_is_joined_on_the_other_before_an_admin_met_it(
    pair: Pair, picture: Picture
) -> None:
    found(pair.bob)
    photo = await added_one(pair.bob, picture())
    await pair.phone.until(lambda: bool(pair.phone.parts.library.contacts()))
    await let_in(pair.bob, pair.laptop)
    await pair.laptop.until(lambda: has(pair.laptop, photo))
    await pair.phone.until(lambda: stands(pair.phone, "joined"))
    await pair.phone.until(lambda: has(pair.phone, photo))
    pair.laptop.engine.albums.leave("Summer")
    await pair.phone.until(lambda: state(pair.phone) == "left")
