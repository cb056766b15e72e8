from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import cache

import pytest
from kinlight.crypto.channel import ChannelSettings
from kinlight.crypto.errors import PeerError, TruncatedError
from kinlight.crypto.pairing import Code, Invitation, identity_hash
from kinlight.crypto.secret import Secret
from kinlight.node import link as link_module
from kinlight.node.link import POST_BYTES, QUEUE_BYTES, Link
from kinlight.node.pipes import Pipe
from kinlight.protocol import limits
from kinlight.protocol.errors import TooMuchError, UnknownPeerError
from kinlight.protocol.messages import Held, Message, Piece, Ping
from kinlight.protocol.opening import Acquaintance, LocalDevice, PairingWindow, Pinned
from kinlight.protocol.session import Callee, Session

from .network import Network, QueuePipe
from .nodes import NOW, PATIENCE, eventually
from .people import device_of

ANNA, BOB = device_of("Anna"), device_of("Bob")
SECRET = Secret(b"s" * 32)
CODE = Code(7, ("maple", "orbit"))


@cache
def settings() -> ChannelSettings:
    return ChannelSettings()


def dialer(pipe: Pipe, to: LocalDevice = BOB, secret: Secret = SECRET) -> Link:
    pinned = (Pinned(to.identity, secret),)
    return Link(pipe, Session(settings(), ANNA, pinned, secrets.token_bytes))


def listener(pipe: Pipe, *known: Pinned, window: PairingWindow | None = None) -> Link:
    callee = Callee(lambda: known, lambda: window)
    return Link(pipe, Session(settings(), BOB, callee, secrets.token_bytes))


def known_to_bob() -> Pinned:
    return Pinned(ANNA.identity, SECRET)


async def nothing(_: Message) -> None:
    """A reader that takes everything."""


class Ends:
    """Two ends of one established link, each running."""

    def __init__(self, near: QueuePipe, far: QueuePipe) -> None:
        self.near_pipe, self.far_pipe = near, far
        self.near, self.far = dialer(near), listener(far, known_to_bob())
        self.running: list[asyncio.Task[PeerError | None]] = []

    async def open(self) -> None:
        await asyncio.gather(self.near.open(), self.far.open())

    def run(
        self,
        near: Callable[[Message], Awaitable[None]] = nothing,
        far: Callable[[Message], Awaitable[None]] = nothing,
    ) -> None:
        self.running = [
            asyncio.create_task(self.near.run(near)),
            asyncio.create_task(self.far.run(far)),
        ]

    async def ended(self) -> list[PeerError | None]:
        async with asyncio.timeout(PATIENCE):
            return list(await asyncio.gather(*self.running))


@pytest.fixture
async def ends() -> AsyncGenerator[Ends]:
    network = Network()
    both = Ends(*network.pair())
    await both.open()
    yield both
    network.cut()
    await both.ended()


# Opening


async def test_both_ends_know_each_other_after_opening(ends: Ends) -> None:
    assert ends.near.peer.identity == BOB.identity
    assert ends.far.peer.device == ANNA.signing.public


async def test_a_stranger_is_told_nothing_but_no() -> None:
    near, far = Network().pair()
    calling, called = dialer(near, secret=Secret(bytes(32))), listener(far, known_to_bob())
    answers = await asyncio.gather(calling.open(), called.open(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnknownPeerError, UnknownPeerError]


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPENING_SECONDS", 0.05)
    near, far = Network().pair()
    for link in (dialer(near), listener(far)):
        with pytest.raises(TruncatedError):
            await link.open()


async def test_a_peer_that_talks_slowly_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPENING_SECONDS", 0.1)
    near, far = Network().pair()
    called = listener(far)

    async def drip() -> None:
        while True:
            await near.write(b"\x16")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    with pytest.raises(PeerError):
        await called.open()
    dripping.cancel()


async def test_noise_instead_of_a_handshake_is_a_fault_of_the_peer() -> None:
    near, far = Network().pair()
    await near.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
    with pytest.raises(PeerError):
        await listener(far).open()


async def test_an_end_before_the_hello_is_a_cut() -> None:
    near, far = Network().pair()
    await near.close()
    with pytest.raises(TruncatedError):
        await listener(far).open()


async def test_a_pairing_counts_although_the_goodbye_can_not_be_said() -> None:
    """The other side says all it has to and is gone: the pipe breaks at the next write."""
    near, far = Network().pair()
    window = PairingWindow(
        CODE, Invitation(identity_hash(BOB.identity), Secret(bytes(16)), (), NOW)
    )
    calling = Link(near, Session(settings(), ANNA, CODE, secrets.token_bytes))
    called = listener(far, window=window)

    async def shown() -> Acquaintance:
        outcome = await called.open()
        assert isinstance(outcome, Acquaintance)
        called.session.pairing_stored()
        await called.close()
        near.outgoing.cut()
        return outcome

    typed, answered = await asyncio.gather(calling.open(), shown())
    assert isinstance(typed, Acquaintance)
    assert typed.pair_secret.reveal() == answered.pair_secret.reveal()


# Ending


async def test_a_goodbye_is_no_error_at_either_end(ends: Ends) -> None:
    ends.run()
    await ends.near.close()
    assert await ends.ended() == [None, None]
    assert ends.near_pipe.closed
    assert ends.far_pipe.closed


async def test_a_cut_is_an_error_at_both_ends(ends: Ends) -> None:
    ends.run()
    ends.near_pipe.incoming.cut()
    ends.far_pipe.incoming.cut()
    assert [type(error) for error in await ends.ended()] == [TruncatedError, TruncatedError]


async def test_nothing_can_be_sent_over_a_link_that_ended(ends: Ends) -> None:
    ends.run()
    await ends.near.close()
    await ends.ended()
    with pytest.raises(TruncatedError):
        await ends.near.send(Held(bytes(32)))
    ends.near.post(Held(bytes(32)))  # an answer that nobody needs any more


async def test_a_silent_peer_is_taken_for_dead(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENCE_SECONDS", 0.1)
    ends.running = [asyncio.create_task(ends.near.run(nothing))]
    (error,) = await ends.ended()
    assert isinstance(error, TruncatedError)


async def test_two_quiet_peers_keep_their_link(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PING_SECONDS", 0.02)
    monkeypatch.setattr(link_module, "SILENCE_SECONDS", 5.0)
    ends.run()
    pings = ends.near_pipe.outgoing.portions
    carried = 0
    original = pings.put_nowait

    def count(data: bytes) -> None:
        nonlocal carried
        carried += 1
        original(data)

    pings.put_nowait = count  # type: ignore[method-assign]
    await eventually(lambda: carried >= 4)
    assert not any(task.done() for task in ends.running)


async def test_a_fault_in_a_message_ends_the_link_with_its_reason_at_both_ends(
    ends: Ends,
) -> None:
    async def refuse(_: Message) -> None:
        raise TooMuchError("a test")

    ends.run(far=refuse)
    await ends.near.send(Held(bytes(32)))
    assert [type(error) for error in await ends.ended()] == [TooMuchError, TooMuchError]


# Bounds


def piece(index: int) -> Piece:
    return Piece(1, index, bytes(100_000))


async def test_a_sender_waits_for_a_slow_reader_and_memory_stays_bounded(ends: Ends) -> None:
    ends.run()
    ends.near_pipe.outgoing.flowing.clear()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for index in range(100):
            await ends.near.send(piece(index))
            sent = index + 1

    sending = asyncio.create_task(send())
    await eventually(lambda: sent * 100_000 >= QUEUE_BYTES)
    for _ in range(100):
        await asyncio.sleep(0)
    assert sent * 100_000 <= QUEUE_BYTES + 2 * 100_000
    assert not sending.done()
    ends.near_pipe.outgoing.flowing.set()
    await asyncio.wait_for(sending, PATIENCE)


async def test_all_that_was_sent_arrives_in_order(ends: Ends) -> None:
    came: list[int] = []

    async def take(message: Message) -> None:
        assert isinstance(message, Piece)
        came.append(message.index)

    ends.run(far=take)
    for index in range(50):
        await ends.near.send(piece(index))
    await ends.near.close()
    await ends.ended()
    assert came == list(range(50))


async def test_a_reader_that_is_busy_is_not_given_the_next_message(ends: Ends) -> None:
    came: list[int] = []
    go_on = asyncio.Event()

    async def take(message: Message) -> None:
        assert isinstance(message, Piece)
        came.append(message.index)
        await go_on.wait()

    ends.run(far=take)
    await ends.near.send(piece(0))
    await ends.near.send(piece(1))
    await eventually(lambda: bool(came))
    for _ in range(100):
        await asyncio.sleep(0)
    assert came == [0]
    go_on.set()
    await eventually(lambda: came == [0, 1])


async def test_a_peer_that_causes_answers_and_takes_none_is_dropped(ends: Ends) -> None:
    posted = 0

    async def answer(_: Message) -> None:
        nonlocal posted
        ends.far.post(piece(0))
        posted += 1

    ends.run(far=answer)
    ends.far_pipe.outgoing.flowing.clear()
    for _ in range(POST_BYTES // 100_000 + 10):
        if ends.near.ended.is_set() or ends.far.ended.is_set():
            break
        await ends.near.send(Held(bytes(32)))
    error = await asyncio.wait_for(asyncio.shield(ends.running[1]), PATIENCE)
    assert isinstance(error, TooMuchError)
    assert posted * 100_000 <= POST_BYTES + 200_000


async def test_a_flood_of_pings_whose_answers_nobody_takes_is_bounded(ends: Ends) -> None:
    ends.run()
    ends.far_pipe.outgoing.flowing.clear()
    for token in itertools.count():
        if ends.far.ended.is_set():
            break
        await ends.near.send(Ping(token))
        assert token < 10 * POST_BYTES // 256
    error = await asyncio.wait_for(asyncio.shield(ends.running[1]), PATIENCE)
    assert isinstance(error, TooMuchError)


async def test_a_pipe_that_never_takes_the_goodbye_does_not_hold_up_the_end(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "FAREWELL_SECONDS", 0.05)
    ends.run()
    ends.near_pipe.outgoing.flowing.clear()
    await asyncio.wait_for(ends.near.close(), PATIENCE)
    assert ends.near_pipe.closed
