"""The daemon: one engine, its local API, one home, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import allocator
from .api import Guard, create_app
from .engine import Engine
from .errors import NoHomeError
from .home import ApiAddress, Home
from .http_server import GOODBYE_SECONDS, Server, settings

_TOKEN_BYTES: Final = 32

_log = logging.getLogger(__name__)


class Daemon:
    """`async with Daemon.running(home) as daemon:`, then `await daemon.wait()`."""

    def __init__(self, home: Home) -> None:
        self.home: Final = home
        self.engine: Final = Engine(home)
        self._end = asyncio.Event()

    def end(self) -> None:
        """Ask the daemon to end."""
        self._end.set()

    async def wait(self) -> None:
        """Until `end`."""
        await self._end.wait()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, home: Home, secret: Secret | RecoveryWords | None = None
    ) -> AsyncGenerator[Daemon]:
        """Hold the home, serve the API, unlock if a secret is given; end all of it at the end.

        Raises `NoHomeError`, `AlreadyRunningError`, or what unlocking raises.
        """
        if not home.exists:
            raise NoHomeError
        with home.lock():
            daemon = cls(home)
            try:
                if secret is not None:
                    await daemon.engine.unlock(secret)
                async with daemon._serving():
                    yield daemon
            finally:
                await daemon.engine.lock()

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncGenerator[None]:
        app = create_app(self.engine, self.end)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        path = self.home.socket()
        loopback = socket.create_server(("127.0.0.1", 0))
        ways = [(Guard(app, token), loopback)]
        if path is not None:
            ways.append((Guard(app, None), _unix_socket(path)))
        servers = [Server(settings(guard)) for guard, _ in ways]
        tasks = [
            asyncio.create_task(server.serve(sockets=[listening]))
            for server, (_, listening) in zip(servers, ways, strict=True)
        ]
        address = ApiAddress(
            loopback.getsockname()[1], token, str(path) if path else None, os.getpid()
        )
        try:
            address.save(self.home)
            yield
        finally:
            self.home.api.unlink(missing_ok=True)
            if path is not None:
                path.unlink(missing_ok=True)
            for server in servers:
                server.should_exit = True
            _, pending = await asyncio.wait(tasks, timeout=2 * GOODBYE_SECONDS)
            for task in pending:
                task.cancel()
            for _, listening in ways:
                listening.close()


def _unix_socket(path: Path) -> socket.socket:
    """A listening socket that only this user can open: the folder is 0700 and so is it."""
    path.unlink(missing_ok=True)  # ours alone: the home's lock is held
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(64)
    return listening


async def run(home: Home, secret: Secret | RecoveryWords | None) -> None:
    """Run the daemon in this process until SIGTERM, SIGINT or `shutdown`."""
    allocator.share_arenas()
    async with Daemon.running(home, secret) as daemon:
        _end_on_signals(daemon)
        _log.info("started")
        await daemon.wait()
    _log.info("ended")


def _end_on_signals(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(daemon.end))
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, daemon.end)
