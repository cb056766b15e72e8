"""`kinlight share --link` and `kinlight links`, as scripts and people see them."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from ..scenario.household import Household, Person

LINK = {
    *("id", "state", "issued", "expires", "count", "used", "photos", "original", "host", "secure"),
    *("served", "reason", "url", "fingerprint"),
}


@pytest.fixture
def anna(household: Household) -> Person:
    anna = household.person("Anna")
    anna.make()
    anna.start()
    return anna


def test_a_link_is_made_listed_and_taken_back(anna: Person, photo: Path) -> None:
    *items, link = anna.run("share", photo, "--link", "--at", "localhost", "--expires", "2h").values
    assert set(link) == LINK
    assert [item["state"] for item in items] == ["linked"]
    assert (link["count"], link["original"], link["expires"] - link["issued"]) == (1, False, 7200)
    page, _, key = link["url"].partition("#")
    assert len(key) == 43
    with urllib.request.urlopen(page) as answer:
        assert "Photos for you" in answer.read().decode()
    (listed,) = anna.run("links", "list").values
    assert listed == {**link, "url": None}
    assert anna.run("links", "revoke", link["id"][:8]).value["state"] == "revoked"
    with urllib.request.urlopen(f"{page}/state") as answer:
        assert json.load(answer)["error"]["code"] == "link-revoked"
    assert "revoked" in anna.screen("links", "list")
    assert anna.run("links", "revoke", "00000000", code=6).error == "no-such-link"
    # What nobody asked for is off: no listener, until there is a link.
    screen = anna.screen("share", photo, "--link", "--original", "--at", "localhost", "--no-qr")
    assert "as the original file" in screen
    assert "takes it back" in screen


def test_what_does_not_go_together_is_said_before_anything_is_made(
    anna: Person, photo: Path
) -> None:
    for words in (
        ("--with", "Bob", "--link"), ("--link", "--until", "1d"), ("--with", "Bob", "--original"),
        ("--count", "2"), (),
            ("--link", "--watermark"), ("--link", "--original", "--max-px", "100"),
        ("--link", "--metadata", "original"), ("--link", "--at", "203.0.113.7"),
        ("--link", "--count", "0"), ("--link", "--expires", "31d"), ("--link", "--expires", "soon"),
    ):  # fmt: skip
        anna.run("share", photo, *words, code=2)
    assert anna.run("links", "list").values == []
