"""Policy no-location over real files, judged by exiftool and by the decoders (F1, F5, F8)."""

from __future__ import annotations

import csv
import hashlib
import json
import mmap
import re
import shutil
import subprocess
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pillow_heif
import pytest
from kinlight.node.edits import Keep, Stripped
from kinlight.node.facts import PictureError
from kinlight.node.sniffing import sniff
from kinlight.node.stripping import FORMATS, no_location
from PIL import Image, ImageFile

REFUSED_BY_REASON = {
    "tiff-07-old_style_jpeg_compression.tif": "compression 6",
}
"""Good files that can't be stripped; the way out for them is a clean copy from the pixels."""


@dataclass(frozen=True)
class Sample:
    """A file of the corpus beside its stripped copy."""

    name: str
    verdict: str
    format: str
    source: Path
    copy: Path
    script: Stripped


@dataclass(frozen=True)
class Corpus:
    samples: list[Sample]
    refused: dict[str, str]

    def __getitem__(self, name: str) -> Sample:
        return next(sample for sample in self.samples if sample.name.startswith(name))


@pytest.fixture(scope="module")
def corpus(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = shared_dir / "data" / "corpus"
    if not (folder / "index.tsv").is_file():
        pytest.skip(f"the photos of {folder} are not there")
    with (folder / "index.tsv").open(newline="", encoding="utf-8") as index:
        rows = list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))
    out = tmp_path_factory.mktemp("stripped")
    samples: list[Sample] = []
    refused: dict[str, str] = {}
    for row in rows:
        data = (folder / row["file"]).read_bytes()
        if (kind := sniff(data)) not in FORMATS:
            continue
        try:
            script = no_location(data, kind)
        except PictureError as error:
            refused[row["file"]] = str(error)
            continue
        copy = out / row["file"]
        copy.write_bytes(script.apply(data))
        samples.append(Sample(row["file"], row["class"], kind, folder / row["file"], copy, script))
    assert len(samples) > 220
    return Corpus(samples, refused)


def exiftool(paths: list[Path], *options: str) -> list[dict[str, object]]:
    """What exiftool says of each path, in one call."""
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    done = subprocess.run(
        ["exiftool", "-json", "-a", *options, *paths], capture_output=True, check=False
    )
    found = json.loads(done.stdout)
    assert len(found) == len(paths)
    return found


@pytest.fixture(scope="module")
def tags(corpus: Corpus) -> dict[str, tuple[dict[str, object], dict[str, object]]]:
    """Name to the tags of the source and of the copy: `Group:Tag` to value."""
    options = ("-ee", "-G1:4", "-n", "-api", "largefilesupport=1")
    before = exiftool([sample.source for sample in corpus.samples], *options)
    after = exiftool([sample.copy for sample in corpus.samples], *options)
    return {
        sample.name: (old, new)
        for sample, old, new in zip(corpus.samples, before, after, strict=True)
    }


PLACE = re.compile(
    r"^GPS:|^(XMP|Keys|ItemList|UserData|QuickTime|Track|IPTC|MakerNotes|Composite|System)\S*:"
    r".*(GPS|Latitude|Longitude|Location(?!Auth)|City|Sub-?location|Province|Country|LocationInfo)"
    r"|GPS|Latitude|Longitude"
)


def test_f1_no_tag_of_a_place_is_left_in_any_group(
    tags: dict[str, tuple[dict[str, object], dict[str, object]]],
) -> None:
    left = {
        name: found for name, (_, new) in tags.items() if (found := list(filter(PLACE.search, new)))
    }
    assert left == {}
    had = [name for name, (old, _) in tags.items() if any(map(PLACE.search, old))]
    assert len(had) > 30


def test_a_place_is_named_where_there_was_one(
    corpus: Corpus, tags: dict[str, tuple[dict[str, object], dict[str, object]]]
) -> None:
    had = {
        name
        for name, (old, _) in tags.items()
        if any(re.search(r"GPSLatitude(?!Ref)|GPSCoordinates|:City|Geographic", tag) for tag in old)
    }
    told = {sample.name for sample in corpus.samples if "place" in sample.script.left_out}
    assert had - told == set()
    # A map's position, and IPTC in a HEIC, are places that exiftool calls otherwise or overlooks.
    assert {name.split("-")[0] for name in told - had} == {"tiff", "xmp"}
    assert b"Budapest" in corpus["xmp-iptc-09"].source.read_bytes()
    assert b"Budapest" not in corpus["xmp-iptc-09"].copy.read_bytes()


def test_the_orientation_is_as_before(
    tags: dict[str, tuple[dict[str, object], dict[str, object]]],
) -> None:
    def turn(found: dict[str, object]) -> object:
        values = [
            found[tag] for tag in ("IFD0:Orientation", "XMP-tiff:Orientation") if tag in found
        ]
        return values[0] if values and values[0] in range(1, 9) else 1

    moved = {
        name: (turn(old), turn(new)) for name, (old, new) in tags.items() if turn(old) != turn(new)
    }
    assert moved == {}


def test_dates_stay(tags: dict[str, tuple[dict[str, object], dict[str, object]]]) -> None:
    names = [
        f"{group}:{tag}"
        for group in ("IFD0", "ExifIFD")
        for tag in ("ModifyDate", "DateTimeOriginal", "CreateDate", "OffsetTime",
                    "OffsetTimeOriginal", "SubSecTimeOriginal", "SubSecTime")
    ]  # fmt: skip
    lost = {
        f"{file}: {name}": (old[name], new.get(name))
        for file, (old, new) in tags.items()
        for name in names
        if str(old.get(name, "")).strip() and old[name] != new.get(name)
    }
    assert lost == {}


@pytest.fixture
def every_picture_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures and damaged ones are decoded as far as they go, on both sides alike."""
    pillow_heif.register_heif_opener()  # pyright: ignore[reportUnknownMemberType]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


def look(path: Path) -> tuple[object, ...] | None:
    """Size, profile, number of frames, and a hash of each frame; None if it does not open."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.width * image.height > 1 << 26:
                    return image.size, image.mode
                # The further pictures of a JPEG are no frames of it.
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
                profile = image.info.get("icc_profile") or b""
                hashes: list[str] = []
                for index in range(min(frames, 50)):
                    if frames > 1:
                        image.seek(index)
                    hashes.append(hashlib.sha256(image.tobytes()).hexdigest())
                return image.size, image.mode, profile, frames, hashes
    except Exception:  # the decoders raise seven kinds of exceptions over the corpus
        return None


@pytest.mark.usefixtures("every_picture_opens")
def test_pixels_profile_and_frames_are_as_before(corpus: Corpus) -> None:
    opened = 0
    changed: list[str] = []
    for sample in corpus.samples:
        if sample.format in ("mp4", "mov") or not sample.script.changes(sample.source.read_bytes()):
            continue
        before = look(sample.source)
        opened += before is not None
        if before is not None and before != look(sample.copy):
            changed.append(sample.name)
    assert changed == []
    assert opened > 80


def warnings_of(found: dict[str, object]) -> Counter[str]:
    def words(text: object) -> str:
        return re.sub(r"0x[0-9a-f]+|\d+", "N", str(text).removeprefix("[minor] "))

    return Counter(words(text) for tag, text in found.items() if tag.endswith(("Warning", "Error")))


def test_f5_exiftool_finds_nothing_wrong_that_was_not_wrong_before(corpus: Corpus) -> None:
    options = ("-G4", "-validate", "-warning", "-error")
    before = exiftool([sample.source for sample in corpus.samples], *options)
    after = exiftool([sample.copy for sample in corpus.samples], *options)
    new = {
        sample.name: dict(found)
        for sample, old, now in zip(corpus.samples, before, after, strict=True)
        if sample.verdict != "REFUSE" and (found := warnings_of(now) - warnings_of(old))
    }
    assert new == {}


HIDDEN = re.compile(
    r"ThumbnailImage|PreviewImage|MPImage|JpgFromRaw|OtherImage|PhotoshopThumbnail|GainMapImage"
    r"|DepthMapImage|MotionPhotoVideo|EmbeddedVideo|TrailerVideo|ThumbnailTIFF|JFXX"
)


def test_no_second_picture_is_left_in_a_jpeg(
    corpus: Corpus, tags: dict[str, tuple[dict[str, object], dict[str, object]]]
) -> None:
    left = {
        sample.name: found
        for sample in corpus.samples
        if sample.format == "jpeg" and (found := list(filter(HIDDEN.search, tags[sample.name][1])))
    }
    assert left == {}
    had = [name for name, (old, _) in tags.items() if any(map(HIDDEN.search, old))]
    assert len(had) > 30


def test_the_clip_of_a_motion_photo_goes_and_is_named(corpus: Corpus) -> None:
    sample = corpus["motion-live-01"]
    copy = sample.copy.read_bytes()
    assert b"ftyp" in sample.source.read_bytes()
    assert b"ftyp" not in copy
    assert copy.endswith(b"\xff\xd9")
    assert "clip" in sample.script.left_out


def test_stripping_a_copy_changes_nothing(corpus: Corpus) -> None:
    for sample in corpus.samples:
        copy = sample.copy.read_bytes()
        again = no_location(copy, sample.format)
        assert again == Stripped((Keep(0, len(copy)),), ()), sample.name


def test_every_good_picture_can_be_stripped(corpus: Corpus) -> None:
    good = {
        name: reason
        for name, reason in corpus.refused.items()
        if name in REFUSED_BY_REASON or not name.split("-")[1].startswith("broken")
    }
    assert good.keys() == REFUSED_BY_REASON.keys()
    for name, reason in REFUSED_BY_REASON.items():
        assert reason in good[name]


def test_what_has_nothing_to_lose_is_kept_whole(corpus: Corpus) -> None:
    for sample in corpus.samples:
        data = sample.source.read_bytes()
        if not sample.script.changes(data):
            assert sample.script.left_out == ()
            assert sample.copy.read_bytes() == data
        else:
            assert sample.script.left_out, sample.name


def test_a_mapped_file_and_a_view_give_the_same_script(corpus: Corpus) -> None:
    for sample in corpus.samples:
        with (
            sample.source.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
        ):
            assert no_location(view, sample.format) == sample.script, sample.name
            assert no_location(cast("bytes", mapped), sample.format) == sample.script, sample.name


def test_a_format_without_a_way_is_refused() -> None:
    with pytest.raises(PictureError, match="psd can't be stripped"):
        no_location(b"8BPS", "psd")
