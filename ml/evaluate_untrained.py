"""Measure kinds of edits that no training saw.

    python -m kinlight.ml.evaluate_untrained --data DIR --cache DIR

Beside them stand the trained kinds, on samples of the same photos: the distance between the two is
what the network owes to having seen the very recipe.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from .edits import KINDS, Kinds
from .evaluate_integrity import SEED, Measured, cells_of, image_auc, look, pixel_figures
from .integrity_runner import Runner
from .photos import Collection, collect, read_manifest
from .processing import Picture
from .samples import Sampler
from .untrained_edits import UNTRAINED
from .weights import read_weights


def measure(
    runner: Runner, photos: Collection, kind: str, kinds: Kinds, count: int
) -> list[Measured]:
    """As many samples of the `kind` as of the same places without an edit, by the same ways."""
    sampler = Sampler(photos)
    found: list[Measured] = []
    for number in range(count):
        for edited in (False, True):
            rng = np.random.default_rng([SEED, 5, number])
            sample = sampler.draw(rng, 256, edited=edited, kind=kind, kinds=kinds)
            traces = look(runner, Picture(sample.pixels, sample.mask, sample.luma))
            mask = cells_of(sample.mask, traces.chance.shape)
            name, way = sample.edit, sample.way
            found.append(Measured("", name, way, traces.score, traces.chance, mask))
    return found


def figures(runner: Runner, photos: Collection, count: int) -> dict[str, Mapping[str, float]]:
    """Pixel AUC and F1 in edited pictures and AUC of the score, for each kind of edit."""
    told: dict[str, Mapping[str, float]] = {}
    for kinds in (UNTRAINED, KINDS):
        for kind in kinds:
            seen = measure(runner, photos, kind, kinds, count)
            told[kind] = {
                **pixel_figures(seen, runner.calibration.cell),
                "image_auc": image_auc(seen),
            }
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each kind."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_untrained", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--fold", type=int, default=0, help="the fold that was held out")
    parser.add_argument("--count", type=int, default=120, help="edited samples of each kind")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    entries = [entry for entry in read_manifest() if entry.fold == options.fold]
    photos = collect(options.data, options.cache, entries)
    told = figures(Runner(read_weights("integrity")), photos, options.count)
    for kind, row in told.items():
        rounded = {name: round(value, 3) for name, value in row.items()}
        print(json.dumps({"edit": kind, "trained": kind in KINDS, **rounded}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
