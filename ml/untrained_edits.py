"""Edits that no training saw, to measure what the network makes of them.

Each is made otherwise than all of `edits.KINDS`: a network that only knows its own edits again
fails on them.
"""

from __future__ import annotations

import cv2
import numpy as np

from .chance import integer, real
from .edits import Donors, Edit, Kinds, blend, draw_share, regrained
from .photos import Pixels
from .processing import jpeg_round_trip, webp_round_trip
from .regions import Mask, draw_region, opaque, soften


def patches(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """Fill by content, as programs do it that look for patches that fit."""
    mask = draw_region(rng, pixels, share=min(draw_share(rng), 0.08))
    return Edit(*blend(pixels, _patched(rng, pixels, mask), soften(rng, mask)), "patches")


def _patched(rng: np.random.Generator, pixels: Pixels, mask: Mask) -> Pixels:
    """Fill by content: patches from several places near by, each from where it was found."""
    height, width = mask.shape
    _, _, w, h = cv2.boundingRect(mask)
    patch = integer(rng, 6, 33)
    rows, columns = height // patch + 1, width // patch + 1
    shifts = rng.uniform(-1, 1, (integer(rng, 2, 9), 2))
    length = np.sqrt((shifts**2).sum(axis=1, keepdims=True)) + 1e-6
    shifts = shifts / length * rng.uniform(0.9, 1.8, (len(shifts), 1)) * [h, w]
    taken = rng.integers(0, len(shifts), (rows, columns)).astype(np.uint8)
    if rng.random() < 0.6:  # as good matches do, neighbours come from the same place
        taken = cv2.medianBlur(taken, 3)
    taken = cv2.resize(taken, (columns * patch, rows * patch), interpolation=cv2.INTER_NEAREST)
    down, right = (shifts.round()[taken[:height, :width]][..., axis] for axis in (0, 1))
    y, x = np.mgrid[:height, :width]
    down, right = (y + down).astype(np.float32), (x + right).astype(np.float32)
    layer = cv2.remap(pixels, right, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:  # patches that overlap are averaged
        beside = cv2.boxFilter(layer, -1, (3, 3))
        seams = cv2.morphologyEx(taken[:height, :width], cv2.MORPH_GRADIENT, np.ones((3, 3)))
        layer = np.where(seams[..., None] > 0, beside, layer)
    return layer.astype(np.uint8)


def decoded(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    """What a generator's decoder makes of few numbers, of this picture or another one."""
    height, width = pixels.shape[:2]
    mask = draw_region(rng, pixels, share=draw_share(rng))
    origin = pixels if rng.random() < 0.5 else donors.photo(rng, height, width)[:height, :width]
    layer = regrained(rng, _decoded(rng, origin))
    return Edit(*blend(pixels, layer, soften(rng, mask)), "decoded")


def _decoded(rng: np.random.Generator, origin: Pixels) -> Pixels:
    """What comes out of few numbers for each block, as a generator's decoder makes it.

    A lossy codec stands in for the decoder: it keeps what matters to the eye, on a grid of its
    own, and no noise of a sensor.
    """
    height, width = origin.shape[:2]
    factor = real(rng, 0.4, 1.6)
    size = max(int(width * factor), 16), max(int(height * factor), 16)
    scaled = cv2.resize(origin, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        scaled = cv2.fastNlMeansDenoising(scaled, None, real(rng, 3, 9), 3, 7)
    few = (
        webp_round_trip(scaled.astype(np.uint8), integer(rng, 15, 75))
        if rng.random() < 0.6
        else jpeg_round_trip(scaled.astype(np.uint8), integer(rng, 20, 70), 2)
    )
    if rng.random() < 0.5:
        few = cv2.bilateralFilter(few, 5, 20, 3)
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    return cv2.resize(few, (width, height), interpolation=how).astype(np.uint8)


def push(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """A region pushed about or blown up, as programs that make slimmer do it."""
    height, width = pixels.shape[:2]
    mask = draw_region(rng, pixels, share=draw_share(rng))
    _, _, w, h = cv2.boundingRect(mask)
    strength = cv2.GaussianBlur(opaque(mask), (0, 0), max(2.0, 0.1 * min(w, h)))
    strength *= opaque(mask)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if rng.random() < 0.5:
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.25) * min(w, h)
        across, along = reach * np.cos(angle) * strength, reach * np.sin(angle) * strength
    else:
        weight = max(float(strength.sum()), 1e-6)
        middle = float((x * strength).sum()) / weight, float((y * strength).sum()) / weight
        grow = real(rng, 0.1, 0.3) * (1 if rng.random() < 0.5 else -1)
        across, along = (x - middle[0]) * strength * grow, (y - middle[1]) * strength * grow
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    layer = cv2.remap(
        pixels,
        (x + across).astype(np.float32),
        (y + along).astype(np.float32),
        how,
        borderMode=cv2.BORDER_REFLECT,
    )
    return Edit(*blend(pixels, layer.astype(np.uint8), opaque(mask)), "push")


def tone(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """A region made clearer, or of another light, with a wide edge."""
    mask = draw_region(rng, pixels, share=draw_share(rng))
    if rng.random() < 0.5:
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        clearer = cv2.createCLAHE(real(rng, 1, 4), (4, 4))
        lab[..., 0] = clearer.apply(np.ascontiguousarray(lab[..., 0]))
        layer = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    else:
        gain = np.exp(rng.uniform(-0.25, 0.25, 3)) * np.exp(rng.uniform(-0.2, 0.2))
        layer = np.clip(pixels * gain + rng.uniform(-12, 12), 0, 255)
    alpha = cv2.GaussianBlur(opaque(mask), (0, 0), real(rng, 2, 15)).astype(np.float32)
    return Edit(*blend(pixels, layer.astype(np.uint8), alpha), "tone")


UNTRAINED: Kinds = {
    "patches": (patches, 0.25),
    "decoded": (decoded, 0.25),
    "push": (push, 0.25),
    "tone": (tone, 0.25),
}
