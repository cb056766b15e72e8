from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

from kinlight.ml.photos import read_manifest
from kinlight.ml.replay import NAME, Replay, may_be_passed_on, read_replay
from kinlight.ml.weights import WeightsMissing


def replay() -> Replay:
    rng = np.random.default_rng(2)
    edited = np.array([True, False, True, False])
    return Replay(
        rng.standard_normal((4, 7)).astype(np.float16),
        edited,
        ~edited,
        np.arange(4).astype(np.uint8),
        np.arange(4).astype(np.int32),
        np.array(["none", "q75", "half", "none"]),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    replay().write(tmp_path, {"weights": "0" * 64})
    back = read_replay(tmp_path)
    for name in Replay.__slots__:
        assert np.array_equal(getattr(back, name), getattr(replay(), name)), name


def test_a_replay_other_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    replay().write(tmp_path, {})
    file = tmp_path / f"{NAME}.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    with pytest.raises(WeightsMissing, match="is not the file"):
        read_replay(tmp_path)


def test_features_of_photos_that_are_for_training_only_dont_ship() -> None:
    licences = {entry.licence for entry in read_manifest()}
    kept_back = {licence for licence in licences if not may_be_passed_on(licence)}
    assert kept_back == {
        "none stated; training and tests only",
        "not recorded; training only",
    }
