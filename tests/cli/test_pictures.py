"""`inspect` and `strip`: for files, without a node."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from ..node.filmed import film
from ..node.photographs import photograph
from ..scenario.household import Household, Person, sha256
from ..scenario.pictures import MODIFIED

KEYS = [
    *("file", "format", "stored", "upright", "orientation", "frames", "captured"),
    *("captured_source", "camera", "location", "icc", "hidden", "pair", "c2pa", "c2pa_code"),
    *("refused", "damaged"),
]


@pytest.fixture
def nobody(household: Household) -> Person:
    """Somebody without a node."""
    person = household.person("Nobody")
    assert not person.home.exists()
    return person


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    file = photograph(
        tmp_path / "from" / "beach.jpg", size=(48, 32), taken="2026:07:14 09:30:00", zone="+02:00",
        camera=("Kin", "One"), position=(52.5, 13.4), orientation=6,
    )  # fmt: skip
    os.utime(file, ns=(MODIFIED, MODIFIED))
    return file


# inspect


def test_inspect_tells_what_is_in_a_picture_and_where_it_was_taken_only_by_yes_or_no(
    nobody: Person, beach: Path
) -> None:
    answer = nobody.run("inspect", beach)
    assert list(answer.value) == KEYS
    assert answer.value == {
        "file": str(beach), "format": "jpeg", "stored": [48, 32], "upright": [32, 48],
        "orientation": 6, "frames": 1, "captured": "2026-07-14T09:30:00+02:00",
        "captured_source": "exif:DateTimeOriginal", "camera": "Kin One", "location": True,
        "icc": None, "hidden": [], "pair": None, "c2pa": "none", "c2pa_code": None,
        "refused": None, "damaged": False,
    }  # fmt: skip
    assert not nobody.home.exists()


def test_inspect_of_hundreds_keeps_their_order_and_stops_at_none(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    files: list[Path] = []
    for number in range(300):
        file = tmp_path / "many" / f"{number}.jpg"
        if number % 10:
            photograph(file, size=(8 + number % 7, 8))
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(beach.read_bytes()[: 20 + number])
        files.append(file)
    values = nobody.run("inspect", *files).values
    assert [value["file"] for value in values] == [str(file) for file in files]
    for number, value in enumerate(values):
        assert (value["refused"] is None) == bool(number % 10), value


def test_what_can_not_be_read_is_a_line_as_well_and_the_exit_code_says_so(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    pipe, noise = tmp_path / "pipe.jpg", tmp_path / "noise.jpg"
    os.mkfifo(pipe)
    noise.write_bytes(b"not a picture")
    assert nobody.run("inspect", noise, beach).values[0]["refused"]
    missing = tmp_path / "missing.jpg"
    values = nobody.run("inspect", missing, pipe, beach, code=1).values
    assert [value["format"] for value in values] == ["unknown"] * 2 + ["jpeg"]
    for value in values[:2]:
        assert list(value) == KEYS
        assert "can't be read" in value["refused"]
        assert value["location"] is None
    assert values[2]["refused"] is None


def test_of_a_folder_the_pictures_in_it_are_looked_at(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    (beach.parent / "notes.txt").write_text("private")
    values = nobody.run("inspect", tmp_path, beach).values
    assert [value["file"] for value in values] == [str(beach)] * 2
    (tmp_path / "empty").mkdir()
    assert nobody.run("inspect", tmp_path / "empty", code=2).error == "no-photos"


def test_of_what_is_not_read_here_it_is_not_known_whether_it_tells_its_place(
    nobody: Person, tmp_path: Path
) -> None:
    page, text = tmp_path / "page.pdf", tmp_path / "notes.txt"
    page.write_bytes(b"%PDF-1.4\n<exif:GPSLatitude>48,6.0N</exif:GPSLatitude>")
    text.write_text("I was in Munich.")
    values = nobody.run("inspect", page, text).values
    assert [value["location"] for value in values] == [None, None]
    screen = nobody.screen("inspect", page, text)
    assert screen.count("not known whether it tells its place") == 2
    assert "tells no place" not in screen


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets files have such names")
def test_a_name_that_is_no_text_or_moves_the_cursor_harms_nobody(
    nobody: Person, tmp_path: Path
) -> None:
    names = [b"caf\xe9.jpg", b"\x1b[2Jtwo\nlines.jpg", b"\xe9.png"]
    files = [photograph(tmp_path / os.fsdecode(name), seed=1) for name in names]
    values = nobody.run("inspect", *files).values
    told = [Path(value["file"]).name for value in values]
    assert told == ["caf\ufffd.jpg", "\x1b[2Jtwo\nlines.jpg", "\ufffd.png"]
    assert "\x1b[2J" not in nobody.screen("inspect", *files)
    for policy in ("no-location", "clean"):
        out = tmp_path / policy
        copies = nobody.run("strip", *files, "-o", out, "--policy", policy).values
        assert [copy["code"] for copy in copies] == [None] * 3
        assert len(list(out.iterdir())) == 3


def test_people_read_it_in_words(nobody: Person, beach: Path, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mov"
    clip.write_bytes(film(container="mov"))
    screen = nobody.screen("inspect", beach, clip)
    assert "jpeg, 48 x 32, upright 32 x 48" in screen
    assert "taken 2026-07-14T09:30:00+02:00 (exif:DateTimeOriginal)" in screen
    assert "camera Kin One" in screen
    assert "tells its place" in screen
    assert "tells no place" in screen


# strip


def test_strip_writes_a_copy_without_the_place_and_leaves_the_file(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    before = sha256(beach)
    copy = nobody.run("strip", beach, "-o", tmp_path / "copy.jpg").value
    assert copy["path"] == str(tmp_path / "copy.jpg")
    assert (copy["policy"], copy["code"]) == ("no-location", None)
    assert "place" in copy["left_out"]
    made = Path(copy["path"])
    assert made.stat().st_mtime_ns == MODIFIED
    seen = nobody.run("inspect", made).value
    assert (seen["location"], seen["upright"], seen["camera"]) == (False, [32, 48], "Kin One")
    assert sha256(beach) == before
    assert not nobody.home.exists()


def test_several_go_into_a_folder_under_names_that_fit(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    drawing = tmp_path / "drawing.gif"
    Image.new("P", (8, 8)).save(drawing)
    values = nobody.run(
        "strip", beach, drawing, "--out", tmp_path / "new" / "out", "--policy", "clean"
    ).values
    assert [Path(value["path"]).name for value in values] == ["beach.jpg", "drawing.png"]
    assert sorted(each.name for each in (tmp_path / "new" / "out").iterdir()) == [
        "beach.jpg", "drawing.png",
    ]  # fmt: skip


def test_the_policy_original_copies_byte_for_byte(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    copy = nobody.run("strip", beach, "-o", tmp_path, "--policy", "original").value
    assert (copy["path"], copy["left_out"]) == (str(tmp_path / "beach.jpg"), [])
    assert sha256(tmp_path / "beach.jpg") == sha256(beach)


def test_strip_never_writes_over_a_file_least_of_all_over_its_own(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    before = sha256(beach)
    standing = tmp_path / "standing.jpg"
    standing.write_bytes(b"mine")
    link = tmp_path / "link.jpg"
    link.symlink_to(tmp_path / "nowhere.jpg")
    for out in (standing, link, beach, beach.parent):
        refused = nobody.run("strip", beach, "-o", out, code=7).value
        assert (refused["code"], refused["path"]) == ("name-taken", None), out
    assert standing.read_bytes() == b"mine"
    assert sha256(beach) == before
    assert not (tmp_path / "nowhere.jpg").exists()
    assert [each.name for each in beach.parent.iterdir()] == ["beach.jpg"]


def test_a_slash_at_the_end_means_a_folder(nobody: Person, beach: Path, tmp_path: Path) -> None:
    copy = nobody.run("strip", beach, "-o", f"{tmp_path}/new/").value
    assert copy["path"] == str(tmp_path / "new" / "beach.jpg")
    other = beach.with_name("other.jpg")
    other.write_bytes(beach.read_bytes())
    standing = copy["path"]
    for words in ((beach, "-o", f"{standing}/"), (beach, other, "-o", standing)):
        for refused in nobody.run("strip", *words, code=7).values:
            assert refused["code"] == "unwritable"
            assert "beach.jpg is a file, not a folder" in refused["message"]


def test_the_very_same_copy_that_is_there_counts_as_done(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    first = nobody.run("strip", beach, "-o", tmp_path / "o.jpg").value
    again = nobody.run("strip", beach, "-o", tmp_path / "o.jpg").value
    assert (first["already"], again["already"]) == (False, True)
    assert again == {**first, "already": True}
    assert "(was there already)" in nobody.screen("strip", beach, "-o", tmp_path / "o.jpg")


def test_two_of_one_name_are_both_kept_where_that_is_said(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    other = photograph(tmp_path / "there" / "beach.jpg", seed=9)
    first, second = nobody.run("strip", beach, other, "-o", tmp_path / "o", code=7).values
    assert (first["code"], second["code"]) == (None, "name-taken")
    assert "`--keep-both` adds a number" in second["message"]
    copies = nobody.run("strip", beach, other, "-o", tmp_path / "o", "--keep-both").values
    assert [Path(copy["path"]).name for copy in copies] == ["beach.jpg", "beach (2).jpg"]
    assert [copy["already"] for copy in copies] == [True, False]


@pytest.mark.parametrize("name", ["copy.png", "copy.txt", "copy"])
def test_a_name_that_does_not_say_what_the_copy_is_is_spoken_of(
    nobody: Person, beach: Path, tmp_path: Path, name: str
) -> None:
    words = "It is a jpeg file, which its name does not say."
    assert words in nobody.screen("strip", beach, "-o", tmp_path / name)
    assert words not in nobody.screen("strip", beach, "-o", tmp_path / "copy.JPG")


def test_what_clean_leaves_out_names_what_no_location_would(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    with Image.open(beach) as opened:
        exif = opened.getexif()
        exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0my notes"
        opened.save(beach, exif=exif, comment=b"a comment")
    policies = ("no-location", "clean")
    lacks = [
        nobody.run("strip", beach, "-o", tmp_path / f"{policy}.jpg", "--policy", policy).value
        for policy in policies
    ]
    less, more = (set(copy["left_out"]) for copy in lacks)
    assert {"place", "comments"} <= less < more
    assert "camera" in more


def test_what_can_not_be_stripped_says_why_and_the_others_are_written(
    nobody: Person, beach: Path, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.jpg"
    noise.write_bytes(b"not a picture")
    answer = nobody.run("strip", noise, tmp_path / "gone.jpg", beach, "-o", tmp_path / "o", code=7)
    assert [value["code"] for value in answer.values] == ["cannot-strip", "unreadable", None]
    assert "the policy `original` takes it as it is" in answer.values[0]["message"]
    assert [each.name for each in (tmp_path / "o").iterdir()] == ["beach.jpg"]
    below = nobody.run("strip", beach, "-o", noise / "below.jpg", code=7).value
    assert below["code"] == "unwritable"
    unknown = nobody.run("strip", beach, "-o", tmp_path, "--policy", "most", code=2)
    assert unknown.error == "bad-request"
    assert "the policy is one of original, no-location, clean" in unknown.message


def test_people_read_what_was_left_out(nobody: Person, beach: Path, tmp_path: Path) -> None:
    screen = nobody.screen("strip", beach, "-o", tmp_path)
    assert f"{beach} -> {tmp_path / 'beach.jpg'}. Left out: place" in screen.replace("\n", "")
