"""What the process that looks for signs of editing makes of a finding: all of it upright."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from kinlight.ml import integrity
from kinlight.ml.integrity import Box
from kinlight.node import examining
from kinlight.node.check_worker import turned, upright_map
from PIL import Image

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What each EXIF orientation asks a viewer to do."""


@pytest.mark.parametrize("turn", range(1, 9))
def test_map_and_boxes_are_turned_as_the_picture_is(turn: int) -> None:
    size = width, height = (37, 23)  # no side is a multiple of a cell
    cells = np.zeros((6, 10), np.uint8)
    cells[1:3, 2:7] = 200
    shown = upright_map(cells, size, turn)
    image = Image.fromarray(cells.repeat(4, 0).repeat(4, 1)[:height, :width].copy())
    if turn in TURNS:
        image = image.transpose(TURNS[turn])
    assert np.array_equal(shown, np.asarray(cast("Any", image)))
    region = turned(Box(8, 4, 20, 8, 0.5), size, turn)
    rows, columns = np.nonzero(shown)
    assert (region.left, region.top) == (columns.min(), rows.min())
    assert (region.left + region.width, region.top + region.height) == (
        columns.max() + 1, rows.max() + 1,
    )  # fmt: skip


def test_a_box_beyond_the_picture_is_cut_to_it() -> None:
    region = turned(Box(-4, 20, 60, 90, 1.2), (40, 24), 1)
    assert (region.left, region.top, region.width, region.height) == (0, 20, 40, 4)
    assert region.score == 1.0


def test_the_node_and_the_network_agree_on_what_is_too_large() -> None:
    assert examining.LARGEST == integrity.LARGEST
