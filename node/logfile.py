"""The daemon's log: what happened where, and nothing about whom or what.

Messages are written with stable codes only. Of exceptions the types and the places are logged,
never their texts: an `OSError` carries a path, a database error perhaps a value.
"""

from __future__ import annotations

import logging
import traceback
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final

_LOG_BYTES: Final = 1_000_000
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _PlaceOnly(logging.Formatter):
    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        kind, _, trace = ei
        if kind is None:
            return ""
        frames = [
            f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(trace)
        ]
        return "\n".join([*frames, f"  {kind.__name__}"])


class _PrivateFile(RotatingFileHandler):
    """For this user only, also after it was rotated."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        Path(self.baseFilename).chmod(0o600)
        return stream


def start(path: Path, level: int = logging.INFO) -> None:
    """Send the log of this process to `path`; two files of 1 MB at most."""
    handler = _PrivateFile(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(_PlaceOnly(_FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("kinlight").setLevel(level)
    # Their messages hold addresses and names of requests.
    for chatty in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # asyncio's own lines quote tasks and exceptions, paths and all.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
