"""`kinlight hold` with --json, and as a person reads it."""

from __future__ import annotations

import pytest
from kinlight.node import sizes
from kinlight.node.errors import BadRequestError

from ..scenario.household import Person

Neighbours = tuple[Person, Person]

HOLDING = {"everybody", "quota", "per_contact", "days", "items", "bytes", "contacts"}
HELD_FOR = {
    *("name", "holds", "lets", "backup", "items", "bytes", "oldest", "left_items", "left_bytes"),
}


def test_hold_says_what_it_means_and_ends(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    assert "You hold for nobody" in anna.screen("hold", "--status")
    shown = anna.screen("hold")
    assert "You hold for all contacts: up to 10.0 GB in all and 2.0 GB for one" in shown
    assert "You see who leaves something" in shown
    assert "You can't see photos" in shown
    status = anna.run("hold", "--status").value
    assert set(status) == HOLDING
    assert [set(contact) for contact in status["contacts"]] == [HELD_FOR]
    assert (status["everybody"], status["days"]) == (True, 30)
    assert "Bob" in anna.screen("hold", "--status")
    assert "You hold nothing new for anybody." in anna.screen("hold", "--off")
    assert anna.run("hold", "--status").value["everybody"] is False


def test_terms_change_alone_and_for_whom_alone(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    held = anna.run("hold", "--for", "bob", "--quota", "1.5 GB", "--days", "7").value
    assert (held["everybody"], held["quota"], held["days"]) == (False, 1_500_000_000, 7)
    assert held["per_contact"] == 1_500_000_000, "no more for one than in all"
    held = anna.run("hold", "--per-contact", "500MB").value
    assert (held["everybody"], held["per_contact"], held["days"]) == (False, 500_000_000, 7)
    held = anna.run("hold", "--backup", "Bob").value
    assert [(each["name"], each["backup"]) for each in held["contacts"]] == [("Bob", True)]
    assert "Bob may keep things here without end." in anna.screen("hold", "--for", "Bob")
    held = anna.run("hold", "--off", "--for", "Bob", "--drop").value
    assert held["contacts"] == []


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("--quota", "much"), 2, "bad-request"),
        (("--quota", "0"), 2, "bad-request"),
        (("--quota", "1GB", "--per-contact", "2GB"), 2, "bad-request"),
        (("--days", "91"), 2, "bad-request"),
        (("--drop",), 2, "bad-request"),
        (("--off", "--status"), 2, "bad-request"),
        (("--status", "--days", "3"), 2, "bad-request"),
        (("--for", "Nobody"), 6, "no-such-contact"),
        (("--off", "--for", "Nobody"), 6, "no-such-contact"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    neighbours: Neighbours, words: tuple[str, ...], code: int, error: str
) -> None:
    anna, _ = neighbours
    before = anna.run("hold", "--status").value
    assert anna.run("hold", *words, code=code).error == error
    assert anna.run("hold", "--status").value == before


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0), ("1", 1), ("10b", 10), ("500 MB", 500_000_000), ("1.5gb", 1_500_000_000),
        ("0.001 kB", 1), ("2T", 2 * 10**12), (" 3k ", 3000),
    ],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str, count: int) -> None:
    assert sizes.parse(text) == count


@pytest.mark.parametrize(
    "text", ["", "GB", "-1", "1,5 GB", "1e9", "1 GiB", "1.0001", "٣", "1" * 13]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        sizes.parse(text)
