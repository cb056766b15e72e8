"""What a contact with several devices is to others: three of Anna's, two of Bob's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.node.environment import Environment
from kinlight.protocol.errors import RevokedDeviceError
from kinlight.protocol.revocation import device_hash

from .circle import album_of, found, key_of
from .conftest import Picture, Start, Ways
from .network import Network
from .nodes import Clock, TestedNode
from .siblings import are_linked, at, device_key, introduce, joined_by, named, tell_of


@dataclass(frozen=True, slots=True)
class People:
    """Anna's laptop and phone, which may certify, and Bob's machine and his television, all linked.
    Her tablet is nobody's yet.
    """

    laptop: TestedNode
    phone: TestedNode
    bob: TestedNode
    tv: TestedNode

    @property
    def bobs(self) -> tuple[TestedNode, TestedNode]:
        return self.bob, self.tv


@pytest.fixture
def environment(network: Network, clock: Clock, ways: Ways) -> Environment:
    assert not network.pipes
    return Environment(clock, ways.dial, ways.listen)


@pytest.fixture
async def people(start: Start, environment: Environment, tmp_path: Path) -> AsyncGenerator[People]:
    laptop, bob = await start("Laptop"), await start("Bob")
    await laptop.pair_with(bob)
    phone = await joined_by(
        laptop, tmp_path / "phone", environment, words=laptop.words, may_certify=True
    )
    tv = await joined_by(bob, tmp_path / "tv", environment, "TV")
    tell_of(bob, laptop, phone)
    tell_of(laptop, bob, tv)
    await phone.until(lambda: at(phone, bob) and at(bob, phone))
    await tv.until(lambda: at(tv, laptop) and at(laptop, tv))
    tell_of(phone, bob, tv)
    yield People(laptop, phone, bob, tv)
    for node in (phone, tv):
        await node.stop()


def receivers(node: TestedNode, photo: str | None) -> dict[bytes, str]:
    deliveries = node.parts.library.deliveries(bytes.fromhex(photo or ""))
    return {each.device: each.state for each in deliveries}


async def test_what_is_shared_goes_to_every_device_also_one_that_was_never_met(
    people: People, environment: Environment, tmp_path: Path, picture: Picture
) -> None:
    tablet = await joined_by(people.laptop, tmp_path / "tablet", environment, "Tablet")
    key = device_key(tablet)
    bob = people.bob
    await bob.until(
        lambda: key in {each.device for each in bob.parts.library.devices(tablet.identity)}
    )
    assert not at(bob, tablet)
    item = await bob.share_one(picture(), "Laptop", wait=False)
    assert set(receivers(bob, item.photo_id)) == {
        key, device_key(people.laptop), device_key(people.phone),
    }  # fmt: skip
    tell_of(bob, people.laptop, tablet)
    await tablet.until(lambda: tablet.inbox_state(item.photo_id or "") == "waiting")
    await tablet.stop()


async def test_a_revoked_device_gets_nothing_new_from_anybody(
    people: People, picture: Picture
) -> None:
    lost = device_key(people.phone)
    people.laptop.engine.our_devices.revoke("Phone", None)
    for node in people.bobs:
        await node.until(lambda node=node: not at(node, people.phone))
    await people.laptop.until(lambda: not are_linked(people.laptop, people.phone))
    for node in people.bobs:
        item = await node.share_one(picture(), "Laptop", wait=False)
        assert lost not in receivers(node, item.photo_id)
    with people.bob.engine.events.listen({"caller-refused"}) as news:
        await people.phone.restart()
        assert (await news.get()).data == {"code": "device-revoked"}


async def test_the_keys_of_albums_change_with_a_device_that_was_revoked(people: People) -> None:
    laptop, lost = people.laptop, device_key(people.phone)
    found(laptop)
    await laptop.until(lambda: lost in album_of(laptop).album.view.devices)
    key = key_of(laptop)
    laptop.engine.our_devices.revoke("Phone", None)
    await laptop.until(lambda: lost not in album_of(laptop).album.view.devices)
    assert key_of(laptop) != key


async def test_a_stolen_device_adds_a_device_after_it_was_revoked_and_nobody_takes_it(
    people: People, environment: Environment, tmp_path: Path
) -> None:
    people.laptop.engine.our_devices.revoke("Phone", None)
    await people.bob.until(lambda: not at(people.bob, people.phone))
    burglar = await joined_by(people.phone, tmp_path / "burglar", environment, "Burglar")
    introduce(people.phone, burglar)
    burglar.parts.roster.take_secret(people.laptop.parts.roster.make_secret(bytes))
    with people.bob.engine.events.listen({"caller-refused"}) as news:
        tell_of(people.bob, people.laptop, burglar)
        assert (await news.get()).data == {"code": "device-revoked"}
    own = people.laptop.parts
    assert own._is_lost(burglar.parts.device.chain)  # pyright: ignore[reportPrivateUsage]
    own.papers.note(burglar.parts.device.chain.certificates)  # as they come with an envelope
    with pytest.raises(RevokedDeviceError):  # its word against the laptop is not heard either
        own.papers.take_list(
            burglar.parts.papers.revoke([bytes(32)]),
            {device_key(burglar): burglar.identity},
            certifier=True,
        )
    await burglar.stop()


async def test_a_device_that_the_words_certify_no_longer_goes_with_the_one_that_added_it(
    people: People, environment: Environment, tmp_path: Path
) -> None:
    tablet = await joined_by(people.phone, tmp_path / "tablet", environment, "Tablet")
    tell_of(people.bob, people.laptop, tablet)
    await people.bob.until(lambda: at(people.bob, tablet))
    await tablet.engine.allow_device(people.laptop.words)
    await people.bob.until(lambda: at(people.bob, tablet))
    await people.laptop.until(
        lambda: named(people.laptop, "Tablet").added_by is None and named(tablet, "Tablet").this
    )
    people.laptop.engine.our_devices.revoke("Phone", None)
    await people.bob.until(lambda: not at(people.bob, people.phone))
    assert at(people.bob, tablet)
    known = people.bob.parts.papers.revocations
    assert not known.revokes_device(tablet.identity, device_key(tablet))
    await tablet.stop()


async def test_a_device_that_may_not_certify_takes_no_device_back(
    people: People, environment: Environment, tmp_path: Path
) -> None:
    tablet = await joined_by(people.laptop, tmp_path / "tablet", environment, "Tablet")
    tell_of(people.bob, people.laptop, tablet)
    await tablet.until(lambda: at(tablet, people.bob))
    tablet.parts.papers.revoke([device_hash(device_key(people.laptop)), bytes(32)])
    tablet.parts._spread()  # pyright: ignore[reportPrivateUsage]
    known = people.bob.parts.papers
    await people.bob.until(lambda: known.revocations.revokes(tablet.identity, bytes(32)))
    assert at(people.bob, people.laptop)
    assert not known.revocations.revokes_device(tablet.identity, device_key(people.laptop))
    await tablet.stop()


async def test_of_two_devices_that_revoke_each_other_the_first_heard_counts_until_the_words_decide(
    people: People,
) -> None:
    bob, laptop, phone = people.bob, people.laptop, people.phone
    await tv_away(people)
    # Bob hears the thief first; the laptop's own list comes too late there.
    phone.engine.our_devices.revoke("Laptop", None)
    await bob.until(lambda: not at(bob, laptop))
    await laptop.until(lambda: not are_linked(laptop, phone))
    assert at(bob, phone)
    laptop.engine.our_devices.revoke("Phone", laptop.words)
    laptop.engine.our_devices.restore("Laptop", laptop.words)
    # Bob does not let the laptop in, so he hears it from the third device, or by the words.
    for each in laptop.parts.papers.own_lists():
        if each.by_root:
            assert bob.parts.papers.take_list(each, {}, certifier=False)
    bob.parts._heard(laptop.identity)  # pyright: ignore[reportPrivateUsage]
    await bob.until(lambda: not at(bob, phone))
    laptop.parts.peers.nudge()
    await bob.until(lambda: at(bob, laptop))


async def tv_away(people: People) -> None:
    links = people.laptop.parts.peers.links
    await people.tv.stop()
    await people.laptop.until(lambda: len(links(people.bob.identity)) == 1)
