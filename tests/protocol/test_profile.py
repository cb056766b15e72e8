"""What a node says of itself: who can make it, who can be fooled by it, and how large it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import BadSignatureError, KinlightError, MalformedError
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.protocol import limits
from kinlight.protocol.messages import VERSIONS
from kinlight.protocol.profile import PROFILE_DOMAIN, ROLES, Profile

from .people import fixed

KEY = SigningKey(Secret(fixed("transport key")))
CHALLENGE = fixed("challenge", 16)
PROFILE = Profile.issue(KEY, CHALLENGE, VERSIONS, ["relay"])


def test_who_asked_reads_who_answered_and_what_it_does() -> None:
    read = Profile.decode(PROFILE.encode(), PROFILE.peer, CHALLENGE)
    assert read == PROFILE
    assert set(read.versions) == set(VERSIONS)
    assert read.roles == ("relay",)


def test_an_answer_to_another_question_or_of_another_node_is_refused() -> None:
    other = Profile.issue(SigningKey(Secret(fixed("another"))), CHALLENGE, VERSIONS, [])
    with pytest.raises(MalformedError):
        Profile.decode(PROFILE.encode(), PROFILE.peer, fixed("another challenge", 16))
    with pytest.raises(MalformedError):
        Profile.decode(other.encode(), PROFILE.peer, CHALLENGE)


def test_roles_may_be_many_and_no_more() -> None:
    roles = [f"{number:02}".ljust(limits.PROFILE_ROLE_BYTES, "r") for number in range(16)]
    assert len(roles) == limits.PROFILE_ROLES
    most = Profile.issue(KEY, bytes(limits.PROFILE_CHALLENGE_BYTES), VERSIONS, roles)
    assert len(most.encode()) <= limits.PROFILE_BYTES
    assert Profile.decode(most.encode(), most.peer, most.challenge) == most
    for wrong in ([*roles, "s"], ["r" * (limits.PROFILE_ROLE_BYTES + 1)]):
        with pytest.raises(MalformedError):
            Profile.issue(KEY, CHALLENGE, VERSIONS, wrong)


@pytest.mark.parametrize("length", [0, limits.PROFILE_CHALLENGE_BYTES + 1])
def test_a_challenge_has_a_length(length: int) -> None:
    with pytest.raises(MalformedError):
        Profile.issue(KEY, bytes(length), VERSIONS, ROLES)


def test_the_signature_is_good_for_nothing_else() -> None:
    assert PROFILE_DOMAIN == b"kinlight/profile1"
    signed = KEY.sign_value(b"kinlight/ticket1", [1, "profile", PROFILE.peer, CHALLENGE, [3], []])
    with pytest.raises(BadSignatureError):
        Profile.read(signed)


@given(at=st.integers(0, len(PROFILE.encode()) - 1), bit=st.integers(0, 7))
def test_a_profile_that_was_altered_anywhere_is_refused(at: int, bit: int) -> None:
    data = bytearray(PROFILE.encode())
    data[at] ^= 1 << bit
    with pytest.raises(KinlightError):
        Profile.decode(bytes(data), PROFILE.peer, CHALLENGE)
