"""Somebody hostile who speaks the protocol: for the demo and for tests, not for sharing.

Mallory has an identity and keys like everybody, but no library and no manners: she says on a link
what she likes. What she must not get is for the node at the other end to refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from io import BytesIO
from typing import Final, TypeVar

from ..crypto import blob
from ..crypto.blob import Kind, Manifest
from ..crypto.channel import ChannelSettings
from ..crypto.identity import DeviceCertificate, DeviceChain, issue_identity, issue_kem
from ..crypto.pairing import Code
from ..crypto.recovery import ENTROPY_BYTES, RecoveryWords
from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from ..crypto.wrap import KemKey
from ..protocol.capability import Audience, Capability, Caveats
from ..protocol.messages import Fetch, ManifestPart, Message, Offer, Piece
from ..protocol.opening import Acquaintance, LocalDevice, Pinned
from ..protocol.photo import KINDS, Envelope, Metadata, PhotoRecord, photo_id
from ..protocol.session import Session
from . import tcp
from .addresses import Address
from .link import Link

_Wanted = TypeVar("_Wanted", bound=Message)
_WAIT_SECONDS: Final = 15.0


class Mallory:
    """A device that does as it likes, at one node's address."""

    def __init__(self, port: int, name: str = "Mallory") -> None:
        words = RecoveryWords(Secret(secrets.token_bytes(ENTROPY_BYTES)))
        root = SigningKey(words.root_seed())
        device = SigningKey(Secret(secrets.token_bytes(32)))
        kem = KemKey(Secret(secrets.token_bytes(32)))
        certificate = DeviceCertificate.issue(
            root,
            root.public,
            device.public,
            not_before=int(time.time()),
            seq=1,
            may_certify=False,
        )
        chain = DeviceChain.assemble(
            issue_identity(words), [certificate], issue_kem(device, kem.public)
        )
        self.device: Final = LocalDevice(device, kem, chain, name)
        self._address = Address("127.0.0.1", port)
        self._settings = ChannelSettings()
        self.victim: Acquaintance | None = None

    async def dial(self, to: Code | tuple[Pinned, ...]) -> Link:
        """A connection on which nothing was said yet."""
        pipe = await tcp.dial(self._address)
        return Link(pipe, Session(self._settings, self.device, to, secrets.token_bytes))

    def call_at(self, port: int) -> None:
        """The node is at another port now."""
        self._address = Address("127.0.0.1", port)

    async def knock(self) -> None:
        """Call without having paired; raises the refusal."""
        nobody = Pinned(secrets.token_bytes(32), Secret(secrets.token_bytes(32)))
        link = await self.dial((nobody,))
        try:
            await link.open()
        finally:
            await link.close()

    async def pair(self, code: str) -> None:
        """Become a contact with a code, as anybody who was given one can."""
        link = await self.dial(Code.parse(code))
        outcome = await link.open()
        await link.close()
        if isinstance(outcome, Acquaintance):
            self.victim = outcome

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncGenerator[Conversation]:
        """An established link to the node that she paired with."""
        if self.victim is None:
            raise ValueError("pair first")
        pinned = Pinned(self.victim.chain.identity, self.victim.pair_secret)
        link = await self.dial((pinned,))
        await link.open()
        conversation = Conversation(link)
        running = asyncio.create_task(link.run(conversation.handle))
        try:
            yield conversation
        finally:
            await link.close()
            await running

    def photo(self, content: bytes, name: str = "cat.jpg") -> HostilePhoto:
        """A proper photo of hers for the node, to be served as she likes."""
        if self.victim is None:
            raise ValueError("pair first")
        return HostilePhoto(self.device, self.victim.chain, content, name)


class Conversation:
    """Messages of the node as they come, and whatever she answers."""

    def __init__(self, link: Link) -> None:
        self.link: Final = link
        self._came: asyncio.Queue[Message] = asyncio.Queue()
        self.react: Callable[[Message], list[Message]] = silent

    async def handle(self, message: Message) -> None:
        """A message of the node: kept for `wait_for`, and answered by `react`."""
        self._came.put_nowait(message)
        for answer in self.react(message):
            self.link.post(answer)

    async def say(self, message: Message) -> None:
        """Send anything."""
        await self.link.send(message)

    def pending(self) -> list[Message]:
        """What came and nobody waited for."""
        return [self._came.get_nowait() for _ in range(self._came.qsize())]

    async def wait_for(self, *kinds: type[_Wanted]) -> _Wanted:
        """The next message of one of those kinds; others are passed over."""
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                message = await self._came.get()
                if isinstance(message, kinds):
                    return message


def silent(_message: Message) -> list[Message]:
    """Say nothing to it."""
    return []


class HostilePhoto:
    """A sealed photo with envelope; `serve` answers fetches, with changed pieces if wanted."""

    def __init__(
        self, device: LocalDevice, recipient: DeviceChain, content: bytes, name: str
    ) -> None:
        nonce = secrets.token_bytes(16)
        new_id = photo_id(device.identity, nonce)
        keys = {kind: Secret(secrets.token_bytes(32)) for kind in KINDS}
        metadata = Metadata(
            name, "image/jpeg", 0, len(content), hashlib.sha256(content).digest(), "original"
        ).encode()
        self._blobs: dict[bytes, tuple[Manifest, bytes]] = {}
        original = self._seal(content, keys[Kind.ORIGINAL], Kind.ORIGINAL, new_id)
        described = self._seal(metadata, keys[Kind.METADATA], Kind.METADATA, new_id)
        self.record: Final = PhotoRecord.sign(
            device.signing, device.identity, nonce, original, described.content_id
        )
        self.capability: Final = Capability.grant(
            device.signing,
            device.identity,
            Audience("identity", recipient.identity),
            Caveats(photos=frozenset([new_id]), operations=frozenset(["view"])),
            secrets.token_bytes(16),
        )
        self.offer: Final = Offer(
            Envelope.seal(
                device,
                recipient.device,
                recipient.kem,
                self.record,
                self.capability,
                keys,
                device.chain.certificates,
            )
        )

    def _seal(self, content: bytes, key: Secret, kind: Kind, new_id: bytes) -> Manifest:
        sink = BytesIO()
        manifest = blob.seal(BytesIO(content), len(content), sink, key, kind, new_id)
        self._blobs[manifest.content_id] = (manifest, sink.getvalue())
        return manifest

    def serve(
        self, change: Callable[[bytes], bytes] = lambda piece: piece
    ) -> Callable[[Message], list[Message]]:
        """A `react` that answers fetches; `change` is applied to each piece of the original."""

        def react(message: Message) -> list[Message]:
            if not isinstance(message, Fetch):
                return []
            manifest, sealed = self._blobs[message.content_id]
            spoil = change if message.content_id == self.record.content_id else bytes
            answers: list[Message] = [ManifestPart(message.request, manifest.encode())]
            for index in range(manifest.pieces):
                start = blob.piece_offset(index)
                piece = sealed[start : start + manifest.piece_length(index)]
                answers.append(Piece(message.request, index, spoil(piece)))
            return answers

        return react


def flip_byte(piece: bytes) -> bytes:
    """The piece with one byte in its middle changed."""
    middle = len(piece) // 2
    return piece[:middle] + bytes([piece[middle] ^ 1]) + piece[middle + 1 :]
