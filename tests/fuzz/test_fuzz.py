"""Broken pictures and broken answers: a short run each time, a long one each night."""

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
MARGIN_SECONDS = 90


def fuzz(seconds: int, findings: Path) -> int:
    """Run the target; returns how many inputs it tried."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris: the extra `fuzz`, on Linux")
    shared = Path(os.environ.get("KINLIGHT_SHARED", TARGET.parents[3] / "shared"))
    corpus = shared / "data" / "corpus"
    words = ["--photos", str(corpus)] if corpus.is_dir() else []
    done = subprocess.run(
        [sys.executable, str(TARGET), f"--seconds={seconds}", f"--findings={findings}", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + MARGIN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    assert tried is not None
    return int(tried[1])


def test_twenty_seconds_of_broken_input_raise_nothing_unexpected(tmp_path: Path) -> None:
    assert fuzz(20, tmp_path) > 100


@pytest.mark.nightly
@pytest.mark.timeout(600 + MARGIN_SECONDS + 10)
def test_ten_minutes_of_broken_input_raise_nothing_unexpected(
    tmp_path: Path, record_figure: RecordFigure
) -> None:
    tried = fuzz(600, tmp_path)
    record_figure(f"findings of 10 minutes of fuzzing, {tried:,} broken inputs", 0, "", 0)
