"""What is written down for systemd and launchd, judged by systemd-analyze and plistlib."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.errors import BadRequestError, ForeignServiceError, NoServiceSystemError
from kinlight.node.home import Home
from kinlight.node.service import Service
from kinlight.node.service_launchd import Agent, property_list
from kinlight.node.service_systemd import UNIT, quoted, unit

from .nodes import make_home

posix = pytest.mark.skipif(sys.platform == "win32", reason="systemd and launchd")
NAMES = ["plain", "with space", "%h", "$HOME", "déjà vu", "'", '"', "back\\slash", "a;b#c"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "node", "Anna")[0]


@pytest.fixture
def analyze() -> str:
    """systemd-analyze."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze judges units, and is not installed")
    return found


def run(*argv: str | Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime), "NO_COLOR": "1"},
    )  # fmt: skip


# systemd.


@pytest.mark.parametrize("own_files", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_no_fault_with_the_unit(
    analyze: str, tmp_path: Path, name: str, own_files: bool
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    program = folder / "python"
    program.symlink_to(sys.executable)
    file = tmp_path / UNIT
    argv = [str(program), "-m", "kinlight.node", "up", "--home", str(folder)]
    file.write_text(unit(argv, folder, own_files=own_files))
    judged = run(analyze, "verify", "--user", "--man=no", file, runtime=tmp_path)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_systemd_would_find_a_fault(analyze: str, tmp_path: Path) -> None:
    file = tmp_path / UNIT
    file.write_text(unit(["/nonexistent"], tmp_path, own_files=True) + "[Service]\nNonsense=1\n")
    judged = run(analyze, "verify", "--user", "--man=no", file, runtime=tmp_path)
    assert "Nonsense" in judged.stderr
    assert judged.returncode != 0


@pytest.mark.parametrize(("own_files", "most"), [(True, 58), (False, 65)])
def test_the_unit_is_as_confined_as_the_page_says(
    analyze: str, tmp_path: Path, own_files: bool, most: int
) -> None:
    file = tmp_path / UNIT
    file.write_text(unit([sys.executable], tmp_path, own_files=own_files))
    judged = run(
        analyze, "security", "--user", "--offline=true", "--no-pager", f"--threshold={most}", file,
        runtime=tmp_path,
    )  # fmt: skip
    if "requires" in judged.stderr or "unrecognized" in judged.stderr:
        pytest.skip(f"this systemd can't judge a unit by its file: {judged.stderr.strip()}")
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_path_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadRequestError):
        quoted("/home/\udcff")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_word_ends_its_line_or_its_quotes(word: str) -> None:
    written = quoted(word)
    assert written[0] == written[-1] == '"'
    assert "\n" not in written
    assert "\r" not in written
    assert '"' not in written[1:-1].replace("\\\\", "").replace('\\"', "")
    assert written.count("%") == 2 * word.count("%")


# launchd.


@posix
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1))
def test_a_property_list_holds_the_very_words(words: list[str]) -> None:
    try:
        written = property_list(words, Path("/home"))
    except BadRequestError:
        assert any(c in word for word in words for c in "\ufffe\uffff")
        return
    read = plistlib.loads(written)
    assert read["ProgramArguments"] == words
    assert read["RunAtLoad"] is True
    assert read["KeepAlive"] == {"SuccessfulExit": False}
    assert read["Umask"] == 0o077


@posix
@pytest.mark.parametrize("word", ["a\nb", "\x00", "\x1b", "\udcff", "\ufffe"])
def test_what_no_property_list_can_hold_is_refused(word: str) -> None:
    with pytest.raises(BadRequestError):
        property_list([word], Path("/home"))


@pytest.fixture
def launchctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in launchctl's place; what was put in is a file beside it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "launchctl"
    program.write_text(
        '#!/bin/sh\ncd "$(dirname "$0")"\necho "$@" >> asked\n'
        'case "$1" in\n'
        "print) case $2 in gui/*/*) [ -e loaded ];; esac;;\n"
        "bootstrap) touch loaded;;\n"
        "bootout) rm loaded;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "own & <only>"))
    return folder


@posix
@pytest.mark.parametrize("name", ["node", "a--b -->", "déjà & <vu>", 'a "b"'])
def test_an_agent_is_put_in_once_and_taken_out(launchctl: Path, tmp_path: Path, name: str) -> None:
    home = make_home(tmp_path / name, "Anna")[0]
    service = Service(home, Agent())
    state = service.install()
    assert (state.installed, state.current, state.running) == (True, True, True)
    assert service.install() == state
    asked = (launchctl / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked].count("bootstrap") == 1
    read = plistlib.loads(Path(state.file).read_bytes())
    assert read["ProgramArguments"] == service.argv()
    assert read["ProgramArguments"][-1] == str(home.path)
    state = service.remove()
    assert (state.installed, Path(state.file).exists()) == (False, False)
    assert not (launchctl / "loaded").exists()
    assert service.remove() == state


@posix
def test_without_a_screen_the_agent_is_written_and_the_command_is_said(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    state = Service(home, Agent()).install()
    assert (state.installed, state.running) == (True, None)
    assert state.start_with[0].startswith("launchctl bootstrap gui/")


@posix
def test_an_agent_that_somebody_else_wrote_is_left_alone(home: Home, launchctl: Path) -> None:
    agent = Agent()
    agent.file.parent.mkdir(parents=True)
    theirs = plistlib.dumps({"Label": "kinlight", "ProgramArguments": ["/usr/bin/true"]})
    agent.file.write_bytes(theirs)
    service = Service(home, agent)
    for work in (service.install, service.remove):
        with pytest.raises(ForeignServiceError):
            work()
    assert agent.file.read_bytes() == theirs
    assert not launchctl.joinpath("asked").exists()


# Elsewhere.


@pytest.mark.parametrize("platform", ["win32", "freebsd14"])
def test_other_systems_are_told_what_to_do_instead(
    home: Home, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(NoServiceSystemError, match="up --locked"):
        Service.of(home)
