from __future__ import annotations

from collections.abc import Callable

import pytest
from kinlight.crypto.errors import MalformedError
from kinlight.protocol.errors import WrongTransportError
from kinlight.protocol.opening import Transport
from kinlight.protocol.session import Callee, Session, State

from .pairs import SessionPair, settings
from .people import CODE, FixedEntropy, Person, pinned, window_of

ALICES, BOBS, SOMEBODYS = b"alice's peer id", b"bob's peer id", b"somebody's peer id"

Join = Callable[[Person, Person, Transport | None, Transport | None], SessionPair]


def contacts(
    alice: Person, bob: Person, near: Transport | None, far: Transport | None
) -> SessionPair:
    """Alice calls Bob over a pipe of which each end knows as much as is said."""
    callee = Callee(lambda: (pinned(alice, bob),), lambda: None)
    return SessionPair(
        Session(
            settings(), alice.device(), [pinned(bob, alice)], FixedEntropy("a"), transport=near
        ),
        Session(settings(), bob.device(), callee, FixedEntropy("b"), transport=far),
    ).pump()


def pairing(
    alice: Person, bob: Person, near: Transport | None, far: Transport | None
) -> SessionPair:
    window = window_of(bob)
    callee = Callee(tuple, lambda: window)
    return SessionPair(
        Session(settings(), alice.device(), CODE, FixedEntropy("a"), transport=near),
        Session(settings(), bob.device(), callee, FixedEntropy("b"), transport=far),
    ).pump_and_store()


@pytest.fixture(params=[contacts, pairing])
def join(request: pytest.FixtureRequest) -> Join:
    return request.param


def met(pair: SessionPair) -> bool:
    return pair.dialer.peer is not None and pair.listener.peer is not None


def test_each_end_certifies_the_key_by_which_the_pipe_knows_it(
    join: Join, alice: Person, bob: Person
) -> None:
    pair = join(alice, bob, Transport(ALICES, BOBS), Transport(BOBS, ALICES))
    assert met(pair)
    assert pair.errors == (None, None)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        # Somebody who ends both Noise connections and passes the channel on.
        (Transport(ALICES, SOMEBODYS), Transport(BOBS, SOMEBODYS)),
        (Transport(ALICES, SOMEBODYS), Transport(BOBS, ALICES)),
        (Transport(ALICES, BOBS), Transport(BOBS, SOMEBODYS)),
        # Somebody who carries it from such a pipe to TCP, or back.
        (Transport(ALICES, BOBS), None),
        (None, Transport(BOBS, ALICES)),
    ],
)
def test_who_sits_between_two_pipes_is_noticed(
    join: Join,
    alice: Person,
    bob: Person,
    near: Transport | None,
    far: Transport | None,
) -> None:
    pair = join(alice, bob, near, far)
    assert not met(pair)
    # Who carries it between two kinds of pipes may be met first by the one that knows nobody.
    same = near is not None and far is not None
    assert set(pair.errors) <= (
        {WrongTransportError} if same else {WrongTransportError, MalformedError}
    )
    assert pair.listener.state is State.ENDED
    assert pair.dialer.state is State.ENDED


def test_over_tcp_nothing_is_said_of_transports(join: Join, alice: Person, bob: Person) -> None:
    assert met(join(alice, bob, None, None))
