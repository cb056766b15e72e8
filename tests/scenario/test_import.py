"""A whole folder goes into the library of a real daemon, also over kills."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.views_library import ImportItem, ImportProgress

from ..conftest import RecordFigure
from .household import Household, Person, is_well, sha256
from .pictures import picture


def photos(folder: Path, count: int, *, side: int = 16) -> list[Path]:
    """So many small photos, a hundred to a folder."""
    return [
        picture(_made(folder / f"{number // 100:03}") / f"IMG_{number:05}.jpg", number, side=side)
        for number in range(count)
    ]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def import_and_kill(person: Person, folder: Path, after: int) -> list[ImportItem]:
    """kill -9 of the daemon after so many items; returns those that were told before."""
    items: list[ImportItem] = []

    async def importing() -> None:
        async with Node.connect(person.home) as node:
            async for step in node.import_steps([folder]):
                if isinstance(step, ImportItem):
                    items.append(step)
                    if len(items) == after:
                        os.kill(person.pid, signal.SIGKILL)

    with contextlib.suppress(KinlightError):
        asyncio.run(importing())
    person.wait_until_ended()
    return items


def soak(person: Person, folder: Path, files: list[Path], kills: list[int]) -> dict[str, float]:
    """Import with kills in between; all must be there in the end, once. Returns the figures."""
    begun = time.monotonic()
    told: dict[str, str | None] = {}
    for after in kills:
        before = dict(told)
        for item in import_and_kill(person, folder, after):
            told[item.file] = item.id
        person.start()
        # What was told before a kill is not read again after it.
        assert before.items() <= told.items()
    items = person.run("import", folder).values
    seconds = time.monotonic() - begun
    assert {item["file"] for item in items} == {str(path) for path in files}
    assert len({item["id"] for item in items}) == len(files)
    unchanged = {item["file"]: item["id"] for item in items if item["state"] == "unchanged"}
    assert told.items() <= unchanged.items()
    assert not [item for item in items if item["state"] == "failed"]
    found = person.run("search", "--limit", str(2 * len(files))).values
    assert sorted(item["name"] for item in found) == sorted(path.name for path in files)
    assert {item["bytes"] for item in items} == {path.stat().st_size for path in files}
    assert sum(album["photos"] for album in person.run("albums").values) == len(files)
    return {"photos": len(files), "kills": len(kills), "seconds": round(seconds, 1)}


def test_an_import_that_is_killed_loses_nothing_and_takes_nothing_twice(
    household: Household, tmp_path: Path
) -> None:
    anna = household.newcomer("Anna")
    folder = tmp_path / "photos"
    files = photos(folder, 200)
    soak(anna, folder, files, [1, 120])
    anna.kill()
    anna.start()
    blobs = [path for path in anna.files() if "blobs" in path.parts]
    assert len(blobs) == 2 * len(files)
    some = random.Random(4).sample(anna.run("search", "--limit", "200").values, 5)
    for item in some:
        (original,) = (path for path in files if path.name == item["name"])
        assert sha256(anna.exported(item["id"], tmp_path / "out")) == sha256(original)


def test_the_daemon_answers_while_it_imports_and_progress_comes_at_once(
    household: Household, tmp_path: Path
) -> None:
    anna = household.newcomer("Anna")
    folder = tmp_path / "photos"
    photos(folder, 120)

    async def importing(node: Node) -> tuple[ImportProgress, int, float]:
        answers, slowest = 0, 0.0
        done = asyncio.Event()

        async def ask() -> None:
            nonlocal answers, slowest
            while not done.is_set():
                begun = time.monotonic()
                await node.status()
                slowest = max(slowest, time.monotonic() - begun)
                answers += 1

        asking = asyncio.create_task(ask())
        steps = node.import_steps([folder])
        last = ImportProgress(0, 0, counting=True, bytes=0)
        assert await anext(steps) == last
        async for step in steps:
            if isinstance(step, ImportProgress):
                last = step
        done.set()
        await asking
        return last, answers, slowest

    last, answers, slowest = anna.ask(importing)
    assert (last.done, last.total, last.counting) == (120, 120, False)
    assert answers > 10
    assert slowest < 5.0


def test_what_is_imported_is_found_again_by_its_owner_on_the_command_line(
    household: Household, tmp_path: Path
) -> None:
    anna = household.newcomer("Anna")
    folder = _made(tmp_path / "Italy 2026")
    picture(folder / "beach.jpg", 1)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    items = {item["name"]: item for item in anna.run("import", folder).values}
    assert {item["state"] for item in items.values()} == {"imported"}
    assert items["broken.jpg"]["refused"]
    (found,) = anna.run("search", "BEACH", "--album", "italy 2026", "--verdict", "none").values
    assert found["id"] == items["beach.jpg"]["id"]
    assert (found["width"], found["height"]) == (64, 64)
    assert anna.run("albums").values[0]["photos"] == 2
    assert "2 unchanged since their import." in anna.screen("import", folder)
    assert "beach.jpg" in anna.screen("search")
    assert "Italy 2026" in anna.screen("albums")
    assert anna.run("search", "--album", "Rome", code=6).error == "no-such-album"
    assert anna.run("search", "--near", "here", code=2).error == "bad-request"
    assert anna.run("import", tmp_path / "missing.jpg", code=1).value["code"] == "unreadable"


def test_the_corpus_is_imported_whole_with_what_does_not_open_and_the_daemon_stays_small(
    household: Household, shared_dir: Path
) -> None:
    corpus = shared_dir / "data" / "corpus"
    if not (corpus / "index.tsv").is_file():
        pytest.skip(f"the photos of {corpus} are not there")
    with (corpus / "index.tsv").open(newline="", encoding="utf-8") as index:
        rows = list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))
    anna = household.newcomer("Anna")
    process = psutil.Process(anna.pid)
    before = process.memory_info().rss
    files = [corpus / row["file"] for row in rows]
    items = {Path(item["file"]).name: item for item in anna.run("import", *files).values}
    assert process.memory_info().rss - before < 50 * 2**20
    assert {item["state"] for item in items.values()} <= {"imported", "present"}
    for row in rows:
        refused = items[row["file"]]["refused"]
        assert row["class"] == "EITHER" or (refused is None) == (row["class"] == "ACCEPT"), row
    found = anna.run("search", "--limit", "1000").values
    sizes = {item["id"]: f"{item['width']}x{item['height']}" for item in found}
    wrong = [
        row["file"]
        for row in rows
        if row["class"] == "ACCEPT" and sizes.get(items[row["file"]]["id"]) != row["upright"]
    ]
    assert wrong == []
    is_well(anna)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_ten_thousand_photos_are_imported_over_five_kills(
    household: Household, tmp_path: Path, record_figure: RecordFigure
) -> None:
    anna = household.newcomer("Anna")
    folder = tmp_path / "photos"
    files = photos(folder, 10_000)
    figures = soak(anna, folder, files, [10, 900, 2500, 5000, 8000])
    record_figure("10,000 photos imported over 5 kills (-9): lost or taken twice", 0, "", 0)
    record_figure("the same: seconds in all", float(figures["seconds"]), "s")
