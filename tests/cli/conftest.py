from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..scenario.conftest import household, runtime
from ..scenario.household import Household, Person, together
from ..scenario.pictures import picture

__all__ = ["household", "runtime"]


@pytest.fixture(scope="module")
def neighbours(
    tmp_path_factory: pytest.TempPathFactory, runtime: Path
) -> Iterator[tuple[Person, Person]]:
    """Anna and Bob, paired and running for all tests of a module; each asks before it takes."""
    neighbours = Household(tmp_path_factory.mktemp("homes"), runtime)
    try:
        anna, bob = neighbours.person("Anna"), neighbours.person("Bob")
        together(anna.make, bob.make)
        neighbours.introduce(anna, bob)
        yield anna, bob
    finally:
        neighbours.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo on Anna's disk."""
    return picture(tmp_path_factory.mktemp("pictures") / "beach.jpg", 1)
