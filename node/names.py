"""Names that came from elsewhere: made harmless for the file system and for the screen.

The name as sent stays in the metadata. Only here, at the border, does it become a file name.
"""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

MAX_NAME_BYTES: Final = 200
"""Leaves room for ` (12)` and a temporary suffix below the usual limit of 255 bytes."""

MAX_CONTACT_CHARS: Final = 40
MAX_ALBUM_CHARS: Final = 80

_RESERVED: Final = frozenset(
    [
        *("con", "prn", "aux", "nul", "conin$", "conout$"),
        *(f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"),
    ]
)
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')


def file_name(name: str) -> str:
    """A name that is safe on Linux, macOS and Windows, and one component long.

    Path separators, control and bidirectional characters and what Windows forbids become `_`;
    leading dots go; reserved device names get a `_`; the result is NFC and at most
    `MAX_NAME_BYTES` long, its suffix kept. Never empty.
    """
    # What follows the last separator of either kind: `../x.jpg` is x.jpg.
    last = PureWindowsPath(PurePosixPath(name).name).name if name.strip("./\\") else ""
    text = unicodedata.normalize("NFC", last)
    text = "".join("_" if _unsafe(char) else char for char in text)
    text = text.strip().lstrip(".").rstrip(". ")
    if not text.strip("_ ."):
        return "photo"
    if text.split(".")[0].strip().casefold() in _RESERVED:
        text = "_" + text
    return _shorten(text)


def _unsafe(char: str) -> bool:
    return char in _FORBIDDEN or _hidden(char)


def _hidden(char: str) -> bool:
    # Cc control, Cf format (bidirectional marks), Cs surrogates, Co private, Zl/Zp separators.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _shorten(text: str) -> str:
    if len(text.encode()) <= MAX_NAME_BYTES:
        return text
    stem, dot, suffix = text.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, dot, suffix = text, "", ""
    room = MAX_NAME_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + dot + suffix


def numbered(name: str, number: int) -> str:
    """`beach.jpg` as `beach (2).jpg`."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem} ({number}).{suffix}" if dot and stem else f"{name} ({number})"


def marked(name: str, mark: str, suffix: str) -> str:
    """`beach.heic` as `beach (preview).jpg`: a safe name that never passes for the original's."""
    safe = file_name(name)
    stem, dot, _ = safe.rpartition(".")
    tail = f" ({mark}){suffix}"
    room = MAX_NAME_BYTES - len(tail.encode())
    return (stem if dot and stem else safe).encode()[:room].decode("utf-8", "ignore") + tail


def contact_name(text: str) -> str:
    """A name that somebody gives himself, fit for a list and a command line: one line, short."""
    return _one_line(text, MAX_CONTACT_CHARS) or "someone"


def album_name(text: str) -> str | None:
    """The name of an album, say from a folder's: one line, short; None if nothing is left."""
    return _one_line(text, MAX_ALBUM_CHARS)


def _one_line(text: str, longest: int) -> str | None:
    composed = unicodedata.normalize("NFC", text)
    cleaned = "".join(" " if _hidden(char) or char in "/\\" else char for char in composed)
    name = " ".join(cleaned.split())[:longest].strip()
    return name if name.strip(".") else None


def folded(text: str) -> str:
    """Text to compare and to search: the same for all forms and cases of its characters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def shown(text: str) -> str:
    """Text from a peer for a terminal: control, format and bidirectional characters escaped."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if _hidden(char) else char for char in text
    )
