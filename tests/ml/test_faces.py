"""Faces are found: small ones, turned ones, many; and not where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra ml: OpenCV is missing")

from kinlight.ml import faces, weights
from kinlight.ml.evaluate_faces import (
    ACROSS,
    DOWN,
    height_of_face,
    hits,
    laid,
    main,
    opened,
    scaled,
    turned,
)
from kinlight.ml.photos import Pixels
from kinlight.ml.weights import WeightsMissing, read_pinned
from PIL import Image

from .photographs import scene


@pytest.fixture(scope="module")
def portraits(shared_dir: Path) -> list[tuple[Pixels, float]]:
    """A dozen people, and how high their faces are."""
    found: list[tuple[Pixels, float]] = []
    for _, pixels in opened(shared_dir / "data" / "portraits-congress"):
        height = height_of_face(pixels)
        if height is not None:
            found.append((pixels, height))
        if len(found) == ACROSS * DOWN:
            break
    return found


def group(
    portraits: list[tuple[Pixels, float]], size: int, degrees: int
) -> tuple[Pixels, list[tuple[int, int, int, int]]]:
    picture = scene(3, 900, 1200)
    people = [turned(scaled(pixels, size / height), degrees) for pixels, height in portraits]
    return picture, laid(picture, people, np.random.default_rng(1))


@pytest.mark.parametrize(("size", "degrees"), [(24, 0), (48, 30), (96, 90), (96, 180)])
def test_small_and_turned_faces_of_a_group_are_found(
    portraits: list[tuple[Pixels, float]], size: int, degrees: int
) -> None:
    picture, places = group(portraits, size, degrees)
    hit, over = hits(faces.find(picture), places, faces.LEAST)
    assert hit >= len(places) - 1
    assert over <= 1


def test_where_a_face_lies_does_not_depend_on_how_the_picture_is_turned(
    portraits: list[tuple[Pixels, float]],
) -> None:
    upright = portraits[0][0]
    (face,) = faces.find(upright)
    height, width = upright.shape[:2]
    (mirrored,) = faces.find(np.ascontiguousarray(upright[:, ::-1]))
    assert mirrored.left == pytest.approx(width - face.left - face.width, abs=4)
    (overhead,) = faces.find(np.ascontiguousarray(np.rot90(upright, 2)))
    assert overhead.top == pytest.approx(height - face.top - face.height, abs=4)
    (sideways,) = faces.find(np.ascontiguousarray(np.rot90(upright)))
    assert sideways.left == pytest.approx(face.top, abs=4)
    assert sideways.top == pytest.approx(width - face.left - face.width, abs=4)
    eyes, mouth = face.landmarks[:2], face.landmarks[3:]
    assert max(y for _, y in eyes) < min(y for _, y in mouth)
    assert face.sure
    assert face.looks > 3


def test_a_portrait_in_grey_has_its_face(portraits: list[tuple[Pixels, float]]) -> None:
    grey = np.asarray(Image.fromarray(portraits[0][0]).convert("L"))
    assert len(faces.find(grey)) == 1


def test_in_what_shows_nobody_nobody_is_seen_clearly() -> None:
    for seed in range(3):
        assert not any(face.sure for face in faces.find(scene(seed, 300, 400)))
    assert faces.find(np.full((200, 300), 128, np.uint8)) == []


def test_the_network_is_the_one_that_was_shipped(
    tmp_path: Path,
) -> None:
    content, told, _ = read_pinned("faces", "onnx")
    assert told["licence"].startswith("MIT")
    (tmp_path / "faces.json").write_bytes((weights.FOLDER / "faces.json").read_bytes())
    (tmp_path / "faces.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsMissing, match="not the file"):
        read_pinned("faces", "onnx", tmp_path)
    (tmp_path / "faces.onnx").unlink()
    with pytest.raises(WeightsMissing, match="missing"):
        read_pinned("faces", "onnx", tmp_path)


def test_the_evaluation_counts_and_writes(
    portraits: list[tuple[Pixels, float]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("portraits", "scenes"):
        (tmp_path / name).mkdir()
    Image.fromarray(portraits[0][0]).save(tmp_path / "portraits" / "one.jpg")
    Image.fromarray(np.full((300, 400, 3), 90, np.uint8)).save(tmp_path / "scenes" / "grey.jpg")
    given = ["--portraits", str(tmp_path / "portraits"), "--scenes", str(tmp_path / "scenes")]
    few = ["--out", str(tmp_path / "out.json"), "--sizes", "96", "--degrees", "0"]
    assert main([*given, *few]) == 0
    assert "| 96 px | 100 (100) |" in capsys.readouterr().out
