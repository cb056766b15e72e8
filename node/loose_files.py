"""Pictures that lie in no library: looked at, and changed in copies, for the command line."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from ..crypto.errors import KinlightError
from . import policies
from .decoder import Decoder
from .errors import DiskFullError, UnreadableFileError, UnwritableFolderError
from .errors import storage_error as meaning_of
from .exporting import DigestSink, make_folder, settle
from .facts import Facts
from .photo_errors import NoPhotosError
from .sources import files_in, is_folder, open_file
from .views_library import StrippedFile

_AHEAD: Final = 16
"""Files under way: while one takes long the next ones are looked at. The decoder opens two."""
_STEP: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file and what is in it; one that is not `readable` says why where pictures say it."""

    file: str
    facts: Facts
    readable: bool = True


async def meant(
    paths: Sequence[Path],
) -> tuple[list[Path], list[tuple[Path, UnreadableFileError]]]:
    """The files that `paths` mean, and folders that can't be read; raises only if it is neither."""
    closed: list[OSError] = []
    files = await asyncio.to_thread(lambda: list(files_in(paths, closed.append)))
    if not files and not closed:
        raise NoPhotosError
    return files, [
        (Path(cast("str", error.filename)), UnreadableFileError(error.strerror or ""))
        for error in closed
    ]


async def inspected(paths: Sequence[Path]) -> AsyncGenerator[Inspected]:
    """Look at each file, and at those in folders; the answers come in the order of the files.

    Raises only if there is no file in the folders, or no picture at all can be opened here.
    """
    files, closed = await meant(paths)
    async with Decoder() as decoder:
        under_way = deque[asyncio.Task[Inspected]]()
        try:
            for folder, why in closed:
                yield Inspected(shown_path(folder), _unread(why), readable=False)
            for file in files:
                under_way.append(asyncio.create_task(_inspect(decoder, file)))
                if len(under_way) == _AHEAD:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()


async def _inspect(decoder: Decoder, file: Path) -> Inspected:
    try:
        return Inspected(shown_path(file), await decoder.inspect(file))
    except UnreadableFileError as error:
        return Inspected(shown_path(file), _unread(error), readable=False)


def _unread(error: UnreadableFileError) -> Facts:
    return Facts("unknown", refused=str(error))


async def stripped(
    files: Sequence[Path], out: Path, policy: str, *, into_folder: bool, keep_both: bool
) -> AsyncGenerator[StrippedFile]:
    """Write a copy of each file under a policy: to `out`, or into it if it is or must be a folder.

    A copy keeps the file's time, and in a folder its name but for a suffix that fits no more. What
    is there already is never touched; with `keep_both` the copy gets a number if it is another
    file. A file that can't be copied so gives its reason and no copy.
    """
    policies.check(policy)
    into_folder = into_folder or len(files) > 1 or await asyncio.to_thread(is_folder, out)
    async with Decoder() as decoder:
        for file in files:
            try:
                yield await _strip(
                    decoder, file, out, policy, into_folder=into_folder, keep_both=keep_both
                )
            except KinlightError as error:
                yield StrippedFile(
                    shown_path(file), None, policy, code=error.code, message=str(error)
                )


async def _strip(
    decoder: Decoder, file: Path, out: Path, policy: str, *, into_folder: bool, keep_both: bool
) -> StrippedFile:
    source, status = await asyncio.to_thread(open_file, file)
    with source:
        async with policies.leaving(decoder, source, file.name, policy) as leaving:
            path = out / leaving.name if into_folder else out
            content = leaving.content or source
            path, already = await asyncio.to_thread(
                write_new, content, path, status.st_mtime_ns, keep_both=keep_both
            )
            left_out, kind = list(leaving.left_out), leaving.facts.format
            return StrippedFile(shown_path(file), shown_path(path), policy, left_out, kind, already)


def write_new(
    content: BinaryIO, path: Path, modified: int, *, keep_both: bool
) -> tuple[Path, bool]:
    """A new file, whole and on the disk before it has its name; see `exporting.settle`."""
    make_folder(path.parent)
    temporary = path.with_name(f".kinlight-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as sink:
            digest = DigestSink(sink)
            content.seek(0)
            while block := content.read(_STEP):
                digest.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        os.utime(temporary, ns=(modified, modified))
        return settle(temporary, path, digest.digest(), keep_both=keep_both)
    except OSError as error:
        if isinstance(meaning_of(error), DiskFullError):
            raise DiskFullError from None
        raise UnwritableFolderError(error.strerror or "") from None
    finally:
        temporary.unlink(missing_ok=True)


def shown_path(path: Path) -> str:
    """A path to print: bytes that are no text are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
