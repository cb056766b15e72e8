"""The session table, cell by cell, against a peer that is otherwise proper."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kinlight.crypto.channel import Role
from kinlight.protocol import (
    album_messages,
    device_messages,
    guardian_messages,
    head_messages,
    messages,
    sibling_messages,
)
from kinlight.protocol.device_messages import DeviceGift
from kinlight.protocol.errors import UnexpectedMessageError
from kinlight.protocol.messages import (
    Bye,
    Hello,
    Message,
    Welcome,
)
from kinlight.protocol.session import (
    ALL_WORK,
    MOVES,
    Added,
    Asked,
    Ended,
    Established,
    Happening,
    Paired,
    Received,
    State,
)

from .pairs import Partner, dial, ended, listen, partner
from .people import Person, pinned

ROLES: tuple[Role, ...] = ("dialer", "listener")
MODES = ("contact", "pair", "ticket", "device")
PATHS: dict[tuple[Role, str], list[State]] = {
    ("dialer", "contact"): [State.WELCOME, State.PROOF, State.UP],
    ("listener", "contact"): [State.HELLO, State.PROOF, State.UP],
    ("dialer", "pair"): [
        State.PAIR_WELCOME, State.PAIR_CHAIN, State.PAIR_CONFIRM, State.PAIR_DONE, State.PAIRED,
    ],
    ("listener", "pair"): [State.HELLO, State.PAIR_CHAIN, State.PAIR_CONFIRM, State.PAIRED],
    ("dialer", "ticket"): [
        State.PAIR_WELCOME, State.PAIR_CHAIN, State.PAIR_CONFIRM, State.PAIR_DONE, State.PAIRED,
    ],
    ("listener", "ticket"): [State.HELLO, State.PAIR_CHAIN, State.PAIR_CONFIRM, State.PAIRED],
    ("dialer", "device"): [
        State.DEVICE_WELCOME, State.DEVICE_CHAIN, State.DEVICE_CONFIRM, State.DEVICE_GIFT,
        State.PAIRED,
    ],
    ("listener", "device"): [State.HELLO, State.DEVICE_CHAIN, State.DEVICE_CONFIRM, State.PAIRED],
}  # fmt: skip
HELLOS = (
    "hello contact", "hello pair", "hello ticket", "hello device", "hello link", "hello ",
    "hello channel up",
)  # fmt: skip
SAMPLES: dict[type[Message], Message] = {
    messages.Welcome: messages.Welcome(1, bytes(32)),
    messages.Prove: messages.Prove(b"", bytes(64)),
    messages.PairChain: messages.PairChain(b""),
    messages.PairConfirm: messages.PairConfirm(bytes(32), bytes(64)),
    messages.PairDone: messages.PairDone(),
    messages.Offer: messages.Offer(b"envelope"),
    messages.OfferTaken: messages.OfferTaken(bytes(32), True),
    messages.OfferRefused: messages.OfferRefused(bytes(32), 23),
    messages.Stored: messages.Stored(bytes(32)),
    messages.Fetch: messages.Fetch(1, bytes(16), bytes(32), b"", True, ((0, 1),), 1),
    messages.Delivered: messages.Delivered(bytes(32), b"receipt"),
    messages.FetchHeld: messages.FetchHeld(1, bytes(32), bytes(32), True, ((0, 1),), 1),
    messages.Mailbox: messages.Mailbox(bytes(32), bytes(32)),
    messages.Holding: messages.Holding(10**9, 86_400, False),
    messages.Deposit: messages.Deposit(bytes(32), b"envelope", 20_000, ()),
    messages.Held: messages.Held(bytes(32)),
    messages.HeldRefused: messages.HeldRefused(bytes(32), 24),
    messages.Collect: messages.Collect(0, 1, False),
    messages.HeldItem: messages.HeldItem(1, b"envelope"),
    messages.HeldEnd: messages.HeldEnd(1, False),
    messages.HeldDone: messages.HeldDone(bytes(32), b""),
    messages.HeldGone: messages.HeldGone(bytes(32)),
    messages.HeldReceipt: messages.HeldReceipt(bytes(32), b"receipt"),
    messages.HeldNews: messages.HeldNews(),
    messages.ManifestPart: messages.ManifestPart(1, b"part"),
    messages.Piece: messages.Piece(1, 0, b"piece"),
    messages.Credit: messages.Credit(1, 1),
    messages.FetchRefused: messages.FetchRefused(1, 20),
    messages.FetchStop: messages.FetchStop(1),
    messages.Papers: messages.Papers(b"", b""),
    album_messages.AlbumHeads: album_messages.AlbumHeads(bytes(16), (bytes(32),), ()),
    album_messages.AlbumEntries: album_messages.AlbumEntries(bytes(16), False, (b"entry",)),
    album_messages.AlbumRefused: album_messages.AlbumRefused(bytes(16), 6),
    album_messages.AlbumWrapAsk: album_messages.AlbumWrapAsk(bytes(16), bytes(32), bytes(32)),
    album_messages.AlbumWrap: album_messages.AlbumWrap(bytes(16), bytes(32), bytes(32), b""),
    album_messages.AlbumSetAsk: album_messages.AlbumSetAsk(bytes(16), bytes(32), bytes(32), 0),
    album_messages.AlbumSetPart: album_messages.AlbumSetPart(
        bytes(16), bytes(32), bytes(32), 0, ()
    ),
    album_messages.AlbumPreviewAsk: album_messages.AlbumPreviewAsk(bytes(16), b"", (bytes(32),)),
    album_messages.AlbumPreviews: album_messages.AlbumPreviews(bytes(16), ((bytes(32), b"jpeg"),)),
    device_messages.OwnDevices: device_messages.OwnDevices(1, bytes(32), b""),
    device_messages.DeviceChains: device_messages.DeviceChains(()),
    device_messages.DeviceGift: device_messages.DeviceGift(b"gift"),
    sibling_messages.SiblingHave: sibling_messages.SiblingHave(0, ((bytes(32), 1),)),
    sibling_messages.SiblingRecords: sibling_messages.SiblingRecords(b"papers", (b"record",)),
    sibling_messages.SiblingAll: sibling_messages.SiblingAll(()),
    sibling_messages.SiblingKeep: sibling_messages.SiblingKeep((bytes(16),)),
    sibling_messages.SiblingKept: sibling_messages.SiblingKept(()),
    sibling_messages.SiblingLetGo: sibling_messages.SiblingLetGo((bytes(16),)),
    sibling_messages.SiblingPreviewAsk: sibling_messages.SiblingPreviewAsk(bytes(16)),
    sibling_messages.SiblingPreview: sibling_messages.SiblingPreview(bytes(16), b"", b"", 0, 0),
    head_messages.Heads: head_messages.Heads(b""),
    head_messages.HeadShown: head_messages.HeadShown(b"head", b"papers"),
    guardian_messages.GuardianShare: guardian_messages.GuardianShare(b"sealed"),
    guardian_messages.GuardianKept: guardian_messages.GuardianKept(bytes(32)),
    device_messages.OwnDevices: device_messages.OwnDevices(1, bytes(32), b""),
    device_messages.DeviceChains: device_messages.DeviceChains(()),
    device_messages.DeviceGift: device_messages.DeviceGift(b"gift"),
    messages.Ping: messages.Ping(1),
    messages.Pong: messages.Pong(1),
    messages.Bye: messages.Bye(0),
}
HAPPENINGS: tuple[Happening, ...] = (*SAMPLES, *HELLOS)


def cells() -> Iterator[tuple[Role, str, State, Happening]]:
    """Every state that a path leads to, with everything that can come."""
    for (role, mode), path in PATHS.items():
        for state in path:
            if mode != "contact" and state is State.HELLO:
                continue  # the same state as on the contact's path
            for happening in HAPPENINGS:
                yield role, mode, state, happening


def sample(joined: Partner, happening: Happening) -> Message:
    """A message of that kind: the proper one where it is allowed next, else any."""
    if isinstance(happening, str):
        mode = happening.removeprefix("hello ")
        joined.mode = mode if mode in MODES else joined.mode
        joined.window.purpose = "device" if joined.mode == "device" else "pair"
        proper = joined.hello()
        return Hello(proper.versions, mode, proper.method, proper.proof)
    if happening is not Bye and happening not in ALL_WORK:
        step = joined.steps().get(joined.session.state)
        if step is not None and (joined.session.role, joined.session.state, happening) in MOVES:
            return step()
    return SAMPLES[happening]


def name(value: object) -> str:
    if isinstance(value, type):
        return value.__name__
    return value.value if isinstance(value, State) else str(value)


@pytest.mark.parametrize(("role", "mode", "state", "happening"), list(cells()), ids=name)
def test_a_cell_of_the_table_moves_or_ends_the_session(
    role: Role, mode: str, state: State, happening: Happening, alice: Person, bob: Person
) -> None:
    joined = partner(role, mode, alice, bob).bring_to(state)
    session, before = joined.session, len(joined.duel.events)
    peer, runs = session.peer, joined.window.runs_left
    said = len(joined.raw.inbox)

    events = joined.duel.say(sample(joined, happening))

    after = MOVES.get((role, state, happening))
    if happening is messages.Stored:  # `Delivered` is in its place
        after = None
    if after is not None:
        assert session.state is after
        if happening is Bye:
            assert [event for event in events if not isinstance(event, Ended)] == []
            assert ended(events).error is None
        elif happening in ALL_WORK:
            assert events == [Received(SAMPLES[happening])]  # type: ignore[index]
        else:
            assert not any(isinstance(event, Ended | Received) for event in events)
    else:
        assert session.state is State.ENDED
        assert type(ended(events).error) is UnexpectedMessageError
        assert len(joined.duel.events) == before + 1
        assert session.peer is peer
        assert joined.window.runs_left == runs
        assert not joined.window.used or state is State.PAIRED
        assert joined.raw.inbox[said:] == [Bye(3)]


def test_every_state_that_the_table_can_reach_is_on_a_path() -> None:
    for role in ROLES:
        reached = {State.CHANNEL}
        while True:
            more = {to for (who, at, _), to in MOVES.items() if who == role and at in reached}
            if more <= reached:
                break
            reached |= more
        walked = {state for mode in MODES for state in PATHS[role, mode]}
        assert reached == walked | {State.CHANNEL, State.ENDED}


def test_every_message_has_a_sample() -> None:
    kinds = {kind for kind in vars(messages).values() if _is_message(kind)}
    assert {*kinds, *ALL_WORK, DeviceGift} == {*SAMPLES, Hello}


def _is_message(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Message) and kind is not Message


@pytest.mark.parametrize("role", ROLES)
def test_nothing_but_the_handshake_moves_a_fresh_session(role: Role) -> None:
    happenings = {what for who, at, what in MOVES if who == role and at is State.CHANNEL}
    assert all(isinstance(what, str) and what.startswith("channel up") for what in happenings)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mode", MODES)
def test_an_ended_session_takes_and_says_nothing(
    role: Role, mode: str, alice: Person, bob: Person
) -> None:
    joined = partner(role, mode, alice, bob).bring_to(State.ENDED)
    joined.session.to_send()
    assert joined.session.receive(b"anything") == []
    assert joined.session.receive_eof() == []
    joined.session.close()
    assert joined.session.to_send() == b""
    with pytest.raises(ValueError, match="ended"):
        joined.session.send(messages.Ping(1))


@pytest.mark.parametrize(("role", "mode"), list(PATHS), ids=str)
def test_a_cut_at_any_point_is_an_error(role: Role, mode: str, alice: Person, bob: Person) -> None:
    for state in (State.CHANNEL, *PATHS[role, mode]):
        joined = partner(role, mode, alice, bob).bring_to(state)
        (event,) = joined.session.receive_eof()
        assert isinstance(event, Ended)
        assert event.error is not None
        assert event.error.code == "cut"
        assert joined.session.receive_eof() == []


@pytest.mark.parametrize(("role", "mode"), list(PATHS), ids=str)
def test_a_close_notice_without_a_goodbye_is_a_cut(
    role: Role, mode: str, alice: Person, bob: Person
) -> None:
    for state in PATHS[role, mode]:
        joined = partner(role, mode, alice, bob).bring_to(state)
        joined.raw.channel.close()
        joined.duel.pump()
        error = ended(joined.duel.events).error
        assert error is not None
        assert error.code == "cut"


@pytest.mark.parametrize(("role", "mode"), list(PATHS), ids=str)
def test_only_an_established_session_sends_work(
    role: Role, mode: str, alice: Person, bob: Person
) -> None:
    for state in (State.CHANNEL, *PATHS[role, mode]):
        session = partner(role, mode, alice, bob).bring_to(state).session
        if state is State.UP:
            session.send(messages.Ping(1))
            continue
        with pytest.raises(ValueError, match="Ping while"):
            session.send(messages.Ping(1))


def test_each_path_reports_its_success_once(alice: Person, bob: Person) -> None:
    for (role, mode), path in PATHS.items():
        joined = partner(role, mode, alice, bob).bring_to(path[-1])
        kind = {"contact": Established, "device": Asked if role == "listener" else Added}.get(
            mode, Paired
        )
        assert [type(event) for event in joined.duel.events] == [kind]


def test_a_message_behind_a_goodbye_is_not_read(alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.UP)
    events = joined.duel.say(Bye(0), messages.Ping(1))
    assert [type(event) for event in events] == [Ended]


def test_a_fresh_session_closes_in_silence(bob: Person) -> None:
    session = listen(bob.device())
    session.close()
    assert session.to_send() == b""
    assert session.state is State.ENDED


def test_a_hello_asks_for_one_to_32_contacts(alice: Person, bob: Person) -> None:
    contact = pinned(alice, bob)
    dial(bob.device(), [contact] * 32)
    for count in (0, 33):
        with pytest.raises(ValueError, match="1 to 32"):
            dial(bob.device(), [contact] * count)


def test_storing_is_only_for_a_listener_that_paired(alice: Person, bob: Person) -> None:
    for (role, mode), path in PATHS.items():
        for state in path:
            session = partner(role, mode, alice, bob).bring_to(state).session
            if role == "listener" and state is State.PAIRED and mode != "device":
                session.pairing_stored()
                assert session.state is State.ENDED
                continue
            with pytest.raises(ValueError, match="nothing to store"):
                session.pairing_stored()


def test_storing_after_the_dialer_left_says_nothing(alice: Person, bob: Person) -> None:
    joined = partner("listener", "pair", alice, bob).bring_to(State.PAIRED)
    joined.duel.say(Bye(0))
    joined.session.to_send()
    joined.session.pairing_stored()
    assert joined.session.to_send() == b""


def test_a_listener_never_gets_a_welcome_through(alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    assert type(ended(joined.duel.say(Welcome(1, bytes(32)))).error) is UnexpectedMessageError
