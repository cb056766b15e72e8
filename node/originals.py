"""The one place that makes a sealed photo of our own: from a file, or from a copy of one.

file -> hash -> keyed fingerprint -> here already? -> sealed blobs -> signed record -> library
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import mimetypes
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

_HASH_STEP: Final = 1024 * 1024
_IN_MEMORY: Final = 1024 * 1024
"""Files up to this are read once; larger ones are read to be hashed, and again to be sealed."""

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
class _Read:
    """A file that was read and hashed; `source` has its bytes, in memory where they are few."""

    source: BinaryIO
    metadata: Metadata
    marks: Marks


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
    ) -> None:
        self._device = device
        self._library = library
        self._blobs = blobs
        self._commits = commits
        self._fingerprint_key = fingerprint_key
        self._entropy = entropy
        self._events = events
        self._now = now
        # Two files of one content must not both find that it is not here yet.
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def take(self, path: Path, progress: Progress, same: Same) -> Taken:
        """The photo for a file, byte-exact: an earlier one that is the `same`, or a new one.

        Raises `UnreadableFileError`, `FileTooLargeError`, `SourceChangedError`, `DiskFullError`.
        """
        read = await asyncio.to_thread(_read, path, progress)
        with read.source:
            photo, new = await self.seal(read.source, read.metadata, progress, same)
        return Taken(photo, new, read.marks)

    async def seal(
        self, source: BinaryIO, metadata: Metadata, progress: Progress, same: Same | None = None
    ) -> tuple[Photo, bool]:
        """A photo of those bytes and that metadata, and whether it is a new one.

        An earlier one will do if it is the `same` (None: ours, with just that metadata).
        `source` is read from its beginning and must be what `metadata` say, else
        `SourceChangedError`; `progress` counts from `length` to twice that.
        """
        fingerprint = self.fingerprint(metadata.sha256)
        async with self._turns.setdefault(fingerprint, asyncio.Lock()):
            for photo in self._library.photos_like(fingerprint, self._device.identity):
                does = (
                    self._own_and_equal(photo, metadata) if same is None else same(photo, metadata)
                )
                if does and photo.record.content_id in self._blobs:
                    return photo, False
            sealing = asyncio.create_task(self._seal(source, metadata, fingerprint, progress))
            try:
                return await asyncio.shield(sealing), True
            finally:
                # Whoever asked may have gone: its threads would go on, and no row name their files.
                await asyncio.wait({sealing})
                if not sealing.cancelled():
                    sealing.exception()

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
        author = self._device.identity
        nonce = self._entropy(16)
        new_id = photo_id(author, nonce)
        content_key, metadata_key = Secret(self._entropy(32)), Secret(self._entropy(32))
        manifest, metadata_manifest = await asyncio.to_thread(
            self._seal_both, source, metadata, progress, (content_key, metadata_key), new_id
        )
        record = PhotoRecord.sign(
            self._device.signing, author, nonce, manifest, metadata_manifest.content_id
        )
        now = self._now()
        blobs = [
            StoredBlob(record.content_id, Kind.ORIGINAL, new_id, manifest.encode(), content_key),
            StoredBlob(
                record.metadata_id, Kind.METADATA, new_id,
                metadata_manifest.encode(), metadata_key,
            ),
        ]  # fmt: skip
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

    def _seal_both(
        self,
        source: BinaryIO,
        metadata: Metadata,
        progress: Progress,
        keys: tuple[Secret, Secret],
        photo_id: bytes,
    ) -> tuple[Manifest, Manifest]:
        """Seal the content and the metadata; in a thread."""
        source.seek(0)
        checked = _CheckedSource(source, progress, metadata.length)
        manifest = self._blobs.seal(checked, metadata.length, keys[0], Kind.ORIGINAL, photo_id)
        try:
            if checked.digest() != metadata.sha256:
                raise SourceChangedError
            encoded = metadata.encode()
            return manifest, self._blobs.seal(
                BytesIO(encoded), len(encoded), keys[1], Kind.METADATA, photo_id
            )
        except BaseException:  # a disk may be full by now
            self._blobs.remove(manifest.content_id)
            raise


def _read(path: Path, progress: Progress) -> _Read:
    """Open and hash a file; in a thread. Raises as `Originals.take`."""
    source, status = sources.open_file(path)
    try:
        length = status.st_size
        if length > limits.PHOTO_BYTES:
            raise FileTooLargeError(names.shown(path.name))
        if length <= _IN_MEMORY:
            with source:
                source = BytesIO(_content(source, length))
        metadata = Metadata(
            name=sendable_name(path),
            media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            modified=max(status.st_mtime_ns, 0),
            length=length,
            sha256=_hash(source, progress, 2 * length),
            policy="original",
        )
    except BaseException:
        source.close()
        raise
    return _Read(source, metadata, Marks.of(status))


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


class _CheckedSource:
    """Reads through to a file and hashes what goes by, so that a change is noticed."""

    def __init__(self, source: BinaryIO, progress: Progress, length: int) -> None:
        self._source = source
        self._progress = progress
        self._length = length
        self._done = length  # the first half of the work was the hash
        self._digest = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """The next bytes of the file."""
        try:
            block = self._source.read(size)
        except OSError as error:
            raise UnreadableFileError(error.strerror or "") from None
        self._digest.update(block)
        self._done += len(block)
        self._progress(self._done, 2 * self._length)
        return block

    def digest(self) -> bytes:
        """SHA-256 of what was read."""
        return self._digest.digest()
