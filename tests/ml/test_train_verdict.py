from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

from kinlight.ml import evaluate_verdict, train_verdict
from kinlight.ml.evaluate_integrity import ON_THE_WAY
from kinlight.ml.evaluate_verdict import (
    CANNOT_TELL,
    NO_SIGN,
    SIGNS,
    by_way,
    held_out,
    leaving_out,
    tables,
    verdicts,
)
from kinlight.ml.integrity import Calibration
from kinlight.ml.integrity_runner import Runner
from kinlight.ml.photo_score import PhotoScore, network_of
from kinlight.ml.photos import read_manifest
from kinlight.ml.replay import read_replay
from kinlight.ml.train_verdict import (
    DOUBTS,
    FALSE_ALARMS,
    Pictures,
    compared,
    feature_sets,
    figures,
    fit,
    leaving_folds_out,
    thresholds,
)
from kinlight.ml.weights import read_weights
from kinlight.ml.whole_photos import Seen

MAP = Calibration(signs=0.5, doubt=0.5, cell=0.4, area=0.01)
CHANNELS = 10
WIDTH = 3 * CHANNELS + 4


def pictures(count: int = 400, *, apart: float = 2.0) -> Pictures:
    """Half of them edited: by one number of the pooled features they can be told."""
    rng = np.random.default_rng(5)
    edited = np.arange(count) % 2 == 1
    features = rng.standard_normal((count, WIDTH)).astype(np.float32)
    features[:, 1] += apart * edited
    photo = np.arange(count) // 4
    return Pictures(
        features,
        edited,
        np.ones(count, np.bool_),
        edited,
        np.ones(count, np.float32),
        photo % 4 + 1,
        np.array(["none", "none", "q75", "q75"] * (count // 4)),
        np.where(edited, "splice", "clean"),
        np.array(["original"] * count),
        np.array([f"{number}.jpg" for number in photo]),
    )


def used(name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return feature_sets(WIDTH)[name]


def test_the_feature_that_tells_weighs_most_and_unused_ones_weigh_nothing() -> None:
    drawn = pictures()
    score = fit(drawn.features, drawn.edited, used("without peaks"), 0.01)
    assert int(np.abs(score.weight).argmax()) == 1
    assert not score.weight[2 * CHANNELS : 3 * CHANNELS].any()


def test_a_fit_is_where_the_loss_is_lowest() -> None:
    drawn = pictures()
    score = fit(drawn.features, drawn.edited, used("all"), 0.03)

    def loss(weight: np.ndarray, bias: float) -> float:
        logit = PhotoScore(score.middle, score.scale, weight, bias).logit(drawn.features)
        losses = np.logaddexp(0, np.where(drawn.edited, -logit, logit).astype(np.float64))
        return float(losses.mean() + 0.03 * (weight.astype(np.float64) ** 2).sum())

    least = loss(score.weight, score.bias)
    rng = np.random.default_rng(6)
    for _ in range(20):
        step = 0.01 * rng.standard_normal(WIDTH + 1)
        other = score.weight + step[:-1].astype(np.float32)
        assert loss(other, score.bias + float(step[-1])) > least


def test_a_picture_is_scored_by_what_other_folds_gave() -> None:
    drawn = pictures()
    logits = leaving_folds_out(drawn, used("all"), 0.1)
    for fold in (1, 2, 3, 4):
        rest, here = drawn.where(drawn.fold != fold), drawn.fold == fold
        score = fit(rest.features, rest.edited, used("all"), 0.1)
        assert np.array_equal(logits[here], score.logit(drawn.features[here]))


def test_features_that_tell_are_found_by_comparing_sets() -> None:
    by_set: dict[str, float] = {}
    for candidate in compared(pictures()):
        auc = candidate.figures["image_auc"]
        by_set[candidate.features] = max(auc, by_set.get(candidate.features, 0))
    assert by_set["all"] > 0.85
    assert by_set["map"] < 0.65


def test_hits_are_counted_at_few_false_alarms() -> None:
    drawn = pictures()
    perfect = figures(drawn, drawn.edited.astype(np.float32))
    assert (perfect["image_auc"], perfect["hits_at_1_percent"]) == (1, 1)
    blind = figures(drawn, np.arange(len(drawn)).astype(np.float32))
    assert blind["image_auc"] == pytest.approx(0.5, abs=0.01)
    assert blind["hits_at_1_percent"] < 0.05


def test_so_few_clean_pictures_pass_the_thresholds() -> None:
    rng = np.random.default_rng(7)
    drawn = pictures(4000)
    logits = rng.exponential(1.5, len(drawn)).astype(np.float32)
    limits = thresholds(drawn.edited, logits, MAP)
    found = verdicts(drawn, logits, limits)[~drawn.edited]
    assert (found != NO_SIGN).mean() == pytest.approx(DOUBTS, abs=0.002)
    reached = math.log(limits.signs / (1 - limits.signs))
    assert reached == pytest.approx(1.5 * math.log(1 / FALSE_ALARMS), rel=0.1)
    assert (limits.cell, limits.area) == (MAP.cell, MAP.area)


def test_edited_pictures_dont_move_the_thresholds() -> None:
    drawn = pictures()
    logits = drawn.features[:, 1]
    moved = np.where(drawn.edited, logits + 100, logits)
    assert thresholds(drawn.edited, logits, MAP) == thresholds(drawn.edited, moved, MAP)


def test_a_score_above_the_threshold_without_an_area_is_no_sign_of_a_place() -> None:
    drawn = pictures()
    limits = Calibration(signs=0.6, doubt=0.4, cell=0.4, area=0.01)
    logits = np.full(len(drawn), 3, np.float32)
    assert set(verdicts(drawn, logits, limits)) == {SIGNS}
    drawn.has_area[:] = False
    assert set(verdicts(drawn, logits, limits)) == {CANNOT_TELL}
    assert set(verdicts(drawn, -logits, limits)) == {NO_SIGN}


def test_false_alarms_are_told_of_cameras_of_which_nothing_was_learned() -> None:
    drawn, about = pictures(), {"features": "all", "penalty": 0.1}
    odd = pictures()
    odd.features[odd.fold == 2, 1] += 9  # a fold with cameras that look edited
    found = leaving_out(drawn, odd, about, MAP)
    clean = ~odd.edited
    assert (found[clean & (odd.fold == 2)] == SIGNS).all()
    assert np.count_nonzero(found[clean & (odd.fold != 2)] == SIGNS) < 6
    # Learned from as well they would have been taken for what they are.
    found = leaving_out(odd, odd, about, MAP)
    assert (found[clean & (odd.fold == 2)] == SIGNS).all()


def test_the_tables_tell_every_way_and_all_together() -> None:
    measured = pictures()
    score = fit(measured.features, measured.edited, used("all"), 0.1)
    limits = thresholds(measured.edited, score.logit(measured.features), MAP)
    clean = measured.where(~measured.edited)
    found = verdicts(clean, score.logit(clean.features), limits)
    text = tables(
        {
            "held_out": held_out(measured, score, limits),
            "authentic": {"originals": by_way(clean, found)},
        }
    )
    assert "Authentic, originals:" in text
    assert "| q75 | 0 of 100 (0.0 to 3.7 %) |" in text
    assert "| all | 0 of 200 (0.0 to 1.9 %) | 20 |" in text


def seen(folder: Path, *, folds: set[int], per_fold: int, ways: Sequence[str]) -> Path:
    """What the network might have kept of photos of the manifest."""
    rng = np.random.default_rng(9)
    folder.mkdir()
    chance = np.zeros((40, 60), np.uint8)
    chance[10:20, 10:30] = 200
    for fold in folds:
        entries = [entry for entry in read_manifest() if entry.fold == fold][:per_fold]
        for entry in entries:
            for edit in ("clean", "splice"):
                for way in ways:
                    features = rng.standard_normal(244).astype(np.float32)
                    features[5] += 3 * (edit == "splice")
                    edited = (chance > 0) & (edit != "clean")
                    shape = (160, 240)
                    one = Seen(entry.file, 0, edit, way, shape, features, chance, edited)
                    one.save(folder / f"{entry.sha256[:16]}-{way}-{edit}.npz")
    return folder


def test_the_maps_threshold_is_where_edits_are_marked_best(tmp_path: Path) -> None:
    folder = seen(tmp_path / "seen", folds={1}, per_fold=4, ways=["none"])
    kept = list(train_verdict.read_all(folder))
    for one in kept:
        one.chance[20:, :] = 140  # what is marked too eagerly
    assert 140 / 255 < train_verdict.map_threshold(kept) <= 200 / 255


def test_a_score_is_fitted_released_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = seen(tmp_path / "drawn", folds={1, 2, 3, 4}, per_fold=15, ways=["saved"])
    fixed = seen(tmp_path / "fixed", folds={0, 1, 2, 3, 4}, per_fold=3, ways=list(ON_THE_WAY))
    released = tmp_path / "weights"
    assert train_verdict.main(["--seen", str(drawn), "--release", str(released)]) == 0
    weights, before = read_weights("integrity", released), read_weights("integrity")
    score = PhotoScore.of(weights.tensors)
    assert score is not None
    assert int(np.abs(score.weight).argmax()) == 5
    assert weights.told["photo_score"]["pictures"] == 120
    network = network_of(before.tensors)
    for name, value in network.items():
        assert np.array_equal(weights.tensors[name].numpy(), value.numpy()), name

    pictures = train_verdict.gather(train_verdict.read_all(drawn), Runner(weights))
    assert pictures.has_area.all()
    assert np.array_equal(pictures.on_edit, pictures.edited)
    assert (pictures.f1[pictures.edited] == 1).all()

    folders = ["--drawn", str(drawn), "--fixed", str(fixed)]
    evaluate_verdict.main([*folders, "--weights", str(released), "--release", str(released)])
    assert "Authentic, originals, folds left out:" in capsys.readouterr().out
    replay = read_replay(released)
    assert len(replay.edited) > 100
    assert replay.features[replay.edited, 5].mean() > 2
