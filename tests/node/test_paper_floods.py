"""Papers that come too fast, papers that are shown fast, and a list that is full."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from kinlight.node import showing
from kinlight.protocol import limits
from kinlight.protocol.attributes import encode_shown
from kinlight.protocol.errors import RevocationsFullError
from kinlight.protocol.messages import Papers
from kinlight.protocol.revocation import LAST_SEQ, RevocationList, Standing

from .conftest import Attacked, Picture, Two
from .nodes import NOW, Clock, TestedNode, eventually
from .test_revoking import DAY, apart, back, lists_of, revoke

NOTHING = Papers(encode_shown([]), b"")


def hashed(number: int) -> bytes:
    return number.to_bytes(32)


def own_hashes(node: TestedNode) -> frozenset[bytes]:
    own = node.parts.papers.own_list()
    assert own is not None
    return own.hashes


# A flood


async def test_as_many_papers_as_may_come_at_once_are_taken(attacked: Attacked) -> None:
    async with attacked.mallory.connected() as conversation:
        for _ in range(limits.PAPERS_AT_ONCE):
            await conversation.say(NOTHING)
        offer = attacked.mallory.photo(b"a photo").offer
        await conversation.say(offer)
        await attacked.bob.until(lambda: len(attacked.bob.engine.inbox()) == 1)
        assert not conversation.link.ended.is_set()


async def test_a_flood_of_papers_ends_the_link(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAPERS_PER_SECOND", 0.0)
    async with attacked.mallory.connected() as conversation:
        for _ in range(limits.PAPERS_AT_ONCE + 1):
            conversation.link.post(NOTHING)
        await eventually(conversation.link.ended.is_set)
    await attacked.bob.until(lambda: attacked.bob.parts.peers.connections() == [])


async def test_an_honest_node_shows_papers_no_faster_than_it_may_and_all_of_them(
    joined: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    monkeypatch.setattr(showing, "SHOWN_PER_SECOND", 20.0)
    monkeypatch.setattr(limits, "PAPERS_PER_SECOND", 40.0)
    await apart(joined)
    await back(joined)
    (link,) = anna.parts.peers.links(bob.identity)
    hashes = [hashed(number) for number in range(3 * limits.PAPERS_AT_ONCE)]
    for digest in hashes:
        anna.parts.papers.revoke([digest])
        anna.parts._spread()  # pyright: ignore[reportPrivateUsage]
    known = bob.parts.papers
    await bob.until(
        lambda: lists_of(bob, anna) and known.revocations.revokes(anna.identity, hashes[-1])
    )
    assert anna.parts.peers.links(bob.identity) == [link]
    assert known.revocations.known[anna.identity].newest.hashes == set(hashes)


async def test_frequent_news_of_one_hold_up_nobody_elses(joined: Two) -> None:
    posted: list[Papers] = []
    (link,) = joined.anna.parts.peers.links(joined.bob.identity)
    shown = showing.Showing(link, asyncio.ensure_future)  # type: ignore[arg-type]
    shown._link = SimpleNamespace(post=posted.append)  # type: ignore[assignment]
    shown._waiting = True  # as after a burst
    own, anna = Papers(encode_shown([]), b"own"), Papers(encode_shown([]), b"anna")
    shown.show([own])
    for number in range(5):
        mallory = Papers(encode_shown([]), b"mallory %d" % number)
        shown.show([own, mallory, anna])
    shown._waiting = False
    shown._go_on()
    assert [each.revocations for each in posted] == [b"own", b"anna", b"mallory 4"]


# A list that is full


def fill(node: TestedNode, seq: int = 1) -> None:
    """Revoke so many things that nobody knows of that one more fits."""
    papers, device = node.parts.papers, node.parts.device
    hashes = [hashed(number) for number in range(limits.REVOCATIONS - 1)]
    full = RevocationList.sign(device.signing, device.identity, seq, NOW, hashes)
    papers._keep(Standing(full))  # pyright: ignore[reportPrivateUsage]


async def test_a_full_list_says_that_it_is_full_and_keeps_what_still_matters(
    joined: Two, picture: Picture
) -> None:
    anna = joined.anna
    fill(anna)
    first = await anna.share_one(picture(), "Bob", until=NOW + DAY)
    second = await anna.share_one(picture(), "Bob", wait=False)
    revoke(anna, first.grant)
    before = own_hashes(anna)
    assert len(before) == limits.REVOCATIONS
    with pytest.raises(RevocationsFullError, match=str(limits.REVOCATIONS)):
        revoke(anna, second.grant)
    assert own_hashes(anna) == before


async def test_a_full_list_loses_grants_and_words_that_ended_long_ago(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    anna = joined.anna
    first = await anna.share_one(picture(), "Bob", until=NOW + DAY)
    second = await anna.share_one(picture(), "Bob", wait=False)
    third = await anna.share_one(picture(), "Bob", wait=False)
    said = anna.engine.granting.attest("Bob", "role=family", NOW + DAY)
    revoke(anna, first.grant)
    anna.engine.granting.unattest("Bob", "role=family")
    ended = {bytes.fromhex(first.grant or ""), bytes.fromhex(said.hash)}
    anna.parts.papers.revoke(hashed(number) for number in range(limits.REVOCATIONS - 2))
    # Not as soon as it has ended: others' clocks may be behind.
    clock.time = NOW + DAY + limits.REVOCATIONS_SECONDS - 1
    with pytest.raises(RevocationsFullError):
        revoke(anna, second.grant)
    assert own_hashes(anna) >= ended
    clock.time += 1
    revoke(anna, second.grant)
    revoke(anna, third.grant)
    assert not own_hashes(anna) & ended
    assert len(own_hashes(anna)) == limits.REVOCATIONS
    states = {grant.hash: grant.state for grant in anna.engine.granting.grants(None, None)}
    assert states == {first.grant: "expired", second.grant: "revoked", third.grant: "revoked"}


async def test_a_list_with_the_highest_number_is_said_to_be_that_and_is_still_shown(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    anna = joined.anna
    item = await anna.share_one(picture(), "Bob", wait=False)
    fill(anna, LAST_SEQ)
    before = own_hashes(anna)
    with pytest.raises(RevocationsFullError, match="number"):
        revoke(anna, item.grant)
    clock.time = NOW + 2 * DAY
    assert own_hashes(anna) == before
