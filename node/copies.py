"""Copies for sharing: a photo that goes in an original's place, in the form that is demanded.

A copy is a photo of its own, with an id, a record and its policy in its metadata. It is made once
and remembered; the original stays. Where nothing had to be removed, the original itself goes. One
with an invisible mark is made once for each recipient, whose receipt for it names that copy alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
from dataclasses import dataclass
from functools import partial, reduce
from typing import BinaryIO, Final
from weakref import WeakValueDictionary

from ..crypto.errors import LocalError
from ..protocol.errors import UnmadeRenditionError
from ..protocol.rendition import Rendition
from . import policies, sniffing
from .blobstore import BlobStore
from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .decoder import Decoder
from .decoder_wire import Pixels
from .derivations import Copy, Derivations
from .facts import Facts
from .forms import ORIGINAL, Form
from .library import Library, Photo
from .mark_service import MarkService
from .originals import Originals, Progress
from .photo_errors import PhotoAwayError
from .picture_errors import CannotStripError
from .policies import Leaving
from .unsealing import MAX_BYTES, unsealed
from .watermarks import Watermarks

_STEP: Final = 1024 * 1024

_Key = tuple[bytes, Form, bytes]


@dataclass(frozen=True, slots=True)
class Sendable:
    """What goes: the photo, what it lacks of its original, and what it tells, in words."""

    photo: Photo
    left_out: tuple[str, ...]
    leaves: tuple[str, ...]

    def without(self, word: str) -> Sendable:
        """The same, with one more word for what it lacks."""
        lacking = dict.fromkeys((*self.left_out, word))
        return dataclasses.replace(self, left_out=tuple(lacking))


class Copies:
    """Makes and finds copies."""

    def __init__(
        self,
        *,
        library: Library,
        catalogue: Catalogue,
        derivations: Derivations,
        blobs: BlobStore,
        decoder: Decoder,
        cataloguer: Cataloguer,
        originals: Originals,
        mark_service: MarkService,
        watermarks: Watermarks,
    ) -> None:
        self._library = library
        self._catalogue = catalogue
        self._derivations = derivations
        self._blobs = blobs
        self._decoder = decoder
        self._cataloguer = cataloguer
        self._originals = originals
        self._mark_service = mark_service
        self._watermarks = watermarks
        self._turns: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def under(
        self,
        form: Form,
        source: Photo,
        progress: Progress,
        *,
        looked: bool = True,
        recipient: bytes | None = None,
    ) -> Sendable:
        """What goes of `source` in that form; what an original tells is not found out if not
        `looked`. A marked one is for the identity `recipient` alone.

        Raises `UnmadeRenditionError` for a marked one for nobody in particular, what `MarkService`
        raises, `CannotStripError`, `StripFailedError`, the decoder's errors, `BlobMissingError`
        and `DiskFullError`.
        """
        if form == ORIGINAL:
            if source.record.content_id in self._blobs.away:
                raise PhotoAwayError
            facts = self._catalogue.facts(source.photo_id)
            if facts is None and looked:
                with contextlib.suppress(LocalError):  # it goes whether it opens or not
                    facts = await self._cataloguer.look(source)
            return Sendable(source, (), told(facts))
        whom = b""
        if form.watermarked:
            if recipient is None:
                raise UnmadeRenditionError("a mark names one person, and this is for several")
            whom = recipient
        async with self._turns.setdefault((source.photo_id, form, whom), asyncio.Lock()):
            known = self._derivations.copy(source.photo_id, form, whom)
            photo = self._library.photo(known.photo_id) if known else None
            if known is None or photo is None or photo.record.content_id not in self._blobs:
                known, photo = await self._make(form, source, whom, progress)
            facts = self._catalogue.facts(photo.photo_id)
            if facts is None:  # nothing had to be left out, so it is the original that goes
                with contextlib.suppress(LocalError):
                    facts = await self._cataloguer.look(photo)
            return Sendable(photo, known.left_out, told(facts))

    def rendition(self, photo: Photo) -> Rendition:
        """What one of our own photos really is, by how it was made: what it may be given for."""
        forms = [Form(photo.metadata.policy), *self._derivations.forms(photo.photo_id)]
        return reduce(Rendition.combine, (form.rendition for form in forms))

    def origin(self, photo: Photo) -> tuple[Photo, Form]:
        """What a copy was made of, and the form that the copy has; of any other photo, itself."""
        source = self._library.photo(self._derivations.source(photo.photo_id))
        if source is None or source.photo_id == photo.photo_id:
            return photo, ORIGINAL
        found = [Form(photo.metadata.policy), *self._derivations.forms(photo.photo_id)]
        return source, reduce(Form.within, found)

    async def _make(
        self, form: Form, source: Photo, recipient: bytes, progress: Progress
    ) -> tuple[Copy, Photo]:
        if source.metadata.length > MAX_BYTES:
            raise CannotStripError("the file is too large to be changed")
        name, photo = source.metadata.name, source
        mark_id = self._watermarks.new_id() if form.watermarked else None
        change = None if mark_id is None else partial(self._mark, mark_id=mark_id)
        async with (
            unsealed(self._library, self._blobs, source) as file,
            policies.leaving(
                self._decoder, file, name, form.policy, max_px=form.max_px, change=change
            ) as leaving,
        ):
            if leaving.content is not None:
                photo = await self._seal(leaving.content, leaving, form.policy, source, progress)
        copy = Copy(photo.photo_id, leaving.left_out)
        if mark_id is not None:  # before the copy can be found, and so before it can go
            self._watermarks.put(mark_id, photo.photo_id, recipient)
        self._derivations.put_copy(source.photo_id, form, copy, recipient)
        return copy, photo

    async def _mark(self, pixels: Pixels, *, mark_id: bytes) -> Pixels:
        return await self._mark_service.mark(pixels, self._watermarks.key(), mark_id)

    async def _seal(
        self, content: BinaryIO, leaving: Leaving, policy: str, source: Photo, progress: Progress
    ) -> Photo:
        metadata = dataclasses.replace(
            source.metadata,
            name=leaving.name,
            media_type=leaving.media_type or source.metadata.media_type,
            length=content.seek(0, 2),
            sha256=await asyncio.to_thread(_digest, content),
            policy=policy,
        )
        photo, _ = await self._originals.seal(content, metadata, progress)
        # Without the id of a live photo: the copy is no half of one.
        self._catalogue.put_facts(photo.photo_id, dataclasses.replace(leaving.facts, pair=None))
        return photo


def told(facts: Facts | None) -> tuple[str, ...]:
    """What a picture tells beside what it shows, in words, as far as that is known."""
    if facts is None or facts.format not in sniffing.READ:
        return ("whatever is in it",)
    words = (
        ("place", facts.location),
        ("time", facts.captured is not None),
        ("camera", facts.camera is not None),
    )
    return tuple(word for word, holds in words if holds)


def _digest(content: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    content.seek(0)
    while block := content.read(_STEP):
        digest.update(block)
    return digest.digest()
