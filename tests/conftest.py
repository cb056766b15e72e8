from __future__ import annotations

import os
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
