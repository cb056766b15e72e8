"""Whereabouts that contacts leave for each other, and who keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import KinlightError, MalformedError, SealBrokenError
from kinlight.crypto.secret import Secret
from kinlight.crypto.wrap import wrap
from kinlight.protocol import limits, rendezvous
from kinlight.protocol.delivery import DAY_SECONDS, day_of
from kinlight.protocol.rendezvous import (
    ANSWER_BYTES,
    RECORD_BYTES,
    REQUEST_BYTES,
    Answer,
    Board,
    Notice,
    Request,
    requests,
    tag_of,
)

from .people import NOW, Person, fixed

ALICE, BOB = Person.named("Alice"), Person.named("Bob")
SECRET = Secret(fixed("pair secret"))
PHONE = ALICE.signing_key("phone").public
ADDRESSES = (
    "/ip4/192.0.2.7/tcp/4711/p2p/12D3KooWGYQQ",
    "/ip6/2001:db8::7/tcp/4711/p2p/12D3KooWGYQQ",
)
NOTICE = Notice(ALICE.identity, PHONE, NOW, ADDRESSES)
DAY = day_of(NOW)
FILLER = Secret(fixed("filler"))


def opened(record: bytes, now: int = NOW, secret: Secret = SECRET) -> Notice:
    return Notice.open(record, secret, ALICE.identity, now)


def sealed(value: Value, fill: int | None = None, day: int = DAY) -> bytes:
    """Any value as a record, sealed as the page says."""
    data = encoding.encode(value)
    room = RECORD_BYTES - 72 - 2 - len(data)
    filled = len(data).to_bytes(2) + data + bytes(room if fill is None else fill)
    key = SECRET.derive(b"kinlight/rendezvous-key1")
    return wrap(key, b"kinlight/rendezvous-record1\x00" + tag_of(SECRET, day), filled)


def body(**changes: Value) -> list[Value]:
    fields: dict[str, Value] = {
        "version": 1, "type": "notice", "identity": ALICE.identity, "device": PHONE, "issued": NOW,
        "addresses": list(ADDRESSES),
    }  # fmt: skip
    return list({**fields, **changes}.values())


def test_a_contact_reads_what_the_other_left() -> None:
    assert opened(NOTICE.seal(SECRET)) == NOTICE
    assert opened(sealed(body())) == NOTICE


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_a_clock_that_is_a_day_off_still_reads_it(days: int) -> None:
    assert opened(NOTICE.seal(SECRET), NOW + days * DAY_SECONDS) == NOTICE


@pytest.mark.parametrize("days", [-2, 2])
def test_what_is_two_days_off_is_not_read(days: int) -> None:
    with pytest.raises(SealBrokenError):
        opened(NOTICE.seal(SECRET), NOW + days * DAY_SECONDS)


def test_each_pair_and_each_day_has_a_tag_of_its_own() -> None:
    secrets = [SECRET, Secret(fixed("another"))]
    assert len({tag_of(secret, day) for secret in secrets for day in (DAY, DAY + 1)}) == 4


def test_every_record_is_as_long_whatever_is_in_it() -> None:
    for count in (0, 1, 8, 30):
        record = Notice(ALICE.identity, PHONE, NOW, ("/ip4/192.0.2.7/tcp/1",) * count).seal(SECRET)
        assert len(record) == RECORD_BYTES


def test_the_last_addresses_are_left_out_where_there_is_no_room() -> None:
    long = tuple(f"{number}".ljust(limits.RENDEZVOUS_ADDRESS_BYTES, "x") for number in range(8))
    found = opened(Notice(ALICE.identity, PHONE, NOW, long).seal(SECRET)).addresses
    assert 0 < len(found) < 8
    assert found == long[: len(found)]
    over = ("x" * (limits.RENDEZVOUS_ADDRESS_BYTES + 1), *ADDRESSES)
    assert opened(Notice(ALICE.identity, PHONE, NOW, over).seal(SECRET)).addresses == ADDRESSES


def test_another_secret_opens_nothing() -> None:
    with pytest.raises(SealBrokenError):
        opened(NOTICE.seal(SECRET), secret=Secret(fixed("another")))


def test_our_own_record_shown_to_us_is_not_the_others() -> None:
    own = Notice(BOB.identity, BOB.signing_key("phone").public, NOW, ADDRESSES)
    with pytest.raises(MalformedError):
        opened(own.seal(SECRET))


def test_a_record_sealed_for_another_day_than_its_own_is_refused() -> None:
    with pytest.raises(MalformedError):
        opened(sealed(body(issued=NOW - DAY_SECONDS)))


@given(at=st.integers(0, RECORD_BYTES - 1), bit=st.integers(0, 7))
def test_a_record_that_was_altered_anywhere_is_refused(at: int, bit: int) -> None:
    record = bytearray(NOTICE.seal(SECRET))
    record[at] ^= 1 << bit
    with pytest.raises(SealBrokenError):
        opened(bytes(record))


@pytest.mark.parametrize("length", [0, RECORD_BYTES - 1, RECORD_BYTES + 1])
def test_a_record_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        opened(NOTICE.seal(SECRET)[:length].ljust(length, b"\0"))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"type": "ticket"},
        {"identity": b"x"},
        {"device": b"x" * 33},
        {"issued": "now"},
        {"addresses": ["/ip4"] * 9},
        {"addresses": ["x" * 256]},
        {"addresses": [b"/ip4"]},
        {"more": 0},
    ],
)
def test_a_record_of_another_form_is_refused(changes: dict[str, Value]) -> None:
    with pytest.raises(MalformedError):
        opened(sealed(body(**changes)))


def test_a_fill_that_is_no_zeros_or_too_short_a_body_is_refused() -> None:
    data = encoding.encode(body())
    key = SECRET.derive(b"kinlight/rendezvous-key1")
    context = b"kinlight/rendezvous-record1\x00" + tag_of(SECRET, DAY)
    room = RECORD_BYTES - 72 - 2
    for filled in (
        len(data).to_bytes(2) + data + b"\1" * (room - len(data)),
        (room + 1).to_bytes(2) + data + bytes(room - len(data)),
    ):
        with pytest.raises(MalformedError):
            opened(wrap(key, context, filled))


# Requests and answers.


def record(number: int) -> bytes:
    return number.to_bytes(4) + bytes(RECORD_BYTES - 4)


def tag(number: int) -> bytes:
    return number.to_bytes(32)


def test_the_largest_request_and_answer_are_read_and_one_more_is_not() -> None:
    left = tuple((tag(number), record(number)) for number in range(limits.RENDEZVOUS_LEFT))
    asked = tuple(tag(number) for number in range(limits.RENDEZVOUS_ASKED))
    most = Request(left, asked)
    assert len(most.encode()) <= REQUEST_BYTES
    assert Request.decode(most.encode()) == most
    for more in (Request((*left, left[0]), asked), Request(left, (*asked, tag(0)))):
        with pytest.raises(MalformedError):
            Request.decode(more.encode())
    found = tuple(record(number) for number in range(limits.RENDEZVOUS_FOUND))
    answer = Answer(limits.RENDEZVOUS_LEFT, found)
    assert len(answer.encode()) <= ANSWER_BYTES
    assert Answer.decode(answer.encode()) == answer
    with pytest.raises(MalformedError):
        Answer.decode(Answer(0, (*found, record(0))).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (Request.decode, Answer.decode):
        try:
            read(data)
        except KinlightError:
            continue


def test_how_many_are_asked_for_is_rounded_up_and_in_no_order() -> None:
    missing = [Secret(fixed(f"pair {number}")) for number in range(3)]
    (request,) = requests(NOTICE, missing[:1], missing, NOW, FILLER)
    assert len(request.asked) == limits.RENDEZVOUS_STEP
    assert list(request.asked) == sorted(request.asked)
    wanted = {tag_of(secret, DAY + off) for secret in missing for off in (-1, 0, 1)}
    assert wanted < set(request.asked)
    assert [each for each, _ in request.left] == [tag_of(missing[0], DAY)]


def test_who_is_asked_again_sees_the_same_tags() -> None:
    missing = [Secret(fixed(f"pair {number}")) for number in range(3)]
    (first,) = requests(NOTICE, [], missing, NOW, FILLER)
    (again,) = requests(NOTICE, [], missing, NOW, FILLER)
    assert first.asked == again.asked
    (tomorrow,) = requests(NOTICE, [], missing, NOW + DAY_SECONDS, FILLER)
    # Of a tag that somebody made and of one that nobody made as many come back the next day.
    assert len(set(first.asked) & set(tomorrow.asked)) == limits.RENDEZVOUS_STEP * 2 // 3
    (others,) = requests(NOTICE, [], missing, NOW, Secret(fixed("another filler")))
    assert len(set(first.asked) & set(others.asked)) == 3 * len(missing)


def test_what_is_left_is_in_no_order_either() -> None:
    contacts = [Secret(fixed(f"pair {number}")) for number in range(20)]
    (request,) = requests(NOTICE, contacts, [], NOW, FILLER)
    tags = [tag for tag, _ in request.left]
    assert tags == sorted(tag_of(each, DAY) for each in contacts)


def test_many_contacts_take_several_requests() -> None:
    many = [Secret(fixed(f"pair {number}")) for number in range(limits.RENDEZVOUS_LEFT + 1)]
    made = requests(NOTICE, many, many, NOW, FILLER)
    assert [len(each.left) for each in made] == [limits.RENDEZVOUS_LEFT, 1]
    assert len({each for request in made for each in request.asked}) >= 3 * len(many)
    assert requests(NOTICE, [], [], NOW, FILLER) == []


# Who keeps them.


def test_each_of_the_two_is_given_what_the_other_left() -> None:
    board = Board()
    assert board.answer(Request(((tag(1), record(1)),)), b"anna", b"A", 0.0) == Answer(1, ())
    found = board.answer(Request(((tag(1), record(2)),), (tag(1),)), b"bob", b"B", 1.0)
    assert found == Answer(1, (record(1),))
    assert board.answer(Request(asked=(tag(1), tag(2))), b"anna", b"A", 2.0).found == (record(2),)


def test_a_later_record_of_the_same_peer_takes_the_place_of_its_earlier_one() -> None:
    board = Board()
    for number in range(3):
        board.answer(Request(((tag(1), record(number)),)), b"anna", b"A", 0.0)
    assert len(board) == 1
    assert board.answer(Request(asked=(tag(1),)), b"bob", b"B", 0.0).found == (record(2),)


def test_what_was_left_two_days_ago_is_gone() -> None:
    board = Board()
    board.answer(Request(((tag(1), record(1)),)), b"anna", b"A", 0.0)
    ask = Request(asked=(tag(1),))
    end = limits.RENDEZVOUS_SECONDS
    assert board.answer(ask, b"bob", b"B", end - 1.0).found
    assert not board.answer(ask, b"bob", b"B", float(end)).found
    assert len(board) == 0


def leave(board: Board, owner: int, count: int, start: int = 0) -> int:
    kept = 0
    for number in range(start, start + count):
        left = ((owner.to_bytes(16) + number.to_bytes(16), record(number)),)
        kept += board.answer(Request(left), owner.to_bytes(4), owner.to_bytes(4), 0.0).kept
    return kept


def test_one_contact_fills_its_own_places_alone() -> None:
    board = Board()
    most = limits.RENDEZVOUS_PER_CONTACT
    assert leave(board, 1, most + 1) == most
    assert leave(board, 1, 1) == 1  # in the place of an earlier one
    assert leave(board, 2, 1) == 1


def test_all_together_have_so_many_places() -> None:
    board = Board()
    owners = limits.RENDEZVOUS_RECORDS // limits.RENDEZVOUS_PER_CONTACT
    for owner in range(owners):
        leave(board, owner, limits.RENDEZVOUS_PER_CONTACT)
    assert len(board) == limits.RENDEZVOUS_RECORDS
    assert leave(board, owners, 1) == 0


def test_one_tag_has_places_for_so_many_peers() -> None:
    board = Board()
    kept = [
        board.answer(Request(((tag(1), record(each)),)), bytes([each]), bytes([each]), 0.0).kept
        for each in range(limits.RENDEZVOUS_PER_TAG + 1)
    ]
    assert kept == [1] * limits.RENDEZVOUS_PER_TAG + [0]


def test_the_days_before_1970_do_not_exist() -> None:
    assert rendezvous.days_around(0) == (0, 1)
