"""The decode service, as the node sees it: every picture is opened in a process of its own.

    decoder = Decoder()
    facts = await decoder.inspect(path)
    preview = await decoder.pixels(path, max_px=2048)

A keyless zygote (`decoder_child`) is started at the first picture and forks a child for each, in a
sandbox. What a child answers is checked field by field in `decoder_wire`. A picture that is too
much for its child costs that child, a named error, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

from . import decoder_wire
from .decoder_process import Zygote
from .decoder_wire import (
    CHANNELS,
    ENCODED_BYTES,
    LEVELS,
    MAX_PIXELS,
    PROFILE_BYTES,
    PUT_BYTES,
    Answer,
    BadAnswerError,
    Edit,
    Level,
    Luma,
    Pixels,
    Stored,
)
from .facts import Facts
from .picture_errors import (
    DecoderDiedError,
    DecoderTimeoutError,
    DecoderUnavailableError,
    PictureRefusedError,
    SandboxTooWeakError,
)
from .sources import open_file

AT_ONCE: Final = 2
"""Pictures that are open at a time: each may take the sandbox's whole memory."""
SECONDS: Final = 15.0
"""From the request to the end of the answer."""
IDLE_SECONDS: Final = 60.0
"""Without a picture until the service is ended: it holds some 60 MB."""

Source = Path | bytes | BinaryIO
"""A picture: a file by its path, its bytes, or an open file (its descriptor is used, not its
position)."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """What opening one picture took; `memory` is the child's peak, resident, in bytes."""

    memory: int


class Decoder:
    """Opens pictures. Belongs to one event loop; `close` it, or use it as a context."""

    def __init__(self, *, required: Level = "process", seconds: float = SECONDS) -> None:
        self._required = required
        self._seconds = seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._starting = asyncio.Lock()
        self._service: Zygote | None = None
        self._closed = False
        self._level = "off"
        self._libraries: dict[str, str] = {}
        self._open = 0
        self._idle: asyncio.TimerHandle | None = None
        self._last_cost = Cost(0)
        self._starts = 0
        self._running = 0

    async def __aenter__(self) -> Decoder:
        """The decoder; nothing is started before the first picture."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    @property
    def level(self) -> str:
        """How pictures are caged: `seccomp`, `rlimits`, `process`; `off` before the first start."""
        return self._level

    @property
    def libraries(self) -> dict[str, str]:
        """What opens pictures here, by name and version; empty before the first start."""
        return dict(self._libraries)

    async def probe(self) -> None:
        """Start the service, so that its level is known; it ends again where it stays idle."""
        async with self._in_use():
            await self._started()

    @property
    def starts(self) -> int:
        """How often the service was started: it ends where it stays idle, or dies."""
        return self._starts

    @property
    def processes(self) -> int:
        """The service's processes: none before it is needed, then itself and a child a picture."""
        return 0 if self._service is None else 1 + self._running

    @property
    def cost(self) -> Cost:
        """What the picture before took."""
        return self._last_cost

    async def close(self) -> None:
        """End the zygote and every child."""
        if self._idle is not None:
            self._idle.cancel()
        self._closed = True
        async with self._starting:  # one that is about to be there is ended too
            await self._end()

    async def _end(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            await service.close()

    # What can be asked.

    async def inspect(self, source: Source) -> Facts:
        """All that is known of a file, a refusal included; see `Facts`.

        Raises only if the file can't be read (`UnreadableFileError`) or no picture at all can be
        opened here (`DecoderUnavailableError`, `SandboxTooWeakError`, `OldPictureLibraryError`).
        A picture that kills or outlasts its child is one that is refused.
        """
        with _opened(source) as file:
            try:
                facts, marked = await self._ask(file, {"op": "inspect"}, _facts, 0)
            except (PictureRefusedError, DecoderDiedError, DecoderTimeoutError) as error:
                return Facts("unknown", refused=str(error)[:200])
            if not marked:
                return facts
            # The library for C2PA gets a child of its own: should it die, the facts stand.
            try:
                state, code = await self._ask(file, {"op": "c2pa"}, _provenance, 0)
            except (PictureRefusedError, DecoderDiedError, DecoderTimeoutError):
                state, code = "invalid", "unreadable"
            return replace(facts, c2pa=state, c2pa_code=code)

    async def pixels(
        self, source: Source, *, max_px: int | None = None, srgb: bool = True
    ) -> Pixels:
        """The picture upright, no side longer than `max_px`; of a video its first good frame.

        With `srgb` the colours are converted to sRGB, else its own ICC profile comes along.
        Raises `PictureRefusedError`, `DecoderDiedError`, `DecoderTimeoutError`.
        """
        side = MAX_PIXELS if max_px is None else max_px
        most = min(MAX_PIXELS, side * side) * 4 + PROFILE_BYTES
        with _opened(source) as file:
            request: dict[str, object] = {"op": "pixels", "max_px": max_px, "srgb": srgb}
            made = await self._ask(file, request, _pixels, most)
        if max_px is not None and max(made.width, made.height) > max_px:
            raise DecoderDiedError("it answered out of turn")
        return made

    async def luma(self, source: Source) -> Luma:
        """Brightness at full size as it is stored, with a JPEG's quantisation tables."""
        with _opened(source) as file:
            return await self._ask(file, {"op": "luma"}, _luma, MAX_PIXELS)

    async def stored(self, source: Source, most: int) -> Stored:
        """The pixels as they are stored, if there are no more than `most`; of JPEGs the tables too.

        For what looks for traces of how they came about, which a turn or a scaling would blur.
        """
        with _opened(source) as file:
            return await self._ask(file, {"op": "stored", "most": most}, _stored, most * 4)

    async def no_location(self, source: Source) -> Edit:
        """How to make a copy that tells no place; see `stripping`."""
        with _opened(source) as file:
            length = os.fstat(file.fileno()).st_size

            def read(answer: Answer, payload: bytearray) -> Edit:
                return _edit(answer, payload, length)

            return await self._ask(file, {"op": "no_location"}, read, PUT_BYTES)

    async def encode(
        self, pixels: Pixels, kind: str, *, quality: int = 90, exif: bytes = b""
    ) -> bytes:
        """A new `jpeg` or `png` of nothing but these pixels, in a child that saw no original.

        `exif` is a whole EXIF block with its header, or nothing.
        """
        request: dict[str, object] = {
            "op": "encode", "format": kind, "quality": quality, "exif": exif,
            "width": pixels.width, "height": pixels.height, "mode": pixels.mode,
        }  # fmt: skip
        with memory_file(pixels.data, pixels.icc or b"") as file:
            return await self._ask(file, request, _encoded, ENCODED_BYTES)

    # How it is asked.

    async def _ask(
        self,
        file: BinaryIO,
        request: dict[str, object],
        read: Callable[[Answer, bytearray], _Result],
        largest: int,
    ) -> _Result:
        """Put a request to a fresh child and read its answer, whole and checked."""
        async with self._turns, self._in_use():
            service = await self._started()
            self._running += 1
            try:
                header, payload = await service.run(
                    file, decoder_wire.request(request), largest, self._seconds
                )
                self._last_cost = Cost(service.memory)
                answer = Answer(header)
                refused = answer.refused
                if refused is not None:
                    raise PictureRefusedError(refused)
                result = read(answer, payload)
                answer.end()
            except BadAnswerError:
                raise DecoderDiedError("it answered out of turn") from None
            finally:
                self._running -= 1
            return result

    @contextlib.asynccontextmanager
    async def _in_use(self) -> AsyncGenerator[None]:
        """Keeps the service; the last one out ends it after a while without pictures."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open and self._service is not None:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        self._idle = None
        service, self._service = self._service, None
        if service is not None:
            service.let_go()

    async def _started(self) -> Zygote:
        async with self._starting:
            if self._closed:  # what still waits for its turn starts nothing any more
                raise DecoderUnavailableError("it is closed")
            if self._service is not None and self._service.ended:
                await self._end()
            if self._service is None:
                self._service = await Zygote.start()
                self._starts += 1
                self._level = self._service.level
                self._libraries = self._service.libraries
            service = self._service
        if LEVELS.index(service.level) < LEVELS.index(self._required):
            raise SandboxTooWeakError(f"{service.level}, not {self._required}")
        return service


# Reading answers. The payload's size was bounded before; here it must be what the fields say.


def _facts(answer: Answer, payload: bytearray) -> tuple[Facts, bool]:
    _expect(payload, 0)
    return answer.facts(), answer.flag("c2pa_marked")


def _provenance(answer: Answer, payload: bytearray) -> tuple[str, str | None]:
    _expect(payload, 0)
    return answer.provenance()


def _pixels(answer: Answer, payload: bytearray) -> Pixels:
    width, height = answer.size()
    mode = answer.mode()
    profile = answer.profile_bytes()
    size = width * height * CHANNELS[mode]
    _expect(payload, size + profile)
    if not profile:
        return Pixels(width, height, mode, payload)
    icc = bytes(payload[size:])
    del payload[size:]
    return Pixels(width, height, mode, payload, icc)


def _luma(answer: Answer, payload: bytearray) -> Luma:
    width, height = answer.size()
    _expect(payload, width * height)
    return Luma(width, height, payload, answer.tables())


def _stored(answer: Answer, payload: bytearray) -> Stored:
    width, height = answer.size()
    mode, tables, turn, unfit = answer.mode(), answer.tables(), answer.turn(), answer.unfit()
    _expect(payload, 0 if unfit else width * height * CHANNELS[mode])
    return Stored(width, height, mode, payload, tables, turn, unfit)


def _edit(answer: Answer, payload: bytearray, length: int) -> Edit:
    return answer.edit(length, bytes(payload))


def _encoded(_answer: Answer, payload: bytearray) -> bytes:
    if not payload:
        raise BadAnswerError("empty")
    return bytes(payload)


def _expect(payload: bytearray, size: int) -> None:
    if len(payload) != size:
        raise BadAnswerError("payload")


# Files to hand over.


@contextlib.contextmanager
def memory_file(*parts: bytes | bytearray) -> Generator[BinaryIO]:
    """An open file that is never in any folder, holding `parts`: for what must not touch a disk.

    Elsewhere than on Linux it is a temporary file without a name.
    """
    with _anonymous() as file:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[file.write(left) :]
        yield file


def _anonymous() -> BinaryIO:
    if sys.platform == "linux":
        return cast("BinaryIO", os.fdopen(os.memfd_create("picture"), "w+b", buffering=0))
    return cast("BinaryIO", tempfile.TemporaryFile(buffering=0))


@contextlib.contextmanager
def _opened(source: Source) -> Generator[BinaryIO]:
    if isinstance(source, Path):
        file, _ = open_file(source)
        with file:
            yield file
    elif isinstance(source, bytes):
        with memory_file(source) as file:
            yield file
    else:
        yield source
