"""Small JPEGs as cameras make them, each its own."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import ExifTags, Image

_EXIF, _GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo


def photograph(
    path: Path,
    *,
    seed: int | str | None = None,
    size: tuple[int, int] = (24, 16),
    taken: str | None = None,
    zone: str | None = None,
    camera: tuple[str, str] | None = None,
    position: tuple[float, float] | None = None,
    orientation: int | None = None,
) -> Path:
    """A JPEG at `path`, whose folder is made; the same `seed` (the name by default), same bytes.

    `taken` is EXIF's time, as `2026:07:14 09:30:00`.
    """
    width, height = size
    noise = random.Random(path.name if seed is None else seed).randbytes(3 * width * height)
    image = Image.frombytes("RGB", size, noise)
    exif = Image.Exif()
    if camera is not None:
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = camera
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    if taken is not None:
        exif.get_ifd(_EXIF)[ExifTags.Base.DateTimeOriginal] = taken
        if zone is not None:
            exif.get_ifd(_EXIF)[ExifTags.Base.OffsetTimeOriginal] = zone
    if position is not None:
        latitude, longitude = position
        exif.get_ifd(_GPS).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
                ExifTags.GPS.GPSLatitude: _sexagesimal(latitude),
                ExifTags.GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
                ExifTags.GPS.GPSLongitude: _sexagesimal(longitude),
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "JPEG", quality=80, exif=exif)
    return path


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole, rest = divmod(abs(degrees), 1)
    minutes, rest = divmod(60 * rest, 1)
    return whole, minutes, round(60 * rest, 4)
