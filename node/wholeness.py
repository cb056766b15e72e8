"""Whether a picture that opens is whole. Decoders for viewers patch over damage without a word."""

from __future__ import annotations

import contextlib
import struct
from typing import Any, Final, cast

import av
import av.error
from av.codec.context import CodecContext
from av.packet import Packet

from .facts import Buffer, PictureError
from .isobmff import Meta, boxes
from .jpeg import SOS, segments

_STRICT: Final = {
    "err_detect": "crccheck+bitstream+buffer+explode",
    "lowres": "3",  # an eighth of the size: all coded bits are read, few pixels computed
}
_MAX_PAGES: Final = 1000


def is_damaged(data: Buffer, kind: str) -> bool:
    """Whether bytes are missing, wrong, or where none may be. False where it can't be told."""
    with contextlib.suppress(PictureError, struct.error):
        match kind:
            case "jpeg":
                return _has_junk(data) or _has_broken_scans(data)
            case "heif" | "avif":
                return _lacks_bytes(data)
            case "tiff":
                return _goes_in_circles(data)
            case _:
                pass
    return False


def _has_junk(data: Buffer) -> bool:
    """Bytes between the segments of a JPEG's header that are no filling."""
    last = 0
    for segment in segments(data):
        if last and bytes(data[last : segment.start]).strip(b"\xff"):
            return True
        if segment.marker == SOS:
            return False
        last = segment.end
    return False


def _has_broken_scans(data: Buffer) -> bool:
    """What libjpeg only warns about, Pillow does not pass on; FFmpeg can be told to be strict."""
    context = CodecContext.create("mjpeg", "r")
    context.options = _STRICT
    context.thread_count = 1
    try:
        decode = cast("Any", context).decode
        frames = [*decode(Packet(bytes(data))), *decode(None)]
    except av.error.InvalidDataError:
        return True
    except av.error.FFmpegError:  # a rare coding that it does not know
        return False
    return any(getattr(frame, "is_corrupt", False) for frame in frames)


def _lacks_bytes(data: Buffer) -> bool:
    if any(box.cut for box in boxes(data)):
        return True
    meta = Meta.find(data)
    if meta is None:
        return False
    ends = (
        extent.offset + extent.length for item in meta.items.values() for extent in item.extents
    )
    return max(ends, default=0) > len(data)


def _goes_in_circles(data: Buffer) -> bool:
    """A chain of pages that comes back to one of them."""
    order = "<" if bytes(data[:1]) == b"I" else ">"
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    wide = version == 43
    offset_form, count_form, entry = ("Q", "Q", 20) if wide else ("I", "H", 12)
    (offset,) = struct.unpack_from(order + offset_form, data, 8 if wide else 4)
    seen: set[int] = set()
    while offset and len(seen) < _MAX_PAGES:
        if offset in seen:
            return True
        seen.add(offset)
        (count,) = struct.unpack_from(order + count_form, data, offset)
        place = offset + struct.calcsize(order + count_form) + count * entry
        (offset,) = struct.unpack_from(order + offset_form, data, place)
    return bool(offset)
