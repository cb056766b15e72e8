"""Runs the integrity network over a whole photo, in tiles and strips that bound the memory.

The stem is applied to tiles with a halo, the head to strips of its features with a halo; means over
the picture are taken over all of it. So the result is that of the picture in one piece.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
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
from .integrity_net import BLOCK, FAR, HALO, NEAR, IntegrityNet, Width, standard_table
from .photo_score import PhotoScore, network_of
from .weights import Weights

TILE = 512
"""Pixels of a side of a tile, without its halo."""
STRIP = 16_000
"""Cells of features in all strips at work, without their halo, in bf16."""
STRIP_EXACT = 5_000
"""The same in float32, where what is calculated in between takes twice the memory."""

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
        strip: int | None = None,
    ) -> Traces:
        """Ask the network; `tile`, and `strip` in rows, change time and memory, not the answer."""
        most = STRIP if self._bf16 else STRIP_EXACT
        most //= self._team.size
        strip = strip or max(16, most // max(1, rgb.shape[1] // BLOCK))
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            near = self._near(self._features(rgb, table, tile), strip)
            cells, pooled = self._far(near, strip)
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

        def look(corner: tuple[int, int]) -> None:
            top, left = corner
            begin = max(top - HALO, 0), max(left - HALO, 0)
            end = min(top + tile + HALO, rows * BLOCK), min(left + tile + HALO, columns * BLOCK)
            cut = rgb[begin[0] : end[0], begin[1] : end[1]]
            lacking = end[0] - begin[0] - cut.shape[0], end[1] - begin[1] - cut.shape[1]
            if any(lacking):  # an edge within a block: as JPEG, repeat the last row and column
                cut = np.pad(cut, ((0, lacking[0]), (0, lacking[1]), (0, 0)), mode="edge")
            # A copy: torch refuses memory that it may not write to.
            pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None].float()
            seen = net(pixels, units[None], known)
            here = slice(top // BLOCK, min((top + tile) // BLOCK, rows))
            there = slice(left // BLOCK, min((left + tile) // BLOCK, columns))
            down, right = (top - begin[0]) // BLOCK, (left - begin[1]) // BLOCK
            inner = seen[:, :, down:, right:]
            kept[:, :, here, there] = inner[
                :, :, : here.stop - here.start, : there.stop - there.start
            ]

        corners = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
        for _ in self._team.map(look, corners):
            pass
        return kept

    def _near(self, features: Tensor, strip: int) -> Tensor:
        kept = torch.empty_like(features)

        def look(part: Strip) -> None:
            begin, end, skip, count = part
            seen = self._net.head.near(features[:, :, begin:end].to(self._exact))
            kept[:, :, begin + skip : begin + skip + count] = seen[:, :, skip : skip + count]

        for _ in self._team.map(look, strips(features.shape[2], strip, NEAR)):
            pass
        return kept

    def _far(self, near: Tensor, strip: int) -> tuple[Tensor, Tensor]:
        head = self._net.head
        mean, variance = _moments(near)

        def look(part: Strip) -> tuple[Tensor, ...]:
            begin, end, skip, count = part
            far = head.look_far(near[:, :, begin:end].to(self._exact), mean, variance)
            far = far[:, :, skip : skip + count]
            exact = far.double()
            sums, squares = exact.sum(dim=(2, 3)), exact.square().sum(dim=(2, 3))
            return head.cells(far), sums, squares, far.float().amax(dim=(2, 3))

        seen = list(self._team.map(look, strips(near.shape[2], strip, FAR)))
        cells, sums, squares, peaks = (list(parts) for parts in zip(*seen, strict=True))
        number = near.shape[2] * near.shape[3]
        middle = torch.stack(sums).sum(dim=0) / number
        deviation = (torch.stack(squares).sum(dim=0) / number - middle.square()).clamp(min=0).sqrt()
        whole = torch.cat(cells, dim=2)
        with torch.autocast("cpu", enabled=False):
            peak = torch.stack(peaks).amax(dim=0)
            return whole, head.pool(middle.float(), deviation.float(), peak, whole)


Strip = tuple[int, int, int, int]
"""Where it begins and ends, how many rows of halo it begins with, and how many are its own."""


def strips(rows: int, strip: int, halo: int) -> list[Strip]:
    """How to walk over `rows`."""
    walk: list[Strip] = []
    for first in range(0, rows, strip):
        begin, end = max(first - halo, 0), min(first + strip + halo, rows)
        walk.append((begin, end, first - begin, min(strip, rows - first)))
    return walk


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
