"""The integrity check: does a picture bear signs of having been edited, and where?

`check(pixels, jpeg_tables)` gives a `Finding` with one of three verdicts. It never says that a
picture is a fake or that it is authentic: signs are signs, and that there are none proves nothing.
Whatever is outside of what the thresholds were calibrated on is `cannot-tell`, with the reason.

torch is imported at the first check. Twelve megapixels need about 0.5 GB besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from .weights import read_weights

if TYPE_CHECKING:
    from .copymove import Copies
    from .integrity_runner import Runner

Verdict = Literal["no-sign", "signs", "cannot-tell"]

Tables = Sequence[Sequence[int]] | Mapping[int, Sequence[int]]
"""Quantisation tables, luma first, each of 64 numbers row by row: Pillow's `quantization`."""

SMALLEST = 128
"""Pixels of the shorter side from which on there is something to go by."""
LARGEST = 24_000_000
"""Pixels up to which memory stays under 1 GB."""
COARSEST = 24.0
"""Mean of the fifteen lowest entries of a luma table, up to which traces survive (quality 40)."""
BLOCK = 8
CELL = 4
"""Pixels of a side of a cell of the map."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where signs are, in pixels of the picture as its file stores it."""

    left: int
    top: int
    width: int
    height: int
    chance: float
    """The mean of the map inside, 0 to 1; of a copy, 1."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check found."""

    verdict: Verdict
    reason: str = ""
    """Why it can't tell: a sentence for the person who asked; else empty."""
    score: float | None = None
    """0 to 1, for comparing pictures; not a probability. None if the network was not asked."""
    map: npt.NDArray[np.uint8] | None = None
    """0 to 255 for each square of 4 by 4 pixels: how much it looks edited."""
    boxes: tuple[Box, ...] = ()
    """Areas that the verdict `signs` rests on, largest first."""
    copies: tuple[tuple[Box, Box], ...] = ()
    """Pieces that occur twice, on which it rests as well. Which was first is not told."""
    weights: str = ""
    """SHA-256 of the weights that judged."""
    features: npt.NDArray[np.float16] | None = None
    """What the score was made of, for reports that it was wrong. No picture can be made of it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds, set on whole photos of cameras that the network never saw."""

    signs: float
    """The image's score from which on there are signs."""
    doubt: float
    """The score from which on it can't tell."""
    cell: float
    """The map's value from which on a cell belongs to an edited area."""
    area: float
    """Share of the picture's cells that such areas must have to count."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Calibration:
        """As the sidecar of the weights tells it."""
        return cls(**{name: float(told["calibration"][name]) for name in cls.__slots__})


def check(pixels: npt.NDArray[Any], jpeg_tables: Tables | None = None) -> Finding:
    """Look for signs of editing.

    `pixels`: shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), 8 bits, as the file stores them: not
    turned, not scaled, or the traces of compression are lost. `jpeg_tables`: those of the file if
    it is a JPEG. Any array gives a Finding. Raises WeightsMissing or ImportError when there is
    nothing to check with.
    """
    rgb = _as_rgb(pixels)
    if isinstance(rgb, Finding):
        return rgb
    table = _luma_table(jpeg_tables)
    if (reason := _out_of_range(rgb, table)) is not None:
        return Finding("cannot-tell", reason)
    from .copymove import find_copies

    # One after the other: each has use for all cores, and both at once for more than 1 GB.
    copies = find_copies(rgb)
    runner = _runner()
    return _with_copies(runner.find(rgb, table), copies, runner.calibration.signs)


def _with_copies(finding: Finding, found: Copies, signs: float) -> Finding:
    """The finding together with what occurs twice in the picture.

    Towers and letters repeat by themselves. So a copy by itself is a sign only if it is large and
    the same in many points. Beside a score that is a sign, from `signs` on, every copy is one;
    beside a lower one it is not, for three in ten clean pictures of cameras that the network never
    saw have faint signs.
    """
    if not found.found:
        return finding

    def box(mask: npt.NDArray[np.bool_]) -> Box:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        ends = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        left, top, right, bottom = (round(float(end) / found.factor) for end in ends)
        return Box(left, top, right - left, bottom - top, 1.0)

    copies = tuple((box(copy.first), box(copy.second)) for copy in found.found)
    strong = finding.score is not None and finding.score >= signs
    if strong or any(copy.is_clear for copy in found.found):
        return replace(finding, verdict="signs", reason="", copies=copies)
    twice = "a piece of it occurs twice, as parts of buildings and patterns do as well"
    if finding.verdict == "cannot-tell":
        twice += f", and {finding.reason}"
    return replace(finding, verdict="cannot-tell", reason=twice, copies=copies)


_loaded: Runner | None = None


def _runner() -> Runner:
    global _loaded
    if _loaded is None:
        from .integrity_runner import Runner

        _loaded = Runner(read_weights("integrity"))
    return _loaded


def _as_rgb(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8] | Finding:
    """The picture in three channels, or why it can't be looked at."""
    if pixels.dtype == np.bool_:
        return Finding("cannot-tell", "it has two colours only")
    if pixels.dtype != np.uint8:
        return Finding("cannot-tell", "it has other than 8 bits for each colour")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        return Finding("cannot-tell", "it is no picture in grey or RGB")
    if pixels.shape[2] == 4:
        if pixels.size and int(pixels[:, :, 3].min()) < 255:
            return Finding("cannot-tell", "parts of it are transparent")
        pixels = pixels[:, :, :3]
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _luma_table(tables: Tables | None) -> npt.NDArray[np.float32] | None:
    """The first table; None for none and for one that no decoder could have used."""
    if not tables:
        return None
    first = tables[min(tables)] if isinstance(tables, Mapping) else tables[0]
    try:
        table = np.asarray(cast("Any", first))
    except ValueError:  # rows of unequal length
        return None
    if (
        table.shape != (64,)
        or table.dtype.kind not in "iu"
        or table.min() < 1
        or table.max() > 65535
    ):
        return None
    return table.astype(np.float32)


def _out_of_range(rgb: npt.NDArray[np.uint8], table: npt.NDArray[np.float32] | None) -> str | None:
    """Why the thresholds don't hold for this picture, if so."""
    height, width = rgb.shape[:2]
    if min(height, width) < SMALLEST:
        return f"it is smaller than {SMALLEST} pixels"
    if height * width > LARGEST:
        return f"it has more than {LARGEST // 1_000_000} megapixels"
    if table is not None and coarseness(table) > COARSEST:
        return "it is compressed too strongly"
    flat = flat_share(rgb)
    if flat > 0.98:
        return "it is all of one colour"
    if flat > 0.6:
        return "it looks drawn rather than photographed: most of it is perfectly flat"
    return None


def coarseness(table: npt.NDArray[np.float32]) -> float:
    """The mean of a table's fifteen entries of the lowest frequencies."""
    rows, columns = np.divmod(np.arange(64), BLOCK)
    return float(table[rows + columns < 5].mean())


def flat_share(rgb: npt.NDArray[np.uint8]) -> float:
    """The share of blocks of 8 by 8 pixels within which no pixel differs from its neighbour."""
    height, width = (side // BLOCK * BLOCK for side in rgb.shape[:2])
    green = rgb[:height, :width, 1].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return float((green.max(axis=(1, 3)) == green.min(axis=(1, 3))).mean())
