"""Measures of how well edits are found, in numpy alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


def area_under_roc(truth: Flags, score: Floats) -> float:
    """The chance that a positive scores higher than a negative, ties counted half.

    nan where one of the classes is missing.
    """
    truth, score = truth.ravel(), score.ravel()
    positives = int(np.count_nonzero(truth))
    negatives = truth.size - positives
    if not positives or not negatives:
        return math.nan
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = ends - (counts - 1) / 2
    above = float(ranks[place][truth].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def f1_of(truth: Flags, marked: Flags) -> float:
    """F1 of one picture's marked pixels."""
    hits = int(np.count_nonzero(truth & marked))
    total = int(np.count_nonzero(truth)) + int(np.count_nonzero(marked))
    return 2 * hits / total if total else 1.0


def mean_f1(truths: Flags, chances: Floats, threshold: float) -> float:
    """The mean over pictures (first axis) of F1 at a threshold."""
    pairs = zip(truths, chances, strict=True)
    return float(np.mean([f1_of(truth, chance >= threshold) for truth, chance in pairs]))


def best_f1(truths: Flags, chances: Floats) -> tuple[float, float]:
    """The threshold (of nineteen) with the highest `mean_f1`, and that."""
    thresholds = np.linspace(0.05, 0.95, 19)
    found = [mean_f1(truths, chances, float(threshold)) for threshold in thresholds]
    best = int(np.argmax(found))
    return float(thresholds[best]), found[best]


def wilson(hits: int, tries: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval for a share, at 95 per cent unless `z` says otherwise."""
    if not tries:
        return 0.0, 1.0
    share = hits / tries
    middle = share + z * z / (2 * tries)
    half = z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    scale = 1 + z * z / tries
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
