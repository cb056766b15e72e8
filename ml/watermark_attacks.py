"""What happens to marked pictures, by accident or on purpose: `evaluate_watermark` measures it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from .chance import below, integer, real
from .photos import Pixels
from .processing import jpeg_round_trip, messenger_factor
from .watermark_search import turned

Attack = Callable[[Pixels, np.random.Generator], Pixels]


def resized(pixels: Pixels, factor: float, how: int = cv2.INTER_AREA) -> Pixels:
    """Both sides by that factor; OpenCV's `how`."""
    height, width = pixels.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=how).astype(np.uint8)


def part(pixels: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """A crop somewhere, of that share of the area and the same proportions."""
    height, width = pixels.shape[:2]
    rows, columns = int(height * math.sqrt(share)), int(width * math.sqrt(share))
    top, left = below(rng, height - rows + 1), below(rng, width - columns + 1)
    return np.ascontiguousarray(pixels[top : top + rows, left : left + columns])


def screenshot(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """As a screen of some size shows it."""
    factor = min(1.0, real(rng, 900, 1300) / max(pixels.shape[:2]))
    return resized(pixels, factor, cv2.INTER_LINEAR)


def bordered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The same with black bars above and below, as a telephone shows a picture."""
    shown = screenshot(pixels, rng)
    height, width = shown.shape[:2]
    made = np.zeros((round(height * 1.4), width, 3), np.uint8)
    top = integer(rng, 0, made.shape[0] - height)
    made[top : top + height] = shown
    return made


def messenger(pixels: Pixels) -> Pixels:
    """1,600 pixels at most, quality 75, 4:2:0."""
    return jpeg_round_trip(resized(pixels, messenger_factor(max(pixels.shape[:2]))), 75, 2)


def tilted(pixels: Pixels, degrees: float) -> Pixels:
    """Turned by a little, within the same frame."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    mirrored = cv2.BORDER_REFLECT
    return cv2.warpAffine(pixels, matrix, (width, height), borderMode=mirrored).astype(np.uint8)


def brightened(pixels: Pixels, gain: float, gamma: float) -> Pixels:
    """Another contrast and another gamma."""
    curve = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).round().astype(np.uint8)
    return cv2.LUT(pixels, curve).astype(np.uint8)


def noisy(pixels: Pixels, spread: float, rng: np.random.Generator) -> Pixels:
    """With noise of that many grey levels."""
    noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(spread)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def averaged(copies: Sequence[Pixels]) -> Pixels:
    """What several who put their copies together get."""
    total = sum(copy.astype(np.uint16) for copy in copies)
    return np.asarray(total // len(copies)).astype(np.uint8)


def _quality(quality: int) -> Attack:
    return lambda pixels, _rng: jpeg_round_trip(pixels, quality, 2)


BARS: Final[dict[str, tuple[float, Attack]]] = {
    "clean": (0.995, lambda pixels, _rng: jpeg_round_trip(pixels, 95, 0)),
    "q70": (0.97, _quality(70)),
    "half": (0.95, lambda pixels, _rng: resized(pixels, 0.5)),
    "q50": (0.90, _quality(50)),
    "crop 70 %": (0.90, lambda pixels, rng: part(pixels, 0.7, rng)),
    "turned or mirrored": (1.0, lambda pixels, rng: turned(pixels, 1 + below(rng, 7))),
    "messenger": (0.95, lambda pixels, _rng: messenger(pixels)),
    "screenshot": (0.90, screenshot),
}
"""What a mark must bear, and of how many pictures at least; `clean` is the file that is sent."""

HARSHER: Final[dict[str, Attack]] = {
    "q70, then half": lambda pixels, _rng: resized(jpeg_round_trip(pixels, 70, 2), 0.5),
    "crop 70 %, then q70": lambda pixels, rng: jpeg_round_trip(part(pixels, 0.7, rng), 70, 2),
    "q30": _quality(30),
    "q15": _quality(15),
    "quarter": lambda pixels, _rng: resized(pixels, 0.25),
    "long side 400": lambda pixels, _rng: resized(pixels, min(1.0, 400 / max(pixels.shape[:2]))),
    "crop 50 %": lambda pixels, rng: part(pixels, 0.5, rng),
    "crop 30 %": lambda pixels, rng: part(pixels, 0.3, rng),
    "crop 15 %": lambda pixels, rng: part(pixels, 0.15, rng),
    "bars added": bordered,
    "darker, more contrast": lambda pixels, _rng: brightened(pixels, 1.1, 1.4),
    "blur": lambda pixels, _rng: cv2.GaussianBlur(pixels, (0, 0), 2.0).astype(np.uint8),
    "median 5": lambda pixels, _rng: cv2.medianBlur(pixels, 5).astype(np.uint8),
    "noise of 10": lambda pixels, rng: noisy(pixels, 10, rng),
    "tilted by 0.3 degrees": lambda pixels, _rng: tilted(pixels, 0.3),
    "tilted by 2 degrees": lambda pixels, _rng: tilted(pixels, 2.0),
    "3 % wider": lambda pixels, _rng: cv2.resize(
        pixels, (round(pixels.shape[1] * 1.03), pixels.shape[0])
    ).astype(np.uint8),
}  # fmt: skip
"""What it need not bear; there it shows where it ends."""
