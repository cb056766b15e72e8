"""Making a node and starting its daemon as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..crypto.errors import KinlightError
from .errors import AlreadyRunningError, DiskFullError, NotRunningError, StartFailedError
from .exits import from_code
from .home import ApiAddress, Home
from .node import Node

if TYPE_CHECKING:
    from ..crypto.recovery import RecoveryWords
    from ..crypto.secret import Secret

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 20.0
END_SECONDS: Final = 5.0
"""From when a daemon has let go of its home to the end of its process."""
_LOOK_SECONDS: Final = 0.05
_FULL_BYTES: Final = 64 * 1024
"""A disk with no more room than that is why a start failed without a word."""


def make_node(
    home: Home, passphrase: Secret, name: str, show: Callable[[RecoveryWords], None]
) -> None:
    """Make keys in `home`; see `keys.create`."""
    from . import keys  # heavy, and needed once in a node's life

    keys.create(
        home, passphrase, name, entropy=secrets.token_bytes, now=int(time.time()), show=show
    )


def remake_node(home: Home, words: RecoveryWords, passphrase: Secret, name: str) -> None:
    """Make keys in `home` of the identity of `words`; see `keys.recreate`."""
    from . import keys

    now = int(time.time())
    keys.recreate(home, words, passphrase, name, entropy=secrets.token_bytes, now=now)


async def ensure_daemon(home: Home) -> bool:
    """Start the daemon, locked, in the background, unless it runs; return once it answers.

    Whether it was started now.
    """
    try:
        async with Node.connect(home.path) as node:
            node.check_version()
            return False
    except NotRunningError:
        pass
    errors_file = home.log.with_name("start.err")
    home.prepare()
    process = _spawn(home, errors_file)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _told(errors_file)
        address = ApiAddress.load(home)
        if address is not None and address.pid == process.pid:
            try:
                async with Node.connect(home.path):
                    return True
            except NotRunningError:
                pass
        await asyncio.sleep(_LOOK_SECONDS)
    process.terminate()
    raise StartFailedError("it did not answer in time")


async def until_answers(home: Home) -> None:
    """Until the daemon that somebody else starts answers; `StartFailedError` after a while."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(NotRunningError):
            async with Node.connect(home.path):
                return
        await asyncio.sleep(_LOOK_SECONDS)
    raise StartFailedError("it did not answer in time")


def _spawn(home: Home, errors_file: Path) -> subprocess.Popen[bytes]:
    """The daemon as a process that outlives this one; what it prints goes to `errors_file`."""
    with errors_file.open("wb") as told:
        errors_file.chmod(0o600)
        return subprocess.Popen(
            # -P and the root: nothing that lies in a home or in this folder is run as code.
            [sys.executable, "-P", "-m", "kinlight.node", "up", "--foreground", "--json",
             "--locked", "--home", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.DEVNULL,
            cwd=home.path.anchor,
            start_new_session=True,
        )  # fmt: skip


def _told(errors_file: Path) -> KinlightError:
    """The error that a daemon printed before it ended."""
    try:
        error = json.loads(errors_file.read_text("utf-8"))["error"]
        return from_code(str(error["code"]), str(error["message"]))
    except (OSError, ValueError, KeyError, TypeError):
        with contextlib.suppress(OSError):  # so full that it could not even say so
            if shutil.disk_usage(errors_file.parent).free < _FULL_BYTES:
                return DiskFullError()
        return StartFailedError("its log may say more")


async def stop_daemon(home: Home) -> None:
    """End the daemon and wait until it has let go of the home, and its process has ended.

    Raises `NotRunningError` if none runs. A script that lives on without its node is let be.
    """
    address = ApiAddress.load(home)
    with _process(None if address is None else address.pid) as ended:
        async with Node.connect(home.path) as node:
            await node.shut_down()
        await _until_free(home)
        deadline = time.monotonic() + END_SECONDS
        while not ended() and time.monotonic() < deadline:  # noqa: ASYNC110 - another process
            await asyncio.sleep(_LOOK_SECONDS)


async def _until_free(home: Home) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            with home.lock():
                return
        except AlreadyRunningError:
            await asyncio.sleep(_LOOK_SECONDS)
    raise AlreadyRunningError("it takes long to end")


@contextlib.contextmanager
def _process(pid: int | None) -> Generator[Callable[[], bool]]:
    """Says whether a process that runs now has ended; where nobody can say, that it has.

    By a descriptor of the process: another one may soon have its number.
    """
    if sys.platform != "linux" or pid is None:
        yield lambda: True
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # it has ended, or this kernel or its guard doesn't know the call
        yield lambda: True
        return
    try:
        yield lambda: bool(select.select([descriptor], [], [], 0)[0])
    finally:
        os.close(descriptor)
