"""What measures the invisible mark: it counts what is found, what is lost and what is made up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from kinlight.ml import evaluate_watermark
from kinlight.ml.evaluate_watermark import attack, measure, measure_claims, psnr, ssim, table
from kinlight.ml.watermark_attacks import BARS

from .photographs import jpeg_of, scene


def test_a_photo_is_measured_against_every_bar() -> None:
    measured = measure("scene", scene(21, 480, 640), 1, harsher=False)
    assert list(measured.strengths) == list(BARS)
    assert all(strength > 10 for strength in measured.strengths.values())
    assert measured.wrong == 0
    assert measured.psnr > 42
    text = table([measured])
    assert "| q50 | 1 | 100.0 % |" in text
    assert "payloads claimed that are not there: 0" in text


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_several_copies_together_name_their_owners() -> None:
    measured = measure("scene", scene(21, 960, 1280), 1, harsher=True)
    together = [name for name in measured.strengths if "averaged" in name or "again" in name]
    assert len(together) == 4
    assert all(measured.strengths[name] > 5 for name in together)
    assert measured.wrong == 0


def test_crops_without_a_mark_are_counted_and_none_is_claimed() -> None:
    files = [(str(seed), scene(seed, 500, 700)) for seed in (1, 2)]
    counted = measure_claims(files, crops=20, every=20, seed=3)
    assert (counted["crops"], counted["thorough"], counted["claims"]) == (20, 1, 0)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_thousands_of_crops_without_a_mark_name_nobody() -> None:
    files = [(str(seed), scene(seed, 600, 800)) for seed in range(8)]
    assert measure_claims(files, crops=8000, every=400, seed=4)["claims"] == 0


def test_who_has_one_marked_picture_can_copy_its_mark() -> None:
    done = attack("scene", scene(22, 900, 1200), scene(23, 900, 1200), 1)
    assert done.forged > 10
    assert done.forged_psnr > 40


def test_equal_pictures_are_alike() -> None:
    picture = scene(24, 300, 400)
    assert psnr(picture, picture) == math.inf
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(picture, np.roll(picture, 7, axis=1)) < 0.9


def test_the_command_writes_what_it_measured(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out.json"
    data.mkdir()
    (data / "taken.jpg").write_bytes(jpeg_of(scene(1, 300, 400)))
    (data / "left out.jpg").write_bytes(jpeg_of(scene(3, 300, 400)))
    (tmp_path / "skip").write_text("left out.jpg\n")
    given = ["--data", str(data), "--skip", str(tmp_path / "skip"), "--out", str(out)]
    small = ["--least", "0.1", "--crops", "4", "--every", "100"]
    assert evaluate_watermark.main(["claims", *given, *small]) == 0
    assert json.loads(out.read_text())["claims"] == 0
    assert evaluate_watermark.main(["marks", *given, *small, "--harsher", "100"]) == 0
    assert [each["file"] for each in json.loads(out.read_text())["photos"]] == ["taken.jpg"]


def test_what_the_check_for_signs_of_editing_says_of_a_mark_is_told_with_what_it_says_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the check needs torch")
    out = tmp_path / "out.json"
    (tmp_path / "taken.jpg").write_bytes(jpeg_of(scene(1, 300, 400)))
    given = ["--data", str(tmp_path), "--out", str(out), "--least", "0.1"]
    assert evaluate_watermark.main(["signs", *given]) == 0
    (told,) = json.loads(out.read_text())["photos"]
    assert list(told["plain"]) == list(told["marked"]) == ["sent", "saved at q90", "saved at q75"]
    assert "| sent, marked |" in capsys.readouterr().out
