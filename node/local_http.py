"""HTTP to the daemon on this machine: a connection for each request, and nothing for other ends.

A library that speaks to the web loads four times as much, and every command would wait for that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import h11

from .home import ApiAddress

CONNECT_SECONDS: Final = 5.0
_READ_BYTES: Final = 65536

FAULTS: Final = (OSError, h11.RemoteProtocolError)
"""What says that the daemon is not there, or that it ended before it had answered."""


class Answer:
    """An answer whose head is there; its body is read once. `FAULTS`."""

    def __init__(self, http: h11.Connection, reader: asyncio.StreamReader) -> None:
        self.status = 0
        self._http = http
        self._reader = reader

    async def head(self) -> None:
        """Read on to the body."""
        while not isinstance(event := await self._next(), h11.Response):
            pass  # what informs only may come before it
        self.status = event.status_code

    async def body(self) -> bytes:
        """All of the body."""
        parts: list[bytes] = []
        while (part := await self._part()) is not None:
            parts.append(part)
        return b"".join(parts)

    async def lines(self) -> AsyncGenerator[bytes]:
        """The lines of the body, each as soon as it is there."""
        begun: list[bytes] = []
        while (part := await self._part()) is not None:
            *ended, rest = part.split(b"\n")
            for line in ended:
                yield b"".join([*begun, line])
                begun.clear()
            begun.append(rest)
        if any(begun):
            yield b"".join(begun)

    async def _part(self) -> bytes | None:
        event = await self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event


@contextlib.asynccontextmanager
async def request(
    address: ApiAddress, method: str, url: str, content: bytes | None
) -> AsyncGenerator[Answer]:
    """Send a request, with JSON if there is any, and wait for the head of the answer. `FAULTS`."""
    reader, writer = await _connect(address)
    try:
        http = h11.Connection(h11.CLIENT)
        head = h11.Request(method=method, target=url, headers=_headers(address, content))
        for event in (head, h11.Data(content or b""), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        await writer.drain()
        answer = Answer(http, reader)
        await answer.head()
        yield answer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _connect(address: ApiAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_SECONDS):
        if address.socket is not None:
            return await asyncio.open_unix_connection(address.socket)
        return await asyncio.open_connection("127.0.0.1", address.port)


def _headers(address: ApiAddress, content: bytes | None) -> list[tuple[str, str]]:
    headers = [("Connection", "close"), ("Content-Length", str(len(content or b"")))]
    if content is not None:
        headers.append(("Content-Type", "application/json"))
    if address.socket is not None:
        return [("Host", "kinlight"), *headers]
    token = ("Authorization", f"Bearer {address.token}")
    return [("Host", f"127.0.0.1:{address.port}"), token, *headers]
