"""A holder, and raw contacts of it who leave things and come for them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO

from kinlight.crypto import blob
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.secret import Secret
from kinlight.node.holding import Hold
from kinlight.node.mallory import Conversation, Mallory, silent
from kinlight.protocol import delivery
from kinlight.protocol.delivery import HeldBlob, day_of, mailbox_tag
from kinlight.protocol.errors import from_wire
from kinlight.protocol.messages import (
    Collect,
    Credit,
    Deposit,
    FetchHeld,
    FetchRefused,
    Held,
    HeldDone,
    HeldEnd,
    HeldGone,
    HeldItem,
    HeldRefused,
    Mailbox,
    ManifestPart,
    Message,
    Piece,
)

from .nodes import NOW, TestedNode, random_bytes

ENVELOPE = 6000
"""Bytes of a usual envelope."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed blob, whole, and what opens it."""

    manifest: Manifest
    ciphertext: bytes
    key: Secret

    @classmethod
    def of(cls, content: bytes, kind: Kind = Kind.ORIGINAL) -> Sealed:
        key, sink = Secret(secrets.token_bytes(32)), BytesIO()
        manifest = blob.seal(BytesIO(content), len(content), sink, key, kind, bytes(16))
        return cls(manifest, sink.getvalue(), key)

    @property
    def content_id(self) -> bytes:
        return self.manifest.content_id

    @property
    def token(self) -> bytes:
        return blob.fetch_token(self.key).reveal()

    @property
    def told(self) -> HeldBlob:
        return HeldBlob.under(self.content_id, self.manifest.length, self.key)

    def piece(self, index: int) -> bytes:
        start = blob.piece_offset(index)
        return self.ciphertext[start : start + self.manifest.piece_length(index)]


@dataclass(slots=True)
class Left:
    """Something that is to be held: an envelope and its blobs."""

    envelope: bytes
    blobs: list[Sealed]
    expires: int = day_of(NOW) + 10
    told: tuple[HeldBlob, ...] | None = None
    """What the deposit says of the blobs, if not the truth."""

    @classmethod
    def make(cls, label: str = "", *contents: bytes) -> Left:
        label = label or secrets.token_hex(8)
        return cls(random_bytes(label, ENVELOPE), [Sealed.of(each) for each in contents])

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.envelope).digest()

    def deposit(self, tag: bytes) -> Deposit:
        told = tuple(each.told for each in self.blobs) if self.told is None else self.told
        return Deposit(tag, self.envelope, self.expires, told)


Serve = Callable[[Sealed, FetchHeld], list[Message]]


def truly(sealed: Sealed, fetch: FetchHeld) -> list[Message]:
    """All of what was asked for, whatever the credit."""
    answers: list[Message] = []
    if fetch.manifest:
        encoded = sealed.manifest.encode()
        answers.append(ManifestPart(fetch.request, encoded))
    for first, count in fetch.ranges:
        indices = range(first, min(first + count, sealed.manifest.pieces))
        answers += (Piece(fetch.request, index, sealed.piece(index)) for index in indices)
    return answers


class Depositing:
    """A `react` that serves what is left, piece by piece within the credit."""

    def __init__(self, *left: Left, serve: Serve = truly) -> None:
        self.blobs = {each.content_id: each for item in left for each in item.blobs}
        self.serve = serve
        self.asked: list[FetchHeld] = []
        self._waiting: dict[int, list[Message]] = {}

    def __call__(self, message: Message) -> list[Message]:
        if isinstance(message, FetchHeld) and not message.token:
            self.asked.append(message)
            sealed = self.blobs.get(message.content_id)
            if sealed is None:
                return [FetchRefused(message.request, 20)]
            answers = self.serve(sealed, message)
            now = [each for each in answers if not isinstance(each, Piece)]
            pieces = [each for each in answers if isinstance(each, Piece)]
            self._waiting[message.request] = list(pieces)
            return [*now, *self._give(message.request, message.credit)]
        if isinstance(message, Credit):
            return self._give(message.request, message.pieces)
        return []

    def _give(self, request: int, credit: int) -> list[Message]:
        waiting = self._waiting.get(request, [])
        self._waiting[request] = waiting[credit:]
        return waiting[:credit]


@dataclass(slots=True)
class Friend:
    """A contact of the holder who says on its link what a test wants."""

    mallory: Mallory
    secret: Secret = field(default_factory=lambda: Secret(secrets.token_bytes(32)))

    @property
    def identity(self) -> bytes:
        return self.mallory.device.identity

    def tag(self, day: int = day_of(NOW)) -> bytes:
        return mailbox_tag(self.secret, self.identity, day)

    def mailbox(self, *holders: TestedNode) -> Mailbox:
        marks = delivery.marks(self.secret, [holder.identity for holder in holders])
        return Mailbox(self.secret.reveal(), marks)


async def friend_of(holder: TestedNode, name: str) -> Friend:
    """A contact who wants to be held for; for the holder it is told so already."""
    mallory = Mallory(holder.parts.listener.port, name)
    async with holder.pairing(name) as (code, steps):
        await mallory.pair(code.code)
        await anext(steps)
    friend = Friend(mallory)
    holder.parts.mailboxes.told(friend.identity, friend.mailbox(holder))
    return friend


async def outcome(conversation: Conversation, left: Left) -> str:
    """`held`, or why it is not."""
    while True:
        message = await conversation.wait_for(Held, HeldRefused)
        if message.envelope_hash != left.hash:
            continue
        return "held" if isinstance(message, Held) else from_wire(message.code).code


async def leave(conversation: Conversation, owner: Friend, left: Left, **changes: object) -> str:
    """Leave something for somebody, serving what it names; what becomes of it."""
    if conversation.react is silent:
        conversation.react = Depositing(left)
    deposit = replace(left.deposit(owner.tag()), **changes)  # type: ignore[arg-type]
    await conversation.say(deposit)
    return await outcome(conversation, left)


async def collect(
    conversation: Conversation, after: int = 0, most: int = 256
) -> tuple[list[HeldItem], HeldEnd]:
    """What is shown, and how it ends."""
    await conversation.say(Collect(after, most, own=False))
    items: list[HeldItem] = []
    while True:
        message = await conversation.wait_for(HeldItem, HeldEnd)
        if isinstance(message, HeldEnd):
            return items, message
        items.append(message)


async def fetched(
    conversation: Conversation, sealed: Sealed, token: bytes | None = None, request: int = 1
) -> bytes | str:
    """The blob as it comes from where it is held, or why it does not."""
    shown = sealed.token if token is None else token
    ranges = ((0, sealed.manifest.pieces),)
    await conversation.say(FetchHeld(request, sealed.content_id, shown, True, ranges, 64))
    message = await conversation.wait_for(ManifestPart, FetchRefused)
    if isinstance(message, FetchRefused):
        return from_wire(message.code).code
    assert message.data == sealed.manifest.encode()
    found = sealed.manifest.header
    for index in range(sealed.manifest.pieces):
        piece = await conversation.wait_for(Piece, FetchRefused)
        if isinstance(piece, FetchRefused):
            return from_wire(piece.code).code
        assert piece.index == index
        found += piece.data
        if index % 32 == 31:
            await conversation.say(Credit(request, 32))
    return found


async def done(conversation: Conversation, left: Left, receipt: bytes = b"") -> None:
    """Say that it need not be held any more, until that is answered."""
    await conversation.say(HeldDone(left.hash, receipt))
    while (await conversation.wait_for(HeldGone)).envelope_hash != left.hash:
        pass


def files(node: TestedNode) -> list[str]:
    """Names of all files in which something is held."""
    return sorted(path.name for path in node.home.held.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True)
class Household:
    """A holder for everybody, and contacts: two who leave things, and one whose these are."""

    holder: TestedNode
    sender: Friend
    other: Friend
    owner: Friend

    @property
    def hold(self) -> Hold:
        return self.holder.engine.hold

    @property
    def totals(self) -> tuple[int, int]:
        """Items and bytes that are held."""
        view = self.hold.view()
        return view.items, view.bytes
