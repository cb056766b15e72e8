"""Who was taken out of an album tries all that is left: `python -m tests.network.old_cache JSON`.

It opens a home as the node itself does, with the keys, the link secret, the entries, the wraps and
the grant that are in it, and speaks to one member without the node's manners. Prints what it got.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import Any

from kinlight.crypto.channel import ChannelSettings
from kinlight.crypto.secret import Secret
from kinlight.node import keys, tcp
from kinlight.node.addresses import Address
from kinlight.node.album_storage import AlbumStore
from kinlight.node.database import Database
from kinlight.node.home import Home
from kinlight.node.library import Library
from kinlight.node.link import Link
from kinlight.node.mallory import Conversation
from kinlight.protocol.album import Album
from kinlight.protocol.album_keys import KeyRing
from kinlight.protocol.album_messages import (
    AlbumRefused,
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
)
from kinlight.protocol.session import Session

from ..node.intruder import Intruder


async def attack(asked: dict[str, Any]) -> dict[str, Any]:
    """`asked` names the home and its pass phrase, the contact and where it is, and what to ask for:
    photos as pairs of ids in hex, entries and keys of wraps in the same way. With
    `uploads` what was added here is told last.
    """
    unlocked = keys.unlock(Home(Path(asked["home"])), Secret(asked["passphrase"].encode()))
    database = Database(Path(asked["home"]) / "library.db", unlocked.library_key)
    library, store = Library(database), AlbumStore(database)
    contact = library.contact(asked["contact"])
    (kept,) = store.albums()
    intruder = Intruder(unlocked.device, Album.load(store.entries(kept.album_id)))
    intruder.keys = KeyRing(kept.album_id, store.keys(kept.album_id))
    assert intruder.album is not None
    entries = intruder.album.feeds.entries.values()
    mine = [entry for entry in entries if entry.device == unlocked.device.signing.public]
    pipe = await tcp.dial(Address(asked["host"], asked["port"]))
    session = Session(ChannelSettings(), unlocked.device, (contact.pinned,), secrets.token_bytes)
    link = Link(pipe, session)
    await link.open()
    conversation = Conversation(link)
    running = asyncio.create_task(link.run(conversation.handle))
    try:
        found = await _try(intruder, conversation, kept.album_id, asked)
        if asked["uploads"]:
            await intruder.brings(conversation, *mine)
        return found
    finally:
        await link.close()
        await running
        library.close()


async def _try(
    intruder: Intruder, conversation: Conversation, album_id: bytes, asked: dict[str, Any]
) -> dict[str, Any]:
    wraps: list[str] = []
    for entry, key_id in asked["wraps"]:
        place = album_id, bytes.fromhex(entry), bytes.fromhex(key_id)
        await conversation.say(AlbumWrapAsk(*place))
        one = await conversation.wait_for(AlbumRefused, AlbumWrap)
        await conversation.say(AlbumSetAsk(*place, 0))
        several = await conversation.wait_for(AlbumRefused, AlbumSetPart)
        wraps += [type(one).__name__, type(several).__name__]
    blobs = [
        await intruder.fetches(
            conversation, bytes.fromhex(photo), bytes.fromhex(content), intruder.capability
        )
        for photo, content in asked["photos"]
    ]
    await intruder.hear(conversation, album_id)
    assert intruder.album is not None
    return {
        "wraps": sorted(set(wraps)),
        "blobs": sorted(set(blobs)),
        "knows": [photo_id.hex() for photo_id in intruder.album.view.photos],
        "member": intruder.identity in intruder.album.view.members,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(attack(json.loads(sys.argv[1])))))
