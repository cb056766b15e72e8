"""Join an album that others keep and export each photo of it, until COUNT came (default: for ever).

python examples/picture_frame.py ALBUM FOLDER [COUNT]
"""

from __future__ import annotations

import asyncio
import sys

from kinlight.node import Node


async def main(name: str, folder: str, count: int | None = None) -> None:
    """Follow the node's events; the album says what they changed."""
    exported: set[str] = set()
    async with Node.open() as node:
        async for _ in node.events():  # the first event says that none is missed from here on
            for album in await node.album_list():
                if album.name != name or album.state not in ("invited", "joined"):
                    continue
                if album.state == "invited":
                    await node.album_join(album.id)
                details = await node.album_show(album.id, limit=album.photos)
                for photo in details.photos:
                    if photo.state == "here" and photo.id not in exported:
                        file = await node.export(photo.id, folder, keep_both=True)
                        exported.add(photo.id)
                        print(file.path, flush=True)
            if count is not None and len(exported) >= count:
                return


if __name__ == "__main__":
    wanted, target, *limit = sys.argv[1:]
    asyncio.run(main(wanted, target, int(limit[0]) if limit else None))
