"""Albums between whole nodes: found, invite, join, add, fetch from whoever has it."""

from __future__ import annotations

import pytest

from .circle import ALBUM, added_one, has, knows, let_in, roles, state
from .conftest import Picture, Two
from .nodes import TestedNode


def found(node: TestedNode, **more: object) -> None:
    node.engine.albums.create(ALBUM, metadata="original", **more)  # type: ignore[arg-type]


async def test_a_contact_is_invited_joins_and_gets_the_photos(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    path = picture()
    photo = await added_one(anna, path)
    anna.engine.albums.invite(ALBUM, "Bob")
    await bob.until(lambda: knows(bob))
    (item,) = bob.engine.albums.all()
    assert (item.state, item.role, item.invited_by, item.owner) == (
        "invited", "contributor", "Anna", "Anna",
    )  # fmt: skip
    bob.engine.albums.join(ALBUM)
    await bob.until(lambda: has(bob, photo))
    assert roles(bob) == {"me": "contributor", "Anna": "owner"}
    details = bob.engine.photo(photo)
    assert (details.author, details.own) == ("Anna", False)
    assert bob.engine.inbox() == []


async def test_who_was_invited_adds_photos_too(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    photo = await added_one(bob, picture())
    await anna.until(lambda: has(anna, photo))
    assert state(bob) == "joined"
