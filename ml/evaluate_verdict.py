"""Measure the verdict on whole photos: `python -m kinlight.ml.evaluate_verdict`.

    python -m kinlight.ml.evaluate_verdict --drawn DIR --fixed DIR --apart DIR --release ml/weights

`--drawn` and `--fixed` are what `whole_photos` kept with `--draws` and without, `--apart` the same
as `--fixed` of authentic photos of another manifest. Only the network's part of the verdict is
measured here, not what occurs twice (`evaluate_copymove`).

False alarms are told by leaving out folds: each fifth of the camera models is judged by a score and
thresholds of which nothing was learned from it. The network itself never saw fold 0 alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import scores
from .evaluate_integrity import ON_THE_WAY
from .integrity import Calibration
from .integrity_runner import Runner
from .integrity_tables import markdown_table
from .photo_score import PhotoScore
from .photos import FOLDS, MANIFEST, read_manifest
from .replay import Replay, may_be_passed_on
from .train_verdict import (
    Floats,
    Pictures,
    feature_sets,
    fit,
    gather,
    leaving_folds_out,
    read_all,
    thresholds,
)
from .weights import FOLDER, read_weights

HELD_OUT = 0
"""The fold of which the network learned nothing."""
NO_SIGN, CANNOT_TELL, SIGNS = range(3)

Verdicts = npt.NDArray[np.int64]


def verdicts(pictures: Pictures, logits: Floats, limits: Calibration) -> Verdicts:
    """The verdict on each picture, as `Runner.judge` gives it."""
    chance = 1 / (1 + np.exp(-logits.astype(np.float64)))
    signs = (chance >= limits.signs) & pictures.has_area
    return np.where(signs, SIGNS, np.where(chance >= limits.doubt, CANNOT_TELL, NO_SIGN))


def leaving_out(
    drawn: Pictures, fixed: Pictures, about: dict[str, Any], area: Calibration
) -> Verdicts:
    """The verdict on each of `fixed`, by score and thresholds from `drawn` of the other folds.

    `about`: which features and what penalty the shipped score was fitted with.
    """
    used = feature_sets(drawn.features.shape[1])[about["features"]]
    found = np.zeros(len(fixed), np.int64)
    for fold in range(FOLDS):
        here = fixed.fold == fold
        rest = drawn.where(drawn.fold != fold)
        logits = leaving_folds_out(rest, used, about["penalty"])
        limits = thresholds(rest.edited, logits, area)
        score = fit(rest.features, rest.edited, used, about["penalty"])
        part = fixed.where(here)
        found[here] = verdicts(part, score.logit(part.features), limits)
    return found


def rates(found: Verdicts) -> dict[str, Any]:
    """How many got which verdict, with Wilson's interval of the signs."""
    flagged = int(np.count_nonzero(found == SIGNS))
    return {
        "pictures": len(found),
        "signs": flagged,
        "cannot_tell": int(np.count_nonzero(found == CANNOT_TELL)),
        "interval": [round(end, 4) for end in scores.wilson(flagged, len(found))],
    }


def _ways(pictures: Pictures) -> list[str]:
    return [way for way in ON_THE_WAY if (pictures.way == way).any()]


def by_way(pictures: Pictures, found: Verdicts) -> dict[str, Any]:
    """Rates of each way that there is, and of all of them together."""
    rows = {way: rates(found[pictures.way == way]) for way in _ways(pictures)}
    return {**rows, "all": rates(found)}


def held_out(pictures: Pictures, score: PhotoScore, limits: Calibration) -> dict[str, Any]:
    """Clean and edited originals of the fold that the network never saw, after each way."""
    logits = score.logit(pictures.features)
    found = verdicts(pictures, logits, limits)
    report: dict[str, Any] = {}
    for way in (*_ways(pictures), "all"):
        here = (pictures.way == way) | (way == "all")
        edited = pictures.edited & here
        report[way] = {
            "clean": rates(found[here & ~pictures.edited]),
            "edited": rates(found[edited]),
            "on_the_edit": int(
                np.count_nonzero(pictures.on_edit[edited] & (found[edited] == SIGNS))
            ),
            "f1": float(pictures.f1[edited].mean()),
            "image_auc": scores.area_under_roc(pictures.edited[here], logits[here]),
        }
    return report


def replay_of(pictures: Pictures) -> Replay:
    """Those whose photos may be passed on."""
    licences = {entry.file: entry.licence for entry in read_manifest()}
    ours = pictures.where(np.array([may_be_passed_on(licences[str(f)]) for f in pictures.file]))
    photo = np.unique(ours.file, return_inverse=True)[1]
    return Replay(
        ours.features.astype(np.float16),
        ours.edited,
        ours.has_area,
        ours.fold.astype(np.uint8),
        photo.astype(np.int32),
        ours.way,
    )


# --- tables ---


def _cells(row: dict[str, Any]) -> list[str]:
    low, high = (100 * end for end in row["interval"])
    signs = f"{row['signs']} of {row['pictures']} ({low:.1f} to {high:.1f} %)"
    return [signs, str(row["cannot_tell"])]


def tables(figures: dict[str, Any]) -> str:
    """Markdown of what was measured."""
    parts = [
        "Fold 0, edited and clean originals:",
        markdown_table(
            [
                "way",
                "clean: signs",
                "can't tell",
                "edited: signs",
                "at the right place",
                "can't tell",
                "image AUC",
                "F1 of the map",
            ],
            [
                [
                    way,
                    *_cells(row["clean"]),
                    _cells(row["edited"])[0],
                    row["on_the_edit"],
                    _cells(row["edited"])[1],
                    f"{row['image_auc']:.2f}",
                    f"{row['f1']:.2f}",
                ]
                for way, row in figures["held_out"].items()
            ],
        ),
    ]
    for name, rows in figures["authentic"].items():
        table = markdown_table(
            ["way", "signs", "can't tell"], [[way, *_cells(row)] for way, row in rows.items()]
        )
        parts += [f"Authentic, {name}:", table]
    return "\n\n".join([*parts, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the replay if asked to."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_verdict", description=__doc__)
    parser.add_argument("--drawn", type=Path, required=True)
    parser.add_argument("--fixed", type=Path, required=True)
    parser.add_argument("--apart", type=Path, help="authentic photos of another manifest")
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="that of --apart")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--release", type=Path, help="folder for the replay")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    weights = read_weights("integrity", options.weights)
    runner = Runner(weights)
    score = PhotoScore.of(weights.tensors)
    if score is None:
        parser.error("no score was fitted to these weights (kinlight.ml.train_verdict)")
    drawn, fixed = (gather(read_all(folder), runner) for folder in (options.drawn, options.fixed))
    limits = runner.calibration
    found = leaving_out(drawn, fixed, weights.told["photo_score"], limits)
    authentic = {
        "originals, folds left out": (fixed.role == "original") & ~fixed.edited,
        "of packages, folds left out": (fixed.role == "processed") & ~fixed.edited,
        "portraits of fold 0": (fixed.role == "portrait") & ~fixed.edited,
    }
    rows = {name: by_way(fixed.where(here), found[here]) for name, here in authentic.items()}
    if options.apart:
        apart = gather(read_all(options.apart), runner, options.manifest)
        rows["of packages that nothing was learned from"] = by_way(
            apart, verdicts(apart, score.logit(apart.features), limits)
        )
    originals = (fixed.role == "original") & (fixed.fold == HELD_OUT)
    figures = {
        "weights": weights.sha256,
        "held_out": held_out(fixed.where(originals), score, limits),
        "authentic": rows,
    }
    print(json.dumps(figures))
    print(tables(figures))
    if options.release:
        every = Pictures(
            *(
                np.concatenate([getattr(drawn, name), getattr(fixed, name)])
                for name in Pictures.__slots__
            )
        )
        replay_of(every).write(options.release, {"weights": weights.sha256})
    return 0


if __name__ == "__main__":
    sys.exit(main())
