"""Pictures that lie in no library: looked at, and changed in copies, for the command line."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ..crypto.errors import KinlightError
from . import policies
from .decoder import Decoder
from .errors import DiskFullError, NameTakenError, UnreadableFileError, UnwritableFolderError
from .errors import storage_error as meaning_of
from .exporting import rename_new
from .facts import Facts
from .sources import open_file
from .views import StrippedFile

_AHEAD: Final = 16
"""Files under way: while one takes long the next ones are looked at. The decoder opens two."""
_STEP: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file and what is in it; one that is not `readable` says why where pictures say it."""

    file: str
    facts: Facts
    readable: bool = True


async def inspected(files: Sequence[Path]) -> AsyncGenerator[Inspected]:
    """Look at each file; the answers come in the order of the files.

    Raises only if no picture at all can be opened here.
    """
    async with Decoder() as decoder:
        under_way = deque[asyncio.Task[Inspected]]()
        try:
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
        return Inspected(_text(file), await decoder.inspect(file))
    except UnreadableFileError as error:
        return Inspected(_text(file), Facts("unknown", refused=str(error)), readable=False)


async def stripped(files: Sequence[Path], out: Path, policy: str) -> AsyncGenerator[StrippedFile]:
    """Write a copy of each file under a policy: to `out`, or into it if it is or must be a folder.

    A copy keeps the file's time, and its name but for a suffix that fits no more. What is there
    already is never touched. A file that can't be copied so gives its reason and no copy.
    """
    policies.check(policy)
    into_folder = len(files) > 1 or await asyncio.to_thread(out.is_dir)
    async with Decoder() as decoder:
        for file in files:
            try:
                yield await _strip(decoder, file, out, policy, into_folder=into_folder)
            except KinlightError as error:
                yield StrippedFile(_text(file), None, policy, code=error.code, message=str(error))


async def _strip(
    decoder: Decoder, file: Path, out: Path, policy: str, *, into_folder: bool
) -> StrippedFile:
    source, status = await asyncio.to_thread(open_file, file)
    with source:
        async with policies.leaving(decoder, source, file.name, policy) as leaving:
            path = out / leaving.name if into_folder else out
            content = leaving.content or source
            await asyncio.to_thread(_write, content, path, status.st_mtime_ns)
            return StrippedFile(_text(file), _text(path), policy, list(leaving.left_out))


def _write(content: BinaryIO, path: Path, modified: int) -> None:
    """A new file, whole and on the disk before it has its name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableFolderError(error.strerror or "") from None
    temporary = path.with_name(f".kinlight-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as sink:
            content.seek(0)
            while block := content.read(_STEP):
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        os.utime(temporary, ns=(modified, modified))
        rename_new(temporary, path)
    except FileExistsError:
        raise NameTakenError(str(path)) from None
    except OSError as error:
        if isinstance(meaning_of(error), DiskFullError):
            raise DiskFullError from None
        raise UnwritableFolderError(error.strerror or "") from None
    finally:
        temporary.unlink(missing_ok=True)


def _text(path: Path) -> str:
    """A path to print: bytes that are no text are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
