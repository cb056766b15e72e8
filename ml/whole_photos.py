"""What the network says of whole photos, kept: `python -m kinlight.ml.whole_photos`.

    python -m kinlight.ml.whole_photos --data DIR --cache DIR --seen DIR --folds 1 2 3 4 --draws 8
    python -m kinlight.ml.whole_photos --data DIR --cache DIR --seen DIR --folds 0 --edits 3

The verdict on a photo is learned from these, since crops tell nothing of how often something
unusual turns up in a whole photo. With `--draws` each draw of a photo gives two pictures with the
same way, a clean one and an edited one. Without, each photo is shown clean and with so many edits,
after each of the ways by which whole photos are measured (`evaluate_integrity`). All are functions
of a seed and the photo, so a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import torch

from .evaluate_integrity import ON_THE_WAY, cells_of, whole_photos
from .integrity_runner import Runner
from .photos import FOLDS, MANIFEST, Collection, Entry, Photo, collect, read_manifest
from .samples import Sample, Sampler
from .weights import FOLDER, read_weights

Bits = npt.NDArray[np.uint8]

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
    """Its number; -1 of a picture that went one of the fixed ways."""
    edit: str
    """The kind of edit, or `clean`."""
    way: str
    shape: tuple[int, int]
    """Height and width of what the network saw."""
    features: npt.NDArray[np.float32]
    """`Head.pool`."""
    chance: npt.NDArray[np.uint8]
    """The map, 0 to 255."""
    edited: npt.NDArray[np.bool_]
    """Which of the map's cells were."""

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez_compressed(
                file,
                told=np.array([self.file, str(self.draw), self.edit, self.way]),
                shape=np.array(self.shape),
                features=self.features,
                chance=self.chance,
                edited=np.packbits(self.edited),
            )
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> Seen:
        """What `save` wrote."""
        with np.load(path) as kept:
            file, draw, edit, way = (str(word) for word in kept["told"])
            height, width = (int(side) for side in kept["shape"])
            features, chance = kept["features"], kept["chance"]
            bits = cast("Bits", np.unpackbits(kept["edited"], count=chance.size))
        marked = bits.reshape(chance.shape) > 0
        return cls(file, int(draw), edit, way, (height, width), features, chance, marked)


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


def look(runner: Runner, file: str, draw: int, sample: Sample) -> Seen:
    """Ask the network."""
    table = None if sample.luma is None else sample.luma.astype(np.float32)
    traces = runner.traces(sample.pixels, table)
    height, width = sample.pixels.shape[:2]
    return Seen(
        file,
        draw,
        sample.edit,
        sample.way,
        (height, width),
        traces.features,
        np.rint(traces.chance * 255).astype(np.uint8),
        cells_of(sample.mask, traces.chance.shape),
    )


def make_draws(runner: Runner, photos: Collection, folder: Path, draws: int) -> Iterator[Path]:
    """Make what lacks, one draw of every photo after the other. Yields what was made."""
    sampler = Sampler(photos)
    places = usable(photos)
    for draw in range(draws):
        for place in places:
            photo = photos[place]
            for edited in (False, True):
                path = path_of(folder, photo.entry, draw, edited=edited)
                if path.exists():
                    continue
                sample = drawn(sampler, photo, draw, edited=edited)
                look(runner, photo.entry.file, draw, sample).save(path)
                yield path


def make_fixed(
    runner: Runner,
    photos: Collection,
    folder: Path,
    edits: int,
    roles: Sequence[str],
    ways: Sequence[str] = tuple(ON_THE_WAY),
) -> Iterator[Path]:
    """Make what lacks of the pictures by which whole photos are measured."""
    sha256 = {photo.entry.file: photo.entry.sha256 for photo in photos}
    steps = {way: ON_THE_WAY[way] for way in ways}
    for file, kind, way, picture in whole_photos(photos, edits, roles, steps):
        path = folder / f"{sha256[file][:16]}-{way}-{kind}.npz"
        if not path.exists():
            sample = Sample(picture.pixels, picture.mask, picture.luma, kind, way)
            look(runner, file, -1, sample).save(path)
            yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what lacks."""
    parser = argparse.ArgumentParser(prog="kinlight.ml.whole_photos", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="may be repeated")
    parser.add_argument("--cache", type=Path, required=True, help="where decoded photos are kept")
    parser.add_argument("--seen", type=Path, required=True, help="where to keep what was seen")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="folder of the network's")
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--draws", type=int, help="of each photo, by chance")
    parser.add_argument("--edits", type=int, default=0, help="of each photo, after each way")
    parser.add_argument("--roles", nargs="+", default=["original"], help="with --edits alone")
    parser.add_argument("--ways", nargs="+", default=list(ON_THE_WAY), help="the same")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    entries = [entry for entry in read_manifest(options.manifest) if entry.fold in options.folds]
    photos = collect(options.data, options.cache, entries)
    runner = Runner(read_weights("integrity", options.weights))
    options.seen.mkdir(parents=True, exist_ok=True)
    if options.draws:
        made = make_draws(runner, photos, options.seen, options.draws)
    else:
        made = make_fixed(runner, photos, options.seen, options.edits, options.roles, options.ways)
    print(sum(1 for _ in made), "pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
