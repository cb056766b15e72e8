"""The metadata of the corpus against its index and exiftool; and any bytes at all."""

from __future__ import annotations

import csv
import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.node import metadata
from kinlight.node.facts import Facts
from kinlight.node.inspecting import Findings, read_facts
from kinlight.node.sniffing import sniff

from . import blocks

FORMATS = (
    "jpeg", "png", "webp", "gif", "tiff", "dng", "raw", "psd", "avif", "heif", "mp4", "mov",
    "jxl", "jp2", "bmp", "unknown",
)  # fmt: skip

HIDDEN = {
    "EXIF thumbnail": "exif-thumbnail",
    "Photoshop thumbnail": "photoshop-thumbnail",
    "JFIF/JFXX thumbnail": "jfxx-thumbnail",
    "XMP thumbnail": "xmp-thumbnail",
    "HEIF thumbnail": "heif-thumbnail",
    "MPF second image": "mpf-image",
    "preview image": "preview-image",
    "gain map": "gain-map",
    "depth map": "depth-map",
}
"""The index's words for further pictures."""

NOT_HIDDEN = {
    # The "preview" is the picture itself: exiftool names strips by their compression.
    "tiff-05-tiff_strip_cmyk_jpeg.tif": {"preview-image"},
    # The maker note's entry for a preview has no bytes.
    "xmp-iptc-09-L_exif_xmp_iptc.heic": {"preview-image"},
}
ALSO_HIDDEN = {
    # JPEGs that nothing but their own first bytes shows: the directory that led to them is broken.
    "exif-odd-07-exif_ifd_offset.jpg": {"preview-image"},
    "gps-odd-01-empty_gps.jpg": {"preview-image"},
    "heic-11-xiaomi.heic": {"preview-image"},
    # A second JPEG after the end of the first; the MPF index is broken.
    "second-picture-02-sugarshack_bad_mpo_header.jpg": {"appended-image"},
    # The MPF image says in its XMP that it is a gain map.
    "gain-map-03-apple_gainmap_old.jpg": {"gain-map"},
    "second-picture-04-frame_size.mpo": {"gain-map"},
    # Of a version that decoders don't apply, but there.
    "gain-map-05-unsupported_gainmap_version.avif": {"gain-map"},
    # The index does not count clips.
    "motion-live-01-image_isom_avc1.jpg": {"video"},
}
"""What the index, made by exiftool, does not see. Thumbnails in C2PA are left to `C2PA`."""
C2PA = "c2pa-thumbnail"

PLACE_IN_WORDS = {
    "exif-odd-13-long_description.jpg": "KANDAHAR ARMY AIRFIELD, DAYCHOPAN, Afghanistan",
    "exif-odd-14-RangeError_Offset_outside_bounds.jpg": "NEUSS, GERMANY",
    "xmp-iptc-04-iptc.jpg": "Budapest, Hungary",
    "xmp-iptc-10-iptc_2014.jpg": "Sublocation (Core) (ref2014), City (Core) (ref2014), "
    "Province/State (Core) (ref2014), Country (Core) (ref2014)",
}
"""The index's `no` means GPS tags; these say by words where they were taken."""


class Sample(NamedTuple):
    """One line of the index with what is found in the file."""

    row: dict[str, str]
    path: Path
    data: bytes
    found: Findings

    @property
    def name(self) -> str:
        return self.row["file"]

    @property
    def accepted(self) -> bool:
        return self.row["class"] == "ACCEPT"


@pytest.fixture(scope="module")
def corpus(shared_dir: Path) -> list[Sample]:
    folder = shared_dir / "data" / "corpus"
    if not (folder / "index.tsv").is_file():
        pytest.skip(f"the photos of {folder} are not there")
    samples: list[Sample] = []
    with (folder / "index.tsv").open(newline="", encoding="utf-8") as index:
        for row in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE):
            data = (folder / row["file"]).read_bytes()
            samples.append(Sample(row, folder / row["file"], data, read_facts(data, sniff(data))))
    return samples


def test_the_further_pictures_are_those_of_the_index(corpus: list[Sample]):
    wrong: dict[str, tuple[set[str], set[str]]] = {}
    for sample in filter(lambda sample: sample.accepted, corpus):
        told = sample.row["hidden_pictures"]
        expected = {HIDDEN[word.strip()] for word in told.split(",")} if told != "-" else set[str]()
        expected -= NOT_HIDDEN.get(sample.name, set())
        expected |= ALSO_HIDDEN.get(sample.name, set())
        if set(sample.found.hidden) - {C2PA} != expected:
            wrong[sample.name] = (expected, set(sample.found.hidden))

    assert wrong == {}


def test_thumbnails_in_content_credentials_are_found_in_all_that_have_them(corpus: list[Sample]):
    for sample in filter(lambda sample: sample.accepted, corpus):
        assert (C2PA in sample.found.hidden) == (b"c2pa.thumbnail." in sample.data), sample.name


def test_the_location_is_that_of_the_index(corpus: list[Sample]):
    wrong = [
        sample.name
        for sample in corpus
        if sample.accepted
        # "no position, but 4 GPS tag(s)": a direction and a date lead nobody anywhere.
        and sample.found.location
        != (sample.row["gps"].startswith("yes") or sample.name in PLACE_IN_WORDS)
    ]

    assert wrong == []


def test_places_in_words_are_told(corpus: list[Sample]):
    found = {sample.name: sample.found.place for sample in corpus if sample.name in PLACE_IN_WORDS}

    assert found == PLACE_IN_WORDS


def test_the_colour_profiles_are_those_of_the_index(corpus: list[Sample]):
    wrong = {
        sample.name: sample.found.icc
        for sample in corpus
        # The index cuts names off at 40 characters.
        if sample.accepted and (sample.found.icc or "-")[:40] != sample.row["icc"]
    }

    assert wrong == {}


def test_the_orientations_are_those_of_the_index(corpus: list[Sample]):
    wrong = {
        sample.name: sample.found.orientation_hint
        for sample in corpus
        # The index tells a 0 too, which is no orientation.
        if sample.accepted
        and str(sample.found.orientation_hint or "-")
        != sample.row["exif_orientation"].replace("0", "-")
    }

    assert wrong == {}


def test_the_clips_are_found(corpus: list[Sample]):
    assert {sample.name: sample.found.pair for sample in corpus if sample.found.pair} == {
        "heic-02-IMG_5195.HEIC": "live:570F1469-09C7-4E50-9875-05F21D5BD166",
        "motion-live-01-image_isom_avc1.jpg": "motion",
    }


def test_all_findings_fit_into_facts(corpus: list[Sample]):
    for sample in corpus:
        found = sample.found
        facts = Facts(
            format="any",
            orientation=found.orientation_hint,
            captured=found.captured,
            captured_source=found.captured_source,
            camera=found.camera,
            location=found.location,
            position=found.position,
            place=found.place,
            icc=found.icc,
            hidden=found.hidden,
            pair=found.pair,
        )
        assert Facts.read(facts.to_value()) == facts


@pytest.fixture(scope="module")
def exiftool(corpus: list[Sample]) -> dict[str, dict[str, object]]:
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")
    tags = (
        "DateTimeOriginal", "OffsetTimeOriginal", "SubSecDateTimeOriginal", "CreateDate",
        "GPSLatitude", "GPSLongitude",
    )  # fmt: skip
    command = [
        program,
        "-json",
        "-c",
        "%+.6f",
        *(f"-{tag}" for tag in tags),
        "-api",
        "QuickTimeUTC",
    ]
    done = subprocess.run(
        [*command, *(str(sample.path) for sample in corpus)],
        capture_output=True,
        check=False,  # it complains about the broken ones
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )
    answers = cast("list[dict[str, object]]", json.loads(done.stdout))
    return {Path(cast("str", answer["SourceFile"])).name: answer for answer in answers}


OTHER_DATES = {
    # exiftool does not take photoshop:DateCreated, the day of the picture, for its date.
    "exif-odd-13-long_description.jpg": "2003-08-31",
    # IPTC has a zone, which the time of the satellites (21:15 UTC) shows to be wrong.
    "gps-03-thompson_springs.jpg": "2022-01-10T15:15:44.31",
    # A date of its maker's own, in a segment of its own.
    "second-picture-06-jfif_jfxx_thumbnail_olympus_d320l.jpg": None,
    # The fraction is in XMP, the date in EXIF: exiftool joins them.
    "gain-map-01-seine_sdr_gainmap_srgb.jpg": "2023-08-05T17:16:53",
    "gain-map-04-seine_sdr_gainmap_srgb.avif": "2023-08-05T17:16:53",
}
SUBSTITUTES = {"exif:ModifyDate", "gps:DateStamp", "png:tIME"}
"""Dates that are taken where exiftool's two are missing."""


def test_the_dates_are_those_of_exiftool(
    corpus: list[Sample], exiftool: dict[str, dict[str, object]]
):
    wrong: dict[str, tuple[object, object]] = {}
    for sample in filter(lambda sample: sample.accepted, corpus):
        answer, found = exiftool[sample.name], sample.found
        told = next(
            (
                str(answer[tag])
                for tag in ("SubSecDateTimeOriginal", "DateTimeOriginal", "CreateDate")
                if tag in answer and not str(answer[tag]).startswith(("0000", "1904"))
            ),
            None,
        )
        expected = told and told.replace(":", "-", 2).replace(" ", "T").replace("Z", "+00:00")
        if sample.name in OTHER_DATES:
            expected = OTHER_DATES[sample.name]
        elif expected is None and found.captured_source in SUBSTITUTES:
            continue
        if found.captured != expected:
            wrong[sample.name] = (expected, found.captured)

    assert wrong == {}


def test_the_positions_are_those_of_exiftool(
    corpus: list[Sample], exiftool: dict[str, dict[str, object]]
):
    for sample in filter(lambda sample: sample.accepted and sample.found.position, corpus):
        told = tuple(
            float(cast("str", exiftool[sample.name][tag]))
            for tag in ("GPSLatitude", "GPSLongitude")
        )
        assert sample.found.position == pytest.approx(told, abs=1e-5), sample.name


@pytest.fixture(scope="module")
def mutants(corpus: list[Sample]) -> list[Sample]:
    """Small files with something in them, of all formats."""
    return [sample for sample in corpus if len(sample.data) < 200_000]


def test_broken_copies_of_the_corpus_give_findings_and_no_errors(mutants: list[Sample]):
    @settings(max_examples=1500)
    @given(
        which=st.integers(0, len(mutants) - 1),
        cut=st.floats(0, 1),
        flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=20),
        shallow=st.booleans(),
    )
    def check(which: int, cut: float, flips: list[tuple[float, int]], shallow: bool):
        data = bytearray(mutants[which].data)
        # Half of the faults go into the first bytes, where the tables are.
        reach = min(len(data), 4096) if shallow else len(data)
        for where, value in flips:
            if reach:
                data[int(where * (reach - 1))] = value
        if not flips:
            del data[int(cut * len(data)) :]
        read_facts(bytes(data), sniff(mutants[which].data))

    check()


MAGIC = {
    "jpeg": b"\xff\xd8\xff\xe1\x00\x40Exif\0\0MM\0*",
    "tiff": b"II*\0\x08\0\0\0",
    "png": b"\x89PNG\r\n\x1a\n",
    "webp": b"RIFF\0\0\0\0WEBP",
    "heif": b"\0\0\0\x10ftypheic\0\0\0\0\0\0\1\0meta",
    "mov": b"\0\0\0\x10ftypqt  \0\0\0\0\0\0\1\0moov",
    "psd": b"8BPS" + bytes(26),
}


@given(st.sampled_from(FORMATS), st.binary(max_size=400))
def test_any_bytes_of_any_format_give_findings(kind: str, data: bytes):
    read_facts(data, kind)
    read_facts(MAGIC.get(kind, b"") + data, kind)


@given(st.sampled_from(FORMATS))
def test_a_view_of_the_bytes_is_as_good_as_the_bytes(kind: str):
    data = blocks.jpeg(blocks.exif_segment(blocks.tiff({0x010F: "Apple"}, thumbnail=blocks.jpeg())))

    assert read_facts(memoryview(data), kind) == read_facts(data, kind)


def flood_of_exif() -> bytes:
    return blocks.jpeg(*[blocks.exif_segment(blocks.tiff({0x010F: "x" * 100}))] * 50_000)


def flood_of_directories() -> bytes:
    # Each of 60,000 places in the file is a directory of 2,000 texts that all share 60,000 bytes.
    return b"MM\0*\0\0\0\x08" + b"\x07\xd0" + struct.pack(">HHII", 0x02BC, 2, 60_000, 10) * 6000


def flood_of_packets() -> bytes:
    packet = blocks.xmp_packet(**{f"exif__a{n}": "1" for n in range(100_000)})
    boxes = blocks.box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), packet)
    return blocks.movie() + boxes * 50


def flood_of_packed_texts() -> bytes:
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<a>" * 5_000_000)
    text = struct.pack(">I", len(bomb)) + b"iTXt" + bomb + bytes(4)
    return MAGIC["png"] + text * 2000


def flood_of_pictures() -> bytes:
    return blocks.jpeg(after=b"\xff\xd8\xff\xe0\0\2" * 3_000_000)


def flood_of_boxes() -> bytes:
    return blocks.movie(*[blocks.box(b"trak", *[blocks.box(b"udta")] * 100)] * 20_000)


def flood_of_types() -> bytes:
    return blocks.jpeg(after=b"\0\0\0\x10fty" * 5_000_000)


def flood_of_resources() -> bytes:
    exif = blocks.resource(0x0422, blocks.tiff({0x010F: "x" * 60_000}))
    return blocks.jpeg(*[blocks.photoshop_segment(exif)] * 1000)


def flood_of_items() -> bytes:
    """A HEIF with 60,000 EXIF items that all are the same four million bytes."""
    count = 60_000
    infos = b"".join(
        blocks.box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), b"Exif\0")
        for number in range(count)
    )
    places = b"".join(struct.pack(">HHHII", number, 0, 1, 0, 4_000_000) for number in range(count))
    meta = blocks.box(
        b"meta",
        bytes(4),
        blocks.box(b"iinf", bytes(4), struct.pack(">H", count), infos),
        blocks.box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", count), places),
    )
    return blocks.box(b"ftyp", b"heic\0\0\0\0heic") + meta + blocks.box(b"mdat", bytes(4_000_000))


def flood_of_extents() -> bytes:
    """A HEIF with one EXIF item in 60,000 pieces that all are the same bytes."""
    infos = blocks.box(b"infe", b"\2\0\0\0", struct.pack(">HH", 1, 0), b"Exif\0")
    places = struct.pack(">HHH", 1, 0, 60_000) + struct.pack(">II", 0, 4000) * 60_000
    meta = blocks.box(
        b"meta",
        bytes(4),
        blocks.box(b"iinf", bytes(4), b"\0\1", infos),
        blocks.box(b"iloc", bytes(4), b"\x44\0\0\1", places),
    )
    return blocks.box(b"ftyp", b"heic\0\0\0\0heic") + meta


@pytest.mark.timeout(20)  # each takes a second or two
@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("jpeg", flood_of_exif),
        ("tiff", flood_of_directories),
        ("mov", flood_of_packets),
        ("png", flood_of_packed_texts),
        ("jpeg", flood_of_pictures),
        ("mov", flood_of_boxes),
        ("jpeg", flood_of_types),
        ("jpeg", flood_of_resources),
        ("heif", flood_of_items),
        ("heif", flood_of_extents),
    ],
)
def test_a_flood_of_blocks_costs_little(kind: str, made: Callable[[], bytes]):
    read_facts(made(), kind)


def test_the_room_for_blocks_is_bounded():
    found = metadata.Metadata()
    data = bytes(1 << 20)
    taken = sum(len(found.piece(data, 0, len(data))) for _ in range(1000))

    assert taken == metadata.MAX_BYTES
