"""`ip netns exec NAME` for a process that is running already; see ip-netns(8).

    enter("kinlight-1f2e3d4c-a")

The process leaves its network for the namespace, and sees that one's links in /sys. It needs to be
root on Linux, as `ip` does.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Final

PREFIX: Final = ("ip", "netns", "exec")

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWNET: Final = 0x40000000
_MS_REC: Final = 0x4000
_MS_SLAVE: Final = 0x80000
_MNT_DETACH: Final = 2


def split(argv: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The namespace in which a command line is to run, if any, and what is to run there."""
    length = len(PREFIX)
    if tuple(argv[:length]) == PREFIX and len(argv) > length:
        return argv[length], argv[length + 1 :]
    return None, argv


def enter(name: str) -> None:
    """Go on inside that namespace, for good. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is there from Python 3.12

    def call(function: str, *values: object) -> None:
        if libc[function](*values):
            number = ctypes.get_errno()
            raise OSError(number, f"{function}: {os.strerror(number)}")

    namespace = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("setns", namespace, _CLONE_NEWNET)
    finally:
        os.close(namespace)
    call("unshare", _CLONE_NEWNS)
    call("mount", b"", b"/", b"none", ctypes.c_ulong(_MS_SLAVE | _MS_REC), None)
    call("umount2", b"/sys", _MNT_DETACH)
    call("mount", name.encode(), b"/sys", b"sysfs", ctypes.c_ulong(0), None)
