from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml.integrity_net import standard_table
from kinlight.ml.photo_score import CUT, LAYOUT, PhotoScore, layout, network_of

TABLE = standard_table().numpy()
SHAPE = (400, 480)


def specks(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    chance = np.zeros((100, 120), np.uint8)
    places = np.random.default_rng(1).choice(50 * 60, count, replace=False)
    chance[places // 60 * 2, places % 60 * 2] = 230
    return chance


def area(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    chance = np.zeros((100, 120), np.uint8)
    chance[40 : 40 + count // 20, 50:70] = 230
    return chance


def test_an_area_and_as_many_scattered_specks_lie_differently() -> None:
    scattered, together = (layout(chance, SHAPE, TABLE) for chance in (specks(400), area(400)))
    assert scattered.shape == together.shape == (LAYOUT,)
    assert np.abs(scattered - together).max() > 2


@pytest.mark.parametrize("chance", [np.zeros((4, 6), np.uint8), np.full((4, 900), 255, np.uint8)])
@pytest.mark.parametrize("table", [None, TABLE])
def test_every_map_has_a_layout_of_moderate_numbers(
    chance: np.ndarray[tuple[int, int], np.dtype[np.uint8]], table: np.ndarray | None
) -> None:
    found = layout(chance, (16, 3600), table)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20


def test_without_tables_a_picture_counts_as_finely_compressed() -> None:
    none, table = layout(area(400), SHAPE, None), layout(area(400), SHAPE, TABLE)
    assert none[1] == 0
    assert table[1] == 1
    assert none[2] < table[2]


def score() -> PhotoScore:
    middle, scale = np.ones(3, np.float32), np.full(3, 2, np.float32)
    return PhotoScore(middle, scale, np.array([1, 0, -1], np.float32), 0.5)


def test_the_score_comes_back_from_its_tensors() -> None:
    network = {"head.weight": torch.zeros(1)}
    kept = {**network, **score().tensors()}
    back = PhotoScore.of(kept)
    assert back is not None
    assert back.logit(np.array([3, 9, 1], np.float32)) == pytest.approx(1.5)
    assert network_of(kept).keys() == network.keys()


def test_weights_without_a_score_of_photos_have_none() -> None:
    assert PhotoScore.of({"head.weight": torch.zeros(1)}) is None


def test_a_feature_far_from_all_that_was_seen_counts_no_further_than_the_cut() -> None:
    far = score().logit(np.array([[1e4, 0, 1], [1 + 2 * CUT, 0, 1]], np.float32))
    assert far[0] == far[1] == CUT + 0.5
