"""Who is not in an album, or was taken out, gets nothing of it, and breaks nothing."""

from __future__ import annotations

import itertools
import secrets

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.secret import Secret
from kinlight.node import album_sync
from kinlight.node.album_sync import AlbumSync
from kinlight.node.mallory import Conversation, Mallory
from kinlight.node.photo_errors import AmbiguousAlbumError
from kinlight.protocol import limits
from kinlight.protocol.album import Album
from kinlight.protocol.album_admin import Admin
from kinlight.protocol.album_admin import found as found_album
from kinlight.protocol.album_keys import KeyRing
from kinlight.protocol.album_messages import (
    AlbumEntries,
    AlbumHeads,
    AlbumRefused,
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
    heads_of,
)
from kinlight.protocol.album_roles import caveats
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.messages import Fetch, FetchRefused, Message
from kinlight.protocol.rendition import ORIGINAL

from .circle import ALBUM, added_one, album_of, found, key_of, knows, photos
from .conftest import Attacked, Picture, Start
from .intruder import Intruder
from .nodes import NOW, TestedNode

UNKNOWN, GONE = 6, 20


async def settled(conversation: Conversation) -> list[Message]:
    """What the node said until it answers a ping, which it does at once; twice, as albums wait for
    their turn.
    """
    said: list[Message] = []
    for number in range(3):
        await conversation.say(AlbumWrapAsk(bytes(16), bytes(32), number.to_bytes(32)))
        said.append(await conversation.wait_for(AlbumRefused))
    return said


def ids(node: TestedNode, photo: str) -> tuple[bytes, bytes]:
    """A photo's id and that of its content."""
    record = node.parts.library.photo(bytes.fromhex(photo))
    assert record is not None
    return record.photo_id, record.record.content_id


def forged(mallory: Mallory, album_id: bytes) -> bytes:
    """A role that she gave herself."""
    us = mallory.device
    given = Capability.grant(
        us.signing, us.identity, Audience("identity", us.identity),
        caveats(album_id, "admin"), bytes(16),
    )  # fmt: skip
    return given.encoded


# Who never was a member.


async def test_a_stranger_can_not_tell_an_album_from_one_that_there_is_not(
    attacked: Attacked, picture: Picture
) -> None:
    bob, mallory = attacked.bob, attacked.mallory
    real = found(bob)
    photo = await added_one(bob, picture())
    entry = real.album.graph.entries[0]
    photo_id, content_id = ids(bob, photo)
    answers: list[list[Message | str]] = []
    for album_id in (real.album_id, secrets.token_bytes(16)):
        async with mallory.connected() as conversation:
            intruder = Intruder(mallory.device)
            said: list[Message | str] = []
            await conversation.say(AlbumHeads(album_id, (entry.digest,), ()))
            said.append(await conversation.wait_for(AlbumRefused))
            said.append(await conversation.wait_for(AlbumHeads))
            await conversation.say(AlbumEntries(album_id, False, ()))
            await conversation.say(AlbumWrapAsk(album_id, entry.digest, key_of(bob)))
            said.append(await conversation.wait_for(AlbumRefused, AlbumWrap))
            await conversation.say(AlbumSetAsk(album_id, entry.digest, key_of(bob), 0))
            said.append(await conversation.wait_for(AlbumRefused, AlbumSetPart))
            capability = forged(mallory, album_id)
            said.append(await intruder.fetches(conversation, photo_id, content_id, capability))
            answers.append(said)
            assert not any(isinstance(each, AlbumEntries) for each in conversation.pending())
        assert said == [
            AlbumRefused(album_id, UNKNOWN), AlbumHeads(album_id, (), ()),
            AlbumRefused(album_id, UNKNOWN), AlbumRefused(album_id, UNKNOWN), "unknown-peer",
        ]  # fmt: skip
    assert len(answers[0]) == len(answers[1])


async def test_nothing_is_told_of_an_album_to_who_does_not_ask(attacked: Attacked) -> None:
    found(attacked.bob)
    async with attacked.mallory.connected() as conversation:
        await settled(conversation)
        assert not any(isinstance(each, AlbumHeads) for each in conversation.pending())


# Who was taken out.


async def removed(attacked: Attacked, picture: Picture) -> tuple[Intruder, str, str]:
    """Mallory was in Bob's album with all that belongs to it; a photo of before, one of after."""
    bob, mallory = attacked.bob, attacked.mallory
    found(bob)
    before = await added_one(bob, picture())
    bob.engine.albums.invite(ALBUM, "Mallory")
    intruder = Intruder(mallory.device)
    async with mallory.connected() as conversation:
        await intruder.invited(conversation)
        said = await intruder.fetches(conversation, *ids(bob, before), intruder.capability)
        assert said == "given"
    assert key_of(bob) in intruder.keys
    bob.engine.albums.remove(ALBUM, "Mallory")
    after = await added_one(bob, picture())
    return intruder, before, after


async def test_who_was_taken_out_gets_the_log_as_far_as_that_and_no_more(
    attacked: Attacked, picture: Picture
) -> None:
    bob = attacked.bob
    intruder, _, after = await removed(attacked, picture)
    shared = album_of(bob)
    bob.engine.albums.rotate(ALBUM)
    async with attacked.mallory.connected() as conversation:
        came = await intruder.hear(conversation, shared.album_id)
        again = await intruder.hear(conversation, shared.album_id)
    assert len(came) == 1  # her removal
    assert again == []
    assert intruder.album is not None
    assert bytes.fromhex(after) not in intruder.album.view.photos
    assert intruder.identity not in intruder.album.view.members
    assert key_of(bob) not in {epoch.key_id for _, epoch in intruder.album.graph.all_epochs()}


async def test_her_old_link_wraps_and_grant_open_nothing_any_more(
    attacked: Attacked, picture: Picture
) -> None:
    bob = attacked.bob
    intruder, before, after = await removed(attacked, picture)
    shared = album_of(bob)
    album_id = shared.album_id
    keys = [epoch.key_id for _, epoch in shared.album.graph.all_epochs()]
    async with attacked.mallory.connected() as conversation:
        for entry, key_id in itertools.product(shared.album.graph.entries, keys):
            await conversation.say(AlbumWrapAsk(album_id, entry.digest, key_id))
            said = await conversation.wait_for(AlbumRefused, AlbumWrap)
            assert said == AlbumRefused(album_id, UNKNOWN)
            await conversation.say(AlbumSetAsk(album_id, entry.digest, key_id, 0))
            said = await conversation.wait_for(AlbumRefused, AlbumSetPart)
            assert said == AlbumRefused(album_id, UNKNOWN)
        for photo in (before, after):
            for shown in (intruder.capability, forged(attacked.mallory, album_id)):
                said = await intruder.fetches(conversation, *ids(bob, photo), shown)
                assert said == "unknown-peer"
    photo = shared.album.view.photos[bytes.fromhex(after)].photo
    with pytest.raises(KinlightError):
        intruder.keys.unwrap_photo(photo)


async def test_what_she_adds_later_counts_for_nobody(attacked: Attacked, picture: Picture) -> None:
    bob, mallory = attacked.bob, attacked.mallory
    intruder, before, after = await removed(attacked, picture)
    assert intruder.album is not None
    hers = mallory.photo(b"upload right")
    old_key = next(iter(intruder.album.graph.all_epochs()))[1].key_id
    entry = intruder.adds(hers.record, old_key, intruder.album.graph.heads)
    async with mallory.connected() as conversation:
        await intruder.brings(conversation, entry)
        await bob.until(lambda: entry.digest in album_of(bob).album)
    assert set(photos(bob)) == {before, after}
    assert entry.digest in album_of(bob).album.view.void


async def test_an_entry_of_the_log_by_her_lets_nobody_in(
    attacked: Attacked, picture: Picture
) -> None:
    """She was an admin, and goes on as if she still were."""
    bob, mallory = attacked.bob, attacked.mallory
    found(bob)
    bob.engine.albums.invite(ALBUM, "Mallory", role="admin")
    intruder = Intruder(mallory.device)
    async with mallory.connected() as conversation:
        await intruder.invited(conversation)
    await added_one(bob, picture())
    bob.engine.albums.remove(ALBUM, "Mallory")
    assert intruder.album is not None
    accomplice = Mallory(bob.parts.listener.port, "Eve").device
    admin = Admin(intruder.album, mallory.device.signing, intruder.identity, intruder.keys)
    written = admin.invite(NOW, "viewer", [accomplice.chain], bytes(16), Secret(bytes(32)))
    async with mallory.connected() as conversation:
        await intruder.brings(conversation, written.entry)
        await bob.until(lambda: written.entry.digest in album_of(bob).album)
    view = album_of(bob).album.view
    assert set(view.members) == {bob.identity}
    assert accomplice.identity not in view.members


# What she says.


async def test_entries_that_nobody_asked_for_end_the_link(attacked: Attacked) -> None:
    async with attacked.mallory.connected() as conversation:
        await conversation.say(AlbumEntries(bytes(16), False, ()))
        await attacked.bob.until(
            lambda: not attacked.bob.parts.peers.links(attacked.mallory.device.identity)
        )


async def test_more_than_waits_here_ends_the_link(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album_sync, "QUEUED_BYTES", 10_000)
    async with attacked.mallory.connected() as conversation:
        await conversation.say(AlbumHeads(bytes(16), (), tuple([bytes(32)] * 200)))
        await attacked.bob.until(
            lambda: not attacked.bob.parts.peers.links(attacked.mallory.device.identity)
        )


async def test_who_tells_heads_without_end_is_answered_at_a_pace_and_others_as_ever(
    attacked: Attacked, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ALBUM_HEADS_AT_ONCE", 5)
    monkeypatch.setattr(limits, "ALBUM_HEADS_PER_SECOND", 0.001)
    answered: list[bytes] = []
    true = AlbumSync._meet  # pyright: ignore[reportPrivateUsage]

    def meet(sync: AlbumSync, album_id: bytes) -> None:
        if album_id < bytes(8) + bytes([255]) * 8:  # one of hers
            answered.append(album_id)
        true(sync, album_id)

    monkeypatch.setattr(AlbumSync, "_meet", meet)
    bob, anna = attacked.bob, await start("Anna")
    await anna.pair_with(bob)
    async with attacked.mallory.connected() as conversation:
        for number in range(20):
            await conversation.say(AlbumHeads(number.to_bytes(16), (), ()))
        await bob.until(lambda: len(answered) == 5)
        found(bob)
        bob.engine.albums.invite(ALBUM, "Anna")
        await anna.until(lambda: knows(anna))
        assert len(answered) == 5


class Founder:
    """An album of Mallory's, told to Bob as she likes."""

    def __init__(self, attacked: Attacked) -> None:
        device = attacked.mallory.device
        made = found_album(
            device.signing, device.chain, NOW, bytes(16), Secret(secrets.token_bytes(32)),
            tier=ORIGINAL,
        )  # fmt: skip
        self.album: Album = made.album
        self.keys: KeyRing = made.keys
        self.admin = Admin(made.album, device.signing, device.identity, made.keys)
        bob = attacked.bob.parts.device
        self.written = self.admin.invite(
            NOW, "contributor", [bob.chain], bytes(16), Secret(secrets.token_bytes(32))
        )

    def serve(self, message: Message) -> list[Message]:
        if isinstance(message, AlbumHeads):
            entries = tuple(self.album.kept())
            return [AlbumEntries(message.album, False, entries)]
        return []


async def test_a_wrap_that_is_none_is_refused_and_the_true_one_taken_later(
    attacked: Attacked,
) -> None:
    bob, founder = attacked.bob, Founder(attacked)
    device = bob.parts.device.signing.public
    wraps = founder.written.wraps
    assert wraps is not None
    true = wraps.wraps[device].encode()
    spoilt = true[:40] + bytes([true[40] ^ 1]) + true[41:]

    def knows_key() -> bool:
        shared = bob.engine.albums.find(founder.album.album_id.hex())
        return wraps.key_id in shared.keys

    for wrap in (spoilt, b"nonsense", true):

        def react(message: Message, wrap: bytes = wrap) -> list[Message]:
            if isinstance(message, AlbumWrapAsk):
                mine = wrap if message.key_id == wraps.key_id else b""
                return [AlbumWrap(message.album, message.entry, message.key_id, mine)]
            if isinstance(message, AlbumSetAsk):
                return [AlbumSetPart(message.album, message.entry, message.key_id, 0, ())]
            return founder.serve(message)

        async with attacked.mallory.connected() as conversation:
            conversation.react = react
            await conversation.say(heads_of(founder.album))
            await bob.until(lambda: len(bob.engine.albums.all()) == 1)
            bob.engine.albums.join(founder.album.album_id.hex())
            if wrap is true:
                await bob.until(knows_key)
            else:
                await conversation.wait_for(AlbumSetAsk)
                assert not knows_key()


async def test_an_album_in_which_somebody_else_lets_us_in_is_not_taken(
    attacked: Attacked,
) -> None:
    """Mallory has it from Eve, whom Bob never met."""
    bob = attacked.bob
    eve = Mallory(bob.parts.listener.port, "Eve").device
    made = found_album(
        eve.signing, eve.chain, NOW, bytes(16), Secret(secrets.token_bytes(32)), tier=ORIGINAL
    )
    admin = Admin(made.album, eve.signing, eve.identity, made.keys)
    admin.invite(NOW, "contributor", [bob.parts.device.chain], bytes(16), Secret(bytes(32)))

    def react(message: Message) -> list[Message]:
        if isinstance(message, AlbumHeads):
            return [AlbumEntries(message.album, False, tuple(made.album.kept()))]
        return []

    async with attacked.mallory.connected() as conversation:
        conversation.react = react
        await conversation.say(heads_of(made.album))
        await conversation.wait_for(AlbumHeads)
        await settled(conversation)
        assert bob.engine.albums.all() == []


async def test_an_album_without_end_is_given_up(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album_sync, "STRANGE_BYTES", 100)
    bob, founder = attacked.bob, Founder(attacked)
    entries = founder.album.kept()

    def react(message: Message) -> list[Message]:
        if isinstance(message, AlbumHeads):
            return [AlbumEntries(message.album, True, tuple(entries))]
        return []

    async with attacked.mallory.connected() as conversation:
        conversation.react = react
        await conversation.say(heads_of(founder.album))
        await conversation.wait_for(AlbumHeads)
        await settled(conversation)
        assert conversation.pending() == []
        assert bob.engine.albums.all() == []


async def test_a_photo_that_a_member_does_not_bring_waits_until_there_is_news(
    attacked: Attacked,
) -> None:
    bob, mallory = attacked.bob, attacked.mallory
    found(bob)
    bob.engine.albums.invite(ALBUM, "Mallory")
    intruder = Intruder(mallory.device)
    async with mallory.connected() as conversation:
        await intruder.invited(conversation)
        assert intruder.album is not None
        hers = mallory.photo(b"a photo of hers")
        entry = intruder.adds(hers.record, key_of(bob), intruder.album.graph.heads)
        await intruder.brings(conversation, entry)
        await bob.until(lambda: len(photos(bob)) == 1)
        (item,) = photos(bob).values()
        asked = await conversation.wait_for(Fetch)
        for number in (asked.request, (await conversation.wait_for(Fetch)).request):
            await conversation.say(FetchRefused(number, GONE))
        await settled(conversation)
        assert not any(isinstance(each, Fetch) for each in conversation.pending())
        await conversation.say(AlbumHeads(intruder.album.album_id, (), ()))
        await conversation.wait_for(Fetch)
        assert photos(bob)[item.id].state == "coming"


async def test_what_she_refused_to_say_she_may_not_say_later(attacked: Attacked) -> None:
    bob, mallory = attacked.bob, attacked.mallory
    album_id = secrets.token_bytes(16)
    async with mallory.connected() as conversation:
        for _ in range(2):
            await conversation.say(AlbumHeads(album_id, (), ()))
            await conversation.wait_for(AlbumHeads)
            await conversation.say(AlbumRefused(album_id, UNKNOWN))
        await settled(conversation)
        assert bob.parts.peers.links(mallory.device.identity)
        await conversation.say(AlbumEntries(album_id, False, ()))
        await bob.until(lambda: not bob.parts.peers.links(mallory.device.identity))


async def test_who_is_refused_keys_first_still_hears_the_log(attacked: Attacked) -> None:
    """Both refusals are about keys; what was asked by heads is answered after them."""
    bob, founder = attacked.bob, Founder(attacked)
    asked: list[Message] = []

    def react(message: Message) -> list[Message]:
        asked.append(message)
        if isinstance(message, AlbumWrapAsk | AlbumSetAsk):
            return [AlbumRefused(message.album, UNKNOWN)]
        return founder.serve(message)

    async with attacked.mallory.connected() as conversation:
        conversation.react = react
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: len(bob.engine.albums.all()) == 1)
        await settled(conversation)
        assert not any(isinstance(each, AlbumSetAsk) for each in asked)  # it is not joined yet
        bob.engine.albums.join(founder.album.album_id.hex())
        await bob.until(lambda: any(isinstance(each, AlbumSetAsk) for each in asked))
        founder.admin.rotate(NOW, Secret(secrets.token_bytes(32)))
        await conversation.say(heads_of(founder.album))
        last = founder.album.graph.entries[-1].digest
        await bob.until(lambda: last in album_of(bob, founder.album.album_id.hex()).album)
        assert bob.parts.peers.links(attacked.mallory.device.identity)


async def test_an_album_that_nobody_joined_grows_no_further_than_strange_ones(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, founder = attacked.bob, Founder(attacked)
    album_id = founder.album.album_id.hex()

    def rotate() -> bytes:
        return founder.admin.rotate(NOW, Secret(secrets.token_bytes(32))).entry.digest

    async with attacked.mallory.connected() as conversation:
        conversation.react = founder.serve
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: len(bob.engine.albums.all()) == 1)
        await settled(conversation)
        kept = sum(map(len, founder.album.kept()))
        assert album_of(bob, album_id).unasked == kept
        monkeypatch.setattr(album_sync, "STRANGE_BYTES", kept)
        first, second = rotate(), b""
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: first in album_of(bob, album_id).album)
        second = rotate()
        await conversation.say(heads_of(founder.album))
        await settled(conversation)
        await settled(conversation)
        assert second not in album_of(bob, album_id).album
        bob.engine.albums.join(album_id)
        await bob.until(lambda: second in album_of(bob, album_id).album)


async def test_invitations_that_are_taken_back_leave_nothing_here(attacked: Attacked) -> None:
    bob, founder = attacked.bob, Founder(attacked)
    async with attacked.mallory.connected() as conversation:
        conversation.react = founder.serve
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: len(bob.engine.albums.all()) == 1)
        founder.admin.remove(NOW, bob.identity, Secret(secrets.token_bytes(32)))
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: not bob.engine.albums.all())
        await settled(conversation)
        for table in ("shared_albums", "album_entries", "album_keys", "album_wraps"):
            assert bob.parts.database.value(f"SELECT count(*) FROM {table}") == 0, table
        founder.admin.invite(
            NOW, "viewer", [bob.parts.device.chain], bytes([1] * 16),
            Secret(secrets.token_bytes(32)),
        )  # fmt: skip
        await conversation.say(heads_of(founder.album))
        await bob.until(lambda: len(bob.engine.albums.all()) == 1)


async def test_an_album_named_like_the_id_of_another_is_not_taken_for_it(
    attacked: Attacked,
) -> None:
    bob = attacked.bob
    begins = found(bob).album_id.hex()[:8]
    bob.engine.albums.create(begins)
    with pytest.raises(AmbiguousAlbumError):
        bob.engine.albums.find(begins)
    assert album_of(bob, ALBUM).album_id.hex().startswith(begins)
