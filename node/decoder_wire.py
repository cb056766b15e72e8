"""What is said between the node and its decoder processes.

    node -> zygote  16 bytes: job, milliseconds; with two descriptors, the job's socket and the file
    zygote -> node  24 bytes: job, how its child ended, its peak memory
    node -> child   4 bytes of length, msgpack: {"op", ...}; over the job's socket
    child -> node   12 bytes of lengths, msgpack: {"ok": true, ...} or {"refused"}, the payload

A child has touched hostile bytes, so nothing that it says is believed: every field and every size
is checked here, and a wrong one is `BadAnswerError`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

import msgpack

from .edits import WORDS
from .facts import C2PA_STATES, MAX_SIDE, MAX_TEXT, Facts

Level = Literal["process", "rlimits", "seccomp"]
LEVELS: Final[tuple[Level, ...]] = ("process", "rlimits", "seccomp")
"""How a picture can be caged, the weakest first; see `sandbox`."""

HELLO: Final = struct.Struct("!I")
"""From the zygote, first of all: the length of a JSON text with its level and its libraries."""
ORDER: Final = struct.Struct("!QQ")
"""To the zygote: a job and its milliseconds. No milliseconds end the job."""
REPORT: Final = struct.Struct("!QqQ")
"""From the zygote: a job, its wait status, its peak memory in bytes."""
TIMED_OUT: Final = -1
"""In place of a wait status: the child's time was over."""
OLD_LIBRARY_STATUS: Final = 3
"""Exit status of a zygote that finds its libraries too old."""

ANSWER: Final = struct.Struct("!IQ")
"""From a child: the length of the header and that of the payload."""

HEADER_BYTES: Final = 1024 * 1024
"""The most that a request or the header of an answer may take."""
ENCODED_BYTES: Final = 512 * 1024 * 1024
"""The largest file that the encoder may give."""
PROFILE_BYTES: Final = 4 * 1024 * 1024
MAX_PIECES: Final = 1 << 16
"""Pieces of an edit script."""
PUT_BYTES: Final = 64 * 1024 * 1024
"""All bytes that an edit script may put in."""
MAX_PIXELS: Final = 256_000_000
"""Pixels of one frame. At four bytes each they fill two thirds of the decoder's memory."""

CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4}


class BadAnswerError(Exception):
    """A decoder process answered something that is no answer."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Rows of pixels, top to bottom, 8 bits a channel; `mode` is L, RGB or RGBA.

    Without an ICC profile they are sRGB (grey for L).
    """

    width: int
    height: int
    mode: str
    data: bytes | bytearray
    icc: bytes | None = None


@dataclass(frozen=True, slots=True)
class Luma:
    """Brightness, 8 bits a pixel, at full size as it is stored (not turned).

    `tables` are a JPEG's quantisation tables by their number: 64 values in the order of the rows
    of a block, not in the zigzag of the file. Empty for other formats.
    """

    width: int
    height: int
    data: bytes | bytearray
    tables: Mapping[int, tuple[int, ...]]


Unfit = Literal["", "bits", "palette", "ink", "large"]
UNFIT: Final[tuple[Unfit, ...]] = ("", "bits", "palette", "ink", "large")
"""Why the pixels of a picture are not handed out as they are stored: they have other than 8 bits,
are numbers of a palette, amounts of ink, or more than were asked for."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Pixels as the file stores them: not turned, not scaled, in its own colours, 8 bits a channel.

    `mode` is L, RGB or RGBA; `turn` the EXIF number (1 to 8) of the turn that is left to do, and
    `tables` as in `Luma`. Where they are `unfit` there are no data.
    """

    width: int
    height: int
    mode: str
    data: bytes | bytearray
    tables: Mapping[int, tuple[int, ...]]
    turn: int = 1
    unfit: Unfit = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """How to make a new file out of a picture: keep runs of its bytes, put others in between.

    `pieces` are (offset, length) of the source, or bytes. `left_out` says in words what is gone.
    """

    pieces: tuple[tuple[int, int] | bytes, ...]
    left_out: tuple[str, ...]

    def changes(self, length: int) -> bool:
        """Whether anything is different from a source of that length."""
        return self.pieces != ((0, length),)


def request(value: Mapping[str, object]) -> bytes:
    """A request with its length before it."""
    body = msgpack.packb(value, use_bin_type=True)
    return len(body).to_bytes(4) + body


def answer(value: Mapping[str, object], payload: int = 0) -> bytes:
    """The beginning of an answer: both lengths and the header. The payload follows it."""
    header = msgpack.packb(value, use_bin_type=True)
    return ANSWER.pack(len(header), payload) + header


def answer_sizes(prefix: bytes, largest: int) -> tuple[int, int]:
    """The lengths of header and payload; `BadAnswerError` before anything too large is taken in."""
    header, payload = ANSWER.unpack(prefix)
    if header > HEADER_BYTES or payload > largest:
        raise BadAnswerError("length")
    return header, payload


def unpack(body: bytes) -> dict[str, object]:
    """The fields of a message; `BadAnswerError` if it is not one."""
    try:
        value = cast("object", msgpack.unpackb(body, raw=False, strict_map_key=True))
    except Exception as error:
        # msgpack's own errors, and those of Python's text decoder, have no common base.
        raise BadAnswerError(type(error).__name__) from None
    if not isinstance(value, dict):
        raise BadAnswerError("no map")
    return cast("dict[str, object]", value)


class Answer:
    """The header of an answer, field by field. Each may be taken once; `end` wants none left."""

    def __init__(self, body: bytes) -> None:
        self._fields = unpack(body)

    @property
    def refused(self) -> str | None:
        """Why the picture was refused, in the decoder's words; None if it was not."""
        return self._text("refused") if "refused" in self._fields else None

    def facts(self) -> Facts:
        """What was found out."""
        try:
            facts = Facts.read(self._take("facts"))
        except ValueError as error:
            raise BadAnswerError(str(error)) from None
        values: list[object] = [*facts.to_value().values(), *facts.hidden]
        for text in values:
            if isinstance(text, str):
                _word(text)
        return facts

    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width = self._integer("width", 1, MAX_SIDE)
        height = self._integer("height", 1, MAX_SIDE)
        if width * height > MAX_PIXELS:
            raise BadAnswerError("size")
        return width, height

    def mode(self) -> str:
        """L, RGB or RGBA."""
        mode = self._text("mode")
        if mode not in CHANNELS:
            raise BadAnswerError("mode")
        return mode

    def profile_bytes(self) -> int:
        """How many bytes of the payload are an ICC profile."""
        return self._integer("icc", 0, PROFILE_BYTES)

    def tables(self) -> dict[int, tuple[int, ...]]:
        """Quantisation tables: at most four, of 64 numbers from 1 to 65,535."""
        found: dict[int, tuple[int, ...]] = {}
        for entry in self._list("tables", 4):
            items = _items(entry, 65)
            numbers = [_number(item, 0, 65535) for item in items]
            if len(numbers) != 65 or numbers[0] > 3 or numbers[0] in found:
                raise BadAnswerError("tables")
            found[numbers[0]] = tuple(numbers[1:])
        return found

    def edit(self, length: int, payload: bytes) -> Edit:
        """An edit script over a source of `length` bytes; what it puts in is the payload.

        A piece is [offset, length] of the source, or a number of bytes of the payload, which is
        used up. The copy is no longer than the source and what is put in.
        """
        pieces: list[tuple[int, int] | bytes] = []
        kept = used = 0
        for entry in self._list("pieces", MAX_PIECES):
            if type(entry) is int:
                put = _number(entry, 1, len(payload) - used)
                pieces.append(payload[used : used + put])
                used += put
                continue
            items = _items(entry, 2)
            if len(items) != 2:
                raise BadAnswerError("pieces")
            offset = _number(items[0], 0, length)
            run = _number(items[1], 0, length - offset)
            kept += run
            pieces.append((offset, run))
        if used != len(payload) or kept > length:
            raise BadAnswerError("pieces")
        left_out = tuple(_word(item) for item in self._list("left_out", len(WORDS)))
        if not set(left_out) <= set(WORDS):  # they are shown to whoever shares
            raise BadAnswerError("left_out")
        return Edit(tuple(pieces), left_out)

    def provenance(self) -> tuple[str, str | None]:
        """C2PA's state and code."""
        state, code = self._text("c2pa"), self._take("c2pa_code")
        if state not in C2PA_STATES:
            raise BadAnswerError("c2pa")
        return state, None if code is None else _word(code)

    def turn(self) -> int:
        """An EXIF orientation."""
        return self._integer("turn", 1, 8)

    def unfit(self) -> Unfit:
        """One of `UNFIT`."""
        unfit = self._text("unfit")
        if unfit not in UNFIT:
            raise BadAnswerError("unfit")
        return unfit

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._take(name)
        if type(value) is not bool:
            raise BadAnswerError(name)
        return value

    def end(self) -> None:
        """Nothing else was said."""
        if self._fields.pop("ok", None) is not True or self._fields:
            raise BadAnswerError("fields")

    def _take(self, name: str) -> object:
        try:
            return self._fields.pop(name)
        except KeyError:
            raise BadAnswerError(name) from None

    def _text(self, name: str) -> str:
        return _word(self._take(name))

    def _integer(self, name: str, smallest: int, largest: int) -> int:
        return _number(self._take(name), smallest, largest)

    def _list(self, name: str, longest: int) -> list[object]:
        return _items(self._take(name), longest)


def _word(value: object) -> str:
    # One line without anything that a terminal would obey.
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise BadAnswerError("text")
    return value


def _number(value: object, smallest: int, largest: int) -> int:
    if type(value) is not int or not smallest <= value <= largest:
        raise BadAnswerError("number")
    return value


def _items(value: object, longest: int) -> list[object]:
    if not isinstance(value, list):
        raise BadAnswerError("list")
    items = cast("list[object]", value)
    if len(items) > longest:
        raise BadAnswerError("list")
    return items
