"""The Merkle tree of RFC 9162: one hash for a list, and short proofs of single items of it.

Leaves and nodes are hashed with different first bytes, so that no node passes as a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
MAX_LEAVES: Final = 2**16
MAX_PATH: Final = 16
"""Hashes in the longest proof."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of a list of 1 to `MAX_LEAVES` leaves; `ValueError` for more or none."""
    return _levels(leaves)[-1][0]


def paths(leaves: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """For each leaf the hashes beside its way up, the lowest first; `ValueError` as for `root`."""
    levels = _levels(leaves)[:-1]
    found: list[tuple[bytes, ...]] = []
    for place in range(len(leaves)):
        path: list[bytes] = []
        for level in levels:
            if place ^ 1 < len(level):
                path.append(level[place ^ 1])
            place >>= 1
        found.append(tuple(path))
    return found


def is_in(tree_root: bytes, count: int, place: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether `leaf` is number `place`, from 0, of the `count` leaves under `tree_root`."""
    if not 0 <= place < count <= MAX_LEAVES:
        return False
    last, reached, beside = count - 1, _hash(_LEAF + leaf), list(path)
    while last:
        if place & 1:
            if not beside:
                return False
            reached = _hash(_NODE + beside.pop(0) + reached)
        elif place < last:
            if not beside:
                return False
            reached = _hash(_NODE + reached + beside.pop(0))
        place, last = place >> 1, last >> 1  # the last one without a neighbour goes up as it is
    return not beside and reached == tree_root


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    if not 1 <= len(leaves) <= MAX_LEAVES:
        raise ValueError(f"a tree has 1 to {MAX_LEAVES} leaves")
    levels = [[_hash(_LEAF + leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [
            _hash(_NODE + below[place] + below[place + 1]) for place in range(0, len(below) - 1, 2)
        ]
        levels.append(pairs + below[2 * len(pairs) :])
    return levels


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
