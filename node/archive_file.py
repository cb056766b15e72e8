"""A backup file on the disk: written to its end or not at all, and read with every byte judged.

docs/spec/archive.md is the format, `protocol.archive` its head. Memory stays small whatever is in
it. All of this blocks on the disk: call it in a thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ..crypto import blob
from ..crypto.blob import HEADER_BYTES, Kind, Manifest, Writable
from ..crypto.errors import KeyFileError, MalformedError, PieceMismatchError, SealBrokenError
from ..crypto.keystore import MAX_FILE_BYTES, KeyFile
from ..crypto.secret import Secret
from ..protocol import archive
from ..protocol.archive import Head, Presence
from .archive_errors import (
    ArchiveDamagedError,
    ArchiveTornError,
    ArchiveVersionError,
    NotAnArchiveError,
)
from .errors import (
    DiskFullError,
    NameTakenError,
    UnreadableFileError,
    UnwritableFolderError,
    storage_error,
)
from .home import sync_folder

_BINARY: Final = getattr(os, "O_BINARY", 0)


class Sealed(Protocol):
    """A sealed blob that is to be written: the manifest to check it by, and its file."""

    def read(self, size: int, /) -> bytes:
        """The next bytes of it."""
        ...


@contextlib.contextmanager
def writing(path: Path, length: int) -> Generator[ArchiveWriter]:
    """A backup file that is there, durably, at the end of the block; nothing, if that fails.

    `length` is about how many bytes it takes. `NameTakenError` where something has that name: an
    older backup is never written over. `DiskFullError` before anything is written, if it can be
    seen that it does not fit, and `UnwritableFolderError`.
    """
    if path.exists():
        raise NameTakenError(str(path))
    part = path.with_name(f".{path.name}.part")
    try:
        # One of an earlier run that was killed is of no use: it is written over.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    except OSError as error:
        raise UnwritableFolderError(f"{path.parent}, {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Not before: where nothing may be written nothing seems to be free either.
            if shutil.disk_usage(path.parent).free < length:
                raise DiskFullError
            yield ArchiveWriter(file)
        if path.exists():
            raise NameTakenError(str(path))
        part.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(error) from None
        raise


class ArchiveWriter:
    """Writes the parts, in their order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def begin(self, key_file: bytes, head: bytes) -> None:
        """What leads to the rest."""
        self._file.write(archive.MAGIC)
        for part in (key_file, head):
            self._file.write(len(part).to_bytes(archive.LENGTH_BYTES) + part)

    def library(self, source: BinaryIO, head: Head) -> None:
        """The database, sealed under a key of its own."""
        blob.seal(source, head.length, self._file, head.library_key, Kind.LIBRARY, head.archive_id)

    def absent(self, presence: Presence) -> None:
        """In the place of a blob that is not here."""
        self._file.write(bytes([presence]))

    def blob(self, manifest: Manifest, source: BinaryIO) -> bool:
        """A blob, each piece checked; False, and `MISSING` in its place, if it is damaged."""
        start = self._file.tell()
        self._file.write(bytes([Presence.HERE]))
        try:
            for part in pieces(manifest, source):
                self._file.write(part)
        except (ArchiveTornError, ArchiveDamagedError):
            self._file.seek(start)
            self._file.truncate()
            self.absent(Presence.MISSING)
            return False
        return True

    def end(self) -> int:
        """All is written: see that it is on the disk. How many bytes it has."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()


def pieces(manifest: Manifest, source: Sealed) -> Generator[bytes]:
    """A sealed blob as it is read, each part checked by its manifest.

    `ArchiveTornError` where it ends too early, `ArchiveDamagedError` for any other byte.
    """
    if _exactly(source, HEADER_BYTES) != manifest.header:
        raise ArchiveDamagedError
    yield manifest.header
    for index in range(manifest.pieces):
        piece = _exactly(source, manifest.piece_length(index))
        try:
            manifest.check_piece(index, piece)
        except PieceMismatchError:
            raise ArchiveDamagedError from None
        yield piece


def _exactly(source: Sealed, length: int) -> bytes:
    data = source.read(length)
    if len(data) != length:
        raise ArchiveTornError
    return data


@dataclass(frozen=True, slots=True)
class _Limited:
    """The next `length` bytes of a file, as if it ended there."""

    file: BinaryIO
    left: list[int]

    def read(self, size: int, /) -> bytes:
        data = self.file.read(min(size, self.left[0]))
        self.left[0] -= len(data)
        return data


class ArchiveReader:
    """Reads the parts, in their order. Use `reading`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        magic = file.read(len(archive.MAGIC))
        if magic != archive.MAGIC:
            raise ArchiveVersionError if magic[:-1] == archive.NAME else NotAnArchiveError
        try:
            self.key_file: Final = KeyFile.decode(self._part(MAX_FILE_BYTES))
        except KeyFileError:
            raise ArchiveDamagedError from None
        self._head = self._part(archive.HEAD_BYTES)

    def _part(self, most: int) -> bytes:
        length = int.from_bytes(_exactly(self._file, archive.LENGTH_BYTES))
        if length > most:
            raise ArchiveDamagedError
        return _exactly(self._file, length)

    def head(self, store_key: Secret) -> Head:
        """What leads to the rest, opened."""
        try:
            return Head.open(store_key, self._head)
        except (SealBrokenError, MalformedError):
            raise ArchiveDamagedError from None

    def library(self, head: Head, sink: Writable) -> None:
        """Open the database into `sink`."""
        length = blob.sealed_length(head.length)
        source = _Limited(self._file, [length])
        try:
            opened = blob.unseal(
                source, sink, head.library_key, Kind.LIBRARY, head.archive_id, head.length
            )
        except SealBrokenError:
            raise (ArchiveTornError if self._is_at_end() else ArchiveDamagedError) from None
        if opened != head.length:
            raise ArchiveDamagedError

    def presence(self) -> Presence:
        """Whether the next blob is there; if it is `HERE`, `pieces(manifest, self)` reads it."""
        try:
            return Presence(_exactly(self._file, 1)[0])
        except ValueError:
            raise ArchiveDamagedError from None

    def read(self, size: int, /) -> bytes:
        """The next bytes of a blob."""
        return self._file.read(size)

    def end(self) -> None:
        """Nothing follows the last blob."""
        if not self._is_at_end():
            raise ArchiveDamagedError

    def _is_at_end(self) -> bool:
        return not self._file.read(1)


@contextlib.contextmanager
def reading(path: Path) -> Generator[ArchiveReader]:
    """A backup file, opened; nothing of it is believed yet."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFileError(f"{path}, {error.strerror}") from None
    with file:
        yield ArchiveReader(file)
