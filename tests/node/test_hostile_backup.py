"""A holder that was let keep a backup, and lies, drops, refuses or stays silent."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from kinlight.node import backing_up, depositing
from kinlight.node.mallory import Conversation, Mallory
from kinlight.protocol.errors import (
    BusyError,
    HolderFullError,
    NotHoldingError,
    PeerError,
    TooMuchError,
    wire_code,
)
from kinlight.protocol.messages import (
    Deposit,
    Held,
    HeldDone,
    HeldGone,
    HeldRefused,
    Holding,
    Mailbox,
    Message,
)

from .conftest import Picture, Start
from .nodes import TestedNode
from .three import imported

ROOM = 10**9


def hash_of(deposit: Deposit) -> bytes:
    return hashlib.sha256(deposit.envelope).digest()


@dataclass
class Keeper:
    """Anna backs up at Mallory's, who says `held` to everything and fetches nothing."""

    anna: TestedNode
    mallory: Mallory
    deposits: list[Deposit] = field(default_factory=list[Deposit])
    done: list[bytes] = field(default_factory=list[bytes])
    answers_deposits: bool = True
    answers_done: bool = True
    refuses: type[PeerError] | None = None

    @property
    def photos(self) -> list[Deposit]:
        """Those about photos; what is about contacts has no blobs."""
        return [each for each in self.deposits if each.blobs]

    def react(self, message: Message) -> list[Message]:
        if isinstance(message, HeldDone):
            self.done.append(message.envelope_hash)
            return [HeldGone(message.envelope_hash)] if self.answers_done else []
        if not isinstance(message, Deposit):
            return []
        self.deposits.append(message)
        if self.refuses is not None and message.blobs:
            return [HeldRefused(hash_of(message), wire_code(self.refuses()))]
        return [Held(hash_of(message))] if self.answers_deposits else []

    @asynccontextmanager
    async def linked(self, *, quota: int = ROOM) -> AsyncGenerator[Conversation]:
        """A link on which Mallory offers to keep backups."""
        async with self.mallory.connected() as conversation:
            conversation.react = self.react
            await conversation.say(Holding(quota, 10**6, backup=True))
            await self.anna.until(lambda: self.anna.engine.contact("Mallory").backup != "no")
            yield conversation

    async def choose(self, *, backup: bool = True) -> None:
        await self.anna.engine.update_contact("Mallory", holder=True, backup=backup, yes=True)

    async def counts(self, count: int) -> None:
        """Wait until so many photos count as backed up."""
        self.anna.parts.backing_up.tell()
        await self.anna.until(lambda: self.backed_up == count)

    @property
    def backed_up(self) -> int:
        return self.anna.engine.contact("Mallory").backed_up

    async def left(self, count: int) -> None:
        """Wait until so many photos were left, each time counted."""
        self.anna.parts.backing_up.tell()
        await self.anna.until(lambda: len(self.photos) == count)

    @property
    def is_left_alone(self) -> bool:
        return self.anna.parts.backing_up.is_quiet(self.mallory.device.identity)


async def answered(conversation: Conversation, anna: TestedNode) -> None:
    """All that Mallory said was heard, and what Anna had to say of it came."""
    for number in range(3):
        anna.parts.backing_up.tell()
        question = number.to_bytes(32)  # of what nobody left: the answer is the same
        await conversation.say(HeldDone(question, b""))
        while (await conversation.wait_for(HeldGone)).envelope_hash != question:
            pass


@pytest.fixture
async def keeper(start: Start, picture: Picture) -> Keeper:
    anna = await start("Anna")
    await imported(anna, picture())
    mallory = Mallory(anna.parts.listener.port)
    await anna.befriend(mallory)
    return Keeper(anna, mallory)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minutes for which a holder is left alone are over at once."""
    monkeypatch.setattr(depositing, "RETRY_SECONDS", 0)


async def test_nothing_is_left_with_who_offers_before_a_person_chose_it(keeper: Keeper) -> None:
    async with keeper.linked() as conversation:
        await answered(conversation, keeper.anna)
        assert keeper.deposits == []
        await keeper.choose(backup=False)
        await answered(conversation, keeper.anna)
        assert keeper.deposits == []


async def test_what_a_holder_drops_counts_no_more_and_is_not_left_there_at_once(
    keeper: Keeper,
) -> None:
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.counts(1)
        await conversation.say(HeldGone(hash_of(keeper.photos[0])))
        await keeper.counts(0)
        assert keeper.is_left_alone
    async with keeper.linked() as conversation:  # nor if it comes again
        await answered(conversation, keeper.anna)
        assert len(keeper.photos) == 1


@pytest.mark.usefixtures("no_pause")
async def test_what_a_holder_drops_is_left_there_again_after_a_while(keeper: Keeper) -> None:
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.counts(1)
        await conversation.say(HeldGone(hash_of(keeper.photos[0])))
        await answered(conversation, keeper.anna)
        await keeper.left(2)
        await keeper.counts(1)
        assert hash_of(keeper.photos[0]) != hash_of(keeper.photos[1])
        assert keeper.photos[0].blobs == keeper.photos[1].blobs


@pytest.mark.parametrize("refusal", [BusyError, HolderFullError, NotHoldingError, TooMuchError])
async def test_who_refuses_is_left_alone_also_on_the_next_link(
    keeper: Keeper, refusal: type[PeerError]
) -> None:
    keeper.refuses = refusal
    async with keeper.linked():
        await keeper.choose()
        await keeper.anna.until(lambda: keeper.is_left_alone)
    async with keeper.linked() as conversation:
        await answered(conversation, keeper.anna)
        assert len(keeper.photos) == 1
        assert keeper.backed_up == 0


@pytest.mark.usefixtures("no_pause")
async def test_what_is_refused_for_the_moment_is_left_again_in_the_same_bytes(
    keeper: Keeper,
) -> None:
    keeper.refuses = BusyError
    async with keeper.linked():
        await keeper.choose()
        await keeper.left(1)
        keeper.refuses = None
        await keeper.counts(1)
        assert len({hash_of(each) for each in keeper.photos}) == 1


@pytest.mark.usefixtures("no_pause")
async def test_what_a_holder_does_not_take_at_all_keeps_nothing_else_back(
    keeper: Keeper, picture: Picture
) -> None:
    keeper.refuses = TooMuchError
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.left(1)
        await answered(conversation, keeper.anna)
        keeper.refuses = None
        await imported(keeper.anna, picture())
        await keeper.counts(1)
        await answered(conversation, keeper.anna)
        assert len(keeper.photos) == 2


async def test_what_is_larger_than_all_that_is_kept_there_is_not_even_left(
    keeper: Keeper, picture: Picture
) -> None:
    await imported(keeper.anna, picture(length=300_000))
    async with keeper.linked(quota=200_000):
        await keeper.choose()
        await keeper.counts(1)
        assert len(keeper.photos) == 1


async def test_a_holder_that_never_answers_keeps_nobody_from_ending_the_backup(
    keeper: Keeper, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "_AT_ONCE", 2)
    keeper.answers_deposits = keeper.answers_done = False
    for _ in range(3):
        await imported(keeper.anna, picture())
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.anna.until(lambda: len(keeper.deposits) == 2)
        await answered(conversation, keeper.anna)
        assert len(keeper.deposits) == 2
        await keeper.choose(backup=False)
        left = {hash_of(each) for each in keeper.deposits}
        await keeper.anna.until(lambda: set(keeper.done) == left)
        # What it says now was on its way, for all that Anna knows.
        for envelope_hash in left:
            await conversation.say(Held(envelope_hash))
        await answered(conversation, keeper.anna)
        assert keeper.backed_up == 0


async def test_what_was_ended_and_begun_again_is_left_anew_though_the_end_was_never_confirmed(
    keeper: Keeper,
) -> None:
    keeper.answers_done = False
    async with keeper.linked():
        await keeper.choose()
        await keeper.counts(1)
        await keeper.choose(backup=False)
        await keeper.anna.until(lambda: hash_of(keeper.photos[0]) in keeper.done)
    assert keeper.backed_up == 0
    keeper.done.clear()
    async with keeper.linked():
        await keeper.anna.until(lambda: hash_of(keeper.photos[0]) in keeper.done)
        await keeper.choose()
        await keeper.left(2)
        await keeper.counts(1)


async def test_a_holder_that_takes_none_for_a_while_is_not_told_to_remove_what_it_has(
    keeper: Keeper,
) -> None:
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.counts(1)
        await conversation.say(Holding(0, 0, backup=False))
        await answered(conversation, keeper.anna)
        assert keeper.done == []
        assert keeper.backed_up == 1


@pytest.mark.usefixtures("no_pause")
async def test_a_holder_that_takes_backups_again_gets_all_of_it_before_the_old_is_withdrawn(
    keeper: Keeper,
) -> None:
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.counts(1)
        old = {hash_of(each) for each in keeper.deposits}
        await conversation.say(Holding(0, 0, backup=False))
        keeper.answers_deposits = False
        await conversation.say(Holding(ROOM, 10**6, backup=True))
        await keeper.left(2)
        assert keeper.backed_up == 0
        await answered(conversation, keeper.anna)
        assert keeper.done == []
        for each in list(keeper.deposits):
            if hash_of(each) not in old:
                await conversation.say(Held(hash_of(each)))
        await keeper.counts(1)
        await keeper.anna.until(lambda: set(keeper.done) == old)


@pytest.mark.usefixtures("no_pause")
async def test_a_library_that_can_not_grow_stops_the_backup_for_now_and_not_the_link(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    database = keeper.anna.parts.database
    async with keeper.linked() as conversation:
        pages = database.value("PRAGMA page_count")
        most = database.value("PRAGMA max_page_count")
        await keeper.choose()
        assert database.value(f"PRAGMA max_page_count = {pages}") >= pages
        await keeper.anna.until(
            lambda: (
                any("backup does not go on" in each.message for each in caplog.records)
                or bool(keeper.backed_up)
            )
        )
        database.value(f"PRAGMA max_page_count = {most}")
        await keeper.counts(1)
        await answered(conversation, keeper.anna)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_answer_to_what_was_never_left_ends_the_link_and_changes_nothing(
    keeper: Keeper,
) -> None:
    async with keeper.linked() as conversation:
        await keeper.choose()
        await keeper.counts(1)
        await conversation.say(HeldGone(bytes(32)))
        await answered(conversation, keeper.anna)
        await conversation.say(Held(bytes(32)))
        await keeper.anna.until(lambda: conversation.link.ended.is_set())
    assert keeper.backed_up == 1


async def test_the_mailbox_is_told_before_anything_is_left_in_it(keeper: Keeper) -> None:
    said: list[type[Message]] = []

    def react(message: Message) -> list[Message]:
        said.append(type(message))
        return keeper.react(message)

    async with keeper.linked() as conversation:
        conversation.react = react
        await keeper.choose()
        await keeper.counts(1)
    assert said.index(Mailbox) < said.index(Deposit)
