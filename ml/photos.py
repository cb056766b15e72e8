"""The photos that the networks learn from: a manifest, a split by camera, and a cache of pixels.

The manifest (`manifests/integrity.csv`) names each file with its SHA-256, licence and source. What
is split is the *group*, a camera model or a person, never the file: two photos of one camera share
their traces, and a validation that knew the camera would flatter the network.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
"""Shape (height, width, 3), RGB."""

Table = npt.NDArray[np.uint16]
"""A JPEG quantisation table, shape (64,), rows of the 8 by 8 block one after the other."""

Role = Literal["original", "processed", "portrait"]
"""`original`: straight out of a camera. `processed`: a photo that some program has saved before.
`portrait`: a processed photo of one face."""

FOLDS = 5
MANIFEST = Path(__file__).parent / "manifests" / "integrity.csv"


class PhotosMissing(Exception):
    """Files of the manifest are not there, or are others than it says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the manifest."""

    file: str
    """Relative to the folder of the data."""
    role: Role
    group: str
    """The camera model, the person, or the file itself where neither is known."""
    licence: str
    source: str
    sha256: str

    @property
    def fold(self) -> int:
        """0 to `FOLDS` - 1, the same for every photo of the group."""
        return hashlib.sha256(self.group.encode()).digest()[0] % FOLDS


def read_manifest(path: Path = MANIFEST) -> list[Entry]:
    """The rows of a manifest, in its order."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            Entry(
                row["file"],
                cast("Role", row["role"]),
                row["group"],
                row["licence"],
                row["source"],
                row["sha256"],
            )
            for row in csv.DictReader(lines)
        ]


def tables_of(image: Image.Image) -> list[Table]:
    """The quantisation tables of an opened JPEG, luma first; empty for every other format."""
    tables = cast("dict[int, Sequence[int]]", getattr(image, "quantization", {}))
    return [np.array(tables[number], np.uint16) for number in sorted(tables)]


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo as its file stores it: not turned, its 8 by 8 grid begins at (0, 0)."""

    entry: Entry
    pixels: Pixels
    tables: tuple[Table, ...]
    """Of its own last compression, luma first; empty if it was no JPEG."""

    @property
    def luma(self) -> Table | None:
        """The table of the luma, if it was a JPEG."""
        return self.tables[0] if self.tables else None


def decode(entry: Entry, content: bytes) -> Photo:
    """Decode a file of the manifest.

    Raises PhotosMissing when the content is not the one that the manifest names.
    """
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise PhotosMissing(f"{entry.file} is another file than the manifest says")
    with Image.open(io.BytesIO(content)) as image:
        return Photo(entry, np.asarray(image.convert("RGB")), tuple(tables_of(image)))


class Collection(Sequence[Photo]):
    """Photos whose pixels lie in one mapped file, which processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self._rows: list[tuple[Entry, int, int, int, tuple[Table, ...]]] = [
            (
                Entry(**row["entry"]),
                row["offset"],
                row["height"],
                row["width"],
                tuple(np.array(table, np.uint16) for table in row["tables"]),
            )
            for row in index
        ]
        self._pixels = np.memmap(folder / "pixels.bin", np.uint8, "r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> Photo:  # pyright: ignore[reportIncompatibleMethodOverride] -- no slices
        entry, offset, height, width, tables = self._rows[place]
        flat = self._pixels[offset : offset + height * width * 3]
        return Photo(entry, flat.reshape(height, width, 3), tables)

    def __iter__(self) -> Iterator[Photo]:
        return (self[place] for place in range(len(self)))


def collect(data: Sequence[Path], cache: Path, entries: Iterable[Entry]) -> Collection:
    """The photos of `entries`, decoded into `cache` unless they are there already.

    Raises PhotosMissing when a file is in no folder of `data` or is not the one of the manifest.
    """
    wanted = list(entries)
    name = hashlib.sha256("".join(entry.sha256 for entry in wanted).encode()).hexdigest()[:16]
    folder = cache / name
    if not (folder / "index.json").exists():
        _write_collection(data, folder, wanted)
    return Collection(folder)


def _read(data: Sequence[Path], file: str) -> bytes:
    for folder in data:
        if (folder / file).is_file():
            return (folder / file).read_bytes()
    raise PhotosMissing(f"{file} is not in {', '.join(map(str, data))}")


def _write_collection(data: Sequence[Path], folder: Path, entries: Sequence[Entry]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, object]] = []
    offset = 0
    with (folder / "pixels.bin").open("wb") as pixels:
        for entry in entries:
            photo = decode(entry, _read(data, entry.file))
            height, width, _ = photo.pixels.shape
            pixels.write(photo.pixels.tobytes())
            tables = [table.tolist() for table in photo.tables]
            row = {"entry": asdict(entry), "offset": offset, "height": height, "width": width}
            index.append({**row, "tables": tables})
            offset += photo.pixels.size
    # The index comes last and at once: a cache that was cut off is made again.
    fresh = folder / "index.json.new"
    fresh.write_text(json.dumps(index), encoding="utf-8")
    fresh.replace(folder / "index.json")
