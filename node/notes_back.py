"""Notes and albums that come back from a backup, into the library of a new device.

What was said of a photo is put to it with the photo itself. Shared albums come with their logs and
keys; each entry is verified, as a stolen device may have left it. The root key is here only while
the recovery goes on and this process lives: it lets this device into the albums of its owner, and
is kept nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from ..crypto.errors import KinlightError, PeerError
from ..crypto.signing import SigningKey
from ..protocol.album import Album, Entry, read_entry
from ..protocol.album_errors import AlbumGapError
from ..protocol.album_log import LogEntry
from ..protocol.backup_notes import ContactNotes, Notes, Part, join_albums, newest_notes
from ..protocol.opening import Entropy, LocalDevice
from . import album_seats
from .album_shelf import Shelf
from .catalogue import Catalogue
from .library import Library
from .marks import Marks
from .rules import Rules
from .watermarks import IssuedMark, Watermarks

_log = logging.getLogger(__name__)


class NotesBack:
    """What was found of notes and albums in one recovery."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        catalogue: Catalogue,
        marks: Marks,
        rules: Rules,
        watermarks: Watermarks,
        shelf: Shelf,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._catalogue = catalogue
        self._marks = marks
        self._rules = rules
        self._watermarks = watermarks
        self._shelf = shelf
        self._entropy = entropy
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self.root: SigningKey | None = None
        """Of the words, while it may still be needed."""
        self.forget()

    def forget(self) -> None:
        """Begin anew, or end."""
        self._parts: list[Part] = []
        self._entered: set[bytes] = set()
        self._brought: set[bytes] = set()
        self._brought: set[bytes] = set()
        self._notes: Notes | None = None
        self.root = None

    def take(self, part: Part) -> None:
        """A part was found."""
        self._parts.append(part)

    def look(self) -> Notes | None:
        """The notes as they were last, of all that was found so far."""
        self._notes = newest_notes(self._parts)
        return self._notes

    @property
    def found(self) -> int:
        """How many shared albums the notes name."""
        return 0 if self._notes is None else len(self._notes.shared)

    def standing(self) -> album_seats.Seats:
        """How many of those this device is in, and in how many it waits."""
        named = () if self._notes is None else self._notes.shared
        here = [shared for each in named if (shared := self._shelf.get(each)) is not None]
        inside = sum(shared.has(self._device.chain) for shared in here)
        return album_seats.Seats(inside, len(here) - inside)

    # Photos and contacts.

    def of_contact(self, identity: bytes) -> ContactNotes | None:
        """How a contact was set."""
        return None if self._notes is None else self._notes.contacts.get(identity)

    def entered(self, photo_id: bytes) -> None:
        """A photo came back: put to it what was said of it, within the transaction of its rows."""
        self._entered.add(photo_id)
        self._note(photo_id)

    def _note(self, photo_id: bytes) -> None:
        notes = self._notes
        if notes is None:
            return
        try:
            self._marks.change(
                [photo_id],
                add=notes.tags.get(photo_id, ()),
                remove=(),
                sensitivity=notes.sensitivities.get(photo_id),
            )
        except KinlightError as error:  # by a stolen device: here it would be no tag
            _log.info("what was said of a photo does not come back: %s", error.code)

    # When all has been listed.

    async def bring(self) -> None:
        """Put in what was found besides photos and contacts."""
        async with self._one_at_a_time:
            notes = self.look()
            if notes is None:
                return
            try:
                self._rules.restore(notes.rules, notes.text)
            except KinlightError as error:
                _log.info("the rules do not come back: %s", error.code)
            for photo_id in self._entered:
                self._note(photo_id)
            self._watermarks.restore(
                [key.reveal() for key in notes.mark_keys],
                [
                    IssuedMark(mark_id, mark.photo_id, mark.recipient, mark.issued)
                    for mark_id, mark in notes.marks.items()
                ],
            )
            self.fill_albums()
            await self._bring_albums(notes)

    def fill_albums(self) -> None:
        """Put photos that came back into their albums, in the order in which they were there."""
        if self._notes is None:
            return
        for name, photos in self._notes.albums.items():
            back = [photo for photo in photos if photo in self._entered]
            self._catalogue.put_into(name, back, self._now())

    async def _bring_albums(self, notes: Notes) -> None:
        found = join_albums(self._parts)
        for album_id, noted in notes.shared.items():
            here = self._shelf.get(album_id)
            if album_id in self._brought or (here is not None and here.state != "invited"):
                continue  # a person here has decided since
            album = await asyncio.to_thread(_verified, album_id, found.get(album_id, ()))
            if album is None or self._device.identity not in album.view.members:
                _log.info("an album does not come back: its log is not whole")
                continue
            self._brought.add(album_id)
            self._brought.add(album_id)
            self._shelf.restore(album, noted.keys, noted.inviter, noted.since, noted.hidden)
        signers = [] if self.root is None else [self.root]
        seats = album_seats.take(
            self._shelf, self._device, signers, entropy=self._entropy, now=self._now
        )
        if seats.waiting:
            _log.info("%d albums wait for one of their admins", seats.waiting)


def _verified(album_id: bytes, encoded: Sequence[bytes]) -> Album | None:
    """An album of entries that anybody may have made; in a thread."""
    entries = list(_read(encoded))
    for first in entries:
        if isinstance(first, LogEntry) and not first.parents:
            try:
                album = Album(first)
            except PeerError:
                continue
            if album.album_id == album_id:
                _take_all(album, entries)
                return album
    return None


def _read(encoded: Iterable[bytes]) -> Iterable[Entry]:
    for each in encoded:
        try:
            yield read_entry(each)
        except PeerError as error:
            _log.info("an entry of an album does not come back: %s", error.code)


def _take_all(album: Album, entries: Iterable[Entry]) -> None:
    waiting = list(entries)
    while waiting:
        count = len(waiting)
        left: list[Entry] = []
        for entry in waiting:
            try:
                album.take(entry)
            except AlbumGapError:
                left.append(entry)
            except PeerError as error:
                _log.info("an entry of an album does not come back: %s", error.code)
        if len(left) == count:
            return
        waiting = left
