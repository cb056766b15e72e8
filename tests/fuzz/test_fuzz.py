"""Broken pictures and broken answers: always the same each time, many new ones each night.

A run with a new seed could fail a change that has nothing to do with what it found.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import RecordFigure

TARGET = Path(__file__).with_name("fuzz_decode.py")
ROOT = TARGET.parents[2]
MARGIN_SECONDS = 90
MARK = "the input, in base 64:"
RUNS = 3000
"""About ten seconds."""


def fuzz(findings: Path, *until: str, seconds: int) -> int:
    """Run the target; returns how many inputs it tried."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris: the extra `fuzz`, on Linux")
    shared = Path(os.environ.get("KINLIGHT_SHARED", TARGET.parents[3] / "shared"))
    corpus = shared / "data" / "corpus"
    words = ["--photos", str(corpus)] if corpus.is_dir() else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzz_decode", *until, f"--findings={findings}", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + MARGIN_SECONDS,
        check=False,
    )
    if done.returncode:
        seed = re.search(r"INFO: Seed: \d+", done.stdout)
        # All of it from the finding on: its input may be 64 KB, and the machine gone tomorrow.
        _, mark, finding = done.stdout.partition(MARK)
        pytest.fail(f"{seed and seed[0]}\n{mark}{finding or done.stdout[-8000:]}", pytrace=False)
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    assert tried is not None
    return int(tried[1])


@pytest.mark.timeout(RUNS // 20 + MARGIN_SECONDS + 10)
def test_the_same_broken_inputs_each_time_raise_nothing_unexpected(tmp_path: Path) -> None:
    assert fuzz(tmp_path, f"--runs={RUNS}", "--seed=1", seconds=RUNS // 20) >= RUNS


@pytest.mark.nightly
@pytest.mark.timeout(600 + MARGIN_SECONDS + 10)
def test_ten_minutes_of_broken_input_raise_nothing_unexpected(
    tmp_path: Path, record_figure: RecordFigure
) -> None:
    tried = fuzz(tmp_path, "--seconds=600", seconds=600)
    assert tried > RUNS
    record_figure(f"findings of 10 minutes of fuzzing, {tried:,} broken inputs", 0, "", 0)
