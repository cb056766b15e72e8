"""The part of `Node` about the room that photos take."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from .client import Client, read_step, several
from .views_space import SpaceItem, SpaceUse


class NodeSpace(Client):
    """Letting photos go from here that others keep, and having them again; see `node.Node`."""

    async def space(self) -> SpaceUse:
        """What photos take here, in bytes."""
        return SpaceUse(**await self._get("space"))

    async def space_clean(
        self,
        *,
        keep: int | None = None,
        older_than: int | None = None,
        own: bool = False,
        dry_run: bool = False,
    ) -> AsyncGenerator[SpaceItem]:
        """Let photos go, the oldest first, until what is here takes at most `keep` bytes; of those
        alone that came more than `older_than` seconds ago. An item for each that was looked at.

        One goes only if somebody who is connected shows a piece of it that is drawn by chance: who
        holds a backup of ours, or its author if that is somebody else. With `own` so do our own
        photos. With `dry_run` all is asked and nothing goes. Raises `BadRequestError`.
        """
        async for line in self._stream(
            "space", "clean", keep=keep, older_than=older_than, own=own, dry_run=dry_run
        ):
            yield read_step(line, SpaceItem)

    async def space_fetch(self, photos: str | Sequence[str] = ()) -> list[SpaceItem]:
        """Have photos again that were let go; all of them if none is named. Those that nobody here
        has come as soon as somebody is. Raises `NoSuchPhotoError`, `AmbiguousIdError`.
        """
        found = await self._post("space", "fetch", photos=several(photos))
        return [SpaceItem(**item) for item in found]
