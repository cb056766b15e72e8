"""Invisible marks: set in a picture, found in what becomes of it, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.ml import watermark, watermark_code, watermark_search
from kinlight.ml.evaluate_watermark import psnr, ssim
from kinlight.ml.photos import Pixels
from kinlight.ml.processing import jpeg_round_trip
from kinlight.ml.watermark_attacks import averaged, bordered, part, resized
from kinlight.ml.watermark_carrier import CHIPS, FREQUENCIES, PUBLIC, TILE, Carrier
from kinlight.ml.watermark_search import LIMIT, Found, Sought, find, turned, upright

from .photographs import scene

KEY = Carrier(bytes(range(32)))
ONE, TWO, THREE = b"\x01\x23\x45\x67\x89\xab", b"second", b"a third"[:6]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return scene(5, 960, 1280)


@pytest.fixture(scope="module")
def marked(photo: Pixels) -> Pixels:
    return watermark.mark(photo, KEY, ONE)


def payloads(found: list[Found]) -> list[bytes]:
    return [each.payload for each in found]


def read(pixels: Pixels, *issued: bytes, blind: bool = True) -> list[Found]:
    return find(pixels, [Sought(KEY, issued, blind)])


def test_the_same_key_and_payload_give_the_same_pixels_and_others_give_others(
    photo: Pixels, marked: Pixels
) -> None:
    assert np.array_equal(watermark.mark(photo, KEY, ONE), marked)
    assert not np.array_equal(watermark.mark(photo, KEY, TWO), marked)
    assert not np.array_equal(watermark.mark(photo, PUBLIC, ONE), marked)
    assert marked.shape == photo.shape


def test_the_number_of_threads_changes_nothing(photo: Pixels, marked: Pixels) -> None:
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2, 3):
            cv2.setNumThreads(threads)
            assert np.array_equal(watermark.mark(photo, KEY, ONE), marked)
    finally:
        cv2.setNumThreads(before)


def test_the_pattern_of_a_key_and_payload_is_the_one_of_the_specification() -> None:
    assert (FREQUENCIES, CHIPS) == (3798, 5696)
    assert watermark_code.encode(ONE)[:12].tolist() == [-1, 1, 1, -1, -1, 1, 1, -1, 1, 1, 1, 1]
    tile = np.rint(KEY.tile(ONE) * 32).astype(np.int8)
    assert (
        hashlib.sha256(tile.tobytes()).hexdigest()
        == "ecc921afc51d99547a34624c510fa6288d9020f46a9ae9836f9ee68aabba4eb4"
    )


@pytest.mark.parametrize("shape", [(256, 300), (700, 500, 1), (400, 640, 4), (300, 2000, 3)])
def test_a_mark_is_hardly_a_change(shape: tuple[int, ...]) -> None:
    grain = scene(8, *shape[:2])
    pixels = np.dstack([grain, grain[:, :, 0]]) if shape[-1] == 4 else grain
    pixels = (
        np.ascontiguousarray(pixels[:, :, 0]).reshape(shape) if shape[2:] in ((), (1,)) else pixels
    )
    made = watermark.mark(pixels, KEY, ONE)
    assert made.shape == pixels.shape
    colours = [each.reshape(*shape[:2], -1)[:, :, :3] for each in (pixels, made)]
    before, after = (np.ascontiguousarray(np.broadcast_to(c, (*shape[:2], 3))) for c in colours)
    assert psnr(before, after) >= 41.5
    assert ssim(before, after) >= 0.98
    if shape[-1] == 4:
        assert np.array_equal(made[:, :, 3], pixels[:, :, 3])
    assert payloads(read(made)) == [ONE]


WAYS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "as it was sent": lambda pixels, _: jpeg_round_trip(pixels, 95, 0),
    "q50": lambda pixels, _: jpeg_round_trip(pixels, 50, 2),
    "q70 and half": lambda pixels, _: resized(jpeg_round_trip(pixels, 70, 2), 0.5),
    "an odd size": lambda pixels, _: cv2.resize(pixels, (901, 676)).astype(np.uint8),
    "a crop at q70": lambda pixels, rng: jpeg_round_trip(part(pixels, 0.7, rng), 70, 2),
    "bars": bordered,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_mark_outlives_what_happens_to_pictures(marked: Pixels, way: str) -> None:
    found = read(WAYS[way](marked, np.random.default_rng(3)))
    assert payloads(found) == [ONE]
    assert found[0].bound < LIMIT
    assert 0 < found[0].share <= 1


@pytest.mark.parametrize("turn", range(8))
def test_a_picture_that_was_turned_or_mirrored_is_read_and_tells_how(
    marked: Pixels, turn: int
) -> None:
    moved = np.ascontiguousarray(turned(marked, turn))
    assert np.array_equal(upright(moved, turn), marked)
    (found,) = find(moved, [Sought(KEY)], thorough=False)
    assert (found.payload, found.turn, round(found.scale, 3)) == (ONE, turn, 1.0)


def test_a_crop_tells_its_scale(marked: Pixels) -> None:
    (found,) = read(part(marked, 0.7, np.random.default_rng(4)))
    assert found.scale == pytest.approx(0.7**0.5, abs=0.005)


def test_a_picture_without_a_mark_has_none_under_any_key(photo: Pixels) -> None:
    keys = [Carrier(bytes([number]) * 32) for number in range(8)]
    issued = tuple(number.to_bytes(6, "big") for number in range(500))
    assert find(photo, [Sought(key, issued) for key in keys], thorough=False) == []
    assert read(photo, *issued) == []


def test_the_mark_of_one_key_is_none_of_another_and_both_can_be_there(marked: Pixels) -> None:
    other = Carrier(bytes(32))
    assert find(marked, [Sought(other)], thorough=False) == []
    both = watermark.mark(marked, other, TWO)
    found = find(jpeg_round_trip(both, 85, 2), [Sought(KEY), Sought(other)])
    assert [(each.sought, each.payload) for each in found] == [(0, ONE), (1, TWO)]


def test_a_second_mark_of_the_same_key_leaves_the_first(marked: Pixels) -> None:
    again = jpeg_round_trip(watermark.mark(marked, KEY, TWO), 85, 2)
    found = read(again, ONE, TWO, THREE)
    assert sorted(payloads(found)) == sorted([ONE, TWO])
    assert all(each.issued for each in found)


def test_who_averages_their_copies_is_named_and_nobody_else(photo: Pixels) -> None:
    copies = [watermark.mark(photo, KEY, payload) for payload in (ONE, TWO, THREE)]
    others = [bytes([number]) * 6 for number in range(200)]
    found = read(jpeg_round_trip(averaged(copies), 85, 2), *others, ONE, TWO, THREE, blind=False)
    assert sorted(payloads(found)) == sorted([ONE, TWO, THREE])


def test_the_bound_is_the_one_that_was_derived() -> None:
    places = (4 + 4 * 6) * 8
    assert watermark_search.bound(12.0, 2.0**48) == pytest.approx(places * 2**48 * np.exp(-72))
    assert watermark_search.bound(0.0, 1) == 1.0
    assert watermark_search.bound(-9.0, 1) == 1.0
    assert watermark_search.bound(60.0, 1) == watermark_search.LEAST > 0


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.zeros((400, 400), np.uint16), "8 bits"),
        (np.zeros((400, 400, 2), np.uint8), "no picture"),
        (np.zeros((2, 400, 400, 3), np.uint8), "no picture"),
        (np.zeros((255, 400), np.uint8), "smaller than 256"),
        (np.broadcast_to(np.zeros(1, np.uint8), (8001, 8001)), "more than 64 megapixels"),
    ],
)
def test_what_can_bear_no_mark_says_why(pixels: Pixels, why: str) -> None:
    with pytest.raises(watermark.UnfitPicture, match=why):
        watermark.mark(pixels, KEY, ONE)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_colour_is_marked_or_not_but_never_read_wrongly(value: int) -> None:
    plain = np.full((400, 500, 3), value, np.uint8)
    marked = watermark.mark(plain, KEY, ONE)
    for pixels in (plain, marked):
        found = find(pixels, [Sought(KEY, (ONE,))], thorough=False)
        assert set(payloads(found)) <= ({ONE} if pixels is marked else set())


def test_keys_and_payloads_have_their_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Carrier(b"short")
    with pytest.raises(ValueError, match="6 bytes"):
        KEY.tile(b"short")
    assert "key" not in repr(KEY)
    assert KEY.tile(ONE).shape == (TILE, TILE)


@settings(max_examples=40, deadline=None)
@given(payload=st.binary(min_size=6, max_size=6), seed=st.integers(0, 2**32 - 1))
def test_any_payload_is_read_through_noise_that_leaves_enough(payload: bytes, seed: int) -> None:
    clean = watermark_code.encode(payload).astype(np.float64)
    noise = np.random.default_rng(seed).standard_normal(watermark_code.CODE_BITS)
    assert watermark_code.decode(clean + 0.8 * noise) == payload


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(-1e9, 1e9), min_size=192, max_size=192))
def test_any_numbers_give_some_payload(values: list[float]) -> None:
    assert len(watermark_code.decode(np.array(values))) == 6


@settings(max_examples=10, deadline=None)
@given(data=st.binary(min_size=8, max_size=200))
def test_any_pixels_are_read_without_an_error(data: bytes) -> None:
    pixels = np.resize(np.frombuffer(data, np.uint8), (128, 131))
    assert find(pixels, [Sought(KEY)], thorough=False) == []
