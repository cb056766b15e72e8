"""Contacts of a holder who lie to it, flood it, probe it, or want what is not theirs."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from kinlight.crypto.blob import sealed_length
from kinlight.node import blobstore, fetching, holder, sync
from kinlight.node.errors import DiskFullError
from kinlight.node.mallory import flip_byte
from kinlight.protocol import limits
from kinlight.protocol.delivery import HeldBlob
from kinlight.protocol.errors import NotHoldingError, from_wire
from kinlight.protocol.messages import (
    Collect,
    Credit,
    Fetch,
    FetchHeld,
    FetchRefused,
    Held,
    HeldEnd,
    HeldReceipt,
    HeldRefused,
    Holding,
    Mailbox,
    ManifestPart,
    Message,
    Piece,
)

from .holders import (
    Depositing,
    Household,
    Left,
    Sealed,
    Serve,
    collect,
    done,
    fetched,
    files,
    leave,
    outcome,
    truly,
)
from .nodes import eventually, random_bytes

LARGE = random_bytes("large", 900_000)


async def assert_well(household: Household) -> None:
    """Nothing is left of what was tried, and the holder still holds, for the same people."""
    await eventually(lambda: len(household.hold.pulls) == 0)
    await household.hold.close()
    assert (household.totals, files(household.holder)) == ((0, 0), [])
    left = Left.make("", LARGE, b"metadata")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    async with household.owner.mallory.connected() as conversation:
        assert await fetched(conversation, left.blobs[0]) == left.blobs[0].ciphertext


# Lies about bytes.


def changed(change: Callable[[Piece], Piece]) -> Serve:
    def serve(sealed: Sealed, fetch: FetchHeld) -> list[Message]:
        answers = truly(sealed, fetch)
        return [change(each) if isinstance(each, Piece) else each for each in answers]

    return serve


def another_manifest(_: Sealed, fetch: FetchHeld) -> list[Message]:
    return [ManifestPart(fetch.request, Sealed.of(LARGE).manifest.encode())]


def an_endless_manifest(_: Sealed, fetch: FetchHeld) -> list[Message]:
    return [ManifestPart(fetch.request, bytes(limits.MANIFEST_PART_BYTES))] * 2


def pieces_without_a_manifest(sealed: Sealed, fetch: FetchHeld) -> list[Message]:
    return [each for each in truly(sealed, fetch) if isinstance(each, Piece)]


def a_piece_twice(sealed: Sealed, fetch: FetchHeld) -> list[Message]:
    manifest, first, *_ = truly(sealed, fetch)
    return [manifest, first, first]


LIES: dict[str, tuple[Serve, str]] = {
    "a flipped byte": (changed(lambda p: replace(p, data=flip_byte(p.data))), "piece-mismatch"),
    "a short piece": (changed(lambda p: replace(p, data=p.data[:-1])), "piece-mismatch"),
    "another manifest": (another_manifest, "malformed"),
    "an endless manifest": (an_endless_manifest, "too-much"),
    "no manifest": (pieces_without_a_manifest, "unexpected-message"),
    "a piece twice": (a_piece_twice, "piece-mismatch"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nothing_stays_of_a_blob_that_is_not_what_it_must_be(
    household: Household, lie: str
) -> None:
    serve, code = LIES[lie]
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(left, serve=serve)
        assert await leave(conversation, household.owner, left) == code
    await assert_well(household)


@pytest.mark.parametrize("more", [-100_000, 100_000, 10**9])
async def test_a_blob_of_another_length_than_was_said_is_not_held(
    household: Household, more: int
) -> None:
    left = Left.make("", LARGE)
    (told,) = (each.told for each in left.blobs)
    left.told = (HeldBlob(told.content_id, sealed_length(len(LARGE) + more), told.token_hash),)
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) in LENGTHS
    await assert_well(household)


async def test_what_its_depositor_does_not_give_is_not_held(household: Household) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing()
        assert await leave(conversation, household.owner, left) == "gone"
    await assert_well(household)


async def test_who_stops_giving_has_an_answer_and_can_go_on_later(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "STALL_SECONDS", 0.2)
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(left, serve=lambda sealed, fetch: truly(sealed, fetch)[:2])
        assert await leave(conversation, household.owner, left) == "busy"
        conversation.react = Depositing(left)
        assert await leave(conversation, household.owner, left) == "held"


async def test_a_lie_of_one_deposit_does_not_harm_another_of_the_same_blob(
    household: Household,
) -> None:
    """The second waits for the first on one link; it is asked anew when that has failed."""
    first, second = Left.make("first", LARGE), Left.make("second")
    second.blobs = first.blobs
    lied: list[FetchHeld] = []

    def once(sealed: Sealed, fetch: FetchHeld) -> list[Message]:
        if lied:
            return truly(sealed, fetch)
        lied.append(fetch)
        return LIES["a flipped byte"][0](sealed, fetch)

    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(first, serve=once)
        for each in (first, second):
            await conversation.say(each.deposit(household.owner.tag()))
        found = {await outcome(conversation, first), await outcome(conversation, second)}
    assert found == {"piece-mismatch", "held"}


LENGTHS = ("malformed", "too-much", "unexpected-message")
"""A manifest of another length; one that is longer than it may be; a piece before it is whole."""


# For whom, and whose.


async def test_nothing_is_held_under_a_tag_that_is_nobodys_here(household: Household) -> None:
    tags = [secrets.token_bytes(32), bytes(32)]
    stranger = replace(household.owner, secret=household.owner.secret.derive(b"another"))
    tags.append(stranger.tag())
    unmarked = household.other
    household.holder.parts.mailboxes.told(unmarked.identity, Mailbox(bytes(32), bytes(32)))
    tags.append(replace(unmarked, secret=type(unmarked.secret)(bytes(32))).tag())
    async with household.sender.mallory.connected() as conversation:
        for tag in tags:
            found = await leave(conversation, household.owner, Left.make(), tag=tag)
            assert found == "not-holding"
    await assert_well(household)


async def test_who_claims_the_mailbox_of_somebody_else_gets_nothing_of_it(
    household: Household,
) -> None:
    """All contacts of an owner know its secret; a tag is of one owner only."""
    mine = replace(household.other, secret=household.owner.secret)
    left = Left.make("", b"photo")
    async with household.other.mallory.connected() as conversation:
        await conversation.say(mine.mailbox(household.holder))
        await collect(conversation)  # that was read
        async with household.sender.mallory.connected() as sender:
            assert await leave(sender, household.owner, left) == "held"
        assert (await collect(conversation))[0] == []
        assert await fetched(conversation, left.blobs[0]) == "gone"
        await done(conversation, left)
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 1


async def test_a_deposit_can_t_be_given_to_somebody_else_by_repeating_it(
    household: Household,
) -> None:
    left = Left.make()
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
        assert await leave(conversation, household.other, left) == "malformed"
        left.blobs = [Sealed.of(b"more")]
        assert await leave(conversation, household.owner, left) == "malformed"
    async with household.other.mallory.connected() as conversation:
        assert (await collect(conversation))[0] == []
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 1


async def test_nobody_collects_fetches_or_removes_what_is_for_another(
    household: Household,
) -> None:
    left = Left.make("", b"photo")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
        assert await fetched(conversation, left.blobs[0]) == "gone", "not even who left it"
    async with household.other.mallory.connected() as conversation:
        assert (await collect(conversation))[0] == []
        assert await fetched(conversation, left.blobs[0]) == "gone"
        await done(conversation, left, b"receipt")
    assert household.totals[0] == 1
    async with household.sender.mallory.connected() as conversation:
        await collect(conversation)
        assert not any(isinstance(message, HeldReceipt) for message in conversation.pending())


async def test_a_blob_needs_its_own_token_and_all_refusals_are_the_same(
    household: Household,
) -> None:
    left = Left.make("", b"photo", b"other")
    unknown = Sealed.of(b"unknown")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    photo, other = left.blobs
    async with household.owner.mallory.connected() as conversation:
        for request, (sealed, token) in enumerate(
            ((photo, other.token), (photo, bytes(32)), (photo, b""), (unknown, unknown.token)), 1
        ):
            assert await fetched(conversation, sealed, token, request) == "gone"
        assert await fetched(conversation, photo, request=9) == photo.ciphertext


async def test_leaving_a_blob_does_not_tell_whether_another_left_it(household: Household) -> None:
    """Who has its content id alone is asked for all of it, and does not get what lies there."""
    left = Left.make("", b"photo")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    probe = Left.make()
    probe.told = (left.blobs[0].told,)
    async with household.other.mallory.connected() as conversation:
        conversation.react = depositing = Depositing()
        assert await leave(conversation, household.owner, probe) == "gone"
        assert [fetch.content_id for fetch in depositing.asked] == [left.blobs[0].content_id]
        assert await fetched(conversation, left.blobs[0]) == "gone"


async def test_the_same_envelope_of_two_contacts_is_two_items(household: Household) -> None:
    left = Left.make("", b"photo")
    for friend in (household.sender, household.other):
        async with friend.mallory.connected() as conversation:
            assert await leave(conversation, household.owner, left) == "held"
    async with household.other.mallory.connected() as conversation:
        await done(conversation, left)
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 1, "the other one's is not withdrawn"
        assert await fetched(conversation, left.blobs[0]) == left.blobs[0].ciphertext


async def test_what_is_removed_while_it_is_served_is_served_no_further(
    household: Household,
) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    async with household.owner.mallory.connected() as conversation:
        sealed = left.blobs[0]
        fetch = FetchHeld(1, sealed.content_id, sealed.token, False, ((0, 4),), 1)
        await conversation.say(fetch)
        await conversation.wait_for(Piece)
        await done(conversation, left)
        await conversation.say(replace(fetch, request=2))
        assert (await conversation.wait_for(FetchRefused)).request == 2
        await conversation.say(Credit(1, 3))
        refused = await conversation.wait_for(Piece, FetchRefused)
        assert isinstance(refused, FetchRefused)
        assert from_wire(refused.code).code == "gone"


# Too much.


async def test_the_quota_holds_on_a_link_and_room_that_is_made_can_be_used(
    household: Household,
) -> None:
    left = [Left.make() for _ in range(3)]
    size = len(left[0].envelope)
    household.hold.turn_on([], quota=2 * size, per_contact=2 * size)
    async with household.sender.mallory.connected() as conversation:
        for each, found in zip(left, ("held", "held", "holder-full"), strict=True):
            assert await leave(conversation, household.owner, each) == found
        await done(conversation, left[0])
        assert await leave(conversation, household.owner, left[2]) == "held"


async def test_what_never_fits_is_refused_as_such(household: Household) -> None:
    household.hold.turn_on([], per_contact=10_000)
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, Left.make("", LARGE)) == "too-much"
    household.hold.turn_on([], per_contact=2_000_000)
    await assert_well(household)


async def test_a_full_disk_is_said_and_nothing_is_held(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full = SimpleNamespace(free=0)
        patch.setattr(blobstore.shutil, "disk_usage", lambda _path: full)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
        async with household.sender.mallory.connected() as conversation:
            assert await leave(conversation, household.owner, Left.make()) == "peer-disk-full"
    await assert_well(household)


async def test_a_disk_that_fills_up_while_a_blob_comes_keeps_what_came(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        with monkeypatch.context() as patch:

            def fails(*_: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(blobstore.os, "fdopen", fails)
            assert await leave(conversation, household.owner, left) == "peer-disk-full"
        assert household.totals[0] == 1
        assert await leave(conversation, household.owner, left) == "held"


async def test_no_more_deposits_are_under_way_than_the_limit_says(household: Household) -> None:
    left = [Left.make("", secrets.token_bytes(10)) for _ in range(limits.DEPOSITS + 1)]
    asked: list[Message] = []

    def nothing(message: Message) -> list[Message]:
        asked.append(message)
        return []

    async with household.sender.mallory.connected() as conversation:
        conversation.react = nothing
        for each in left:
            await conversation.say(each.deposit(household.owner.tag()))
        refused = await conversation.wait_for(HeldRefused)
        assert refused == HeldRefused(left[-1].hash, 21)
        fetches = [each for each in asked if isinstance(each, FetchHeld)]
        assert len(fetches) == holder.SMALL_AT_ONCE, "and little is asked for at a time"
        async with household.other.mallory.connected() as another:
            assert await leave(another, household.owner, Left.make("", LARGE)) == "held"


async def test_a_depositor_is_asked_for_no_more_at_a_time_than_a_peer_may_have_open(
    monkeypatch: pytest.MonkeyPatch, household: Household
) -> None:
    monkeypatch.setattr(limits, "FETCHES", 3)
    left = [Left.make("", secrets.token_bytes(10)) for _ in range(12)]
    asked: list[FetchHeld] = []
    async with household.sender.mallory.connected() as conversation:
        serving = Depositing(*left)

        def notes(message: Message) -> list[Message]:
            if isinstance(message, FetchHeld):
                asked.append(message)
            return []

        conversation.react = notes
        for each in left:
            await conversation.say(each.deposit(household.owner.tag()))
        await eventually(lambda: len(asked) == 3)
        await collect(conversation)  # all of it was read, and nothing more is asked
        assert len(asked) == 3
        conversation.react = serving
        for answer in [answer for fetch in asked for answer in serving(fetch)]:
            await conversation.say(answer)
        for _ in left:
            await conversation.wait_for(Held)
    assert household.totals[0] == len(left)


async def test_a_flood_of_deposits_fills_no_more_than_one_contact_may_fill(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELD_PER_CONTACT", 100)
    left = [Left.make() for _ in range(300)]
    async with household.sender.mallory.connected() as conversation:
        for start in range(0, 300, 50):
            for each in left[start : start + 50]:
                await conversation.say(each.deposit(household.owner.tag()))
            for _ in range(50):
                await conversation.wait_for(Held, HeldRefused)
    assert household.totals[0] == 100
    async with household.other.mallory.connected() as conversation:
        assert await leave(conversation, household.sender, Left.make()) == "held"


async def test_the_same_deposit_a_hundred_times_is_one_and_has_one_answer(
    household: Household,
) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = depositing = Depositing(left)
        for _ in range(100):
            await conversation.say(left.deposit(household.owner.tag()))
        assert await outcome(conversation, left) == "held"
        assert len({fetch.content_id for fetch in depositing.asked}) == 1
    assert household.totals[0] == 1


async def test_who_asks_and_does_not_read_is_cut_off(household: Household) -> None:
    async with household.sender.mallory.connected() as conversation:
        for _ in range(20):
            assert await leave(conversation, household.owner, Left.make()) == "held"
    async with household.owner.mallory.connected() as conversation:
        for _ in range(holder.COLLECTS * 40):
            conversation.link.post(Collect(0, 256, own=False))
        await asyncio.wait_for(conversation.link.ended.wait(), 15)
    await assert_usable(household)


async def assert_usable(household: Household) -> None:
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 20


async def test_done_for_what_never_was_is_answered_and_changes_nothing(
    household: Household,
) -> None:
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, Left.make()) == "held"
        for _ in range(50):
            await done(conversation, Left.make(), secrets.token_bytes(limits.RECEIPT_BYTES))
    assert household.totals[0] == 1
    assert household.holder.parts.database.value("SELECT count(*) FROM held_receipts") == 0


# News of mailboxes.


def mailbox(number: int) -> Mailbox:
    return Mailbox(number.to_bytes(32), bytes(32))


async def test_as_many_mailboxes_as_may_come_at_once_are_taken(household: Household) -> None:
    async with household.other.mallory.connected() as conversation:
        for number in range(limits.HOLDING_NEWS_AT_ONCE):
            await conversation.say(mailbox(number))
        await collect(conversation)
        known = household.holder.parts.mailboxes.of(household.other.identity)
        assert known is not None
        assert known.secret.reveal() == mailbox(limits.HOLDING_NEWS_AT_ONCE - 1).secret


@pytest.mark.parametrize("message", [mailbox(1), Mailbox(b"", b""), Holding(1, 1, backup=False)])
async def test_a_flood_of_news_of_what_is_held_ends_the_link(
    household: Household, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HOLDING_NEWS_PER_SECOND", 0.0)
    async with household.other.mallory.connected() as conversation:
        for _ in range(limits.HOLDING_NEWS_AT_ONCE + 1):
            conversation.link.post(message)
        await eventually(conversation.link.ended.is_set)


async def test_a_full_disk_does_not_end_the_link_to_who_says_what_can_not_be_noted(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise DiskFullError

    for name in ("told", "offered"):
        monkeypatch.setattr(household.holder.parts.mailboxes, name, full)
    async with household.other.mallory.connected() as conversation:
        await conversation.say(mailbox(1))
        await conversation.say(Holding(1, 1, backup=False))
        assert await collect(conversation) == ([], HeldEnd(0, more=False))


async def test_no_more_is_asked_of_one_contact_than_it_lets_us_whatever_it_is_for(
    household: Household,
) -> None:
    """Its photos and what it leaves for others come over one link; it answers nothing here."""
    sender, asked = household.sender.mallory, Counter[type[Message]]()
    await household.holder.engine.update_contact("Sender", accept="always")
    left = [Left.make("", b"a photo") for _ in range(40)]

    def count(message: Message) -> list[Message]:
        asked[type(message)] += 1
        return []

    async with sender.connected() as conversation:
        conversation.react = count
        for number in range(40):
            await conversation.say(sender.photo(b"photo", f"{number}.jpg").offer)
        await eventually(lambda: asked[Fetch] == 2 * sync.SMALL_AT_ONCE)
        for each in left:
            await conversation.say(each.deposit(household.owner.tag()))
        await eventually(lambda: asked.total() >= limits.FETCHES)
        await collect(conversation)
        assert asked[Fetch] + asked[FetchHeld] == limits.FETCHES


async def test_a_receipt_is_sent_once_on_a_link_however_many_come_after_it(
    household: Household,
) -> None:
    left = [Left.make() for _ in range(3)]
    async with (
        household.sender.mallory.connected() as sender,
        household.owner.mallory.connected() as owner,
    ):
        for each in left:
            assert await leave(sender, household.owner, each) == "held"
        for each in left:
            await done(owner, each, b"a receipt")
            assert (await sender.wait_for(HeldReceipt)).envelope_hash == each.hash
        await collect(sender)
        assert [each for each in sender.pending() if isinstance(each, HeldReceipt)] == []
    async with household.sender.mallory.connected() as sender:
        again = [(await sender.wait_for(HeldReceipt)).envelope_hash for _ in left]
    assert set(again) == {each.hash for each in left}


async def test_nothing_of_a_blocked_contact_is_kept(household: Household) -> None:
    left = Left.make()
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    async with household.owner.mallory.connected() as conversation:
        await done(conversation, left, b"a receipt")
    await household.holder.engine.update_contact("Sender", blocked=True)
    held = household.hold.held
    assert held.receipts_for(household.sender.identity, b"", 1) == []
    with pytest.raises(NotHoldingError):  # on a link that is being ended
        await household.hold.admit(
            household.sender.identity, left.hash, left.deposit(household.owner.tag())
        )


async def test_a_full_disk_leaves_no_link_that_nobody_reads(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFullError

    parts = household.holder.parts
    monkeypatch.setattr(parts.library, "put_device", full)
    async with household.other.mallory.connected() as conversation:
        assert await collect(conversation) == ([], HeldEnd(0, more=False))
    monkeypatch.setattr(parts.mailboxes, "ours", full)  # what is said first on a link
    async with household.other.mallory.connected() as conversation:
        await asyncio.wait_for(conversation.link.ended.wait(), 10)
    await eventually(lambda: parts.peers.connections() == [])
