"""A library on another disk: written, checked and restored from the command line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .household import Household
from .pictures import noise


def test_a_home_is_lost_and_comes_back_from_a_file_and_its_pass_phrase(
    household: Household, tmp_path: Path
) -> None:
    anna = household.person("Anna")
    anna.make()
    files = [noise(tmp_path / f"{n}.jpg", size, seed=n) for n, size in enumerate((3_000, 700_000))]
    items = anna.run("import", *files).values
    photos = {str(item["id"]): Path(item["file"]) for item in items}
    backup = tmp_path / "disk" / "anna.backup"
    assert anna.run("backup", backup, code=7).error == "unwritable"
    if sys.platform == "linux":  # nothing is free there, but that is not why
        assert anna.run("backup", "/proc/anna.backup", code=7).error == "unwritable"
    backup.parent.mkdir()
    written = anna.run("backup", backup).value
    assert (written["photos"], written["missing"], written["file"]) == (2, 0, str(backup))
    assert anna.run("backup", backup, code=7).error == "name-taken"
    assert backup.stat().st_mode & 0o777 == 0o600

    checked = ("backup", backup, "--verify")
    found = anna.run(*checked, "--passphrase-file", anna.passphrase_file).value
    assert found == written
    there = anna.run("restore", backup, "--passphrase-file", anna.passphrase_file, code=1)
    assert there.error == "node-exists"

    anna.kill()
    shutil.rmtree(anna.home)
    torn = tmp_path / "torn.backup"
    torn.write_bytes(backup.read_bytes()[:-1])
    secret = ("--passphrase-file", anna.passphrase_file)
    assert anna.run("restore", torn, *secret, code=7).error == "archive-torn"
    assert anna.run("restore", files[0], *secret, code=7).error == "not-an-archive"
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one")
    refused = anna.run("restore", backup, "--passphrase-file", wrong, code=5)
    assert refused.error == "wrong-passphrase"
    made = anna.run("restore", backup, *secret).value
    assert (made["photos"], made["certified_by"]) == (2, "device")
    anna.run("up", *secret)
    (tmp_path / "out").mkdir()
    anna.has_whole(photos, tmp_path / "out")
    assert anna.run("doctor").values == []


def test_a_disk_that_is_too_small_is_named_and_holds_nothing_afterwards(
    household: Household, tmp_path: Path, small_disk: Callable[[Path, int], Path]
) -> None:
    anna = household.person("Anna")
    anna.make()
    anna.run("import", noise(tmp_path / "large.jpg", 6_000_000, seed=1))
    disk = small_disk(tmp_path / "disk", 4)
    assert anna.run("backup", disk / "anna.backup", code=7).error == "disk-full"
    assert list(disk.iterdir()) == []
    anna.run("backup", tmp_path / "anna.backup")
    anew = household.person("Anna", folder="annas-new-machine")
    small_disk(anew.home, 4)
    secret = ("--passphrase-file", anna.passphrase_file)
    assert anew.run("restore", tmp_path / "anna.backup", *secret, code=7).error == "disk-full"
    assert not (anew.home / "keys.bin").exists()
    refused = anew.run("up", "--recovery-words-file", tmp_path / "words", *secret, code=1)
    assert refused.error == "restore-unfinished"
