from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml import integrity
from kinlight.ml.integrity import check
from kinlight.ml.integrity_net import IntegrityNet, standard_table
from kinlight.ml.integrity_runner import Runner, fused
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
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".md"}
    assert all(file.stat().st_size <= LARGEST for file in files)


def test_the_check_names_the_weights_that_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "_loaded", None)
    finding = check(scene(73, 160, 200))
    assert finding.weights == read_weights("integrity").sha256
    assert finding.verdict in ("no-sign", "signs", "cannot-tell")


def test_the_score_can_be_made_again_from_the_features_that_are_told() -> None:
    finding = check(scene(73, 160, 200))
    assert finding.features is not None
    net = IntegrityNet()
    net.load_state_dict(dict(read_weights("integrity").tensors))
    with torch.inference_mode():
        pooled = torch.from_numpy(finding.features.astype("float32"))[None]
        assert float(net.head.score(pooled).sigmoid()) == pytest.approx(finding.score, abs=0.01)


def test_folding_the_normalisations_leaves_what_the_network_says() -> None:
    plain, folded = IntegrityNet().eval(), IntegrityNet().eval()
    for net in (plain, folded):
        net.load_state_dict(dict(read_weights("integrity").tensors))
    pixels = torch.from_numpy(scene(74, 128, 160).copy()).permute(2, 0, 1)[None].float()
    about = (standard_table()[None], torch.ones(1))
    with torch.inference_mode():
        expected = plain(pixels, *about)
        found = fused(folded)(pixels, *about)
    for one, other in zip(expected, found, strict=True):
        assert float((one - other).abs().max()) < 1e-3
