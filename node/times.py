"""Times as people write them."""

from __future__ import annotations

import datetime
import re
from typing import Final

from .errors import BadDayError, BadLengthError, BadTimeError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]{1,6})\s*([smhdw])", re.IGNORECASE)
_DAY: Final = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?)?)?")
_FAR: Final = 2**40


def parse_until(text: str, now: int) -> int:
    """`30d`, `12h`, `45m`, `10s`, `2w` from `now`; or a date or time in ISO 8601.

    A date means its end, and a time without a zone is local. Returns seconds since 1970.
    """
    match = _DURATION.fullmatch(text.strip())
    if match:
        return now + int(match[1]) * _UNITS[match[2].lower()]
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
        if re.fullmatch(r"[0-9-]+", text.strip()):
            moment += datetime.timedelta(days=1)
        seconds = int(moment.astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        raise BadTimeError from None
    if not 0 < seconds < _FAR:
        raise BadTimeError
    return seconds


def parse_length(text: str) -> int:
    """`30d`, `12h`, `45m`, `10s`, `2w` as seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise BadLengthError
    return int(match[1]) * _UNITS[match[2].lower()]


def parse_day(text: str) -> str:
    """The beginning of an ISO 8601 local time, checked: `2026`, `2026-07`, `2026-07-14T09:30`."""
    day = text.strip().replace(" ", "T")
    if not _DAY.fullmatch(day):
        raise BadDayError
    try:
        datetime.datetime.fromisoformat(day + "0001-01-01T00:00"[len(day) :])
    except ValueError:
        raise BadDayError from None
    return day


def shown(seconds: int) -> str:
    """A time for the screen, local and to the minute."""
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return "the end of time"  # a peer may have written any number
    return moment.strftime("%Y-%m-%d %H:%M")


def lasted(seconds: int) -> str:
    """A length of time for the screen, in its largest whole unit: `40 s`, `3 min`, `2 h`, `5 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
