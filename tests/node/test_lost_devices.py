"""A device that its owner has revoked: whole nodes, two of them Anna's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node.addresses import Address
from kinlight.node.environment import Environment
from kinlight.node.papers import CERTIFIED_KEPT
from kinlight.node.views_contacts import Contact
from kinlight.protocol.errors import RevokedDeviceError, TooMuchError
from kinlight.protocol.revocation import device_hash

from .conftest import Picture, Start, Ways
from .network import Network
from .nodes import NOW, Clock, TestedNode


@dataclass(frozen=True, slots=True)
class Three:
    """Anna's laptop and her phone, both connected to Bob; `lost` is the phone's key."""

    laptop: TestedNode
    phone: TestedNode
    bob: TestedNode
    lost: bytes

    def at_bob(self) -> set[bytes]:
        """Which of Anna's devices are connected to Bob."""
        return {link.peer.device for link in self.bob.parts.peers.links(self.laptop.identity)}

    def revoke(self) -> None:
        self.laptop.engine.granting.revoke(grant=None, who=None, photo=None, device=self.lost.hex())

    async def heard(self) -> None:
        """Bob knows it, and nothing of the phone is left at Bob's."""
        await self.bob.until(lambda: self.lost not in self.at_bob())
        known = self.bob.parts.papers.revocations
        assert known.revokes_device(self.laptop.identity, self.lost)


@pytest.fixture
async def three(
    network: Network, start: Start, clock: Clock, ways: Ways, tmp_path: Path
) -> AsyncGenerator[Three]:
    assert not network.pipes
    bob, laptop = await start("Bob"), await start("Anna")
    await bob.pair_with(laptop)
    environment = Environment(clock, ways.dial, ways.listen)
    phone = TestedNode(tmp_path / "homes" / "phone", "Anna's phone", environment, laptop.words)
    await phone.start()
    # As a device learns from the others of its owner.
    secret = laptop.parts.library.contact("Bob").pair_secret
    library = phone.parts.library
    library.add_contact(bob.parts.device.chain, "Bob", secret, NOW)
    port = bob.parts.listener.port
    phone.parts.whereabouts.reached(bob.identity, Address("127.0.0.1", port), NOW)
    phone.parts.peers.forget_refusals()
    await phone.until(lambda: phone.connected_to(bob))
    found = Three(laptop, phone, bob, phone.parts.device.signing.public)
    await bob.until(lambda: len(found.at_bob()) == 2)
    yield found
    await phone.stop()


async def test_the_link_of_a_device_ends_when_it_is_heard_that_it_was_revoked(
    three: Three,
) -> None:
    three.revoke()
    await three.heard()
    assert three.at_bob() == {three.laptop.parts.device.signing.public}
    await three.phone.until(lambda: not three.phone.connected_to(three.bob))


async def test_a_revoked_device_does_not_come_up_again_whoever_dials(three: Three) -> None:
    three.revoke()
    await three.heard()
    with three.bob.engine.events.listen({"caller-refused"}) as news:
        await three.phone.restart()
        event = await news.get()
    assert event.data == {"code": "device-revoked"}
    assert three.lost not in three.at_bob()
    with three.bob.engine.events.listen({"connected"}) as news:
        await three.bob.restart()
        await three.bob.until(lambda: bool(three.at_bob()), news=news)
    assert three.at_bob() == {three.laptop.parts.device.signing.public}


async def test_a_revoked_device_does_not_come_back_by_pairing_again(three: Three) -> None:
    three.revoke()
    await three.heard()
    before = three.bob.parts.library.contact("Anna").pair_secret.reveal()
    async with three.bob.pairing() as (code, steps):
        with pytest.raises(RevokedDeviceError):
            await three.phone.engine.join_pairing(code.code, three.bob.address, None)
        assert three.bob.parts.library.contact("Anna").pair_secret.reveal() == before
        # The code still serves somebody else.
        await three.laptop.engine.join_pairing(code.code, three.bob.address, None)
        assert isinstance(await anext(steps), Contact)


async def test_what_waits_for_a_revoked_device_is_not_sent_and_says_why(
    three: Three, picture: Picture
) -> None:
    await three.phone.stop()
    await three.bob.until(lambda: three.lost not in three.at_bob())
    item = await three.bob.share_one(picture(), "Anna", wait=False)
    three.revoke()
    await three.bob.until(
        lambda: three.bob.parts.papers.revocations.revokes_device(three.laptop.identity, three.lost)
    )
    photo = bytes.fromhex(item.photo_id or "")
    states = {
        delivery.device: (delivery.state, delivery.code)
        for delivery in three.bob.parts.library.deliveries(photo)
    }
    assert states[three.lost] == ("refused", "device-revoked")
    assert states[three.laptop.parts.device.signing.public][0] != "refused"


async def test_a_device_of_our_own_that_was_revoked_is_refused_as_well(three: Three) -> None:
    three.revoke()
    chain = three.phone.parts.device.chain
    papers = three.laptop.parts.papers
    assert papers.revocations.revokes(chain.identity, device_hash(chain.device))
    is_lost = three.laptop.parts._is_lost  # pyright: ignore[reportPrivateUsage]
    assert is_lost(chain)
    assert not is_lost(three.laptop.parts.device.chain)


async def test_nobody_else_frees_what_a_lost_device_certified(three: Three) -> None:
    """A friend of the thief certifies the key of its further device as her own."""
    papers, anna, phone = three.bob.parts.papers, three.laptop.identity, three.phone.parts.device
    three.revoke()
    await three.heard()
    child = SigningKey(Secret(b"c" * 32)).public
    root = SigningKey(RecoveryWords(Secret(b"m" * 32)).root_seed())
    for signer, identity in ((phone.signing, anna), (root, root.public)):
        certificate = DeviceCertificate.issue(
            signer, identity, child, not_before=NOW, seq=NOW, may_certify=False
        )
        papers.note([certificate])
        assert papers.revocations.revokes_device(anna, child)
    await three.bob.restart()
    assert three.bob.parts.papers.revocations.revokes_device(anna, child)


async def test_who_certifies_devices_without_end_fills_no_disk(three: Three) -> None:
    papers, anna, phone = three.bob.parts.papers, three.laptop.identity, three.phone.parts.device

    def certified(number: int) -> DeviceCertificate:
        child = SigningKey(Secret(number.to_bytes(32))).public
        return DeviceCertificate.issue(
            phone.signing, anna, child, not_before=NOW, seq=NOW, may_certify=False
        )

    papers.note(map(certified, range(CERTIFIED_KEPT)))
    with pytest.raises(TooMuchError):
        papers.note([certified(CERTIFIED_KEPT)])
    papers.note([certified(0)])  # what is known goes on
