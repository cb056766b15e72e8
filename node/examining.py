"""One picture looked at for signs of editing: the way from a file to what was seen of it.

Its pixels come out of the decoder's sandbox as every picture's do, and go to the process of
`check_service`. What the thresholds were not set on is told apart here, before anything is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from .check_service import CheckService
from .check_wire import Seen
from .decoder import Decoder, Source
from .facts import A_CLIP, Facts
from .picture_errors import (
    CheckDiedError,
    CheckTimeoutError,
    DecoderDiedError,
    DecoderTimeoutError,
    PictureRefusedError,
)

LARGEST: Final = 24_000_000
"""Pixels; as `ml.integrity` has it, which is not loaded here."""
FORMATS: Final = ("jpeg", "png", "webp", "tiff")
"""What the thresholds were set on. Others leave other traces."""
_UNFIT: Final = {
    "bits": "its pixels are not grey or red, green and blue of 8 bits each",
    "palette": "it has a palette of few colours",
    "ink": "its colours are amounts of ink, for printing",
    "large": f"it has more than {LARGEST // 1_000_000} megapixels",
}


@dataclass(frozen=True, slots=True)
class Examined:
    """What was seen, and the seconds that it took once the process was ready."""

    seen: Seen
    seconds: float


async def examine(
    decoder: Decoder,
    service: CheckService,
    facts: Facts,
    opened: Callable[[], AbstractAsyncContextManager[Source]],
    *,
    with_map: bool = False,
) -> Examined:
    """Look at a picture of which the decoder told `facts`; `opened` holds it for as long as needed.

    A picture that ends or outlasts a process is one of which nothing can be told, with that reason.
    Raises `CheckUnavailableError`, and the decoder's errors for when no picture can be opened.
    """
    begun = time.perf_counter()

    def ended(seen: Seen) -> Examined:
        return Examined(seen, round(time.perf_counter() - begun, 3))

    reason = out_of_range(facts)
    if reason is not None:
        return ended(_untold(reason))
    try:
        async with opened() as source:
            picture = await decoder.stored(source, LARGEST)
    except (PictureRefusedError, DecoderDiedError, DecoderTimeoutError) as error:
        return ended(_untold(str(error)))
    if picture.unfit:
        return ended(_untold(_UNFIT[picture.unfit]))
    waited = time.perf_counter()
    try:
        await service.start()
        begun += time.perf_counter() - waited
        return ended(await service.check(picture, with_map=with_map))
    except (CheckDiedError, CheckTimeoutError) as error:
        return ended(_untold(str(error)))


def out_of_range(facts: Facts) -> str | None:
    """Why a picture is not looked at, by what is known of it without its pixels."""
    if facts.refused == A_CLIP:
        return "it is a video"
    if facts.refused is not None:
        return facts.refused
    if facts.damaged:
        return "a part of it is missing or wrong"
    if (facts.frames or 1) > 1:
        return "it is an animation, or has several pages"
    if facts.format not in FORMATS:
        return f"what {facts.format.upper()} files keep of edits is not known well enough"
    return None


def _untold(reason: str) -> Seen:
    return Seen("cannot-tell", reason)
