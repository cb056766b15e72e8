from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.errors import BadDayError, BadTimeError
from kinlight.node.times import parse_day, parse_until, shown

NOW = 1_800_000_000


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A zone that is not UTC, whatever the machine's is."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("45m", 2700), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600),
     (" 1 D ", 86_400), ("0s", 0)],
)  # fmt: skip
def test_a_duration_counts_from_now(text: str, seconds: int) -> None:
    assert parse_until(text, NOW) == NOW + seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-07-01", "2030-07-02T00:00:00+02:00"),
        ("20300701", "2030-07-02T00:00:00+02:00"),
        ("2030-01-15T12:30", "2030-01-15T12:30:00+01:00"),
        ("2030-01-15 12:30:05", "2030-01-15T12:30:05+01:00"),
        ("2030-01-15T12:30Z", "2030-01-15T12:30:00+00:00"),
        ("2030-01-15T12:30+05:30", "2030-01-15T12:30:00+05:30"),
        ("2030-03-31", "2030-04-01T00:00:00+02:00"),
    ],
)
def test_a_date_means_its_end_and_a_time_is_local(text: str, moment: str) -> None:
    expected = datetime.datetime.fromisoformat(moment).timestamp()
    assert parse_until(text, NOW) == int(expected)


@pytest.mark.parametrize(
    "text",
    ["", "d", "1y", "-1d", "1.5h", "9999999d", "tomorrow", "2030-13-01", "2030-02-30",
     "0001-01-01", "9999-12-31", "1960-01-01", "1970-01-01T00:00Z", "\u0661d", "30d30d"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadTimeError):
        parse_until(text, NOW)


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(BadTimeError):
        assert 0 < parse_until(text, NOW) < 2**41


def test_a_time_is_shown_local_and_to_the_minute() -> None:
    assert shown(NOW) == "2027-01-15 09:00"


@given(st.integers(0, 2**64 - 1))
def test_any_time_that_a_peer_may_write_can_be_shown(seconds: int) -> None:
    assert shown(seconds)


@pytest.mark.parametrize(
    "text", ["2026", "2026-07", "2026-07-14", "2026-07-14T09:30", "2026-07-14T09:30:59"]
)
def test_a_day_may_be_a_year_a_month_or_a_moment(text: str) -> None:
    assert parse_day(text) == parse_day(f" {text.replace('T', ' ')} ") == text


@pytest.mark.parametrize(
    "text", ["", "26", "2026-7", "2026-13", "2026-02-29", "2026-07-14T09", "2026-07-14T25:00",
             "2026-07-14T09:30Z", "20260714", "0000", "\u0662\u0660\u0662\u0666"],
)  # fmt: skip
def test_what_is_no_day_is_said(text: str) -> None:
    with pytest.raises(BadDayError):
        parse_day(text)
