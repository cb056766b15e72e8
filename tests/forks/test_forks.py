"""A fork of the server is to the test what `subprocess` would have started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kinlight.node.exits import EXIT_INTERRUPTED

from ..scenario.household import KINLIGHT, PATIENCE, Household
from . import client

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are forked on Linux only")


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """Nobody in it has a node."""
    household = Household(tmp_path, tmp_path)
    yield household
    household.close()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A file that is opened for reading once somebody opens it for writing."""
    path = tmp_path / "passphrase"
    os.mkfifo(path)
    return path


@pytest.fixture
def waiting(household: Household, fifo: Path) -> subprocess.Popen[str]:
    """A command that waits for a pass phrase."""
    return household.popen(household.person("Anna").argv("up", "--passphrase-file", fifo))


def test_a_command_ends_as_one_that_was_started(household: Household) -> None:
    for words in (
        ("version", "--json"),
        ("version", "--help"),
        ("nonsense",),
        ("status", "--home", str(household.folder / "none")),
        ("inspect", "--json", __file__),
    ):
        argv = [*KINLIGHT, *words]
        forked = client.run(argv, env=household.env)
        started = client.run(argv, env=household.env, forked=False)
        assert (forked.returncode, forked.stdout, forked.stderr) == (
            started.returncode,
            started.stdout,
            started.stderr,
        )


def test_only_kinlight_in_the_environment_of_the_server_is_forked(household: Household) -> None:
    def forked(argv: tuple[str, ...], **env: str) -> bool:
        process = client.popen([*argv, "version"], env=household.env | env, stdout=subprocess.PIPE)
        process.communicate()
        return isinstance(process, client.Forked)

    assert forked(KINLIGHT)
    assert forked(KINLIGHT, KINLIGHT_HOME="elsewhere")
    assert not forked(KINLIGHT, COLUMNS="40")
    assert not forked((sys.executable, "-c", "pass"))
    assert not forked(("env", *KINLIGHT))


def test_each_command_has_its_own_environment_and_folder(
    household: Household, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (folder := tmp_path / name).mkdir()
        (folder / "phrase").write_text(name)
        env = household.env | {"KINLIGHT_HOME": name, "KINLIGHT_PASSPHRASE_FILE": "phrase"}
        words = ("up", "--name", name, "--recovery-words-file", "words")
        assert client.run([*KINLIGHT, *words], env=env, cwd=folder).returncode == 0
        assert (folder / name / "keys.bin").exists()
        assert (folder / "words").exists()
        client.run([*KINLIGHT, "down"], env=env, cwd=folder).check_returncode()


@pytest.mark.parametrize(("typed", "error"), [("", "passphrase-file"), ("a phrase", "words-file")])
def test_it_reads_the_stdin_that_it_was_given(
    household: Household, tmp_path: Path, typed: str, error: str
) -> None:
    (tmp_path / "typed").write_text(typed)
    argv = household.person("Anna").argv("up", "--json", "--passphrase-file", "/dev/stdin")
    with (tmp_path / "typed").open() as stdin:
        done = client.run(argv, env=household.env, stdin=stdin)
    assert json.loads(done.stdout)["error"]["code"] == error


def test_a_crash_is_told_as_python_tells_it(household: Household) -> None:
    argv = [*KINLIGHT, "version", "--json"]
    told: list[tuple[int, str | None]] = []
    for forked in (True, False):
        with Path("/dev/full").open("w") as full:  # where nothing can be printed
            process = client.popen(
                argv, env=household.env, stdout=full, stderr=subprocess.PIPE, forked=forked
            )
        _, said = process.communicate()
        told.append((process.returncode, said.splitlines()[-1]))
    assert told[0] == told[1]
    assert told[0][0] > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_that_ends_it_is_its_exit_code(
    waiting: subprocess.Popen[str], number: signal.Signals
) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0)
    assert waiting.poll() is None
    waiting.send_signal(number)
    assert waiting.communicate(timeout=PATIENCE) == ("", "")
    assert waiting.returncode == -number
    waiting.kill()  # nothing happens to one that has ended
    assert waiting.wait() == -number


def test_control_c_interrupts_it(waiting: subprocess.Popen[str], fifo: Path) -> None:
    with fifo.open("w"):  # once it reads
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == EXIT_INTERRUPTED


def test_it_holds_no_descriptor_of_the_server_or_of_another_command(
    household: Household, waiting: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert waiting.poll() is None
    os.mkfifo(second := tmp_path / "second")
    bob = household.popen(household.person("Bob").argv("up", "--passphrase-file", second))
    with second.open("w"):  # once it reads
        held = [str(each.readlink()) for each in Path(f"/proc/{bob.pid}/fd").iterdir()]
    kinds = sorted(name.partition(":")[0] for name in held if name != str(second))
    assert kinds == ["/dev/null", "pipe", "pipe"]


def test_the_daemon_that_a_command_starts_outlives_it_and_ends_with_its_household(
    household: Household,
) -> None:
    anna = household.newcomer("Anna")
    daemon = psutil.Process(anna.pid)
    assert os.getsid(daemon.pid) == daemon.pid
    assert daemon.cwd() == "/"
    household.close()
    daemon.wait(PATIENCE)


def test_what_was_forked_ends_with_the_tests_that_asked_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "passphrase")
    words = ("up", "--passphrase-file", str(tmp_path / "passphrase"), "--home", str(tmp_path / "x"))
    script = (
        f"import os; from tests.forks import client; process = client.popen({(*KINLIGHT, *words)},"
        " stdout=client.PIPE, env={**os.environ, 'NO_COLOR': '1'});"
        "print(process.pid, flush=True); process.wait()"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, cwd=client.ROOT, stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        forked = psutil.Process(int(tests.stdout.readline()))
        server = forked.parent()
        assert server is not None
        tests.kill()
    forked.wait(PATIENCE)
    server.wait(PATIENCE)
