"""What can go wrong with contacts and how they are met, and with one's own devices."""

from __future__ import annotations

from ..crypto.errors import LocalError


class NoSuchContactError(LocalError):
    """There is no contact of that name. `kinlight contacts list` shows them."""

    code = "no-such-contact"


class NoHolderError(LocalError):
    """That contact does not offer to hold anything for you. `kinlight hold` there begins it."""

    code = "no-holder"


class NoBackupError(LocalError):
    """That contact does not keep backups for you. `kinlight hold --backup NAME` there begins it."""

    code = "no-backup"


class KeyInDoubtError(LocalError):
    """Two keys were seen where this contact should have one, so nothing is sent to them. `kinlight
    contacts show NAME` says which and since when; `kinlight contacts verify NAME` once you have
    compared the safety number with them in person or by phone.
    """

    code = "key-in-doubt"


class OtherFingerprintError(LocalError):
    """That is the fingerprint of another key than the contact's, and the doubt stays."""

    code = "other-fingerprint"


class NoShareError(LocalError):
    """No share of that contact's words is kept here. `kinlight guardians list` shows what is."""

    code = "no-share"


class LastBackupError(LocalError):
    """This is the only backup of this library; without it the words bring nothing back. Nothing was
    changed. Let somebody else keep one, or write one with `kinlight backup FILE`; `--yes` ends it.
    """

    code = "last-backup"


class TooManyHoldersError(LocalError):
    """No more contacts can hold things for you. Take it back from another first (`--off`)."""

    code = "too-many-holders"


class ContactExistsError(LocalError):
    """Another contact has that name already."""

    code = "contact-exists"


class BlockedContactError(LocalError):
    """That contact is blocked. `kinlight contacts block NAME --off` lets them in again."""

    code = "contact-blocked"


class NoDeviceError(LocalError):
    """No device of that contact can be sealed to. Connect with it once, or pair again."""

    code = "no-device"


class NoSuchOwnDeviceError(LocalError):
    """None of your devices is called so. `kinlight device list` shows them."""

    code = "no-such-own-device"


class AmbiguousDeviceError(LocalError):
    """More than one of your devices is called so, or would be. Say 8 or more digits of a key."""

    code = "ambiguous-device"


class DeviceMayNotError(LocalError):
    """This device may not add or revoke others. Do it on the one that it was added from, or give
    the 24 words: `kinlight device allow` lets this one do it from then on.
    """

    code = "device-may-not"


class TooManyDevicesError(LocalError):
    """There are as many devices of this identity as there can be, revoked ones counted."""

    code = "too-many-devices"


class NotADeviceCodeError(LocalError):
    """That is a code for meeting somebody. `kinlight device add` on a device of yours shows one for
    a new device.
    """

    code = "not-a-device-code"


class NoSuchNodeError(LocalError):
    """No node with that pairing code was found. Check that both are in the same network."""

    code = "no-such-node"


class PairingOpenError(LocalError):
    """A pairing code is open already. Use it, or wait until it ends."""

    code = "pairing-open"


class PairingOverError(LocalError):
    """Nobody used the code in time, so it is no longer valid. Run `kinlight pair` for a new one."""

    code = "pairing-over"


class PairingSpentError(LocalError):
    """The code was tried three times with wrong words, so it is no longer valid. Make a new one."""

    code = "pairing-spent"


class OwnTicketError(LocalError):
    """That is a ticket of this node itself. Give it to somebody else."""

    code = "own-ticket"


class NoSuchTicketError(LocalError):
    """There is no ticket with that id here. `kinlight ticket list` shows those that were made."""

    code = "no-such-ticket"


class TooManyTicketsError(LocalError):
    """No more tickets can be open. Revoke one of them first: `kinlight ticket list` shows them."""

    code = "too-many-tickets"
