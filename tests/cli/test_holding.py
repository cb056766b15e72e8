"""`kinlight hold` with --json, and as a person reads it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from kinlight.node import sizes
from kinlight.node.errors import BadRequestError
from kinlight.node.views_holding import Holding

from ..scenario.household import Household, Person, together
from ..scenario.test_stalled import wait_for_links

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


def test_who_is_left_out_is_named_and_what_is_dropped_is_said(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    anna.run("hold", "--quota", "10GB", "--per-contact", "2GB", "--days", "30")
    anna.run("hold")
    anna.run("hold", "--off", "--for", "Bob")
    assert "You hold for all contacts but Bob" in anna.screen("hold", "--status")
    assert "nothing new" in anna.screen("hold", "--status")
    assert "What was held is removed." in anna.screen("hold", "--off", "--drop")


def test_an_offer_to_hold_is_seen_taken_and_named_in_a_share(
    household: Household, photo: Path
) -> None:
    anna, bob, carol = map(household.person, ("Anna", "Bob", "Carol O'Neil"))
    together(anna.make, bob.make, carol.make)
    household.introduce(anna, bob)
    household.introduce(carol, anna)
    household.introduce(carol, bob)
    refused = bob.run("contacts", "let-hold", "Carol O'Neil", code=1)
    assert refused.message.startswith(
        "That contact does not offer to hold anything for you: Carol O'Neil. `kinlight hold`"
    )
    carol.run("hold")
    bob.until(lambda node: node.contact("Carol O'Neil"), lambda found: found.holder == "offered")
    listed = bob.screen("contacts", "list")
    assert "Carol O'Neil would hold what others send you while you are away" in listed
    assert shlex.quote("Carol O'Neil") in listed
    assert "if they let you" in carol.screen("hold", "--status")
    assert "learns who sends you something" in bob.screen("contacts", "let-hold", "Carol O'Neil")
    carol.until(lambda node: node.holding(), lambda found: _lets(found, "Bob"))
    assert "holds for you" in bob.screen("contacts", "mute", "Carol O'Neil", "--off")
    assert "holds for you" not in bob.screen("contacts", "block", "Carol O'Neil")
    bob.run("contacts", "block", "Carol O'Neil", "--off")
    wait_for_links(anna, "Bob", "Carol O'Neil")
    bob.stop()
    (item,) = anna.run("share", photo, "--with", "Bob").values
    assert (item["state"], item["held_by"]) == ("held", ["Carol O'Neil"])
    again = anna.screen("share", photo, "--with", "Bob")
    assert "beach.jpg for Bob: held by Carol O'Neil until they come for it" in again
    assert "held by Carol O'Neil" in anna.screen("show", str(item["photo_id"]))
    stopped = carol.screen("hold", "--off", "--for", "Bob")
    assert "What is here stays until it is fetched or its time is over: 1 item" in stopped
    assert "`kinlight hold --off --for Bob --drop` removes it now." in stopped


def _lets(found: Holding, name: str) -> bool:
    return [contact.lets for contact in found.contacts if contact.name == name] == [True]


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
