"""Syncthing: two of them that know just each other, with a folder that both have.

The clock starts when the sender is told to look into its folder, where the files have just
appeared, and stops when the receiver has reported the last one as finished: checked, durable (as by
default) and under its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.networks import Network
from benchmarks.peers.absent import NotHereError
from benchmarks.running import LOOK_SECONDS, finished, free_port, listening, running
from benchmarks.workloads import Cargo

FOLDER: Final = "photos"
KEY: Final = "a key that guards nothing"
NOBODY: Final = "tcp://127.0.0.1:1"
"""The sender's address for the receiver: it waits to be called."""
NEWS_SECONDS: Final = 2
WHOLE: Final = 100.0


@dataclass(frozen=True, slots=True)
class _Node:
    program: str
    home: Path
    device: str
    port: int
    api: int

    @property
    def folder(self) -> Path:
        return self.home / FOLDER

    def settings(self, other: _Node, address: str) -> str:
        """Nobody is looked for, nothing leaves this machine, and nothing is seen to but on demand.

        It runs at the priority of the others.
        """
        return f"""<configuration version="36">
    <device id="{self.device}"><address>dynamic</address></device>
    <device id="{other.device}"><address>{address}</address></device>
    <folder id="{FOLDER}" path="{self.folder}" rescanIntervalS="0" fsWatcherEnabled="false">
        <device id="{self.device}"/>
        <device id="{other.device}"/>
    </folder>
    <gui enabled="true"><address>127.0.0.1:{self.api}</address><apikey>{KEY}</apikey></gui>
    <options>
        <listenAddress>tcp://127.0.0.1:{self.port}</listenAddress>
        <globalAnnounceEnabled>false</globalAnnounceEnabled>
        <localAnnounceEnabled>false</localAnnounceEnabled>
        <relaysEnabled>false</relaysEnabled>
        <natEnabled>false</natEnabled>
        <urAccepted>-1</urAccepted>
        <crashReportingEnabled>false</crashReportingEnabled>
        <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
        <startBrowser>false</startBrowser>
        <reconnectionIntervalS>1</reconnectionIntervalS>
        <setLowPriority>false</setLowPriority>
    </options>
</configuration>
"""

    @contextlib.asynccontextmanager
    async def up(self, other: _Node, address: str) -> AsyncGenerator[httpx.AsyncClient]:
        """It runs; yields its API."""
        (self.home / "config.xml").write_text(self.settings(other, address), "utf-8")
        words = (self.program, "serve", "--no-browser", f"--home={self.home}")
        async with (
            running(*words),
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{self.api}/rest/",
                headers={"X-API-Key": KEY},
                timeout=None,  # noqa: S113 - all of it has a time limit
                trust_env=False,
            ) as client,
        ):
            await listening(self.api)
            yield client


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:
    """Seconds from the look into the folder to the last file."""
    program = shutil.which("syncthing")
    if program is None:
        raise NotHereError
    sender = await _make(program, folder / "sender")
    receiver = await _make(program, folder / "receiver")
    async with (
        network.way_to(sender.port) as way,
        sender.up(receiver, NOBODY) as sending,
        receiver.up(sender, f"tcp://127.0.0.1:{way}") as receiving,
    ):
        await _connected(receiving, sender.device)
        await _in_step(receiving, sender.device)
        for path in cargo.files:
            (sender.folder / path.name).hardlink_to(path)
        since = await _last_event(receiving)
        begun = time.perf_counter()
        scan = asyncio.create_task(sending.post("db/scan", params={"folder": FOLDER}))
        await _took(receiving, len(cargo.files), since)
        seconds = time.perf_counter() - begun
        (await scan).raise_for_status()
        cargo.must_be_in(receiver.folder)
        return seconds


async def _make(program: str, home: Path) -> _Node:
    words = (program, "generate", f"--home={home}", "--skip-port-probing", "--no-default-folder")
    await finished(*words)
    device = re.search(r'<device id="([A-Z0-9-]+)"', (home / "config.xml").read_text("utf-8"))
    if device is None:
        raise RuntimeError("syncthing made no device")
    node = _Node(program, home, device[1], free_port(), free_port())
    node.folder.mkdir()
    (node.folder / ".stfolder").mkdir()  # by which it knows that the folder is there
    return node


async def _ask(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    answer = await client.get(path, params=parameters)
    answer.raise_for_status()
    return answer.json()


async def _connected(client: httpx.AsyncClient, device: str) -> None:
    while True:
        found = (await _ask(client, "system/connections"))["connections"].get(device)
        if found is not None and found["connected"]:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _in_step(client: httpx.AsyncClient, device: str) -> None:
    """Until both have told each other what they have: nothing yet."""
    while True:
        found = await _ask(client, "db/completion", folder=FOLDER, device=device)
        state = await _ask(client, "db/status", folder=FOLDER)
        if found["completion"] == WHOLE and state["state"] == "idle":
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _last_event(client: httpx.AsyncClient) -> int:
    """The number of the last of the events that are listened to; the first question begins it."""
    last = await _ask(client, "events", events="ItemFinished", timeout=0)
    return last[-1]["id"] if last else 0


async def _took(client: httpx.AsyncClient, count: int, since: int) -> None:
    """Until so many files were finished there."""
    names: set[str] = set()
    while len(names) < count:
        news = await _ask(
            client, "events", events="ItemFinished", since=since, timeout=NEWS_SECONDS
        )
        for event in news:
            since = event["id"]
            if event["data"]["error"] is None:
                names.add(event["data"]["item"])
        if not news and (await _ask(client, "db/status", folder=FOLDER))["inSyncFiles"] == count:
            return  # it keeps a thousand events, so some may be lost where many come at once
