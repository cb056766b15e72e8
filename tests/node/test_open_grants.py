"""Grants to whoever has an attribute, on whole nodes: who gets something, when, and who nothing."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kinlight.node import views_access
from kinlight.node.contact_errors import BlockedContactError, NoSuchContactError
from kinlight.node.correspondence import Correspondence
from kinlight.node.errors import BadRequestError
from kinlight.node.mallory import Conversation
from kinlight.node.sync import Sync
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.capability import Capability
from kinlight.protocol.errors import MissingAttributeError, from_wire, wire_code
from kinlight.protocol.messages import Credit, FetchRefused, Offer, OfferRefused, Piece
from kinlight.protocol.photo import Envelope, PhotoRecord

from .conftest import Attacked, Picture, Start
from .filmed import film
from .forging import whole
from .network import Network
from .nodes import NOW, Clock, TestedNode, eventually
from .photographs import photograph
from .test_grants import imported
from .test_withholding import asked

DAY = 86_400
FAMILY = "role=family"
RULES = """
[[rule]]
name = "everybody"
effect = "allow"
rendition = { location = "removed" }
"""


@dataclass(frozen=True, slots=True)
class Three:
    """Anna, and Bob and Carol who take what she sends and don't know each other."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode


@pytest.fixture
async def three(network: Network, start: Start) -> Three:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    for node in (bob, carol):
        await anna.pair_with(node)
        await node.engine.update_contact("Anna", accept="always")
    return Three(anna, bob, carol)


async def opened(
    node: TestedNode, photo: str, *having: str, wait: bool = True, **more: object
) -> dict[str, ShareItem]:
    """The last state of the grant and of what each contact gets, by whom it is for."""
    more = {"metadata": "original"} | more
    steps = node.engine.grant([photo], [], having=list(having or [FAMILY]), wait=wait, **more)  # type: ignore[arg-type]
    return {step.to: step async for step in steps if isinstance(step, ShareItem)}


async def looked(node: TestedNode) -> None:
    """Until it was looked whom the grants are for."""
    await node.parts.open_grants._look()  # pyright: ignore[reportPrivateUsage]


def went_to(node: TestedNode) -> list[str]:
    (grant,) = node.engine.granting.grants(None, None)
    return grant.went_to


def attest(node: TestedNode, who: str, attribute: str = FAMILY) -> views_access.Attribute:
    return node.engine.granting.attest(who, attribute, None)


async def away(one: TestedNode, other: TestedNode) -> None:
    await other.stop()
    await one.until(lambda: not one.connected_to(other))


async def here_again(one: TestedNode, other: TestedNode) -> None:
    await other.start()
    await other.until(lambda: other.connected_to(one))


# Who gets it, and when


async def test_who_has_the_attribute_gets_it_now_and_who_comes_to_have_it_later(
    three: Three, picture: Picture
) -> None:
    anna, carol = three.anna, three.carol
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    items = await opened(anna, photo)
    assert {to: item.state for to, item in items.items()} == {
        "role=family by me": "open",
        "Bob": "delivered",
    }
    attest(anna, "Carol", "role=friend")
    await looked(anna)
    assert carol.engine.inbox() == []
    attest(anna, "Carol")
    await carol.until(lambda: carol.inbox_state(photo) == "stored")
    assert went_to(anna) == ["Bob", "Carol"]


async def test_nobody_is_offered_it_twice(three: Three, picture: Picture) -> None:
    anna, bob = three.anna, three.bob
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    first = await opened(anna, photo)
    attest(anna, "Bob")
    await looked(anna)
    again = await opened(anna, photo)
    assert again["Bob"].grant == first["Bob"].grant == again["role=family by me"].grant
    assert len(bob.engine.inbox()) == len(anna.engine.granting.grants(None, None)) == 1
    await bob.engine.update_contact("Anna", accept="ask")
    other = await opened(anna, photo, until=NOW + DAY)
    assert other["Bob"].grant != first["Bob"].grant


async def test_who_declines_is_not_asked_again_but_by_a_person(
    three: Three, picture: Picture
) -> None:
    anna, bob = three.anna, three.bob
    await bob.engine.update_contact("Anna", accept="ask")
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    assert (await opened(anna, photo))["Bob"].state == "waiting"
    bob.engine.decide(photo, accept=False)
    await anna.until(lambda: anna.delivery_state(photo) == "refused")
    attest(anna, "Bob")
    await looked(anna)
    assert len(anna.engine.photo(photo).deliveries) == 1
    assert (await opened(anna, photo))["Bob"].state == "waiting"


async def test_who_is_blocked_gets_nothing_until_that_ends(three: Three, picture: Picture) -> None:
    anna, bob = three.anna, three.bob
    attest(anna, "Bob")
    await anna.engine.update_contact("Bob", blocked=True)
    photo = await imported(anna, picture())
    assert list(await opened(anna, photo)) == ["role=family by me"]
    await looked(anna)
    assert went_to(anna) == []
    await anna.engine.update_contact("Bob", blocked=False)
    await bob.until(lambda: bob.inbox_state(photo) == "stored")


async def test_all_that_is_demanded_has_to_be_said(three: Three, picture: Picture) -> None:
    anna = three.anna
    attest(anna, "Bob")
    attest(anna, "Carol")
    attest(anna, "Carol", "town=home")
    photo = await imported(anna, picture())
    items = await opened(anna, photo, FAMILY, "town=home")
    assert list(items) == ["role=family by me and town=home by me", "Carol"]


async def test_what_others_say_does_not_count_unless_they_are_named(
    three: Three, picture: Picture
) -> None:
    anna = three.anna
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    items = await opened(anna, photo, by=["Carol"])
    assert list(items) == ["role=family by Carol"]


async def test_after_its_end_or_after_it_was_taken_back_nobody_gets_more(
    three: Three, picture: Picture, clock: Clock
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    until = (await opened(anna, photo, until=NOW + DAY))["Bob"]
    assert until.state == "delivered"
    clock.time = NOW + DAY
    attest(anna, "Carol")
    await looked(anna)
    items = await opened(anna, photo)
    assert items["Carol"].state == "delivered"
    taken = anna.engine.granting.revoke(
        grant=items["Carol"].grant, who=None, photo=None, device=None
    )
    assert [(each.kind, each.who) for each in taken] == [("grant", "role=family by me")]
    states = {grant.until: grant.state for grant in anna.engine.granting.grants(None, None)}
    assert states == {NOW + DAY: "expired", None: "revoked"}
    await carol.until(lambda: carol.engine.collection.search()[0].ended == "grant-revoked")
    await bob.until(lambda: bob.engine.collection.search()[0].ended is not None)
    deliveries = len(anna.engine.photo(photo).deliveries)
    attest(anna, "Bob")
    await looked(anna)
    assert len(anna.engine.photo(photo).deliveries) == deliveries


async def test_of_an_open_grant_nothing_is_said_about_the_place_unless_that_is_asked(
    three: Three, tmp_path: Path
) -> None:
    anna = three.anna
    await anna.engine.update_contact("Bob", metadata="original")
    attest(anna, "Bob")
    beach = photograph(tmp_path / "from" / "beach.jpg", size=(48, 32), position=(52.5, 13.4))
    photo = await imported(anna, beach)
    forms = ((None, None, "no-location"), (None, 20, "clean"), ("original", None, "original"))
    for metadata, max_px, policy in forms:
        item = (await opened(anna, photo, metadata=metadata, max_px=max_px))["Bob"]
        assert (item.state, item.policy, item.max_px) == ("delivered", policy, max_px)


async def test_the_clip_of_a_live_photo_goes_with_its_still_as_originals_alone(
    three: Three, tmp_path: Path
) -> None:
    anna = three.anna
    attest(anna, "Bob")
    still = photograph(tmp_path / "live" / "IMG_7.jpg", size=(48, 32), position=(52.5, 13.4))
    still.with_name("IMG_7.MOV").write_bytes(film(container="mov"))
    photo = await imported(anna, still.parent)
    for metadata, names in (("original", ["IMG_7.MOV", "IMG_7.jpg"]), (None, ["IMG_7.jpg"])):
        steps = anna.engine.grant([photo], [], having=[FAMILY], metadata=metadata)
        items = [step async for step in steps if isinstance(step, ShareItem)]
        came = [item for item in items if (item.to, item.state) == ("Bob", "delivered")]
        assert sorted(item.name for item in came) == names
        assert all(("clip" in item.left_out) == (metadata is None) for item in came)


@pytest.mark.parametrize(
    ("having", "by"),
    [
        (["role"], []), (["role=\n"], []), (["Role=x"], []), ([f"a{n}=x" for n in range(5)], []),
        ([], ["me"]),
    ],
)  # fmt: skip
async def test_what_can_not_be_demanded_is_not_understood(
    three: Three, picture: Picture, having: list[str], by: list[str]
) -> None:
    photo = await imported(three.anna, picture())
    with pytest.raises(BadRequestError):
        _ = [step async for step in three.anna.engine.grant([photo], [], having=having, by=by)]


async def test_it_is_either_for_contacts_or_for_whoever(three: Three, picture: Picture) -> None:
    photo = await imported(three.anna, picture())
    with pytest.raises(BadRequestError):
        _ = [step async for step in three.anna.engine.grant([photo], ["Bob"], having=[FAMILY])]
    with pytest.raises(NoSuchContactError):
        await opened(three.anna, photo, by=["Dora"])


async def test_a_photo_of_somebody_else_is_not_granted(three: Three, picture: Picture) -> None:
    photo = await imported(three.anna, picture())
    attest(three.anna, "Bob")
    await opened(three.anna, photo)
    (item,) = (await opened(three.bob, photo)).values()
    assert (item.state, item.code) == ("failed", "not-ours")


# Rules, and why


async def test_whose_rules_demand_a_stricter_form_gets_nothing_and_is_told_why(
    three: Three, tmp_path: Path
) -> None:
    anna = three.anna
    attest(anna, "Bob")
    anna.engine.rules.put(RULES)
    beach = photograph(tmp_path / "from" / "beach.jpg", size=(48, 32), position=(52.5, 13.4))
    photo = await imported(anna, beach)
    item = (await opened(anna, photo))["Bob"]
    assert (item.state, item.code) == ("failed", "policy-denied")
    await looked(anna)
    assert went_to(anna) == []
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert (why.allowed, [grant.code for grant in why.grants]) == (False, ["policy-denied"])
    assert (await opened(anna, photo, metadata=None))["Bob"].state == "delivered"
    assert anna.engine.explainer.explain("Bob", photo, "view", None).allowed


async def test_it_is_explained_who_meets_an_open_grant_and_by_whose_word(
    three: Three, picture: Picture
) -> None:
    anna = three.anna
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await opened(anna, photo, by=["me", "Carol"])
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert why.allowed
    assert [FAMILY, "me"] in why.grants[0].facts
    why = anna.engine.explainer.explain("Carol", photo, "view", None)
    assert (why.allowed, why.code) == (False, "attribute-missing")
    anna.engine.granting.unattest("Bob", FAMILY)
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert (why.code, why.grants[0].facts) == ("attribute-missing", [[FAMILY, "revoked"]])


async def test_grants_are_listed_for_those_to_whom_they_went(
    three: Three, picture: Picture
) -> None:
    anna = three.anna
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await opened(anna, photo)
    (grant,) = anna.engine.granting.grants("Bob", photo)
    assert (grant.to, grant.state, grant.went_to) == ("role=family by me", "open", ["Bob"])
    assert anna.engine.granting.grants("Carol", photo) == []


# What an honest receiver does


async def test_an_honest_node_hides_what_it_may_not_see_any_more(
    three: Three, picture: Picture, clock: Clock
) -> None:
    anna, bob = three.anna, three.bob
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await opened(anna, photo)
    assert bob.engine.photo(photo).id == photo
    clock.time = NOW + 90 * DAY
    with pytest.raises(MissingAttributeError):
        bob.engine.photo(photo)
    assert bob.engine.collection.search()[0].ended == "attribute-missing"
    attest(anna, "Bob")
    await bob.until(lambda: bob.engine.collection.search()[0].ended is None)
    anna.engine.granting.unattest("Bob", FAMILY)
    await bob.until(lambda: bob.engine.collection.search()[0].ended is not None)
    assert bob.blob_files() != []


def not_taken(*_: object) -> bool:
    return False


async def test_an_offer_that_comes_before_the_papers_waits_for_them(
    three: Three, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = three.anna, three.bob
    monkeypatch.setattr(Correspondence, "taken", not_taken)  # they are under way
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await opened(anna, photo, wait=False)
    await bob.until(lambda: [item.code for item in bob.engine.inbox()] == ["attribute-missing"])
    assert bob.inbox_state(photo) == "accepted"
    monkeypatch.undo()
    attest(anna, "Bob", "town=home")
    await bob.until(lambda: bob.inbox_state(photo) == "stored")


async def test_what_waits_for_somebody_who_lost_the_attribute_goes_when_it_is_said_again(
    three: Three, picture: Picture
) -> None:
    anna, bob = three.anna, three.bob
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await away(anna, bob)
    await opened(anna, photo, wait=False)
    anna.engine.granting.unattest("Bob", FAMILY)
    await here_again(anna, bob)
    await anna.until(
        lambda: [d.code for d in anna.engine.photo(photo).deliveries] == ["attribute-missing"]
    )
    assert anna.delivery_state(photo) == "queued"
    assert bob.engine.inbox() == []
    attest(anna, "Bob")
    await bob.until(lambda: bob.inbox_state(photo) == "stored")


# Attacks


def open_grant(node: TestedNode, photo: str) -> tuple[PhotoRecord, Capability]:
    found = node.parts.library.photo(bytes.fromhex(photo))
    (grant,) = node.parts.grants.find_open(bytes.fromhex(photo))
    assert found is not None
    return found.record, grant.capability


async def test_who_does_not_meet_it_gets_nothing_with_somebody_else_s_chain(
    three: Three, picture: Picture
) -> None:
    anna, carol = three.anna, three.carol
    attest(anna, "Bob")
    photo = await imported(anna, picture())
    await opened(anna, photo)
    record, chain = open_grant(anna, photo)
    (way,) = carol.parts.peers.conversations(anna.identity)
    assert isinstance(way, Sync)
    assert await asked(carol, way, record, record.photo_id, chain) == "attribute-missing"
    attest(anna, "Carol")
    assert await asked(carol, way, record, record.photo_id, chain) == "served"


async def test_who_lost_the_attribute_while_away_fetches_nothing_new_and_hides_what_came(
    three: Three, picture: Picture
) -> None:
    anna, bob = three.anna, three.bob
    attest(anna, "Bob")
    seen = await imported(anna, picture())
    await opened(anna, seen)
    await bob.engine.update_contact("Anna", accept="ask")
    other = picture()
    async for _ in anna.engine.collection.import_photos([other], album=None, albums=False):
        pass
    (waiting,) = (item.id for item in anna.engine.collection.search() if item.id != seen)
    assert (await opened(anna, waiting))["Bob"].state == "waiting"
    await away(anna, bob)
    anna.engine.granting.unattest("Bob", FAMILY)
    await here_again(anna, bob)
    await bob.until(lambda: bob.engine.collection.search()[0].ended == "attribute-missing")
    bob.engine.decide(waiting, accept=True)
    await bob.until(lambda: any(item.code == "attribute-missing" for item in bob.engine.inbox()))
    # Nor does a node that does not care what was taken back.
    record, chain = open_grant(anna, waiting)
    (way,) = bob.parts.peers.conversations(anna.identity)
    assert isinstance(way, Sync)
    assert await asked(bob, way, record, record.photo_id, chain) == "attribute-missing"
    assert bob.parts.library.photo(bytes.fromhex(waiting)) is None


@pytest.fixture
async def hostile(attacked: Attacked) -> AsyncGenerator[Conversation]:
    """A link of Mallory's to Bob."""
    async with attacked.mallory.connected() as conversation:
        yield conversation


async def test_an_attribute_that_ends_in_the_middle_of_a_fetch_ends_the_fetch(
    attacked: Attacked, hostile: Conversation, picture: Picture
) -> None:
    bob = attacked.bob
    attest(bob, "Mallory")
    photo = await imported(bob, picture(length=1_500_000))
    await opened(bob, photo, wait=False)
    offer = await hostile.wait_for(Offer)
    envelope = Envelope.open(offer.envelope, attacked.mallory.device, hostile.link.peer.device)
    record, chain = envelope.record, envelope.capability.encoded
    fetch = replace(whole(record.photo_id, record.content_id, chain), ranges=((0, 5),), credit=2)
    await hostile.say(fetch)
    assert [(await hostile.wait_for(Piece)).index for _ in range(2)] == [0, 1]
    bob.engine.granting.unattest("Mallory", FAMILY)
    await hostile.say(Credit(fetch.request, 3))
    refused = await hostile.wait_for(FetchRefused)
    assert from_wire(refused.code).code == "attribute-missing"


async def test_who_refuses_again_and_again_is_offered_it_once(
    attacked: Attacked, hostile: Conversation, picture: Picture
) -> None:
    bob = attacked.bob
    attest(bob, "Mallory")
    photo = await imported(bob, picture())
    await opened(bob, photo, wait=False)
    offer = await hostile.wait_for(Offer)
    number = wire_code(MissingAttributeError())
    await hostile.say(OfferRefused(hashlib.sha256(offer.envelope).digest(), number))
    await eventually(
        lambda: [d.code for d in bob.engine.photo(photo).deliveries] == ["attribute-missing"]
    )
    for _ in range(3):
        attest(bob, "Mallory")
        await looked(bob)
    assert len(bob.engine.photo(photo).deliveries) == 1


async def test_it_is_for_viewing_alone(three: Three, picture: Picture) -> None:
    photo = await imported(three.anna, picture())
    with pytest.raises(BadRequestError):
        await opened(three.anna, photo, operations=["view", "reshare"])
    assert three.anna.engine.granting.grants(None, None) == []


async def test_the_word_of_who_was_blocked_since_counts_no_more(
    three: Three, picture: Picture
) -> None:
    """What a blocked contact takes back is not heard of."""
    anna, bob, carol = three.anna, three.bob, three.carol
    await bob.pair_with(carol)
    bob.engine.granting.attest("Carol", FAMILY, None)
    await carol.until(lambda: bool(carol.engine.granting.attributes(None)))
    carol.engine.granting.show(FAMILY, "Anna", "Bob", off=False)
    await anna.until(lambda: bool(anna.engine.granting.attributes("Carol")))
    first, second = await imported(anna, picture()), (await anna.share_one(picture(), "Bob"))
    assert (await opened(anna, first, by=["Bob"]))["Carol"].state == "delivered"
    await anna.engine.update_contact("Bob", blocked=True)
    with pytest.raises(BlockedContactError):
        await opened(anna, second.photo_id or "", by=["Bob"])
    (verdict,) = anna.engine.explainer.explain("Carol", first, "view", None).grants
    assert verdict.code == "attribute-missing"
