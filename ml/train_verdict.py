"""Fit the score of whole photos and set the verdict's thresholds: `kinlight.ml.train_verdict`.

    python -m kinlight.ml.train_verdict --seen DIR --release ml/weights

`--seen` is what `whole_photos` made of the photos of the folds on which the network was trained.
Sets of features are compared by leaving out a fold, a fifth of the camera models, at a time: no
picture is scored by a score that was fitted to its camera. The network itself did see the camera.
The map's threshold is set on whole photos as well.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import scores
from .integrity import CELL, Box, Calibration
from .integrity_net import IntegrityNet, Width
from .integrity_runner import Runner
from .photo_score import CUT, PhotoScore, network_of
from .photos import MANIFEST, read_manifest
from .weights import FOLDER, Weights, read_weights, write_weights
from .whole_photos import Seen

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the squared weights, tried by leaving out folds."""
FALSE_ALARMS = 0.001
"""Share of clean pictures that shall score above `signs`. People can live with ten times as many,
but these are of cameras that the network saw: of others, three times as many score above `doubt`.
"""
DOUBTS = 0.10
"""Share of clean pictures that shall score above `doubt`."""
FEW = tuple(float(rate) for rate in np.linspace(0.005, 0.05, 10))
"""Shares of false alarms that people might live with: the best score is the one that finds most
edits at these."""
SEED = 3
_NEWTON_STEPS = 30


@dataclass(frozen=True, slots=True)
class Pictures:
    """Whole photos as the network saw them, one in each row."""

    features: Floats
    edited: Flags
    has_area: Flags
    """Whether the map shows an area that could be pointed at."""
    on_edit: Flags
    """Whether most of what is marked in the largest such area was edited."""
    f1: Floats
    """Of the map's marked cells."""
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


def read_all(folder: Path) -> Iterable[Seen]:
    """All that `whole_photos` kept in a folder, in an order that does not change."""
    return (Seen.load(path) for path in sorted(folder.glob("*.npz")))


def map_threshold(seen: Iterable[Seen]) -> float:
    """The map's value from which on a cell counts as edited: the best mean F1 of edited photos."""
    values = np.linspace(0.1, 0.95, 18)
    found = [
        [scores.f1_of(one.edited, one.chance >= 255 * value) for value in values]
        for one in seen
        if one.edited.any()
    ]
    return round(float(values[int(np.mean(found, axis=0).argmax())]), 2)


def gather(seen: Iterable[Seen], runner: Runner, manifest: Path = MANIFEST) -> Pictures:
    """Pictures of the manifest's photos. `runner` tells what is an area."""
    entries = {entry.file: entry for entry in read_manifest(manifest)}
    cell = runner.calibration.cell
    rows = [
        (
            one.features,
            one.edit != "clean",
            *_pointed(
                one, runner.areas(np.divide(one.chance, 255, dtype=np.float32), one.shape), cell
            ),
            scores.f1_of(one.edited, one.chance >= 255 * cell),
            entries[one.file].fold,
            one.way,
            one.edit,
            entries[one.file].role,
            one.file,
        )
        for one in seen
    ]
    features, edited, has_area, on_edit, f1, fold, way, kind, role, file = zip(*rows, strict=True)
    return Pictures(
        np.stack(features),
        np.array(edited),
        np.array(has_area),
        np.array(on_edit),
        np.array(f1, np.float32),
        np.array(fold),
        np.array(way),
        np.array(kind),
        np.array(role),
        np.array(file),
    )


def _pointed(seen: Seen, areas: Sequence[Box], cell: float) -> tuple[bool, bool]:
    """Whether there is an area, and whether most of what is marked in the largest was edited."""
    if not areas:
        return False, False
    box = areas[0]
    rows = slice(box.top // CELL, -(-(box.top + box.height) // CELL))
    columns = slice(box.left // CELL, -(-(box.left + box.width) // CELL))
    marked = seen.chance[rows, columns] >= cell * 255
    return True, bool(seen.edited[rows, columns][marked].mean() > 0.5)


def fit(features: Floats, edited: Flags, used: Flags, penalty: float) -> PhotoScore:
    """A logistic regression on the `used` features, by Newton's method.

    `penalty`: times the squared weights, beside the mean loss.
    """
    middle = features.mean(axis=0)
    scale = features.std(axis=0) + np.float32(1e-3)
    cut = np.clip((features - middle) / scale, -CUT, CUT)[:, used].astype(np.float64)
    rows = np.concatenate([cut, np.ones((len(cut), 1))], axis=1)
    ridge = np.full(rows.shape[1], 2 * penalty)
    ridge[-1] = 0.0
    weight = np.zeros(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-rows @ weight))
        slope = rows.T @ (chance - edited) / len(rows) + ridge * weight
        bend = (rows * (chance * (1 - chance))[:, None]).T @ rows / len(rows)
        step = np.linalg.solve(bend + np.diag(ridge), slope)
        weight -= step
        if float(np.abs(step).max()) < 1e-6:
            break
    every = np.zeros(features.shape[1], np.float32)
    every[used] = weight[:-1]
    return PhotoScore(middle, scale, every, float(weight[-1]))


def feature_sets(count: int) -> dict[str, Flags]:
    """What scores are compared by: which of the features of `Head.pool` each may use."""
    place = np.arange(count)
    channels = (count - 4) // 3
    is_map = place >= 3 * channels
    is_peak = (place >= 2 * channels) & ~is_map
    return {"map": is_map, "without peaks": ~is_peak, "all": np.ones(count, np.bool_)}


def leaving_folds_out(pictures: Pictures, used: Flags, penalty: float) -> Floats:
    """The logit of each picture, by a score that was fitted to the other folds."""
    found = np.zeros(len(pictures), np.float32)
    for fold in np.unique(pictures.fold):
        rest = pictures.where(pictures.fold != fold)
        score = fit(rest.features, rest.edited, used, penalty)
        found[pictures.fold == fold] = score.logit(pictures.features[pictures.fold == fold])
    return found


def hit_rate(edited: Flags, logits: Floats, false_alarms: float) -> float:
    """Share of edited pictures above what that share of clean ones lies above."""
    return float((logits[edited] > np.quantile(logits[~edited], 1 - false_alarms)).mean())


def figures(pictures: Pictures, logits: Floats, rounds: int = 200) -> dict[str, Any]:
    """AUC with its interval, and hits at few false alarms.

    The interval is by drawing photos, not pictures: those of one photo are alike.
    """
    rng = np.random.default_rng(SEED)
    files, photo = np.unique(pictures.file, return_inverse=True)
    rows = [np.flatnonzero(photo == number) for number in range(len(files))]
    drawn: list[float] = []
    for _ in range(rounds):
        here = np.concatenate([rows[int(n)] for n in rng.integers(0, len(files), len(files))])
        drawn.append(scores.area_under_roc(pictures.edited[here], logits[here]))
    return {
        "image_auc": round(scores.area_under_roc(pictures.edited, logits), 3),
        "interval": [round(float(end), 3) for end in np.nanpercentile(drawn, [2.5, 97.5])],
        "hits_to_5_percent": round(
            float(np.mean([hit_rate(pictures.edited, logits, rate) for rate in FEW])), 3
        ),
        "hits_at_1_percent": round(hit_rate(pictures.edited, logits, 0.01), 3),
        "hits_at_2_percent": round(hit_rate(pictures.edited, logits, 0.02), 3),
    }


def network_logits(network: Weights, pictures: Pictures) -> Floats:
    """The image score that the network learned from parts of photos."""
    net = IntegrityNet(Width(**network.told["width"])).eval()
    net.load_state_dict(network_of(network.tensors))
    with torch.inference_mode():
        return net.head.score(torch.from_numpy(pictures.features)).numpy()


def thresholds(edited: Flags, logits: Floats, area: Calibration) -> Calibration:
    """Thresholds that so few clean pictures pass; `area` tells those of the map, which stay.

    Some hundred pictures don't show what one in a thousand scores. Above `doubt`, scores of clean
    pictures fall off exponentially, and `signs` is where that fall leaves so few.
    """
    clean = logits[~edited].astype(np.float64)
    doubt = float(np.quantile(clean, 1 - DOUBTS))
    excess = float((clean[clean > doubt] - doubt).mean())
    signs = doubt + excess * math.log(DOUBTS / FALSE_ALARMS)
    return Calibration(_chance(signs), _chance(doubt), area.cell, area.area)


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A score that was tried."""

    features: str
    penalty: float
    figures: dict[str, Any]


def compared(pictures: Pictures) -> list[Candidate]:
    """Every set of features with every penalty, by leaving folds out."""
    return [
        Candidate(name, penalty, figures(pictures, leaving_folds_out(pictures, used, penalty)))
        for name, used in feature_sets(pictures.features.shape[1]).items()
        for penalty in PENALTIES
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, fit, set the thresholds, release."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.train_verdict", description=__doc__)
    parser.add_argument("--seen", type=Path, required=True, help="folder of `whole_photos --draws`")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="folder of the network's")
    parser.add_argument("--release", type=Path, help="folder for weights, thresholds and replay")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    network = read_weights("integrity", options.weights)
    runner = Runner(network)
    cell = map_threshold(read_all(options.seen))
    runner.calibration = replace(runner.calibration, cell=cell)
    pictures = gather(read_all(options.seen), runner)
    own = figures(pictures, network_logits(network, pictures))
    tried = compared(pictures)
    for one in (Candidate("the network's own score", 0.0, own), *tried):
        print(json.dumps(asdict(one)), flush=True)
    best = max(tried, key=lambda one: one.figures["hits_to_5_percent"])
    used = feature_sets(pictures.features.shape[1])[best.features]
    out_of_fold = leaving_folds_out(pictures, used, best.penalty)
    limits = thresholds(pictures.edited, out_of_fold, runner.calibration)
    score = fit(pictures.features, pictures.edited, used, best.penalty)
    print(json.dumps({"best": asdict(best), "calibration": asdict(limits)}))
    if options.release:
        about = {"pictures": len(pictures), "photos": len(np.unique(pictures.file)), **asdict(best)}
        told = {**network.told, "calibration": asdict(limits), "photo_score": about}
        tensors = {**network_of(network.tensors), **score.tensors()}
        print(write_weights("integrity", tensors, told, options.release))
    return 0


if __name__ == "__main__":
    sys.exit(main())
