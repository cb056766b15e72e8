"""EXIF is a TIFF file inside a picture: one tolerant reader, and one builder with an allow-list.

Cameras, editors and attackers write broken EXIF, so the reader takes what makes sense and leaves
the rest: a directory out of bounds is empty, a value out of bounds is absent, and all counts have
limits. The builder never edits: it writes a new EXIF from tags named here, so what it does not know
(positions, maker notes, thumbnails, serial numbers, comments) cannot come through. Tags and types
are those of Exif 3.0 (CIPA DC-008) and TIFF 6.0; BigTIFF is read too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from .facts import Buffer, PictureError

PREFIX: Final = b"Exif\0\0"
"""Before the TIFF header in a JPEG; some writers put it into other formats too."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
SIGNED_RATIONAL, IFD, LONG8, IFD8 = 10, 13, 16, 18
TYPE_SIZES: Final = {
    BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, 6: 1, UNDEFINED: 1, 8: 2, 9: 4,
    SIGNED_RATIONAL: 8, 11: 4, 12: 8, IFD: 4, LONG8: 8, 17: 8, IFD8: 8,
}  # fmt: skip
"""Bytes of one value of each TIFF type."""
_NUMBERS: Final = {
    SHORT: "H", LONG: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", IFD: "I",
    LONG8: "Q", 17: "q", IFD8: "Q",
}  # fmt: skip

MAX_FIELDS: Final = 2000
"""Fields of one directory that are looked at; real ones have under 200."""
MAX_VALUES: Final = 1 << 20
"""Bytes of values that one EXIF may hold: many fields may point at the same bytes."""
MAX_TEXT: Final = 4096
"""Bytes of a text that is written anew; longer ones are cut."""

ORIENTATION: Final = 0x0112
EXIF_DIRECTORY: Final = 0x8769
GPS_DIRECTORY: Final = 0x8825
INTEROP_DIRECTORY: Final = 0xA005
MAKER_NOTE: Final = 0x927C
DESCRIPTION: Final = 0x010E
USER_COMMENT: Final = 0x9286
XP_COMMENT: Final = 0x9C9C


class Rational(NamedTuple):
    """A fraction as it is stored: 0/0 stands for unknown, 1/0 for infinite."""

    numerator: int
    denominator: int

    def to_float(self) -> float | None:
        """The number, or None where the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else None


Value = bytes | str | tuple[int, ...] | tuple[float, ...] | tuple[Rational, ...]
"""Text (cut at the first NUL), bytes (also of an undefined type), numbers, or fractions."""


class Field(NamedTuple):
    """One entry of a directory: where its value lies, not the value itself."""

    tag: int
    type: int
    number: int
    """Of values, not of bytes."""
    offset: int
    """From the start of the buffer, not of the TIFF."""
    size: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields of one directory and the offset (from the TIFF's start) of the next, or 0."""

    fields: tuple[Field, ...] = ()
    next: int = 0
    cut: bool = False
    """It claims more fields than there is room for."""
    skipped: bool = False
    """It has fields that are not in `fields`."""


@dataclass(frozen=True, slots=True)
class Tiff:
    """The frame that all directories of one TIFF share."""

    data: Buffer
    start: int
    end: int
    first: int
    """Offset of the first directory, from `start`."""
    little: bool
    big: bool
    """BigTIFF: 64-bit offsets and counts."""

    @classmethod
    def open(cls, data: Buffer, start: int = 0, end: int | None = None) -> Tiff:
        """Read the header at `start`; `PictureError` where there is none."""
        end = len(data) if end is None else min(end, len(data))
        head = bytes(data[start : min(start + 16, end)])
        little = head[:2] == b"II"
        if head[:2] not in (b"II", b"MM") or len(head) < 8:
            raise PictureError("no TIFF header")
        order = "<" if little else ">"
        if struct.unpack_from(order + "H", head, 2)[0] == 43:
            if len(head) < 16:
                raise PictureError("no TIFF header")
            return cls(data, start, end, struct.unpack_from(order + "Q", head, 8)[0], little, True)
        # Other numbers than 42 are seen in raw files (Olympus, Panasonic) and are laid out alike.
        return cls(data, start, end, struct.unpack_from(order + "I", head, 4)[0], little, False)

    @property
    def order(self) -> str:
        """The byte order as `struct` writes it."""
        return "<" if self.little else ">"

    def directory(self, offset: int) -> Directory:
        """The directory at `offset` from the TIFF's start; an empty one if it is out of bounds.

        Fields of unknown type or with values out of bounds are left out.
        """
        order, head, entry, word = self.order, 2, 12, 4
        if self.big:
            head, entry, word = 8, 20, 8
        at = self.start + offset
        if offset < 8 or at + head > self.end:
            return Directory()
        (count,) = struct.unpack_from(order + ("Q" if self.big else "H"), self.data, at)
        fields: list[Field] = []
        for index in range(min(count, MAX_FIELDS)):
            position = at + head + index * entry
            if position + entry > self.end:
                return Directory(tuple(fields), cut=True)
            tag, kind, number = struct.unpack_from(
                order + ("HHQ" if self.big else "HHI"), self.data, position
            )
            if kind not in TYPE_SIZES:
                continue
            size = TYPE_SIZES[kind] * number
            value = position + entry - word
            if size > word:
                value = self.start + self.unsigned(value, word)
            if value + size <= self.end:
                fields.append(Field(tag, kind, number, value, size))
        last = at + head + count * entry
        following = self.unsigned(last, word) if last + word <= self.end else 0
        return Directory(tuple(fields), following, skipped=len(fields) < count)

    def unsigned(self, at: int, size: int) -> int:
        """The unsigned number of `size` bytes at `at`, which must be in bounds."""
        code = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def value(self, field: Field) -> Value:
        """The value of a field of `directory`."""
        raw = bytes(self.data[field.offset : field.offset + field.size])
        if field.type == ASCII:
            return _text(raw)
        if field.type in (RATIONAL, SIGNED_RATIONAL):
            code = "I" if field.type == RATIONAL else "i"
            flat = struct.unpack(f"{self.order}{2 * field.number}{code}", raw)
            return tuple(map(Rational, flat[::2], flat[1::2]))
        if field.type in _NUMBERS:
            return struct.unpack(f"{self.order}{field.number}{_NUMBERS[field.type]}", raw)
        return raw

    def numbers(self, field: Field) -> tuple[int, ...]:
        """The whole numbers of a field, or () where it has another type."""
        if field.type not in (BYTE, SHORT, LONG, IFD, LONG8, IFD8):
            return ()
        return tuple(cast("bytes | tuple[int, ...]", self.value(field)))


def _text(raw: bytes) -> str:
    raw = raw.partition(b"\0")[0]
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()


def _directory() -> dict[int, Value]:
    return {}


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories of one EXIF, by tag number."""

    ifd0: dict[int, Value] = field(default_factory=_directory)
    exif: dict[int, Value] = field(default_factory=_directory)
    gps: dict[int, Value] = field(default_factory=_directory)
    interop: dict[int, Value] = field(default_factory=_directory)
    thumbnail: dict[int, Value] = field(default_factory=_directory)
    """The second directory: of a smaller picture, or of a TIFF's second page."""
    little: bool = True

    @property
    def orientation(self) -> int | None:
        """1 to 8, or None where it is absent or makes no sense."""
        match self.ifd0.get(ORIENTATION):
            case (int() as number, *_) if 1 <= number <= 8:
                return number
            case _:
                return None

    @property
    def has_thumbnail(self) -> bool:
        """Whether the second directory points at a picture, as a JPEG or as strips."""
        return 0x0201 in self.thumbnail or 0x0111 in self.thumbnail

    @property
    def maker_note(self) -> bytes:
        """The maker note as it is; b"" if there is none."""
        value = self.exif.get(MAKER_NOTE, b"")
        return value if isinstance(value, bytes) else b"\0"


def read(data: Buffer, start: int = 0, end: int | None = None) -> Exif:
    """Read the EXIF at `start`, with or without `PREFIX`; `PictureError` if no TIFF is there."""
    if bytes(data[start : start + len(PREFIX)]) == PREFIX:
        start += len(PREFIX)
    tiff = Tiff.open(data, start, end)
    budget = MAX_VALUES

    def values(directory: Directory) -> dict[int, Value]:
        nonlocal budget
        found: dict[int, Value] = {}
        for entry in directory.fields:
            # The first of two fields with one tag counts, as for exiftool and Pillow's C library.
            if entry.tag not in found and entry.size <= budget:
                budget -= entry.size
                found[entry.tag] = tiff.value(entry)
        return found

    def below(parent: Mapping[int, Value], tag: int) -> dict[int, Value]:
        match parent.get(tag):
            case (int() as offset, *_):
                return values(tiff.directory(offset))
            case _:
                return {}

    first = tiff.directory(tiff.first)
    ifd0 = values(first)
    # What a broken directory points at is not to be trusted.
    exif = {} if first.cut else below(ifd0, EXIF_DIRECTORY)
    return Exif(
        ifd0=ifd0,
        exif=exif,
        gps={} if first.cut else below(ifd0, GPS_DIRECTORY),
        interop=below(exif, INTEROP_DIRECTORY),
        thumbnail=values(tiff.directory(first.next)) if first.next else {},
        little=tiff.little,
    )


class NewField(NamedTuple):
    """A field to be written: `raw` is its value in the byte order of the file."""

    tag: int
    type: int
    number: int
    raw: bytes


def pack_directory(
    fields: Iterable[NewField], at: int, following: int = 0, *, little: bool, big: bool = False
) -> bytes:
    """One directory for offset `at` of a TIFF, followed by the values that don't fit into it.

    `following` is the offset of the next directory. The length is even, as TIFF asks of offsets,
    and does not depend on `at` or on the values.
    """
    order, word = ("<" if little else ">"), 8 if big else 4
    fields = sorted(fields)
    entries = struct.pack(order + ("Q" if big else "H"), len(fields))
    values = b""
    values_at = at + len(entries) + (20 if big else 12) * len(fields) + word
    for tag, kind, count, raw in fields:
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count)
        if len(raw) <= word:
            entries += raw.ljust(word, b"\0")
        else:
            entries += struct.pack(order + ("Q" if big else "I"), values_at + len(values))
            values += raw + b"\0" * (len(raw) % 2)
    return entries + struct.pack(order + ("Q" if big else "I"), following) + values


def _specs(*groups: tuple[int, int, Sequence[int]]) -> dict[int, tuple[int, int]]:
    return {tag: (kind, count) for kind, count, tags in groups for tag in tags}


# Tag -> (type, count), count 0 for any. Nothing here says where, of whom, or with which of many
# equal cameras a picture was made, save the names that an author signs with.
ALLOWED_IFD0: Final = _specs(
    # make, model, software, date, artist, copyright; no description: it may say where it was
    (ASCII, 0, (0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)),
    # orientation, resolution unit, YCbCr positioning
    (SHORT, 1, (ORIENTATION, 0x0128, 0x0213)),
    (RATIONAL, 1, (0x011A, 0x011B)),  # resolution
    (RATIONAL, 2, (0x013E,)),  # white point
    (RATIONAL, 3, (0x0211,)),  # YCbCr coefficients
    (RATIONAL, 6, (0x013F, 0x0214)),  # primaries, black and white
)
ALLOWED_EXIF: Final = _specs(
    # dates, their offsets and sub-seconds; lens make and model
    (ASCII, 0, (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0xA433, 0xA434)),
    # exposure time, F number, bits per pixel, aperture, widest aperture, focal length,
    # focal plane resolution, digital zoom, gamma
    (RATIONAL, 1, (0x829A, 0x829D, 0x9102, 0x9202, 0x9205, 0x920A, 0xA20E, 0xA20F, 0xA404, 0xA500)),
    (RATIONAL, 4, (0xA432,)),  # lens specification
    (SIGNED_RATIONAL, 1, (0x9201, 0x9203, 0x9204)),  # shutter speed, brightness, bias
    # program, ISO, kind of sensitivity, metering, light source, flash, colour space,
    # focal plane unit, sensing
    (SHORT, 1, (0x8822, 0x8827, 0x8830, 0x9207, 0x9208, 0x9209, 0xA001, 0xA210, 0xA217)),
    # rendering, mode, white balance, 35 mm focal length, scene, gain, contrast, saturation,
    # sharpness
    (SHORT, 1, (0xA401, 0xA402, 0xA403, 0xA405, 0xA406, 0xA407, 0xA408, 0xA409, 0xA40A)),
    (LONG, 1, (0x8831, 0x8832, 0x8833, 0xA002, 0xA003)),  # sensitivities, pixel size
    (UNDEFINED, 4, (0x9000, 0x9101, 0xA000)),  # EXIF version, components, FlashPix version
    (UNDEFINED, 1, (0xA300, 0xA301)),  # file source, scene type
)
# The only trace of Adobe RGB in a camera's JPEG without a profile (DCF 2.0).
_ALLOWED_INTEROP: Final = _specs((ASCII, 0, (0x0001,)), (UNDEFINED, 4, (0x0002,)))


_TELLS_PLACE: Final = re.compile(
    r"\bgps|latitude|longitude|\bgeo:|\d\s*°"
    # 48.8583, 2.2945 and +4851.2-00217.6 (ISO 6709)
    r"|\d{1,3}\.\d{3,}\s?[NSEW]\b|\d{1,3}\.\d{3,}[^\w.]{1,4}[NSEW]?\s?\d{1,3}\.\d{3,}"
    r"|(?<![\w.])[+-]\d{2,6}(?:\.\d+)?[+-]\d{3,7}",
    re.ASCII | re.IGNORECASE,
)


def tells_place(text: str) -> bool:
    """Whether a text holds coordinates: some apps and uploaders write them as a description."""
    return _TELLS_PLACE.search(text[:MAX_TEXT]) is not None


def place_in_text(exif: Exif) -> bool:
    """Whether a text that could stay tells a place, and so can't."""
    return any(
        tells_place(value)
        for values, allowed in ((exif.ifd0, ALLOWED_IFD0), (exif.exif, ALLOWED_EXIF))
        for tag, value in values.items()
        if tag in allowed and isinstance(value, str)
    )


REQUIRED_IFD0: Final[dict[int, Value]] = {
    0x011A: (Rational(72, 1),), 0x011B: (Rational(72, 1),), 0x0128: (2,), 0x0213: (1,)
}  # fmt: skip
"""Fields that Exif requires of a JPEG, with the values that stand for unknown."""
_REQUIRED_EXIF: Final[dict[int, Value]] = {0x9000: b"0232", 0x9101: b"\1\2\3\0", 0xA000: b"0100"}


def kept_fields(
    values: Mapping[int, Value], allowed: Mapping[int, tuple[int, int]], *, little: bool
) -> list[NewField]:
    """The fields that `allowed` (tag to type and count, 0 for any) names, where they make sense."""
    made = (
        _field(tag, kind, count, values[tag], little=little)
        for tag, (kind, count) in allowed.items()
        if tag in values
    )
    return [new for new in made if new is not None]


def _field(tag: int, kind: int, count: int, value: Value, *, little: bool) -> NewField | None:
    order = "<" if little else ">"
    if isinstance(value, str) and kind == UNDEFINED:
        value = value.encode("ascii", "replace")
    if isinstance(value, str):
        text = value.encode("utf-8")[:MAX_TEXT].decode("utf-8", "ignore").strip()
        if tells_place(value) or tells_place(text):
            return None
        raw = text.encode() + b"\0"  # the count of a text includes its NUL
        return NewField(tag, ASCII, len(raw), raw) if kind == ASCII and len(raw) > 1 else None
    if len(value) != count:
        return None
    if isinstance(value, bytes):
        return NewField(tag, kind, count, value) if kind == UNDEFINED else None
    try:
        if kind in (RATIONAL, SIGNED_RATIONAL):
            code = "2I" if kind == RATIONAL else "2i"
            pairs = [part for part in value if isinstance(part, Rational)]
            raw = b"".join(struct.pack(order + code, *pair) for pair in pairs)
        elif kind in (SHORT, LONG):
            raw = struct.pack(f"{order}{count}{_NUMBERS[kind]}", *value)
        else:
            return None
    except struct.error:  # a number of another kind or out of range
        return None
    return NewField(tag, kind, count, raw) if len(raw) == TYPE_SIZES[kind] * count else None


def build(exif: Exif, *, orientation: int | None) -> bytes:
    """A new EXIF (a TIFF without `PREFIX`) with what the allow-list names of `exif`.

    `orientation` (1 to 8) replaces the one in `exif`; None leaves it out. b"" if nothing is left.
    """
    little = exif.little
    ifd0 = kept_fields(_mended(exif.ifd0, ALLOWED_IFD0), ALLOWED_IFD0, little=little)
    ifd0 = [entry for entry in ifd0 if entry.tag != ORIENTATION]
    if orientation is not None:
        ifd0.append(_number(ORIENTATION, SHORT, orientation, little=little))
    return _pack(
        ifd0,
        kept_fields(_mended(exif.exif, ALLOWED_EXIF), ALLOWED_EXIF, little=little),
        kept_fields(exif.interop, _ALLOWED_INTEROP, little=little),
        little=little,
    )


def _mended(
    values: Mapping[int, Value], allowed: Mapping[int, tuple[int, int]]
) -> dict[int, Value]:
    """`values` with the usual value for a required field whose own makes no sense."""
    broken = {
        tag: usual
        for tag, usual in (REQUIRED_IFD0 | _REQUIRED_EXIF).items()
        if tag in values
        and tag in allowed
        and not kept_fields(values, {tag: allowed[tag]}, little=True)
    }
    return {**values, **broken}


def dropped(exif: Exif) -> bool:
    """Whether `build` leaves out a tag beside those with a meaning of their own.

    Those are the position, the maker note, the thumbnail and the comment.
    """
    pointers = {ORIENTATION, EXIF_DIRECTORY, GPS_DIRECTORY, INTEROP_DIRECTORY}
    named = {MAKER_NOTE, DESCRIPTION, USER_COMMENT, XP_COMMENT}
    return any(
        values.keys()
        - {entry.tag for entry in kept_fields(values, allowed, little=exif.little)}
        - pointers
        - named
        for values, allowed in (
            (exif.ifd0, ALLOWED_IFD0),
            (exif.exif, ALLOWED_EXIF),
            (exif.interop, _ALLOWED_INTEROP),
        )
    )


def is_plain(data: Buffer) -> bool:
    """Whether the EXIF in `data` (from its TIFF header on) has nothing in it but fields that
    `build` keeps: no other field however it is reached, no second value, nothing in between.
    """
    tiff = Tiff.open(data)
    if tiff.big:
        return False
    spans = [(0, 8)]
    at = tiff.first
    for allowed, pointer in (
        (ALLOWED_IFD0, EXIF_DIRECTORY),
        (ALLOWED_EXIF, INTEROP_DIRECTORY),
        (_ALLOWED_INTEROP, None),
    ):
        directory = tiff.directory(at)
        fields = {entry.tag: entry for entry in directory.fields}
        if directory.cut or directory.skipped or directory.next:
            return False
        if len(fields) < len(directory.fields) or not fields.keys() <= {*allowed, pointer}:
            return False
        spans.append((at, at + 6 + 12 * len(fields)))
        for tag, entry in fields.items():
            spans.append((entry.offset, entry.offset + entry.size))
            if tag != pointer and entry.type == ASCII and not _is_plain_text(tiff, entry):
                return False
        if pointer not in fields:
            break
        at = next(iter(tiff.numbers(fields[pointer])), 0)
    reach = 0
    for start, end in sorted(spans):
        if start > reach and bytes(data[reach:start]).strip(b"\0"):
            return False
        reach = max(reach, end)
    return not bytes(data[reach:]).strip(b"\0")


def _is_plain_text(tiff: Tiff, entry: Field) -> bool:
    raw = bytes(tiff.data[entry.offset : entry.offset + entry.size])
    return len(raw) <= MAX_TEXT + 1 and not raw.partition(b"\0")[2].strip(b"\0 ")


def _number(tag: int, kind: int, number: int, *, little: bool) -> NewField:
    raw = struct.pack(("<" if little else ">") + _NUMBERS[kind], number)
    return NewField(tag, kind, 1, raw)


def _pack(
    ifd0: list[NewField], exif: list[NewField], interop: list[NewField], *, little: bool
) -> bytes:
    if not (ifd0 or exif):
        return b""

    def place(fields: list[NewField], pointer: int, below: bytes, at: int) -> bytes:
        """A directory at `at` that points at `below`, and `below` after it."""
        if not below:
            return pack_directory(fields, at, little=little)
        head = [*fields, _number(pointer, LONG, 0, little=little)]
        end = at + len(pack_directory(head, at, little=little))
        head[-1] = _number(pointer, LONG, end, little=little)
        return pack_directory(head, at, little=little) + below

    def size(fields: list[NewField], pointers: int) -> int:
        return len(pack_directory(fields, 0, little=little)) + 12 * pointers

    exif_at = 8 + size(ifd0, 1)
    interop_at = exif_at + size(exif, 1)
    lowest = pack_directory(interop, interop_at, little=little) if interop else b""
    middle = place(exif, INTEROP_DIRECTORY, lowest, exif_at) if exif else b""
    header = b"II*\0" if little else b"MM\0*"
    return (
        header + struct.pack("<I" if little else ">I", 8) + place(ifd0, EXIF_DIRECTORY, middle, 8)
    )


_CAPTURED: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?"
)


def clean_exif(captured: str) -> bytes:
    """An EXIF with nothing but the time of capture (ISO 8601, as `Facts.captured`).

    b"" if `captured` is no date and time.
    """
    match = _CAPTURED.fullmatch(captured)
    if match is None:
        return b""
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    texts: dict[int, Value] = {0x9003: f"{year}:{month}:{day} {hour}:{minute}:{second}"}
    if zone is not None:
        texts[0x9011] = "+00:00" if zone == "Z" else zone
    if fraction is not None:
        texts[0x9291] = fraction
    return build(Exif(exif=texts | _REQUIRED_EXIF, ifd0=REQUIRED_IFD0), orientation=None)
