"""Passing on, on whole nodes: Anna grants, Bob passes on, Carol knows Bob alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from kinlight.crypto.identity import fingerprint
from kinlight.node.contact_errors import BlockedContactError, NoDeviceError
from kinlight.node.errors import BadRequestError
from kinlight.node.facts import Facts
from kinlight.node.photo_errors import NotHereYetError
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.attributes import AttributeDemand
from kinlight.protocol.capability import Capability
from kinlight.protocol.errors import ExpiredGrantError, RevokedGrantError

from .conftest import Picture, Start
from .nodes import NOW, Clock
from .photographs import photograph
from .three import (
    DAY,
    PASS_ON,
    Three,
    delegated,
    ended,
    given,
    given_for,
    grant_of,
    granted,
    imported,
    knows_list_of,
    refused,
    revoke,
)


def content(path: Path) -> bytes:
    return path.read_bytes()


# What arrives


async def test_a_photo_that_may_be_passed_on_arrives_whole_at_who_does_not_know_its_author(
    three: Three, picture: Picture, tmp_path: Path
) -> None:
    path = picture("beach.jpg")
    photo = await given(three, path)
    item = await delegated(three.bob, photo, "Carol")
    assert (item.state, item.code, item.photo_id) == ("delivered", None, photo)
    carol = three.carol.engine
    written = await carol.export(photo, tmp_path / "carol", keep_both=False)
    assert written.sha256 == item.sha256 == hashlib.sha256(content(path)).hexdigest()
    (came,) = carol.inbox()
    assert (came.sender, came.author, came.author_fingerprint) == (
        "Bob", None, fingerprint(three.anna.identity),
    )  # fmt: skip
    details = carol.photo(photo)
    assert (details.author, details.own, details.senders) == (None, False, ["Bob"])
    assert details.author_fingerprint == fingerprint(three.anna.identity)
    assert [found.id for found in carol.collection.search(person="Bob")] == [photo]


async def test_an_author_who_is_known_is_named(three: Three, picture: Picture) -> None:
    await three.anna.pair_with(three.carol)
    photo = await given(three, picture())
    await delegated(three.bob, photo, "Carol")
    (came,) = three.carol.engine.inbox()
    assert (came.sender, came.author) == ("Bob", "Anna")
    assert three.carol.engine.photo(photo).author == "Anna"
    (own,) = three.bob.engine.inbox()
    assert (own.sender, own.author) == ("Anna", "Anna")


async def test_it_is_granted_in_a_link_of_ones_own_for_viewing_alone(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture(), until=NOW + DAY)
    item = await delegated(three.bob, photo, "Carol", until=NOW + 2 * DAY)
    (offer,) = three.carol.parts.library.offers()
    first, second = Capability.decode(offer.capability).links
    assert (first.issuer, second.issuer) == (three.anna.identity, three.bob.identity)
    assert second.audience.key == three.carol.identity
    caveats = second.caveats
    assert (caveats.operations, caveats.before, caveats.max_depth) == (
        frozenset(["view"]), NOW + DAY, None,
    )  # fmt: skip
    grant = grant_of(three.bob, photo)
    assert (grant.hash, grant.author, grant.to) == (item.grant, "Anna", "Carol")
    assert grant.parent == grant_of(three.anna, photo).hash
    assert (grant.until, grant.operations, grant.state) == (NOW + DAY, ["view"], "delivered")
    assert (grant_of(three.anna, photo).author, grant_of(three.anna, photo).parent) == ("me", None)


async def test_the_same_again_is_the_one_that_stands(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    first = await delegated(three.bob, photo, "Carol")
    again = await delegated(three.bob, photo, "Carol")
    assert again.grant == first.grant
    other = await delegated(three.bob, photo, "Carol", until=NOW + DAY)
    assert other.grant != first.grant
    assert len(three.carol.engine.inbox()) == 2


async def test_it_waits_for_who_is_away_and_for_who_is_asked(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    await three.carol.engine.update_contact("Bob", accept="ask")
    await three.carol.stop()
    await three.bob.until(lambda: not three.bob.connected_to(three.carol))
    item = await delegated(three.bob, photo, "Carol", wait=False)
    assert item.state == "queued"
    await three.carol.start()
    await three.carol.until(lambda: three.carol.inbox_state(photo) == "waiting")
    three.carol.engine.decide(photo, accept=True)
    await three.carol.until(lambda: three.carol.inbox_state(photo) == "stored")


async def test_it_comes_from_who_passed_it_on_though_the_author_is_gone(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    await three.anna.stop()
    await three.bob.restart()
    await three.bob.until(lambda: three.bob.connected_to(three.carol))
    assert (await delegated(three.bob, photo, "Carol")).state == "delivered"


async def test_it_goes_on_as_far_as_the_author_says_and_so_does_what_she_takes_back(
    three: Three, start: Start, picture: Picture
) -> None:
    """The command of this version says one link; a chain may say more."""
    dora = await start("Dora")
    await three.carol.pair_with(dora)
    await dora.engine.update_contact("Carol", accept="always")
    photo = await given_for(three, picture(), max_depth=2)
    second = await delegated(three.bob, photo, "Carol", operations=PASS_ON)
    assert second.state == "delivered"
    assert await refused(three.carol, photo, "Dora", operations=PASS_ON) == "passed-on-enough"
    third = await delegated(three.carol, photo, "Dora")
    assert third.state == "delivered"
    assert [item.sender for item in dora.engine.inbox()] == ["Carol"]
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await dora.until(lambda: ended(dora, photo) == "grant-revoked")
    assert grant_of(three.carol, photo).state == "revoked"


async def test_what_may_be_passed_on_once_is_not_granted_for_passing_on(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    assert await refused(three.bob, photo, operations=PASS_ON) == "passed-on-enough"


async def test_what_one_has_for_an_attribute_is_not_passed_on_as_the_next_is_not_told_of_it(
    three: Three, picture: Picture
) -> None:
    three.anna.engine.granting.attest("Bob", "role=family", None)
    demand = AttributeDemand("role", "family", frozenset([three.anna.identity]))
    photo = await given_for(three, picture(), attributes=(demand,))
    assert await refused(three.bob, photo) == "not-for-passing-on"


async def test_a_grant_that_ends_later_than_the_database_can_say_is_passed_on_all_the_same(
    three: Three, picture: Picture
) -> None:
    photo = await given_for(three, picture(), before=2**64 - 1)
    assert (await delegated(three.bob, photo, "Carol")).state == "delivered"


async def test_one_device_alone_gets_it(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    device = three.carol.parts.device.signing.public
    item = await delegated(three.bob, photo, "Carol", device=device.hex())
    assert item.state == "delivered"
    (offer,) = three.carol.parts.library.offers()
    audience = Capability.decode(offer.capability).links[-1].audience
    assert (audience.kind, audience.key) == ("device", device)
    why = three.bob.engine.explainer.explain("Carol", photo, "view", None)
    assert why.allowed


async def test_a_device_is_one_of_the_one_contact(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    own = three.bob.parts.device.signing.public.hex()
    with pytest.raises(NoDeviceError):
        await delegated(three.bob, photo, "Carol", device=own)
    with pytest.raises(BadRequestError):
        await delegated(three.bob, photo, "Carol", device="a phone")
    with pytest.raises(BadRequestError):
        await anext(three.bob.engine.delegate([photo], ["Carol", "Anna"], device=own))


@pytest.mark.parametrize("both", [True, False])
async def test_a_clip_goes_with_its_still_if_it_may(
    three: Three, picture: Picture, both: bool
) -> None:
    still = await given(three, picture("a.jpg"))
    clip = await given(three, picture("b.mov"), operations=PASS_ON if both else ["view"])
    catalogue = three.bob.parts.catalogue
    for photo, kind in ((still, "jpeg"), (clip, "mov")):
        catalogue.put_facts(bytes.fromhex(photo), Facts(kind, pair="live:5E7C"))
    assert catalogue.clip_of(bytes.fromhex(still)) == bytes.fromhex(clip)
    steps = three.bob.engine.delegate([still], ["Carol"])
    last = {step.file: step async for step in steps if isinstance(step, ShareItem)}
    assert {file: item.state for file, item in last.items()} == dict.fromkeys(
        [still, clip] if both else [still], "delivered"
    )
    assert last[still].left_out == ([] if both else ["clip"])


# What is refused before anything leaves


async def test_what_was_granted_for_viewing_is_not_passed_on(
    three: Three, picture: Picture
) -> None:
    item = await three.anna.share_one(picture(), "Bob")
    assert await refused(three.bob, item.photo_id or "") == "not-for-passing-on"


async def test_of_two_grants_the_one_for_passing_on_counts(
    three: Three, picture: Picture, clock: Clock
) -> None:
    path = picture()
    item = await three.anna.share_one(path, "Bob")
    photo = item.photo_id or ""
    for until in (NOW + 2 * DAY, NOW + DAY):
        await granted(three.anna, photo, "Bob", until=until)
    await delegated(three.bob, photo, "Carol")
    assert grant_of(three.bob, photo).until == NOW + 2 * DAY
    clock.time = NOW + 2 * DAY
    assert (await delegated(three.bob, photo, "Carol")).code == "grant-expired"


async def test_one_s_own_photo_is_granted_and_not_passed_on(three: Three, picture: Picture) -> None:
    photo = await imported(three.bob, picture())
    assert await refused(three.bob, photo) == "own-photo"


async def test_nothing_is_passed_back(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    assert await refused(three.bob, photo, "Anna") == "passed-back"


async def test_who_gets_it_can_not_pass_it_on(three: Three, start: Start, picture: Picture) -> None:
    dora = await start("Dora")
    await three.carol.pair_with(dora)
    photo = await given(three, picture())
    await delegated(three.bob, photo, "Carol")
    assert await refused(three.carol, photo, "Dora") == "passed-on-enough"


async def test_what_has_ended_or_was_taken_back_is_not_passed_on(
    three: Three, picture: Picture, clock: Clock
) -> None:
    photo = await given(three, picture())
    other = await given(three, picture(), until=NOW + DAY)
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await three.bob.until(lambda: knows_list_of(three.bob, three.anna))
    with pytest.raises(RevokedGrantError):
        await delegated(three.bob, photo, "Carol")
    clock.time = NOW + DAY
    with pytest.raises(ExpiredGrantError):
        await delegated(three.bob, other, "Carol")


async def test_what_is_not_here_yet_is_not_passed_on(three: Three, picture: Picture) -> None:
    await three.bob.engine.update_contact("Anna", accept="ask")
    item = await granted(three.anna, await imported(three.anna, picture()), "Bob")
    with pytest.raises(NotHereYetError):
        await delegated(three.bob, item.photo_id or "", "Carol")


async def test_a_blocked_contact_gets_nothing(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    await three.bob.engine.update_contact("Carol", blocked=True)
    with pytest.raises(BlockedContactError):
        await delegated(three.bob, photo, "Carol")


async def test_only_its_author_can_make_a_smaller_copy(three: Three, tmp_path: Path) -> None:
    path = photograph(tmp_path / "from" / "beach.jpg", size=(600, 400))
    whole = await given(three, path)
    assert await refused(three.bob, whole, max_px=300) == "rendition-not-made"
    small = await granted(three.anna, whole, "Bob", metadata=None, max_px=300)
    copy = small.photo_id or ""
    assert await refused(three.bob, copy, max_px=299) == "rendition-not-made"
    item = await delegated(three.bob, copy, "Carol", max_px=300)
    assert (item.state, item.max_px) == ("delivered", 300)
    grant = grant_of(three.bob, copy)
    assert (grant.max_px, grant.location) == (300, "removed")


async def test_a_share_of_another_s_photo_says_how_it_is_passed_on(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    steps = three.bob.engine.grant([photo], ["Carol"])
    (item,) = [step async for step in steps if isinstance(step, ShareItem)]
    assert item.code == "not-ours"
    assert "kinlight delegate" in (item.message or "")


# The owner's rules of who passes on

FAMILY = """
[[rule]]
name = "the family"
effect = "allow"
attributes = { role = ["family"] }
"""


async def test_the_rules_of_who_passes_it_on_count_too(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    rules = three.bob.engine.rules
    rules.put(FAMILY)
    assert await refused(three.bob, photo) == "policy-denied"
    three.bob.engine.granting.attest("Carol", "role=family", None)
    assert (await delegated(three.bob, photo, "Carol")).state == "delivered"
    why = three.bob.engine.explainer.explain("Carol", photo, "view", None)
    assert (why.allowed, why.rule) == (True, "the family")
    rules.put(FAMILY + 'actions = ["view"]\n')
    assert (await delegated(three.bob, photo, "Carol", until=NOW + DAY)).code == "policy-denied"
    rules.put(FAMILY + "rendition = { max_px = 100 }\n")
    item = await delegated(three.bob, photo, "Carol", until=NOW + DAY)
    assert item.code == "rendition-not-made"


async def test_a_rule_that_changes_stops_what_was_queued(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    await three.carol.stop()
    await three.bob.until(lambda: not three.bob.connected_to(three.carol))
    await delegated(three.bob, photo, "Carol", wait=False)
    three.bob.engine.rules.put(FAMILY)
    await three.carol.start()
    await three.bob.until(lambda: grant_of(three.bob, photo).state == "refused")
    assert three.carol.engine.inbox() == []


# How it ends


async def test_it_ends_with_the_author_s_grant(
    three: Three, picture: Picture, clock: Clock
) -> None:
    photo = await given(three, picture(), until=NOW + DAY)
    await delegated(three.bob, photo, "Carol")
    assert three.carol.engine.photo(photo).expires == NOW + DAY
    clock.time = NOW + DAY
    with pytest.raises(ExpiredGrantError):
        three.carol.engine.photo(photo)
    assert grant_of(three.bob, photo).state == "expired"


@pytest.mark.parametrize("by_hash", [True, False])
async def test_who_passed_it_on_takes_it_back(
    three: Three, picture: Picture, by_hash: bool
) -> None:
    photo = await given(three, picture())
    item = await delegated(three.bob, photo, "Carol")
    if by_hash:
        revoke(three.bob, (item.grant or "")[:12])
    else:
        revoke(three.bob, who="Carol", photo=photo)
    await three.carol.until(lambda: ended(three.carol, photo) == "grant-revoked")
    with pytest.raises(RevokedGrantError):
        three.carol.engine.photo(photo)
    assert three.bob.engine.photo(photo).id == photo
    assert grant_of(three.bob, photo).state == "revoked"


async def test_what_the_author_takes_back_is_hidden_at_who_does_not_know_her(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    kept = await given(three, picture())
    for each in (photo, kept):
        await delegated(three.bob, each, "Carol")
    assert not knows_list_of(three.carol, three.anna)
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await three.carol.until(lambda: ended(three.carol, photo) == "grant-revoked")
    assert ended(three.bob, photo) == "grant-revoked"
    assert ended(three.carol, kept) is None
    assert grant_of(three.bob, photo).state == "revoked"


async def test_what_was_taken_back_before_is_told_with_the_photo(
    three: Three, picture: Picture
) -> None:
    """Also after both were away: the list comes when the offer is known."""
    one, other = await given(three, picture()), await given(three, picture())
    revoke(three.anna, grant_of(three.anna, one).hash)
    await three.bob.until(lambda: knows_list_of(three.bob, three.anna))
    await delegated(three.bob, other, "Carol")
    await three.carol.until(lambda: knows_list_of(three.carol, three.anna))
    assert ended(three.carol, other) is None
    revoke(three.anna, grant_of(three.anna, other).hash)
    await three.carol.until(lambda: ended(three.carol, other) == "grant-revoked")


async def test_a_waiting_offer_is_not_fetched_after_the_author_took_it_back(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    await three.carol.engine.update_contact("Bob", accept="ask")
    assert (await delegated(three.bob, photo, "Carol")).state == "waiting"
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await three.carol.until(lambda: knows_list_of(three.carol, three.anna))
    with pytest.raises(RevokedGrantError):
        three.carol.engine.decide(photo, accept=True)


async def test_nobody_is_told_lists_of_those_whose_photos_he_did_not_get(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await three.bob.until(lambda: knows_list_of(three.bob, three.anna))
    device = three.carol.parts.device.chain
    shown = list(three.bob.parts.correspondence.for_device(device))
    assert [message for message in shown if message.revocations] == []


async def test_taken_back_it_can_be_passed_on_anew(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    first = await delegated(three.bob, photo, "Carol")
    revoke(three.bob, first.grant)
    await three.carol.until(lambda: ended(three.carol, photo) == "grant-revoked")
    second = await delegated(three.bob, photo, "Carol")
    assert second.grant != first.grant
    await three.carol.until(lambda: ended(three.carol, photo) is None)


async def test_what_is_removed_is_served_no_more(three: Three, picture: Picture) -> None:
    photo = await given(three, picture())
    await three.carol.engine.update_contact("Bob", accept="ask")
    assert (await delegated(three.bob, photo, "Carol")).state == "waiting"
    await three.bob.engine.remove(photo, force=True)
    three.carol.engine.decide(photo, accept=True)
    await three.carol.until(lambda: three.carol.inbox_state(photo) == "refused")
    (came,) = three.carol.engine.inbox()
    assert came.code == "gone"


async def test_who_passed_a_photo_on_has_a_receipt_and_no_name_of_what_has_ended(
    three: Three, picture: Picture
) -> None:
    photo = await given(three, picture())
    assert (await delegated(three.bob, photo, "Carol")).state == "delivered"
    (receipt,) = three.bob.engine.receipts.find(photo)
    assert receipt.name
    assert receipt.sender == three.bob.identity.hex()
    assert receipt.device == three.carol.parts.device.signing.public.hex()
    revoke(three.anna, grant_of(three.anna, photo).hash)
    await three.bob.until(lambda: ended(three.bob, photo) == "grant-revoked")
    (hidden,) = three.bob.engine.receipts.find(photo)
    assert (hidden.name, hidden.encoded) == ("", receipt.encoded)
