"""What somebody says about somebody: read, verified, and judged at a moment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.errors import MalformedError
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.attributes import (
    Attestation,
    AttributeDemand,
    Attributes,
    decode_shown,
    encode_shown,
)
from kinlight.protocol.errors import BrokenAttestationError

from .people import NOW, Person, fixed

QUARTER = limits.ATTESTATION_SECONDS


def family(
    issuer: Person, subject: Person, *, device: str = "phone", **changed: int | str
) -> Attestation:
    fields: dict[str, int | str] = {
        "name": "role",
        "value": "family",
        "start": NOW,
        "end": NOW + 60,
    }
    fields |= changed
    return Attestation.issue(
        issuer.signing_key(device),
        issuer.identity,
        subject.identity,
        str(fields["name"]),
        str(fields["value"]),
        int(fields["start"]),
        int(fields["end"]),
        fixed("nonce", 16),
    )


def devices_of(*people: Person) -> dict[bytes, bytes]:
    return {person.signing_key("phone").public: person.identity for person in people}


def test_an_attestation_is_read_as_it_was_issued(alice: Person, bob: Person) -> None:
    issued = family(alice, bob)
    read = Attestation.decode(issued.signed.encode())
    assert read == issued
    assert (read.issuer, read.subject, read.name) == (alice.identity, bob.identity, "role")
    read.verify(devices_of(alice))


def test_it_holds_from_its_first_moment_up_to_its_last(alice: Person, bob: Person) -> None:
    found = family(alice, bob)
    assert [found.holds(NOW + second) for second in (-1, 0, 59, 60)] == [False, True, True, False]


@pytest.mark.parametrize("length", [1, QUARTER])
def test_it_is_valid_for_up_to_90_days(length: int, alice: Person, bob: Person) -> None:
    assert family(alice, bob, end=NOW + length).holds(NOW + length - 1)


@pytest.mark.parametrize("length", [0, -1, QUARTER + 1, 2**63])
def test_it_is_valid_for_no_longer_and_not_for_nothing(
    length: int, alice: Person, bob: Person
) -> None:
    with pytest.raises(MalformedError):
        family(alice, bob, end=NOW + length)


@pytest.mark.parametrize(
    ("field", "limit", "letter"),
    [
        ("name", limits.ATTRIBUTE_NAME_BYTES, "n"),
        ("value", limits.ATTRIBUTE_VALUE_BYTES, "v"),
        ("value", limits.ATTRIBUTE_VALUE_BYTES // 2, "ü"),
    ],
)
def test_names_and_values_are_bounded_in_bytes(
    field: str, limit: int, letter: str, alice: Person, bob: Person
) -> None:
    longest = family(alice, bob, **{field: letter * limit})
    assert len(longest.signed.body) <= limits.ATTESTATION_BYTES
    with pytest.raises(MalformedError):
        family(alice, bob, **{field: letter * (limit + 1)})


def test_the_longest_attestation_fits(alice: Person, bob: Person) -> None:
    longest = family(alice, bob, name="n" * 32, value="v" * 64, start=2**64 - 2, end=2**64 - 1)
    assert Attestation.decode(longest.signed.encode()) == longest


def test_a_longer_body_is_not_even_read() -> None:
    for length in (limits.ATTESTATION_BYTES, limits.ATTESTATION_BYTES + 1):
        with pytest.raises(MalformedError) as caught:
            Attestation.decode(Signed(bytes(length), bytes(64)).encode())
        assert ("body" in caught.value.detail) == (length > limits.ATTESTATION_BYTES)


@pytest.mark.parametrize(
    "name", ["", "Role", "1st", "rôle", "role ", "a.b", "-a", "role\n", "ro\0"]
)
def test_a_name_looks_like_no_other(name: str, alice: Person, bob: Person) -> None:
    with pytest.raises(MalformedError):
        family(alice, bob, name=name)


@pytest.mark.parametrize("value", ["", "a\nb", "\x1b[31m", "\x7f", "\0"])
def test_a_value_is_text_that_can_be_shown(value: str, alice: Person, bob: Person) -> None:
    with pytest.raises(MalformedError):
        family(alice, bob, value=value)


def test_who_signs_must_speak_for_who_says_it(alice: Person, bob: Person, mallory: Person) -> None:
    found = family(alice, bob)
    for devices in ({}, devices_of(mallory), {found.signer: mallory.identity}):
        with pytest.raises(BrokenAttestationError):
            found.verify(devices)


def test_a_changed_word_is_nobodys(alice: Person, bob: Person) -> None:
    signed = family(alice, bob).signed
    changed = Attestation.read(Signed(signed.body.replace(b"family", b"fomily"), signed.signature))
    with pytest.raises(BrokenAttestationError):
        changed.verify(devices_of(alice))


def test_what_can_not_be_verified_is_left_out_and_hides_nothing(
    alice: Person, bob: Person, mallory: Person
) -> None:
    good = family(alice, bob)
    forged = Attestation.read(Signed(good.signed.body, bytes(64)))
    shown = [forged, family(mallory, bob), good]
    assert Attributes.verified(shown, devices_of(alice)).attestations == (good,)


def test_a_demand_is_met_by_the_right_word_of_the_right_person_alone(
    alice: Person, bob: Person, carol: Person
) -> None:
    demand = AttributeDemand("role", "family", frozenset([alice.identity]))
    shown = [
        family(bob, bob),
        family(alice, carol),
        family(alice, bob, name="rolf"),
        family(alice, bob, value="club"),
        right := family(alice, bob),
    ]
    attributes = Attributes.verified(shown, devices_of(alice, bob))
    assert len(attributes.attestations) == 5
    assert attributes.about(bob.identity, demand) == [right]
    assert attributes.about(alice.identity, demand) == []


def test_at_most_eight_are_shown(alice: Person, bob: Person) -> None:
    most = [family(alice, bob, end=NOW + 1 + number) for number in range(limits.ATTESTATIONS)]
    assert decode_shown(encode_shown(most)) == tuple(most)
    assert decode_shown(encode_shown([])) == ()
    with pytest.raises(MalformedError):
        decode_shown(encode_shown([*most, family(alice, bob)]))


def test_eight_of_the_longest_can_be_shown(alice: Person, bob: Person) -> None:
    longest = family(alice, bob, name="n" * 32, value="v" * 64, start=2**64 - 2, end=2**64 - 1)
    assert len(decode_shown(encode_shown([longest] * limits.ATTESTATIONS))) == limits.ATTESTATIONS


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_an_attestation_or_malformed(data: bytes, wrapped: bool) -> None:
    """Never another exception."""
    for read in (Attestation.decode, decode_shown):
        try:
            read(encoding.encode([data, bytes(64)]) if wrapped else data)
        except MalformedError:
            continue


_ANY = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=33) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_ANY, max_size=12), st.integers(0, 9))
def test_any_items_are_an_attestation_or_malformed(items: list[Any], kept: int) -> None:
    proper: list[Any] = [
        1, "attest", bytes(32), bytes(32), bytes(32), "role", "family", 0, 1, bytes(16),
    ]  # fmt: skip
    body = encoding.encode([*proper[:kept], *items])
    try:
        found = Attestation.read(Signed(body, bytes(64)))
    except MalformedError:
        return
    assert found.signed.body == body
