"""What a picture says about itself, in whatever blocks it says it: the way from bytes to facts.

`containers` finds the blocks, `metadata` opens them, and one module for each question answers it
from the pile: `capture`, `places`, `pairs`, `hidden`. Pure functions over the bytes of strangers:
they take what makes sense, in linear time and within limits, and leave the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import hidden, icc, pairs, places, quicktime
from .capture import captured
from .containers import collect
from .exif import Value
from .facts import Buffer
from .metadata import Metadata
from .plain_text import one_line

MAKE, MODEL = 0x010F, 0x0110


@dataclass(frozen=True, slots=True)
class Findings:
    """The part of `facts.Facts` that metadata tell; names and meanings are those of `Facts`.

    `orientation_hint` is the EXIF number (1 to 8) that EXIF or else XMP gives, whatever the
    container itself says about its rotation.
    """

    captured: str | None
    captured_source: str | None
    camera: str | None
    location: bool
    position: tuple[float, float] | None
    place: str | None
    icc: str | None
    hidden: tuple[str, ...]
    pair: str | None
    orientation_hint: int | None


def read_facts(data: Buffer, kind: str) -> Findings:
    """What the metadata of a file say; `kind` is its format as `sniffing.sniff` names it.

    A format without metadata that are read here gives empty findings, and so does a broken file.
    """
    found = collect(data, kind)
    within = found.within()
    capture = captured(found)
    return Findings(
        captured=capture.time if capture is not None else None,
        captured_source=capture.source if capture is not None else None,
        camera=_camera(found),
        location=places.located(found) or places.located(within),
        position=places.position(found) or places.position(within),
        place=places.place(found) or places.place(within),
        icc=icc.description(found.icc) if found.icc is not None else None,
        hidden=tuple(name for name in hidden.NAMES if name in found.hidden),
        pair=pairs.pair(found),
        orientation_hint=next(_orientations(found), None),
    )


def _camera(found: Metadata) -> str | None:
    for make, model in _cameras(found):
        if make is None or model is None:
            if make or model:
                return make or model
        # "Canon" and "Canon EOS 5D", "NIKON CORPORATION" and "NIKON D70"
        elif model.casefold().split()[0] == make.casefold().split()[0]:
            return model
        else:
            return one_line(f"{make} {model}")
    return None


def _cameras(found: Metadata) -> Iterator[tuple[str | None, str | None]]:
    for exif in found.exif:
        yield _line(exif.ifd0.get(MAKE)), _line(exif.ifd0.get(MODEL))
    for xmp in found.xmp:
        yield _line(xmp.first("tiff:Make")), _line(xmp.first("tiff:Model"))
    if found.film is not None:
        yield _line(found.film.first(*quicktime.MAKE)), _line(found.film.first(*quicktime.MODEL))


def _line(value: Value | None) -> str | None:
    return one_line(value) if isinstance(value, str) else None


def _orientations(found: Metadata) -> Iterator[int]:
    for exif in found.exif:
        if exif.orientation is not None:
            yield exif.orientation
    for xmp in found.xmp:
        number = xmp.first("tiff:Orientation")
        if number is not None and number in ("1", "2", "3", "4", "5", "6", "7", "8"):
            yield int(number)
