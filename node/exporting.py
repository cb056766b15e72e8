"""Writing a photo out, byte-exact, under a safe name, never over something else."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from ..crypto.blob import Writable
from ..crypto.errors import SealBrokenError
from ..protocol import limits
from ..protocol.photo import Metadata
from . import names
from .blobstore import BlobStore
from .catalogue import Catalogue
from .errors import DiskFullError, NameTakenError, UnwritableFolderError, storage_error
from .home import sync_folder
from .judge import Judge
from .library import Library, Photo, StoredBlob
from .photo_errors import BlobMissingError


@dataclass(frozen=True, slots=True)
class Exported:
    """Where a photo was written. `already` if the very same file was there before."""

    path: Path
    sha256: str
    length: int
    already: bool


@dataclass(frozen=True, slots=True)
class ExportedPhoto:
    """A photo as it was written, and the clip of a live photo beside it."""

    photo: Exported
    clip: Exported | None


class DigestSink:
    """Hashes what is written, and passes it on if there is somewhere to."""

    def __init__(self, sink: Writable | None = None) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        self._hash.update(data)
        if self._sink is not None:
            self._sink.write(data)
        return len(data)

    def digest(self) -> bytes:
        """SHA-256 of what was written."""
        return self._hash.digest()


class Exporter:
    """Writes whole photos out, their clips included."""

    def __init__(
        self, *, library: Library, catalogue: Catalogue, blobs: BlobStore, judge: Judge
    ) -> None:
        self._library = library
        self._catalogue = catalogue
        self._blobs = blobs
        self._judge = judge

    async def export(self, photo: Photo, folder: Path, *, keep_both: bool) -> ExportedPhoto:
        """Write a photo and then its clip, if it has one, which shares the still's name."""
        written = await self.write(photo, folder, keep_both=keep_both)
        clip_id = self._catalogue.clip_of(photo.photo_id)
        clip = None if clip_id is None else self._library.photo(clip_id)
        if clip is None:
            return ExportedPhoto(written, None)
        still = photo, written.path
        return ExportedPhoto(written, await self.write(clip, folder, keep_both=keep_both, of=still))

    async def write(
        self, photo: Photo, folder: Path, *, keep_both: bool, of: tuple[Photo, Path] | None = None
    ) -> Exported:
        """Write one file; `of` is the still of a clip, and where it was written.

        Raises what `Judge.check_held` raises.
        """
        self._judge.check_held(photo)
        stored = self._library.blob(photo.record.content_id)
        if stored is None:
            raise BlobMissingError
        metadata = photo.metadata
        if of is not None:
            metadata = replace(metadata, name=_clip_name(of[0].metadata, metadata, of[1]))
        return await asyncio.to_thread(
            export, self._blobs, stored, metadata, folder, keep_both=keep_both
        )


def _clip_name(still: Metadata, clip: Metadata, written: Path) -> str:
    """The clip's own name; where the still got a number, the clip gets it too."""
    name = names.file_name(clip.name)
    if names.folded(Path(name).stem) != names.folded(Path(names.file_name(still.name)).stem):
        return name
    return written.stem + Path(name).suffix


def export(
    blobs: BlobStore, stored: StoredBlob, metadata: Metadata, folder: Path, *, keep_both: bool
) -> Exported:
    """Write a photo byte-exact into `folder`, under a safe form of its name, with its time.

    Blocks on the disk. The final name appears only when every byte is on the disk and its hash
    was checked; a file that is there already is never touched.
    """
    make_folder(folder)
    temporary = folder / f".kinlight-{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as sink:
            digest = DigestSink(sink)
            try:
                blobs.unseal(
                    stored.content_id, digest, stored.key, stored.kind, stored.photo_id,
                    limits.PHOTO_BYTES,
                )  # fmt: skip
            except SealBrokenError:
                raise BlobMissingError from None
            sink.flush()
            os.fsync(sink.fileno())
        if digest.digest() != metadata.sha256:
            raise BlobMissingError
        os.utime(temporary, ns=(metadata.modified, metadata.modified))
        path = folder / names.file_name(metadata.name)
        path, already = settle(temporary, path, metadata.sha256, keep_both=keep_both)
        sync_folder(folder)  # only now would the name outlast a cut of power
    except OSError as error:
        if isinstance(storage_error(error), DiskFullError):
            raise DiskFullError from None
        raise UnwritableFolderError(error.strerror or "") from None
    finally:
        temporary.unlink(missing_ok=True)
    return Exported(path, metadata.sha256.hex(), metadata.length, already)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none, and those above it; `UnwritableFolderError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        standing = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
        raise UnwritableFolderError(
            f"{names.shown(standing.name)} is a file, not a folder"
        ) from None
    except OSError as error:
        raise UnwritableFolderError(error.strerror or "") from None


def settle(temporary: Path, wanted: Path, sha256: bytes, *, keep_both: bool) -> tuple[Path, bool]:
    """Give the finished file its name without ever replacing another one.

    Returns the path, and whether the very same file was there before.
    """
    length = temporary.stat().st_size
    path, number = wanted, 1
    while True:
        try:
            rename_new(temporary, path)
            return path, False
        except FileExistsError:
            if _same_content(path, length, sha256):
                return path, True
            if not keep_both:
                raise NameTakenError(str(path)) from None
            number += 1
            path = wanted.with_name(names.numbered(wanted.name, number))


def rename_new(temporary: Path, path: Path) -> None:
    """Rename, or `FileExistsError`: a hard link can't replace anything, a rename on Linux does."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (FAT). Only another program could come in between.
        if path.exists() or path.is_symlink():
            raise FileExistsError(path) from None
        temporary.rename(path)


def _same_content(path: Path, length: int, sha256: bytes) -> bool:
    if not path.is_file() or path.stat().st_size != length:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == sha256
