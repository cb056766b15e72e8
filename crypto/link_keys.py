"""The keys of a link to photos: what is in its fragment, and what comes of it (docs/spec/link.md).

    list key = HKDF-SHA256(link key, info = "kinlight/link-list1")
    auth key = HKDF-SHA256(link key, info = "kinlight/link-auth1")
    link id  = SHA-256("kinlight/link1" 00 token)

The token is in the path and finds the link, the key is in the fragment, which no browser sends. Who
reads along an unencrypted page sees the token, and the tags that prove the key, and neither opens
the list nor makes another tag. The node keeps the auth key and the sealed list, so that what it
stores does not make the link again.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import SealBrokenError
from .secret import Secret

KEY_BYTES: Final = 32
TOKEN_BYTES: Final = 16
VISIT_BYTES: Final = 16
TAG_BYTES: Final = 32

_LIST: Final = b"kinlight/link-list1"
_AUTH: Final = b"kinlight/link-auth1"
_ID: Final = b"kinlight/link1\x00"
_ONCE: Final = bytes(12)
"""The nonce of the list: each list key is made for one list and seals nothing else."""


def link_id(token: bytes) -> bytes:
    """32 bytes that name a link and do not give its token."""
    return hashlib.sha256(_ID + token).digest()


def seal_list(key: Secret, link: bytes, listing: bytes) -> bytes:
    """The list of a link, sealed under what its key gives. Once for each key."""
    return AESGCM(key.derive(_LIST).reveal()).encrypt(_ONCE, listing, link)


def open_list(key: Secret, link: bytes, sealed: bytes) -> bytes:
    """The list again; `SealBrokenError` for another key, link or byte."""
    try:
        return AESGCM(key.derive(_LIST).reveal()).decrypt(_ONCE, sealed, link)
    except InvalidTag:
        raise SealBrokenError from None


@dataclass(frozen=True, slots=True)
class Signals:
    """Proves and checks the two messages by which a browser and the node meet.

    They hold the fingerprints of the certificates on both sides, so whoever changes one of them on
    an unencrypted page is found out: by both who have the key. What the link is for is in each tag,
    so that none of one sort proves anything to another.
    """

    auth: Secret
    link: bytes
    sort: bytes = b"link"

    @classmethod
    def of(cls, key: Secret, link: bytes) -> Signals:
        """Those of the link with that key."""
        return cls(key.derive(_AUTH), link)

    def offer_tag(self, visit: bytes, offer: bytes) -> bytes:
        """What proves an offer for that visit."""
        return self._tag(b"-offer1\x00" + self.link + _exact(visit) + offer)

    def answer_tag(self, visit: bytes, offer: bytes, answer: bytes) -> bytes:
        """What proves the answer to just that offer."""
        heard = hashlib.sha256(offer).digest()
        return self._tag(b"-answer1\x00" + self.link + _exact(visit) + heard + answer)

    def is_proved(self, visit: bytes, offer: bytes, tag: bytes) -> bool:
        """Whether who made the offer has the link's key. In constant time."""
        return hmac.compare_digest(self.offer_tag(visit, offer), tag)

    def _tag(self, message: bytes) -> bytes:
        return hmac.digest(self.auth.reveal(), b"kinlight/" + self.sort + message, "sha256")


def _exact(visit: bytes) -> bytes:
    if len(visit) != VISIT_BYTES:  # else the bytes of one field could pass for those of the next
        raise ValueError(f"a visit has {VISIT_BYTES} bytes")
    return visit
