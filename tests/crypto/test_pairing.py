from __future__ import annotations

import base64
import contextlib
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding, pairing
from kinlight.crypto.errors import InvalidCodeError, SealBrokenError, WrongCodeError
from kinlight.crypto.pairing import (
    MAX_ADDRESSES,
    MAX_INVITATION_BYTES,
    MESSAGE_BYTES,
    SLOTS,
    Code,
    CodeExchange,
    Invitation,
    PairingKey,
    words,
)
from kinlight.crypto.secret import Secret

X = b"x" * 32
CODE = Code(7, ("maple", "orbit"))


def exchange(code: Code, *, dialer: bool, exporter: bytes = X) -> CodeExchange:
    return CodeExchange(code, dialer=dialer, exporter=exporter, entropy=os.urandom)


# The code.


def test_there_are_1296_words_that_anybody_can_type() -> None:
    assert len(words()) == len(set(words())) == 1296
    assert list(words()) == sorted(words())
    for word in words():
        assert 3 <= len(word) <= 5
        assert set(word) <= set(string.ascii_lowercase)


@given(st.sampled_from(SLOTS), st.sampled_from(words()), st.sampled_from(words()))
def test_every_code_parses_to_itself(slot: int, one: str, two: str) -> None:
    code = Code(slot, (one, two))
    assert Code.parse(str(code)) == code
    assert Code.parse(f" {slot}  {one.upper()} - {two.title()}\n") == code


def test_a_code_is_chosen_from_the_whole_list() -> None:
    picks = iter([0, 1295])
    asked: list[int] = []

    def choose(below: int) -> int:
        asked.append(below)
        return next(picks)

    assert Code.generate(99, choose).secret_words == (words()[0], words()[-1])
    assert asked == [1296, 1296]


@pytest.mark.parametrize(
    "text",
    ["", "7", "7-maple", "maple-orbit", "7-maple-orbit-acid", "0-maple-orbit", "100-maple-orbit",
     "07-maple-orbit", "7maple-orbit", "-7-maple-orbit", "7-maple-orbit!", "\u0667-maple-orbit"],
)  # fmt: skip
def test_what_is_no_code_gets_an_example(text: str) -> None:
    with pytest.raises(InvalidCodeError, match="it looks like 7-maple-orbit"):
        Code.parse(text)


def test_the_example_is_a_code() -> None:
    assert Code.parse("7-maple-orbit") == CODE


def test_a_word_that_is_not_in_the_list_is_named() -> None:
    with pytest.raises(InvalidCodeError, match="'mapel' is not one of the words"):
        Code.parse("7-mapel-orbit")


@given(st.text(max_size=40))
def test_whatever_is_typed_as_a_code_gets_a_sentence(text: str) -> None:
    with pytest.raises(InvalidCodeError):
        Code.parse(text)


def test_a_code_shows_its_slot_only() -> None:
    assert repr(CODE) == "Code(slot=7, hidden)"


# SPAKE2.


def test_the_same_words_give_both_sides_the_same_key() -> None:
    dialer, listener = exchange(CODE, dialer=True), exchange(CODE, dialer=False)
    assert len(dialer.message) == len(listener.message) == MESSAGE_BYTES
    assert dialer.finish(listener.message) == listener.finish(dialer.message)


def test_the_slot_is_no_part_of_the_secret() -> None:
    dialer = exchange(CODE, dialer=True)
    listener = exchange(Code(8, CODE.secret_words), dialer=False)
    assert dialer.finish(listener.message) == listener.finish(dialer.message)


@pytest.mark.parametrize("typed", [("maple", "otter"), ("orbit", "maple"), ("mango", "orbit")])
def test_other_words_give_another_key(typed: tuple[str, str]) -> None:
    dialer, listener = exchange(CODE, dialer=True), exchange(Code(7, typed), dialer=False)
    assert dialer.finish(listener.message) != listener.finish(dialer.message)


def test_another_channel_gives_another_key() -> None:
    dialer = exchange(CODE, dialer=True)
    listener = exchange(CODE, dialer=False, exporter=b"y" * 32)
    assert dialer.finish(listener.message) != listener.finish(dialer.message)


def test_a_reflected_message_is_refused() -> None:
    for dialer in (True, False):
        run = exchange(CODE, dialer=dialer)
        with pytest.raises(WrongCodeError):
            run.finish(run.message)
        run = exchange(CODE, dialer=dialer)
        with pytest.raises(WrongCodeError):  # and with the other side's letter on it
            run.finish((b"B" if dialer else b"A") + run.message[1:])


POINTS = {
    "zero": bytes(32),
    "identity": b"\x01" + bytes(31),
    "order 2": b"\xec" + b"\xff" * 30 + b"\x7f",
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "mixed order": bytes.fromhex(
        "f72521267f3bc73d43dd36cf8f40a326c6a91cd1b3fb1cf5c1a1e6fe9b1bbf6a"
    ),
    "not on the curve": b"\x02" + bytes(31),
    "not canonical": b"\xee" + b"\xff" * 30 + b"\x7f",
    "ones": b"\xff" * 32,
}


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_a_point_outside_the_group_is_refused(point: bytes) -> None:
    with pytest.raises(WrongCodeError):
        exchange(CODE, dialer=True).finish(b"B" + point)


@given(st.binary(max_size=40) | st.binary(min_size=32, max_size=32).map(lambda end: b"B" + end))
def test_whatever_comes_is_a_key_or_a_refusal(message: bytes) -> None:
    run = exchange(CODE, dialer=True)
    with contextlib.suppress(WrongCodeError):
        assert len(run.finish(message)) == 32


def test_a_run_finishes_once() -> None:
    dialer, listener = exchange(CODE, dialer=True), exchange(CODE, dialer=False)
    dialer.finish(listener.message)
    with pytest.raises(WrongCodeError):
        dialer.finish(listener.message)


# The pairing key.

KEY = PairingKey(Secret(b"k" * 32), X)
OTHERS = [PairingKey(Secret(b"o" * 32), X), PairingKey(Secret(b"k" * 32), b"y" * 32)]


def test_a_sealed_chain_opens_under_one_key_on_one_channel_in_one_direction() -> None:
    sealed = KEY.seal_chain(b"chain", dialer=True)
    assert KEY.open_chain(sealed, dialer=True) == b"chain"
    with pytest.raises(SealBrokenError):
        KEY.open_chain(sealed, dialer=False)
    for other in OTHERS:
        with pytest.raises(SealBrokenError):
            other.open_chain(sealed, dialer=True)


def test_a_sealed_chain_can_not_be_made_for_several_codes() -> None:
    # A partitioning oracle needs one ciphertext that many keys open. The seal holds a hash of its
    # key, so whatever an attacker grafts on, a second key refuses it.
    mine = KEY.seal_chain(b"chain", dialer=True)
    theirs = OTHERS[0].seal_chain(b"chain", dialer=True)
    for cut in (24, 56):
        grafted = mine[:cut] + theirs[cut:]
        for key in (KEY, OTHERS[0]):
            with pytest.raises(SealBrokenError):
                key.open_chain(grafted, dialer=True)


def test_confirmations_bind_the_key_the_channel_the_role_and_both_chains() -> None:
    one, two = b"1" * 32, b"2" * 32
    tags = {
        KEY.confirmation(one, two, dialer=True),
        KEY.confirmation(one, two, dialer=False),
        KEY.confirmation(two, one, dialer=True),
        KEY.confirmation(one, one, dialer=True),
        *(other.confirmation(one, two, dialer=True) for other in OTHERS),
    }
    assert len(tags) == 6
    assert all(len(tag) == pairing.CONFIRMATION_BYTES for tag in tags)


def test_both_sides_derive_the_same_pair_secret() -> None:
    one, two, three = b"1" * 32, b"2" * 32, b"3" * 32
    assert KEY.pair_secret(one, two) == KEY.pair_secret(two, one)
    assert KEY.pair_secret(one, two) != KEY.pair_secret(one, three)
    assert KEY.pair_secret(one, two) != OTHERS[0].pair_secret(one, two)


def test_tags_differ_by_direction_channel_and_pair() -> None:
    pair, other = Secret(b"p" * 32), Secret(b"q" * 32)
    tags = {
        pairing.dial_tag(pair, X),
        pairing.accept_tag(pair, X),
        pairing.dial_tag(pair, b"y" * 32),
        pairing.dial_tag(other, X),
    }
    assert len(tags) == 4


# The QR code.

addresses = st.lists(st.text(string.ascii_lowercase + "0123456789.:[]", max_size=60), max_size=8)


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    addresses,
    st.integers(0, 2**64 - 1),
)
def test_an_invitation_parses_to_itself(
    identity_hash: bytes, secret: bytes, found: list[str], expires: int
) -> None:
    invitation = Invitation(identity_hash, Secret(secret), tuple(found), expires)
    text = str(invitation)
    assert Invitation.matches(text)
    assert not Invitation.matches(str(CODE))
    assert Invitation.parse(f"  {text}\n") == invitation


INVITATION = str(
    Invitation(pairing.identity_hash(b"i" * 32), Secret(b"s" * 16), ("192.0.2.1:4000",), 2**31)
)


def test_the_same_secret_is_reached_by_qr_and_nobody_else() -> None:
    scanned = Invitation.parse(INVITATION)
    shown, scanner = PairingKey(Secret(b"s" * 16), X), PairingKey(scanned.secret, X)
    assert scanner.open_chain(shown.seal_chain(b"chain", dialer=False), dialer=False) == b"chain"
    assert scanned.expects(b"i" * 32)
    assert not scanned.expects(b"j" * 32)


def test_a_changed_letter_of_an_invitation_is_refused_or_seen() -> None:
    alphabet = string.ascii_letters + string.digits + "-_"
    original = Invitation.parse(INVITATION)
    for position in range(len("kinlight:"), len(INVITATION)):
        for letter in alphabet[position % 7 :: 7]:
            if letter == INVITATION[position]:
                continue
            changed = INVITATION[:position] + letter + INVITATION[position + 1 :]
            with contextlib.suppress(InvalidCodeError):
                assert Invitation.parse(changed) != original


@pytest.mark.parametrize(
    "text",
    ["", "kinlight:", INVITATION[:-1], INVITATION[:-4], INVITATION + "A", INVITATION + "AAAA",
     INVITATION + "=", INVITATION.removeprefix("kinlight:"), INVITATION.replace("kin", "KIN"),
     INVITATION[:40] + " " + INVITATION[40:], "kinlight:\u00e4", "kinlight:" + "A" * 1025,
     "kinlight:" + "A" * 10_000_000],
    ids=lambda text: text[-20:],
)  # fmt: skip
def test_what_is_no_invitation_gets_a_sentence(text: str) -> None:
    with pytest.raises(InvalidCodeError):
        Invitation.parse(text)


def invitation_of(*items: encoding.Value) -> str:
    return "kinlight:" + base64.urlsafe_b64encode(encoding.encode(items)).decode().rstrip("=")


@pytest.mark.parametrize(
    "items",
    [
        (2, "invite", bytes(32), bytes(16), [], 0),
        (1, "other", bytes(32), bytes(16), [], 0),
        (1, "invite", bytes(31), bytes(16), [], 0),
        (1, "invite", bytes(32), bytes(15), [], 0),
        (1, "invite", bytes(32), bytes(16), [b"bytes"], 0),
        (1, "invite", bytes(32), bytes(16), ["x" * 256], 0),
        (1, "invite", bytes(32), bytes(16), [], "never"),
        (1, "invite", bytes(32), bytes(16), [], 0, 0),
        (1, "invite", bytes(32), bytes(16), []),
    ],
)
def test_an_invitation_of_another_shape_is_refused(items: tuple[encoding.Value, ...]) -> None:
    assert Invitation.parse(invitation_of(1, "invite", bytes(32), bytes(16), ["x" * 255], 0))
    with pytest.raises(InvalidCodeError):
        Invitation.parse(invitation_of(*items))


def test_addresses_are_taken_to_the_limit_and_no_further() -> None:
    def with_addresses(count: int) -> str:
        return str(Invitation(bytes(32), Secret(bytes(16)), ("192.0.2.1:1",) * count, 0))

    assert len(Invitation.parse(with_addresses(MAX_ADDRESSES)).addresses) == MAX_ADDRESSES
    with pytest.raises(InvalidCodeError):
        Invitation.parse(with_addresses(MAX_ADDRESSES + 1))


def test_an_invitation_shows_no_secret() -> None:
    shown = repr(Invitation.parse(INVITATION))
    assert "Secret(16 bytes)" in shown
    assert b"s" * 16 not in shown.encode()
    assert len(INVITATION) < MAX_INVITATION_BYTES
