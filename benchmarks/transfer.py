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
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.comparison import Comparison
from benchmarks.figures import Figure
from benchmarks.networks import LOOPBACK, SLOW
from benchmarks.peers import wormhole
from benchmarks.peers.everybody import PEERS
from benchmarks.running import ROOT
from benchmarks.workloads import WORKLOADS

RESULTS: Final = ROOT / "benchmarks" / "results"
SCALE: Final = 0.25
"""What a night has time for."""
NETWORKS: Final = (LOOPBACK, SLOW)
HERE: Final = "--here"


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
        figures: list[Figure] = []
        with tempfile.TemporaryDirectory(prefix="kinlight-transfer-") as name:
            cargo = await asyncio.to_thread(workload.make, Path(name) / "photos", options.scale)
            for network in NETWORKS:
                if options.network and network.word not in options.network:
                    continue
                comparison = Comparison(workload, cargo, network, peers)
                await comparison.measure()
                for figure in comparison.figures():
                    figure.show()
                    figures.append(figure)
                if options.keep:
                    keep(f"transfer-{workload.name}", figures)


def keep(name: str, figures: list[Figure]) -> None:
    """Leave figures where the nightly tests leave theirs, with the day."""
    RESULTS.mkdir(exist_ok=True)
    day = f" ({datetime.datetime.now(datetime.UTC).date()})"
    kept = [dataclasses.asdict(figure) | {"what": figure.what + day} for figure in figures]
    (RESULTS / f"{name}.json").write_text(json.dumps(kept), "utf-8")


def apart() -> None:
    """Go on in a network of its own, if that can be had.

    There no port is taken, nobody else's node is met, and whoever offers all of the machine's
    addresses offers loopback.
    """
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        return
    first = [unshare, "--net", "sh", "-c", f'{ip} link set lo up && exec "$@"', "sh"]
    if subprocess.run([*first, "true"], check=False, capture_output=True).returncode == 0:
        again = [sys.executable, "-m", "benchmarks.transfer", HERE, *sys.argv[1:]]
        os.execv(unshare, [*first, *again])  # noqa: S606 - the words of our own command line


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
        if not options.peer or "wormhole" in options.peer:
            wormhole.prepare()  # while there is a network to get it by
        apart()
    try:
        asyncio.run(run(options))
    except asyncio.CancelledError:
        sys.exit("it was ended")


if __name__ == "__main__":
    main()
