from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import MAX_DEPTH, MAX_INTEGER, MAX_ITEMS, Reader, Value
from kinlight.crypto.errors import MalformedError, NotEncodableError

LIMIT = 4096

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
leaves = st.integers(0, MAX_INTEGER) | st.binary(max_size=300) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=20), max_leaves=30)
arrays = st.lists(values, max_size=20)


def depth(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)  # pyright: ignore[reportUnknownArgumentType]
    return 0


@given(arrays.filter(lambda value: depth(value) <= MAX_DEPTH))
def test_what_is_encoded_decodes_to_itself(value: list[Value]) -> None:
    data = encoding.encode(value)
    assert encoding.decode(data, len(data)) == value
    assert encoding.decode(memoryview(data), len(data)) == value


@given(arrays.filter(lambda value: depth(value) <= MAX_DEPTH), st.data())
def test_a_changed_byte_gives_another_value_or_a_refusal(
    value: list[Value], data: st.DataObject
) -> None:
    encoded = bytearray(encoding.encode(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    try:
        changed = encoding.decode(bytes(encoded), LIMIT)
    except MalformedError:
        return
    assert changed != value


NOT_CANONICAL = {
    "nothing": "",
    "bare integer": "07",
    "bare text": "a161",
    "bare bytes": "c40161",
    "empty map": "9180",
    "map": "9181a16101",
    "duplicate keys": "9182a16101a16102",
    "map with a map as key": "91818001",
    "map with an array as key": "91819001",
    "float 32": "91ca3f800000",
    "float 64": "91cb3ff0000000000000",
    "NaN": "91cb7ff8000000000000",
    "nil": "91c0",
    "false": "91c2",
    "true": "91c3",
    "unused byte": "91c1",
    "fixext 1": "91d40100",
    "ext 8": "91c7030100ff00",
    "timestamp": "91d6ff00000000",
    "short timestamp": "91c701ff00",
    "negative fixint": "91ff",
    "int 8": "91d0ff",
    "int 16": "91d1ffff",
    "int 32": "91d2ffffffff",
    "int 64": "91d3ffffffffffffffff",
    "positive int 8": "91d001",
    "uint 8 of 127": "91cc7f",
    "uint 16 of 255": "91cd00ff",
    "uint 32 of 65535": "91ce0000ffff",
    "uint 64 of 2^32-1": "91cf00000000ffffffff",
    "str 8 of 31": "91d91f" + "61" * 31,
    "str 16 of 1": "91da000161",
    "str 32 of 1": "91db0000000161",
    "bin 16 of 1": "91c5000161",
    "bin 32 of 1": "91c60000000161",
    "array 16 of 1": "dc000101",
    "array 32 of 1": "dd0000000101",
    "surrogate": "91a3eda080",
    "overlong UTF-8": "91a2c0af",
    "cut UTF-8": "91a1c3",
    "trailing byte": "910100",
    "second object": "91019101",
    "cut array": "9201",
    "cut bytes": "91c40361",
    "array of 4 billion": "ddffffffff",
    "bytes of 4 billion": "91c6ffffffff00",
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_any_other_form_is_refused(data: str) -> None:
    with pytest.raises(MalformedError):
        encoding.decode(bytes.fromhex(data), LIMIT)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        1.0,
        -1,
        MAX_INTEGER + 1,
        {},
        {1: 2},
        "\ud800",
        bytearray(b"a"),
        {1},
        object,
    ],
    ids=repr,
)
def test_other_types_are_not_encoded(value: object) -> None:
    for shape in (value, [value], [[value]]):
        with pytest.raises(NotEncodableError):
            encoding.encode(shape)  # pyright: ignore[reportArgumentType]


def nested(levels: int) -> Value:
    value: Value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_arrays_nest_to_the_limit_and_no_deeper() -> None:
    data = encoding.encode(nested(MAX_DEPTH))
    assert encoding.decode(data, LIMIT) == nested(MAX_DEPTH)
    with pytest.raises(NotEncodableError):
        encoding.encode(nested(MAX_DEPTH + 1))
    with pytest.raises(MalformedError):
        encoding.decode(b"\x91" + data, LIMIT)
    with pytest.raises(MalformedError):
        encoding.decode(b"\x91" * 100_000 + b"\x90", 200_000)


def test_arrays_are_taken_to_the_limit_and_no_longer() -> None:
    data = encoding.encode([0] * MAX_ITEMS)
    assert encoding.decode(data, len(data)) == [0] * MAX_ITEMS
    with pytest.raises(NotEncodableError):
        encoding.encode([0] * (MAX_ITEMS + 1))
    longer = b"\xdc" + (MAX_ITEMS + 1).to_bytes(2) + bytes(MAX_ITEMS + 1)
    with pytest.raises(MalformedError):
        encoding.decode(longer, len(longer))


def test_arrays_that_claim_much_in_arrays_that_claim_much_take_little_memory() -> None:
    """Measured: 76 MiB with msgpack's own bounds, 31 MiB with ours, 0 MiB if one item too many."""
    for claimed, most in ((32_000, 2**20), (MAX_ITEMS, 40 * 2**20)):
        hostile = (b"\xdd" + claimed.to_bytes(4)) * 1000 + bytes(32_768 - 5000)
        tracemalloc.start()
        try:
            with pytest.raises(MalformedError):
                encoding.decode(hostile, len(hostile))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < most


def test_size_is_taken_to_the_limit_and_no_further() -> None:
    data = encoding.encode([b"x" * 100])
    assert encoding.decode(data, len(data))
    with pytest.raises(MalformedError):
        encoding.decode(data, len(data) - 1)


def test_integers_reach_to_64_bits() -> None:
    for number in (0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, MAX_INTEGER):
        assert encoding.decode(encoding.encode([number]), LIMIT) == [number]


def test_a_tuple_is_an_array() -> None:
    assert encoding.encode((1, (2,))) == encoding.encode([1, [2]])


def test_the_reader_takes_each_field_once_and_in_order() -> None:
    reader = Reader([1, "thing", 7, b"ab", "tä", [3]], "thing")
    reader.literal(1, "thing")
    assert reader.integer("number", 7) == 7
    assert reader.octets("octets", 2) == b"ab"
    assert reader.text("text", 3) == "tä"
    assert reader.more()
    assert reader.array("list", 1) == [3]
    assert not reader.more()
    reader.end()


def test_the_reader_refuses_wrong_types_and_sizes_without_quoting_them() -> None:
    secret = "quoted-value"
    refusals = [
        lambda: Reader([8], "it").integer("field", 7),
        lambda: Reader([secret], "it").integer("field"),
        lambda: Reader([b"abc"], "it").octets("field", 2),
        lambda: Reader([b"abc"], "it").octets("field", maximum=2),
        lambda: Reader([secret], "it").octets("field"),
        lambda: Reader(["tä"], "it").text("field", 2),
        lambda: Reader([secret.encode()], "it").text("field", 100),
        lambda: Reader([[1, 2]], "it").array("field", 1),
        lambda: Reader([secret], "it").array("field", 100),
        lambda: Reader([], "it").integer("field"),
        lambda: Reader([2], "it").literal(1),
        lambda: Reader([secret], "it").literal("other"),
        lambda: Reader([1], "it").end(),
    ]
    for refuse in refusals:
        with pytest.raises(MalformedError, match="it") as caught:
            refuse()
        assert secret not in str(caught.value)
