"""The one place that makes a sealed photo of our own: from a file, or from a copy of one.

file -> hash -> keyed fingerprint -> here already? -> sealed blobs -> signed record -> library

Most large files are new, and lay there for long. One of a size that no file had is hashed while it
is sealed, in one pass, and only then asked for: should it be here after all, what was sealed is let
go. Other large files are read twice, as somebody may be writing them.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mimetypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final
from weakref import WeakValueDictionary

from ..crypto.blob import Kind, Manifest
from ..crypto.errors import SourceChangedError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.photo import Metadata, PhotoRecord, photo_id
from . import names, sources
from .blobstore import BlobStore
from .catalogue import ImportedFile
from .commits import Commits
from .errors import DiskFullError, FileTooLargeError, UnreadableFileError
from .events import Events
from .library import Library, Photo, StoredBlob
from .sources import Marks
from .tasks import to_the_end

_HASH_STEP: Final = 1024 * 1024
_SETTLED_SECONDS: Final = 60.0
"""A file that changed more recently may be changing now, and its times need not say so at once:
some file systems keep even seconds, networks a minute, and what is written through memory shows
when it gets to the disk."""
_IN_MEMORY: Final = 1024 * 1024
"""Files up to this are held in memory between hashing and sealing; larger ones are read again."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, from any thread."""
Same = Callable[[Photo, Metadata], bool]
"""Whether a photo with the content of a file will do for that file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file as a photo: `new` if it was sealed just now. `marks` are as it was read."""

    photo: Photo
    new: bool
    marks: Marks

    @property
    def file(self) -> ImportedFile:
        """To be noted, so that it is read again only if it changes."""
        return ImportedFile(self.photo.photo_id, self.marks)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open file; `source` has its bytes, in memory where they are few, and `sha256` is of them
    if they were read.
    """

    path: Path
    source: BinaryIO
    status: os.stat_result
    sha256: bytes | None

    @property
    def length(self) -> int:
        """In bytes."""
        return self.status.st_size

    @property
    def settled(self) -> bool:
        """Whether nobody seems to be writing it."""
        return time.time() - max(self.status.st_mtime, self.status.st_ctime) > _SETTLED_SECONDS

    def check(self) -> None:
        """Raise `SourceChangedError` if the file is not as it was when it was opened."""
        now = os.fstat(self.source.fileno())
        if _times(now) != _times(self.status) or Marks.of(now) != Marks.of(self.status):
            raise SourceChangedError

    def metadata(self, sha256: bytes) -> Metadata:
        """What goes along with the content."""
        return Metadata(
            name=sendable_name(self.path),
            media_type=mimetypes.guess_type(self.path.name)[0] or "application/octet-stream",
            modified=max(self.status.st_mtime_ns, 0),
            length=self.length,
            sha256=sha256,
            policy="original",
        )


class _Sealing:
    """The keys and names of a photo that is being made."""

    def __init__(self, author: bytes, entropy: Entropy) -> None:
        self.nonce: Final = entropy(16)
        self.photo_id: Final = photo_id(author, self.nonce)
        self.content_key: Final = Secret(entropy(32))
        self.metadata_key: Final = Secret(entropy(32))


def _times(status: os.stat_result) -> tuple[int, int]:
    """When its content and its entry changed last; the first can be set, the second can't."""
    return status.st_mtime_ns, status.st_ctime_ns


def untold(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


class Originals:
    """Seals files. What it returns lies durably in the blob folder and in the library."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        blobs: BlobStore,
        commits: Commits,
        events: Events,
        fingerprint_key: Secret,
        entropy: Entropy,
        now: Callable[[], int],
        size_is_known: Callable[[int], bool],
    ) -> None:
        self._device = device
        self._library = library
        self._blobs = blobs
        self._commits = commits
        self._fingerprint_key = fingerprint_key
        self._entropy = entropy
        self._events = events
        self._now = now
        self._size_is_known = size_is_known
        # Two files of one content must not both find that it is not here yet.
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def take(self, path: Path, progress: Progress, same: Same) -> Taken:
        """The photo for a file, byte-exact: an earlier one that is the `same`, or a new one.

        Raises `UnreadableFileError`, `FileTooLargeError`, `SourceChangedError`, `DiskFullError`.
        """
        opened = await asyncio.to_thread(_open, path, progress)
        with opened.source as source:
            sha256 = opened.sha256
            if sha256 is None and (not opened.settled or self._size_is_known(opened.length)):
                sha256 = await asyncio.to_thread(_hash, source, progress, 2 * opened.length)
            if sha256 is None:
                photo, new = await to_the_end(self._seal_unread(opened, progress, same))
            else:
                photo, new = await self.seal(source, opened.metadata(sha256), progress, same)
        return Taken(photo, new, Marks.of(opened.status))

    async def seal(
        self, source: BinaryIO, metadata: Metadata, progress: Progress, same: Same | None = None
    ) -> tuple[Photo, bool]:
        """A photo of those bytes and that metadata, and whether it is a new one.

        An earlier one will do if it is the `same` (None: ours, with just that metadata).
        `source` is read from its beginning and must be what `metadata` say, else
        `SourceChangedError`; `progress` counts from `length` to twice that.
        """
        fingerprint = self.fingerprint(metadata.sha256)
        async with self._turn(fingerprint):
            here = self._here(fingerprint, metadata, same)
            if here is not None:
                return here, False
            made = await to_the_end(self._seal(source, metadata, fingerprint, progress))
            return made, True

    async def _seal_unread(
        self, opened: _Opened, progress: Progress, same: Same
    ) -> tuple[Photo, bool]:
        """Seal a file that nobody has hashed yet, and find out by that whether it is a new one."""
        sealing = _Sealing(self._device.identity, self._entropy)

        def told(done: int) -> None:
            progress(2 * done, 2 * opened.length)

        manifest, sha256 = await asyncio.to_thread(
            self._seal_content, opened.source, opened.length, told, sealing,
            lambda _: opened.check(),
        )  # fmt: skip
        metadata = opened.metadata(sha256)
        fingerprint = self.fingerprint(sha256)
        async with self._turn(fingerprint):
            here = self._here(fingerprint, metadata, same)
            if here is not None:
                self._blobs.remove(manifest.content_id)
                return here, False
            described = await asyncio.to_thread(self._seal_metadata, metadata, sealing, manifest)
            made = await self._enter(sealing, manifest, described, metadata, fingerprint)
            return made, True

    def _turn(self, fingerprint: bytes) -> asyncio.Lock:
        return self._turns.setdefault(fingerprint, asyncio.Lock())

    def _here(self, fingerprint: bytes, metadata: Metadata, same: Same | None) -> Photo | None:
        for photo in self._library.photos_like(fingerprint, self._device.identity):
            does = self._own_and_equal(photo, metadata) if same is None else same(photo, metadata)
            if does and photo.record.content_id in self._blobs:
                return photo
        return None

    def is_original(self, photo: Photo) -> bool:
        """Whether a photo is ours, and the file as it was; a copy for sharing is not."""
        return photo.author == self._device.identity and photo.metadata.policy == "original"

    def _own_and_equal(self, photo: Photo, metadata: Metadata) -> bool:
        return photo.author == self._device.identity and photo.metadata == metadata

    def fingerprint(self, sha256: bytes) -> bytes:
        """The keyed hash under which the library finds a content again."""
        return hmac.digest(self._fingerprint_key.reveal(), sha256, "sha256")

    async def _seal(
        self, source: BinaryIO, metadata: Metadata, fingerprint: bytes, progress: Progress
    ) -> Photo:
        sealing = _Sealing(self._device.identity, self._entropy)
        manifest, described = await asyncio.to_thread(
            self._seal_both, source, metadata, progress, sealing
        )
        return await self._enter(sealing, manifest, described, metadata, fingerprint)

    async def _enter(
        self,
        sealing: _Sealing,
        manifest: Manifest,
        described: Manifest,
        metadata: Metadata,
        fingerprint: bytes,
    ) -> Photo:
        """Sign the record of a photo whose blobs lie here durably, and enter it."""
        author, new_id = self._device.identity, sealing.photo_id
        record = PhotoRecord.sign(
            self._device.signing, author, sealing.nonce, manifest, described.content_id
        )
        now = self._now()
        blobs = [
            StoredBlob(
                record.content_id, Kind.ORIGINAL, new_id, manifest.encode(), sealing.content_key
            ),
            StoredBlob(
                record.metadata_id, Kind.METADATA, new_id, described.encode(), sealing.metadata_key
            ),
        ]
        try:
            await self._commits.run(
                lambda: self._library.add_photo(record, metadata, blobs, fingerprint, now)
            )
        except DiskFullError:
            for stored in blobs:  # no row names them
                self._blobs.remove(stored.content_id)
            raise
        self._events.publish("photo", id=new_id.hex())
        return Photo(new_id, author, record, metadata, now)

    # In a thread.

    def _seal_both(
        self, source: BinaryIO, metadata: Metadata, progress: Progress, sealing: _Sealing
    ) -> tuple[Manifest, Manifest]:
        """Seal a content that was hashed, and its metadata."""
        length = metadata.length

        def told(done: int) -> None:
            progress(length + done, 2 * length)  # the first half of the work was the hash

        def check(sha256: bytes) -> None:
            if sha256 != metadata.sha256:
                raise SourceChangedError

        source.seek(0)
        manifest, _ = self._seal_content(source, length, told, sealing, check)
        return manifest, self._seal_metadata(metadata, sealing, manifest)

    def _seal_content(
        self,
        source: BinaryIO,
        length: int,
        told: Callable[[int], None],
        sealing: _Sealing,
        check: Callable[[bytes], None],
    ) -> tuple[Manifest, bytes]:
        """Seal so many bytes, and give their SHA-256; `check` gets that and may raise."""
        hashed = _HashedSource(source, told)
        manifest = self._blobs.seal(
            hashed, length, sealing.content_key, Kind.ORIGINAL, sealing.photo_id
        )
        try:
            check(hashed.digest())
        except BaseException:
            self._blobs.remove(manifest.content_id)
            raise
        return manifest, hashed.digest()

    def _seal_metadata(self, metadata: Metadata, sealing: _Sealing, content: Manifest) -> Manifest:
        """Seal the metadata; what was sealed of the `content` goes if that fails."""
        encoded = metadata.encode()
        try:
            return self._blobs.seal(
                BytesIO(encoded), len(encoded), sealing.metadata_key, Kind.METADATA,
                sealing.photo_id,
            )  # fmt: skip
        except BaseException:  # a disk may be full by now
            self._blobs.remove(content.content_id)
            raise


def _open(path: Path, progress: Progress) -> _Opened:
    """Open a file, and read and hash it if it is small; in a thread."""
    source, status = sources.open_file(path)
    try:
        length = status.st_size
        if length > limits.PHOTO_BYTES:
            raise FileTooLargeError(names.shown(path.name))
        if length > _IN_MEMORY:
            return _Opened(path, source, status, None)
        with source:
            source = BytesIO(_content(source, length))
        return _Opened(path, source, status, _hash(source, progress, 2 * length))
    except BaseException:
        source.close()
        raise


def _content(source: BinaryIO, length: int) -> bytes:
    """All of a small file; one that changes its length meanwhile is seen for what it is."""
    try:
        content = source.read(length + 1)
    except OSError as error:
        raise UnreadableFileError(error.strerror or "") from None
    if len(content) != length:
        raise SourceChangedError
    return content


def _hash(source: BinaryIO, progress: Progress, total: int) -> bytes:
    digest = hashlib.sha256()
    done = 0
    try:
        while block := source.read(_HASH_STEP):
            digest.update(block)
            done += len(block)
            progress(done, total)
    except OSError as error:
        raise UnreadableFileError(error.strerror or "") from None
    return digest.digest()


def sendable_name(path: Path) -> str:
    """The file's name as metadata: lone surrogates (bytes that are no UTF-8) are replaced."""
    name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if len(name.encode()) <= limits.NAME_BYTES:
        return name
    return names.file_name(name)


class _HashedSource:
    """Reads through to a file, tells how many bytes went by, and hashes them."""

    def __init__(self, source: BinaryIO, told: Callable[[int], None]) -> None:
        self._source = source
        self._told = told
        self._done = 0
        self._digest = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """The next bytes of the file."""
        try:
            block = self._source.read(size)
        except OSError as error:
            raise UnreadableFileError(error.strerror or "") from None
        self._digest.update(block)
        self._done += len(block)
        self._told(self._done)
        return block

    def digest(self) -> bytes:
        """SHA-256 of what was read."""
        return self._digest.digest()
