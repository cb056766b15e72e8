"""Devices of our own identity that signed what is here: siblings, and some that are no more.

Photos that came back from a backup were signed by the device that was lost. Whoever gets them is to
see that it spoke for us, so its certificates stay here. They say nothing of who may do what now.
"""

from __future__ import annotations

from ..crypto.identity import DeviceCertificate
from ..protocol.certificates import Certificates
from ..protocol.opening import LocalDevice
from .library import Library
from .roster import Roster

_SETTING = "own-device-"


class OwnDevices:
    """The certificates of the devices that signed what is here of our own."""

    def __init__(self, device: LocalDevice, library: Library, roster: Roster) -> None:
        self._device = device
        self._library = library
        self._roster = roster

    def leading_to(self, device: bytes) -> tuple[DeviceCertificate, ...]:
        """From the root to a device of ours; none if it is not known."""
        if device == self._device.signing.public:
            return self._device.chain.certificates
        sibling = self._roster.device(device)
        if sibling is not None:
            return sibling.chain.certificates
        kept = self._library.setting(_SETTING + device.hex())
        if kept is not None:
            return Certificates.decode(kept).found
        sibling = self._roster.device(device)
        return () if sibling is None else sibling.chain.certificates

    def keep(self, device: bytes, certificates: Certificates) -> None:
        """Keep what was verified of a device of ours, unless it is known."""
        if not self.leading_to(device):
            # Of what came along only the way to this device: there may be others among them.
            way = certificates.of({device: self._device.identity})
            self._library.set_setting(_SETTING + device.hex(), Certificates(way).encode())
