"""What the process that looks for signs of editing may say, and what is not believed."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from kinlight.node import check_wire
from kinlight.node.check_wire import BrokenWorkerError, MissingPartError, Region, Seen
from kinlight.node.decoder_wire import BadAnswerError

SEEN = Seen("signs", "", 0.75, (Region(1, 2, 3, 4, 0.5),), "ab" * 32, b"\0\1", b"\7" * 60)
SIZE = (10, 6)


def packed(**changes: object) -> bytes:
    return msgpack.packb({**SEEN.to_value(), **changes})


def test_what_was_seen_comes_back_as_it_was_told() -> None:
    assert check_wire.answer(packed(), bytearray(b"\7" * 60), SIZE) == SEEN
    assert Seen.read(SEEN.to_value()) == Seen(*list(_values(SEEN))[:-1])


def _values(seen: Seen) -> tuple[Any, ...]:
    return (
        seen.verdict, seen.reason, seen.score, seen.regions, seen.model, seen.features, seen.map
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "fake"},
        {"verdict": 1},
        {"reason": "two\nlines"},
        {"reason": "x" * 501},
        {"score": 1.1},
        {"score": float("nan")},
        {"score": "1"},
        {"regions": [[0, 0, 11, 1, 0.5]]},
        {"regions": [[0, 0, 1, 7, 0.5]]},
        {"regions": [[-1, 0, 1, 1, 0.5]]},
        {"regions": [[0, 0, 0, 1, 0.5]]},
        {"regions": [[0, 0, 1, 0.5]]},
        {"regions": [[0, 0, 1, True, 0.5]]},
        {"regions": [[0, 0, 1, 1, 2]]},
        {"regions": [[0, 0, 1, 1, 1]] * 257},
        {"regions": {}},
        {"model": "AB" * 32},
        {"model": "ab"},
        {"features": "text"},
        {"features": bytes(65 * 1024)},
        {"more": 1},
    ],
)
def test_an_answer_with_a_field_that_is_not_what_it_must_be_is_none(
    changes: dict[str, object],
) -> None:
    with pytest.raises(BadAnswerError):
        check_wire.answer(packed(**changes), bytearray(60), SIZE)


def test_an_answer_that_lacks_a_field_or_brings_another_map_is_none() -> None:
    for name in SEEN.to_value():
        fields = SEEN.to_value()
        del fields[name]
        with pytest.raises(BadAnswerError):
            check_wire.answer(msgpack.packb(fields), bytearray(60), SIZE)
    with pytest.raises(BadAnswerError):
        check_wire.answer(packed(), bytearray(59), SIZE)


def test_a_process_that_can_not_says_what_it_lacks() -> None:
    check_wire.ready(msgpack.packb({"ready": True}))
    with pytest.raises(MissingPartError, match="torch"):
        check_wire.ready(msgpack.packb({"missing": "torch"}))
    for lie in ({"ready": 1, "more": 2}, {"missing": "two\nlines"}, {}):
        with pytest.raises(BadAnswerError):
            check_wire.ready(msgpack.packb(lie))
    with pytest.raises(BrokenWorkerError, match="memory"):
        check_wire.answer(msgpack.packb({"failed": "no memory"}), bytearray(), SIZE)
