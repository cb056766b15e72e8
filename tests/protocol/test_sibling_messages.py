"""Messages between devices of one person: there and back, and every limit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import MalformedError
from kinlight.protocol import limits, messages, sibling_messages
from kinlight.protocol.messages import Message
from kinlight.protocol.sibling_messages import (
    SIBLING_WORK,
    SiblingAll,
    SiblingHave,
    SiblingKeep,
    SiblingKept,
    SiblingLetGo,
    SiblingPreview,
    SiblingPreviewAsk,
    SiblingRecords,
    fitting,
)

from .test_spec import page, table

keys = st.binary(min_size=32, max_size=32)
ids = st.binary(min_size=16, max_size=16)
vectors = st.dictionaries(keys, st.integers(0, 2**63 - 1), max_size=5).map(
    lambda found: tuple(sorted(found.items()))
)
photos = st.sets(ids, max_size=5).map(lambda found: tuple(sorted(found)))
sides = st.integers(0, 2**16 - 1)
optional = keys | st.just(b"")

FORMS: dict[type[Message], st.SearchStrategy[Message]] = {
    SiblingHave: st.builds(SiblingHave, st.integers(0, 2**32 - 1), vectors),
    SiblingRecords: st.builds(
        SiblingRecords,
        st.binary(max_size=1024),
        st.lists(st.binary(max_size=99), max_size=5).map(tuple),
    ),
    SiblingAll: st.builds(SiblingAll, vectors),
    SiblingKeep: st.builds(SiblingKeep, photos),
    SiblingKept: st.builds(SiblingKept, photos),
    SiblingLetGo: st.builds(SiblingLetGo, photos),
    SiblingPreviewAsk: st.builds(SiblingPreviewAsk, ids),
    SiblingPreview: st.builds(SiblingPreview, ids, optional, optional, sides, sides),
}


def test_every_message_is_tested_here() -> None:
    assert set(FORMS) == set(SIBLING_WORK)


@given(st.one_of(*FORMS.values()))
def test_a_message_reads_back(message: Message) -> None:
    assert messages.decode(message.encode()) == message


K, P = bytes(32), bytes(16)
BAD: dict[str, list[Value]] = {
    "65 devices": [100, 0, [[n.to_bytes(32), 1] for n in range(65)]],
    "devices that fall": [100, 0, [[b"\1" * 32, 1], [K, 1]]],
    "a device twice": [102, [[K, 1], [K, 2]]],
    "a moment of 64 bits": [102, [[K, 2**63]]],
    "a pair of three": [102, [[K, 1, 1]]],
    "lacks of 33 bits": [100, 2**32, []],
    "513 records": [101, b"", [b""] * (limits.SIBLING_BATCH + 1)],
    "a record that is too long": [101, b"", [bytes(limits.SIBLING_RECORD_BYTES + 81)]],
    "certificates of 1025 bytes": [101, bytes(1025), []],
    "257 photos": [103, [n.to_bytes(16) for n in range(limits.SIBLING_ASKED + 1)]],
    "a photo twice": [104, [P, P]],
    "photos that fall": [105, [b"\1" * 16, P]],
    "a photo of 15 bytes": [106, bytes(15)],
    "a key of 31 bytes": [107, P, K, bytes(31), 1, 1],
    "a side of 17 bits": [107, P, K, K, 2**16, 1],
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_beyond_a_limit_is_malformed(name: str) -> None:
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(BAD[name]))


def test_each_limit_can_be_reached() -> None:
    at: list[list[Value]] = [
        [100, 2**32 - 1, [[n.to_bytes(32), 2**63 - 1] for n in range(limits.SIBLING_DEVICES)]],
        [101, bytes(1024), [b"record"] * limits.SIBLING_BATCH],
        [103, [n.to_bytes(16) for n in range(limits.SIBLING_ASKED)]],
    ]
    for body in at:
        messages.decode(encoding.encode(body))


@given(st.lists(st.integers(0, limits.SIBLING_RECORD_BYTES), min_size=1, max_size=30))
def test_what_fits_into_a_message_is_at_least_one_record_and_no_more_than_it_holds(
    lengths: list[int],
) -> None:
    records = [bytes(length) for length in lengths]
    some = fitting(records)
    assert 1 <= len(some) <= limits.SIBLING_BATCH
    assert list(some) == records[: len(some)]
    assert len(SiblingRecords(bytes(1024), some).encode()) <= limits.MESSAGE_BYTES


def test_the_page_has_the_messages_and_their_fields() -> None:
    rows = table(page("siblings.md"), "Messages")
    told = {int(row[0]): row[1].strip("`") for row in rows}
    assert told == {kind.number: kind.__name__ for kind in SIBLING_WORK}
    for row in rows:
        kind = next(each for each in SIBLING_WORK if each.number == int(row[0]))
        fields = [name for name in re.findall(r"`(\w+)`", row[2]) if name in kind.__slots__]
        assert fields == list(kind.__slots__)
    assert {kind.since for kind in SIBLING_WORK} == {sibling_messages.SINCE}
