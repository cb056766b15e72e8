"""Sealing small things: to a device by hybrid HPKE, or under a key that both sides have.

HPKE here is RFC 9180 base mode with the KEM MLKEM768-X25519 (X-Wing, id 0x647a), HKDF-SHA256 and
AES-256-GCM. Base mode says nothing about the sender, so everything sealed this way carries a
signature inside. The library takes no AAD: the context goes into `info`, as RFC 9180 section 8.1
allows.

Under a shared key it is Cobblestone-256, which commits to its key: a wrap opens under one key
only, so a ciphertext made to fit many guesses of a key (a partitioning oracle) is impossible.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from .errors import MalformedError, SealBrokenError
from .secret import Secret

_ML_KEM_PUBLIC: Final = 1184
_ML_KEM_SEED: Final = 64
PUBLIC_BYTES: Final = _ML_KEM_PUBLIC + 32
SEALED_OVERHEAD: Final = 1088 + 32 + 16
"""What `seal_to` adds: the ML-KEM ciphertext, an X25519 point and the tag."""
WRAP_OVERHEAD: Final = 56 + 16
"""What `wrap` adds to less than 16 KiB: Cobblestone's header and one tag."""

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class KemKey:
    """An X-Wing private key, made from a 32-byte seed as the X-Wing draft says."""

    def __init__(self, seed: Secret) -> None:
        expanded = hashlib.shake_256(seed.reveal()).digest(_ML_KEM_SEED + 32)
        ml_kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_ML_KEM_SEED])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_ML_KEM_SEED:])
        self._key = hpke.MLKEM768X25519PrivateKey(ml_kem, x25519)
        self.public: Final = (
            ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def open(self, info: bytes, sealed: bytes) -> bytes:
        """What `seal_to` sealed to this key with the same `info`; else `SealBrokenError`."""
        try:
            return _SUITE.decrypt(sealed, self._key, info=info)
        except (InvalidTag, ValueError):
            raise SealBrokenError from None

    def __repr__(self) -> str:
        return "KemKey(hidden)"


def seal_to(public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """`plaintext` sealed to the 1,216-byte `public` key in the context `info`.

    `MalformedError` if that is no key, which `check_public_key` tells but for an X25519 point of
    small order.
    """
    try:
        return _SUITE.encrypt(plaintext, _public_key(public), info=info)
    except ValueError:  # OpenSSL refuses X25519 points of small order only when it uses them
        raise MalformedError("not an X-Wing public key") from None


def check_public_key(public: bytes) -> bytes:
    """`public` itself, if it can be an X-Wing public key; else `MalformedError`."""
    _public_key(public)
    return public


def _public_key(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    if len(public) != PUBLIC_BYTES:
        raise MalformedError("not an X-Wing public key")
    try:
        return hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_ML_KEM_PUBLIC]),
            X25519PublicKey.from_public_bytes(public[_ML_KEM_PUBLIC:]),
        )
    except ValueError:
        raise MalformedError("not an X-Wing public key") from None


def wrap(key: Secret, context: bytes, plaintext: bytes) -> bytes:
    """`plaintext` under `key` (32 bytes), bound to `context`; the salt is random."""
    encryptor = Cobblestone256Encryptor(key.reveal(), context=context)
    return encryptor.update(plaintext) + encryptor.finalize()


def unwrap(key: Secret, context: bytes, wrapped: bytes) -> bytes:
    """What `wrap` wrapped; `SealBrokenError` for any other key, context or byte."""
    decryptor = Cobblestone256Decryptor(key.reveal(), context=context)
    try:
        return decryptor.update(wrapped) + decryptor.finalize()
    except (InvalidTag, ValueError):
        raise SealBrokenError from None
