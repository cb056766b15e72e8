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
    """The connected parts of a mask of shape (h, w), in no order."""
    rows, starts, ends, roots = _runs(mask)
    found: dict[int, Part] = {}
    for row, start, end, root in zip(rows, starts, ends, roots, strict=True):
        one = Part(row, start, row + 1, end, end - start)
        known = found.get(root)
        found[root] = one if known is None else _joined(known, one)
    return list(found.values())


def labelled(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """A number above 0 for each connected part, the same all over it; 0 elsewhere."""
    labels = np.zeros(mask.shape, np.int32)
    for row, start, end, root in zip(*_runs(mask), strict=True):
        labels[row, start:end] = root + 1
    return labels


def _runs(mask: npt.NDArray[np.bool_]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Runs of cells: row, start, end, and the first run of the part that each belongs to.

    Runs of each row are joined with those of the row above by union-find, so the time is that of
    the number of runs and not of the cells.
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, columns = np.nonzero(steps == 1)
    starts = columns.tolist()
    ends = np.nonzero(steps == -1)[1].tolist()
    parents = list(range(len(starts)))

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
    roots = [root(run) for run in range(len(starts))]
    return rows.tolist(), starts, ends, roots


def _joined(a: Part, b: Part) -> Part:
    return Part(
        min(a.top, b.top),
        min(a.left, b.left),
        max(a.bottom, b.bottom),
        max(a.right, b.right),
        a.cells + b.cells,
    )
