"""The only room with I/O: files, database, sockets, processes, clock and screen.

`Node` is the public Python API:

    from kinlight.node import Node

    async with Node.open() as node:
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .node import Node

__all__ = ["Node"]


def __getattr__(name: str) -> Any:
    # PEP 562: the client's imports are paid for on first use, so that every
    # other module of the room (the command line first of all) starts fast.
    if name == "Node":
        from .node import Node

        return Node
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
