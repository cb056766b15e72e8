"""A poster and the facts of a clip, and the clips that get neither."""

from __future__ import annotations

import contextlib
import ctypes.util
import io
import struct
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import clips
from kinlight.node.clips import ClipFacts
from kinlight.node.facts import PictureError
from PIL import Image

from .filmed import CORNERS, corners, film, scene

UPRIGHT = list(CORNERS)
PLAIN = film()


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.fixture
def corpus(shared_dir: Path) -> Path:
    folder = shared_dir / "data" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"the photos of {folder} are not there")
    return folder


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "mpeg4"), ("mov", "mjpeg"), ("mp4", "libx264"), ("mov", "libx265"),
     ("matroska", "libvpx-vp9"), ("mp4", "libsvtav1")],
)  # fmt: skip
def test_the_first_frame_of_a_clip_is_its_poster(container: str, codec: str) -> None:
    clip = film(container=container, codec=codec)
    assert corners(clips.poster(clip)) == UPRIGHT
    assert clips.clip_facts(clip) == ClipFacts((64, 48), (64, 48), 1, 1.0)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_or_mirrored_clip_gets_an_upright_poster(orientation: int) -> None:
    clip = film(orientation=orientation)
    picture = clips.poster(clip)
    assert picture.size == (64, 48)
    assert corners(picture) == UPRIGHT
    stored = (64, 48) if orientation < 5 else (48, 64)
    assert clips.clip_facts(clip) == ClipFacts(stored, (64, 48), orientation, 1.0)


def test_pixels_that_are_not_square_are_stretched() -> None:
    wide = film(codec="libx264", aspect=Fraction(4, 3))
    assert clips.poster(wide).size == clips.clip_facts(wide).upright == (85, 48)
    high = film(codec="libx264", aspect=Fraction(2, 3))
    assert clips.poster(high).size == clips.clip_facts(high).upright == (64, 72)
    assert clips.clip_facts(high).stored == (64, 48)
    absurd = film(codec="libx264", aspect=Fraction(200, 1))
    assert clips.poster(absurd).size == (64, 48)


def test_pixels_are_stretched_before_the_turn() -> None:
    clip = film(scene(48, 64), codec="libx264", aspect=Fraction(4, 3), orientation=6)
    assert clips.poster(clip).size == clips.clip_facts(clip).upright == (48, 85)


def test_a_frame_over_the_limit_is_refused_before_it_is_decoded() -> None:
    assert clips.poster(PLAIN, limit_px=64 * 48).size == (64, 48)
    with pytest.raises(PictureError, match="too large"):
        clips.poster(PLAIN, limit_px=64 * 48 - 1)


def test_a_frame_that_grows_after_its_header_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(clips._OPTIONS, "max_pixels", "1000")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(PictureError):
        clips.poster(PLAIN)


def test_broken_frames_are_passed_over() -> None:
    clip = bytearray(film(codec="mjpeg", container="mov"))
    first = clip.index(b"\xff\xd8\xff")
    clip[first : first + 600] = bytes(600)
    assert corners(clips.poster(clip)) == UPRIGHT


def test_a_clip_without_one_good_frame_is_refused() -> None:
    start = PLAIN.index(b"mdat") + 4
    length = struct.unpack_from(">I", PLAIN, start - 8)[0] - 8
    empty = PLAIN[:start] + bytes(length) + PLAIN[start + length :]
    for read in (clips.poster, clips.clip_facts):
        with pytest.raises(PictureError):
            read(empty)


def test_a_clip_cut_short_is_refused() -> None:
    with pytest.raises(PictureError):
        clips.poster(PLAIN[: len(PLAIN) // 2])


def test_a_picture_is_no_clip() -> None:
    coded = io.BytesIO()
    scene().save(coded, "AVIF", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    for data in (coded.getvalue(), b"", b"\xff\xd8\xff"):
        with pytest.raises(PictureError, match="not a clip"):
            clips.poster(data)


def test_boxes_nested_by_the_hundred_are_refused() -> None:
    boxes = b""
    for _ in range(1000):
        boxes = box(b"moov", boxes)
    with pytest.raises(PictureError):
        clips.clip_facts(box(b"ftyp", b"isom\0\0\0\0isom") + boxes)


@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), max_size=20))
def test_a_damaged_clip_gives_a_poster_or_an_error(damage: list[tuple[int, int]]) -> None:
    clip = bytearray(PLAIN)
    for at, value in damage:
        clip[at] = value
    with contextlib.suppress(PictureError):
        assert clips.poster(clip).mode == "RGB"


SANDBOXED = textwrap.dedent("""
    import os, sys
    import pyseccomp
    from kinlight.node import clips

    data = sys.stdin.buffer.read()
    if os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
    sandbox = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    for call in ("open", "openat", "socket", "connect", "execve", "fork", "vfork", "clone",
                 "clone3"):
        sandbox.add_rule(pyseccomp.KILL_PROCESS, call)
    sandbox.load()
    print(*clips.poster(data).size, flush=True)
    os._exit(0)
""")


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "mpeg4"])
def test_it_works_where_files_sockets_threads_and_processes_are_forbidden(codec: str) -> None:
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("needs Linux and libseccomp")
    done = subprocess.run(
        [sys.executable, "-c", SANDBOXED],
        input=film(codec=codec),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b"64 48\n"), done.stderr.decode()


def test_the_clip_of_a_live_photo_is_shown_upright(corpus: Path) -> None:
    clip = (corpus / "motion-live-02-quicktime_hvc1.mov").read_bytes()
    facts = clips.clip_facts(clip)
    assert (facts.stored, facts.upright, facts.orientation) == ((1280, 720), (720, 1280), 6)
    assert clips.poster(clip).size == (720, 1280)


def test_the_clip_inside_a_motion_photo_has_a_poster(corpus: Path) -> None:
    photo = (corpus / "motion-live-01-image_isom_avc1.jpg").read_bytes()
    with memoryview(photo) as data:
        assert clips.poster(data[photo.rindex(b"ftyp") - 4 :]).size == (320, 180)


def test_clips_that_are_not_photos_have_posters_where_they_open(corpus: Path) -> None:
    clip = (corpus / "not-a-photo-06-mp4v_avc1.mp4").read_bytes()
    assert clips.poster(clip).size == (640, 416)
    with pytest.raises(PictureError):
        clips.poster((corpus / "bomb-08-nested_moov_1000.mp4").read_bytes())
