"""Samples for the integrity network, made on the fly: a photo, perhaps an edit, and its way.

A sample is a function of its random numbers alone, so a training that is taken up again sees what
it would have seen. The way (`Way`) is drawn before it is decided whether there is an edit: clean
and edited pictures have the same history but for the edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .chance import below, integer, logarithmic, real
from .edits import KINDS, Donors, Kinds, edit
from .photos import Collection, Photo, PhotosMissing, Pixels, Table
from .processing import (
    BLOCK,
    Picture,
    cropped,
    enhanced,
    jpeg,
    messenger_factor,
    scaled,
    unsaved,
    webp,
)

CLEAN = 0.45
"""Share of samples without an edit."""


@dataclass(frozen=True, slots=True)
class Way:
    """What happens to a picture before and after it is edited."""

    name: str
    first: float = 1.0
    """Scaling before the edit."""
    first_quality: int = 0
    """Of a JPEG between that scaling and the edit; 0 for none."""
    enhance: bool = False
    factor: float = 1.0
    """Scaling after the edit."""
    how: int = cv2.INTER_AREA
    shift: tuple[int, int] = (0, 0)
    """Pixels cut off at the top and at the left, which moves the grid."""
    saves: tuple[int, ...] = ()
    """Qualities of the JPEGs at the end, one after the other; 0: with the tables `tables`."""
    subsampling: int = 2
    tables: tuple[Table, ...] = ()
    webp: int = 0
    last_is_jpeg: bool = True


_WAYS = {
    "camera": 0.14,
    "saved": 0.36,
    "twice": 0.10,
    "shifted": 0.08,
    "scaled": 0.11,
    "messenger": 0.08,
    "png": 0.08,
    "screen": 0.03,
    "webp": 0.02,
}
_WAYS_OF_WHOLE_PHOTOS = {
    "camera": 0.20,
    "saved": 0.22,
    "twice": 0.10,
    "shifted": 0.06,
    "scaled": 0.15,
    "messenger": 0.14,
    "png": 0.05,
    "screen": 0.06,
    "webp": 0.02,
}
LARGEST_WHOLE = 12_000_000
"""Pixels of a whole photo, at most; of a larger one a part is taken."""
_SMALLEST_WHOLE = 256
"""Pixels of its shorter side, below which it is not scaled down."""


def _quality(rng: np.random.Generator) -> int:
    return integer(rng, 50, 99) if rng.random() < 0.35 else integer(rng, 78, 98)


def draw_way(
    rng: np.random.Generator,
    long_side: int,
    pool: Sequence[tuple[Table, ...]],
    often: Mapping[str, float] = _WAYS,
) -> Way:
    """A way by chance, for a photo with that long side. `pool`: tables of other cameras.

    `often`: how often each way is drawn.
    """
    name = str(rng.choice(list(often), p=list(often.values())))
    if name == "camera":
        return Way(name, saves=(0,), subsampling=int(rng.choice([0, 1, 2])))
    first = real(rng, 0.2, 1) if rng.random() < 0.3 else 1.0
    first_quality = _quality(rng) if first < 1 and rng.random() < 0.6 else 0
    tables: tuple[Table, ...] = ()
    saves = (_quality(rng),)
    if rng.random() < 0.3 and pool:
        tables, saves = pool[below(rng, len(pool))], (0,)
    factor, how, shift = 1.0, cv2.INTER_AREA, (0, 0)
    if name == "twice":
        saves = (*saves, _quality(rng))
    elif name == "shifted":
        shift = (below(rng, BLOCK), below(rng, BLOCK))
    elif name in ("scaled", "screen"):
        factor = logarithmic(rng, 0.4, 1.3)
        how = int(
            rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
        )
    elif name == "messenger":
        size = rng.choice([1.0, 0.8, 1.25])
        factor = min(1.0, messenger_factor(long_side) / first * float(size))
        saves = (*(saves if rng.random() < 0.5 else ()), integer(rng, 60, 86))
    if name in ("png", "screen", "webp") and rng.random() < 0.7:
        saves = ()
    return Way(
        name,
        first=first,
        first_quality=first_quality,
        enhance=rng.random() < 0.15,
        factor=factor,
        how=how,
        shift=shift,
        saves=saves,
        subsampling=int(rng.choice([0, 1, 2], p=[0.35, 0.1, 0.55])),
        tables=tables,
        webp=integer(rng, 60, 96) if name == "webp" else 0,
        last_is_jpeg=name not in ("png", "screen", "webp"),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture for the network."""

    pixels: Pixels
    mask: np.ndarray[tuple[int, int], np.dtype[np.uint8]]
    luma: Table | None
    edit: str
    """The kind of edit, or `clean`."""
    way: str


class Sampler:
    """Draws samples from a collection of photos."""

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        entries = [(place, photo.entry, photo.pixels.shape) for place, photo in enumerate(photos)]
        self._portraits = [p for p, entry, _ in entries if entry.role == "portrait"]
        self._others = [p for p, entry, _ in entries if entry.role != "portrait"]
        # Portraits of some size are pictures like others, too.
        self._large = [p for p in self._portraits if min(photos[p].pixels.shape[:2]) >= 320]
        self._largest = max(min(photos[p].pixels.shape[:2]) for p in self._others)
        self._pool = [photos[p].tables for p in self._others if photos[p].tables]

    def _photo(self, rng: np.random.Generator, side: int) -> Photo:
        """A photo that is larger than `side` both ways."""
        if side + 2 * BLOCK > self._largest:
            raise PhotosMissing(f"no photo is larger than {side} pixels both ways")
        while True:
            large = self._large and rng.random() < 0.08
            places = self._large if large else self._others
            photo = self._photos[places[below(rng, len(places))]]
            if min(photo.pixels.shape[:2]) >= side + 2 * BLOCK:
                return photo

    def donors(self, group: str) -> Donors:
        """Pieces of photos of other cameras than that of `group`."""
        strangers = [p for p in self._others if self._photos[p].entry.group != group]
        strangers = strangers or self._others

        def piece(rng: np.random.Generator, height: int, width: int) -> Pixels:
            for _ in range(20):
                photo = self._photos[strangers[below(rng, len(strangers))]]
                if photo.pixels.shape[0] >= height and photo.pixels.shape[1] >= width:
                    break
            else:
                photo = self._photos[strangers[below(rng, len(strangers))]]
            tall, wide = photo.pixels.shape[:2]
            # Seen smaller, like a subject that was cut out of a larger photo.
            factor = real(rng, 0.35, 1) if rng.random() < 0.5 else 1.0
            factor = min(1.0, max(factor, height / tall, width / wide))
            high, broad = min(round(height / factor), tall), min(round(width / factor), wide)
            top, left = below(rng, tall - high + 1), below(rng, wide - broad + 1)
            cut = np.ascontiguousarray(photo.pixels[top : top + high, left : left + broad])
            if factor < 1:
                cut = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)
            # Where no photo is large enough, one is mirrored at its edges.
            lacking = (0, height - cut.shape[0]), (0, width - cut.shape[1]), (0, 0)
            return np.pad(cut, lacking, mode="symmetric").astype(np.uint8)

        def portrait(rng: np.random.Generator, height: int, width: int) -> Pixels:
            if not self._portraits:
                return piece(rng, height, width)
            return np.array(self._photos[self._portraits[below(rng, len(self._portraits))]].pixels)

        return Donors(piece, portrait)

    def draw(
        self,
        rng: np.random.Generator,
        side: int,
        *,
        edited: bool | None = None,
        kind: str | None = None,
        kinds: Kinds = KINDS,
    ) -> Sample:
        """A square sample; `edited` and the `kind` of edit are left to chance unless given."""
        photo = self._photo(rng, side)
        height, width = photo.pixels.shape[:2]
        way = draw_way(rng, max(height, width), self._pool)
        if edited is None:
            edited = bool(rng.random() >= CLEAN)

        margin = BLOCK if way.shift != (0, 0) else 0
        canvas_side = int(np.ceil((side + margin) / way.factor / BLOCK)) * BLOCK
        smallest = min(height, width)
        canvas_side = min(canvas_side, smallest // BLOCK * BLOCK)
        if way.factor != 1:  # as drawn, or less far if the photo is too small for that
            way = replace(way, factor=(side + margin) / canvas_side)
        first = max(way.first, canvas_side / smallest)
        source_side = min(
            int(np.ceil(canvas_side / first / BLOCK)) * BLOCK, smallest // BLOCK * BLOCK
        )
        top = below(rng, (height - source_side) // BLOCK + 1) * BLOCK
        left = below(rng, (width - source_side) // BLOCK + 1) * BLOCK
        cut = np.ascontiguousarray(photo.pixels[top : top + source_side, left : left + source_side])
        picture = Picture(cut, np.zeros(cut.shape[:2], np.uint8), photo.luma)
        if source_side > canvas_side:
            picture = scaled(picture, canvas_side / source_side, cv2.INTER_AREA)
            if way.first_quality:
                picture = jpeg(picture, way.first_quality, way.subsampling)

        name = "clean"
        if edited:
            picture, name = self._edited(rng, picture, photo.entry.group, kind, kinds)
        return self._finished(rng, picture, way, photo, side, name)

    def draw_whole(self, rng: np.random.Generator, photo: Photo, *, edited: bool) -> Sample:
        """A whole photo. The same `rng` gives it the same way whether it is `edited` or not."""
        height, width = photo.pixels.shape[:2]
        way = draw_way(rng, max(height, width), self._pool, _WAYS_OF_WHOLE_PHOTOS)
        share = min(1.0, (LARGEST_WHOLE / (height * width)) ** 0.5)
        high, broad = (int(side * share) // BLOCK * BLOCK for side in (height, width))
        top = below(rng, (height - high) // BLOCK + 1) * BLOCK
        left = below(rng, (width - broad) // BLOCK + 1) * BLOCK
        if share == 1:
            high, broad = height, width
        blank = np.zeros((height, width), np.uint8)
        picture = Picture(np.array(photo.pixels), blank, photo.luma)
        picture = cropped(picture, top, left, high, broad)
        smallest = _SMALLEST_WHOLE / min(high, broad)
        if way.first < 1 and smallest < 1:
            picture = scaled(picture, max(way.first, smallest), cv2.INTER_AREA)
            if way.first_quality:
                picture = jpeg(picture, way.first_quality, way.subsampling)
        name = "clean"
        if edited:
            picture, name = self._edited(rng, picture, photo.entry.group, None, KINDS)
        if way.factor != 1:
            high, broad = picture.shape
            least = min(1.0, _SMALLEST_WHOLE / min(high, broad))
            most = (LARGEST_WHOLE / (high * broad)) ** 0.5
            way = replace(way, factor=min(max(way.factor, least), max(most, 1.0)))
        if way.name != "camera" or name != "clean":
            picture = self._processed(rng, picture, way, photo)
        return Sample(picture.pixels, picture.mask, picture.luma, name, way.name)

    def _edited(
        self,
        rng: np.random.Generator,
        picture: Picture,
        group: str,
        kind: str | None,
        kinds: Kinds,
    ) -> tuple[Picture, str]:
        donors = self.donors(group)
        made = edit(rng, picture.pixels, donors, kind, kinds)
        mask, name = made.mask, made.kind
        if kind is None and rng.random() < 0.2:
            again = edit(rng, made.pixels, donors)
            return Picture(again.pixels, mask | again.mask), name
        return Picture(made.pixels, mask), name

    def _finished(
        self,
        rng: np.random.Generator,
        picture: Picture,
        way: Way,
        photo: Photo,
        side: int,
        name: str,
    ) -> Sample:
        untouched = way.name == "camera" and name == "clean"
        if not untouched:
            picture = self._processed(rng, picture, way, photo)
        height, width = picture.shape
        side = min(side, height // BLOCK * BLOCK, width // BLOCK * BLOCK)
        top = below(rng, (height - side) // BLOCK + 1) * BLOCK
        left = below(rng, (width - side) // BLOCK + 1) * BLOCK
        end = cropped(picture, top, left, side, side)
        # What was edited may lie beside this part of the picture; then the part is clean.
        return Sample(end.pixels, end.mask, end.luma, name if end.mask.any() else "clean", way.name)

    @staticmethod
    def _processed(rng: np.random.Generator, picture: Picture, way: Way, photo: Photo) -> Picture:
        if way.enhance:
            picture = enhanced(rng, picture)
        if way.factor != 1:
            picture = scaled(picture, way.factor, way.how)
        down, right = way.shift
        if way.shift != (0, 0):
            height, width = picture.shape
            picture = cropped(picture, down, right, height - down, width - right)
        if way.webp:
            picture = webp(picture, way.webp)
        for quality in way.saves:
            tables = () if quality else (way.tables or photo.tables)
            picture = jpeg(picture, quality or 95, way.subsampling, tables)
        return picture if way.last_is_jpeg and way.saves else unsaved(picture)
