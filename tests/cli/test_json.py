"""Every command with --json: what stands on stdout, which exit code, and nothing else there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ..scenario.household import KINLIGHT, Person, Value, sha256
from ..scenario.pictures import MODIFIED, picture

Neighbours = tuple[Person, Person]

STATUS = {
    *("version", "pid", "home", "locked", "name", "port", "discovery", "discovery_reason"),
    *("nodes_seen", "looking", "sandbox", "libraries", "clock", "connections", "absent"),
    *("wide", "wide_reason", "wide_addresses", "wide_bootstraps", "invitations", "devices"),
    "readiness",
}
CONTACT = {
    *("name", "fingerprint", "safety_number", "verified", "muted", "blocked", "accept"),
    *("metadata", "connected", "added", "holder", "backup", "backed_up"),
    *("doubt", "doubt_since", "doubt_seen", "doubt_proof"),
}
SHARE_ITEM = {
    *("file", "name", "to", "state", "photo_id", "sha256", "bytes", "code", "message"),
    *("policy", "leaves", "left_out", "max_px", "watermarked", "grant", "held_by", "verdict"),
}
INBOX_ITEM = {
    *("id", "sender", "state", "bytes", "received", "expires", "name", "sha256", "code"),
    *("message", "pieces", "pieces_total", "author", "author_fingerprint", "verdict"),
    "by_link",
}
PHOTO = {
    *("id", "name", "media_type", "bytes", "sha256", "modified", "policy", "own", "author"),
    *("author_fingerprint", "author_device", "signature", "content_id", "added", "expires"),
    *("deliveries", "captured", "captured_source", "camera", "width", "height", "c2pa", "refused"),
    *("clip", "albums", "tags", "sensitivity", "position", "place", "senders", "verdict"),
    "away",
}
DELIVERY = {"to", "state", "code", "expires", "updated", "policy"}


@pytest.fixture
def offered(neighbours: Neighbours, tmp_path: Path, request: pytest.FixtureRequest) -> Value:
    """A photo of its own that waits for Bob's decision."""
    anna, bob = neighbours
    seed = abs(hash(request.node.name)) % 2**32
    (item,) = anna.share([picture(tmp_path / "waiting.jpg", seed)], bob)
    return item


def test_version_says_which_one_it_is(neighbours: Neighbours) -> None:
    assert set(neighbours[0].run("version").value) == {"version"}


def test_status_of_a_running_node(neighbours: Neighbours) -> None:
    anna, bob = neighbours
    anna.until(lambda node: node.contacts(), lambda found: found[0].connected)
    status = anna.run("status").value
    assert set(status) == STATUS
    assert status["pid"] == anna.pid
    assert status["home"] == str(anna.home)
    assert status["name"] == "Anna"
    assert not status["locked"]
    (connection,) = status["connections"]
    assert set(connection) == {"contact", "path", "address", "interface", "since"}
    assert connection["contact"] == bob.name
    assert connection["path"] == "lan"


def test_clock_of_a_running_node(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    found = anna.run("clock").value
    assert set(found) == {"now", "system", "witnessed"}
    assert (found["now"] >= found["system"], found["witnessed"]) == (True, None)
    assert set(anna.run("clock", "--right").value) == set(found)
    assert "The time is" in anna.screen("clock")


def test_up_of_a_running_node_changes_nothing_and_says_how_it_is(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    pid = anna.pid
    status = anna.start().value
    assert set(status) == STATUS
    assert status["pid"] == pid == anna.pid


def test_id_says_who_the_node_is_to_others(neighbours: Neighbours) -> None:
    anna, bob = neighbours
    identity = anna.run("id").value
    assert set(identity) == {"name", "fingerprint", "identity", "device"}
    (known,) = bob.run("contacts", "list").values
    assert known["fingerprint"] == identity["fingerprint"]


def test_contacts_are_one_a_line_with_one_safety_number_at_both_sides(
    neighbours: Neighbours,
) -> None:
    (at_anna,), (at_bob,) = (person.run("contacts", "list").values for person in neighbours)
    assert set(at_anna) == set(at_bob) == CONTACT
    assert at_anna["safety_number"] == at_bob["safety_number"]
    assert (at_anna["name"], at_bob["name"]) == ("Bob", "Anna")
    assert at_anna["accept"] == "ask"


@pytest.mark.parametrize(
    ("words", "field", "on", "off"),
    [
        (("verify", "Bob", "--yes"), "verified", True, False),
        (("mute", "Bob"), "muted", True, False),
        (("block", "Bob"), "blocked", True, False),
    ],
)
def test_a_contact_is_changed_and_changed_back(
    neighbours: Neighbours, words: tuple[str, ...], field: str, on: bool, off: bool
) -> None:
    anna, _ = neighbours
    changed = anna.run("contacts", *words).value
    assert set(changed) == CONTACT
    assert changed[field] is on
    back = anna.run("contacts", *(word for word in words if word != "--yes"), "--off").value
    assert back[field] is off


def test_verify_without_a_terminal_asks_nobody_and_marks_nothing(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    answer = anna.run("contacts", "verify", "bob")
    assert answer.value["verified"] is False
    assert answer.value["safety_number"].split()[0] in answer.said


def test_what_leaves_for_a_contact_is_no_place_until_it_is_said(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    (bob,) = anna.run("contacts", "list").values
    assert bob["metadata"] == "no-location"
    for policy in ("original", "clean", "no-location"):
        assert anna.run("contacts", "metadata", "Bob", policy).value["metadata"] == policy


def test_accept_from_and_rename(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    assert anna.run("contacts", "accept-from", "Bob", "always").value["accept"] == "always"
    assert anna.run("contacts", "accept-from", "Bob", "ask").value["accept"] == "ask"
    assert anna.run("contacts", "rename", "Bob", "Robert").value["name"] == "Robert"
    assert anna.run("contacts", "rename", "robert", "Bob").value["name"] == "Bob"


def test_a_shared_photo_waits_is_accepted_shown_and_exported(
    neighbours: Neighbours, photo: Path, tmp_path: Path
) -> None:
    anna, bob = neighbours
    answer = anna.run("share", photo, "--with", "Bob", "--metadata", "original", "--until", "30d")
    item = answer.value
    assert set(item) == SHARE_ITEM
    assert item["state"] == "waiting"
    assert (item["file"], item["name"], item["to"]) == (str(photo), "beach.jpg", "Bob")
    assert item["sha256"] == sha256(photo)
    assert item["bytes"] == photo.stat().st_size
    identifier = item["photo_id"]

    (waiting,) = (each for each in bob.inbox() if each["id"] == identifier)
    assert set(waiting) == INBOX_ITEM
    assert (waiting["state"], waiting["sender"], waiting["name"]) == ("waiting", "Anna", None)
    assert bob.run("show", identifier, code=6).error == "not-here-yet"
    assert bob.run("export", identifier, tmp_path, code=6).error == "not-here-yet"

    accepted = bob.run("inbox", "accept", identifier[:12]).value
    assert set(accepted) == INBOX_ITEM
    assert accepted["state"] in ("accepted", "stored")
    stored = bob.received(identifier)
    assert (stored["name"], stored["sha256"]) == ("beach.jpg", sha256(photo))
    assert stored["bytes"] == photo.stat().st_size

    shown = bob.run("show", identifier).value
    assert set(shown) == PHOTO
    assert (shown["author"], shown["own"], shown["signature"]) == ("Anna", False, "valid")
    assert shown["media_type"] == "image/jpeg"
    assert shown["modified"] == MODIFIED // 10**9
    assert shown["expires"] is not None

    anna.until(
        lambda node: node.get(identifier), lambda own: own.deliveries[0].state == "delivered"
    )
    own = anna.run("show", identifier).value
    assert own["own"] is True
    assert set(own["deliveries"][0]) == {
        *("to", "state", "code", "expires", "updated", "policy"),
        *("device", "receipt", "held_by"),
    }

    exported = bob.run("export", identifier, tmp_path / "out").value
    assert set(exported) == {"id", "path", "sha256", "bytes", "already", "clip"}
    assert exported["already"] is False
    path = Path(exported["path"])
    assert path.read_bytes() == photo.read_bytes()
    assert path.stat().st_mtime_ns == MODIFIED
    assert bob.run("export", identifier, tmp_path / "out").value["already"] is True


def test_a_declined_photo_is_told_to_the_sender(neighbours: Neighbours, offered: Value) -> None:
    anna, bob = neighbours
    identifier = offered["photo_id"]
    assert bob.run("inbox", "decline", identifier).value["state"] == "declined"
    anna.until(lambda node: node.get(identifier), lambda own: own.deliveries[0].state == "refused")
    (delivery,) = anna.run("show", identifier).value["deliveries"]
    assert delivery["code"] == "declined"
    assert bob.run("inbox", "decline", identifier, code=2).error == "not-waiting"


def test_a_file_that_fails_does_not_keep_the_others_back(
    neighbours: Neighbours, photo: Path, tmp_path: Path
) -> None:
    anna, bob = neighbours
    failed, sent = anna.share([tmp_path / "gone.jpg", photo], bob, code=1)
    assert set(failed) == SHARE_ITEM
    assert (failed["state"], failed["code"]) == ("failed", "unreadable")
    assert "gone.jpg" in failed["message"]
    assert sent["state"] in ("waiting", "delivered")


def test_sharing_the_same_photo_again_makes_no_second_one(
    neighbours: Neighbours, photo: Path
) -> None:
    anna, bob = neighbours
    (first,), (second,) = anna.share([photo], bob), anna.share([photo], bob)
    assert first["photo_id"] == second["photo_id"]


def test_a_folder_is_shared_by_its_photos_and_nothing_else(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    anna, bob = neighbours
    trip = tmp_path / "trip"
    (trip / "day two").mkdir(parents=True)
    picture(trip / "one.jpg", 11)
    picture(trip / "day two" / "two.JPG", 12)
    (trip / "notes.txt").write_text("private")
    picture(trip / ".hidden.jpg", 13)
    items = anna.share([trip], bob)
    assert sorted(item["name"] for item in items) == ["one.jpg", "two.JPG"]


def test_pairing_prints_a_code_then_the_contact(neighbours: Neighbours) -> None:
    anna, bob = neighbours
    showing = anna.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())
    assert set(code) == {"code", "invitation", "expires"}
    assert code["invitation"].startswith("kinlight:")
    assert anna.run("pair", code=1).error == "pairing-open"
    typed = bob.run("pair", code["invitation"], "--at", f"127.0.0.1:{anna.port}").value
    shown = json.loads(showing.stdout.readline())
    assert set(typed) == set(shown) == {"contact"}
    assert set(typed["contact"]) == CONTACT
    assert typed["contact"]["safety_number"] == shown["contact"]["safety_number"]
    assert showing.wait(60) == 0


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("show", "ffff"), 6, "no-such-photo"),
        (("show", "beach.jpg"), 6, "no-such-photo"),
        (("export", "ffff", "there"), 6, "no-such-photo"),
        (("inbox", "accept", "ffff"), 6, "no-such-photo"),
        (("inbox", "decline", "ffff"), 6, "no-such-photo"),
        (("show", ""), 6, "no-such-photo"),
        (("export", "", "there"), 6, "no-such-photo"),
        (("inbox", "accept", ""), 6, "no-such-photo"),
        (("contacts", "mute", ""), 6, "no-such-contact"),
        (("contacts", "verify", "Nobody"), 6, "no-such-contact"),
        (("contacts", "mute", "Nobody"), 6, "no-such-contact"),
        (("contacts", "block", "Nobody"), 6, "no-such-contact"),
        (("contacts", "rename", "Nobody", "Somebody"), 6, "no-such-contact"),
        (("contacts", "rename", "Bob", ""), 2, "bad-request"),
        (("contacts", "rename", "Bob", "two\nlines"), 2, "bad-request"),
        (("contacts", "accept-from", "Bob", "sometimes"), 2, "bad-request"),
        (("contacts", "metadata", "Bob", "everything"), 2, "bad-request"),
        (("contacts", "metadata", "Nobody", "clean"), 6, "no-such-contact"),
        (("share", "x.jpg", "--with", "Nobody", "--metadata", "original"), 6, "no-such-contact"),
        (("share", "x.jpg", "--with", "Bob", "--metadata", "funny"), 2, "bad-request"),
        (("share", "x.jpg", "--with", "Bob", "--until", "soon"), 2, "bad-time"),
        (
            ("share", "x", "--with", "Bob", "--metadata", "original", "--until", "2001-01-01"),
            2,
            "grant-ended",
        ),
        (("pair", "maple"), 2, "invalid-code"),
        (("pair", "7-maple-zzzz"), 2, "invalid-code"),
        (("pair", "7-acid-acorn", "--at", "nowhere"), 2, "bad-address"),
        (("pair", "7-acid-acorn", "--at", "127.0.0.1:1"), 1, "unreachable"),
        (("pair", "kinlight:AAAA"), 2, "invalid-code"),
        (("contacts", "reach", "nobody", "127.0.0.1:1"), 6, "no-such-contact"),
        (("contacts", "reach", "bob", "nowhere"), 2, "bad-address"),
        (("contacts", "reach", "bob", "127.0.0.1:1"), 1, "unreachable"),
    ],
)
def test_an_error_is_one_json_object_with_its_exit_code(
    neighbours: Neighbours, words: tuple[str, ...], code: int, error: str
) -> None:
    answer = neighbours[0].run(*words, code=code)
    assert set(answer.value) == {"error"}
    assert set(answer.value["error"]) == {"code", "message"}
    assert answer.error == error
    assert "Traceback" not in answer.said


@pytest.mark.parametrize("place", ["before", "after"])
def test_options_stand_before_the_command_or_after_it(neighbours: Neighbours, place: str) -> None:
    anna, _ = neighbours
    options = ("--json", "--home", str(anna.home))
    words = (*options, "contacts", "list") if place == "before" else ("contacts", *options, "list")
    done = subprocess.run(
        [*KINLIGHT, *words], env=anna.household.env, capture_output=True, text=True, check=True
    )
    assert [json.loads(done.stdout)] == anna.run("contacts", "list").values
