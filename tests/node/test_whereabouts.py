"""Where contacts were reached: what is remembered, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node.addresses import Address
from kinlight.node.database import Database
from kinlight.node.library import Library
from kinlight.node.whereabouts import ADDRESSES_PER_CONTACT, STALE_SECONDS, Whereabouts

from .nodes import NOW
from .people import chain_of

ANNA, BOB = chain_of("Anna"), chain_of("Bob")


@pytest.fixture
def whereabouts(tmp_path: Path) -> Iterator[Whereabouts]:
    """Of Anna and Bob, who were never reached."""
    database = Database(tmp_path / "library.db", Secret(bytes(32)))
    library = Library(database)
    for name, chain in (("Anna", ANNA), ("Bob", BOB)):
        library.add_contact(chain, name, Secret(bytes(32)), NOW)
    yield Whereabouts(database)
    library.close()


def place(number: int) -> Address:
    return Address(f"192.0.2.{number}", 4430)


def test_of_a_contacts_addresses_the_last_used_are_kept(whereabouts: Whereabouts) -> None:
    whereabouts.reached(BOB.identity, place(200), NOW)
    for number in range(ADDRESSES_PER_CONTACT + 4):
        whereabouts.reached(ANNA.identity, place(number), NOW + number)
    found = whereabouts.of(ANNA.identity)
    assert len(found) == ADDRESSES_PER_CONTACT
    assert found[0] == place(ADDRESSES_PER_CONTACT + 3)
    whereabouts.reached(ANNA.identity, place(5), NOW + 1000)
    assert whereabouts.of(ANNA.identity)[0] == place(5)
    assert len(whereabouts.of(ANNA.identity)) == ADDRESSES_PER_CONTACT
    assert whereabouts.known()[BOB.identity] == [place(200)]


def test_an_old_address_is_forgotten_where_there_is_a_later_one(whereabouts: Whereabouts) -> None:
    for contact in (ANNA, BOB):
        whereabouts.reached(contact.identity, place(1), NOW)
    whereabouts.reached(ANNA.identity, place(2), NOW + 1)
    whereabouts.forget_if_stale(place(1), NOW + STALE_SECONDS)
    assert whereabouts.of(ANNA.identity) == [place(2), place(1)]
    whereabouts.forget_if_stale(place(1), NOW + STALE_SECONDS + 1)
    assert whereabouts.of(ANNA.identity) == [place(2)]
    assert whereabouts.of(BOB.identity) == [place(1)]


def test_a_contact_was_here_last_when_the_last_of_their_devices_left(
    whereabouts: Whereabouts,
) -> None:
    assert whereabouts.last_seen() == {ANNA.identity: NOW, BOB.identity: NOW}
    whereabouts.left(ANNA.device, NOW + 60)
    assert whereabouts.last_seen() == {ANNA.identity: NOW + 60, BOB.identity: NOW}
