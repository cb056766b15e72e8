"""Devices of one person: added by a code, named, revoked. Whole nodes over queues."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from kinlight.crypto.errors import InvalidCodeError, WrongCodeError
from kinlight.node import joining
from kinlight.node.contact_errors import (
    DeviceMayNotError,
    NoSuchOwnDeviceError,
    NotADeviceCodeError,
)
from kinlight.node.environment import Environment
from kinlight.node.errors import BadRequestError, HomeExistsError
from kinlight.node.home import Home
from kinlight.node.views_contacts import PairingCode
from kinlight.protocol.errors import NotPairingError, WrongPeerError

from .conftest import Start, Ways
from .network import Network
from .nodes import CHEAP, PASSPHRASE, Clock, TestedNode
from .siblings import are_linked, device_key, joined_by, named


@pytest.fixture
def environment(network: Network, clock: Clock, ways: Ways) -> Environment:
    assert not network.pipes
    return Environment(clock, ways.dial, ways.listen)


async def test_a_new_device_is_added_by_a_code_and_links_with_who_added_it(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await joined_by(laptop, tmp_path / "phone", environment)
    await laptop.until(lambda: are_linked(laptop, phone) and are_linked(phone, laptop))
    assert phone.parts.device.identity == laptop.identity
    assert len(phone.parts.device.chain.certificates) == 2
    first, second = phone.engine.our_devices.list()
    assert (first.name, first.may_certify, first.added_by) == ("Laptop", True, None)
    assert (second.name, second.this, second.added_by) == ("Phone", True, "Laptop")
    assert not second.may_certify
    assert not phone.home.joined.exists()
    await phone.restart()
    await phone.until(lambda: are_linked(phone, laptop))
    await phone.stop()


async def test_a_device_that_a_device_added_adds_none_before_the_words_allow_it(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await joined_by(laptop, tmp_path / "phone", environment)
    with pytest.raises(DeviceMayNotError):
        await joined_by(phone, tmp_path / "tablet", environment, "Tablet")
    allowed = await phone.engine.allow_device(laptop.words)
    assert allowed.may_certify
    assert len(phone.parts.device.chain.certificates) == 1
    tablet = await joined_by(phone, tmp_path / "tablet", environment, "Tablet")
    await tablet.until(lambda: are_linked(tablet, phone))
    await laptop.until(lambda: len(laptop.engine.our_devices.list()) == 3)
    assert named(laptop, "Phone").may_certify
    assert named(laptop, "Tablet").added_by == "Phone"
    for node in (phone, tablet):
        await node.stop()


async def test_the_words_let_a_new_device_certify_others_at_once(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    with pytest.raises(BadRequestError):
        await joined_by(laptop, tmp_path / "phone", environment, may_certify=True)
    phone = await joined_by(
        laptop, tmp_path / "phone", environment, words=laptop.words, may_certify=True
    )
    assert named(phone, "Phone").may_certify
    assert named(phone, "Phone").added_by is None
    await phone.stop()


async def test_a_code_serves_only_what_it_was_made_for(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop, bob = await start("Laptop"), await start("Bob")
    home = Home(tmp_path / "phone")
    adding = laptop.engine.add_device(None, None, may_certify=False)
    async with contextlib.aclosing(adding) as steps:
        code = await anext(steps)
        assert isinstance(code, PairingCode)
        with pytest.raises(NotPairingError):
            await bob.engine.join_pairing(code.code, laptop.address, None)
        with pytest.raises(InvalidCodeError):
            await bob.engine.join_pairing(code.invitation, laptop.address, None)
        assert laptop.parts.peers.window is not None
        assert laptop.parts.peers.window.runs_left == 3  # no guess was spent
    async with laptop.pairing() as (pairing, _):
        for text, error in (
            (pairing.code, NotPairingError), (pairing.invitation, NotADeviceCodeError),
        ):  # fmt: skip
            with pytest.raises(error):
                await joining.join(
                    home, text, PASSPHRASE, "Phone", at=laptop.address, environment=environment
                )
    assert not home.exists


async def test_a_wrong_code_adds_nothing_and_makes_no_node(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    home = Home(tmp_path / "phone")
    async with contextlib.aclosing(
        laptop.engine.add_device(None, None, may_certify=False)
    ) as steps:
        code = await anext(steps)
        assert isinstance(code, PairingCode)
        slot, first, second = code.code.split("-")
        wrong = f"{slot}-{second}-{first}" if first != second else f"{slot}-maple-orbit"
        with pytest.raises(WrongCodeError):
            await joining.join(
                home, wrong, PASSPHRASE, "Phone", at=laptop.address, environment=environment
            )
    assert not home.exists
    assert len(laptop.engine.our_devices.list()) == 1


async def test_a_home_with_a_node_joins_nobody(start: Start, environment: Environment) -> None:
    laptop, other = await start("Laptop"), await start("Other")
    with pytest.raises(HomeExistsError):
        await joining.join(
            other.home, "7-maple-orbit", PASSPHRASE, "Other",
            at=laptop.address, environment=environment, cost=CHEAP,
        )  # fmt: skip


async def test_a_name_given_on_one_device_is_known_on_all(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await joined_by(laptop, tmp_path / "phone", environment)
    await phone.until(lambda: are_linked(phone, laptop))
    laptop.engine.our_devices.rename("phone", "Old phone")
    await phone.until(lambda: phone.engine.our_devices.list()[1].name == "Old phone")
    with pytest.raises(NoSuchOwnDeviceError):
        laptop.engine.our_devices.rename("Phone", "New phone")
    await phone.stop()


async def test_a_revoked_device_is_let_go_by_its_siblings_and_the_secret_changes(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await joined_by(laptop, tmp_path / "phone", environment)
    tablet = await joined_by(laptop, tmp_path / "tablet", environment, "Tablet")
    await laptop.until(lambda: are_linked(laptop, phone) and are_linked(laptop, tablet))
    before = phone.parts.roster.secret()
    gone = laptop.engine.our_devices.revoke("Phone", None)
    assert [each.name for each in gone] == ["Phone"]
    await laptop.until(lambda: not are_linked(laptop, phone))
    await tablet.until(lambda: named(tablet, "Phone").revoked)
    assert before is not None
    await tablet.until(lambda: tablet.parts.roster.secret() == laptop.parts.roster.secret())
    assert laptop.parts.roster.secret() != before == phone.parts.roster.secret()
    await phone.restart()
    await phone.parts.peers.call([])
    assert not are_linked(laptop, phone)
    assert not are_linked(tablet, phone)
    for node in (phone, tablet):
        await node.stop()


async def test_what_a_revoked_device_added_goes_with_it_unless_it_is_kept(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await joined_by(
        laptop, tmp_path / "phone", environment, words=laptop.words, may_certify=True
    )
    tablet = await joined_by(phone, tmp_path / "tablet", environment, "Tablet")
    camera = await joined_by(phone, tmp_path / "camera", environment, "Camera")
    await laptop.until(lambda: len(laptop.engine.our_devices.list()) == 4)
    with pytest.raises(BadRequestError):
        laptop.engine.our_devices.revoke("Phone", None, ["Laptop"])
    gone = laptop.engine.our_devices.revoke("Phone", None, ["Tablet"])
    assert [each.name for each in gone] == ["Phone", "Camera"]
    assert not named(laptop, "Tablet").revoked
    assert named(laptop, "Tablet").added_by == "Laptop"
    # It had the papers of before, and gets the new ones when it next comes.
    await tablet.restart()
    tablet.parts.whereabouts.reached(
        device_key(laptop), joining.parse_address(laptop.address), laptop.parts.clock()
    )
    tablet.parts.peers.nudge()
    await tablet.until(lambda: not tablet.engine.status().locked and are_linked(tablet, laptop))
    await tablet.until(
        lambda: (
            not tablet.engine.status().locked
            and tablet.parts.device.chain.certificates[0].device == device_key(laptop)
        )
    )
    for node in (phone, tablet, camera):
        await node.stop()


async def test_the_words_override_what_a_stolen_device_took_back(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    stolen = await joined_by(
        laptop, tmp_path / "phone", environment, words=laptop.words, may_certify=True
    )
    await laptop.until(lambda: are_linked(laptop, stolen))
    stolen.engine.our_devices.revoke("Laptop", None)
    await laptop.until(lambda: not are_linked(laptop, stolen))
    ours = laptop.engine.our_devices
    await laptop.until(lambda: named(laptop, "Laptop").revoked)
    ours.revoke("Phone", laptop.words)
    ours.restore("Laptop", laptop.words)
    assert named(laptop, "Phone").revoked
    assert not named(laptop, "Laptop").revoked
    await stolen.stop()


async def test_a_device_does_not_revoke_itself(start: Start) -> None:
    laptop: TestedNode = await start("Laptop")
    with pytest.raises(BadRequestError):
        laptop.engine.our_devices.revoke("Laptop", laptop.words)


async def test_two_that_were_made_from_the_words_get_to_know_each_other(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    old, bob = await start("Old"), await start("Bob")
    new = TestedNode(tmp_path / "new", "New", environment, old.words)
    await new.start()
    async with contextlib.aclosing(old.engine.add_device(None, None, may_certify=False)) as steps:
        code = await anext(steps)
        assert isinstance(code, PairingCode)
        with pytest.raises(WrongPeerError):  # a code of somebody else's
            await bob.engine.meet_device(code.code, old.address)
        met = await new.engine.meet_device(code.code, old.address)
        assert met.device == device_key(old).hex()
        await anext(steps)
    await new.until(lambda: are_linked(new, old) and are_linked(old, new))
    await old.until(lambda: named(old, "New").may_certify)
    assert len(new.parts.device.chain.certificates) == 1
    await new.stop()
