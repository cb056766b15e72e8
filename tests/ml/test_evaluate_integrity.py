from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

from kinlight.ml.evaluate_integrity import (
    ON_THE_WAY,
    Measured,
    calibrate,
    cells_of,
    leaving_out,
    report,
    verdicts,
    whole_photos,
)
from kinlight.ml.integrity_tables import tables
from kinlight.ml.photos import Collection


def measured(photo: str, score: float, edit: str = "clean", way: str = "none") -> Measured:
    mask = np.zeros((8, 8), np.bool_)
    chance = np.full((8, 8), 0.1, np.float32)
    if edit != "clean":
        mask[2:5, 2:5] = True
        chance[2:5, 2:5] = score
    return Measured(photo, edit, way, score, chance, mask, boxes=1)


def test_no_clean_photo_lies_above_the_thresholds_that_it_set() -> None:
    clean = [measured(str(number), number / 100) for number in range(60)]
    limits = calibrate(clean, 0.5, 0.01)
    assert limits.signs > 0.59
    assert 0.5 < limits.doubt < 0.56


def test_a_photo_is_judged_by_thresholds_that_it_did_not_set() -> None:
    whole = [measured(str(number), 0.1) for number in range(9)] + [measured("odd", 0.9)]
    assert verdicts(whole, leaving_out(whole, 0.5, 0.01))["flagged"] == 1
    own = calibrate(whole, 0.5, 0.01)
    assert verdicts(whole, {one.photo: own for one in whole})["flagged"] == 0


def test_every_photo_is_measured_clean_and_edited_after_each_way(photos: Collection) -> None:
    made = list(whole_photos(photos, 1, ["original"]))
    for kind_is_clean in (True, False):
        ways = [way for _, kind, way, _ in made if (kind == "clean") == kind_is_clean]
        assert {way: ways.count(way) for way in ways} == dict.fromkeys(ON_THE_WAY, 6)
    assert all(p.mask.any() == (kind != "clean") for _, kind, _, p in made)


def test_a_cell_counts_as_edited_from_half_of_it_on() -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[0:4, 0:3] = 255
    mask[4:8, 4:5] = 255
    assert cells_of(mask, (3, 3)).tolist() == [[True, False, False], [False] * 3, [False] * 3]


def test_the_tables_hold_a_row_for_each_bar_and_each_way() -> None:
    pictures = [
        measured(str(number), 0.8 if number % 2 else 0.2, "splice" if number % 2 else "clean", way)
        for number in range(12)
        for way in ON_THE_WAY
    ]
    limits = calibrate(pictures, 0.5, 0.01)
    text = tables(report(pictures, pictures, pictures, limits))
    assert "| image AUC, the same | 0.96 | 1.00 (1.00 to 1.00) |" in text
    for way in ON_THE_WAY:
        assert (
            f"| false alarms, whole photos, {way} | 1 % or less | 0 of 6 (0.0 to 39.0 %) |" in text
        )
