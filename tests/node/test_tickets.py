"""Tickets between whole nodes: who meets whom, how often, and what must not make a contact."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from kinlight.crypto.channel import ChannelSettings
from kinlight.crypto.errors import PeerError, TruncatedError
from kinlight.crypto.secret import Secret
from kinlight.node import peers, tcp
from kinlight.node.addresses import Address
from kinlight.node.contact_errors import (
    BlockedContactError,
    NoSuchTicketError,
    OwnTicketError,
    TooManyTicketsError,
)
from kinlight.node.errors import (
    BadAddressError,
    BadRequestError,
    LibraryDamagedError,
    UnreachableError,
    WideAreaOffError,
)
from kinlight.node.link import Link
from kinlight.node.mallory import Mallory
from kinlight.node.multiaddrs import PEER_ID_PREFIX, multiaddr
from kinlight.node.pipes import Pipe
from kinlight.node.tickets import KEPT, KEPT_SECONDS
from kinlight.node.views_contacts import Ticket
from kinlight.protocol import limits, ticket
from kinlight.protocol.errors import (
    EarlyTicketError,
    ExpiredTicketError,
    ForgedTicketError,
    InvalidTicketError,
    OtherTicketError,
    RevokedDeviceError,
    RevokedTicketError,
    UnknownTicketError,
    UsedUpTicketError,
    WrongPeerError,
)
from kinlight.protocol.opening import Acquaintance
from kinlight.protocol.session import Bearer, Session, State

from .conftest import Picture, Start, Two
from .nodes import NOW, PATIENCE, Clock, TestedNode, eventually

NOWHERE = "127.0.0.1:9"
FAR = str(multiaddr("192.0.2.7", 4711, PEER_ID_PREFIX + bytes(32)))


async def new(node: TestedNode, **options: Any) -> Ticket:
    """A new ticket of a node, for an hour and one use, which leads to where it listens."""
    asked: dict[str, Any] = {
        "seconds": 3600,
        "uses": 1,
        "name": None,
        "at": [node.address],
        **options,
    }
    return await node.engine.new_ticket(**asked)


async def made(node: TestedNode, **options: Any) -> str:
    """The text of a new ticket."""
    return (await new(node, **options)).text or ""


async def use(guest: TestedNode, text: str, at: str | None = None) -> str:
    """The name of the contact that it made."""
    return (await guest.engine.join_pairing(text, at, None)).name


def only(node: TestedNode) -> Ticket:
    (found,) = node.engine.tickets.list()
    return found


def nobody_met(*nodes: TestedNode) -> bool:
    return not any(node.engine.contacts() for node in nodes)


async def test_by_a_ticket_both_become_contacts_with_one_safety_number(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    with anna.engine.events.listen(("paired",)) as news:
        text = await made(anna)
        joined = await bob.engine.join_pairing(text, None, None)
        event = await news.get()
    (shown,) = anna.engine.contacts()
    assert (joined.name, shown.name) == ("Anna", "Bob")
    assert joined.safety_number == shown.safety_number
    assert not joined.verified
    assert joined.fingerprint == anna.engine.identity().fingerprint
    used = only(anna)
    assert event.data == {"contact": "Bob", "ticket": used.id}
    assert (used.state, used.used, used.by) == ("used-up", 1, ["Bob"])
    assert used.text is None


async def test_who_met_by_a_ticket_shares_at_once(start: Start, picture: Picture) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    await use(bob, await made(anna))
    item = await anna.share_one(picture(), "Bob")
    assert item.state == "waiting"


async def test_both_sides_may_give_the_other_a_name(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    joined = await bob.engine.join_pairing(await made(anna, name="Bobby"), None, "Sis")
    assert joined.name == "Sis"
    assert [contact.name for contact in anna.engine.contacts()] == ["Bobby"]


async def test_a_ticket_may_come_in_lines_and_capitals(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = (await made(anna)).upper()
    lines = "\r\n  ".join(text[place : place + 50] for place in range(0, len(text), 50))
    assert await use(bob, f"\n{lines}\n") == "Anna"


async def test_where_the_ticket_leads_nowhere_an_address_may_be_typed(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna, at=[NOWHERE])
    assert await use(bob, text, anna.address) == "Anna"


async def test_an_address_of_the_wide_area_is_skipped_where_that_is_off(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    found = await new(anna, at=[FAR, anna.address])
    assert found.addresses[:2] == [FAR, anna.address]
    assert await use(bob, found.text or "") == "Anna"


async def test_a_ticket_for_the_wide_area_alone_says_that_it_is_off(
    start: Start, clock: Clock
) -> None:
    bob = await start("Bob")
    device = Mallory(0).device
    text = str(
        ticket.Ticket.issue(
            device.signing, device.chain.certificates, Secret(bytes(16)), issued=clock(),
            expires=clock() + 60, uses=1, addresses=[FAR, "by pigeon"],
        )
    )  # fmt: skip
    with pytest.raises(WideAreaOffError):
        await use(bob, text)


async def test_a_ticket_without_an_address_that_can_be_dialled_says_so(
    start: Start, clock: Clock
) -> None:
    bob = await start("Bob")
    anna = Mallory(0)
    device = anna.device
    text = str(
        ticket.Ticket.issue(
            device.signing, device.chain.certificates, Secret(bytes(16)), issued=clock(),
            expires=clock() + 60, uses=1,
            addresses=["/dns/anna.example/tcp/1", "by pigeon", "a..b:1", f"{'x' * 64}.example:1"],
        )
    )  # fmt: skip
    with pytest.raises(UnreachableError):
        await use(bob, text)


# How often.


async def test_a_ticket_of_one_use_makes_one_contact(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    text = await made(anna)
    await use(bob, text)
    with pytest.raises(UsedUpTicketError):
        await use(carol, text)
    assert nobody_met(carol)
    assert [contact.name for contact in anna.engine.contacts()] == ["Bob"]


async def test_a_ticket_of_two_uses_makes_two(start: Start) -> None:
    anna, bob, carol, dora = [await start(name) for name in ("Anna", "Bob", "Carol", "Dora")]
    text = await made(anna, uses=2)
    for guest in (bob, carol):
        assert await use(guest, text) == "Anna"
    with pytest.raises(UsedUpTicketError):
        await use(dora, text)
    assert only(anna).by == ["Bob", "Carol"]


async def test_uses_hold_across_a_restart(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    text = await made(anna, uses=2)
    await use(bob, text)
    await anna.restart()
    assert await use(carol, text, anna.address) == "Anna"
    await anna.restart()
    dora = await start("Dora")
    with pytest.raises(UsedUpTicketError):
        await use(dora, text, anna.address)
    assert only(anna).used == 2


async def test_of_those_who_come_at_once_no_more_get_in_than_there_are_uses(
    start: Start,
) -> None:
    anna = await start("Anna")
    guests = [await start(name) for name in ("Bob", "Carol", "Dora", "Emil")]
    text = await made(anna, uses=2)
    outcomes = await asyncio.gather(*(use(guest, text) for guest in guests), return_exceptions=True)
    assert sorted(map(str, outcomes)).count("Anna") == 2
    refused = [outcome for outcome in outcomes if outcome != "Anna"]
    assert [type(outcome) for outcome in refused] == [UsedUpTicketError, UsedUpTicketError]
    assert len(anna.engine.contacts()) == 2
    assert sum(len(guest.engine.contacts()) for guest in guests) == 2


async def test_of_two_who_both_showed_their_papers_the_second_is_refused(start: Start) -> None:
    """Both have passed the check of the hello; the count is what decides."""
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna)
    (issued,) = anna.parts.tickets.issued()
    slow = Mallory(anna.parts.listener.port, "Slow").device
    await use(bob, text)
    acquaintance = Acquaintance(slow.chain, "Slow", Secret(bytes(32)))
    with pytest.raises(UsedUpTicketError):
        anna.parts.tickets.use(issued, acquaintance)
    assert [contact.name for contact in anna.engine.contacts()] == ["Bob"]


async def test_who_used_it_and_was_cut_off_may_come_again(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna)
    for _ in range(2):
        assert await use(bob, text) == "Anna"
    assert only(anna).used == 1
    await bob.until(lambda: bob.connected_to(anna))


async def test_a_use_and_its_contact_are_stored_together_or_not_at_all(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await start("Anna")
    await made(anna)
    (issued,) = anna.parts.tickets.issued()
    acquaintance = Acquaintance(Mallory(0).device.chain, "M", Secret(bytes(32)))

    def fails(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(anna.parts.library, "add_contact", fails)
    with pytest.raises(OSError):  # noqa: PT011 - any will do
        anna.parts.tickets.use(issued, acquaintance)
    assert only(anna).used == 0
    assert nobody_met(anna)


async def test_where_a_use_can_not_be_stored_the_caller_is_not_left_waiting(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPENING_SECONDS", PATIENCE * 10)
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna)

    def fails(*_: object) -> None:
        raise LibraryDamagedError

    monkeypatch.setattr(anna.parts.library, "add_contact", fails)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TruncatedError):
            await use(bob, text)
    assert nobody_met(bob)
    assert only(anna).used == 0


# Its end.


async def test_an_expired_ticket_is_not_tried(start: Start, clock: Clock) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna, seconds=60)
    clock.time += 60
    with pytest.raises(ExpiredTicketError):
        await use(bob, text)
    assert only(anna).state == "expired"
    assert nobody_met(anna, bob)


async def test_whose_clock_is_slow_is_told_by_the_maker(start: Start, clock: Clock) -> None:
    anna = await start("Anna")
    text = await made(anna, seconds=60)
    clock.time += 60
    with pytest.raises(ExpiredTicketError):
        await come(anna, text)
    assert nobody_met(anna)


async def test_a_ticket_from_the_future_is_not_tried(start: Start, clock: Clock) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    clock.time += 3 * limits.CLOCK_SECONDS
    text = await made(anna)
    clock.time -= 3 * limits.CLOCK_SECONDS
    with pytest.raises(EarlyTicketError):
        await use(bob, text)
    assert nobody_met(anna, bob)


async def test_a_revoked_ticket_makes_no_contact(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    found = await new(anna, uses=3)
    await use(bob, found.text or "")
    assert anna.engine.tickets.revoke(found.id[:6]).state == "revoked"
    carol = await start("Carol")
    for guest in (carol, bob):
        with pytest.raises(RevokedTicketError):
            await use(guest, found.text or "")
    assert nobody_met(carol)
    assert [contact.name for contact in anna.engine.contacts()] == ["Bob"]
    assert anna.engine.tickets.revoke(found.id).state == "revoked"


async def test_a_revocation_counts_for_who_has_shown_his_papers_already(start: Start) -> None:
    anna = await start("Anna")
    found = await new(anna)
    (issued,) = anna.parts.tickets.issued()
    anna.engine.tickets.revoke(found.id)
    acquaintance = Acquaintance(Mallory(0).device.chain, "M", Secret(bytes(32)))
    with pytest.raises(RevokedTicketError):
        anna.parts.tickets.use(issued, acquaintance)
    assert nobody_met(anna)


@pytest.mark.parametrize("wrong", ["", "abc", "no id", "0" * 16, "..", "%", "zzzz"])
async def test_what_is_no_id_revokes_nothing(start: Start, wrong: str) -> None:
    anna = await start("Anna")
    await made(anna)
    with pytest.raises(NoSuchTicketError):
        anna.engine.tickets.revoke(wrong)
    assert only(anna).state == "open"


# What is no ticket of whom it says.


def changed(text: str, place: int, bit: int) -> str:
    """One bit of a ticket changed, and the checksum made to fit."""
    digits = text.removeprefix(ticket.PREFIX).upper()
    data = bytearray(base64.b32decode(digits + "=" * (-len(digits) % 8))[:-4])
    data[place % len(data)] ^= 1 << bit
    check = hashlib.sha256(b"kinlight/ticket-check1\x00" + data).digest()[:4]
    return ticket.PREFIX + base64.b32encode(bytes(data) + check).decode().rstrip("=").lower()


async def test_a_ticket_with_any_byte_changed_dials_nobody(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = await start("Anna"), await start("Bob")

    async def never(*_: object) -> object:
        raise AssertionError("it was dialled")

    monkeypatch.setattr(bob.parts.peers, "pair_by_ticket", never)
    text = await made(anna)
    for place in range(0, 340, 3):
        with pytest.raises((InvalidTicketError, ForgedTicketError, OtherTicketError)):
            await use(bob, changed(text, place, place % 8))
    for wrong in (text[:-1], text + "a", ticket.PREFIX, text[:40] + text[41:]):
        with pytest.raises(InvalidTicketError):
            await use(bob, wrong)
    assert nobody_met(anna, bob)


async def test_one_s_own_ticket_is_for_somebody_else(start: Start) -> None:
    anna = await start("Anna")
    with pytest.raises(OwnTicketError):
        await use(anna, await made(anna))
    assert nobody_met(anna)
    assert only(anna).used == 0


async def test_a_ticket_by_a_device_that_was_revoked_is_refused(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna)

    def lost(identity: bytes, _: bytes) -> bool:
        return identity == anna.identity

    bob.parts.meeting._lost = lost  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(RevokedDeviceError):
        await use(bob, text)
    assert nobody_met(anna, bob)


# Who answers, and who comes.


async def test_where_somebody_else_answers_nothing_is_changed(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    text = await made(anna)
    with pytest.raises(UnknownTicketError):
        await use(bob, text, carol.address)
    assert nobody_met(anna, bob, carol)


async def test_where_somebody_answers_who_has_the_ticket_too_it_is_noticed(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    text = await made(anna)
    mine = ticket.Ticket.parse(text)
    known = ticket.IssuedTicket(mine.ticket_id, mine.secret)
    carol.parts.peers._tickets = lambda: [known]  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(WrongPeerError):
        await use(bob, text, carol.address)
    assert nobody_met(anna, bob, carol)


@pytest.fixture
async def silent() -> AsyncGenerator[str]:
    """An address that takes connections and never says a word."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_addresses_that_are_somebody_else_s_by_now_hold_up_nobody(
    start: Start, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    monkeypatch.setattr(limits, "OPENING_SECONDS", PATIENCE * 10)
    text = await made(anna, at=[silent, NOWHERE, carol.address, anna.address])
    async with asyncio.timeout(PATIENCE):
        assert await use(bob, text) == "Anna"
    assert nobody_met(carol)


async def test_a_maker_who_answers_at_many_addresses_is_one_contact_with_one_secret(
    start: Start,
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    port = anna.parts.listener.port
    text = await made(anna, at=[f"127.0.0.{number}:{port}" for number in range(1, 8)])
    assert await use(bob, text) == "Anna"
    await bob.until(lambda: bob.connected_to(anna))  # each knows the other by the same secret
    assert only(anna).used == 1


async def test_the_reason_that_says_most_is_told(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    found = await new(anna, at=[NOWHERE, carol.address, anna.address])
    anna.engine.tickets.revoke(found.id)
    with pytest.raises(RevokedTicketError):
        await use(bob, found.text or "")
    with pytest.raises(UnreachableError):
        await use(bob, await made(anna, at=[NOWHERE]), NOWHERE)


async def test_a_contact_that_is_blocked_is_told_from_nobody_and_costs_no_use(two: Two) -> None:
    await two.anna.engine.update_contact("Bob", blocked=True)
    text = await made(two.anna)
    with pytest.raises(UnknownTicketError):
        await use(two.bob, text)
    assert only(two.anna).used == 0
    assert two.anna.engine.contact("Bob").blocked
    await two.bob.engine.update_contact("Anna", blocked=True)
    with pytest.raises(BlockedContactError):
        await use(two.bob, text)


def link_of(mallory: Mallory, pipe: Pipe, text: str) -> Link:
    bearer = Bearer(ticket.Ticket.parse(text), lambda: True)
    return Link(pipe, Session(ChannelSettings(), mallory.device, bearer, secrets.token_bytes))


async def come(node: TestedNode, text: str) -> None:
    """Somebody comes with a ticket whatever it says, and says her part up to the end."""
    pipe = await tcp.dial(Address("127.0.0.1", node.parts.listener.port))
    try:
        await link_of(Mallory(0), pipe, text).open()
    finally:
        await pipe.close()


async def test_a_run_that_is_cut_before_its_end_costs_no_use(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    text = await made(anna)
    pipe = await tcp.dial(Address("127.0.0.1", anna.parts.listener.port))
    link = link_of(Mallory(0), pipe, text)
    with anna.engine.events.listen(("caller-refused",)) as news:
        while link.session.state is not State.PAIR_DONE:  # it has all to confirm, and does not
            await pipe.write(link.session.to_send())
            link.session.receive(await pipe.read())
        await pipe.close()
        await news.get()
    assert only(anna).used == 0
    assert await use(bob, text) == "Anna"


async def test_who_guesses_is_counted_and_has_few_places(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await start("Anna")
    await made(anna)
    monkeypatch.setattr(peers, "WRONG_TICKET_SECONDS", 10 * PATIENCE)
    guess = other_ticket(anna)
    for _ in range(peers.STRANGERS_PER_SOURCE):
        with pytest.raises(UnknownTicketError):
            await come(anna, guess)
    await eventually(lambda: anna.parts.peers.greeting == peers.STRANGERS_PER_SOURCE)
    with pytest.raises(PeerError) as refusal:
        await come(anna, guess)
    assert refusal.value.code == "cut"
    refusals = anna.engine.events.counters.refusals
    assert refusals["caller", "ticket-unknown"] == peers.STRANGERS_PER_SOURCE
    assert nobody_met(anna)


async def test_a_place_is_free_again_after_a_guess(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    monkeypatch.setattr(peers, "WRONG_TICKET_SECONDS", 0.01)
    guess = other_ticket(anna)
    for _ in range(peers.STRANGERS_PER_SOURCE):
        with pytest.raises(UnknownTicketError):
            await come(anna, guess)
    await eventually(lambda: anna.parts.peers.greeting == 0)
    assert await use(bob, await made(anna)) == "Anna"


def other_ticket(node: TestedNode) -> str:
    """One that node's device did not make: of another secret."""
    device = node.parts.device
    forged = ticket.Ticket.issue(
        device.signing, device.chain.certificates, Secret(bytes(16)), issued=NOW,
        expires=NOW + 3600, uses=1, addresses=[node.address],
    )  # fmt: skip
    return str(forged)


async def test_an_open_code_is_not_touched_by_tickets(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    text = await made(anna)
    async with anna.pairing() as (code, steps):
        with anna.engine.events.listen(("pairing-tried",)) as news:
            with pytest.raises(UnknownTicketError):
                await come(anna, other_ticket(anna))
            assert await use(bob, text) == "Anna"
            assert await carol.engine.join_pairing(code.code, anna.address, None)
            await anext(steps)
            assert news.empty()
    assert sorted(contact.name for contact in anna.engine.contacts()) == ["Bob", "Carol"]


# Making and forgetting them.


@pytest.mark.parametrize(
    "options",
    [{"seconds": 0}, {"seconds": -1}, {"seconds": limits.TICKET_SECONDS + 1}, {"uses": 0},
     {"uses": limits.TICKET_USES + 1}, {"uses": 2, "name": "Bob"}, {"name": "two\nlines"},
     {"name": ""}, {"at": ["127.0.0.1:1"] * (limits.TICKET_ADDRESSES + 1)},
     {"at": [FAR.replace("/ip4/192.0.2.7", "/dns/" + ".".join(["a" * 50] * 4))]}],
    ids=str,
)  # fmt: skip
async def test_what_can_not_be_promised_makes_no_ticket(
    start: Start, options: dict[str, Any]
) -> None:
    anna = await start("Anna")
    with pytest.raises(BadRequestError):
        await new(anna, **options)
    assert anna.engine.tickets.list() == []


@pytest.mark.parametrize(
    "at", ["", "nowhere", "1.2.3.4", "host:0", "/ip4/1.2.3.4/udp/1", FAR + "x"]
)
async def test_what_is_no_address_makes_no_ticket(start: Start, at: str) -> None:
    anna = await start("Anna")
    with pytest.raises(BadAddressError):
        await new(anna, at=[at])


async def test_no_more_than_so_many_are_open(start: Start, clock: Clock) -> None:
    anna = await start("Anna")
    found = [await new(anna, seconds=60) for _ in range(limits.TICKETS)]
    with pytest.raises(TooManyTicketsError):
        await new(anna)
    anna.engine.tickets.revoke(found[0].id)
    await new(anna, seconds=120)
    clock.time += 60
    assert (await new(anna)).state == "open"


async def test_old_ones_are_forgotten_and_their_bearers_are_strangers(
    start: Start, clock: Clock
) -> None:
    anna = await start("Anna")
    found = await new(anna, seconds=60)
    clock.time += 60 + KEPT_SECONDS
    assert [each.id for each in anna.engine.tickets.list()] == [found.id]
    clock.time += 1
    assert anna.engine.tickets.list() == []
    with pytest.raises(UnknownTicketError):
        await come(anna, found.text or "")


async def test_many_that_were_taken_back_do_not_fill_the_library(
    start: Start, clock: Clock
) -> None:
    anna = await start("Anna")
    kept = await new(anna)
    for _ in range(KEPT + 5):
        clock.time += 1
        anna.engine.tickets.revoke((await new(anna)).id)
    found = anna.engine.tickets.list()
    assert len(found) <= KEPT + 1
    assert kept.id in [each.id for each in found]
    assert only_open(found) == [kept.id]


def only_open(found: list[Ticket]) -> list[str]:
    return [each.id for each in found if each.state == "open"]


async def test_a_ticket_shows_its_text_once_and_never_in_its_repr(start: Start) -> None:
    anna = await start("Anna")
    found = await new(anna)
    assert found.text is not None
    assert found.text not in repr(found)
    assert only(anna).text is None
