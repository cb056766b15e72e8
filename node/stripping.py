"""Policy no-location: a copy with the same coded picture, and of its metadata what is known good.

Nothing is edited out of the metadata: an EXIF is written anew from an allow-list, and what is not
on the allow-list of its format is left out as a whole. The orientation, the colour profile and the
dates stay. One module per family of formats does the work (`strip_*`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .edits import Stripped
from .facts import Buffer, PictureError
from .strip_bmff import strip_bmff
from .strip_chunks import strip_gif, strip_png, strip_webp
from .strip_jpeg import strip_jpeg
from .strip_tiff import strip_tiff

_BY_FORMAT: Final[dict[str, Callable[[Buffer], Stripped]]] = {
    "jpeg": strip_jpeg,
    "png": strip_png,
    "webp": strip_webp,
    "gif": strip_gif,
    "tiff": strip_tiff,
    "heif": strip_bmff,
    "avif": strip_bmff,
    "mp4": strip_bmff,
    "mov": strip_bmff,
}
FORMATS: Final = frozenset(_BY_FORMAT)
"""Formats that `no_location` knows a way for."""


def no_location(data: Buffer, format: str) -> Stripped:  # noqa: A002 - as in `Facts`
    """The edit script of a copy of `data` that tells no place; `format` is by content.

    `PictureError` where the format, or this file, can't be changed safely.
    """
    strip = _BY_FORMAT.get(format)
    if strip is None:
        raise PictureError(f"{format} can't be stripped")
    return strip(data)
