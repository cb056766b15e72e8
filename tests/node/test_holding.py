"""What is left with a holder, held, collected and over: over real links, between whole nodes."""

from __future__ import annotations

from .conftest import Start
from .holders import (
    Left,
    collect,
    done,
    fetched,
    files,
    friend_of,
    leave,
)
from .nodes import random_bytes

LARGE = random_bytes("large", 900_000)


async def test_what_is_left_is_held_collected_fetched_and_over(start: Start) -> None:
    holder = await start("Holder")
    sender, owner = await friend_of(holder, "Sender"), await friend_of(holder, "Owner")
    holder.engine.hold.turn_on([])
    left = Left.make("", LARGE, b"metadata")
    async with sender.mallory.connected() as conversation:
        assert await leave(conversation, owner, left) == "held"
    async with owner.mallory.connected() as conversation:
        items, end = await collect(conversation)
        assert [item.envelope for item in items] == [left.envelope]
        assert (end.last, end.more) == (items[0].position, False)
        for sealed in left.blobs:
            assert await fetched(conversation, sealed) == sealed.ciphertext
        await done(conversation, left)
        assert await collect(conversation, 0) == ([], end)
    assert files(holder) == []
    view = holder.engine.hold.view()
    assert (view.items, view.bytes) == (0, 0)
