"""Shapes of what was edited: outlines, and how softly they end."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .chance import below, integer, real
from .photos import Pixels

Mask = npt.NDArray[np.uint8]
"""Shape (height, width), 255 inside and 0 outside."""

Alpha = npt.NDArray[np.float32]
"""Shape (height, width), 0 where nothing changes to 1 where all does."""


def opaque(mask: Mask) -> Alpha:
    """The mask itself, with a hard edge."""
    return np.divide(mask, 255, dtype=np.float32)


def draw_region(rng: np.random.Generator, guide: Pixels, *, share: float) -> Mask:
    """A connected region of about `share` of the picture, in one of the shapes that people edit.

    `guide` is the picture in which the outline may follow edges.
    """
    height, width = guide.shape[:2]
    kind = rng.choice(
        ["blob", "object", "ellipse", "polygon", "box"], p=[0.3, 0.3, 0.15, 0.1, 0.15]
    )
    if kind == "object":
        mask = _object(rng, guide, share)
        if mask is not None:
            return mask
        kind = "blob"
    stretch = float(np.exp(rng.uniform(-0.7, 0.7)))
    side = (share * height * width) ** 0.5
    half_h = min(max(side * stretch**0.5 / 1.8, 4.0), height * 0.48)
    half_w = min(max(side / stretch**0.5 / 1.8, 4.0), width * 0.48)
    centre_y = real(rng, half_h * 0.6, height - half_h * 0.6)
    centre_x = real(rng, half_w * 0.6, width - half_w * 0.6)
    mask = np.zeros((height, width), np.uint8)
    turn = real(rng, 0, 180)
    centre = (round(centre_x), round(centre_y))
    if kind == "ellipse":
        axes = (round(half_w), round(half_h))
        cv2.ellipse(mask, centre, axes, turn, 0, 360, 255, -1)
    elif kind == "box":
        straight = rng.random() < 0.6
        box = ((centre_x, centre_y), (half_w * 1.8, half_h * 1.8), 0.0 if straight else turn)
        cv2.fillConvexPoly(mask, cv2.boxPoints(box).round().astype(np.int32), 255)
    elif kind == "polygon":
        corners = integer(rng, 5, 12)
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(0.55, 1.25, corners)
        x = centre_x + half_w * reach * np.cos(angles)
        y = centre_y + half_h * reach * np.sin(angles)
        cv2.fillPoly(mask, [np.stack([x, y], 1).round().astype(np.int32)], 255)
    else:
        _blob(rng, mask, (centre_y, centre_x), (half_h, half_w))
    return mask


def _blob(
    rng: np.random.Generator, mask: Mask, centre: tuple[float, float], half: tuple[float, float]
) -> None:
    """Draw an uneven lump: noise of a few waves around the outline of an ellipse."""
    cells = integer(rng, 4, 10)
    height, width = round(2.6 * half[0]) + 1, round(2.6 * half[1]) + 1
    noise = cv2.resize(
        rng.standard_normal((cells, cells)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    y = np.linspace(-1.3, 1.3, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.3, 1.3, width, dtype=np.float32)[None]
    lump = (y * y + x * x + 0.45 * noise < 1).astype(np.uint8) * 255
    top, left = round(centre[0] - height / 2), round(centre[1] - width / 2)
    rows = slice(max(top, 0), min(top + height, mask.shape[0]))
    columns = slice(max(left, 0), min(left + width, mask.shape[1]))
    mask[rows, columns] = lump[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def _object(rng: np.random.Generator, guide: Pixels, share: float) -> Mask | None:
    """What of the picture hangs together by colour around a random point, if of a fitting size."""
    height, width = guide.shape[:2]
    smooth = cv2.GaussianBlur(guide, (0, 0), 2.5)
    for tolerance in (10, 18, 28):
        canvas = np.zeros((height + 2, width + 2), np.uint8)
        seed = (below(rng, width), below(rng, height))
        flags = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        span = (tolerance,) * 3
        cv2.floodFill(smooth, canvas, seed, (0, 0, 0), span, span, flags)
        size = max(3, round(0.02 * min(height, width))) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        mask = cv2.morphologyEx(canvas[1:-1, 1:-1], cv2.MORPH_CLOSE, kernel)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        found = float(np.count_nonzero(mask)) / mask.size
        if 0.3 * share < found < min(3 * share, 0.5):
            return mask.astype(np.uint8)
    return None


def draw_stroke(rng: np.random.Generator, shape: tuple[int, int], *, share: float) -> Mask:
    """The track of a brush."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    length = 0.5 * min(height, width) * real(rng, 0.5, 1.5)
    thickness = max(3, round(share * height * width / max(length, 1)))
    x, y = real(rng, 0, width), real(rng, 0, height)
    angle = real(rng, 0, 2 * np.pi)
    for _ in range(6):
        angle += float(rng.normal(0, 0.6))
        ahead = (x + length / 6 * np.cos(angle), y + length / 6 * np.sin(angle))
        ends = (round(x), round(y)), (round(ahead[0]), round(ahead[1]))
        cv2.line(mask, *ends, 255, thickness)
        x, y = ahead
    return mask


def soften(rng: np.random.Generator, mask: Mask) -> Alpha:
    """The mask with an edge as programs make it: hard, anti-aliased or feathered."""
    softness = rng.random()
    alpha = opaque(mask)
    if softness < 0.3:
        return alpha
    sigma = rng.uniform(0.5, 1.2) if softness < 0.7 else rng.uniform(1.5, 6)
    return cv2.GaussianBlur(alpha, (0, 0), float(sigma)).astype(np.float32)
