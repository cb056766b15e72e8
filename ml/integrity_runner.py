"""Runs the integrity network over a whole photo, in parts that bound the memory.

The stem is applied to tiles with a halo, the head to squares of its features with a halo; means
over the picture are taken over all of it. So the result is that of the picture in one piece.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .components import components
from .integrity import Box, Calibration, Finding
from .integrity_net import (
    BLOCK,
    CELLS_PER_BLOCK,
    FAR,
    HALO,
    NEAR,
    IntegrityNet,
    Width,
    standard_table,
)
from .photo_score import PhotoScore, network_of
from .weights import Weights

TILE = 512
"""Pixels of a side of a tile, without its halo."""
SQUARE = 64
"""Cells of a side of a square of features, without its halo."""

_Work = TypeVar("_Work")
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class Traces:
    """What the network says of a photo."""

    chance: npt.NDArray[np.float32]
    """0 to 1 for each cell, shape (h/4, w/4) rounded up to whole blocks."""
    score: float
    """0 to 1 for the picture."""
    features: npt.NDArray[np.float32]
    """What the score was made of (`Head.pool`)."""


def has_fast_bf16() -> bool:
    """Whether this processor multiplies in bf16 itself; elsewhere that would be slow."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # pyright: ignore[reportPrivateUsage] -- torch has no public name for it


def fused(net: IntegrityNet) -> IntegrityNet:
    """The same function with each normalisation that follows a convolution made a part of it."""
    for module in net.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for place in range(1, len(module)):
            before, here = module[place - 1], module[place]
            if isinstance(before, nn.Conv2d) and isinstance(here, nn.BatchNorm2d):
                module[place - 1] = fuse_conv_bn_eval(before, here)
                module[place] = nn.Identity()
    return net


class Team:
    """Threads that each work at one part of a picture; torch has one thread in each of them.

    Parts are small, so that threads which share one of them mostly wait for each other.
    """

    def __init__(self, size: int, *, bf16: bool) -> None:
        self.size = size
        self._bf16 = bf16
        self._threads = ThreadPoolExecutor(size, "integrity") if size > 1 else None
        if self._threads is None:
            return
        usual = torch.get_num_threads()
        all_here = threading.Barrier(size + 1)

        def begin() -> None:
            torch.set_num_threads(1)
            all_here.wait()

        for _ in range(size):
            self._threads.submit(begin)
        all_here.wait()
        torch.set_num_threads(usual)  # of threads that begin later; ours keep what they were told

    def map(self, work: Callable[[_Work], _Done], parts: Iterable[_Work]) -> Iterator[_Done]:
        """What `work` makes of each part, in their order."""

        def alone(part: _Work) -> _Done:
            # Both are a thread's own.
            with (
                torch.inference_mode(),
                torch.autocast("cpu", torch.bfloat16, enabled=self._bf16),
            ):
                return work(part)

        return map(alone, parts) if self._threads is None else self._threads.map(alone, parts)


class Runner:
    """The network with its weights, ready to look at photos."""

    def __init__(self, weights: Weights, *, bf16: bool | None = None) -> None:
        self._sha256 = weights.sha256
        self.calibration = Calibration.of(weights.told)
        self._width = Width(**weights.told["width"])
        self._net = IntegrityNet(self._width)
        self._net.load_state_dict(network_of(weights.tensors))
        self._photo_score = PhotoScore.of(weights.tensors)
        self._net = fused(self._net.eval()).to(memory_format=torch.channels_last)
        self._bf16 = has_fast_bf16() if bf16 is None else bf16
        self._exact = torch.bfloat16 if self._bf16 else torch.float32
        self._team = Team(torch.get_num_threads(), bf16=self._bf16)

    def find(self, rgb: npt.NDArray[np.uint8], table: npt.NDArray[np.float32] | None) -> Finding:
        """The finding on a photo that is in the calibrated range."""
        return self.judge(self.traces(rgb, table), rgb.shape[:2])

    def judge(self, traces: Traces, shape: tuple[int, ...]) -> Finding:
        """The verdict on what the network said of a photo of that height and width."""
        limits = self.calibration
        boxes = self.areas(traces.chance, shape)
        seen = np.rint(traces.chance * 255).astype(np.uint8)
        found = Finding(
            "no-sign",
            score=traces.score,
            map=seen,
            weights=self._sha256,
            features=traces.features.astype(np.float16),
        )
        if traces.score < limits.doubt:
            return found
        if traces.score < limits.signs:
            faint = "there are faint signs, too faint to go by"
            return replace(found, verdict="cannot-tell", reason=faint)
        if not boxes:
            nowhere = "something is unusual, but at no place of its own"
            return replace(found, verdict="cannot-tell", reason=nowhere)
        return replace(found, verdict="signs", boxes=boxes)

    def areas(self, chance: npt.NDArray[np.float32], shape: tuple[int, ...]) -> tuple[Box, ...]:
        """Areas that look edited and are large enough to count, largest first."""
        limits = self.calibration
        cell = BLOCK // 2
        found: list[tuple[int, Box]] = []
        for part in components(chance >= limits.cell):
            if part.cells < max(4.0, limits.area * chance.size):
                continue
            rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
            left, top = part.left * cell, part.top * cell
            width = min(part.right * cell, shape[1]) - left
            height = min(part.bottom * cell, shape[0]) - top
            inside = chance[rows, columns]
            mean = float(inside[inside >= limits.cell].mean())
            found.append((part.cells, Box(left, top, width, height, mean)))
        return tuple(box for _, box in sorted(found, key=lambda pair: -pair[0]))

    @torch.inference_mode()
    def traces(
        self,
        rgb: npt.NDArray[np.uint8],
        table: npt.NDArray[np.float32] | None,
        *,
        tile: int = TILE,
        square: int = SQUARE,
    ) -> Traces:
        """Ask the network; `tile` and `square` change time and memory, not the answer."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            near = self._near(self._features(rgb, table, tile), square)
            cells, pooled = self._far(near, square)
        height, width = (-(-side // BLOCK) * 2 for side in rgb.shape[:2])
        chance = cells.sigmoid()[0, 0, :height, :width].numpy()
        features = pooled[0].numpy()
        if self._photo_score is None:
            logit = self._net.head.score(pooled)[0]
        else:
            logit = torch.tensor(self._photo_score.logit(features))
        return Traces(chance, float(logit.sigmoid()), features)

    def _features(
        self, rgb: npt.NDArray[np.uint8], table: npt.NDArray[np.float32] | None, tile: int
    ) -> Tensor:
        net = self._net.stem
        height, width = rgb.shape[:2]
        rows, columns = -(-height // BLOCK), -(-width // BLOCK)
        units = standard_table() if table is None else torch.from_numpy(table)
        known = torch.tensor([float(table is not None)])
        channels = self._width.head
        kept = torch.empty(
            (1, channels, rows, columns),
            dtype=torch.bfloat16,  # also where fp32 is used to calculate: it halves the memory
            memory_format=torch.channels_last,
        )

        def look(part: Part) -> None:
            down, right = (slice(side.start * BLOCK, side.stop * BLOCK) for side in part.seen)
            cut = rgb[down, right]
            lacking = down.stop - down.start - cut.shape[0], right.stop - right.start - cut.shape[1]
            if any(lacking):  # an edge within a block: as JPEG, repeat the last row and column
                cut = np.pad(cut, ((0, lacking[0]), (0, lacking[1]), (0, 0)), mode="edge")
            # A copy: torch refuses memory that it may not write to.
            pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None].float()
            kept[:, :, *part.own] = net(pixels, units[None], known)[:, :, *part.inner]

        for _ in self._team.map(look, parts_of((rows, columns), tile // BLOCK, HALO // BLOCK)):
            pass
        return kept

    def _near(self, features: Tensor, square: int) -> Tensor:
        kept = torch.empty_like(features)

        def look(part: Part) -> None:
            seen = self._net.head.near(features[:, :, *part.seen].to(self._exact))
            kept[:, :, *part.own] = seen[:, :, *part.inner]

        for _ in self._team.map(look, parts_of(features.shape[2:], square, NEAR)):
            pass
        return kept

    def _far(self, near: Tensor, square: int) -> tuple[Tensor, Tensor]:
        head = self._net.head
        mean, variance = _moments(near)
        rows, columns = near.shape[2:]
        cells = torch.empty((1, 1, rows * CELLS_PER_BLOCK, columns * CELLS_PER_BLOCK))

        def look(part: Part) -> tuple[Tensor, Tensor, Tensor]:
            far = head.look_far(near[:, :, *part.seen].to(self._exact), mean, variance)
            far = far[:, :, *part.inner]
            down, right = (
                slice(side.start * CELLS_PER_BLOCK, side.stop * CELLS_PER_BLOCK)
                for side in part.own
            )
            cells[:, :, down, right] = head.cells(far)
            exact = far.double()
            sums, squares = exact.sum(dim=(2, 3)), exact.square().sum(dim=(2, 3))
            return sums, squares, far.float().amax(dim=(2, 3))

        seen = self._team.map(look, parts_of(near.shape[2:], square, FAR))
        sums, squares, peaks = (torch.stack(each) for each in zip(*seen, strict=True))
        middle = sums.sum(dim=0) / (rows * columns)
        deviation = squares.sum(dim=0) / (rows * columns) - middle.square()
        deviation = deviation.clamp(min=0).sqrt()
        with torch.autocast("cpu", enabled=False):
            return cells, head.pool(middle.float(), deviation.float(), peaks.amax(dim=0), cells)


Area = tuple[slice, slice]
"""Rows and columns of cells."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture, and what must be seen around it."""

    own: Area
    seen: Area
    """The part with its halo, as far as the picture reaches."""
    inner: Area
    """Where the part lies in `seen`."""


def parts_of(shape: Sequence[int], side: int, halo: int) -> list[Part]:
    """Squares of `side` cells that cover a picture of `shape` cells, row by row."""

    def along(length: int) -> list[tuple[slice, slice, slice]]:
        cuts: list[tuple[slice, slice, slice]] = []
        for begin in range(0, length, side):
            end = min(begin + side, length)
            seen = slice(max(begin - halo, 0), min(end + halo, length))
            inner = slice(begin - seen.start, end - seen.start)
            cuts.append((slice(begin, end), seen, inner))
        return cuts

    rows, columns = along(shape[0]), along(shape[1])
    return [Part(*zip(down, right, strict=True)) for down in rows for right in columns]


def _moments(near: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the picture, shape (1, c, 1, 1), without a copy of all in fp32."""
    number = near.shape[2] * near.shape[3]
    total = near.new_zeros(near.shape[1], dtype=torch.float64)
    squares = total.clone()
    for row in near[0].split(64, dim=1):
        exact = row.double()
        total += exact.sum(dim=(1, 2))
        squares += exact.square().sum(dim=(1, 2))
    mean = total / number
    variance = (squares / number - mean.square()).clamp(min=0)
    return mean.float()[None, :, None, None], variance.float()[None, :, None, None]
