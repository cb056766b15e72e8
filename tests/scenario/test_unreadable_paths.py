"""Paths that the person who types them may not read."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import Couple
from .household import together
from .pictures import picture


def test_a_path_that_can_not_be_read_is_named_and_the_others_go(
    couple: Couple, tmp_path: Path
) -> None:
    if sys.platform != "linux" or shutil.which("setpriv") is None:
        pytest.skip("files that root can't read need setpriv")
    household = couple[0].household
    household.forked = False
    plain = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    anna, bob = household.person("Anna", inside=plain), couple[1]
    good, closed, folder = tmp_path / "good.jpg", tmp_path / "closed.jpg", tmp_path / "closed"
    for path in (good, closed):
        picture(path, 1 if path == good else 2)
    folder.mkdir()
    closed.chmod(0)
    folder.chmod(0)
    missing = tmp_path / "missing.jpg"
    try:
        together(anna.start, bob.start)
        anna.until(lambda node: node.contacts(), lambda found: found[0].connected)
        items = anna.share([closed, folder, missing, good], bob, code=1)
        imported = anna.run("import", closed, good, code=1).values
        looked = anna.run("inspect", closed, good, code=1).values
    finally:
        folder.chmod(0o700)
    states = {Path(item["file"]).name: (item["state"], item["code"]) for item in items}
    assert states == {
        "closed.jpg": ("failed", "unreadable"),
        "closed": ("failed", "unreadable"),
        "missing.jpg": ("failed", "unreadable"),
        "good.jpg": ("delivered", None),
    }
    assert {item["name"]: item["state"] for item in imported} == {
        "closed.jpg": "failed",
        "good.jpg": "unchanged",
    }
    assert len(looked) == 2
