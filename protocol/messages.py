"""One dataclass per message; each field says its form once, for writing and for reading.

On the wire a message is a canonical array: the message's number, then its fields in order
(docs/spec/channel.md).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform

from ..crypto import blob, encoding, pairing
from ..crypto.blob import CONTENT_ID_BYTES, MAX_PIECES, PHOTO_ID_BYTES, PIECE_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.signing import SIGNATURE_BYTES
from . import attributes, delivery, limits, revocation
from .delivery import HeldBlob
from .errors import OtherVersionError

VERSIONS: Final = (4, 3, 2, 1)
"""The versions that this node speaks, the one that it likes best first."""
VERSION: Final = VERSIONS[0]

MODES: Final = ("contact", "pair", "ticket", "device", "link")
"""What a dialer may ask for in its hello; the last one is reserved."""

TICKET_VERSIONS: Final = tuple(version for version in VERSIONS if version >= 3)
"""Those that have the mode `ticket`."""

DEVICE_VERSIONS: Final = tuple(version for version in VERSIONS if version >= 4)
"""Those that have the mode `device`."""

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


def _transport(*, default: bytes) -> Any:
    """A transport id at the end of a message, absent where the pipe has none."""

    def read(reader: Reader, name: str) -> bytes:
        if not reader.more():
            return b""
        found = reader.octets(name, maximum=limits.TRANSPORT_BYTES)
        if not found:  # nothing has one form only
            raise MalformedError(name)
        return found

    return dataclasses.field(default=default, metadata={"read": read, "write": bytes, "last": True})


def _choice(*lengths: int) -> Any:
    """Octets of one of these lengths."""

    def read(reader: Reader, name: str) -> bytes:
        found = reader.octets(name, maximum=max(lengths))
        if len(found) not in lengths:
            raise MalformedError(name)
        return found

    return _form(read, bytes)


def _blobs() -> Any:
    def read(reader: Reader, name: str) -> tuple[HeldBlob, ...]:
        return tuple(HeldBlob.read(item, name) for item in reader.array(name, limits.HELD_BLOBS))

    return _form(read, lambda blobs: [blob.to_value() for blob in blobs])


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
    since: ClassVar[int]
    """The first version that has it."""
    until: ClassVar[int | None]
    """The last version that has it, unless later ones still do."""

    def encode(self) -> bytes:
        """Canonical bytes."""
        items = (
            field.metadata["write"](getattr(self, field.name))
            for field in _fields(type(self))
            if getattr(self, field.name) or "last" not in field.metadata
        )
        return encoding.encode([self.number, *items])


@functools.cache
def _fields(kind: type[Message]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)  # type: ignore[arg-type] - subclasses are dataclasses


_BY_NUMBER: Final[dict[int, type[Message]]] = {}
_Kind = TypeVar("_Kind", bound=type[Message])


@dataclass_transform(
    frozen_default=True,
    field_specifiers=(
        _integer,
        _flag,
        _text,
        _octets,
        _transport,
        _choice,
        _versions,
        _version,
        _ranges,
        _blobs,
    ),
)
def _message(number: int, since: int = 1, until: int | None = None) -> Callable[[_Kind], _Kind]:
    """Make the class a frozen dataclass and give it its number. Numbers are never used again."""

    def make(kind: _Kind) -> _Kind:
        made = dataclasses.dataclass(frozen=True, slots=True)(kind)
        made.number = number
        made.since, made.until = since, until
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
    """Dialer's first word: `proof` is dial tags (contact), a SPAKE2 message or empty (pair), or the
    tag of a ticket.
    """

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
    """A device's chain, and its signature over this channel and over its transport id, if any."""

    chain: bytes = _octets(maximum=limits.CHAIN_BYTES)
    signature: bytes = _octets(SIGNATURE_BYTES)
    transport: bytes = _transport(default=b"")


@_message(4)
class PairChain(Message):
    """Chain and display name, sealed under the key that the code or QR made."""

    sealed: bytes = _octets(maximum=limits.SEALED_CHAIN_BYTES)


@_message(5)
class PairConfirm(Message):
    """Key confirmation over both chains, and the device's signature as in `Prove`."""

    confirmation: bytes = _octets(pairing.CONFIRMATION_BYTES)
    signature: bytes = _octets(SIGNATURE_BYTES)
    transport: bytes = _transport(default=b"")


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


@_message(13, until=2)
class Stored(Message):
    """The photo of the envelope with this SHA-256 is whole, verified and on disk."""

    envelope_hash: bytes = _octets(32)


@_message(14, since=3)
class Delivered(Message):
    """The same, signed, in the place of `Stored`: a `Receipt` of the device that stored it."""

    envelope_hash: bytes = _octets(32)
    receipt: bytes = _octets(maximum=limits.RECEIPT_BYTES)


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


@_message(26, since=3)
class FetchHeld(Message):
    """Ask for pieces of a blob that is held: under its token, or, where who asks is to hold it,
    under the `Deposit` that named it and without a token. Else as `Fetch`.
    """

    request: int = _integer(2**32 - 1)
    content_id: bytes = _octets(CONTENT_ID_BYTES)
    token: bytes = _choice(0, blob.FETCH_TOKEN_BYTES)
    manifest: bool = _flag()
    ranges: Ranges = _ranges()
    credit: int = _integer(limits.CREDIT)


# What people say about people, and what they took back.


@_message(50, since=2)
class Papers(Message):
    """Attestations, and the newest list of revocations of who sends them, or nothing."""

    attestations: bytes = _octets(maximum=attributes.SHOWN_BYTES)
    revocations: bytes = _octets(maximum=revocation.LIST_BYTES)


# What is held for who is away (docs/spec/holding.md).


@_message(60, since=3)
class Mailbox(Message):
    """Where what is for the sender of this may be left: the secret of its mailbox, and the marks
    of those who hold for it, one after the other; empty if nobody does.
    """

    secret: bytes = _choice(0, delivery.SECRET_BYTES)
    holders: bytes = _octets(maximum=limits.HOLDERS * delivery.MARK_BYTES)


@_message(61, since=3)
class Holding(Message):
    """What the sender of this holds for the receiver: so many bytes, each for so many seconds;
    nothing, if one of them is 0. `backup` if it also keeps what has no end.
    """

    quota: int = _integer(2**63 - 1)
    seconds: int = _integer(2**32 - 1)
    backup: bool = _flag()


@_message(62, since=3)
class Deposit(Message):
    """Hold this envelope, and the blobs that it is about, until the end of the day `expires`
    (counted from 1970) for whoever the tag's mailbox belongs to.
    """

    tag: bytes = _octets(delivery.TAG_BYTES)
    envelope: bytes = _octets(maximum=limits.ENVELOPE_BYTES)
    expires: int = _integer(2**32 - 1)
    blobs: tuple[HeldBlob, ...] = _blobs()


@_message(63, since=3)
class Held(Message):
    """The envelope with this SHA-256 and all its blobs are held, durably."""

    envelope_hash: bytes = _octets(32)


@_message(64, since=3)
class HeldRefused(Message):
    """The envelope with this SHA-256 is not held; see `code`."""

    envelope_hash: bytes = _octets(32)
    code: int = _integer()


@_message(65, since=3)
class Collect(Message):
    """Show what is held for the sender of this: at most `most` envelopes behind number `after`;
    with `own` what it left there itself, else what others did.
    """

    after: int = _integer(2**63 - 1)
    most: int = _integer(limits.COLLECTED)
    own: bool = _flag()


@_message(66, since=3)
class HeldItem(Message):
    """One envelope that is held for the receiver of this, and its number there."""

    position: int = _integer(2**63 - 1)
    envelope: bytes = _octets(maximum=limits.ENVELOPE_BYTES)


@_message(67, since=3)
class HeldEnd(Message):
    """No more `HeldItem`s follow for now. The highest number given so far is `last`; with `more`
    there is something to collect behind what was shown.
    """

    last: int = _integer(2**63 - 1)
    more: bool = _flag()


@_message(68, since=3)
class HeldDone(Message):
    """The envelope with this SHA-256 need not be held any more, says who it is for or who left it
    there. The former may leave a receipt for the latter.
    """

    envelope_hash: bytes = _octets(32)
    receipt: bytes = _octets(maximum=limits.RECEIPT_BYTES)


@_message(69, since=3)
class HeldGone(Message):
    """The answer: the envelope with this SHA-256 is not held here, now."""

    envelope_hash: bytes = _octets(32)


@_message(70, since=3)
class HeldReceipt(Message):
    """A receipt that was left for the receiver of this, until it says `HeldDone`."""

    envelope_hash: bytes = _octets(32)
    receipt: bytes = _octets(maximum=limits.RECEIPT_BYTES)


@_message(71, since=3)
class HeldNews(Message):
    """There is something new to collect."""


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
    Offer, OfferTaken, OfferRefused, Stored, Delivered,
    Fetch, FetchHeld, ManifestPart, Piece, Credit, FetchRefused, FetchStop,
    Mailbox, Holding, Deposit, Held, HeldRefused,
    Collect, HeldItem, HeldEnd, HeldDone, HeldGone, HeldReceipt, HeldNews,
    Papers, Ping, Pong,
)  # fmt: skip
"""What an established session carries; see `album_messages` for the rest."""
