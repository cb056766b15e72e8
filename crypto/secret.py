"""Bytes that must not be shown."""

from __future__ import annotations

import hmac
from typing import NoReturn, Self, final


@final
class Secret:
    """Key material: prints as `Secret(32 bytes)`, compares in constant time, is never pickled.

    Python can't promise to wipe memory, so this type only keeps secrets out of logs, error
    messages and dumps by accident; `reveal` marks each place where they are really needed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves, for the primitive that needs them."""
        return self._value

    def derive(self, purpose: bytes, length: int = 32) -> Self:
        """A key of `length` bytes for one purpose: HKDF-SHA256(self, info=purpose), RFC 5869."""
        # Here, as the command line holds a pass phrase and derives nothing from it.
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        okm = HKDF(SHA256(), length, salt=None, info=purpose).derive(self._value)
        return type(self)(okm)

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied to disk")
