"""Who speaks libp2p with whom: kinlight and js-libp2p, each dialling itself and the other one.

    python -m benchmarks.pairings [--size 16] [--runs 3] [--keep]

Two processes on loopback each time. Of js-libp2p there has to be what tests/interop installs in
build/interop; where that is absent the figures say so. `--keep` leaves the figures in
benchmarks/results.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import statistics
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from typing import Any, Final, cast

from benchmarks.figures import MIB, Figure
from benchmarks.peers import echo_node
from benchmarks.running import MODULE, ROOT, line_of
from benchmarks.transfer import keep

SIZE: Final = 16
RUNS: Final = 3
PROGRAM: Final = ROOT / "build" / "interop"


class Ours:
    """One of kinlight's."""

    name = "kinlight"

    words = (*MODULE, echo_node.NAME)
    folder = ROOT

    def __init__(self, process: Process) -> None:
        self._process = process
        self.address = ""

    async def begin(self) -> None:
        """Until it listens."""
        self.address = await line_of(self._process.stdout)

    async def timed(self, address: str, size: int) -> tuple[float, float]:
        """Milliseconds until a stream stood, and until so many bytes had come back."""
        await say(self._process, f"{address} {size}")
        stood, done = json.loads(await line_of(self._process.stdout))
        return stood, done


class JavaScript:
    """One of js-libp2p."""

    name = "js-libp2p"

    words = ("node", "--import", "./node20.mjs", "peer.mjs")
    folder = PROGRAM

    def __init__(self, process: Process) -> None:
        self._process = process
        self.address = ""

    async def begin(self) -> None:
        """Until it listens."""
        self.address = (await self._answer())["addresses"][0]

    async def timed(self, address: str, size: int) -> tuple[float, float]:
        """Milliseconds until a stream stood, and until so many bytes had come back."""
        question = {"action": "timed", "address": address, "bytes": size}
        await say(self._process, json.dumps(question))
        stood, done = await self._answer()
        return stood, done

    async def _answer(self) -> Any:
        told = json.loads(await line_of(self._process.stdout))
        if "error" in told:
            raise RuntimeError(told["error"])
        return told["answer"]


async def say(process: Process, line: str) -> None:
    """Write a line to a program."""
    drain = cast("asyncio.StreamWriter", process.stdin)
    drain.write(f"{line}\n".encode())
    await drain.drain()


Kind = type[Ours] | type[JavaScript]


@contextlib.asynccontextmanager
async def started(kind: Kind) -> AsyncGenerator[Ours | JavaScript]:
    """One that listens, for the length of a block."""
    process = await asyncio.create_subprocess_exec(
        *kind.words, cwd=kind.folder, stdin=PIPE, stdout=PIPE
    )
    try:
        end = kind(process)
        await end.begin()
        yield end
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def pairing(one: Kind, other: Kind, size: int, runs: int) -> tuple[float, float]:
    """Milliseconds until a stream stands, and MiB/s of what goes there and comes back: medians."""
    stood: list[float] = []
    rates: list[float] = []
    async with started(other) as listener:
        for _ in range(runs):
            async with started(one) as dialer:  # so that there is no connection yet
                first, rest = await dialer.timed(listener.address, size)
            stood.append(first)
            rates.append(1000 * size / MIB / rest)
    return statistics.median(stood), statistics.median(rates)


async def measure(size: int, runs: int) -> list[Figure]:
    """All four."""
    figures: list[Figure] = []
    for one, other in itertools.product((Ours, JavaScript), repeat=2):
        what = f"libp2p: {one.name} dials {other.name}"
        if not (PROGRAM / "node_modules").exists() and JavaScript in (one, other):
            reason = "js-libp2p is not there; tests/interop installs it"
            figures.append(Figure(f"{what} ({reason})", None, "ms"))
            continue
        stood, rate = await pairing(one, other, size, runs)
        figures.append(Figure(f"{what}: until a stream stands", stood, "ms"))
        figures.append(Figure("the same: what goes there and comes back", rate, "MiB/s"))
    return figures


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=SIZE, help=f"MiB each way; default {SIZE}")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"the median counts; {RUNS}")
    parser.add_argument("--keep", action="store_true", help="keep the figures for the table")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.size * MIB, options.runs))
    for figure in figures:
        figure.show()
    if options.keep:
        keep("pairings", figures)


if __name__ == "__main__":
    main()
