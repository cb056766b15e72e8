"""Photos as cameras, phones and broken programs made them arrive byte for byte (F1 and F2)."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from kinlight.node import Node

from .conftest import Couple
from .household import sha256


def test_every_file_of_the_corpus_arrives_as_it_is_with_name_and_time(
    running: Couple, shared_dir: Path, tmp_path: Path
) -> None:
    corpus = shared_dir / "data" / "corpus"
    if not (corpus / "index.tsv").is_file():
        pytest.skip(f"the photos of {corpus} are not there")
    with (corpus / "index.tsv").open(newline="", encoding="utf-8") as index:
        rows = list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))
    files = [Path(shutil.copy2(corpus / row["file"], tmp_path)) for row in rows]
    anna, bob = running
    times = [file.stat().st_mtime_ns for file in files]
    items = anna.share(files, bob)
    assert [item["state"] for item in items] == ["delivered"] * len(rows)
    out = tmp_path / "out"

    async def export_all(node: Node) -> list[Path]:
        exported = [await node.export(item["photo_id"], out) for item in items]
        return [Path(each.path) for each in exported]

    paths = bob.ask(export_all)
    assert [path.name for path in paths] == [row["file"] for row in rows]
    assert [sha256(path) for path in paths] == [row["sha256"] for row in rows]
    assert [path.stat().st_mtime_ns for path in paths] == times
    assert len(list(out.iterdir())) == len(rows) >= 285
