"""A real user manager of systemd for a test, where no system runs one: in containers and CI.

It gets a namespace of processes and mounts, a cgroup and a user of its own. That user is root
outside, so that it can read what the tests made, and nobody in particular inside: it has no
privileges at all there, as the user of a desktop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest

UID = 4711
SECONDS = 60.0
_SYSTEMD = Path("/lib/systemd/systemd")
_TOOLS = ("unshare", "nsenter", "mount", "systemctl")
_SCRIPT = r"""
set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
# What the system's manager has made where one runs.
mkdir -p /run/systemd/system /run/systemd/unit-root "/run/user/$UID_INSIDE"
chmod 700 "/run/user/$UID_INSIDE"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$CGROUP"
echo $$ > "/sys/fs/cgroup/$CGROUP/cgroup.procs"
{ cat /etc/passwd; echo "kinlight-test:x:$UID_INSIDE:$UID_INSIDE::$HOME:/bin/sh"; } > /run/passwd
mount --bind /run/passwd /etc/passwd
unshare --user --map-user="$UID_INSIDE" --map-group="$UID_INSIDE" \
    "$SYSTEMD" --user --unit=default.target &
wait
"""

_REMOVE = r"""
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /sys/fs/cgroup
until [ ! -d "$0" ]; do
    echo 1 > "$0/cgroup.kill"
    find "$0" -depth -type d -exec rmdir {} +
    sleep 0.05
done
"""


class UserManager:
    """`run` runs a command as the user whose manager it is."""

    def __init__(self, process: subprocess.Popen[bytes], pid: int, env: Mapping[str, str]) -> None:
        self._process = process
        self._pid = pid
        self.env = dict(env)
        self.inside = (
            "nsenter", f"--target={pid}", "--user", "--mount", "--pid", "--preserve-credentials",
        )  # fmt: skip
        """What a command line begins with that is to run there."""

    def run(self, argv: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.inside, *map(str, argv)], env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def property(self, unit: str, name: str) -> str:
        """What the manager says of a unit."""
        return self.run(["systemctl", "--user", "show", unit, f"--property={name}", "--value"])\
            .stdout.strip()  # fmt: skip

    def until(self, unit: str, name: str, value: str) -> None:
        """Wait until the manager says that of a unit."""
        deadline = time.monotonic() + SECONDS
        while self.property(unit, name) != value:
            assert time.monotonic() < deadline, f"{name} is {self.property(unit, name)}"
            time.sleep(0.05)  # its bus tells, but only in its own language


@contextlib.contextmanager
def user_manager(home: Path) -> Generator[UserManager]:
    """A manager of a user whose own folder is `home`; skips the test where none can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a user manager of its own needs Linux and root")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or not _SYSTEMD.exists():
        pytest.skip(f"a user manager needs systemd and {', '.join(missing) or 'its program'}")
    cgroup = f"kinlight-test-{uuid.uuid4().hex[:12]}"
    runtime = f"/run/user/{UID}"
    env = {
        "HOME": str(home), "USER": "kinlight-test", "XDG_RUNTIME_DIR": runtime,
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime}/bus", "NO_COLOR": "1",
        "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
    }  # fmt: skip
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _SCRIPT],
        env={**env, "UID_INSIDE": str(UID), "CGROUP": cgroup, "SYSTEMD": str(_SYSTEMD)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield _ready(process, env)
    finally:
        process.kill()  # and with it, by --kill-child, all that runs there
        process.communicate()
        _remove_cgroup(cgroup)


def _ready(process: subprocess.Popen[bytes], env: Mapping[str, str]) -> UserManager:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            said = process.stderr.read().decode(errors="replace").strip()
            pytest.skip(f"no user manager can be made here: {said}")
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = _descendant(process.pid, "systemd")
            manager = UserManager(process, pid, env)
            state = manager.run(["systemctl", "--user", "is-system-running"]).stdout.strip()
            if state in ("running", "degraded"):
                return manager
        time.sleep(0.05)  # there is no event for a file in another namespace
    raise AssertionError("the user manager did not come up")


def _descendant(pid: int, name: str) -> int:
    """The process of that name below `pid`."""
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        if Path(f"/proc/{child}/comm").read_text().strip() == name:
            return child
        with contextlib.suppress(ValueError):
            return _descendant(child, name)
    raise ValueError(name)


def _remove_cgroup(name: str) -> None:
    """End what still runs there and remove it, with those below it, wherever cgroups lie here."""
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", _REMOVE, name], check=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
