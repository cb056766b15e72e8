"""The part of `Node` about holding for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .client import Client, several
from .views_holding import HeldFor, Holding


class NodeHolding(Client):
    """Keeping sealed envelopes and files for contacts who are away; see `node.Node`."""

    async def holding(self) -> Holding:
        """What this node holds for others, and on what terms."""
        return _holding(await self._get("holding"))

    async def hold(
        self,
        contacts: Sequence[str] = (),
        *,
        quota: int | None = None,
        per_contact: int | None = None,
        days: int | None = None,
        backup: Sequence[str] = (),
    ) -> Holding:
        """Hold for these contacts, or for all if none is named.

        Where it holds for somebody already, terms alone change nothing about for whom. `quota` is
        bytes in all, `per_contact` bytes for one contact and from one; each thing is held for so
        many `days`, 90 at most. What is not given stays as it was; at first that is 10 GB, 2 GB and
        30 days. The contacts in `backup` may keep things here without end. Whether they let this
        node hold for them is for them to say. Raises `NoSuchContactError`, `BadRequestError`.
        """
        body = await self._post(
            "holding", "on", contacts=several(contacts), quota=quota, per_contact=per_contact,
            days=days, backup=several(backup),
        )  # fmt: skip
        return _holding(body)

    async def stop_holding(self, contacts: Sequence[str] = (), *, drop: bool = False) -> Holding:
        """Hold for these contacts no longer, or for nobody if none is named.

        What is here stays until it is delivered or its time is over; with `drop` it is removed now.
        """
        body = await self._post("holding", "off", contacts=several(contacts), drop=drop)
        return _holding(body)


def _holding(body: dict[str, Any]) -> Holding:
    contacts = [HeldFor(**item) for item in body.pop("contacts")]
    return Holding(**body, contacts=contacts)
