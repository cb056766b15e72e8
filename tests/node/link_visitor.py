"""Somebody with a link and no browser: what the page does, in Python, after docs/spec/link.md.

It opens the data channel with aiortc on the test's own loop, and can misbehave.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind
from kinlight.crypto.secret import Secret

from .nodes import PATIENCE


def unbase(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Refused(Exception):
    """The node said why not; `args[0]` is the code."""


@dataclass
class Visitor:
    """One browser with one link."""

    url: str
    visit: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        self.key = unbase(parts.fragment)
        self.link_id = hashlib.sha256(b"kinlight/link1\0" + unbase(parts.path[3:])).digest()
        self.auth = self.derive(b"kinlight/link-auth1")

    def derive(self, purpose: bytes) -> bytes:
        return HKDF(SHA256(), 32, None, purpose).derive(self.key)

    def tag(self, purpose: bytes, message: bytes) -> bytes:
        whole = purpose + b"\0" + self.link_id + self.visit + message
        return hmac.digest(self.auth, whole, "sha256")

    def body(self, offer: str) -> dict[str, str]:
        tag = self.tag(b"kinlight/link-offer1", offer.encode())
        return {"visit": base(self.visit), "offer": offer, "tag": base(tag)}

    async def post(self, body: object, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.origin, verify=False) as client:
            headers = {"Content-Type": "application/json", **headers}
            content = json.dumps(body)
            return await client.post(f"{self.path}/offer", content=content, headers=headers)

    async def state(self) -> str:
        """`open`, or the code of why not."""
        async with httpx.AsyncClient(base_url=self.origin) as client:
            said = (await client.get(f"{self.path}/state")).json()
        return said.get("state") or said["error"]["code"]

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncGenerator[Conversation]:
        """The channel, open; raises `Refused`."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            channel = connection.createDataChannel("kinlight")
            conversation = Conversation(self, channel)
            await connection.setLocalDescription(await connection.createOffer())
            offer = connection.localDescription.sdp
            response = await self.post(self.body(offer))
            said: dict[str, Any] = response.json()
            if "error" in said:
                raise Refused(said["error"]["code"])
            heard = hashlib.sha256(offer.encode()).digest() + said["answer"].encode()
            assert unbase(said["tag"]) == self.tag(b"kinlight/link-answer1", heard)
            await connection.setRemoteDescription(RTCSessionDescription(said["answer"], "answer"))
            async with asyncio.timeout(PATIENCE):
                await conversation.opened.wait()
            yield conversation
        finally:
            await connection.close()

    async def refusal(self) -> str:
        """The code with which it is not let in."""
        try:
            async with self.connected():
                return "open"
        except Refused as refused:
            return refused.args[0]


class Conversation:
    """What is said in the channel."""

    def __init__(self, visitor: Visitor, channel: RTCDataChannel) -> None:
        self._visitor = visitor
        self.channel = channel
        self.opened = asyncio.Event()
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        channel.on("open", self.opened.set)
        channel.on("message", self.messages.put_nowait)

    async def next(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            message = await self.messages.get()
        if message[0] == 0x83:
            raise Refused(message[1:].split(b"\n")[0].decode())
        return message

    def ask(self, photo: int, first: int, count: int) -> None:
        self.channel.send(struct.pack(">BHII", 2, photo, first, count))

    async def list(self) -> dict[str, Any]:
        self.channel.send(b"\x01")
        sealed = b""
        while True:
            message = await self.next()
            _, offset, total = struct.unpack(">BII", message[:9])
            assert offset == len(sealed)
            sealed += message[9:]
            if len(sealed) == total:
                break
        key = self._visitor.derive(b"kinlight/link-list1")
        return json.loads(AESGCM(key).decrypt(bytes(12), sealed, self._visitor.link_id))

    async def piece(self, photo: int, index: int, length: int) -> bytes:
        """One piece that was asked for."""
        sealed = b""
        while len(sealed) < length:
            message = await self.next()
            _, number, piece, offset = struct.unpack(">BHII", message[:11])
            assert (number, piece, offset) == (photo, index, len(sealed))
            sealed += message[11:]
        return sealed

    async def photo(self, listed: dict[str, Any], number: int) -> bytes:
        """The content of a photo."""
        encoded = unbase(listed["manifest"])
        cid = hashlib.sha256(b"kinlight/cid1\0" + encoded).digest()
        manifest = blob.Manifest.decode(encoded, cid)
        sealed = manifest.header
        for index in range(manifest.pieces):
            self.ask(number, index, 1)
            piece = await self.piece(number, index, manifest.piece_length(index))
            manifest.check_piece(index, piece)
            sealed += piece
        content = BytesIO()
        key, photo_id = Secret(unbase(listed["key"])), unbase(listed["id"])
        blob.unseal(BytesIO(sealed), content, key, Kind(listed["kind"]), photo_id, listed["bytes"])
        return content.getvalue()

    async def refusal(self) -> str:
        """The code that ends it, whatever comes before."""
        try:
            while True:
                await self.next()
        except Refused as refused:
            return refused.args[0]
