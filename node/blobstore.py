"""Sealed blobs as files. A file under its content id is whole; anything else is a partial one.

blobs/ab/abcdef…           whole, never changed
blobs/incoming/abcdef….part     pieces written at their places, holes where they miss
blobs/incoming/abcdef….manifest the manifest to check them against
blobs/incoming/….sealing   a file being sealed; removed at the next start

A partial file belongs to a photo id too: a record that names somebody else's content id must not
touch what is on its way for the true one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Generator, Iterable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ..crypto import blob
from ..crypto.blob import Kind, Manifest, Readable, Writable
from ..crypto.errors import MalformedError, PieceMismatchError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.transfer import Bitmap, Download
from . import database
from .errors import DiskFullError, storage_error
from .home import sync_folder, write_file
from .photo_errors import BlobMissingError, PhotoAwayError

IN_MEMORY: Final = 2
"""Photos that lie unsealed in memory at a time: as many as the decoder opens."""
UNDER_WAY: Final = 64
"""More blobs than are being made at a time, on however many links."""
RESERVE_BYTES: Final = 2 * database.LOG_BYTES
"""Left free for the library when photos come in or are sealed: its log, and what that becomes."""
AHEAD_BYTES: Final = limits.CREDIT * blob.PIECE_BYTES
"""Room that is held for a blob that comes in: a contact must not hold more by words alone."""

_BINARY: Final = getattr(os, "O_BINARY", 0)

_log = logging.getLogger(__name__)


class BlobStore:
    """The blob folder. Methods block on the disk: call the long ones in a thread."""

    def __init__(self, folder: Path, space: Space | None = None) -> None:
        self._folder = folder
        self.in_memory: Final = asyncio.Semaphore(IN_MEMORY)
        """To be held by who unseals a whole photo into memory."""
        self._incoming = folder / "incoming"
        # What this process made, so that a file without a row is not taken for a leftover in the
        # moment before it gets one. A name is noted before there is a file of it.
        self._sealing: set[str] = set()
        self._settled: set[bytes] = set()
        self.away: Final[set[bytes]] = set()
        """Blobs that have a row and no file on purpose, see `space`."""
        self._space = Space(folder) if space is None else space
        try:
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error) from None

    def path(self, content_id: bytes) -> Path:
        """Where the whole blob lies or will lie."""
        name = content_id.hex()
        return self._folder / name[:2] / name

    def __contains__(self, content_id: bytes) -> bool:
        return self.path(content_id).is_file()

    # Our own photos.

    def seal(
        self, source: Readable, length: int, key: Secret, kind: Kind, photo_id: bytes
    ) -> Manifest:
        """Seal `source` into the store, durably, and return the manifest."""
        temporary = self._incoming / f"{secrets.token_hex(16)}.sealing"
        with self.hold(length) as room, self._writing(temporary) as sink:
            manifest = blob.seal(source, length, _Accounted(sink, room), key, kind, photo_id)
        self._settle_written(temporary, manifest.content_id)
        return manifest

    @contextlib.contextmanager
    def _writing(self, temporary: Path) -> Generator[BinaryIO]:
        """A new file that is synced at the end of the block, or gone if that fails."""
        self._sealing.add(temporary.name)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException as error:
            with contextlib.suppress(OSError):  # on a disk that is read-only now
                temporary.unlink(missing_ok=True)
            self._sealing.discard(temporary.name)
            if isinstance(error, OSError):
                raise storage_error(error) from None
            raise

    def _settle_written(self, temporary: Path, content_id: bytes) -> None:
        try:
            self.settle(temporary, content_id)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise storage_error(error) from None
        finally:
            self._sealing.discard(temporary.name)

    def holds_any(self) -> bool:
        """Whether a whole blob lies here."""
        return any(self._folder.glob("[0-9a-f][0-9a-f]/*"))

    def remove(self, content_id: bytes) -> None:
        """Remove a whole blob. What can't be removed now is a leftover for the next start."""
        with contextlib.suppress(OSError):
            self.path(content_id).unlink(missing_ok=True)
            self._settled.discard(content_id)

    def let_go(self, content_id: bytes) -> None:
        """Remove a blob that somebody else has: it misses on purpose until it is here again."""
        self.away.add(content_id)
        self.remove(content_id)

    def put_aside(self, content_id: bytes) -> Path | None:
        """Take a whole blob out at once; its file, to be unlinked at leisure: that may take long.

        What is not unlinked in the end is a leftover for the next start.
        """
        aside = self._incoming / f"{secrets.token_hex(16)}.removed"
        try:
            self.path(content_id).replace(aside)
        except OSError:
            return None
        self._settled.discard(content_id)
        return aside

    # Reading.

    def open(self, content_id: bytes) -> BinaryIO:
        """The whole blob, for reading; `BlobMissingError` if it is not here, and `PhotoAwayError`
        if it was let go.
        """
        try:
            return self.path(content_id).open("rb")
        except FileNotFoundError:
            raise (PhotoAwayError if content_id in self.away else BlobMissingError) from None
        except OSError as error:  # too many open files, say: that passes
            raise storage_error(error) from None

    def unseal(
        self, content_id: bytes, sink: Writable, key: Secret, kind: Kind, photo_id: bytes,
        limit: int,
    ) -> int:  # fmt: skip
        """Open a whole blob into `sink`; see `blob.unseal`."""
        with self.open(content_id) as source:
            return blob.unseal(source, sink, key, kind, photo_id, limit)

    # Blobs on their way in.

    def incoming(self, photo_id: bytes, content_id: bytes) -> IncomingBlob:
        """The place of a blob that is being fetched."""
        return IncomingBlob(self, self._incoming / _partial_name(photo_id, content_id), content_id)

    def small(self, content_id: bytes) -> SmallBlob:
        """The place of one that has a single piece."""
        return SmallBlob(self, content_id)

    def check_room(self, length: int) -> None:
        """As `Space.check`."""
        self._space.check(length)

    def hold(self, length: int, most: int | None = None) -> Room:
        """As `Space.hold`."""
        return self._space.hold(length, most)

    def keep(self, content_id: bytes, ciphertext: bytes) -> None:
        """Write a whole blob, durably."""
        temporary = self._incoming / f"{secrets.token_hex(16)}.sealing"
        with self.hold(len(ciphertext)), self._writing(temporary) as file:
            file.write(ciphertext)
        self._settle_written(temporary, content_id)

    def settle(self, temporary: Path, content_id: bytes) -> None:
        """Give a complete and synced file its final name, durably."""
        self._settled.add(content_id)
        final = self.path(content_id)
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        temporary.replace(final)
        self.away.discard(content_id)
        sync_folder(final.parent)

    def sweep(
        self,
        known: Iterable[bytes],
        expected: Iterable[tuple[bytes, bytes]],
        most: int | None = UNDER_WAY,
    ) -> int:
        """Remove what `leftovers` finds; return how many. For the start, when nothing is made.

        More whole blobs than were under way when a process ended, `most`, are no leftovers of that:
        the library may be an old copy. They stay, and `kinlight doctor` names them.
        """
        known, expected = list(known), list(expected)
        self._take_back(set(known), expected)
        found = self.leftovers(known, expected)
        whole = [file for file in found if file.parent != self._incoming]
        if most is not None and len(whole) > most:
            _log.warning("%d sealed files are in no row of the library; they stay", len(whole))
            found = [file for file in found if file.parent == self._incoming]
        return sum(map(remove_leftover, found))

    def _take_back(self, known: set[bytes], expected: list[tuple[bytes, bytes]]) -> None:
        """What got its final name just before a process ended, and no row: it came whole."""
        for photo_id, content_id in expected:
            place = self.incoming(photo_id, content_id)
            if content_id not in known and content_id in self and place.has_manifest:
                place.take_back()

    def leftovers(
        self, known: Iterable[bytes], expected: Iterable[tuple[bytes, bytes]]
    ) -> list[Path]:
        """Files that no row names: they were being written when a process ended.

        `known` are the content ids of whole blobs that the library has, `expected` the (photo
        id, content id) of those that may still come.
        """
        whole = {content_id.hex() for content_id in known}
        partial = {_partial_name(*pair) for pair in expected}
        found = [file for file in self._incoming.iterdir() if file.stem not in partial]
        found += [
            file for file in self._folder.glob("[0-9a-f][0-9a-f]/*") if file.name not in whole
        ]
        return found

    def is_at_work(self, file: Path) -> bool:
        """Whether this process makes that file just now, or made it since it began.

        What it made and no row names in the end is swept at the next start.
        """
        return file.name in self._sealing or _content_id(file.stem) in self._settled


class Space:
    """The room on a disk, for all the stores that are given the same one.

    Many files are written at a time, and each alone would find room.
    """

    def __init__(self, folder: Path, reserve: int = RESERVE_BYTES) -> None:
        """`reserve` bytes are left free."""
        self._folder = folder
        self._reserve = reserve
        self._rooms = threading.Lock()
        self._held = 0

    def check(self, length: int) -> None:
        """`DiskFullError` where so many bytes would not fit beside all that is being written.

        A disk must not be filled to the last byte, since the library needs room to say so.
        """
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise storage_error(error) from None
        if free < self._held + length + self._reserve:
            raise DiskFullError

    def hold(self, length: int, most: int | None = None) -> Room:
        """Room for a file that is about to be written; `DiskFullError` as `check`.

        Of what comes slowly, or never, no more than `most` is held, but all of it must fit.
        """
        held = length if most is None else min(length, most)
        with self._rooms:
            self.check(length)
            self._held += held
        return Room(self._let_go, held)

    def _let_go(self, length: int) -> None:
        with self._rooms:
            self._held -= length


class Room:
    """Room on the disk for what is not written yet of a file; belongs to one thread at a time."""

    def __init__(self, let_go: Callable[[int], None], length: int) -> None:
        self._let_go = let_go
        self._left = length

    def has(self, length: int) -> bool:
        """Whether so much is still held."""
        return length <= self._left

    def used(self, length: int) -> None:
        """So much was written: the disk itself counts it now."""
        length = min(length, self._left)
        self._left -= length
        self._let_go(length)

    def __enter__(self) -> Room:
        """The room, held."""
        return self

    def __exit__(self, *_: object) -> None:
        """See `end`."""
        self.end()

    def end(self) -> None:
        """Nothing more is written."""
        self.used(self._left)


class _Accounted:
    """A file that is written into room that was held for it."""

    def __init__(self, sink: BinaryIO, room: Room) -> None:
        self._sink = sink
        self._room = room

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of `data`."""
        self._sink.write(data)
        self._room.used(len(data))
        return len(data)


class Incoming(Protocol):
    """The place of a blob that is on its way in."""

    @property
    def resumes(self) -> bool:
        """Whether pieces may be here from an earlier run; then it lies on the disk."""
        ...

    def resume(self, download: Download) -> None:
        """Set `download` to what is here from an earlier run."""
        ...

    def begin(self, manifest: Manifest, have: Bitmap) -> None:
        """Get ready for the pieces that miss; `DiskFullError` where they would not fit."""
        ...

    def write_piece(self, index: int, data: bytes) -> None:
        """Put a checked piece at its place; `DiskFullError` where the rest would not fit."""
        ...

    def end(self) -> None:
        """No piece comes for now."""
        ...

    def unseal(self, sink: Writable, key: Secret, kind: Kind, photo_id: bytes, limit: int) -> int:
        """Open it to the last byte, before it becomes a whole blob; see `blob.unseal`."""
        ...

    def finish(self) -> None:
        """Make it a whole blob, durably; then `discard` what is left, or `take_back`."""
        ...

    def take_back(self) -> None:
        """Undo `finish`: no row came to name the whole blob."""
        ...

    def discard(self) -> None:
        """Forget it."""
        ...


class SmallBlob:
    """One of a single piece: it stays in memory until it is whole, as there is nothing to resume.

    So it is written once, beside many others, and no manifest of it.
    """

    resumes = False

    def __init__(self, store: BlobStore, content_id: bytes) -> None:
        self._store = store
        self._content_id = content_id
        self._header = b""
        self._piece = b""

    def resume(self, download: Download) -> None:
        """Nothing is here."""

    def begin(self, manifest: Manifest, have: Bitmap) -> None:  # noqa: ARG002 - nothing is here
        """See `Incoming`."""
        self._store.check_room(manifest.length)
        self._header = manifest.header

    def write_piece(self, index: int, data: bytes) -> None:
        """See `Incoming`."""
        if index:
            raise ValueError("it has a single piece")
        self._piece = data

    def end(self) -> None:
        """It stays here."""

    def unseal(self, sink: Writable, key: Secret, kind: Kind, photo_id: bytes, limit: int) -> int:
        """See `Incoming`."""
        return blob.unseal(BytesIO(self._ciphertext), sink, key, kind, photo_id, limit)

    def finish(self) -> None:
        """See `Incoming`."""
        self._store.keep(self._content_id, self._ciphertext)

    def take_back(self) -> None:
        """See `Incoming`."""
        self._store.remove(self._content_id)

    def discard(self) -> None:
        """It was nowhere else."""

    @property
    def _ciphertext(self) -> bytes:
        return self._header + self._piece


class IncomingBlob:
    """One partial blob. Each of its pieces was checked before it was written."""

    resumes = True

    def __init__(self, store: BlobStore, stem: Path, content_id: bytes) -> None:
        self._store = store
        self._part = stem.with_name(f"{stem.name}.part")
        self._manifest = stem.with_name(f"{stem.name}.manifest")
        self._content_id = content_id
        self._file: BinaryIO | None = None
        self._room: Room | None = None
        self._missing = 0

    def resume(self, download: Download) -> None:
        """Set `download` to what lies here from an earlier run: each piece is hashed again."""
        try:
            if download.manifest is None:
                download.resume(self._manifest.read_bytes())
        except (OSError, MalformedError):
            return
        manifest = download.manifest
        if manifest is None:
            return
        with contextlib.suppress(FileNotFoundError), self._part.open("rb") as file:
            if file.read(blob.HEADER_BYTES) != manifest.header:
                return
            for index in range(manifest.pieces):
                data = file.read(blob.PIECE_BYTES)
                with contextlib.suppress(PieceMismatchError):
                    manifest.check_piece(index, data)
                    download.have.add(index)

    def begin(self, manifest: Manifest, have: Bitmap) -> None:
        """Open the partial file for writing pieces, keeping those already there; see `Incoming`."""
        # Not by the file's size: it has holes. The last piece counts as a whole one.
        self._missing = min((have.size - have.count) * blob.PIECE_BYTES, manifest.length)
        self._room = self._hold()
        encoded = manifest.encode()
        try:
            # Also where one lies here already: it may have been damaged, or cut by a full disk.
            if not self._manifest.exists() or self._manifest.read_bytes() != encoded:
                write_file(self._manifest, encoded)
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._file.write(manifest.header)
        except BaseException as error:
            self.end()
            if isinstance(error, OSError):
                raise storage_error(error) from None
            raise

    def _hold(self) -> Room:
        return self._store.hold(self._missing, AHEAD_BYTES)

    @contextlib.contextmanager
    def writing(self, manifest: Manifest, have: Bitmap) -> Generator[None]:
        """`begin` and `end`."""
        self.begin(manifest, have)
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Close the partial file; it stays."""
        if self._room is not None:
            self._room.end()
            self._room = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def keep_good(self, manifest: Manifest) -> None:
        """Begin with those pieces of the whole blob's file that are right, if it has any."""
        download = Download(self._content_id, manifest.length)
        download.accept(manifest.encode())
        self.resume(download)
        with self.writing(manifest, download.have):
            if self._content_id not in self._store:
                return
            with self._store.open(self._content_id) as damaged:
                for index in range(manifest.pieces):
                    if index in download.have:
                        continue
                    piece = read_piece(damaged, manifest, index)
                    if piece is not None:
                        self.write_piece(index, piece)

    def write_piece(self, index: int, data: bytes) -> None:
        """See `Incoming`; between `begin` and `end`."""
        if self._file is None or self._room is None:
            raise ValueError("it was not begun")
        if not self._room.has(len(data)):
            self._room.end()
            self._room = self._hold()
        try:
            self._file.seek(blob.piece_offset(index))
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise storage_error(error) from None
        self._room.used(len(data))
        self._missing = max(self._missing - len(data), 0)

    def unseal(self, sink: Writable, key: Secret, kind: Kind, photo_id: bytes, limit: int) -> int:
        """Open it to the last byte, before it becomes a whole blob; see `blob.unseal`."""
        try:
            with self._part.open("rb") as source:
                return blob.unseal(source, sink, key, kind, photo_id, limit)
        except OSError as error:
            raise storage_error(error) from None

    def finish(self) -> None:
        """Make it a whole blob, durably."""
        try:
            with self._part.open("rb+") as file:
                os.fsync(file.fileno())
            self._store.settle(self._part, self._content_id)
        except OSError as error:
            raise storage_error(error) from None

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest lies here: until a row names the whole blob."""
        return self._manifest.exists()

    def take_back(self) -> None:
        """See `Incoming`. What can't be moved now is a leftover for the next start."""
        with contextlib.suppress(OSError):
            self._store.path(self._content_id).replace(self._part)

    def discard(self) -> None:
        """Forget it. What can't be removed now is a leftover for the next start."""
        for file in (self._part, self._manifest):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)


def read_piece(file: BinaryIO, manifest: Manifest, index: int) -> bytes | None:
    """A piece of a blob's file; None if it can't be read or is not what it must be."""
    try:
        file.seek(blob.piece_offset(index))
        piece = file.read(manifest.piece_length(index))
        manifest.check_piece(index, piece)
    except (OSError, PieceMismatchError):
        return None
    return piece


def remove_leftover(file: Path) -> bool:
    """Remove a leftover; whether it was there. Folders that other programs put there are theirs."""
    with contextlib.suppress(OSError):
        if file.is_file():
            file.unlink()
            return True
    return False


def _content_id(stem: str) -> bytes | None:
    """The content id that the name of a blob's file says, whole or not."""
    try:
        return bytes.fromhex(stem.rpartition("-")[2])
    except ValueError:
        return None


def _partial_name(photo_id: bytes, content_id: bytes) -> str:
    return f"{photo_id.hex()}-{content_id.hex()}"
