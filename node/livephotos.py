"""Live photos: which clip belongs to which still, when they come as two files.

Phones give both the same name (`IMG_1.HEIC`, `IMG_1.MOV`) and write the same id into both. Other
programs keep only one of the two hints, or leave a JPEG of the still beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import names

LIVE: Final = "live:"
"""How `Facts.pair` begins where still and clip share an id."""

_CLIP_FORMATS: Final = ("mov", "mp4")
_CLIP_SUFFIXES: Final = (".mov", ".mp4", ".m4v")
_PREFERRED: Final = (".heic", ".heif", ".hif", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Half:
    """What may be one half of a live photo. `format` and `pair` as in `Facts`, if known."""

    photo_id: bytes
    name: str
    format: str | None = None
    pair: str | None = None

    @property
    def is_clip(self) -> bool:
        """By content, and by the name where the content tells nothing."""
        if self.format in (None, "unknown"):
            return self._suffix in _CLIP_SUFFIXES
        return self.format in _CLIP_FORMATS

    @property
    def live_id(self) -> str | None:
        """The id that both halves carry."""
        return self.pair if self.pair is not None and self.pair.startswith(LIVE) else None

    @property
    def order(self) -> tuple[int, str, bytes]:
        """The best first: what the phone made before what was made of it."""
        suffix = self._suffix
        rank = _PREFERRED.index(suffix) if suffix in _PREFERRED else len(_PREFERRED)
        return rank, self.name, self.photo_id

    @property
    def _suffix(self) -> str:
        return Path(self.name).suffix.lower()


def pairs(halves: Iterable[Half]) -> list[tuple[bytes, bytes]]:
    """(still, clip) among photos that share a name or an id; each is in one pair at most.

    An id that both carry decides; where a clip finds none, it goes with the best still that
    carries no other id. Clips that are left are photos of their own.
    """
    each = {half.photo_id: half for half in halves}.values()
    stills = sorted((half for half in each if not half.is_clip), key=lambda half: half.order)
    clips = sorted((half for half in each if half.is_clip), key=lambda half: half.order)
    found: list[tuple[bytes, bytes]] = []

    def join(still: Half, clip: Half) -> None:
        stills.remove(still)
        clips.remove(clip)
        found.append((still.photo_id, clip.photo_id))

    for clip in list(clips):
        same = (still for still in stills if clip.live_id and still.live_id == clip.live_id)
        if (still := next(same, None)) is not None:
            join(still, clip)
    if found:
        return found  # what is left has the name only: an edited still, a copy of the clip
    for clip in list(clips):
        open_ones = (still for still in stills if still.live_id is None or clip.live_id is None)
        if (still := next(open_ones, None)) is not None:
            join(still, clip)
            break  # further clips of that name are photos of their own
    return found


def stem(path: Path) -> bytes:
    """What still and clip have in common: the folder, and the name in any case and form."""
    return os.fsencode(path.parent / names.folded(path.stem))
