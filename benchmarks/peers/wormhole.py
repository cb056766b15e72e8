"""`magic-wormhole`: a program of its own at each end, a mailbox and a relay on this machine.

Over loopback the two ends connect directly. Over the slow line they meet at the relay, to which
each has half of the delay. The clock starts when the sender, whose Python is up by then, says what
it sends, and stops when the receiver says that it is written; nothing is made durable. Many files
go as one stream, which the receiver keeps and then unpacks.

The programs live in an environment of their own: the folder that KINLIGHT_WORMHOLE names, or one in
the user's cache that is made here once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import platformdirs

from benchmarks.networks import Network
from benchmarks.peers.absent import NotHereError
from benchmarks.running import free_port, line_of, listening, running
from benchmarks.workloads import Cargo

PACKAGES: Final = (
    "magic-wormhole==0.24.0",
    "magic-wormhole-mailbox-server==0.8.0",
    "magic-wormhole-transit-relay==0.5.0",
)
VARIABLE: Final = "KINLIGHT_WORMHOLE"
CODE: Final = "1-bench-mark"
HALF: Final = 0.5


def environment() -> Path:
    """Where the programs are, or will be."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    version = PACKAGES[0].partition("==")[2]
    return platformdirs.user_cache_path("kinlight-benchmarks") / f"wormhole-{version}"


def prepare() -> None:
    """Make the environment if there is none; without a package index there will be no wormhole."""
    place = environment()
    if _program(place, "wormhole").exists() or VARIABLE in os.environ:
        return
    install = [_program(place, "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
    for words in ([sys.executable, "-m", "venv", place], install):
        if subprocess.run(words, check=False, stdout=sys.stderr).returncode != 0:
            return


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:
    """Seconds from the sender's first word to the receiver's last."""
    place = environment()
    if not all(_program(place, name).exists() for name in ("wormhole", "twist")):
        raise NotHereError
    what = cargo.files[0] if len(cargo.files) == 1 else cargo.folder
    async with _meeting(place, folder, network) as common:
        alone = () if network.rate is None else ("--no-listen",)
        target = folder / "taken"
        target.mkdir()
        receive = ("receive", *alone, "--hide-progress", "--accept-file", "-o", target, CODE)
        send = ("send", *alone, "--hide-progress", "--code", CODE, what)
        async with running(*common, *receive, err=PIPE) as receiver:
            await _says(receiver.stderr, "Waiting for sender")
            async with running(*common, *send, err=PIPE) as sender:
                await line_of(sender.stderr)
                begun = time.perf_counter()
                await _says(receiver.stderr, "Received file")  # or files
                seconds = time.perf_counter() - begun
        cargo.must_be_in(target if len(cargo.files) == 1 else target / what.name)
        return seconds


@contextlib.asynccontextmanager
async def _meeting(
    place: Path, folder: Path, network: Network
) -> AsyncGenerator[tuple[str | Path, ...]]:
    """A mailbox and a relay; yields the words that every command begins with."""
    mailbox, relay = free_port(), free_port()
    twist = _program(place, "twist")
    database = f"--channel-db={folder / 'mailbox.sqlite'}"
    async with (
        running(twist, "wormhole-mailbox", _at(mailbox), database),
        running(twist, "transitrelay", _at(relay)),
        network.way_to(mailbox, part=HALF) as way_to_mailbox,
        network.way_to(relay, part=HALF) as way_to_relay,
    ):
        await asyncio.gather(listening(mailbox), listening(relay))
        yield (
            _program(place, "wormhole"),
            f"--relay-url=ws://127.0.0.1:{way_to_mailbox}/v1",
            f"--transit-helper=tcp:127.0.0.1:{way_to_relay}",
        )


def _at(port: int) -> str:
    return f"--port=tcp:{port}:interface=127.0.0.1"


def _program(place: Path, name: str) -> Path:
    return place / "bin" / name


async def _says(stream: asyncio.StreamReader | None, words: str) -> None:
    while words not in await line_of(stream):
        pass
