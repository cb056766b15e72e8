"""Adding a device of one's own: the proper course, and everything that must not add one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import (
    BadCertificateError,
    KinlightError,
    MalformedError,
    WrongCodeError,
)
from kinlight.crypto.identity import DeviceCertificate, DeviceChain, issue_kem
from kinlight.crypto.pairing import Code, Invitation, PairingKey, Purpose
from kinlight.crypto.secret import Secret
from kinlight.protocol import limits
from kinlight.protocol.devices import OwnDevice, OwnSecret, decode_devices, encode_devices, may_add
from kinlight.protocol.errors import NotPairingError, UnexpectedMessageError, WrongPeerError
from kinlight.protocol.joining import (
    AddOpening,
    DeviceRequest,
    Gift,
    Joined,
    Joining,
    JoinOpening,
)
from kinlight.protocol.messages import Hello, PairChain, PairConfirm
from kinlight.protocol.opening import LocalDevice, PairingWindow
from kinlight.protocol.session import Added, Asked, Session

from .pairs import Partner, SessionPair, dial, error_of, listen
from .people import CODE, FixedEntropy, Person, fixed, invitation_to, new_device, window_of

TABLET = new_device()
SECRET = OwnSecret(1, Secret(fixed("own secret")))


def certifier(person: Person, *, may_certify: bool = True) -> LocalDevice:
    """A laptop that the root key let certify others."""
    device = person.device("laptop")
    certificate = person.certificate(device.signing.public, may_certify=may_certify)
    return replace(device, chain=device.chain.renewed([certificate]))


def certified(by: LocalDevice, person: Person, device: bytes, **more: bool) -> DeviceCertificate:
    return person.certificate(device, by.signing, **more)


def asked(pair: SessionPair) -> DeviceRequest:
    (event,) = (event for event in pair.of_listener if isinstance(event, Asked))
    return event.request


def given(pair: SessionPair, gift: Gift) -> Joined:
    pair.listener.device_given(gift)
    pair.pump()
    (event,) = (event for event in pair.of_dialer if isinstance(event, Added))
    return event.joined


def joining(person: Person, to: Code | Invitation = CODE) -> tuple[SessionPair, PairingWindow]:
    window = window_of(person, "device")
    pair = SessionPair(
        dial(None, Joining(to, TABLET)), listen(certifier(person), window=window)
    ).pump()
    return pair, window


@pytest.mark.parametrize("way", ["code", "qr"])
def test_a_new_device_gets_papers_and_the_own_secret(way: str, alice: Person) -> None:
    laptop = certifier(alice)
    pair, window = joining(alice, CODE if way == "code" else invitation_to(alice, "device"))
    request = asked(pair)
    assert (request.device, request.name) == (TABLET.signing.public, "tablet")
    certificates = (*laptop.chain.certificates, certified(laptop, alice, request.device))
    joined = given(pair, Gift(certificates, SECRET, "kitchen"))
    assert joined.chain.identity == alice.identity
    assert joined.chain.device == TABLET.signing.public
    assert joined.by == laptop.chain
    assert (joined.secret, joined.name, joined.by_name) == (SECRET, "kitchen", laptop.name)
    assert not may_add(joined.chain)
    assert pair.errors == (None, None)
    assert window.used


def test_nothing_is_given_before_the_new_device_confirmed(alice: Person) -> None:
    session: Session = listen(certifier(alice), window=window_of(alice, "device"))
    with pytest.raises(ValueError, match="no device"):
        session.device_given(Gift((), SECRET, ""))


def test_a_code_for_meeting_adds_no_device_and_spends_no_run(alice: Person, bob: Person) -> None:
    cases: list[tuple[Purpose, Session]] = [
        ("pair", dial(None, Joining(CODE, TABLET))),
        ("device", dial(bob.device(), CODE)),
        ("pair", dial(None, Joining(invitation_to(alice), TABLET))),
    ]
    for purpose, dialer in cases:
        window = window_of(alice, purpose)
        pair = SessionPair(dialer, listen(certifier(alice), window=window)).pump()
        assert pair.errors == (NotPairingError, NotPairingError)
        assert window.runs_left == limits.PAIRING_RUNS


def test_the_key_of_one_purpose_opens_nothing_of_the_other(alice: Person) -> None:
    key, exporter = Secret(fixed("key")), fixed("X")
    pair, device = (PairingKey(key, exporter, purpose) for purpose in ("pair", "device"))
    sealed = pair.seal_chain(b"papers", dialer=True)
    with pytest.raises(KinlightError):
        device.open_chain(sealed, dialer=True)
    assert pair.confirmation(b"", b"", dialer=True) != device.confirmation(b"", b"", dialer=True)
    assert str(invitation_to(alice)) != str(invitation_to(alice, "device"))


def test_wrong_words_are_a_spent_run_and_show_no_keys(alice: Person) -> None:
    pair, window = joining(alice, Code(7, ("maple", "acorn")))
    assert pair.errors == (WrongCodeError, WrongCodeError)
    assert window.runs_left == 2
    assert not any(isinstance(event, Asked) for event in pair.of_listener)


def test_a_qr_code_of_somebody_else_is_not_joined(alice: Person, bob: Person) -> None:
    other = replace(invitation_to(bob, "device"), secret=invitation_to(alice, "device").secret)
    pair, _ = joining(alice, other)
    assert pair.errors[0] is WrongPeerError


def test_a_hello_of_an_earlier_version_adds_no_device(alice: Person) -> None:
    joined = Partner("dialer", alice, alice, "device")
    joined.duel.pump()
    hello = joined.hello()
    joined.duel.say(Hello((3, 2, 1), hello.mode, hello.method, hello.proof))
    assert joined.duel.error is UnexpectedMessageError


def test_papers_that_are_not_ours_are_refused(alice: Person, bob: Person) -> None:
    laptop, key = certifier(alice), TABLET.signing.public
    phone = alice.device("phone")
    wrong = (
        (),
        (alice.certificate(phone.signing.public),),  # another device
        (bob.certificate(key),),  # another identity
        (alice.certificate(key, bob.root),),  # not by the root
        # By a device that may not certify, and by one that nobody certified.
        (alice.certificate(laptop.signing.public), certified(laptop, alice, key)),
        (certified(laptop, alice, key),),
    )
    for certificates in wrong:
        pair, _ = joining(alice)
        asked(pair)
        pair.listener.device_given(Gift(certificates, SECRET, "tablet"))
        pair.pump()
        assert error_of(pair.of_dialer) is BadCertificateError
        assert not any(isinstance(event, Added) for event in pair.of_dialer)


def test_a_chain_of_three_is_none(alice: Person) -> None:
    laptop, phone = certifier(alice), alice.device("phone")
    way = [
        *laptop.chain.certificates,
        certified(laptop, alice, phone.signing.public, may_certify=True),
        alice.certificate(TABLET.signing.public, phone.signing),
    ]
    with pytest.raises(MalformedError):
        laptop.chain.of_sibling(way, TABLET.statement)


def test_an_old_chain_still_leads_to_its_device_only(alice: Person) -> None:
    """Replayed by who lacks the key it proves nothing: the hello is signed."""
    joined = Partner("dialer", alice, alice, "device")
    joined.duel.pump()
    joined.duel.say(joined.hello())
    joined.duel.say(joined.chain())
    confirm = joined.confirm()
    thief = alice.signing_key("thief").sign(b"kinlight/hello1", b"anything")
    joined.duel.say(PairConfirm(confirm.confirmation, thief, b""))
    assert joined.duel.error is WrongPeerError


def test_a_request_for_another_key_than_it_signs_with_is_refused() -> None:
    request = DeviceRequest.of(TABLET)
    other = new_device("other")
    items = encoding.decode(request.encoded, limits.SEALED_CHAIN_BYTES)
    items[2] = other.signing.public
    with pytest.raises(BadCertificateError):
        DeviceRequest.decode(encoding.encode(items))
    items = encoding.decode(request.encoded, limits.SEALED_CHAIN_BYTES)
    items[3] = issue_kem(other.signing, TABLET.kem.public).to_value()
    with pytest.raises(BadCertificateError):
        DeviceRequest.decode(encoding.encode(items))


def test_a_message_of_another_channel_does_not_open(alice: Person) -> None:
    one = JoinOpening(Joining(CODE, TABLET), fixed("X"), FixedEntropy("one"))
    other = AddOpening(certifier(alice), fixed("X"), CODE, FixedEntropy("other"))
    elsewhere = AddOpening(certifier(alice), fixed("Y"), CODE, FixedEntropy("other"))
    one.receive_first(other.first_message())
    other.receive_first(one.first_message())
    elsewhere.receive_first(one.first_message())
    sealed: PairChain = one.chain_message()
    other.receive_chain(sealed)
    with pytest.raises(WrongCodeError):
        elsewhere.receive_chain(sealed)


# What siblings tell each other.


def test_each_two_of_them_have_secrets_of_their_own(alice: Person) -> None:
    one, two, three = (fixed(name) for name in "abc")
    assert SECRET.pair(one, two) == SECRET.pair(two, one)
    assert SECRET.pair(one, two) != SECRET.pair(one, three)
    listeners = [SECRET.listener(alice.identity, each).pair_secret for each in (one, two)]
    assert listeners[0] != listeners[1]
    assert SECRET.next(FixedEntropy()).generation == 2


def test_of_two_secrets_the_same_counts_in_whatever_order_they_come() -> None:
    later, other = OwnSecret(2, Secret(bytes(32))), OwnSecret(2, Secret(b"\x01" * 32))
    assert later.outranks(SECRET)
    assert other.outranks(later)
    assert not later.outranks(other)
    assert not later.outranks(later)


def test_what_is_known_of_a_device_does_not_depend_on_the_order(alice: Person) -> None:
    laptop = certifier(alice)
    key = TABLET.signing.public
    by_laptop = laptop.chain.of_sibling(
        [*laptop.chain.certificates, certified(laptop, alice, key)], TABLET.statement
    )
    by_root = laptop.chain.of_sibling([alice.certificate(key)], TABLET.statement)
    one, other = OwnDevice(by_laptop, "old", 5), OwnDevice(by_root, "new", 4)
    assert one.merged(other) == other.merged(one) == OwnDevice(by_root, "old", 5)


def test_only_devices_of_the_same_identity_are_told_of(alice: Person, bob: Person) -> None:
    told = [OwnDevice(person.device().chain, "phone", 1) for person in (alice, bob)]
    assert decode_devices(encode_devices(told[:1]), alice.identity) == told[:1]
    with pytest.raises(BadCertificateError):
        decode_devices(encode_devices(told), alice.identity)


def test_64_devices_are_told_of_and_no_more(alice: Person) -> None:
    one = OwnDevice(alice.device().chain, "phone", 1)
    decode_devices(encode_devices([one] * limits.OWN_DEVICES), alice.identity)
    with pytest.raises(MalformedError):
        decode_devices(encode_devices([one] * (limits.OWN_DEVICES + 1)), alice.identity)


def test_a_gift_is_read_as_it_was_written(alice: Person) -> None:
    gift = Gift((alice.certificate(TABLET.signing.public),), SECRET, "kitchen")
    assert Gift.decode(gift.encode()) == gift
    chain: DeviceChain = alice.device().chain
    assert chain.renewed(list(chain.certificates)) == chain
