"""Every message of albums, from a contact, at any moment: none breaks anything."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from kinlight.protocol import limits
from kinlight.protocol.album_keys import WRAP_BYTES
from kinlight.protocol.album_messages import (
    AlbumEntries,
    AlbumHeads,
    AlbumRefused,
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
)
from kinlight.protocol.messages import Message

from .circle import ALBUM, added_one, album_of, found, has, let_in
from .conftest import Attacked, Picture, Start
from .intruder import Intruder


class Odd:
    """Messages as they may come, about what is here, what was, and what never was."""

    def __init__(self, seed: int, intruder: Intruder) -> None:
        self._random = random.Random(seed)
        assert intruder.album is not None
        graph = intruder.album.graph
        self._albums = [graph.album, bytes(16), self._random.randbytes(16)]
        self._hashes = [*(entry.digest for entry in graph.entries), bytes(32)]
        self._keys = [*(epoch.key_id for _, epoch in graph.all_epochs()), bytes(32)]
        self._entries = [*intruder.album.kept(), b"", self._random.randbytes(99)]
        self._kinds: list[Callable[[], Message]] = [
            lambda: AlbumHeads(self.album(), self.hashes(), self.hashes()),
            lambda: AlbumEntries(self.album(), self.flag(), self.entries()),
            lambda: AlbumRefused(self.album(), self._random.randrange(2**64)),
            lambda: AlbumWrapAsk(self.album(), self.hash(), self.key()),
            lambda: AlbumWrap(
                self.album(), self.hash(), self.key(), self._random.randbytes(self.size())
            ),
            lambda: AlbumSetAsk(
                self.album(), self.hash(), self.key(),
                self._random.randrange(limits.ALBUM_WRAPS),
            ),
            lambda: AlbumSetPart(
                self.album(), self.hash(), self.key(), self._random.randrange(2), self.pairs()
            ),
        ]  # fmt: skip

    def message(self) -> Message:
        return self._random.choice(self._kinds)()

    def album(self) -> bytes:
        return self._random.choice(self._albums)

    def hash(self) -> bytes:
        return self._random.choice(self._hashes)

    def key(self) -> bytes:
        return self._random.choice(self._keys)

    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self.hash() for _ in range(self._random.randrange(4)))

    def flag(self) -> bool:
        return self._random.random() < 0.5

    def size(self) -> int:
        return self._random.choice([0, 1, 100, WRAP_BYTES])

    def entries(self) -> tuple[bytes, ...]:
        """Some of the album's, in any order, and what is none."""
        return tuple(self._random.choices(self._entries, k=self._random.randrange(6)))

    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        return tuple(
            (self._random.randbytes(32), self._random.randbytes(WRAP_BYTES))
            for _ in range(self._random.randrange(3))
        )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("member", [True, False])
async def test_no_message_of_albums_breaks_anything(
    attacked: Attacked, picture: Picture, caplog: pytest.LogCaptureFixture, seed: int, member: bool
) -> None:
    bob, mallory = attacked.bob, attacked.mallory
    found(bob)
    photo = await added_one(bob, picture())
    bob.engine.albums.invite(ALBUM, "Mallory", role="admin")
    intruder = Intruder(mallory.device)
    async with mallory.connected() as conversation:
        await intruder.invited(conversation)
    if not member:
        bob.engine.albums.remove(ALBUM, "Mallory")
    heads, keys = album_of(bob).album.heads, len(album_of(bob).keys.keys())
    odd = Odd(seed, intruder)
    for _ in range(4):
        async with mallory.connected() as conversation:
            for _ in range(40):
                if conversation.link.ended.is_set():
                    break  # entries that nobody asked for, say
                conversation.link.post(odd.message())
            await conversation.link.close()
    shared = album_of(bob)
    assert (shared.album.heads, len(shared.keys.keys()), shared.state) == (heads, keys, "joined")
    assert has(bob, photo)
    assert len(bob.engine.albums.all()) == 1
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    second = await added_one(bob, picture())
    assert has(bob, second)


async def test_a_member_that_answers_nothing_holds_up_no_other(
    attacked: Attacked, picture: Picture, start: Start
) -> None:
    """A good member gets what is added although a hostile one is connected and says nothing."""
    bob, mallory = attacked.bob, attacked.mallory
    carol = await start("Carol")
    await bob.pair_with(carol)
    found(bob)
    bob.engine.albums.invite(ALBUM, "Mallory", role="admin")
    intruder = Intruder(mallory.device)
    async with mallory.connected() as conversation:
        await intruder.invited(conversation)
        await let_in(bob, carol)
        photo = await added_one(carol, picture())
        await bob.until(lambda: has(bob, photo))
