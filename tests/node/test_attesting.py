"""What people say about people, on whole nodes."""

from __future__ import annotations

import pytest
from kinlight.node.contact_errors import NoSuchContactError
from kinlight.node.errors import BadRequestError
from kinlight.node.papers import KEPT_PER_ISSUER
from kinlight.node.photo_errors import NotGrantedError
from kinlight.protocol import limits
from kinlight.protocol.attributes import Attestation

from .conftest import Two
from .nodes import NOW, Clock

DAY = 86_400


async def test_what_was_said_of_a_contact_holds_for_ninety_days(joined: Two, clock: Clock) -> None:
    granting = joined.anna.engine.granting
    said = granting.attest("Bob", "role=family", None)
    assert (said.who, said.name, said.value, said.by) == ("Bob", "role", "family", "me")
    assert (said.since, said.until, said.state) == (NOW, NOW + 90 * DAY, "valid")
    clock.time = NOW + 90 * DAY
    (late,) = granting.attributes("Bob")
    assert late.state == "expired"
    clock.time = NOW - 1
    assert granting.attributes(None)[0].state == "not-yet"


async def test_it_can_be_said_again_at_any_time(joined: Two, clock: Clock) -> None:
    granting = joined.anna.engine.granting
    granting.attest("Bob", "role=family", NOW + DAY)
    clock.time = NOW + DAY
    granting.attest("Bob", "role=family", None)
    assert [said.state for said in granting.attributes("Bob")] == ["expired", "valid"]


async def test_it_is_taken_back_for_good(joined: Two) -> None:
    anna = joined.anna
    for _ in range(2):
        anna.engine.granting.attest("Bob", "role=family", None)
    anna.engine.granting.attest("Bob", "role=friend", None)
    taken = anna.engine.granting.unattest("bob", "role=family")
    assert [said.state for said in taken] == ["revoked"] * 2
    with pytest.raises(NotGrantedError):
        anna.engine.granting.unattest("Bob", "role=family")
    await anna.restart()
    states = {said.hash: said.state for said in anna.engine.granting.attributes("Bob")}
    assert sorted(states.values()) == ["revoked", "revoked", "valid"]
    assert {states[said.hash] for said in taken} == {"revoked"}
    again = anna.engine.granting.attest("Bob", "role=family", None)
    assert again.state == "valid"


@pytest.mark.parametrize(
    "attribute", ["", "role", "=x", "role=", "Role=x", "ro le=x", "role=\n", "r" * 33 + "=x"]
)
async def test_what_is_no_attribute_is_not_understood(joined: Two, attribute: str) -> None:
    with pytest.raises(BadRequestError):
        joined.anna.engine.granting.attest("Bob", attribute, None)


@pytest.mark.parametrize("until", [NOW, NOW - 1, NOW + limits.ATTESTATION_SECONDS + 1])
async def test_nothing_is_said_for_longer_than_ninety_days(joined: Two, until: int) -> None:
    with pytest.raises(BadRequestError):
        joined.anna.engine.granting.attest("Bob", "role=family", until)


async def test_nothing_is_said_of_strangers(joined: Two) -> None:
    with pytest.raises(NoSuchContactError):
        joined.anna.engine.granting.attest("Carl", "role=family", None)


async def test_an_attestation_beyond_every_calendar_is_kept_all_the_same(joined: Two) -> None:
    device, papers = joined.anna.parts.device, joined.anna.parts.papers
    subject, end = joined.bob.identity, 2**64 - 1
    said = Attestation.issue(
        device.signing, device.identity, subject, "role", "family", end - 9, end, bytes(16)
    )
    assert papers.take([said], {device.signing.public: device.identity})
    assert said in papers.attestations(subject=subject)


async def test_what_this_node_said_is_kept_however_much_it_says(joined: Two) -> None:
    papers = joined.anna.parts.papers
    said = papers.attest(joined.bob.identity, "role", "banned", NOW + DAY)
    for number in range(KEPT_PER_ISSUER):
        papers.attest(number.to_bytes(32), "role", "family", NOW + 2 * DAY)
    assert papers.attestations(subject=joined.bob.identity) == [said]
