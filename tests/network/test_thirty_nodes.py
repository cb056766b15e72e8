"""Look-ups among thirty nodes, of which a fifth are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import RecordFigure

ROOT = Path(__file__).parents[2]


@pytest.mark.nightly
@pytest.mark.timeout(1200)  # thirty processes begin one after the other
def test_of_thirty_nodes_a_fifth_are_killed_and_the_others_are_found(
    record_figure: RecordFigure,
) -> None:
    argv = [sys.executable, "-m", "benchmarks.lookups"]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True, timeout=1200)
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(figures) == 6
    for each in figures:
        record_figure(each["what"], each["value"], each["unit"], each["goal"])
    failed = [each for each in figures if each["goal"] is not None]
    assert len(failed) == 2
    assert all(each["value"] <= each["goal"] for each in failed)
