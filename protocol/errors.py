"""What can go wrong between two nodes, and the numbers that say so on the wire.

The tree's root is in `kinlight.crypto.errors`. A refusal travels as a number only: the sentence
that the user reads is always this side's own, never text from a peer.
"""

from __future__ import annotations

from typing import Final

from ..crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    KinlightError,
    LocalError,
    MalformedError,
    PeerError,
    PieceMismatchError,
    SealBrokenError,
    WrongCodeError,
)


class UnexpectedMessageError(PeerError):
    """A message came that is not allowed at this point, so the connection was ended."""

    code = "unexpected-message"


class TooMuchError(PeerError):
    """The other side sent more than is allowed, so the connection was ended."""

    code = "too-much"


class OtherVersionError(PeerError):
    """The other node speaks another version of the protocol. Update the older of the two."""

    code = "other-version"


class UnknownPeerError(PeerError):
    """The other node does not know this one. Pair with it first."""

    code = "unknown-peer"


class WrongPeerError(PeerError):
    """Somebody else answered than the contact that was called; nothing was said to them."""

    code = "wrong-peer"


class OtherKeyError(WrongPeerError):
    """Somebody has the secret of this contact and another key: nothing was said to them."""

    code = "other-key"

    expected = b""
    """The identity that the secret belongs to."""
    seen = b""
    """The one that was shown with it, and whose key signed."""

    @classmethod
    def between(cls, expected: bytes, seen: bytes) -> OtherKeyError:
        """Of these two identities."""
        error = cls()
        error.expected, error.seen = expected, seen
        return error


class DoubtedKeyError(PeerError):
    """The other side saw two keys where one should be. Nothing goes between you until its person
    has compared the safety number again.
    """

    code = "key-doubted"


class BrokenHeadError(PeerError):
    """What was told of somebody's devices is not by a device of theirs."""

    code = "head-broken"


class WrongTransportError(PeerError):
    """It was reached by another transport key than its device certifies: somebody is in between."""

    code = "wrong-transport"


class NotPairingError(PeerError):
    """No pairing code is open there. Ask for a new code and type it within two minutes."""

    code = "not-pairing"


class UnknownTicketError(PeerError):
    """The node that answered does not know the ticket. Ask for a new one."""

    code = "ticket-unknown"


class ExpiredTicketError(PeerError):
    """The ticket has expired. Ask for a new one."""

    code = "ticket-expired"


class RevokedTicketError(PeerError):
    """The ticket was taken back by who made it. Ask for a new one."""

    code = "ticket-revoked"


class UsedUpTicketError(PeerError):
    """The ticket was used as often as it may be. Ask for a new one."""

    code = "ticket-used-up"


class EarlyTicketError(PeerError):
    """The ticket is from the future. Check the clocks of both machines."""

    code = "ticket-not-yet"


class ForgedTicketError(PeerError):
    """The ticket was not made by who it says, so nothing was done with it. Don't trust it."""

    code = "ticket-forged"


class OtherTicketError(PeerError):
    """The ticket is of a version that is not known here. Update kinlight on this machine."""

    code = "ticket-other-version"


class GoneError(PeerError):
    """The other side no longer has this photo."""

    code = "gone"


class BusyError(PeerError):
    """The other side has too much to do; it will be tried again."""

    code = "busy"


class StorageFullError(PeerError):
    """The other side's disk is full. Nothing was lost here; it will be tried again."""

    code = "peer-disk-full"


class NotHoldingError(PeerError):
    """They do not hold photos for that contact, or not any more."""

    code = "not-holding"


class HolderFullError(PeerError):
    """They hold as much as they want to already; it will be tried again."""

    code = "holder-full"


class DeclinedError(PeerError):
    """The other side declined the photo."""

    code = "declined"


class PeerFailedError(PeerError):
    """The other side could not do it and does not say why."""

    code = "peer-failed"


class DeniedError(PeerError):
    """The grant does not allow this."""

    code = "denied"


class BrokenGrantError(DeniedError):
    """The grant is not a chain of statements by those who may grant this."""

    code = "grant-broken"


class WrongAudienceError(DeniedError):
    """The grant was given to somebody else."""

    code = "grant-for-another"


class ExpiredGrantError(DeniedError):
    """The grant has expired. Ask the sender to share the photo again."""

    code = "grant-expired"


class EarlyGrantError(DeniedError):
    """The grant is not valid yet."""

    code = "grant-not-yet"


class OutOfScopeError(DeniedError):
    """The grant does not cover this photo."""

    code = "grant-other-photo"


class OperationDeniedError(DeniedError):
    """The grant does not cover this operation."""

    code = "grant-other-operation"


class OtherRenditionError(DeniedError):
    """The grant does not cover this rendition of the photo."""

    code = "grant-other-rendition"


class UnknownCaveatError(DeniedError):
    """The grant has a condition that this version can't check, so it allows nothing."""

    code = "grant-unknown-condition"


class WidenedGrantError(BrokenGrantError):
    """The grant was passed on by somebody who was not allowed to."""

    code = "grant-passed-on"


class RevokedGrantError(DeniedError):
    """The grant was taken back."""

    code = "grant-revoked"


class RevokedDeviceError(DeniedError):
    """A device that this leans on was revoked by its owner."""

    code = "device-revoked"


class StaleRevocationsError(DeniedError):
    """It is too long ago that the grantor said what was taken back, so this must wait."""

    code = "revocations-stale"


class MissingAttributeError(DeniedError):
    """The grant is for people of whom somebody says something that nobody says here."""

    code = "attribute-missing"


class OtherNetworkError(DeniedError):
    """The grant does not hold on this network."""

    code = "grant-other-network"


class UsedUpGrantError(DeniedError):
    """The grant was used as often as it may be."""

    code = "grant-used-up"


class UnmadeRenditionError(DeniedError):
    """The grant demands a rendition that can't be made here."""

    code = "rendition-not-made"


class PolicyDeniedError(DeniedError):
    """The owner's rules do not allow this."""

    code = "policy-denied"


class BrokenAttestationError(PeerError):
    """The attestation is not by who it says."""

    code = "attestation-broken"


class BrokenRevocationsError(PeerError):
    """The list of what was revoked is not by who it says."""

    code = "revocations-broken"


class OldRevocationsError(PeerError):
    """A newer list of what was revoked is known already."""

    code = "revocations-old"


class BrokenReceiptError(PeerError):
    """The receipt is not by the device that has the photo, or not for what was sent to it."""

    code = "receipt-broken"


class InvalidTicketError(LocalError):
    """That is not a ticket. Copy all of it, from `kinlight:` to its end."""

    code = "invalid-ticket"


class AlbumRefusedError(PeerError):
    """Something of an album is not what it should be, so it was not taken."""

    code = "album-refused"


class UnsupportedGrantError(LocalError):
    """This version can't promise that yet, so it does not pretend to."""

    code = "not-in-this-version"


class RevocationsFullError(LocalError):
    """No more can be revoked: the list is full."""

    code = "revocations-full"


class BadPolicyError(LocalError):
    """These are no rules."""

    code = "bad-policy"


WIRE_CODES: Final[dict[int, type[PeerError]]] = {
    1: PeerFailedError,
    2: MalformedError,
    3: UnexpectedMessageError,
    4: TooMuchError,
    5: OtherVersionError,
    6: UnknownPeerError,
    7: NotPairingError,
    8: WrongCodeError,
    9: BadCertificateError,
    10: BadSignatureError,
    11: SealBrokenError,
    12: PieceMismatchError,
    13: WrongTransportError,
    14: UnknownTicketError,
    15: ExpiredTicketError,
    16: RevokedTicketError,
    17: UsedUpTicketError,
    20: GoneError,
    21: BusyError,
    22: StorageFullError,
    23: DeclinedError,
    24: NotHoldingError,
    25: HolderFullError,
    30: DeniedError,
    31: BrokenGrantError,
    32: WrongAudienceError,
    33: ExpiredGrantError,
    34: EarlyGrantError,
    35: OutOfScopeError,
    36: OperationDeniedError,
    37: OtherRenditionError,
    38: UnknownCaveatError,
    39: WidenedGrantError,
    40: RevokedGrantError,
    41: RevokedDeviceError,
    42: StaleRevocationsError,
    43: MissingAttributeError,
    44: OtherNetworkError,
    45: UsedUpGrantError,
    46: UnmadeRenditionError,
    47: PolicyDeniedError,
    50: BrokenAttestationError,
    51: BrokenRevocationsError,
    52: OldRevocationsError,
    53: BrokenReceiptError,
    54: AlbumRefusedError,
    55: DoubtedKeyError,
    56: BrokenHeadError,
}
"""Numbers are never used again for something else. An unknown one reads as `PeerFailedError`."""

_NUMBERS: Final = {error: number for number, error in WIRE_CODES.items()}


def wire_code(error: Exception) -> int:
    """The number to send for `error`: its own or that of the nearest ancestor that has one."""
    for kind in type(error).__mro__:
        if kind in _NUMBERS:
            return _NUMBERS[kind]
    return _NUMBERS[PeerFailedError]


def wire_number(code: str) -> int:
    """The number of the error whose `code` this is; that of `PeerFailedError` if none has it."""
    return next(
        (number for number, kind in WIRE_CODES.items() if kind.code == code),
        _NUMBERS[PeerFailedError],
    )


def kind_of(code: str) -> type[KinlightError] | None:
    """The class of any part of kinlight whose `code` this is, of those that are imported."""
    pending: list[type[KinlightError]] = [KinlightError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind
        pending += kind.__subclasses__()
    return None


def sentence(code: str) -> str:
    """What the user reads for that code."""
    kind = kind_of(code)
    return kind.sentence() if kind else code


def from_wire(number: int) -> PeerError:
    """The error that `number` stands for."""
    return WIRE_CODES.get(number, PeerFailedError)()
