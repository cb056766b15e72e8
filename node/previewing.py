"""Previews of a shared album as files, for who has no other way to look at them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .loose_files import write_new
from .views_library import ExportedFile

if TYPE_CHECKING:
    from .node import Node


async def written(node: Node, album: str, folder: Path, limit: int) -> AsyncGenerator[ExportedFile]:
    """Write the preview of each of the first photos that has one, in their order.

    A file is called by the photo's id: its own name comes with the photo. What is there already is
    never touched. Raises `NameTakenError`, `UnwritableFolderError`, `DiskFullError`, and what
    `Node.album_preview` raises.
    """
    found = await node.album_show(album, limit=limit)
    for photo in found.photos:
        if not photo.preview:
            continue
        drawn = await node.album_preview(album, photo.id)
        path, already = await asyncio.to_thread(
            write_new,
            BytesIO(drawn),
            folder / f"{photo.id}.jpg",
            time.time_ns(),  # when it was added is what a member says
            keep_both=False,
        )
        digest = hashlib.sha256(drawn).hexdigest()
        yield ExportedFile(photo.id, str(path), digest, len(drawn), already)
