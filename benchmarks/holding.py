"""What holding for others costs: a real daemon that takes in many small items, keeps them, is
started again, shows them, and removes them; its memory all the while, and its rate.

    python -m benchmarks.holding [ITEMS]

Each item is an envelope of the usual size and two blobs of one piece, as a photo has, left over one
link on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path
from typing import Final

from kinlight.crypto import blob
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.secret import Secret
from kinlight.node import Node, launch
from kinlight.node.home import Home
from kinlight.node.mallory import Conversation, Mallory
from kinlight.node.views_contacts import PairingCode
from kinlight.protocol.delivery import HeldBlob, day_of, mailbox_tag, marks
from kinlight.protocol.messages import (
    Collect,
    Deposit,
    FetchHeld,
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

from benchmarks.couple import PASSPHRASE, daemon
from benchmarks.figures import MIB, Figure
from benchmarks.growth import watched

ITEMS: Final = 50_000
GOAL_MIB: Final = 300
ENVELOPE_BYTES: Final = 5_300
CONTENT_BYTES: Final = (3_000, 300)
AT_A_TIME: Final = 32


class Leaving:
    """Makes items and serves their blobs, which it forgets once they are held."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._blobs: dict[bytes, tuple[Manifest, bytes]] = {}
        self._items: dict[bytes, list[bytes]] = {}

    def deposit(self) -> Deposit:
        """A new one."""
        envelope = secrets.token_bytes(ENVELOPE_BYTES)
        told: list[HeldBlob] = []
        for length in CONTENT_BYTES:
            key, sink = Secret(secrets.token_bytes(32)), BytesIO()
            content = BytesIO(bytes(length))
            manifest = blob.seal(content, length, sink, key, Kind.ORIGINAL, bytes(16))
            self._blobs[manifest.content_id] = (manifest, sink.getvalue())
            told.append(HeldBlob.under(manifest.content_id, manifest.length, key))
        self._items[hashlib.sha256(envelope).digest()] = [each.content_id for each in told]
        expires = day_of(int(time.time())) + 60
        return Deposit(self._tag, envelope, expires, tuple(told))

    def react(self, message: Message) -> list[Message]:
        """Answer the holder's fetches."""
        match message:
            case FetchHeld():
                manifest, sealed = self._blobs[message.content_id]
                piece = sealed[blob.piece_offset(0) :]
                request = message.request
                return [ManifestPart(request, manifest.encode()), Piece(request, 0, piece)]
            case Held():
                for content_id in self._items.pop(message.envelope_hash):
                    del self._blobs[content_id]
            case _:
                pass
        return []


async def leave(conversation: Conversation, leaving: Leaving, count: int) -> None:
    """Leave so many items, some at a time."""
    conversation.react = leaving.react
    room = asyncio.Semaphore(AT_A_TIME)

    async def answers() -> None:
        for _ in range(count):
            answer = await conversation.wait_for(Held, HeldRefused)
            if isinstance(answer, HeldRefused):
                raise TypeError(f"refused: {answer.code}")
            room.release()

    answering = asyncio.create_task(answers())
    for _ in range(count):
        await room.acquire()
        await conversation.say(leaving.deposit())
    await answering


async def take(conversation: Conversation) -> int:
    """Collect all there is, a page at a time, and say of each that it is done; how many."""
    count = after = 0
    while True:
        await conversation.say(Collect(after, 256, own=False))
        page: list[bytes] = []
        while isinstance(message := await conversation.wait_for(HeldItem, HeldEnd), HeldItem):
            after = message.position
            page.append(hashlib.sha256(message.envelope).digest())
        for envelope_hash in page:
            await conversation.say(HeldDone(envelope_hash, bytes(300)))
        for _ in page:
            await conversation.wait_for(HeldGone)
        count += len(page)
        if not message.more:
            return count


async def friend_of(node: Node, name: str) -> Mallory:
    """A raw contact."""
    async with contextlib.aclosing(node.open_pairing(name)) as steps:
        code = await anext(steps)
        port = (await node.status()).port
        if not isinstance(code, PairingCode) or port is None:
            raise TypeError("a pairing begins with a code")
        mallory = Mallory(port, name)
        await mallory.pair(code.code)
        await anext(steps)
    return mallory


@contextlib.asynccontextmanager
async def again(path: Path) -> AsyncGenerator[Node]:
    """The daemon, ended and started."""
    await launch.stop_daemon(Home(path))
    await launch.ensure_daemon(Home(path))
    async with Node.connect(path) as node:
        await node.unlock(PASSPHRASE)
        yield node


async def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="kinlight-benchmark-") as folder:
        path = Path(folder) / "holder"
        async with daemon(path, "Holder") as node:
            sender, owner = await friend_of(node, "Sender"), await friend_of(node, "Owner")
            await node.hold()
            identity, secret = bytes.fromhex((await node.identity()).identity), Secret(bytes(32))
            tag = mailbox_tag(secret, owner.device.identity, day_of(int(time.time())))
            async with owner.connected() as conversation:
                await conversation.say(Mailbox(secret.reveal(), marks(secret, [identity])))
                await take(conversation)
            pid = (await node.status()).pid
            async with watched(pid) as grown, sender.connected() as conversation:
                begun = time.monotonic()
                await leave(conversation, Leaving(tag), count)
                seconds = time.monotonic() - begun
            items = (await node.holding()).items
            Figure(f"{items:,} small items left with a holder", count / seconds, "items/s").show()
            Figure("the same: its memory at most", grown[0].peak, "MiB", GOAL_MIB).show()
            size = sum(each.stat().st_size for each in path.glob("library.db*"))
            Figure("the same: its library", size / MIB, "MiB").show()
            begun = time.monotonic()
            async with again(path) as started:
                seconds = time.monotonic() - begun
                Figure("the same: a start with them, unlocked", seconds, "s").show()
                port = (await started.status()).port
                if port is None:
                    raise TypeError("a node that is unlocked has a port")
                async with watched((await started.status()).pid) as grown:
                    Figure("the same: its memory then", grown[0].after, "MiB", GOAL_MIB).show()
                    owner.call_at(port)
                    async with owner.connected() as conversation:
                        begun = time.monotonic()
                        taken = await take(conversation)
                        seconds = time.monotonic() - begun
                what = f"{taken:,} items collected and removed"
                Figure(what, taken / seconds, "items/s").show()
                Figure("the same: its memory at most", grown[0].peak, "MiB", GOAL_MIB).show()
                left = (await started.holding()).bytes
                Figure("the same: what is left", left, "B", 0).show()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
