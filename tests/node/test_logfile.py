from __future__ import annotations

import json
import logging
import stat
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kinlight.node import logfile


@pytest.fixture(params=logfile.FORMATS)
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Path]:
    """A log file that gets everything of this process; afterwards all is as before."""
    root = logging.getLogger()
    kept = root.handlers, root.level
    levels = {
        name: logging.getLogger(name).level
        for name in ("kinlight", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")
    }
    path = tmp_path / "daemon.log"
    logfile.start(path, form=request.param)
    yield path
    for handler in root.handlers:
        handler.close()
    root.handlers, level = kept
    root.setLevel(level)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fail() -> None:
    raise OSError(2, "No such file or directory", "/home/anna/secret-photo.jpg")


def test_of_an_exception_the_place_and_the_type_are_logged_and_never_its_text(log: Path) -> None:
    try:
        fail()
    except OSError:
        logging.getLogger("kinlight.node.test").exception("it failed")
    text = log.read_text()
    assert "it failed" in text
    assert "test_logfile.py" in text
    assert "in fail" in text
    assert "FileNotFoundError" in text
    assert "secret-photo" not in text
    assert "anna" not in text


def test_neither_is_the_text_of_the_exception_behind_it(log: Path) -> None:
    try:
        try:
            fail()
        except OSError as error:
            raise ValueError("of secret-photo too") from error
    except ValueError:
        logging.getLogger("kinlight").exception("it failed")
    assert "secret-photo" not in log.read_text()


def test_the_log_is_for_this_user_only(log: Path) -> None:
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_what_other_libraries_say_in_passing_is_not_logged(log: Path) -> None:
    for name in ("uvicorn.access", "httpx", "zeroconf", "asyncio"):
        logging.getLogger(name).info("GET /v1/contacts/Anna")
        logging.getLogger(name).debug("Anna")
    assert "Anna" not in log.read_text()


def test_the_log_is_bounded_and_its_older_half_is_for_this_user_only(log: Path) -> None:
    logger = logging.getLogger("kinlight")
    for _ in range(120):
        logger.info("x" * 20_000)
    files = sorted(log.parent.iterdir())
    assert len(files) == 2
    assert sum(path.stat().st_size for path in files) < 2_100_000
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_as_json_each_line_is_an_object_that_says_when_where_and_what(log: Path) -> None:
    logger = logging.getLogger("kinlight.node.test")
    logger.info("a link ended: %s", "cut")
    logger.warning("two\nlines of %d", 5)
    try:
        fail()
    except OSError:
        logger.exception("it failed")
    ended, two, failed = map(json.loads, log.read_text().splitlines())
    assert datetime.fromisoformat(ended.pop("time")).tzinfo is UTC
    assert ended == {
        "level": "info", "logger": "kinlight.node.test", "code": "cut",
        "message": "a link ended: cut",
    }  # fmt: skip
    assert (two["level"], two["message"]) == ("warning", "two\nlines of 5")
    assert "code" not in two
    assert failed["exception"] == "FileNotFoundError"
    assert failed["at"][-1].startswith("test_logfile.py:")
