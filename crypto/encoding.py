"""Canonical msgpack: one value, one byte string (docs/spec/encoding.md).

Signed objects are arrays of unsigned integers, byte strings, text and arrays. msgpack has several
forms for most of these (and maps, floats, booleans, nil and extensions besides), and parsers
disagree on which they take. So decoding re-encodes and demands equality: whatever is not the
shortest form of an allowed type is refused, and nobody can sign one thing and show another.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TypeAlias, cast

import msgpack

from .errors import MalformedError, NotEncodableError

Value: TypeAlias = "int | bytes | str | Sequence[Value]"

MAX_DEPTH = 8
MAX_ITEMS = 4096
MAX_INTEGER = 2**64 - 1


class _Packers(threading.local):
    """A packer is one thread's. It keeps its buffer: making one costs more than most values do."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(use_bin_type=True).pack


_PACKERS = _Packers()


def encode(value: Value) -> bytes:
    """The canonical bytes of `value`.

    Raises `NotEncodableError` for anything but unsigned 64-bit integers, bytes, text without lone
    surrogates, and lists or tuples of these, at most `MAX_ITEMS` long and `MAX_DEPTH` deep.
    """
    _check(value, MAX_DEPTH)
    try:
        return _PACKERS.pack(value)
    except (ValueError, UnicodeEncodeError) as error:
        raise NotEncodableError(str(error)) from None


def decode(data: bytes | memoryview, limit: int) -> list[Value]:
    """The array that `data` encodes; `data` may be at most `limit` bytes long.

    Raises `MalformedError` for anything that `encode` would not have produced.
    """
    if len(data) > limit:
        raise MalformedError(f"{len(data)} bytes, the limit is {limit}")
    try:
        # msgpack makes room for as many items as an array claims to have, before they come.
        value = msgpack.unpackb(
            data, raw=False, use_list=True, max_array_len=MAX_ITEMS, max_map_len=0, max_ext_len=0
        )
        canonical = encode(value) == data
    except (ValueError, NotEncodableError, msgpack.UnpackException, RecursionError):
        raise MalformedError from None
    if not canonical or not isinstance(value, list):
        raise MalformedError("not canonical")
    return cast("list[Value]", value)


def _check(value: object, depth: int) -> None:
    kind = type(value)  # exact types: True is an int to isinstance
    if kind is bytes or kind is str:
        return
    if kind is int:
        if not 0 <= cast(int, value) <= MAX_INTEGER:
            raise NotEncodableError("integers are unsigned and at most 64 bits")
    elif kind is list or kind is tuple:
        if depth == 0:
            raise NotEncodableError(f"arrays nest at most {MAX_DEPTH} deep")
        if len(cast("Sequence[object]", value)) > MAX_ITEMS:
            raise NotEncodableError(f"arrays have at most {MAX_ITEMS} items")
        for item in cast("Sequence[object]", value):
            _check(item, depth - 1)
    else:
        raise NotEncodableError(f"{kind.__name__} is not int, bytes, text or array")


class Reader:
    """Takes the items of a decoded array one by one, checking the type and size of each.

    `MalformedError` names the field, never its value: what a peer sent must not reach a log.
    """

    def __init__(self, items: Sequence[Value], what: str) -> None:
        self._items = items
        self._next = 0
        self._what = what

    def _take(self, field: str) -> Value:
        if self._next >= len(self._items):
            raise MalformedError(f"{self._what} ends before {field}")
        self._next += 1
        return self._items[self._next - 1]

    def integer(self, field: str, maximum: int = MAX_INTEGER) -> int:
        """An unsigned integer, at most `maximum`."""
        value = self._take(field)
        if not isinstance(value, int) or value > maximum:
            raise MalformedError(f"{self._what}: {field}")
        return value

    def octets(self, field: str, length: int | None = None, maximum: int | None = None) -> bytes:
        """A byte string of exactly `length`, or of at most `maximum`, bytes."""
        value = self._take(field)
        if (
            not isinstance(value, bytes)
            or (length is not None and len(value) != length)
            or (maximum is not None and len(value) > maximum)
        ):
            raise MalformedError(f"{self._what}: {field}")
        return value

    def text(self, field: str, maximum: int) -> str:
        """Text whose UTF-8 form has at most `maximum` bytes."""
        value = self._take(field)
        if not isinstance(value, str) or len(value.encode()) > maximum:
            raise MalformedError(f"{self._what}: {field}")
        return value

    def array(self, field: str, maximum: int) -> list[Value]:
        """An array of at most `maximum` items."""
        value = self._take(field)
        if not isinstance(value, list) or len(value) > maximum:
            raise MalformedError(f"{self._what}: {field}")
        return value

    def more(self) -> bool:
        """Whether items are left."""
        return self._next < len(self._items)

    def literal(self, *expected: int | str) -> None:
        """Exactly these items: the version and the type string that open every signed body."""
        for item in expected:
            if self._take("its type") != item:
                raise MalformedError(f"not a {self._what}")

    def end(self) -> None:
        """Refuse anything that follows."""
        if self._next != len(self._items):
            raise MalformedError(f"{self._what} has items too many")
