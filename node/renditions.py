"""Renditions: pictures made from an original to be looked at, upright, in sRGB, as JPEG.

They are made in one place and once, sealed like everything else, and made again if they are lost.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from weakref import WeakValueDictionary

from ..crypto.blob import Kind
from ..crypto.errors import LocalError, SealBrokenError
from ..crypto.secret import Secret
from ..protocol.opening import Entropy
from ..protocol.photo import Metadata
from . import names
from .blobstore import BlobStore
from .decoder import Decoder, Source
from .decoder_wire import ENCODED_BYTES, Pixels
from .derivations import Derivations
from .errors import BadRequestError
from .library import Library, Photo, StoredBlob
from .photo_errors import BlobMissingError
from .picture_errors import DecoderDiedError, DecoderTimeoutError, PictureRefusedError
from .unsealing import unsealed


@dataclass(frozen=True, slots=True)
class Size:
    """No side is longer than `pixels`; `quality` is JPEG's."""

    pixels: int
    quality: int


SIZES: Final = {
    # A screen's width. 42 to 45 dB from the pixels at 85, about 400 kB; 95 takes twice that.
    "preview": Size(2048, 85),
    # Seen by the dozen and small, where blocks show less than at full size.
    "thumbnail": Size(320, 75),
}
TRIES: Final = 2
"""How often a picture may kill or outlast the decoder before it is left alone."""

_Key = tuple[bytes, str]


def described(metadata: Metadata, name: str, body: bytes) -> Metadata:
    """Under which name a rendition of a photo is written to a file, and what that is to be."""
    return dataclasses.replace(
        metadata,
        name=names.marked(metadata.name, name, ".jpg"),
        media_type="image/jpeg",
        length=len(body),
        sha256=hashlib.sha256(body).digest(),
    )


class Renditions:
    """Makes renditions of any photo that is here, and keeps them."""

    def __init__(
        self,
        *,
        library: Library,
        derivations: Derivations,
        blobs: BlobStore,
        decoder: Decoder,
        entropy: Entropy,
    ) -> None:
        self._library = library
        self._derivations = derivations
        self._blobs = blobs
        self._decoder = decoder
        self._entropy = entropy
        self._turns: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        self._failures: dict[bytes, list[LocalError]] = {}

    async def get(self, photo: Photo, name: str) -> bytes:
        """A JPEG of the photo: `preview` or `thumbnail`; of a clip, of its first good frame.

        Raises the decoder's error for a picture that can't be opened, and does not open it again
        until the node is next unlocked.
        """
        if name not in SIZES:
            raise BadRequestError(f"a rendition is one of {', '.join(SIZES)}")
        async with self._turns.setdefault((photo.photo_id, name), asyncio.Lock()):
            kept = self._kept(photo, name)
            if kept is not None:
                try:
                    return await asyncio.to_thread(self._unseal, kept)
                except BlobMissingError:
                    pass  # lost or damaged: it is made again
            return await self._make(photo, name)

    async def drawn(self, source: Source, size: Size) -> tuple[Pixels, bytes]:
        """A picture at that size, and as a JPEG, which nothing keeps; raises the decoder's errors.

        For what is not in the library too: nobody's bytes are shown but as pixels drawn anew.
        """
        pixels = await self._decoder.pixels(source, max_px=size.pixels)
        return pixels, await self._decoder.encode(pixels, "jpeg", quality=size.quality)

    async def draw_photo(self, photo: Photo, size: Size) -> bytes:
        """A photo that is here as such a JPEG; raises `BlobMissingError` too."""
        async with unsealed(self._library, self._blobs, photo) as file:
            _, drawn = await self.drawn(file, size)
        return drawn

    async def stored(self, photo: Photo, name: str) -> tuple[StoredBlob, Metadata]:
        """The sealed rendition, and the name and the hash to write it to a file with."""
        body = await self.get(photo, name)
        kept = self._kept(photo, name)
        if kept is None:
            raise BlobMissingError
        return kept, described(photo.metadata, name, body)

    def size(self, photo_id: bytes, name: str) -> tuple[int, int]:
        """Width and height of a rendition that was made."""
        return self._derivations.size(photo_id, name)

    def _kept(self, photo: Photo, name: str) -> StoredBlob | None:
        content_id = self._derivations.rendition(photo.photo_id, name)
        return None if content_id is None else self._library.blob(content_id)

    def _unseal(self, stored: StoredBlob) -> bytes:
        sink = BytesIO()
        try:
            self._blobs.unseal(
                stored.content_id, sink, stored.key, stored.kind, stored.photo_id, ENCODED_BYTES
            )
        except SealBrokenError:
            raise BlobMissingError from None
        return sink.getvalue()

    async def _make(self, photo: Photo, name: str) -> bytes:
        failures = self._failures.get(photo.photo_id, [])
        if len(failures) >= TRIES or any(isinstance(f, PictureRefusedError) for f in failures):
            raise failures[-1]
        try:
            async with unsealed(self._library, self._blobs, photo) as file:
                pixels, made = await self.drawn(file, SIZES[name])
        except (PictureRefusedError, DecoderDiedError, DecoderTimeoutError) as error:
            self._failures.setdefault(photo.photo_id, []).append(error)
            raise
        key = Secret(self._entropy(32))
        manifest = await asyncio.to_thread(
            self._blobs.seal, BytesIO(made), len(made), key, Kind.RENDITION, photo.photo_id
        )
        stored = StoredBlob(
            manifest.content_id, Kind.RENDITION, photo.photo_id, manifest.encode(), key
        )
        self._derivations.put_rendition(name, stored, (pixels.width, pixels.height))
        return made
