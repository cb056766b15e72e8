"""What went wrong in other tools (F9 to F13 of the field reports) does not go wrong here."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.protocol.messages import Delivered

from .conftest import Couple
from .enemies import befriend
from .household import Household, Person, is_well, sha256, together
from .pictures import noise, picture

LONG = 48_000_000
"""Bytes of a photo whose transfer takes long enough to be cut in the middle."""


# F9: "transferred" although nothing was written.


def test_f9_a_file_of_the_same_name_is_left_alone_and_the_export_says_so(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    (item,) = anna.share([picture(tmp_path / "beach.jpg", 1)], bob)
    out = tmp_path / "out"
    out.mkdir()
    standing = noise(out / "beach.jpg", 5000, 2)
    before = sha256(standing), standing.stat().st_mtime_ns
    refused = bob.run("export", item["photo_id"], out, code=7)
    assert refused.error == "name-taken"
    assert "left alone" in refused.message
    assert (sha256(standing), standing.stat().st_mtime_ns) == before
    beside = bob.run("export", item["photo_id"], out, "--keep-both").value
    assert Path(beside["path"]).name == "beach (2).jpg"
    assert {path.name for path in out.iterdir()} == {"beach.jpg", "beach (2).jpg"}
    assert (sha256(standing), standing.stat().st_mtime_ns) == before


def test_f9_the_same_photo_twice_is_one_photo_and_is_said_to_be_there(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    photo = picture(tmp_path / "beach.jpg", 1)
    (first,), (second,) = anna.share([photo], bob), anna.share([photo], bob)
    assert first["photo_id"] == second["photo_id"]
    assert second["state"] == "delivered"
    (item,) = bob.inbox()
    written = bob.run("export", item["id"], tmp_path / "out").value
    again = bob.run("export", item["id"], tmp_path / "out").value
    assert (written["already"], again["already"]) == (False, True)
    assert written["path"] == again["path"]
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_f9_delivered_is_said_when_the_photo_is_on_the_receivers_disk(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    photo = noise(tmp_path / "beach.jpg", 3_000_000, 1)
    (item,) = anna.share([photo], bob)
    assert item["state"] == "delivered"
    bob.kill()
    bob.start()
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)


# F10: saying "do not overwrite" cut the file.


def kill_at(person: Person, watched: Person, share: Callable[[], object], percent: int) -> bool:
    """Start a share and kill `person` when that much has come; False if it was over before."""

    async def until_then(node: Node) -> bool:
        async with contextlib.aclosing(node.events()) as events:
            async for event in events:
                if event.name == "listening":
                    share()
                done, total = event.data.get("pieces"), event.data.get("of")
                if isinstance(done, int) and isinstance(total, int):
                    if 100 * done >= percent * total:
                        os.kill(person.pid, signal.SIGKILL)
                        return done < total
                elif event.data.get("state") == "stored":
                    os.kill(person.pid, signal.SIGKILL)
                    return False
        raise AssertionError("the daemon ended")

    cut = watched.ask(until_then)
    person.wait_until_ended()
    return cut


@pytest.mark.parametrize("killed", ["sender", "receiver"])
def test_f10_a_kill_in_the_middle_leaves_the_old_file_and_no_other(
    running: Couple, tmp_path: Path, killed: str
) -> None:
    anna, bob = running
    photo = noise(tmp_path / "same.jpg", LONG, 1)
    old = noise(tmp_path / "out" / "same.jpg", 20_000, 2)
    before = sha256(old)
    words = ("share", photo, "--with", "Bob", "--metadata", "original", "--no-wait")
    victim = anna if killed == "sender" else bob
    kill_at(victim, bob, lambda: anna.popen(*words), 50)
    victim.start()
    anna.run(*words)  # the sealing itself may have been cut; a second one changes nothing
    (offer,) = bob.until(lambda node: node.inbox(), lambda items: items[-1:] != [])[-1:]
    bob.received(offer.id)
    assert bob.run("export", offer.id, tmp_path / "out", code=7).error == "name-taken"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["same.jpg"]
    assert sha256(old) == before
    assert sha256(bob.exported(offer.id, tmp_path / "new")) == sha256(photo)
    assert list((bob.home / "blobs" / "incoming").iterdir()) == []


# F11: unfinished downloads are passed on as real files.


def test_f11_a_node_whose_disk_fills_offers_nobody_a_half_photo(
    tmp_path: Path,
    small_disk: Callable[[Path, int], Path],
    household: Household,
    paired: Household,
) -> None:
    small_disk(household.folder / "bob", 4)
    paired.copy(household.folder)
    anna, bob, carol = (household.person(name) for name in ("Anna", "Bob", "Carol"))
    together(anna.start, bob.start, carol.make)
    household.introduce(anna, carol)
    household.introduce(bob, carol)
    for name in ("Anna", "Bob"):
        carol.run("contacts", "accept-from", name, "always")
    photo = noise(tmp_path / "large.jpg", 6_000_000, 1)
    at_bob, at_carol = sorted(anna.share([photo], bob, carol, code=1), key=lambda item: item["to"])
    assert at_bob["code"] == "peer-disk-full"
    assert at_carol["state"] == "delivered"
    identifier = at_bob["photo_id"]
    for words in (("show", identifier), ("export", identifier, tmp_path / "half")):
        assert bob.run(*words, code=6).error == "not-here-yet"
    assert not (tmp_path / "half").exists()
    whole = [path for path in bob.files() if path.parent.parent.name == "blobs"]
    assert [path for path in whole if len(path.name) == 64 and path.stat().st_size > 100_000] == []
    assert [item["sender"] for item in carol.inbox()] == ["Anna"]
    assert sha256(carol.exported(identifier, tmp_path / "out")) == sha256(photo)


# F12: zero-byte and half-grey photos after an interrupted upload.


@pytest.mark.parametrize("percent", [0, 1, 99])
def test_f12_a_photo_that_was_cut_arrives_whole_by_itself_and_the_sender_keeps_it(
    running: Couple, tmp_path: Path, percent: int
) -> None:
    anna, bob = running
    photo = noise(tmp_path / "upload.jpg", LONG, percent)
    bob.run("contacts", "accept-from", "Anna", "ask")
    (item,) = anna.share([photo], bob)
    assert item["state"] == "waiting"
    kill_at(anna, bob, lambda: bob.popen("inbox", "accept", item["photo_id"]), percent)
    anna.start()
    bob.received(item["photo_id"])
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    anna.until(
        lambda node: node.get(item["photo_id"]), lambda own: own.deliveries[0].state == "delivered"
    )
    assert photo.stat().st_size == LONG
    assert sha256(anna.exported(item["photo_id"], tmp_path / "own")) == sha256(photo)


# F13: the sender picks the path.

NAMES_ON_DISK = (
    *("..\\x.jpg", "C:\\x.jpg", "\x1b[2A\x1b[2Kx.jpg", "two\nlines.jpg", "n" * 251 + ".jpg"),
    *(".bashrc", "CON.jpg", "x.jpg:stream", "x.jpg. ", "\u202egpj.exe", "x\u200b.jpg", "-rf.jpg"),
    *(unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")),
)
NAMES_ON_THE_WIRE = (
    *("../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "x\0.jpg", "", ".", "..", "/", "~/x.jpg"),
    *("\\\\host\\share\\x.jpg", "\r\n", " ", "x/", "nul", "\u2028.jpg", "x" * 255),
)


def whole_and_inside(paths: list[Path], folder: Path) -> None:
    """Each photo is a file of its own, directly in the folder, with a harmless name."""
    assert len({path.resolve() for path in paths}) == len(paths)
    assert {path.resolve().parent for path in paths} == {folder.resolve()}
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths}
    for path in paths:
        assert path.name == unicodedata.normalize("NFC", path.name)
        assert not path.name.startswith((".", "~"))
        assert not path.name.endswith((" ", "."))
        assert not any(unicodedata.category(char)[0] == "C" for char in path.name), path.name
        assert not set(path.name) & set('<>:"/\\|?*')


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets files have such names")
def test_f13_files_with_hostile_names_arrive_under_harmless_ones(
    running: Couple, tmp_path: Path
) -> None:
    anna, bob = running
    (tmp_path / "from").mkdir()
    files = [picture(tmp_path / "from" / name, n) for n, name in enumerate(NAMES_ON_DISK)]
    items = anna.share(files, bob)
    assert [item["state"] for item in items] == ["delivered"] * len(files)
    assert [item["name"] for item in items] == list(NAMES_ON_DISK)
    out = tmp_path / "out"

    async def take(node: Node) -> list[Path]:
        assert [(await node.get(item["photo_id"])).name for item in items] == list(NAMES_ON_DISK)
        done = [await node.export(item["photo_id"], out, keep_both=True) for item in items]
        return [Path(each.path) for each in done]

    paths = bob.ask(take)
    assert [sha256(path) for path in paths] == [sha256(file) for file in files]
    whole_and_inside(paths, out)
    screen = bob.screen("inbox")
    assert "\x1b[2A" not in screen
    assert "\u202e" not in screen
    assert len(screen.splitlines()) >= len(files)


async def test_f13_names_that_no_file_can_have_are_harmless_or_refused(
    running: Couple, tmp_path: Path
) -> None:
    _, bob = running
    out = tmp_path / "out"
    async with Node.connect(bob.home) as node:
        mallory = await befriend(node)
        paths: list[Path] = []
        async with mallory.connected() as conversation:
            for number, name in enumerate(NAMES_ON_THE_WIRE):
                content = f"photo {number}".encode()
                photo = mallory.photo(content, name)
                conversation.react = photo.serve()
                await conversation.say(photo.offer)
                await conversation.wait_for(Delivered)
                details = await node.get(photo.record.photo_id.hex())
                assert details.name == name
                done = await node.export(details.id, out, keep_both=True)
                paths.append(Path(done.path))
                assert paths[-1].read_bytes() == content
        whole_and_inside(paths, out)
    is_well(bob)
