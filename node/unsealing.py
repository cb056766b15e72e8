"""Sealed photos, opened for the decoder: what lies sealed on the disk lies open in memory alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import BinaryIO, Final

from ..crypto.errors import SealBrokenError
from .blobstore import BlobStore
from .decoder import memory_file
from .library import Library, Photo, StoredBlob
from .photo_errors import BlobMissingError
from .picture_errors import PictureRefusedError

MAX_BYTES: Final = 1024 * 1024 * 1024
"""The largest photo that is opened. Larger ones (films, all of them) are only carried."""


@contextlib.asynccontextmanager
async def unsealed(library: Library, blobs: BlobStore, photo: Photo) -> AsyncGenerator[BinaryIO]:
    """The bytes of a photo in a file in memory, while the block runs.

    Raises `BlobMissingError`, and `PictureRefusedError` for more than `MAX_BYTES`.
    """
    if photo.metadata.length > MAX_BYTES:
        raise PictureRefusedError("the file is too large to be opened")
    stored = library.blob(photo.record.content_id)
    if stored is None:
        raise BlobMissingError
    async with blobs.in_memory:
        with memory_file() as file:
            await asyncio.to_thread(_unseal, blobs, stored, file)
            yield file


def _unseal(blobs: BlobStore, stored: StoredBlob, file: BinaryIO) -> None:
    try:
        blobs.unseal(stored.content_id, file, stored.key, stored.kind, stored.photo_id, MAX_BYTES)
    except SealBrokenError:
        raise BlobMissingError from None
