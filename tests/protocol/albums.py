"""Nodes of an album, each with its own device, its copy of the album and its keys."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kinlight.crypto.blob import Kind
from kinlight.crypto.errors import SealBrokenError
from kinlight.crypto.secret import Secret
from kinlight.protocol.album import Album, Entry
from kinlight.protocol.album_admin import Admin, Founded, Written, found
from kinlight.protocol.album_errors import NoAlbumKeyError
from kinlight.protocol.album_feed import Act, FeedEntry, Photo
from kinlight.protocol.album_keys import KeyRing, OneWrap, Recipient, WrapSet
from kinlight.protocol.album_log import Epoch, History, LogEntry, Op, Wraps
from kinlight.protocol.album_roles import Role
from kinlight.protocol.album_writing import Author
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import PhotoRecord
from kinlight.protocol.rendition import ORIGINAL, Rendition

from .people import NOW, FixedEntropy, Person, fixed
from .photos import manifest_of

SMALL = Rendition(2048, location_removed=True)
FILE_KEYS: Mapping[Kind, Secret] = {
    Kind.ORIGINAL: Secret(fixed("file key")),
    Kind.METADATA: Secret(fixed("key of the metadata")),
}


@functools.cache
def device(person: str, name: str) -> LocalDevice:
    return Person.named(person).device(name)


def record_by(owner: LocalDevice, nonce: bytes) -> PhotoRecord:
    return PhotoRecord.sign(
        owner.signing, owner.identity, nonce, manifest_of(5000), fixed("metadata id")
    )


@dataclass
class Node:
    """One device. `sets` are the wraps that it has, by the entry that names them."""

    local: LocalDevice
    album: Album
    keys: KeyRing
    sets: dict[bytes, WrapSet] = field(default_factory=dict[bytes, WrapSet])
    entropy: FixedEntropy = field(default_factory=FixedEntropy)
    time: int = NOW

    @classmethod
    def founding(
        cls,
        local: LocalDevice,
        entropy: FixedEntropy | None = None,
        history: History = "all",
        tier: Rendition = ORIGINAL,
    ) -> Node:
        random = entropy or FixedEntropy()
        founded: Founded = found(
            local.signing, local.chain, NOW, random(16), Secret(random(32)),
            history=history, tier=tier,
        )  # fmt: skip
        node = cls(local, founded.album, founded.keys, entropy=random)
        node.keep(founded.written)
        return node

    def joining(self, local: LocalDevice) -> Node:
        """A node of another device, with what this one has and the wraps for it."""
        album = Album(self.album.graph.entries[0])
        node = Node(local, album, KeyRing(album.album_id), entropy=self.entropy)
        self.give(node)
        return node

    @property
    def identity(self) -> bytes:
        return self.local.identity

    @property
    def device(self) -> bytes:
        return self.local.signing.public

    @property
    def admin(self) -> Admin:
        return Admin(self.album, self.local.signing, self.identity, self.keys)

    @property
    def author(self) -> Author:
        return Author(self.album, self.local.signing, self.identity, self.keys)

    def key(self) -> Secret:
        return Secret(self.entropy(32))

    def now(self) -> int:
        self.time += 1
        return self.time

    def keep(self, written: Written | None) -> LogEntry | None:
        if written is None:
            return None
        if written.wraps is not None:
            self.sets[written.entry.digest] = written.wraps
        return written.entry

    def invite(self, role: Role, *devices: LocalDevice) -> LogEntry:
        chains = [each.chain for each in devices]
        written = self.admin.invite(self.now(), role, chains, self.entropy(16), self.key())
        self.keep(written)
        return written.entry

    def remove(self, identity: bytes) -> LogEntry:
        written = self.admin.remove(self.now(), identity, self.key())
        self.keep(written)
        return written.entry

    def drop(self, device: bytes) -> LogEntry:
        written = self.admin.drop(self.now(), device, self.key())
        self.keep(written)
        return written.entry

    def rotate(self) -> LogEntry:
        written = self.admin.rotate(self.now(), self.key())
        self.keep(written)
        return written.entry

    def settle(self) -> LogEntry | None:
        return self.keep(self.admin.settle(self.now(), self.key()))

    def publish(self, nonce: bytes | None = None) -> FeedEntry:
        record = record_by(self.local, nonce or self.entropy(16))
        return self.author.publish(self.now(), record, FILE_KEYS)

    def give(self, other: Node) -> list[Entry]:
        """Hand over what the other one lacks: entries, and all wraps of the album."""
        added = other.album.take_all(self.album.missing(other.album.heads))
        other.sets.update(self.sets)
        other.learn()
        return added

    def meet(self, other: Node) -> None:
        self.give(other)
        other.give(self)

    def learn(self) -> None:
        """Open the wraps that are for this device, and the earlier keys behind them."""
        for entry in self.album.graph.entries:
            wraps = self.sets.get(entry.digest)
            for op in entry.ops:
                if isinstance(op, Epoch | Wraps) and wraps and op.key_id not in self.keys:
                    self._open(entry, op, wraps)
        self.keys.learn(epoch for _, epoch in self.album.graph.all_epochs())

    def _open(self, entry: LogEntry, op: Epoch | Wraps, wraps: WrapSet) -> None:
        mine = wraps.wraps.get(self.device)
        if mine is None:
            return
        travelled = OneWrap.decode(mine.encode())
        self.keys.add(travelled.open(self.local.kem, self.device, entry, op.key_id))

    def restart(self) -> None:
        """Save everything and go on from what was saved."""
        kept, keys = self.album.kept(), self.keys.keys()
        self.album = Album.load(kept)
        self.keys = KeyRing(self.album.album_id, keys)

    def opens(self, photo: Photo) -> bool:
        try:
            return self.keys.unwrap_photo(photo) == dict(FILE_KEYS)
        except (NoAlbumKeyError, SealBrokenError):
            return False

    def everything(self) -> object:
        """What people see of the album."""
        view = self.album.view
        return (
            view.members,
            sorted(view.devices),
            [(number.key_id) for _, number in self.album.authority.safe_epochs()],
            [(photo_id, summary(view.photos[photo_id].comments)) for photo_id in view.ordered()],
            [
                (photo.caption, photo.place, photo.favourite_of, photo.asked_to_delete)
                for _, photo in sorted(view.photos.items())
            ],
            view.cover, view.tier, view.name, view.leaving,
            [seat.key for seat in self.album.authority.successors()],
        )  # fmt: skip


ALICE, LAPTOP = device("Alice", "phone"), device("Alice", "laptop")
BOB, CAROL, DAVE = device("Bob", "phone"), device("Carol", "phone"), device("Dave", "phone")


def with_two() -> Node:
    """Alice has founded an album, in which Bob is an admin and Carol a contributor."""
    node = Node.founding(ALICE)
    node.invite("admin", BOB)
    node.invite("contributor", CAROL)
    return node


def log_entry(
    node: Node,
    ops: Sequence[Op],
    signer: LocalDevice = ALICE,
    parents: Sequence[bytes] | None = None,
    **changes: Any,
) -> LogEntry:
    """An entry on the newest ones of a node, signed by somebody, with fields changed."""
    graph = node.album.graph
    heads = sorted(graph.heads) if parents is None else parents
    known = [graph.entries[graph.numbers[head]].seq for head in heads if head in graph.numbers]
    fields: dict[str, Any] = {
        "identity": signer.identity, "album": graph.album, "seq": 1 + max(known, default=0),
        "parents": heads, "time": NOW, "ops": ops,
    } | changes  # fmt: skip
    return LogEntry.sign(signer.signing, **fields)


def feed_entry(node: Node, act: Act, signer: LocalDevice = CAROL, **changes: Any) -> FeedEntry:
    fields: dict[str, Any] = {
        "identity": signer.identity, "album": node.album.album_id, "seq": 0, "previous": b"",
        "seen": sorted(node.album.graph.heads), "time": NOW, "act": act,
    } | changes  # fmt: skip
    return FeedEntry.sign(signer.signing, **fields)


def epoch(node: Node, key: bytes = fixed("another key")) -> Epoch:
    heads = node.album.graph.heads
    recipients = [Recipient(ALICE.chain.device, ALICE.chain.kem)]
    return WrapSet.seal(Secret(key), node.album.album_id, heads, node.device, recipients).epoch()


def current(node: Node) -> bytes:
    return node.album.authority.safe_epochs()[0][1].key_id


def photo(node: Node, owner: LocalDevice = CAROL, label: str = "nonce") -> Photo:
    record = record_by(owner, fixed(label, 16))
    wrapped = node.keys.wrap_photo(current(node), record, FILE_KEYS)
    return Photo(record, current(node), wrapped, Certificates())


def summary(entries: Sequence[FeedEntry]) -> list[bytes]:
    return [entry.digest for entry in entries]
