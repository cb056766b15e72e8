"""Which files a path means, and how one is opened without being led astray."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from . import names
from .errors import UnreadableFileError

MEDIA_SUFFIXES: Final = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".avif", ".heic", ".heif", ".hif"),
        *(".tif", ".tiff", ".bmp", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
        *(".orf", ".rw2", ".raf", ".pef", ".srw"),
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".3gp", ".mts"),
    ]
)
"""What is taken from a folder. A file that is named itself is taken whatever it is."""

_INODES: Final = 2**63
"""Of larger numbers, which some systems have, the database keeps the lower part."""


def files_in(
    paths: Iterable[Path], failed: Callable[[OSError], object] | None = None
) -> Iterator[Path]:
    """The files that `paths` mean: files themselves, media files in folders and below.

    `failed` is told of folders that can't be read.
    """
    for path in paths:
        if is_folder(path):
            for folder, folders, files in os.walk(path, onerror=failed):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(files):
                    file = Path(folder, name)
                    # A link in a folder that came from elsewhere could lead to any file.
                    if is_media(name) and not file.is_symlink():
                        yield file
        else:
            yield path


def is_folder(path: Path) -> bool:
    """Whether a folder is there. A name too long, or one that may not be looked up, is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_media(name: str) -> bool:
    """Whether a file of that name is taken from a folder."""
    return Path(name).suffix.lower() in MEDIA_SUFFIXES and not name.startswith(".")


@dataclass(frozen=True, slots=True)
class Marks:
    """What shows whether a file is as it was: bytes, nanoseconds since 1970, number on its disk.

    The number is -1 where it is not known: before version 0.3.0 it was not kept.
    """

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Marks:
        """Those of an open file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino % _INODES)

    def unchanged(self, now: Marks | None) -> bool:
        """Whether a file with these marks then is as it was, with those of `now`."""
        return now is not None and now == replace(
            self, inode=now.inode if self.inode < 0 else self.inode
        )


def marks(path: Path) -> Marks | None:
    """Those of the file of that path, if there is one."""
    try:
        return Marks.of(path.stat())
    except (OSError, ValueError):  # of a path with a zero byte
        return None


def open_file(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a regular file for reading. A pipe or a device is let go without waiting for it."""
    shown = names.shown(str(path))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise UnreadableFileError(f"{shown} is not a file")
        return os.fdopen(descriptor, "rb"), status
    except OSError as error:
        raise UnreadableFileError(f"{shown}, {error.strerror}") from None
    except ValueError:  # a zero byte
        raise UnreadableFileError(f"{shown} is no path") from None
