"""Three nodes, of which the one in the middle passes photos on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kinlight.node.views_access import Grant
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.capability import Audience, Capability, Caveats

from .nodes import TestedNode

DAY = 86_400
PASS_ON = ["view", "reshare"]


@dataclass(frozen=True, slots=True)
class Three:
    """Bob is paired with Anna and with Carol, who take what comes; Anna and Carol are strangers."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode


async def imported(node: TestedNode, path: Path) -> str:
    before = {item.id for item in node.engine.collection.search()}
    async for _ in node.engine.collection.import_photos([path], album=None, albums=True):
        pass
    (photo,) = {item.id for item in node.engine.collection.search()} - before
    return photo


async def granted(node: TestedNode, photo: str, to: str, **more: object) -> ShareItem:
    wanted = {"metadata": "original", "operations": PASS_ON} | more
    steps = node.engine.grant([photo], [to], **wanted)  # type: ignore[arg-type]
    item = [step async for step in steps if isinstance(step, ShareItem)][-1]
    assert item.code is None
    return item


async def delegated(node: TestedNode, photo: str, to: str, **more: object) -> ShareItem:
    steps = node.engine.delegate([photo], [to], **more)  # type: ignore[arg-type]
    return [step async for step in steps if isinstance(step, ShareItem)][-1]


async def given(three: Three, path: Path, **more: object) -> str:
    """A photo of Anna's that Bob has and may pass on."""
    item = await granted(three.anna, await imported(three.anna, path), "Bob", **more)
    assert item.state == "delivered"
    return item.photo_id or ""


async def given_for(three: Three, path: Path, **more: object) -> str:
    """The same under a grant made by hand; `more` are conditions that no command sets."""
    anna, bob = three.anna.parts, three.bob
    photo = bytes.fromhex(await imported(three.anna, path))
    stored, contact = anna.library.photo(photo), anna.library.contact("Bob")
    assert stored is not None
    caveats = Caveats(photos=frozenset([photo]), operations=frozenset(PASS_ON))
    capability = Capability.grant(
        anna.device.signing,
        three.anna.identity,
        Audience("identity", bob.identity),
        replace(caveats, **more),  # type: ignore[arg-type]
        bytes(16),
    )
    (delivery,) = anna.outbox._address(stored, contact, capability)  # pyright: ignore[reportPrivateUsage]
    anna.outbox._tell(delivery.device)  # pyright: ignore[reportPrivateUsage]
    await bob.until(lambda: bob.inbox_state(photo.hex()) == "stored")
    return photo.hex()


def grant_of(node: TestedNode, photo: str) -> Grant:
    (grant,) = node.engine.granting.grants(None, photo)
    return grant


def revoke(node: TestedNode, grant: str | None = None, **more: str) -> None:
    wanted = {"who": None, "photo": None, "device": None} | more
    node.engine.granting.revoke(grant=grant, **wanted)  # type: ignore[arg-type]


def knows_list_of(node: TestedNode, other: TestedNode) -> bool:
    return other.identity in node.parts.papers.revocations.known


def ended(node: TestedNode, photo: str) -> str | None:
    """Why a photo is not to be seen any more."""
    (found,) = [item for item in node.engine.collection.search() if item.id == photo]
    return found.ended


async def refused(node: TestedNode, photo: str, to: str = "Carol", **more: object) -> str | None:
    """Why a photo is not passed on."""
    item = await delegated(node, photo, to, **more)
    assert (item.state, item.grant) == ("failed", None)
    return item.code
