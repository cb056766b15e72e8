"""Devices of one person, made siblings by hand where a test is not about how they became so."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from kinlight.node import joining
from kinlight.node.addresses import Address
from kinlight.node.environment import Environment
from kinlight.node.home import Home
from kinlight.node.views_contacts import PairingCode
from kinlight.node.views_devices import OwnDevice
from kinlight.protocol import devices

from .nodes import CHEAP, NOW, PASSPHRASE, TestedNode


async def sibling_of(node: TestedNode, path: Path, environment: Environment) -> TestedNode:
    """One more device of a node's identity, started, that shares what own devices share."""
    other = TestedNode(path, path.name.title(), environment, node.words)
    await other.start()
    introduce(node, other)
    return other


def introduce(node: TestedNode, other: TestedNode) -> None:
    """The other one knows the first as if it had been added there, and calls it."""
    one, two = node.parts, other.parts
    two.roster.take_secret(one.roster.make_secret(one.entropy))
    two.roster.put([*one.roster.devices(), devices.OwnDevice(two.device.chain, other.name, NOW)])
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


async def joined_by(
    node: TestedNode, path: Path, environment: Environment, name: str = "Phone", **more: object
) -> TestedNode:
    """A new device that is added by a code, started."""
    wanted = {"name": None, "words": None, "may_certify": False} | more
    async with contextlib.aclosing(node.engine.add_device(**wanted)) as steps:  # type: ignore[arg-type]
        code = await anext(steps)
        assert isinstance(code, PairingCode)
        home = Home(path)
        joined = await joining.join(
            home, code.code, PASSPHRASE, name,
            at=node.address, environment=environment, cost=CHEAP,
        )  # fmt: skip
        added = await anext(steps)
        assert isinstance(added, OwnDevice)
        assert (added.name, added.device) == (joined.name, joined.device)
    home.config.write_text("[network]\ndiscovery = false\n[check]\nreceived = false\n")
    other = TestedNode.of_home(home, joined.name, environment, node.words)
    await other.start()
    return other


def device_key(node: TestedNode) -> bytes:
    return node.parts.device.chain.device


def named(node: TestedNode, name: str) -> OwnDevice:
    (found,) = [each for each in node.engine.our_devices.list() if each.name == name]
    return found


def tell_of(contact: TestedNode, knower: TestedNode, other: TestedNode) -> None:
    """A device learns of a contact from its sibling, as it would by what goes between them."""
    known = knower.parts.library.contact_of(contact.identity)
    assert known is not None
    library, parts = other.parts.library, other.parts
    library.restore_contact(
        contact.identity, known.name, known.pair_secret, verified=False, now=NOW
    )
    parts.whereabouts.reached(
        contact.identity, Address("127.0.0.1", contact.parts.listener.port), NOW
    )
    parts.peers.forget_refusals()


def at(node: TestedNode, other: TestedNode) -> bool:
    """Whether that very device is connected."""
    links = node.parts.peers.links(other.identity)
    return device_key(other) in {link.peer.device for link in links}
