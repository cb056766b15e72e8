"""A browser that sends photos and is none: what the page does, after docs/spec/drop.md.

It opens the data channel as `link_visitor` does, and can misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .link_visitor import Conversation, Refused, Visitor, unbase
from .nodes import PATIENCE

PART = 49_152
WANTED, WAITS, HERE, DECLINED, BROKEN, REFUSED = range(6)


@dataclass
class Phone(Visitor):
    """One browser with one drop link."""

    def __post_init__(self) -> None:
        super().__post_init__()
        token = unbase(self.path[3:])
        self.link_id = hashlib.sha256(b"kinlight/drop1\0" + token).digest()
        self.auth = self.derive(b"kinlight/drop-auth1")

    def tag(self, purpose: bytes, message: bytes) -> bytes:
        return super().tag(purpose.replace(b"link-", b"drop-"), message)

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncGenerator[Sending]:
        """The channel, open and greeted; raises `Refused`."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            channel = connection.createDataChannel("kinlight")
            conversation = Conversation(self, channel)
            await connection.setLocalDescription(await connection.createOffer())
            offer = connection.localDescription.sdp
            said = (await self.post(self.body(offer))).json()
            if "error" in said:
                raise Refused(said["error"]["code"])
            await connection.setRemoteDescription(RTCSessionDescription(said["answer"], "answer"))
            sending = Sending(self, conversation, offer.encode())
            await sending.greeted()
            yield sending
        finally:
            await connection.close()


class Sending:
    """What is said in the channel."""

    def __init__(self, phone: Phone, conversation: Conversation, offer: bytes) -> None:
        self._phone = phone
        self._offer = offer
        self.conversation = conversation
        self._sealed = self._opened = 0
        self.name = ""

    async def greeted(self) -> None:
        async with asyncio.timeout(PATIENCE):
            challenge = await self.conversation.messages.get()
        assert challenge[0] == 0x90
        bound = self._phone.link_id + hashlib.sha256(self._offer).digest() + challenge[1:]

        def key(purpose: bytes) -> AESGCM:
            return AESGCM(HKDF(SHA256(), 32, None, purpose + bound).derive(self._phone.auth))

        self._page, self._node = key(b"kinlight/drop-page1\0"), key(b"kinlight/drop-node1\0")
        greeting = await self.next()
        assert greeting[0] == 0x92
        self.name = greeting[1:].decode()

    def say(self, frame: bytes) -> None:
        sealed = self._page.encrypt(self._sealed.to_bytes(12, "big"), frame, None)
        self.conversation.channel.send(sealed)
        self._sealed += 1

    async def next(self) -> bytes:
        """The next frame of the node; raises `Refused`."""
        async with asyncio.timeout(PATIENCE):
            message = await self.conversation.messages.get()
        frame = self._node.decrypt(self._opened.to_bytes(12, "big"), message, None)
        self._opened += 1
        if frame[0] == 0x83:
            raise Refused(frame[1:].split(b"\n")[0].decode())
        return frame

    async def standing(self) -> tuple[int, int, int]:
        """Of the next photo that the node tells of: number, how it stands, bytes that are there."""
        frame = await self.next()
        kind, number, how, here = struct.unpack_from(">BIBQ", frame)
        assert kind == 0x91
        return number, how, here

    def offer(
        self,
        number: int,
        content: bytes,
        name: str,
        *,
        sha256: bytes | None = None,
        modified: int = 1_700_000_000_000,
    ) -> None:
        """Offer a photo; with another `sha256`, a lie."""
        hashed = sha256 or hashlib.sha256(content).digest()
        head = struct.pack(">BIQQ32s", 0x11, number, len(content), modified, hashed)
        self.say(head + name.encode())

    def part(self, number: int, content: bytes, offset: int) -> None:
        """The part of a photo that begins there."""
        head = struct.pack(">BIQ", 0x12, number, offset)
        self.say(head + content[offset : offset + PART])

    async def send(self, number: int, content: bytes, name: str) -> int:
        """Offer a photo and send what is wanted of it; how it stands in the end."""
        self.offer(number, content, name)
        _, how, here = await self.standing()
        if how != WANTED:
            return how
        for offset in range(here, len(content), PART):
            self.part(number, content, offset)
        while how == WANTED:
            _, how, _ = await self.standing()
        return how

    async def send_all(self, paths: Sequence[Path]) -> list[int]:
        """Send files, one after the other."""
        return [
            await self.send(number, path.read_bytes(), path.name)
            for number, path in enumerate(paths)
        ]

    async def refusal(self) -> str:
        """The code that ends it, whatever comes before."""
        try:
            while True:
                await self.next()
        except Refused as refused:
            return refused.args[0]
