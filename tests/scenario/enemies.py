"""Mallory is introduced."""

from __future__ import annotations

from typing import TypeVar

from kinlight.node import Node
from kinlight.node.mallory import Mallory
from kinlight.node.views_contacts import Contact, PairingCode

Somebody = TypeVar("Somebody", bound=Mallory)


async def befriend(victim: Node, kind: type[Somebody] = Mallory) -> Somebody:
    """Mallory, a contact of this node, which takes everything from her without asking."""
    port = (await victim.status()).port
    assert port is not None
    mallory = kind(port)
    async for step in victim.open_pairing():
        match step:
            case PairingCode():
                await mallory.pair(step.code)
            case Contact():
                await victim.update_contact(step.name, accept="always")
    return mallory
