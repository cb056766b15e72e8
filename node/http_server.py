"""Serving HTTP to strangers with uvicorn, inside a process that has more to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 64
"""Connections to one server at a time."""
REQUEST_SECONDS: Final = 5.0
"""From a connection to its first request."""
GOODBYE_SECONDS: Final = 3


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has more to end than this."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """None."""
        yield


class BoundedHttp(H11Protocol):
    """HTTP for strangers: few connections, and none without a request.

    Without these bounds whoever can connect could use up the daemon's descriptors.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: counted, and given a few seconds."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self.loop.call_later(REQUEST_SECONDS, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self.cycle is None:  # pyright: ignore[reportUnnecessaryComparison] - None before a request
            self.transport.abort()


def settings(app: Any, http: type[BoundedHttp] = BoundedHttp) -> uvicorn.Config:
    """How every server here is set: quiet, without websockets, not saying what it is."""
    return uvicorn.Config(
        app,
        http=http,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
