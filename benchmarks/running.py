"""Programs that a measurement starts: each is ended with it, by its own id, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MODULE: Final = (sys.executable, "-m")
"""What a module of the benchmarks is started by, in `ROOT`."""
END_SECONDS: Final = 5.0
START_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.05


@contextlib.asynccontextmanager
async def running(
    *words: str | Path, env: Mapping[str, str] | None = None, out: int = DEVNULL, err: int = DEVNULL
) -> AsyncGenerator[Process]:
    """A program that runs as long as the block does."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        cwd=ROOT,
        env=None if env is None else {**os.environ, **env},
        stdin=DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,  # so that what it starts itself can be ended with it
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    for end in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, end)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()


async def finished(*words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """What a program prints until it ends; RuntimeError with its last word if it fails."""
    async with running(*words, env=env, out=PIPE, err=PIPE) as process:
        out, err = await process.communicate()
        if process.returncode != 0:
            said = err.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"{Path(words[0]).name}: {said[-1] if said else process.returncode}")
        return out.decode()


async def line_of(stream: asyncio.StreamReader | None) -> str:
    """The next line that a program prints; RuntimeError if it ended instead."""
    line = b"" if stream is None else await stream.readline()
    if not line:
        raise RuntimeError("a program ended before it was ready")
    return line.decode().strip()


def free_port() -> int:
    """A port of the loopback interface that nobody listens at, for programs that must be told."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def listening(port: int) -> None:
    """Until somebody listens there; TimeoutError if nobody does."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(LOOK_SECONDS)
