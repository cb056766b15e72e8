"""Checking a backup file, and making a node from it in an empty home.

    file -> library, beside -> blobs, each piece checked -> a new device's keys -> all in its place

What is restored is a new device of the same identity, certified by the recovery words if they are
given, else by the device that was backed up. The keys of that device are used once for it, and not
kept: so the old home, if it still runs, and this one are two devices and never one key twice. All
is brought into a folder of the home that says that there is no node yet; the key file gets its
place last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ..crypto.errors import KeyFileError
from ..crypto.identity import fingerprint
from ..crypto.keystore import Argon2Cost
from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from ..protocol.archive import Head, Presence
from ..protocol.opening import Entropy
from . import archive_file, keys, restored_library
from .archive_errors import ArchiveDamagedError
from .archive_file import ArchiveReader
from .archiving import Named, named
from .database import Database
from .errors import (
    DiskFullError,
    HomeExistsError,
    HomeUnusableError,
    LibraryDamagedError,
    storage_error,
)
from .home import Home, sync_folder, write_file
from .keys import UnlockedKeys
from .views_archive import Archived, ArchiveProgress, Restored

Progress = Callable[[ArchiveProgress], None]

_RESERVE_BYTES: Final = 64 * 1024 * 1024


def untold(_: ArchiveProgress) -> None:
    """Nobody watches."""


def verify(path: Path, secret: Secret | RecoveryWords, progress: Progress = untold) -> Archived:
    """Read a backup file to its end: every byte of it is checked, and nothing is changed.

    Takes the pass phrase that the node had, or the recovery words. Raises `WrongPassphraseError`,
    `WrongWordsError`, `NotAnArchiveError`, `ArchiveVersionError`, `ArchiveTornError`,
    `ArchiveDamagedError`, `NewerLibraryError`.
    """
    with archive_file.reading(path) as reader, tempfile.TemporaryDirectory() as folder:
        opened = _opened_keys(reader, secret)
        head = reader.head(opened.store_key)
        library = Path(folder) / "library.db"
        _bring_library(reader, head, library)
        with contextlib.closing(_opened(library, opened)) as database:
            blobs = named(database)
            away = _away(database)
            photos = int(database.value("SELECT count(*) FROM photos"))
            if database.faults_at_rest():
                raise ArchiveDamagedError
        missing = _each(reader, blobs, away, lambda _: None, progress).missing
        return Archived(str(path), photos, path.stat().st_size, missing, head.time)


def restore(
    path: Path,
    home: Home,
    passphrase: Secret,
    words: RecoveryWords | None,
    *,
    entropy: Entropy,
    now: int,
    cost: Argon2Cost | None = None,
    progress: Progress = untold,
) -> Restored:
    """Make a node in an empty home from a backup file.

    Without `words`, `passphrase` has to be the one that the node had; with them it is a new one. In
    both cases it is the new node's. Raises what `verify` does, `HomeExistsError`, `DiskFullError`,
    and `WordsNeededError` if the device in the file may not certify another.
    """
    if home.exists:
        raise HomeExistsError
    with archive_file.reading(path) as reader:
        opened = _opened_keys(reader, passphrase if words is None else words)
        head = reader.head(opened.store_key)
        with home.lock():
            _make_way(home)
            made = keys.succeed(
                opened, reader.key_file, words, passphrase,
                entropy=entropy, now=now, cost=cost or Argon2Cost(),
            )  # fmt: skip
            try:
                return _bring(path, reader, head, home, opened, made, words, entropy, now, progress)
            except OSError as error:
                raise storage_error(error) from None


def _opened_keys(reader: ArchiveReader, secret: Secret | RecoveryWords) -> UnlockedKeys:
    try:
        return keys.open_key_file(reader.key_file, secret)
    except KeyFileError:  # it is told of a home, and this is a file
        raise ArchiveDamagedError from None


def _make_way(home: Home) -> None:
    """A home without a node, and without what an earlier try left."""
    if home.exists:
        raise HomeExistsError
    if home.restoring.exists():
        shutil.rmtree(home.restoring)
        shutil.rmtree(home.blobs, ignore_errors=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            home.library.with_name(home.library.name + suffix).unlink(missing_ok=True)
    elif home.library.exists() or any(each.is_file() for each in home.blobs.rglob("*")):
        raise HomeUnusableError("there are photos in it, without their keys")
    home.restoring.mkdir(mode=0o700)


def _bring(
    path: Path,
    reader: ArchiveReader,
    head: Head,
    home: Home,
    opened: UnlockedKeys,
    made: keys.Successor,
    words: RecoveryWords | None,
    entropy: Entropy,
    now: int,
    progress: Progress,
) -> Restored:
    staging = home.restoring
    if shutil.disk_usage(staging).free < path.stat().st_size + _RESERVE_BYTES:
        raise DiskFullError
    library, blobs_folder = staging / home.library.name, staging / home.blobs.name
    blobs_folder.mkdir(mode=0o700)
    _bring_library(reader, head, library)
    with contextlib.closing(_opened(library, opened)) as database:
        blobs = named(database)
        away = _away(database)
        found = _each(reader, blobs, away, lambda blob: _file_of(blobs_folder, blob), progress)
        if words is not None:
            database.rekey(made.keys.library_key)
        told = asyncio.run(
            restored_library.take_over(
                database, opened, made.keys, found.removed,
                words=words, entropy=entropy, now=now,
            )
        )  # fmt: skip
    write_file(staging / home.keys.name, made.key_file)
    if hasattr(os, "sync"):
        os.sync()  # all blobs at once: one by one it takes a hundred times as long
    shutil.rmtree(home.blobs, ignore_errors=True)
    blobs_folder.rename(home.blobs)
    library.rename(home.library)
    write_file(home.config, head.config)
    sync_folder(home.path)
    (staging / home.keys.name).rename(home.keys)  # last: a home with keys is a node
    sync_folder(home.path)
    shutil.rmtree(staging, ignore_errors=True)
    return Restored(
        home=str(home.path),
        fingerprint=fingerprint(made.keys.device.identity),
        photos=told.photos,
        contacts=told.contacts,
        missing=found.missing,
        time=head.time,
        certified_by="device" if words is None else "words",
        albums=told.albums,
        waiting=told.waiting,
        undelivered=told.undelivered,
    )


def _bring_library(reader: ArchiveReader, head: Head, library: Path) -> None:
    with _new_file(library) as file:
        reader.library(head, file)


def _opened(library: Path, opened: UnlockedKeys) -> Database:
    try:
        return Database(library, opened.library_key)
    except LibraryDamagedError:  # it is told of a home, and this is a file
        raise ArchiveDamagedError from None


def _new_file(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise storage_error(error) from None


def _file_of(folder: Path, blob: Named) -> Path:
    name = blob.content_id.hex()
    return folder / name[:2] / name


def _away(database: Database) -> set[bytes]:
    """Blobs that the home had let go to make room: somebody else has them."""
    return {row[0] for row in database.rows("SELECT content_id FROM away")}


@dataclass(frozen=True, slots=True)
class _Blobs:
    """How many sealed files the home had none of, and which photos were removed meanwhile."""

    missing: int
    removed: frozenset[bytes]


def _each(
    reader: ArchiveReader,
    blobs: list[Named],
    away: Container[bytes],
    place: Callable[[Named], Path | None],
    progress: Progress,
) -> _Blobs:
    """Read all blobs to the end of the file, each into its place if it has one."""
    missing, removed, done = 0, set[bytes](), 0
    total = sum(each.length for each in blobs)
    for each in blobs:
        match reader.presence():
            case Presence.MISSING:
                missing += each.content_id not in away
            case Presence.REMOVED:
                removed.add(each.photo_id)
            case Presence.HERE:
                path = place(each)
                with contextlib.nullcontext() if path is None else _new_file(path) as file:
                    for part in archive_file.pieces(each.decoded(), reader):
                        if file is not None:
                            file.write(part)
        done += each.length
        progress(ArchiveProgress(done, total))
    reader.end()
    return _Blobs(missing, frozenset(removed))
