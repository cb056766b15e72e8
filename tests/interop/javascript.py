"""A js-libp2p node in a process of its own: a client and a server that we didn't write."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kinlight.node.multiaddrs import Multiaddr

from ..node.nodes import PATIENCE

HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / "build" / "interop"
OLDEST = 20
"""The major version of Node that `node20.mjs` makes up for."""


class JavaScriptError(Exception):
    """What the other side says went wrong."""


class Peer:
    """One such node. One question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.address: Multiaddr

    @property
    def peer(self) -> bytes:
        """Its peer id."""
        return self.address.peer

    async def begin(self) -> None:
        """Wait until it listens."""
        self.address = Multiaddr.parse((await self._answer())["addresses"][0])

    async def ask(self, action: str, **values: object) -> Any:
        """What it answers; `JavaScriptError`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"action": action, **values}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        told = json.loads(line)
        if "error" in told:
            raise JavaScriptError(told["error"])
        return told["answer"]

    async def end(self) -> None:
        """End it, and wait until it has."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


Start = Callable[..., Awaitable[Peer]]


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The folder of the program with its libraries, installed there once for all runs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("js-libp2p needs Node and npm, which are not here")
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"js-libp2p needs Node {OLDEST} or later, and this is {version.strip()}")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "node20.mjs", "peer.mjs"):
        shutil.copyfile(HERE / name, INSTALLED / name)
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = INSTALLED / "node_modules" / ".kinlight"
    if not stamp.exists() or stamp.read_text() != wanted:
        done = subprocess.run(
            [npm, "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=INSTALLED, check=False, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"js-libp2p can't be installed here: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return INSTALLED


@pytest.fixture
async def javascript_peer(javascript: Path) -> AsyncGenerator[Start]:
    """Starts nodes; those that are given `relay` pass on."""
    started: list[Peer] = []

    async def start(*roles: str) -> Peer:
        peer = Peer(
            await asyncio.create_subprocess_exec(
                "node",
                "--import",
                "./node20.mjs",
                "peer.mjs",
                *roles,
                cwd=javascript,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        started.append(peer)
        await peer.begin()
        return peer

    yield start
    for peer in started:
        await peer.end()
