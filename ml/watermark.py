"""Sets an invisible mark in a picture: six bytes, spread over all of it, found again in its copies.

`mark(pixels, carrier, payload)` gives new pixels. The pattern of the carrier is laid over the
brightness of the whole picture, at a scale that depends on the picture's area alone, and stronger
where the picture is busy. `watermark_search.find` reads it. Needs numpy and OpenCV, no torch; the
same picture, key and payload give the same pixels. Twelve megapixels take half a second.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from .watermark_carrier import TILE, Carrier, Floats

Picture = npt.NDArray[np.uint8]

SIDE: Final = 640.0
"""Side in pixels of the square of the area to which every picture is brought."""
SMALLEST: Final = 256
"""Pixels of the shorter side from which on there is room for a mark."""
LARGEST: Final = 64_000_000
"""Pixels; they take about 1 GB."""
LEAST_DB: Final = 42.0
"""PSNR that a marked picture has at least, but for rounding."""
LEAST_SSIM: Final = 0.985
"""The same for its structural similarity, by the estimate below."""
LEAST_SAMPLED: Final = 0.982
"""The same where it is measured: on sixteen squares of the picture."""
_ACROSS, _SQUARE = 4, 256

_BAND: Final = 256
"""Rows that are changed at a time."""
_SMOOTH: Final = (5, 5)
_NEAR: Final = (9, 9)
_FLOOR: Final = 3.0
"""Variance that is added to a place's own, so that smooth places have some of the mark."""
_POWER: Final = 0.35
"""How the mark's strength grows with the variance of its place: 0.5 would be in proportion."""
_SSIM_C1: Final = (0.01 * 255) ** 2
_SSIM_C2: Final = (0.03 * 255) ** 2


class UnfitPicture(Exception):
    """The picture can't be marked; the text says why."""


def mark(pixels: npt.NDArray[Any], carrier: Carrier, payload: bytes) -> Picture:
    """The picture with a mark, of the same shape.

    `pixels`: shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), 8 bits, upright; a fourth channel, of
    transparency, stays. Raises UnfitPicture.
    """
    return lay(check(pixels), carrier.tile(payload)).reshape(pixels.shape)


def lay(picture: Picture, tile: Floats) -> Picture:
    """The picture with a pattern of unit power, shape (TILE, TILE), repeated all over it."""
    height, width = picture.shape[:2]
    grey = luma(picture)
    small = canonical(grey, SIDE / math.sqrt(height * width))
    repeats = -(-small.shape[0] // TILE), -(-small.shape[1] // TILE)
    drawn = np.tile(tile, repeats)[: small.shape[0], : small.shape[1]]
    residual = drawn * _strengths(small, drawn)
    full = cv2.resize(residual, (width, height), interpolation=cv2.INTER_CUBIC).astype(
        np.float32, copy=False
    )
    full *= np.float32(_bearable(grey, full))
    change = np.rint(full, out=full).astype(np.int16)
    made = picture.copy()
    colours = made[:, :, :3]
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        band = np.ascontiguousarray(colours[rows])
        layers = np.repeat(change[rows, :, None], band.shape[2], axis=2)
        # Saturating: what would be over white is white.
        colours[rows] = cv2.add(band, layers, dtype=cv2.CV_8U).reshape(band.shape)
    return made


def check(pixels: npt.NDArray[Any], smallest: int = SMALLEST) -> Picture:
    """The picture with an axis for its channels. Raises UnfitPicture."""
    if pixels.dtype != np.uint8:
        raise UnfitPicture("it has other than 8 bits for each colour")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise UnfitPicture("it is no picture in grey or RGB")
    height, width = pixels.shape[:2]
    if min(height, width) < smallest:
        raise UnfitPicture(f"it is smaller than {smallest} pixels")
    if height * width > LARGEST:
        raise UnfitPicture(f"it has more than {LARGEST // 1_000_000} megapixels")
    return cast("Picture", pixels)


def luma(picture: Picture) -> Picture:
    """Its brightness, shape (h, w)."""
    match picture.shape[2]:
        case 1:
            return np.ascontiguousarray(picture[:, :, 0])
        case 3:
            made = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        case _:
            made = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGBA2GRAY)
    return cast("Picture", made)


def canonical(grey: Picture, scale: float) -> Floats:
    """Brightness at that scale."""
    height, width = grey.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(grey, size, interpolation=how).astype(np.float32)


def similarity(one: Floats, other: Floats) -> float:
    """SSIM of two pictures in grey, with the window of the paper: Z. Wang et al., 2004."""

    def mean(values: Floats) -> Floats:
        return cv2.GaussianBlur(values, (11, 11), 1.5).astype(np.float32, copy=False)

    mean_a, mean_b = mean(one), mean(other)
    spread_a, spread_b = mean(one * one) - mean_a * mean_a, mean(other * other) - mean_b * mean_b
    both = mean(one * other) - mean_a * mean_b
    top = (2 * mean_a * mean_b + _SSIM_C1) * (2 * both + _SSIM_C2)
    return float(np.mean(
        top
        / ((mean_a * mean_a + mean_b * mean_b + _SSIM_C1) * (spread_a + spread_b + _SSIM_C2))
    ))  # fmt: skip


def _bearable(grey: Picture, change: Floats) -> float:
    """The share of a change that leaves the picture as similar as it must be.

    At full size a smooth picture may show more of it than the estimate at the scale of marks says.
    """
    height, width = grey.shape
    rows, columns = min(height, _SQUARE), min(width, _SQUARE)
    found: list[float] = []
    for down, across in product(range(_ACROSS), repeat=2):
        top = (height - rows) * down // (_ACROSS - 1)
        left = (width - columns) * across // (_ACROSS - 1)
        place = slice(top, top + rows), slice(left, left + columns)
        before = grey[place].astype(np.float32)
        after = np.clip(np.rint(before + change[place]), 0, 255).astype(np.float32)
        found.append(similarity(before, after))
    loss = 1 - sum(found) / len(found)
    return min(1.0, math.sqrt((1 - LEAST_SAMPLED) / max(loss, 1e-9)))


def _strengths(small: Floats, drawn: Floats) -> Floats:
    """Grey levels by which the pattern is multiplied at each place.

    Variance is the least of the neighbourhood, so that no halo is seen in the sky beside a roof.
    """
    mean = cv2.blur(small, _SMOOTH)
    variance = np.maximum(cv2.blur(small * small, _SMOOTH) - mean * mean, 0)
    calm = cv2.blur(cv2.erode(variance, np.ones(_SMOOTH, np.uint8)), _NEAR)
    shape = np.power(calm + _FLOOR, _POWER, dtype=np.float32)
    power = float(np.mean(np.square(shape * drawn, dtype=np.float64)))
    by_psnr = 255.0**2 / 10 ** (LEAST_DB / 10) / power
    # SSIM of a picture and itself with noise: 1 - noise / (2 variance + noise + C2).
    loss = float(np.mean(np.square(shape, dtype=np.float64) / (2 * calm + _SSIM_C2)))
    by_ssim = (1 - LEAST_SSIM) / loss
    return shape * np.float32(math.sqrt(min(by_psnr, by_ssim)))
