"""The name of a colour profile (ICC.1:2022, the profileDescriptionTag of versions 2 and 4)."""

from __future__ import annotations

import struct
from typing import Final

from .plain_text import UTF_16_BE, one_line

MAX_TAGS: Final = 200
MAX_LANGUAGES: Final = 200
MAX_NAME: Final = 1024
"""Bytes of a name that are looked at."""


def description(profile: bytes) -> str | None:
    """The profile's description on one line, in English where there is a choice; None without."""
    if profile[36:40] != b"acsp":
        return None
    try:
        return _description(profile)
    except struct.error:  # a table that runs past the end
        return None


def _description(profile: bytes) -> str | None:
    (count,) = struct.unpack_from(">I", profile, 128)
    for index in range(min(count, MAX_TAGS)):
        tag, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if tag == b"desc":
            return _text(profile[offset : offset + size])
    return None


def _text(tag: bytes) -> str | None:
    if tag[:4] == b"mluc":
        return _of_languages(tag)
    # `desc` gives a length before its text, `text` does not.
    start = 12 if tag[:4] == b"desc" else 8
    raw = tag[start : start + MAX_NAME].partition(b"\0")[0]
    return one_line(raw.decode("latin-1"))


def _of_languages(tag: bytes) -> str | None:
    count, width = struct.unpack_from(">II", tag, 8)
    names: dict[bytes, str | None] = {}
    for index in range(min(count, MAX_LANGUAGES)):
        language, _, size, offset = struct.unpack_from(">2s2sII", tag, 16 + index * max(width, 12))
        raw = tag[offset : offset + min(size, MAX_NAME)]
        names.setdefault(language, one_line(raw.decode(UTF_16_BE, "replace")))
    return names.get(b"en") or next(iter(names.values()), None)
