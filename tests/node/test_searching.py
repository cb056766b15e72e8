"""The library is searched by what is known of its photos, and by nothing that left the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node.contact_errors import NoSuchContactError
from kinlight.node.errors import BadDayError, BadRequestError
from kinlight.node.facts import Facts
from kinlight.node.photo_errors import NoSuchAlbumError

from .conftest import Start, Two
from .nodes import NOW, TestedNode
from .photographs import photograph

MUNICH, AUGSBURG, FIJI = (48.137, 11.575), (48.366, 10.898), (-17.8, 179.99)


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


async def enter(node: TestedNode, path: Path, album: str | None = None, **facts: object) -> bytes:
    """A file with these facts, whatever is in it."""
    _write(path)
    item = await node.parts.importer.take(path, album)
    photo_id = bytes.fromhex(item.id or "")
    node.parts.catalogue.put_facts(photo_id, Facts("jpeg", **facts))  # type: ignore[arg-type]
    return photo_id


def _write(path: Path) -> None:
    path.write_bytes(path.name.encode())


def found(node: TestedNode, **query: object) -> list[str]:
    """Names, in the order in which they are listed."""
    return [item.name for item in node.engine.collection.search(**query)]  # type: ignore[arg-type]


@pytest.fixture
def _munich_time(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# By date


@pytest.mark.usefixtures("_munich_time")
async def test_the_latest_capture_comes_first_and_a_file_s_time_stands_in_for_it(
    anna: TestedNode, tmp_path: Path
) -> None:
    await enter(anna, tmp_path / "b.jpg", captured="2024-05-01T10:00:00")
    await enter(anna, tmp_path / "d.jpg", captured="2026-01-01T00:00:00+09:00")
    await enter(anna, tmp_path / "a.jpg", captured="2019-12-31T23:59:59.5")
    plain = tmp_path / "c.jpg"
    plain.write_bytes(b"no time of its own")
    os.utime(plain, (1_735_689_000, 1_735_689_000))  # 2025-01-01 00:50 in Munich
    await anna.parts.importer.take(plain, None)
    assert found(anna) == ["d.jpg", "c.jpg", "b.jpg", "a.jpg"]
    assert found(anna, start="2025", end="2025") == ["c.jpg"]


@pytest.mark.parametrize(
    ("begin", "end", "names"),
    [
        ("2026-07", None, ["3.jpg", "2.jpg", "1.jpg"]),
        (None, "2026-07-14", ["2.jpg", "1.jpg", "0.jpg"]),
        ("2026-07-14", "2026-07-14", ["2.jpg", "1.jpg"]),
        ("2026-07-14 12:00", "2026-07", ["2.jpg"]),
        ("2026-07-14T00:00", "2026-07-14T00:00", ["1.jpg"]),
        (None, "2026-06", ["0.jpg"]),
        ("2027", None, []),
    ],
)
async def test_both_ends_of_a_span_belong_to_it(
    anna: TestedNode, tmp_path: Path, begin: str | None, end: str | None, names: list[str]
) -> None:
    # A zone doesn't move a photo to another day: it is the day of who took it.
    for number, taken in enumerate(
        (
            "2026-06-30T23:59:59+14:00", "2026-07-14T00:00:00", "2026-07-14T23:59:59-11:00",
            "2026-08-01T00:00:00Z",
        )
    ):  # fmt: skip
        await enter(anna, tmp_path / f"{number}.jpg", captured=taken)
    assert found(anna, start=begin, end=end) == names


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13", "2026-02-30", "26-07-14", "2026-07-"])
async def test_what_is_no_date_is_said(anna: TestedNode, text: str) -> None:
    with pytest.raises(BadDayError):
        found(anna, start=text)


async def test_a_month_lies_in_its_year_at_either_end(anna: TestedNode, tmp_path: Path) -> None:
    await enter(anna, tmp_path / "july.jpg", captured="2026-07-14T09:30:00")
    for start, end in (("2026-07", "2026"), ("2026", "2026-07"), ("2026-07-14", "2026-07-14")):
        assert found(anna, start=start, end=end) == ["july.jpg"]


# By name, album, camera, place, verdict


async def test_words_are_found_in_names_in_any_case_and_form(
    anna: TestedNode, tmp_path: Path
) -> None:
    await enter(anna, tmp_path / "Été au CAFÉ 2026.jpg")
    await enter(anna, tmp_path / "winter.jpg")
    for words in ("cafe\u0301", "ÉTÉ café", "2026 é", "au"):
        assert found(anna, words=words) == ["Été au CAFÉ 2026.jpg"]
    assert found(anna, words="été winter") == []
    assert found(anna, words="%") == []
    assert len(found(anna, words="  ")) == 2


async def test_photos_of_an_album_are_found_by_its_name_in_any_case(
    anna: TestedNode, tmp_path: Path
) -> None:
    await enter(anna, tmp_path / "a.jpg", "Été")
    await enter(anna, tmp_path / "b.jpg")
    assert found(anna, album="été") == ["a.jpg"]
    with pytest.raises(NoSuchAlbumError):
        found(anna, album="winter")


async def test_a_part_of_a_camera_s_or_a_place_s_name_is_enough(
    anna: TestedNode, tmp_path: Path
) -> None:
    await enter(anna, tmp_path / "a.jpg", camera="KIN K-1 Mark II", place="Königsplatz, München")
    await enter(anna, tmp_path / "b.jpg", camera="Other")
    await enter(anna, tmp_path / "c.jpg")
    assert found(anna, camera="k-1") == ["a.jpg"]
    assert found(anna, place="MÜNCHEN") == ["a.jpg"]
    assert found(anna, camera="k-1", place="Rom") == []


@pytest.mark.parametrize(
    ("near", "within", "names"),
    [
        (MUNICH, 10, ["munich.jpg"]),
        (MUNICH, 50, ["munich.jpg"]),
        (MUNICH, 60, ["augsburg.jpg", "munich.jpg"]),  # they are 56 km apart
        ((-17.8, -179.99), 3, ["fiji.jpg"]),  # over the date line
        ((0.0, 0.0), 100, []),
        ((90.0, 0.0), 20_040, ["fiji.jpg", "augsburg.jpg", "munich.jpg"]),
    ],
)
async def test_photos_are_found_by_where_they_were_taken(
    anna: TestedNode, tmp_path: Path, near: tuple[float, float], within: float, names: list[str]
) -> None:
    places = {"munich": MUNICH, "augsburg": AUGSBURG, "fiji": FIJI}
    for year, (name, position) in enumerate(places.items(), 2020):
        await enter(
            anna, tmp_path / f"{name}.jpg", captured=f"{year}-01-01T00:00:00",
            location=True, position=position,
        )  # fmt: skip
    await enter(anna, tmp_path / "nowhere.jpg")
    assert found(anna, near=near, within=within) == names
    assert found(anna, near=near, within=within, limit=1) == names[:1]


async def test_photos_are_found_by_their_c2pa_verdict(anna: TestedNode, tmp_path: Path) -> None:
    for state in ("none", "valid", "valid-untrusted", "invalid"):
        await enter(anna, tmp_path / f"{state}.jpg", c2pa=state)
    for state in ("none", "valid", "valid-untrusted", "invalid"):
        assert found(anna, verdict=state) == [f"{state}.jpg"]


async def test_no_more_are_listed_than_asked_for(anna: TestedNode, tmp_path: Path) -> None:
    for year in range(2001, 2006):
        await enter(anna, tmp_path / f"{year}.jpg", captured=f"{year}-01-01T00:00:00")
    assert found(anna, limit=2) == ["2005.jpg", "2004.jpg"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"verdict": "fine"}, BadRequestError),
        ({"limit": 0}, BadRequestError),
        ({"near": (91.0, 0.0)}, BadRequestError),
        ({"near": (0.0, float("nan"))}, BadRequestError),
        ({"near": MUNICH, "within": 0}, BadRequestError),
        ({"within": 3.0}, BadRequestError),
        ({"start": "2026-07", "end": "2026-06-30"}, BadRequestError),
        ({"start": "2027", "end": "2026-06-30T09:30"}, BadRequestError),
        ({"near": MUNICH, "within": float("nan")}, BadRequestError),
        ({"person": "Nobody"}, NoSuchContactError),
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    anna: TestedNode, query: dict[str, object], error: type[KinlightError]
) -> None:
    with pytest.raises(error):
        found(anna, **query)


# By person


async def test_photos_are_found_by_who_made_sent_or_got_them(joined: Two, tmp_path: Path) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    await enter(joined.anna, tmp_path / "mine.jpg")
    await joined.anna.share_one(photograph(tmp_path / "shared.jpg"), "Bob")
    assert found(joined.anna, person="bob") == ["shared.jpg"]
    assert found(joined.bob, person="Anna") == ["shared.jpg"]
    (item,) = joined.bob.engine.collection.search()
    assert (item.own, item.people) == (False, ["Anna"])
    people = {item.name: item.people for item in joined.anna.engine.collection.search()}
    assert people == {"mine.jpg": [], "shared.jpg": ["Bob"]}


# What is an item


async def test_a_copy_made_for_sharing_is_no_item_and_counts_for_its_original(
    joined: Two, tmp_path: Path
) -> None:
    source = await enter(joined.anna, tmp_path / "original.jpg", "Album")
    stripped = await joined.anna.share_one(photograph(tmp_path / "stripped.jpg"), "Bob", wait=False)
    joined.anna.parts.catalogue.put_into("Album", [bytes.fromhex(stripped.photo_id or "")], NOW)
    write = joined.anna.parts.database.write
    write(
        "INSERT INTO copies VALUES (?, 'no-location', 0, x'', ?, '[]')",
        source, bytes.fromhex(stripped.photo_id or ""),
    )  # fmt: skip
    (item,) = joined.anna.engine.collection.search()
    assert (item.name, item.people) == ("original.jpg", ["Bob"])
    assert found(joined.anna, person="Bob") == ["original.jpg"]
    assert [album.photos for album in joined.anna.engine.collection.albums()] == [1]


async def test_a_photo_that_was_not_looked_at_yet_is_listed_all_the_same(
    anna: TestedNode, tmp_path: Path
) -> None:
    await enter(anna, tmp_path / "a.jpg")
    anna.parts.database.write("DELETE FROM facts")
    (item,) = anna.engine.collection.search(words="a.jpg")
    assert (item.captured, item.c2pa, item.width) == (None, None, None)


async def test_photos_of_an_earlier_version_are_found_by_name_and_time(
    anna: TestedNode, tmp_path: Path
) -> None:
    plain = tmp_path / "Été.jpg"
    plain.write_bytes(b"plain")
    os.utime(plain, (1_700_000_000, 1_700_000_000))
    await anna.parts.importer.take(plain, None)
    anna.parts.database.write("UPDATE photos SET name = NULL, modified = NULL")
    await anna.restart()
    assert found(anna, words="été", start="2023-11", end="2023-11") == ["Été.jpg"]
