"""In which form a photo leaves: what a command or a rule asks for, and what a grant then demands.

Form(policy, max_px, watermarked) -> Rendition, the caveat of the grant -> the copy that meets it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..protocol import limits
from ..protocol.errors import UnmadeRenditionError
from ..protocol.photo import POLICIES
from ..protocol.rendition import Rendition
from . import policies
from .errors import BadRequestError

PIXELS_ALONE: Final = "clean"
"""The policy of every copy that is made of pixels."""


@dataclass(frozen=True, slots=True)
class Form:
    """A metadata policy, the longest side in pixels (None: as it is), and whether it is marked.

    A picture that is made smaller or marked is made of its pixels alone, so it is always `clean`.
    One that is `watermarked` bears a mark that names who gets it: there is one for each of them.
    """

    policy: str
    max_px: int | None = None
    watermarked: bool = False

    @property
    def rendition(self) -> Rendition:
        """What a grant of it demands."""
        return Rendition(
            self.max_px, location_removed=self.policy != "original", watermarked=self.watermarked
        )

    def meeting(self, demand: Rendition) -> Form:
        """The least change that makes it at least as strict as `demand`.

        Raises `UnmadeRenditionError` for what nobody here can make: it never goes without it.
        """
        check_made(demand)
        bounds = [px for px in (self.max_px, demand.max_px) if px is not None]
        watermarked = self.watermarked or demand.watermarked
        if bounds or watermarked:
            return Form(PIXELS_ALONE, min(bounds, default=None), watermarked)
        if demand.location_removed and self.policy == "original":
            return Form("no-location")
        return self

    def within(self, other: Form) -> Form:
        """The form that tells no more than either."""
        bounds = [px for px in (self.max_px, other.max_px) if px is not None]
        policy = max(self.policy, other.policy, key=POLICIES.index)
        return asked(policy, min(bounds, default=None), self.watermarked or other.watermarked)


ORIGINAL: Final = Form("original")


def asked(policy: str, max_px: int | None, watermarked: bool = False) -> Form:
    """The form for a policy, made smaller and marked if that is asked for."""
    if max_px is None and not watermarked:
        return Form(policy)
    return Form(PIXELS_ALONE, max_px, watermarked)


def check(policy: str | None, max_px: int | None, watermarked: bool = False) -> None:
    """Raise `BadRequestError` for a policy or a size that there is not."""
    if policy is not None:
        policies.check(policy)
    if watermarked and policy not in (None, PIXELS_ALONE):
        raise BadRequestError(f"a marked picture is made of its pixels alone: {PIXELS_ALONE}")
    if max_px is None:
        return
    if not 1 <= max_px <= limits.RENDITION_PX:
        raise BadRequestError(f"max-px is 1 to {limits.RENDITION_PX}")
    if policy not in (None, PIXELS_ALONE):
        raise BadRequestError(f"a smaller picture is made of its pixels alone: {PIXELS_ALONE}")


def check_made(demand: Rendition) -> None:
    """Raise `UnmadeRenditionError` if a demand has something that can't be made here."""
    if demand.faces_hidden:
        raise UnmadeRenditionError("faces can't be hidden yet")
