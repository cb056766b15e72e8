"""Measure the integrity network on cameras that it never saw, set its thresholds, and release it.

`python -m kinlight.ml.evaluate_integrity --data DIR --cache DIR --run RUN --release ml/weights`

Three measurements, all with fixed seeds on the fold that the run held out: crops with synthetic
edits, each kind and each way of processing apart (`crops`); the same crops after ever harsher
processing (`robustness`); and whole photos, authentic and edited, after what happens to photos on
their way (`whole`). The thresholds are set on whole photos alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from . import scores
from .chance import below
from .edits import KINDS, edit
from .integrity import Calibration
from .integrity_net import Width
from .integrity_runner import Runner, Traces
from .integrity_tables import tables
from .photos import Collection, Photo, collect, read_manifest
from .processing import (
    BLOCK,
    Picture,
    cropped,
    jpeg,
    messenger,
    scaled,
    screenshot,
    unsaved,
    webp,
)
from .samples import Sampler
from .train_integrity import CELL, Training, device_of, load_plan
from .weights import Weights, write_weights

Step = Callable[[Picture], Picture]

ON_THE_WAY: dict[str, Step] = {
    "none": lambda picture: picture,
    "q90": lambda picture: jpeg(picture, 90, 2),
    "q75": lambda picture: jpeg(picture, 75, 2),
    "half": lambda picture: jpeg(scaled(picture, 0.5), 90, 2),
    "messenger": messenger,
    "screenshot": screenshot,
}
"""What happens to whole photos; `half` is a resize to one half, saved at q90."""

HARSHER: dict[str, Step] = {
    "png": unsaved,
    "q98": lambda picture: jpeg(picture, 98, 0),
    "q90": lambda picture: jpeg(picture, 90, 2),
    "q75": lambda picture: jpeg(picture, 75, 2),
    "q60": lambda picture: jpeg(picture, 60, 2),
    "q50": lambda picture: jpeg(picture, 50, 2),
    "q90 then q75": lambda picture: jpeg(jpeg(picture, 90, 2), 75, 2),
    "shifted by 3, q90": lambda picture: jpeg(
        cropped(picture, 3, 3, picture.shape[0] - 3, picture.shape[1] - 3), 90, 2
    ),
    "resize 0.75, q90": lambda picture: jpeg(scaled(picture, 0.75), 90, 2),
    "resize 0.5, q90": lambda picture: jpeg(scaled(picture, 0.5), 90, 2),
    "resize 1.5, q90": lambda picture: jpeg(scaled(picture, 1.5, cv2.INTER_CUBIC), 90, 2),
    "webp 80": lambda picture: webp(picture, 80),
    "blur 1.0, q90": lambda picture: jpeg(
        replace(picture, pixels=cv2.GaussianBlur(picture.pixels, (0, 0), 1.0).astype(np.uint8)),
        90,
        2,
    ),
}
"""The rows of the robustness table."""

SEED = 90_210


@dataclass(frozen=True, slots=True)
class Measured:
    """One picture that the network looked at."""

    photo: str
    """The file that it was made from."""
    edit: str
    way: str
    score: float
    chance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    boxes: int = 0

    @property
    def edited(self) -> bool:
        """Whether it bears an edit."""
        return self.edit != "clean"


def cells_of(mask: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The mask of pixels as one of the map's cells: edited where half of the cell is."""
    whole = np.zeros((shape[0] * CELL, shape[1] * CELL), np.float32)
    whole[: mask.shape[0], : mask.shape[1]] = mask / 255
    return whole.reshape(shape[0], CELL, shape[1], CELL).mean(axis=(1, 3)) > 0.5


def look(runner: Runner, picture: Picture) -> Traces:
    """The network's answer, with the picture's own table."""
    table = None if picture.luma is None else picture.luma.astype(np.float32)
    return runner.traces(picture.pixels, table)


def measure_crops(
    runner: Runner, photos: Collection, count: int, side: int = 256
) -> list[Measured]:
    """Samples drawn as for training, from photos that it did not see."""
    sampler = Sampler(photos)
    found: list[Measured] = []
    for number in range(count):
        sample = sampler.draw(np.random.default_rng([SEED, 1, number]), side)
        traces = look(runner, Picture(sample.pixels, sample.mask, sample.luma))
        mask = cells_of(sample.mask, traces.chance.shape)
        found.append(Measured("", sample.edit, sample.way, traces.score, traces.chance, mask))
    return found


def part_of(rng: np.random.Generator, photo: Photo, height: int, width: int) -> Picture:
    """A part of a photo, on its grid, of that size at most."""
    tall, wide = photo.pixels.shape[:2]
    height, width = min(height, tall // BLOCK * BLOCK), min(width, wide // BLOCK * BLOCK)
    top = below(rng, (tall - height) // BLOCK + 1) * BLOCK
    left = below(rng, (wide - width) // BLOCK + 1) * BLOCK
    whole = Picture(photo.pixels, np.zeros((tall, wide), np.uint8), photo.luma)
    return cropped(whole, top, left, height, width)


def measure_robustness(runner: Runner, photos: Collection, count: int) -> list[Measured]:
    """The same parts of photos after each row of `HARSHER`, half of them edited."""
    sampler = Sampler(photos)
    originals = [photo for photo in photos if photo.entry.role == "original"]
    found: list[Measured] = []
    for number in range(count):
        rng = np.random.default_rng([SEED, 2, number])
        photo = originals[number % len(originals)]
        picture, name = part_of(rng, photo, 512, 512), "clean"
        if number // len(originals) % 2:
            made = edit(rng, picture.pixels, sampler.donors(photo.entry.group))
            picture, name = Picture(made.pixels, made.mask), made.kind
        for way, step in HARSHER.items():
            after = step(picture)
            traces = look(runner, after)
            mask = cells_of(after.mask, traces.chance.shape)
            found.append(Measured("", name, way, traces.score, traces.chance, mask))
    return found


def whole_photos(
    photos: Collection,
    edits: int,
    roles: Sequence[str],
    ways: Mapping[str, Step] = ON_THE_WAY,
) -> Iterator[tuple[str, str, str, Picture]]:
    """File, edit, way, picture: each photo clean and with so many `edits`, after each way."""
    sampler = Sampler(photos)
    kinds = list(KINDS)
    for number, photo in enumerate(photos):
        if photo.entry.role not in roles or min(photo.pixels.shape[:2]) < 256:
            continue
        pixels = np.array(photo.pixels)
        clean = Picture(pixels, np.zeros(pixels.shape[:2], np.uint8), photo.luma)
        for way, step in ways.items():
            yield photo.entry.file, "clean", way, step(clean)
        for nth in range(edits):
            rng = np.random.default_rng([SEED, 3, number, nth])
            kind = kinds[(number * edits + nth) % len(kinds)]
            made = edit(rng, pixels, sampler.donors(photo.entry.group), kind)
            edited = Picture(made.pixels, made.mask)
            for way, step in ways.items():
                # A camera saves once; who edits saves again, with care.
                saved = jpeg(edited, 95, 0) if way == "none" else step(edited)
                yield photo.entry.file, made.kind, way, saved


def measure_whole(
    runner: Runner, photos: Collection, edits: int, roles: Sequence[str]
) -> list[Measured]:
    """Whole photos as `whole_photos` makes them."""
    found: list[Measured] = []
    for file, kind, way, picture in whole_photos(photos, edits, roles):
        traces = look(runner, picture)
        mask = cells_of(picture.mask, traces.chance.shape)
        boxes = len(runner.areas(traces.chance, picture.shape))
        found.append(Measured(file, kind, way, traces.score, traces.chance, mask, boxes))
    return found


# --- figures ---


def pixel_figures(measured: Sequence[Measured], threshold: float) -> dict[str, float]:
    """Pixel AUC over all edited pictures' cells together, and the mean of their F1."""
    edited = [one for one in measured if one.edited and one.mask.any()]
    if not edited:
        return {"pixel_auc": float("nan"), "f1": float("nan")}
    truth = np.concatenate([one.mask.ravel() for one in edited])
    chance = np.concatenate([one.chance.ravel() for one in edited])
    f1 = float(np.mean([scores.f1_of(one.mask, one.chance >= threshold) for one in edited]))
    return {"pixel_auc": scores.area_under_roc(truth, chance), "f1": f1}


def image_auc(measured: Sequence[Measured]) -> float:
    """How well the score tells edited pictures from others."""
    edited = np.array([one.edited for one in measured])
    return scores.area_under_roc(edited, np.array([one.score for one in measured]))


def interval_of_auc(measured: Sequence[Measured], rounds: int = 200) -> tuple[float, float]:
    """The 95 per cent interval of `image_auc`, by drawing the pictures again and again."""
    rng = np.random.default_rng(SEED)
    every = list(measured)
    drawn = [
        image_auc([every[int(place)] for place in rng.integers(0, len(every), len(every))])
        for _ in range(rounds)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def best_cell(measured: Sequence[Measured]) -> float:
    """The map's threshold with the best mean F1 on edited pictures."""
    edited = [one for one in measured if one.edited and one.mask.any()]
    thresholds = [float(value) for value in np.linspace(0.1, 0.95, 18)]

    def mean(threshold: float) -> float:
        return float(np.mean([scores.f1_of(e.mask, e.chance >= threshold) for e in edited]))

    return max(thresholds, key=mean)


def calibrate(whole: Sequence[Measured], cell: float, area: float) -> Calibration:
    """Thresholds of the score, from whole photos: clean ones must not be flagged.

    `signs` lies above the score of 99 of a hundred clean photos with an area to show (and above
    the highest of them, where there are fewer than a hundred), `doubt` above that of nine in ten.
    Above 1 it lies where clean photos reach the end of the scale: then no score is a sign.
    """
    clean = sorted(one.score for one in whole if not one.edited and one.boxes)
    every = sorted(one.score for one in whole if not one.edited)
    signs = float(np.quantile(clean, 0.99, method="higher")) + 0.005 if clean else 0.5
    doubt = float(np.quantile(every, 0.9))
    return Calibration(signs, min(doubt, signs), cell, area)


def leaving_out(whole: Sequence[Measured], cell: float, area: float) -> dict[str, Calibration]:
    """For each photo the thresholds that all the others give.

    Judged by thresholds that it helped to set no photo would ever be a false alarm.
    """
    return {
        photo: calibrate([one for one in whole if one.photo != photo], cell, area)
        for photo in {one.photo for one in whole}
    }


def verdicts(measured: Sequence[Measured], limits: Mapping[str, Calibration]) -> dict[str, Any]:
    """How many were flagged and how many it can't tell of, with Wilson's interval."""
    flagged = sum(one.score >= limits[one.photo].signs and one.boxes > 0 for one in measured)
    unsure = sum(one.score >= limits[one.photo].doubt for one in measured) - flagged
    return {
        "photos": len(measured),
        "flagged": flagged,
        "unsure": unsure,
        "interval": [round(end, 4) for end in scores.wilson(flagged, len(measured))],
    }


def grouped(
    measured: Sequence[Measured], key: Callable[[Measured], str]
) -> dict[str, list[Measured]]:
    """In groups, in the order in which they first come."""
    groups: dict[str, list[Measured]] = {}
    for one in measured:
        groups.setdefault(key(one), []).append(one)
    return groups


def report(
    crops: Sequence[Measured],
    harsher: Sequence[Measured],
    whole: Sequence[Measured],
    limits: Calibration,
) -> dict[str, Any]:
    """All figures, by name."""
    clean = [one for one in crops if not one.edited]
    by_kind = {
        kind: {**pixel_figures(group, limits.cell), "image_auc": image_auc([*group, *clean])}
        for kind, group in grouped(crops, lambda one: one.edit).items()
        if kind != "clean"
    }
    by_way = {
        way: {**pixel_figures(group, limits.cell), "image_auc": image_auc(group), "n": len(group)}
        for way, group in grouped(crops, lambda one: one.way).items()
    }
    table = {
        way: {**pixel_figures(group, limits.cell), "image_auc": image_auc(group), "n": len(group)}
        for way, group in grouped(harsher, lambda one: one.way).items()
    }
    others = leaving_out(whole, limits.cell, limits.area)
    photos: dict[str, Any] = {}
    for way, group in grouped(whole, lambda one: one.way).items():
        edited = [one for one in group if one.edited]
        photos[way] = {
            "authentic": verdicts([one for one in group if not one.edited], others),
            "edited": verdicts(edited, others),
            **pixel_figures(edited, limits.cell),
            "image_auc": image_auc(group),
        }
    return {
        "crops": {
            **pixel_figures(crops, limits.cell),
            "image_auc": image_auc(crops),
            "image_auc_interval": interval_of_auc(crops),
            "n": len(crops),
            "by_kind": by_kind,
            "by_way": by_way,
        },
        "robustness": table,
        "whole": photos,
        "calibration": asdict(limits),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and release if asked to."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.evaluate_integrity", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--release", type=Path, help="folder for weights and thresholds")
    parser.add_argument("--crops", type=int, default=600)
    parser.add_argument("--robustness", type=int, default=96)
    parser.add_argument("--edits", type=int, default=3, help="edits of each whole photo")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)

    checkpoint = options.run / "checkpoint.safetensors"
    plan = load_plan(checkpoint)
    training = Training(plan, device_of("cpu"))
    training.load(checkpoint)
    tensors = {name: value.detach() for name, value in training.average.state_dict().items()}
    width = asdict(Width())
    uncalibrated = Calibration(signs=0.5, doubt=0.5, cell=0.5, area=0.002)
    told = {"width": width, "calibration": asdict(uncalibrated)}
    runner = Runner(Weights(tensors, told, ""))

    entries = [entry for entry in read_manifest() if entry.fold == plan.held_out]
    photos = collect(options.data, options.cache, entries)
    crops = measure_crops(runner, photos, options.crops)
    cell = best_cell(crops)
    runner.calibration = Calibration(signs=0.5, doubt=0.5, cell=cell, area=uncalibrated.area)
    whole = measure_whole(runner, photos, options.edits, ["original"])
    limits = calibrate(whole, cell, uncalibrated.area)
    if options.release:
        about = {"step": training.step, **asdict(plan)}
        told = {"width": width, "calibration": asdict(limits), "training": about}
        print(write_weights("integrity", tensors, told, options.release), flush=True)
    harsher = measure_robustness(runner, photos, options.robustness)
    figures = {"step": training.step, "plan": asdict(plan), **report(crops, harsher, whole, limits)}
    (options.run / "figures.json").write_text(
        json.dumps(figures, indent=1) + "\n", encoding="utf-8"
    )
    text = tables(figures)
    (options.run / "figures.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
