"""The daemon's log: what happened where, and nothing about whom or what.

Messages are written with stable codes only, as lines for people or as JSON objects for programs.
Of exceptions the types and the places are logged, never their texts: an `OSError` carries a path, a
database error perhaps a value.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, cast

from ..protocol.errors import kind_of

_LOG_BYTES: Final = 1_000_000
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

Format = Literal["text", "json"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json")

_ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class _PlaceOnly(logging.Formatter):
    def formatException(  # noqa: N802 - logging's name
        self, ei: _ExceptionInfo
    ) -> str:
        kind, frames = _place(ei)
        return "" if kind is None else "\n".join([*(f"  {each}" for each in frames), f"  {kind}"])


class _JsonLines(logging.Formatter):
    """One object a line; `code` is there where the message names an error."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "code": _code(record.args),
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"], said["at"] = _place(record.exc_info)
        return json.dumps({name: value for name, value in said.items() if value is not None})


def _code(args: object) -> str | None:
    """The error's code among a message's arguments."""
    given = cast("tuple[object, ...]", args) if isinstance(args, tuple) else ()
    return next((arg for arg in given if isinstance(arg, str) and kind_of(arg)), None)


def _place(ei: _ExceptionInfo) -> tuple[str | None, list[str]]:
    """Type of an exception and the lines of code that it went through."""
    kind, _, trace = ei
    if kind is None:
        return None, []
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(trace)
    ]
    return kind.__name__, frames


class _PrivateFile(RotatingFileHandler):
    """For this user only, also after it was rotated."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        Path(self.baseFilename).chmod(0o600)
        return stream


def start(path: Path, level: int = logging.INFO, *, form: Format = "text") -> None:
    """Send the log of this process to `path`; two files of 1 MB at most."""
    handler = _PrivateFile(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(_JsonLines() if form == "json" else _PlaceOnly(_FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("kinlight").setLevel(level)
    # Their messages hold addresses and names of requests.
    for chatty in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # asyncio's own lines quote tasks and exceptions, paths and all.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
