"""Taking back, on whole nodes: what counts at once, what spreads, what an honest node hides."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.node.errors import BadRequestError
from kinlight.node.photo_errors import NotGrantedError
from kinlight.node.sync import Sync
from kinlight.node.views_access import Revocation
from kinlight.protocol.attributes import encode_shown
from kinlight.protocol.errors import ExpiredGrantError, RevokedGrantError
from kinlight.protocol.messages import Papers
from kinlight.protocol.revocation import RevocationList, device_hash

from .conftest import Picture, Two
from .nodes import NOW, Clock, TestedNode

DAY = 86_400


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


def revoke(node: TestedNode, grant: str | None = None, **more: str) -> list[Revocation]:
    wanted = {"who": None, "photo": None, "device": None} | more
    return node.engine.granting.revoke(grant=grant, **wanted)  # type: ignore[arg-type]


def lists_of(node: TestedNode, other: TestedNode) -> bool:
    return other.identity in node.parts.papers.revocations.known


async def apart(two: Two) -> None:
    """Bob is away."""
    await two.bob.stop()
    await two.anna.until(lambda: not two.anna.connected_to(two.bob))


async def back(two: Two) -> None:
    """And here again."""
    await two.bob.start()
    await two.bob.until(lambda: two.bob.connected_to(two.anna))


# By whom and of what


async def test_a_grant_is_taken_back_by_the_beginning_of_its_hash(
    joined: Two, picture: Picture
) -> None:
    item = await joined.anna.share_one(picture(), "Bob")
    (taken,) = revoke(joined.anna, (item.grant or "")[:10])
    assert (taken.hash, taken.kind, taken.what, taken.who) == (
        item.grant, "grant", item.photo_id, "Bob",
    )  # fmt: skip
    (grant,) = joined.anna.engine.granting.grants(None, None)
    assert grant.state == "revoked"


async def test_all_grants_of_a_photo_to_somebody_are_taken_back(
    joined: Two, picture: Picture
) -> None:
    anna, path = joined.anna, picture()
    item = await anna.share_one(path, "Bob")
    await anna.share_one(path, "Bob", until=NOW + DAY)
    other = await anna.share_one(picture(), "Bob")
    assert len(revoke(anna, who="Bob", photo=item.photo_id or "")) == 2
    states = {grant.photo: grant.state for grant in anna.engine.granting.grants(None, None)}
    assert states == {item.photo_id: "revoked", other.photo_id: "delivered"}


async def test_what_was_not_granted_is_not_taken_back(joined: Two, picture: Picture) -> None:
    item = await joined.anna.share_one(picture(), "Bob")
    for grant in ("", "x", "ab" * 33):
        with pytest.raises(NotGrantedError):
            revoke(joined.anna, grant)
    revoke(joined.anna, item.grant)
    with pytest.raises(NotGrantedError):
        revoke(joined.anna, item.grant)
    own = joined.anna.parts.device.signing.public.hex()
    for more in ({}, {"who": "Bob"}, {"photo": "ab"}, {"device": "ab"}, {"device": own}):
        with pytest.raises(BadRequestError):
            revoke(joined.anna, **more)


async def test_a_device_is_taken_back_for_good(joined: Two) -> None:
    lost = bytes(range(32))
    (taken,) = revoke(joined.anna, device=lost.hex())
    assert (taken.hash, taken.kind, taken.what) == (device_hash(lost).hex(), "device", lost.hex())
    await joined.anna.restart()
    known = joined.anna.parts.papers.revocations
    assert known.revokes_device(joined.anna.identity, lost)


async def test_what_was_taken_back_can_be_granted_anew(joined: Two, picture: Picture) -> None:
    path = picture()
    first = await joined.anna.share_one(path, "Bob")
    revoke(joined.anna, first.grant)
    await joined.bob.until(lambda: lists_of(joined.bob, joined.anna))
    with pytest.raises(RevokedGrantError):
        joined.bob.engine.photo(first.photo_id or "")
    second = await joined.anna.share_one(path, "Bob")
    assert second.state == "delivered"
    assert (second.photo_id, second.grant != first.grant) == (first.photo_id, True)
    assert joined.bob.engine.photo(first.photo_id or "").name == path.name


# What it stops


async def test_after_it_nothing_new_is_fetched_also_by_who_was_away(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    await bob.engine.update_contact("Anna", accept="ask")
    seen = await anna.share_one(picture(), "Bob")
    photo = seen.photo_id or ""
    assert seen.state == "waiting"
    await apart(joined)
    revoke(anna, seen.grant)
    await back(joined)
    await bob.until(lambda: lists_of(bob, anna))
    with pytest.raises(RevokedGrantError):
        bob.engine.decide(photo, accept=True)
    assert bob.parts.library.photo(bytes.fromhex(photo)) is None

    # Nor by a node that does not care what was taken back.
    (offer,) = bob.parts.library.offers()
    (conversation,) = bob.parts.peers.conversations(anna.identity)
    assert isinstance(conversation, Sync)
    bob.parts.library.set_offer_state(offer.envelope_hash, "accepted", None, NOW)
    bob.parts.judge.allow_us = lambda *_: None  # type: ignore[method-assign]
    conversation.fetch(offer)
    await bob.until(lambda: bob.inbox_state(photo) == "refused")
    assert bob.engine.inbox()[0].code == "grant-revoked"


async def test_what_was_not_sent_yet_is_not_sent_any_more(joined: Two, picture: Picture) -> None:
    await apart(joined)
    item = await joined.anna.share_one(picture(), "Bob", wait=False)
    assert item.state == "queued"
    revoke(joined.anna, item.grant)
    (delivery,) = joined.anna.engine.photo(item.photo_id or "").deliveries
    assert (delivery.state, delivery.code) == ("refused", "grant-revoked")
    await back(joined)
    await joined.bob.until(lambda: lists_of(joined.bob, joined.anna))
    assert joined.bob.engine.inbox() == []


async def test_an_honest_node_hides_what_was_taken_back_and_deletes_nothing(
    joined: Two, picture: Picture, tmp_path: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    item = await anna.share_one(picture("beach.jpg"), "Bob")
    photo = item.photo_id or ""
    files = bob.blob_files()
    revoke(anna, item.grant)
    await bob.until(lambda: lists_of(bob, anna))
    for question in (
        lambda: bob.engine.photo(photo),
        lambda: bob.engine._unlocked().inbox.require(bytes.fromhex(photo)),  # pyright: ignore[reportPrivateUsage]
    ):
        with pytest.raises(RevokedGrantError):
            question()
    with pytest.raises(RevokedGrantError):
        await bob.engine.export(photo, tmp_path / "out", keep_both=False)
    with pytest.raises(RevokedGrantError):
        await bob.engine.rendition(photo, "preview")
    (found,) = bob.engine.collection.search()
    assert (found.id, found.ended, found.name, found.camera, found.width) == (
        photo, "grant-revoked", "", None, None,
    )  # fmt: skip
    (offered,) = bob.engine.inbox()
    assert (offered.id, offered.state, offered.code) == (photo, "ended", "grant-revoked")
    assert (offered.name, offered.sha256) == (None, None)
    assert bob.blob_files() == files
    assert anna.engine.photo(photo).name == "beach.jpg"


async def test_an_honest_node_hides_what_has_ended(
    joined: Two, picture: Picture, clock: Clock, tmp_path: Path
) -> None:
    bob, path = joined.bob, picture()
    item = await joined.anna.share_one(path, "Bob", until=NOW + DAY)
    photo = item.photo_id or ""
    assert bob.engine.photo(photo).expires == NOW + DAY
    clock.time = NOW + DAY
    with pytest.raises(ExpiredGrantError):
        bob.engine.photo(photo)
    with pytest.raises(ExpiredGrantError):
        await bob.engine.export(photo, tmp_path / "out", keep_both=False)
    (found,) = bob.engine.collection.search()
    assert found.ended == "grant-expired"
    await joined.anna.share_one(path, "Bob")
    assert bob.engine.photo(photo).name == path.name


async def test_what_has_ended_can_be_removed(joined: Two, picture: Picture, clock: Clock) -> None:
    item = await joined.anna.share_one(picture(), "Bob", until=NOW + DAY)
    clock.time = NOW + DAY
    removed = await joined.bob.engine.remove(item.photo_id or "", force=False)
    assert removed.id == item.photo_id
    assert joined.bob.blob_files() == []


async def test_a_mirror_writes_nothing_that_has_ended(
    joined: Two, picture: Picture, clock: Clock, tmp_path: Path
) -> None:
    await joined.anna.share_one(picture("a.jpg"), "Bob", until=NOW + DAY)
    clock.time = NOW + DAY
    folder = tmp_path / "mirror"
    await joined.bob.engine.keeper.mirror("Anna", folder)
    await joined.bob.until(lambda: joined.bob.engine.keeper.folders()[0].state == "up-to-date")
    assert list(folder.iterdir()) == []


# How it spreads


async def test_what_is_said_of_somebody_reaches_him(joined: Two) -> None:
    joined.anna.engine.granting.attest("Bob", "role=family", None)
    granting = joined.bob.engine.granting
    await joined.bob.until(lambda: bool(granting.attributes(None)))
    (said,) = granting.attributes(None)
    assert (said.who, said.name, said.value, said.by) == ("me", "role", "family", "Anna")
    joined.anna.engine.granting.unattest("Bob", "role=family")
    await joined.bob.until(lambda: granting.attributes(None)[0].state == "revoked")


async def test_more_words_than_one_message_holds_arrive(joined: Two) -> None:
    await apart(joined)
    for number in range(20):
        joined.anna.engine.granting.attest("Bob", f"n{number}=yes", None)
    await back(joined)
    await joined.bob.until(lambda: len(joined.bob.engine.granting.attributes(None)) == 20)


async def test_nobody_hears_what_is_said_of_others(joined: Two) -> None:
    said = joined.anna.parts.papers.attest(bytes(range(32)), "role", "family", NOW + DAY)
    joined.anna.engine.granting.attest("Bob", "role=friend", None)
    await joined.bob.until(lambda: bool(joined.bob.engine.granting.attributes(None)))
    # Not even if it is sent.
    (conversation,) = joined.anna.parts.peers.conversations()
    assert isinstance(conversation, Sync)
    link = conversation._link  # pyright: ignore[reportPrivateUsage]
    link.post(Papers(encode_shown([said]), b""))
    joined.anna.engine.granting.attest("Bob", "role=other", None)
    await joined.bob.until(lambda: len(joined.bob.engine.granting.attributes(None)) == 2)
    assert {each.who for each in joined.bob.engine.granting.attributes(None)} == {"me"}


async def test_an_older_list_does_not_come_back_and_a_fork_is_kept(joined: Two) -> None:
    anna, bob = joined.anna.parts, joined.bob.parts
    peer = anna.device.chain
    contact = bob.library.contact("Anna")
    key, identity = anna.device.signing, anna.device.identity

    def tell(seq: int, *hashes: bytes) -> None:
        found = RevocationList.sign(key, identity, seq, NOW, hashes)
        bob.correspondence.taken(peer, contact, Papers(encode_shown([]), found.signed.encode()))

    one, other = bytes([1]) * 32, bytes([2]) * 32
    tell(5, one)
    tell(4)
    assert bob.papers.revocations.revokes(identity, one)
    tell(5, other)
    assert bob.papers.forks == [identity]
    await joined.bob.restart()
    papers = joined.bob.parts.papers
    assert papers.forks == [identity]
    assert papers.revocations.revokes(identity, one)
    assert papers.revocations.revokes(identity, other)


async def test_a_list_by_somebody_else_counts_for_nothing(joined: Two) -> None:
    bob = joined.bob.parts
    forged = RevocationList.sign(bob.device.signing, joined.anna.identity, 9, NOW, [bytes(32)])
    bob.correspondence.taken(
        joined.anna.parts.device.chain,
        bob.library.contact("Anna"),
        Papers(encode_shown([]), forged.signed.encode()),
    )
    assert joined.anna.identity not in bob.papers.revocations.known


async def test_a_list_is_signed_again_when_it_is_a_day_old(joined: Two, clock: Clock) -> None:
    papers = joined.anna.parts.papers
    assert papers.own_list() is None
    first = papers.revoke([bytes(32)])
    assert papers.own_list() == first
    clock.time = NOW + DAY
    second = papers.own_list()
    assert second is not None
    assert (second.seq, second.as_of, second.hashes) == (2, NOW + DAY, first.hashes)
