"""Kademlia without its wires: who is near to whom, a table of nodes, and the course of a look-up.

A node's place is the SHA-256 of its peer id; the distance of two places is their exclusive or
(Maymounkov and Mazières, 2002; libp2p's kad-dht). Nothing here opens a connection or reads a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .multiaddrs import Multiaddr

BUCKET: Final = 20
"""Nodes of one range of distances that are kept, and that one answer names."""
ADDRESSES: Final = 8
"""Of one node."""
ADDRESSES_OF_ONE: Final = 3
"""Of these by the word of one other node."""
PER_SOURCE: Final = 4
"""Nodes of one range of distances that call from one network: who has one address could else make
up all that a node knows."""
CANDIDATES: Final = 256
"""Nodes that one look-up keeps in mind, the nearest ones."""


@dataclass(frozen=True, slots=True)
class Node:
    """A peer id and where it is said to be."""

    peer: bytes
    addresses: tuple[Multiaddr, ...]


def place(peer: bytes) -> int:
    """Where a peer id lies."""
    return int.from_bytes(hashlib.sha256(peer).digest())


class Table:
    """Nodes that were met, many of the near and a few of the far: `BUCKET` for each bit by which
    the distance is longer. Who stands in it stays until it fails: nobody is driven out.
    """

    def __init__(self, own: bytes) -> None:
        self._own = own
        self._place = place(own)
        self._buckets: dict[int, dict[bytes, Node]] = {}
        self._sources: dict[bytes, str] = {}

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def __contains__(self, peer: bytes) -> bool:
        return peer in self._buckets.get(self._range(peer), {})

    def get(self, peer: bytes) -> Node | None:
        """What is known of a peer."""
        return self._buckets.get(self._range(peer), {}).get(peer)

    def has_room(self, peer: bytes, source: str = "") -> bool:
        """Whether somebody new from there would be taken. "" stands for the local network."""
        here = self._buckets.get(self._range(peer), {})
        neighbours = sum(self._sources.get(each) == source for each in here) if source else 0
        return peer != self._own and len(here) < BUCKET and neighbours < PER_SOURCE

    def met(self, node: Node, source: str = "") -> None:
        """It is there; what it says of itself now counts."""
        if node.addresses and (node.peer in self or self.has_room(node.peer, source)):
            self._buckets.setdefault(self._range(node.peer), {})[node.peer] = node
            self._sources[node.peer] = source

    def failed(self, peer: bytes) -> None:
        """It did not answer."""
        self._buckets.get(self._range(peer), {}).pop(peer, None)
        self._sources.pop(peer, None)

    def closest(self, target: bytes, count: int = BUCKET) -> list[Node]:
        """The nearest to a peer id, itself first if it is known."""
        goal = place(target)
        every = [node for bucket in self._buckets.values() for node in bucket.values()]
        return sorted(every, key=lambda node: place(node.peer) ^ goal)[:count]

    def _range(self, peer: bytes) -> int:
        return (place(peer) ^ self._place).bit_length()


class Lookup:
    """Finds the nodes nearest to `target` by asking those that are known for nearer ones.

    Whoever drives it asks `next` whom to ask, and tells how that went.
    """

    def __init__(self, own: bytes, target: bytes, start: Iterable[Node]) -> None:
        self._own = own
        self._target = target
        self._goal = place(target)
        self._nodes: dict[bytes, Node] = {}
        self._asked: set[bytes] = set()
        self._failed: set[bytes] = set()
        self.addresses: tuple[Multiaddr, ...] = ()
        """Where the target is said to be."""
        self.tellers = 0
        """How many said so."""
        self.told(start)

    def next(self) -> Node | None:
        """Whom to ask now; None if there is nobody, for now or at all."""
        alive = [node for node in self._sorted() if node.peer not in self._failed][:BUCKET]
        node = next((each for each in alive if each.peer not in self._asked), None)
        if node is not None:
            self._asked.add(node.peer)
        return node

    def told(self, nodes: Iterable[Node]) -> None:
        """Somebody knows these."""
        named: set[bytes] = set()
        for node in list(nodes)[:BUCKET]:
            if node.peer in named:
                continue  # who says a thing twice is one teller
            named.add(node.peer)
            if node.peer == self._own or not node.addresses:
                continue
            if node.peer == self._target:
                self.tellers += 1
                told = node.addresses[:ADDRESSES_OF_ONE]  # a liar leaves room for others
                together = dict.fromkeys([*self.addresses, *told])
                self.addresses = tuple(together)[:ADDRESSES]
            self._nodes.setdefault(node.peer, node)
        for node in self._sorted()[CANDIDATES:]:
            del self._nodes[node.peer]

    def failed(self, peer: bytes) -> None:
        """It did not answer."""
        self._failed.add(peer)

    def _sorted(self) -> list[Node]:
        return sorted(self._nodes.values(), key=lambda node: place(node.peer) ^ self._goal)
