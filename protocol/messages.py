"""One dataclass per message; each field says its form once, for writing and for reading.

On the wire a message is a canonical array: the message's number, then its fields in order
(docs/spec/channel.md).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform

from ..crypto import encoding, pairing
from ..crypto.blob import CONTENT_ID_BYTES, MAX_PIECES, PHOTO_ID_BYTES, PIECE_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.signing import SIGNATURE_BYTES
from . import attributes, limits, revocation
from .errors import OtherVersionError

VERSIONS: Final = (2, 1)
"""The versions that this node speaks, the one that it likes best first."""
VERSION: Final = VERSIONS[0]
PAPERS_VERSION: Final = 2
"""The first one with `Papers`."""

MODES: Final = ("contact", "pair", "ticket", "link")
"""What a dialer may ask for in its hello; the last two are reserved."""

METHODS: Final = ("code", "qr")
"""How the two sides of a pairing share a secret."""

Ranges = tuple[tuple[int, int], ...]
"""(first, count) pairs of pieces, rising and apart."""


# Field forms.


def _form(read: Callable[[Reader, str], object], write: Callable[[Any], Value]) -> Any:
    return dataclasses.field(metadata={"read": read, "write": write})


def _integer(maximum: int = encoding.MAX_INTEGER) -> Any:
    return _form(lambda reader, name: reader.integer(name, maximum), int)


def _flag() -> Any:
    return _form(lambda reader, name: bool(reader.integer(name, 1)), int)


def _text(maximum: int) -> Any:
    return _form(lambda reader, name: reader.text(name, maximum), str)


def _octets(length: int | None = None, maximum: int | None = None) -> Any:
    return _form(lambda reader, name: reader.octets(name, length, maximum), bytes)


def _versions() -> Any:
    def read(reader: Reader, name: str) -> tuple[int, ...]:
        items = Reader(reader.array(name, limits.VERSIONS), name)
        found: list[int] = []
        while items.more():
            found.append(items.integer(name))
        if not set(VERSIONS) & set(found):
            raise OtherVersionError  # and what follows has a form that is not known here
        return tuple(found)

    return _form(read, list)


def _version() -> Any:
    def read(reader: Reader, name: str) -> int:
        found = reader.integer(name)
        if found not in VERSIONS:
            raise OtherVersionError
        return found

    return _form(read, int)


def _ranges() -> Any:
    def read(reader: Reader, name: str) -> Ranges:
        found: list[tuple[int, int]] = []
        reached = 0
        for item in reader.array(name, limits.RANGES):
            if not isinstance(item, list):
                raise MalformedError(name)
            pair = Reader(item, name)
            first, count = pair.integer("first", MAX_PIECES), pair.integer("count", MAX_PIECES)
            pair.end()
            # Rising and apart, so that a short message can't ask for one piece a thousand times.
            if count == 0 or first < reached or first + count > MAX_PIECES:
                raise MalformedError(name)
            reached = first + count
            found.append((first, count))
        return tuple(found)

    return _form(read, lambda ranges: [list(pair) for pair in ranges])


class Message:
    """What all messages have. Instances are frozen and were valid when they were read."""

    __slots__ = ()
    number: ClassVar[int]

    def encode(self) -> bytes:
        """Canonical bytes."""
        items = (
            field.metadata["write"](getattr(self, field.name)) for field in _fields(type(self))
        )
        return encoding.encode([self.number, *items])


@functools.cache
def _fields(kind: type[Message]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)  # type: ignore[arg-type] - subclasses are dataclasses


_BY_NUMBER: Final[dict[int, type[Message]]] = {}
_Kind = TypeVar("_Kind", bound=type[Message])


@dataclass_transform(
    frozen_default=True,
    field_specifiers=(_integer, _flag, _text, _octets, _versions, _version, _ranges),
)
def _message(number: int) -> Callable[[_Kind], _Kind]:
    """Make the class a frozen dataclass and give it its number. Numbers are never used again."""

    def make(kind: _Kind) -> _Kind:
        made = dataclasses.dataclass(frozen=True, slots=True)(kind)
        made.number = number
        _BY_NUMBER[number] = made
        return made

    return make


def decode(data: bytes) -> Message:
    """The message that `data` encodes; `MalformedError` if it is none.

    `OtherVersionError` for the greeting of a node that does not speak this version.
    """
    reader = Reader(encoding.decode(data, limits.MESSAGE_BYTES), "message")
    kind = _BY_NUMBER.get(reader.integer("number"))
    if kind is None:
        raise MalformedError("message: unknown number")
    message = kind(*(field.metadata["read"](reader, field.name) for field in _fields(kind)))
    if not (isinstance(message, Hello) and set(message.versions) - set(VERSIONS)):
        reader.end()  # in a hello to other versions too, what follows is for them
    return message


# Opening.


@_message(1)
class Hello(Message):
    """Dialer's first word: `proof` is dial tags (contact), a SPAKE2 message or empty (pair)."""

    versions: tuple[int, ...] = _versions()
    mode: str = _text(16)
    method: str = _text(16)
    proof: bytes = _octets(maximum=limits.DIAL_TAGS * pairing.TAG_BYTES)


@_message(2)
class Welcome(Message):
    """Listener's answer: the version chosen, and its accept tag or SPAKE2 message."""

    version: int = _version()
    proof: bytes = _octets(maximum=64)


@_message(3)
class Prove(Message):
    """A device's chain, and its signature over this channel."""

    chain: bytes = _octets(maximum=limits.CHAIN_BYTES)
    signature: bytes = _octets(SIGNATURE_BYTES)


@_message(4)
class PairChain(Message):
    """Chain and display name, sealed under the key that the code or QR made."""

    sealed: bytes = _octets(maximum=limits.SEALED_CHAIN_BYTES)


@_message(5)
class PairConfirm(Message):
    """Key confirmation over both chains, and the device's signature over this channel."""

    confirmation: bytes = _octets(pairing.CONFIRMATION_BYTES)
    signature: bytes = _octets(SIGNATURE_BYTES)


@_message(6)
class PairDone(Message):
    """The listener has stored the dialer as a contact."""


# Offers: envelopes and what becomes of them.


@_message(10)
class Offer(Message):
    """A sealed envelope: a photo is there for the receiver."""

    envelope: bytes = _octets(maximum=limits.ENVELOPE_BYTES)


@_message(11)
class OfferTaken(Message):
    """The envelope with this SHA-256 is stored durably; `waiting` if a person decides first."""

    envelope_hash: bytes = _octets(32)
    waiting: bool = _flag()


@_message(12)
class OfferRefused(Message):
    """The envelope with this SHA-256 was not taken, or its photo was refused later; see `code`."""

    envelope_hash: bytes = _octets(32)
    code: int = _integer()


@_message(13)
class Stored(Message):
    """The photo of the envelope with this SHA-256 is whole, verified and on disk."""

    envelope_hash: bytes = _octets(32)


# Fetching blobs.


@_message(20)
class Fetch(Message):
    """Ask for pieces of a blob under a capability, which names the asking device or identity.

    `credit` is how many pieces may be sent before more credit comes; with `manifest` the
    manifest is sent first.
    """

    request: int = _integer(2**32 - 1)
    photo_id: bytes = _octets(PHOTO_ID_BYTES)
    content_id: bytes = _octets(CONTENT_ID_BYTES)
    capability: bytes = _octets(maximum=limits.CAPABILITY_BYTES)
    manifest: bool = _flag()
    ranges: Ranges = _ranges()
    credit: int = _integer(limits.CREDIT)


@_message(21)
class ManifestPart(Message):
    """The next bytes of the manifest."""

    request: int = _integer(2**32 - 1)
    data: bytes = _octets(maximum=limits.MANIFEST_PART_BYTES)


@_message(22)
class Piece(Message):
    """One piece of the blob."""

    request: int = _integer(2**32 - 1)
    index: int = _integer(MAX_PIECES - 1)
    data: bytes = _octets(maximum=PIECE_BYTES)


@_message(23)
class Credit(Message):
    """So many pieces more may be sent."""

    request: int = _integer(2**32 - 1)
    pieces: int = _integer(limits.CREDIT)


@_message(24)
class FetchRefused(Message):
    """The fetch was refused or ended early by who serves; see `code`."""

    request: int = _integer(2**32 - 1)
    code: int = _integer()


@_message(25)
class FetchStop(Message):
    """The asker wants no more of this fetch."""

    request: int = _integer(2**32 - 1)


# What people say about people, and what they took back.


@_message(50)
class Papers(Message):
    """Attestations, and the newest list of revocations of who sends them, or nothing."""

    attestations: bytes = _octets(maximum=attributes.SHOWN_BYTES)
    revocations: bytes = _octets(maximum=revocation.LIST_BYTES)


# Keeping in touch, and the end.


@_message(30)
class Ping(Message):
    """Are you there? Answered by a `Pong` with the same token."""

    token: int = _integer()


@_message(31)
class Pong(Message):
    """Yes."""

    token: int = _integer()


@_message(40)
class Bye(Message):
    """The last message of a side; a code other than 0 says what the other side did wrong."""

    code: int = _integer()


WORK: Final[tuple[type[Message], ...]] = (
    Offer, OfferTaken, OfferRefused, Stored,
    Fetch, ManifestPart, Piece, Credit, FetchRefused, FetchStop,
    Papers, Ping, Pong,
)  # fmt: skip
"""What an established session carries."""
