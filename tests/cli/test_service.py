"""`kinlight service`: with a real user manager where one can be made, else up to its door."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kinlight.node.service_systemd import UNIT, unit

from ..scenario.household import Household, Person
from ..scenario.pictures import picture
from ..scenario.user_manager import UserManager, user_manager

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd")

ODD = 'a "b" %h $HOME ${HOME} \\x41 déjà ;#'
"""A name out of all that a unit file could take for something else."""


@pytest.fixture
def anna(household: Household, tmp_path: Path) -> Person:
    """Somebody with a node that does not run, and a folder of her own."""
    own = tmp_path / "own"
    own.mkdir()
    household.env |= {"HOME": str(own)}
    anna = household.newcomer("Anna")
    anna.stop()
    return anna


@pytest.fixture
def unit_file(tmp_path: Path) -> Path:
    return tmp_path / "own" / ".config" / "systemd" / "user" / UNIT


@pytest.fixture
def systemctl(tmp_path: Path, anna: Person) -> Path:
    """A program in systemctl's place, which notes what it is asked; `rules` say what it answers."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as asked:
    asked.write(" ".join(sys.argv[1:]) + "\\n")
for rule in (here / "rules").read_text().splitlines():
    part, code, answer = rule.split("|")
    if part in " ".join(sys.argv):
        print(answer)
        sys.exit(int(code))
"""
    )
    program.chmod(0o755)
    anna.household.env |= {"PATH": f"{folder}:{os.environ['PATH']}"}
    return folder


# Where no manager answers.


def test_without_a_node_there_is_nothing_to_install(household: Household, tmp_path: Path) -> None:
    household.env |= {"HOME": str(tmp_path)}
    anna = household.person("Anna")
    refused = anna.run("service", "install", code=4)
    assert refused.error == "no-node"
    assert "kinlight up" in refused.message
    assert not anna.home.exists()
    assert not (tmp_path / ".config").exists()


def test_without_a_manager_the_file_is_written_and_the_commands_are_said(
    anna: Person, unit_file: Path
) -> None:
    state = anna.run("service", "install").value
    assert state["file"] == str(unit_file)
    assert (state["installed"], state["current"], state["running"]) == (True, True, None)
    assert state["start_with"][-1] == f"systemctl --user enable --now {UNIT}"
    shown = anna.screen("service", "install")
    assert f"The node in {anna.home} is installed as a service, by {unit_file}." in shown
    assert "systemd does not answer here, so it was not started." in shown
    assert "enable --now" in shown
    assert anna.run("service", "status", code=1).value == state


def test_without_systemctl_it_is_the_same(anna: Person, unit_file: Path) -> None:
    nowhere = {"PATH": "/nonexistent"}
    assert anna.run("service", "install", env=nowhere).value["running"] is None
    assert unit_file.exists()
    assert anna.run("service", "remove", env=nowhere).value["installed"] is False
    assert not unit_file.exists()


def test_the_settings_folder_of_the_user_is_kept_to(anna: Person, tmp_path: Path) -> None:
    anna.run("service", "install", env={"XDG_CONFIG_HOME": str(tmp_path / "settings")})
    assert (tmp_path / "settings" / "systemd" / "user" / UNIT).exists()


def test_typed_again_it_writes_nothing(anna: Person, unit_file: Path) -> None:
    anna.run("service", "install")
    before = unit_file.stat()
    anna.run("service", "install")
    assert unit_file.stat() == before


def test_what_another_version_wrote_is_told_and_written_again(
    anna: Person, unit_file: Path
) -> None:
    anna.run("service", "install")
    right = unit_file.read_text()
    unit_file.write_text(right.replace("RestartSec=10", "RestartSec=1"))
    state = anna.run("service", "status", code=1).value
    assert (state["installed"], state["current"]) == (True, False)
    anna.run("service", "install")
    assert unit_file.read_text() == right


@pytest.mark.parametrize("content", ["[Service]\nExecStart=/bin/true\n", "", "\xff", None])
def test_a_file_that_somebody_else_wrote_is_left_alone(
    anna: Person, unit_file: Path, content: str | None
) -> None:
    unit_file.parent.mkdir(parents=True)
    if content is None:
        unit_file.symlink_to("/dev/null")  # as `systemctl mask` does
    else:
        unit_file.write_bytes(content.encode("latin-1"))
    for words in ("install", "remove"):
        refused = anna.run("service", words, code=7)
        assert refused.error == "service-foreign"
        assert str(unit_file) in refused.message
    assert anna.run("service", "status", code=1).value["installed"] is False
    if content is None:
        assert unit_file.is_symlink()
    else:
        assert unit_file.read_bytes() == content.encode("latin-1")


def test_the_service_of_another_node_is_left_alone(anna: Person, unit_file: Path) -> None:
    anna.run("service", "install")
    written = unit_file.read_bytes()
    other = anna.household.newcomer("Bob")
    for words in ("install", "remove"):
        refused = other.run("service", words, code=7)
        assert refused.error == "service-foreign"
        assert str(anna.home) in refused.message
    assert unit_file.read_bytes() == written


def test_a_folder_that_can_not_be_written_is_named(anna: Person, unit_file: Path) -> None:
    unit_file.parent.parent.parent.mkdir()
    unit_file.parent.parent.write_text("no folder")
    assert anna.run("service", "install", code=7).error == "unwritable"


def test_what_the_unit_runs_is_a_locked_node_that_unlock_opens(
    anna: Person, unit_file: Path
) -> None:
    anna.run("service", "install")
    (line,) = [line for line in unit_file.read_text().splitlines() if line.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart="))
    process = subprocess.Popen(
        [program.removeprefix(":"), *words],
        env=anna.household.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd="/",
    )  # fmt: skip
    anna.household.running.append(process)
    anna.run("up", "--locked")  # it runs, or is about to: one of the two is there afterwards
    assert anna.run("status").value["locked"] is True
    anna.run("unlock", "--passphrase-file", anna.passphrase_file)
    assert anna.run("id").value["name"] == "Anna"


# A system that refuses.


def test_where_a_user_gets_no_file_system_of_its_own_the_rest_is_installed(
    anna: Person, systemctl: Path, unit_file: Path
) -> None:
    (systemctl / "rules").write_text(
        "Version|0|252\nExecMainStatus|0|226\nActiveState|0|inactive\nstart|1|failed\n"
    )
    refused = anna.run("service", "install", code=1)
    assert refused.error == "service-failed"
    text = unit_file.read_text()
    assert "ProtectSystem" not in text
    assert "NoNewPrivileges=yes" in text
    state = anna.run("service", "status", code=1).value
    assert (state["current"], state["confined"]) == (True, False)


def test_a_manager_that_does_not_do_what_it_is_asked_is_told(
    anna: Person, systemctl: Path, unit_file: Path
) -> None:
    (systemctl / "rules").write_text("Version|0|252\ndaemon-reload|1|no\n")
    refused = anna.run("service", "install", code=1)
    assert refused.error == "service-failed"
    assert "daemon-reload" in refused.message
    assert unit_file.exists()


def test_a_daemon_that_runs_already_is_left_running(anna: Person, systemctl: Path) -> None:
    (systemctl / "rules").write_text("Version|0|252\nActiveState|0|inactive\n")
    pid = anna.start().value["pid"]
    state = anna.run("service", "install").value
    assert state["start_with"][0] == "kinlight down"
    status = anna.run("status").value
    assert (status["pid"], status["locked"]) == (pid, False)
    asked = (systemctl / "asked").read_text()
    assert f"enable {UNIT}" in asked
    assert f"start {UNIT}" not in asked


# With a manager.


@pytest.fixture
def manager(anna: Person, tmp_path: Path) -> Iterator[UserManager]:
    """The manager of the user Anna."""
    with user_manager(tmp_path / "own") as manager:
        anna.household.env = manager.env
        anna.household.forked = False
        yield manager


@pytest.fixture
def served(anna: Person, manager: UserManager) -> Person:
    """Anna, whose commands reach her manager."""
    return anna.household.person("Anna", inside=manager.inside)


def test_a_service_starts_locked_is_unlocked_and_does_its_work_confined(
    served: Person, manager: UserManager, tmp_path: Path
) -> None:
    (tmp_path / "own" / ".ssh").mkdir()
    (tmp_path / "own" / ".ssh" / "id").write_text("a key")
    (tmp_path / "own" / ".bashrc").touch()
    state = served.run("service", "install").value
    assert (state["current"], state["confined"], state["enabled"], state["running"]) == (True,) * 4
    assert served.run("service", "install").value == state
    assert served.run("service", "status").value == state
    assert served.run("status").value["locked"] is True
    served.run("unlock", "--passphrase-file", served.passphrase_file)
    # Pictures are opened in the strongest cage there, too, and people's folders can be written.
    photo = served.run("import", picture(tmp_path / "own" / "beach.jpg", 1)).value["id"]
    served.run("export", photo, tmp_path / "own" / "out", "--rendition", "preview")
    assert served.run("status").value["sandbox"] == "seccomp"
    assert len(list((tmp_path / "own" / "out").iterdir())) == 1
    pid = manager.property(UNIT, "MainPID")
    view = ("nsenter", f"--target={pid}", "--user", "--mount", "--preserve-credentials")
    for command in (
        "echo > /etc/kinlight-test",
        f"echo > {tmp_path}/own/.bashrc",
        f"cat {tmp_path}/own/.ssh/id",
        f"echo > {sys.prefix}/kinlight-test",
    ):
        assert manager.run([*view, "sh", "-c", command]).returncode != 0, command
    status = manager.run(["cat", f"/proc/{pid}/status"]).stdout
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status

    served.run("down")  # it was asked to end, so it is not started again
    manager.until(UNIT, "ActiveState", "inactive")
    assert served.run("service", "remove").value["installed"] is False
    assert manager.property(UNIT, "LoadState") == "not-found"
    assert not list((tmp_path / "own" / ".config" / "systemd" / "user").rglob(UNIT))


def test_a_service_that_was_killed_is_started_again(served: Person, manager: UserManager) -> None:
    served.run("service", "install")
    before = manager.property(UNIT, "MainPID")
    manager.run(["kill", "-9", before])
    assert manager.property(UNIT, "Restart") == "on-failure"
    assert served.run("service", "install").value["running"] is True  # also while it waits
    assert manager.property(UNIT, "MainPID") not in ("0", before)
    assert served.run("status").value["locked"] is True


def test_systemd_reads_every_path_as_it_is(manager: UserManager, tmp_path: Path) -> None:
    folder = tmp_path / "own" / ODD
    folder.mkdir()
    told = tmp_path / "own" / "told"
    program = folder / "dump"
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"pathlib.Path({str(told)!r}).write_text(json.dumps(sys.argv))\n"
    )
    program.chmod(stat.S_IRWXU)
    argv = [str(program), ODD, "%n", "$MAINPID", "a\nb\tc", "'", "", "\\"]
    units = tmp_path / "own" / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    text = unit(argv, folder, own_files=True).replace("Type=exec", "Type=oneshot")
    (units / "odd.service").write_text(text.replace("Restart=on-failure\n", ""))
    assert manager.run(["systemctl", "--user", "daemon-reload"]).returncode == 0
    started = manager.run(["systemctl", "--user", "start", "odd.service"])
    assert started.returncode == 0, started.stderr
    assert json.loads(told.read_text()) == argv
    writable = manager.property("odd.service", "ReadWritePaths")
    assert str(folder) in re.sub(r"\\(.)", r"\1", writable)
