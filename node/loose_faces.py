"""Faces in files of no library, found and hidden: for the command line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import policies
from .decoder import Decoder
from .decoder_wire import Pixels
from .errors import BadRequestError
from .face_service import FaceService
from .face_wire import METHODS, Box, SeenFaces
from .loose_files import shown_path, write_new
from .picture_errors import NoFaceError, UnsureFacesError
from .sources import is_folder, open_file
from .views_faces import AnonymisedFile, FaceItem

POLICY: Final = "clean"
"""The copy is made of its pixels, so that no smaller picture with the faces comes along."""
_BOX: Final = re.compile(r"(-?\d{1,6}),(-?\d{1,6}),(\d{1,6}),(\d{1,6})")


def box_of(text: str) -> Box:
    """A box as it is typed; `BadRequestError`."""
    found = _BOX.fullmatch(text.replace(" ", ""))
    if found is None:
        raise BadRequestError("a box is LEFT,TOP,WIDTH,HEIGHT in pixels")
    left, top, width, height = map(int, found.groups())
    return left, top, width, height


def check_method(method: str) -> None:
    """`BadRequestError` for a way of hiding that is none."""
    if method == "gan":
        raise BadRequestError("there is no generator of faces yet: blur, pixelate or solid")
    if method not in METHODS:
        raise BadRequestError(f"a method is one of {', '.join(METHODS)}")


async def found(file: Path, boxes: Sequence[Box]) -> AnonymisedFile:
    """What would be hidden; nothing is written. Raises as `anonymised`."""
    async with Decoder() as decoder, FaceService() as service:
        await service.start()
        source, _ = await asyncio.to_thread(open_file, file)
        with source:
            pixels = await decoder.pixels(source, srgb=False)
        _, seen = await service.hide(pixels, method=None, boxes=boxes)
    return AnonymisedFile(shown_path(file), None, _items(seen), seen.risk)


async def anonymised(
    file: Path,
    out: Path,
    *,
    boxes: Sequence[Box],
    keep: Sequence[int],
    method: str,
    strict: bool,
    into_folder: bool,
    keep_both: bool,
) -> AnonymisedFile:
    """Write a copy of a file in which the faces are hidden; the file stays as it is.

    Raises `NoFaceError` if none is, `UnsureFacesError` if it must be sure and is not,
    `CannotAnonymiseError`, `FacesUnavailableError`, `CannotStripError` for what has no pixels to go
    by, and what `loose_files.write_new` raises.
    """
    into_folder = into_folder or await asyncio.to_thread(is_folder, out)
    source, status = await asyncio.to_thread(open_file, file)
    with source:
        async with Decoder() as decoder, FaceService() as service:
            await service.start()
            seen = SeenFaces((), "high")

            async def change(pixels: Pixels) -> Pixels:
                nonlocal seen
                made, seen = await service.hide(pixels, method=method, boxes=boxes, keep=keep)
                if strict and seen.risk != "low":
                    raise UnsureFacesError
                if not seen.hidden:  # what nobody changed must not be called anonymised
                    raise NoFaceError
                return made

            async with policies.leaving(
                decoder, source, file.name, POLICY, change=change
            ) as leaving:
                if leaving.content is None:  # never: it would be the file with its faces
                    raise NoFaceError
                path = out / leaving.name if into_folder else out
                path, _ = await asyncio.to_thread(
                    write_new, leaving.content, path, status.st_mtime_ns, keep_both=keep_both
                )
                return AnonymisedFile(
                    shown_path(file), shown_path(path), _items(seen), seen.risk,
                    leaving.facts.format, list(leaving.left_out),
                )  # fmt: skip


def _items(seen: SeenFaces) -> list[FaceItem]:
    return [
        FaceItem(list(face.box), None if face.score is None else round(face.score, 3), face.method)
        for face in seen.faces
    ]
