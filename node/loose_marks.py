"""Files of no library, marked for whoever looks for it: for the command line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

from . import policies
from .decoder import Decoder
from .decoder_wire import Pixels
from .errors import BadRequestError
from .loose_files import shown_path, write_new
from .mark_service import MarkService
from .sources import is_folder, open_file
from .tracing import PUBLIC_KEY
from .views_marks import MarkedFile

POLICY: Final = "clean"
"""A marked copy is made of its pixels: it keeps their colour profile and the date, and no more."""
_PAYLOAD: Final = re.compile("[0-9a-fA-F]{12}")


def payload_of(text: str) -> bytes:
    """The six bytes of a payload in hex; `BadRequestError`."""
    if not _PAYLOAD.fullmatch(text):
        raise BadRequestError("a payload is 12 hex digits")
    return bytes.fromhex(text)


async def marked(
    file: Path, out: Path, payload: bytes, *, into_folder: bool, keep_both: bool
) -> MarkedFile:
    """Write a copy of a file with a mark that everybody can read; the file stays as it is.

    Raises `CannotStripError` for what has no pixels to go by, `CannotMarkError`,
    `MarkUnavailableError`, and what `loose_files.write_new` raises.
    """
    into_folder = into_folder or await asyncio.to_thread(is_folder, out)
    source, status = await asyncio.to_thread(open_file, file)
    with source:
        async with Decoder() as decoder, MarkService() as service:

            async def change(pixels: Pixels) -> Pixels:
                return await service.mark(pixels, PUBLIC_KEY, payload)

            async with policies.leaving(
                decoder, source, file.name, POLICY, change=change
            ) as leaving:
                path = out / leaving.name if into_folder else out
                path, _ = await asyncio.to_thread(
                    write_new, leaving.content or source, path, status.st_mtime_ns,
                    keep_both=keep_both,
                )  # fmt: skip
                return MarkedFile(
                    shown_path(file), shown_path(path), payload.hex(),
                    leaving.facts.format, list(leaving.left_out),
                )  # fmt: skip
