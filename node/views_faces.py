"""Faces in pictures, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FaceItem:
    """A face in a picture.

    `box` is left, top, width and height in pixels of the upright picture; `score` how clearly it
    was seen, 0 to 1, or None for a box that a person named. `method` says how it was hidden, or
    `kept`. `reidentification` is for how alike a recogniser takes what is left to what was there;
    None, as none is asked.
    """

    box: list[int]
    score: float | None
    method: str
    reidentification: float | None = None


@dataclass(frozen=True, slots=True)
class AnonymisedFile:
    """A picture, its faces from the left to the right, and the `copy` in which they are hidden.

    `copy` is None where it was only looked at. `missed_risk` says how sure it is that these are all
    faces: `low` if each was seen clearly and more than once, `some` if one was not, `high` if none
    was found. `left_out` says in words what the copy lacks besides.
    """

    file: str
    copy: str | None
    faces: list[FaceItem]
    missed_risk: str
    format: str | None = None
    left_out: list[str] = field(default_factory=list[str])
