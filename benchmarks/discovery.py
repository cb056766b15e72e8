"""Seconds until two hosts on one cable have discovered each other; prints a JSON object.

    python -m benchmarks.discovery [--runs 10]

Counted from the start of the later process, so Python's own start is included, to the moment when
both know each other. Fresh network namespaces for each run; needs Linux, root and `ip`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.network.conftest import hosts, why_no_namespaces

PEER = Path(__file__).parents[1] / "tests" / "network" / "discovery_peer.py"


def until_seen(process: subprocess.Popen[str]) -> float:
    """The moment when the process reports that it sees somebody."""
    for line in process.stdout or ():
        if json.loads(line)["kind"] == "seen":
            return time.monotonic()
    raise RuntimeError("the process ended and saw nobody")


def one_run(head_start: float) -> float:
    """Seconds from the start of the second process until both have seen each other."""
    argv = [sys.executable, str(PEER), "--interval", "2"]
    with hosts() as pair:
        first = pair.popen("a", argv)
        next(iter(first.stdout or ()))  # it says that it has started
        time.sleep(head_start)
        started = time.monotonic()
        second = pair.popen("b", argv)
        return max(until_seen(second), until_seen(first)) - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs: int = parser.parse_args().runs
    reason = why_no_namespaces()
    if reason is not None:
        sys.exit(reason)
    # Head starts from 0 to 3 s: a responder answers later what it has said within the last second.
    seconds = [one_run(3 * run / max(runs - 1, 1)) for run in range(runs)]
    result = {
        "name": "discovery_seconds",
        "runs": runs,
        "median": round(statistics.median(seconds), 3),
        "max": round(max(seconds), 3),
        "goal": 3.0,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
