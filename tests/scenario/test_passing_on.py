"""A photo goes from Anna by way of Bob to Carol, whom Anna does not know, and is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from .household import Household, is_well, sha256
from .pictures import picture


@pytest.mark.timeout(600)  # some thirty commands, each a process of its own
def test_a_photo_is_passed_on_and_taken_back_over_two_links(
    household: Household, tmp_path: Path
) -> None:
    anna, bob, carol = (household.newcomer(name) for name in ("Anna", "Bob", "Carol"))
    household.introduce(anna, bob)
    household.introduce(bob, carol)
    bob.run("contacts", "accept-from", "Anna", "always")
    path = picture(tmp_path / "beach.jpg", 1)
    photo = anna.run("import", path, "--no-albums").value["id"]

    # As it is granted by itself, it stays with Bob.
    anna.run("grant", "--who", "Bob", "--photo", photo, "--metadata", "original")
    bob.received(photo)
    delegate = ("delegate", "--photo", photo[:12], "--who", "Carol")
    assert bob.run(*delegate, code=1).value["code"] == "not-for-passing-on"
    assert anna.run("delegate", "--photo", photo, "--who", "Bob", code=1).value["code"] == (
        "own-photo"
    )

    above = anna.run(
        "grant", "--who", "Bob", "--photo", photo, "--metadata", "original",
        "--op", "view,reshare", "--until", "30d",
    ).value  # fmt: skip
    item = bob.run(*delegate, "--no-wait").value
    carol.until(lambda node: node.inbox(), lambda items: bool(items))
    assert "stranger" in carol.screen("inbox")
    carol.run("inbox", "accept", photo)
    carol.received(photo)
    assert bob.run(*delegate).value["state"] == "delivered"
    assert sha256(carol.exported(photo, tmp_path / "carol")) == sha256(path)
    shown = carol.run("show", photo).value
    assert (shown["author"], shown["senders"], shown["own"]) == (None, ["Bob"], False)
    assert shown["author_fingerprint"] == anna.run("id").value["fingerprint"]
    assert "passed on by" in carol.screen("show", photo)
    assert carol.run(
        "delegate", "--photo", photo, "--who", "Bob", code=1
    ).value["code"] == "passed-on-enough"  # fmt: skip

    listed = bob.run("grants", "--who", "Carol").value
    assert (listed["hash"], listed["author"]) == (item["grant"], "Anna")
    assert (listed["parent"], listed["until"]) == (above["grant"], shown["expires"])
    assert "Anna" in bob.screen("grants")

    # Anna takes it back: Carol hears of it by way of Bob.
    anna.run("revoke", above["grant"])
    carol.until(lambda node: node.search(), lambda found: found[0].ended == "grant-revoked")
    assert bob.run(*delegate, code=1).value["code"] == "grant-revoked"
    assert not bob.run("explain", "--who", "Carol", "--photo", photo).value["allowed"]
    for person in (anna, bob, carol):
        is_well(person)
