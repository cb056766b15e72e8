from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from .household import Household, Person, together

Couple = tuple[Person, Person]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runtime folder with a path short enough for Unix sockets."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def paired(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Household]:
    """Anna and Bob, paired, their daemons ended: copied by `couple`, never started itself.

    Bob takes what Anna sends without being asked; Anna is asked about Bob.
    """
    household = Household(tmp_path_factory.mktemp("paired"), runtime)
    try:
        anna, bob = household.person("Anna"), household.person("Bob")
        together(anna.make, bob.make)
        household.introduce(anna, bob)
        bob.run("contacts", "accept-from", "Anna", "always")
        together(anna.stop, bob.stop)
        yield household
    finally:
        household.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path, int], Path]]:
    """`small_disk(folder, megabytes)` gives a folder a file system of its own, of that size.

    Ask for it before `household`: the disk must outlast the daemons that use it.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small file system needs Linux and root")
    mounted: list[Path] = []

    def mount(folder: Path, megabytes: int) -> Path:
        folder.mkdir(parents=True)
        size = f"size={megabytes}m,mode=700"
        argv = ["mount", "-t", "tmpfs", "-o", size, "kinlight-test", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"tmpfs can't be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    assert tmp_path.is_dir()
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def household(
    tmp_path: Path, runtime: Path, request: pytest.FixtureRequest
) -> Generator[Household]:
    """An empty household; whatever is started in it ends with the test.

    At night everything starts as it does for people.
    """
    household = Household(tmp_path / "household", runtime)
    household.folder.mkdir(exist_ok=True)
    household.forked = request.node.get_closest_marker("nightly") is None
    try:
        yield household
    finally:
        household.close()


@pytest.fixture
def couple(household: Household, paired: Household) -> Couple:
    """Anna and Bob, paired, not running."""
    paired.copy(household.folder)
    return household.person("Anna"), household.person("Bob")


@pytest.fixture
def running(couple: Couple) -> Couple:
    """Anna and Bob, paired and running."""
    together(*(person.start for person in couple))
    return couple


@pytest.fixture(scope="module")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, runtime: Path, paired: Household
) -> Iterator[Couple]:
    """Anna and Bob, paired and running for all tests of a module.

    Copies of one identity must not meet: a module uses either this or `couple`.
    """
    household = Household(tmp_path_factory.mktemp("lasting"), runtime)
    try:
        paired.copy(household.folder)
        anna, bob = household.person("Anna"), household.person("Bob")
        together(anna.start, bob.start)
        yield anna, bob
    finally:
        household.close()
