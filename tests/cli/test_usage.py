"""What is said to somebody who typed it wrong, and what `--help` costs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ..scenario.household import KINLIGHT, Household

COMMANDS = (
    *((), ("contacts",), ("inbox",)),
    *((name,) for name in ("version", "up", "down", "status", "unlock", "lock", "id", "pair")),
    *((name,) for name in ("share", "show", "export", "demo", "wide", "relay")),
    *(("contacts", name) for name in ("list", "verify", "rename", "mute", "block", "accept-from")),
    *(("inbox", name) for name in ("accept", "decline")),
    *(("links", name) for name in ("list", "revoke")),
    *(("drop", name) for name in ("new", "list", "accept", "decline", "accept-from", "revoke")),
    *(("ticket", name) for name in ("new", "list", "revoke", "show")),
)
HEAVY = (
    "aiortc",
    "fastapi",
    "httpx",
    "libp2p",
    "sqlcipher3",
    "torch",
    "trio",
    "uvicorn",
    "zeroconf",
)

HELP = """
import sys
from kinlight.node.cli import main
for words in {commands!r}:
    sys.argv = ["kinlight", *words, "--help"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
print(sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)
"""


def test_help_of_every_command_imports_nothing_heavy(household: Household) -> None:
    script = HELP.format(commands=COMMANDS, heavy=set(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=household.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "[]\n"
    assert done.stdout.count("Usage:") == len(COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense", "--json"),
        ("--json",),
        ("contacts", "--json"),
        ("status", "--json", "--nonsense"),
        ("share", "--json"),
        ("share", "x.jpg", "--json"),
        ("export", "abcd", "--json"),
        ("id", "spare", "--json"),
    ],
)
def test_a_usage_error_is_json_where_json_was_asked_for(
    household: Household, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [*KINLIGHT, *words], env=household.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == "usage"
    assert error["message"]


def test_a_usage_error_is_text_for_people(household: Household) -> None:
    done = subprocess.run(
        [*KINLIGHT, "stats"], env=household.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert not done.stdout
    assert "'stats'" in done.stderr
    assert "?." not in done.stderr


def test_an_error_is_one_sentence_on_stderr_for_people(household: Household) -> None:
    done = subprocess.run(
        [*KINLIGHT, "status", "--home", str(household.folder / "none")],
        env=household.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert not done.stdout
    assert done.stderr == "The daemon is not running. Start it with `kinlight up`.\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--home", "~nobody-of-that-name/x", "status"), 7, "~nobody-of-that-name is nobody here"),
        (("--home", "long" * 100, "status"), 4, "The daemon is not running"),
        (("--home", "long" * 100, "up"), 7, "File name too long"),
        (("inspect", "long" * 100), 1, "File name too long"),
        (("strip", __file__, "-o", "long" * 100, "--policy", "original"), 7, "File name too long"),
        (("share", "x.jpg"), 2, "`kinlight share --help` says how it is used"),
        (("contacts", "metadata", "Bob"), 2, "`kinlight contacts metadata --help`"),
    ],
)
def test_what_was_typed_wrong_is_a_sentence_and_never_a_traceback(
    household: Household, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [*KINLIGHT, *words],
        env=household.env, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


@pytest.mark.skipif(sys.platform != "linux", reason="only there a folder in use goes")
def test_a_folder_that_is_gone_is_a_sentence(household: Household, tmp_path: Path) -> None:
    (gone := tmp_path / "gone").mkdir()
    argv = shlex.join([*KINLIGHT, "status", "--home", "here"])
    done = subprocess.run(
        ["sh", "-c", f"rmdir ../gone && exec {argv}"],
        env=household.env, cwd=gone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert "No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_reads_no_further_is_told_no_more(household: Household) -> None:
    argv = shlex.join([*KINLIGHT, "version", "--json"])
    done = subprocess.run(
        ["sh", "-c", f"{{ sleep 0; {argv}; }} | true"],
        env=household.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr


def test_the_home_is_taken_from_the_option_then_the_environment_then_the_platform(
    household: Household, tmp_path: Path
) -> None:
    script = (
        "from pathlib import Path; from kinlight.node.home import Home\n"
        "import sys; print(Home.locate(Path(sys.argv[1]) if sys.argv[1:] else None).path)"
    )

    def located(*words: str, **env: str) -> Path:
        argv = [sys.executable, "-c", script, *words]
        done = subprocess.run(
            argv, env={**household.env, **env}, capture_output=True, text=True, check=True
        )
        return Path(done.stdout.strip())

    platform = located()
    assert platform.name == "kinlight"
    assert platform.is_relative_to(household.env["HOME"])
    assert located(KINLIGHT_HOME=str(tmp_path / "env")) == tmp_path / "env"
    assert located(str(tmp_path / "option"), KINLIGHT_HOME="ignored") == tmp_path / "option"


def test_commands_follow_the_environments_home(household: Household) -> None:
    anna = household.newcomer("Anna")
    done = subprocess.run(
        [*KINLIGHT, "status", "--json"],
        env={**household.env, "KINLIGHT_HOME": str(anna.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["home"] == str(anna.home)
