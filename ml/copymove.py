"""Finds a piece of a picture that occurs in it twice: copy-move.

The noise and the compression of such a piece are those of the picture, so the network has little to
go by. Here points with much detail are described independently of their turn, described points are
matched with each other, matches that agree on one turn, scale and shift are gathered, and what they
agree on is looked at pixel by pixel. Only what is nearly equal there counts: two windows of one
house are similar, a copy is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .components import labelled

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

LONG_SIDE = 1600
"""Pixels to which larger pictures are reduced before the search."""

_POINTS = 6000
_CELL = 24
_POINTS_IN_CELL = 4
_NEAREST = 24.0
"""A point's like is looked for at this distance, in pixels, and beyond."""
_RATIO = 0.62
"""A match is this much nearer than the next unlike one."""
_AGREE = 3.0
"""Pixels by which a match may miss the place that the others say."""
_MATCHES = 6
"""So many must agree."""
_EQUAL = 0.92
"""Correlation of what surrounds a pixel with what surrounds its copy."""
_WINDOW = 11
_MATCHES_OF_ALL = 20
_SMALLEST = 0.006
"""Share of the picture that a copy has at least: letters and windows repeat, and are smaller."""
_CLEAR_MATCHES, _CLEAR_SHARE = 60, 0.01
_TRIES = 6


@dataclass(frozen=True, slots=True)
class Copy:
    """A piece that occurs twice. Which one was first is not told."""

    first: Flags
    second: Flags
    """Both of the reduced picture's shape."""
    matches: int

    @property
    def is_clear(self) -> bool:
        """Whether it is so large and so much the same that nothing in nature repeats like it."""
        return self.matches >= _CLEAR_MATCHES and float(self.first.mean()) >= _CLEAR_SHARE


@dataclass(frozen=True, slots=True)
class Copies:
    """What was found, in a picture that was reduced by `factor`."""

    found: tuple[Copy, ...]
    shape: tuple[int, int]
    factor: float

    def mask(self) -> Flags:
        """All pieces together, in the reduced picture."""
        both = np.zeros(self.shape, np.bool_)
        for copy in self.found:
            both |= copy.first | copy.second
        return both


@torch.inference_mode()
def find_copies(rgb: npt.NDArray[np.uint8]) -> Copies:
    """Search a picture of shape (h, w, 3)."""
    luma, factor = _reduced(rgb)
    shape = (luma.shape[2], luma.shape[3])
    if min(shape) < 64:
        return Copies((), shape, factor)
    points, descriptors = _described(luma)
    pairs = _matched(points, descriptors)
    found: list[Copy] = []
    for transform, inliers in _agreeing(points, pairs):
        copy = _compared(luma, transform, points[inliers[:, 0]], len(inliers))
        if copy is not None:
            found.append(copy)
    return Copies(tuple(found), shape, factor)


def _reduced(rgb: npt.NDArray[np.uint8]) -> tuple[Tensor, float]:
    """The luma, shape (1, 1, h, w), 0 to 255."""
    height, width = rgb.shape[:2]
    luma = np.zeros((height, width), np.float32)
    for top in range(0, height, 256):  # in strips: no copy of the whole picture in float
        luma[top : top + 256] = rgb[top : top + 256] @ np.array([0.299, 0.587, 0.114], np.float32)
    picture = torch.from_numpy(luma)[None, None]
    factor = min(1.0, LONG_SIDE / max(height, width))
    if factor < 1:
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        picture = functional.interpolate(picture, size=size, mode="bilinear", antialias=True)
    return picture, factor


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    reach = math.ceil(3 * sigma)
    place = torch.arange(2 * reach + 1, dtype=torch.float32) - reach
    bell = (-(place * place) / (2 * sigma * sigma)).exp()
    bell = bell / bell.sum()
    wide = functional.pad(picture, (reach, reach, reach, reach), mode="replicate")
    wide = functional.conv2d(wide, bell.reshape(1, 1, 1, -1))
    return functional.conv2d(wide, bell.reshape(1, 1, -1, 1))


def _slopes(picture: Tensor) -> Tensor:
    """Horizontal and vertical derivative, shape (1, 2, h, w)."""
    wide = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
    down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
    return torch.cat([across, down], dim=1)


def _described(luma: Tensor) -> tuple[Floats, Tensor]:
    """Points (x, y, angle), shape (n, 3), and their descriptors, shape (n, 128)."""
    smooth = _blurred(luma, 1.2)
    slopes = _slopes(smooth)
    places = _points(slopes)
    angles = _angles(slopes, places)
    points = torch.cat([places, angles[:, None]], dim=1)
    return points.numpy().astype(np.float32), _descriptors(slopes, points)


def _points(slopes: Tensor) -> Tensor:
    """Places with much detail both ways, spread over the picture, shape (n, 2)."""
    across, down = slopes[:, :1], slopes[:, 1:]
    a, b, c = (_blurred(t, 1.5) for t in (across * across, across * down, down * down))
    strength = (a * c - b * b) / (a + c + 1e-3)
    peak = functional.max_pool2d(strength, 5, stride=1, padding=2)
    border = 12
    inside = torch.zeros_like(strength)
    inside[:, :, border:-border, border:-border] = 1
    chosen = ((strength == peak) & (strength > 0.2) & (inside > 0))[0, 0]
    rows, columns = (part.numpy() for part in torch.where(chosen))
    values = strength[0, 0][chosen].numpy()
    order = np.argsort(-values, kind="stable")
    cells = rows // _CELL * 100_000 + columns // _CELL
    kept: list[int] = []
    counts: dict[int, int] = {}
    for place in order.tolist():
        cell = int(cells[place])
        counts[cell] = counts.get(cell, 0) + 1
        if counts[cell] <= _POINTS_IN_CELL:
            kept.append(place)
        if len(kept) == _POINTS:
            break
    found = np.stack([columns[kept], rows[kept]], axis=1).astype(np.float32)
    return torch.from_numpy(found)


def _sampled(slopes: Tensor, places: Tensor, grid: Tensor) -> Tensor:
    """Slopes at offsets from places: `grid` of shape (n, k, 2) gives (2, n, k)."""
    height, width = slopes.shape[2], slopes.shape[3]
    at = places[:, None, :] + grid
    size = torch.tensor([width - 1.0, height - 1.0])
    found = functional.grid_sample(
        slopes, (at / size * 2 - 1)[None], padding_mode="border", align_corners=True
    )
    return found[0]


def _square(side: int, step: float) -> Tensor:
    """Offsets of a square grid around its middle, shape (side * side, 2), x first."""
    line = (torch.arange(side, dtype=torch.float32) - (side - 1) / 2) * step
    return torch.stack([line.repeat(side), line.repeat_interleave(side)], dim=1)


def _angles(slopes: Tensor, places: Tensor) -> Tensor:
    """The direction in which most of the surroundings rise, shape (n,)."""
    grid = _square(15, 1.2)
    seen = _sampled(slopes, places, grid[None].expand(len(places), -1, 2))
    weight = (-(grid * grid).sum(dim=1) / (2 * 4.5 * 4.5)).exp()
    size = (seen[0].square() + seen[1].square()).sqrt() * weight
    bins = 36
    turn = torch.atan2(seen[1], seen[0]) / (2 * math.pi) * bins
    low = turn.floor()
    share = turn - low
    histogram = torch.zeros(len(places), bins)
    histogram.scatter_add_(1, low.long() % bins, size * (1 - share))
    histogram.scatter_add_(1, (low.long() + 1) % bins, size * share)
    around = torch.stack([histogram.roll(by, 1) for by in (-1, 0, 1)])
    smooth = around.sum(dim=0)
    best = smooth.argmax(dim=1)
    rows = torch.arange(len(places))
    left, middle, right = (smooth[rows, (best + by) % bins] for by in (-1, 0, 1))
    nudge = (left - right) / (2 * (left - 2 * middle + right)).clamp(max=-1e-6)
    return (best + nudge) * (2 * math.pi / bins)


def _descriptors(slopes: Tensor, points: Tensor) -> Tensor:
    """Histograms of directions in four by four fields of a turned square (as in SIFT)."""
    side, fields, bins = 16, 4, 8
    grid = _square(side, 1.5)
    cosine, sine = points[:, 2].cos()[:, None], points[:, 2].sin()[:, None]
    turned = torch.stack(
        [grid[:, 0] * cosine - grid[:, 1] * sine, grid[:, 0] * sine + grid[:, 1] * cosine], dim=2
    )
    seen = _sampled(slopes, points[:, :2], turned)
    weight = (-(grid * grid).sum(dim=1) / (2 * 9.0 * 9.0)).exp()
    size = (seen[0].square() + seen[1].square()).sqrt() * weight
    turn = (torch.atan2(seen[1], seen[0]) - points[:, 2:]) / (2 * math.pi) * bins
    low = turn.floor()
    share = turn - low
    # Each sample votes for the four fields around it, in parts.
    place = (torch.arange(side, dtype=torch.float32) + 0.5) / side * fields - 0.5
    histogram = torch.zeros(len(points), (fields + 2) * (fields + 2) * bins)
    column, row = place.repeat(side), place.repeat_interleave(side)
    for down in (0, 1):
        for right in (0, 1):
            x, y = column.floor() + right, row.floor() + down
            part = (1 - (column - x).abs()) * (1 - (row - y).abs())
            field = ((y + 1) * (fields + 2) + x + 1).long() * bins
            histogram.scatter_add_(1, field + low.long() % bins, size * part * (1 - share))
            histogram.scatter_add_(1, field + (low.long() + 1) % bins, size * part * share)
    inner = histogram.reshape(-1, fields + 2, fields + 2, bins)[:, 1:-1, 1:-1].flatten(1)
    inner = functional.normalize(inner, dim=1).clamp(max=0.2)
    return functional.normalize(inner, dim=1)


def _matched(points: Floats, descriptors: Tensor) -> npt.NDArray[np.int64]:
    """Pairs of points that are like each other as no others are, shape (m, 2)."""
    number = len(points)
    if number < 10:
        return np.zeros((0, 2), np.int64)
    places = torch.from_numpy(points[:, :2])
    pairs: list[tuple[int, int]] = []
    for start in range(0, number, 1024):
        alike = descriptors[start : start + 1024] @ descriptors.T
        apart = torch.cdist(places[start : start + 1024], places)
        alike = torch.where(apart < _NEAREST, torch.full_like(alike, -1), alike)
        top = alike.topk(min(8, number), dim=1)
        # On the unit sphere the distance grows as the cosine falls.
        distances = (2 - 2 * top.values).clamp(min=0).sqrt().numpy()
        others = top.indices.numpy()
        for row in range(len(distances)):
            pairs.extend(_best(start + row, distances[row], others[row], points))
    return np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)


def _best(
    one: int, distances: Floats, others: npt.NDArray[np.int64], points: Floats
) -> Iterator[tuple[int, int]]:
    """The nearest other point, if the next one elsewhere is much further."""
    best = int(others[0])
    there = points[best, :2]
    for distance, other in zip(distances[1:], others[1:], strict=True):
        away = points[other, :2] - there
        if float(away @ away) > 64:
            if distances[0] < _RATIO * distance and distances[0] < 0.7:
                yield (min(one, best), max(one, best))
            return


def _agreeing(
    points: Floats, pairs: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Similarities (2 by 3) on which enough pairs agree, most first, with those pairs."""
    rest = np.concatenate([pairs, pairs[:, ::-1]])
    for _ in range(_TRIES):
        if len(rest) < _MATCHES:
            return
        at, to = points[rest[:, 0]], points[rest[:, 1]]
        turn = (to[:, 2] - at[:, 2]).astype(np.float64)
        best = np.zeros(len(rest), np.bool_)
        # Each pair alone says a turn and a shift; look who near it agrees.
        for seed in range(min(len(rest), 1500)):
            cosine, sine = math.cos(turn[seed]), math.sin(turn[seed])
            offset = at[:, :2] - at[seed, :2]
            expected = np.stack(
                [
                    cosine * offset[:, 0] - sine * offset[:, 1] + to[seed, 0],
                    sine * offset[:, 0] + cosine * offset[:, 1] + to[seed, 1],
                ],
                axis=1,
            )
            reach = np.hypot(offset[:, 0], offset[:, 1])
            miss = np.hypot(*(expected - to[:, :2]).T)
            agree = (reach < 160) & (miss < _AGREE + 0.12 * reach)
            if np.count_nonzero(agree) > np.count_nonzero(best):
                best = agree
        transform = None
        for _ in range(4):
            if np.count_nonzero(best) < _MATCHES:
                break
            transform = _similarity(at[best, :2], to[best, :2])
            miss = np.hypot(*(_moved(at[:, :2], transform) - to[:, :2]).T)
            best = miss < _AGREE
        if transform is None or np.count_nonzero(best) < _MATCHES:
            return
        scale = math.hypot(transform[0, 0], transform[1, 0])
        inliers = rest[best]
        if 0.4 < scale < 2.5 and _is_wide(points[inliers[:, 0], :2]):
            yield transform, inliers
        gone = {tuple(pair) for pair in inliers.tolist()}
        gone |= {(b, a) for a, b in gone}
        rest = np.array([p for p in rest.tolist() if tuple(p) not in gone], np.int64).reshape(-1, 2)


def _is_wide(places: Floats) -> bool:
    """Whether points cover an area: those on one line say little."""
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False) / math.sqrt(len(places))
    return float(spread[1]) > 2.5


def _similarity(at: Floats, to: Floats) -> npt.NDArray[np.float64]:
    """Turn, scale and shift that bring one set of points nearest to the other, shape (2, 3)."""
    a, b = at.astype(np.float64), to.astype(np.float64)
    middle, goal = a.mean(axis=0), b.mean(axis=0)
    p, q = a - middle, b - goal
    size = max(float((p * p).sum()), 1e-9)
    cosine = float((p * q).sum()) / size
    sine = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / size
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.concatenate([linear, (goal - linear @ middle)[:, None]], axis=1)


def _moved(places: npt.NDArray[Any], transform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return places @ transform[:, :2].T + transform[:, 2]


def _compared(
    luma: Tensor, transform: npt.NDArray[np.float64], seeds: Floats, matches: int
) -> Copy | None:
    """The pixels that equal those to which the transform brings them, if they are enough."""
    height, width = luma.shape[2], luma.shape[3]
    y, x = np.mgrid[0:height, 0:width]
    to = _moved(np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float64), transform)
    to = to.reshape(height, width, 2)
    size = torch.tensor([width - 1.0, height - 1.0])
    grid = torch.from_numpy(to.astype(np.float32)) / size * 2 - 1
    there = functional.grid_sample(luma, grid[None], padding_mode="border", align_corners=True)
    inside = (grid.abs() <= 1).all(dim=2).numpy()
    alike = (_correlation(luma, there) > _EQUAL)[0, 0].numpy() & inside
    kept = _touching(_opened(alike), seeds)
    if float(kept.mean()) < _SMALLEST or matches < _MATCHES_OF_ALL:
        return None
    second = _images(kept, to)
    if np.count_nonzero(kept & second) > 0.3 * np.count_nonzero(kept):
        # Half a turn brings each of the two pieces to the other: then one of them is the first.
        labels = labelled(kept)
        kept = labels == 1 + int(np.bincount(labels[labels > 0] - 1).argmax())
        second = _images(kept, to)
        if np.count_nonzero(kept & second) > 0.3 * np.count_nonzero(kept):
            return None  # a texture that continues, not a piece and its copy
    return Copy(kept, second, matches)


def _images(mask: Flags, to: npt.NDArray[np.float64]) -> Flags:
    """The pixels to which those of a mask are brought."""
    images = np.zeros_like(mask)
    at = np.rint(to[mask]).astype(np.int64)
    images[at[:, 1].clip(0, mask.shape[0] - 1), at[:, 0].clip(0, mask.shape[1] - 1)] = True
    return _closed(images)


def _mean(picture: Tensor) -> Tensor:
    half = _WINDOW // 2
    wide = functional.pad(picture, (half, half, half, half), mode="replicate")
    return functional.avg_pool2d(wide, _WINDOW, stride=1)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of each pixel's window in one picture with that in the other; 0 where there is no detail."""
    mean_a, mean_b = _mean(a), _mean(b)
    spread_a = (_mean(a * a) - mean_a * mean_a).clamp(min=0)
    spread_b = (_mean(b * b) - mean_b * mean_b).clamp(min=0)
    together = _mean(a * b) - mean_a * mean_b
    detail = (spread_a > 6) & (spread_b > 6)
    found = together / (spread_a * spread_b + 1e-6).sqrt()
    return torch.where(detail, found, torch.zeros_like(found))


def _grown(mask: Flags, by: int) -> Flags:
    tensor = torch.from_numpy(mask.astype(np.float32))[None, None]
    return functional.max_pool2d(tensor, 2 * by + 1, stride=1, padding=by)[0, 0].numpy() > 0


def _closed(mask: Flags) -> Flags:
    return ~_grown(~_grown(mask, 3), 3)


def _opened(mask: Flags) -> Flags:
    return _grown(~_grown(~mask, 2), 2)


def _touching(mask: Flags, seeds: Floats) -> Flags:
    """Those connected parts of a mask in which matched points lie, each with its window's half."""
    labels = labelled(mask)
    at = np.rint(seeds[:, :2]).astype(np.int64)
    numbers = np.unique(labels[at[:, 1], at[:, 0]])
    kept = np.isin(labels, numbers[numbers > 0])
    return _closed(_grown(kept, 2))
