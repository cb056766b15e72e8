from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import MalformedError
from kinlight.protocol import limits
from kinlight.protocol.errors import TooMuchError
from kinlight.protocol.framing import PREFIX_BYTES, SIZES, FrameReader, frame


@pytest.mark.parametrize(
    ("length", "total"),
    [
        (0, 256),
        (1, 256),
        (252, 256),
        (253, 1024),
        (1020, 1024),
        (1021, 4096),
        (4092, 4096),
        (4093, 4097),
        (262_400, 262_404),
        (limits.MESSAGE_BYTES, limits.MESSAGE_BYTES + 4),
    ],
)
def test_small_frames_have_three_sizes(length: int, total: int) -> None:
    framed = frame(bytes(length))
    assert len(framed) == total
    assert FrameReader().feed(framed) == [bytes(length)]


def test_a_message_is_taken_to_the_limit_and_no_further() -> None:
    assert len(FrameReader().feed(frame(bytes(limits.MESSAGE_BYTES)))[0]) == limits.MESSAGE_BYTES
    reader = FrameReader()
    # At once: not a byte of the message has to come first.
    with pytest.raises(TooMuchError):
        reader.feed((limits.MESSAGE_BYTES + 1).to_bytes(4))
    with pytest.raises(TooMuchError):
        FrameReader().feed(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("length", [0, 10, 252, 253, 1000, 1021, 4092])
def test_padding_that_is_not_zero_is_refused_wherever_it_stands(length: int) -> None:
    framed = frame(b"m" * length)
    padding = range(PREFIX_BYTES + length, len(framed))
    for position in {padding.start, len(framed) - 1} & set(padding):
        changed = bytearray(framed)
        changed[position] = 1
        with pytest.raises(MalformedError):
            FrameReader().feed(bytes(changed))


def test_frames_are_found_again_when_split_at_every_byte() -> None:
    sent = [b"", b"a" * 10, b"b" * 252, b"c" * 253]
    stream = b"".join(frame(message) for message in sent)
    for cut in range(len(stream) + 1):
        reader = FrameReader()
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == sent
    reader = FrameReader()
    assert [found for byte in stream for found in reader.feed(bytes([byte]))] == sent


@given(st.lists(st.binary(max_size=5000), max_size=6), st.lists(st.integers(1, 3000)))
def test_frames_are_found_again_in_any_portions(sent: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(frame(message) for message in sent)
    reader, found = FrameReader(), list[bytes]()
    for size in sizes:
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found + reader.feed(stream) == sent


def test_a_reader_keeps_nothing_of_what_it_gave_out() -> None:
    reader = FrameReader()
    for _ in range(50):
        reader.feed(frame(bytes(100_000)))
    assert len(reader._buffer) == 0  # type: ignore[reportPrivateUsage]


def test_the_sizes_are_those_of_the_specification() -> None:
    assert SIZES == (256, 1024, 4096)
