"""What else is a node's own, in its backup: what a person said of photos and contacts, and albums.

    notes    one after the other, cut into parts, which are written anew when any of them changes
    album    an album's entries one after the other, cut into parts: more entries change the last

A part says nothing alone. What is read back is verified as if a stranger had brought it
(docs/spec/backup.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..crypto import encoding, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from . import limits
from .album import ENTRY_BYTES
from .photo import POLICIES
from .policy import SENSITIVITIES

PART_BYTES: Final = 48 * 1024
"""Bytes in one part: with the papers around it they fit into an entry."""
NOTE_BYTES: Final = 1024 * 1024
"""One note."""
NOTES_BYTES: Final = 64 * 1024 * 1024
"""More is not put together again."""
ALBUM_ID_BYTES: Final = 16
PHOTO_ID_BYTES: Final = 16
MARK_ID_BYTES: Final = 6
ACCEPTS: Final = ("ask", "always")

_KEY_BYTES: Final = 32
_LENGTH: Final = 4
_TEXT: Final = limits.NAME_BYTES


@dataclass(frozen=True, slots=True)
class NotesBackup:
    """Part `part` of `parts` of the encoded notes, whose digest is `whole`."""

    whole: bytes
    part: int
    parts: int
    data: bytes = field(repr=False)

    def to_value(self) -> list[Value]:
        """What is signed of it."""
        return ["notes", self.whole, self.part, self.parts, self.data]

    @classmethod
    def read(cls, reader: Reader) -> NotesBackup:
        """The reverse."""
        whole = reader.octets("whole", 32)
        part, parts = reader.integer("part"), reader.integer("parts", NOTES_BYTES // PART_BYTES)
        if part >= parts:
            raise MalformedError("backup: parts")
        return cls(whole, part, parts, reader.octets("notes", maximum=PART_BYTES))


@dataclass(frozen=True, slots=True)
class AlbumBackup:
    """Part `part` of an album's entries. All parts but the last have `PART_BYTES`."""

    album_id: bytes
    part: int
    data: bytes = field(repr=False)

    def to_value(self) -> list[Value]:
        """What is signed of it."""
        return ["album", self.album_id, self.part, self.data]

    @classmethod
    def read(cls, reader: Reader) -> AlbumBackup:
        """The reverse."""
        album_id = reader.octets("album", ALBUM_ID_BYTES)
        return cls(album_id, reader.integer("part"), reader.octets("entries", maximum=PART_BYTES))


@dataclass(frozen=True, slots=True)
class ContactNotes:
    """How a contact was set: what is taken of theirs, and what goes to them with photos."""

    accept: str
    metadata: str
    muted: bool


@dataclass(frozen=True, slots=True)
class AlbumNotes:
    """An album that several keep, in which its owner takes part: who let them in, and its keys."""

    inviter: bytes
    since: int
    keys: tuple[Secret, ...] = field(repr=False)
    hidden: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class MarkNotes:
    """An invisible mark that was set: in which copy of a photo, for whom, when."""

    photo_id: bytes
    recipient: bytes
    issued: int


@dataclass(frozen=True, slots=True)
class Notes:
    """All of it. `rules` are as kept, by the keys of contacts; `text` as they were typed. `marks`
    are by their ids, and `mark_keys` those under which they can be read.
    """

    tags: Mapping[bytes, tuple[str, ...]]
    sensitivities: Mapping[bytes, str]
    albums: Mapping[str, tuple[bytes, ...]]
    rules: str
    text: str
    contacts: Mapping[bytes, ContactNotes]
    shared: Mapping[bytes, AlbumNotes]
    mark_keys: tuple[Secret, ...] = field(default=(), repr=False)
    marks: Mapping[bytes, MarkNotes] = field(default_factory=dict[bytes, MarkNotes])

    def encode(self) -> bytes:
        """One note after the other; equal notes have equal bytes."""
        notes: list[Sequence[Value]] = [
            *(["tags", photo, list(tags)] for photo, tags in sorted(self.tags.items())),
            *(["sensitivity", *each] for each in sorted(self.sensitivities.items())),
            *(
                ["in", name, photo]
                for name, photos in sorted(self.albums.items())
                for photo in photos
            ),
            ["rules", self.rules, self.text],
        ]
        for identity, each in sorted(self.contacts.items()):
            notes.append(["contact", identity, each.accept, each.metadata, int(each.muted)])
        for album_id, album in sorted(self.shared.items()):
            notes.append(["shared", album_id, album.inviter, album.since])
            keys = sorted(key.reveal() for key in album.keys)
            notes += [["key", album_id, key] for key in keys]
            notes += [["hidden", album_id, photo] for photo in sorted(album.hidden)]
        notes += [["mark-key", key] for key in sorted(key.reveal() for key in self.mark_keys)]
        for mark_id, mark in sorted(self.marks.items()):
            notes.append(["mark", mark_id, mark.photo_id, mark.recipient, mark.issued])
        return _stream(map(encoding.encode, notes))

    @classmethod
    def decode(cls, data: bytes) -> Notes:
        """The reverse; `MalformedError` for what is none. Notes of types that are not known, by a
        later version, are passed over.
        """
        found = _Reading()
        for each in _entries(data, NOTE_BYTES):
            found.take(Reader(encoding.decode(each, NOTE_BYTES), "note"))
        return found.notes()

    def parts(self) -> list[NotesBackup]:
        """As they are sealed."""
        data = self.encode()
        whole = hashlib.sha256(data).digest()
        cut = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
        return [NotesBackup(whole, number, len(cut), part) for number, part in enumerate(cut)]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was found: by which device, at what time by its clock."""

    device: bytes
    time: int
    entry: NotesBackup | AlbumBackup


def newest_notes(found: Iterable[Part]) -> Notes | None:
    """The notes as they were last, of all parts that were found: those that are whole and of the
    latest time.
    """
    wholes: dict[tuple[bytes, int], dict[int, bytes]] = {}
    times: dict[tuple[bytes, int], int] = {}
    for each in sorted(found, key=lambda part: part.time):
        if isinstance(each.entry, NotesBackup):
            key = each.entry.whole, each.entry.parts
            wholes.setdefault(key, {})[each.entry.part] = each.entry.data
            times[key] = each.time
    for key in sorted(wholes, key=lambda key: (times[key], key), reverse=True):
        (whole, count), parts = key, wholes[key]
        data = b"".join(parts[number] for number in sorted(parts))
        if len(parts) == count and hashlib.sha256(data).digest() == whole:
            try:
                return Notes.decode(data)
            except MalformedError:  # by a device of ours: it was stolen, or its program is ill
                continue
    return None


def cut_album(album_id: bytes, entries: Iterable[bytes]) -> list[AlbumBackup]:
    """An album's entries, in the order in which they came, as they are sealed."""
    stream = _stream(entries)
    return [
        AlbumBackup(album_id, number, stream[start : start + PART_BYTES])
        for number, start in enumerate(range(0, len(stream), PART_BYTES))
    ]


def join_albums(found: Iterable[Part]) -> dict[bytes, list[bytes]]:
    """The entries of each album, those of one device after those of another, nothing verified.

    Of one part that a device left several times the latest counts. They end where a part is
    missing, and at an entry that is cut.
    """
    streams: dict[tuple[bytes, bytes], dict[int, bytes]] = {}
    for each in sorted(found, key=lambda part: part.time):
        if isinstance(each.entry, AlbumBackup):
            stream = streams.setdefault((each.entry.album_id, each.device), {})
            stream[each.entry.part] = each.entry.data
    albums: dict[bytes, list[bytes]] = {}
    for (album_id, _), parts in sorted(streams.items()):
        data, number = bytearray(), 0
        while number in parts:
            data += parts[number]
            if len(parts[number]) < PART_BYTES:
                break  # the last; what may follow is of an older stream
            number += 1
        albums.setdefault(album_id, []).extend(_entries(bytes(data), ENTRY_BYTES))
    return albums


def _stream(entries: Iterable[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(_LENGTH) + entry for entry in entries)


def _entries(stream: bytes, most: int) -> list[bytes]:
    found: list[bytes] = []
    place = 0
    while place + _LENGTH <= len(stream):
        length = int.from_bytes(stream[place : place + _LENGTH])
        place += _LENGTH
        if length > most or place + length > len(stream):
            break
        found.append(stream[place : place + length])
        place += length
    return found


class _Reading:
    """Notes as they are read, one by one."""

    def __init__(self) -> None:
        self._tags: dict[bytes, tuple[str, ...]] = {}
        self._sensitivities: dict[bytes, str] = {}
        self._albums: dict[str, list[bytes]] = {}
        self._rules = self._text = ""
        self._contacts: dict[bytes, ContactNotes] = {}
        self._shared: dict[bytes, tuple[bytes, int]] = {}
        self._keys: dict[bytes, list[Secret]] = {}
        self._hidden: dict[bytes, set[bytes]] = {}
        self._mark_keys: list[Secret] = []
        self._marks: dict[bytes, MarkNotes] = {}

    def take(self, note: Reader) -> None:
        """One more."""
        match note.text("type", 16):
            case "tags":
                photo = note.octets("photo", PHOTO_ID_BYTES)
                words = Reader(note.array("tags", encoding.MAX_ITEMS), "tags")
                tags: list[str] = []
                while words.more():
                    tags.append(words.text("tag", _TEXT))
                self._tags[photo] = tuple(tags)
            case "sensitivity":
                photo = note.octets("photo", PHOTO_ID_BYTES)
                self._sensitivities[photo] = _one_of(note, "sensitivity", SENSITIVITIES)
            case "in":
                album = note.text("album", _TEXT)
                photo = note.octets("photo", PHOTO_ID_BYTES)
                self._albums.setdefault(album, []).append(photo)
            case "rules":
                self._rules = note.text("rules", NOTE_BYTES)
                self._text = note.text("text", NOTE_BYTES)
            case "contact":
                identity = signing.check_public_key(note.octets("identity", signing.KEY_BYTES))
                self._contacts[identity] = ContactNotes(
                    _one_of(note, "accept", ACCEPTS),
                    _one_of(note, "metadata", POLICIES),
                    bool(note.integer("muted", 1)),
                )
            case "shared":
                album_id = note.octets("album", ALBUM_ID_BYTES)
                inviter = signing.check_public_key(note.octets("inviter", signing.KEY_BYTES))
                self._shared[album_id] = inviter, note.integer("since", 2**63 - 1)
            case "key":
                album_id = note.octets("album", ALBUM_ID_BYTES)
                key = Secret(note.octets("key", _KEY_BYTES))
                self._keys.setdefault(album_id, []).append(key)
            case "hidden":
                album_id = note.octets("album", ALBUM_ID_BYTES)
                photo = note.octets("photo", PHOTO_ID_BYTES)
                self._hidden.setdefault(album_id, set()).add(photo)
            case "mark-key":
                self._mark_keys.append(Secret(note.octets("key", _KEY_BYTES)))
            case "mark":
                mark_id = note.octets("id", MARK_ID_BYTES)
                self._marks[mark_id] = MarkNotes(
                    note.octets("photo", PHOTO_ID_BYTES),
                    signing.check_public_key(note.octets("recipient", signing.KEY_BYTES)),
                    note.integer("issued", 2**63 - 1),
                )
            case _:
                return
        note.end()

    def notes(self) -> Notes:
        """All of them."""
        shared = {
            album_id: AlbumNotes(
                inviter,
                since,
                tuple(self._keys.get(album_id, ())),
                frozenset(self._hidden.get(album_id, ())),
            )
            for album_id, (inviter, since) in self._shared.items()
        }
        albums = {name: tuple(photos) for name, photos in self._albums.items()}
        return Notes(
            self._tags, self._sensitivities, albums, self._rules, self._text, self._contacts,
            shared, tuple(self._mark_keys), self._marks,
        )  # fmt: skip


def _one_of(note: Reader, field: str, known: tuple[str, ...]) -> str:
    said = note.text(field, 16)
    if said not in known:
        raise MalformedError(f"note: {field}")
    return said
