"""Measure everything and print it, a JSON object a line.

    python benchmarks/run.py [--write]

Every measurement is a process of its own with a time limit. Transfers have three quarters of an
hour, the others together take about two minutes. `--write` also rewrites the table in
docs/benchmarks.md. What the nightly tests measured, or benchmarks/transfer.py by hand, lies in
benchmarks/results/*.json, in the same form, and comes along.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "benchmarks.md"
RESULTS: Final = ROOT / "benchmarks" / "results"
BEGIN: Final = "<!-- figures: written by benchmarks/run.py -->"
END: Final = "<!-- end of figures -->"

MEASUREMENTS: Final = (
    ("memory", "alone"),
    ("memory", "libp2p"),
    ("start",),
    ("discovery", "--runs", "5"),
    ("pictures", "preview"),
    ("pictures", "inspect"),
    ("pictures", "faces"),
    ("importing",),
    ("sealing",),
    ("capability",),
    ("albums",),
    ("album_joining",),
    ("holding", "1000"),
    ("pairings",),
    ("links",),
    ("transfer",),
)
LIMIT_SECONDS: Final = 60
LIMITS: Final = {
    "albums": 5 * 60,
    "album_joining": 5 * 60,
    "links": 5 * 60,
    "pairings": 5 * 60,
    "transfer": 45 * 60,
}
"""Seconds of those that take longer."""
END_SECONDS: Final = 30
"""In which a measurement that is given up ends what it started."""

Figure = dict[str, Any]
"""The fields of `benchmarks.figures.Figure`."""


def measure(module: str, *arguments: str) -> Iterator[Figure]:
    """The figures that one module prints; a figure without a value says why it has none."""
    words = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    limit = LIMITS.get(module, LIMIT_SECONDS)
    begun = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        ends = [
            threading.Timer(limit, process.terminate),
            threading.Timer(limit + END_SECONDS, process.kill),
        ]
        for end in ends:
            end.start()
        try:
            for line in process.stdout or ():
                yield as_figure(json.loads(line))
            failed = process.wait() != 0
        finally:
            for end in ends:
                end.cancel()
        if failed and time.monotonic() - begun >= limit:
            yield missing(module, f"not done in {limit} s")
        elif failed:
            said.seek(0)
            lines = said.read().strip().splitlines()
            yield missing(module, lines[-1] if lines else "it failed")


def missing(what: str, reason: str) -> Figure:
    """What stands for figures that could not be had."""
    return {"what": f"{what}: {reason}", "value": None, "unit": "", "goal": None}


def as_figure(found: Figure) -> Figure:
    """`discovery` prints a summary of its own."""
    if found.get("name") != "discovery_seconds":
        return found
    what = f"two hosts on one cable discover each other, slowest of {found['runs']}"
    return {"what": what, "value": found["max"], "unit": "s", "goal": found["goal"]}


def nightly() -> list[Figure]:
    """What the nightly tests left: a figure or a list of them in each file."""
    figures: list[Figure] = []
    for file in sorted(RESULTS.glob("*.json")):
        found = json.loads(file.read_text("utf-8"))
        figures += found if isinstance(found, list) else [found]
    return figures


def table(figures: list[Figure], load: float) -> str:
    """The generated part of the page."""
    today = datetime.datetime.now(datetime.UTC).date()
    machine = f"{os.cpu_count()} cores ({processor()}), {platform.system()} {platform.machine()}"
    lines = [
        f"{today}: {machine}, Python {platform.python_version()}; load before the run {load:.1f}.",
        "",
        "| what | figure | goal | met |",
        "| --- | ---: | ---: | --- |",
    ]
    for figure in figures:
        value, unit, goal = figure["value"], figure["unit"], figure["goal"]
        shown = "-" if value is None else f"{amount(value)} {unit}"
        wanted = "" if goal is None else f"≤ {amount(goal)} {unit}"
        met = "" if goal is None or value is None else "yes" if value <= goal else "**no**"
        lines.append(f"| {figure['what']} | {shown} | {wanted} | {met} |")
    return "\n".join(lines)


def amount(value: float) -> str:
    """Three digits that count."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}".removesuffix(".00").removesuffix(".0")


def processor() -> str:
    """The processor's name, where the system tells."""
    try:
        facts = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in facts.splitlines() if "model name" in line]
    return names[0] if names else "unknown"


def write(generated: str) -> None:
    """Put the table between its marks."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}", "utf-8")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="rewrite docs/benchmarks.md")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    figures: list[Figure] = []
    for module, *arguments in MEASUREMENTS:
        for figure in measure(module, *arguments):
            print(json.dumps(figure), flush=True)
            figures.append(figure)
    for figure in nightly():
        print(json.dumps(figure), flush=True)
        figures.append(figure)
    if options.write:
        write(table(figures, load))


if __name__ == "__main__":
    main()
