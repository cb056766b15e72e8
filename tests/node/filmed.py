"""Small clips, coded here."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any, cast

import av
from PIL import Image

CORNERS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255,) * 3}

# The display matrix that does the turn of an EXIF orientation: a, b, c, d of ISO/IEC 14496-12.
MATRICES = {
    1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip
_STORE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Four corners, four colours: red, green / blue, white."""
    picture = Image.new("RGB", (width, height))
    for index, colour in enumerate(CORNERS.values()):
        box = (index % 2 * width // 2, index // 2 * height // 2)
        picture.paste(colour, (*box, box[0] + width // 2, box[1] + height // 2))
    return picture


def corners(picture: Image.Image) -> list[str]:
    """The names of the colours nearest to the four corners'."""
    width, height = picture.size
    names: list[str] = []
    for x, y in ((4, 4), (width - 5, 4), (4, height - 5), (width - 5, height - 5)):
        pixel = cast("tuple[int, int, int]", picture.getpixel((x, y)))
        distance = {
            name: sum(abs(one - other) for one, other in zip(pixel, colour, strict=True))
            for name, colour in CORNERS.items()
        }
        names.append(min(distance, key=lambda name: distance[name]))
    return names


def film(
    upright: Image.Image | None = None,
    *,
    container: str = "mp4",
    codec: str = "mpeg4",
    orientation: int = 1,
    aspect: Fraction | None = None,
    frames: int = 5,
    rate: int = 5,
) -> bytes:
    """A clip that shows `upright` when it is turned by `orientation`."""
    stored = upright or scene()
    if orientation > 1:
        stored = stored.transpose(_STORE[orientation])
    file = io.BytesIO()
    opened: Any = av.open(file, "w", container)  # PyAV's types leave much open
    with opened as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = stored.size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if orientation > 1:
            a, b, c, d = (value << 16 for value in MATRICES[orientation])
            stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
        rgba = stored.convert("RGBA")
        frame = av.VideoFrame.from_bytes(rgba.tobytes(), *rgba.size)
        for number in range(frames):
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return file.getvalue()
