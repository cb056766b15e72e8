"""What a person at a terminal sees and types."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from kinlight.crypto.recovery import RecoveryWords

from ..node.filmed import film
from ..scenario.household import Household, Person

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are a Unix thing", allow_module_level=True)

from .terminal import Terminal

Neighbours = tuple[Person, Person]
Open = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Generator[Open]:
    """`terminal(person, "pair")` runs a command on a terminal."""
    opened: list[Terminal] = []

    def run(person: Person, *words: str) -> Terminal:
        opened.append(Terminal(person.argv(*words), person.household.env))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


def test_who_ends_a_share_is_told_that_the_node_goes_on(
    neighbours: Neighbours, terminal: Open, photo: Path
) -> None:
    anna, bob = neighbours
    bob.stop()
    try:
        screen = terminal(anna, "share", str(photo), "--with", "Bob", "--metadata", "original")
        screen.until("looking for photos")
        # Nothing tells that it is queued; the command waits ten seconds for Bob.
        assert any(anna.run("grants", "--who", "Bob").values for _ in range(30))
        screen.type("\x03")
        screen.until("The node goes on: what it has queued by now it still delivers.")
        assert screen.end() == 130
    finally:
        bob.start()
    bob.until(lambda node: node.inbox(), lambda items: any(i.sender == "Anna" for i in items))


def test_what_goes_on_by_itself_is_not_said_to_wait_for_anybody(
    neighbours: Neighbours, photo: Path
) -> None:
    anna, _ = neighbours
    told = anna.screen("share", photo, "--with", "Bob", "--no-wait", "--until", "2d")
    assert "waits here, and goes whenever they can be reached" in told


def test_an_empty_library_and_a_question_that_nothing_fits_are_told_apart(
    household: Household, tmp_path: Path
) -> None:
    anna = household.newcomer("Anna")
    assert "The library is empty. `kinlight import`" in anna.screen("search")
    assert anna.screen("search", "moon") == "No photo fits.\n"
    (clip := tmp_path / "walk.mov").write_bytes(film(container="mov"))
    assert anna.screen("import", clip) == "1 imported.\n"


def test_the_first_start_asks_for_a_pass_phrase_twice_and_shows_the_words_once(
    household: Household, terminal: Open
) -> None:
    anna = household.person("Anna")
    screen = terminal(anna, "up", "--name", "Anna")  # a prompt's last space says: echo is off
    screen.until("New pass phrase: ")
    screen.type("first try\n")
    screen.until("Repeat for confirmation: ")
    screen.type("second try\n")
    screen.until("New pass phrase: ")
    screen.type(anna.passphrase + "\n")
    screen.until("Repeat for confirmation: ")
    screen.type(anna.passphrase + "\n")
    screen.until("shown once")
    words = re.findall(r"\d+\. ([a-z]+)", screen.until("Write them on paper"))
    for _ in range(2):
        place = re.search(r"Word (\d+): ", screen.until(r"Word \d+: "))
        assert place is not None
        screen.type(words[int(place[1]) - 1] + "\n")
    screen.until("Unlocked as Anna")
    assert screen.end() == 0
    assert RecoveryWords.parse(" ".join(words))
    assert anna.passphrase not in screen.shown

    anna.run("lock")
    unlock = terminal(anna, "unlock")
    unlock.until("Pass phrase: ")
    unlock.type("wrong\n")
    unlock.until("The pass phrase is wrong")
    assert unlock.end() == 5
    unlock = terminal(anna, "unlock")
    unlock.until("Pass phrase: ")
    unlock.type(anna.passphrase + "\n")
    unlock.until("Unlocked")
    assert unlock.end() == 0
    anna.words_file.write_text(" ".join(words))
    anna.run("lock")
    anna.run("unlock", "--recovery-words-file", anna.words_file)


def test_a_node_from_words_asks_for_them_and_names_a_wrong_one_by_its_place(
    household: Household, terminal: Open
) -> None:
    anna = household.newcomer("Anna")
    words = anna.words_file.read_text().split()
    identity = anna.run("id").value["fingerprint"]
    anna.stop()
    anew = household.person("Anna", folder="anew")
    screen = terminal(anew, "recover", "--name", "Anna")
    screen.until("Word 1: ")
    screen.type(" ".join(words[:10]) + "\n")
    screen.until("Word 11: ")
    screen.type("kinlight\n")
    screen.until("Word 11 is not in the list")
    screen.until("Word 11: ")
    screen.type(" ".join(words[10:]) + "\n")
    for prompt in ("New pass phrase: ", "Repeat for confirmation: "):
        screen.until(prompt)
        screen.type(anew.passphrase + "\n")
    screen.until(identity)
    screen.until("Now pair with who keeps your backup")
    assert screen.end() == 0
    assert "Nothing came back yet" in anew.screen("recover", "--status")


def test_ctrl_c_at_the_pass_phrase_makes_nothing(household: Household, terminal: Open) -> None:
    anna = household.person("Anna")
    screen = terminal(anna, "up")
    screen.until("New pass phrase: ")
    screen.type("\x03")
    assert screen.end() == 130
    assert not anna.home.exists()


def test_a_pairing_code_is_shown_with_its_qr_twin_and_ctrl_c_ends_it(
    neighbours: Neighbours, terminal: Open
) -> None:
    anna, bob = neighbours
    screen = terminal(anna, "pair")
    code = re.search(r"kinlight pair (\d+-[a-z]+-[a-z]+)", screen.until("or scan"))
    assert code is not None
    drawn = screen.until(r"\nkinlight:\S+\n")
    assert sum(drawn.count(block) for block in "█▀▄") > 100
    screen.type("\x03")
    assert screen.end() == 130
    anna.until(lambda node: node.status(), lambda status: not status.locked)
    refused = bob.run("pair", code[1], "--at", f"127.0.0.1:{anna.port}", code=3)
    assert refused.error == "not-pairing"
    assert anna.run("status").value["locked"] is False


def test_both_sides_read_the_same_safety_number_when_they_pair(
    neighbours: Neighbours, terminal: Open
) -> None:
    anna, bob = neighbours
    host = terminal(anna, "pair", "--no-qr")
    code = re.search(r"kinlight pair (\S+)", host.until(r"kinlight pair \S+\n"))
    assert code is not None
    guest = terminal(bob, "pair", code[1], "--at", f"127.0.0.1:{anna.port}")
    numbers: list[list[str]] = []
    for screen, name in ((host, "Bob"), (guest, "Anna")):
        screen.until(f"Paired with {name}")
        numbers.append(re.findall(r"\b\d{5}\b", screen.until("Compare it once")))
        screen.until(f"then `kinlight contacts verify {name}`")
        assert screen.end() == 0
    assert numbers[0] == numbers[1] != []


def test_a_watched_status_is_drawn_again_as_it_changes_until_ctrl_c(
    neighbours: Neighbours, terminal: Open
) -> None:
    anna, bob = neighbours
    screen = terminal(anna, "status", "--watch")
    screen.until("Unlocked as Anna")
    screen.until(r"Bob +lan +[0-9.]+:")
    bob.run("lock")
    screen.until("Nobody is connected at the moment")
    bob.run("unlock", "--passphrase-file", bob.passphrase_file)
    screen.until(r"Bob +lan +[0-9.]+:")
    screen.type("\x03")
    assert screen.end() == 130


def test_where_there_is_no_terminal_a_watched_status_tells_what_changed(
    neighbours: Neighbours,
) -> None:
    anna, _ = neighbours
    with subprocess.Popen(
        anna.argv("status", "--watch"), env=anna.household.env, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        lines = iter(watching.stdout.readline, "")
        assert any(line.startswith("Unlocked as Anna") for line in lines)
        anna.run("lock")
        assert any(line == "locked\n" for line in lines)
        anna.run("unlock", "--passphrase-file", anna.passphrase_file)
        assert any(line == "unlocked as Anna\n" for line in lines)
        watching.terminate()


def test_for_scripts_a_watched_status_is_a_line_for_each_change(neighbours: Neighbours) -> None:
    anna, bob = neighbours
    with anna.popen("status", "--watch") as watching:
        assert watching.stdout is not None
        states = (json.loads(line) for line in iter(watching.stdout.readline, ""))
        assert next(states) is not None
        bob.run("lock")
        assert any(not state["connections"] for state in states)
        bob.run("unlock", "--passphrase-file", bob.passphrase_file)
        assert any(state["connections"] for state in states)
        watching.terminate()


@pytest.mark.parametrize(("typed", "verified"), [("y\n", True), ("n\n", False)])
def test_verify_shows_the_number_and_asks(
    neighbours: Neighbours, terminal: Open, typed: str, verified: bool
) -> None:
    anna, _ = neighbours
    anna.run("contacts", "verify", "Bob", "--off")
    number = anna.run("contacts", "list").value["safety_number"]
    screen = terminal(anna, "contacts", "verify", "Bob")
    asked = screen.until("Does the other side show the same number\\?")
    assert "".join(re.findall(r"\b\d{5}\b", asked)) == number.replace(" ", "")
    screen.type(typed)
    assert screen.end() == 0
    assert anna.run("contacts", "list").value["verified"] is verified
