"""Finds a piece of a picture that occurs in it twice: copy-move.

The noise and the compression of such a piece are those of the picture, so the network has little to
go by. Here keypoints (SIFT: D. Lowe, 2004) are matched with each other, straight and mirrored;
matches that agree on one turn, scale and shift are gathered, as I. Amerini et al. do (2011); and
what they agree on is compared pixel by pixel. Only what is nearly equal there counts, in its
finest detail too: two windows of one house are similar, a copy is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Exact = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.int64]
Grey = npt.NDArray[np.uint8]

LONG_SIDE: Final = 1600
"""Pixels to which larger pictures are reduced before the search."""

# The thresholds below were set on photos of the folds 1 to 4 of the manifest.
_POINTS: Final = 6000
_CELL, _POINTS_IN_CELL = 32, 5
"""Points are spread: each square of so many pixels has so many at most."""
_FAINTEST: Final = 0.006
"""Contrast of a point: low, for what is smooth gets copied as well."""
_NEAREST: Final = 32.0
"""A point's like is looked for at this distance, in pixels, and beyond."""
_RATIO, _FURTHEST = 0.7, 0.5
"""A match is this much nearer than the next one elsewhere, and never further than that."""
_AGREE: Final = 2.5
"""Pixels by which a match may miss the place that the others say."""
_REACH: Final = 250.0
"""Pixels within which matches are first asked whether they agree with one of them."""
_LEAST: Final = 4
"""So many must agree to be looked at pixel by pixel."""
_TRIES: Final = 5
_SEEDS: Final = 1500

_ALIKE: Final = 0.85
"""Correlation of what surrounds a pixel with what surrounds its copy."""
_WINDOW: Final = (11, 11)
_DETAIL: Final = 4.0
"""Variance within a window from which on a correlation says something."""
_SAME_GREY: Final = 2.0
"""Levels by which two smooth places may differ that lie in or beside a copy."""
_GROWTH: Final = 25
"""Steps of two pixels by which a copy may reach into what is smooth."""
CLEAR_MATCHES, CLEAR_SHARE = 60, 0.01
_FINE_WINDOW: Final = (15, 15)
_FINE_DETAIL: Final = 0.3


@dataclass(frozen=True, slots=True)
class Copy:
    """A piece that occurs twice. Which one was first is not told."""

    first: Flags
    second: Flags
    """Both of the reduced picture's shape."""
    matches: int
    """Keypoints in the first that have their like in the second."""
    mirrored: bool
    likeness: float
    """Mean correlation of the two, -1 to 1."""
    fine_likeness: float
    """The same of what is finer than about three pixels: noise, mostly, which never repeats."""

    @property
    def share(self) -> float:
        """Of the picture, one of the two pieces."""
        return float(self.first.mean())

    @property
    def is_clear(self) -> bool:
        """Whether it is so large and so much the same that nothing in nature repeats like it."""
        large = self.matches >= CLEAR_MATCHES and self.share >= CLEAR_SHARE
        return large and self.fine_likeness >= 0.75

    @property
    def is_likely(self) -> bool:
        """Whether it is more than what buildings, patterns and reflections show."""
        if self.mirrored and self.matches < 15:
            return False
        plain = self.matches >= 7 and self.share >= 0.0035 and self.fine_likeness >= 0.55
        equal = self.likeness >= 0.955 and self.fine_likeness >= 0.85
        return plain or (self.matches >= _LEAST and self.share >= 0.006 and equal)


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


def find_copies(rgb: npt.NDArray[np.uint8]) -> Copies:
    """Search a picture of shape (h, w, 3)."""
    grey, factor = _reduced(rgb)
    shape = (grey.shape[0], grey.shape[1])
    if min(shape) < 64:
        return Copies((), shape, factor)
    every = list(_candidates(grey))
    # Where much repeats (arches, windows, tiles), what is alike must be alike in more places.
    weak = sum(not copy.is_likely for copy in every)
    least = 40 if weak >= 3 else 0
    found = [copy for copy in every if copy.is_likely and copy.matches >= least]
    return Copies(tuple(found), shape, factor)


def _reduced(rgb: npt.NDArray[np.uint8]) -> tuple[Grey, float]:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    factor = min(1.0, LONG_SIDE / max(height, width))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), factor


def _candidates(grey: Grey) -> Iterator[Copy]:
    points, descriptors = _described(grey)
    if len(points) < 2 * _LEAST:
        return
    exact = grey.astype(np.float32)
    for mirrored, pairs in zip((False, True), _matched(points, descriptors), strict=True):
        for transform, inliers in _agreeing(points, pairs, mirrored=mirrored):
            copy = _compared(exact, transform, points[inliers[:, 0]], mirrored=mirrored)
            if copy is not None:
                yield copy


def _described(grey: Grey) -> tuple[Floats, Floats]:
    """Points (x, y, angle, size), shape (n, 4), and their descriptors, shape (n, 128)."""
    sift = cv2.SIFT.create(contrastThreshold=_FAINTEST, edgeThreshold=14)
    every = sorted(sift.detect(grey, None), key=lambda point: -point.response)
    counts: dict[tuple[int, int], int] = {}
    kept: list[cv2.KeyPoint] = []
    for point in every:
        cell = int(point.pt[0]) // _CELL, int(point.pt[1]) // _CELL
        counts[cell] = counts.get(cell, 0) + 1
        if counts[cell] <= _POINTS_IN_CELL:
            kept.append(point)
        if len(kept) == _POINTS:
            break
    if not kept:
        return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.float32)
    points, found = sift.compute(grey, kept)
    rows = [(*point.pt, math.radians(point.angle), point.size) for point in points]
    descriptors = np.asarray(found, np.float32)
    # Square roots of shares: the distance then is Hellinger's (R. Arandjelović et al., 2012).
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return np.array(rows, np.float32), np.sqrt(descriptors / total)


def _mirror() -> npt.NDArray[np.int64]:
    """Where the 128 numbers of a descriptor are in that of the mirrored surroundings."""
    places = np.arange(128).reshape(4, 4, 8)[::-1]
    return places[:, :, -np.arange(8) % 8].ravel()


def _matched(points: Floats, descriptors: Floats) -> tuple[Pairs, Pairs]:
    """Pairs of points that are like each other as no others are, straight and mirrored: (m, 2)."""
    every = torch.from_numpy(descriptors)
    sides = every, torch.from_numpy(descriptors[:, _mirror()])
    places = torch.from_numpy(points[:, :2].copy())
    pairs: tuple[list[Pairs], list[Pairs]] = [], []
    for start in range(0, len(points), 1024):
        near = torch.cdist(places[start : start + 1024], places) < _NEAREST
        for asked, found in zip(sides, pairs, strict=True):
            alike = (asked[start : start + 1024] @ every.T).masked_fill_(near, -1)
            rows, likes = _unrivalled(alike, places)
            found.append(np.stack([rows + start, likes], axis=1))
    return np.concatenate(pairs[0]), np.concatenate(pairs[1])


def _unrivalled(alike: torch.Tensor, places: torch.Tensor) -> tuple[Pairs, Pairs]:
    """Rows of `alike` (cosines, shape (r, n)) with one column far above the others, and which."""
    top = alike.topk(min(6, len(places)), dim=1)
    # On the unit sphere the distance grows as the cosine falls.
    distances = (2 - 2 * top.values).clamp(min=0).sqrt()
    there = places[top.indices]
    elsewhere = (there - there[:, :1]).square().sum(dim=2) > 64
    # Six likes at one place are points of several sizes: there is no rival then.
    nobody = torch.full_like(distances, math.inf)
    rivals = torch.where(elsewhere, distances, nobody).numpy().min(axis=1)
    nearest = distances[:, 0].numpy()
    rows = np.flatnonzero((nearest < _RATIO * rivals) & (nearest < _FURTHEST))
    return rows, top.indices[:, 0].numpy()[rows]


def _linear(points: Floats, pairs: Pairs, *, mirrored: bool) -> Exact:
    """What each pair by itself says of turn and scale, shape (m, 2, 2)."""
    one, other = points[pairs[:, 0]].astype(np.float64), points[pairs[:, 1]].astype(np.float64)
    scale = other[:, 3] / one[:, 3]
    turn = other[:, 2] + one[:, 2] if mirrored else other[:, 2] - one[:, 2]
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    rows = [[cosine, sine], [sine, -cosine]] if mirrored else [[cosine, -sine], [sine, cosine]]
    return np.moveaxis(np.array(rows), 2, 0)


def _agreeing(points: Floats, pairs: Pairs, *, mirrored: bool) -> Iterator[tuple[Exact, Pairs]]:
    """Similarities (2 by 3) on which enough pairs agree, most first, with those pairs."""
    rest = pairs
    for _ in range(_TRIES):
        if len(rest) < _LEAST:
            return
        at, to = (points[rest[:, end], :2].astype(np.float64) for end in (0, 1))
        linear = _linear(points, rest, mirrored=mirrored)
        best = np.zeros(len(rest), np.bool_)
        for seed in range(min(len(rest), _SEEDS)):
            away = at - at[seed]
            reach = np.hypot(*away.T)
            miss = np.hypot(*(away @ linear[seed].T + to[seed] - to).T)
            agree = (miss < _AGREE + 0.5 + 0.08 * reach) & (reach < _REACH)
            if np.count_nonzero(agree) > np.count_nonzero(best):
                best = agree
        transform = None
        for _ in range(5):
            if np.count_nonzero(best) < _LEAST:
                break
            transform = _similarity(at[best], to[best], mirrored=mirrored)
            best = np.hypot(*(_moved(at, transform) - to).T) < _AGREE
        if transform is None or np.count_nonzero(best) < _LEAST:
            return
        if 0.4 < math.hypot(transform[0, 0], transform[1, 0]) < 2.5:
            yield transform, rest[best]
        gone = {frozenset(pair) for pair in rest[best].tolist()}
        rest = np.array(
            [pair for pair in rest.tolist() if frozenset(pair) not in gone], np.int64
        ).reshape(-1, 2)


def _similarity(at: Exact, to: Exact, *, mirrored: bool) -> Exact:
    """Turn, scale and shift that bring one set of points nearest to the other, shape (2, 3)."""
    flip = np.diag([1.0, -1.0]) if mirrored else np.eye(2)
    at = at @ flip
    middle, goal = at.mean(axis=0), to.mean(axis=0)
    p, q = at - middle, to - goal
    size = max(float((p * p).sum()), 1e-9)
    cosine = float((p * q).sum()) / size
    sine = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / size
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.concatenate([linear @ flip, (goal - linear @ middle)[:, None]], axis=1)


def _moved(places: npt.NDArray[Any], transform: Exact) -> Exact:
    return places @ transform[:, :2].T + transform[:, 2]


def _compared(grey: Floats, transform: Exact, seeds: Floats, *, mirrored: bool) -> Copy | None:
    """The pixels that equal those to which the transform brings them, around matched points."""
    height, width = grey.shape
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = cv2.warpAffine(grey, transform, (width, height), flags=back).astype(np.float32)
    whole = np.ones((height, width), np.uint8)
    inside = cv2.warpAffine(whole, transform, (width, height), flags=back) > 0
    likeness, detail, apart = _correlation(grey, there, _WINDOW, _DETAIL)
    alike = (likeness > _ALIKE) & inside
    alike = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    kept = _touching(alike, seeds)
    if not kept.any():
        return None
    fine, _, _ = _correlation(_fine(grey), _fine(there), _FINE_WINDOW, _FINE_DETAIL)
    first = _grown(kept, (alike > 0) | (~detail & (apart < _SAME_GREY) & inside))
    second = _brought(first, transform)
    if _overlap(first, second):
        # Half a turn brings each of the two pieces to the other: then one of them is the first.
        _, labels = cv2.connectedComponents(first.astype(np.uint8))
        first = labels == 1 + int(np.bincount(labels[labels > 0] - 1).argmax())
        kept &= first
        second = _brought(first, transform)
        if _overlap(first, second) or not kept.any():
            return None  # a texture that continues, not a piece and its copy
    places = np.rint(seeds[:, :2]).astype(np.int64)
    matches = int(np.count_nonzero(kept[places[:, 1], places[:, 0]]))
    return Copy(
        first, second, matches, mirrored, float(likeness[kept].mean()), float(fine[kept].mean())
    )


def _brought(mask: Flags, transform: Exact) -> Flags:
    height, width = mask.shape
    return cv2.warpAffine(mask.astype(np.uint8), transform, (width, height)) > 0


def _overlap(first: Flags, second: Flags) -> bool:
    return bool(np.count_nonzero(first & second) > 0.3 * np.count_nonzero(first))


def _fine(grey: Floats) -> Floats:
    return grey - cv2.GaussianBlur(grey, (0, 0), 1.5).astype(np.float32)


def _correlation(
    a: Floats, b: Floats, window: tuple[int, int], least: float
) -> tuple[Floats, Flags, Floats]:
    """Of each pixel's window in one picture with that in the other; 0 where there is no detail.

    Besides: where there is detail, and how far the means are apart.
    """
    mean_a, mean_b = cv2.blur(a, window), cv2.blur(b, window)
    spread_a = np.maximum(cv2.blur(a * a, window) - mean_a * mean_a, 0)
    spread_b = np.maximum(cv2.blur(b * b, window) - mean_b * mean_b, 0)
    together = cv2.blur(a * b, window) - mean_a * mean_b
    detail = (spread_a > least) & (spread_b > least)
    found = np.where(detail, together / np.sqrt(spread_a * spread_b + 1e-6), 0)
    flat = (spread_a > least) | (spread_b > least)
    return found.astype(np.float32), flat, np.abs(mean_a - mean_b).astype(np.float32)


def _touching(mask: npt.NDArray[Any], seeds: Floats) -> Flags:
    """Those connected parts of a mask in which matched points lie."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    at = np.rint(seeds[:, :2]).astype(np.int64)
    numbers = np.unique(labels[at[:, 1], at[:, 0]])
    return np.isin(labels, numbers[numbers > 0])


def _grown(kept: Flags, into: Flags) -> Flags:
    """A mask with what of `into` lies next to it, and without holes of a few pixels."""
    square = np.ones((5, 5), np.uint8)
    grown, allowed = kept.astype(np.uint8), (kept | into).astype(np.uint8)
    for _ in range(_GROWTH):
        wider = cv2.dilate(grown, square).astype(np.uint8) & allowed
        if np.array_equal(wider, grown):
            break
        grown = wider
    return cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)) > 0
