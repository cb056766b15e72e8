"""Signed statements sealed to one key: with their length before them, and padded to few sizes.

padded = u32be(length of signed) || signed || zeros up to a multiple of 4,096
"""

from __future__ import annotations

from typing import Final

from ..crypto.errors import MalformedError
from ..crypto.signing import Signed
from ..crypto.wrap import SEALED_OVERHEAD, KemKey, seal_to
from . import limits

STEP: Final = 4096
_LENGTH: Final = 4


def seal_padded(kem_public: bytes, info: bytes, signed: Signed) -> bytes:
    """Seal a statement to the key `kem_public`, for the context `info`."""
    encoded = signed.encode()
    prefixed = len(encoded).to_bytes(_LENGTH) + encoded
    return seal_to(kem_public, info, prefixed + bytes(-len(prefixed) % STEP))


def open_padded(kem: KemKey, info: bytes, sealed: bytes, what: str) -> Signed:
    """The reverse; nothing of the statement is verified yet.

    Raises `SealBrokenError` for what is for another key or context, and `MalformedError`, which
    names `what`.
    """
    padded = kem.open(info, sealed)
    length = int.from_bytes(padded[:_LENGTH])
    if len(padded) % STEP or len(padded) - _LENGTH - length not in range(STEP):
        raise MalformedError(f"{what} padding")
    if padded[_LENGTH + length :].strip(b"\x00"):
        raise MalformedError(f"{what} padding")
    most = limits.ENVELOPE_BYTES - SEALED_OVERHEAD
    return Signed.decode(padded[_LENGTH : _LENGTH + length], most, what)
