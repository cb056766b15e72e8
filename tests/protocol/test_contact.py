"""Contacts who recognise each other, and everybody who only pretends."""

from __future__ import annotations

import pytest
from kinlight.crypto import encoding, pairing
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import (
    BadCertificateError,
    ChannelError,
    MalformedError,
    PeerError,
    TruncatedError,
)
from kinlight.crypto.secret import Secret
from kinlight.protocol import limits
from kinlight.protocol.album_messages import AlbumHeads
from kinlight.protocol.errors import (
    OtherKeyError,
    OtherVersionError,
    RevokedDeviceError,
    UnexpectedMessageError,
    UnknownPeerError,
    WrongPeerError,
)
from kinlight.protocol.messages import (
    Bye,
    Delivered,
    Held,
    Hello,
    Message,
    Papers,
    Ping,
    Prove,
    Stored,
    Welcome,
)
from kinlight.protocol.opening import (
    HELLO_DOMAIN,
    ContactOpening,
    LocalDevice,
    Pinned,
    dial_tags,
    recognise,
)
from kinlight.protocol.session import Ended, Established, Received, State

from .pairs import Duel, Partner, RawPeer, SessionPair, dial, ended, listen, partner
from .people import FixedEntropy, Person, fixed, pair_secret, pinned


def connect(alice: Person, bob: Person) -> SessionPair:
    """Alice calls Bob."""
    return SessionPair(
        dial(alice.device(), [pinned(bob, alice)]), listen(bob.device(), [pinned(alice, bob)])
    ).pump()


def test_contacts_authenticate_and_work_flows_both_ways(alice: Person, bob: Person) -> None:
    pair = connect(alice, bob)
    assert pair.of_dialer == [Established(bob.device().chain)]
    assert pair.of_listener == [Established(alice.device().chain)]
    pair.dialer.send(Ping(1))
    pair.listener.send(Ping(2))
    pair.pump()
    assert pair.of_listener[1:] == [Received(Ping(1))]
    assert pair.of_dialer[1:] == [Received(Ping(2))]
    pair.dialer.close()
    pair.pump()
    assert pair.of_listener[2:] == [Ended(None)]
    assert pair.listener.state is pair.dialer.state is State.ENDED


def test_the_exporter_is_the_same_at_both_ends_and_of_one_channel_only(
    alice: Person, bob: Person
) -> None:
    pairs = [connect(alice, bob), connect(alice, bob)]
    for pair in pairs:
        assert pair.dialer.exporter == pair.listener.exporter
    assert len({pair.dialer.exporter for pair in pairs}) == 2


def test_there_is_no_exporter_before_the_handshake_is_done(alice: Person, bob: Person) -> None:
    with pytest.raises(ChannelError):
        _ = dial(alice.device(), [pinned(bob, alice)]).exporter


def test_either_side_of_a_contact_may_dial(alice: Person, bob: Person) -> None:
    for one, other in ((alice, bob), (bob, alice)):
        pair = connect(one, other)
        assert pair.dialer.peer == other.device().chain
        assert pair.listener.peer == one.device().chain


def test_a_second_device_of_a_contact_is_that_contact(alice: Person, bob: Person) -> None:
    laptop = alice.device("laptop")
    pair = SessionPair(
        dial(laptop, [pinned(bob, alice)]), listen(bob.device(), [pinned(alice, bob)])
    ).pump()
    assert pair.of_listener == [Established(laptop.chain)]
    assert laptop.chain.identity == alice.identity


@pytest.mark.parametrize("lost_one", ["phone", "laptop"])
def test_a_device_that_its_identity_revoked_is_refused_and_hears_why(
    lost_one: str, alice: Person, bob: Person
) -> None:
    lost = alice.device(lost_one).chain.device
    for calls in (True, False):
        known, here = [pinned(alice, bob)], alice.device("laptop")
        if calls:
            pair = SessionPair(
                dial(here, [pinned(bob, alice)]),
                listen(bob.device(), known, lost=lambda chain: chain.device == lost),
            ).pump()
        else:
            pair = SessionPair(
                dial(bob.device(), known, lost=lambda chain: chain.device == lost),
                listen(here, [pinned(bob, alice)]),
            ).pump()
        expected = RevokedDeviceError if lost_one == "laptop" else None
        assert pair.errors == (expected, expected)


def test_one_hello_finds_which_of_32_contacts_listens(alice: Person, bob: Person) -> None:
    others = [Person.named(f"friend {number}") for number in range(31)]
    asked = [pinned(other, alice) for other in others]
    for position in (0, 15, 31):
        pair = SessionPair(
            dial(alice.device(), [*asked[:position], pinned(bob, alice), *asked[position:]]),
            listen(bob.device(), [pinned(alice, bob), pinned(others[0], bob)]),
        ).pump()
        assert pair.of_dialer == [Established(bob.device().chain)]
        assert pair.of_listener == [Established(alice.device().chain)]


def test_the_number_and_order_of_contacts_hardly_show(alice: Person) -> None:
    friends = [pinned(Person.named(f"friend {number}"), alice) for number in range(32)]
    exporter = fixed("X")
    for count in range(1, 33):
        tags = dial_tags(friends[:count], exporter, FixedEntropy())
        assert len(tags) == 32 * 8 * ((count + 7) // 8)
    assert dial_tags(friends, exporter, FixedEntropy()) == dial_tags(
        friends[::-1], exporter, FixedEntropy()
    )


def test_a_stranger_gets_random_bytes_and_no_reason(alice: Person, bob: Person) -> None:
    seen: set[bytes] = set()
    for number in range(3):
        duel = Duel(
            listen(bob.device(), [pinned(alice, bob)], label=f"listener {number}"),
            RawPeer("dialer"),
        ).pump()
        duel.say(Hello((1,), "contact", "", fixed(f"guess {number}", 256)))
        assert duel.error is UnknownPeerError
        (welcome,) = duel.raw.inbox
        assert isinstance(welcome, Welcome)
        assert duel.raw.channel.closed_by_peer
        seen.add(welcome.proof)
    assert len(seen) == 3
    known = partner("listener", "contact", alice, bob).bring_to(State.PROOF).raw.inbox[0]
    assert isinstance(known, Welcome)
    assert {len(proof) for proof in seen} == {len(known.proof)}


def test_a_stranger_learns_that_the_other_does_not_know_it(mallory: Person, bob: Person) -> None:
    pair = SessionPair(dial(mallory.device(), [pinned(bob, mallory)]), listen(bob.device())).pump()
    assert pair.errors == (UnknownPeerError, UnknownPeerError)
    assert pair.dialer.peer is pair.listener.peer is None


def test_a_dialer_says_nothing_to_who_is_no_contact(alice: Person, bob: Person) -> None:
    joined = partner("dialer", "contact", bob, alice).bring_to(State.WELCOME)
    joined.duel.say(Welcome(1, bytes(32)))
    assert joined.duel.error is UnknownPeerError
    assert [type(message) for message in joined.raw.inbox] == [Hello]


def test_a_wrong_pair_secret_is_a_stranger(alice: Person, bob: Person) -> None:
    wrong = Pinned(alice.identity, Secret(bytes(32)))
    pair = SessionPair(
        dial(alice.device(), [pinned(bob, alice)]), listen(bob.device(), [wrong])
    ).pump()
    assert pair.errors == (UnknownPeerError, UnknownPeerError)


def test_a_blocked_contact_is_a_stranger(alice: Person, bob: Person, carol: Person) -> None:
    """Blocking takes the contact from the list that the listener is given."""
    pair = SessionPair(
        dial(alice.device(), [pinned(bob, alice)]), listen(bob.device(), [pinned(carol, bob)])
    ).pump()
    assert pair.errors == (UnknownPeerError, UnknownPeerError)


class Impostor(Partner):
    """Knows the pair secret of `me` and `them`, but has the keys and papers it is given."""

    def __init__(
        self, role: str, me: Person, them: Person, device: LocalDevice, chain: LocalDevice
    ) -> None:
        super().__init__("dialer" if role == "dialer" else "listener", me, them, "contact")
        self.device = LocalDevice(device.signing, device.kem, chain.chain, "")


@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_the_pair_secret_without_the_device_key_is_not_enough(
    role: str, alice: Person, bob: Person, mallory: Person
) -> None:
    fake = Impostor(role, alice, bob, mallory.device(), alice.device()).bring_to(State.PROOF)
    fake.duel.say(fake.prove())
    assert fake.duel.error is WrongPeerError
    assert fake.session.peer is None


@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_papers_of_another_identity_are_refused(
    role: str, alice: Person, bob: Person, mallory: Person
) -> None:
    fake = Impostor(role, alice, bob, mallory.device(), mallory.device()).bring_to(State.PROOF)
    fake.duel.say(fake.prove())
    assert fake.duel.error is OtherKeyError


@pytest.mark.parametrize("role", ["dialer", "listener"])
def test_a_device_that_the_contact_did_not_certify_is_refused(
    role: str, alice: Person, bob: Person
) -> None:
    joined = Partner("dialer" if role == "dialer" else "listener", alice, bob, "contact")
    joined.bring_to(State.PROOF)
    proof = joined.prove()
    cut = proof.chain[:-1] + bytes([proof.chain[-1] ^ 1])
    joined.duel.say(Prove(cut, proof.signature))
    assert joined.duel.error is BadCertificateError


def test_a_recorded_hello_and_proof_are_worthless_on_another_channel(
    alice: Person, bob: Person
) -> None:
    first = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello, proof = first.hello(), first.prove()
    assert not isinstance(first.duel.say(hello, proof)[-1], Ended)

    again = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    again.duel.say(hello)
    assert again.duel.error is UnknownPeerError

    later = partner("listener", "contact", alice, bob).bring_to(State.PROOF)
    later.duel.say(proof)
    assert later.duel.error is WrongPeerError


def test_a_relay_between_two_channels_is_refused(alice: Person, bob: Person) -> None:
    """It passes on every message, but each was made for the channel that it ends."""
    towards_alice = Duel(dial(alice.device(), [pinned(bob, alice)]), RawPeer("listener")).pump()
    towards_bob = Duel(listen(bob.device(), [pinned(alice, bob)]), RawPeer("dialer")).pump()
    (hello,) = towards_alice.raw.inbox
    towards_bob.say(hello)
    assert towards_bob.error is UnknownPeerError
    (welcome,) = towards_bob.raw.inbox
    towards_alice.say(welcome)
    assert towards_alice.error is UnknownPeerError


def test_a_relay_that_knows_the_pair_secret_still_fails_at_the_signature(
    alice: Person, bob: Person
) -> None:
    to_alice = partner("dialer", "contact", bob, alice).bring_to(State.PROOF)
    to_bob = partner("listener", "contact", alice, bob).bring_to(State.PROOF)
    to_bob.duel.say(to_alice.raw.last(Prove))
    to_alice.duel.say(to_bob.raw.last(Prove))
    assert to_bob.duel.error is WrongPeerError
    assert to_alice.duel.error is WrongPeerError


def test_a_listener_reflected_to_itself_is_refused(alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.PROOF)
    joined.duel.say(joined.raw.last(Prove))
    assert joined.duel.error is WrongPeerError


def test_a_dialer_reflected_to_itself_is_refused(alice: Person, bob: Person) -> None:
    joined = partner("dialer", "contact", bob, alice).bring_to(State.WELCOME)
    hello = joined.raw.last(Hello)
    assert isinstance(hello, Hello)
    for start in range(0, len(hello.proof), 32):
        again = partner("dialer", "contact", bob, alice).bring_to(State.WELCOME)
        again.duel.say(Welcome(1, hello.proof[start : start + 32]))
        assert again.duel.error is UnknownPeerError


def test_a_signature_for_one_role_or_mode_is_none_for_another(alice: Person, bob: Person) -> None:
    device, exporter = alice.device(), fixed("X")
    as_dialer = ContactOpening(device, "dialer", exporter, pinned(bob, alice)).prove()
    as_listener = ContactOpening(device, "listener", exporter, pinned(bob, alice)).prove()
    judge = ContactOpening(bob.device(), "listener", exporter, pinned(alice, bob))
    assert judge.check_proof(as_dialer) == device.chain
    with pytest.raises(WrongPeerError):
        judge.check_proof(as_listener)
    assert as_dialer.signature != device.signing.sign(HELLO_DOMAIN, b"")


def test_a_signature_addressed_to_somebody_else_is_refused(
    alice: Person, bob: Person, carol: Person
) -> None:
    exporter = fixed("X")
    for_carol = ContactOpening(alice.device(), "dialer", exporter, pinned(carol, alice)).prove()
    judge = ContactOpening(bob.device(), "listener", exporter, pinned(alice, bob))
    with pytest.raises(WrongPeerError):
        judge.check_proof(for_carol)


def test_a_listener_of_another_version_says_so_at_both_ends(alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(Hello((5, 6), hello.mode, hello.method, hello.proof))
    assert joined.duel.error is OtherVersionError
    assert joined.raw.inbox == [Bye(5)]

    caller = partner("dialer", "contact", bob, alice).bring_to(State.WELCOME)
    caller.duel.say(Bye(5))
    assert caller.duel.error is OtherVersionError


def test_a_version_that_was_not_offered_is_refused_by_the_dialer(
    alice: Person, bob: Person
) -> None:
    for mode, state in (("contact", State.WELCOME), ("pair", State.PAIR_WELCOME)):
        joined = partner("dialer", mode, bob, alice).bring_to(state)
        joined.duel.say(Welcome(5, joined.welcome().proof))
        assert joined.duel.error is OtherVersionError
        assert joined.raw.inbox[-1] == Bye(5)


@pytest.mark.parametrize(
    "rest", [[], ["contact", "", bytes(256)], ["pair", "code", bytes(33), 7], [[[b"later"]], 7]]
)
def test_a_listener_understands_that_a_later_hello_is_of_another_version(
    rest: list[Value], alice: Person, bob: Person
) -> None:
    """Whatever a later version makes of the hello behind its versions; and no run is spent."""
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    joined.duel.say(encoding.encode([1, [5, 6], *rest]))
    assert joined.duel.error is OtherVersionError
    assert joined.raw.inbox == [Bye(5)]
    assert joined.window.runs_left == limits.PAIRING_RUNS


@pytest.mark.parametrize("rest", [[], [bytes(32)], [bytes(32), "more"], [[[b"later"]], 7]])
@pytest.mark.parametrize(
    ("mode", "state"), [("contact", State.WELCOME), ("pair", State.PAIR_WELCOME)]
)
def test_a_dialer_understands_that_a_later_welcome_is_of_another_version(
    mode: str, state: State, rest: list[Value], alice: Person, bob: Person
) -> None:
    joined = partner("dialer", mode, bob, alice).bring_to(state)
    joined.duel.say(encoding.encode([2, 5, *rest]))
    assert joined.duel.error is OtherVersionError
    assert joined.raw.inbox[-1] == Bye(5)


@pytest.mark.parametrize("versions", [(9, 1, 7), (1, 5), (4, 5)])
@pytest.mark.parametrize("more", [[], [7, [b"later"]]])
def test_this_version_is_found_among_later_ones(
    versions: tuple[int, ...], more: list[Value], alice: Person, bob: Person
) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(encoding.encode([1, versions, hello.mode, hello.method, hello.proof, *more]))
    assert joined.session.state is State.PROOF
    joined.duel.say(joined.prove())
    assert joined.session.state is State.UP


@pytest.mark.parametrize("mode", ["link", "", "Contact", "contact ", "ticket "])
def test_a_mode_that_is_not_spoken_yet_is_refused(mode: str, alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(Hello(hello.versions, mode, hello.method, hello.proof))
    assert joined.duel.error is UnexpectedMessageError


@pytest.mark.parametrize("size", [0, 1, 31, 32, 255, 257, 288])
def test_a_number_of_tags_that_no_writer_makes_is_refused(
    size: int, alice: Person, bob: Person
) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    joined.duel.say(Hello((1,), "contact", "", bytes(size)))
    assert joined.duel.error is MalformedError


def test_a_contact_hello_with_a_method_is_refused(alice: Person, bob: Person) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(Hello(hello.versions, hello.mode, "code", hello.proof))
    assert joined.duel.error is MalformedError


def test_tags_are_found_wherever_they_stand(alice: Person, bob: Person) -> None:
    exporter = fixed("X")
    mine = pairing.dial_tag(pair_secret(alice, bob), exporter)
    contacts = [pinned(alice, bob)]
    for position in range(limits.DIAL_TAGS):
        tags = [fixed(f"tag {number}") for number in range(limits.DIAL_TAGS)]
        tags[position] = mine
        assert recognise(contacts, b"".join(tags), exporter) == contacts[0]
        # Not across the border of two tags.
        assert recognise(contacts, b"".join(tags)[1:] + b"x", exporter) is None


def test_the_reason_that_a_peer_gives_is_the_error_at_the_other_side(
    alice: Person, bob: Person
) -> None:
    pair = connect(alice, bob)
    pair.dialer.close(UnexpectedMessageError())
    pair.pump()
    assert type(ended(pair.of_listener).error) is UnexpectedMessageError


def test_a_pipe_that_ends_after_the_goodbye_was_no_cut(alice: Person, bob: Person) -> None:
    pair = connect(alice, bob)
    pair.dialer.close()
    pair.pump()
    assert pair.listener.receive_eof() == []
    assert pair.of_listener[-1] == Ended(None)


def test_a_cut_right_after_work_is_an_error(alice: Person, bob: Person) -> None:
    pair = connect(alice, bob)
    pair.dialer.send(Ping(1))
    pair.pump()
    (event,) = pair.listener.receive_eof()
    assert isinstance(event, Ended)
    assert isinstance(event.error, TruncatedError)
    assert isinstance(event.error, PeerError)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((1,), 1), ((1, 2), 2), ((3, 2, 1), 3), ((4, 3), 4), ((5, 1), 1), ((5, 4, 3), 4)],
)
def test_a_listener_chooses_the_highest_version_that_both_speak(
    offered: tuple[int, ...], chosen: int, alice: Person, bob: Person
) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(Hello(offered, hello.mode, hello.method, hello.proof))
    (welcome, _) = joined.raw.inbox
    assert isinstance(welcome, Welcome)
    assert (welcome.version, joined.session.version) == (chosen, chosen)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (1, Papers(b"", b"")),
        (1, Held(bytes(32))),
        (2, Delivered(bytes(32), b"")),
        (3, Stored(bytes(32))),
        (3, AlbumHeads(bytes(16), (), ())),
    ],
)
def test_what_a_session_s_version_lacks_is_neither_said_nor_taken_in_it(
    alice: Person, bob: Person, version: int, message: Message
) -> None:
    joined = partner("listener", "contact", alice, bob).bring_to(State.HELLO)
    hello = joined.hello()
    joined.duel.say(Hello((version,), hello.mode, hello.method, hello.proof))
    joined.duel.say(joined.prove())
    assert joined.session.state is State.UP
    with pytest.raises(ValueError, match=type(message).__name__):
        joined.session.send(message)
    joined.duel.say(message)
    assert joined.duel.error is UnexpectedMessageError
