"""Merkle trees: as RFC 9162 defines them, and nothing but a leaf in its place passes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import merkle

sizes = st.integers(1, 40)


def leaves(count: int) -> list[bytes]:
    return [number.to_bytes(2) for number in range(count)]


def by_definition(items: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word by word."""
    if len(items) == 1:
        return hashlib.sha256(b"\x00" + items[0]).digest()
    split = 1
    while 2 * split < len(items):
        split *= 2
    halves = by_definition(items[:split]) + by_definition(items[split:])
    return hashlib.sha256(b"\x01" + halves).digest()


@given(sizes)
def test_the_root_is_the_one_of_the_rfc(count: int) -> None:
    assert merkle.root(leaves(count)) == by_definition(leaves(count))


@given(sizes)
def test_every_leaf_is_proved_in_its_place_alone(count: int) -> None:
    items = leaves(count)
    root = merkle.root(items)
    for place, (leaf, path) in enumerate(zip(items, merkle.paths(items), strict=True)):
        assert merkle.is_in(root, count, place, leaf, path)
        assert not any(
            merkle.is_in(root, count, other, leaf, path) for other in range(count) if other != place
        )


@given(st.data())
def test_nothing_else_is_proved(data: st.DataObject) -> None:
    count = data.draw(sizes)
    items, place = leaves(count), data.draw(st.integers(0, count - 1))
    root, path = merkle.root(items), merkle.paths(items)[place]
    assert not merkle.is_in(root, count, place, b"other", path)
    assert not merkle.is_in(bytes(32), count, place, items[place], path)
    assert not merkle.is_in(root, count, place, items[place], (*path, bytes(32)))
    assert not merkle.is_in(root, count, count, items[place], path)
    if path:
        assert not merkle.is_in(root, count, place, items[place], path[:-1])
        assert not merkle.is_in(root, count, place, items[place], (bytes(32), *path[1:]))


def test_a_node_is_no_leaf() -> None:
    items = leaves(4)
    hashes = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in items]
    other = hashlib.sha256(b"\x01" + hashes[2] + hashes[3]).digest()
    assert not merkle.is_in(merkle.root(items), 2, 0, hashes[0] + hashes[1], (other,))


@pytest.mark.parametrize("count", [0, merkle.MAX_LEAVES + 1])
def test_a_tree_of_no_leaves_or_too_many_is_not_made(count: int) -> None:
    with pytest.raises(ValueError, match="leaves"):
        merkle.root([b""] * count)


def test_the_largest_tree_has_proofs_of_the_greatest_length() -> None:
    items = leaves(merkle.MAX_LEAVES)
    path = merkle.paths(items)[-1]
    assert len(path) == merkle.MAX_PATH
    assert merkle.is_in(merkle.root(items), len(items), len(items) - 1, items[-1], path)
