"""Ed25519 by PyNaCl, with domain separation. The only signer and the only verifier.

Verifiers of different libraries disagree on odd signatures (small-order keys, non-canonical
points), and a signed log that two verifiers judge differently forks. PyNaCl is the strictest of
those at hand; nothing else in kinlight calls Ed25519.

What is signed is `domain || 0x00 || SHA-256(body)` (docs/spec/encoding.md): a signature of one
type of statement never verifies as another.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError as NaclBadSignature
from nacl.signing import SigningKey as NaclSigningKey
from nacl.signing import VerifyKey as NaclVerifyKey

from . import encoding
from .encoding import Value
from .errors import BadSignatureError, MalformedError
from .secret import Secret

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SIGNED_OVERHEAD: Final = SIGNATURE_BYTES + 16
"""What `Signed.encode` adds to the body, at most: the signature and msgpack headers."""


class SigningKey:
    """An Ed25519 private key made from a 32-byte seed."""

    def __init__(self, seed: Secret) -> None:
        self._key = NaclSigningKey(seed.reveal())
        self.public: Final = bytes(self._key.verify_key)

    def sign(self, domain: bytes, body: bytes) -> bytes:
        """The 64-byte signature of `body` as a statement of type `domain`."""
        return self._key.sign(_message(domain, body)).signature

    def sign_value(self, domain: bytes, value: Value) -> Signed:
        """`value`, encoded canonically and signed."""
        body = encoding.encode(value)
        return Signed(body, self.sign(domain, body))

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()[:16]}…)"


def check_public_key(key: bytes) -> bytes:
    """`key` itself, if it can be an Ed25519 public key; else `MalformedError`.

    It must be the canonical form of a point of the prime-order group: a key of small order would
    verify signatures that nobody made, and one with a part of small order divides verifiers.
    """
    if len(key) != KEY_BYTES or not _is_valid_point(key):
        raise MalformedError("not an Ed25519 public key")
    return key


@lru_cache(maxsize=4096)
def _is_valid_point(key: bytes) -> bool:
    """The same few keys come again and again, and this costs nearly as much as a signature."""
    return crypto_core_ed25519_is_valid_point(key)


def verify(public: bytes, domain: bytes, body: bytes, signature: bytes) -> None:
    """Raise `BadSignatureError` unless `signature` is that of `public` on `body` as `domain`."""
    _remembered(public, _message(domain, body), signature)


@lru_cache(maxsize=4096)
def _remembered(public: bytes, message: bytes, signature: bytes) -> None:
    """`verify_bytes`, which for good signatures costs as much as the rest of reading a record.

    The same few certificates, grants and records are read again and again. What failed is not
    remembered; the key is all that goes into the verification.
    """
    verify_bytes(public, message, signature)


def verify_bytes(public: bytes, message: bytes, signature: bytes) -> None:
    """Plain Ed25519 verification: the one place that calls the primitive.

    libsodium refuses keys and signature points of small order and non-canonical forms of either
    half of the signature and of the key.
    """
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise BadSignatureError
    try:
        NaclVerifyKey(public).verify(message, signature)
    except NaclBadSignature:
        raise BadSignatureError from None


def _message(domain: bytes, body: bytes) -> bytes:
    return domain + b"\x00" + hashlib.sha256(body).digest()


class Signed:
    """A canonical body and a signature that nobody has checked yet."""

    __slots__ = ("body", "signature")

    def __init__(self, body: bytes, signature: bytes) -> None:
        self.body: Final = body
        self.signature: Final = signature

    def to_value(self) -> Value:
        """`[body, signature]`, to be put inside another array."""
        return [self.body, self.signature]

    @classmethod
    def from_value(cls, value: Value, limit: int, what: str) -> Signed:
        """The reverse of `to_value`; the body may have at most `limit` bytes."""
        if not isinstance(value, list):
            raise MalformedError(what)
        reader = encoding.Reader(value, what)
        signed = cls(
            reader.octets("body", maximum=limit), reader.octets("signature", SIGNATURE_BYTES)
        )
        reader.end()
        return signed

    def encode(self) -> bytes:
        """Canonical bytes of `[body, signature]`."""
        return encoding.encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes, limit: int, what: str) -> Signed:
        """The reverse of `encode`; the body may have at most `limit` bytes."""
        return cls.from_value(encoding.decode(data, limit + SIGNED_OVERHEAD), limit, what)

    def read(self, public: bytes, domain: bytes) -> list[Value]:
        """The items of the body, once the signature of `public` on it as `domain` has verified."""
        verify(public, domain, self.body, self.signature)
        return self.unverified()

    def unverified(self) -> list[Value]:
        """The items of the body before any check: only to find out whose key must verify it."""
        return encoding.decode(self.body, len(self.body))

    def digest(self) -> bytes:
        """SHA-256 of the encoded pair: how other statements refer to this one."""
        return hashlib.sha256(self.encode()).digest()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Signed)
            and self.body == other.body
            and self.signature == other.signature
        )

    def __hash__(self) -> int:
        return hash((self.body, self.signature))

    def __repr__(self) -> str:
        return f"Signed({len(self.body)} bytes)"
