"""Albums whose entries are the same at every run.

The libraries draw salts and HPKE's randomness themselves, so the hashes of entries, and all that
goes by the lowest hash, would differ from run to run. Here a salt depends on what is wrapped, in
the format of docs/spec/wrap.md, which the real code opens; and the hash of a set of wraps, for
which there is no such way, leaves out what HPKE made.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator
from unittest import mock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from kinlight.crypto import encoding
from kinlight.crypto.secret import Secret
from kinlight.protocol import album_keys


def wrap(key: Secret, context: bytes, plaintext: bytes) -> bytes:
    """Cobblestone-256 of less than 16 KiB, with a salt that is not random."""
    salt = hashlib.sha256(context + plaintext).digest()[:24]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = HKDFExpand(SHA512(), 32 + 12 + 32, info).derive(key.reveal())
    sealed = AESGCM(derived[:32]).encrypt(derived[32:44], plaintext, None)
    return salt + derived[44:] + sealed


def leaf(device: bytes, _: bytes) -> bytes:
    return encoding.encode([device])


@contextlib.contextmanager
def repeatable() -> Generator[None]:
    with (
        mock.patch.object(album_keys, "wrap", wrap),
        mock.patch.object(album_keys, "_leaf", leaf),
    ):
        yield
