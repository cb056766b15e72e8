"""The node as a launchd agent: its property list, and `launchctl`.

launchd confines nothing by itself; what opens pictures is confined all the same, see `sandbox`.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .errors import BadRequestError, ServiceFailedError

LABEL: Final = "kinlight"
RESTART_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 60.0
_HEAD: Final = b"<plist "


class Agent:
    """`kinlight.plist` among this user's agents."""

    name: str = "launchd"

    def __init__(self) -> None:
        self.file: Final = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{LABEL}"
        self.to_start: Final = (
            f"launchctl bootstrap {self._domain} ~/Library/LaunchAgents/{LABEL}.plist",
        )

    def forms(self, mark: str, argv: Sequence[str], home: Path) -> list[bytes]:
        """What the file may hold: one form only."""
        remark = b"<!-- " + mark.encode() + b" -->\n"
        return [property_list(argv, home).replace(_HEAD, remark + _HEAD, 1)]

    def answers(self) -> bool:
        """Whether somebody is logged in at the screen, where agents run."""
        return _launchctl("print", self._domain) == 0

    def read_again(self) -> None:
        """Launchd reads the file when it is put in."""

    def enable(self) -> None:
        """What lies in the folder starts at login, unless it was turned off once."""
        _must("enable", self._target)

    def start(self) -> bool:
        """Put it in; `RunAtLoad` starts it."""
        if _launchctl("print", self._target) != 0:
            _must("bootstrap", self._domain, str(self.file))
        return True

    def stop(self) -> None:
        """End it and take it out."""
        if _launchctl("print", self._target) == 0:
            _must("bootout", self._target)

    def forget(self) -> None:
        """Nothing else names the file."""

    def enabled(self) -> bool:
        """What lies in the folder starts at login."""
        return self.file.exists()

    def running(self) -> bool | None:
        """Whether it is put in; None if nobody can say."""
        return _launchctl("print", self._target) == 0 if self.answers() else None


def property_list(argv: Sequence[str], home: Path) -> bytes:
    """The agent that runs `argv`; `BadRequestError` for what no property list can hold."""
    for word in (*argv, str(home)):
        # XML has no way to write them, and plistlib would read something else back.
        if any(
            ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 or ord(c) in (0xFFFE, 0xFFFF) for c in word
        ):
            raise BadRequestError("a service needs paths whose letters are text")
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(argv),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},  # `kinlight down` ends it until next login
            "ThrottleInterval": RESTART_SECONDS,
            "ProcessType": "Background",
            "Umask": 0o077,
            "WorkingDirectory": "/",
            "StandardErrorPath": str(home / "log" / "service.err"),
        },
        sort_keys=False,
    )


def _must(*words: str) -> None:
    if _launchctl(*words) != 0:
        raise ServiceFailedError(f"`launchctl {' '.join(words)}` says why")


def _launchctl(*words: str) -> int | None:
    """The exit code of `launchctl`; None where there is none, or it does not answer."""
    try:
        return subprocess.run(
            ["launchctl", *words],  # noqa: S607 - where PATH has it
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False,
        ).returncode  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
