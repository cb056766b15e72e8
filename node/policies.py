"""Metadata policies: what of a picture leaves, decided in one place.

    original      the file as it is
    no-location   the same coded picture; of its metadata what tells no place (`stripping`)
    clean         the picture's pixels the right way up, its colour profile, its date; perhaps
                  made smaller

A changed copy is made by decoder processes, and looked at by a fresh one that never saw the
original before anybody gets it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Final, TypeAlias

from ..crypto.errors import SourceChangedError
from ..protocol import limits
from ..protocol.photo import POLICIES
from . import exif, hidden, names, sniffing
from .decoder import Decoder, memory_file
from .decoder_wire import Edit, Pixels
from .errors import BadRequestError
from .facts import Facts
from .picture_errors import CannotStripError, PictureRefusedError, StripFailedError
from .sources import MEDIA_SUFFIXES

CLEAN_QUALITY: Final = 95
"""Of a clean JPEG. It may be the only copy that its receiver ever has, so it must bear one more
edit. At 95 it is about as large as a camera's own file; 98 takes a third more."""

Change: TypeAlias = Callable[[Pixels], Awaitable[Pixels]]
"""Makes other pixels of the same size of a picture's."""

_STEP: Final = 1024 * 1024
_THE_SAME: Final = (*("format", "stored", "upright", "orientation", "frames", "icc", "refused"),)
"""What a copy without its place has in common with its original."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves of one file: `content`, or the file itself where that is None.

    `left_out` says in words what the content lacks, `facts` is what is known of what leaves.
    """

    content: BinaryIO | None
    name: str
    media_type: str | None
    left_out: tuple[str, ...]
    facts: Facts


def check(policy: str) -> str:
    """The policy, if there is one of that name."""
    if policy not in POLICIES:
        raise BadRequestError(f"the policy is one of {', '.join(POLICIES)}")
    return policy


@contextlib.asynccontextmanager
async def leaving(
    decoder: Decoder,
    source: BinaryIO,
    name: str,
    policy: str,
    *,
    max_px: int | None = None,
    change: Change | None = None,
) -> AsyncGenerator[Leaving]:
    """What leaves of a file called `name`. The content is there while the block runs.

    With `max_px`, for `clean` alone, no side is longer than that and the colours are sRGB. With
    `change`, for `clean` alone, the pixels are what it makes of them.

    Raises `CannotStripError` where the policy can't be kept with this file, `StripFailedError`
    where the copy turned out not to be what it must be, and the decoder's errors.
    """
    with memory_file() as content:
        yield await _decided(decoder, source, name, policy, max_px, change, content)


async def _decided(
    decoder: Decoder,
    source: BinaryIO,
    name: str,
    policy: str,
    max_px: int | None,
    change: Change | None,
    content: BinaryIO,
) -> Leaving:
    facts = await decoder.inspect(source)
    if policy == "original":
        return Leaving(None, name, sniffing.MEDIA_TYPES.get(facts.format), (), facts)
    if facts.refused is not None and facts.format not in sniffing.CLIPS:
        raise CannotStripError(facts.refused)
    try:
        if policy == "no-location":
            return await _no_location(decoder, source, name, facts, content)
        return await _clean(decoder, source, name, facts, max_px, change, content)
    except PictureRefusedError as error:
        raise CannotStripError(error.detail) from None


# Without its place.


async def _no_location(
    decoder: Decoder, source: BinaryIO, name: str, before: Facts, content: BinaryIO
) -> Leaving:
    edit = await decoder.no_location(source)
    media_type = sniffing.MEDIA_TYPES.get(before.format)
    if not edit.changes(_length(source)):
        _check_place(before)
        return Leaving(None, name, media_type, (), before)
    await asyncio.to_thread(_apply, source, edit, content)
    after = await decoder.inspect(content)
    _check_place(after)
    for field in _THE_SAME:
        if getattr(before, field) != getattr(after, field):
            raise StripFailedError(f"another {field}")
    if after.damaged and not before.damaged:
        raise StripFailedError("it is damaged")
    return Leaving(content, name, media_type, edit.left_out, after)


def _check_place(facts: Facts) -> None:
    if facts.location:
        raise StripFailedError("its place is still in it")


def _apply(source: BinaryIO, edit: Edit, copy: BinaryIO) -> None:
    """Write the copy that an edit script describes."""
    for piece in edit.pieces:
        if isinstance(piece, bytes):
            copy.write(piece)
            continue
        offset, left = piece
        source.seek(offset)
        while left:
            block = source.read(min(_STEP, left))
            if not block:
                raise SourceChangedError("it became shorter")
            copy.write(block)
            left -= len(block)


# The pixels alone.


async def _clean(
    decoder: Decoder,
    source: BinaryIO,
    name: str,
    before: Facts,
    max_px: int | None,
    change: Change | None,
    content: BinaryIO,
) -> Leaving:
    if before.format not in sniffing.PICTURES:
        raise CannotStripError(f"a {before.format} file has no pixels that could go alone")
    pixels = await decoder.pixels(source, max_px=max_px, srgb=max_px is not None)
    if change is not None:
        pixels = await change(pixels)
    kind = _kind(before, pixels)
    date = exif.clean_exif(before.captured) if before.captured else b""
    encoded = await decoder.encode(
        pixels, kind, quality=CLEAN_QUALITY, exif=exif.PREFIX + date if date else b""
    )
    content.write(encoded)
    after = await decoder.inspect(content)
    _check_place(after)
    size = before.upright if max_px is None else (pixels.width, pixels.height)
    if after.refused or after.upright != size:
        raise StripFailedError(after.refused or "another size")
    smaller = after.upright != before.upright
    left_out = dict.fromkeys((*await _strippable(decoder, source), *_dropped(before, smaller)))
    return Leaving(content, _named(name, kind), sniffing.MEDIA_TYPES[kind], tuple(left_out), after)


async def _strippable(decoder: Decoder, source: BinaryIO) -> tuple[str, ...]:
    """What a copy without its place would lack, in words: a clean one lacks all of that, too."""
    try:
        return (await decoder.no_location(source)).left_out
    except PictureRefusedError:
        return ()  # it can go by its pixels only


def _kind(before: Facts, pixels: Pixels) -> str:
    """PNG for what JPEG would harm: drawings, and pictures that one can see through."""
    return "png" if before.format in ("png", "gif") or pixels.mode == "RGBA" else "jpeg"


def _named(name: str, kind: str) -> str:
    """The name with a suffix that fits the new format; one that fits already stays."""
    suffix = PurePath(name).suffix
    if suffix.lower() in sniffing.SUFFIXES[kind]:
        return name
    stem = name.removesuffix(suffix) if suffix.lower() in MEDIA_SUFFIXES else name
    renamed = stem + sniffing.SUFFIXES[kind][0]
    # A file of this machine may have a name that is no text.
    fits = len(renamed.encode("utf-8", "surrogateescape")) <= limits.NAME_BYTES
    return renamed if fits else names.file_name(renamed)


def _dropped(before: Facts, smaller: bool) -> tuple[str, ...]:
    """What a clean copy lacks of what its original was known to have, in words."""
    pictures = [name for name in before.hidden if name != hidden.VIDEO]
    words = (
        ("full size", smaller),
        ("place", before.location),
        ("camera", before.camera is not None),
        ("thumbnail", any(name.endswith("-thumbnail") for name in before.hidden)),
        ("further pictures", any(not name.endswith("-thumbnail") for name in pictures)),
        ("clip", hidden.VIDEO in before.hidden),
        ("further frames", (before.frames or 1) > 1),
        ("C2PA", before.c2pa != "none"),
        ("other tags", True),
    )
    return tuple(word for word, holds in words if holds)


def _length(source: BinaryIO) -> int:
    return source.seek(0, 2)
