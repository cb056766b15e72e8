"""What others say of somebody, on three whole nodes: shown to whom one names, and to nobody else.

Bob says of Anna that she is of the family. Carol, who knows both, lets Bob's word count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from kinlight.crypto.signing import Signed
from kinlight.node import views_access
from kinlight.node.contact_errors import NoSuchContactError
from kinlight.node.errors import BadRequestError
from kinlight.node.papers import KEPT_OF_OTHERS
from kinlight.node.photo_errors import NotGrantedError
from kinlight.protocol.attributes import Attestation, encode_shown
from kinlight.protocol.messages import Papers
from kinlight.protocol.revocation import RevocationList, device_hash

from .conftest import Picture, Start
from .network import Network
from .nodes import NOW, Clock, TestedNode
from .people import device_of
from .test_grants import granted, imported
from .test_open_grants import FAMILY, attest, away, here_again, looked, opened

DAY = 86_400
BY_BOB = """
[[rule]]
name = "Bob's family"
effect = "allow"
attributes = { role = ["family"] }
attested_by = ["Bob"]
"""


@dataclass(frozen=True, slots=True)
class Triangle:
    """All three know each other; Anna takes what Carol sends."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode


@pytest.fixture
async def all_three(network: Network, start: Start) -> Triangle:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    for one, other in ((anna, bob), (anna, carol), (bob, carol)):
        await one.pair_with(other)
    await anna.engine.update_contact("Carol", accept="always")
    return Triangle(anna, bob, carol)


def said_of(node: TestedNode, who: str | None = None) -> list[tuple[str, str, str, str]]:
    found = node.engine.granting.attributes(who)
    return [(said.who, f"{said.name}={said.value}", said.by, said.state) for said in found]


def show(
    node: TestedNode, attribute: str = FAMILY, to: str = "Carol", by: str | None = None
) -> list[views_access.Attribute]:
    return node.engine.granting.show(attribute, to, by, off=False)


async def told(three: Triangle) -> None:
    """Bob says it, and Anna lets Carol know."""
    attest(three.bob, "Anna")
    await three.anna.until(lambda: bool(said_of(three.anna)))
    show(three.anna)
    await three.carol.until(lambda: bool(said_of(three.carol)))


# To whom it is shown


async def test_what_is_said_of_somebody_is_shown_to_nobody_until_that_one_says_so(
    all_three: Triangle, picture: Picture
) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    attest(bob, "Anna")
    await anna.until(lambda: bool(said_of(anna)))
    item = await anna.share_one(picture(), "Carol", wait=False)  # after whatever was to be shown
    await carol.until(lambda: carol.inbox_state(item.photo_id or "") is not None)
    assert said_of(carol) == []
    (shown,) = show(anna)
    assert (shown.by, shown.shown_to) == ("Bob", ["Carol"])
    await carol.until(lambda: bool(said_of(carol)))
    assert said_of(carol) == [("Anna", FAMILY, "Bob", "valid")]
    assert said_of(bob) == [("Anna", FAMILY, "me", "valid")]
    assert carol.engine.granting.attributes("Anna")[0].shown_to == []


async def test_who_learnt_it_tells_nobody(all_three: Triangle, start: Start) -> None:
    anna, carol = all_three.anna, all_three.carol
    await told(all_three)
    dora = await start("Dora")
    await carol.pair_with(dora)
    carol.engine.granting.attest("Dora", "role=friend", None)
    await dora.until(lambda: bool(said_of(dora)))
    assert said_of(dora) == [("me", "role=friend", "Carol", "valid")]
    chain = dora.parts.device.chain
    assert list(anna.parts.correspondence.for_device(chain)) == []


async def test_only_what_was_named_is_shown(all_three: Triangle) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    for attribute in (FAMILY, "role=friend", "town=home"):
        attest(bob, "Anna", attribute)
    await anna.until(lambda: len(said_of(anna)) == 3)
    show(anna, "role=friend")
    await carol.until(lambda: bool(said_of(carol)))
    assert [found[1] for found in said_of(carol)] == ["role=friend"]


async def test_what_is_not_said_can_not_be_shown(all_three: Triangle) -> None:
    anna, bob = all_three.anna, all_three.bob
    with pytest.raises(NotGrantedError):
        show(anna)
    attest(bob, "Anna")
    await anna.until(lambda: bool(said_of(anna)))
    for more in ({"by": "Carol"}, {"by": "me"}, {"to": "Bob"}, {"attribute": "role=friend"}):
        with pytest.raises(NotGrantedError):
            show(anna, **more)
    with pytest.raises(NoSuchContactError):
        show(anna, to="Dora")
    with pytest.raises(BadRequestError):
        show(anna, "role")


async def test_what_is_said_anew_is_shown_as_well_until_it_is_to_be_hidden(
    all_three: Triangle, clock: Clock
) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    await told(all_three)
    clock.time = NOW + 90 * DAY
    assert [found[3] for found in said_of(carol)] == ["expired"]
    attest(bob, "Anna")
    await carol.until(lambda: [found[3] for found in said_of(carol)] == ["expired", "valid"])
    hidden = anna.engine.granting.show(FAMILY, "Carol", None, off=True)
    assert [said.shown_to for said in hidden] == [[], []]
    clock.time += 90 * DAY
    attest(bob, "Anna")
    await anna.until(lambda: len(said_of(anna)) == 3)
    assert list(anna.parts.correspondence.for_device(carol.parts.device.chain)) == []


async def test_it_is_shown_to_who_was_away_when_that_one_is_back(all_three: Triangle) -> None:
    anna, carol = all_three.anna, all_three.carol
    attest(all_three.bob, "Anna")
    await anna.until(lambda: bool(said_of(anna)))
    await away(anna, carol)
    show(anna)
    await here_again(anna, carol)
    await carol.until(lambda: bool(said_of(carol)))


# What it is good for


async def test_an_open_grant_by_somebody_else_s_word_works_when_the_word_is_shown(
    all_three: Triangle, picture: Picture
) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    attest(bob, "Anna")
    await anna.until(lambda: bool(said_of(anna)))
    photo = await imported(carol, picture())
    items = await opened(carol, photo, by=["Bob"])
    assert list(items) == ["role=family by Bob"]  # nothing is offered blindly
    show(anna)
    await anna.until(lambda: anna.inbox_state(photo) == "stored")
    why = carol.engine.explainer.explain("Anna", photo, "view", None)
    assert why.allowed
    assert [FAMILY, "Bob"] in why.grants[0].facts
    bob.engine.granting.unattest("Anna", FAMILY)
    await carol.until(lambda: said_of(carol)[0][3] == "revoked")
    await anna.until(lambda: anna.engine.collection.search()[0].ended == "attribute-missing")
    why = carol.engine.explainer.explain("Anna", photo, "view", None)
    assert (why.allowed, why.code) == (False, "attribute-missing")


async def test_a_rule_that_lets_somebody_else_s_word_count_works_when_the_word_is_shown(
    all_three: Triangle, picture: Picture
) -> None:
    carol = all_three.carol
    carol.engine.rules.put(BY_BOB)
    photo = await imported(carol, picture())
    denied = await granted(carol, photo, "Anna", metadata="original")
    assert (denied.state, denied.code) == ("failed", "policy-denied")
    await told(all_three)
    assert (await granted(carol, photo, "Anna", metadata="original")).state == "delivered"
    all_three.bob.engine.granting.unattest("Anna", FAMILY)
    await carol.until(lambda: said_of(carol)[0][3] == "revoked")
    denied = await granted(carol, photo, "Anna", metadata="original")
    assert denied.code == "policy-denied"


async def test_what_a_grant_demands_is_shown_just_before_the_fetch(
    all_three: Triangle, picture: Picture, clock: Clock
) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    await anna.engine.update_contact("Carol", accept="ask")
    await told(all_three)
    photo = await imported(carol, picture())
    assert (await opened(carol, photo, by=["Bob"]))["Anna"].state == "waiting"
    # What Carol knows ends. Bob says it anew, and more, and Anna no longer shows it on her own.
    anna.engine.granting.show(FAMILY, "Carol", None, off=True)
    clock.time = NOW + 90 * DAY
    attest(bob, "Anna")
    attest(bob, "Anna", "town=home")
    await anna.until(lambda: len(said_of(anna)) == 3)
    assert [found[3] for found in said_of(carol)] == ["expired"]
    (offer,) = anna.parts.library.offers()
    asked = anna.parts.correspondence.asked_by(carol.parts.device.chain, offer)
    assert [(said.name, said.value) for said in asked] == [("role", "family")]
    # To who only hands the grant on it is not shown.
    assert list(anna.parts.correspondence.asked_by(device_of("Mallory").chain, offer)) == []
    anna.engine.decide(photo, accept=True)
    await anna.until(lambda: anna.inbox_state(photo) == "stored")
    assert [found[1:] for found in said_of(carol)] == [
        (FAMILY, "Bob", "expired"),
        (FAMILY, "Bob", "valid"),
    ]


# Attacks: what Carol's node does not take


def word(
    by: TestedNode, of: bytes, *, issuer: bytes | None = None, since: int = NOW,
    end: int = NOW + DAY, value: str = "family", nonce: int = 0,
) -> Attestation:  # fmt: skip
    """What a device says, truly or not."""
    device = by.parts.device
    return Attestation.issue(
        device.signing, issuer or device.identity, of, "role", value, since, end,
        nonce.to_bytes(16),
    )  # fmt: skip


def is_news(three: Triangle, *said: Attestation, of: TestedNode | None = None) -> bool:
    """Whether Carol's node keeps any of what Anna shows it."""
    peer = of or three.anna
    carol = three.carol.parts
    contact = carol.library.contact(peer.name)
    return carol.correspondence.taken(
        peer.parts.device.chain, contact, Papers(encode_shown(said), b"")
    )


def about_somebody_else(three: Triangle) -> Attestation:
    return word(three.bob, three.carol.identity)


def about_nobody_known(three: Triangle) -> Attestation:
    return word(three.bob, bytes(range(32)))


def forged(three: Triangle) -> Attestation:
    true = word(three.bob, three.anna.identity)
    signature = bytes([true.signed.signature[0] ^ 1]) + true.signed.signature[1:]
    return Attestation.read(Signed(true.signed.body, signature))


def signed_by_who_shows_it(three: Triangle) -> Attestation:
    return word(three.anna, three.anna.identity, issuer=three.bob.identity)


def by_herself(three: Triangle) -> Attestation:
    return word(three.anna, three.anna.identity)


def by_the_reader_with_another_key(three: Triangle) -> Attestation:
    return word(three.anna, three.anna.identity, issuer=three.carol.identity)


def by_a_stranger(three: Triangle) -> Attestation:
    device = device_of("Dora")
    return Attestation.issue(
        device.signing, device.identity, three.anna.identity, "role", "family", NOW, NOW + DAY,
        bytes(16),
    )  # fmt: skip


def expired(three: Triangle) -> Attestation:
    return word(three.bob, three.anna.identity, since=NOW - DAY, end=NOW)


@pytest.mark.parametrize(
    "made",
    [
        about_somebody_else, about_nobody_known, forged, signed_by_who_shows_it, by_herself,
        by_the_reader_with_another_key, by_a_stranger, expired,
    ],
)  # fmt: skip
async def test_what_does_not_count_is_not_kept(
    all_three: Triangle, made: Callable[[Triangle], Attestation]
) -> None:
    said = made(all_three)
    assert not is_news(all_three, said)
    assert said_of(all_three.carol) == []
    # And does not keep what counts from being taken.
    assert is_news(all_three, said, word(all_three.bob, all_three.anna.identity))
    assert len(said_of(all_three.carol)) == 1


async def test_somebody_else_s_word_can_not_be_shown_as_one_s_own(
    all_three: Triangle, picture: Picture
) -> None:
    true = word(all_three.bob, all_three.anna.identity)
    assert not is_news(all_three, true, of=all_three.bob)
    assert is_news(all_three, true)
    photo = await imported(all_three.carol, picture())
    items = await opened(all_three.carol, photo, by=["Bob"], wait=False)
    assert [to for to, item in items.items() if item.state != "open"] == ["Anna"]


async def test_a_word_of_a_blocked_contact_is_not_taken(all_three: Triangle) -> None:
    await all_three.carol.engine.update_contact("Bob", blocked=True)
    assert not is_news(all_three, word(all_three.bob, all_three.anna.identity))


async def test_one_s_own_word_is_taken_back_from_who_shows_it(all_three: Triangle) -> None:
    """As after a loss of the library: it was signed here."""
    assert is_news(all_three, word(all_three.carol, all_three.anna.identity))
    assert said_of(all_three.carol) == [("Anna", FAMILY, "me", "valid")]


async def test_a_word_far_ahead_counts_when_its_time_has_come(
    all_three: Triangle, picture: Picture, clock: Clock
) -> None:
    carol = all_three.carol
    later = word(all_three.bob, all_three.anna.identity, since=NOW + DAY, end=NOW + 2 * DAY)
    assert is_news(all_three, later)
    assert said_of(carol) == [("Anna", FAMILY, "Bob", "not-yet")]
    photo = await imported(carol, picture())
    assert list(await opened(carol, photo, by=["Bob"])) == ["role=family by Bob"]
    clock.time = NOW + DAY
    assert said_of(carol) == [("Anna", FAMILY, "Bob", "valid")]
    await looked(carol)
    (grant,) = carol.engine.granting.grants(None, None)
    assert grant.went_to == ["Anna"]


async def test_what_its_issuer_took_back_is_not_taken_nor_that_of_a_lost_device(
    all_three: Triangle,
) -> None:
    bob, carol = all_three.bob.parts.device, all_three.carol.parts
    taken_back = word(all_three.bob, all_three.anna.identity)
    stands = word(all_three.bob, all_three.anna.identity, value="friend")

    def revoke(seq: int, digest: bytes) -> None:
        found = RevocationList.sign(bob.signing, bob.identity, seq, NOW, [digest])
        carol.papers.take_list(found, {bob.signing.public: bob.identity}, certifier=True)

    revoke(1, taken_back.signed.digest())
    assert not is_news(all_three, taken_back)
    assert is_news(all_three, stands)
    revoke(2, device_hash(bob.signing.public))
    assert said_of(all_three.carol) == [("Anna", "role=friend", "Bob", "revoked")]
    assert not is_news(all_three, word(all_three.bob, all_three.anna.identity, nonce=1))


async def test_nobody_fills_the_disk_with_what_is_said_of_him(all_three: Triangle) -> None:
    attest(all_three.bob, "Carol")
    await all_three.carol.until(lambda: bool(said_of(all_three.carol)))
    for number in range(KEPT_OF_OTHERS + 10):
        is_news(all_three, word(all_three.bob, all_three.anna.identity, nonce=number))
    assert len(said_of(all_three.carol, "Anna")) == KEPT_OF_OTHERS
    assert ("me", FAMILY, "Bob", "valid") in said_of(all_three.carol)


async def test_a_lost_device_is_shown_nothing(all_three: Triangle) -> None:
    anna, carol = all_three.anna, all_three.carol
    attest(all_three.bob, "Anna")
    await anna.until(lambda: bool(said_of(anna)))
    device = carol.parts.device
    found = RevocationList.sign(
        device.signing, device.identity, 1, NOW, [device_hash(device.signing.public)]
    )
    anna.parts.papers.take_list(found, {device.signing.public: device.identity}, certifier=True)
    show(anna)
    assert list(anna.parts.correspondence.for_device(device.chain)) == []
    assert said_of(carol) == []


async def test_what_leans_on_an_old_list_is_offered_when_a_newer_one_comes(
    all_three: Triangle, picture: Picture, clock: Clock
) -> None:
    anna, bob, carol = all_three.anna, all_three.bob, all_three.carol
    await told(all_three)
    attest(bob, "Anna", "town=home")
    bob.engine.granting.unattest("Anna", "town=home")  # from now on there is a list
    await carol.until(lambda: bob.identity in carol.parts.papers.revocations.known)
    photo = await imported(carol, picture())
    await away(carol, anna)
    await opened(carol, photo, by=["Bob"], wait=False)
    await away(carol, bob)
    clock.time += 8 * DAY
    await here_again(carol, anna)
    await carol.until(
        lambda: [d.code for d in carol.engine.photo(photo).deliveries] == ["revocations-stale"]
    )
    assert carol.delivery_state(photo) == "queued"
    await here_again(carol, bob)
    await anna.until(lambda: anna.inbox_state(photo) == "stored")
