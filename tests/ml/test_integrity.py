from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml import copymove, integrity
from kinlight.ml.integrity import Calibration, check
from kinlight.ml.integrity_net import IntegrityNet, Width, standard_table
from kinlight.ml.integrity_runner import Runner, Traces
from kinlight.ml.photos import tables_of
from kinlight.ml.weights import (
    LARGEST,
    Weights,
    WeightsMissing,
    read_weights,
    write_weights,
)
from PIL import Image

from .photographs import jpeg_of, scene

LIMITS = Calibration(signs=0.7, doubt=0.4, cell=0.5, area=0.01)


def random_weights() -> Weights:
    torch.manual_seed(1)
    net = IntegrityNet()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_var.fill_(0.7)
    told = {"width": asdict(Width()), "calibration": asdict(LIMITS)}
    return Weights(net.state_dict(), told, "0" * 64)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights()


@pytest.fixture(scope="module")
def runner(weights: Weights) -> Runner:
    return Runner(weights, bf16=False)


@pytest.fixture
def judged_at_random(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check with weights of no meaning: enough to see that it answers."""
    monkeypatch.setattr(integrity, "_loaded", runner)


# --- the network over a whole photo ---


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(("tile", "square"), [(64, 8), (128, 24), (256, 16)])
def test_a_photo_in_tiles_gives_what_the_photo_in_one_piece_gives(
    tile: int, square: int, bf16: bool, weights: Weights
) -> None:
    runner = Runner(weights, bf16=bf16)
    pixels = scene(6, 301, 419)
    table = standard_table().numpy()
    whole = runner.traces(pixels, table, tile=4096, square=4096)
    tiled = runner.traces(pixels, table, tile=tile, square=square)
    assert np.abs(whole.chance - tiled.chance).max() < 0.01
    assert abs(whole.score - tiled.score) < 0.01


def test_the_answer_does_not_depend_on_how_many_threads_there_are(weights: Weights) -> None:
    pixels, table = scene(6, 301, 419), standard_table().numpy()
    usual = torch.get_num_threads()
    seen: list[Traces] = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            seen.append(Runner(weights, bf16=False).traces(pixels, table, tile=64, square=16))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(usual)
    assert np.array_equal(seen[0].chance, seen[1].chance)
    assert seen[0].score == seen[1].score


def test_a_photo_in_one_piece_gives_what_the_network_was_trained_to_give(
    weights: Weights, runner: Runner
) -> None:
    net = IntegrityNet().eval()
    net.load_state_dict(dict(weights.tensors))
    pixels = scene(7, 192, 256)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        cells, image = net(tensor, standard_table()[None], torch.ones(1))
    traces = runner.traces(pixels, standard_table().numpy())
    assert np.abs(cells.sigmoid()[0, 0].numpy() - traces.chance).max() < 0.01
    assert abs(float(image.sigmoid()) - traces.score) < 0.01


def test_a_photo_whose_sides_are_no_multiples_of_a_block_is_covered_to_its_edge(
    runner: Runner,
) -> None:
    assert runner.traces(scene(8, 129, 203), None).chance.shape == (34, 52)


# --- the verdict ---


def traces(score: float, *spots: tuple[slice, slice]) -> Traces:
    chance = np.zeros((50, 80), np.float32)
    for spot in spots:
        chance[spot] = 0.9
    return Traces(chance, score, np.zeros(244, np.float32))


EDIT = (slice(10, 20), slice(30, 50))


def test_a_high_score_with_an_area_is_a_sign_and_names_the_area(runner: Runner) -> None:
    finding = runner.judge(traces(0.9, EDIT), (198, 320))
    assert finding.verdict == "signs"
    (box,) = finding.boxes
    assert (box.left, box.top, box.width, box.height) == (120, 40, 80, 40)
    assert box.chance == pytest.approx(0.9)
    assert finding.map is not None
    assert finding.map[15, 40] == 230


def test_a_low_score_is_no_sign_whatever_the_map_says(runner: Runner) -> None:
    assert runner.judge(traces(0.2, EDIT), (200, 320)).verdict == "no-sign"


def test_between_the_thresholds_it_cant_tell_and_says_why(runner: Runner) -> None:
    finding = runner.judge(traces(0.5, EDIT), (200, 320))
    assert finding.verdict == "cannot-tell"
    assert "faint" in finding.reason
    assert not finding.boxes


def test_a_high_score_without_an_area_is_no_accusation(runner: Runner) -> None:
    speck = (slice(3, 4), slice(5, 7))
    finding = runner.judge(traces(0.9, speck), (200, 320))
    assert finding.verdict == "cannot-tell"
    assert finding.reason


def test_an_area_at_the_edge_ends_with_the_photo(runner: Runner) -> None:
    finding = runner.judge(traces(0.9, (slice(40, 50), slice(60, 80))), (197, 318))
    (box,) = finding.boxes
    assert (box.left + box.width, box.top + box.height) == (318, 197)


def test_areas_come_largest_first(runner: Runner) -> None:
    finding = runner.judge(traces(0.9, (slice(30, 40), slice(0, 10)), EDIT), (200, 320))
    assert [box.width * box.height for box in finding.boxes] == [80 * 40, 40 * 40]


@pytest.fixture
def copied() -> Any:
    pixels = scene(20, 420, 520)
    pixels[210:400, 280:500] = pixels[10:200, 20:240]
    return pixels


def finds(score: float) -> Any:
    def traces_of(*_: object) -> Traces:
        return Traces(np.zeros((106, 130), np.float32), score, np.zeros(244, np.float32))

    return traces_of


@pytest.mark.usefixtures("judged_at_random")
def test_a_large_piece_that_occurs_twice_is_a_sign_and_both_places_are_named(
    copied: Any, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "traces", finds(0.1))
    finding = check(copied)
    assert finding.verdict == "signs"
    ((first, second),) = finding.copies
    corners = sorted([(first.left, first.top), (second.left, second.top)])
    assert np.abs(np.array(corners) - [[20, 10], [280, 210]]).max() < 12


@pytest.mark.usefixtures("judged_at_random")
def test_a_small_piece_that_occurs_twice_is_a_sign_beside_other_traces_only(
    copied: Any, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copymove, "CLEAR_SHARE", 0.5)
    for score, verdict in ((0.1, "cannot-tell"), (0.5, "cannot-tell"), (0.9, "signs")):
        monkeypatch.setattr(runner, "traces", finds(score))
        finding = check(copied)
        assert finding.verdict == verdict
        assert ("twice" in finding.reason) == (verdict == "cannot-tell")
        assert ("faint" in finding.reason) == (score == 0.5)
        assert finding.copies


# --- bad input ---

PHOTO = scene(9, 200, 240)

ODD: dict[str, Any] = {
    "empty": np.zeros((0, 0, 3), np.uint8),
    "no width": np.zeros((300, 0, 3), np.uint8),
    "one pixel": np.zeros((1, 1, 3), np.uint8),
    "tiny": PHOTO[:40, :40],
    "a strip": np.repeat(PHOTO[:20], 3, axis=1),
    "all black": np.zeros((400, 400, 3), np.uint8),
    "all white": np.full((400, 400, 3), 255, np.uint8),
    "16 bits": PHOTO.astype(np.uint16) * 257,
    "floats": PHOTO.astype(np.float32),
    "not numbers": PHOTO.astype(object),
    "two colours": PHOTO[:, :, 0] > 128,
    "two channels": PHOTO[:, :, :2],
    "five channels": np.concatenate([PHOTO, PHOTO[:, :, :2]], axis=2),
    "frames": np.stack([PHOTO, PHOTO]),
    "a number": np.array(7, np.uint8),
    "a line": np.zeros(3000, np.uint8),
    "transparent": np.dstack([PHOTO, PHOTO[:, :, 0]]),
    "drawn": np.repeat(np.repeat(PHOTO[:20, :20], 16, axis=0), 16, axis=1),
    "huge": np.broadcast_to(np.uint8(7), (30_000, 30_000, 3)),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.usefixtures("judged_at_random")
def test_of_a_picture_out_of_its_range_it_cant_tell_and_says_why(what: str) -> None:
    finding = check(ODD[what])
    assert finding.verdict == "cannot-tell"
    assert finding.reason
    assert finding.score is None
    assert not finding.boxes


EVEN: dict[str, Any] = {
    "grey": PHOTO[:, :, 0],
    "grey with an axis": PHOTO[:, :, :1],
    "opaque": np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)]),
    "read only": np.broadcast_to(PHOTO, PHOTO.shape),
    "mirrored": PHOTO[:, ::-1],
    "the smallest": PHOTO[:128, :128],
    "long": np.concatenate([PHOTO[:130]] * 12, axis=1),
}


@pytest.mark.parametrize("what", EVEN)
@pytest.mark.usefixtures("judged_at_random")
def test_every_picture_in_its_range_is_looked_at(what: str) -> None:
    finding = check(EVEN[what])
    assert finding.score is not None
    assert finding.map is not None
    assert finding.map.shape == tuple(-(-side // 8) * 2 for side in EVEN[what].shape[:2])


TABLES: dict[str, Any] = {
    "none": None,
    "an empty list": [],
    "an empty mapping": {},
    "too short": [[1, 2, 3]],
    "zeros": [[0] * 64],
    "negative": [[-1] * 64],
    "too large": [[1 << 20] * 64],
    "words": [["a"] * 64],
    "ragged": [[[1], [2, 3]]],
    "nested": [[[1] * 8] * 8],
    "fractions": [[1.5] * 64],
}


@pytest.mark.parametrize("what", TABLES)
@pytest.mark.usefixtures("judged_at_random")
def test_tables_that_no_decoder_could_use_count_as_none(what: str) -> None:
    assert check(PHOTO, TABLES[what]).score == check(PHOTO).score


@pytest.mark.usefixtures("judged_at_random")
def test_of_a_strongly_compressed_photo_it_cant_tell() -> None:
    for quality, answered in ((90, True), (60, True), (20, False)):
        with Image.open(io.BytesIO(jpeg_of(PHOTO, quality))) as image:
            finding = check(np.asarray(image), [table.tolist() for table in tables_of(image)])
        assert (finding.score is not None) == answered
        assert answered or "compressed" in finding.reason


@pytest.mark.usefixtures("judged_at_random")
def test_tables_may_come_as_pillow_gives_them_or_as_a_list() -> None:
    with Image.open(io.BytesIO(jpeg_of(PHOTO, 80))) as image:
        as_list = [table.tolist() for table in tables_of(image)]
        pixels = np.asarray(image)
    assert check(pixels, dict(enumerate(as_list))).score == check(pixels, as_list).score


# --- weights ---


def test_weights_other_than_the_pinned_ones_are_refused(tmp_path: Path, weights: Weights) -> None:
    write_weights("net", weights.tensors, weights.told, tmp_path)
    assert read_weights("net", tmp_path).told == weights.told
    file = tmp_path / "net.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsMissing, match=r"net\.safetensors is not the file that net\.json"):
        read_weights("net", tmp_path)


def test_weights_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps({"sha256": "0" * 64}), encoding="utf-8")
    with (tmp_path / "net.safetensors").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(WeightsMissing, match="larger"):
        read_weights("net", tmp_path)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"net\.json"):
        read_weights("net", tmp_path)
