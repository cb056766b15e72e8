"""Somebody holds for who is away: real daemons, of which never all are awake."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node import Node, keys
from kinlight.node.database import Database
from kinlight.node.home import Home
from kinlight.node.library import Library
from kinlight.node.views_holding import Holding
from kinlight.node.views_library import PhotoDetails

from .footprint import numbers
from .household import KINLIGHT, Household, Person, is_well, sha256, together
from .pictures import noise
from .test_several_sources import SLOW
from .test_stalled import wait_for_links

FILE_NAME = "grandmother-at-the-lighthouse.jpg"
PIECE = 262_144


class Held:
    """Anna sends to Bob, who is away; Carol holds for him."""

    def __init__(self, household: Household, annas: Sequence[str] = KINLIGHT) -> None:
        self.anna, self.bob, self.carol = map(household.person, ("Anna", "Bob", "Carol"))
        together(self.anna.make, self.bob.make, self.carol.make)
        household.introduce(self.anna, self.bob)
        household.introduce(self.carol, self.anna)
        household.introduce(self.carol, self.bob)
        self.bob.run("contacts", "accept-from", "Anna", "always")
        self.carol.run("hold")
        self.bob.until(lambda node: node.contact("Carol"), lambda found: found.holder == "offered")
        self.bob.run("contacts", "let-hold", "Carol")
        self.anna.stop()
        self.anna.start_with(annas)
        wait_for_links(self.bob, "Anna", "Carol")
        wait_for_links(self.anna, "Bob", "Carol")
        self.bob.stop()
        wait_for_links(self.anna, "Carol")
        wait_for_links(self.carol, "Anna")

    def leave(self, *files: Path) -> list[str]:
        """Anna shares; the ids of the photos."""
        options = ("--with", "Bob", "--no-wait", "--metadata", "original")
        items = self.anna.run("share", *files, *options).values
        return list({str(item["photo_id"]) for item in items if item["photo_id"]})

    def wait_until_held(self, *photos: str) -> None:
        """Until Anna was told that all of these are."""

        def held(found: PhotoDetails) -> bool:
            return [item.state for item in found.deliveries if item.to == "Bob"] == ["held"]

        for photo in photos:
            self.anna.until(lambda node, photo=photo: node.get(photo), held)

    def holding(self) -> Holding:
        return self.carol.ask(lambda node: node.holding())


@pytest.mark.timeout(300)
def test_photos_come_although_sender_and_receiver_are_never_awake_together(
    household: Household, tmp_path: Path
) -> None:
    held = Held(household)
    files = [noise(tmp_path / f"{number}.jpg", 700_000, seed=number) for number in range(3)]
    photos = held.leave(*files)
    held.wait_until_held(*photos)
    assert held.holding().items == 3
    held.anna.stop()
    held.bob.start()
    wait_for_links(held.bob, "Carol")
    for photo in photos:
        held.bob.received(photo)
    found = {sha256(held.bob.exported(photo, tmp_path / "out")) for photo in photos}
    assert found == {sha256(path) for path in files}
    held.carol.until(lambda node: node.holding(), lambda found: found.items == 0)
    held.bob.stop()
    held.anna.start()
    held.anna.until(
        lambda node: node.get(photos[0]),
        lambda found: [item.state for item in found.deliveries] == ["delivered"],
    )
    is_well(held.carol)
    assert _sealed_files(held.carol) == []


@pytest.mark.timeout(300)
def test_kill_9_of_the_holder_while_it_takes_something_in_loses_nothing(
    household: Household, tmp_path: Path
) -> None:
    held = Held(household, (sys.executable, "-c", SLOW))
    path = noise(tmp_path / "large.jpg", 24_000_000, 1)
    (photo,) = held.leave(path)
    pieces = -(-path.stat().st_size // PIECE)
    for here in (10, 40):
        asyncio.run(_until_taken_in(held.carol, here))
        held.carol.kill()
        held.carol.start()
    held.wait_until_held(photo)
    came = numbers(held.carol.ask(lambda node: node.metrics()))["pieces_received_total"]
    assert came < pieces, "what came before the last kill did not come again"
    held.anna.stop()
    held.bob.start()
    held.bob.received(photo)
    assert sha256(held.bob.exported(photo, tmp_path / "out")) == sha256(path)
    is_well(held.carol)


@pytest.mark.timeout(300)
def test_whoever_takes_the_holder_s_disk_finds_neither_photo_nor_name_nor_capability(
    household: Household, tmp_path: Path
) -> None:
    """Not even with its pass phrase: what is held is for others' keys."""
    held = Held(household)
    held.anna.run("import", noise(tmp_path / FILE_NAME, 700_000, seed=9), "--album", "Kattegat")
    (photo,) = held.leave(tmp_path / FILE_NAME)
    held.wait_until_held(photo)
    together(held.anna.stop, held.carol.stop)
    content = (tmp_path / FILE_NAME).read_bytes()
    needles = {
        f"photo at {index}": content[index : index + 32] for index in range(0, 700_000, 9999)
    }
    needles |= {
        "file name": FILE_NAME.encode(),
        "album": b"Kattegat",
        "photo id": bytes.fromhex(photo),
    }
    needles |= _secrets_of_deliveries(held.anna)
    assert {"capability", "record"} <= needles.keys()
    places = {str(path): path.read_bytes() for path in held.carol.files()}
    places |= _held_rows(held.carol)
    assert len(_sealed_files(held.carol)) == 2
    assert len([place for place in places if place.startswith("row of")]) >= 4
    names = "\n".join(places).encode()
    found = [
        (name, place)
        for name, needle in needles.items()
        for place, content in (*places.items(), ("names of files", names))
        if needle in content or needle.hex().encode() in content
    ]
    assert found == []


def _sealed_files(person: Person) -> list[Path]:
    return [path for path in Home(person.home).held.rglob("*") if path.is_file()]


@contextlib.contextmanager
def _opened(person: Person) -> Generator[Database]:
    home = Home(person.home)
    database = Database(
        home.library, keys.unlock(home, Secret(person.passphrase.encode())).library_key
    )
    try:
        yield database
    finally:
        database.close()


def _secrets_of_deliveries(person: Person) -> dict[str, bytes]:
    """What Anna knows of what she left: the grant, the record, and the keys of both blobs."""
    with _opened(person) as database:
        library = Library(database)
        (photo,) = library._db.rows("SELECT photo_id, record, metadata FROM photos")  # pyright: ignore[reportPrivateUsage]
        found = {"record": bytes(photo["record"]), "metadata": bytes(photo["metadata"])}
        grants = database.rows("SELECT * FROM grants")
        found["capability"] = max(
            (bytes(value) for row in grants for value in row if isinstance(value, bytes)), key=len
        )
        for row in database.rows("SELECT content_id, file_key FROM blobs"):
            found[f"file key {row[0].hex()[:8]}"] = bytes(row[1])
        return found


def _held_rows(person: Person) -> dict[str, bytes]:
    """All values of all tables about what is held."""
    found: dict[str, bytes] = {}
    with _opened(person) as database:
        tables = database.rows(
            "SELECT name FROM sqlite_master WHERE name LIKE 'held_%' AND type = 'table'"
        )
        assert len(tables) >= 6
        for (table,) in tables:
            for number, row in enumerate(database.rows(f"SELECT * FROM {table}")):
                found[f"row of {table} {number}"] = b"\n".join(
                    value if isinstance(value, bytes) else str(value).encode() for value in row
                )
    return found


async def _until_taken_in(person: Person, pieces: int) -> None:
    async with Node.connect(person.home) as node:
        # No event tells of pieces that are for others.
        while numbers(await node.metrics())["pieces_received_total"] < pieces:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
