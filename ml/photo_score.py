"""The score of a whole photo, made of what the network pooled and of how its map lies.

The network learned its own image score from parts of some hundred pixels. In a whole photo there
are a hundred times as many places at which something unusual can turn up by chance, so the verdict
rests on a score that was fitted to whole photos (`train_verdict`): a logistic regression on the
network's pooled features, and on what of the map tells an area from scattered specks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import numpy.typing as npt

from .integrity import coarseness

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]

PREFIX: Final = "photo."
"""Of its tensors, in the file of the network's weights."""

CUT: Final = 5.0
"""Deviations from the mean beyond which a feature counts no further."""

_WINDOWS: Final = (4, 8, 16, 32, 64, 128)
"""Cells of a side of a square, the mean of which is sought at its highest."""
_LEVELS: Final = (0.3, 0.5, 0.7, 0.9)
"""Of the map, above which connected areas are looked at."""
_QUANTILES: Final = (0.5, 0.75, 0.9, 0.97, 0.99, 0.999)
_FINEST: Final = 1.0
"""Stands for the coarseness of a table where there is none: no JPEG is the finest."""

LAYOUT: Final = 3 + len(_WINDOWS) + len(_QUANTILES) + 4 * len(_LEVELS)
"""How many numbers `layout` gives."""


def layout(
    chance: npt.NDArray[np.uint8], shape: tuple[int, ...], table: npt.NDArray[np.float32] | None
) -> Floats:
    """How a map lies: numbers of about -8 to 8.

    `chance`: the map, 0 to 255. `shape`: of the photo, height and width first. `table`: of its
    luma, if it has one.
    """
    seen = chance.astype(np.float32) / 255
    found = [
        np.log2(shape[0] * shape[1] / 1e6),
        float(table is not None),
        np.log(coarseness(table) if table is not None else _FINEST),
    ]
    for side in _WINDOWS:
        window = (min(side, seen.shape[1]), min(side, seen.shape[0]))
        found.append(_logit(float(cv2.blur(seen, window, borderType=cv2.BORDER_REFLECT).max())))
    found += [_logit(float(value)) for value in np.quantile(seen, _QUANTILES)]
    for level in _LEVELS:
        above = (seen >= level).astype(np.uint8)
        _, labels, about, _ = cv2.connectedComponentsWithStats(above, connectivity=4)
        cells = np.sort(about[1:, cv2.CC_STAT_AREA])[::-1].astype(np.float64)
        total, largest = float(cells.sum()), float(cells[:1].sum())
        found += [
            np.log10(total / seen.size + 1e-5),
            np.log10(largest / seen.size + 1e-5),
            np.log10(largest + 1),
            largest / total if total else 0.0,
        ]
        del labels
    return np.array(found, np.float32)


def _logit(share: float) -> float:
    inside = min(max(share, 1e-3), 1 - 1e-3)
    return float(np.log(inside / (1 - inside)))


@dataclass(frozen=True, slots=True)
class PhotoScore:
    """A logistic regression on features that are cut off at a few deviations."""

    middle: Floats
    scale: Floats
    weight: Floats
    """All three of the features' shape."""
    bias: float

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> PhotoScore | None:
        """That of the weights, or None of a network for which none was fitted."""
        if PREFIX + "weight" not in tensors:
            return None
        middle, scale, weight, bias = (
            tensors[PREFIX + name].numpy() for name in ("middle", "scale", "weight", "bias")
        )
        return cls(middle, scale, weight, float(bias[0]))

    def tensors(self) -> dict[str, Tensor]:
        """As `of` takes them."""
        import torch

        arrays = {"middle": self.middle, "scale": self.scale, "weight": self.weight}
        found = {PREFIX + name: torch.from_numpy(array) for name, array in arrays.items()}
        return {**found, PREFIX + "bias": torch.tensor([self.bias])}

    def logit(self, features: Floats) -> Floats:
        """Of features of shape (..., n)."""
        seen = np.clip((features - self.middle) / self.scale, -CUT, CUT)
        return (seen @ self.weight + self.bias).astype(np.float32)


def network_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights without the score of photos: the network's own."""
    return {name: value for name, value in tensors.items() if not name.startswith(PREFIX)}
