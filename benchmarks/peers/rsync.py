"""`rsync --fsync` to an rsync daemon: unencrypted, each file durable before it gets its name."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from benchmarks.networks import Network
from benchmarks.peers.absent import NotHereError
from benchmarks.running import finished, free_port, listening, running
from benchmarks.workloads import Cargo

MODULE = "taken"


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:
    """Seconds that the command takes."""
    rsync = shutil.which("rsync")
    if rsync is None:
        raise NotHereError
    port = free_port()
    target = folder / MODULE
    target.mkdir()
    settings = folder / "rsyncd.conf"
    owner = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else ""
    settings.write_text(
        f"use chroot = no\n{owner}[{MODULE}]\npath = {target}\nread only = no\n", "utf-8"
    )
    words = (rsync, "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}")
    async with running(*words, f"--config={settings}"), network.way_to(port) as way:
        await listening(port)
        begun = time.perf_counter()
        await finished(
            rsync, "--recursive", "--times", "--fsync", f"{cargo.folder}/",
            f"rsync://127.0.0.1:{way}/{MODULE}/",
        )  # fmt: skip
        seconds = time.perf_counter() - begun
        cargo.must_be_in(target)
        return seconds
