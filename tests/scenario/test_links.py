"""A large photo through a link to a browser, and what it costs the daemon."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from kinlight.node import weblink_desk
from kinlight.node.errors import BadRequestError

from ..conftest import RecordFigure
from ..node.browsers import browsing, new_page
from .household import Household

LARGE = 200_000_000
GROWTH = 150_000_000
"""Bytes by which the daemon may grow, aiortc included, which it loads for the first browser."""


@pytest.mark.browser
@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", ["localhost", "lan"])
async def test_200_mb_arrive_and_the_daemon_stays_small(
    household: Household, tmp_path: Path, place: str, record_figure: RecordFigure
) -> None:
    host = "localhost"
    if place == "lan":
        try:
            host = weblink_desk.where(None)
        except BadRequestError as error:
            pytest.skip(str(error))
    anna = household.person("Anna")
    anna.make()
    anna.start()
    large = tmp_path / "film.bin"
    large.write_bytes(os.urandom(LARGE))
    *_, link = anna.run("share", large, "--link", "--original", "--at", host).values
    daemon = psutil.Process(anna.run("status").value["pid"])
    before = most = daemon.memory_info().rss
    async with browsing() as browser:
        watched = await new_page(browser, link["url"])
        await watched.open(link["url"])
        await watched.page.click("#open")
        while not await watched.page.query_selector("body[data-done=yes]"):
            most = max(most, daemon.memory_info().rss)
            await watched.page.wait_for_timeout(200)
        assert await watched.save("Save film.bin") == large.read_bytes()
    record_figure(f"memory growth, 200 MB by a link, {place}", (most - before) / 1e6, "MB", 150)
    assert most - before < GROWTH
