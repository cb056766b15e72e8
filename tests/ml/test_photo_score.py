from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml.photo_score import CUT, PhotoScore, network_of


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
