"""The feeds of an album: which entries may be in them, chained device by device.

As in the log, what may be in a feed depends on the entry, on what is before it and on what it has
seen of the log alone. Whether it counts is judged in `album_view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..crypto.errors import MalformedError
from . import limits
from .album_errors import (
    AlbumEpochError,
    AlbumFullError,
    AlbumGapError,
    AlbumStrangerError,
    OtherAlbumError,
    WentBackError,
)
from .album_feed import Caption, Comment, FeedEntry, Photo
from .album_graph import Graph


class Feeds:
    """All feeds of one album."""

    def __init__(self, graph: Graph) -> None:
        self._graph: Final = graph
        self.entries: Final[dict[bytes, FeedEntry]] = {}
        """By their hash, each after the one before it."""
        self.seen: Final[dict[bytes, int]] = {}
        """What each has seen of the log."""
        self.tips: Final[dict[bytes, set[bytes]]] = {}
        """Of each device the entries that none follows: one, unless it forked."""
        self.forks: Final[dict[bytes, tuple[FeedEntry, FeedEntry]]] = {}
        """Of each device that wrote two entries with one number, the first two that were seen."""
        self._used: Final[dict[bytes, tuple[int, int]]] = {}
        """How many entries each identity wrote, by all of its devices, and how large they are."""
        self._after: Final[dict[tuple[bytes, bytes], bytes]] = {}
        self._masks: Final[dict[tuple[bytes, ...], int]] = {}

    def take(self, entry: FeedEntry, *, verified: bool = False) -> None:
        """Add an entry that is not here. `verified` says that its signature was checked before.

        Raises the reasons of docs/spec/album.md, "Reader of a feed"; then nothing has changed.
        """
        if entry.album != self._graph.album:
            raise OtherAlbumError
        before = self.entries.get(entry.previous) if entry.seq else None
        if entry.seq and before is None:
            raise AlbumGapError
        seen = self._seen(entry.seen)
        if before is not None:
            if before.device != entry.device or before.identity != entry.identity:
                raise MalformedError("feed entry: previous")
            if before.seq + 1 != entry.seq:
                raise MalformedError("feed entry: seq")
            if self.seen[before.digest] & ~seen:
                raise WentBackError
        if not self._let_in(entry.identity, entry.device, seen):
            raise AlbumStrangerError
        act = entry.act
        if isinstance(act, Photo | Comment | Caption):
            if not self._graph.epochs(act.key_id, seen):
                raise AlbumEpochError("the key is not there")
            if isinstance(act, Photo):
                self._check_photo(entry, act, seen)
        if not verified:
            entry.verify()
        many, large = self._used.get(entry.identity, (0, 0))
        if (
            many >= limits.ALBUM_FEED_ENTRIES
            or large + len(entry.signed.body) > limits.ALBUM_MEMBER_BYTES
        ):
            raise AlbumFullError
        self._add(entry, seen)

    def missing(self, heads: Iterable[bytes]) -> list[FeedEntry]:
        """What somebody lacks who has these entries and those before them, in order."""
        known = self.leading_to(heads)
        return [entry for digest, entry in self.entries.items() if digest not in known]

    def leading_to(self, heads: Iterable[bytes]) -> set[bytes]:
        """These entries, as far as they are here, and those before them."""
        found: set[bytes] = set()
        for head in heads:
            entry = self.entries.get(head)
            while entry is not None and entry.digest not in found:
                found.add(entry.digest)
                entry = self.entries.get(entry.previous)
        return found

    def _seen(self, digests: tuple[bytes, ...]) -> int:
        if digests not in self._masks:
            self._masks[digests] = self._graph.seen(digests)
        return self._masks[digests]

    def _let_in(self, identity: bytes, device: bytes, seen: int) -> bool:
        numbers = self._graph.let_in.get((identity, device), ())
        return any(seen >> number & 1 for number in numbers)

    def _check_photo(self, entry: FeedEntry, photo: Photo, seen: int) -> None:
        """The record is by a device of its author, as the log or the certificates show."""
        device = photo.record.device
        papers: Mapping[bytes, bytes] = photo.certificates.devices
        if papers.get(device) != entry.identity and not self._let_in(entry.identity, device, seen):
            raise MalformedError("feed entry: the photo is of another device")

    def _add(self, entry: FeedEntry, seen: int) -> None:
        place = (entry.device, entry.previous)
        if place in self._after and entry.device not in self.forks:
            self.forks[entry.device] = (self.entries[self._after[place]], entry)
        self._after.setdefault(place, entry.digest)
        self.entries[entry.digest] = entry
        self.seen[entry.digest] = seen
        many, large = self._used.get(entry.identity, (0, 0))
        self._used[entry.identity] = many + 1, large + len(entry.signed.body)
        tips = self.tips.setdefault(entry.device, set())
        tips.discard(entry.previous)
        tips.add(entry.digest)
