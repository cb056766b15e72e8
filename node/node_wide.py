"""The part of `Node` about the wide area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .client import Client
from .views import Bootstrap, WideArea


class NodeWide(Client):
    """Reaching and being reached beyond the local network; see `node.Node`."""

    async def wide(self) -> WideArea:
        """How this node is in the wide area, what it relays and whom it asks there."""
        return _area(await self._get("wide"))

    async def set_wide(
        self,
        *,
        on: bool | None = None,
        relay: bool | None = None,
        lookup: bool | None = None,
        bootstraps: Sequence[str] | None = None,
    ) -> WideArea:
        """Turn the wide area on or off, with `relay` whether contacts reach each other through
        this node, with `lookup` whether it takes part in look-ups, which begin at `bootstraps`
        (addresses of the wide area, at most 8); None leaves it. `config.toml` says so from then on.

        Links over it end and are made again. Whether it could start `state` of the answer says.
        Raises `BadConfigError` where the settings can't be changed, `BadAddressError` for a
        bootstrap that is no address.
        """
        return _area(
            await self._post(
                "wide",
                on=on,
                relay=relay,
                lookup=lookup,
                bootstraps=None if bootstraps is None else list(bootstraps),
            )
        )


def _area(body: dict[str, Any]) -> WideArea:
    bootstraps = [Bootstrap(**item) for item in body.pop("bootstraps", [])]
    return WideArea(**body, bootstraps=bootstraps)
