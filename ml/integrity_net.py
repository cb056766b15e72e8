"""The network of the integrity check: pixels and a quantisation table in, a map of traces out.

Two streams, joined at an eighth of the resolution. One sees the colours and what high-pass filters
leave of them (noise, sharpness, seams). The other sees the coefficients of the picture's 8 by 8
blocks in units of the file's own quantisation table, where a first compression leaves its comb.

Whatever looks further than a few blocks happens at an eighth of the resolution: the `stem` is
applied to tiles, the `head` once to the whole picture, and so a picture in tiles gives what the
picture in one piece gives (`integrity.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 8
"""Pixels of a side of a JPEG block, and of a cell of the features."""

HALO = 40
"""Pixels around a tile that the stem must see for the tile's features to be exact."""

NEAR = 4
"""Cells of an eighth that `Head.near` sees around each."""
FAR = 14
"""As `NEAR`, of `Head.look_far`."""

CELLS_PER_BLOCK = 2
"""The map has so many cells along the side of a block."""

_FREQUENCIES = 20
"""So many of the lowest alternating frequencies are told apart by value."""
_LEVELS = 11
"""Sizes 0 to 9 of a coefficient and one for all that are larger."""


@dataclass(frozen=True, slots=True)
class Width:
    """Channels of the network's parts."""

    half: int = 32
    quarter: int = 48
    eighth: int = 64
    blocks: int = 64
    """Of the stream of coefficients."""
    head: int = 80


def _zigzag() -> list[int]:
    """Places of the 64 frequencies in a table of rows, low frequencies first."""

    def key(place: int) -> tuple[int, int]:
        row, column = divmod(place, BLOCK)
        diagonal = row + column
        return diagonal, row if diagonal % 2 else column

    return sorted(range(BLOCK * BLOCK), key=key)


def _cosines() -> Tensor:
    """The orthonormal 8 by 8 DCT, shape (64, 64): a column for each of the basis pictures."""
    place = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos((2 * place[None] + 1) * place[:, None] * math.pi / (2 * BLOCK)) / 2
    rows[0] /= math.sqrt(2)
    basis = torch.einsum("ux,vy->uvxy", rows, rows)
    return basis.reshape(BLOCK * BLOCK, BLOCK * BLOCK).T.contiguous().float()


def _filters() -> tuple[Tensor, Tensor]:
    """What is seen of the pixels: filters of shape (16, 3, 5, 5), and the scale of each.

    The colours themselves, four residual filters of steganalysis (SRM) on each, and the luma less
    its surroundings. All weights are small whole numbers, and so are pixels: exact in bf16.
    """
    square = [
        [-1, 2, -2, 2, -1],
        [2, -6, 8, -6, 2],
        [-2, 8, -12, 8, -2],
        [2, -6, 8, -6, 2],
        [-1, 2, -2, 2, -1],
    ]
    edge = [[0] * 5, [0, -1, 2, -1, 0], [0, 2, -4, 2, 0], [0, -1, 2, -1, 0], [0] * 5]
    line = [[0] * 5, [0] * 5, [0, 1, -2, 1, 0], [0] * 5, [0] * 5]
    high_passes = [torch.tensor(rows, dtype=torch.float32) for rows in (square, edge, line, line)]
    high_passes[3] = high_passes[3].T
    filters = torch.zeros(16, 3, 5, 5)
    scales = torch.full((16,), 1 / 127.5)
    for color in range(3):
        filters[color, color, 2, 2] = 1
        for number, (weights, size) in enumerate(zip(high_passes, (12, 4, 2, 2), strict=True)):
            place = 3 + 4 * color + number
            filters[place, color] = weights
            scales[place] = 1 / (3 * size)
    around = torch.full((5, 5), -1.0)
    around[2, 2] = 24
    filters[15] = around * torch.tensor([1.0, 2.0, 1.0])[:, None, None]
    scales[15] = 1 / (3 * 100)
    return filters, scales


def standard_table() -> Tensor:
    """The luma table of quality 90, the unit for pictures that bring none, shape (64,)."""
    rows = [
        [3, 2, 2, 3, 5, 8, 10, 12],
        [2, 2, 3, 4, 5, 12, 12, 11],
        [3, 3, 3, 5, 8, 11, 14, 11],
        [3, 3, 4, 6, 10, 17, 16, 12],
        [4, 4, 7, 11, 14, 22, 21, 15],
        [5, 7, 11, 13, 16, 21, 23, 18],
        [10, 13, 16, 17, 21, 24, 24, 20],
        [14, 18, 19, 20, 22, 20, 21, 20],
    ]
    return torch.tensor(rows, dtype=torch.float32).reshape(BLOCK * BLOCK)


def _convolution(inputs: int, outputs: int, stride: int = 1, spread: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=spread, dilation=spread, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, spread: int = 1, *, convolutions: int = 2) -> None:
        super().__init__()
        inner = [_convolution(channels, channels) for _ in range(convolutions - 1)]
        last = nn.Conv2d(channels, channels, 3, padding=spread, dilation=spread, bias=False)
        self.body = nn.Sequential(*inner, last, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class PixelStream(nn.Module):
    """Colours and residuals, to an eighth of the resolution."""

    filters: Tensor
    scales: Tensor

    def __init__(self, width: Width) -> None:
        super().__init__()
        filters, scales = _filters()
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.layers = nn.Sequential(
            _convolution(len(scales), width.half, stride=2),
            _Residual(width.half, convolutions=1),
            _convolution(width.half, width.quarter, stride=2),
            _Residual(width.quarter),
            _convolution(width.quarter, width.eighth, stride=2),
            _Residual(width.eighth),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """From shape (n, 3, h, w), values 0 to 255, to (n, c, h/8, w/8)."""
        return self.layers(self.seen(pixels))

    @torch.no_grad()
    def seen(self, pixels: Tensor) -> Tensor:
        """Colours and residuals, cut off at 3, shape (n, 16, h, w)."""
        centred = functional.pad(pixels - 128, (2, 2, 2, 2), mode="replicate")
        centred = centred.contiguous(memory_format=torch.channels_last)
        seen = functional.conv2d(centred, self.filters)
        # Rows of pixels with all their channels: a product along long rows is faster.
        rows = seen.permute(0, 2, 3, 1).flatten(2)
        if not rows.is_contiguous():
            return seen.mul_(self.scales.to(seen.dtype)[:, None, None]).clamp_(-3, 3)
        rows.mul_(self.scales.to(seen.dtype).repeat(seen.shape[3])).clamp_(-3, 3)
        return seen


class BlockStream(nn.Module):
    """The coefficients of the luma's blocks in units of the quantisation table.

    The sizes of low ones are told one by one: the first layer has a row of weights for each.
    """

    cosines: Tensor
    low: Tensor
    places: Tensor

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.register_buffer("cosines", _cosines(), persistent=False)
        low = torch.tensor(_zigzag()[1 : 1 + _FREQUENCIES])
        self.register_buffer("low", low, persistent=False)
        places = torch.arange(_FREQUENCIES) * _LEVELS
        self.register_buffer("places", places, persistent=False)
        channels = width.blocks
        seen = _FREQUENCIES * (_LEVELS + 1) + BLOCK * BLOCK
        self.coefficients = nn.Conv2d(seen, channels, 1, bias=False)
        self.table = nn.Linear(BLOCK * BLOCK + 1, channels)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            _Residual(channels),
        )

    def units(self, pixels: Tensor, table: Tensor) -> Tensor:
        """The coefficients of each block, shape (n, h/8, w/8, 64); exact, so never in bf16."""
        red, green, blue = pixels.unbind(dim=1)
        luma = red * 0.299 + green * 0.587 + blue * 0.114 - 128
        blocks = luma.unflatten(2, (-1, BLOCK)).unflatten(1, (-1, BLOCK)).transpose(2, 3)
        return blocks.flatten(3) @ self.cosines / table[:, None, None]

    def first(self, units: Tensor) -> Tensor:
        """What the first layer makes of them, shape (n, h/8, w/8, c).

        Each low coefficient has one of `_LEVELS` sizes, and the row of weights of that size is
        added: what all rows times ones and zeros would come to, in half the time.
        """
        low = units[..., self.low]
        near = low.round()
        sizes = near.abs().clamp(max=_LEVELS - 1).long() + self.places
        weights = self.coefficients.weight.float().flatten(1).T
        by_size, others = weights.split([_FREQUENCIES * _LEVELS, _FREQUENCIES + BLOCK * BLOCK])
        chosen = functional.embedding_bag(sizes.flatten(0, 2), by_size, mode="sum")
        off_the_grid = (low - near).abs()
        rest = torch.cat([off_the_grid, units.abs().log1p()], dim=3)
        return chosen.unflatten(0, units.shape[:3]) + rest @ others

    def forward(self, pixels: Tensor, table: Tensor, has_table: Tensor) -> Tensor:
        """From shapes (n, 3, h, w), (n, 64) and (n,) to (n, c, h/8, w/8)."""
        told = torch.cat([table.log(), has_table[:, None]], dim=1)
        about_table = self.table(told)
        with torch.autocast(pixels.device.type, enabled=False):
            seen = self.first(self.units(pixels.float(), table.float()))
        seen = seen.to(about_table.dtype) + about_table[:, None, None]
        return self.layers(seen.permute(0, 3, 1, 2))


class Stem(nn.Module):
    """Both streams; sees 35 pixels around each cell and no further."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.pixels = PixelStream(width)
        self.blocks = BlockStream(width)
        self.join = nn.Sequential(
            nn.Conv2d(width.eighth + width.blocks, width.head, 1, bias=False),
            nn.BatchNorm2d(width.head),
            nn.ReLU(inplace=True),
        )

    def forward(self, pixels: Tensor, table: Tensor, has_table: Tensor) -> Tensor:
        """Features of shape (n, c, h/8, w/8)."""
        streams = [self.pixels(pixels), self.blocks(pixels, table, has_table)]
        return self.join(torch.cat(streams, dim=1))


class Head(nn.Module):
    """Features in, map and image score out: each cell is compared with the whole picture."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        channels = width.head
        self.near = nn.Sequential(_Residual(channels), _Residual(channels, 2, convolutions=1))
        self.compare = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.far = nn.Sequential(
            _Residual(channels, 4, convolutions=1),
            _Residual(channels, 8, convolutions=1),
            _Residual(channels, 2, convolutions=1),
        )
        self.map = nn.Conv2d(channels, CELLS_PER_BLOCK**2, 1)
        self.image = nn.Sequential(
            nn.Linear(3 * channels + 4, channels), nn.ReLU(inplace=True), nn.Linear(channels, 1)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of shapes (n, 1, h/4, w/4) and (n,)."""
        near = self.near(features)
        with torch.autocast(features.device.type, enabled=False):
            exact = near.float()
            mean = exact.mean(dim=(2, 3), keepdim=True)
            variance = exact.var(dim=(2, 3), keepdim=True, unbiased=False)
        far = self.look_far(near, mean, variance)
        cells = self.cells(far)
        with torch.autocast(features.device.type, enabled=False):
            exact = far.float()
            mean, deviation = exact.mean(dim=(2, 3)), exact.std(dim=(2, 3), unbiased=False)
            pooled = self.pool(mean, deviation, exact.amax(dim=(2, 3)), cells)
            return cells, self.score(pooled)

    def look_far(self, near: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """The features next to how unusual they are in the picture, looked at widely.

        `mean` and `variance` are those of `near` over the whole picture, shape (n, c, 1, 1).
        """
        with torch.autocast(near.device.type, enabled=False):
            unusual = (near.float() - mean) / variance.add(1e-2).sqrt()
        return self.far(self.compare(torch.cat([near, unusual.to(near.dtype)], dim=1)))

    def cells(self, far: Tensor) -> Tensor:
        """The map's logits."""
        return functional.pixel_shuffle(self.map(far), CELLS_PER_BLOCK).float()

    def pool(self, mean: Tensor, deviation: Tensor, peak: Tensor, cells: Tensor) -> Tensor:
        """What is known of the whole picture, shape (n, 3c + 4); exact, so never in bf16.

        `mean`, `deviation` and `peak` are those of `look_far`'s result, shape (n, c).
        """
        ordered = cells.detach().flatten(1).sort(dim=1, descending=True).values
        count = ordered.shape[1]
        tops = [ordered[:, : max(1, count // part)].mean(dim=1) for part in (1000, 200, 40, 8)]
        return torch.cat([mean, deviation, peak, torch.stack(tops, dim=1) / 4], dim=1)

    def score(self, pooled: Tensor) -> Tensor:
        """The image's logit, of what `pool` gave."""
        return self.image(pooled)[:, 0]


class IntegrityNet(nn.Module):
    """Stem and head in one, as it is trained."""

    def __init__(self, width: Width | None = None) -> None:
        super().__init__()
        width = width or Width()
        self.stem = Stem(width)
        self.head = Head(width)

    def forward(self, pixels: Tensor, table: Tensor, has_table: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the map, shape (n, 1, h/4, w/4), and of the image, shape (n,).

        `pixels`: shape (n, 3, h, w), values 0 to 255, both sides multiples of 8 and the grid of the
        last compression at (0, 0). `table`: shape (n, 64), `standard_table()` where a picture
        brought none; `has_table`: shape (n,), 1 or 0.
        """
        return self.head(self.stem(pixels, table, has_table))
