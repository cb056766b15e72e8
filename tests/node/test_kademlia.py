"""The table of nodes and the course of a look-up, without a network."""

from __future__ import annotations

import random

import pytest
from kinlight.node.kademlia import (
    ADDRESSES,
    BUCKET,
    CANDIDATES,
    PER_SOURCE,
    Lookup,
    Node,
    Table,
    place,
)
from kinlight.node.multiaddrs import PEER_ID_PREFIX, multiaddr

from .nodes import random_bytes


def node(number: int, addresses: int = 1) -> Node:
    peer = PEER_ID_PREFIX + random_bytes(f"peer {number}", 32)
    host = f"192.0.{number // 250}.{number % 250 + 1}"
    return Node(peer, tuple(multiaddr(host, 4000 + each, peer) for each in range(addresses)))


OWN = node(0)
OTHERS = [node(number) for number in range(1, 400)]


def distance(one: Node, target: bytes) -> int:
    return place(one.peer) ^ place(target)


def test_the_nearest_come_first_and_the_target_before_all() -> None:
    table = Table(OWN.peer)
    for each in OTHERS[:BUCKET]:
        table.met(each)
    target = OTHERS[3].peer
    found = table.closest(target, 5)
    assert found[0].peer == target
    assert found == sorted(found, key=lambda each: distance(each, target))
    assert found == sorted(OTHERS[:BUCKET], key=lambda each: distance(each, target))[:5]


def test_of_the_far_some_are_kept_and_nobody_is_driven_out() -> None:
    table = Table(OWN.peer)
    for each in OTHERS:
        table.met(each)
    far = [each for each in OTHERS if distance(each, OWN.peer).bit_length() == 256]
    assert len(far) > 2 * BUCKET
    assert [each.peer in table for each in far] == [True] * BUCKET + [False] * (len(far) - BUCKET)
    assert not table.has_room(far[-1].peer)
    table.failed(far[0].peer)
    assert far[0].peer not in table
    table.met(far[-1])
    assert far[-1].peer in table


def test_one_network_takes_a_part_of_the_places_and_the_local_one_all() -> None:
    table, farthest = Table(OWN.peer), 256
    far = [each for each in OTHERS if distance(each, OWN.peer).bit_length() == farthest]
    for each in far[: 2 * PER_SOURCE]:
        table.met(each, "8.8.8.8")
    assert len(table) == PER_SOURCE
    assert not table.has_room(far[-1].peer, "8.8.8.8")
    table.met(far[0], "8.8.8.8")  # who stands there may come again
    table.failed(far[0].peer)
    assert table.has_room(far[-1].peer, "8.8.8.8")
    for each in far[2 * PER_SOURCE :]:
        table.met(each)
    assert len(table) == BUCKET


def test_who_names_a_node_three_times_is_one_teller() -> None:
    target = OTHERS[0].peer
    lies = [Node(target, (multiaddr("203.0.113.1", port, target),)) for port in (1, 2, 3)]
    course = Lookup(OWN.peer, target, [])
    course.told(lies)
    assert course.tellers == 1
    assert course.addresses == lies[0].addresses


def test_the_node_itself_and_who_has_no_address_are_not_taken() -> None:
    table = Table(OWN.peer)
    table.met(OWN)
    table.met(Node(OTHERS[0].peer, ()))
    assert len(table) == 0
    course = Lookup(OWN.peer, OTHERS[0].peer, [OWN, Node(OTHERS[1].peer, ())])
    assert course.next() is None


def test_one_who_lies_leaves_room_for_the_words_of_others() -> None:
    target = OTHERS[0].peer
    course = Lookup(OWN.peer, target, [])
    lie = tuple(multiaddr("203.0.113.1", port, target) for port in range(1, 30))
    course.told([Node(target, lie)])
    course.told([OTHERS[0]])
    assert OTHERS[0].addresses[0] in course.addresses
    for _ in range(20):
        course.told([Node(target, lie)])
    assert len(course.addresses) <= ADDRESSES


def test_who_names_thousands_makes_no_look_up_endless() -> None:
    course = Lookup(OWN.peer, OTHERS[0].peer, OTHERS[:BUCKET])
    asked = 0
    fresh = iter(range(1000, 10_000_000))
    while (one := course.next()) is not None:
        asked += 1
        course.told(node(next(fresh)) for _ in range(200))
        assert one.peer != OWN.peer
        if asked > 2000:
            break
    assert asked < 2000
    assert asked <= CANDIDATES * 4


@pytest.mark.parametrize("dead", [0, 60])
def test_every_node_finds_every_other_also_where_a_fifth_is_dead(dead: int) -> None:
    everybody = OTHERS[:300]
    order = random.Random(7)
    tables = {each.peer: Table(each.peer) for each in everybody}
    for each in everybody:  # as if they had come one after the other, and met who asked them
        for other in order.sample(everybody, 60):
            tables[each.peer].met(other)
            tables[other.peer].met(each)
    gone = {each.peer for each in everybody[:dead]}
    alive = everybody[dead:]
    missed = 0
    for _ in range(300):
        one, target = order.sample(alive, 2)
        course = Lookup(one.peer, target.peer, tables[one.peer].closest(target.peer))
        while (asked := course.next()) is not None and not course.tellers:
            if asked.peer in gone:
                course.failed(asked.peer)
            else:
                course.told(tables[asked.peer].closest(target.peer))
        missed += target.addresses != course.addresses
    assert missed <= 3
