"""Video clips: their size, turn and length, and one frame to show. FFmpeg (PyAV) reads the bytes.

FFmpeg can do far more than this needs, and hostile files ask for it: other files and servers that
a clip refers to, rare codecs, frames of any size. Everything not named below is switched off.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from typing import Final, NamedTuple, cast

import av

# PyAV imports these when a clip has such a stream, and the sandbox would not let it.
import av.audio.codeccontext  # pyright: ignore[reportUnusedImport] - see above
import av.audio.stream  # pyright: ignore[reportUnusedImport] - see above
import av.subtitles.codeccontext  # pyright: ignore[reportUnusedImport] - see above
import av.subtitles.stream  # pyright: ignore[reportUnusedImport] - see above
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer, Type
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from PIL import Image
from PIL.Image import Transpose

from .buffers import BufferFile
from .facts import Buffer, PictureError
from .sniffing import sniff

MAX_PIXELS: Final = 1 << 26
"""Pixels of a frame; 8K video has half as many."""
MAX_PACKETS: Final = 300
"""Packets of the video until a frame comes out of them: ten seconds of it."""
MAX_STREAMS: Final = 32
MAX_STRETCH: Final = 4
"""How many times wider or higher than its neighbour a pixel may be; beyond it is an error."""
MAX_SECONDS: Final = 10.0**7

_DEMUXERS: Final = {"mp4": "mov", "mov": "mov", "matroska": "matroska"}
_OPTIONS: Final = {
    "codec_whitelist": "h264,hevc,libdav1d,av1,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg2video,h263,"
    "mjpeg,prores",
    "enable_drefs": "0",  # a clip whose data are in another file
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
    "max_pixels": str(MAX_PIXELS),
    "max_streams": str(MAX_STREAMS),
    "probesize": str(1 << 22),
    "protocol_whitelist": "none",  # there is no such protocol
    "threads": "1",
}
_UNSPECIFIED: Final = 2  # AVCOL_SPC_UNSPECIFIED
_HD_LINES: Final = 720
_TURNS: Final = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


class ClipFacts(NamedTuple):
    """A clip: sizes in pixels as (width, height), the EXIF number of the turn between them, and
    its length in seconds where it says one.

    `stored` is the size of the coded frames; `upright` is with the turn and square pixels.
    """

    stored: tuple[int, int]
    upright: tuple[int, int]
    orientation: int
    seconds: float | None


def clip_facts(data: Buffer) -> ClipFacts:
    """Sizes, turn and length; `PictureError` where no frame can be decoded."""
    with _opened(data, MAX_PIXELS) as (container, stream):
        frame = _first_frame(container, stream)
        orientation, upright = _orientation(frame), _square(frame, stream)
        if orientation >= 5:
            upright = upright[1], upright[0]
        seconds = (container.duration or 0) / av.time_base
        return ClipFacts(
            (frame.width, frame.height),
            upright,
            orientation,
            seconds if 0 < seconds < MAX_SECONDS else None,
        )


def poster(data: Buffer, *, limit_px: int = MAX_PIXELS) -> Image.Image:
    """The first frame that can be decoded, upright, RGB; `PictureError` where there is none.

    Frames of more than `limit_px` pixels are refused before one is decoded.
    """
    with _opened(data, min(limit_px, MAX_PIXELS)) as (container, stream):
        frame = _first_frame(container, stream)
        picture, size = _rgb(frame), _square(frame, stream)
        if size != picture.size:
            picture = picture.resize(size)  # pyright: ignore[reportUnknownMemberType] - numpy's types
        orientation = _orientation(frame)
        return picture.transpose(_TURNS[orientation]) if orientation > 1 else picture


@contextmanager
def _opened(data: Buffer, limit_px: int) -> Generator[tuple[InputContainer, VideoStream]]:
    """The container and its main video; whatever goes wrong inside is a `PictureError`."""
    demuxer = _DEMUXERS.get(sniff(data))
    if demuxer is None:
        raise PictureError("not a clip")
    try:
        with av.open(
            BufferFile(data), "r", demuxer, options=_OPTIONS, metadata_errors="replace"
        ) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise PictureError("no video in the clip")
            if not 0 < stream.codec_context.width * stream.codec_context.height <= limit_px:
                raise PictureError("frames too large")
            yield container, stream
    except PictureError:
        raise
    except Exception as error:  # what FFmpeg and PyAV raise on hostile bytes is an open list
        raise PictureError("the clip can't be decoded") from error


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    for other in container.streams:
        other.discard = Discard.none if other is stream else Discard.all
    context = stream.codec_context
    context.options = {"max_pixels": _OPTIONS["max_pixels"]}
    context.thread_count = 1
    for number, packet in enumerate(container.demux(stream)):
        if number == MAX_PACKETS:
            break
        try:
            frames = context.decode(packet)  # pyright: ignore[reportUnknownMemberType] - a bare generic
        except FFmpegError:
            continue
        if good := next((frame for frame in frames if not frame.is_corrupt), None):
            return good
    raise PictureError("no frame can be decoded")


def _rgb(frame: VideoFrame) -> Image.Image:
    """The frame as it is stored; large video that doesn't name its colours is BT.709."""
    unnamed = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_LINES
    colours = Colorspace.ITU709 if unnamed else None
    plane = frame.reformat(format="rgb24", src_colorspace=colours, threads=1).planes[0]
    size = frame.width, frame.height
    return Image.frombytes("RGB", size, bytes(plane), "raw", "RGB", plane.line_size, 1)


def _square(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """The stored size with square pixels: the shorter way of the pixels is stretched."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if not Fraction(1, MAX_STRETCH) <= aspect <= MAX_STRETCH:
        aspect = Fraction(1)
    if aspect >= 1:
        return round(frame.width * aspect), frame.height
    return frame.width, round(frame.height / aspect)


def _orientation(frame: VideoFrame) -> int:
    """The EXIF orientation that does the turn of the display matrix.

    The matrix (ISO/IEC 14496-12, `tkhd`) maps x, y to a x + c y, b x + d y, y downwards. Turns
    that are no quarter turns become the nearest one.
    """
    side_data = cast("SideDataContainer", frame.side_data)
    if Type.DISPLAYMATRIX not in side_data:
        return 1
    a, b, _, c, d = struct.unpack_from("=5i", side_data[Type.DISPLAYMATRIX])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}[
            a < 0, d < 0
        ]
    return {(False, False): 5, (False, True): 6, (True, True): 7, (True, False): 8}[b < 0, c < 0]
