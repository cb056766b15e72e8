"""`anonymise`: faces in files, found, named and hidden, without a node."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from kinlight.node import face_service
from PIL import Image

from ..ml.photographs import scene
from ..scenario.household import Household, Person

pytestmark = pytest.mark.skipif(
    face_service.missing() is not None, reason="needs the extra ml: numpy or OpenCV is missing"
)

FACE = (150, 100, 60, 75)
BOX = ("--box", ",".join(map(str, FACE)))


@pytest.fixture
def nobody(household: Household) -> Person:
    """Somebody without a node."""
    return household.person("Nobody")


def a_photo(path: Path) -> Path:
    """With a thumbnail that shows everything, and a camera's name."""
    pixels = scene(12, 300, 400)
    small = io.BytesIO()
    Image.fromarray(pixels).resize((160, 120)).save(small, "JPEG")
    exif = cast("Any", Image.Exif())
    exif[0x0110] = "Kin One"
    exif.get_ifd(1).update({0x0103: 6, 0x0201: 0, 0x0202: len(small.getvalue())})
    Image.fromarray(pixels).save(path, quality=95, exif=exif.tobytes() + small.getvalue())
    return path


def pixels_of(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_what_is_named_is_hidden_in_a_copy_that_has_no_second_picture(
    nobody: Person, tmp_path: Path
) -> None:
    photo, copy = a_photo(tmp_path / "photo.jpg"), tmp_path / "copy.jpg"
    before = photo.read_bytes()
    made = nobody.run("anonymise", photo, *BOX, "-o", copy, "--method", "solid").value
    assert list(made) == ["file", "copy", "faces", "missed_risk", "format", "left_out"]
    (face,) = [each for each in made["faces"] if each["score"] is None]
    assert face == {
        "box": list(FACE), "score": None, "method": "solid", "reidentification": None,
    }  # fmt: skip
    assert (made["copy"], made["missed_risk"]) == (str(copy), "high")
    assert photo.read_bytes() == before
    left, top, width, height = FACE
    inside = pixels_of(copy)[top + 10 : top + height - 10, left + 10 : left + width - 10]
    assert inside.reshape(-1, 3).std(axis=0).max() < 3
    apart = np.abs(pixels_of(copy) - pixels_of(photo))
    assert apart[:, 300:].max() < 40
    facts = nobody.run("inspect", copy).value
    assert (facts["camera"], facts["hidden"]) == (None, [])
    assert copy.read_bytes().count(b"\xff\xd8\xff") == 1
    assert not nobody.home.exists()


def test_where_no_face_is_found_nothing_is_called_anonymised(
    nobody: Person, tmp_path: Path
) -> None:
    photo, copy = a_photo(tmp_path / "photo.jpg"), tmp_path / "copy.jpg"
    seen = nobody.run("anonymise", photo).value
    assert (seen["copy"], seen["faces"], seen["missed_risk"]) == (None, [], "high")
    assert "no face was found, which does not say" in nobody.screen("anonymise", photo)
    assert nobody.run("anonymise", photo, "-o", copy, code=6).error == "no-face"
    kept = ("--keep", "1")
    assert nobody.run("anonymise", photo, *BOX, *kept, "-o", copy, code=6).error == "no-face"
    assert (
        nobody.run("anonymise", photo, *BOX, "--strict", "-o", copy, code=3).error == "unsure-faces"
    )
    assert not copy.exists()


def test_what_can_t_be_done_is_refused_and_nothing_is_written_over(
    nobody: Person, tmp_path: Path
) -> None:
    photo, out = a_photo(tmp_path / "a.jpg"), tmp_path / "out.jpg"
    for wrong in (("--box", "1,2,3"), ("--box", "1,2,3,x"), ("--method", "gan"), ("--method", "x")):
        nobody.run("anonymise", photo, "-o", out, *wrong, code=2)
    far = ("--box", "900,0,10,10")
    assert nobody.run("anonymise", photo, *far, "-o", out, code=7).error == "cannot-anonymise"
    junk = tmp_path / "junk.jpg"
    junk.write_bytes(b"not a picture")
    nobody.run("anonymise", junk, *BOX, "-o", out, code=7)
    assert not out.exists()
    out.write_bytes(b"mine")
    assert nobody.run("anonymise", photo, *BOX, "-o", out, code=7).error == "name-taken"
    assert out.read_bytes() == b"mine"


def test_people_in_a_group_are_found_numbered_and_shown_if_they_agreed(
    nobody: Person, tmp_path: Path, shared_dir: Path
) -> None:
    people = sorted((shared_dir / "data" / "portraits-congress").rglob("*.jpg"))[:2]
    group = Image.new("RGB", (520, 300), (90, 110, 130))
    for number, each in enumerate(people):
        with Image.open(each) as image:
            portrait = image.convert("RGB").resize((200, 250))
        group.paste(portrait, (30 + 260 * number, 25))
    photo, copy = tmp_path / "group.png", tmp_path / "copy.png"
    group.save(photo)
    made = nobody.run("anonymise", photo, "--keep", "2", "-o", copy).value
    assert [face["method"] for face in made["faces"]] == ["blur", "kept"]
    apart = np.abs(pixels_of(copy) - pixels_of(photo)).max(axis=2)
    assert apart[:, 260:].max() == 0
    left, top, width, height = made["faces"][0]["box"]
    assert apart[top : top + height, left : left + width].mean() > 5
    assert made["missed_risk"] == "low"
