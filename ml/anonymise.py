"""Hides faces: what is left of one is a few colours, or one.

`anonymise(pixels)` finds faces and hides them; boxes add what was not found. Each is covered by an
ellipse around its box. `solid` fills it with the one colour of its surroundings. `pixelate` and
`blur` show CELLS by CELLS averages of the place, each off by chance, as cells or run into each
other: what was between them is gone, and no sharpening brings it back. Programs that were trained
on such averages still tell people apart better than by guessing; `solid` leaves them nothing.

It hides faces alone: clothes, bodies, places and whatever is written somewhere stay as they are.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from . import faces
from .faces import Face, Picture, UnfitPicture

Method = Literal["blur", "pixelate", "solid"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""
Risk = Literal["low", "some", "high"]
"""That a face was missed or is none: `low` where all were seen clearly, in several looks; `some`
where one was hardly seen; `high` where none was found."""

KEPT: Final = "kept"

CELLS: Final = 6
"""Averages along a side."""
OFF: Final = 6.0
"""Standard deviation of the chance by which an average is off, in grey levels."""
ROUND: Final = 1.62
"""The ellipse's axes, relative to the box: its corners lie inside of where the cover fades out, and
hair, ears and chin are told apart too.
"""
SOFT: Final = 0.12
"""Share of the axes on which the cover fades out, outside of the box."""
BOXES: Final = 1000

__all__ = ["Anonymised", "Box", "HiddenFace", "Method", "Risk", "UnfitPicture", "anonymise", "seen"]


@dataclass(frozen=True, slots=True)
class HiddenFace:
    """A face that was found or named."""

    box: Box
    score: float | None
    """How clearly it was seen, 0 to 1, for comparing; None for a box that a person named."""
    method: str
    """How it was hidden, or KEPT."""


@dataclass(frozen=True, slots=True)
class Anonymised:
    """The picture with what was hidden. Where `hidden` is 0, nothing was."""

    pixels: Picture
    faces: tuple[HiddenFace, ...]
    """From the left to the right; a number in `keep` counts these from 1."""
    missed_risk: Risk

    @property
    def hidden(self) -> int:
        """How many faces were hidden."""
        return sum(face.method != KEPT for face in self.faces)


def anonymise(
    pixels: npt.NDArray[Any],
    *,
    boxes: Sequence[Box] = (),
    keep: Collection[int] = (),
    method: Method = "blur",
    seed: int | None = None,
) -> Anonymised:
    """Hide all faces that are found, and what is in `boxes`, but for the numbers in `keep`.

    `pixels`: shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), 8 bits, RGB, upright. They stay as
    they are, and in the copy all that lies outside of the covers stays too. Numbers count what
    comes back in `faces`. `seed` makes the chance of the averages come out the same, for tests.
    Raises UnfitPicture, ValueError for a box or a number that is none, and WeightsMissing.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}")
    found = seen(pixels, boxes=boxes)
    if any(not 1 <= number <= len(found.faces) for number in keep):
        raise ValueError(f"there are {len(found.faces)} faces, counted from 1")
    rng = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
    made = found.pixels.copy()
    picture = faces.check(made)
    told: list[HiddenFace] = []
    for number, face in enumerate(found.faces, 1):
        hidden = number not in keep
        if hidden:
            cover(picture, face.box, method, rng)
        told.append(replace(face, method=method if hidden else KEPT))
    return Anonymised(made, tuple(told), found.missed_risk)


def seen(pixels: npt.NDArray[Any], *, boxes: Sequence[Box] = ()) -> Anonymised:
    """What `anonymise` would hide; all of it is kept. Raises as that does."""
    picture = faces.check(pixels)
    if len(boxes) > BOXES:
        raise ValueError(f"more than {BOXES} boxes")
    named = [HiddenFace(_inside(box, picture), None, KEPT) for box in boxes]
    found = faces.find(picture)
    everything = [HiddenFace(_whole(face, picture), face.score, KEPT) for face in found] + named
    everything.sort(key=lambda each: (each.box[0] + each.box[2] / 2, each.box))
    risk: Risk = "low" if all(face.sure for face in found) else "some"
    return Anonymised(pixels, tuple(everything), risk if found else "high")


def area(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a picture outside of which a cover changes nothing."""
    left, top, width, height = box
    x, y = left + width / 2, top + height / 2
    across, down = width * ROUND / 2, height * ROUND / 2
    rows = slice(max(0, int(np.floor(y - down))), min(shape[0], int(np.ceil(y + down))))
    columns = slice(max(0, int(np.floor(x - across))), min(shape[1], int(np.ceil(x + across))))
    return rows, columns


def cover(picture: Picture, box: Box, method: str, rng: np.random.Generator) -> None:
    """Hide one place, in the picture itself. What covers it is made of what is there now, so that
    nothing comes back that was hidden before.
    """
    rows, columns = area(box, picture.shape)
    place = picture[rows, columns, :3]  # transparency stays
    height, width = place.shape[:2]
    x = _from_middle(int(columns.start), width, box[0] + box[2] / 2, box[2])
    y = _from_middle(int(rows.start), height, box[1] + box[3] / 2, box[3])
    radius = np.hypot(x[None, :], y[:, None])
    if method == "solid":
        around = place[radius > 1].astype(np.float32)
        colour = around.mean(axis=0) if len(around) else np.full(place.shape[2], 128, np.float32)
        place[radius <= 1] = np.rint(colour).astype(np.uint8)
        return
    small = cv2.resize(place, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    cells = np.asarray(small, np.float32).reshape(CELLS, CELLS, -1)
    cells += rng.normal(0, OFF, (CELLS, CELLS, 1)).astype(np.float32)
    cells = np.clip(cells, 0, 255)
    how = cv2.INTER_NEAREST if method == "pixelate" else cv2.INTER_CUBIC
    shown = np.asarray(cv2.resize(cells, (width, height), interpolation=how), np.float32)
    shown = shown.reshape(place.shape)
    if method == "blur":
        shown = shown + rng.normal(0, _grain(place), (height, width, 1))
    share = np.clip((1 - radius) / SOFT, 0, 1)[:, :, None]
    mixed = share * np.clip(shown, 0, 255) + (1 - share) * place
    place[:] = np.rint(mixed).astype(np.uint8)


def _from_middle(start: int, count: int, middle: float, length: int) -> npt.NDArray[np.float64]:
    """How far pixels lie from the middle of a box along one side, in axes of its ellipse."""
    return (np.arange(count, dtype=np.float64) + (start + 0.5 - middle)) / (length * ROUND / 2)


def _grain(place: Picture) -> float:
    """How grainy the place is: what is smooth looks pasted in. The median minds no edges."""
    grey = place.astype(np.float32).mean(axis=2)
    fine = grey - np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    return min(8.0, float(np.median(np.abs(fine))) * 1.5)


def _whole(face: Face, picture: Picture) -> Box:
    """In whole pixels, and all of it."""
    left, top = int(np.floor(face.left)), int(np.floor(face.top))
    right = min(picture.shape[1], int(np.ceil(face.left + face.width)))
    bottom = min(picture.shape[0], int(np.ceil(face.top + face.height)))
    return left, top, right - left, bottom - top


def _inside(box: Box, picture: Picture) -> Box:
    """The part of a named box that lies in the picture."""
    left, top, width, height = box
    if width < 1 or height < 1:
        raise ValueError("a box is at least a pixel wide and high")
    right, bottom = min(picture.shape[1], left + width), min(picture.shape[0], top + height)
    left, top = max(0, left), max(0, top)
    if right <= left or bottom <= top:
        raise ValueError(
            f"a box lies outside of the picture of {picture.shape[1]} by {picture.shape[0]} pixels"
        )
    return left, top, right - left, bottom - top
