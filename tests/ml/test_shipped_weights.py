from __future__ import annotations

import json
import math

import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import numpy as np
import torch
from kinlight.ml import integrity
from kinlight.ml.integrity import Calibration, check
from kinlight.ml.integrity_net import IntegrityNet, standard_table
from kinlight.ml.integrity_runner import Runner, fused
from kinlight.ml.photo_score import PhotoScore, network_of
from kinlight.ml.replay import read_replay
from kinlight.ml.scores import area_under_roc
from kinlight.ml.weights import FOLDER, LARGEST, read_weights

from .golden import FILE, told
from .photographs import scene


@pytest.mark.parametrize(("bf16", "within"), [(False, 0.002), (True, 0.03)])
def test_the_shipped_weights_say_what_they_said_when_they_were_released(
    bf16: bool, within: float
) -> None:
    golden = json.loads(FILE.read_text(encoding="utf-8"))
    weights = read_weights("integrity")
    assert weights.sha256 == golden["weights"]
    now = told(Runner(weights, bf16=bf16))
    assert now.keys() == golden["pictures"].keys()
    for name, expected in golden["pictures"].items():
        assert now[name]["score"] == pytest.approx(expected["score"], abs=within), name
        assert now[name]["fields"] == pytest.approx(expected["fields"], abs=within), name


def test_no_weights_are_pickles_or_larger_than_ten_megabytes() -> None:
    files = list(FOLDER.iterdir())
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".onnx", ".md"}
    assert all(file.stat().st_size <= LARGEST for file in files)


def test_the_check_names_the_weights_that_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "_loaded", None)
    finding = check(scene(73, 160, 200))
    assert finding.weights == read_weights("integrity").sha256
    assert finding.verdict in ("no-sign", "signs", "cannot-tell")


def test_the_score_can_be_made_again_from_the_features_that_are_told() -> None:
    finding = check(scene(73, 160, 200))
    assert finding.features is not None
    score = PhotoScore.of(read_weights("integrity").tensors)
    assert score is not None
    logit = float(score.logit(finding.features.astype("float32")))
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(finding.score, abs=0.01)


def test_the_replay_is_the_pinned_one_small_and_of_the_shipped_weights() -> None:
    replay = read_replay()
    assert (FOLDER / "integrity-replay.safetensors").stat().st_size < 5_000_000
    told = read_weights("integrity-replay").told
    assert told["weights"] == read_weights("integrity").sha256
    finding = check(scene(73, 160, 200))
    assert finding.features is not None
    assert replay.features.shape == (len(replay.edited), len(finding.features))
    assert np.isfinite(replay.features).all()
    assert 0.2 < replay.edited.mean() < 0.8
    assert set(replay.fold) == {0, 1, 2, 3, 4}


def test_the_shipped_score_tells_edited_pictures_of_the_replay_from_clean_ones() -> None:
    replay, weights = read_replay(), read_weights("integrity")
    score = PhotoScore.of(weights.tensors)
    assert score is not None
    logits = score.logit(replay.features.astype(np.float32))
    assert area_under_roc(replay.edited, logits) > 0.8
    limits = Calibration.of(weights.told)
    signs = (1 / (1 + np.exp(-logits)) >= limits.signs) & replay.has_area
    assert signs[~replay.edited].mean() < 0.01
    assert signs[replay.edited].mean() > 0.2


def test_folding_the_normalisations_leaves_what_the_network_says() -> None:
    plain, folded = IntegrityNet().eval(), IntegrityNet().eval()
    for net in (plain, folded):
        net.load_state_dict(network_of(read_weights("integrity").tensors))
    pixels = torch.from_numpy(scene(74, 128, 160).copy()).permute(2, 0, 1)[None].float()
    about = (standard_table()[None], torch.ones(1))
    with torch.inference_mode():
        expected = plain(pixels, *about)
        found = fused(folded)(pixels, *about)
    for one, other in zip(expected, found, strict=True):
        assert float((one - other).abs().max()) < 1e-3
