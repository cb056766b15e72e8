"""Devices of one person, made siblings by hand where a test is not about how they became so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kinlight.node.addresses import Address
from kinlight.node.unlocked import Environment
from kinlight.protocol.devices import OwnDevice

from .nodes import NOW, TestedNode


async def sibling_of(node: TestedNode, path: Path, environment: Environment) -> TestedNode:
    """One more device of a node's identity, started, that shares what own devices share."""
    other = TestedNode(path, path.name.title(), environment, node.words)
    await other.start()
    introduce(node, other)
    return other


def introduce(node: TestedNode, other: TestedNode) -> None:
    """The other one knows the first as if it had been added there, and calls it."""
    one, two = node.parts, other.parts
    two.roster.take_secret(one.roster.make_secret(one._environment.entropy))  # pyright: ignore[reportPrivateUsage]
    two.roster.put([*one.roster.devices(), OwnDevice(two.device.chain, other.name, NOW)])
    two.whereabouts.reached(one.device.chain.device, Address("127.0.0.1", one.listener.port), NOW)
    two.peers.forget_refusals()


def are_linked(one: TestedNode, other: TestedNode) -> bool:
    devices = {each.link.peer.device for each in one.parts.peers.siblings()}
    return other.parts.device.chain.device in devices


@dataclass(frozen=True, slots=True)
class Pair:
    """Two devices of Anna's, linked, and Bob, whom the laptop met before there was a phone."""

    laptop: TestedNode
    phone: TestedNode
    bob: TestedNode
