"""Hidden faces: what is left of them, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra ml: OpenCV is missing")

from kinlight.ml import anonymise as hiding
from kinlight.ml import faces
from kinlight.ml.anonymise import (
    BOXES,
    CELLS,
    KEPT,
    METHODS,
    SOFT,
    Anonymised,
    Box,
    UnfitPicture,
    anonymise,
    area,
)
from kinlight.ml.faces import Face
from kinlight.ml.photos import Pixels

from .photographs import scene

BOX: Box = (100, 60, 48, 60)
EVEN: Box = (100, 60, 36, 44)
"""Its cover is a whole number of pixels for each cell."""


def sees(monkeypatch: pytest.MonkeyPatch, found: list[Face]) -> None:
    def find(pixels: Pixels) -> list[Face]:
        return found if pixels.size else []

    monkeypatch.setattr(faces, "find", find)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No face is found, so that what a person names is all there is."""
    sees(monkeypatch, [])


pytestmark = pytest.mark.usefixtures("nobody")


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return scene(5, 220, 300)


def core(box: Box, shape: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where nothing of the picture shines through."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = (x + 0.5 - box[0] - box[2] / 2) / (box[2] * hiding.ROUND / 2)
    down = (y + 0.5 - box[1] - box[3] / 2) / (box[3] * hiding.ROUND / 2)
    return np.hypot(across, down) < 1 - SOFT


@pytest.mark.parametrize("method", METHODS)
def test_outside_of_a_cover_every_pixel_stays_and_the_face_is_gone(
    photo: Pixels, method: hiding.Method
) -> None:
    before = photo.copy()
    made = anonymise(photo, boxes=[BOX], method=method)
    assert np.array_equal(photo, before)
    assert [(face.box, face.score, face.method) for face in made.faces] == [(BOX, None, method)]
    rows, columns = area(BOX, photo.shape)
    rest = made.pixels.copy()
    rest[rows, columns] = photo[rows, columns]
    assert np.array_equal(rest, photo)
    left, top, width, height = BOX
    face = slice(top, top + height), slice(left, left + width)
    assert np.mean(np.all(made.pixels[face] == photo[face], axis=2)) < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_not_even_a_corner_of_a_box_shines_through(method: hiding.Method) -> None:
    """On a picture of which each pixel is another than its neighbours, a cover leaves none."""
    noise = np.random.default_rng(9).integers(0, 256, (220, 300, 3), np.uint8)
    left, top, width, height = BOX
    box = core(BOX, noise.shape)[top : top + height, left : left + width]
    assert box.all()
    made = anonymise(noise, boxes=[BOX], method=method).pixels.astype(int)
    inside = made[top : top + height, left : left + width]
    assert inside.std() < noise.std() / 2


def test_solid_leaves_one_colour_that_the_face_has_no_part_in(photo: Pixels) -> None:
    other = photo.copy()
    inside = core(BOX, photo.shape)
    other[inside] = 255 - other[inside]
    one, two = (anonymise(each, boxes=[BOX], method="solid").pixels for each in (photo, other))
    assert len(np.unique(one[inside], axis=0)) == 1
    assert np.array_equal(one[inside], two[inside])


def test_of_the_pixels_of_a_cell_only_their_average_is_left(photo: Pixels) -> None:
    """Faces that differ in everything but a few averages look alike afterwards."""
    rows, columns = area(EVEN, photo.shape)
    cell = int(rows.stop - rows.start) // CELLS, int(columns.stop - columns.start) // CELLS
    colours = np.random.default_rng(1).integers(60, 190, (CELLS, CELLS, 3), np.int64)
    flat = np.repeat(np.repeat(colours, cell[0], axis=0), cell[1], axis=1)
    places = np.indices(flat.shape[:2], np.int64).sum(axis=0)
    fields = np.where(places % 2 == 0, 40, -40)[:, :, None]
    one, two = photo.copy(), photo.copy()
    one[rows, columns], two[rows, columns] = flat, flat + fields
    made = [anonymise(each, boxes=[EVEN], method="pixelate", seed=3).pixels for each in (one, two)]
    inside = core(EVEN, photo.shape)
    assert np.abs(one[inside].astype(int) - two[inside].astype(int)).min() == 40
    assert np.abs(made[0][inside].astype(int) - made[1][inside].astype(int)).max() <= 1


@pytest.mark.parametrize("method", ["blur", "pixelate"])
def test_what_is_left_is_off_by_chance_that_nobody_can_repeat(
    photo: Pixels, method: hiding.Method
) -> None:
    def made(seed: int | None = None) -> Anonymised:
        return anonymise(photo, boxes=[BOX], method=method, seed=seed)

    assert np.array_equal(made(7).pixels, made(7).pixels)
    assert not np.array_equal(made().pixels, made().pixels)


def test_covers_that_overlap_bring_nothing_back(photo: Pixels) -> None:
    second: Box = (130, 70, 48, 60)
    other = photo.copy()
    inside = core(BOX, photo.shape)
    other[inside] = 255 - other[inside]
    for boxes in ([BOX, second], [second, BOX]):
        one, two = (anonymise(each, boxes=boxes, method="solid") for each in (photo, other))
        assert np.array_equal(one.pixels, two.pixels)


@pytest.mark.parametrize("shape", [(220, 300), (220, 300, 1), (220, 300, 4)])
@pytest.mark.parametrize("method", METHODS)
def test_grey_pictures_and_transparency_keep_their_form(
    photo: Pixels, shape: tuple[int, ...], method: hiding.Method
) -> None:
    channels = shape[2] if len(shape) == 3 else 1
    alpha = np.full((220, 300, 1), 77, np.uint8)
    given = np.concatenate([photo, alpha], axis=2)[:, :, -channels:].reshape(shape)
    if channels == 1:
        given = photo[:, :, :1].reshape(shape)
    made = anonymise(given, boxes=[BOX], method=method)
    assert made.pixels.shape == shape
    assert not np.array_equal(made.pixels, given)
    if channels == 4:
        assert np.all(made.pixels[:, :, 3] == 77)


@pytest.mark.parametrize("method", METHODS)
def test_a_face_at_the_border_or_as_large_as_the_picture_is_hidden(
    photo: Pixels, method: hiding.Method
) -> None:
    for box in ((-20, -30, 48, 60), (290, 200, 48, 60), (0, 0, 300, 220), (10, 10, 1, 1)):
        made = anonymise(photo, boxes=[box], method=method)
        left, top, width, height = made.faces[0].box
        assert 0 <= left < left + width <= 300
        assert 0 <= top < top + height <= 220
        place = made.pixels[top : top + height, left : left + width]
        assert not np.array_equal(place, photo[top : top + height, left : left + width])


def test_hundreds_of_faces_are_hidden_and_numbered_from_the_left(photo: Pixels) -> None:
    rng = np.random.default_rng(2)
    boxes: list[Box] = [
        (int(rng.integers(0, 280)), int(rng.integers(0, 200)), 12, 15) for _ in range(500)
    ]
    made = anonymise(photo, boxes=boxes, keep=[1, 500])
    assert made.hidden == 498
    assert [face.method for face in made.faces].index(KEPT) == 0
    middles = [face.box[0] + face.box[2] / 2 for face in made.faces]
    assert middles == sorted(middles)


def test_where_no_face_is_found_nothing_is_hidden_and_that_is_said(photo: Pixels) -> None:
    made = anonymise(photo)
    assert (made.faces, made.hidden, made.missed_risk) == ((), 0, "high")
    assert np.array_equal(made.pixels, photo)


@pytest.mark.parametrize(
    ("found", "risk"),
    [
        ([Face(100, 60, 48, 60, 0.9, looks=4)], "low"),
        ([Face(100, 60, 48, 60, 0.9, looks=4), Face(10, 60, 48, 60, 0.6, looks=4)], "some"),
        ([Face(100, 60, 48, 60, 0.9, looks=1)], "some"),
    ],
)
def test_one_face_that_was_hardly_seen_makes_it_unsure(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch, found: list[Face], risk: str
) -> None:
    sees(monkeypatch, found)
    made = anonymise(photo)
    assert (made.hidden, made.missed_risk) == (len(found), risk)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "gan"}, {"keep": [1]}, {"boxes": [(400, 0, 10, 10)]},
        {"boxes": [(0, 0, 0, 10)]}, {"boxes": [BOX], "keep": [0]}, {"boxes": [BOX], "keep": [2]},
        {"boxes": [BOX] * (BOXES + 1)},
    ],
)  # fmt: skip
def test_what_is_no_box_number_or_method_is_refused(
    photo: Pixels, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"box|faces|method"):
        anonymise(photo, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40, 3), np.uint16),
        np.zeros((40, 40, 2), np.uint8),
        np.zeros((10, 400, 3), np.uint8),
        np.zeros((2, 40, 40, 3), np.uint8),
        np.broadcast_to(np.uint8(0), (9_000, 9_000)),
    ],
    ids=["16 bits", "two channels", "small", "four axes", "large"],
)
def test_what_is_no_picture_says_so(pixels: Pixels) -> None:
    with pytest.raises(UnfitPicture):
        anonymise(pixels)
