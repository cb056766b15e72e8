"""What devices of one person say to each other and, of each other, to contacts
(docs/spec/devices.md).

They belong to version 4 of the protocol; a session of an earlier one carries none of them.
"""

from __future__ import annotations

from typing import Any, Final

from ..crypto.encoding import Reader
from . import limits
from .devices import LAST_NUMBER, SECRET_BYTES
from .messages import (
    Message,
    _form,  # pyright: ignore[reportPrivateUsage] - one registry of messages, in several modules
    _integer,  # pyright: ignore[reportPrivateUsage]
    _message,  # pyright: ignore[reportPrivateUsage]
    _octets,  # pyright: ignore[reportPrivateUsage]
)

SINCE: Final = 4


def _chains() -> Any:
    def read(reader: Reader, name: str) -> tuple[bytes, ...]:
        items = reader.array(name, limits.SHOWN_DEVICES)
        inner = Reader(items, name)
        return tuple(inner.octets(name, maximum=limits.CHAIN_BYTES) for _ in items)

    return _form(read, list)


@_message(90, since=SINCE)
class OwnDevices(Message):
    """To a device of one's own: the secret that counts, and all devices that are known, as
    `devices.encode_devices` gives them.
    """

    generation: int = _integer(LAST_NUMBER)
    secret: bytes = _octets(SECRET_BYTES)
    devices: bytes = _octets(maximum=limits.OWN_DEVICES_BYTES)


@_message(91, since=SINCE)
class DeviceChains(Message):
    """To a contact: the other devices of the sender of this, so that they are sent what is for it
    before they were ever met.
    """

    chains: tuple[bytes, ...] = _chains()


@_message(92, since=SINCE)
class DeviceGift(Message):
    """To a device that is added: its papers, and what it shares with the others, sealed under the
    key that the code made.
    """

    sealed: bytes = _octets(maximum=limits.DEVICE_GIFT_BYTES)


DEVICE_WORK: Final[tuple[type[Message], ...]] = (OwnDevices, DeviceChains)
"""Of an established session."""
