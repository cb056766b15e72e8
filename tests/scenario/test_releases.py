"""The versions that were released pair and share with this one.

They run out of this repository's own history; where that is not here, as in a shallow clone or an
unpacked archive, these tests are skipped.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import ROOT
from .household import Household, is_well, sha256, together
from .pictures import noise, picture

RELEASES = {
    "0.1.0": "761b7d12abd1a0ac6159a79159da49dbf60d1fac",
    "0.2.0": "d864c8c7c98479d706fbc4ddb4cc56083236a118",
}
"""The last commit of each."""
ROOMS = ("crypto", "ml", "node", "protocol")
SEVERAL_PIECES = 3_000_000


def unpacked(commit: str, folder: Path) -> None:
    """Lay out the rooms of a commit as an installed package; skips where there is no history."""
    argv = ["git", "-C", str(ROOT), "archive", "--format=tar", commit, *ROOMS]
    try:
        archive = subprocess.run(argv, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if archive.returncode:
        pytest.skip(f"the history of that version is not here: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder / "kinlight", filter="data")


@pytest.fixture(params=RELEASES)
def earlier(request: pytest.FixtureRequest, tmp_path: Path, runtime: Path) -> Iterator[Household]:
    """A household whose people have an earlier version."""
    version: str = request.param
    site = tmp_path / "site"
    unpacked(RELEASES[version], site)
    about = site / f"kinlight-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: kinlight\nVersion: {version}\n")
    household = Household(tmp_path / "earlier", runtime)
    household.folder.mkdir()
    # What lies on this path is found before what is installed; the checkout itself is not.
    household.env |= {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    try:
        assert household.person("Nobody").run("version").value == {"version": version}
        yield household
    finally:
        household.close()


@pytest.mark.parametrize("host", ["earlier", "this one"])
def test_a_released_version_and_this_one_pair_and_share_both_ways(
    earlier: Household, household: Household, tmp_path: Path, host: str
) -> None:
    anna, bob = household.person("Anna"), earlier.person("Bob")
    together(anna.make, bob.first_start)
    household.introduce(*((bob, anna) if host == "earlier" else (anna, bob)))
    anna.run("contacts", "accept-from", "Bob", "always")
    bob.run("contacts", "accept-from", "Anna", "always")
    for number, (sender, to) in enumerate([(anna, bob), (bob, anna)]):
        small = picture(tmp_path / sender.name / "small.jpg", number)
        large = noise(tmp_path / sender.name / "large.jpg", SEVERAL_PIECES, number)
        items = sender.share([small, large], to)
        assert [item["state"] for item in items] == ["delivered", "delivered"]
        for item, photo in zip(items, [small, large], strict=True):
            exported = to.exported(item["photo_id"], tmp_path / f"to {to.name}")
            assert sha256(exported) == sha256(photo)
    is_well(anna)
    is_well(bob)
