"""What went wrong with pictures in other tools (F1 to F4, F7 and F8 of the field reports).

Each is shared by one node and exported by a second one, through the command line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from ..node.corpus import Specimen, specimens
from .conftest import Couple
from .household import Person, sha256

_CMS = cast("Any", ImageCms)

PLACES = (
    *("gps-01-DSCN0010.jpg", "gps-02-DSCN0021.jpg", "gps-05-png_with_exif_and_gps.png"),
    *("gps-06-exiv2_bug1199.webp", "gps-08-paris_icc_exif_xmp.avif", "heic-01-iphone_7.heic"),
)


Corpus = dict[str, Specimen]


@pytest.fixture(scope="module")
def corpus(shared_dir: Path) -> Corpus:
    """Its files by name."""
    return {each.name: each for each in specimens(shared_dir)}


def shared(couple: Couple, policy: str | None, *files: Path) -> tuple[list[dict[str, Any]], str]:
    """The items of a share, and what the sender was told on the screen."""
    anna, _ = couple
    words = () if policy is None else ("--metadata", policy)
    answer = anna.run("share", *files, "--with", "Bob", *words)
    assert {item["state"] for item in answer.values} == {"delivered"}
    return answer.values, answer.said


def received(couple: Couple, item: dict[str, Any], folder: Path) -> Path:
    """The photo of an item as the receiver writes it to a folder."""
    return couple[1].exported(item["photo_id"], folder)


def exiftool(file: Path, *options: str) -> dict[str, Any]:
    """All tags of all groups, also of what is embedded."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")
    argv = [program, "-json", "-a", "-G1", "-ee", *options, str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)[0]


def positions(file: Path) -> list[str]:
    return [tag for tag in exiftool(file) if "gps" in tag.lower() or "location" in tag.lower()]


def turn_and_profile(file: Path) -> tuple[object, object]:
    tags = exiftool(file, "-n")
    return tags.get("IFD0:Orientation", 1), tags.get("ICC_Profile:ProfileDescription")


def complaints(file: Path) -> set[str]:
    return {str(value) for tag, value in exiftool(file).items() if "Warning" in tag}


# F1: location lost or turned into 0,0 on the way.


@pytest.mark.parametrize("name", PLACES)
def test_f1_an_original_keeps_its_place_and_the_sender_is_told(
    lasting: Couple, corpus: Corpus, tmp_path: Path, name: str
) -> None:
    file = corpus[name].path
    (item,), said = shared(lasting, "original", file)
    assert sha256(received(lasting, item, tmp_path)) == sha256(file)
    assert "Leaves: the file as it is, with place" in said


@pytest.mark.parametrize("name", PLACES)
def test_f1_by_default_no_place_is_left_anywhere_and_the_sender_is_told(
    lasting: Couple, corpus: Corpus, tmp_path: Path, name: str
) -> None:
    file = corpus[name].path
    (item,), said = shared(lasting, None, file)
    there = received(lasting, item, tmp_path)
    assert there.name == name
    assert positions(file)
    assert positions(there) == []
    assert turn_and_profile(there) == turn_and_profile(file)
    assert complaints(there) <= complaints(file)
    assert "Left out: place" in said


# F2: photo silently recompressed.


def test_f2_a_photo_arrives_as_it_is_and_what_is_changed_is_marked_and_not_all_there_is(
    lasting: Couple, corpus: Corpus, tmp_path: Path
) -> None:
    anna, bob = lasting
    jpegs = [each for each in corpus.values() if each.path.suffix == ".jpg"]
    accepted = [each.path for each in jpegs if each.verdict == "ACCEPT"]
    files = sorted(accepted, key=lambda path: path.stat().st_size)[-5:]
    items, _ = shared(lasting, "original", *files)
    for item in items:
        there = received(lasting, item, tmp_path / "original")
        assert sha256(there) == sha256(Path(item["file"]))
    file = corpus["gps-01-DSCN0010.jpg"].path
    for policy in ("no-location", "clean"):
        (copy,), _ = shared(lasting, policy, file)
        assert copy["sha256"] != sha256(file)
        for person in (anna, bob):
            assert person.run("show", copy["photo_id"]).value["policy"] == policy
    kept = anna.run("search", "gps-01").values
    assert len(kept) == 1
    assert sha256(anna.exported(kept[0]["id"], tmp_path / "kept")) == sha256(file)


# F3 and F4: HEIC turned twice, or not at all; its EXIF orientation blanked on open.


def every_path(couple: Couple, file: Path, folder: Path) -> dict[str, Image.Image]:
    """The picture as each way through the node shows it."""
    anna, _ = couple
    (original,), _ = shared(couple, "original", file)
    (clean,), _ = shared(couple, "clean", file)
    identifier = original["photo_id"]
    preview = anna.run("export", identifier, folder, "--rendition", "preview").value["path"]
    stripped = anna.run("strip", file, "--out", folder / "out.jpg", "--policy", "clean").value
    found: dict[str, Image.Image] = {
        "preview": Image.open(preview),
        "preview by the API": Image.open(
            BytesIO(anna.ask(lambda node: node.rendition(identifier, "preview")))
        ),
        "preview at the receiver": Image.open(
            BytesIO(couple[1].ask(lambda node: node.rendition(identifier, "preview")))
        ),
        "thumbnail": Image.open(
            BytesIO(anna.ask(lambda node: node.rendition(identifier, "thumbnail")))
        ),
        "clean copy": Image.open(received(couple, clean, folder / "clean")),
        "stripped": Image.open(stripped["path"]),
    }
    for image in found.values():
        image.load()
    return found


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of the pixels, 0 to 1, at a size of 200 x 200."""
    size, box = (200, 200), Image.Resampling.BOX
    pair = [cast("Any", image.convert("RGB")).resize(size, box) for image in (one, other)]
    means = ImageStat.Stat(ImageChops.difference(*pair)).mean
    return sum(means) / len(means) / 255


@pytest.mark.parametrize("name", ["heic-01-iphone_7.heic", "heic-04-arrow.heic"])
def test_f4_a_heic_is_the_right_way_up_by_every_path(
    lasting: Couple, corpus: Corpus, tmp_path: Path, name: str
) -> None:
    file = corpus[name].path
    reference: Image.Image = cast("Any", pillow_heif).open_heif(file).to_pillow()
    if reference.size != (3024, 4032):  # no turn in the container: EXIF's orientation 6
        reference = reference.transpose(Image.Transpose.ROTATE_270)
    for path, image in every_path(lasting, file, tmp_path).items():
        if path in ("clean copy", "stripped"):
            assert image.size == (3024, 4032), path
        else:
            assert image.width / image.height == pytest.approx(0.75, abs=0.01), path
        assert image.getexif().get(0x0112, 1) == 1, path
        assert difference(image, reference) < 0.08, path
        turned = image.transpose(Image.Transpose.ROTATE_180)
        assert difference(image, reference) < difference(turned, reference), path


def test_f3_a_picture_made_from_one_is_upright_and_stays_so(
    lasting: Couple, corpus: Corpus, tmp_path: Path
) -> None:
    anna, _ = lasting
    files = [
        each.path for each in corpus.values()
        if each.verdict == "ACCEPT" and each.name.startswith(("heic-", "orientation-not-jpeg-"))
    ]  # fmt: skip
    once = strip(anna, files, tmp_path / "once")
    twice = strip(anna, once, tmp_path / "twice")
    for file, first, second in zip(files, once, twice, strict=True):
        upright = corpus[file.name].upright
        for made in (first, second):
            with Image.open(made) as image:
                assert image.size == upright, made
                assert image.getexif().get(0x0112, 1) == 1, made


def strip(person: Person, files: list[Path], folder: Path) -> list[Path]:
    values = person.run("strip", *files, "--out", folder, "--policy", "clean").values
    return [Path(value["path"]) for value in values]


# F7: wide-gamut photos look washed out.


def in_srgb(image: Image.Image) -> Image.Image:
    """As a colour-managed viewer shows it; without a profile it is sRGB."""
    flat = image.convert("RGB")
    profile = image.info.get("icc_profile")
    if not profile:
        return flat
    srgb = _CMS.createProfile("sRGB")
    source = _CMS.ImageCmsProfile(BytesIO(profile))
    converted: Image.Image = _CMS.profileToProfile(
        flat, source, srgb, renderingIntent=_CMS.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )
    return converted


@pytest.mark.parametrize("name", ["icc-01-Iceland_P3.jpg", "icc-02-P3_sRGB_red.png"])
def test_f7_a_wide_gamut_photo_keeps_its_colours_in_every_copy(
    lasting: Couple, corpus: Corpus, tmp_path: Path, name: str
) -> None:
    file = corpus[name].path
    with Image.open(file) as original:
        original.load()
    for path, image in every_path(lasting, file, tmp_path).items():
        assert difference(in_srgb(image), in_srgb(original)) < 0.02, path


@pytest.mark.parametrize("name", ["icc-01-Iceland_P3.jpg", "icc-02-P3_sRGB_red.png"])
def test_f7_imagemagick_sees_the_same_colours(
    lasting: Couple, corpus: Corpus, tmp_path: Path, name: str
) -> None:
    convert, compare = imagemagick("convert"), imagemagick("compare")
    anna, _ = lasting
    file = corpus[name].path
    (tmp_path / "srgb.icc").write_bytes(_CMS.ImageCmsProfile(_CMS.createProfile("sRGB")).tobytes())
    (original,), _ = shared(lasting, "original", file)
    preview = anna.run("export", original["photo_id"], tmp_path, "--rendition", "preview").value
    clean = anna.run("strip", file, "--out", tmp_path / "clean", "--policy", "clean").value
    sides: list[Path] = []
    for number, each in enumerate((file, Path(preview["path"]), Path(clean["path"]))):
        sides.append(tmp_path / f"{number}.ppm")
        profile = ("-profile", str(tmp_path / "srgb.icc"))
        subprocess.run(
            [convert, str(each), *profile, "-alpha", "off", "-depth", "8", str(sides[-1])],
            check=True,
        )
    for made in sides[1:]:
        done = subprocess.run(
            [compare, "-metric", "MAE", str(sides[0]), str(made), "null:"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert float(done.stderr.split("(")[1].rstrip(")\n")) < 0.02, done.stderr


def imagemagick(program: str) -> str:
    path = shutil.which(program)
    if path is not None:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
        if "ImageMagick" in done.stdout:
            return path
    pytest.skip(f"ImageMagick's {program} is not installed")


# F8: the video of a motion photo is lost or shown as a second item.


def test_f8_the_clip_of_a_motion_photo_goes_with_the_original_and_with_nothing_else(
    lasting: Couple, corpus: Corpus, tmp_path: Path
) -> None:
    anna, bob = lasting
    file = corpus["motion-live-01-image_isom_avc1.jpg"].path
    assert b"ftyp" in file.read_bytes()
    (item,), said = shared(lasting, "original", file)
    assert sha256(received(lasting, item, tmp_path / "original")) == sha256(file)
    assert "clip" not in said
    for policy in ("no-location", "clean"):
        (item,), said = shared(lasting, policy, file)
        there = received(lasting, item, tmp_path / policy)
        assert b"ftyp" not in there.read_bytes()
        assert "clip" in item["left_out"]
        assert "clip" in said
    assert len(anna.run("search", "motion-live-01").values) == 1
    assert len(bob.run("search", "motion-live-01").values) == 3
