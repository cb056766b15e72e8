"""Mallory in an album: she keeps all that she ever had of it, and says what she likes."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kinlight.crypto.blob import Kind
from kinlight.crypto.secret import Secret
from kinlight.node.mallory import Conversation
from kinlight.protocol.album import Album, read_entry
from kinlight.protocol.album_errors import AlbumGapError
from kinlight.protocol.album_feed import FeedEntry, Photo
from kinlight.protocol.album_keys import KeyRing, OneWrap
from kinlight.protocol.album_log import LogEntry, Member
from kinlight.protocol.album_messages import (
    AlbumEntries,
    AlbumHeads,
    AlbumRefused,
    AlbumWrap,
    heads_of,
    wanted,
)
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import from_wire
from kinlight.protocol.messages import Fetch, FetchRefused, ManifestPart, Message
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import PhotoRecord

from .nodes import NOW


@dataclass
class Intruder:
    """A member, or who once was one."""

    device: LocalDevice
    album: Album | None = None
    keys: KeyRing = field(default_factory=lambda: KeyRing(bytes(16)))

    @property
    def identity(self) -> bytes:
        return self.device.identity

    @property
    def capability(self) -> bytes:
        """What the log gave to her last."""
        assert self.album is not None
        given = [
            op.capability.encoded
            for entry in self.album.graph.entries
            for op in entry.ops
            if isinstance(op, Member) and op.identity == self.identity
        ]
        return given[-1]

    async def invited(self, conversation: Conversation) -> None:
        """Hear of an album that she was let into, and fetch the entries and the keys."""
        told = await conversation.wait_for(AlbumHeads)
        await conversation.say(AlbumEntries(told.album, False, ()))
        await self.hear(conversation, told.album)
        await self.learn(conversation)

    async def hear(self, conversation: Conversation, album_id: bytes) -> list[bytes]:
        """All that is told to her of an album, which may be nothing; the entries as they came."""
        heads = AlbumHeads(album_id, (), ()) if self.album is None else heads_of(self.album)
        await conversation.say(heads)
        said = await conversation.wait_for(AlbumEntries, AlbumRefused)
        while isinstance(said, AlbumRefused):  # that may be about something else
            said = await conversation.wait_for(AlbumEntries, AlbumRefused)
        self.take(said.entries)
        return list(said.entries)

    def take(self, entries: Sequence[bytes]) -> None:
        for encoded in entries:
            entry = read_entry(encoded)
            if self.album is None:
                assert isinstance(entry, LogEntry)
                self.album = Album(entry)
                self.keys = KeyRing(self.album.album_id)
            else:
                self.album.take(entry)

    async def learn(self, conversation: Conversation) -> None:
        """The keys that are for her."""
        assert self.album is not None
        device = self.device
        for ask in wanted(self.album, device.identity, device.signing.public, self.keys):
            await conversation.say(ask)
            said = await conversation.wait_for(AlbumWrap)
            if said.wrap:
                entry = self.album.graph.entries[self.album.graph.numbers[ask.entry]]
                wrap = OneWrap.decode(said.wrap)
                self.keys.add(wrap.open(device.kem, device.signing.public, entry, ask.key_id))
        self.keys.learn(epoch for _, epoch in self.album.graph.all_epochs())

    def adds(self, record: PhotoRecord, key_id: bytes, seen: Iterable[bytes]) -> FeedEntry:
        """An entry that adds a photo of hers under any key, and says that she has seen this."""
        assert self.album is not None
        keys = {kind: Secret(secrets.token_bytes(32)) for kind in (Kind.ORIGINAL, Kind.METADATA)}
        wrapped = self.keys.wrap_photo(key_id, record, keys)
        tips = [
            self.album.feeds.entries[tip]
            for tip in self.album.feeds.tips.get(self.device.signing.public, ())
        ]
        last = tips[0] if tips else None
        return FeedEntry.sign(
            self.device.signing,
            self.identity,
            self.album.album_id,
            last.seq + 1 if last else 0,
            last.digest if last else b"",
            sorted(seen),
            NOW,
            Photo(record, key_id, wrapped, Certificates()),
        )

    async def fetches(
        self, conversation: Conversation, photo: bytes, content_id: bytes, capability: bytes
    ) -> str:
        """`given`, or why a blob is not."""
        asked = Fetch(7, photo, content_id, capability, manifest=True, ranges=((0, 1),), credit=1)
        await conversation.say(asked)
        said = await conversation.wait_for(ManifestPart, FetchRefused)
        return from_wire(said.code).code if isinstance(said, FetchRefused) else "given"

    async def brings(self, conversation: Conversation, *entries: FeedEntry | LogEntry) -> None:
        """Tell of entries, and give them when the node asks what she has."""
        assert self.album is not None
        for entry in entries:
            with contextlib.suppress(AlbumGapError):
                self.album.take(entry)
        log = tuple(entry.digest for entry in entries if isinstance(entry, LogEntry))
        feeds = tuple(entry.digest for entry in entries if isinstance(entry, FeedEntry))
        encoded = tuple(entry.signed.encode() for entry in entries)
        album_id = self.album.album_id

        def react(message: Message) -> list[Message]:
            if isinstance(message, AlbumHeads) and message.album == album_id:
                return [AlbumEntries(album_id, False, encoded)]
            return []

        conversation.react = react
        await conversation.say(AlbumHeads(album_id, log, feeds))
        await conversation.wait_for(AlbumHeads)
