"""What the node believes of what a decoder process answers: only what can be true."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Protocol

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import decoder_wire, own_python
from kinlight.node.decoder import Decoder, memory_file
from kinlight.node.decoder_wire import (
    ANSWER,
    HEADER_BYTES,
    MAX_PIECES,
    PUT_BYTES,
    Answer,
    BadAnswerError,
    answer_sizes,
)
from kinlight.node.facts import MAX_HIDDEN, MAX_TEXT, Facts
from kinlight.node.picture_errors import DecoderDiedError, DecoderTimeoutError

FACTS = Facts("jpeg", (4, 3), (3, 4), 6, 1, "2026-11-25T08:00:00", "exif:DateTimeOriginal")


def header(**fields: object) -> Answer:
    return Answer(msgpack.packb({"ok": True, **fields}, use_bin_type=True))


def test_facts_come_back_as_they_went() -> None:
    value = FACTS.to_value()
    assert header(facts=value).facts() == FACTS
    assert Facts.read(value) == FACTS


@pytest.mark.parametrize(
    "changes",
    [
        {"format": ""}, {"format": None}, {"format": "x" * (MAX_TEXT + 1)}, {"stored": [1]},
        {"stored": [0, 1]}, {"upright": [1, (1 << 20) + 1]}, {"upright": [1.0, 1]},
        {"orientation": 9}, {"orientation": True}, {"frames": -1}, {"captured": 3},
        {"location": 1}, {"hidden": "x"}, {"hidden": ["x"] * (MAX_HIDDEN + 1)}, {"hidden": [1]},
        {"c2pa": "fine"}, {"position": [91.0, 0.0]}, {"position": [float("nan"), 0.0]},
        {"position": [1, 2]}, {"more": 1}, {"damaged": None},
    ],
)  # fmt: skip
def test_facts_that_can_not_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadAnswerError):
        header(facts={**FACTS.to_value(), **changes}).facts()


@pytest.mark.parametrize("name", FACTS.to_value())
def test_facts_that_lack_something_are_refused(name: str) -> None:
    missing = FACTS.to_value()
    del missing[name]
    with pytest.raises(BadAnswerError):
        header(facts=missing).facts()


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"width": 0, "height": 1}, Answer.size),
        ({"width": 16_001, "height": 16_000}, Answer.size),
        ({"width": 1 << 21, "height": 1}, Answer.size),
        ({"height": 1}, Answer.size),
        ({"mode": "CMYK"}, Answer.mode),
        ({"mode": 3}, Answer.mode),
        ({"icc": -1}, Answer.profile_bytes),
        ({"icc": 1 << 40}, Answer.profile_bytes),
        ({"tables": [[4] + [1] * 64]}, Answer.tables),
        ({"tables": [[0] + [1] * 63]}, Answer.tables),
        ({"tables": [[0] + [1] * 64] * 2}, Answer.tables),
        ({"tables": [[0] + [65_536] * 64]}, Answer.tables),
        ({"tables": 1}, Answer.tables),
        ({"c2pa": "none", "c2pa_code": 1}, Answer.provenance),
        ({"c2pa": "trusted", "c2pa_code": None}, Answer.provenance),
    ],
)
def test_fields_that_can_not_be_are_refused(
    fields: dict[str, object], read: Callable[[Answer], object]
) -> None:
    with pytest.raises(BadAnswerError):
        read(header(**fields))


@pytest.mark.parametrize(
    ("pieces", "payload"),
    [
        ([[0, 11]], b""), ([[11, 0]], b""), ([[-1, 1]], b""), ([[0]], b""), ([[0, 1, 2]], b""),
        ([["a", 1]], b""), ([0], b""), ([3], b"ab"), ([1], b"ab"), ([-1], b"a"), ([None], b""),
        ([[0, 10], [0, 1]], b""), ([[0, 1]] * (MAX_PIECES + 1), b""), ("pieces", b""),
        ([True], b"a"),
    ],
)  # fmt: skip
def test_an_edit_script_stays_within_its_source_and_its_payload(
    pieces: object, payload: bytes
) -> None:
    with pytest.raises(BadAnswerError):
        header(pieces=pieces, left_out=[]).edit(10, payload)


def test_an_edit_script_in_bounds_is_taken() -> None:
    edit = header(pieces=[[0, 4], 2, [6, 4]], left_out=["place"]).edit(10, b"ab")
    assert edit.pieces == ((0, 4), b"ab", (6, 4))
    assert edit.left_out == ("place",)
    assert edit.changes(10)
    assert not header(pieces=[[0, 10]], left_out=[]).edit(10, b"").changes(10)


@pytest.mark.parametrize("word", ["nothing", "", "place\n", "\x1b[2J", "place "])
def test_what_was_left_out_is_told_in_words_of_ours(word: str) -> None:
    with pytest.raises(BadAnswerError):
        header(pieces=[[0, 1]], left_out=[word]).edit(10, b"")


@pytest.mark.parametrize("text", ["a\nb", "\x1b]0;title\x07", "\u202egnp.", "\x9b2J"])
def test_no_text_can_steer_a_terminal(text: str) -> None:
    for name in ("camera", "captured", "place", "refused", "pair", "icc", "format"):
        with pytest.raises(BadAnswerError):
            header(facts=FACTS.to_value() | {name: text}).facts()
    with pytest.raises(BadAnswerError):
        header(facts=FACTS.to_value() | {"hidden": [text]}).facts()
    with pytest.raises(BadAnswerError):
        _ = header(refused=text).refused


def test_nothing_but_what_was_asked_for_may_be_said() -> None:
    spare = header(mode="L", more=1)
    assert spare.mode() == "L"
    with pytest.raises(BadAnswerError):
        spare.end()
    with pytest.raises(BadAnswerError):
        Answer(msgpack.packb({"ok": 1})).end()
    header().end()


def test_lengths_are_bounded_before_anything_is_read() -> None:
    assert answer_sizes(ANSWER.pack(HEADER_BYTES, PUT_BYTES), PUT_BYTES) == (
        HEADER_BYTES,
        PUT_BYTES,
    )
    for sizes in ((HEADER_BYTES + 1, 0), (1, PUT_BYTES + 1), (1, 1 << 63)):
        with pytest.raises(BadAnswerError):
            answer_sizes(ANSWER.pack(*sizes), PUT_BYTES)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 63) | st.floats() | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_READERS: tuple[Callable[[Answer], Any], ...] = (
    Answer.facts, Answer.size, Answer.mode, Answer.profile_bytes, Answer.tables, Answer.provenance,
    lambda found: found.edit(100, b"abc"), lambda found: found.refused, Answer.end,
)  # fmt: skip


@given(
    st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["ok", "refused", "facts", "width", "height", "mode", "icc", "tables",
                         "pieces", "left_out", "c2pa", "c2pa_code"]), _values, max_size=6,
    ).map(lambda value: msgpack.packb(value, use_bin_type=True))
)  # fmt: skip
def test_any_header_is_read_or_refused(body: bytes) -> None:
    for read in _READERS:
        try:
            read(Answer(body))
        except BadAnswerError:
            continue


# Children that lie, through real sockets.


def answer(value: dict[str, Any], payload: bytes = b"") -> bytes:
    """A whole answer of a child."""
    return decoder_wire.answer(value, len(payload)) + payload


LIAR = """
import json, mmap, socket, sys
control = socket.socket(fileno=int(sys.argv[1]))
hello = json.dumps({"level": "seccomp", "libraries": {}}).encode()
control.sendall(len(hello).to_bytes(4) + hello)
lie = open(sys.argv[2], "rb").read()
status = int(sys.argv[3])
while True:
    message, descriptors, _, _ = socket.recv_fds(control, 16, 2)
    if not message:
        break
    number = message[:8]
    if descriptors:
        try:
            mmap.mmap(descriptors[1], 0)[:5] = b"wrong"
        except OSError:
            pass
        job = socket.socket(fileno=descriptors[0])
        try:
            job.recv(65536)  # a socket closed with something unread loses what it sent
            job.sendall(lie)
        except OSError:
            pass
        job.close()
        control.sendall(number + status.to_bytes(8) + bytes(8))
"""


class Lie(Protocol):
    async def __call__(self, lie: bytes, status: int = 0) -> Decoder: ...


@pytest.fixture
async def lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Lie]:
    """A decoder whose children all say the same."""
    opened: list[Decoder] = []

    async def start(lie: bytes, status: int = 0) -> Decoder:
        (tmp_path / "lie").write_bytes(lie)

        def command(_module: str, _function: str, *arguments: str) -> list[str]:
            return [sys.executable, "-c", LIAR, *arguments, str(tmp_path / "lie"), str(status)]

        monkeypatch.setattr(own_python, "command", command)
        decoder = Decoder()
        opened.append(decoder)
        return decoder

    yield start
    for decoder in opened:
        await decoder.close()


async def test_a_child_that_lies_is_an_error_and_never_a_picture(lying: Lie) -> None:
    pixels = {"ok": True, "width": 2, "height": 2, "mode": "RGB", "icc": 0}
    lies = [
        b"",
        b"\xff" * 12,
        ANSWER.pack(HEADER_BYTES, 1 << 40),
        ANSWER.pack(4, 0) + b"\xc1\xc1\xc1\xc1",
        answer({"ok": True}),
        answer(pixels, bytes(11)),
        answer(pixels, bytes(13)),
        answer({**pixels, "width": 4096}, bytes(3 * 4096 * 2)),
        answer({**pixels, "mode": "P"}, bytes(4)),
        answer({**pixels, "icc": 13}, bytes(12)),
        answer({**pixels, "more": 1}, bytes(12)),
    ]
    for lie in lies:
        decoder = await lying(lie)
        with pytest.raises(DecoderDiedError):
            await decoder.pixels(b"picture", max_px=1024)
    honest = await lying(answer(pixels, bytes(12)))
    assert (await honest.pixels(b"picture", max_px=1024)).width == 2


async def test_a_child_can_not_change_what_it_is_shown(lying: Lie) -> None:
    pixels = {"ok": True, "width": 2, "height": 2, "mode": "RGB", "icc": 0}
    decoder = await lying(answer(pixels, bytes(12)))
    with memory_file(b"right") as file:
        await decoder.pixels(file)
        file.seek(0)
        assert file.read() == b"right"


@pytest.mark.parametrize("number", [9, 34, 40, 63, 64, 127])
async def test_however_a_child_ends_it_is_a_named_error(lying: Lie, number: int) -> None:
    decoder = await lying(b"", number)
    with pytest.raises((DecoderDiedError, DecoderTimeoutError)):
        await decoder.pixels(b"picture")


async def test_a_child_that_says_more_than_was_asked_is_not_read_to_its_end(lying: Lie) -> None:
    facts = {"ok": True, "facts": FACTS.to_value(), "c2pa_marked": False}
    decoder = await lying(answer(facts, bytes(64 << 20)))
    assert "out of turn" in ((await decoder.inspect(b"picture")).refused or "")
    decoder = await lying(answer(facts) + bytes(1 << 20))
    assert await decoder.inspect(b"picture") == FACTS
