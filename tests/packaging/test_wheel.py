"""What is built is whole, and it works away from the checkout on every Python that is here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ["crypto", "ml", "node", "protocol"]
VERSIONS = ["3.11", "3.12", "3.13"]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command as a stranger's shell would, and return what it wrote to stdout."""
    ours = ("KINLIGHT_", "PYTHON", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command[0]} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    build = (sys.executable, "-m", "build", "--no-isolation")  # what builds is here
    run(*build, "--outdir", folder, ROOT, cwd=folder)
    return folder


def files_of_the_rooms() -> set[str]:
    python = {path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    data = {ROOT / room / "py.typed" for room in ROOMS} | {ROOT / "crypto" / "words.txt"}
    data |= {path for name in ("manifests", "weights") for path in (ROOT / "ml" / name).glob("*")}
    data |= {path for path in (ROOT / "node" / "web").rglob("*") if path.is_file()}
    return {path.relative_to(ROOT).as_posix() for path in python | data}


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {f"kinlight/{name}" for name in files_of_the_rooms()}


def test_the_source_archive_holds_every_file_of_the_rooms(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files_of_the_rooms() <= names


def pythons(version: str) -> Iterator[Path]:
    """Where a Python of this version may be: on the path, or among pyenv's."""
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    if pyenv := shutil.which("pyenv"):
        root = Path(run(pyenv, "root", cwd=ROOT).strip())
        yield from (root / "versions").glob(f"{version}.*/{SCRIPTS}/python")


def can_make_environments(python: Path) -> bool:
    # A shim on the path may stand for a version that is not chosen, and a
    # distribution's Python may lack ensurepip.
    probe = [python, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def environments(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Path]]]:
    """The folder of the commands of each version, once the wheel is installed there. They are made
    at the same time, as each waits for the network and the disk.
    """
    wheel = next(built.glob("*.whl"))

    def make(python: Path) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        run(python, "-m", "venv", folder, cwd=folder)
        # Python compiles what the demo imports: the rest is most of what pip would compile.
        pip = (folder / SCRIPTS / "python", "-m", "pip", "install", "--quiet", "--no-compile")
        run(*pip, wheel, cwd=folder)
        return folder / SCRIPTS

    with ThreadPoolExecutor() as threads:
        found = {
            version: next(filter(can_make_environments, pythons(version)), None)
            for version in VERSIONS
        }
        yield {
            version: threads.submit(make, python)
            for version, python in found.items()
            if python is not None
        }


@pytest.mark.wheel
@pytest.mark.timeout(900)  # a bare machine downloads all that kinlight needs
@pytest.mark.parametrize("version", VERSIONS)
def test_the_demo_runs_from_the_wheel_in_a_bare_environment(
    version: str, environments: dict[str, Future[Path]], tmp_path: Path
) -> None:
    if version not in environments:
        pytest.skip(f"no Python {version} that can make environments is here")
    kinlight = environments[version].result() / "kinlight"
    photos = ROOT / "examples" / "photos"
    story = run(kinlight, "demo", "--photos", photos, "--json", cwd=tmp_path)
    assert json.loads(story.splitlines()[-1])["ok"] is True
