"""The part of `Node` about the devices of this person."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from .client import Client, device_segment, read_step, several
from .views_contacts import PairingCode
from .views_devices import OwnDevice
from .views_siblings import AwayPhoto, DeviceKeeping, TrashedPhoto


class NodeDevices(Client):
    """Further devices of this node's identity; see `node.Node`.

    A device is named by its name or by how its key begins, 8 hex digits at least.
    """

    async def devices(self) -> list[OwnDevice]:
        """All that are known, this one and revoked ones among them, the first one first."""
        return [OwnDevice(**item) for item in await self._get("devices")]

    async def add_device(
        self,
        name: str | None = None,
        *,
        may_certify: bool = False,
        recovery_words: str | None = None,
    ) -> AsyncGenerator[PairingCode | OwnDevice]:
        """Show a code for a new device, then the device that used it; `Node.join_device` on the
        other machine takes the code. It ends after two minutes, or three wrong tries.

        `name` is what to call it; None leaves that to itself. It gets no root key: what it may do
        follows from this device, and with `may_certify`, which takes the `recovery_words`, it may
        add and revoke others itself. Raises `DeviceMayNotError`, `OtherWordsError`,
        `PairingOpenError`, `PairingOverError`, `TooManyDevicesError`.
        """
        steps = self._stream(
            "devices", "add",
            name=name, may_certify=may_certify, recovery_words=recovery_words,
        )  # fmt: skip
        async for line in steps:
            yield read_step(line, PairingCode, OwnDevice)

    async def meet_device(self, code: str, *, at: str | None = None) -> OwnDevice:
        """Link with another device of this same identity by the code of its `add_device`: both were
        made from the words, say, and don't know each other. Our certificates stay.

        Raises `WrongPeerError` for somebody else's code, else what `Node.join_device` raises.
        """
        return OwnDevice(**await self._post("devices", "meet", code=code, at=at))

    async def allow_device(self, recovery_words: str) -> OwnDevice:
        """Let this very device add and revoke others, by the 24 words; they unlock it from then on
        as well. Connections end and come up again. Raises `OtherWordsError`.
        """
        return OwnDevice(**await self._post("devices", "allow", recovery_words=recovery_words))

    async def rename_device(self, device: str, name: str) -> OwnDevice:
        """Call one something else; all devices learn it. Contacts don't see these names.

        Raises `NoSuchOwnDeviceError`, `AmbiguousDeviceError`.
        """
        return OwnDevice(**await self._post("devices", device_segment(device), "rename", name=name))

    async def revoke_device(
        self, device: str, *, keep: Sequence[str] = (), recovery_words: str | None = None
    ) -> list[OwnDevice]:
        """Take a device back, and all that it added but those in `keep`; returns what was.

        Contacts and the other devices hear of it as they connect, and have nothing more to do with
        it; keys of shared albums, the mailbox and the own-device secret change. What it has it
        keeps. By `recovery_words` nobody but they can undo it. Raises `DeviceMayNotError`,
        `NoSuchOwnDeviceError`, `OtherWordsError`.
        """
        found = await self._post(
            "devices", device_segment(device), "revoke",
            keep=several(keep), recovery_words=recovery_words,
        )  # fmt: skip
        return [OwnDevice(**item) for item in found]

    async def restore_device(self, device: str, recovery_words: str) -> OwnDevice:
        """Let a device count again that was revoked by mistake, or by a thief.

        Raises `NoSuchOwnDeviceError`, `OtherWordsError`.
        """
        return OwnDevice(
            **await self._post(
                "devices", device_segment(device), "restore", recovery_words=recovery_words
            )
        )

    # What they have in common.

    async def device_keep(
        self, what: str | None = None, *, space: int | None = None
    ) -> DeviceKeeping:
        """Choose what of the photos that all devices have together is kept on this one: `originals`
        (in `space` bytes at most, beyond those that are pinned), `previews` or `nothing`; None only
        tells. An original goes when another device has promised to keep it, and not before.
        """
        return DeviceKeeping(**await self._post("devices", "keep", what=what, space=space))

    async def device_pin(self, photos: Sequence[str]) -> DeviceKeeping:
        """Keep these originals here whatever else, and fetch those that are elsewhere.

        Raises `NoSuchPhotoError`.
        """
        return DeviceKeeping(**await self._post("devices", "pin", photos=several(photos)))

    async def device_unpin(self, photos: Sequence[str]) -> DeviceKeeping:
        """Keep them as all others. Raises `NoSuchPhotoError` for one that is not pinned."""
        return DeviceKeeping(**await self._post("devices", "unpin", photos=several(photos)))

    async def device_photos(self) -> list[AwayPhoto]:
        """Photos whose originals are on other devices alone, the latest first. `rendition` gives
        those previews that are here.
        """
        return [AwayPhoto(**item) for item in await self._get("devices", "photos")]

    async def device_removed(self) -> list[TrashedPhoto]:
        """Photos that were removed on another device of this person, and lie here for 30 days."""
        return [TrashedPhoto(**item) for item in await self._get("devices", "removed")]

    async def device_bring_back(self, photos: Sequence[str]) -> list[str]:
        """Have such photos again, on all devices; returns their ids. Raises `NoSuchPhotoError`."""
        found: list[str] = await self._post("devices", "bring-back", photos=several(photos))
        return found
