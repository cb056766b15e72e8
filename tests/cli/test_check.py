"""`check`: files looked at for signs of editing, without a node."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ..node.corpus import specimens
from ..node.filmed import film
from ..node.photographs import photograph
from ..node.test_check_service import needs_torch
from ..scenario.household import Household, Person, Value

KEYS = [
    *("file", "verdict", "score", "reason", "regions", "provenance", "model", "seconds"),
    *("evidence", "map", "code"),
]
NO_TORCH = (
    sys.executable, "-c",
    "import sys; sys.modules['torch'] = None; from kinlight.node.cli import main; main()",
)  # fmt: skip


@pytest.fixture
def nobody(household: Household) -> Person:
    """Somebody without a node."""
    person = household.person("Nobody")
    assert not person.home.exists()
    return person


def a_photo(path: Path, *, orientation: int = 1) -> Path:
    """Noise and a slope: enough like a photo to be looked at."""
    image = Image.effect_noise((176, 136), 40).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, quality=90, exif=exif)
    return path


@needs_torch
def test_each_file_has_a_line_and_its_map_is_upright(nobody: Person, tmp_path: Path) -> None:
    upright, lying = a_photo(tmp_path / "one.jpg"), a_photo(tmp_path / "two.jpg", orientation=6)
    junk, maps = tmp_path / "junk.jpg", tmp_path / "maps"
    junk.write_bytes(b"not a picture")
    values = nobody.run("check", upright, junk, lying, "--map", maps, code=3).values
    assert [value["file"] for value in values] == [str(upright), str(junk), str(lying)]
    for value in values:
        assert list(value) == KEYS
        assert value["provenance"] == {"signature": "none", "c2pa": "none"}
        assert [each["kind"] for each in value["evidence"]] == ["signature", "c2pa", "network"]
    first, refused, second = values
    for value in (first, second):
        assert value["verdict"] in ("no-sign", "signs", "cannot-tell")
        assert 0 <= value["score"] <= 1
        assert len(value["model"]) == 64
        assert value["code"] is None
    assert (refused["verdict"], refused["code"]) == ("cannot-tell", "picture-refused")
    assert (refused["score"], refused["model"], refused["map"]) == (None, None, None)
    assert refused["reason"]
    for value, size in ((first, (176, 136)), (second, (136, 176))):
        with Image.open(value["map"]) as shown:
            assert (shown.format, shown.mode, shown.size) == ("PNG", "L", size)
    assert not nobody.home.exists()


@needs_torch
def test_a_folder_stands_for_the_pictures_in_it(nobody: Person, tmp_path: Path) -> None:
    folder, maps = tmp_path / "trip", tmp_path / "maps"
    (folder / "day").mkdir(parents=True)
    files = [a_photo(folder / "a.jpg"), a_photo(folder / "day" / "b.jpg")]
    (folder / "notes.txt").write_text("no picture")
    values = nobody.run("check", folder, "--map", maps).values
    assert [value["file"] for value in values] == [str(file) for file in files]
    assert sorted(path.name for path in maps.iterdir()) == ["a.jpg.map.png", "b.jpg.map.png"]
    (tmp_path / "empty").mkdir()
    nobody.run("check", tmp_path / "empty", code=2)


def drawn(path: Path) -> Path:
    image = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(image).line((10, 10, 290, 190), fill="black", width=3)
    image.save(path)
    return path


def animated(path: Path) -> Path:
    frames = [Image.new("RGB", (200, 200), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    return path


@needs_torch
def test_why_there_is_no_map_is_told_in_words(nobody: Person, tmp_path: Path) -> None:
    line, there = drawn(tmp_path / "line.png"), tmp_path / "there.png"
    assert "no map: the network was not asked" in nobody.screen("check", line, "--map", there)
    assert not there.exists()
    assert "no map" not in nobody.screen("check", line)
    there.write_bytes(b"mine")
    argv = nobody.argv("check", a_photo(tmp_path / "one.jpg"), "--map", there)
    done = nobody.household.run(argv)
    assert done.returncode == 7
    assert "the map was not written: Another file of that name is there" in done.stdout
    assert there.read_bytes() == b"mine"


def saved(image: Image.Image) -> Callable[[Path], Path]:
    def save(path: Path) -> Path:
        image.save(path)
        return path

    return save


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    return Image.effect_noise(size, 50).convert(mode)


ODD: dict[str, tuple[Callable[[Path], Path], str | None]] = {
    "tiny.png": (saved(noise((40, 30))), "smaller than 128"),
    "huge.png": (saved(Image.new("L", (5000, 5001))), "more than 24 megapixels"),
    "grey.jpg": (saved(noise((160, 130), "L")), None),
    "sixteen.png": (saved(noise((160, 130), "L").convert("I;16")), "8 bits each"),
    "palette.gif": (saved(noise((160, 130)).convert("P")), "not known well enough"),
    "palette.png": (saved(noise((160, 130)).convert("P")), "palette"),
    "transparent.png": (saved(Image.new("RGBA", (160, 130), (9, 9, 9, 9))), "transparent"),
    "opaque.png": (saved(noise((160, 130), "RGBA")), None),
    "ink.jpg": (saved(noise((160, 130)).convert("CMYK")), "ink"),
    "animated.webp": (animated, "animation"),
    "panorama.jpg": (saved(noise((2600, 140))), None),
    "drawn.png": (drawn, "drawn rather than"),
    "black.jpg": (saved(Image.new("RGB", (200, 200))), "one colour"),
    "bits.png": (saved(Image.new("1", (200, 200))), "8 bits each"),
    "photo.avif": (saved(noise((160, 130))), "AVIF"),
}


@needs_torch
def test_what_is_no_usual_photo_has_a_reason_or_a_result_and_never_ends_it(
    nobody: Person, tmp_path: Path
) -> None:
    files = [make(tmp_path / name) for name, (make, _) in ODD.items()]
    clip, nothing = tmp_path / "walk.mov", tmp_path / "empty.jpg"
    clip.write_bytes(film(container="mov"))
    nothing.write_bytes(b"")
    values = nobody.run("check", *files, clip, nothing, code=3).values
    by_name: dict[str, Value] = {Path(value["file"]).name: value for value in values}
    for name, (_, reason) in ODD.items():
        value = by_name[name]
        assert value["code"] is None, value
        if reason is None:
            assert value["score"] is not None, value
        else:
            assert value["verdict"] == "cannot-tell", value
            assert reason in value["reason"], value
    assert "video" in by_name["walk.mov"]["reason"]
    assert by_name["empty.jpg"]["code"] == "picture-refused"


def test_without_torch_c2pa_is_told_and_the_error_names_the_extra(
    nobody: Person, tmp_path: Path
) -> None:
    photo = photograph(tmp_path / "beach.jpg")
    line, error = nobody.run("check", photo, program=NO_TORCH, code=1).values
    assert (line["verdict"], line["score"], line["code"]) == ("cannot-tell", None, None)
    assert error["error"]["code"] == "check-unavailable"
    for text in (line["reason"], error["error"]["message"]):
        assert "torch is not installed" in text
        assert 'pip install "kinlight[ml]"' in text


def test_a_file_that_was_changed_after_it_was_signed_bears_a_sign_even_without_torch(
    nobody: Person, shared_dir: Path
) -> None:
    (changed,) = [each for each in specimens(shared_dir) if "E_dat_CA" in each.name]
    line, _ = nobody.run("check", changed.path, program=NO_TORCH, code=1).values
    assert (line["verdict"], line["provenance"]["c2pa"]) == ("signs", "invalid")
    assert "changed after its C2PA statement was signed" in line["reason"]


def test_what_can_not_be_read_or_understood_is_said(nobody: Person, tmp_path: Path) -> None:
    line = nobody.run("check", tmp_path / "missing.jpg", code=7).value
    assert (line["code"], line["verdict"]) == ("unreadable", "cannot-tell")
    assert "No such file" in line["reason"]
    assert nobody.run("check", code=2).error == "bad-request"
    photo = photograph(tmp_path / "beach.jpg")
    assert nobody.run("check", photo, "--photo", "ab", code=2).error == "bad-request"
    assert nobody.run("check", "--photo", "ab", code=4).error == "not-running"
