"""`kinlight receipt` with --json, and as a person reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import Household, Person, Value

Neighbours = tuple[Person, Person]

RECEIPT = {
    *("device", "sender", "sender_fingerprint", "content_id", "time", "commitment", "encoded"),
    *("photo", "name", "to", "fingerprint", "received", "clock_differs"),
}


@pytest.fixture
def item(neighbours: Neighbours, photo: Path) -> Value:
    """A photo that Bob has of Anna."""
    anna, bob = neighbours
    bob.run("contacts", "accept-from", "Anna", "always")
    item = anna.run("share", photo, "--with", "Bob", "--metadata", "original").value
    assert item["state"] == "delivered"
    return item


def test_a_receipt_is_shown_and_says_what_it_means(neighbours: Neighbours, item: Value) -> None:
    anna, bob = neighbours
    (shown,) = anna.run("receipt", item["photo_id"][:12], "--with", "Bob").values
    assert set(shown) == RECEIPT
    us, them = anna.run("id").value, bob.run("id").value
    assert (shown["device"], shown["fingerprint"]) == (them["device"], them["fingerprint"])
    assert (shown["sender"], shown["sender_fingerprint"]) == (us["identity"], us["fingerprint"])
    assert (shown["to"], shown["name"], shown["photo"]) == ("Bob", "beach.jpg", item["photo_id"])
    assert shown["clock_differs"] is False
    details = anna.run("show", item["photo_id"]).value
    assert shown["content_id"] == details["content_id"]
    (delivery,) = details["deliveries"]
    assert (delivery["receipt"], delivery["device"]) == (shown["time"], shown["device"])
    assert "stored and verified, not read" in anna.screen("show", item["photo_id"])
    screen = anna.screen("receipt", item["photo_id"])
    assert "of Bob has it" in screen
    assert "not that anybody saw it" in screen


def test_a_receipt_in_a_file_is_checked_without_any_node(
    neighbours: Neighbours, household: Household, item: Value, tmp_path: Path
) -> None:
    anna, _ = neighbours
    file = tmp_path / "beach.receipt"
    kept = anna.run("receipt", item["photo_id"], "-o", file).value
    assert file.read_bytes().hex() == kept["encoded"]
    nobody = household.person("Nobody")
    checked = nobody.run("receipt", "--check", file).value
    assert set(checked) == RECEIPT
    told = ("device", "sender", "sender_fingerprint", "content_id", "time", "encoded")
    assert {name: checked[name] for name in told} == {name: kept[name] for name in told}
    assert checked["to"] is None
    assert "rightly signed" in nobody.screen("receipt", "--check", file)


def test_a_file_that_is_there_is_left_alone(
    neighbours: Neighbours, item: Value, tmp_path: Path
) -> None:
    anna, _ = neighbours
    file = tmp_path / "beach.receipt"
    file.write_bytes(b"another")
    assert anna.run("receipt", item["photo_id"], "-o", file, code=7).error == "name-taken"
    assert file.read_bytes() == b"another"
    new = tmp_path / "new.receipt"
    assert f"Written to {new}." in anna.screen("receipt", item["photo_id"], "-o", new)
    missing = anna.run("receipt", "--check", tmp_path / "none", code=7)
    assert str(tmp_path / "none") in missing.message


@pytest.mark.parametrize("change", ["cut", "flipped", "longer", "empty", "large"])
def test_a_file_that_is_no_receipt_is_refused(
    neighbours: Neighbours, item: Value, tmp_path: Path, change: str
) -> None:
    anna, _ = neighbours
    file = tmp_path / "beach.receipt"
    encoded = bytes.fromhex(anna.run("receipt", item["photo_id"]).value["encoded"])
    changed = {
        "cut": encoded[:-1],
        "flipped": encoded[:40] + bytes([encoded[40] ^ 1]) + encoded[41:],
        "longer": encoded + b"\x00",
        "empty": b"",
        "large": bytes(10_000_000),
    }
    file.write_bytes(changed[change])
    assert anna.run("receipt", "--check", file, code=3).error == "receipt-broken"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["receipt"], 2, "usage"),
        (["receipt", "abc", "--check", "x"], 2, "usage"),
        (["receipt", "--check", "/nowhere/at/all"], 7, "unreadable"),
        (["receipt", "00000000"], 6, "no-such-photo"),
        (["receipt", "abc", "--with", "Nobody"], 6, None),
    ],
)
def test_what_is_asked_wrongly_is_told(
    neighbours: Neighbours, words: list[str], code: int, error: str | None
) -> None:
    anna, _ = neighbours
    answer = anna.run(*words, code=code)
    assert error in (None, answer.error)


def test_a_photo_that_went_nowhere_has_no_receipt(neighbours: Neighbours, tmp_path: Path) -> None:
    from ..scenario.pictures import picture

    anna, _ = neighbours
    stays = anna.run("import", picture(tmp_path / "stays.jpg", 7), "--no-albums").value["id"]
    assert anna.run("receipt", stays, code=6).error == "no-receipt"
