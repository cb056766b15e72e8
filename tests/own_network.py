"""A network of its own for each process that runs tests, so that their daemons never meet.

Daemons find each other by multicast, and those of two tests that run at the same time must not. As
root on Linux a process can leave the machine's network for one of its own, which it shares with
everything that it starts; elsewhere such tests run one after the other.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LINK: Final = "eth0"
_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWNET: Final = 0x40000000


def move_in() -> None:
    """Leave the machine's network for one with loopback and one ordinary link."""
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare is there from Python 3.12
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    for command in (
        "mount --make-rslave /",  # what is mounted from here on is seen from here only
        "mount -t sysfs sysfs /sys",  # shows the links of the network of who mounts it
        "ip link set lo up",
        f"ip link add {LINK} type veth peer name cable",
        f"ip addr add 10.78.0.1/24 dev {LINK}",
        f"ip link set {LINK} up",
        "ip link set cable addrgenmode none",  # no address: nobody speaks from there
        "ip link set cable up",
    ):
        subprocess.run(command.split(), check=True, capture_output=True, text=True)


def why_not() -> str | None:
    """Why this machine can't do that, or None if it can."""
    trial = f"from {__name__} import move_in; move_in()"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a network of one's own needs Linux and root"
    argv = [sys.executable, "-c", trial]
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stderr.splitlines()[-1] if done.returncode else None
