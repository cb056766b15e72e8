"""Features of whole photos that ship beside the weights.

Who learns from reports compares a new score with these, so that what was right stays right. They
are numbers of which no picture can be made, and come only from photos whose licence lets them be
passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .weights import FOLDER, read_weights, write_weights

NAME: Final = "integrity-replay"
_PASSED_ON: Final = ("CC0-", "CC-BY-", "public domain", "US government work", "free use")
"""How licences begin that let features of a photo be passed on."""


def may_be_passed_on(licence: str) -> bool:
    """Whether features of a photo with that licence, as the manifest words it, may ship."""
    return licence.startswith(_PASSED_ON)


@dataclass(frozen=True, slots=True)
class Replay:
    """Pictures of photos, one in each row."""

    features: npt.NDArray[np.float16]
    """As `Finding.features`."""
    edited: npt.NDArray[np.bool_]
    has_area: npt.NDArray[np.bool_]
    """Whether the map shows an area that could be pointed at."""
    fold: npt.NDArray[np.uint8]
    """Of the photo; the weights learned nothing of fold 0."""
    photo: npt.NDArray[np.int32]
    """A number for each photo: pictures of one photo are alike and belong together."""
    way: npt.NDArray[np.str_]
    """What happened to the picture, edited or not."""

    def write(self, folder: Path, about: dict[str, Any]) -> str:
        """Write it as weights are. `about`: besides, for the sidecar. Returns its SHA-256."""
        import torch

        ways, way = np.unique(self.way, return_inverse=True)
        tensors = {
            "features": torch.from_numpy(self.features),
            "edited": torch.from_numpy(self.edited),
            "has_area": torch.from_numpy(self.has_area),
            "fold": torch.from_numpy(self.fold),
            "photo": torch.from_numpy(self.photo),
            "way": torch.from_numpy(way.astype(np.uint8)),
        }
        return write_weights(NAME, tensors, {"ways": ways.tolist(), **about}, folder)


def read_replay(folder: Path = FOLDER) -> Replay:
    """What `Replay.write` wrote. Raises WeightsMissing as `read_weights` does."""
    kept = read_weights(NAME, folder)
    arrays = {name: tensor.numpy() for name, tensor in kept.tensors.items()}
    ways: Sequence[str] = kept.told["ways"]
    arrays["way"] = np.array(ways)[arrays["way"]]
    return Replay(**arrays)
