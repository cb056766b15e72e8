"""Albums over one link: both sides come to the same entries, and to the keys that are for them.

    AlbumHeads   -> AlbumEntries, or AlbumRefused     entries -> kept -> told to others
    keys that miss -> `album_wraps`    previews -> `album_previews`, then photos -> `album_coming`

What a peer says waits in a queue, and one task does it in that order. Who is not in an album gets
the same answers as for an album that there is not (docs/spec/album.md, "Messages").
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..crypto.errors import LocalError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.album import Album, Entry, Heads
from ..protocol.album_log import LogEntry
from ..protocol.album_messages import (
    AlbumEntries,
    AlbumHeads,
    AlbumPreviewAsk,
    AlbumPreviews,
    AlbumRefused,
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
    answer,
    farewell,
    heads_of,
)
from ..protocol.allowance import Allowance
from ..protocol.errors import TooMuchError, UnexpectedMessageError, UnknownPeerError, wire_code
from ..protocol.messages import Message
from .album_coming import AlbumComing
from .album_parts import AlbumParts
from .album_previews import PreviewsComing
from .album_shelf import SharedAlbum, inviter_of
from .album_wraps import AlbumWraps
from .library import IncomingOffer
from .link import Link

HEADS_AT_ONCE: Final = 4
"""Albums of which we have told our heads and wait for the answer: each can be a megabyte."""
QUEUED_BYTES: Final = 8 * 1024 * 1024
"""What a peer may have waiting here; more ends the link."""
STRANGE_BYTES: Final = 32 * 1024 * 1024
"""Of an album that is not ours (yet), while it is found out whether we are in it; and of one in
which nobody here takes part, until somebody joins it.
"""
STRANGE_WAITING: Final = 64
"""Albums of one peer that wait to be looked at so."""
INVITED: Final = 16
"""Albums into which one contact let us and that wait for a person; of more nothing is kept."""
NEWS_SECONDS: Final = 1.0
"""After a photo came that a peer had asked for in vain, until it is told."""
_CHUNK: Final = 32
"""Entries that are verified in one turn of the loop."""

_TAKING: Final = ("invited", "joined")
_UNKNOWN: Final = wire_code(UnknownPeerError())
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stranger:
    """An album that a peer tells of, gathered apart from ours until all of it is here."""

    album: Album | None = None
    bytes: int = 0


class AlbumSync:
    """The albums' part of one conversation."""

    def __init__(
        self,
        link: Link,
        parts: AlbumParts,
        fetch: Callable[[IncomingOffer], None],
        adopt: Callable[[Album], None] | None = None,
    ) -> None:
        """`fetch` brings a photo over this link as soon as there is room. Over a link with another
        device of ours `adopt` takes up albums that are not here.
        """
        self._adopt = adopt
        self._link = link
        self._device = parts.device
        self._library = parts.library
        self._shelf = parts.shelf
        self._wraps = AlbumWraps(link, device=parts.device, store=parts.store, shelf=parts.shelf)
        self._previews = PreviewsComing(link, common=parts.previews, photos=parts.photos)
        self._coming = AlbumComing(
            library=parts.library, store=parts.store, photos=parts.photos, fetch=fetch
        )
        self._queue: deque[Message] = deque()
        self._queued = 0
        self._news = asyncio.Event()
        self._told: dict[bytes, Heads] = {}
        self._heard: dict[bytes, Heads] = {}
        self._asked: set[bytes] = set()
        self._unanswered: Counter[bytes] = Counter()
        self._to_tell: dict[bytes, None] = {}
        self._to_want: dict[bytes, None] = {}
        self._stranger: tuple[bytes, _Stranger] | None = None
        self._strange: dict[bytes, None] = {}
        self._lacked: set[bytes] = set()
        self._turns = Allowance(limits.ALBUM_HEADS_AT_ONCE, limits.ALBUM_HEADS_PER_SECOND)
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tell what we have of the albums that both are in, and go on with what is to come."""
        if not self._link.session.takes(AlbumHeads):
            return
        self._task = asyncio.create_task(self._work())
        for shared in self._shelf.all():
            self.changed(shared)

    def handle(self, message: Message) -> None:
        """A message of the peer waits for its turn. Raises what ends the link."""
        if self._task is None:
            raise UnexpectedMessageError
        match message:
            case AlbumEntries() if not self._unanswered[message.album]:
                raise UnexpectedMessageError
            case AlbumEntries():
                _one_less(self._unanswered, message.album)
                self._asked.discard(message.album)
            case AlbumRefused():  # of what was asked it does not say
                self._answered(message.album)
                self._asked.discard(message.album)
            case AlbumWrap() | AlbumSetPart():
                self._answered(message.album)
            case _:
                pass
        self._queued += _size(message)
        if self._queued > QUEUED_BYTES:
            raise TooMuchError("albums")
        self._queue.append(message)
        self._news.set()

    def _answered(self, album_id: bytes) -> None:
        """One thing less is to be answered, and so at most as many heads as things are left."""
        for left in (self._wraps.unanswered, self._unanswered):
            if left[album_id]:
                _one_less(left, album_id)
                return

    def changed(self, shared: SharedAlbum) -> None:
        """Something came to an album, from whomever: tell the peer, if it is its business."""
        if self._task is None:
            return
        self.arrived(shared.album_id)
        if self._is_in(shared):
            heads = shared.album.heads
            known = heads in (self._told.get(shared.album_id), self._heard.get(shared.album_id))
            if not known:
                self._tell(shared.album_id)
            self._to_want[shared.album_id] = None
            self._news.set()
        elif shared.album_id in self._told:
            self._tell(shared.album_id)  # it was in when we told last: now it is to hear why not

    def look_again(self) -> None:
        """Another device of ours has more than before: it is asked again for what it lacked."""
        if self._task is not None:
            for shared in self._shelf.all():
                self._coming.heard_news(shared.album_id)
                self._to_want[shared.album_id] = None
            self._news.set()

    def lacked(self, album_id: bytes) -> None:
        """The peer asked for a photo or a key of an album that is not here."""
        self._lacked.add(album_id)

    def arrived(self, album_id: bytes) -> None:
        """A photo or a key of an album came here."""
        if album_id in self._lacked and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(NEWS_SECONDS, self._tell_lacked)

    def _tell_lacked(self) -> None:
        self._timer = None
        lacked, self._lacked = self._lacked, set()
        for album_id in lacked:
            self._tell(album_id)

    def fetched(self, offer: IncomingOffer) -> None:
        """A fetch over this link ended. If the photo did not come, the peer is asked again when it
        has news.
        """
        self._coming.fetched(offer)

    def given_up(self, digest: bytes) -> None:
        """The photo that an entry adds is not to come any more."""
        self._coming.given_up(digest)

    async def close(self) -> None:
        """The link has ended."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._previews.close()

    # One after the other.

    async def _work(self) -> None:
        while True:
            try:
                await self._say_waiting()
                if not self._queue:
                    self._news.clear()
                    await self._news.wait()
                    continue
                message = self._queue.popleft()
                self._queued -= _size(message)
                await self._do(message)
                await asyncio.sleep(0)  # what was said may fill no queue: others have their turn
            except TruncatedError:
                return
            except LocalError as error:  # a full disk, say: it is said again on the next link
                _log.warning("what a peer said of an album was not kept: %s", error.code)
            except PeerError as error:
                _log.info("what a peer said of an album was not taken: %s", error.code)
            except Exception:
                _log.exception("what a peer said of an album was not taken")

    async def _do(self, message: Message) -> None:
        match message:
            case AlbumHeads():
                await self._answer(message)
            case AlbumEntries():
                await self._take(message)
            case AlbumRefused():
                self._refused(message.album)
            case AlbumWrapAsk() | AlbumWrap() | AlbumSetAsk() | AlbumSetPart():
                await self._do_keys(message)
            case AlbumPreviewAsk():
                if not await self._previews.give(message):
                    self.lacked(message.album)
            case AlbumPreviews():
                await self._take_previews(message)
            case _:
                raise UnexpectedMessageError

    async def _do_keys(
        self, message: AlbumWrapAsk | AlbumWrap | AlbumSetAsk | AlbumSetPart
    ) -> None:
        """Of an album in which the peer is."""
        shared = self._shelf.get(message.album)
        if shared is None or not self._is_in(shared):
            if isinstance(message, AlbumWrapAsk | AlbumSetAsk):
                await self._link.send(AlbumRefused(message.album, _UNKNOWN))
            else:
                self._wraps.refused(message.album)
            return
        match message:
            case AlbumWrapAsk():
                if not await self._wraps.give(shared, message):
                    self.lacked(message.album)
            case AlbumSetAsk():
                if not await self._wraps.give_set(message):
                    self.lacked(message.album)
            case AlbumWrap() | AlbumSetPart():
                self._to_want[message.album] = None
                if isinstance(message, AlbumWrap):
                    self._wraps.take(shared, message)
                else:
                    await self._wraps.take_set(shared, message)

    async def _take_previews(self, message: AlbumPreviews) -> None:
        shared = self._shelf.get(message.album)
        if shared is None:
            self._previews.refused(message.album)
            return
        await self._previews.take(shared, message)
        if not self._previews.is_busy(message.album):
            self._to_want[message.album] = None  # now the photos

    def meet(self, album_id: bytes) -> None:
        """Another device of ours has an album that is not here."""
        if self._task is not None:
            self._meet(album_id)
            self._news.set()

    def _is_in(self, shared: SharedAlbum) -> bool:
        """Whether the peer may know the album. A device of ours may, also before it was let in."""
        peer = self._link.peer
        if shared.has(peer):
            return True
        return self._adopt is not None and not shared.ever_had(peer) and self._are_in(shared)

    def _are_in(self, shared: SharedAlbum) -> bool:
        return self._device.identity in shared.album.view.members

    def _ever_was_in(self, shared: SharedAlbum) -> bool:
        return shared.ever_had(self._link.peer) or self._is_in(shared)

    # Heads and entries.

    def _tell(self, album_id: bytes) -> None:
        self._to_tell[album_id] = None
        self._news.set()

    async def _say_waiting(self) -> None:
        """Ask for what misses, and tell our heads of the albums that wait for it, few at a time."""
        while self._to_want:
            album_id = next(iter(self._to_want))
            del self._to_want[album_id]
            shared = self._shelf.get(album_id)
            if shared is not None and self._is_in(shared) and shared.state in _TAKING:
                await self._wraps.want(shared)
                await self._previews.want(shared)
                if not self._previews.is_busy(album_id):
                    self._coming.want(shared)
        for album_id in list(self._to_tell):
            if len(self._asked) >= HEADS_AT_ONCE:
                return
            if album_id in self._asked:
                continue
            del self._to_tell[album_id]
            heads = self._heads_for(album_id)
            if heads is not None:
                self._asked.add(album_id)
                self._unanswered[album_id] += 1
                await self._link.send(heads)

    def _heads_for(self, album_id: bytes) -> AlbumHeads | None:
        """What this peer may know that we have of an album."""
        shared = self._shelf.get(album_id)
        if self._stranger is not None and self._stranger[0] == album_id:
            gathered = self._stranger[1].album
            return AlbumHeads(album_id, (), ()) if gathered is None else heads_of(gathered)
        if shared is None:
            return None
        if self._is_in(shared):
            self._told[album_id] = shared.album.heads
            return heads_of(shared.album)
        self._told.pop(album_id, None)
        if not self._ever_was_in(shared):
            return None
        heard, album = self._heard.get(album_id, Heads((), ())), shared.album
        told = album.farewell(self._link.peer.identity, self._link.peer.device)
        before = {parent for entry in told for parent in entry.parents}
        tips = {entry.digest for entry in told} - before
        log = sorted({*tips, *(head for head in heard.log if head in album)})
        feeds = tuple(head for head in heard.feeds if head in album)
        return AlbumHeads(album_id, tuple(log[: limits.ALBUM_HEADS]), feeds)

    async def _turn(self) -> None:
        """Wait until one more may be answered. Meanwhile nothing of the peer's is done, so that who
        asks without end fills its queue; others have their turns.
        """
        clock = asyncio.get_running_loop().time
        while not self._turns.take(clock()):  # noqa: ASYNC110 - time alone brings the next
            await asyncio.sleep(1 / limits.ALBUM_HEADS_PER_SECOND)

    async def _answer(self, asked: AlbumHeads) -> None:
        await self._turn()
        shared, peer = self._shelf.get(asked.album), self._link.peer
        if shared is None or not self._ever_was_in(shared):
            await self._link.send(AlbumRefused(asked.album, _UNKNOWN))
            self._meet(asked.album)
            return
        self._heard[asked.album] = Heads(asked.log, asked.feeds)
        if self._is_in(shared):
            self._coming.heard_news(asked.album)
            self._previews.heard_news(asked.album)
            self._wraps.heard_news(asked.album)
            self._to_want[asked.album] = None
            await self._link.send(answer(shared.album, asked))
        else:
            said = farewell(shared.album, peer.identity, peer.device, asked)
            await self._link.send(said)
        if any(head not in shared.album for head in (*asked.log, *asked.feeds)):
            self._tell(asked.album)

    async def _take(self, message: AlbumEntries) -> None:
        if self._stranger is not None and self._stranger[0] == message.album:
            await self._gather(message, self._stranger[1])
            return
        shared = self._shelf.get(message.album)
        if shared is None:
            return
        if shared.state != "joined" and shared.unasked > STRANGE_BYTES:
            self._told.pop(message.album, None)  # who joins it is to hear the rest
            return
        new = await self._add(shared, message.entries)
        if message.more and new:
            self._tell(message.album)

    async def _add(self, shared: SharedAlbum, encoded: tuple[bytes, ...]) -> bool:
        """Add entries a few at a time, so that others have their turn; whether any was new."""
        entries = await asyncio.to_thread(self._shelf.read, encoded)
        left: list[Entry] = []
        new = False
        for start in range(0, len(entries), _CHUNK):
            taken = self._shelf.take(shared, [*left, *entries[start : start + _CHUNK]])
            left = taken.waiting
            new |= bool(taken.added)
            await asyncio.sleep(0)
        if new:
            self._shelf.came(shared)
        return new

    # Albums that are not ours, or whose member the peer is not as far as we know.

    def _meet(self, album_id: bytes) -> None:
        """Hear what the peer has of it: perhaps it was let in, or lets us in."""
        if album_id not in self._strange and len(self._strange) < STRANGE_WAITING:
            self._strange[album_id] = None
        self._meet_next()

    def _meet_next(self) -> None:
        if self._stranger is None and self._strange:
            album_id = next(iter(self._strange))
            del self._strange[album_id]
            self._stranger = album_id, _Stranger()
            self._tell(album_id)

    async def _gather(self, message: AlbumEntries, stranger: _Stranger) -> None:
        stranger.bytes += sum(map(len, message.entries))
        entries = await asyncio.to_thread(self._shelf.read, message.entries)
        new = False
        for start in range(0, len(entries), _CHUNK):
            for entry in entries[start : start + _CHUNK]:
                with contextlib.suppress(PeerError):
                    if stranger.album is None:
                        if not isinstance(entry, LogEntry) or entry.album_id != message.album:
                            continue
                        stranger.album = Album(entry)
                        new = True
                    else:
                        new |= stranger.album.take(entry)
            await asyncio.sleep(0)
        if message.more and new and stranger.bytes <= STRANGE_BYTES:
            self._tell(message.album)
            return
        self._stranger = None
        if stranger.album is not None and not message.more:
            await self._found(stranger.album)
        self._meet_next()

    async def _found(self, album: Album) -> None:
        """All that the peer has of an album is here: it is ours, or we are in it, or it is gone."""
        if self._shelf.get(album.album_id) is None:  # nobody else has it: it can be judged apart
            await asyncio.to_thread(lambda: album.view)
        shared = self._shelf.get(album.album_id)
        if shared is not None:
            await self._add(shared, tuple(album.kept()))
            return
        if self._adopt is not None:
            self._adopt(album)
            return
        us, device = self._device.identity, self._device.signing.public
        inviter = inviter_of(album, us)
        if inviter is None or us not in album.authority.holders(device):
            return
        contact = self._library.contact_of(inviter)
        waiting = [
            each
            for each in self._shelf.all()
            if each.state == "invited" and each.inviter == inviter
        ]
        if contact is not None and not contact.blocked and len(waiting) < INVITED:
            self._heard[album.album_id] = album.heads
            self._shelf.invited(album, inviter)

    def _refused(self, album_id: bytes) -> None:
        """The peer does not have the album, or has nothing of it for us."""
        self._wraps.refused(album_id)
        if self._stranger is not None and self._stranger[0] == album_id:
            self._stranger = None
            self._meet_next()


def _one_less(left: Counter[bytes], album_id: bytes) -> None:
    left[album_id] -= 1
    if not left[album_id]:
        del left[album_id]


def _size(message: Message) -> int:
    """About how much memory a message takes."""
    match message:
        case AlbumHeads():
            return 64 + 64 * (len(message.log) + len(message.feeds))
        case AlbumEntries():
            return 64 + sum(map(len, message.entries))
        case AlbumPreviews():
            return 64 + sum(64 + len(sealed) for _, sealed in message.previews)
        case AlbumPreviewAsk():
            return 64 + len(message.capability) + 64 * len(message.entries)
        case AlbumSetPart():
            return 64 + sum(32 + len(sealed) for _, sealed in message.wraps)
        case _:
            return 1024
