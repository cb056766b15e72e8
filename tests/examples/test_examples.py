from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from kinlight.node import Node
from kinlight.node.daemon import Daemon
from kinlight.node.home import Home
from kinlight.node.views import PairingCode

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PASSPHRASE = "correct horse"


class Pair:
    """Two daemons in this process, paired; the scripts reach them as any script would."""

    def __init__(self, folder: Path) -> None:
        self.anna, self.bob = folder / "anna", folder / "bob"

    def start(self, script: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(EXAMPLES / script), *arguments],
            env={**os.environ, "KINLIGHT_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        nodes: list[Node] = []
        for path, name in ((made.anna, "Anna"), (made.bob, "Bob")):
            Node.create(path, passphrase=PASSPHRASE, name=name)
            (path / "config.toml").write_text("[network]\ndiscovery = false\n")
            await stack.enter_async_context(Daemon.running(Home(path)))
            node = await stack.enter_async_context(Node.connect(path))
            await node.unlock(PASSPHRASE)
            nodes.append(node)
        anna, bob = nodes
        steps = anna.open_pairing()
        code = await anext(steps)
        assert isinstance(code, PairingCode)
        await bob.pair(code.code, at=f"127.0.0.1:{(await anna.status()).port}")
        async for _ in steps:
            pass
        yield made


async def _output(process: subprocess.Popen[str]) -> str:
    output, _ = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, output
    return output


async def test_a_folder_that_is_shared_is_exported_byte_exact_by_the_bot(
    pair: Pair, tmp_path: Path
) -> None:
    bot = pair.start("receive_bot.py", pair.bob, "Anna", str(tmp_path / "came"), "3")
    sharer = pair.start("share_folder.py", pair.anna, str(EXAMPLES / "photos"), "Bob")
    said = await _output(sharer)
    came = (await _output(bot)).split("\n")
    assert said.count(".jpg: ") == 3
    assert len([line for line in came if line.endswith(".jpg")]) == 3
    for original in (EXAMPLES / "photos").glob("*.jpg"):
        copy = tmp_path / "came" / original.name
        assert _hash(copy) == _hash(original)


def test_each_example_is_short() -> None:
    for script in EXAMPLES.glob("*.py"):
        assert len(script.read_text().splitlines()) < 40, script


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
