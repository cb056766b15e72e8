"""The corpus of real, hard picture files, read where it stands."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Specimen:
    """One file of the corpus and what its index says of it."""

    path: Path
    verdict: str
    upright: tuple[int, int] | None
    c2pa: str
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def specimens(shared: Path) -> list[Specimen]:
    """All of them; skips the test where they are not there."""
    folder = shared / "data" / "corpus"
    index = folder / "index.tsv"
    if not index.is_file():
        pytest.skip(f"the corpus is not in {folder}")
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Specimen(
            folder / row["file"], row["class"], _size(row["upright"]), row["c2pa"], row["sha256"]
        )
        for row in rows
    ]


def _size(text: str) -> tuple[int, int] | None:
    width, cross, height = text.partition("x")
    return (int(width), int(height)) if cross else None
