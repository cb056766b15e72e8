"""Looks through the home of an unlocked node: what is missing, damaged, left over, or open.

It may be asked at any time, also while photos come and go: what changes under its eyes is looked at
again before it is told. Repairs delete nothing but leftovers and what is made anew; see `mending`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from ..crypto.blob import HEADER_BYTES, Kind, Manifest
from ..crypto.errors import LocalError
from ..protocol.errors import sentence
from . import names
from .blobstore import BlobStore, read_piece, remove_leftover
from .database import Database
from .home import Home
from .library import Library, Photo, StoredBlob
from .mending import Mender, Repairs
from .photo_errors import BlobMissingError, PhotoAwayError
from .views import DoctorProgress, Finding

LOW_DISK_BYTES: Final = 256 * 1024 * 1024
"""Less than this free is worth a word: photos come in whole, and the library needs room."""
_BATCH: Final = 64
_PIECES: Final = 64
"""Pieces that are read at a time: 16 MiB of a file, one piece of memory."""
_OTHERS: Final = 0o077
_NOT_CLOSED: Final = "Only their owner can close them to others."

_CACHES: Final = {
    ("renditions", "photos"): "photo_id NOT IN (SELECT photo_id FROM photos)",
    ("renditions", "blobs"): "content_id NOT IN (SELECT content_id FROM blobs)",
    ("copies", "photos"): "photo_id NOT IN (SELECT photo_id FROM photos)"
    " OR source_id NOT IN (SELECT photo_id FROM photos)",
    ("facts", "photos"): "photo_id NOT IN (SELECT photo_id FROM photos)",
    ("checks", "photos"): "photo_id NOT IN (SELECT photo_id FROM photos)",
}
"""Rows that are made again where they miss, by table and what they point at: which are to go."""

MISSING: Final = "blob-missing"
LENGTH: Final = "blob-length"
PIECES: Final = "blob-pieces"
UNREADABLE: Final = "blob-unreadable"


@dataclass(frozen=True, slots=True)
class _Told:
    """A row as it was read, and what is wrong with its file."""

    stored: StoredBlob
    problem: str


class Doctor:
    """Examines one home. One examination runs at a time; others wait for it."""

    def __init__(
        self,
        *,
        home: Home,
        device_identity: bytes,
        database: Database,
        library: Library,
        blobs: BlobStore,
        repairs: Repairs,
        mender: Mender,
        expected: Callable[[], list[tuple[bytes, bytes]]],
        fetch_missing: Callable[[], Awaitable[None]],
    ) -> None:
        """`expected` are blobs that may still come; `fetch_missing` lets `mender` ask all peers."""
        self._home = home
        self._us = device_identity
        self._db = database
        self._library = library
        self._blobs = blobs
        self._repairs = repairs
        self._mender = mender
        self._expected = expected
        self._fetch_missing = fetch_missing
        self._turn = asyncio.Lock()

    async def run(self, *, repair: bool, deep: bool) -> AsyncGenerator[Finding | DoctorProgress]:
        """What is wrong, a finding each, with progress in between.

        With `deep` every piece of every blob is read; else a damaged one shows by its length only.
        """
        async with self._turn:
            faults = await self._database_faults()
            for fault in faults:
                yield fault
            async for finding in self._house(repair=repair and not faults):
                yield finding
            if faults:  # what the rows say counts for nothing, so nothing may be removed by them
                return
            for finding in self._dangling(repair=repair):
                yield finding
            async with contextlib.aclosing(self._blobs_findings(repair, deep)) as steps:
                async for step in steps:
                    yield step
            async for finding in self._leftovers(repair=repair):
                yield finding

    # The database.

    async def _database_faults(self) -> list[Finding]:
        path = self._home.library
        faults: list[str] = ["it is gone"]
        if Database.exists(path):
            faults = await asyncio.to_thread(self._db.faults)
            if faults:
                faults = self._db.faults_at_rest()
        remedy = (
            "Copy the whole home aside first; then restore library.db and blobs from one backup."
            " Until then nothing else is repaired."
        )
        return [Finding("database", "damage", "lost", remedy, path.name)] if faults else []

    def _dangling(self, *, repair: bool) -> Iterator[Finding]:
        """Rows that point at rows that are not there."""
        for (table, parent), count in sorted(self._db.dangling().items()):
            condition = _CACHES.get((table, parent))
            what = f"{table} -> {parent} ({count})"
            if condition is None:
                remedy = "Nothing: what they pointed at is gone. They are left as they are."
                yield Finding("dangling-rows", "damage", "lost", remedy, what)
            elif repair:
                self._db.write(f"DELETE FROM {table} WHERE {condition}")  # noqa: S608 - our words
                remedy = "They are forgotten, and made again when they are needed."
                yield Finding("dangling-rows", "leftover", "repaired", remedy, what)
            else:
                remedy = "`--repair` forgets them; they are made again when they are needed."
                yield Finding("dangling-rows", "leftover", "found", remedy, what)

    # The home as files.

    async def _house(self, *, repair: bool) -> AsyncGenerator[Finding]:
        if sys.platform != "win32":
            open_to_others, foreign = await asyncio.to_thread(_loose, self._home.path)
            # A file may have been made just now, and get its mode in the next moment.
            open_to_others = [path for path in open_to_others if _is_loose(path)]
            if open_to_others:
                state, remedy = "found", "`--repair` closes them to others."
                if repair:
                    closed = [_close(path) for path in open_to_others]
                    state = "repaired" if all(closed) else "found"
                    remedy = "They are closed to others." if all(closed) else _NOT_CLOSED
                yield Finding("mode", "warning", state, remedy, self._named(open_to_others))
            if foreign:
                remedy = "Nothing here: give them back to the user whose node this is."
                yield Finding("owner", "warning", "found", remedy, self._named(foreign))
        free = shutil.disk_usage(self._home.path).free
        if free < LOW_DISK_BYTES:
            remedy = f"Make room: {free // 1024 // 1024} MiB are left on this disk."
            yield Finding("disk", "warning", "found", remedy)

    def _named(self, paths: list[Path]) -> str:
        """The first of some files, and how many others there are."""
        first = self._relative(paths[0])
        return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._home.path).as_posix()

    # Blobs.

    async def _blobs_findings(
        self, repair: bool, deep: bool
    ) -> AsyncGenerator[Finding | DoctorProgress]:
        known = self._library.blob_ids()
        noted = self._repairs.noted()
        damaged: list[_Told] = []
        total, done = len(known), 0
        if deep:
            total = sum(self._length(content_id) for content_id in known)
        yield DoctorProgress(0, total)
        for start in range(0, len(known), _BATCH):
            rows = [self._library.blob(content_id) for content_id in known[start : start + _BATCH]]
            stored = [row for row in rows if row is not None]
            problems = await asyncio.to_thread(self._glance, stored)
            for row, problem in zip(stored, problems, strict=True):
                found = problem
                if deep and found is None:
                    async with contextlib.aclosing(self._read(row)) as reading:
                        async for step in reading:
                            if isinstance(step, str):
                                found = step
                            else:
                                yield DoctorProgress(done + step, total)
                if deep:
                    done += row.decoded_manifest().length
                if found is None and row.content_id in noted:
                    found = PIECES
                if found is not None and self._still_so(row, found):
                    damaged.append(_Told(row, found))
            if not deep:
                done = min(start + _BATCH, total)
            yield DoctorProgress(done, total)
        for finding in await self._told(damaged, repair):
            yield finding

    def _length(self, content_id: bytes) -> int:
        stored = self._library.blob(content_id)
        return 0 if stored is None else stored.decoded_manifest().length

    def _glance(self, rows: list[StoredBlob]) -> list[str | None]:
        return [self._problem(row) for row in rows]

    def _problem(self, stored: StoredBlob) -> str | None:
        """What is wrong with a blob's file by its size."""
        try:
            status = self._blobs.path(stored.content_id).lstat()
        except FileNotFoundError:
            return None if stored.content_id in self._blobs.away else MISSING
        except OSError:
            return UNREADABLE
        if not stat.S_ISREG(status.st_mode):
            return MISSING
        return None if status.st_size == stored.decoded_manifest().length else LENGTH

    async def _read(self, stored: StoredBlob) -> AsyncGenerator[int | str]:
        """Read a blob whole: bytes read so far, and what is wrong with it."""
        manifest = stored.decoded_manifest()
        try:
            file = self._blobs.open(stored.content_id)
        except PhotoAwayError:
            return
        except BlobMissingError:
            yield MISSING
            return
        except LocalError:  # too many open files, say
            yield UNREADABLE
            return
        with file:
            if file.read(HEADER_BYTES) != manifest.header:
                yield PIECES
                return
            for first in range(0, manifest.pieces, _PIECES):
                indices = range(first, min(first + _PIECES, manifest.pieces))
                if not await asyncio.to_thread(_are_right, file, manifest, indices):
                    yield PIECES
                    return
                if indices.stop < manifest.pieces:
                    yield indices.stop * manifest.piece_length(0)

    def _still_so(self, stored: StoredBlob, problem: str) -> bool:
        """Whether it is still true: the photo may have been removed, or its blob made whole."""
        if self._library.blob(stored.content_id) is None:
            return False
        return problem in (PIECES, UNREADABLE) or self._problem(stored) is not None

    async def _told(self, damaged: list[_Told], repair: bool) -> list[Finding]:
        """The findings of damaged blobs, after what can be done was done."""
        if not repair:
            return [self._finding(told, "found") for told in damaged]
        findings: dict[int, Finding] = {}
        for index, told in enumerate(damaged):
            if told.problem == UNREADABLE:
                findings[index] = self._finding(told, "found")
                continue
            try:
                if await self._repair_here(told):
                    findings[index] = self._finding(told, "repaired")
            except LocalError as error:  # a full disk, say
                findings[index] = replace(self._finding(told, "found"), remedy=str(error))
        if len(findings) < len(damaged):
            await self._fetch_missing()
        noted = self._repairs.noted()
        for index, told in enumerate(damaged):
            if index not in findings:
                findings[index] = self._after_fetching(told, noted)
        return [findings[index] for index in range(len(damaged))]

    async def _repair_here(self, told: _Told) -> bool:
        """Whether a blob could be made whole, or was only made of another, without anybody."""
        stored = told.stored
        if stored.kind is Kind.RENDITION:
            with self._db.transaction():
                self._db.execute("DELETE FROM renditions WHERE content_id = ?", stored.content_id)
                self._db.execute("DELETE FROM blobs WHERE content_id = ?", stored.content_id)
            self._blobs.remove(stored.content_id)
            return True
        photo = self._library.photo(stored.photo_id)
        return photo is not None and await self._mender.mend_here(stored, photo)

    def _after_fetching(self, told: _Told, noted: set[bytes]) -> Finding:
        if self._is_whole(told.stored, noted):
            return self._finding(told, "repaired")
        content_id = told.stored.content_id
        code = self._mender.refusal(content_id)
        if content_id in noted and self._contacts(told.stored):
            return self._finding(told, "waiting")
        if content_id in noted:  # nobody can bring it
            self._mender.give_up(told.stored)
        finding = self._finding(told, "lost")
        if code is None:
            return finding
        return replace(finding, remedy=f"Whoever sent it does not send it again. {sentence(code)}")

    def _is_whole(self, stored: StoredBlob, noted: set[bytes]) -> bool:
        if stored.content_id in noted or self._mender.refusal(stored.content_id) is not None:
            return False
        return self._problem(stored) is None

    def _contacts(self, stored: StoredBlob) -> list[str]:
        """Who may have a blob: those that sent its photo."""
        photo = self._library.photo(stored.photo_id)
        return [] if photo is None else self._mender.sources(photo).contacts

    def _finding(self, told: _Told, state: str) -> Finding:
        stored = told.stored
        photo = self._library.photo(stored.photo_id)
        noted = stored.content_id in self._repairs.noted()
        if state == "found" and noted and self._contacts(stored):
            state = "waiting"
        return Finding(
            told.problem,
            "warning" if told.problem == UNREADABLE else "damage",
            state,
            self._remedy(told, photo, state),
            self._relative(self._blobs.path(stored.content_id)),
            stored.photo_id.hex(),
            None if photo is None else photo.metadata.name,
        )

    def _remedy(self, told: _Told, photo: Photo | None, state: str) -> str:
        if told.problem == UNREADABLE:
            return "It can't be read: look at its permissions, or try again."
        if told.stored.kind is Kind.RENDITION:
            if state == "repaired":
                return "It is forgotten; it is made again when it is next looked at."
            return "`--repair` forgets it; it is made again when it is next looked at."
        if state == "repaired":
            return "It is whole again."
        found = None if photo is None else self._mender.sources(photo)
        contacts = ", ".join(map(names.shown, found.contacts)) if found else ""
        if state == "waiting":
            return f"It comes when {contacts} is next here."
        ways: list[str] = []
        if told.stored.kind is Kind.METADATA:
            ways.append("makes it again")
        elif found is not None and found.files and state == "found":
            ways.append("seals it again from the file that was imported, if that is the same")
        if contacts and state == "found":
            ways.append(f"fetches it again from {contacts}")
        if ways and state == "found":
            return f"`--repair` {', or '.join(ways)}."
        if photo is not None and found is not None and found.copy:
            id_ = photo.photo_id.hex()[:8]
            return f"`kinlight remove {id_}` forgets this copy; the next share makes another."
        if photo is not None and photo.author == self._us:
            return "Nothing here. Import the very same file again if there is a copy of it."
        return "Nothing here. Ask whoever has it to share it again."

    # Leftovers.

    async def _leftovers(self, *, repair: bool) -> AsyncGenerator[Finding]:
        before = self._may_come()
        listed = await asyncio.to_thread(self._blobs.leftovers, self._library.blob_ids(), before)
        # Asked again: what got its row while the folder was read is none.
        wanted = [*before, *self._may_come()]
        again = await asyncio.to_thread(self._blobs.leftovers, self._library.blob_ids(), wanted)
        for file in sorted(set(listed) & set(again)):
            # In this order: it is noted before it is there, and gone before it is noted no more.
            if self._blobs.is_at_work(file) or not file.is_file():
                continue
            partial = file.parent.name == "incoming"
            state, remedy = "found", "`--repair` removes it."
            if repair and remove_leftover(file):
                state, remedy = "repaired", "It is removed."
            kind = "partial-file" if partial else "stray-file"
            yield Finding(kind, "leftover", state, remedy, self._relative(file))

    def _may_come(self) -> list[tuple[bytes, bytes]]:
        return [*self._expected(), *self._repairs.expected()]


def _are_right(file: BinaryIO, manifest: Manifest, indices: range) -> bool:
    return all(read_piece(file, manifest, index) is not None for index in indices)


def _loose(home: Path) -> tuple[list[Path], list[Path]]:
    """What others may open, and what belongs to somebody else, in a home and below."""
    open_to_others: list[Path] = []
    foreign: list[Path] = []
    for path in _tree(home):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if status.st_uid != os.getuid():
                foreign.append(path)
            elif _is_loose(path):
                open_to_others.append(path)
    return open_to_others, foreign


def _tree(home: Path) -> Iterator[Path]:
    yield home
    for folder, folders, files in os.walk(home):
        for name in sorted([*folders, *files]):
            yield Path(folder, name)


def _is_loose(path: Path) -> bool:
    """Whether others may open a file or a folder. A file that is being sealed gets its mode yet."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    if stat.S_ISLNK(mode) or path.suffix == ".sealing":
        return False
    return bool(mode & _OTHERS)


def _close(path: Path) -> bool:
    """Close a file or a folder to others; whether it could be done."""
    try:
        path.chmod(path.stat().st_mode & 0o700)
    except OSError:
        return False
    return True
