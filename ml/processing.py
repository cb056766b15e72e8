"""What happens to pictures on their way, edited or not: compression, scaling, cropping, filters.

A `Picture` carries its mask along, so that what was edited is still known after it was scaled.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from .chance import below, real
from .photos import Pixels, Table, tables_of
from .regions import Mask

BLOCK = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels as a decoder gives them, and what is known of them."""

    pixels: Pixels
    mask: Mask
    """Where it was edited; all zero for a picture that was not."""
    luma: Table | None = None
    """The luma table if the last thing that happened was a JPEG; its grid begins at (0, 0)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]


def jpeg(
    picture: Picture, quality: int, subsampling: int, tables: Sequence[Table] | None = None
) -> Picture:
    """Save as JPEG and open it.

    `subsampling`: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0. `tables`, luma and chroma, take the place
    of `quality`.
    """
    file = io.BytesIO()
    image = Image.fromarray(picture.pixels)
    if tables:
        own = [table.tolist() for table in tables[:2]]
        image.save(file, "JPEG", qtables=own, subsampling=subsampling)
    else:
        image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as opened:
        luma = tables_of(opened)[0]
        return replace(picture, pixels=np.asarray(opened), luma=luma)


def jpeg_round_trip(pixels: Pixels, quality: int, subsampling: int) -> Pixels:
    """As `jpeg`, of pixels alone."""
    blank = np.zeros(pixels.shape[:2], np.uint8)
    return jpeg(Picture(pixels, blank), quality, subsampling).pixels


def webp(picture: Picture, quality: int) -> Picture:
    """Save as lossy WebP and open it."""
    file = io.BytesIO()
    Image.fromarray(picture.pixels).save(file, "WEBP", quality=quality, method=2)
    with Image.open(file) as opened:
        return replace(picture, pixels=np.asarray(opened.convert("RGB")), luma=None)


def webp_round_trip(pixels: Pixels, quality: int) -> Pixels:
    """As `webp`, of pixels alone."""
    return webp(Picture(pixels, np.zeros(pixels.shape[:2], np.uint8)), quality).pixels


def unsaved(picture: Picture) -> Picture:
    """As PNG would keep it: the same pixels, and no table to go by."""
    return replace(picture, luma=None)


def scaled(picture: Picture, factor: float, how: int = cv2.INTER_AREA) -> Picture:
    """Scale both sides; `how` is an interpolation of OpenCV."""
    height, width = (max(BLOCK, round(side * factor)) for side in picture.shape)
    if (height, width) == picture.shape:
        return picture
    pixels = cv2.resize(picture.pixels, (width, height), interpolation=how)
    mask = cv2.resize(picture.mask, (width, height), interpolation=cv2.INTER_LINEAR)
    edited = (mask > 127).astype(np.uint8) * 255
    return Picture(pixels.astype(np.uint8), edited)


def cropped(picture: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """A part of the picture. Its table stays if the part lies on the grid."""
    rows, columns = slice(top, top + height), slice(left, left + width)
    on_grid = top % BLOCK == 0 and left % BLOCK == 0
    return Picture(
        np.ascontiguousarray(picture.pixels[rows, columns]),
        np.ascontiguousarray(picture.mask[rows, columns]),
        picture.luma if on_grid else None,
    )


def enhanced(rng: np.random.Generator, picture: Picture) -> Picture:
    """The whole picture made prettier, which is no edit of a part of it."""
    pixels = picture.pixels
    kind = below(rng, 6)
    if kind == 0:
        gamma, gain = real(rng, 0.75, 1.3), real(rng, 0.9, 1.15)
        curve = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).round()
        pixels = cv2.LUT(pixels, curve.astype(np.uint8))
    elif kind == 1:
        hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).astype(np.float32)
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.0, 1.5), 0, 255)
        pixels = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    elif kind == 2:
        soft = cv2.GaussianBlur(pixels, (0, 0), real(rng, 0.6, 2))
        amount = real(rng, 0.3, 1.2)
        pixels = cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0)
    elif kind == 3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), real(rng, 0.4, 0.9))
    elif kind == 4:
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        lighten = cv2.createCLAHE(real(rng, 1, 3), (4, 4))
        lab[..., 0] = lighten.apply(np.ascontiguousarray(lab[..., 0]))
        pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    else:
        grain = rng.normal(0, rng.uniform(0.5, 3), (*picture.shape, 1))
        pixels = np.clip(pixels + grain, 0, 255)
    return replace(picture, pixels=pixels.astype(np.uint8), luma=None)


_LONG_SIDE_OF_MESSENGERS = 1600


def messenger_factor(long_side: int) -> float:
    """By how much a messenger scales a photo with that long side."""
    return min(1.0, _LONG_SIDE_OF_MESSENGERS / long_side)


def messenger(picture: Picture, quality: int = 75) -> Picture:
    """A whole photo after a messenger: 1,600 pixels at most, quality 75, 4:2:0."""
    smaller = scaled(picture, messenger_factor(max(picture.shape)))
    return jpeg(smaller, quality, 2)


def screenshot(picture: Picture, long_side: int = 1280) -> Picture:
    """A whole photo as a screen shows it, kept as PNG."""
    factor = min(1.0, long_side / max(picture.shape))
    return unsaved(scaled(picture, factor, cv2.INTER_LINEAR))
