"""Files of no library, checked for signs of editing: for the command line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

from ..crypto.errors import KinlightError
from . import verdicts
from .check_service import CheckService, missing
from .check_wire import Seen
from .decoder import Decoder
from .decoder_wire import Pixels
from .errors import UnreadableFileError
from .examining import Examined, examine
from .facts import A_CLIP, Facts
from .loose_files import meant, shown_path, write_new
from .picture_errors import CheckUnavailableError, PictureRefusedError
from .sources import is_folder
from .views_checks import CheckedFile

_MOST_THREADS = 4
"""More wait for each other."""


async def checked(
    paths: Sequence[Path],
    *,
    out: Path | None = None,
    into_folder: bool = False,
    begins: Callable[[Path, int, int], object] | None = None,
) -> AsyncGenerator[CheckedFile]:
    """Look at each file, and at those in folders, in their order.

    `out` is where the map goes, if there is one: a new grey PNG of the upright picture's size, or
    with several files, or `into_folder`, a folder with one for each. What is there is never written
    over. `begins` is told of each file, how many come before it and how many there are. Raises
    `NoPhotosError` if there is no file in the folders, and `CheckUnavailableError` after all files
    where nothing can look at them: then each verdict is `cannot-tell` with that reason, unless C2PA
    tells something.
    """
    files, closed = await meant(paths)
    into_folder = into_folder or len(files) > 1 or files != list(paths)
    if out is not None and not into_folder:
        into_folder = await asyncio.to_thread(is_folder, out)
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    async with Decoder() as decoder, CheckService(threads=threads, niceness=0) as service:
        checker = _Checker(decoder, service, out, into_folder=into_folder)
        await decoder.probe()  # its start is no file's
        for folder, error in closed:
            why = Facts("unknown", refused=str(error))
            yield _refused(folder, why, time.perf_counter(), error)
        for number, file in enumerate(files):
            if begins is not None:
                begins(file, number, len(files))
            yield await checker.check(file)
    if checker.failed is not None:
        raise checker.failed


class _Checker:
    """Checks one file after the other."""

    def __init__(
        self, decoder: Decoder, service: CheckService, out: Path | None, *, into_folder: bool
    ) -> None:
        self._decoder = decoder
        self._service = service
        self._out = out
        self._into_folder = into_folder
        name = missing()
        self.failed = None if name is None else CheckUnavailableError(f"{name} is not installed")
        """Why nothing can be checked here."""

    async def check(self, file: Path) -> CheckedFile:
        """The verdict on a file, or why it was refused."""
        begun = time.perf_counter()
        try:
            facts = await self._decoder.inspect(file)
        except UnreadableFileError as error:
            return _refused(file, Facts("unknown", refused=str(error)), begun, error)
        if facts.refused is not None and facts.refused != A_CLIP:
            return _refused(file, facts, begun, PictureRefusedError())
        inspected = time.perf_counter() - begun
        examined = await self._examine(file, facts)
        seconds = round(inspected + examined.seconds, 3)
        verdict = verdicts.join(examined.seen, facts, seconds=seconds)
        try:
            written = await self._write_map(examined.seen, file, facts)
        except KinlightError as error:
            return CheckedFile(shown_path(file), verdict, None, error.code)
        return CheckedFile(shown_path(file), verdict, written)

    async def _examine(self, file: Path, facts: Facts) -> Examined:
        with_map = self._out is not None
        if self.failed is None:
            try:
                return await examine(
                    self._decoder, self._service, facts, lambda: nullcontext(file),
                    with_map=with_map,
                )  # fmt: skip
            except CheckUnavailableError as error:
                self.failed = error
        return Examined(Seen("cannot-tell", str(self.failed)), 0.0)

    async def _write_map(self, seen: Seen, file: Path, facts: Facts) -> str | None:
        """Where the map was written; None if there is none, which an empty one would not tell."""
        if self._out is None or seen.map is None or facts.upright is None:
            return None
        width, height = facts.upright
        png = await self._decoder.encode(Pixels(width, height, "L", seen.map), "png")
        path = self._out / f"{file.name}.map.png" if self._into_folder else self._out
        written, _ = await asyncio.to_thread(
            write_new, BytesIO(png), path, time.time_ns(), keep_both=self._into_folder
        )
        return shown_path(written)


def _refused(file: Path, facts: Facts, begun: float, error: KinlightError) -> CheckedFile:
    seen = Seen("cannot-tell", facts.refused or "")
    seconds = round(time.perf_counter() - begun, 3)
    verdict = verdicts.join(seen, facts, seconds=seconds)
    return CheckedFile(shown_path(file), verdict, None, error.code)
