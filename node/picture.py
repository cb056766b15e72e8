"""Opening a picture: limits before pixels, the right way up, the right colours.

Runs in the sandbox only. Everything that Pillow and libheif may raise over a hostile file becomes
a `PictureError` with a reason in a few words.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
import warnings
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import IO, Any, Final, cast

import pillow_heif
from PIL import Image, ImageCms, ImageFile

from .buffers import BufferFile
from .decoder_wire import MAX_PIXELS, Luma, Pixels, Stored, Unfit
from .facts import MAX_SIDE, Buffer, PictureError
from .isobmff import Meta

PICTURE_BYTES: Final = 256 * 1024 * 1024
"""The largest file that is opened; larger ones are carried as bytes."""
MAX_FRAMES: Final = 200
"""Frames that are decoded; those after them are counted only."""
MAX_MOVING_PIXELS: Final = 1_000_000_000
"""Pixels of all frames together."""
NEAR_ENOUGH: Final = 31 / 32
"""Of a size that was asked for: a JPEG that its decoder can halve to that is not scaled again."""

_PLUGINS: Final = {
    "jpeg": ("JPEG",),  # an MPO opens as JPEG; naming MPO here would be a KeyError in Pillow
    "png": ("PNG",),
    "webp": ("WEBP",),
    "gif": ("GIF",),
    "tiff": ("TIFF",),
    "avif": ("AVIF",),
    "heif": ("HEIF",),
}
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION: Final = 0x0112
_CMS: Final = cast("Any", ImageCms)  # its types name a C module that has none
_SRGB: Final = _CMS.createProfile("sRGB")
_INTENT: Final = ImageCms.Intent.RELATIVE_COLORIMETRIC


class TooMuchError(PictureError):
    """It claims more than may be decoded."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture whose header was read and found to be within the limits; no pixels yet.

    `stored` and `upright` are (width, height); `orientation` is the EXIF number of the turn from
    the one to the other, `turn` of what is left to do once the decoder has given its pixels.
    """

    image: Image.Image
    format: str
    stored: tuple[int, int]
    upright: tuple[int, int]
    orientation: int
    turn: int
    crop: tuple[int, int, int, int] | None
    frames: int
    whole: bool


def prepare() -> None:
    """Load what decoding needs: in the sandbox nothing can be loaded any more."""
    Image.MAX_IMAGE_PIXELS = None  # our own limits are checked first
    Image.init()
    cast("Any", pillow_heif).register_heif_opener(thumbnails=False, decode_threads=1)
    Image.register_mime("AVIF", "image/avif")


@contextlib.contextmanager
def _refusing() -> Generator[None]:
    """Bad files raise seven kinds of exception; each becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PictureError:
        raise
    except MemoryError:
        raise PictureError("it needs too much memory to be opened") from None
    except Image.UnidentifiedImageError:
        raise PictureError("its header is damaged, or of a kind that is not opened") from None
    except (
        OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
        RuntimeError, SyntaxError, EOFError, AssertionError, NotImplementedError,
        struct.error, zlib.error, ImageCms.PyCMSError,
    ) as error:  # fmt: skip
        raise PictureError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] if text and "0x" not in text else "its data are damaged"


def open_picture(data: Buffer, kind: str, hint: int | None) -> Opened:
    """Read the header; `PictureError` if it can't be opened or claims too much.

    `hint` is the orientation that its metadata name (EXIF, else XMP), 1 to 8 or anything else.
    """
    plugins = _PLUGINS.get(kind)
    if plugins is None:
        raise PictureError(f"{kind.upper()} is not opened here" if kind != "unknown" else
                           "it is no picture that is known here")  # fmt: skip
    if len(data) > PICTURE_BYTES:
        raise PictureError("the file is too large to be opened")
    with _refusing():
        image = Image.open(_file(data), formats=plugins)
        _check_size(image.size)
        frames = _count_frames(data, kind)
        if image.width * image.height * min(frames, MAX_FRAMES) > MAX_MOVING_PIXELS:
            raise TooMuchError("its frames are more than can be opened")
        return _oriented(image, data, kind, hint, frames)


def _file(data: Buffer) -> IO[bytes]:
    return cast("IO[bytes]", BufferFile(data))


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise PictureError("it has no width or no height")
    if width * height > MAX_PIXELS:
        raise TooMuchError(f"{width} x {height} pixels are more than can be opened")


def _count_frames(data: Buffer, kind: str) -> int:
    """Pictures of an animation, pages of a TIFF. Elsewhere further pictures are hidden ones."""
    if kind in ("jpeg", "heif"):
        return 1
    # Opened apart: Pillow counts by going through them, and a GIF's size may have changed then.
    return max(1, int(getattr(Image.open(_file(data), formats=_PLUGINS[kind]), "n_frames", 1)))


def _oriented(image: Image.Image, data: Buffer, kind: str, hint: int | None, frames: int) -> Opened:
    size = image.size
    orientation = hint if hint is not None and 1 <= hint <= 8 else 1
    turn, crop, whole = orientation, None, True
    match kind:
        case "tiff":
            # Pillow turns a TIFF as it loads it, and gives the turned size before.
            stored, turn = _swapped(size, orientation), 1
            return Opened(image, kind, stored, size, orientation, turn, None, frames, True)
        case "heif":
            # libheif applies the container's turn; EXIF counts only where there is none.
            meta = Meta.find(data)
            if meta is not None and _container_turn(data, meta) is not None:
                orientation = turn = 1
            if not image.info.get("primary", True):
                whole = False  # the picture to show is not there: libheif shows another
            else:
                _check_claim(data, meta, size)
        case "avif":
            meta = Meta.find(data)
            if meta is not None:
                crop = _aperture(data, meta, size)
                orientation = turn = _container_turn(data, meta) or orientation
        case "gif":
            # Pillow enlarges the screen to the largest frame; viewers show the screen.
            width, height = struct.unpack_from("<HH", data, 6)
            if (width, height) != size and width <= size[0] and height <= size[1]:
                crop = (0, 0, width, height)
        case _:
            pass
    shown = (crop[2] - crop[0], crop[3] - crop[1]) if crop else size
    return Opened(image, kind, size, _swapped(shown, turn), orientation, turn, crop, frames, whole)


def _swapped(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation >= 5 else size


_CONTAINER: Final[dict[tuple[int, int | None], int]] = {
    # (quarter turns anticlockwise, mirror axis: none, 0 vertical (left-right: 1)) -> EXIF
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip


def _container_turn(data: Buffer, meta: Meta) -> int | None:
    """The EXIF number of `irot` and `imir`; None where the container says nothing.

    ISO/IEC 23008-12, 6.5.10 and 6.5.12: the rotation is anticlockwise and comes first in a
    conforming file; axis 0 mirrors top to bottom, axis 1 left to right.
    """
    item = meta.primary_item
    rotation = item.property(b"irot") if item else None
    mirror = item.property(b"imir") if item else None
    if rotation is None and mirror is None:
        return None
    quarter = data[rotation.body] & 3 if rotation and rotation.body < rotation.end else 0
    axis = data[mirror.body] & 1 if mirror and mirror.body < mirror.end else None
    return _CONTAINER[quarter, axis]


def _check_claim(data: Buffer, meta: Meta | None, size: tuple[int, int]) -> None:
    """A truncated HEIF may decode to something much smaller than it claims to be."""
    item = meta.primary_item if meta else None
    claim = item.property(b"ispe") if item else None
    if item is None or claim is None or claim.end - claim.body < 12:
        return
    if item.property(b"clap") is not None:
        return
    width, height = struct.unpack_from(">II", data, claim.body + 4)
    if size not in ((width, height), (height, width)):
        raise PictureError(f"it claims {width} x {height} pixels and has {size[0]} x {size[1]}")


def _aperture(data: Buffer, meta: Meta, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The clean aperture as a box to crop to: Pillow shows what its author cut away."""
    item = meta.primary_item
    box = item.property(b"clap") if item else None
    if box is None or box.end - box.body < 32:
        return None
    values = struct.unpack_from(">IIIIiIiI", data, box.body)
    if any(values[place] == 0 for place in (1, 3, 5, 7)):
        raise PictureError("its clean aperture is no number")
    width, height = values[0] / values[1], values[2] / values[3]
    across, down = values[4] / values[5], values[6] / values[7]
    left = round((size[0] - width) / 2 + across)
    top = round((size[1] - height) / 2 + down)
    right, bottom = left + round(width), top + round(height)
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise PictureError("its clean aperture lies outside of it")
    return left, top, right, bottom


def check(opened: Opened) -> bool:
    """Decode every frame once, so that what is broken further down is found.

    Returns whether all are whole: with the first frame there is something to show, so a later one
    that is broken does not refuse the picture. A JPEG is decoded at an eighth of its size: all its
    coded data are read all the same.
    """
    with _refusing():
        image = opened.image
        if opened.format == "jpeg":
            image.draft(image.mode, (image.width // 8 or 1, image.height // 8 or 1))
        image.load()
    try:
        with _refusing():
            _load_others(image, min(opened.frames, MAX_FRAMES))
    except TooMuchError:
        raise
    except PictureError:
        return False
    return opened.whole


def _load_others(image: Image.Image, frames: int) -> None:
    budget = MAX_MOVING_PIXELS
    for frame in range(1, frames):
        image.seek(frame)
        _check_size(image.size)
        budget -= image.width * image.height
        if budget < 0:
            raise TooMuchError("its frames are more than can be opened")
        image.load()


def pixels(opened: Opened, max_px: int | None, *, srgb: bool) -> Pixels:
    """The first frame upright, no side longer than `max_px`; in sRGB, or in its own colours."""
    with _refusing():
        image = opened.image
        if max_px is not None and opened.format == "jpeg":
            # libjpeg can halve as it decodes, at no cost and without a trace. No pixel is made up
            # afterwards: what comes near enough stays so, and of 4,000 pixels 2,000 are shown.
            image.draft(image.mode, _fitted(image.size, math.ceil(max_px * NEAR_ENOUGH)))
        image.load()
        if opened.crop is not None:
            image = image.crop(opened.crop)
        icc = _profile(image)
        image = _eight_bits(image)
        image = _scaled(image, max_px)
        image, icc = _coloured(image, icc, srgb=srgb)
        if opened.turn != 1:
            image = image.transpose(_TURNS[opened.turn])
        return Pixels(image.width, image.height, image.mode, image.tobytes(), icc)


def frame_pixels(frame: Image.Image, max_px: int | None) -> Pixels:
    """A frame of a video, upright already, no side longer than `max_px`."""
    image = _scaled(frame, max_px)
    return Pixels(image.width, image.height, image.mode, image.tobytes())


def _profile(image: Image.Image) -> bytes | None:
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and icc else None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as one of L, RGB, RGBA, CMYK or LAB at eight bits a channel."""
    mode = image.mode
    if mode in ("L", "RGB", "RGBA", "CMYK", "LAB"):
        return image.convert("RGBA") if "transparency" in image.info and mode != "RGBA" else image
    if mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    if mode in ("P", "RGBX", "YCbCr", "HSV"):
        return image.convert("RGB")
    if mode == "1":
        return image.convert("L")
    if mode.startswith("I;16"):
        return _rescaled(image.convert("I"), 1 / 257, 0)
    return _stretched(image)


def _stretched(image: Image.Image) -> Image.Image:
    """Numbers without a scale (32 bits, floating point): their own range becomes black to white."""
    smallest, largest = image.getextrema()
    if isinstance(smallest, tuple) or isinstance(largest, tuple):
        raise PictureError(f"its pixels ({image.mode}) are of a kind that is not opened")
    if not smallest < largest:
        return Image.new("L", image.size, 0)
    scale = 255.0 / (largest - smallest)
    return _rescaled(image, scale, -smallest * scale)


def _rescaled(image: Image.Image, scale: float, offset: float) -> Image.Image:
    def brightness(value: Any) -> Any:
        return value * scale + offset

    return cast("Any", image).point(brightness).convert("L")


def _fitted(size: tuple[int, int], max_px: int) -> tuple[int, int]:
    scale = min(1.0, max_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled(image: Image.Image, max_px: int | None) -> Image.Image:
    if max_px is None or max(image.size) <= max_px:
        return image
    # Hamming is about as sharp as the slower filters when shrinking: 69 ms for 12 megapixels to
    # 2048, where Lanczos takes 178.
    size = _fitted(image.size, max_px)
    return cast("Any", image).resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)


def _coloured(
    image: Image.Image, icc: bytes | None, *, srgb: bool
) -> tuple[Image.Image, bytes | None]:
    """Colours that a screen shows as meant. A profile that is broken counts as none."""
    if image.mode == "LAB":
        return _converted(image, _CMS.createProfile("LAB")), None
    profile = _usable(icc, image.mode)
    if image.mode == "CMYK" and profile is None:
        return image.convert("RGB"), None
    if profile is None:
        return image, None
    if srgb or image.mode == "CMYK":
        return _converted(image, profile), None
    return image, icc


_SPACES: Final = {"RGB ": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}


def _usable(icc: bytes | None, mode: str) -> Any:
    """The opened profile; None if it is broken or meant for other pixels."""
    if icc is None:
        return None
    try:
        profile = _CMS.ImageCmsProfile(io.BytesIO(icc))
        space: str = profile.profile.xcolor_space
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    return profile if mode in _SPACES.get(space.ljust(4), ()) else None


def _converted(image: Image.Image, profile: Any) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    source = image.convert("RGB") if alpha else image
    try:
        converted: Image.Image | None = _CMS.profileToProfile(
            source, profile, _SRGB, renderingIntent=_INTENT, outputMode="RGB"
        )
    except ImageCms.PyCMSError:
        return image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
    if converted is None:
        raise PictureError("its colours can't be converted")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _tables(image: Image.Image) -> dict[int, tuple[int, ...]]:
    return {
        int(number): tuple(int(value) for value in table)
        for number, table in getattr(image, "quantization", {}).items()
    }


def _unfit(image: Image.Image, most: int) -> Unfit:
    """Why a picture's pixels are not looked at for traces; to be asked before it is loaded."""
    if image.width * image.height > most:
        return "large"
    if image.mode in ("P", "PA"):
        return "palette"
    if image.mode == "CMYK":
        return "ink"
    # Pillow gives of 16 bits of colour the upper 8, and says so in how it unpacks them alone.
    if image.mode not in ("L", "LA", "RGB", "RGBA", "RGBX") or ";16" in str(
        getattr(image, "tile", "")
    ):
        return "bits"
    return ""


def stored(opened: Opened, most: int) -> Stored:
    """The first frame as it is stored, if it has no more than `most` pixels; see `Stored`."""
    with _refusing():
        image = opened.image
        unfit = _unfit(image, most)
        width, height = image.size
        if unfit:
            return Stored(width, height, "L", b"", {}, opened.turn, unfit)
        tables = _tables(image)
        image.load()
        made = _eight_bits(image)
        return Stored(made.width, made.height, made.mode, made.tobytes(), tables, opened.turn)


def luma(opened: Opened) -> Luma:
    """Brightness of the first frame, full size, as it is stored; see `Luma`."""
    with _refusing():
        image = opened.image
        tables = _tables(image)
        if opened.format == "jpeg" and image.mode == "RGB":
            image.draft("L", image.size)  # the Y channel itself, without a way over RGB
        image.load()
        grey = image if image.mode == "L" else _eight_bits(image).convert("L")
        return Luma(grey.width, grey.height, grey.tobytes(), tables)


def encode(picture: Pixels, kind: str, quality: int, exif: bytes) -> bytes:
    """A new file from nothing but pixels, an ICC profile and the EXIF given. `kind` jpeg or png."""
    with _refusing():
        size, mode = (picture.width, picture.height), picture.mode
        image = Image.frombuffer(mode, size, picture.data, "raw", mode, 0, 1)
        if kind == "jpeg" and mode == "RGBA":
            white = Image.new("RGBA", size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image).convert("RGB")
        sink = io.BytesIO()
        more = {"exif": exif} if exif else {}
        if kind == "jpeg":
            # Colour at full resolution: red edges stay sharp, at a tenth more bytes.
            image.save(sink, "JPEG", quality=quality, subsampling=0, optimize=True,
                       icc_profile=picture.icc, **more)  # fmt: skip
        else:
            image.save(sink, "PNG", icc_profile=picture.icc, **more)
        return sink.getvalue()


ImageFile.LOAD_TRUNCATED_IMAGES = False  # the default, and what the whole module relies on
