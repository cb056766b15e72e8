"""A link that is opened by Chromium on another host: over both kinds of page, byte for byte, and
without a packet of the node to anywhere else.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from ..conftest import RecordFigure
from ..node.browsers import browsing, chromium, new_page
from .conftest import Hosts, Two

pytestmark = [pytest.mark.netns, pytest.mark.browser, pytest.mark.nightly]

NETWORK = "10.77.0.0/24"
GROWTH = 150_000_000
"""Bytes by which the daemon may grow, aiortc included, which it loads for the first browser."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("length", [3_000_000, 200_000_000])
async def test_a_browser_on_another_host_receives_by_both_kinds_of_page(
    two_hosts: Hosts, apart: Two, tmp_path: Path, length: int, record_figure: RecordFigure
) -> None:
    there = tmp_path / "chromium-there"
    inside = f"ip netns exec {two_hosts.namespace['b']}"
    there.write_text(f'#!/bin/sh\nexec {inside} {chromium()} "$@"\n')
    there.chmod(0o700)
    anna, _ = apart
    await asyncio.to_thread(anna.make)
    await asyncio.to_thread(anna.start)
    film = tmp_path / "film.bin"
    film.write_bytes(os.urandom(length))
    # Discovery says in the network itself that a node is here; whatever else leaves it is counted.
    for host in ("a", "b"):  # without one, Chromium takes itself to be in no network
        two_hosts.ip(host, "route", "add", "default", "dev", two_hosts.link)
    for rule in ("-d 224.0.0.0/4", "-o lo", f"-d {NETWORK}", ""):
        two_hosts.run("a", ["iptables", "-A", "OUTPUT", *rule.split(), "-j", "ACCEPT"])
    for how in ([], ["--https"]):
        made = await asyncio.to_thread(anna.run, "share", film, "--link", "--original", *how)
        *_, link = made.values
        assert link["host"] == two_hosts.address["a"]
        daemon = psutil.Process((await asyncio.to_thread(anna.run, "status")).value["pid"])
        before = most = daemon.memory_info().rss
        async with browsing(there) as browser:
            context = await browser.new_context(ignore_https_errors=True)
            watched = await new_page(context, link["url"])
            await watched.open(link["url"])
            await watched.page.click("#open")
            while not await watched.page.query_selector("body[data-done=yes]"):
                most = max(most, daemon.memory_info().rss)
                await watched.page.wait_for_timeout(100)
            assert await watched.save("Save film.bin") == film.read_bytes()
            assert watched.elsewhere == []
            assert watched.faults == []
        kind = "HTTPS" if how else "HTTP"
        figure = f"memory growth, {length / 1e6:.0f} MB to a browser on another host, {kind}"
        record_figure(figure, (most - before) / 1e6, "MB", 150)
        assert most - before < GROWTH
    *_, others = two_hosts.run("a", ["iptables", "-nvxL", "OUTPUT"]).stdout.split("\n", 5)[:6]
    assert others.split()[:2] == ["0", "0"]
