"""What the network says of whole photos, kept: `python -m kinlight.ml.whole_photos`.

    python -m kinlight.ml.whole_photos --data DIR --cache DIR --seen DIR --draws N

The verdict on a photo is learned from these, since crops tell nothing of how often something
unusual turns up in a whole photo. Each draw of a photo gives two pictures with the same way, a
clean one and an edited one. Both are functions of the seed, the photo and the number of the draw,
so a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from .integrity_runner import Runner
from .photo_score import LAYOUT, layout
from .photos import Collection, Entry, Photo, Table, collect, read_manifest
from .samples import Sample, Sampler
from .weights import read_weights

SEED = 51_377
SMALLEST = 256
"""Pixels of the shorter side of a photo that is used."""
PORTRAITS = 60
"""So many portraits are used: they are small, and all by the same studio."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole photo through the network's eyes."""

    file: str
    """Of the photo, as the manifest names it."""
    draw: int
    edit: str
    """The kind of edit, or `clean`."""
    way: str
    shape: tuple[int, int]
    """Height and width of what the network saw."""
    luma: Table | None
    share: float
    """Of the picture, what was edited."""
    pooled: npt.NDArray[np.float32]
    """`Head.pool`."""
    chance: npt.NDArray[np.uint8]
    """The map."""

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """What the score of a photo is made of, as `Traces` has it."""
        table = None if self.luma is None else self.luma.astype(np.float32)
        return np.concatenate([self.pooled, layout(self.chance, self.shape, table)])

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez_compressed(
                file,
                told=np.array([self.file, str(self.draw), self.edit, self.way]),
                shape=np.array(self.shape),
                luma=np.zeros(0, np.uint16) if self.luma is None else self.luma,
                share=np.array(self.share),
                pooled=self.pooled,
                chance=self.chance,
            )
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Seen:
        """What `save` wrote."""
        with np.load(path) as kept:
            file, draw, edit, way = (str(word) for word in kept["told"])
            height, width = (int(side) for side in kept["shape"])
            luma = kept["luma"] if kept["luma"].size else None
            share, pooled, chance = float(kept["share"]), kept["pooled"], kept["chance"]
        return cls(file, int(draw), edit, way, (height, width), luma, share, pooled, chance)


def usable(photos: Collection) -> list[int]:
    """Places of the photos that are large enough, and of some portraits."""
    large = [
        (place, photo.entry)
        for place, photo in enumerate(photos)
        if min(photo.pixels.shape[:2]) >= SMALLEST
    ]
    portraits = [(place, entry) for place, entry in large if entry.role == "portrait"]
    portraits = sorted(portraits, key=lambda pair: pair[1].sha256)[:PORTRAITS]
    others = [place for place, entry in large if entry.role != "portrait"]
    return [*others, *(place for place, _ in portraits)]


def path_of(folder: Path, entry: Entry, draw: int, *, edited: bool) -> Path:
    """Where one picture's `Seen` is kept."""
    return folder / f"{entry.sha256[:16]}-{draw}-{'edited' if edited else 'clean'}.npz"


def drawn(sampler: Sampler, photo: Photo, draw: int, *, edited: bool) -> Sample:
    """The photo's picture of that number."""
    rng = np.random.default_rng([SEED, int(photo.entry.sha256[:8], 16), draw])
    return sampler.draw_whole(rng, photo, edited=edited)


def look(runner: Runner, photo: Photo, sample: Sample, draw: int) -> Seen:
    """Ask the network."""
    table = None if sample.luma is None else sample.luma.astype(np.float32)
    traces = runner.traces(sample.pixels, table)
    height, width = sample.pixels.shape[:2]
    return Seen(
        photo.entry.file,
        draw,
        sample.edit,
        sample.way,
        (height, width),
        sample.luma,
        float((sample.mask > 0).mean()),
        traces.features[:-LAYOUT],
        np.rint(traces.chance * 255).astype(np.uint8),
    )


def make(runner: Runner, photos: Collection, folder: Path, draws: int) -> Iterator[Path]:
    """Make what lacks, one draw of every photo after the other. Yields what was made."""
    folder.mkdir(parents=True, exist_ok=True)
    sampler = Sampler(photos)
    places = usable(photos)
    for draw in range(draws):
        for place in places:
            for edited in (False, True):
                path = path_of(folder, photos[place].entry, draw, edited=edited)
                if path.exists():
                    continue
                sample = drawn(sampler, photos[place], draw, edited=edited)
                look(runner, photos[place], sample, draw).save(path)
                yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what lacks."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.whole_photos", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--seen", type=Path, required=True, help="where to keep what was seen")
    parser.add_argument("--held-out", type=int, default=0, help="the fold that is left alone")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    entries = [entry for entry in read_manifest() if entry.fold != options.held_out]
    photos = collect(options.data, options.cache, entries)
    made = make(Runner(read_weights("integrity")), photos, options.seen, options.draws)
    print(sum(1 for _ in made), "pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
