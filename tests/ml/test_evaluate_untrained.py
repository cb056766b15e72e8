from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

from kinlight.ml.edits import KINDS
from kinlight.ml.evaluate_untrained import figures, measure
from kinlight.ml.integrity_runner import Runner
from kinlight.ml.photos import Collection
from kinlight.ml.untrained_edits import UNTRAINED
from kinlight.ml.weights import read_weights


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner(read_weights("integrity"))


def test_each_place_is_measured_with_and_without_the_edit_after_the_same_way(
    runner: Runner, photos: Collection
) -> None:
    seen = measure(runner, photos, "push", UNTRAINED, 3)
    assert [one.edited for one in seen[::2]] == [False] * 3
    assert [one.way for one in seen[::2]] == [one.way for one in seen[1::2]]
    assert {one.edit for one in seen[1::2]} <= {"push", "clean"}


def test_every_kind_has_its_figures_those_that_no_training_saw_first(
    runner: Runner, photos: Collection
) -> None:
    told = figures(runner, photos, 1)
    assert list(told) == [*UNTRAINED, *KINDS]
    assert all(set(row) == {"pixel_auc", "f1", "image_auc"} for row in told.values())
