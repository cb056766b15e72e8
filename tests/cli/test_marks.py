"""`mark` and `trace`: files marked and read without a node, and with one that set the marks."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.node import mark_service
from PIL import Image

from ..ml.photographs import scene
from ..scenario.household import Household, Person

pytestmark = pytest.mark.skipif(
    mark_service.missing() is not None, reason="needs the extra ml: numpy or OpenCV is missing"
)

KEYS = [
    *("file", "payload", "confidence", "recipient", "receipt", "false_claim_bound", "transform"),
]


@pytest.fixture
def nobody(household: Household) -> Person:
    """Somebody without a node."""
    return household.person("Nobody")


def a_photo(path: Path) -> Path:
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    Image.fromarray(scene(12, 480, 640)).save(path, quality=92, exif=exif)
    return path


def test_a_file_is_marked_and_traced_without_a_node(nobody: Person, tmp_path: Path) -> None:
    photo, copy = a_photo(tmp_path / "photo.jpg"), tmp_path / "copy.jpg"
    before = photo.read_bytes()
    made = nobody.run("mark", photo, "-o", copy, "--payload", "0123456789AB").value
    assert (made["copy"], made["payload"], made["format"]) == (str(copy), "0123456789ab", "jpeg")
    assert photo.read_bytes() == before
    facts = nobody.run("inspect", copy).value
    assert (facts["captured"], facts["camera"]) == ("2024-05-06T07:08:09", None)

    turned, junk = tmp_path / "turned.png", tmp_path / "junk.jpg"
    with Image.open(copy) as image:
        image.transpose(Image.Transpose.ROTATE_270).save(turned)
    junk.write_bytes(b"not a picture")
    first, second, third = nobody.run("trace", copy, turned, junk, code=3).values
    assert [list(value) for value in (first, second, third)] == [KEYS, KEYS, [*KEYS, "code"]]
    for value, turn in ((first, 0), (second, 270)):
        assert (value["payload"], value["recipient"], value["receipt"]) == (
            "0123456789ab", None, None,
        )  # fmt: skip
        assert value["transform"] == {"turn": turn, "mirrored": False, "scale": 1.0}
        assert 0 < value["confidence"] <= 1
        assert value["false_claim_bound"] < 1e-6
    assert (third["payload"], third["code"]) == (None, "picture-refused")
    assert "mark 0123456789ab" in nobody.screen("trace", copy)
    assert not nobody.home.exists()


def test_what_can_t_be_marked_is_refused_and_nothing_is_written_over(
    nobody: Person, tmp_path: Path
) -> None:
    photo, small, out = a_photo(tmp_path / "a.jpg"), tmp_path / "small.png", tmp_path / "out.png"
    Image.effect_noise((100, 100), 40).save(small)
    payload = ("--payload", "000000000000")
    assert nobody.run("mark", small, "-o", out, *payload, code=7).error == "cannot-mark"
    film = tmp_path / "notes.mp4"
    film.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    assert nobody.run("mark", film, "-o", out, *payload, code=7).error == "cannot-strip"
    for wrong in ("0123", "0123456789xy"):
        nobody.run("mark", photo, "-o", out, "--payload", wrong, code=2)
    out.write_bytes(b"mine")
    nobody.run("mark", photo, "-o", out, *payload, code=7)
    assert out.read_bytes() == b"mine"


def test_a_node_that_runs_names_who_got_the_copy(household: Household, tmp_path: Path) -> None:
    anna, bob = (household.person(name) for name in ("Anna", "Bob"))
    for person in (anna, bob):
        person.make()
    household.introduce(anna, bob)
    bob.run("contacts", "accept-from", "Anna", "always")
    photo = a_photo(tmp_path / "photo.jpg")
    item = anna.run("share", photo, "--with", "Bob", "--watermark").value
    assert (item["state"], item["watermarked"], item["policy"]) == ("delivered", True, "clean")
    leak = bob.exported(item["photo_id"], tmp_path / "bob")
    found = anna.run("trace", leak).value
    assert list(found) == KEYS
    assert found["recipient"] == "Bob"
    assert found["receipt"]["photo"] == item["photo_id"]
    shown = anna.screen("trace", leak)
    assert "issued to Bob, whose device signed that it has that copy since" in shown
    assert "no proof against anybody" in shown
