"""Mallory is introduced."""

from __future__ import annotations

from kinlight.node import Node
from kinlight.node.mallory import Mallory
from kinlight.node.views import Contact, PairingCode


async def befriend(victim: Node) -> Mallory:
    """Mallory, a contact of this node, which takes everything from her without asking."""
    port = (await victim.status()).port
    assert port is not None
    mallory = Mallory(port)
    async for step in victim.open_pairing():
        match step:
            case PairingCode():
                await mallory.pair(step.code)
            case Contact():
                await victim.update_contact(step.name, accept="always")
    return mallory
