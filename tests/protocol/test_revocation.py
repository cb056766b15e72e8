"""What was taken back stays so: newer lists, older ones, forks, stale ones, stolen devices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.errors import MalformedError
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.protocol import limits
from kinlight.protocol.errors import (
    BrokenRevocationsError,
    OldRevocationsError,
    RevocationsFullError,
    RevokedDeviceError,
)
from kinlight.protocol.revocation import (
    LAST_SEQ,
    RevocationList,
    Revocations,
    Standing,
    device_hash,
)

from .people import NOW, Person, fixed

DAY, WEEK = limits.REVOCATIONS_RENEWED_SECONDS, limits.REVOCATIONS_SECONDS
ONE, TWO, THREE = (fixed(f"statement {number}") for number in range(3))
ALICE, BOB = Person.named("Alice"), Person.named("Bob")
PHONE, LAPTOP = ALICE.signing_key("phone"), ALICE.signing_key("laptop")
DEVICES = {PHONE.public: ALICE.identity, LAPTOP.public: ALICE.identity}


def listed(*hashes: bytes, seq: int = 1, as_of: int = NOW, device: str = "phone") -> RevocationList:
    return RevocationList.sign(ALICE.signing_key(device), ALICE.identity, seq, as_of, hashes)


def renewed(found: RevocationList, signer: SigningKey, now: int, **more: Any) -> RevocationList:
    """The next list of somebody who knows but this one."""
    return Standing(found).renewed(signer, now, certifier=True, **more)


def test_a_list_is_read_as_it_was_signed() -> None:
    made = listed(TWO, ONE, device_hash(LAPTOP.public))
    read = RevocationList.decode(made.signed.encode())
    assert read == made
    assert read.hashes == {ONE, TWO, device_hash(LAPTOP.public)}
    read.verify(DEVICES)


def test_a_list_is_by_a_device_of_its_issuer() -> None:
    made = listed(ONE)
    for devices in ({}, {PHONE.public: BOB.identity}, {LAPTOP.public: ALICE.identity}):
        with pytest.raises(BrokenRevocationsError):
            made.verify(devices)
    changed = RevocationList.read(Signed(made.signed.body.replace(ONE, TWO), made.signed.signature))
    with pytest.raises(BrokenRevocationsError):
        changed.verify(DEVICES)


def many(count: int) -> list[bytes]:
    return [number.to_bytes(32) for number in range(count)]


def test_a_list_holds_4096_hashes_and_no_more() -> None:
    full = listed(*many(limits.REVOCATIONS))
    assert len(full.signed.body) <= limits.REVOCATIONS_BYTES
    assert RevocationList.decode(full.signed.encode()) == full
    with pytest.raises(RevocationsFullError):
        listed(*many(limits.REVOCATIONS + 1))
    with pytest.raises(RevocationsFullError):
        renewed(full, PHONE, NOW, add=[ONE])
    items = full.signed.unverified()
    items[-1] = [*many(limits.REVOCATIONS), b"\xff" * 32]
    with pytest.raises((MalformedError, encoding.NotEncodableError)):
        RevocationList.read(PHONE.sign_value(b"kinlight/revs1", items))


def test_a_body_beyond_its_bytes_is_not_even_read() -> None:
    signed = Signed(bytes(limits.REVOCATIONS_BYTES + 1), bytes(64))
    with pytest.raises(MalformedError):
        RevocationList.decode(signed.encode())


# Who may take a device back: the root key before a certifier, that before any other device.


def by_root(*hashes: bytes, seq: int = NOW, as_of: int = NOW) -> RevocationList:
    return RevocationList.sign(ALICE.root, ALICE.identity, seq, as_of, hashes)


LOST, THIEF = device_hash(LAPTOP.public), device_hash(PHONE.public)


def test_the_root_key_signs_a_list_that_needs_no_certificate() -> None:
    made = by_root(ONE)
    assert made.by_root
    made.verify({})
    changed = RevocationList.read(Signed(made.signed.body.replace(ONE, TWO), made.signed.signature))
    with pytest.raises(BrokenRevocationsError):
        changed.verify({})


def test_no_number_of_a_device_stands_against_the_root_key() -> None:
    known = Standing(listed(LOST, seq=LAST_SEQ, as_of=NOW + DAY)).take(by_root(THIEF, seq=5))
    assert known.revokes_device(PHONE.public)
    assert not known.revokes_device(LAPTOP.public)
    with pytest.raises(OldRevocationsError):  # of before it
        known.take(listed(LOST, seq=LAST_SEQ, as_of=NOW - 1, device="tablet"))
    with pytest.raises(RevokedDeviceError):
        known.take(listed(LOST, seq=LAST_SEQ, as_of=NOW + DAY))


def test_what_the_root_key_took_back_no_device_gives_back() -> None:
    known = Standing.of(by_root(THIEF, seq=5), certifier=False)
    known = known.take(listed(ONE, seq=6, as_of=NOW + 1, device="laptop"))
    assert known.revokes_device(PHONE.public)
    assert known.revokes(ONE)
    assert [each.seq for each in known.lists] == [5, 6]
    with pytest.raises(OldRevocationsError):
        known.take(by_root(seq=5, as_of=NOW + DAY))
    assert not known.take(by_root(seq=7, as_of=NOW + DAY)).revokes_device(PHONE.public)


def test_a_device_that_may_not_certify_takes_no_device_back() -> None:
    alone = Standing.of(listed(LOST, ONE), certifier=False)
    beside = Standing(listed(device="laptop")).take(listed(LOST, ONE, seq=9), certifier=False)
    for known in (alone, beside):
        assert known.revokes(ONE)
        assert not known.revokes_device(LAPTOP.public)


@pytest.mark.parametrize("first", ["thief", "owner"])
def test_a_stolen_device_that_may_not_certify_can_not_use_up_the_numbers(first: str) -> None:
    loud = listed(LOST, seq=LAST_SEQ, as_of=NOW + DAY)
    owner = listed(THIEF, TWO, seq=2, device="laptop")
    if first == "thief":
        known = Standing.of(loud, certifier=False).take(owner)
    else:
        known = Standing(owner)
        with pytest.raises(RevokedDeviceError):
            known.take(loud, certifier=False)
    assert known.revokes_device(PHONE.public)
    assert not known.revokes_device(LAPTOP.public)
    later = known.renewed(LAPTOP, NOW + 1, certifier=True, add=[THREE])
    assert known.take(later).revokes(THREE)
    assert later.as_of == NOW + 1
    assert known.fresh(NOW)


def test_of_two_certifiers_who_revoke_each_other_the_first_heard_counts() -> None:
    one, other = listed(LOST), listed(THIEF, seq=2, device="laptop")
    known = Standing(one)
    with pytest.raises(RevokedDeviceError):
        known.take(other)
    with pytest.raises(RevokedDeviceError):
        Standing(other).take(listed(LOST, seq=3))
    after = known.take(by_root(THIEF))
    assert after.revokes_device(PHONE.public)
    assert not after.revokes_device(LAPTOP.public)


def test_a_next_list_has_what_all_before_it_took_back() -> None:
    known = Standing(listed(ONE, device="laptop")).take(listed(TWO, seq=4), certifier=False)
    mine = known.renewed(LAPTOP, NOW + 1, certifier=True, add=[THREE])
    assert mine.hashes == {ONE, TWO, THREE}
    minor = known.renewed(PHONE, NOW + 1, certifier=False, add=[THREE])
    assert (minor.seq, minor.hashes) == (5, {ONE, TWO, THREE})
    after = known.take(mine).take(minor, certifier=False)
    assert after.renewed(LAPTOP, NOW + 2, certifier=True) is mine
    assert after.renewed(PHONE, NOW + 2, certifier=False) is minor


def test_two_lists_of_one_number_by_two_devices_are_no_lie() -> None:
    assert not Standing(listed(ONE)).take(listed(TWO, device="laptop")).is_lie
    assert Standing(listed(ONE)).take(listed(TWO)).is_lie


def test_with_a_device_goes_what_it_certified() -> None:
    known = {ALICE.identity: Standing(listed(THIEF, device="laptop"))}
    child, other = fixed("child"), fixed("other")
    revocations = Revocations(known, certified_by={child: PHONE.public, other: LAPTOP.public})
    assert revocations.revokes_device(ALICE.identity, child)
    assert not revocations.revokes_device(ALICE.identity, other)


# Renewing.


def test_a_list_without_news_is_signed_again_once_a_day() -> None:
    first = listed(ONE)
    assert renewed(first, PHONE, NOW + DAY - 1) is first
    assert renewed(first, PHONE, NOW + DAY - 1, add=[ONE]) is first
    second = renewed(first, LAPTOP, NOW + DAY)
    assert (second.seq, second.as_of, second.hashes) == (2, NOW + DAY, {ONE})
    second.verify(DEVICES)


def test_news_go_out_at_once() -> None:
    second = renewed(listed(ONE), PHONE, NOW + 1, add=[TWO], drop=[ONE])
    assert (second.seq, second.as_of, second.hashes) == (2, NOW + 1, {TWO})


def test_a_clock_set_back_does_not_make_an_older_list() -> None:
    second = renewed(listed(ONE), PHONE, NOW - 10**6, add=[TWO])
    assert (second.seq, second.as_of) == (2, NOW)
    assert Standing(listed(ONE)).take(second).revokes(TWO)


# What is known.


def test_of_two_lists_the_newer_counts() -> None:
    known = Standing(listed(ONE)).take(listed(ONE, TWO, seq=2, as_of=NOW + 1))
    assert known.revokes(TWO)
    assert known.fork is None


def test_the_same_list_again_is_no_news() -> None:
    known = Standing(listed(ONE))
    assert known.take(listed(ONE)) is known


def test_an_older_list_does_not_come_back() -> None:
    known = Standing(listed(ONE, seq=2))
    with pytest.raises(OldRevocationsError):
        known.take(listed(seq=1, as_of=NOW + DAY))


def test_a_higher_number_of_an_earlier_time_is_an_older_list() -> None:
    with pytest.raises(OldRevocationsError):
        Standing(listed(ONE)).take(listed(seq=2, as_of=NOW - 1))


def test_lists_of_two_identities_are_not_compared() -> None:
    other = RevocationList.sign(BOB.signing_key("phone"), BOB.identity, 2, NOW, [])
    with pytest.raises(ValueError, match="another identity"):
        Standing(listed(ONE)).take(other)


def test_a_fork_is_kept_as_proof_and_both_lists_count() -> None:
    here, there = listed(ONE), listed(TWO, device="laptop")
    known = Standing(here).take(there)
    assert known.fork == (here, there)
    for proof in (here, there):
        RevocationList.decode(proof.signed.encode()).verify(DEVICES)
    assert known.revokes(ONE)
    assert known.revokes(TWO)
    assert known.take(listed(THREE)) is known
    assert known.take(there) is known


def test_the_same_list_under_another_time_is_a_fork() -> None:
    assert Standing(listed(ONE)).take(listed(ONE, as_of=NOW + 1)).fork is not None


def test_a_higher_number_ends_a_fork_and_the_proof_stays() -> None:
    known = Standing(listed(ONE)).take(listed(TWO, device="laptop")).take(listed(TWO, seq=2))
    assert known.fork is not None
    assert not known.revokes(ONE)
    assert known.revokes(TWO)


def test_a_second_fork_counts_as_the_first_did() -> None:
    known = Standing(listed(ONE)).take(listed(TWO)).take(listed(ONE, seq=2))
    known = known.take(listed(THREE, seq=2))
    assert known.fork is not None
    assert known.fork[0].seq == 2
    assert [known.revokes(one) for one in (ONE, TWO, THREE)] == [True, False, True]


def test_a_list_with_the_highest_number_has_none_after_it_and_says_so() -> None:
    last = renewed(listed(ONE, seq=LAST_SEQ - 1), ALICE.signing_key("phone"), NOW + 1, add=[TWO])
    assert last.seq == LAST_SEQ
    assert renewed(last, ALICE.signing_key("phone"), NOW + 1, add=[TWO]) is last
    with pytest.raises(RevocationsFullError, match="number"):
        renewed(last, ALICE.signing_key("phone"), NOW + 1, add=[THREE])


@pytest.mark.parametrize("seq", [1, 2, 2**64 - 1])
def test_a_revoked_device_can_not_take_it_back(seq: int) -> None:
    known = Standing(listed(device_hash(PHONE.public), device="laptop"))
    with pytest.raises(RevokedDeviceError):
        known.take(listed(seq=seq, as_of=NOW + 1))
    assert known.take(listed(ONE, seq=2, device="laptop")).revokes(ONE)


def test_a_device_revoked_in_a_fork_signs_no_further_list() -> None:
    known = Standing(listed()).take(listed(device_hash(PHONE.public), device="laptop"))
    with pytest.raises(RevokedDeviceError):
        known.take(listed(seq=2))


@given(st.permutations([1, 2, 3, 4]))
def test_whatever_the_order_in_which_lists_come_the_newest_stands(order: Sequence[int]) -> None:
    lists = {seq: listed(*many(seq), seq=seq, as_of=NOW + seq) for seq in order}
    known = Standing(lists[order[0]])
    for seq in order[1:]:
        try:
            known = known.take(lists[seq])
        except OldRevocationsError:
            assert seq < known.newest.seq
    assert known == Standing(lists[4])


def test_a_fork_stands_whichever_side_came_first() -> None:
    sides = [listed(ONE), listed(TWO, device="laptop"), listed(seq=0)]
    for order in itertools.permutations(sides):
        known = Standing(order[0])
        for found in order[1:]:
            try:
                known = known.take(found)
            except OldRevocationsError:
                continue
        assert known.fork is not None
        assert known.revokes(ONE)
        assert known.revokes(TWO)


# Age.


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (0, True),
        (WEEK - 1, True),
        (WEEK, False),
        (10**9, False),
        (-limits.CLOCK_SECONDS, True),
        (-limits.CLOCK_SECONDS - 1, False),
    ],
)
def test_a_list_is_fresh_for_seven_days_and_never_before_its_time(age: int, fresh: bool) -> None:
    standing = Standing(listed(ONE))
    assert standing.fresh(NOW + age) == fresh
    assert Revocations({ALICE.identity: standing}).stale(ALICE.identity, NOW + age) != fresh


def test_of_a_fork_the_older_list_says_how_old_it_is() -> None:
    known = Standing(listed(ONE, as_of=NOW - WEEK)).take(listed(TWO))
    assert not known.fresh(NOW)


def test_who_has_no_list_revokes_nothing_and_is_never_stale() -> None:
    nothing = Revocations()
    assert not nothing.revokes(ALICE.identity, ONE)
    assert not nothing.revokes_device(ALICE.identity, PHONE.public)
    assert not nothing.stale(ALICE.identity, NOW)


def test_ones_own_list_is_never_stale() -> None:
    known = {ALICE.identity: Standing(listed(as_of=0)), BOB.identity: Standing(listed(as_of=0))}
    assert not Revocations(known, own=ALICE.identity).stale(ALICE.identity, NOW)
    assert Revocations(known, own=ALICE.identity).stale(BOB.identity, NOW)


def test_a_device_is_named_by_no_hash_of_a_statement() -> None:
    assert device_hash(PHONE.public) != device_hash(LAPTOP.public)
    assert not Standing(listed(PHONE.public)).revokes_device(PHONE.public)


# Form.


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, 2),
        (1, "rev"),
        (2, bytes(31)),
        (3, bytes(33)),
        (4, b"1"),
        (5, "1"),
        (6, b""),
        (6, [ONE, ONE]),
        (6, sorted([ONE, TWO], reverse=True)),
        (6, [ONE[:31]]),
        (6, [ONE + b"x"]),
        (6, [1]),
    ],
    ids=str,
)
def test_a_list_of_another_form_is_refused(position: int, value: encoding.Value) -> None:
    items = listed(ONE).signed.unverified()
    items[position] = value
    with pytest.raises(MalformedError):
        RevocationList.read(PHONE.sign_value(b"kinlight/revs1", items))


def test_a_list_with_items_too_many_or_too_few_is_refused() -> None:
    items = listed(ONE).signed.unverified()
    for wrong in (items[:-1], [*items, 0]):
        with pytest.raises(MalformedError):
            RevocationList.read(PHONE.sign_value(b"kinlight/revs1", wrong))


_ANY = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=33) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_ANY, max_size=9), st.integers(0, 6), st.binary(max_size=200))
def test_anything_is_a_list_or_malformed(items: list[Any], kept: int, data: bytes) -> None:
    """Never another exception."""
    proper: list[Any] = [1, "revs", bytes(32), bytes(32), 1, NOW]
    body = encoding.encode([*proper[:kept], *items])
    for encoded in (Signed(body, bytes(64)).encode(), data):
        try:
            found = RevocationList.decode(encoded)
        except MalformedError:
            continue
        assert found.signed.encode() == encoded


def test_whoever_sees_all_its_lists_knows_the_same() -> None:
    one, other, later = listed(ONE), listed(TWO), listed(ONE, seq=2, as_of=NOW + 1)
    plain = Standing(one)
    forked = plain.take(other)
    after = forked.take(later)
    for known in (plain, forked, after):
        first, *more = known.lists
        seen = Standing(first)
        for found in more:
            seen = seen.take(found)
        assert seen == known
    assert after.lists == (one, other, later)
