from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Photos and vectors too large for the repository: `../shared` or KINLIGHT_SHARED."""
    folder = Path(os.environ.get("KINLIGHT_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(
            f"needs the shared test data, and {folder} is not a folder (see CONTRIBUTING.md)"
        )
    return folder


RecordFigure = Callable[..., None]


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> RecordFigure:
    """`record_figure(what, value, unit, goal)`: a row of docs/benchmarks.md from a nightly test.

    `make nightly` runs these tests first, then benchmarks/run.py puts the rows into the table.
    """
    figures: list[dict[str, object]] = []
    file = ROOT / "benchmarks" / "results" / f"{request.node.name}.json"

    def record(what: str, value: float, unit: str, goal: float | None = None) -> None:
        figures.append({"what": what, "value": value, "unit": unit, "goal": goal})
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(figures), "utf-8")

    return record
