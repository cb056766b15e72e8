"""Bytes of every kind at a session: it may end, and does nothing else. Never an exception."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kinlight.crypto.channel import Role
from kinlight.protocol import limits, messages
from kinlight.protocol.framing import frame
from kinlight.protocol.messages import Message
from kinlight.protocol.session import Ended, Event, Paired, Received, State

from .pairs import Duel, RawPeer, Session, dial, listen, partner
from .people import Person, pinned, window_of
from .test_messages import FORMS
from .test_table import PATHS

ALICE, BOB = Person.named("Alice"), Person.named("Bob")
ROLES: tuple[Role, ...] = ("dialer", "listener")
EVERY_STATE = [(role, mode, state) for (role, mode), path in PATHS.items() for state in path]


def fresh(role: Role) -> Session:
    if role == "dialer":
        return dial(ALICE.device(), [pinned(BOB, ALICE)])
    return listen(BOB.device(), [pinned(ALICE, BOB)], window_of(BOB))


def only_an_end(events: Sequence[Event], session: Session) -> None:
    assert [type(event) for event in events] in ([], [Ended])
    assert (session.state is State.ENDED) == bool(events)
    assert session.peer is None


@given(st.sampled_from(ROLES), st.lists(st.binary(max_size=400), max_size=5))
def test_random_bytes_before_the_handshake(role: Role, parts: list[bytes]) -> None:
    session = fresh(role)
    events = [event for part in parts for event in session.receive(part)]
    only_an_end(events, session)
    session.to_send()


# Drawn without the bytes, which differ from run to run, and taken modulo their length.
PLACES = st.integers(0, 10_000)
CHANGES = st.lists(st.tuples(PLACES, st.integers(1, 255)), max_size=2)


@given(st.sampled_from(ROLES), st.lists(CHANGES, min_size=3, max_size=3))
def test_a_handshake_with_changed_bytes(
    role: Role, changes: Sequence[Sequence[tuple[int, int]]]
) -> None:
    """Each change is found by TLS; at worst the session waits for bytes that do not come."""
    session, raw = fresh(role), RawPeer("listener" if role == "dialer" else "dialer")
    events: list[Event] = []
    for flight in changes:
        raw.receive(session.to_send())
        sent = bytearray(raw.channel.to_send())
        if not sent:
            break
        for place, change in flight:
            sent[place % len(sent)] ^= change
        events += session.receive(bytes(sent))
    only_an_end(events, session)


@given(st.sampled_from(EVERY_STATE), st.lists(st.binary(max_size=300), max_size=4), st.booleans())
def test_random_plaintext_from_a_peer_that_made_the_channel(
    where: tuple[Role, str, State], parts: list[bytes], framed: bool
) -> None:
    role, mode, state = where
    joined = partner(role, mode, ALICE, BOB).bring_to(state)
    before = len(joined.duel.events)
    for part in parts:
        joined.raw.channel.send(frame(part) if framed else part)
    joined.duel.pump()
    events = joined.duel.events[before:]
    assert all(isinstance(event, Ended | Received) for event in events)
    assert sum(isinstance(event, Ended) for event in events) <= 1
    assert state is State.UP or not any(isinstance(event, Received) for event in events)


@given(st.sampled_from(EVERY_STATE), st.lists(st.one_of(*FORMS.values()), min_size=1, max_size=4))
def test_any_messages_in_any_order_from_a_peer_that_is_not_known(
    where: tuple[Role, str, State], sent: list[Message]
) -> None:
    role, mode, state = where
    joined = partner(role, mode, ALICE, BOB).bring_to(state)
    peer, before = joined.session.peer, len(joined.duel.events)
    joined.raw.send(*sent)
    joined.duel.pump()
    events = joined.duel.events[before:]
    assert sum(isinstance(event, Ended) for event in events) <= 1
    if state is State.PAIR_DONE and sent[0] == messages.PairDone():
        assert isinstance(events[0], Paired)
    elif state is not State.UP:
        assert all(isinstance(event, Ended) for event in events)
        assert joined.session.peer is peer
    else:
        assert all(isinstance(event, Ended | Received) for event in events)


@given(
    st.sampled_from(EVERY_STATE),
    st.lists(
        st.tuples(
            st.sampled_from(["flip", "cut", "add"]), PLACES, st.binary(min_size=1, max_size=40)
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_proper_step_with_changed_bytes(
    where: tuple[Role, str, State], changes: Sequence[tuple[str, int, bytes]]
) -> None:
    role, mode, state = where
    joined = partner(role, mode, ALICE, BOB).bring_to(state)
    before = len(joined.duel.events)
    proper = joined.steps()[state]().encode()
    sent = bytearray(proper)
    for kind, place, new in changes:
        position = place % (len(sent) or 1)
        if kind == "flip" and sent:
            sent[position] ^= new[0]
        elif kind == "cut":
            del sent[position:]
        else:
            sent[position:position] = new
    assume(bytes(sent) != proper)
    joined.duel.say(bytes(sent))
    events = joined.duel.events[before:]
    assert sum(isinstance(event, Ended) for event in events) <= 1
    if state is not State.UP:
        assert all(isinstance(event, Ended) for event in events)


@pytest.mark.parametrize("role", ROLES)
def test_a_session_that_is_not_up_holds_little_whatever_comes(role: Role) -> None:
    session = fresh(role)
    tracemalloc.start()
    try:
        for _ in range(200):
            session.receive(b"\x16\x03\x03\x40\x00" + bytes(16_384))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert session.state is State.ENDED
    assert peak < 4 * limits.OPENING_BYTES


@settings(max_examples=20)
@given(st.integers(1, limits.MESSAGE_BYTES))
def test_an_established_session_holds_one_message_at_most(length: int) -> None:
    joined = partner("listener", "contact", ALICE, BOB).bring_to(State.UP)
    joined.raw.channel.send(length.to_bytes(4) + bytes(length - 1))
    joined.duel.pump()
    held = len(joined.session._frames._buffer)  # type: ignore[reportPrivateUsage]
    assert held <= limits.MESSAGE_BYTES + 4


def test_what_follows_a_refused_message_is_not_even_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the first refusal the rest of the same bytes goes unread."""
    duel = Duel(listen(BOB.device(), window=window_of(BOB)), RawPeer("dialer")).pump()
    read: list[bytes] = []
    decode = messages.decode

    def counting(data: bytes) -> Message:
        read.append(data)
        return decode(data)

    duel.raw.send(*[messages.Ping(number) for number in range(20)])
    with monkeypatch.context() as patch:
        patch.setattr(messages, "decode", counting)
        duel.session.receive(duel.raw.channel.to_send())
    assert len(read) == 1
