"""The keys of a drop link, by which a browser sends photos to a node (docs/spec/drop.md).

    drop id    = SHA-256("kinlight/drop1" 00 token)
    auth key   = HKDF-SHA256(link key, info = "kinlight/drop-auth1")
    frame keys = HKDF-SHA256(auth key, info = "kinlight/drop-page1" or "kinlight/drop-node1"
                                              || 00 || drop id || SHA-256(offer) || challenge)

Each frame in the channel is sealed once more under keys of that channel alone: also who could read
or write in the channel, by a flaw of its DTLS, has to have the link's key.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import SealBrokenError
from .link_keys import Signals
from .secret import Secret

CHALLENGE_BYTES: Final = 32
SEAL_BYTES: Final = 16
"""By which a sealed frame is longer."""

_ID: Final = b"kinlight/drop1\x00"
_AUTH: Final = b"kinlight/drop-auth1"
_PAGE: Final = b"kinlight/drop-page1\x00"
_NODE: Final = b"kinlight/drop-node1\x00"


def drop_id(token: bytes) -> bytes:
    """32 bytes that name a drop link and do not give its token."""
    return hashlib.sha256(_ID + token).digest()


def auth_key(key: Secret) -> Secret:
    """What the node keeps of a drop link's key: it proves offers, and gives the keys of frames."""
    return key.derive(_AUTH)


def signals(auth: Secret, drop: bytes) -> Signals:
    """How the offers of a drop link are proved."""
    return Signals(auth, drop, b"drop")


class Frames:
    """The frames of one channel at one end. They are counted, so none is lost, moved or doubled."""

    def __init__(self, opening: Secret, sealing: Secret) -> None:
        self._opening = AESGCM(opening.reveal())
        self._sealing = AESGCM(sealing.reveal())
        self._opened = 0
        self._sealed = 0

    @classmethod
    def of_node(cls, auth: Secret, drop: bytes, offer: bytes, challenge: bytes) -> Frames:
        """The node's end; `challenge` is its own, new for each channel."""
        page, node = _keys(auth, drop, offer, challenge)
        return cls(page, node)

    @classmethod
    def of_page(cls, auth: Secret, drop: bytes, offer: bytes, challenge: bytes) -> Frames:
        """The page's end."""
        page, node = _keys(auth, drop, offer, challenge)
        return cls(node, page)

    def seal(self, frame: bytes) -> bytes:
        """The next frame to the other side."""
        sealed = self._sealing.encrypt(self._sealed.to_bytes(12), frame, None)
        self._sealed += 1
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """The next frame of the other side; `SealBrokenError` for anything else."""
        try:
            frame = self._opening.decrypt(self._opened.to_bytes(12), sealed, None)
        except (InvalidTag, ValueError):  # OpenSSL refuses what is shorter than a tag in words
            raise SealBrokenError from None
        self._opened += 1
        return frame


def _keys(auth: Secret, drop: bytes, offer: bytes, challenge: bytes) -> tuple[Secret, Secret]:
    if len(challenge) != CHALLENGE_BYTES:
        raise ValueError(f"a challenge has {CHALLENGE_BYTES} bytes")
    bound = drop + hashlib.sha256(offer).digest() + challenge
    return auth.derive(_PAGE + bound), auth.derive(_NODE + bound)
