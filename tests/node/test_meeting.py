from __future__ import annotations

import asyncio

import pytest
from kinlight.crypto.errors import InvalidCodeError, KinlightError, PeerError, WrongCodeError
from kinlight.node import meeting
from kinlight.node.addresses import BadAddressError
from kinlight.node.contact_errors import (
    NoSuchNodeError,
    PairingOpenError,
    PairingOverError,
    PairingSpentError,
)
from kinlight.node.errors import BadRequestError, UnreachableError
from kinlight.node.mallory import Mallory
from kinlight.node.views_contacts import Contact
from kinlight.protocol import limits
from kinlight.protocol.errors import NotPairingError

from .conftest import Picture, Start, Two
from .nodes import Clock

WRONG_WORDS = "acid-acorn"


def wrong(code: str) -> str:
    slot, *words = code.split("-")
    other = WRONG_WORDS if words != WRONG_WORDS.split("-") else "maple-orbit"
    return f"{slot}-{other}"


async def test_by_a_code_both_become_contacts_with_one_safety_number(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, steps):
        joined = await bob.engine.join_pairing(code.code, anna.address, None)
        shown = await anext(steps)
    assert isinstance(shown, Contact)
    assert (joined.name, shown.name) == ("Anna", "Bob")
    assert joined.safety_number == shown.safety_number
    assert not joined.verified
    assert joined.fingerprint == anna.engine.identity().fingerprint


async def test_by_the_text_of_the_qr_code_too(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, steps):
        assert code.invitation.startswith("kinlight:")
        joined = await bob.engine.join_pairing(code.invitation, anna.address, None)
        await anext(steps)
    assert joined.name == "Anna"


async def test_a_code_is_read_as_people_type_it(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, _):
        typed = f"  {code.code.replace('-', ' ').upper()} "
        assert (await bob.engine.join_pairing(typed, anna.address, None)).name == "Anna"


async def test_both_sides_may_give_the_other_a_name(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing("Bobby") as (code, steps):
        joined = await bob.engine.join_pairing(code.code, anna.address, "Sis")
        shown = await anext(steps)
    assert isinstance(shown, Contact)
    assert (joined.name, shown.name) == ("Sis", "Bobby")


async def test_a_second_contact_of_the_same_name_gets_a_number(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    await bob.pair_with(anna)
    other = Mallory(bob.parts.listener.port, "anna")
    async with bob.pairing() as (code, steps):
        await other.pair(code.code)
        shown = await anext(steps)
    assert isinstance(shown, Contact)
    assert shown.name == "anna 2"


@pytest.mark.parametrize("name", ["a/b", ".", "..", "a\\b", "\x1b[2J", "", " ", "x" * 200])
async def test_whatever_somebody_calls_himself_the_contact_can_be_named_and_blocked(
    start: Start, name: str
) -> None:
    bob = await start("Bob")
    mallory = Mallory(bob.parts.listener.port, name)
    async with bob.pairing() as (code, steps):
        await mallory.pair(code.code)
        shown = await anext(steps)
    assert isinstance(shown, Contact)
    assert shown.name.isprintable()
    assert not set(shown.name) & set("/\\")
    assert shown.name.strip(". ")
    assert len(shown.name) <= 40
    assert (await bob.engine.update_contact(shown.name, blocked=True)).blocked


async def test_pairing_again_keeps_what_was_set_and_renews_the_secret(joined: Two) -> None:
    before = joined.bob.parts.library.contact("Anna")
    await joined.bob.engine.update_contact("Anna", rename="Sister", verified=True, accept="always")
    async with joined.anna.pairing() as (code, steps):
        again = await joined.bob.engine.join_pairing(code.code, joined.anna.address, "Other")
        await anext(steps)
    after = joined.bob.parts.library.contact("Sister")
    assert (again.name, again.verified, again.accept) == ("Sister", True, "always")
    assert after.pair_secret.reveal() != before.pair_secret.reveal()
    assert len(joined.bob.engine.contacts()) == 1
    await joined.bob.restart()
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))


# What goes wrong


async def test_three_wrong_tries_end_a_code(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, steps):
        waiting = asyncio.ensure_future(anext(steps))
        with anna.engine.events.listen() as news:
            for left in (2, 1, 0):
                with pytest.raises(WrongCodeError):
                    await bob.engine.join_pairing(wrong(code.code), anna.address, None)
                event = await news.get()
                while event.name != "pairing-tried":
                    event = await news.get()
                assert event.data == {"left": left}
        with pytest.raises(PairingSpentError):
            await waiting
        with pytest.raises(NotPairingError):
            await bob.engine.join_pairing(code.code, anna.address, None)
    assert anna.engine.contacts() == bob.engine.contacts() == []
    await anna.pair_with(bob)  # a new code can be opened at once


async def test_two_wrong_tries_leave_one(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, _):
        for _ in range(2):
            with pytest.raises(WrongCodeError):
                await bob.engine.join_pairing(wrong(code.code), anna.address, None)
        assert (await bob.engine.join_pairing(code.code, anna.address, None)).name == "Anna"


async def test_a_code_nobody_used_ends(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await start("Anna")
    monkeypatch.setattr(limits, "PAIRING_SECONDS", 0)
    async with anna.pairing() as (_, steps):
        with pytest.raises(PairingOverError):
            await anext(steps)


async def test_a_code_is_used_once(start: Start) -> None:
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    async with anna.pairing() as (code, steps):
        await bob.engine.join_pairing(code.code, anna.address, None)
        with pytest.raises(NotPairingError):
            await carol.engine.join_pairing(code.code, anna.address, None)
        await anext(steps)
    assert [contact.name for contact in anna.engine.contacts()] == ["Bob"]


async def test_when_nobody_asks_for_the_code_any_more_it_is_closed(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, _):
        pass
    with pytest.raises(NotPairingError):
        await bob.engine.join_pairing(code.code, anna.address, None)


async def test_without_an_open_code_nobody_can_pair(start: Start) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    with pytest.raises(NotPairingError):
        await bob.engine.join_pairing("7-maple-orbit", anna.address, None)


async def test_only_one_code_is_open_at_a_time(start: Start) -> None:
    anna = await start("Anna")
    async with anna.pairing():
        with pytest.raises(PairingOpenError):
            async with anna.pairing():
                pass
    async with anna.pairing():
        pass


async def test_an_invitation_that_is_over_is_not_tried(
    start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, _):
        clock.time = code.expires + 1

        async def never(*_: object) -> object:
            raise AssertionError("it was dialled")

        monkeypatch.setattr(bob.parts.peers, "pair", never)
        with pytest.raises(PairingOverError):
            await bob.engine.join_pairing(code.invitation, anna.address, None)


async def test_an_invitation_answered_by_somebody_else_is_refused(start: Start) -> None:
    """Carol has the QR code's text but not Anna's identity."""
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    async with anna.pairing() as (code, _), carol.pairing():
        with pytest.raises(PeerError):
            await bob.engine.join_pairing(code.invitation, carol.address, None)
    assert bob.engine.contacts() == []


@pytest.mark.parametrize(
    "text",
    ["", "7", "7-maple", "maple-orbit", "0-maple-orbit", "100-maple-orbit", "7-maple-xyzzy",
     "kinlight:", "kinlight:AAAA", "kinlight:" + "A" * 2000],
)  # fmt: skip
async def test_what_is_no_code_is_refused_before_anything_is_tried(start: Start, text: str) -> None:
    bob = await start("Bob")
    with pytest.raises(InvalidCodeError):
        await bob.engine.join_pairing(text, "127.0.0.1:9", None)


async def test_nobody_at_the_address_is_unreachable(start: Start) -> None:
    bob = await start("Bob")
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        await bob.engine.join_pairing("7-maple-orbit", "127.0.0.1:9", None)


@pytest.mark.parametrize("at", ["nowhere", "host:0", "1.2.3.4", ":1"])
async def test_what_is_no_address_is_refused(start: Start, at: str) -> None:
    bob = await start("Bob")
    with pytest.raises(BadAddressError):
        await bob.engine.join_pairing("7-maple-orbit", at, None)


async def test_without_discovery_and_address_nobody_is_found(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "SEARCH_SECONDS", 0.05)
    bob = await start("Bob")
    with pytest.raises(NoSuchNodeError):
        await bob.engine.join_pairing("7-maple-orbit", None, None)


@pytest.mark.parametrize("name", ["", " ", "x" * 41, "two\nlines", " edge ", "\u202eevil"])
async def test_a_name_that_is_no_name_is_a_bad_request(start: Start, name: str) -> None:
    bob = await start("Bob")
    with pytest.raises(BadRequestError):
        async with bob.pairing(name):
            pass
    with pytest.raises(BadRequestError):
        await bob.engine.join_pairing("7-maple-orbit", "127.0.0.1:9", name)


async def test_pairing_with_oneself_makes_no_contact(start: Start) -> None:
    anna = await start("Anna")
    async with anna.pairing() as (code, _):
        with pytest.raises(KinlightError):
            await anna.engine.join_pairing(code.code, anna.address, None)
    assert anna.engine.contacts() == []


# What comes after


async def test_paired_nodes_share_at_once(start: Start, picture: Picture) -> None:
    anna, bob = await start("Anna"), await start("Bob")
    async with anna.pairing() as (code, steps):
        await bob.engine.join_pairing(code.code, anna.address, None)
        await anext(steps)
    item = await anna.share_one(picture(), "Bob")
    assert item.state == "waiting"


async def test_a_rename_to_a_name_in_use_is_refused_whatever_its_case(
    joined: Two, start: Start
) -> None:
    carol = await start("Carol")
    await joined.anna.pair_with(carol)
    with pytest.raises(KinlightError) as refusal:
        await joined.anna.engine.update_contact("Carol", rename="bob")
    assert refusal.value.code == "contact-exists"
    renamed = await joined.anna.engine.update_contact("Carol", rename="CAROL")
    assert renamed.name == "CAROL"


async def test_settings_of_a_contact_are_kept(joined: Two) -> None:
    await joined.bob.engine.update_contact("anna", verified=True, muted=True, accept="always")
    await joined.bob.restart()
    contact = joined.bob.engine.contact("ANNA")
    assert (contact.verified, contact.muted, contact.accept) == (True, True, "always")
    assert await joined.bob.engine.update_contact("Anna") == joined.bob.engine.contact("Anna")


async def test_accept_is_ask_or_always(joined: Two) -> None:
    with pytest.raises(BadRequestError):
        await joined.bob.engine.update_contact("Anna", accept="sometimes")
