"""Two daemons on two hosts of a network of their own: they find each other and share."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Hosts

pytestmark = pytest.mark.netns
PASSPHRASE = "a pass phrase for one test\n"


class Host:
    """A node on one of the hosts, driven through the command line."""

    def __init__(self, hosts: Hosts, host: str, name: str, folder: Path) -> None:
        self._hosts, self._host = hosts, host
        self.home = folder / name
        self._passphrase = folder / f"{name}.passphrase"
        self._passphrase.write_text(PASSPHRASE)
        self.words = folder / f"{name}.words"
        self.name = name

    def argv(self, *words: str | Path) -> list[str]:
        return [
            sys.executable, "-m", "kinlight.node", *map(str, words),
            "--home", str(self.home), "--json",
        ]  # fmt: skip

    def run(self, *words: str | Path) -> list[dict[str, Any]]:
        environment = {**os.environ, "KINLIGHT_PASSPHRASE_FILE": str(self._passphrase)}
        done = self._hosts.run(self._host, self.argv(*words), env=environment, timeout=100)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def show_code(self) -> tuple[Any, str]:
        process = self._hosts.popen(self._host, self.argv("pair"))
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["code"]

    def __enter__(self) -> Host:
        self.run("up", "--name", self.name, "--recovery-words-file", self.words)
        return self

    def __exit__(self, *_: object) -> None:
        self.run("down")


def test_two_daemons_find_each_other_pair_and_share_20_megabytes(
    two_hosts: Hosts, tmp_path: Path
) -> None:
    with (
        Host(two_hosts, "a", "Anna", tmp_path) as anna,
        Host(two_hosts, "b", "Bob", tmp_path) as bob,
    ):
        process, code = anna.show_code()
        bob.run("pair", code)
        assert process.wait(60) == 0
        bob.run("contacts", "accept-from", "Anna", "always")
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(random.Random(1).randbytes(20_000_000))
        (item,) = anna.run("share", photo, "--with", "Bob", "--metadata", "original")
        assert item["state"] == "delivered"
        (exported,) = bob.run("export", item["photo_id"], tmp_path / "out")
        assert hashlib.sha256(Path(exported["path"]).read_bytes()).hexdigest() == item["sha256"]
        (status,) = bob.run("status")
        assert [link["path"] for link in status["connections"]] == ["lan"]
