"""In which form a photo is given: as it is, or as a copy from which something was taken.

A rendition here is a demand, not pixels. Demands are ordered by strictness, and any two of them
make one that is as strict as both, so that conditions from several places combine
(docs/spec/capability.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto.encoding import Value
from ..crypto.errors import MalformedError
from . import limits


@dataclass(frozen=True, slots=True)
class Rendition:
    """What a copy must be: no side longer than `max_px` pixels, and so on. No field is a bound
    from below: who may have this may have whatever is stricter.
    """

    max_px: int | None = None
    faces_hidden: bool = False
    location_removed: bool = False
    watermarked: bool = False

    def __post_init__(self) -> None:
        if self.max_px is not None and not 1 <= self.max_px <= limits.RENDITION_PX:
            raise ValueError(f"max_px is 1 to {limits.RENDITION_PX}")

    def combine(self, other: Rendition) -> Rendition:
        """The least strict rendition that is as strict as both."""
        bounds = [px for px in (self.max_px, other.max_px) if px is not None]
        return Rendition(
            min(bounds, default=None),
            self.faces_hidden or other.faces_hidden,
            self.location_removed or other.location_removed,
            self.watermarked or other.watermarked,
        )

    def at_least_as_strict_as(self, other: Rendition) -> bool:
        """Whether who may have `other` may have this."""
        return self.combine(other) == self

    def to_value(self) -> list[Value]:
        """The items behind the caveat's name; each rendition has one form."""
        if self == ORIGINAL:
            return ["original"]
        return [
            "copy", self.max_px or 0,
            int(self.faces_hidden), int(self.location_removed), int(self.watermarked),
        ]  # fmt: skip

    @classmethod
    def read(cls, items: Sequence[Value]) -> Rendition | None:
        """The reverse of `to_value`; None for a form that this version does not know.

        `MalformedError` for a known form with more behind it, and for a copy that leaves all as it
        is: that one is called original.
        """
        match items:
            case ["original", *more]:
                found = ORIGINAL
            case [
                "copy",
                int(max_px),
                (0 | 1) as faces,
                (0 | 1) as location,
                (0 | 1) as watermark,
                *more,
            ] if max_px <= limits.RENDITION_PX:
                found = cls(max_px or None, bool(faces), bool(location), bool(watermark))
                if found == ORIGINAL:
                    raise MalformedError("rendition")
            case _:
                return None
        if more:
            raise MalformedError("rendition")
        return found


ORIGINAL: Final = Rendition()
"""The photo as it is: the least strict of all."""


def named(rendition: Rendition | str) -> Rendition | None:
    """The rendition itself, or the one called `original`; None for any other name."""
    if isinstance(rendition, Rendition):
        return rendition
    return ORIGINAL if rendition == "original" else None
