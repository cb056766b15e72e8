"""What may arrive before the peer is known, and what may follow right behind its proof."""

from __future__ import annotations

import pytest
from kinlight.crypto.channel import Role
from kinlight.protocol import limits
from kinlight.protocol.errors import TooMuchError
from kinlight.protocol.messages import Bye, Offer
from kinlight.protocol.session import Ended, Established, Received, State

from .pairs import RawPeer, Session, dial, error_of, listen, partner, received
from .people import CODE, Person, pinned

LATE = 64 * 1024
"""Bytes of a frame that is announced before the peer is known and never becomes whole."""


def deliver(session: Session, raw: RawPeer) -> int:
    """Complete the handshake; return how many bytes went to the session."""
    count = 0
    while True:
        out, back = session.to_send(), raw.channel.to_send()
        if not out and not back:
            return count
        raw.receive(out)
        assert session.receive(back) == []
        count += len(back)


def session_of(role: Role, alice: Person, bob: Person) -> tuple[Session, RawPeer]:
    if role == "dialer":
        return dial(alice.device(), [pinned(bob, alice)]), RawPeer("listener")
    return listen(bob.device(), [pinned(alice, bob)]), RawPeer("dialer")


@pytest.mark.parametrize("step", [1000, limits.OPENING_BYTES])
@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_the_opening_takes_its_bytes_to_the_limit_and_not_one_more(
    role: Role, step: int, alice: Person, bob: Person
) -> None:
    session, raw = session_of(role, alice, bob)
    left = limits.OPENING_BYTES - deliver(session, raw)
    raw.channel.send(LATE.to_bytes(4) + bytes(LATE))
    wire = raw.channel.to_send()
    for start in range(0, left, step):
        assert session.receive(wire[start : min(start + step, left)]) == []
    assert error_of(session.receive(wire[left : left + 1])) is TooMuchError
    raw.receive(session.to_send())
    assert raw.inbox[-1] == Bye(4)


@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_one_read_over_the_limit_is_as_many_small_ones(
    role: Role, alice: Person, bob: Person
) -> None:
    session, raw = session_of(role, alice, bob)
    deliver(session, raw)
    raw.channel.send(LATE.to_bytes(4) + bytes(LATE))
    assert error_of(session.receive(raw.channel.to_send())) is TooMuchError


def test_a_handshake_that_never_ends_is_bounded(bob: Person) -> None:
    session = listen(bob.device())
    # A TLS record header that announces a client hello of 16 KiB, again and again.
    record = b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(0x4000 - 4)
    events = session.receive(record * 3)
    assert isinstance(events[-1], Ended)
    assert events[-1].error is not None


def test_the_bound_holds_while_pairing_and_after_it(alice: Person, bob: Person) -> None:
    for state in (State.PAIR_CHAIN, State.PAIR_CONFIRM, State.PAIRED):
        joined = partner("listener", "pair", alice, bob).bring_to(state)
        joined.raw.channel.send(LATE.to_bytes(4) + bytes(LATE))
        joined.duel.pump()
        assert joined.duel.error is TooMuchError


def test_work_right_behind_the_proof_is_no_part_of_the_opening(alice: Person, bob: Person) -> None:
    """One read of the pipe may hold a contact's proof and its first envelopes."""
    joined = partner("listener", "contact", alice, bob).bring_to(State.PROOF)
    offers = [Offer(bytes([number]) * limits.ENVELOPE_BYTES) for number in range(3)]
    joined.raw.send(joined.prove(), *offers)
    events = joined.session.receive(joined.raw.channel.to_send())
    assert isinstance(events[0], Established)
    assert received(events) == offers


def test_an_established_session_counts_no_more(alice: Person, bob: Person) -> None:
    joined = partner("dialer", "contact", alice, bob).bring_to(State.UP)
    for _ in range(4):
        offer = Offer(bytes(limits.ENVELOPE_BYTES))
        assert joined.duel.say(offer) == [Received(offer)]


def test_a_whole_opening_fits_many_times(alice: Person, bob: Person) -> None:
    """So the bound can't end a proper opening, of either kind, by either side."""
    for to in ([pinned(Person.named(f"friend {n}"), alice) for n in range(31)], CODE):
        joined = partner("dialer", "pair" if to is CODE else "contact", alice, bob)
        joined.bring_to(State.PAIRED if to is CODE else State.UP)
        assert joined.session._opening_bytes * 2 < limits.OPENING_BYTES  # type: ignore[reportPrivateUsage]
