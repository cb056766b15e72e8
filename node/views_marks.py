"""Invisible marks, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field

from .views_sharing import Receipt


@dataclass(frozen=True, slots=True)
class Transform:
    """What was done to a picture since it was marked, as far as it shows.

    It was `mirrored` and then turned by `turn` degrees anticlockwise. `scale` is that of the mark
    to the one that the picture's size tells: under 1 where something was cut away, over 1 where a
    border was added; that it was made smaller or larger does not show.
    """

    turn: int
    mirrored: bool
    scale: float


@dataclass(frozen=True, slots=True)
class TracedMark:
    """An invisible mark that was read in a file; or, without a `payload`, that there is none.

    `payload` is in hex, as it was set. `confidence` is how far its signs agree, from 0 to 1: of a
    copy that nobody touched 0.5 to 0.95, and no probability. `false_claim_bound` is: at most so
    often is a picture without a mark of that key taken for one with this one. `recipient` is for
    whom this node set it: a contact's name, or the fingerprint of one who is none any more; None
    where it did not. `receipt` is theirs for that copy, if there is one. `code` says why a file
    could not be read. A file with several marks is told of as often.
    """

    file: str
    payload: str | None = None
    confidence: float | None = None
    recipient: str | None = None
    receipt: Receipt | None = None
    false_claim_bound: float | None = None
    transform: Transform | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """A file that was marked: where the copy with that `payload` was written, and what it lacks."""

    file: str
    copy: str
    payload: str
    format: str
    left_out: list[str] = field(default_factory=list[str])
