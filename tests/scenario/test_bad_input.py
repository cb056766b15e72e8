"""One clear sentence, an exit code, nothing lost, and the daemon stays up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Couple
from .household import Household, sha256
from .pictures import noise, picture


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_wrong_pass_phrase_is_said_and_nothing_changes(running: Couple) -> None:
    anna, bob = running
    anna.run("lock")
    answer = anna.run("unlock", "--passphrase-file", bob.passphrase_file, code=5)
    assert answer.error == "wrong-passphrase"
    assert anna.run("status").value["locked"] is True
    anna.run("unlock", "--passphrase-file", anna.passphrase_file)
    assert [contact["name"] for contact in anna.run("contacts", "list").values] == ["Bob"]


def test_three_wrong_codes_end_the_pairing(running: Couple) -> None:
    anna, bob = running
    showing = anna.popen("pair")
    assert showing.stdout is not None
    slot = showing.stdout.readline().split('"')[3].split("-")[0]
    for _ in range(3):
        wrong = bob.run("pair", f"{slot}-acid-acid", "--at", f"127.0.0.1:{anna.port}", code=3)
        assert wrong.error == "wrong-code"
    assert "pairing-spent" in showing.stdout.readline()
    assert showing.wait(60) == 1
    assert anna.run("status").value["locked"] is False


def test_a_damaged_library_is_named_and_repaired_by_putting_it_back(couple: Couple) -> None:
    anna, _ = couple
    library = anna.home / "library.db"
    whole = library.read_bytes()
    library.write_bytes(whole[:5000] + bytes(100) + whole[5100:])
    assert anna.start_code("library-damaged") == 7
    library.write_bytes(whole)
    anna.run("unlock", "--passphrase-file", anna.passphrase_file)


def test_a_damaged_key_file_is_named(couple: Couple) -> None:
    anna, _ = couple
    key_file = anna.home / "keys.bin"
    key_file.write_bytes(key_file.read_bytes()[:-40])
    assert anna.start_code("key-file-damaged") == 7
    assert anna.run("status").value["locked"] is True


def test_a_full_disk_at_the_receiver_is_said_at_both_ends_and_passes(
    running: Couple, small_disk: Path, tmp_path: Path
) -> None:
    anna, bob = running
    photo = picture(tmp_path / "small.jpg", 1)
    (item,) = anna.share([photo], bob)
    big = noise(tmp_path / "big.jpg", 8_000_000, seed=2)
    (large,) = anna.share([big], bob)
    refused = bob.run("export", large["photo_id"], small_disk / "out", code=7)
    assert refused.error == "disk-full"
    assert list((small_disk / "out").iterdir()) == []
    assert sha256(bob.exported(item["photo_id"], small_disk / "out")) == item["sha256"]


def test_an_export_never_touches_another_file(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    (item,) = anna.share([picture(tmp_path / "beach.jpg", 3)], bob)
    folder = tmp_path / "out"
    folder.mkdir()
    other = folder / "beach.jpg"
    other.write_bytes(b"mine, and longer than nothing")
    assert bob.run("export", item["photo_id"], folder, code=7).error == "name-taken"
    assert other.read_bytes() == b"mine, and longer than nothing"
    both = bob.run("export", item["photo_id"], folder, "--keep-both").value
    assert Path(both["path"]).name == "beach (2).jpg"
    again = bob.run("export", item["photo_id"], folder, "--keep-both").value
    assert again["already"] is True


def test_what_cannot_be_read_is_named_and_the_rest_goes(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    good = picture(tmp_path / "good.jpg", 4)
    items = anna.share([tmp_path / "missing.jpg", good, tmp_path], bob, code=1)
    states = {item["name"]: item["state"] for item in items}
    assert states == {"missing.jpg": "failed", "good.jpg": "delivered"}


def test_an_unwritable_folder_is_named(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    (item,) = anna.share([picture(tmp_path / "beach.jpg", 5)], bob)
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    answer = bob.run("export", item["photo_id"], in_the_way / "below", code=7)
    assert answer.error == "unwritable"


def test_a_home_that_another_daemon_uses_is_left_alone(household: Household) -> None:
    anna = household.newcomer("Anna")
    answer = anna.run("up", "--foreground", code=1)
    assert answer.error == "already-running"
    assert anna.run("status").value["locked"] is False
