"""What is left with a holder, held, collected and over: over real links, with whole nodes."""

from __future__ import annotations

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node.contact_errors import NoSuchContactError
from kinlight.node.errors import BadRequestError
from kinlight.protocol.delivery import DAY_SECONDS, day_of
from kinlight.protocol.messages import (
    Collect,
    Held,
    HeldDone,
    HeldNews,
    HeldReceipt,
    Holding,
    Mailbox,
)

from .conftest import Start
from .holders import (
    Depositing,
    Household,
    Left,
    collect,
    done,
    fetched,
    files,
    friend_of,
    leave,
    outcome,
    truly,
)
from .nodes import NOW, Clock, eventually, random_bytes

LARGE = random_bytes("large", 900_000)


async def test_what_is_left_is_held_collected_fetched_and_over(household: Household) -> None:
    left = Left.make("", LARGE, b"metadata")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    size = len(left.envelope) + sum(each.manifest.length for each in left.blobs)
    assert household.totals == (1, size)
    async with household.owner.mallory.connected() as conversation:
        items, end = await collect(conversation)
        assert [item.envelope for item in items] == [left.envelope]
        assert (end.last, end.more) == (items[0].position, False)
        for sealed in left.blobs:
            assert await fetched(conversation, sealed) == sealed.ciphertext
        await done(conversation, left)
        assert await collect(conversation) == ([], end)
    await household.hold.close()
    assert files(household.holder) == []
    assert household.totals == (0, 0)


async def test_what_was_held_before_a_restart_is_there_after_it(household: Household) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    await household.holder.restart()
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 1
        assert await fetched(conversation, left.blobs[0]) == left.blobs[0].ciphertext


async def test_items_are_shown_a_page_at_a_time_in_the_order_of_their_positions(
    household: Household,
) -> None:
    left = [Left.make() for _ in range(40)]
    async with household.sender.mallory.connected() as conversation:
        for each in left:
            assert await leave(conversation, household.owner, each) == "held"
    async with household.owner.mallory.connected() as conversation:
        assert (await collect(conversation, most=0))[1].more
        seen: list[bytes] = []
        after, more = 0, True
        while more:
            items, end = await collect(conversation, after, 17)
            seen += [item.envelope for item in items]
            after, more = items[-1].position, end.more
            assert end.last == 40
        assert seen == [each.envelope for each in left]
        assert (await collect(conversation, 2**63 - 1))[0] == []


async def test_a_deposit_that_was_cut_off_goes_on_where_it_was(household: Household) -> None:
    left = Left.make("", LARGE)
    depositing = Depositing(left, serve=lambda sealed, fetch: truly(sealed, fetch)[:3])
    async with household.sender.mallory.connected() as conversation:
        conversation.react = depositing
        await conversation.say(left.deposit(household.owner.tag()))
        await eventually(lambda: household.holder.engine.events.counters.pieces_received == 2)
    assert household.totals[0] == 1
    async with household.owner.mallory.connected() as conversation:
        assert (await collect(conversation))[0] == []
    await household.holder.restart()
    async with household.sender.mallory.connected() as conversation:
        conversation.react = again = Depositing(left)
        assert await leave(conversation, household.owner, left) == "held"
    assert [(fetch.manifest, fetch.ranges) for fetch in again.asked] == [(False, ((2, 2),))]


async def test_a_node_that_is_locked_amid_deposits_and_answers_says_nothing_of_errors(
    household: Household, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [Left.make() for _ in range(40)]
    part = Left.make("", LARGE)
    async with (
        household.sender.mallory.connected() as sender,
        household.owner.mallory.connected() as owner,
    ):
        for each in whole:
            await sender.say(each.deposit(household.owner.tag()))
        await sender.wait_for(Held)
        sender.react = Depositing(part, serve=lambda sealed, fetch: truly(sealed, fetch)[:2])
        await sender.say(part.deposit(household.owner.tag()))
        for each in whole[:20]:
            await owner.say(HeldDone(each.hash, b"receipt"))
        await owner.say(Collect(0, 256, own=False))
        await eventually(lambda: household.holder.engine.events.counters.pieces_received == 1)
        await household.holder.stop()
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []
    await household.holder.start()
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(part)
        assert await leave(conversation, household.owner, part) == "held"


async def test_a_deposit_that_is_held_is_not_fetched_again(household: Household) -> None:
    left = Left.make("", b"photo")
    for asked in (1, 0):
        async with household.sender.mallory.connected() as conversation:
            conversation.react = depositing = Depositing(left)
            assert await leave(conversation, household.owner, left) == "held"
            assert len(depositing.asked) == asked
    assert household.totals[0] == 1


async def test_a_blob_of_many_deposits_of_one_contact_is_fetched_and_kept_once(
    household: Household,
) -> None:
    first, second = Left.make("first", LARGE), Left.make("second")
    second.blobs = first.blobs
    async with household.sender.mallory.connected() as conversation:
        conversation.react = depositing = Depositing(first)
        for each in (first, second):
            await conversation.say(each.deposit(household.owner.tag()))
        assert await outcome(conversation, first) == "held"
        assert await outcome(conversation, second) == "held"
    assert len({fetch.content_id for fetch in depositing.asked}) == 1
    assert sum(count for fetch in depositing.asked for _, count in fetch.ranges) == 4
    assert len(files(household.holder)) == 1


async def test_whose_is_new_hears_of_it_once_until_it_collects(household: Household) -> None:
    async with (
        household.owner.mallory.connected() as owner,
        household.sender.mallory.connected() as sender,
    ):
        for turn in range(2):
            for _ in range(3):
                assert await leave(sender, household.owner, Left.make()) == "held"
            await owner.wait_for(HeldNews)
            assert len((await collect(owner, 3 * turn))[0]) == 3
        assert not any(isinstance(message, HeldNews) for message in owner.pending())


async def test_a_receipt_goes_to_who_left_it_until_that_says_so(household: Household) -> None:
    left = Left.make()
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
    async with household.owner.mallory.connected() as conversation:
        await done(conversation, left, b"receipt")
        await done(conversation, left, b"a replayed one")
    receipt = HeldReceipt(left.hash, b"receipt")
    for _ in range(2):  # what was not confirmed comes again on the next link
        async with household.sender.mallory.connected() as conversation:
            assert await conversation.wait_for(HeldReceipt) == receipt
    async with household.sender.mallory.connected() as conversation:
        assert await conversation.wait_for(HeldReceipt) == receipt
        await done(conversation, left)
    async with household.sender.mallory.connected() as conversation:
        await collect(conversation)
        assert not any(isinstance(message, HeldReceipt) for message in conversation.pending())


async def test_who_is_connected_has_the_receipt_at_once(household: Household) -> None:
    left = Left.make()
    async with (
        household.owner.mallory.connected() as owner,
        household.sender.mallory.connected() as sender,
    ):
        assert await leave(sender, household.owner, left) == "held"
        await done(owner, left, b"receipt")
        assert await sender.wait_for(HeldReceipt) == HeldReceipt(left.hash, b"receipt")


async def test_who_left_something_can_withdraw_it(household: Household) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
        await done(conversation, left)
        await done(conversation, left)
    await household.hold.close()
    assert (household.totals, files(household.holder)) == ((0, 0), [])


async def test_what_is_withdrawn_while_it_comes_leaves_nothing(household: Household) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(left, serve=lambda sealed, fetch: truly(sealed, fetch)[:2])
        await conversation.say(left.deposit(household.owner.tag()))
        await eventually(lambda: household.holder.engine.events.counters.pieces_received == 1)
        await done(conversation, left)
        await eventually(lambda: len(household.hold.pulls) == 0)
        assert (household.totals, files(household.holder)) == ((0, 0), [])
        conversation.react = Depositing(left)
        assert await leave(conversation, household.owner, left) == "held"


async def test_what_is_withdrawn_and_left_again_in_one_breath_is_held(
    household: Household,
) -> None:
    left = Left.make("", LARGE)
    async with household.sender.mallory.connected() as conversation:
        conversation.react = Depositing(left)
        tag = household.owner.tag()
        for message in (left.deposit(tag), HeldDone(left.hash, b""), left.deposit(tag)):
            await conversation.say(message)
        assert await outcome(conversation, left) == "held"
    assert household.totals[0] == 1


# Time.


async def test_nothing_is_held_longer_than_the_holder_says(
    household: Household, clock: Clock
) -> None:
    household.hold.turn_on([], days=7)
    async with household.sender.mallory.connected() as conversation:
        far = await leave(conversation, household.owner, Left.make(), expires=2**32 - 1)
        near = await leave(conversation, household.owner, Left.make(), expires=day_of(NOW))
        over = await leave(conversation, household.owner, Left.make(), expires=day_of(NOW) - 1)
    assert (far, near, over) == ("held", "held", "grant-expired")
    for time, items in (
        ((day_of(NOW) + 1) * DAY_SECONDS - 1, 2),
        ((day_of(NOW) + 1) * DAY_SECONDS, 1),
        (NOW + 7 * DAY_SECONDS - 1, 1),
        (NOW + 7 * DAY_SECONDS, 0),
    ):
        clock.time = time
        await household.hold.sweep()
        assert household.totals[0] == items


async def test_the_files_of_what_is_over_go_too(household: Household, clock: Clock) -> None:
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, Left.make("", LARGE)) == "held"
    clock.time += 31 * DAY_SECONDS
    assert await household.hold.sweep() == 1
    await household.hold.close()
    assert (household.totals, files(household.holder)) == ((0, 0), [])


@pytest.mark.parametrize(("days", "heard"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_tag_counts_for_its_day_and_those_beside_it(
    household: Household, days: int, heard: bool
) -> None:
    tag = household.owner.tag(day_of(NOW) + days)
    async with household.sender.mallory.connected() as conversation:
        found = await leave(conversation, household.owner, Left.make(), tag=tag)
    assert found == ("held" if heard else "not-holding")


# What a person decides.


async def announced(household: Household) -> Holding:
    async with household.owner.mallory.connected() as conversation:
        return await conversation.wait_for(Holding)


async def test_contacts_are_told_what_is_held_for_them(household: Household) -> None:
    household.hold.turn_on([], quota=5000, per_contact=3000, days=9)
    assert await announced(household) == Holding(3000, 9 * DAY_SECONDS, False)
    household.hold.turn_on([], backup=["Owner"])
    async with household.owner.mallory.connected() as conversation:
        assert await conversation.wait_for(Holding) == Holding(3000, 9 * DAY_SECONDS, True)
        await household.hold.turn_off(["Owner"], drop=False)
        assert await conversation.wait_for(Holding) == Holding(0, 0, False)
    assert await announced(household) == Holding(0, 0, False)


async def test_a_node_that_never_held_anything_says_nothing_of_it(start: Start) -> None:
    holder = await start("Holder")
    friend = await friend_of(holder, "Friend")
    async with friend.mallory.connected() as conversation:
        await collect(conversation)
        assert not any(isinstance(message, Holding) for message in conversation.pending())
        assert await leave(conversation, friend, Left.make()) == "not-holding"


async def test_holding_can_be_for_some_alone(start: Start) -> None:
    holder = await start("Holder")
    some, others = await friend_of(holder, "Some"), await friend_of(holder, "Others")
    holder.engine.hold.turn_on(["some"])
    async with others.mallory.connected() as conversation:
        assert await leave(conversation, some, Left.make()) == "held"
        assert await leave(conversation, others, Left.make()) == "not-holding"
    view = holder.engine.hold.view()
    assert (view.everybody, [(each.name, each.holds) for each in view.contacts]) == (
        False,
        [("Others", False), ("Some", True)],
    )


@pytest.mark.parametrize("names", [[], ["Owner"]])
async def test_what_is_here_when_holding_ends_stays_until_it_is_delivered(
    household: Household, names: list[str]
) -> None:
    left = Left.make("", b"photo")
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, left) == "held"
        await household.hold.turn_off(names, drop=False)
        assert await leave(conversation, household.owner, Left.make()) == "not-holding"
    async with household.owner.mallory.connected() as conversation:
        assert len((await collect(conversation))[0]) == 1
        assert await fetched(conversation, left.blobs[0]) == left.blobs[0].ciphertext
        await done(conversation, left)
    assert household.totals == (0, 0)


@pytest.mark.parametrize("names", [[], ["Owner"]])
async def test_what_is_dropped_is_gone_at_once(household: Household, names: list[str]) -> None:
    for_owner, for_other = Left.make("", b"photo"), Left.make()
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, for_owner) == "held"
        assert await leave(conversation, household.other, for_other) == "held"
        await household.hold.turn_off(names, drop=True)
    assert household.totals[0] == (1 if names else 0)
    await household.hold.close()
    assert files(household.holder) == []


async def test_what_a_blocked_contact_left_and_what_is_for_it_goes(household: Household) -> None:
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, Left.make("", b"photo")) == "held"
        assert await leave(conversation, household.other, Left.make()) == "held"
    async with household.owner.mallory.connected() as conversation:
        assert await leave(conversation, household.other, Left.make()) == "held"
    await household.holder.engine.update_contact("Owner", blocked=True)
    assert household.totals[0] == 1
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, household.owner, Left.make()) == "not-holding"
        await household.holder.engine.update_contact("Owner", blocked=False)
        assert await leave(conversation, household.owner, Left.make()) == "held"


async def test_a_mailbox_that_is_another_now_counts_at_once(household: Household) -> None:
    before, owner = household.owner.tag(), household.owner
    async with household.sender.mallory.connected() as conversation:
        assert await leave(conversation, owner, Left.make()) == "held"
        owner.secret = owner.secret.derive(b"another")
        household.holder.parts.mailboxes.told(owner.identity, owner.mailbox(household.holder))
        assert await leave(conversation, owner, Left.make(), tag=before) == "not-holding"
        assert await leave(conversation, owner, Left.make()) == "held"
        household.holder.parts.mailboxes.told(owner.identity, Mailbox(b"", b""))
        assert await leave(conversation, owner, Left.make()) == "not-holding"


async def test_terms_that_make_no_sense_change_nothing(household: Household) -> None:
    before = household.hold.view()
    for terms in (
        {"quota": 0}, {"per_contact": 0}, {"quota": 10, "per_contact": 11}, {"days": 0},
        {"days": 91}, {"quota": 2**60 + 1},
    ):  # fmt: skip
        with pytest.raises(BadRequestError):
            household.hold.turn_on([], **terms)  # type: ignore[arg-type]
    with pytest.raises(NoSuchContactError):
        household.hold.turn_on(["Nobody"], quota=1_000_000)
    with pytest.raises(KinlightError):
        await household.hold.turn_off(["Nobody"], drop=True)
    assert household.hold.view() == before
    household.hold.turn_on([], quota=1000)
    assert household.hold.view().per_contact == 1000, "no more than there is in all"
