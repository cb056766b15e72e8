"""Who is asked for which pieces when several sources bring one blob."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import PieceMismatchError
from kinlight.protocol import limits
from kinlight.protocol.claims import BESIDE, Claims, Share
from kinlight.protocol.transfer import Bitmap, Depth, Upload


def asked(share: Share | None) -> list[int]:
    """All that a fetch of this share names."""
    assert share is not None
    return [index for first, count in share.ranges for index in range(first, first + count)]


def came(claims: Claims, share: Share, *pieces: int) -> None:
    """Pieces come from a source and are written."""
    for index in pieces:
        share.take(index)
        claims.here(index)


def test_the_first_source_is_asked_for_all_that_is_missing() -> None:
    have = Bitmap(10)
    have.add(3)
    share = Claims(have).claim()
    assert share is not None
    assert share.ranges == ((0, 3), (4, 6))


def test_a_second_source_is_asked_for_half_of_what_the_first_may_not_send_yet() -> None:
    claims = Claims(Bitmap(20))
    first = claims.claim()
    assert first is not None
    first.allow(8)
    assert asked(claims.claim()) == list(range(14, 20))
    assert first.held_back == 6
    first.allow(6)
    came(claims, first, *range(14))
    assert first.done
    assert first.owed  # it does not know of that, and must be told to stop


def test_the_sole_source_owes_nothing_once_it_has_sent_all() -> None:
    claims = Claims(Bitmap(3))
    share = claims.claim()
    assert share is not None
    share.allow(3)
    came(claims, share, 2, 0)
    assert not share.done
    came(claims, share, 1)
    assert share.done
    assert not share.owed


def test_what_a_source_did_not_bring_is_asked_of_the_next() -> None:
    claims = Claims(Bitmap(6))
    first = claims.claim()
    assert first is not None
    first.allow(6)
    came(claims, first, 0)
    first.take(1)  # which turns out to be wrong
    assert claims.claim() is None
    claims.release(first)
    assert asked(claims.claim()) == [1, 2, 3, 4, 5]


def test_what_is_under_way_is_asked_again_only_of_who_is_in_a_hurry() -> None:
    claims = Claims(Bitmap(5))
    slow = claims.claim()
    assert slow is not None
    slow.allow(5)
    came(claims, slow, 0)
    assert claims.claim() is None
    quick = claims.claim(again=True)
    assert quick is not None
    assert asked(quick) == [3, 4]
    quick.allow(2)
    assert asked(claims.claim(again=True)) == [2]  # not one that is asked of two
    came(claims, quick, 3, 4)
    assert quick.done
    assert not quick.owed
    assert not slow.done
    slow.take(3)  # quietly: it was asked for it as well


def test_what_came_and_is_not_written_yet_is_not_asked_again() -> None:
    claims = Claims(Bitmap(1))
    share = claims.claim()
    assert share is not None
    share.allow(1)
    share.take(0)
    assert claims.claim(again=True) is None


@pytest.mark.parametrize("index", [4, 5, 9, 10, 65_535])
def test_a_piece_that_a_source_was_not_asked_for_is_refused(index: int) -> None:
    claims = Claims(Bitmap(10))
    share = claims.claim()
    assert share is not None
    share.allow(4)
    with pytest.raises(PieceMismatchError):
        share.take(index)


def test_a_piece_twice_is_refused() -> None:
    share = Claims(Bitmap(2)).claim()
    assert share is not None
    share.allow(2)
    share.take(0)
    with pytest.raises(PieceMismatchError):
        share.take(0)


def test_beside_others_little_of_a_share_is_under_way() -> None:
    share = Claims(Bitmap(100)).claim()
    assert share is not None
    assert (share.room(alone=True), share.room(alone=False)) == (100, BESIDE)
    share.allow(BESIDE)
    assert (share.room(alone=True), share.room(alone=False)) == (100 - BESIDE, 0)
    few = Claims(Bitmap(6)).claim()
    assert few is not None
    assert few.room(alone=False) == 3
    few.allow(3)
    assert few.room(alone=False) == 0


def test_more_gaps_than_a_fetch_may_name_are_asked_for_one_after_the_other() -> None:
    size = 2 * limits.RANGES + 10
    have = Bitmap(size)
    for index in range(0, size, 2):
        have.add(index)
    claims = Claims(have)
    first, second = claims.claim(), claims.claim()
    assert len(asked(first)) == limits.RANGES
    assert sorted(asked(first) + asked(second)) == list(range(1, size, 2))


@dataclass
class Sender:
    """One source as the receiver drives it: a real sender, with a wire and a queue to the disk."""

    claims: Claims
    depth: Depth = field(default_factory=Depth)
    share: Share | None = None
    upload: Upload | None = None
    queued: list[int] = field(default_factory=list[int])
    sent: int = 0

    def ask(self, *, again: bool) -> None:
        if self.share is None:
            self.share = self.claims.claim(again=again)
            if self.share is not None:
                credit = self.depth.open(self.share.room(alone=False))
                self.share.allow(credit)
                self.upload = Upload(self.claims.have.size, self.share.ranges, credit)

    def send(self) -> None:
        """One piece travels, if there is credit."""
        if self.share is not None and self.upload is not None:
            index = self.upload.take()
            if index is not None:
                assert self.depth.take()
                self.share.take(index)
                self.queued.append(index)
                self.sent += 1

    def write(self, count: int, everybody: list[Sender]) -> None:
        written, self.queued = self.queued[:count], self.queued[count:]
        for index in written:
            self.claims.here(index)
        if self.share is not None and self.upload is not None and written:
            credit = self.depth.written(len(written), self.share.room(alone=False))
            self.share.allow(credit)
            self.upload.add_credit(credit)
        for each in everybody:
            if each.share is not None and each.share.done:
                each.leave()

    def leave(self) -> None:
        """It is through, lied, stalled or was cut off."""
        if self.share is not None:
            self.claims.release(self.share)
        self.share, self.upload = None, None
        self.queued.clear()


SENDERS = 4
STEPS = st.lists(
    st.tuples(
        st.integers(0, SENDERS - 1),
        st.sampled_from(["ask", "hurry", "send", "send", "send", "write", "leave"]),
        st.integers(1, 20),
    ),
    max_size=150,
)


@given(st.integers(1, 200), st.sets(st.integers(0, 199)), STEPS, st.integers(0, SENDERS - 1))
def test_every_piece_comes_whatever_the_order_of_joins_lies_and_stalls(
    size: int, here: set[int], steps: list[tuple[int, str, int]], honest: int
) -> None:
    have = Bitmap(size)
    for index in here:
        if index < size:
            have.add(index)
    claims = Claims(have)
    senders = [Sender(claims) for _ in range(SENDERS)]
    hurried = False
    for number, action, count in steps:
        sender = senders[number]
        match action:
            case "ask" | "hurry":
                hurried = hurried or action == "hurry"
                sender.ask(again=action == "hurry")
            case "send":
                for _ in range(count):
                    sender.send()
            case "write":
                sender.write(count, senders)
            case _:
                sender.leave()
        claimed = [index for each in senders if each.share for index in each.share.claimed]
        assert not any(index in have for index in claimed)
        if not hurried:
            assert len(claimed) == len(set(claimed))
    # From now on all but one are silent, and that one is asked whenever it has nothing to do.
    while not have.complete:
        before = have.count
        senders[honest].ask(again=True)
        assert senders[honest].share is not None or any(each.queued for each in senders)
        for _ in range(limits.CREDIT):
            senders[honest].send()
        for each in senders:
            each.write(size, senders)
        assert have.count > before


@given(st.integers(1, 300), st.lists(st.integers(0, 2), min_size=1, max_size=400))
def test_sources_that_all_bring_their_part_bring_each_piece_once(
    size: int, turns: list[int]
) -> None:
    claims = Claims(Bitmap(size))
    senders = [Sender(claims) for _ in range(3)]
    while not claims.have.complete:
        for number in turns:
            senders[number].ask(again=False)
            senders[number].send()
            senders[number].write(1, senders)
    assert sum(sender.sent for sender in senders) == size


@given(st.integers(100, 2000))
def test_a_source_that_is_four_times_as_fast_brings_more_than_twice_as_much(size: int) -> None:
    claims = Claims(Bitmap(size))
    quick, slow = senders = [Sender(claims), Sender(claims)]
    while not claims.have.complete:
        for number in (0, 0, 1, 0, 0):
            senders[number].ask(again=False)
            senders[number].send()
            senders[number].write(1, senders)
    assert quick.sent > 2 * slow.sent
