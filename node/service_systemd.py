"""The node as a systemd user unit: its text, line by line with the reason, and `systemctl --user`.

A user manager has no privileges, so what makes a file system of one's own needs a user namespace
(`PrivateUsers=`). Some systems deny that to users; `unit` then leaves those lines out.

Left out on purpose, because the daemon would not do its work any more:

- `PrivateTmp=`: `share` and `export` name paths, and must mean the same file as the shell does.
- `ProtectHome=`: photos lie there.
- `MemoryDenyWriteExecute=`: the content check's library compiles at run time. What opens pictures
  forbids itself new code anyway, see `sandbox`.
- `PrivateDevices=`, `PrivateNetwork=`, `IPAddressDeny=`: graphics cards, security keys, and peers.
- `ProtectProc=`, `ProtectKernelLogs=`, `ProtectClock=`, `DevicePolicy=` and the like: they keep
  root from what a user can't do anyway, and `NoNewPrivileges=` says that it stays so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .errors import BadRequestError, ServiceFailedError

UNIT: Final = "kinlight.service"
RESTART_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 60.0
"""`systemctl` waits for the daemon's process to be there, which a busy machine lets it wait for."""
_NO_NAMESPACE: Final = ("217", "226")
"""Exit statuses of a service that got no user namespace, or no file system of its own."""

_NO_PROGRAM: Final = {*map(chr, range(32)), "\x7f", '"', "'", "\\"}

_SECRETS: Final = (".ssh", ".gnupg", ".password-store", ".local/share/keyrings", ".mozilla")
_RUN_AT_LOGIN: Final = (
    ".config/autostart", ".config/systemd", ".config/environment.d", ".local/bin", "bin",
    ".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".zprofile", ".zshrc",
)  # fmt: skip
_DISKS: Final = ("/tmp", "/media", "/mnt", "/run/media")  # noqa: S108 - what people name for exports

_UNIT: Final = """\
[Unit]
Description=kinlight, a private photo-sharing node
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec={restart}
# No node here: trying again makes none.
RestartPreventExitStatus=4

# Nothing that it runs gets more rights than it has, such as by sudo.
NoNewPrivileges=yes
# What it writes is for this user alone.
UMask=0077
# Peers, the local API, and the network's interfaces; no raw packets, no Bluetooth, no VMs.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# What a daemon needs; no mounts, no tracing, no kernel modules, no clock, and no further rights.
SystemCallFilter=@system-service seccomp
SystemCallFilter=~@keyring @setuid @privileged
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
# Kernel code that has often had holes, and that it never asks for.
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
# The API's socket lies there, also those of other nodes of this user.
RuntimeDirectory=kinlight
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
"""
_FILES: Final = """
# A view of the files of its own, which needs a user namespace.
PrivateUsers=yes
# Only where its node and people's photos lie can it write.
ProtectSystem=strict
ReadWritePaths={writable}
# What runs at login, and its own code, it can't change ...
ReadOnlyPaths={fixed}
# ... and other programs' secrets it can't read.
InaccessiblePaths={hidden}
ProtectControlGroups=yes
ProtectKernelTunables=yes
"""
_INSTALL: Final = """
[Install]
WantedBy=default.target
"""


class UserUnit:
    """`kinlight.service` of this user's manager."""

    name: str = "systemd"

    def __init__(self) -> None:
        folder = os.environ.get("XDG_CONFIG_HOME", "")
        config = Path(folder) if Path(folder).is_absolute() else Path.home() / ".config"
        self.file: Final = config / "systemd" / "user" / UNIT
        self.to_start: Final = (
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {UNIT}",
        )

    def forms(self, mark: str, argv: Sequence[str], home: Path) -> list[bytes]:
        """What the file may hold, the most confined first."""
        remark = f"# {mark}\n"
        return [
            (remark + unit(argv, home, own_files=own_files)).encode() for own_files in (True, False)
        ]

    def answers(self) -> bool:
        """Whether a manager of this user runs here."""
        done = _systemctl("show", "--property=Version", "--value")
        return done is not None and done.returncode == 0 and bool(done.stdout.strip())

    def read_again(self) -> None:
        """The file is another than before."""
        _must("daemon-reload")

    def enable(self) -> None:
        """Start it at each login from now on."""
        _must("enable", UNIT)

    def start(self) -> bool:
        """Start it now; False if it would start with fewer lines of confinement."""
        done = _systemctl("start", UNIT)
        if done is not None and done.returncode == 0:
            return True
        if self._property("ExecMainStatus") in _NO_NAMESPACE:
            _systemctl("reset-failed", UNIT)
            return False
        raise ServiceFailedError(f"`journalctl --user -u {UNIT}` says why")

    def stop(self) -> None:
        """End it, and start it at no login any more."""
        _must("disable", "--now", UNIT)

    def forget(self) -> None:
        """The file is gone; without a manager the link to it is removed by hand."""
        with contextlib.suppress(OSError):
            link = self.file.parent / "default.target.wants" / UNIT
            if link.is_symlink() and not link.exists():
                link.unlink()

    def enabled(self) -> bool:
        """Whether it starts at login; that is a link beside the file."""
        return (self.file.parent / "default.target.wants" / UNIT).is_symlink()

    def running(self) -> bool | None:
        """Whether it runs; None if nobody can say."""
        if not self.answers():
            return None
        return self._property("ActiveState") in ("active", "activating", "reloading")

    def _property(self, name: str) -> str:
        done = _systemctl("show", UNIT, f"--property={name}", "--value")
        return "" if done is None else done.stdout.strip()


def unit(argv: Sequence[str], home: Path, *, own_files: bool) -> str:
    """The unit that runs `argv`; `own_files` gives it a view of the files of its own."""
    # systemd takes no program with these letters in its path; a shell does.
    through = ("/bin/sh", "-c", 'exec "$0" "$@"') if set(argv[0]) & _NO_PROGRAM else ()
    program, *words = *through, *argv
    # The colon keeps `$` what it is, also in the path of the interpreter.
    command = " ".join([quoted(":" + program), *map(quoted, words)])
    text = _UNIT.format(command=command, restart=RESTART_SECONDS)
    if own_files:
        text += _FILES.format(
            writable=" ".join([_if_there(home), "-%h", *(f"-{disk}" for disk in _DISKS)]),
            fixed=" ".join(
                [_if_there(Path(sys.prefix)), *(f"-%h/{name}" for name in _RUN_AT_LOGIN)]
            ),
            hidden=" ".join(f"-%h/{name}" for name in _SECRETS),
        )
    return text + _INSTALL


def quoted(word: str) -> str:
    """A word of a unit file: quoted, with what systemd would take for something else escaped.

    Raises `BadRequestError` for a path whose bytes are no text, which no unit can name.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise BadRequestError("a service needs paths whose letters are UTF-8") from None
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    inside = "".join(f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped)
    return f'"{inside}"'


def _if_there(path: Path) -> str:
    return quoted(f"-{path}")


def _must(*words: str) -> None:
    done = _systemctl(*words)
    if done is None or done.returncode != 0:
        raise ServiceFailedError(f"`systemctl --user {' '.join(words)}` says why")


def _systemctl(*words: str) -> subprocess.CompletedProcess[str] | None:
    """How `systemctl --user` ended; None where there is none, or it does not answer."""
    try:
        return subprocess.run(
            ["systemctl", "--user", "--no-pager", *words],  # noqa: S607 - where PATH has it
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_ANSWER_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
