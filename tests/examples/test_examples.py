from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from kinlight.node import Node
from kinlight.node.daemon import Daemon
from kinlight.node.home import Home
from kinlight.node.views_contacts import PairingCode

README = Path(__file__).resolve().parents[2] / "README.md"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PASSPHRASE = "correct horse"


class Pair:
    """Two daemons in this process, paired; the scripts reach them as any script would."""

    def __init__(self, folder: Path) -> None:
        self.anna, self.bob = folder / "anna", folder / "bob"

    def start(
        self, script: str, home: Path, *arguments: str, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(EXAMPLES / script), *arguments],
            cwd=cwd,
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
            (path / "config.toml").write_text(
                "[network]\ndiscovery = false\n[check]\nreceived = false\n"
            )
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


async def test_a_picture_frame_joins_an_album_and_shows_what_comes(
    pair: Pair, tmp_path: Path
) -> None:
    frame = pair.start("picture_frame.py", pair.bob, "Summer", str(tmp_path / "frame"), "3")
    async with Node.open(pair.anna) as anna:
        await anna.album_create("Summer", metadata="original")
        await anna.album_invite("Summer", "Bob", role="viewer")
        items = await anna.album_add("Summer", EXAMPLES / "photos")
        assert [item.state for item in items] == ["added"] * 3
        shown = (await _output(frame)).splitlines()
        (album,) = await anna.album_list()
        assert (album.members, album.photos) == (2, 3)
    assert len(shown) == 3
    for original in (EXAMPLES / "photos").glob("*.jpg"):
        assert _hash(tmp_path / "frame" / original.name) == _hash(original)


async def test_the_readme_s_python_shares_and_exports(pair: Pair, tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    script = tmp_path / "readme.py"
    script.write_text(block)
    (tmp_path / "beach.jpg").write_bytes(b"a beach")
    (tmp_path / "hill.jpg").write_bytes(b"a hill")
    async with Node.open(pair.anna) as anna, Node.open(pair.bob) as bob:
        await bob.update_contact("Anna", accept="always")
        (item,) = await anna.share([tmp_path / "hill.jpg"], to=["bob"], metadata="original")
        assert item.state == "delivered"
    said = await _output(pair.start(str(script), pair.bob, cwd=tmp_path))
    assert said.startswith("beach.jpg Anna waiting\nExportedFile(")
    assert (tmp_path / "photos" / "hill.jpg").read_bytes() == b"a hill"


def test_a_script_runs_a_node_of_its_own_where_no_daemon_does(tmp_path: Path) -> None:
    home, passphrase = tmp_path / "home", tmp_path / "passphrase"
    Node.create(home, passphrase=PASSPHRASE, name="Anna")
    passphrase.write_text(PASSPHRASE)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "share_folder.py"), str(EXAMPLES / "photos"), "Nobody"],
        env={**os.environ, "KINLIGHT_HOME": str(home), "KINLIGHT_PASSPHRASE_FILE": str(passphrase)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "NoSuchContactError: There is no contact of that name" in done.stderr
    assert not (home / "api.json").exists()


def test_each_example_is_short() -> None:
    for script in EXAMPLES.glob("*.py"):
        assert len(script.read_text().splitlines()) < 40, script


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
