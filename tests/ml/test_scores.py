from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from kinlight.ml.components import components
from kinlight.ml.scores import area_under_roc, best_f1, f1_of, wilson


def test_the_area_under_the_curve_counts_pairs_in_the_right_order_and_ties_half() -> None:
    truth = np.array([False, False, True, True])
    assert area_under_roc(truth, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert area_under_roc(truth, np.array([0.4, 0.3, 0.2, 0.1])) == 0
    assert area_under_roc(truth, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert area_under_roc(truth, np.array([0.1, 0.35, 0.3, 0.4])) == 0.75


def test_the_area_under_the_curve_agrees_with_counting_every_pair() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.3
    score = np.round(rng.random(300) + 0.3 * truth, 1)
    pairs = score[truth][:, None] - score[~truth][None]
    expected = float((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert area_under_roc(truth, score) == pytest.approx(expected)


def test_one_class_alone_has_no_area_under_the_curve() -> None:
    assert math.isnan(area_under_roc(np.array([True, True]), np.array([0.1, 0.2])))


def test_f1_is_one_where_nothing_is_to_be_found_and_nothing_was() -> None:
    nothing = np.zeros((4, 4), np.bool_)
    half = nothing.copy()
    half[:2] = True
    assert f1_of(nothing, nothing) == 1
    assert f1_of(half, nothing) == 0
    assert f1_of(half, half) == 1
    assert f1_of(half, ~nothing) == pytest.approx(2 / 3)


def test_the_best_threshold_lies_between_the_classes() -> None:
    truth = np.array([[True, True, False, False]])
    threshold, found = best_f1(truth, np.array([[0.81, 0.72, 0.31, 0.1]]))
    assert 0.31 < threshold <= 0.72
    assert found == 1


def test_wilson_s_interval_agrees_with_published_values() -> None:
    assert wilson(0, 100) == pytest.approx((0.0, 0.0370), abs=1e-4)
    assert wilson(5, 100) == pytest.approx((0.0215, 0.1118), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("density", [0.05, 0.4, 0.6, 0.95])
def test_components_agree_with_those_of_opencv(density: float) -> None:
    rng = np.random.default_rng(round(density * 100))
    for shape in ((1, 1), (1, 40), (40, 1), (37, 53)):
        mask = rng.random(shape) < density
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        expected = sorted(
            (int(y), int(x), int(y + h), int(x + w), int(n)) for x, y, w, h, n in stats[1:]
        )
        found = components(mask)
        assert sorted((p.top, p.left, p.bottom, p.right, p.cells) for p in found) == expected
