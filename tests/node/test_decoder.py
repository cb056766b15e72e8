"""The decode service as the node uses it: real processes, real pictures, real ends of both."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import os
import random
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from kinlight.node import decoder as decoding
from kinlight.node import decoder_process
from kinlight.node.decoder import Decoder, memory_file
from kinlight.node.decoder_wire import Pixels
from kinlight.node.errors import UnreadableFileError
from kinlight.node.isobmff import Meta, boxes
from kinlight.node.picture_errors import (
    DecoderDiedError,
    DecoderTimeoutError,
    DecoderUnavailableError,
    PictureRefusedError,
    SandboxTooWeakError,
)
from PIL import Image, ImageCms

from .corpus import specimens
from .nodes import eventually

MIB = 1 << 20
# Corners of four colours: every turn and mirror image of it is different.
CORNERS = {(0, 0): (250, 5, 5), (1, 0): (5, 250, 5), (0, 1): (5, 5, 250), (1, 1): (250, 250, 5)}


@pytest.fixture
async def decoder() -> AsyncGenerator[Decoder]:
    async with Decoder() as opened:
        yield opened


def corners(size: tuple[int, int] = (64, 32)) -> Image.Image:
    image = Image.new("RGB", (2, 2))
    for place, colour in CORNERS.items():
        image.putpixel(place, colour)
    return cast("Any", image).resize(size, Image.Resampling.NEAREST)


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, random.Random(7).randbytes(size[0] * size[1] * channels))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


@functools.cache
def slow_picture() -> bytes:
    """Takes long enough to be interrupted."""
    return saved(noise((6000, 6000)), "PNG", compress_level=1)


def made_profile(space: str) -> bytes:
    cms = cast("Any", ImageCms)
    return cms.ImageCmsProfile(cms.createProfile(space)).tobytes()


def turned(orientation: int) -> bytes:
    """EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def image_of(pixels: Pixels) -> Image.Image:
    return Image.frombytes(pixels.mode, (pixels.width, pixels.height), pixels.data)


def shows_the_corners(pixels: Pixels) -> bool:
    image = image_of(pixels).convert("RGB")
    for (x, y), colour in CORNERS.items():
        at = (image.width // 4 + x * image.width // 2, image.height // 4 + y * image.height // 2)
        found = image.getpixel(at)
        assert isinstance(found, tuple)
        if any(abs(a - b) > 40 for a, b in zip(found, colour, strict=True)):
            return False
    return True


# The corpus: the bars of the design, in one run.


async def test_every_file_of_the_corpus_opens_upright_or_is_refused_by_name(
    decoder: Decoder, shared_dir: Path
) -> None:
    files = specimens(shared_dir)
    assert len(files) == 285
    before = psutil.Process().memory_info().rss
    found = await asyncio.gather(*(decoder.inspect(file.path) for file in files))
    grown = psutil.Process().memory_info().rss - before
    wrong = [
        f"{file.name}: {facts.upright}, {facts.refused}"
        for file, facts in zip(files, found, strict=True)
        if (file.verdict == "ACCEPT" and (facts.refused or facts.upright != file.upright))
        or (file.verdict == "REFUSE" and not facts.refused)
        or (file.name.startswith("jpeg-broken-12") and not facts.damaged)
    ]
    assert not wrong
    assert grown < 50 * MIB


async def test_every_c2pa_statement_of_the_corpus_is_judged_as_its_index_says(
    decoder: Decoder, shared_dir: Path
) -> None:
    states = {
        "no": "none", "remote URL only": "none", "valid": "valid-untrusted",
        "INVALID": "invalid", "unreadable": "invalid",
    }  # fmt: skip
    files = [file for file in specimens(shared_dir) if file.c2pa != "no"]
    found = [await decoder.inspect(file.path) for file in files]
    assert [facts.c2pa for facts in found] == [states[file.c2pa] for file in files]
    assert all(facts.c2pa_code for facts in found if facts.c2pa == "invalid")


async def test_the_service_and_its_children_are_caged_as_strongly_as_the_system_can(
    decoder: Decoder,
) -> None:
    assert decoder.level == "off"
    await decoder.probe()
    expected = "seccomp" if sys.platform == "linux" else "rlimits"
    assert decoder.level == expected
    assert decoder.libraries["pillow"] >= "12.3"
    assert {"libheif", "libjpeg-turbo", "ffmpeg"} <= decoder.libraries.keys()


# Upright.


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
async def test_each_orientation_is_applied_exactly_once(decoder: Decoder, kind: str) -> None:
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that undoes the turn
    for orientation in range(1, 9):
        stored = corners()
        if orientation != 1:
            stored = stored.transpose(Image.Transpose(undone[orientation]))
        # Pillow writes an AVIF's turn into the container, as phones do.
        data = saved(stored, kind, exif=turned(orientation), quality=95)
        facts = await decoder.inspect(data)
        assert facts.upright == (64, 32)
        assert (facts.stored, facts.orientation) == (stored.size, orientation)
        pixels = await decoder.pixels(data)
        assert (pixels.width, pixels.height) == (64, 32)
        assert shows_the_corners(pixels)
        small = await decoder.pixels(data, max_px=16)
        assert (small.width, small.height) == (16, 8)
        assert shows_the_corners(small)


@pytest.mark.parametrize(
    ("wide", "shown"), [(1024, 512), (1000, 500), (992, 496), (990, 512), (2016, 504), (500, 500)]
)
async def test_a_half_that_is_near_enough_is_not_scaled_again(
    decoder: Decoder, wide: int, shown: int
) -> None:
    data = saved(Image.new("L", (wide, 64), 0x7F), "JPEG")
    pixels = await decoder.pixels(data, max_px=512)
    assert pixels.width == shown


async def test_a_heif_is_turned_by_its_container_or_else_by_its_exif_and_never_by_both(
    decoder: Decoder, shared_dir: Path
) -> None:
    sizes = {
        file.name[:7]: file
        for file in specimens(shared_dir)
        if file.name.startswith(("heic-01", "heic-04"))
    }
    for file in sizes.values():
        pixels = await decoder.pixels(file.path, max_px=1008)
        assert (pixels.width, pixels.height) == (756, 1008)
        again = saved(image_of(pixels), "PNG")  # the step on its own output changes nothing
        assert await decoder.pixels(again) == Pixels(756, 1008, "RGB", pixels.data)


def with_aperture(avif: bytes, aperture: tuple[int, ...]) -> bytes:
    """The AVIF with a clean aperture for its picture: what lies outside is not to be shown."""
    clap = struct.pack(">I4s8i", 40, b"clap", *aperture)
    meta = next(box for box in boxes(avif) if box.type == b"meta")
    parts = {box.type: box for box in boxes(avif, meta.body + 4, meta.end)}
    inside = {box.type: box for box in boxes(avif, parts[b"iprp"].body, parts[b"iprp"].end)}
    container, association = inside[b"ipco"], inside[b"ipma"]
    count = len(list(boxes(avif, container.body, container.end)))
    changed = bytearray(avif)
    # ipma: version and flags, entries, item, number of properties, one byte for each
    place = association.body + 10
    changed[place] += 1
    changed[place + 1 : place + 1] = bytes([0x80 | (count + 1)])
    changed[container.end : container.end] = clap
    for box, more in (
        (meta, 41), (parts[b"iprp"], 41), (association, 1), (container, 40),
    ):  # fmt: skip
        at = box.start + (40 if box is association else 0)
        size = struct.unpack_from(">I", changed, at)[0] + more
        struct.pack_into(">I", changed, at, size)
    locations = parts[b"iloc"]
    offset = struct.pack(">I", next(b.body for b in boxes(avif) if b.type == b"mdat"))
    where = bytes(changed).index(offset, locations.start, locations.end)
    struct.pack_into(">I", changed, where, int.from_bytes(offset) + 41)
    return bytes(changed)


async def test_what_an_avif_has_cropped_away_is_not_shown(decoder: Decoder) -> None:
    whole = saved(corners((64, 32)), "AVIF", quality=95)
    # The right half: 32 wide, moved 16 to the right of the middle.
    cropped = with_aperture(whole, (32, 1, 32, 1, 16, 1, 0, 1))
    meta = Meta.find(cropped)
    assert meta is not None
    facts = await decoder.inspect(cropped)
    assert (facts.stored, facts.upright) == ((64, 32), (32, 32))
    image = image_of(await decoder.pixels(cropped))
    assert image.size == (32, 32)
    for y, colour in ((8, CORNERS[1, 0]), (24, CORNERS[1, 1])):
        found = image.getpixel((4, y))
        assert isinstance(found, tuple)
        assert all(abs(a - b) < 40 for a, b in zip(found, colour, strict=True))


async def test_an_aperture_that_makes_no_sense_is_refused(decoder: Decoder) -> None:
    for aperture in (
        (32, 0, 32, 1, 0, 1, 0, 1), (900, 1, 32, 1, 0, 1, 0, 1), (0, 1, 0, 1, 0, 1, 0, 1),
    ):  # fmt: skip
        facts = await decoder.inspect(with_aperture(saved(corners(), "AVIF"), aperture))
        assert facts.refused, aperture


# Colours and modes.


async def test_every_kind_of_pixel_becomes_grey_or_rgb(decoder: Decoder) -> None:
    made = [
        (corners().convert("1"), "PNG", "L"),
        (corners().convert("L"), "JPEG", "L"),
        (noise((64, 32), "LA"), "PNG", "RGBA"),
        (corners().convert("P"), "GIF", "RGB"),
        (corners(), "JPEG", "RGB"),
        (noise((64, 32), "RGBA"), "WEBP", "RGBA"),
        (corners().convert("CMYK"), "JPEG", "RGB"),
        (Image.new("I;16", (64, 32)), "PNG", "L"),
        (Image.new("F", (64, 32)), "TIFF", "L"),
        (Image.new("LAB", (64, 32)), "TIFF", "RGB"),
    ]
    for image, kind, expected in made:
        pixels = await decoder.pixels(saved(image, kind))
        assert (pixels.mode, pixels.width, pixels.height) == (expected, 64, 32), image.mode


async def test_a_profile_is_applied_or_kept_but_never_dropped(decoder: Decoder) -> None:
    lab, profile = made_profile("XYZ"), made_profile("sRGB")
    data = saved(corners(), "PNG", icc_profile=profile)
    kept = await decoder.pixels(data, srgb=False)
    assert kept.icc == profile
    assert (await decoder.pixels(data)).icc is None
    # One that is meant for other pixels, or is none, is no profile.
    for wrong in (lab, b"no profile"):
        assert shows_the_corners(await decoder.pixels(saved(corners(), "PNG", icc_profile=wrong)))


async def test_stored_pixels_are_those_of_the_file_not_turned_and_in_its_own_colours(
    decoder: Decoder,
) -> None:
    image = noise((40, 24))
    jpeg = saved(image, "JPEG", quality=80, exif=turned(6), icc_profile=made_profile("LAB"))
    stored = await decoder.stored(jpeg, 960)
    with Image.open(io.BytesIO(jpeg)) as opened:
        tables = {
            number: tuple(table) for number, table in cast("Any", opened).quantization.items()
        }
        assert bytes(stored.data) == opened.convert("RGB").tobytes()
    assert (stored.width, stored.height, stored.mode) == (40, 24, "RGB")
    assert (stored.turn, stored.tables, stored.unfit) == (6, tables, "")
    for mode in ("L", "RGB", "RGBA"):
        other = await decoder.stored(saved(noise((9, 7), mode), "PNG"), 63)
        assert (other.mode, other.tables, other.turn) == (mode, {}, 1)
        assert bytes(other.data) == noise((9, 7), mode).tobytes()
    with_alpha = await decoder.stored(saved(noise((9, 7), "LA"), "PNG"), 63)
    assert with_alpha.mode == "RGBA"


async def test_stored_pixels_that_are_not_a_photo_s_are_not_handed_out(decoder: Decoder) -> None:
    grey16 = Image.frombytes("I;16", (4, 4), bytes(32))
    tiff16 = b"II*\0" + struct.pack("<I", 8) + _sixteen_bit_ifd()
    for data, unfit in (
        (saved(noise((4, 4)).convert("P"), "PNG"), "palette"),
        (saved(noise((4, 4)).convert("P"), "GIF"), "palette"),
        (saved(noise((4, 4), "CMYK"), "JPEG"), "ink"),
        (saved(grey16, "PNG"), "bits"),
        (saved(Image.new("1", (4, 4)), "PNG"), "bits"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "bits"),
        (_png_of_sixteen_bits(), "bits"),
        (tiff16, "bits"),
        (saved(noise((4, 5)), "PNG"), "large"),
    ):
        stored = await decoder.stored(data, 16)
        assert (stored.unfit, bytes(stored.data)) == (unfit, b""), unfit


def _png_of_sixteen_bits() -> bytes:
    """Four by four pixels of 16 bits of each colour, which Pillow can't write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(24)) * 4)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def _sixteen_bit_ifd() -> bytes:
    """A TIFF's directory for the same, with the pixels after it."""
    entries = [
        (256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 3, 8 + 2 + 9 * 12 + 4), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, 8 + 2 + 9 * 12 + 4 + 6), (277, 3, 1, 3), (278, 3, 1, 4),
        (279, 4, 1, 96),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", 9) + packed + bytes(4) + struct.pack("<HHH", 16, 16, 16) + bytes(96)


async def test_luma_is_the_y_of_the_file_as_it_is_stored_with_its_tables(decoder: Decoder) -> None:
    data = saved(noise((40, 24)), "JPEG", quality=71, exif=turned(6))
    luma = await decoder.luma(data)
    with Image.open(io.BytesIO(data)) as image:
        tables = {number: tuple(table) for number, table in image.quantization.items()}  # type: ignore[attr-defined]
        image.draft("L", image.size)
        assert (luma.width, luma.height, luma.data) == (40, 24, image.tobytes())
    assert luma.tables == tables
    other = await decoder.luma(saved(noise((40, 24)), "PNG"))
    assert (len(other.data), dict(other.tables)) == (40 * 24, {})


async def test_a_new_file_holds_the_pixels_and_nothing_else(decoder: Decoder) -> None:
    pixels = Pixels(8, 4, "RGBA", noise((8, 4), "RGBA").tobytes())
    png = Image.open(io.BytesIO(await decoder.encode(pixels, "png")))
    assert (png.tobytes(), png.info) == (pixels.data, {})
    profile = made_profile("sRGB")
    rgb = Pixels(8, 4, "RGB", bytes(8 * 4 * 3), profile)
    jpeg = Image.open(io.BytesIO(await decoder.encode(rgb, "jpeg", quality=95)))
    assert (jpeg.size, jpeg.info["icc_profile"]) == ((8, 4), profile)
    assert not {"exif", "xmp", "comment", "photoshop"} & jpeg.info.keys()
    clear = Pixels(8, 4, "RGBA", bytes(8 * 4 * 4))
    white = Image.open(io.BytesIO(await decoder.encode(clear, "jpeg")))
    assert white.getpixel((0, 0)) == (255, 255, 255)


# What goes wrong.


async def test_what_is_not_opened_is_refused_with_a_reason(decoder: Decoder) -> None:
    made = [
        (b"", "no picture"),
        (b"x", "no picture"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"8BPS" + bytes(30), "PSD"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PS"),
        (b"\xff\xd8\xff" + bytes(100), "header"),
        (saved(corners(), "BMP"), "BMP"),
        (saved(corners(), "JPEG")[:-40], ""),
        (saved(corners(), "PNG")[:-40], ""),
    ]
    for data, reason in made:
        facts = await decoder.inspect(data)
        assert facts.refused, reason
        assert reason in facts.refused
        with pytest.raises(PictureRefusedError):
            await decoder.pixels(data)


def huge_png(width: int, height: int) -> bytes:
    """A PNG that claims a size; its data would have to follow."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(3 * 1000 * 1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


async def test_a_size_beyond_the_limit_is_refused_before_any_pixel(decoder: Decoder) -> None:
    for size in ((16_001, 16_000), (1 << 20, 300), (1 << 31, 1), (0, 4)):
        assert (await decoder.inspect(huge_png(*size))).refused, size
        assert decoder.cost.memory < 120 * MIB


async def test_a_picture_at_the_limit_is_refused_for_its_data_only(decoder: Decoder) -> None:
    facts = await decoder.inspect(huge_png(16_000, 16_000))
    assert facts.upright == (16_000, 16_000)
    assert facts.refused  # its data are much too short


async def test_frames_beyond_the_limit_are_counted_and_not_decoded(decoder: Decoder) -> None:
    frames = [Image.new("L", (4, 4), number % 7 * 40) for number in range(260)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=20)
    facts = await decoder.inspect(data)
    assert (facts.frames, facts.refused) == (260, None)


async def test_a_later_frame_that_is_broken_marks_the_picture_as_damaged(decoder: Decoder) -> None:
    frames = [noise((64, 64)).convert("P"), noise((64, 64)).convert("P").rotate(90)]
    data = bytearray(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    facts = await decoder.inspect(bytes(data[: len(data) * 3 // 4]))
    assert (facts.refused, facts.damaged) == (None, True)
    assert (await decoder.inspect(bytes(data))).damaged is False


async def test_a_jpeg_whose_coded_data_are_damaged_is_marked(decoder: Decoder) -> None:
    whole = saved(noise((256, 256)), "JPEG", quality=90)
    assert (await decoder.inspect(whole)).damaged is False
    broken = bytearray(whole)
    broken[len(whole) // 2 : len(whole) // 2 + 40] = bytes(40)
    facts = await decoder.inspect(bytes(broken))
    assert facts.damaged or facts.refused


async def test_a_file_that_is_none_is_named(decoder: Decoder, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnreadableFileError):
            await decoder.inspect(path)


async def test_a_picture_that_outlasts_its_time_is_given_up_and_the_next_one_opens() -> None:
    picture = saved(noise((3000, 3000)), "PNG")
    async with Decoder(seconds=0.05) as decoder:
        with pytest.raises(DecoderTimeoutError):
            await decoder.pixels(picture)
        refused = (await decoder.inspect(picture)).refused
        assert refused is not None
        assert "too long" in refused
        decoder._seconds = 15.0  # pyright: ignore[reportPrivateUsage]
        assert (await decoder.inspect(picture)).refused is None


def children_of(decoder: Decoder) -> list[psutil.Process]:
    service = decoder._service  # pyright: ignore[reportPrivateUsage]
    assert service is not None
    process = service._process  # pyright: ignore[reportPrivateUsage]
    assert process is not None
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


async def test_a_decoder_killed_midway_is_a_named_error_and_the_next_picture_opens(
    decoder: Decoder,
) -> None:
    await decoder.probe()
    picture = slow_picture()
    opening = asyncio.create_task(decoder.pixels(picture, max_px=64))
    await eventually(lambda: bool(children_of(decoder)))
    for child in children_of(decoder):
        child.kill()
    with pytest.raises(DecoderDiedError, match="killed"):
        await opening
    assert (await decoder.pixels(saved(corners(), "PNG"))).width == 64


async def test_a_service_killed_midway_is_a_named_error_and_the_next_picture_opens(
    decoder: Decoder,
) -> None:
    await decoder.probe()
    picture = slow_picture()
    opening = asyncio.create_task(decoder.pixels(picture, max_px=64))
    await eventually(lambda: bool(children_of(decoder)))
    service = decoder._service  # pyright: ignore[reportPrivateUsage]
    assert service is not None
    assert service._process is not None  # pyright: ignore[reportPrivateUsage]
    service._process.kill()  # pyright: ignore[reportPrivateUsage]
    # The child may still answer; if it does not, that has a name.
    with contextlib.suppress(DecoderUnavailableError):
        assert (await opening).width == 64
    await eventually(lambda: service.ended)
    assert (await decoder.pixels(saved(corners(), "PNG"))).width == 64


async def test_nobody_waiting_ends_the_child(decoder: Decoder) -> None:
    await decoder.probe()
    picture = slow_picture()
    opening = asyncio.create_task(decoder.pixels(picture, max_px=64))
    await eventually(lambda: bool(children_of(decoder)))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await eventually(lambda: not children_of(decoder))


async def test_closing_ends_the_service_and_every_child() -> None:
    async with Decoder() as decoder:
        await decoder.probe()
        service = decoder._service  # pyright: ignore[reportPrivateUsage]
        assert service is not None
        opening = asyncio.create_task(decoder.pixels(slow_picture(), max_px=64))
        await eventually(lambda: bool(children_of(decoder)))
        children = children_of(decoder)
    with pytest.raises(DecoderUnavailableError):
        await opening
    assert service.ended
    await eventually(lambda: not any(child.is_running() for child in children))


async def test_what_waits_as_a_service_is_closed_starts_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_process, "_REPORT_SECONDS", 0.2)
    decoder = Decoder()
    await decoder.probe()
    service = decoder._service  # pyright: ignore[reportPrivateUsage]
    assert service is not None
    process = service._process  # pyright: ignore[reportPrivateUsage]
    assert process is not None
    process.send_signal(signal.SIGSTOP)  # no picture is done before the end
    picture = saved(corners(), "PNG")
    waiting = [asyncio.create_task(decoder.pixels(picture)) for _ in range(4)]
    await eventually(lambda: decoder.processes == 1 + decoding.AT_ONCE)
    await decoder.close()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [DecoderUnavailableError] * 4
    assert decoder._service is None  # pyright: ignore[reportPrivateUsage]
    assert decoder.starts == 1


async def test_a_service_with_nothing_to_do_ends_by_itself(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "IDLE_SECONDS", 0.0)
    assert (await decoder.inspect(saved(corners(), "PNG"))).refused is None
    await eventually(lambda: decoder._service is None)  # pyright: ignore[reportPrivateUsage]
    assert decoder.level != "off"
    assert (await decoder.inspect(saved(corners(), "PNG"))).refused is None


async def test_a_setting_can_demand_a_stronger_sandbox_than_there_is(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decoder.probe()
    service = decoder._service  # pyright: ignore[reportPrivateUsage]
    assert service is not None
    monkeypatch.setattr(service, "level", "process")
    monkeypatch.setattr(decoder, "_required", "rlimits")
    with pytest.raises(SandboxTooWeakError):
        await decoder.inspect(saved(corners(), "PNG"))


def open_in(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_the_service_sees_no_environment_and_none_of_our_descriptors(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINLIGHT_PASSPHRASE_FILE", "/secret")
    with memory_file(b"secret") as secret:
        os.set_inheritable(secret.fileno(), True)
        await decoder.probe()
        service = decoder._service  # pyright: ignore[reportPrivateUsage]
        assert service is not None
        assert service._process is not None  # pyright: ignore[reportPrivateUsage]
        seen = psutil.Process(service._process.pid)  # pyright: ignore[reportPrivateUsage]
        assert "KINLIGHT_PASSPHRASE_FILE" not in seen.environ()
        assert Path(seen.cwd()) == Path(decoder_process.__file__).parent
        if sys.platform == "linux":
            assert not [name for name in open_in(seen.pid) if "picture" in name]


async def test_the_service_ends_when_its_node_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, os\n"
        "from kinlight.node.decoder import Decoder\n"
        "async def run():\n"
        "    decoder = Decoder()\n"
        "    await decoder.probe()\n"
        "    print(decoder._service._process.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(run())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    await eventually(lambda: not psutil.pid_exists(int(done.stdout)))


def test_the_daemon_itself_loads_no_decoder() -> None:
    script = (
        "import sys, kinlight.node.daemon, kinlight.node.decoder\n"
        "print(*{'PIL', 'pillow_heif', 'av', 'c2pa', 'torch', 'pyseccomp'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
