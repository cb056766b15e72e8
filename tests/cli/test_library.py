"""The commands about the library with --json, and as a person reads them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ..scenario.household import KINLIGHT, Person
from ..scenario.pictures import picture

Neighbours = tuple[Person, Person]

IMPORT_ITEM = {
    *("file", "name", "state", "id", "bytes", "album", "refused", "code", "message"),
}
LIBRARY_ITEM = {
    *("id", "name", "media_type", "bytes", "modified", "added", "policy", "own", "captured"),
    *("captured_source", "camera", "width", "height", "position", "place", "c2pa", "refused"),
    *("clip", "albums", "tags", "sensitivity", "people", "ended", "verdict"),
}
FOLDER = {
    *("path", "kind", "state", "album", "contact", "to", "metadata", "photos", "message"),
    "there",
}


def folder_of(tmp_path: Path, name: str, seed: int) -> Path:
    """A folder with one photo."""
    (tmp_path / name).mkdir()
    picture(tmp_path / name / f"{name}.jpg", seed)
    return tmp_path / name


def test_import_search_and_albums(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, _ = neighbours
    folder = folder_of(tmp_path, "Lisbon", 901)
    item = anna.run("import", folder).value
    assert set(item) == IMPORT_ITEM
    assert (item["state"], item["album"]) == ("imported", "Lisbon")
    found = anna.run("search", "lisbon").value
    assert set(found) == LIBRARY_ITEM
    assert (found["id"], found["albums"], found["own"]) == (item["id"], ["Lisbon"], True)
    albums = {album["name"]: album for album in anna.run("albums").values}
    assert set(albums["Lisbon"]) == {"name", "photos", "created"}
    assert anna.run("show", item["id"]).value["albums"] == ["Lisbon"]
    assert anna.run("search", "no such name").values == []


def test_tag_gives_words_that_search_finds(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, _ = neighbours
    item = anna.run("import", picture(tmp_path / "tagged.jpg", 930)).value
    said = anna.run("tag", item["id"][:12], "--add", "Beach", "--add", "sun").value
    assert set(said) == LIBRARY_ITEM
    assert (said["tags"], said["sensitivity"]) == (["Beach", "sun"], "normal")
    assert "Beach; sensitivity high" in anna.screen(
        "tag", item["id"], "--remove", "SUN", "--sensitivity", "high"
    )
    assert [found["id"] for found in anna.run("search", "--tag", "beach").values] == [item["id"]]
    assert anna.run("search", "--tag", "sun").values == []
    shown = anna.run("show", item["id"]).value
    assert (shown["tags"], shown["sensitivity"]) == (["Beach"], "high")
    assert anna.run("tag", item["id"], "--sensitivity", "secret", code=2).error == "bad-request"


def test_import_puts_all_into_one_album_or_none(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, _ = neighbours
    porto, faro = (
        folder_of(tmp_path, name, seed) for name, seed in (("Porto", 902), ("Faro", 903))
    )
    (one,) = anna.run("import", porto, "--album", "Portugal").values
    (other,) = anna.run("import", faro, "--no-albums").values
    assert (one["album"], other["album"]) == ("Portugal", None)
    assert [item["name"] for item in anna.run("search", "--album", "portugal").values] == [
        "Porto.jpg"
    ]


def test_a_file_that_can_not_be_imported_is_told_and_the_exit_code_says_so(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    anna, _ = neighbours
    answer = anna.run("import", tmp_path / "missing.jpg", code=1)
    assert (answer.value["state"], answer.value["code"]) == ("failed", "unreadable")
    (tmp_path / "empty").mkdir()
    assert anna.run("import", tmp_path / "empty", code=2).error == "no-photos"


def test_a_name_that_is_no_text_is_imported_and_printed(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    anna, _ = neighbours
    folder = folder_of(tmp_path, "raw", 904)
    photo = (folder / "raw.jpg").rename(folder / os.fsdecode(b"caf\xe9.jpg"))
    assert anna.run("import", folder).value["name"] == "caf\ufffd.jpg"
    assert "unchanged" in anna.screen("import", photo)


def test_mirror_and_watch_are_listed_and_ended(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, bob = neighbours
    folder = folder_of(tmp_path, "Evora", 905)
    anna.run("import", folder)
    mirror = anna.run("mirror", "Evora", tmp_path / "mirror").value
    watch = anna.run("watch", folder, "--album", "Evora", "--with", "Bob").value
    assert set(mirror) == set(watch) == FOLDER
    assert (mirror["kind"], mirror["album"]) == ("mirror", "Evora")
    assert (watch["kind"], watch["album"], watch["to"]) == ("watch", "Evora", [bob.name])
    assert [each["path"] for each in anna.run("mirror").values] == [str(tmp_path / "mirror")]
    assert [each["path"] for each in anna.run("watch").values] == [str(folder)]
    assert "Evora" in anna.screen("mirror")
    assert (watch["there"], mirror["there"]) == (1, None)
    assert "and to Bob" in anna.screen("watch")
    assert anna.run("watch", "--off", folder).value["kind"] == "watch"
    assert anna.run("mirror", "--off", tmp_path / "mirror").value["kind"] == "mirror"
    assert anna.run("watch").values == anna.run("mirror").values == []
    assert "There is none" in anna.screen("watch")


def test_a_watch_says_what_lies_there_and_what_leaves(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    anna, _ = neighbours
    folder = folder_of(tmp_path, "Braga", 906)
    said = anna.screen("watch", folder, "--with", "Bob")
    anna.run("watch", "--off", folder)
    assert "1 photo or clip in it now" in said
    assert "For Bob leaves: the pictures, time and camera. Left out: the place." in said


def test_a_search_says_that_there_is_more_than_it_shows(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    anna, _ = neighbours
    for number in (1, 2):
        picture(tmp_path / f"many {number}.jpg", 910 + number)
        anna.run("import", tmp_path / f"many {number}.jpg")
    assert len(anna.run("search", "many", "--limit", "1").values) == 1
    assert "more than these 1" in anna.screen("search", "many", "--limit", "1")
    assert "more than" not in anna.screen("search", "many", "--limit", "2")


def test_a_photo_is_removed_by_its_id(neighbours: Neighbours, tmp_path: Path) -> None:
    anna, _ = neighbours
    item = anna.run("import", picture(tmp_path / "gone.jpg", 920)).value
    assert anna.run("remove", item["id"], code=2).error == "usage"
    removed = anna.run("remove", item["id"][:12], "--yes").value
    assert removed == {"id": item["id"], "name": "gone.jpg", "people": []}
    assert anna.run("search", "gone").values == []
    assert anna.run("remove", item["id"], "--yes", code=6).error == "no-such-photo"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("search", "--album", "Nowhere"), 6, "no-such-album"),
        (("search", "--person", "Nobody"), 6, "no-such-contact"),
        (("search", "--from", "30d"), 2, "bad-date"),
        (("search", "--from", "2026-07", "--to", "2026-06"), 2, "bad-request"),
        (("search", "--within", "3"), 2, "bad-request"),
        (("search", "--near", "48.1"), 2, "bad-request"),
        (("search", "--near", "48.1,north"), 2, "bad-request"),
        (("search", "--near", "100,0"), 2, "bad-request"),
        (("search", "--verdict", "fine"), 2, "bad-request"),
        (("search", "--limit", "0"), 2, "bad-request"),
        (("import", "x.jpg", "--album", "two\nlines"), 2, "bad-request"),
        (("mirror", "Nowhere", "x"), 6, "no-such-album"),
        (("mirror", "Bob"), 2, "usage"),
        (("mirror", "--off", "x"), 6, "no-such-folder"),
        (("watch", "no such folder"), 1, "folder-taken"),
        (("watch", ".", "--with", "Nobody"), 6, "no-such-contact"),
        (("watch", "--off", "x"), 6, "no-such-folder"),
    ],
)
def test_an_error_is_one_json_object_with_its_exit_code(
    neighbours: Neighbours, words: tuple[str, ...], code: int, error: str
) -> None:
    answer = neighbours[0].run(*words, code=code)
    assert answer.error == error
    assert "Traceback" not in answer.said


def test_a_position_south_and_west_is_typed_as_it_is(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    done = subprocess.run(
        [*KINLIGHT, "search", "--near", "-33.45,-70.66", "--json", "--home", str(anna.home)],
        env=anna.household.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [json.loads(line) for line in done.stdout.splitlines()] == []
