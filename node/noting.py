"""What else is backed up besides photos and contacts: what a person said of them, and albums.

`collect` takes it out of the library, `NotesBack` puts it into one (docs/spec/backup.md). What a
person said here since stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ..crypto import encoding
from ..crypto.secret import Secret
from ..protocol.backup import ContactsBackup
from ..protocol.backup_notes import (
    AlbumBackup,
    AlbumNotes,
    ContactNotes,
    MarkNotes,
    Notes,
    NotesBackup,
    cut_album,
)
from .album_storage import AlbumStore
from .database import Database
from .library import Library
from .rules import RULES_SETTING, TEXT_SETTING
from .watermarks import Watermarks

Noted = ContactsBackup | NotesBackup | AlbumBackup
"""An entry that is about no photo."""


def subject_of(entry: Noted) -> bytes:
    """What such an entry is kept under: it is another one when anything in it changes."""
    return hashlib.sha256(encoding.encode(entry.to_value())).digest()


class Noting:
    """The notes of this node and its albums, as they are backed up."""

    def __init__(self, database: Database, library: Library, watermarks: Watermarks) -> None:
        self._db = database
        self._library = library
        self._watermarks = watermarks
        self._albums = AlbumStore(database)
        self._known: tuple[int, Sequence[tuple[bytes, Noted]]] | None = None
        self._cut: dict[bytes, tuple[int, Sequence[tuple[bytes, Noted]]]] = {}

    def entries(self) -> Sequence[tuple[bytes, Noted]]:
        """(subject, entry) of all of it. Nothing is read again while nothing was written."""
        changes = self._db.changes
        if self._known is None or self._known[0] != changes:
            found = collect(self._db, self._library, self._watermarks)
            notes = [(subject_of(part), part) for part in found.parts()]
            self._known = changes, [*notes, *self._album_parts()]
        return self._known[1]

    def _album_parts(self) -> Iterator[tuple[bytes, Noted]]:
        for kept in self._albums.albums():
            if kept.state != "joined":
                self._cut.pop(kept.album_id, None)
                continue
            count = int(
                self._db.value(
                    "SELECT count(*) FROM album_entries WHERE album_id = ?", kept.album_id
                )
            )
            known = self._cut.get(kept.album_id)
            if known is None or known[0] != count:
                parts = cut_album(kept.album_id, self._albums.entries(kept.album_id))
                known = count, [(subject_of(part), part) for part in parts]
                self._cut[kept.album_id] = known
            yield from known[1]


def collect(database: Database, library: Library, watermarks: Watermarks) -> Notes:
    """All notes, as they are now."""
    tags: dict[bytes, list[str]] = {}
    for photo, tag in database.rows("SELECT photo_id, tag FROM tags ORDER BY photo_id, tag"):
        tags.setdefault(photo, []).append(tag)
    albums: dict[str, list[bytes]] = {}
    for name, photo in database.rows(
        "SELECT name, photo_id FROM albums JOIN album_photos USING (album_id)"
        " ORDER BY name, album_photos.added, photo_id"
    ):
        albums.setdefault(name, []).append(photo)
    store = AlbumStore(database)
    return Notes(
        tags={photo: tuple(words) for photo, words in tags.items()},
        sensitivities={
            row[0]: row[1]
            for row in database.rows("SELECT photo_id, sensitivity FROM sensitivities")
        },
        albums={name: tuple(photos) for name, photos in albums.items()},
        rules=(library.setting(RULES_SETTING) or b"").decode(),
        text=(library.setting(TEXT_SETTING) or b"").decode(),
        contacts={
            contact.identity: ContactNotes(contact.accept, contact.metadata, contact.muted)
            for contact in library.contacts()
            if not contact.blocked
        },
        shared={
            kept.album_id: AlbumNotes(
                kept.inviter,
                kept.since,
                tuple(store.keys(kept.album_id)),
                frozenset(store.hidden(kept.album_id)),
            )
            for kept in store.albums()
            if kept.state == "joined"
        },
        mark_keys=tuple(map(Secret, watermarks.keys())),
        marks={
            mark.mark_id: MarkNotes(mark.photo_id, mark.recipient, mark.issued)
            for mark in watermarks.all()
        },
    )
