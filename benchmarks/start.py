"""How long the command line takes to start, and the demo to tell its story."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure

KINLIGHT = str(Path(sys.executable).with_name("kinlight"))
RUNS = 10


def seconds_of(*words: str) -> float:
    """Seconds that a command takes."""
    begun = time.perf_counter()
    subprocess.run([KINLIGHT, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    seconds_of("--help")  # the first one may have to compile
    with tempfile.TemporaryDirectory() as home:
        os.environ["KINLIGHT_HOME"] = home
        median = statistics.median(seconds_of("--help") for _ in range(RUNS))
        Figure(f"`kinlight --help`, median of {RUNS}", median, "s", 0.4).show()
        begun = time.perf_counter()
        told = subprocess.run(
            [KINLIGHT, "demo", "--json"], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - begun
    found = json.loads(told.stdout.splitlines()[-1])["discovery"]
    Figure(f"`kinlight demo`, found by {found}", seconds, "s", 30).show()


if __name__ == "__main__":
    main()
