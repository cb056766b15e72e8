"""Train the integrity network: `python -m kinlight.ml.train_integrity --data DIR --minutes 120`.

A run is a folder: `checkpoint.safetensors` (weights, their running average, the optimizer's state
and the step), `log.jsonl` (a line for each validation) and `run.json` (what was asked for). Started
again with the same folder it goes on at the step of the checkpoint. Samples are a function of the
seed and the step, so a run that was interrupted saw what an uninterrupted one would have seen.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from . import scores
from .integrity_net import CELLS_PER_BLOCK, IntegrityNet, standard_table
from .photo_score import network_of
from .photos import Collection, collect, read_manifest
from .processing import BLOCK
from .samples import Sample, Sampler
from .weights import read_weights

CELL = BLOCK // CELLS_PER_BLOCK
"""Pixels of a side of a cell of the map."""

SIDES = {192: (28, 0.27), 256: (16, 0.42), 384: (7, 0.17), 512: (4, 0.10), 768: (2, 0.04)}
"""Side of the samples: how many make a batch, and how often."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Pixels, tables, whether there is a table, masks of the map's cells, whether edited."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for; the step count and the minutes may grow when a run goes on."""

    seed: int = 1
    held_out: int = 0
    """The fold that is kept for validation."""
    rate: float = 1.2e-3
    warm_up: int = 300
    average: float = 0.999
    """How slowly the running average of the weights follows."""
    cool_down: float = 0.25
    """The rate falls over this last part of the run."""


def stack(samples: Sequence[Sample]) -> Batch:
    """Samples of one size as a batch."""
    pixels = torch.from_numpy(np.stack([sample.pixels for sample in samples]))
    standard = standard_table()
    tables = [
        standard if sample.luma is None else torch.from_numpy(sample.luma.astype(np.float32))
        for sample in samples
    ]
    known = torch.tensor([float(sample.luma is not None) for sample in samples])
    masks = torch.from_numpy(np.stack([sample.mask for sample in samples]))[:, None].float() / 255
    cells = functional.avg_pool2d(masks, CELL)
    edited = torch.tensor([float(sample.edit != "clean") for sample in samples])
    return pixels.permute(0, 3, 1, 2), torch.stack(tables), known, cells, edited


class Batches(Dataset[Batch]):
    """Batch number `step` of a training."""

    def __init__(self, photos: Collection, seed: int) -> None:
        self._sampler = Sampler(photos)
        self._seed = seed

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self._seed, step])
        side = int(rng.choice(list(SIDES), p=[often for _, often in SIDES.values()]))
        return stack([self._sampler.draw(rng, side) for _ in range(SIDES[side][0])])


def _quiet_worker(_number: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def loss_of(cells: Tensor, image: Tensor, masks: Tensor, edited: Tensor) -> Tensor:
    """What training lowers: the map cell by cell, its overlap with the mask, and the image score.

    Both classes of pictures weigh the same in the map, and so an alarm in a clean picture is as
    dear as an edit that was missed.
    """
    cellwise = functional.binary_cross_entropy_with_logits(cells, masks, reduction="none")
    # Small edits would drown: half of an edited picture's weight is that of its edited cells.
    inside = (cellwise * masks).sum((1, 2, 3)) / masks.sum((1, 2, 3)).clamp(min=1)
    outside = (cellwise * (1 - masks)).sum((1, 2, 3)) / (1 - masks).sum((1, 2, 3)).clamp(min=1)
    local = torch.where(edited > 0, 0.35 * inside + 0.65 * outside, outside).mean()
    chance = cells.sigmoid()
    overlap = 2 * (chance * masks).sum((1, 2, 3)) + 1
    overlap = 1 - overlap / (chance.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)
    dice = (overlap * edited).sum() / edited.sum().clamp(min=1)
    whole = functional.binary_cross_entropy_with_logits(image, edited)
    return local + 0.3 * dice + 0.25 * whole


def device_of(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def predict(net: IntegrityNet, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits of the map and of the image, in bf16 where that helps."""
    pixels, tables, known, _, _ = (part.to(device, non_blocking=True) for part in batch)
    with torch.autocast(device.type, torch.bfloat16):
        return net(pixels.float(), tables, known)


class Training:
    """A network on its way, and all that must be kept to go on."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.device, self.step = plan, device, 0
        self.net = IntegrityNet().to(device)
        self.net = self.net.to(memory_format=torch.channels_last)
        self.average = IntegrityNet().to(device).eval()
        self.average.load_state_dict(self.net.state_dict())
        self.average = self.average.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=plan.rate, weight_decay=0.01)

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with released weights; the optimizer warms up anew."""
        self.net.load_state_dict(dict(tensors))
        self.average.load_state_dict(dict(tensors))

    def learn(self, batch: Batch, progress: float) -> float:
        """One step; `progress` from 0 to 1 says how far the run is. Returns the loss."""
        plan = self.plan
        warm = min(1.0, (self.step + 1) / plan.warm_up)
        cool = min(1.0, (1 - progress) / plan.cool_down) if plan.cool_down else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = plan.rate * warm * max(cool, 0.02)
        self.net.train()
        cells, image = predict(self.net, batch, self.device)
        loss = loss_of(cells, image, batch[3].to(self.device), batch[4].to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self) -> None:
        # In the first steps the average would otherwise remember the random start.
        slow = min(self.plan.average, (1 + self.step) / (10 + self.step))
        ours = self.net.state_dict()
        for name, kept in self.average.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(ours[name], 1 - slow)
            else:
                kept.copy_(ours[name])

    def save(self, path: Path) -> None:
        """Write a checkpoint, all at once or not at all."""
        tensors: dict[str, Tensor] = {}
        for name, value in self.net.state_dict().items():
            tensors[f"net.{name}"] = value
        for name, value in self.average.state_dict().items():
            tensors[f"average.{name}"] = value
        names = [name for name, _ in self.net.named_parameters()]
        for number, moments in self.optimizer.state_dict()["state"].items():
            for moment, value in moments.items():
                tensors[f"optimizer.{names[number]}.{moment}"] = torch.as_tensor(value)
        fresh = path.with_suffix(".new")
        told = {"step": str(self.step), "plan": json.dumps(asdict(self.plan))}
        save_file({n: v.contiguous().cpu() for n, v in tensors.items()}, fresh, told)
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
            self.step = int(file.metadata()["step"])

        def part(prefix: str) -> dict[str, Tensor]:
            return {n[len(prefix) :]: v for n, v in tensors.items() if n.startswith(prefix)}

        self.net.load_state_dict(part("net."))
        self.average.load_state_dict(part("average."))
        moments = part("optimizer.")
        state: dict[int, dict[str, Tensor]] = {}
        for number, (name, _) in enumerate(self.net.named_parameters()):
            kinds = ("step", "exp_avg", "exp_avg_sq")
            found = {
                kind: moments[f"{name}.{kind}"] for kind in kinds if f"{name}.{kind}" in moments
            }
            if found:
                state[number] = found
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def load_plan(path: Path) -> Plan:
    """What was asked for of the run that wrote this checkpoint."""
    with safe_open(path, "pt") as file:
        return Plan(**json.loads(file.metadata()["plan"]))


VALIDATION_SEED = 7_001
"""Apart from the seeds of trainings: these samples are always the same."""


def validation_batches(photos: Collection, count: int) -> list[Batch]:
    """The same `count` samples every time, of photos whose cameras the training did not see."""
    sampler = Sampler(photos)
    batches: list[Batch] = []
    for number in range(0, count, 16):
        rng = np.random.default_rng([VALIDATION_SEED, number])
        batches.append(stack([sampler.draw(rng, 256) for _ in range(16)]))
    return batches


@torch.inference_mode()
def validate(net: IntegrityNet, batches: Sequence[Batch], device: torch.device) -> dict[str, float]:
    """Figures on crops: see `scores.py` for what they mean."""
    maps: list[Tensor] = []
    images: list[Tensor] = []
    loss = 0.0
    for batch in batches:
        cells, image = predict(net, batch, device)
        cells, image = cells.cpu(), image.cpu()
        loss += float(loss_of(cells, image, batch[3], batch[4])) / len(batches)
        maps.append(cells)
        images.append(image)
    chance = torch.cat(maps).sigmoid().numpy()
    masks = (torch.cat([batch[3] for batch in batches]) > 0.5).numpy()
    edited = (torch.cat([batch[4] for batch in batches]) > 0).numpy()
    score = torch.cat(images).sigmoid().numpy()
    threshold, f1 = scores.best_f1(masks[edited], chance[edited])
    return {
        "loss": loss,
        "pixel_auc": scores.area_under_roc(masks[edited].ravel(), chance[edited].ravel()),
        "pixel_f1": f1,
        "f1_at": threshold,
        "image_auc": scores.area_under_roc(edited, score),
        "clean_area_over_half": float((chance[~edited] > 0.5).mean()),
    }


@dataclass(slots=True)
class Run:
    """A training with its folder."""

    folder: Path
    training: Training
    validation: Sequence[Batch]
    minutes: float
    steps: int
    """0: as many as the minutes allow."""

    def log(self, **figures: Any) -> None:
        """Add a line to the log, and show it."""
        line = json.dumps({"step": self.training.step, **figures})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def go(self, batches: Iterator[Batch], *, pause: float) -> None:
        """Train to the end; save and validate every `pause` minutes."""
        training = self.training
        start = last = time.monotonic()
        losses: list[float] = []
        first = training.step
        while True:
            now = time.monotonic()
            progress = (now - start) / (self.minutes * 60)
            if self.steps:
                progress = max(progress, training.step / self.steps)
            if progress >= 1:
                break
            losses.append(training.learn(next(batches), progress))
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"the loss is {losses[-1]} at step {training.step}")
            if now - last > pause * 60:
                self._rest(losses, training.step - first, now - start)
                losses, last = [], time.monotonic()
        self._rest(losses, training.step - first, time.monotonic() - start)

    def _rest(self, losses: Sequence[float], steps: int, seconds: float) -> None:
        training = self.training
        training.save(self.folder / "checkpoint.safetensors")
        figures = validate(training.average, self.validation, training.device)
        self.log(
            train_loss=round(float(np.mean(losses)), 4) if losses else None,
            minutes=round(seconds / 60, 1),
            steps_per_minute=round(steps / max(seconds, 1e-9) * 60, 1),
            **{name: round(value, 4) for name, value in figures.items()},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="kinlight.ml.train_integrity", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--start", type=Path, help="folder of weights to begin a new run with")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--steps", type=int, default=0, help="stop there; 0: by the minutes alone")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--rate", type=float, default=usual.rate)
    parser.add_argument("--held-out", type=int, default=usual.held_out, help="fold for validation")
    parser.add_argument("--cool-down", type=float, default=usual.cool_down)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="one is best on shared cores")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pause", type=float, default=5, help="minutes between validations")
    parser.add_argument("--validation", type=int, default=384, help="samples of the validation")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)

    plan = Plan(options.seed, options.held_out, options.rate, cool_down=options.cool_down)
    entries = read_manifest()
    inside = [entry for entry in entries if entry.fold != plan.held_out]
    outside = [entry for entry in entries if entry.fold == plan.held_out]
    photos = collect(options.data, options.cache, inside)
    unseen = collect(options.data, options.cache, outside)

    options.run.mkdir(parents=True, exist_ok=True)
    training = Training(plan, device_of(options.device))
    checkpoint = options.run / "checkpoint.safetensors"
    if checkpoint.exists():
        training.load(checkpoint)
    elif options.start:
        training.start_from(network_of(read_weights("integrity", options.start).tensors))
    run = Run(
        options.run,
        training,
        validation_batches(unseen, options.validation),
        options.minutes,
        options.steps,
    )
    (options.run / "run.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
    run.log(start=asdict(plan), training_photos=len(photos), validation_photos=len(unseen))
    loader = DataLoader(
        Batches(photos, plan.seed),
        batch_size=None,
        sampler=range(training.step, 1 << 31),
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
        worker_init_fn=_quiet_worker,
    )
    run.go(iter(loader), pause=options.pause)
    return 0


if __name__ == "__main__":
    sys.exit(main())
