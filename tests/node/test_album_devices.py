"""Further devices of members: let in by themselves, taken out when they are lost."""

from __future__ import annotations

from . import test_lost_devices
from .circle import ALBUM, added_one, album_of, found, has, key_of, let_in, state
from .conftest import Picture
from .test_lost_devices import Three

devices = test_lost_devices.three


async def test_a_further_device_of_a_member_is_let_in_and_joins_by_itself(
    devices: Three, picture: Picture
) -> None:
    bob, laptop, phone = devices.bob, devices.laptop, devices.phone
    found(bob)
    photo = await added_one(bob, picture())
    bob.engine.albums.invite(ALBUM, "Anna")
    for device in (laptop, phone):
        await device.until(lambda device=device: state(device) == "invited")
        device.engine.albums.join(ALBUM)
        await device.until(lambda device=device: has(device, photo))
    (member,) = [each for each in bob.engine.albums.show(ALBUM).members if each.name == "Anna"]
    assert len(member.devices) == 2


async def test_a_device_that_comes_later_gets_the_key_that_is_there(
    devices: Three, picture: Picture
) -> None:
    bob, laptop, phone = devices.bob, devices.laptop, devices.phone
    await phone.stop()
    bob.parts.database.write("DELETE FROM devices WHERE device = ?", devices.lost)
    found(bob)
    await let_in(bob, laptop)
    photo = await added_one(laptop, picture())
    await bob.until(lambda: has(bob, photo))
    key = key_of(bob)
    await phone.start()
    await phone.until(lambda: state(phone) == "invited")
    phone.engine.albums.join(ALBUM)
    await phone.until(lambda: has(phone, photo))
    assert key_of(bob) == key


async def test_a_device_that_is_lost_is_taken_out_and_the_key_changes(
    devices: Three, picture: Picture
) -> None:
    bob, laptop, phone = devices.bob, devices.laptop, devices.phone
    found(bob)
    bob.engine.albums.invite(ALBUM, "Anna")
    for device in (laptop, phone):
        await device.until(lambda device=device: state(device) == "invited")
        device.engine.albums.join(ALBUM)
    await bob.until(lambda: key_of(bob) in album_of(phone).keys)
    key = key_of(bob)
    devices.revoke()
    await bob.until(lambda: devices.lost not in album_of(bob).album.view.devices)
    assert key_of(bob) != key
    photo = await added_one(bob, picture())
    await laptop.until(lambda: has(laptop, photo))
    assert key_of(bob) not in album_of(phone).keys
