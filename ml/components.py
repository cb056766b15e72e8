"""Connected parts of a mask, in numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that hang together by their sides, and the box around them; ends are exclusive."""

    top: int
    left: int
    bottom: int
    right: int
    cells: int


def components(mask: npt.NDArray[np.bool_]) -> list[Part]:
    """The connected parts of a mask of shape (h, w), in no order.

    Runs of each row are joined with those of the row above by union-find, so the time is that of
    the number of runs and not of the cells.
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    counts = np.bincount(rows, minlength=mask.shape[0])
    first = [0, *cast("list[int]", counts.cumsum().tolist())]
    for row in range(1, mask.shape[0]):
        above, here = first[row - 1], first[row]
        above_end, here_end = here, first[row + 1]
        while above < above_end and here < here_end:
            if starts[above] < ends[here] and starts[here] < ends[above]:
                parents[root(here)] = root(above)
            if ends[above] < ends[here]:
                above += 1
            else:
                here += 1
    found: dict[int, Part] = {}
    for run in range(len(rows)):
        row, start, end = int(rows[run]), int(starts[run]), int(ends[run])
        one = Part(row, start, row + 1, end, end - start)
        known = found.get(root(run))
        found[root(run)] = one if known is None else _joined(known, one)
    return list(found.values())


def _joined(a: Part, b: Part) -> Part:
    return Part(
        min(a.top, b.top),
        min(a.left, b.left),
        max(a.bottom, b.bottom),
        max(a.right, b.right),
        a.cells + b.cells,
    )
