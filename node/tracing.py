"""Whose copy is it? The invisible marks in files, and what this library knows of them.

file -> the decoder's child -> pixels -> the marks' process -> ids -> watermarks -> contact, receipt
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

from ..crypto.errors import KinlightError
from ..crypto.identity import fingerprint
from . import views_marks, views_sharing
from .decoder import Decoder
from .library import Library
from .loose_files import meant, shown_path
from .mark_service import MarkService
from .mark_wire import SeenMark, Sought
from .receipts import Receipts
from .watermarks import Watermarks

PUBLIC_KEY: Final = b"kinlight: marks that all can see"
"""As `ml.watermark_carrier` has it, which is not loaded here: of what `kinlight mark` sets."""
LOOKED_AT_PX: Final = 4096
"""A mark lies where far smaller pictures still have it."""

Known = Callable[[str, SeenMark], views_marks.TracedMark]


class Tracer:
    """Reads marks with the library's key and with the one that all have."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        service: MarkService,
        watermarks: Watermarks,
        library: Library,
        receipts: Receipts,
    ) -> None:
        self._decoder = decoder
        self._service = service
        self._watermarks = watermarks
        self._library = library
        self._receipts = receipts

    async def run(self, paths: Sequence[Path]) -> AsyncGenerator[views_marks.TracedMark]:
        """All marks of each file; one item without a payload for a file without.

        A file that can't be read says why in its `code`. Raises `NoPhotosError`,
        `MarkUnavailableError`.
        """
        await self._service.start()
        ids, keys = self._watermarks.ids(), self._watermarks.keys()
        sought = [*(Sought(key, ids) for key in keys), Sought(PUBLIC_KEY)]

        def known(file: str, seen: SeenMark) -> views_marks.TracedMark:
            return self._known(file, seen) if seen.sought < len(keys) else raw(file, seen)

        async for found in traced(paths, self._decoder, self._service, sought, known):
            yield found

    def _known(self, file: str, seen: SeenMark) -> views_marks.TracedMark:
        issued = self._watermarks.find(seen.payload)
        if issued is None:
            return raw(file, seen)
        contact = self._library.contact_of(issued.recipient)
        recipient = contact.name if contact else fingerprint(issued.recipient)
        receipt = self._receipts.of_copy(issued.photo_id, issued.recipient)
        return raw(file, seen, recipient, receipt)


async def loosely(paths: Sequence[Path]) -> AsyncGenerator[views_marks.TracedMark]:
    """The same without a library: marks that all can read, by their payload alone."""
    async with Decoder() as decoder, MarkService() as service:
        await service.start()
        async for found in traced(paths, decoder, service, [Sought(PUBLIC_KEY)], raw):
            yield found


async def traced(
    paths: Sequence[Path],
    decoder: Decoder,
    service: MarkService,
    sought: Sequence[Sought],
    known: Known,
) -> AsyncGenerator[views_marks.TracedMark]:
    """All marks of these keys in each file; `known` says what is known of one."""
    files, closed = await meant(paths)
    for folder, error in closed:
        yield views_marks.TracedMark(shown_path(folder), code=error.code)
    for file in files:
        shown = shown_path(file)
        try:
            pixels = await decoder.pixels(file, max_px=LOOKED_AT_PX, srgb=False)
            seen = await service.read(pixels, sought)
        except KinlightError as error:
            yield views_marks.TracedMark(shown, code=error.code)
            continue
        if not seen:
            yield views_marks.TracedMark(shown)
        for mark in seen:
            yield known(shown, mark)


def raw(
    file: str,
    seen: SeenMark,
    recipient: str | None = None,
    receipt: views_sharing.Receipt | None = None,
) -> views_marks.TracedMark:
    """A mark as it was read."""
    return views_marks.TracedMark(
        file,
        seen.payload.hex(),
        round(max(0.0, seen.agreement), 3),
        recipient,
        receipt,
        seen.bound,
        views_marks.Transform(90 * (seen.turn % 4), seen.turn >= 4, round(seen.scale, 3)),
    )
