"""Photos from node to node, beside what else people use: over loopback and over a slow line.

    python -m benchmarks.transfer [--scale 1] [--only small] [--network slow] [--peer tcp] [--keep]

Each workload is made once and carried by everybody in turn, so that the ratios are those of one
hour of one machine. A peer that is not installed is named as such. Where that can be had (Linux, as
root), all of it runs in a network of its own, which has nothing but loopback. `--keep` leaves the
figures in benchmarks/results, from where benchmarks/run.py takes them into its table.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.networks import LOOPBACK, SLOW, Network
from benchmarks.peers import (
    nodes,
    noise_stream,
    one_end,
    plain_tcp,
    rsync,
    syncthing,
    wormhole,
)
from benchmarks.peers.absent import NotHereError
from benchmarks.running import ROOT
from benchmarks.workloads import WORKLOADS, Cargo, Workload

RESULTS: Final = ROOT / "benchmarks" / "results"
SCALE: Final = 0.1
"""What a night has time for."""
NETWORKS: Final = (LOOPBACK, SLOW)

Carry = Callable[[Cargo, Network, Path], Awaitable[float]]
"""Carries files into an empty folder and returns the seconds; raises `NotHereError`."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else who carries; `one` file only, or `near` (over loopback) only."""

    word: str
    what: str
    carry: Carry
    one: bool = False
    near: bool = False

    def carries(self, cargo: Cargo, network: Network) -> bool:
        """Whether it is to be measured."""
        return not (self.one and len(cargo.files) > 1) and not (self.near and network.rate)


PEERS: Final = (
    Peer("tcp", "plain asyncio TCP", plain_tcp.carry),
    Peer("rsync", "rsync --fsync", rsync.carry),
    Peer("wormhole", "magic-wormhole", wormhole.carry),
    Peer("libp2p", "libp2p Noise stream", noise_stream.carry, one=True),
    Peer("syncthing", "syncthing", syncthing.carry),
    Peer("alone", "one end's work alone", one_end.carry, one=True, near=True),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times a peer's time kinlight may take, at most; or `near` (over loopback) only."""

    workload: str
    peer: str
    times: float
    near: bool = False


GOALS: Final = (
    Goal("large", "tcp", 2),
    Goal("large", "wormhole", 1 / 3, near=True),  # both may fill the slow line
    Goal("small", "rsync", 2),
)
HERE: Final = "--here"
GROWTH_MIB: Final = 50
LAST_OVER_FIRST: Final = 1 / 0.9
AGAIN_SECONDS: Final = 2


@dataclass(slots=True)
class Measured:
    """The figures of one workload."""

    figures: list[Figure] = field(default_factory=list[Figure])
    suffix: str = ""

    def show(self, what: str, value: float | None, unit: str, goal: float | None = None) -> None:
        """Print a figure and keep it."""
        figure = Figure(what + self.suffix, value, unit, goal)
        self.figures.append(figure)
        figure.show()

    def keep(self, name: str) -> None:
        """Leave the figures where the nightly tests leave theirs."""
        RESULTS.mkdir(exist_ok=True)
        figures = [dataclasses.asdict(figure) for figure in self.figures]
        (RESULTS / f"{name}.json").write_text(json.dumps(figures), "utf-8")


async def measure(
    workload: Workload, cargo: Cargo, network: Network, peers: list[Peer], measured: Measured
) -> None:
    """One workload in one network, by kinlight and by everybody else."""
    title = f"{cargo.what}, {network.name}"
    carried = await by_kinlight(workload, cargo, network, title, measured)
    for peer in peers:
        if not peer.carries(cargo, network):
            continue
        seconds = await by_peer(peer, cargo, network, title, measured)
        if carried is not None and seconds is not None:
            goals = [
                goal.times
                for goal in GOALS
                if (goal.workload, goal.peer) == (workload.name, peer.word)
                and not (goal.near and network.rate)
            ]
            what = f"{title}: time of kinlight over {peer.what}"
            measured.show(what, carried.seconds / seconds, "x", *goals)


async def by_kinlight(
    workload: Workload, cargo: Cargo, network: Network, title: str, measured: Measured
) -> nodes.Carried | None:
    """Our own figures; None if it did not work."""
    load = os.getloadavg()[0]
    try:
        async with asyncio.timeout(limit(cargo)):
            carried = await nodes.carry(cargo, network)
    except (TimeoutError, RuntimeError) as error:
        measured.show(f"{title}: kinlight: {reason(error, cargo)}", None, "")
        return None
    measured.show(told(title, "kinlight", cargo, carried.seconds, load), carried.seconds, "s")
    for who, grown in (("sender", carried.sender), ("receiver", carried.receiver)):
        kept = f"{grown.before:.0f} MiB before, {grown.after:.0f} after"
        what = f"{title}: memory that the {who} gains at most ({kept})"
        measured.show(what, grown.peak - grown.before, "MiB", GROWTH_MIB)
    if carried.again is not None:
        what = f"{title}: time of the last tenth over the first"
        goal = LAST_OVER_FIRST if workload.name == "small" else None
        measured.show(what, carried.last_over_first, "x", goal)
        what = f"{title}: {carried.again.files:,} of them again, unchanged"
        measured.show(what, carried.again.seconds, "s", AGAIN_SECONDS)
        measured.show(f"{what}: pieces sent", carried.again.pieces, "", 0)
    return carried


async def by_peer(
    peer: Peer, cargo: Cargo, network: Network, title: str, measured: Measured
) -> float | None:
    """The seconds of somebody else; None if there are none."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=cargo.folder.parent) as name:
        try:
            async with asyncio.timeout(limit(cargo)):
                seconds = await peer.carry(cargo, network, Path(name))
        except (NotHereError, TimeoutError, RuntimeError) as error:
            measured.show(f"{title}: {peer.what}: {reason(error, cargo)}", None, "")
            return None
    measured.show(told(title, peer.what, cargo, seconds, load), seconds, "s")
    return seconds


def limit(cargo: Cargo) -> float:
    """Seconds after which somebody is given up."""
    return 60 + cargo.size / 5e6 + len(cargo.files) / 10


def reason(error: Exception, cargo: Cargo) -> str:
    """Why there is no figure."""
    if isinstance(error, NotHereError):
        return "not here"
    return f"not done in {limit(cargo):.0f} s" if isinstance(error, TimeoutError) else str(error)


def told(title: str, who: str, cargo: Cargo, seconds: float, load: float) -> str:
    """What a row of seconds says beside them."""
    return f"{title}: {who} ({cargo.size / 1e6 / seconds:.0f} MB/s, load {load:.1f})"


async def run(options: argparse.Namespace) -> None:
    """Measure what is asked for."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        # So that all that was started ends, also when whoever waits for this loses patience.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    peers = [peer for peer in PEERS if not options.peer or peer.word in options.peer]
    for workload in WORKLOADS:
        if options.only and workload.name not in options.only:
            continue
        measured = Measured()
        if options.keep:
            measured.suffix = f" ({datetime.datetime.now(datetime.UTC).date()})"
        with tempfile.TemporaryDirectory(prefix="kinlight-transfer-") as name:
            cargo = await asyncio.to_thread(workload.make, Path(name) / "photos", options.scale)
            for network in NETWORKS:
                if not options.network or network.word in options.network:
                    await measure(workload, cargo, network, peers, measured)
        if options.keep:
            measured.keep(f"transfer-{workload.name}")


def apart() -> None:
    """Go on in a network of its own, if that can be had.

    There no port is taken, nobody else's node is met, and whoever offers all of the machine's
    addresses offers loopback.
    """
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None or os.geteuid() != 0:
        return
    inside = [sys.executable, "-m", "benchmarks.transfer", HERE, *sys.argv[1:]]
    first = [unshare, "--net", "sh", "-c", f'{ip} link set lo up && exec "$@"', "sh"]
    os.execv(unshare, [*first, *inside])  # noqa: S606 - the words of our own command line


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=SCALE, help=f"1 is all; default {SCALE}")
    for option, words in (
        ("--only", [workload.name for workload in WORKLOADS]),
        ("--network", [network.word for network in NETWORKS]),
        ("--peer", [peer.word for peer in PEERS]),
    ):
        parser.add_argument(option, action="append", choices=words, help="may be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the figures for the table")
    parser.add_argument(HERE, action="store_true", help="stay in the network of the caller")
    options = parser.parse_args()
    if not options.here:
        wormhole.prepare()  # while there is a network to get it by
        apart()
    try:
        asyncio.run(run(options))
    except asyncio.CancelledError:
        sys.exit("it was ended")


if __name__ == "__main__":
    main()
