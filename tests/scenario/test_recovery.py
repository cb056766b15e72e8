"""The drill: a home is lost, and all comes back from 24 words on paper and what a contact keeps."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from .household import Household, Person, sha256, together
from .pictures import noise
from .test_stalled import wait_for_links

SIZES = (3_000, 300_000, 2_000_000, 9_000_000)


class Drill:
    """Anna backs up at Bob and knows Carol. Bob and Carol don't hold for each other."""

    def __init__(self, household: Household, folder: Path) -> None:
        self.household = household
        self.anna, self.bob, self.carol = map(household.person, ("Anna", "Bob", "Carol"))
        together(self.anna.make, self.bob.make, self.carol.make)
        for one, other in ((self.anna, self.bob), (self.anna, self.carol), (self.bob, self.carol)):
            household.introduce(one, other)
        for person in (self.bob, self.carol):
            person.run("contacts", "accept-from", "Anna", "always")
        files = [
            noise(folder / f"{number}.jpg", size, seed=number) for number, size in enumerate(SIZES)
        ]
        items = self.anna.run("import", *files).values
        self.photos = {str(item["id"]): Path(item["file"]) for item in items}
        self.anna.run("album", "create", "Summer", "--metadata", "original")
        self.anna.run("album", "invite", "Summer", "Carol")
        self.carol.until(lambda node: node.album_list(), bool)
        self.carol.run("album", "join", "Summer")
        shared = self.anna.share(files[:1], self.carol)
        assert [item["state"] for item in shared] == ["delivered"]
        self.bob.run("hold", "--backup", "Anna")
        self.anna.until(lambda node: node.contact("Bob"), lambda found: found.backup == "offered")
        self.anna.run("contacts", "let-hold", "Bob", "--backup")
        status = self.anna.until(
            lambda node: node.status(),
            lambda found: (
                found.readiness is not None and any(each.whole for each in found.readiness.holders)
            ),
        )
        assert status.readiness is not None
        assert status.readiness.holders[0].photos == len(files)
        self.before = self.seen_of_anna()

    def seen_of_anna(self) -> list[object]:
        """All that Bob and Carol see of Anna, but for what is on its way."""
        keys = ("name", "safety_number", "verified", "blocked", "muted", "accept")
        contacts = [
            next(each for each in person.run("contacts", "list").values if each["name"] == "Anna")
            for person in (self.bob, self.carol)
        ]
        return [[contact[key] for key in keys] for contact in contacts]

    def lose(self) -> Person:
        """Anna's disk is gone; what is left is the paper. She sits at a new machine."""
        self.anna.kill()
        shutil.rmtree(self.anna.home)
        anew = self.household.person("Anna", folder="annas-new-machine")
        shutil.copy(self.anna.words_file, anew.words_file)
        return anew

    def recover(self, anew: Person, *options: str) -> dict[str, object]:
        return anew.run(
            "recover", "--recovery-words-file", anew.words_file, "--name", "Anna",
            "--passphrase-file", anew.passphrase_file, *options,
        ).value  # fmt: skip


@pytest.mark.timeout(300)
def test_all_comes_back_from_the_words_and_a_holder_and_nobody_is_warned(
    household: Household, tmp_path: Path
) -> None:
    drill = Drill(household, tmp_path)
    anew = drill.lose()
    assert drill.recover(anew)["state"] == "waiting"
    household.introduce(drill.bob, anew)
    anew.until(lambda node: node.recovery(), lambda found: found.state == "done")
    result = anew.run("recover", "--status").value
    assert (result["photos"], result["contacts"], result["missing"]) == (len(SIZES), 2, [])
    (tmp_path / "out").mkdir()
    anew.has_whole(drill.photos, tmp_path / "out")
    assert {each["name"] for each in anew.run("contacts", "list").values} == {"Bob", "Carol"}

    # Carol is met again without a code: what is known of her is enough, at both ends.
    anew.run("contacts", "reach", "Carol", f"127.0.0.1:{drill.carol.port}")
    wait_for_links(anew, "Bob", "Carol")
    new = noise(tmp_path / "new.jpg", 50_000, seed=99)
    shared = anew.share([new, drill.photos[list(drill.photos)[1]]], drill.carol)
    assert [item["state"] for item in shared] == ["delivered", "delivered"]
    got = {item["sha256"] for item in drill.carol.inbox()}
    assert {sha256(new), sha256(list(drill.photos.values())[1])} <= got
    # The album that she founded goes on at both ends.
    (item,) = anew.run("album", "add", "Summer", new).values
    drill.carol.until(
        lambda node: node.album_show("Summer"),
        lambda album: (
            [each.state for each in album.photos if each.id == item["photo_id"]] == ["here"]
        ),
    )
    drill.carol.run("album", "add", "Summer", noise(tmp_path / "hers.jpg", 40_000, seed=98))
    anew.until(
        lambda node: node.album_show("Summer"),
        lambda album: [each.state for each in album.photos] == ["here", "here"],
    )
    assert drill.seen_of_anna() == drill.before
    assert len(drill.bob.run("contacts", "list").values) == 2


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_it_goes_on_after_a_kill_and_is_no_poorer(household: Household, tmp_path: Path) -> None:
    drill = Drill(household, tmp_path)
    anew = drill.lose()
    drill.recover(anew)
    drill.bob.stop()
    drill.bob.start()
    household.introduce(drill.bob, anew)
    anew.until(lambda node: node.recovery(), lambda found: found.state in ("running", "done"))
    os.kill(anew.pid, signal.SIGKILL)
    anew.wait_until_ended()
    anew.start()
    result = anew.until(lambda node: node.recovery(), lambda found: found.state == "done")
    assert result.photos == len(SIZES)
    (tmp_path / "out").mkdir()
    anew.has_whole(drill.photos, tmp_path / "out")
    assert anew.run("doctor").values == []


def test_a_home_that_is_there_and_words_that_are_wrong_are_refused(household: Household) -> None:
    anna, bob = household.newcomer("Anna"), household.newcomer("Bob")
    words = anna.words_file.read_text().split()
    anew = household.person("Anna", folder="annas-new-machine")
    command = ("recover", "--recovery-words-file", anew.words_file, "--name", "Anna")
    secret = ("--passphrase-file", anew.passphrase_file)

    there = anna.run(
        *command[:2], anna.words_file, "--passphrase-file", anna.passphrase_file, code=1
    )
    assert there.error == "node-exists"
    assert "--again" in there.message

    anew.words_file.write_text("\n".join([*words[:6], "kinlight", *words[7:]]))
    refused = anew.run(*command, *secret, code=5)
    assert refused.error == "words-mistyped"
    assert "word 7 is not in the list" in refused.message
    anew.words_file.write_text(" ".join([words[1], words[0], *words[2:]]))
    refused = anew.run(*command, *secret, code=5)
    assert "checksum is off" in refused.message
    anew.words_file.write_text(" ".join(words[:-1]))
    assert "23 words were given" in anew.run(*command, *secret, code=5).message
    assert not anew.home.exists() or not (anew.home / "keys.bin").exists()

    again = ("recover", "--again", "--recovery-words-file")
    assert anna.run(*again, bob.words_file, code=5).error == "other-words"
    assert anna.run(*again, anna.words_file).value["state"] == "waiting"
    assert anna.run("recover", "--stop").value["state"] == "stopped"
    assert anna.run("recover", "--status", "--stop", code=2).error == "bad-request"
