from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

from kinlight.ml.evaluate_integrity import ON_THE_WAY
from kinlight.ml.integrity_runner import Runner
from kinlight.ml.photos import MANIFEST, Collection, read_manifest
from kinlight.ml.samples import Sampler
from kinlight.ml.weights import read_weights
from kinlight.ml.whole_photos import Seen, drawn, make_draws, make_fixed, usable


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner(read_weights("integrity"), bf16=False)


@pytest.fixture(scope="module")
def folder(runner: Runner, photos: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two draws of each photo."""
    folder = tmp_path_factory.mktemp("seen")
    list(make_draws(runner, photos, folder, 2))
    return folder


def test_a_clean_picture_went_the_way_of_the_edited_one(folder: Path) -> None:
    pairs: dict[tuple[str, int], list[Seen]] = {}
    for path in sorted(folder.glob("*.npz")):
        seen = Seen.load(path)
        pairs.setdefault((seen.file, seen.draw), []).append(seen)
    assert len(pairs) == 12
    for clean, edited in pairs.values():
        assert clean.edit == "clean"
        assert edited.edit != "clean"
        assert not clean.edited.any()
        assert edited.edited.any()
        assert (clean.way, clean.shape) == (edited.way, edited.shape)


def test_what_is_there_is_not_made_again(folder: Path, runner: Runner, photos: Collection) -> None:
    lost = min(folder.glob("*.npz"))
    before = Seen.load(lost)
    lost.unlink()
    assert list(make_draws(runner, photos, folder, 2)) == [lost]
    after = Seen.load(lost)
    assert (after.edit, after.way) == (before.edit, before.way)
    assert np.array_equal(after.chance, before.chance)
    assert np.array_equal(after.edited, before.edited)
    assert np.array_equal(after.features, before.features)


def test_a_score_is_fitted_to_the_features_that_a_finding_tells(
    folder: Path, runner: Runner, photos: Collection
) -> None:
    sampler = Sampler(photos)
    for path in sorted(folder.glob("*-0-edited.npz"))[:2]:
        seen = Seen.load(path)
        (photo,) = (photo for photo in photos if photo.entry.file == seen.file)
        sample = drawn(sampler, photo, 0, edited=True)
        table = None if sample.luma is None else sample.luma.astype(np.float32)
        told = runner.find(sample.pixels, table).features
        assert told is not None
        assert np.abs(told.astype(np.float32) - seen.features).max() < 0.02


def test_photos_are_shown_clean_and_edited_after_each_way(
    runner: Runner, photos: Collection, tmp_path: Path
) -> None:
    made = [Seen.load(path) for path in make_fixed(runner, photos, tmp_path, 1, ["original"])]
    for way in ON_THE_WAY:
        assert sum(seen.way == way and seen.edit == "clean" for seen in made) == 6
        assert sum(seen.way == way and seen.edit != "clean" for seen in made) == 6
    assert not list(make_fixed(runner, photos, tmp_path, 1, ["original"]))


def test_photos_of_a_few_pixels_are_left_out(photos: Collection) -> None:
    roles = {photos[place].entry.role for place in usable(photos)}
    assert roles == {"original"}


def test_photos_that_are_kept_apart_are_none_of_those_that_were_learned_from() -> None:
    apart = {entry.sha256 for entry in read_manifest(MANIFEST.with_name("integrity-apart.csv"))}
    assert len(apart) == 13
    assert apart.isdisjoint(entry.sha256 for entry in read_manifest())
