"""The first start, locking and unlocking, starting and ending."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from ..scenario.household import Household, Person


@pytest.fixture
def anna(household: Household) -> Person:
    """Somebody without a node, whose commands start as they do for people."""
    household.forked = False
    return household.person("Anna")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Iterator[Person]:
    """Somebody with a node whose daemon has ended."""
    household = Household(tmp_path_factory.mktemp("made"), runtime)
    try:
        anna = household.newcomer("Anna")
        anna.stop()
        yield anna
    finally:
        household.close()


@pytest.fixture
def resting(made: Person, household: Household) -> Person:
    """A copy of that node, still not running."""
    made.household.copy(household.folder)
    return household.person("Anna")


# The first start.


def test_the_first_start_makes_a_node_for_this_user_only(anna: Person) -> None:
    answer = anna.first_start()
    assert answer.value["locked"] is False
    assert answer.value["name"] == "Anna"
    assert str(anna.words_file) in answer.said
    words = anna.words_file.read_text().split()
    assert len(words) == 24
    assert stat.S_IMODE(anna.words_file.stat().st_mode) == 0o600
    for path in (anna.home, *anna.home.rglob("*")):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    assert " ".join(words) not in answer.said


def test_without_a_terminal_the_first_start_needs_a_file_for_the_words(anna: Person) -> None:
    refused = anna.run("up", "--passphrase-file", anna.passphrase_file, code=5)
    assert refused.error == "words-file"
    assert "--recovery-words-file" in refused.message
    assert not anna.home.exists()


def test_without_a_terminal_the_first_start_needs_a_pass_phrase(anna: Person) -> None:
    refused = anna.run("up", "--recovery-words-file", anna.words_file, code=5)
    assert refused.error == "passphrase-needed"
    assert not anna.home.exists()
    assert not anna.words_file.exists()


def test_recovery_words_never_replace_a_file(anna: Person) -> None:
    anna.words_file.write_text("the words of another node\n")
    refused = anna.run(
        "up", "--passphrase-file", anna.passphrase_file, "--recovery-words-file", anna.words_file,
        code=5,
    )  # fmt: skip
    assert refused.error == "words-file"
    assert anna.words_file.read_text() == "the words of another node\n"
    assert not (anna.home / "keys.bin").exists()


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\r\n", b"x" * 5000])
def test_a_pass_phrase_file_that_cannot_be_used_is_named_before_anything_is_made(
    anna: Person, content: bytes | None
) -> None:
    if content is None:
        anna.passphrase_file.unlink()
    else:
        anna.passphrase_file.write_bytes(content)
    refused = anna.run(
        "up", "--passphrase-file", anna.passphrase_file, "--recovery-words-file", anna.words_file,
        code=5,
    )  # fmt: skip
    assert refused.error == "passphrase-file"
    assert not anna.home.exists()
    assert not anna.words_file.exists()


def test_a_home_that_is_a_file_is_refused_and_left_alone(anna: Person) -> None:
    anna.home.write_text("a file")
    refused = anna.run(
        "up", "--passphrase-file", anna.passphrase_file, "--recovery-words-file", anna.words_file,
        code=7,
    )  # fmt: skip
    assert refused.error == "home-unusable"
    assert anna.home.read_text() == "a file"
    assert not anna.words_file.exists()


def test_only_a_first_start_makes_a_node(anna: Person) -> None:
    for words in (("status",), ("lock",), ("id",), ("down",), ("unlock",), ("pair",)):
        assert anna.run(*words, code=4).error == "not-running"
    assert not anna.home.exists()


# Unlocking.


def test_the_line_end_of_a_pass_phrase_file_does_not_matter(resting: Person) -> None:
    resting.start("--locked")
    for content in (resting.passphrase, resting.passphrase + "\r\n"):
        resting.passphrase_file.write_bytes(content.encode())
        resting.run("unlock", "--passphrase-file", resting.passphrase_file)
        resting.run("lock")


def test_the_environment_can_name_the_pass_phrase_file(resting: Person) -> None:
    started = resting.run("up", env={"KINLIGHT_PASSPHRASE_FILE": str(resting.passphrase_file)})
    assert started.value["locked"] is False


def test_a_locked_node_answers_status_and_unlock_only(resting: Person) -> None:
    status = resting.run("up", "--locked").value
    assert status["locked"] is True
    assert (status["name"], status["port"], status["connections"]) == (None, None, [])
    for words in (
        ("id",),
        ("inbox",),
        ("inbox", "accept", "ffff"),
        ("inbox", "decline", "ffff"),
        ("contacts", "list"),
        ("contacts", "block", "Bob"),
        ("contacts", "verify", "Bob", "--yes"),
        ("pair",),
        ("pair", "7-acid-acorn"),
        ("share", resting.words_file, "--with", "Bob", "--metadata", "original"),
        ("show", "ffff"),
        ("export", "ffff", "somewhere"),
    ):
        assert resting.run(*words, code=5).error == "locked", words
    assert resting.run("status").value["locked"] is True
    resting.run("unlock", "--passphrase-file", resting.passphrase_file)
    assert resting.run("id").value["name"] == "Anna"


def test_up_without_a_pass_phrase_starts_locked_and_says_so(resting: Person) -> None:
    assert resting.run("up").value["locked"] is True
    assert resting.run("unlock", code=5).error == "passphrase-needed"


def test_lock_forgets_the_keys_and_the_daemon_stays(resting: Person) -> None:
    pid = resting.start().value["pid"]
    assert resting.run("lock").value == {"ok": True}
    assert resting.run("id", code=5).error == "locked"
    status = resting.run("status").value
    assert (status["locked"], status["pid"]) == (True, pid)
    assert resting.run("unlock", "--passphrase-file", resting.passphrase_file).value == {"ok": True}
    assert resting.run("id").value["name"] == "Anna"


def test_the_recovery_words_unlock(resting: Person) -> None:
    assert resting.run("up", "--recovery-words-file", resting.words_file).value["locked"] is False
    resting.run("lock")
    resting.words_file.write_text(resting.words_file.read_text().upper().replace(" ", "\n"))
    assert resting.run("unlock", "--recovery-words-file", resting.words_file).value == {"ok": True}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("abandon " * 23 + "art", "wrong-words"),  # sound words, of another node
        ("abandon " * 24, "wrong-words"),
        ("abandon " * 23 + "kinlight", "wrong-words"),
        ("", "wrong-words"),
        (None, "words-file"),
    ],
)
def test_words_that_do_not_fit_unlock_nothing(
    resting: Person, text: str | None, error: str
) -> None:
    resting.run("up", "--locked")
    other = resting.words_file.with_name("other.words")
    if text is not None:
        other.write_text(text)
    assert resting.run("unlock", "--recovery-words-file", other, code=5).error == error
    assert resting.run("status").value["locked"] is True


def test_a_wrong_pass_phrase_unlocks_nothing_and_leaves_no_daemon_behind(resting: Person) -> None:
    other = resting.home.with_name("other.passphrase")
    other.write_text("not the one\n")
    refused = resting.run("up", "--passphrase-file", other, code=5)
    assert refused.error == "wrong-passphrase"
    assert resting.run("status", code=4).error == "not-running"
    with FileLock(resting.home / "daemon.lock", timeout=0):
        pass


def test_a_wrong_pass_phrase_leaves_a_daemon_alone_that_ran_before(resting: Person) -> None:
    other = resting.home.with_name("other.passphrase")
    other.write_text("not the one\n")
    pid = resting.run("up", "--locked").value["pid"]
    for words in ("up", "unlock"):
        refused = resting.run(words, "--passphrase-file", other, code=5)
        assert refused.error == "wrong-passphrase"
    status = resting.run("status").value
    assert (status["locked"], status["pid"]) == (True, pid)
    assert resting.run("unlock", "--passphrase-file", resting.passphrase_file).value == {"ok": True}


# Starting and ending.


def test_down_ends_the_daemon_and_leaves_nothing_of_it(resting: Person) -> None:
    pid = resting.run("up", "--locked").value["pid"]
    socket = Path(json.loads((resting.home / "api.json").read_text())["socket"])
    assert socket.is_relative_to(resting.household.env["XDG_RUNTIME_DIR"])
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert resting.run("down").value == {"ok": True}
    assert not (resting.home / "api.json").exists()
    assert not socket.exists()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert resting.run("down", code=4).error == "not-running"
    assert resting.run("status", code=4).error == "not-running"


def test_a_daemon_that_was_killed_is_not_running_and_starts_again(resting: Person) -> None:
    resting.run("up", "--locked")
    resting.kill()
    assert (resting.home / "api.json").exists()
    assert resting.run("status", code=4).error == "not-running"
    assert resting.start().value["locked"] is False


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_daemon_properly(resting: Person, number: signal.Signals) -> None:
    resting.run("up", "--locked")
    os.kill(resting.pid, number)
    resting.wait_until_ended()
    assert not (resting.home / "api.json").exists()


def test_two_daemons_never_share_a_home(resting: Person) -> None:
    resting.run("up", "--locked")
    assert resting.run("up", "--foreground", "--locked", code=1).error == "already-running"
    assert resting.run("status").value["locked"] is True


def test_a_home_that_another_process_holds_is_said_to_be_in_use(resting: Person) -> None:
    with FileLock(resting.home / "daemon.lock"):
        assert resting.run("up", "--locked", code=1).error == "already-running"


def test_settings_that_make_no_sense_are_named(resting: Person) -> None:
    (resting.home / "config.toml").write_text("[network]\nport = 99999\n")
    refused = resting.run("up", "--passphrase-file", resting.passphrase_file, code=1)
    assert refused.error == "bad-config"
    assert "port" in refused.message
    assert resting.run("status", code=4).error == "not-running"
    (resting.home / "config.toml").write_text("[network]\nport = 0\n")
    assert resting.start().value["locked"] is False


OLDER = """
from kinlight.node import version
version.VERSION = "0.0.1"
from kinlight.node.cli import main
main()
"""


def test_after_an_update_the_daemon_of_the_version_before_is_named_and_can_be_ended(
    resting: Person,
) -> None:
    older = resting.popen("up", "--foreground", "--locked", program=(sys.executable, "-c", OLDER))
    assert older.stdout is not None
    while not (resting.home / "api.json").exists():
        assert older.poll() is None, older.communicate()
        time.sleep(0.05)  # there is no event for a file of another process
    for words in (("status",), ("contacts", "list"), ("up", "--locked")):
        refused = resting.run(*words, code=1)
        assert refused.error == "already-running"
        assert "version 0.0.1" in refused.message
        assert "`kinlight down`" in refused.message
    resting.run("down")
    assert older.wait() == 0
    resting.run("up", "--locked")
