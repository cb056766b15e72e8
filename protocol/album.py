"""Albums: what several people keep together, without a server (docs/spec/album.md).

An `Album` is a set of signed entries, each checked when it came, in any order. `view` says what
they amount to; it is the same wherever the same entries are. `album_admin` and `album_writing`
make new ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding
from ..crypto.errors import MalformedError
from ..crypto.signing import SIGNED_OVERHEAD, Signed
from . import limits
from .album_authority import Authority
from .album_errors import AlbumGapError
from .album_feed import FeedEntry
from .album_feeds import Feeds
from .album_graph import Graph, Pair
from .album_log import LogEntry
from .album_view import AlbumView

Entry = LogEntry | FeedEntry
ENTRY_BYTES: Final = limits.ALBUM_ENTRY_BYTES + SIGNED_OVERHEAD
"""One entry as it travels."""
_FEED: Final = encoding.encode([1, "afeed"])[1:]
"""With what the body of a feed's entry begins, behind the number of its items."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest entries that somebody has: of the log, and of all feeds."""

    log: tuple[bytes, ...]
    feeds: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Two entries of one device, neither of which knows the other: proof for everybody."""

    device: bytes
    one: Entry
    other: Entry


class Album:
    """All that is known of one album. Entries are never taken out again."""

    def __init__(self, first: LogEntry) -> None:
        """Begin with the first entry, signature and all; raises what is wrong with it."""
        self.graph: Final = Graph(first)
        self.feeds: Final = Feeds(self.graph)
        self._authority: Authority | None = None
        self._view: AlbumView | None = None

    @classmethod
    def load(cls, entries: Iterable[bytes]) -> Album:
        """An album as this node kept it: `entries` of `kept`, whose signatures were checked."""
        kept = iter(entries)
        first = read_entry(next(kept, b""))
        if not isinstance(first, LogEntry):
            raise MalformedError("an album begins with its log")
        album = cls(first)
        for encoded in kept:
            album.take(read_entry(encoded), verified=True)
        return album

    def kept(self) -> list[bytes]:
        """All entries, each after those that it needs, to be kept and loaded again."""
        entries: list[Entry] = [*self.graph.entries, *self.feeds.entries.values()]
        return [entry.signed.encode() for entry in entries]

    @property
    def album_id(self) -> bytes:
        """16 bytes that no other album has."""
        return self.graph.album

    def __contains__(self, digest: bytes) -> bool:
        return digest in self.graph or digest in self.feeds.entries

    def take(self, entry: Entry, *, verified: bool = False) -> bool:
        """Add an entry, and say whether it is new. `verified` is for what was checked before.

        Raises why it may not be in the album, see docs/spec/album.md; then nothing has changed.
        After `AlbumGapError` it may be tried again when more has come.
        """
        if entry.digest in self:
            return False
        if isinstance(entry, LogEntry):
            self.graph.take(entry, verified=verified)
            self._authority = self._view = None
        else:
            self.feeds.take(entry, verified=verified)
            if self._view is not None and self._view.awaits(entry.digest):
                self._view = None
            elif self._view is not None:
                self._view.add(entry)
        return True

    def take_all(self, entries: Iterable[Entry]) -> list[Entry]:
        """Add entries that came together in whatever order; those that were new.

        What lacks others before it is left out. Raises as `take` does; what was added stays.
        """
        added: list[Entry] = []
        waiting = list(entries)
        while waiting:
            left: list[Entry] = []
            for entry in waiting:
                try:
                    if self.take(entry):
                        added.append(entry)
                except AlbumGapError:
                    left.append(entry)
            if len(left) == len(waiting):
                break
            waiting = left
        return added

    @property
    def authority(self) -> Authority:
        """The judged log."""
        if self._authority is None:
            self._authority = Authority(self.graph)
        return self._authority

    @property
    def view(self) -> AlbumView:
        """What the album is, with what is here; made anew when something came to the log."""
        if self._view is None:
            self._view = AlbumView(self.authority, self.feeds)
        return self._view

    @property
    def forks(self) -> list[Fork]:
        """Devices that were copied, or lie, each with the proof."""
        found: dict[bytes, tuple[Entry, Entry]] = {**self.feeds.forks, **self.graph.forks}
        return [Fork(device, one, other) for device, (one, other) in sorted(found.items())]

    @property
    def heads(self) -> Heads:
        """What to tell others, so that they can say what is missing here."""
        feeds = (tip for tips in self.feeds.tips.values() for tip in tips)
        return Heads(tuple(sorted(self.graph.heads)), tuple(sorted(feeds)))

    def missing(self, heads: Heads) -> list[Entry]:
        """What somebody with these heads lacks of what is here, each after what it needs."""
        return [*self.graph.missing(heads.log), *self.feeds.missing(heads.feeds)]

    def farewell(self, identity: bytes, device: bytes) -> list[LogEntry]:
        """What to tell a device that is not in the album any more: the log as far as what took it
        out, or what took those out who let it in since.
        """
        reached, told = 0, set[Pair]()
        pending: list[Pair] = [(identity, device)]
        while pending:
            pair = pending.pop()
            if pair in told:
                continue
            told.add(pair)
            for removal in self.authority.removals_of(*pair):
                reached |= self.graph.past[removal.entry] | 1 << removal.entry
            for number in self.graph.let_in.get(pair, ()):
                if not self.authority.counting >> number & 1:
                    by = self.graph.entries[number]
                    pending.append((by.identity, by.device))
        return [entry for number, entry in enumerate(self.graph.entries) if reached >> number & 1]


def read_entry(encoded: bytes) -> Entry:
    """Read an entry of a log or a feed, not verified. Raises what its form is wrong with."""
    signed = Signed.decode(encoded, limits.ALBUM_ENTRY_BYTES, "album entry")
    return FeedEntry.read(signed) if signed.body[1:8] == _FEED else LogEntry.read(signed)
