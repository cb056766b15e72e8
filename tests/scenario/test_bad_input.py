"""Bad input, one by one: a clear sentence, an exit code, nothing lost, and the daemon stays up."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from kinlight.crypto import pairing
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.mallory import HostilePhoto, Mallory, flip_byte
from kinlight.node.views import Contact, PairingCode
from kinlight.protocol.messages import Fetch, ManifestPart, Message, OfferRefused, Piece

from .conftest import Couple
from .household import Household, Person, sha256, together
from .pictures import noise, picture

LATER_VERSION = """
import kinlight.protocol.messages, kinlight.protocol.session
kinlight.protocol.messages.VERSION = kinlight.protocol.session.VERSION = 2
from kinlight.node.cli import main
main()
"""


def is_well(person: Person) -> None:
    """The daemon answers and is unlocked; nothing was noted that nobody had thought of."""
    assert person.run("status").value["locked"] is False
    assert "Traceback" not in person.log()
    assert "ERROR" not in person.log()


def other_words(code: str) -> str:
    """A code for the same slot, with words that are wrong."""
    slot, *typed = code.split("-")
    wrong = [word for word in pairing.words() if word not in typed]
    return f"{slot}-{wrong[0]}-{wrong[1]}"


# Meeting.


def test_three_wrong_codes_end_a_pairing_at_both_sides(running: Couple) -> None:
    anna, bob = running
    showing = anna.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    at = ("--at", f"127.0.0.1:{anna.port}")
    for _ in range(3):
        refused = bob.run("pair", other_words(code), *at, code=3)
        assert refused.error == "wrong-code"
        assert "three wrong tries" in refused.message
    said, _ = showing.communicate()
    assert json.loads(said)["error"]["code"] == "pairing-spent"
    assert showing.returncode == 1
    assert bob.run("pair", code, *at, code=3).error == "not-pairing"
    is_well(anna)
    is_well(bob)


def test_a_wrong_code_can_be_followed_by_the_right_one(running: Couple) -> None:
    anna, bob = running
    showing = anna.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    at = ("--at", f"127.0.0.1:{anna.port}")
    assert bob.run("pair", other_words(code), *at, code=3).error == "wrong-code"
    assert bob.run("pair", code, *at).value["contact"]["name"] == "Anna"
    assert showing.wait(60) == 0


def test_a_code_that_nobody_shows_is_not_found(running: Couple) -> None:
    _, bob = running
    refused = bob.run("pair", "99-acid-acorn", code=6)
    assert refused.error == "no-such-node"
    assert "same network" in refused.message


async def test_a_stranger_learns_nothing_and_is_refused(running: Couple) -> None:
    anna, _ = running
    async with Node.connect(anna.home) as node:
        port = (await node.status()).port
        assert port is not None
        with pytest.raises(KinlightError) as refused:
            await Mallory(port).knock()
        assert refused.value.code == "unknown-peer"
        assert not (await node.status()).locked


@pytest.mark.parametrize("later", ["the host", "the guest"])
def test_another_version_of_the_protocol_is_named_when_people_pair(
    couple: Couple, later: str
) -> None:
    host, guest = couple
    newer, older = (host, guest) if later == "the host" else (guest, host)
    newer.start_with((sys.executable, "-c", LATER_VERSION))
    older.start()
    showing = host.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    refused = guest.run("pair", code, "--at", f"127.0.0.1:{host.port}", code=3)
    assert refused.error == "other-version"
    assert "Update the older of the two" in refused.message
    is_well(host)
    is_well(guest)


def test_a_blocked_contact_is_a_stranger_until_let_in_again(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    bob.run("contacts", "block", "Anna")
    (item,) = anna.share([picture(tmp_path / "a.jpg", 1)], bob)
    assert item["state"] == "queued"
    assert bob.run("status").value["connections"] == []
    assert (
        bob.run(
            "share", tmp_path / "a.jpg", "--with", "Anna", "--metadata", "original", code=3
        ).error
        == "contact-blocked"
    )
    bob.run("contacts", "block", "Anna", "--off")
    assert bob.received(item["photo_id"])["name"] == "a.jpg"


# What lies in the home.


def damage(path: Path, offset: int) -> None:
    """Change 64 bytes of a file."""
    content = bytearray(path.read_bytes())
    content[offset : offset + 64] = bytes(byte ^ 0xA5 for byte in content[offset : offset + 64])
    path.write_bytes(content)


@pytest.mark.parametrize("offset", [0, 4096 * 3 + 100])
def test_a_damaged_library_is_named_and_left_as_it_is(couple: Couple, offset: int) -> None:
    anna, _ = couple
    library = anna.home / "library.db"
    whole = library.read_bytes()
    damage(library, offset)
    damaged = library.read_bytes()
    keys = (anna.home / "keys.bin").read_bytes()
    refused = anna.run("up", "--passphrase-file", anna.passphrase_file, code=7)
    assert refused.error == "library-damaged"
    assert "Restore library.db from a copy" in refused.message
    assert anna.run("status").value["locked"] is True
    assert library.read_bytes() == damaged
    assert (anna.home / "keys.bin").read_bytes() == keys
    anna.stop()
    library.write_bytes(whole)
    assert anna.start().value["locked"] is False
    assert len(anna.run("contacts", "list").values) == 1


def test_a_library_of_zeros_is_not_taken_for_a_new_one(couple: Couple) -> None:
    anna, _ = couple
    library = anna.home / "library.db"
    library.write_bytes(bytes(library.stat().st_size))
    assert anna.run("up", "--passphrase-file", anna.passphrase_file, code=7).error == (
        "library-damaged"
    )


@pytest.mark.parametrize("how", ["cut", "empty", "other", "changed"])
def test_a_damaged_key_file_is_named_and_left_as_it_is(couple: Couple, how: str) -> None:
    anna, _ = couple
    keys = anna.home / "keys.bin"
    whole = keys.read_bytes()
    match how:
        case "cut":
            keys.write_bytes(whole[:-10])
        case "empty":
            keys.write_bytes(b"")
        case "other":
            keys.write_bytes(b"\x89PNG\r\n\x1a\n" * 400)
        case _:
            damage(keys, len(whole) - 80)
    damaged = keys.read_bytes()
    refused = anna.run("up", "--passphrase-file", anna.passphrase_file, code=7)
    assert refused.error == "key-file-damaged"
    assert anna.run("status").value["locked"] is True
    assert keys.read_bytes() == damaged
    keys.write_bytes(whole)
    assert anna.start().value["locked"] is False


@pytest.mark.parametrize("how", ["missing", "changed", "cut"])
def test_a_sealed_file_that_is_gone_or_damaged_is_named_and_nothing_is_exported(
    running: Couple, tmp_path: Path, how: str
) -> None:
    anna, bob = running
    photo = noise(tmp_path / "large.jpg", 900_000, 1)
    (item,) = anna.share([photo], bob)
    content_id = bob.run("show", item["photo_id"]).value["content_id"]
    (sealed,) = (path for path in bob.files() if path.name == content_id)
    match how:
        case "missing":
            sealed.unlink()
        case "changed":
            damage(sealed, 700_000)
        case _:
            os.truncate(sealed, 500_000)
    out = tmp_path / "out"
    refused = bob.run("export", item["photo_id"], out, code=7)
    assert refused.error == "blob-missing"
    assert "Ask its sender for it again" in refused.message
    assert list(out.iterdir()) == []
    assert sha256(anna.exported(item["photo_id"], out)) == sha256(photo)
    is_well(bob)


# Files that are shared, folders that are written to.


def test_what_can_not_be_read_fails_with_its_name_and_the_rest_is_shared(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    good = picture(tmp_path / "good.jpg", 1)
    bad = [tmp_path / "missing.jpg", tmp_path / "pipe.jpg", tmp_path / "loop.jpg"]
    os.mkfifo(bad[1])
    bad[2].symlink_to(bad[2])
    if sys.platform == "linux":
        bad.append(Path("/proc/self/mem"))  # opens, and fails when it is read
    if os.geteuid() != 0:
        bad.append(picture(tmp_path / "forbidden.jpg", 2))
        bad[-1].chmod(0)
    *failed, sent = anna.share([*bad, good], bob, code=1)
    assert sent["state"] == "delivered"
    for path, item in zip(bad, failed, strict=True):
        assert (item["state"], item["code"]) == ("failed", "unreadable"), path
        assert item["file"] == str(path)
        assert "can't be read" in item["message"]
    assert len(bob.inbox()) == 1
    is_well(anna)


def test_a_folder_that_can_not_be_written_to_gets_nothing(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    (item,) = anna.share([picture(tmp_path / "a.jpg", 1)], bob)
    (tmp_path / "file").write_text("not a folder")
    places = [tmp_path / "file", tmp_path / "file" / "below"]
    if sys.platform == "linux":
        places.append(Path("/proc/kinlight"))
    if os.geteuid() != 0:
        places.append(tmp_path / "closed")
        places[-1].mkdir(mode=0o500)
    for place in places:
        refused = bob.run("export", item["photo_id"], place, code=7)
        assert refused.error == "unwritable", place
        assert "nothing was exported" in refused.message
    assert (tmp_path / "file").read_text() == "not a folder"
    is_well(bob)


# Peers that lie or stop.


async def befriended(bob: Node) -> Mallory:
    """Mallory, paired with Bob, who takes everything from her."""
    port = (await bob.status()).port
    assert port is not None
    mallory = Mallory(port)
    async for step in bob.open_pairing():
        match step:
            case PairingCode():
                await mallory.pair(step.code)
            case Contact():
                await bob.update_contact(step.name, accept="always")
    return mallory


def stop_midway(photo: HostilePhoto) -> list[Message]:
    """What she answers to the fetch of the original: half of its pieces, and nothing more."""
    fetch = Fetch(1, photo.record.photo_id, photo.record.content_id, b"", True, (), 1)
    answers = photo.serve()(fetch)
    return answers[: len(answers) // 2]


@pytest.mark.parametrize("lie", ["a flipped byte", "another photo's pieces", "a shorter manifest"])
async def test_a_peer_that_lies_is_refused_with_the_reason_and_nothing_is_kept(
    running: Couple, tmp_path: Path, lie: str
) -> None:
    _, bob = running
    async with Node.connect(bob.home) as node:
        mallory = await befriended(node)
        photo = mallory.photo(os.urandom(1_000_000))
        async with mallory.connected() as conversation:
            serve = photo.serve(flip_byte if lie == "a flipped byte" else bytes)

            def react(message: Message) -> list[Message]:
                answers = serve(message)
                original = isinstance(message, Fetch) and (
                    message.content_id == photo.record.content_id
                )
                if original and lie == "another photo's pieces":
                    first, *pieces = answers
                    answers = [first, *reversed(pieces)]
                    answers = [
                        Piece(each.request, number, each.data) if isinstance(each, Piece) else each
                        for number, each in enumerate(answers, start=-1)
                    ]
                if original and lie == "a shorter manifest":
                    answers = [
                        ManifestPart(each.request, each.data[:-32])
                        if isinstance(each, ManifestPart)
                        else each
                        for each in answers
                    ]
                return answers

            conversation.react = react
            await conversation.say(photo.offer)
            await conversation.wait_for(OfferRefused)
        (item,) = await node.inbox()
        assert item.state == "refused"
        assert item.message
        with pytest.raises(KinlightError) as refused:
            await node.export(item.id, tmp_path / "out")
        assert refused.value.code == "not-here-yet"
        assert not (tmp_path / "out").exists()
    incoming = bob.home / "blobs" / "incoming"
    assert list(incoming.iterdir()) == []
    is_well(bob)


async def test_a_peer_that_stops_midway_leaves_no_photo_and_no_file(
    running: Couple, tmp_path: Path
) -> None:
    _, bob = running
    async with Node.connect(bob.home) as node:
        mallory = await befriended(node)
        photo = mallory.photo(os.urandom(4_000_000))
        async with mallory.connected() as conversation:
            conversation.react = lambda message: (
                [
                    each
                    if not isinstance(each, Piece)
                    else Piece(message.request, each.index, each.data)
                    for each in stop_midway(photo)
                ]
                if isinstance(message, Fetch) and message.content_id == photo.record.content_id
                else []
            )
            await conversation.say(photo.offer)
            await conversation.wait_for(Fetch)
            await conversation.wait_for(Fetch)
        (item,) = await node.inbox()
        assert item.state == "accepted"
        assert item.name is None
        with pytest.raises(KinlightError) as refused:
            await node.export(item.id, tmp_path)
        assert refused.value.code == "not-here-yet"
        assert (await node.decline(item.id)).state == "declined"
    assert list((bob.home / "blobs" / "incoming").iterdir()) == []
    is_well(bob)


def test_what_the_log_says_is_codes_and_places_only(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    anna.share([picture(tmp_path / "a.jpg", 1), tmp_path / "missing.jpg"], bob, code=1)
    for person in running:
        for line in person.log().splitlines():
            assert re.match(r"\d{4}-\d\d-\d\d [\d:,]+ (INFO|WARNING) kinlight\.", line), line


def test_a_household_of_strangers_shares_nothing(household: Household, tmp_path: Path) -> None:
    carol, dave = household.person("Carol"), household.person("Dave")
    together(carol.make, dave.make)
    refused = carol.run(
        "share", picture(tmp_path / "a.jpg", 1), "--with", "Dave", "--metadata", "original", code=6
    )
    assert refused.error == "no-such-contact"
    assert carol.run("contacts", "list").values == []
    assert carol.inbox() == []
