"""Edits as people make them, each with the mask of where it was made.

Every edit takes the picture, a source of chance and photos to take pieces from, and returns an
`Edit`. Outside the mask no pixel changes: that holds by construction, in `blend`, for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .chance import below, integer, logarithmic, real
from .photos import Pixels
from .processing import jpeg_round_trip
from .regions import Alpha, Mask, draw_region, draw_stroke, opaque, soften

Draw = Callable[[np.random.Generator, int, int], Pixels]
"""A piece of another photo, given its height and width at least."""


@dataclass(frozen=True, slots=True)
class Donors:
    """Where pieces of other pictures come from."""

    photo: Draw
    """Of another camera than the picture's."""
    portrait: Draw
    """A face, in the middle of its picture."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited picture."""

    pixels: Pixels
    mask: Mask
    """Where pixels were replaced."""
    kind: str
    origin: Mask | None = None
    """Copy-move: where the piece was taken from."""


def blend(pixels: Pixels, layer: npt.NDArray[np.uint8], alpha: Alpha) -> tuple[Pixels, Mask]:
    """Lay one over the other; the mask is where that changes something."""
    mixed = pixels + (layer.astype(np.float32) - pixels) * alpha[..., None]
    mask = (alpha >= 0.1).astype(np.uint8) * 255
    edited = np.where(mask[..., None] > 0, np.rint(mixed), pixels).astype(np.uint8)
    return edited, mask


def draw_share(rng: np.random.Generator) -> float:
    """How much of the picture an edit takes: small ones as often as large."""
    return logarithmic(rng, 0.006, 0.33)


def match_colors(piece: Pixels, surroundings: Pixels, strength: float) -> Pixels:
    """Move the piece's mean and spread of each channel of Lab towards those of what is around."""
    lab = cv2.cvtColor(piece, cv2.COLOR_RGB2LAB).astype(np.float32)
    goal = cv2.cvtColor(surroundings, cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, goal_mean = lab.mean((0, 1)), goal.mean((0, 1))
    scale = np.clip((goal.std((0, 1)) + 1) / (lab.std((0, 1)) + 1), 0.6, 1.6)
    matched = (lab - mean) * (1 + strength * (scale - 1)) + mean + strength * (goal_mean - mean)
    colors = np.asarray(np.clip(matched, 0, 255), np.uint8)
    return cv2.cvtColor(colors, cv2.COLOR_LAB2RGB).astype(np.uint8)


def _warp(rng: np.random.Generator, piece: Pixels, mask: Mask) -> tuple[Pixels, Mask]:
    """Turn, scale and mirror a piece with its mask, about the mask's middle."""
    if rng.random() < 0.3:
        piece, mask = np.ascontiguousarray(piece[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    if rng.random() < 0.5:
        return piece, mask
    height, width = mask.shape
    turn = float(rng.normal(0, 12)) if rng.random() < 0.6 else 0.0
    scale = logarithmic(rng, 0.6, 1.5) if rng.random() < 0.7 else 1.0
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    turned = cv2.warpAffine(
        piece, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT
    )
    outline = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
    return turned.astype(np.uint8), outline.astype(np.uint8)


def _cloned(pixels: Pixels, layer: Pixels, mask: Mask) -> tuple[Pixels, Mask] | None:
    """Poisson blending, which hides seams; None where the mask leaves it nothing to solve."""
    inner = mask.copy()
    inner[:2], inner[-2:], inner[:, :2], inner[:, -2:] = 0, 0, 0, 0
    if np.count_nonzero(inner) < 64:
        return None
    x, y, width, height = cv2.boundingRect(inner)
    centre = (x + width // 2, y + height // 2)
    try:
        # It writes into the mask it is given.
        mixed = cv2.seamlessClone(layer, pixels, inner.copy(), centre, cv2.NORMAL_CLONE)
    except cv2.error:
        return None
    return blend(pixels, mixed.astype(np.uint8), opaque(inner))


def splice(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    """A piece of another photo, with a past of its own."""
    height, width = pixels.shape[:2]
    donor = donors.photo(rng, height, width)[:height, :width]
    if rng.random() < 0.4:
        donor = jpeg_round_trip(donor, integer(rng, 55, 98), int(rng.choice([0, 2])))
    mask = draw_region(rng, donor, share=draw_share(rng))
    donor, mask = _warp(rng, donor, mask)
    if rng.random() < 0.5:
        donor = match_colors(donor, pixels, real(rng, 0.4, 1))
    if rng.random() < 0.2:
        cloned = _cloned(pixels, donor, mask)
        if cloned is not None:
            return Edit(*cloned, "splice")
    return Edit(*blend(pixels, donor, soften(rng, mask)), "splice")


def copy_move(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """A piece of the picture itself at another place."""
    height, width = pixels.shape[:2]
    origin = draw_region(rng, pixels, share=min(draw_share(rng), 0.15))
    x, y, w, h = cv2.boundingRect(origin)
    if w == 0:
        return Edit(pixels, origin, "copy-move", origin)
    piece, outline = _warp(rng, pixels, origin) if rng.random() < 0.5 else (pixels, origin)
    down, right = _shift(rng, (y, h, height)), _shift(rng, (x, w, width))
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(piece, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    mask = cv2.warpAffine(outline, matrix, (width, height), flags=cv2.INTER_NEAREST).astype(
        np.uint8
    )
    edited, mask = blend(pixels, moved.astype(np.uint8), soften(rng, mask))
    return Edit(edited, mask, "copy-move", origin)


def _shift(rng: np.random.Generator, span: tuple[int, int, int]) -> int:
    """How far to move what reaches from `start` over `length` so that it stays within `whole`."""
    start, length, whole = span
    return integer(rng, -start, max(whole - start - length, -start) + 1)


def removal(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    """Something painted over with what is around it."""
    share = min(draw_share(rng), 0.08)
    mask = (
        draw_stroke(rng, pixels.shape[:2], share=share)
        if rng.random() < 0.3
        else draw_region(rng, pixels, share=share)
    )
    if rng.random() < 0.5:
        return _healed(rng, pixels, mask, donors)
    x, y, w, h = cv2.boundingRect(mask)
    margin = 12
    rows = slice(max(y - margin, 0), y + h + margin)
    columns = slice(max(x - margin, 0), x + w + margin)
    how = cv2.INPAINT_TELEA if rng.random() < 0.5 else cv2.INPAINT_NS
    layer = pixels.copy()
    layer[rows, columns] = cv2.inpaint(
        np.ascontiguousarray(pixels[rows, columns]),
        np.ascontiguousarray(mask[rows, columns]),
        4,
        how,
    )
    layer = regrained(rng, layer)
    return Edit(*blend(pixels, layer, opaque(mask)), "removal")


def _healed(rng: np.random.Generator, pixels: Pixels, mask: Mask, donors: Donors) -> Edit:
    """The healing brush: texture from beside, colours from around."""
    height, width = mask.shape
    _, _, w, h = cv2.boundingRect(mask)
    angle = rng.uniform(0, 2 * np.pi)
    reach = real(rng, 1.0, 1.6)
    matrix = np.array(
        [[1, 0, reach * w * np.cos(angle)], [0, 1, reach * h * np.sin(angle)]], np.float32
    ).round()
    beside = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    beside = beside.astype(np.uint8)
    cloned = _cloned(pixels, beside, mask) if rng.random() < 0.7 else None
    if cloned is None:
        cloned = blend(pixels, beside, soften(rng, mask))
    del donors
    return Edit(*cloned, "removal")


def regrained(rng: np.random.Generator, layer: Pixels) -> Pixels:
    """Sometimes some grain, as good tools add it."""
    if rng.random() < 0.5:
        return layer
    grain = rng.normal(0, rng.uniform(0.7, 4), layer.shape[:2])
    return np.clip(layer + grain[..., None], 0, 255).astype(np.uint8)


def smooth_fill(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    """What generators leave: a region made again from few numbers, by upsampling."""
    height, width = pixels.shape[:2]
    mask = draw_region(rng, pixels, share=draw_share(rng))
    origin = pixels if rng.random() < 0.5 else donors.photo(rng, height, width)[:height, :width]
    factor = int(rng.choice([2, 3, 4, 8]))
    small = cv2.resize(
        origin, (max(width // factor, 2), max(height // factor, 2)), interpolation=cv2.INTER_AREA
    )
    ways = [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
    way = int(rng.choice(ways, p=[0.1, 0.4, 0.3, 0.2]))
    layer = cv2.resize(small, (width, height), interpolation=way)
    if way == cv2.INTER_NEAREST or rng.random() < 0.3:
        # A transposed convolution: nearest, then a small random filter around the identity.
        kernel = rng.normal(0, 0.03, (5, 5))
        kernel += cv2.getGaussianKernel(5, 1.1) @ cv2.getGaussianKernel(5, 1.1).T
        layer = cv2.filter2D(layer, -1, kernel / kernel.sum())
    if rng.random() < 0.5:
        # Detail of another kind in place of what was lost.
        detail = origin.astype(np.float32) - cv2.GaussianBlur(origin, (0, 0), 1.5)
        layer = np.clip(
            layer + cv2.GaussianBlur(detail, (0, 0), 0.8) * rng.uniform(0.5, 1.2), 0, 255
        )
    if rng.random() < 0.3:
        layer = cv2.bilateralFilter(np.asarray(layer).astype(np.uint8), 5, 25, 5)
    filled = regrained(rng, np.asarray(layer).astype(np.uint8))
    return Edit(*blend(pixels, filled, soften(rng, mask)), "fill")


def blur(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """A region blurred, smoothed, sharpened or pixelated."""
    mask = (
        draw_stroke(rng, pixels.shape[:2], share=min(draw_share(rng), 0.1))
        if rng.random() < 0.2
        else draw_region(rng, pixels, share=draw_share(rng))
    )
    kind = rng.integers(5)
    if kind == 0:
        layer = cv2.GaussianBlur(pixels, (0, 0), real(rng, 0.8, 5))
    elif kind == 1:
        layer = cv2.medianBlur(pixels, int(rng.choice([3, 5, 7])))
    elif kind == 2:
        layer = cv2.bilateralFilter(pixels, 7, real(rng, 20, 70), 4)
    elif kind == 3:
        away = cv2.GaussianBlur(pixels, (0, 0), real(rng, 0.8, 2))
        layer = cv2.addWeighted(pixels, 2.2, away, -1.2, 0)
    else:
        factor = integer(rng, 4, 14)
        height, width = pixels.shape[:2]
        small = cv2.resize(
            pixels, (width // factor, height // factor), interpolation=cv2.INTER_AREA
        )
        layer = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return Edit(*blend(pixels, layer.astype(np.uint8), soften(rng, mask)), "blur")


def retouch(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """A region made lighter, of another colour, grainier or smoother: same content, other look."""
    mask = draw_region(rng, pixels, share=draw_share(rng))
    kind = rng.integers(4)
    if kind == 0:
        gamma = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.2, 0.7)))
        curve = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
        layer = cv2.LUT(pixels, curve)
    elif kind == 1:
        hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).astype(np.int16)
        hsv[..., 0] = (hsv[..., 0] + integer(rng, 15, 165)) % 180
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.7, 1.6), 0, 255)
        layer = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    elif kind == 2:
        grain = rng.normal(0, rng.uniform(2, 8), pixels.shape)
        layer = np.clip(pixels + grain, 0, 255)
    else:
        smooth = cv2.bilateralFilter(pixels, 9, 40, 5).astype(np.float32)
        layer = np.clip(smooth * rng.uniform(1.0, 1.1) + rng.normal(0, 1, pixels.shape), 0, 255)
    return Edit(*blend(pixels, layer.astype(np.uint8), soften(rng, mask)), "retouch")


_FONTS = [
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
]
_LETTERS = list("ABCDEFGHIKLMNOPRSTUVWZabcdefghiklmnoprstuvwz0123456789.-!&")


def overlay(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:  # noqa: ARG001 -- an edit like the others
    """Text, or a sign made of plain shapes, drawn on the picture."""
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    layer = np.empty_like(pixels)
    layer[:] = rng.integers(0, 256, 3)
    if rng.random() < 0.65:
        text = "".join(rng.choice(_LETTERS, integer(rng, 2, 14)))
        scale = real(rng, 0.5, 2.5) * min(height, width) / 256
        thickness = max(1, round(scale * rng.uniform(1, 3)))
        at = (integer(rng, 0, max(width // 2, 1)), integer(rng, height // 8, height))
        font = _FONTS[below(rng, len(_FONTS))]
        cv2.putText(mask, text, at, font, scale, 255, thickness, cv2.LINE_AA)
    else:
        for _ in range(integer(rng, 1, 4)):
            part = draw_region(rng, pixels, share=real(rng, 0.005, 0.04))
            layer[part > 0] = rng.integers(0, 256, 3)
            mask |= part
    opacity = float(rng.choice([1.0, rng.uniform(0.4, 1)]))
    alpha = opaque(mask) * np.float32(opacity)
    return Edit(*blend(pixels, layer, alpha), "overlay")


def face(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    """Another's face, its colours matched, its edge feathered."""
    height, width = pixels.shape[:2]
    portrait = donors.portrait(rng, 64, 64)
    tall = integer(rng, 48, max(min(height, width) * 3 // 4, 49))
    wide = round(tall * portrait.shape[1] / portrait.shape[0])
    if wide >= width or tall >= height:
        return splice(rng, pixels, donors)
    small = cv2.resize(portrait, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.uint8)
    top, left = below(rng, height - tall), below(rng, width - wide)
    window = (slice(top, top + tall), slice(left, left + wide))
    small = match_colors(small, np.ascontiguousarray(pixels[window]), real(rng, 0.3, 1))
    layer = pixels.copy()
    layer[window] = small
    mask = np.zeros((height, width), np.uint8)
    # In these portraits the face lies a little above the middle.
    centre = (left + wide // 2, top + round(tall * 0.45))
    cv2.ellipse(mask, centre, (round(wide * 0.32), round(tall * 0.33)), 0, 0, 360, 255, -1)
    if rng.random() < 0.3:
        cloned = _cloned(pixels, layer, mask)
        if cloned is not None:
            return Edit(*cloned, "face")
    return Edit(*blend(pixels, layer, soften(rng, mask)), "face")


Kinds = Mapping[str, tuple[Callable[[np.random.Generator, Pixels, Donors], Edit], float]]
"""What makes an edit of each kind, and how often it is drawn."""

KINDS: Kinds = {
    "splice": (splice, 0.30),
    "copy-move": (copy_move, 0.16),
    "removal": (removal, 0.14),
    "fill": (smooth_fill, 0.12),
    "blur": (blur, 0.08),
    "retouch": (retouch, 0.07),
    "overlay": (overlay, 0.06),
    "face": (face, 0.07),
}
"""Those of training."""


def edit(
    rng: np.random.Generator,
    pixels: Pixels,
    donors: Donors,
    kind: str | None = None,
    kinds: Kinds = KINDS,
) -> Edit:
    """One edit of the named kind, or of a kind by chance.

    An edit that happened to change almost nothing is tried again; after three times a splice with
    a hard edge is made.
    """
    for _ in range(3):
        names = list(kinds)
        name = kind or str(rng.choice(names, p=[kinds[other][1] for other in names]))
        made = kinds[name][0](rng, pixels, donors)
        changed = (made.pixels != pixels).any(axis=2)
        if np.count_nonzero(changed & (made.mask > 0)) >= max(
            64, 0.3 * np.count_nonzero(made.mask)
        ):
            return made
    return _plain_splice(rng, pixels, donors)


def _plain_splice(rng: np.random.Generator, pixels: Pixels, donors: Donors) -> Edit:
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    donor = donors.photo(rng, height, width)[:height, :width]
    return Edit(*blend(pixels, donor, opaque(mask)), "splice")
