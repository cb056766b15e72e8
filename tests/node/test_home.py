from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from kinlight.node import home as home_module
from kinlight.node.errors import AlreadyRunningError, HomeUnusableError
from kinlight.node.home import HOME_VARIABLE, ApiAddress, Home, write_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Where


def test_the_option_comes_before_the_variable_and_both_before_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "variable"))
    assert Home.locate(tmp_path / "option").path == tmp_path / "option"
    assert Home.locate().path == tmp_path / "variable"
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert Home.locate().path == platformdirs.user_data_path("kinlight", appauthor=False)


def test_a_home_is_absolute_and_a_tilde_is_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert Home.locate(Path("here")).path == tmp_path / "here"
    assert Home.locate(Path("~/there")).path == tmp_path / "user" / "there"


def test_looking_for_a_home_makes_nothing(tmp_path: Path) -> None:
    assert not Home.locate(tmp_path / "new").exists
    assert list(tmp_path.iterdir()) == []


def test_a_prepared_home_is_for_this_user_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.prepare()
    assert {mode(path) for path in (home.path, home.blobs, home.log.parent)} == {0o700}
    home.path.chmod(0o755)
    home.prepare()
    assert mode(home.path) == 0o700


def test_a_home_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeUnusableError):
        Home(tmp_path / "file" / "home").prepare()


# The lock

HOLD = """
import sys
from collections.abc import Iterator
from pathlib import Path
from kinlight.node.home import Home
with Home(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_uses_a_home_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunningError), home.lock():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with home.lock():
        pass


def test_a_home_is_free_again_after_the_block(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock(), pytest.raises(AlreadyRunningError), home.lock():
        pass
    with home.lock():
        assert mode(tmp_path / "daemon.lock") == 0o600


# The socket


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder with a path as short as it is in life: a socket's may have 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
        (tmp_path / "tmp").mkdir()
        yield Path(name)


def test_the_socket_lies_in_the_runtime_folder_under_a_short_name(
    runtime: Path, tmp_path: Path
) -> None:
    path = Home(tmp_path / "one").socket()
    assert path is not None
    assert path.parent == runtime / "kinlight"
    assert mode(path.parent) == 0o700
    assert str(tmp_path / "one") not in path.name
    assert path == Home(tmp_path / "one").socket()
    assert path != Home(tmp_path / "two").socket()


def test_a_runtime_folder_with_a_long_path_is_replaced(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = runtime / ("x" * 90)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    path = Home(tmp_path).socket()
    assert path is None or path.parent == tmp_path / "tmp" / f"kinlight-{os.getuid()}"
    assert path is None or len(str(path)) <= 100


@pytest.mark.usefixtures("runtime")
def test_a_runtime_folder_that_is_missing_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/nowhere")
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    path = Home(tmp_path).socket()
    assert path is not None
    assert path.parent == Path("/tmp") / f"kinlight-{os.getuid()}"


def test_a_link_in_place_of_the_runtime_folder_is_not_used(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (runtime / "kinlight").symlink_to(tmp_path / "elsewhere")
    path = Home(tmp_path).socket()
    assert path is None or path.parent != runtime / "kinlight"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_runtime_folder_of_somebody_else_is_not_used(runtime: Path, tmp_path: Path) -> None:
    (runtime / "kinlight").mkdir()
    os.chown(runtime / "kinlight", 12345, 12345)
    path = Home(tmp_path).socket()
    assert path is None or path.parent != runtime / "kinlight"
    os.chown(runtime / "kinlight", 0, 0)
    os.chown(runtime, 12345, 12345)
    path = Home(tmp_path).socket()
    assert path is None or path.parent != runtime / "kinlight"


# Files


def test_a_file_is_replaced_as_a_whole_and_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_can_not_be_replaced_stays_and_leaves_no_other(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_bytes(b"")
    with pytest.raises(HomeUnusableError):
        write_file(tmp_path / "folder", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


# api.json


def test_the_address_of_the_api_is_for_this_user_only_and_hides_its_token(tmp_path: Path) -> None:
    home = Home(tmp_path)
    address = ApiAddress(4711, "secret-token", None, 123)
    address.save(home)
    assert mode(home.api) == 0o600
    assert ApiAddress.load(home) == address
    assert "secret-token" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [None, "", "{}", "[]", "3", "null", '{"port": "x"}', '{"port":1,"token":"t","socket":null}',
     '{"port":1,"token":"t","socket":3,"pid":1}', "\xff"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_none(tmp_path: Path, text: str | None) -> None:
    home = Home(tmp_path)
    if text is not None:
        home.api.write_text(text, "latin-1")
    assert ApiAddress.load(home) is None


def test_an_address_whose_socket_is_gone_is_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ApiAddress(1, "t", str(tmp_path / "gone.sock"), 1).save(home)
    assert ApiAddress.load(home) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_address_that_somebody_else_wrote_is_not_used(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ApiAddress(1, "t", None, 1).save(home)
    os.chown(home.api, 12345, 12345)
    assert ApiAddress.load(home) is None


def test_nothing_of_the_user_stands_in_the_address(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ApiAddress(1, "t", None, 2).save(home)
    assert set(json.loads(home.api.read_text())) == {"port", "token", "socket", "pid"}
    assert home_module.HOME_VARIABLE == "KINLIGHT_HOME"
