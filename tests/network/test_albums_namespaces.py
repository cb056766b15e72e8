"""An album on four hosts: one is taken out while its cable is pulled, and comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from ..scenario.household import PATIENCE, Household, Person, is_well, together
from ..scenario.pictures import noise
from ..scenario.test_albums import ALBUM, add, here, let_in, shows
from .links import until_alone, until_linked
from .village import HOSTS, Village, village

pytestmark = pytest.mark.netns
Family = dict[str, Person]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def hosts(_namespaces: None) -> Iterator[Village]:
    with village() as made:
        yield made


@pytest.fixture
def family(hosts: Village, tmp_path: Path, runtime: Path) -> Iterator[Family]:
    """All four keep an album, each with a photo in it: Anna's, Bob an admin."""
    household = Household(tmp_path / "household", runtime)
    household.folder.mkdir()
    try:
        people = {
            name: household.person(name.capitalize(), inside=hosts.inside(name)) for name in HOSTS
        }
        together(*(person.make for person in people.values()))
        for one, other in combinations(people, 2):
            household.introduce(people[one], people[other], at=hosts.address(one))
        anna, bob, carol, dave = people.values()
        anna.ask(lambda node: node.album_create(ALBUM, metadata="original"))
        let_in(anna, bob, role="admin")
        let_in(anna, carol, dave)
        yield people
    finally:
        household.close()


@pytest.mark.timeout(900)
def test_who_was_taken_out_while_away_comes_back_to_nothing(
    hosts: Village, family: Family, tmp_path: Path
) -> None:
    anna, bob, carol, dave = family.values()
    first = [
        add(person, noise(tmp_path / f"{person.name}.jpg", 300_000, seed))[0]
        for seed, person in enumerate(family.values())
    ]
    for person in family.values():
        shows(person, here(*first))

    # Dave is cut off, and knows of nothing: he adds a photo, as is his right.
    hosts.pull("dave")
    until_alone(dave)
    (late,) = add(dave, noise(tmp_path / "late.jpg", 300_000, 9))

    # The others take him out and go on without him.
    bob.ask(lambda node: node.album_remove(ALBUM, "Dave"))
    later = [
        add(person, noise(tmp_path / f"later {person.name}.jpg", 300_000, 10 + seed))[0]
        for seed, person in enumerate((anna, bob, carol))
    ]
    for person in (anna, bob, carol):
        shows(person, here(*first, *later))

    # What he has, as it is, with no node's manners between.
    dave.stop()
    cache = tmp_path / "cache"
    shutil.copytree(dave.home, cache)
    hosts.plug("dave")
    log = anna.ask(lambda node: node.album_log(ALBUM))
    keys = [(entry.hash, act.value) for entry in log for act in entry.acts if act.what == "epoch"]
    for victim in ("anna", "bob", "carol"):
        photos = [
            (photo, family[victim].ask(lambda node, photo=photo: node.get(photo)).content_id)
            for photo in (*first[:3], *later)
        ]
        asked = {
            "home": str(cache), "passphrase": dave.passphrase, "contact": victim.capitalize(),
            "host": hosts.address(victim), "port": family[victim].port,
            "photos": photos, "wraps": keys, "uploads": victim == "anna",
        }  # fmt: skip
        argv = [*hosts.inside("dave"), sys.executable, "-m", "tests.network.old_cache"]
        done = subprocess.run(
            [*argv, json.dumps(asked)], env=dave.household.env, cwd=ROOT, capture_output=True,
            text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        got = json.loads(done.stdout)
        assert (got["wraps"], got["blobs"]) == (["AlbumRefused"], ["unknown-peer"])
        assert not set(got["knows"]) & set(later)
        assert got["member"] is False

    # And as his node does it.
    dave.start()
    until_linked(dave, anna)
    out = shows(dave, lambda found: found.album.state == "removed")
    assert here(*first)(out)
    assert not {photo.id for photo in out.photos} & {*later, late}
    assert dave.ask(lambda node: node.get(late)).own
    for person in (anna, bob, carol):
        found = shows(person, here(*first, *later))
        assert late not in {photo.id for photo in found.photos}
        assert "Dave" not in {member.name for member in found.members}
    for person in family.values():
        is_well(person)
