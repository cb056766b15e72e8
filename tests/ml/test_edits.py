from __future__ import annotations

import numpy as np
import pytest
from kinlight.ml.edits import KINDS, Donors, edit
from kinlight.ml.photos import Collection
from kinlight.ml.regions import draw_region
from kinlight.ml.samples import Sampler
from kinlight.ml.untrained_edits import UNTRAINED

from .photographs import scene

SEEDS = range(12)
EVERY = {**KINDS, **UNTRAINED}


@pytest.fixture
def donors(photos: Collection) -> Donors:
    return Sampler(photos).donors("another camera")


@pytest.mark.parametrize("kind", EVERY)
def test_an_edit_changes_pixels_inside_its_mask_and_nowhere_else(kind: str, donors: Donors) -> None:
    pixels = scene(50, 256, 256)
    for seed in SEEDS:
        made = edit(np.random.default_rng(seed), pixels, donors, kind, EVERY)
        changed = (made.pixels != pixels).any(axis=2)
        assert not (changed & (made.mask == 0)).any()
        assert np.count_nonzero(changed) >= 0.3 * np.count_nonzero(made.mask) > 0


@pytest.mark.parametrize("kind", EVERY)
def test_an_edit_leaves_the_picture_it_was_given_as_it_was(kind: str, donors: Donors) -> None:
    pixels = scene(51, 200, 264)
    before = pixels.copy()
    for seed in SEEDS:
        edit(np.random.default_rng(seed), pixels, donors, kind, EVERY)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("kind", EVERY)
def test_the_same_seed_makes_the_same_edit(kind: str, donors: Donors) -> None:
    pixels = scene(52, 256, 256)
    first, second = (edit(np.random.default_rng(4), pixels, donors, kind, EVERY) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.mask, second.mask)


def test_a_copy_move_tells_where_its_piece_was_taken_from(donors: Donors) -> None:
    pixels = scene(53, 256, 256)
    found = 0
    for seed in SEEDS:
        made = edit(np.random.default_rng(seed), pixels, donors, "copy-move")
        if made.kind == "copy-move":
            assert made.origin is not None
            found += bool(made.origin.any())
    assert found == len(SEEDS)


def test_edits_come_small_and_large(donors: Donors) -> None:
    pixels = scene(54, 256, 256)
    shares = [
        float((edit(np.random.default_rng(seed), pixels, donors, "splice").mask > 0).mean())
        for seed in range(60)
    ]
    assert min(shares) < 0.02
    assert max(shares) > 0.15


def test_a_piece_comes_from_another_camera(photos: Collection) -> None:
    group = photos[0].entry.group
    own = np.asarray(photos[0].pixels)
    donors = Sampler(photos).donors(group)
    for seed in range(20):
        piece = donors.photo(np.random.default_rng(seed), *own.shape[:2])
        assert not np.array_equal(piece, own)


def test_a_region_is_about_as_large_as_asked() -> None:
    guide = scene(55, 256, 256)
    for share in (0.01, 0.05, 0.2):
        drawn = [
            float((draw_region(np.random.default_rng(seed), guide, share=share) > 0).mean())
            for seed in range(40)
        ]
        assert 0.4 * share < float(np.median(drawn)) < 2 * share


def test_a_piece_may_be_larger_than_every_photo(photos: Collection) -> None:
    piece = Sampler(photos).donors("another camera").photo(np.random.default_rng(1), 900, 1000)
    assert piece.shape == (900, 1000, 3)


def test_what_no_training_saw_is_drawn_only_when_it_is_asked_for(donors: Donors) -> None:
    assert not set(KINDS) & set(UNTRAINED)
    pixels = scene(57, 256, 256)
    trained = {edit(np.random.default_rng(seed), pixels, donors).kind for seed in range(60)}
    assert trained <= set(KINDS)
    others = {
        edit(np.random.default_rng(seed), pixels, donors, kinds=UNTRAINED).kind
        for seed in range(20)
    }
    assert others == set(UNTRAINED)
