"""The part of `Node` about invisible marks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .client import Client, Paths, absolute, read_step, several
from .views_marks import TracedMark, Transform
from .views_sharing import Receipt


class NodeMarks(Client):
    """Whose copy a file is; see `node.Node`. `share` and `grant` set marks, with `watermark`."""

    async def trace(self, paths: Paths) -> list[TracedMark]:
        """The invisible marks in files, and for whom this node set them; see `TracedMark`.

        Nobody is accused by a mark alone: who has a marked copy can copy the mark into another
        picture. Raises `NoPhotosError`, `MarkUnavailableError`.
        """
        places = [absolute(path) for path in several(paths)]
        return [_mark(line) async for line in self._stream("trace", paths=places)]


def _mark(line: dict[str, Any]) -> TracedMark:
    receipt, transform = line.pop("receipt"), line.pop("transform")
    return replace(
        read_step(line, TracedMark),
        receipt=None if receipt is None else Receipt(**receipt),
        transform=None if transform is None else Transform(**transform),
    )
