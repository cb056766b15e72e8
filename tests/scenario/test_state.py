"""Every state that a released version wrote opens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kinlight.node.version import VERSION

from .household import Household, sha256, together
from .pictures import picture

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
STATES = sorted(FIXTURES.glob("state-*"))


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_state_of_an_earlier_version_opens_with_all_that_is_in_it(
    state: Path, household: Household, tmp_path: Path
) -> None:
    shutil.copytree(state, household.folder, dirs_exist_ok=True)
    anna, bob = household.person("Anna"), household.person("Bob")
    together(anna.start, bob.start)
    assert [contact["name"] for contact in anna.run("contacts", "list").values] == ["Bob"]
    stored = [item for item in bob.inbox() if item["state"] == "stored"]
    assert sorted(item["name"] for item in stored) == [f"photo-{n}.jpg" for n in range(3)]
    for item in stored:
        number = int(item["name"][6])
        original = picture(tmp_path / item["name"], number)
        exported = bob.exported(item["id"], tmp_path / "out")
        assert sha256(exported) == item["sha256"] == sha256(original)
    waiting = [item for item in bob.inbox() if item["state"] == "waiting"]
    assert len(waiting) >= 1
    # What later versions know of photos is found out now.
    for person in (anna, bob):
        found = person.until(
            lambda node: node.search("photo"), lambda items: all(item.c2pa for item in items)
        )
        assert len(found) >= 3
        assert {(item.width, item.height) for item in found} == {(64, 64)}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_the_recovery_words_unlock_a_state_of_an_earlier_version(
    state: Path, household: Household
) -> None:
    shutil.copytree(state, household.folder, dirs_exist_ok=True)
    bob = household.person("Bob")
    bob.run("up", "--recovery-words-file", bob.words_file)
    assert bob.run("status").value["locked"] is False


def test_there_is_a_state_of_this_version() -> None:
    assert (FIXTURES / f"state-{VERSION}").is_dir()
