"""A port of the router that leads here, where there is a router that opens one by itself (UPnP).

Asked for while the wide area is on, again and again as long as it is, and given back at its end.
What the router says is a place to dial that others are told, and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import subprocess
from collections.abc import Callable
from typing import Any, Final, cast

from . import own_python, plain_text
from .addresses import Address
from .upnp_child import BEHIND, is_inner

RENEW_SECONDS: Final = 20 * 60.0
"""A third of what the router is asked for."""
AGAIN_SECONDS: Final = 5 * 60.0
"""Where there was none; this machine may have come to another network."""
CHILD_SECONDS: Final = 20.0
FAREWELL_SECONDS: Final = 5.0
ANSWER_BYTES: Final = 1024

_log = logging.getLogger(__name__)


class Forwarding:
    """`outside` is where the router can be dialled for this node; `reason` why there is nothing.

    `changed` is called with it when that is not as it was.
    """

    def __init__(self, changed: Callable[[Address | None], None]) -> None:
        self.outside: Address | None = None
        self.reason: str | None = None
        self._changed = changed

    async def keep(self, port: int) -> None:
        """Until it is cancelled; then the router is asked to forget it."""
        try:
            while True:
                await self._ask(port)
                await asyncio.sleep(AGAIN_SECONDS if self.outside is None else RENEW_SECONDS)
        finally:
            if self.outside is not None:
                with contextlib.suppress(OSError, TimeoutError, ValueError):
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await _child("unmap", self.outside.port)
                self._set(None, None)

    async def _ask(self, port: int) -> None:
        try:
            async with asyncio.timeout(CHILD_SECONDS):
                told = await _child("map", port)
            if "reason" in told:
                found, reason = None, plain_text.one_line(str(told["reason"])) or "it says nothing"
            else:
                host, theirs = ipaddress.ip_address(str(told["host"])), int(str(told["port"]))
                if not 0 < theirs < 65536 or not _leads_somewhere(host):
                    raise ValueError("no address")
                found, reason = Address(str(host), theirs), None
                if is_inner(host):
                    found, reason = None, BEHIND
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _log.debug("the router was not understood: %s", error)
            found, reason = None, "the router is not understood"
        self._set(found, reason)

    def _set(self, outside: Address | None, reason: str | None) -> None:
        if (outside, reason) != (self.outside, self.reason):
            self.outside, self.reason = outside, reason
            self._changed(outside)


def _leads_somewhere(host: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether another machine may dial it. A scope is any text, and means nothing elsewhere."""
    return not (
        host.is_unspecified
        or host.is_multicast
        or host.is_loopback
        or host.is_link_local
        or "%" in str(host)
    )


async def _child(action: str, port: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *own_python.command("upnp_child", "main", action, str(port)),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        cwd=own_python.FOLDER, env=own_python.ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        told = json.loads(await process.stdout.read(ANSWER_BYTES) or b"{}")
        return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
