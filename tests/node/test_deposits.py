"""What is to be left with whom, and what is over: as rows, for thousands at a time."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node.database import Database
from kinlight.node.deposits import CONFIRM_SECONDS, Deposits

from .nodes import NOW

DEVICE, OWNER, HOLDER, OTHER, THIRD = (bytes([number]) * 32 for number in range(5))


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    database = Database(tmp_path / "library.db", Secret(bytes(32)))
    database.rows("PRAGMA foreign_keys = OFF")  # no photos and no contacts are needed here
    yield database
    database.close()


def queue(database: Database, count: int, *, created: int = NOW) -> list[bytes]:
    hashes = [number.to_bytes(32) for number in range(1, count + 1)]
    for number, envelope_hash in enumerate(hashes, 1):
        database.write(
            "INSERT INTO deliveries (envelope_hash, photo_id, identity, device, envelope, state,"
            " created, updated, number) VALUES (?, x'', ?, ?, x'', 'queued', ?, ?, ?)",
            envelope_hash, OWNER, DEVICE, created, created, number,
        )  # fmt: skip
    return hashes


def to_leave(deposits: Deposits, *, now: int = NOW, after: int = 0, most: int = 64) -> list[bytes]:
    found, _ = deposits.to_leave(DEVICE, HOLDER, now=now, before=now, after=after, most=most)
    return [delivery.envelope_hash for delivery in found]


def test_no_more_are_looked_at_than_is_said_whatever_is_found(database: Database) -> None:
    deposits, hashes = Deposits(database), queue(database, 10)
    for envelope_hash in hashes[:7]:
        deposits.put(envelope_hash, HOLDER, "held", None, NOW)
    pages, after = list[tuple[int, int | None]](), 0
    while after is not None:
        found, after = deposits.to_leave(DEVICE, HOLDER, now=NOW, before=NOW, after=after, most=4)
        pages.append((len(found), after))
    assert pages == [(0, 4), (1, 8), (2, 10), (0, None)]


def test_what_is_held_by_as_many_as_it_needs_is_left_with_no_other(database: Database) -> None:
    deposits, (one, two) = Deposits(database), queue(database, 2)
    for holder in (OTHER, THIRD):
        deposits.put(one, holder, "held", None, NOW)
    deposits.put(two, OTHER, "held", None, NOW)
    assert to_leave(deposits) == [two]


def test_what_is_held_is_left_again_each_time_after_twice_as_long(database: Database) -> None:
    deposits, (one,) = Deposits(database), queue(database, 1)
    now, pauses = NOW, list[int]()
    for _ in range(5):
        deposits.put(one, HOLDER, "held", None, now)
        since, step = now, CONFIRM_SECONDS
        while not to_leave(deposits, now=now):
            now += step
        pauses.append((now - since) // CONFIRM_SECONDS)
    assert pauses == [1, 1, 2, 4, 8]


def test_what_is_over_is_found_a_page_at_a_time(database: Database) -> None:
    deposits, hashes = Deposits(database), queue(database, 6)
    for envelope_hash in hashes:
        deposits.put(envelope_hash, HOLDER, "held", None, NOW)
    database.write("UPDATE deliveries SET state = 'delivered' WHERE number = 2")
    database.write("DELETE FROM deliveries WHERE number = 5")
    assert deposits.over(HOLDER, b"", 3) == ([hashes[1]], hashes[2])
    assert deposits.over(HOLDER, hashes[2], 3) == ([hashes[4]], hashes[5])
    assert deposits.over(HOLDER, hashes[5], 3) == ([], None)
    assert deposits.over(OTHER, b"", 3) == ([], None)


def test_what_lies_with_a_dismissed_holder_is_over_there_and_to_be_left_anew(
    database: Database,
) -> None:
    deposits, (one, two) = Deposits(database), queue(database, 2)
    deposits.put(one, OTHER, "held", None, NOW)
    for holder in (OTHER, THIRD):
        deposits.put(two, holder, "held", None, NOW)
    database.write("UPDATE deliveries SET state = 'held'")
    deposits.dismiss(OWNER, lambda holder: holder == THIRD)
    assert deposits.over(OTHER, b"", 9)[0] == [one, two]
    assert deposits.over(THIRD, b"", 9)[0] == []
    states = database.rows("SELECT state FROM deliveries ORDER BY number")
    assert [row[0] for row in states] == ["queued", "held"]
    assert to_leave(deposits) == [one, two]
