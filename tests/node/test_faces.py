"""Faces on their way through the process that hides them: what it says is checked."""

from __future__ import annotations

from typing import Any, cast

import msgpack
import numpy as np
import pytest
from kinlight.node import face_service, face_wire
from kinlight.node.decoder_wire import BadAnswerError, Pixels
from kinlight.node.face_service import FaceService
from kinlight.node.mark_wire import UnfitPictureError
from kinlight.node.picture_errors import CannotAnonymiseError, FacesUnavailableError

from ..ml.photographs import scene

needs_ml = pytest.mark.skipif(
    face_service.missing() is not None, reason="needs the extra ml: numpy or OpenCV is missing"
)
PICTURE = Pixels(40, 30, "RGB", bytes(40 * 30 * 3), b"profile")
FACE = [1, 2, 3, 4, 0.9, "blur"]


def packed(value: object) -> bytes:
    return cast("bytes", cast("Any", msgpack).packb(value))


def answer(*faces: list[Any], risk: object = "low", **more: object) -> bytes:
    return packed({"faces": list(faces), "risk": risk} | more)


def test_what_was_found_and_the_picture_come_back_together() -> None:
    size = len(PICTURE.data)
    made, seen = face_wire.hidden(
        answer(FACE, [0, 0, 40, 30, None, "kept"]), bytearray(size), PICTURE, "blur"
    )
    assert (made.width, made.icc, seen.risk, seen.hidden) == (40, b"profile", "low", 1)
    assert seen.faces[0].box == (1, 2, 3, 4)
    same, _ = face_wire.hidden(answer(), bytearray(), PICTURE, None)
    assert same is PICTURE


@pytest.mark.parametrize(
    "header",
    [
        answer([1, 2, 3, 4, 0.9]), answer([1.0, 2, 3, 4, 0.9, "blur"]),
        answer([-1, 2, 3, 4, 0.9, "blur"]), answer([38, 2, 3, 4, 0.9, "blur"]),
        answer([1, 2, 0, 4, 0.9, "blur"]), answer([1, 2, 3, 4, float("nan"), "blur"]),
        answer([1, 2, 3, 4, 1, "blur"]), answer([1, 2, 3, 4, 0.9, "solid"]),
        answer(FACE, risk="none"), answer(FACE, more=1), packed({"faces": FACE, "risk": "low"}),
        answer(*[FACE] * (face_wire.MOST + 1)),
    ],
)  # fmt: skip
def test_what_the_process_says_is_checked(header: bytes) -> None:
    with pytest.raises(BadAnswerError):
        face_wire.hidden(header, bytearray(len(PICTURE.data)), PICTURE, "blur")


def test_a_picture_comes_back_whole_or_not_at_all() -> None:
    for size, method in ((len(PICTURE.data) - 1, "blur"), (0, "blur"), (1, None)):
        with pytest.raises(BadAnswerError):
            face_wire.hidden(answer(), bytearray(size), PICTURE, method)
    with pytest.raises(UnfitPictureError, match="too small"):
        face_wire.hidden(packed({"unfit": "too small"}), bytearray(), PICTURE, "blur")


@needs_ml
async def test_the_process_hides_what_is_named_and_goes_on_after_what_it_can_t() -> None:
    pixels = scene(4, 120, 160)
    picture = Pixels(160, 120, "RGB", pixels.tobytes(), None)
    async with FaceService() as service:
        with pytest.raises(CannotAnonymiseError, match="outside"):
            await service.hide(picture, method="blur", boxes=[(500, 0, 9, 9)])
        with pytest.raises(CannotAnonymiseError, match="counted from 1"):
            await service.hide(picture, method="blur", keep=[9])
        small = Pixels(8, 8, "L", bytes(64), None)
        with pytest.raises(CannotAnonymiseError, match="smaller"):
            await service.hide(small, method="solid")
        made, seen = await service.hide(picture, method="solid", boxes=[(50, 40, 30, 36)])
    assert [face.method for face in seen.faces if face.score is None] == ["solid"]
    after = np.frombuffer(made.data, np.uint8).reshape(pixels.shape)
    assert len(np.unique(after[50:66, 58:72].reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(after[100:], pixels[100:])


async def test_a_picture_that_is_too_large_starts_no_process() -> None:
    picture = Pixels(9_000, 9_000, "L", b"", None)
    async with FaceService(command=["no such program"]) as service:
        with pytest.raises(CannotAnonymiseError, match="64 megapixels"):
            await service.hide(picture, method="blur")


async def test_without_what_looks_for_faces_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(face_service, "NEEDED", ("no_such_module",))
    async with FaceService() as service:
        with pytest.raises(FacesUnavailableError):
            await service.start()
