"""Share the photos of a folder with a contact, and say how each one stands.

    python examples/share_folder.py FOLDER CONTACT

The node must exist (`kinlight up`) and know the contact (`kinlight pair`). Where no daemon runs,
one lives in this process meanwhile; KINLIGHT_PASSPHRASE_FILE names its pass phrase then.
"""

from __future__ import annotations

import asyncio
import sys

from kinlight.node import Node


async def main(folder: str, contact: str) -> int:
    """Share, print, and tell by the exit code whether every photo could be shared."""
    async with Node.open() as node:
        items = await node.share([folder], to=[contact], metadata="original")
    for item in items:
        print(f"{item.name}: {item.state}", item.message or "")
    return 0 if items and all(item.state != "failed" for item in items) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:3])))
