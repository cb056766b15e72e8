from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import in_memory, own_network

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--own-network",
        action="store_true",
        help="with -n auto: each worker has a network of its own; one after the other without that",
    )
    parser.addoption(
        "--in-memory",
        action="store_true",
        help="write temporary files to memory where there is room for them: no disk is waited for",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Half as many again as there are cores: the tests wait for disks and links in between."""
    if config.getoption("own_network") and (reason := own_network.why_not()):
        print(f"The tests run one after the other: {reason}", file=sys.stderr)
        return 0
    return max(1, 3 * (os.cpu_count() or 1) // 2)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("in_memory") and in_memory.has_room():
        # What pytest and `tempfile` make, and each process that is started here.
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(in_memory.FOLDER)
    if config.getoption("own_network") and hasattr(config, "workerinput"):
        own_network.move_in()


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
