"""The score of a whole photo, made of what the network pooled.

The network learned its own image score from parts of some hundred pixels. In a whole photo there
are a hundred times as many places at which something unusual can turn up by chance, so the verdict
rests on a score that was fitted to whole photos (`train_verdict`), of the same features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]

PREFIX: Final = "photo."
"""Of its tensors, in the file of the network's weights."""

CUT: Final = 5.0
"""Deviations from the mean beyond which a feature counts no further."""


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
