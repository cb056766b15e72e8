"""First meetings: by code, by QR code, and everything that must not become one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kinlight.crypto.errors import (
    BadCertificateError,
    MalformedError,
    WrongCodeError,
)
from kinlight.crypto.identity import DeviceChain, issue_identity, issue_kem
from kinlight.crypto.pairing import Code, Invitation, PairingKey, identity_hash
from kinlight.crypto.secret import Secret
from kinlight.protocol import limits
from kinlight.protocol.errors import NotPairingError, PeerFailedError, WrongPeerError
from kinlight.protocol.messages import (
    VERSION,
    Bye,
    Hello,
    PairChain,
    PairConfirm,
    PairDone,
    Welcome,
)
from kinlight.protocol.opening import LocalDevice, PairingWindow, Pinned
from kinlight.protocol.session import Ended, Established, Paired, State

from .pairs import Duel, Partner, RawPeer, SessionPair, dial, error_of, listen, partner
from .people import CODE, FixedEntropy, Person, fixed, invitation_to, window_of

WRONG = Code(7, ("maple", "acorn"))


def test_a_code_pairs_two_strangers(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    pair = SessionPair(
        dial(alice.device(), CODE), listen(bob.device(), window=window)
    ).pump_and_store()
    met, met_back = pair.paired()
    assert met.chain == bob.device().chain
    assert met_back.chain == alice.device().chain
    assert (met.name, met_back.name) == ("Bob's phone", "Alice's phone")
    assert met.pair_secret == met_back.pair_secret
    assert pair.of_dialer[-1] == Ended(None)
    assert pair.listener.state is pair.dialer.state is State.ENDED
    assert window.used
    assert window.closed


def test_a_qr_code_pairs_two_strangers_and_spends_no_run(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    pair = SessionPair(
        dial(alice.device(), invitation_to(bob)), listen(bob.device(), window=window)
    ).pump_and_store()
    met, met_back = pair.paired()
    assert met.chain == bob.device().chain
    assert met_back.chain == alice.device().chain
    assert met.pair_secret == met_back.pair_secret
    assert window.runs_left == limits.PAIRING_RUNS
    assert window.used


@pytest.mark.parametrize("way", ["code", "qr"])
def test_what_a_pairing_yields_opens_sessions_between_the_two(
    way: str, alice: Person, bob: Person
) -> None:
    to = CODE if way == "code" else invitation_to(bob)
    met, met_back = (
        SessionPair(dial(alice.device(), to), listen(bob.device(), window=window_of(bob)))
        .pump_and_store()
        .paired()
    )
    pair = SessionPair(
        dial(bob.device(), [Pinned(met_back.chain.identity, met_back.pair_secret)]),
        listen(alice.device(), [Pinned(met.chain.identity, met.pair_secret)]),
    ).pump()
    assert pair.of_dialer == [Established(alice.device().chain)]
    assert pair.of_listener == [Established(bob.device().chain)]


def test_each_pairing_makes_another_secret(alice: Person, bob: Person) -> None:
    secrets = [
        SessionPair(
            dial(alice.device(), invitation_to(bob)), listen(bob.device(), window=window_of(bob))
        )
        .pump_and_store()
        .paired()[0]
        .pair_secret.reveal()
        for _ in range(3)
    ]
    assert len(set(secrets)) == 3


def test_the_dialer_pins_nobody_before_the_listener_has_stored(alice: Person, bob: Person) -> None:
    pair = SessionPair(dial(alice.device(), CODE), listen(bob.device(), window=window_of(bob)))
    pair.pump()
    assert [type(event) for event in pair.of_listener] == [Paired]
    assert pair.of_dialer == []
    assert pair.dialer.state is State.PAIR_DONE
    pair.pump_and_store()
    assert isinstance(pair.of_dialer[0], Paired)


def test_wrong_words_fail_at_both_ends_and_show_no_papers(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    pair = SessionPair(dial(alice.device(), WRONG), listen(bob.device(), window=window)).pump()
    assert pair.errors == (WrongCodeError, WrongCodeError)
    assert pair.dialer.peer is pair.listener.peer is None
    assert window.runs_left == 2
    assert not window.closed


def test_the_third_wrong_run_ends_the_code(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    for left in (2, 1, 0):
        assert not window.spent
        pair = SessionPair(dial(alice.device(), WRONG), listen(bob.device(), window=window)).pump()
        assert pair.errors[1] is WrongCodeError
        assert window.runs_left == left
    assert window.spent
    pair = SessionPair(dial(alice.device(), CODE), listen(bob.device(), window=window)).pump()
    assert pair.errors == (NotPairingError, NotPairingError)


def test_a_qr_code_pairs_when_its_twin_is_spent(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    for _ in range(3):
        SessionPair(dial(alice.device(), WRONG), listen(bob.device(), window=window)).pump()
    pair = SessionPair(
        dial(alice.device(), invitation_to(bob)), listen(bob.device(), window=window)
    ).pump_and_store()
    assert pair.paired()[0].chain == bob.device().chain
    assert window.closed


def test_the_third_run_may_be_the_right_one(alice: Person, bob: Person) -> None:
    window = window_of(bob)
    for code in (WRONG, WRONG):
        SessionPair(dial(alice.device(), code), listen(bob.device(), window=window)).pump()
    pair = SessionPair(
        dial(alice.device(), CODE), listen(bob.device(), window=window)
    ).pump_and_store()
    assert pair.paired()[0].chain == bob.device().chain


def test_ten_parallel_sessions_get_three_runs_together(bob: Person, mallory: Person) -> None:
    """A run is spent when it begins, so that many at once guess no more than one by one."""
    window = window_of(bob)
    duels = [Duel(listen(bob.device(), window=window), RawPeer("dialer")).pump() for _ in range(10)]
    answered = 0
    for duel in duels:
        guess = Partner("dialer", mallory, bob, "pair", secret=WRONG)
        duel.say(Hello((VERSION,), "pair", "code", guess.bring_to(State.HELLO).hello().proof))
        answered += isinstance(duel.raw.inbox[0], Welcome)
    assert answered == 3
    assert window.spent
    assert [duel.error for duel in duels[3:]] == [NotPairingError] * 7
    assert all(duel.raw.inbox == [Bye(7)] for duel in duels[3:])


def test_a_run_that_is_given_up_is_spent(bob: Person, mallory: Person) -> None:
    window = window_of(bob)
    joined = Partner("dialer", mallory, bob, "pair", window=window).bring_to(State.PAIR_CHAIN)
    joined.session.receive_eof()
    assert window.runs_left == 2


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(32),
        b"A" + bytes(31),
        b"A" + bytes(33),
        b"B" + fixed("point"),
        b"A" + bytes(32),
        b"A" + bytes([1]) + bytes(31),
        b"A" + b"\xff" * 32,
        b"A" + bytes.fromhex("ec" + "ff" * 30 + "7f"),
    ],
    ids=lambda message: message.hex()[:8] or "empty",
)
def test_a_message_that_is_no_point_of_the_group_fails_and_spends_a_run(
    message: bytes, bob: Person
) -> None:
    window = window_of(bob)
    duel = Duel(listen(bob.device(), window=window), RawPeer("dialer")).pump()
    duel.say(Hello((VERSION,), "pair", "code", message))
    assert duel.error is WrongCodeError
    assert window.runs_left == 2


def test_a_run_reflected_to_its_maker_fails(alice: Person, bob: Person) -> None:
    joined = partner("dialer", "pair", bob, alice).bring_to(State.PAIR_WELCOME)
    hello = joined.raw.last(Hello)
    assert isinstance(hello, Hello)
    for proof in (hello.proof, b"B" + hello.proof[1:]):
        again = partner("dialer", "pair", bob, alice).bring_to(State.PAIR_WELCOME)
        again.duel.say(Welcome(VERSION, proof))
        if again.session.state is State.PAIR_CHAIN:  # another run's message: a key, but not ours
            again.duel.say(again.raw.last(PairChain))
        assert again.duel.error is WrongCodeError
    own = b"B" + hello.proof[1:]
    joined.duel.say(Welcome(VERSION, own))
    assert joined.duel.error is WrongCodeError


def test_the_papers_of_a_side_are_not_taken_back_from_the_other(alice: Person, bob: Person) -> None:
    joined = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CONFIRM)
    mine = joined.raw.last(PairChain)
    again = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CHAIN)
    again.duel.say(mine)
    assert again.duel.error is WrongCodeError

    dialer = partner("dialer", "pair", bob, alice).bring_to(State.PAIR_CHAIN)
    dialer.duel.say(dialer.raw.last(PairChain))
    assert dialer.duel.error is WrongCodeError


def test_a_confirmation_of_a_side_is_not_taken_back_from_the_other(
    alice: Person, bob: Person
) -> None:
    joined = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CONFIRM)
    joined.duel.say(joined.raw.last(PairConfirm))
    assert joined.duel.error is WrongCodeError


def test_without_an_open_window_nobody_pairs(alice: Person, bob: Person) -> None:
    closed = window_of(bob)
    closed.closed = True
    for window in (None, closed):
        for to in (CODE, invitation_to(bob)):
            pair = SessionPair(dial(alice.device(), to), listen(bob.device(), window=window)).pump()
            assert pair.errors == (NotPairingError, NotPairingError)
    assert closed.runs_left == limits.PAIRING_RUNS


def test_an_unknown_method_is_refused_without_spending_a_run(bob: Person) -> None:
    window = window_of(bob)
    for method in ("", "words", "Code"):
        duel = Duel(listen(bob.device(), window=window), RawPeer("dialer")).pump()
        duel.say(Hello((VERSION,), "pair", method, b""))
        assert duel.error is NotPairingError
    assert window.runs_left == limits.PAIRING_RUNS


def test_a_qr_run_has_no_first_message(bob: Person) -> None:
    duel = Duel(listen(bob.device(), window=window_of(bob)), RawPeer("dialer")).pump()
    duel.say(Hello((VERSION,), "pair", "qr", b"x"))
    assert duel.error is MalformedError


def test_a_code_that_made_a_contact_makes_no_second_one(
    alice: Person, bob: Person, carol: Person
) -> None:
    window = window_of(bob)
    SessionPair(dial(alice.device(), CODE), listen(bob.device(), window=window)).pump_and_store()
    for to in (CODE, invitation_to(bob)):
        pair = SessionPair(dial(carol.device(), to), listen(bob.device(), window=window)).pump()
        assert pair.errors == (NotPairingError, NotPairingError)


def test_of_two_right_runs_at_once_the_first_to_confirm_wins(
    alice: Person, bob: Person, carol: Person
) -> None:
    window = window_of(bob)
    slow = Partner("dialer", carol, bob, "pair", window=window).bring_to(State.PAIR_CONFIRM)
    quick = SessionPair(
        dial(alice.device(), CODE), listen(bob.device(), window=window)
    ).pump_and_store()
    assert quick.paired()[0].chain == bob.device().chain
    slow.duel.say(slow.confirm())
    assert slow.duel.error is NotPairingError
    assert slow.session.peer is None
    assert not any(isinstance(event, Paired) for event in slow.duel.events)


def test_a_scanner_refuses_another_identity_than_the_one_that_showed_the_code(
    alice: Person, bob: Person, mallory: Person
) -> None:
    """Mallory photographed Bob's QR code and answers in his place."""
    window = window_of(bob)
    pair = SessionPair(
        dial(alice.device(), invitation_to(bob)), listen(mallory.device(), window=window)
    ).pump()
    assert pair.errors == (WrongPeerError, PeerFailedError)
    assert not window.used


def test_another_qr_secret_does_not_pair(alice: Person, bob: Person) -> None:
    stale = Invitation(identity_hash(bob.identity), Secret(bytes(16)), (), 0)
    pair = SessionPair(
        dial(alice.device(), stale), listen(bob.device(), window=window_of(bob))
    ).pump()
    assert pair.errors == (WrongCodeError, WrongCodeError)


def test_nobody_pairs_with_themselves(alice: Person) -> None:
    for name in ("phone", "laptop"):
        pair = SessionPair(
            dial(alice.device(), CODE), listen(alice.device(name), window=window_of(alice))
        ).pump()
        assert pair.errors[1] is BadCertificateError


def test_somebody_in_the_middle_with_a_code_of_their_own_fails_at_both_ends(
    alice: Person, bob: Person, mallory: Person
) -> None:
    window = window_of(bob)
    to_alice = SessionPair(
        dial(alice.device(), CODE),
        listen(mallory.device(), window=_own_window(mallory)),
    ).pump()
    to_bob = SessionPair(dial(mallory.device(), WRONG), listen(bob.device(), window=window)).pump()
    assert to_alice.errors == (WrongCodeError, WrongCodeError)
    assert to_bob.errors == (WrongCodeError, WrongCodeError)


def _own_window(mallory: Person) -> PairingWindow:
    window = window_of(mallory)
    window.code = WRONG
    return window


def test_somebody_in_the_middle_who_passes_every_byte_on_fails_at_both_ends(
    alice: Person, bob: Person
) -> None:
    """The SPAKE2 identities hold each channel's exporter value, so the keys differ."""
    to_alice = Duel(dial(alice.device(), CODE), RawPeer("listener")).pump()
    to_bob = Duel(listen(bob.device(), window=window_of(bob)), RawPeer("dialer")).pump()
    to_bob.say(to_alice.raw.inbox[-1])
    to_alice.say(to_bob.raw.inbox[-1])
    to_bob.say(to_alice.raw.inbox[-1])
    assert to_bob.error is WrongCodeError
    to_alice.say(to_bob.raw.inbox[-1])
    assert to_alice.error is WrongCodeError


def test_a_relay_of_a_qr_run_fails_at_both_ends(alice: Person, bob: Person) -> None:
    to_alice = Duel(dial(alice.device(), invitation_to(bob)), RawPeer("listener")).pump()
    to_bob = Duel(listen(bob.device(), window=window_of(bob)), RawPeer("dialer")).pump()
    to_bob.say(to_alice.raw.inbox[-1])
    to_alice.say(to_bob.raw.inbox[-1])
    to_bob.say(to_alice.raw.inbox[-1])
    assert to_bob.error is WrongCodeError


def _alice_in_the_name_of_mallory(alice: Person, mallory: Person) -> LocalDevice:
    """Mallory certifies Alice's device key as a device of Mallory's: nobody asks the key."""
    phone = alice.device()
    chain = DeviceChain.assemble(
        issue_identity(mallory.words),
        [mallory.certificate(phone.signing.public)],
        issue_kem(phone.signing, phone.kem.public),
    )
    own = mallory.device()
    return LocalDevice(own.signing, own.kem, chain, "")


def _alice_as_she_is(alice: Person, mallory: Person) -> LocalDevice:
    own = mallory.device()
    return LocalDevice(own.signing, own.kem, alice.device().chain, "")


@pytest.mark.parametrize("papers", [_alice_in_the_name_of_mallory, _alice_as_she_is])
@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_who_knows_the_code_can_not_pair_with_keys_of_another(
    papers: Callable[[Person, Person], LocalDevice],
    role: str,
    alice: Person,
    bob: Person,
    mallory: Person,
) -> None:
    joined = Partner("dialer" if role == "dialer" else "listener", mallory, bob, "pair")
    joined.device = papers(alice, mallory)
    joined.bring_to(State.PAIR_CONFIRM)
    joined.duel.say(joined.confirm())
    assert joined.duel.error is WrongPeerError
    assert joined.session.peer is None


def test_a_confirmation_without_the_signature_of_the_device_is_refused(
    alice: Person, bob: Person
) -> None:
    joined = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CONFIRM)
    good = joined.confirm()
    joined.duel.say(PairConfirm(good.confirmation, bytes(64)))
    assert joined.duel.error is WrongPeerError


def test_a_signature_without_the_confirmation_is_refused(alice: Person, bob: Person) -> None:
    joined = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CONFIRM)
    good = joined.confirm()
    joined.duel.say(PairConfirm(bytes(32), good.signature))
    assert joined.duel.error is WrongCodeError


def test_papers_that_are_none_are_refused(alice: Person, bob: Person) -> None:
    for body, error in (
        (b"", MalformedError),
        (b"\x92\xc4\x00\xa0", MalformedError),
        (b"\x93\xc4\x00\xa0\xa0", MalformedError),
    ):
        joined = partner("listener", "pair", alice, bob).bring_to(State.PAIR_CHAIN)
        joined.chain()
        key = _key_of(joined)
        joined.duel.say(PairChain(key.seal_chain(body, dialer=True)))
        assert joined.duel.error is error


def _key_of(joined: Partner) -> PairingKey:
    """The run's key, found as the partner's own side finds it."""
    key: object = joined.pair._key  # type: ignore[reportPrivateUsage]
    assert isinstance(key, PairingKey)
    return key


@pytest.mark.parametrize("length", [limits.NAME_BYTES, limits.NAME_BYTES + 1])
def test_a_name_is_taken_to_the_limit_and_no_further(
    length: int, alice: Person, bob: Person
) -> None:
    joined = partner("listener", "pair", alice, bob)
    phone = alice.device()
    joined.device = LocalDevice(phone.signing, phone.kem, phone.chain, "n" * length)
    joined.bring_to(State.PAIR_CHAIN)
    joined.duel.say(joined.chain())
    if length <= limits.NAME_BYTES:
        assert joined.session.state is State.PAIR_CONFIRM
    else:
        assert joined.duel.error is MalformedError


def test_pair_done_before_the_confirmation_pairs_nobody(alice: Person, bob: Person) -> None:
    joined = partner("dialer", "pair", bob, alice).bring_to(State.PAIR_CONFIRM)
    events = joined.duel.say(PairDone())
    assert not any(isinstance(event, Paired) for event in events)
    assert error_of(events) is not None


def test_a_contact_hello_is_judged_as_ever_while_a_code_is_open(
    bob: Person,
) -> None:
    window = window_of(bob)
    duel = Duel(listen(bob.device(), window=window), RawPeer("dialer")).pump()
    duel.say(Hello((VERSION,), "contact", "", FixedEntropy()(256)))
    assert [type(message) for message in duel.raw.inbox] == [Welcome]
    assert window.runs_left == limits.PAIRING_RUNS
