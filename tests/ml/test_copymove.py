from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import cv2
from kinlight.ml.copymove import LONG_SIDE, find_copies
from kinlight.ml.photos import Pixels
from kinlight.ml.scores import f1_of
from PIL import Image

from .photographs import jpeg_of, scene

PIECE = (slice(60, 180), slice(80, 220))
PLACE = (slice(230, 350), slice(300, 440))


def compressed(pixels: Pixels, quality: int) -> Pixels:
    with Image.open(io.BytesIO(jpeg_of(pixels, quality))) as image:
        return np.asarray(image)


@pytest.fixture
def copied() -> Pixels:
    pixels = scene(20, 420, 520)
    pixels[PLACE] = pixels[PIECE]
    return pixels


@pytest.mark.parametrize("quality", [95, 75])
def test_a_piece_that_occurs_twice_is_found_at_both_places(quality: int, copied: Pixels) -> None:
    copies = find_copies(compressed(copied, quality))
    (copy,) = copies.found
    truth = np.zeros((420, 520), np.bool_)
    truth[PIECE] = truth[PLACE] = True
    assert copies.factor == 1
    assert f1_of(truth, copies.mask()) > 0.85
    assert copy.first.any()
    assert copy.second.any()


@pytest.mark.parametrize(("turn", "scale"), [(20, 1.0), (0, 1.15), (-35, 0.9), (180, 1.0)])
def test_a_copy_that_was_turned_and_scaled_is_found(turn: float, scale: float) -> None:
    pixels = scene(21, 420, 520)
    matrix = cv2.getRotationMatrix2D((150.0, 120.0), turn, scale)
    matrix[:, 2] += (220, 170)
    moved = cv2.warpAffine(pixels, matrix, (520, 420), flags=cv2.INTER_CUBIC)
    piece = np.zeros((420, 520), np.uint8)
    piece[PIECE] = 255
    place = cv2.warpAffine(piece, matrix, (520, 420), flags=cv2.INTER_NEAREST) > 0
    pixels[place] = moved[place]
    copies = find_copies(compressed(pixels, 90))
    assert f1_of(place | (piece > 0), copies.mask()) > 0.6


def test_a_copy_that_was_mirrored_is_found_and_called_so() -> None:
    pixels = scene(24, 420, 520)
    pixels[PLACE] = pixels[PIECE][:, ::-1]
    copies = find_copies(compressed(pixels, 90))
    truth = np.zeros((420, 520), np.bool_)
    truth[PIECE] = truth[PLACE] = True
    assert [copy.mirrored for copy in copies.found] == [True]
    assert f1_of(truth, copies.mask()) > 0.6


def test_a_picture_without_a_copy_has_none() -> None:
    for seed in (30, 31, 32):
        assert not find_copies(compressed(scene(seed, 420, 520), 85)).found


def test_a_large_picture_is_reduced_and_its_copy_found() -> None:
    small = scene(22, 700, 900)
    small[400:600, 500:800] = small[80:280, 100:400]
    large = cv2.resize(small, (2700, 2100), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    copies = find_copies(large)
    assert max(copies.shape) == LONG_SIDE
    assert copies.factor == pytest.approx(LONG_SIDE / 2700)
    assert len(copies.found) == 1


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (70, 2000), (2000, 70), (300, 300)])
def test_pictures_without_detail_and_of_odd_shapes_have_no_copies(shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), 90, np.uint8)
    assert not find_copies(flat).found
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert not find_copies(noise).found


def test_a_pattern_that_repeats_all_over_is_no_copy() -> None:
    tile = scene(23, 40, 40)
    assert not find_copies(np.tile(tile, (12, 14, 1))).found
