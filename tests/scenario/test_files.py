"""Files that can't be shared and folders that can't be written to."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from .conftest import Couple
from .household import Household, is_well, together
from .pictures import picture

# Files that are shared, folders that are written to.


def test_what_can_not_be_read_fails_with_its_name_and_the_rest_is_shared(
    lasting: Couple, tmp_path: Path
) -> None:
    anna, bob = lasting
    good = picture(tmp_path / "good.jpg", 1)
    bad = [tmp_path / "missing.jpg", tmp_path / "pipe.jpg", tmp_path / "loop.jpg"]
    os.mkfifo(bad[1])
    bad[2].symlink_to(bad[2])
    if sys.platform == "linux":
        bad.append(Path("/proc/self/mem"))  # opens, and fails when it is read
    if os.geteuid() != 0:
        bad.append(picture(tmp_path / "forbidden.jpg", 2))
        bad[-1].chmod(0)
    *failed, sent = anna.share([*bad, good], bob, code=1)
    assert sent["state"] == "delivered"
    for path, item in zip(bad, failed, strict=True):
        assert (item["state"], item["code"]) == ("failed", "unreadable"), path
        assert item["file"] == str(path)
        assert "can't be read" in item["message"]
    assert len(bob.inbox()) == 1
    is_well(anna)


def test_a_folder_that_can_not_be_written_to_gets_nothing(lasting: Couple, tmp_path: Path) -> None:
    anna, bob = lasting
    (item,) = anna.share([picture(tmp_path / "a.jpg", 1)], bob)
    (tmp_path / "file").write_text("not a folder")
    places = [tmp_path / "file", tmp_path / "file" / "below"]
    if sys.platform == "linux":
        places.append(Path("/proc/kinlight"))
    if os.geteuid() != 0:
        places.append(tmp_path / "closed")
        places[-1].mkdir(mode=0o500)
    for place in places:
        refused = bob.run("export", item["photo_id"], place, code=7)
        assert refused.error == "unwritable", place
        assert "nothing was written" in refused.message
        if places.index(place) < 2:
            assert "file is a file, not a folder" in refused.message
    assert (tmp_path / "file").read_text() == "not a folder"
    is_well(bob)


def test_what_the_log_says_is_codes_and_places_only(lasting: Couple, tmp_path: Path) -> None:
    anna, bob = lasting
    anna.share([picture(tmp_path / "a.jpg", 1), tmp_path / "missing.jpg"], bob, code=1)
    for person in lasting:
        for line in person.log().splitlines():
            assert re.match(r"\d{4}-\d\d-\d\d [\d:,]+ (INFO|WARNING) kinlight\.", line), line


def test_a_household_of_strangers_shares_nothing(household: Household, tmp_path: Path) -> None:
    carol, dave = household.person("Carol"), household.person("Dave")
    together(carol.make, dave.make)
    refused = carol.run(
        "share", picture(tmp_path / "a.jpg", 1), "--with", "Dave", "--metadata", "original", code=6
    )
    assert refused.error == "no-such-contact"
    assert carol.run("contacts", "list").values == []
    assert carol.inbox() == []
