"""First meetings by a ticket, and everything that must not become one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kinlight.crypto.errors import BadCertificateError, MalformedError, PeerError
from kinlight.crypto.pairing import dial_tag, ticket_tag
from kinlight.crypto.secret import Secret
from kinlight.protocol.errors import (
    ExpiredTicketError,
    OtherVersionError,
    PeerFailedError,
    RevokedDeviceError,
    RevokedTicketError,
    UnexpectedMessageError,
    UnknownTicketError,
    UsedUpTicketError,
    WrongPeerError,
)
from kinlight.protocol.messages import (
    VERSIONS,
    Bye,
    Hello,
    PairChain,
    PairConfirm,
    Welcome,
)
from kinlight.protocol.opening import PairOpening, Pinned
from kinlight.protocol.session import Bearer, Ended, Established, Paired, State
from kinlight.protocol.ticket import IssuedTicket, Ticket

from .pairs import Duel, Partner, RawPeer, SessionPair, dial, listen, partner
from .people import FixedEntropy, Person, fixed, issued_of, ticket_of, window_of


def meet(alice: Person, bob: Person, ticket: Ticket, *made: IssuedTicket) -> SessionPair:
    """Alice comes to Bob with a ticket."""
    return SessionPair(dial(alice.device(), ticket), listen(bob.device(), tickets=made))


def test_a_ticket_makes_contacts_of_two_strangers(alice: Person, bob: Person) -> None:
    ticket = ticket_of(bob)
    pair = meet(alice, bob, ticket, issued_of(ticket_of(bob, "other")), issued_of(ticket))
    met, met_back = pair.pump_and_store().paired()
    assert met.chain == bob.device().chain
    assert met_back.chain == alice.device().chain
    assert (met.name, met_back.name) == ("Bob's phone", "Alice's phone")
    assert met.pair_secret == met_back.pair_secret
    assert pair.listener.ticket == issued_of(ticket)
    assert pair.dialer.version == VERSIONS[0]


def test_what_it_yields_opens_sessions_between_the_two(alice: Person, bob: Person) -> None:
    ticket = ticket_of(bob)
    met, met_back = meet(alice, bob, ticket, issued_of(ticket)).pump_and_store().paired()
    pair = SessionPair(
        dial(bob.device(), [Pinned(met_back.chain.identity, met_back.pair_secret)]),
        listen(alice.device(), [Pinned(met.chain.identity, met.pair_secret)]),
    ).pump()
    assert pair.of_dialer == [Established(alice.device().chain)]
    assert pair.of_listener == [Established(bob.device().chain)]


def test_an_open_code_is_neither_used_nor_spent(alice: Person, bob: Person) -> None:
    ticket, window = ticket_of(bob), window_of(bob)
    listener = listen(bob.device(), window=window, tickets=[issued_of(ticket)])
    SessionPair(dial(alice.device(), ticket), listener).pump_and_store().paired()
    assert (window.runs_left, window.used, window.closed) == (3, False, False)
    assert listener.window is None


def test_a_ticket_that_is_not_known_is_refused_and_tells_nothing(
    alice: Person, bob: Person
) -> None:
    for made in ((), (issued_of(ticket_of(bob, "other")),)):
        pair = meet(alice, bob, ticket_of(bob), *made).pump()
        assert pair.errors == (UnknownTicketError, UnknownTicketError)
        assert pair.listener.peer is None


@pytest.mark.parametrize("ended", [ExpiredTicketError, RevokedTicketError])
def test_a_ticket_that_has_ended_is_refused_with_the_reason(
    ended: type[PeerError], alice: Person, bob: Person
) -> None:
    ticket = ticket_of(bob)
    over = IssuedTicket(ticket.ticket_id, ticket.secret, ended)
    assert meet(alice, bob, ticket, over).pump().errors == (ended, ended)


def test_a_used_up_ticket_shows_no_papers_to_whom_it_is_not_for(
    alice: Person, bob: Person, carol: Person
) -> None:
    ticket = ticket_of(bob)
    used = IssuedTicket(ticket.ticket_id, ticket.secret, None, frozenset([alice.identity]))
    pair = meet(carol, bob, ticket, used).pump()
    assert pair.errors == (UsedUpTicketError, UsedUpTicketError)
    assert pair.dialer.peer is None
    again = meet(alice, bob, ticket, used).pump_and_store()
    assert again.paired()[0].chain == bob.device().chain


def test_somebody_else_who_has_the_ticket_and_answers_is_refused(
    alice: Person, bob: Person, mallory: Person
) -> None:
    ticket = ticket_of(bob)
    pair = meet(alice, mallory, ticket, issued_of(ticket)).pump()
    assert pair.errors == (WrongPeerError, PeerFailedError)
    assert not any(isinstance(event, Paired) for event in pair.of_listener)


def test_somebody_else_who_has_no_ticket_reads_no_papers(
    alice: Person, bob: Person, mallory: Person
) -> None:
    """She welcomes everybody and lets the dialer show its papers."""
    duel = Duel(dial(alice.device(), ticket_of(bob)), RawPeer("listener")).pump()
    duel.say(Welcome(VERSIONS[0], b""))
    (chain,) = (message for message in duel.raw.inbox if isinstance(message, PairChain))
    guess = PairOpening(
        mallory.device(), "listener", duel.raw.exporter, issued_of(ticket_of(bob, "guess")),
        FixedEntropy("mallory"),
    )  # fmt: skip
    with pytest.raises(UnknownTicketError):
        guess.receive_chain(chain)
    duel.say(guess.chain_message())
    assert duel.error is UnknownTicketError


def test_one_in_the_middle_who_has_the_ticket_too_fails_at_the_dialer(
    alice: Person, bob: Person, mallory: Person
) -> None:
    ticket = ticket_of(bob)
    joined = Partner("listener", mallory, alice, "ticket", secret=ticket)
    joined.bring_to(State.PAIR_CHAIN)
    joined.device = bob.device()  # whose papers she can show, and for which she has no key
    object.__setattr__(joined.device, "signing", mallory.device().signing)
    joined.duel.say(joined.chain())
    joined.duel.say(joined.confirm())
    assert joined.duel.error is WrongPeerError
    assert joined.session.peer is None


def test_one_in_the_middle_who_passes_every_byte_on_fails(alice: Person, bob: Person) -> None:
    ticket = ticket_of(bob)
    to_alice = Duel(dial(alice.device(), ticket), RawPeer("listener")).pump()
    to_bob = Duel(listen(bob.device(), tickets=[issued_of(ticket)]), RawPeer("dialer")).pump()
    to_bob.say(to_alice.raw.inbox[-1])
    assert to_bob.error is UnknownTicketError


@pytest.mark.parametrize("tag", [dial_tag, ticket_tag])
def test_a_tag_of_another_purpose_or_secret_is_no_tag_of_a_ticket(
    tag: Callable[[Secret, bytes], bytes], bob: Person
) -> None:
    ticket = ticket_of(bob)
    secret = ticket.secret if tag is dial_tag else Secret(bytes(16))
    duel = Duel(listen(bob.device(), tickets=[issued_of(ticket)]), RawPeer("dialer")).pump()
    duel.say(Hello(VERSIONS, "ticket", "", tag(secret, duel.raw.exporter)))
    assert duel.error is UnknownTicketError
    assert duel.raw.inbox == [Bye(14)]


@pytest.mark.parametrize("proof", [b"", bytes(31), bytes(33), bytes(1024)])
def test_what_is_no_tag_at_all_is_an_unknown_ticket(proof: bytes, bob: Person) -> None:
    made = [issued_of(ticket_of(bob))]
    duel = Duel(listen(bob.device(), tickets=made), RawPeer("dialer")).pump()
    duel.say(Hello(VERSIONS, "ticket", "", proof))
    assert duel.error is UnknownTicketError


def test_a_hello_with_a_ticket_has_no_method(bob: Person) -> None:
    duel = Duel(listen(bob.device()), RawPeer("dialer")).pump()
    duel.say(Hello(VERSIONS, "ticket", "qr", fixed("tag")))
    assert duel.error is MalformedError


def test_versions_without_tickets_are_told_so(alice: Person, bob: Person) -> None:
    duel = Duel(listen(bob.device()), RawPeer("dialer")).pump()
    duel.say(Hello((2, 1), "ticket", "", fixed("tag")))
    assert duel.error is UnexpectedMessageError
    old = Duel(dial(alice.device(), ticket_of(bob)), RawPeer("listener")).pump()
    hello = old.raw.last(Hello)
    assert isinstance(hello, Hello)
    assert hello.versions == (4, 3)
    old.say(Bye(5))
    assert old.error is OtherVersionError


def test_of_two_places_where_the_maker_answers_one_is_used(alice: Person, bob: Person) -> None:
    ticket = ticket_of(bob)
    claims = iter((True,))
    bearer = Bearer(ticket, lambda: next(claims, False))
    one, other = (
        SessionPair(
            dial(alice.device(), bearer, label),
            listen(bob.device(), label=label, tickets=[issued_of(ticket)]),
        ).pump_and_store()
        for label in ("one", "other")
    )
    assert one.paired()[0].chain == bob.device().chain
    assert other.of_dialer == other.of_listener == [Ended(None)]
    assert other.dialer.peer is other.listener.peer is None


def test_an_impostor_can_not_claim_the_ticket(alice: Person, bob: Person, mallory: Person) -> None:
    ticket = ticket_of(bob)

    def never() -> bool:
        raise AssertionError("it was claimed")

    for host in (mallory, alice):
        pair = SessionPair(
            dial(alice.device(), Bearer(ticket, never)),
            listen(host.device(), tickets=[issued_of(ticket)]),
        ).pump()
        assert pair.errors[0] in (WrongPeerError, PeerFailedError, BadCertificateError)


def test_a_maker_that_lost_its_device_is_refused_by_it(alice: Person, bob: Person) -> None:
    ticket = ticket_of(bob)
    pair = SessionPair(
        dial(alice.device(), ticket, lost=lambda chain: chain.identity == bob.identity),
        listen(bob.device(), tickets=[issued_of(ticket)]),
    ).pump()
    assert pair.errors[0] is RevokedDeviceError


def test_a_signature_for_a_pairing_by_code_is_none_for_one_by_ticket(
    alice: Person, bob: Person
) -> None:
    joined = partner("listener", "ticket", alice, bob).bring_to(State.PAIR_CONFIRM)
    good = joined.confirm()
    by_code = PairOpening(
        alice.device(), "dialer", joined.raw.exporter, window_of(bob).invitation, FixedEntropy()
    )
    assert (joined.pair.mode, by_code.mode) == ("ticket", "pair")
    joined.duel.say(PairConfirm(good.confirmation, bytes(64)))
    assert joined.duel.error is WrongPeerError


def test_a_confirmation_of_another_key_is_an_unknown_ticket(alice: Person, bob: Person) -> None:
    joined = partner("listener", "ticket", alice, bob).bring_to(State.PAIR_CONFIRM)
    joined.duel.say(PairConfirm(bytes(32), joined.confirm().signature))
    assert joined.duel.error is UnknownTicketError


def test_nobody_pairs_with_themselves_by_ticket(alice: Person) -> None:
    ticket = ticket_of(alice)
    pair = SessionPair(
        dial(alice.device("laptop"), ticket), listen(alice.device(), tickets=[issued_of(ticket)])
    ).pump()
    assert pair.errors[1] is BadCertificateError
