"""Measure the search for copies: `python -m kinlight.ml.evaluate_copymove --data DIR --cache DIR`.

It has no weights. Its thresholds were set on photos of the folds 1 to 4.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from . import scores
from .copymove import find_copies
from .edits import edit
from .evaluate_integrity import ON_THE_WAY, SEED
from .photos import Collection, collect, read_manifest
from .processing import Picture, jpeg
from .samples import Sampler


def measure_copies(photos: Collection) -> dict[str, Any]:
    """Copy-move: false alarms on authentic photos, and F1 of copies saved at q85.

    `f1` is against the pasted piece alone, `f1_of_both` against the piece and where it came from:
    which of the two was first is not told, so `f1` can't come near 1.
    """
    sampler = Sampler(photos)
    alarms = clear_alarms = authentic = found = clear = copies = 0
    single: list[float] = []
    both: list[float] = []
    for number, photo in enumerate(photos):
        if photo.entry.role == "portrait" or min(photo.pixels.shape[:2]) < 256:
            continue
        pixels = np.array(photo.pixels)
        clean = Picture(pixels, np.zeros(pixels.shape[:2], np.uint8), photo.luma)
        for step in ON_THE_WAY.values():
            authentic += 1
            seen = find_copies(step(clean).pixels)
            alarms += bool(seen.found)
            clear_alarms += any(copy.is_clear for copy in seen.found)
        rng = np.random.default_rng([SEED, 4, number])
        made = edit(rng, pixels, sampler.donors(photo.entry.group), "copy-move")
        if made.origin is None:
            continue
        seen = find_copies(jpeg(Picture(made.pixels, made.mask), 85, 2).pixels)
        marked = cv2.resize(seen.mask().astype(np.uint8), pixels.shape[1::-1]) > 0
        single.append(scores.f1_of(made.mask > 0, marked))
        both.append(scores.f1_of((made.mask > 0) | (made.origin > 0), marked))
        copies += 1
        found += both[-1] > 0.1
        clear += both[-1] > 0.1 and any(copy.is_clear for copy in seen.found)
    return {
        "authentic": authentic,
        "alarms": alarms,
        "clear_alarms": clear_alarms,
        "clear_alarms_interval": [round(e, 4) for e in scores.wilson(clear_alarms, authentic)],
        "copies": copies,
        "found": found,
        "found_clear": clear,
        "f1": float(np.mean(single)),
        "f1_of_both": float(np.mean(both)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_copymove", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    entries = [entry for entry in read_manifest() if entry.fold == options.fold]
    print(json.dumps(measure_copies(collect(options.data, options.cache, entries)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
