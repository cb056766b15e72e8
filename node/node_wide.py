"""The part of `Node` about the wide area."""

from __future__ import annotations

from .client import Client
from .views import WideArea


class NodeWide(Client):
    """Reaching and being reached beyond the local network; see `node.Node`."""

    async def wide(self) -> WideArea:
        """How this node is in the wide area, and what it relays there."""
        return WideArea(**await self._get("wide"))

    async def set_wide(self, *, on: bool | None = None, relay: bool | None = None) -> WideArea:
        """Turn the wide area on or off, and with `relay` whether contacts reach each other through
        this node; None leaves it as it is. `config.toml` says so from then on.

        Links over it end and are made again. Whether it could start `state` of the answer says.
        Raises `BadConfigError` where the settings can't be changed.
        """
        return WideArea(**await self._post("wide", on=on, relay=relay))
