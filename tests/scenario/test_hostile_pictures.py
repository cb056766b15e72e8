"""Field report F6: pictures that make an indexer hang, grow or end (photoprism#1326, #1463)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest
from kinlight.node import Node
from kinlight.node.errors import NotRunningError

from ..node.corpus import specimens
from ..node.photographs import photograph
from .conftest import Couple
from .household import is_well

HOSTILE = ("bomb-", "tiff-broken-", "exif-odd-")
MORE_MEMORY = 100 << 20
"""What the daemon may grow by: it holds the pictures' bytes on their way, and no pixels."""
FAMILY_MEMORY = 2 << 30
"""Daemon, zygote and two children, each within the sandbox's bounds."""


class Watch:
    """Asks a daemon for its status without a pause, and looks at its memory meanwhile."""

    def __init__(self, home: Path, pid: int) -> None:
        self._home = home
        self._process = psutil.Process(pid)
        self.answers = 0
        self.missed = 0
        self.largest = self.family = 0

    async def run(self) -> None:
        async with Node.connect(self._home) as node:
            while True:
                try:
                    await node.status()
                    self.answers += 1
                except NotRunningError:
                    self.missed += 1
                self._weigh()
                await asyncio.sleep(0.05)  # the daemon has other work too

    def _weigh(self) -> None:
        self.largest = max(self.largest, self._process.memory_info().rss)
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.family = max(self.family, total)


@pytest.mark.timeout(240)
def test_f6_hostile_pictures_cost_a_line_each_and_ten_good_ones_among_them_arrive(
    running: Couple, shared_dir: Path, tmp_path: Path
) -> None:
    anna, bob = running
    hostile = [file for file in specimens(shared_dir) if file.name.startswith(HOSTILE)]
    good = [photograph(tmp_path / f"good-{number}.jpg") for number in range(10)]
    batch: list[Path] = []
    for number, file in enumerate(hostile):
        batch.append(file.path)
        if number % 3 == 0 and number // 3 < len(good):
            batch.append(good[number // 3])
    before = psutil.Process(anna.pid).memory_info().rss
    watch = Watch(anna.home, anna.pid)

    async def share(node: Node) -> list[dict[str, str | None]]:
        watching = asyncio.create_task(watch.run())
        try:
            items = await node.share(batch, ["Bob"])
        finally:
            watching.cancel()
            await asyncio.wait({watching})
        return [{"file": Path(item.file).name, "state": item.state, "code": item.code,
                 "message": item.message} for item in items]  # fmt: skip

    items = {item["file"]: item for item in anna.ask(share)}
    assert len(items) == len(batch)
    assert {items[path.name]["state"] for path in good} == {"delivered"}
    for file in hostile:
        item = items[file.name]
        assert item["state"] in ("delivered", "failed"), item
        if item["state"] == "failed":
            assert item["code"] not in (None, "internal"), item
            assert item["message"]
            assert "\n" not in item["message"]
        elif file.verdict == "REFUSE":
            pytest.fail(f"{file.name} does not open and left without a place all the same")
    assert watch.missed == 0
    assert watch.answers > 20
    assert watch.largest - before < MORE_MEMORY
    assert watch.family < FAMILY_MEMORY
    is_well(anna)
    is_well(bob)


@pytest.mark.timeout(240)
def test_f6_each_hostile_picture_alone_is_carried_as_bytes_or_refused_in_one_line(
    running: Couple, shared_dir: Path
) -> None:
    anna, bob = running
    hostile = [file for file in specimens(shared_dir) if file.name.startswith("bomb-")]
    for file in hostile:
        (item,) = anna.share([file.path], bob)  # the household shares originals
        assert (item["state"], item["sha256"]) == ("delivered", file.sha256)
        if file.verdict == "REFUSE":
            done = anna.run("share", file.path, "--with", "Bob", code=1)
            (failed,) = done.values
            assert failed["code"] in ("cannot-strip", "strip-failed")
    is_well(anna)
    is_well(bob)
