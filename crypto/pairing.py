"""Meeting for the first time: a short code or a QR code becomes a secret that two nodes share.

The code is `7-maple-orbit`. The number is a public slot, announced only while the code lives; the
two words are the secret, 20.7 bits. SPAKE2 turns them into a strong key: somebody in the middle
gets one guess per run, three runs end the code, and nothing learned allows guessing offline. A QR
code carries a strong secret itself, and the hash of the identity that the scanner must find.

Both ends run over an encrypted channel whose exporter value X goes into the SPAKE2 identities and
every tag, so a run belongs to one channel (docs/spec/pairing.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from nacl.bindings import crypto_core_ed25519_is_valid_point
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError

from . import encoding
from .errors import InvalidCodeError, MalformedError, WrongCodeError
from .secret import Secret
from .wrap import unwrap, wrap

SLOTS: Final = range(1, 100)
LIFETIME_SECONDS: Final = 120
MAX_RUNS: Final = 3
MESSAGE_BYTES: Final = 33
CONFIRMATION_BYTES: Final = 32
TAG_BYTES: Final = 32
SECRET_BYTES: Final = 16
MAX_ADDRESSES: Final = 8
MAX_INVITATION_BYTES: Final = 1024

Purpose = Literal["pair", "device"]
"""What a code is for: to meet somebody, or to add a device of one's own. One is never the other."""

_CODE: Final = re.compile(r"([1-9][0-9]?)[- ]+([a-z]+)[- ]+([a-z]+)")
_INVITATION: Final = "kinlight:"
_KINDS: Final[dict[Purpose, str]] = {"pair": "invite", "device": "device"}
_KEYS: Final[dict[Purpose, bytes]] = {
    "pair": b"kinlight/pair-key1",
    "device": b"kinlight/device-key1",
}
_GIFT_CONTEXT: Final = b"kinlight/device-gift1\x00"
_CHAIN_CONTEXT: Final = b"kinlight/pair-chain1\x00"


@cache
def words() -> tuple[str, ...]:
    """The 1,296 words: the EFF's short list but for two, chosen to be told apart easily."""
    return tuple((files("kinlight.crypto") / "words.txt").read_text("ascii").split())


@dataclass(frozen=True, slots=True)
class Code:
    """A pairing code. `repr` shows the slot only."""

    slot: int
    secret_words: tuple[str, str]

    @classmethod
    def generate(cls, slot: int, choose: Callable[[int], int]) -> Code:
        """A fresh code; `choose(n)` gives a uniformly random number below `n`."""
        return cls(slot, (words()[choose(len(words()))], words()[choose(len(words()))]))

    @classmethod
    def parse(cls, text: str) -> Code:
        """From what a person typed; `InvalidCodeError` says what is off before a try is spent."""
        match = _CODE.fullmatch(text.strip().lower())
        if match is None:
            raise InvalidCodeError("it looks like 7-maple-orbit")
        for word in match.group(2, 3):
            if word not in words():
                raise InvalidCodeError(f"{word!r} is not one of the words")
        return cls(int(match[1]), (match[2], match[3]))

    def __str__(self) -> str:
        return "-".join((str(self.slot), *self.secret_words))

    def __repr__(self) -> str:
        return f"Code(slot={self.slot}, hidden)"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a QR code holds: whom to expect, a one-time secret, where, and until when.

    `repr` shows no secret. `expires` is in seconds since 1970; addresses are `host:port`.
    """

    identity_hash: bytes
    secret: Secret
    addresses: tuple[str, ...]
    expires: int
    purpose: Purpose = "pair"

    def __str__(self) -> str:
        body = encoding.encode(
            [
                1,
                _KINDS[self.purpose],
                self.identity_hash,
                self.secret.reveal(),
                self.addresses,
                self.expires,
            ]
        )
        return _INVITATION + base64.urlsafe_b64encode(body).decode().rstrip("=")

    @staticmethod
    def matches(text: str) -> bool:
        """Whether `text` is meant as an invitation rather than a code."""
        return text.strip().startswith(_INVITATION)

    @classmethod
    def parse(cls, text: str) -> Invitation:
        """The reverse of `str`; `InvalidCodeError` if it was cut or altered."""
        encoded = text.strip().removeprefix(_INVITATION)
        if len(encoded) > MAX_INVITATION_BYTES:
            raise InvalidCodeError("it is too long")
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            body = base64.b64decode(padded, altchars=b"-_", validate=True)
            reader = encoding.Reader(encoding.decode(body, MAX_INVITATION_BYTES), "invitation")
            reader.literal(1)
            kind = reader.text("kind", 8)
            purpose: Purpose = next(each for each, known in _KINDS.items() if known == kind)
            identity_hash = reader.octets("identity", 32)
            secret = Secret(reader.octets("secret", SECRET_BYTES))
            addresses = encoding.Reader(reader.array("addresses", MAX_ADDRESSES), "addresses")
            found: list[str] = []
            while addresses.more():
                found.append(addresses.text("address", 255))
            expires = reader.integer("expires")
            reader.end()
        except (MalformedError, binascii.Error, ValueError, StopIteration):
            raise InvalidCodeError("it was cut or altered on the way") from None
        invitation = cls(identity_hash, secret, tuple(found), expires, purpose)
        if str(invitation) != text.strip():  # base 64 has several forms too
            raise InvalidCodeError("it was cut or altered on the way")
        return invitation

    def expects(self, identity: bytes) -> bool:
        """Whether `identity` is the one whose owner showed the QR code."""
        return hmac.compare_digest(self.identity_hash, identity_hash(identity))


def identity_hash(identity: bytes) -> bytes:
    """How an invitation names the identity of the node that shows it."""
    return hashlib.sha256(b"kinlight/invite1\x00" + identity).digest()


class CodeExchange:
    """One SPAKE2 run over a typed code. `dialer` is side A of the paper, the listener side B."""

    def __init__(
        self, code: Code, *, dialer: bool, exporter: bytes, entropy: Callable[[int], bytes]
    ) -> None:
        side = SPAKE2_A if dialer else SPAKE2_B
        self._run = side(
            "-".join(code.secret_words).encode(),
            idA=b"A" + exporter,
            idB=b"B" + exporter,
            entropy_f=entropy,
        )
        self.message: Final[bytes] = self._run.start()

    def finish(self, message: bytes) -> Secret:
        """The key that the other side has too, if it knew the words. That is yet to be shown."""
        # The library itself checks points by assertions, which `python -O` drops.
        if len(message) != MESSAGE_BYTES or not crypto_core_ed25519_is_valid_point(message[1:]):
            raise WrongCodeError
        try:
            return Secret(self._run.finish(message))
        except SPAKEError:
            raise WrongCodeError from None


class PairingKey:
    """What both ends derive from the SPAKE2 key, or from a QR code's secret, and X: another one
    for each purpose, so that no message of one serves the other.
    """

    def __init__(self, key: Secret, exporter: bytes, purpose: Purpose = "pair") -> None:
        self._key = key.derive(_KEYS[purpose] + exporter)
        self._exporter = exporter

    def seal_chain(self, chain: bytes, *, dialer: bool) -> bytes:
        """Our chain, readable only to who knew the code. The seal commits to its key."""
        return wrap(self._key, self._chain_context(dialer=dialer), chain)

    def open_chain(self, sealed: bytes, *, dialer: bool) -> bytes:
        """The other side's chain; `SealBrokenError` means that it did not know the code."""
        return unwrap(self._key, self._chain_context(dialer=dialer), sealed)

    def _chain_context(self, *, dialer: bool) -> bytes:
        return _CHAIN_CONTEXT + _role(dialer=dialer) + self._exporter

    def seal_gift(self, gift: bytes) -> bytes:
        """What a device that is added gets, readable only with the code."""
        return wrap(self._key, _GIFT_CONTEXT + self._exporter, gift)

    def open_gift(self, sealed: bytes) -> bytes:
        """The reverse, or `SealBrokenError`."""
        return unwrap(self._key, _GIFT_CONTEXT + self._exporter, sealed)

    def confirmation(self, dialer_digest: bytes, listener_digest: bytes, *, dialer: bool) -> bytes:
        """32 bytes that show knowledge of the key and the same view of both chains."""
        message = _role(dialer=dialer) + self._exporter + dialer_digest + listener_digest
        return hmac.digest(self._key.reveal(), message, "sha256")

    def pair_secret(self, one: bytes, other: bytes) -> Secret:
        """The lasting secret of two identities, by which contacts recognise each other."""
        first, second = sorted((one, other))
        return self._key.derive(b"pair1" + first + second)


def _role(*, dialer: bool) -> bytes:
    return b"A" if dialer else b"B"


def dial_tag(pair_secret: Secret, exporter: bytes) -> bytes:
    """What a dialer shows so that a contact, and nobody else, recognises it."""
    return hmac.digest(pair_secret.reveal(), b"dial" + exporter, "sha256")


def ticket_tag(secret: Secret, exporter: bytes) -> bytes:
    """What a dialer shows so that who made a ticket, and nobody else, knows which one it has."""
    return hmac.digest(secret.reveal(), b"ticket" + exporter, "sha256")


def accept_tag(pair_secret: Secret, exporter: bytes) -> bytes:
    """What the listener answers to a `dial_tag` that it recognised."""
    return hmac.digest(pair_secret.reveal(), b"accept" + exporter, "sha256")
