"""Words that came out of a picture, made fit to show on one line."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final

from .facts import MAX_TEXT

UTF_16_BE: Final = "utf-16-be"
# Python imports a codec at its first use, and inside the sandbox nothing can be imported.
for _name in (UTF_16_BE, "utf-16-le", "utf-16", "latin-1"):
    codecs.lookup(_name)


def one_line(text: str, limit: int = MAX_TEXT) -> str | None:
    """`text` without control and invisible characters, blanks joined, at most `limit` long.

    None if nothing is left.
    """
    # Four times: what is cut off here may be blanks, which don't count below.
    shown = "".join(" " if _invisible(char) else char for char in text[: 4 * limit])
    return " ".join(shown.split())[:limit].rstrip() or None


def decoded(raw: bytes) -> str:
    """UTF-8 where it is UTF-8, else Latin-1: the two that writers use without saying so."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _invisible(char: str) -> bool:
    # Cc control, Cf format (bidirectional marks), Cs surrogates, Co private, Cn unassigned.
    return unicodedata.category(char)[0] == "C"
