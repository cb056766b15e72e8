"""Fit the score of whole photos and set the verdict's thresholds: `kinlight.ml.train_verdict`.

    python -m kinlight.ml.train_verdict --seen DIR --release ml/weights

`--seen` is what `whole_photos` made of the photos of the folds on which the network was trained.
Sets of features are compared by leaving out a fold, a fifth of the camera models, at a time: no
picture is scored by a score that was fitted to its camera. The network itself did see the camera.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from . import scores
from .integrity import Calibration
from .integrity_net import IntegrityNet, Width
from .integrity_runner import Runner
from .photo_score import CUT, LAYOUT, PhotoScore, network_of
from .photos import read_manifest
from .weights import FOLDER, Weights, read_weights, write_weights
from .whole_photos import Seen

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Of the squared weights, tried by leaving out folds."""
FALSE_ALARMS = 0.005
"""Share of clean pictures with a score above `signs`, of each way. Half of what people can live
with, for what the score was fitted to flatters it."""
DOUBTS = 0.10
"""Share of clean pictures of which it can't tell."""
SEED = 3


@dataclass(frozen=True, slots=True)
class Pictures:
    """Whole photos as the network saw them, one in each row."""

    features: Floats
    edited: Flags
    has_area: Flags
    """Whether the map shows an area that could be pointed at."""
    fold: npt.NDArray[np.int64]
    way: Words
    kind: Words
    """Of the edit, or `clean`."""
    role: Words
    file: Words

    def __len__(self) -> int:
        return len(self.edited)

    def where(self, rows: npt.NDArray[Any]) -> Pictures:
        """Those rows alone."""
        return Pictures(*(getattr(self, name)[rows] for name in self.__slots__))


def gather(seen: Iterable[Seen], runner: Runner) -> Pictures:
    """Pictures of the manifest's photos. `runner` tells what is an area."""
    entries = {entry.file: entry for entry in read_manifest()}
    rows = [
        (
            one.features,
            one.edit != "clean",
            bool(runner.areas(one.chance.astype(np.float32) / 255, one.shape)),
            entries[one.file].fold,
            one.way,
            one.edit,
            entries[one.file].role,
            one.file,
        )
        for one in seen
    ]
    features, edited, has_area, fold, way, kind, role, file = zip(*rows, strict=True)
    return Pictures(
        np.stack(features),
        np.array(edited),
        np.array(has_area),
        np.array(fold),
        np.array(way),
        np.array(kind),
        np.array(role),
        np.array(file),
    )


def fit(features: Floats, edited: Flags, used: Flags, penalty: float) -> PhotoScore:
    """A logistic regression on the `used` features; exact, so the same on every machine."""
    middle = features.mean(axis=0)
    scale = features.std(axis=0) + np.float32(1e-3)
    cut = np.clip((features - middle) / scale, -CUT, CUT)
    rows = torch.from_numpy(cut[:, used]).double()
    truth = torch.from_numpy(edited).double()
    weight = torch.zeros(rows.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        found = functional.binary_cross_entropy_with_logits(rows @ weight + bias, truth)
        total = found + penalty * weight.square().sum()
        total.backward()
        return total

    search.step(loss)
    every = np.zeros(features.shape[1], np.float32)
    every[used] = weight.detach().numpy()
    return PhotoScore(middle, scale, every, float(bias))
