"""Guardians: each keeps a share, and enough of them bring the words back."""

from __future__ import annotations

import pytest
from kinlight.crypto import guardians
from kinlight.crypto.errors import BadCertificateError, MalformedError, MixedSharesError
from kinlight.crypto.guardians import Share
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node import asking_shares
from kinlight.node.contact_errors import NoShareError, NoSuchContactError
from kinlight.node.errors import BadRequestError, OtherWordsError
from kinlight.protocol import guardian
from kinlight.protocol.guardian_messages import GuardianKept, GuardianShare

from .conftest import Start
from .network import Network
from .nodes import NOW, TestedNode
from .test_held_delivery import introduced


class Friends:
    """Anna and three who know her."""

    def __init__(self, anna: TestedNode, others: list[TestedNode]) -> None:
        self.anna, self.others = anna, others

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.others]

    def share_of(self, friend: TestedNode) -> Share:
        return Share.parse(friend.engine.guarding.reveal("Anna").share)

    async def all_kept(self) -> None:
        await self.anna.until(
            lambda: all(each.kept for each in self.anna.engine.guarding.view().guardians)
        )


@pytest.fixture
async def friends(network: Network, start: Start) -> Friends:
    assert not network.pipes
    anna = await start("Anna")
    others = [await start(name) for name in ("Bob", "Carol", "Dora")]
    for other in others:
        await introduced(anna, other)
    return Friends(anna, others)


def in_library(node: TestedNode) -> list[str]:
    rows = node.parts.database.rows("SELECT share FROM guardians WHERE share IS NOT NULL")
    return [row[0] for row in rows]


async def test_each_guardian_gets_one_share_and_two_of_three_bring_the_words_back(
    friends: Friends,
) -> None:
    anna = friends.anna
    found = anna.engine.guarding.split(anna.words, friends.names, 2)
    assert (found.need, [each.contact for each in found.guardians]) == (2, friends.names)
    await friends.all_kept()
    assert in_library(anna) == []  # nothing of it stays where the words were typed
    shares = [friends.share_of(each) for each in friends.others]
    assert len({share.number for share in shares}) == 3
    assert guardians.combine(shares[1:]).phrase() == anna.words.phrase()
    (guarded,) = friends.others[0].engine.guarding.view().guarded
    assert (guarded.contact, guarded.number, guarded.count, guarded.need) == ("Anna", 1, 3, 2)
    assert guarded.since == NOW


async def test_who_is_away_gets_its_share_when_it_comes(friends: Friends) -> None:
    anna, bob = friends.anna, friends.others[0]
    await bob.stop()
    anna.engine.guarding.split(anna.words, friends.names, 2)
    await anna.until(
        lambda: [each.kept for each in anna.engine.guarding.view().guardians] == [False, True, True]
    )
    assert len(in_library(anna)) == 1
    await bob.start()
    await anna.engine.reach("Bob", bob.address)
    await friends.all_kept()
    assert friends.share_of(bob).need == 2


async def test_a_new_split_takes_the_place_of_the_one_before(friends: Friends) -> None:
    anna, bob, carol = friends.anna, *friends.others[:2]
    anna.engine.guarding.split(anna.words, friends.names, 2)
    await friends.all_kept()
    old = friends.share_of(bob)
    anna.engine.guarding.split(anna.words, ["Bob", "Carol"], 2)
    await friends.all_kept()
    new = [friends.share_of(each) for each in (bob, carol)]
    assert guardians.combine(new).phrase() == anna.words.phrase()
    with pytest.raises(MixedSharesError):
        guardians.combine([old, new[1]])


async def test_an_answer_to_an_earlier_split_says_nothing_of_the_share_that_is_here_now(
    friends: Friends,
) -> None:
    anna, bob = friends.anna, friends.others[0]
    await bob.stop()
    anna.engine.guarding.split(anna.words, friends.names, 2)
    anna.parts.guarding.kept(bob_chain(friends), GuardianKept(bytes(32)))
    assert not anna.engine.guarding.view().guardians[0].kept


def bob_chain(friends: Friends):
    (chain,) = friends.anna.parts.library.devices(friends.others[0].identity)
    return chain


async def test_wrong_words_and_wrong_numbers_change_nothing(friends: Friends) -> None:
    guarding = friends.anna.engine.guarding
    with pytest.raises(OtherWordsError):
        guarding.split(RecoveryWords(Secret(bytes(32))), friends.names, 2)
    for names, need in ((friends.names, 1), (friends.names, 4), (["Bob", "Bob"], 2), (["Bob"], 2)):
        with pytest.raises(BadRequestError):
            guarding.split(friends.anna.words, names, need)
    with pytest.raises(NoSuchContactError):
        guarding.split(friends.anna.words, ["Bob", "Eve"], 2)
    assert guarding.view().guardians == []
    with pytest.raises(NoShareError):
        friends.others[0].engine.guarding.reveal("Anna")


async def test_a_share_that_is_not_by_its_owner_or_for_somebody_else_is_refused(
    friends: Friends,
) -> None:
    """A hostile contact plants nothing in another one's name, and moves no share."""
    anna, bob, carol, _ = friends.anna, *friends.others
    share = guardians.split(anna.words, 3, 2)[0]
    bobs, carols = bob.parts.device, carol.parts.device
    sealed = guardian.seal(anna.parts.device, bobs.chain, share, 3, NOW)
    contact = bob.parts.library.contact("Anna")
    assert isinstance(bob.parts.guarding.take(GuardianShare(sealed), contact), GuardianKept)
    forged = guardian.seal(carols, bobs.chain, share, 3, NOW)
    with pytest.raises(BadCertificateError):
        guardian.open_sealed(forged, bobs, anna.identity)
    moved = guardian.seal(anna.parts.device, carols.chain, share, 3, NOW)
    with pytest.raises(Exception):  # noqa: B017, PT011 - it does not open at all
        guardian.open_sealed(moved, bobs, anna.identity)
    for count in (1, 17):
        wrong = guardian.seal(anna.parts.device, bobs.chain, share, count, NOW)
        with pytest.raises(MalformedError):
            guardian.open_sealed(wrong, bobs, anna.identity)


def test_shares_are_typed_until_enough_are_there_and_a_slip_is_asked_for_again() -> None:
    words = RecoveryWords(Secret(bytes(range(32))))
    shares = guardians.split(words, 5, 3)
    typed = iter(
        [shares[0].words, shares[1].words[:-3], shares[0].words, shares[4].words, shares[2].words]
    )
    said: list[str] = []
    found = asking_shares.typed(said.append, lambda _: next(typed))
    assert found.phrase() == words.phrase()
    assert any("no share of recovery words" in line for line in said)
    assert "That one is here already. Ask another guardian for theirs." in said
    assert "2 of 3 are here." in said
    mixed = iter([shares[0].words, guardians.split(words, 5, 3)[1].words])
    with pytest.raises(MixedSharesError):
        asking_shares.typed(said.append, lambda _: next(mixed))
