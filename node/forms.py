"""In which form a photo leaves: what a command or a rule asks for, and what a grant then demands.

Form(policy, max_px)   ->   Rendition, the caveat of the grant   ->   the copy that meets it
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
    """A metadata policy and the longest side in pixels (None: as it is).

    A picture that is made smaller is made of its pixels alone, so it is always `clean`.
    """

    policy: str
    max_px: int | None = None

    @property
    def rendition(self) -> Rendition:
        """What a grant of it demands."""
        return Rendition(self.max_px, location_removed=self.policy != "original")

    def meeting(self, demand: Rendition) -> Form:
        """The least change that makes it at least as strict as `demand`.

        Raises `UnmadeRenditionError` for what nobody here can make: it never goes without it.
        """
        check_made(demand)
        bounds = [px for px in (self.max_px, demand.max_px) if px is not None]
        if bounds:
            return Form(PIXELS_ALONE, min(bounds))
        if demand.location_removed and self.policy == "original":
            return Form("no-location")
        return self

    def within(self, other: Form) -> Form:
        """The form that tells no more than either."""
        bounds = [px for px in (self.max_px, other.max_px) if px is not None]
        policy = max(self.policy, other.policy, key=POLICIES.index)
        return asked(policy, min(bounds, default=None))


ORIGINAL: Final = Form("original")


def asked(policy: str, max_px: int | None) -> Form:
    """The form for a policy, made smaller if that is asked for."""
    return Form(policy) if max_px is None else Form(PIXELS_ALONE, max_px)


def check(policy: str | None, max_px: int | None) -> None:
    """Raise `BadRequestError` for a policy or a size that there is not."""
    if policy is not None:
        policies.check(policy)
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
    if demand.watermarked:
        raise UnmadeRenditionError("watermarks can't be set yet")
