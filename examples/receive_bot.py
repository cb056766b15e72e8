"""Accept every photo of one contact and export it, until COUNT photos came (default: for ever).

python examples/receive_bot.py CONTACT FOLDER [COUNT]
"""

from __future__ import annotations

import asyncio
import sys

from kinlight.node import Node


async def main(contact: str, folder: str, count: int | None = None) -> None:
    """Follow the node's events; the inbox says what they changed."""
    exported: set[str] = set()
    async with Node.open() as node:
        async for _ in node.events():  # the first event says that none is missed from here on
            for offer in await node.inbox():
                if offer.sender != contact or offer.id in exported:
                    continue
                if offer.state == "waiting":
                    await node.accept(offer.id)
                elif offer.state == "stored":
                    file = await node.export(offer.id, folder, keep_both=True)
                    exported.add(offer.id)
                    print(file.path, flush=True)
            if count is not None and len(exported) >= count:
                return


if __name__ == "__main__":
    name, target, *limit = sys.argv[1:]
    asyncio.run(main(name, target, int(limit[0]) if limit else None))
