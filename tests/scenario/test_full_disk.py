"""A disk that fills up while a photo is on its way: both sides are told, and nothing is lost."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from kinlight.node import Node

from .footprint import resting
from .household import Household, Person, is_well, sha256, together
from .pictures import noise

SmallDisk = Callable[[Path, int], Path]


def at_home(household: Household, paired: Household) -> tuple[Person, Person]:
    """Anna and Bob, with whatever disks their homes were given before."""
    paired.copy(household.folder)
    anna, bob = household.person("Anna"), household.person("Bob")
    together(anna.start, bob.start)
    return anna, bob


def test_a_receiver_whose_disk_fills_says_so_at_both_sides_and_takes_it_later(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    small_disk(household.folder / "bob", 8)
    anna, bob = at_home(household, paired)
    photo = noise(tmp_path / "large.jpg", 6_000_000, 1)
    (item,) = anna.share([photo], bob, code=1)
    assert item["code"] == "peer-disk-full"
    assert "disk is full" in item["message"]
    assert item["state"] not in ("delivered", "refused")
    (offer,) = bob.inbox()
    assert (offer["state"], offer["code"]) == ("accepted", "disk-full")
    assert bob.run("export", item["photo_id"], tmp_path / "out", code=6).error == "not-here-yet"
    assert bob.run("status").value["locked"] is False

    smaller = noise(tmp_path / "small.jpg", 100_000, 2)
    bob.run("inbox", "decline", item["photo_id"])
    (kept,) = anna.share([smaller], bob)
    assert kept["state"] == "delivered"
    assert sha256(bob.exported(kept["photo_id"], tmp_path / "out")) == sha256(smaller)


def test_a_receiver_with_room_again_gets_the_photo_after_all(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "bob", 16)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(10_000_000))
    anna, bob = at_home(household, paired)
    photo = noise(tmp_path / "large.jpg", 6_000_000, 3)
    (item,) = anna.share([photo], bob, code=1)
    assert item["code"] == "peer-disk-full"
    ballast.unlink()
    bob.kill()
    bob.start()
    assert bob.received(item["photo_id"])["sha256"] == sha256(photo)
    anna.until(
        lambda node: node.get(item["photo_id"]), lambda own: own.deliveries[0].state == "delivered"
    )
    is_well(anna)


def test_a_sender_whose_disk_is_full_shares_what_fits_and_names_the_rest(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    small_disk(household.folder / "anna", 8)
    anna, bob = at_home(household, paired)
    large = noise(tmp_path / "large.jpg", 6_000_000, 1)
    small = noise(tmp_path / "small.jpg", 100_000, 2)
    failed, sent = anna.share([large, small], bob, code=1)
    assert (failed["state"], failed["code"]) == ("failed", "disk-full")
    assert "make room" in failed["message"]
    assert sent["state"] == "delivered"
    assert list((anna.home / "blobs" / "incoming").iterdir()) == []
    assert large.stat().st_size == 6_000_000
    assert anna.run("status").value["locked"] is False


def test_a_start_on_a_disk_without_any_room_says_so(
    small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "bob", 8)
    paired.copy(household.folder)
    bob = household.person("Bob")
    fill(disk / "ballast")
    assert bob.start_code("disk-full") == 7
    (disk / "ballast").unlink()
    assert bob.start().value["locked"] is False


def fill(file: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass


def grow(disk: Path, megabytes: int) -> None:
    """Give a `small_disk` more room."""
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(disk)], check=True)


def batch(folder: Path) -> list[Path]:
    """More than 20 MB of photos, small ones between large ones."""
    return [
        noise(folder / f"{number}.jpg", 200_000 if number % 5 == 4 else 1_200_000, number)
        for number in range(30)
    ]


def test_of_a_batch_what_fits_is_kept_and_the_rest_comes_by_itself_when_there_is_room(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "bob", 20)
    anna, bob = at_home(household, paired)
    files = batch(tmp_path / "from")
    items = anna.ask(lambda node: node.share(files, "Bob", metadata="original", wait=False))
    original = {item.photo_id: Path(item.file) for item in items if item.photo_id}
    assert len(original) == len(files)

    async def states(node: Node) -> dict[str, tuple[str, str | None]]:
        found = {photo: (await node.get(photo)).deliveries[0] for photo in original}
        return {photo: (own.state, own.code) for photo, own in found.items()}

    def is_answered(found: dict[str, tuple[str, str | None]]) -> bool:
        """Each: none waits behind another that is tried again and again."""
        return set(found.values()) == {("delivered", None), ("offered", "peer-disk-full")}

    stuck = anna.until(states, is_answered)
    acknowledged = {
        photo: original[photo] for photo, state in stuck.items() if state == ("delivered", None)
    }
    assert 0 < len(acknowledged) < len(files)
    assert "refused" not in {state for state, _ in stuck.values()}
    assert "disk-full" in {item["code"] for item in bob.inbox()}
    bob.has_whole(acknowledged, tmp_path / "out")
    grow(disk, 1000)  # the doctor warns of less than half a gigabyte
    anna.until(states, lambda found: set(found.values()) == {("delivered", None)})
    bob.has_whole(original, tmp_path / "out")
    assert len(bob.inbox()) == len(files)
    resting(bob)
    is_well(anna)
    assert bob.run("doctor", "--deep").values == []


def test_a_sender_with_room_again_shares_the_rest_of_a_batch_and_nothing_twice(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "anna", 20)
    anna, bob = at_home(household, paired)
    files = batch(tmp_path / "from")
    items = anna.share(files, bob, code=1)
    delivered = {item["photo_id"] for item in items if item["state"] == "delivered"}
    failed = [item for item in items if item["state"] == "failed"]
    assert 0 < len(delivered) == len(items) - len(failed)
    assert {item["code"] for item in failed} == {"disk-full"}
    grow(disk, 60)
    again = anna.share(files, bob)
    assert {item["state"] for item in again} == {"delivered"}
    assert delivered <= {item["photo_id"] for item in again}
    assert len(bob.inbox()) == len(files)
    bob.has_whole({item["photo_id"]: Path(item["file"]) for item in again}, tmp_path / "out")
    resting(anna)
    is_well(anna)
    is_well(bob)


def test_an_export_to_a_full_disk_leaves_nothing_there(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(tmp_path / "stick", 1)
    anna, bob = at_home(household, paired)
    photo = noise(tmp_path / "large.jpg", 2_000_000, 1)
    (item,) = anna.share([photo], bob)
    refused = bob.run("export", item["photo_id"], disk, code=7)
    assert refused.error == "disk-full"
    assert list(disk.iterdir()) == []
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    is_well(bob)
