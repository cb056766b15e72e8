"""Invisible marks, as the node sees them: set and read in a process of its own.

async with MarkService() as service:
pixels = await service.mark(pixels, key, payload)
marks = await service.read(pixels, [Sought(key, issued)])
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from . import decoder_wire, mark_wire, own_python, worker_service
from .decoder_wire import CHANNELS, Pixels
from .mark_wire import LARGEST, SeenMark, Sought, UnfitPictureError
from .picture_errors import CannotMarkError, MarkFailedError, MarkUnavailableError
from .worker_service import IDLE_SECONDS, Failures, WorkerService, message, send

NEEDED: Final = ("numpy", "cv2")
"""Of what the extra `ml` brings."""
NICENESS: Final = 5
SECONDS: Final = 300.0
"""For one picture by the clock: a mark takes half a second, a search some seconds."""
_FAILURES: Final = Failures(MarkUnavailableError, MarkFailedError, MarkFailedError)

_Result = TypeVar("_Result")


def missing() -> str | None:
    """The name of what is not installed and is needed; looked up, not loaded."""
    return worker_service.missing(NEEDED)


class MarkService(WorkerService):
    """Asks the process. Belongs to one event loop; `close` it, or use it as a context.

    Raises `MarkUnavailableError` where something is not installed, `MarkFailedError`, and
    `CannotMarkError` for a picture that is too small or too large.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        niceness: int = NICENESS,
        idle_seconds: float = IDLE_SECONDS,
        command: Sequence[str] | None = None,
    ) -> None:
        """`command` is what is run in place of `mark_worker`."""
        run = command or own_python.command("mark_worker", "main", str(threads), str(niceness))
        super().__init__(
            run, "mark", missing, _FAILURES, seconds=SECONDS, idle_seconds=idle_seconds
        )

    async def mark(self, picture: Pixels, key: bytes, payload: bytes) -> Pixels:
        """The same picture with a mark."""
        if picture.width * picture.height > LARGEST:  # before its process takes the memory for it
            raise CannotMarkError(f"it has more than {LARGEST // 1_000_000} megapixels")
        size = picture.width * picture.height * CHANNELS[picture.mode]
        header = decoder_wire.answer(mark_wire.to_mark(picture, key, payload), len(picture.data))

        def exchange(process: subprocess.Popen[bytes]) -> Pixels:
            send(process, header, picture.data)
            return mark_wire.marked(*message(process, size), picture)

        return await self._fit(exchange)

    async def read(self, picture: Pixels, sought: Sequence[Sought]) -> list[SeenMark]:
        """All marks of these keys, for each key the surest first."""
        request, issued = mark_wire.to_read(picture, sought)
        header = decoder_wire.answer(request, len(picture.data) + len(issued))

        def exchange(process: subprocess.Popen[bytes]) -> list[SeenMark]:
            send(process, header, picture.data, issued)
            return mark_wire.found(message(process, 0)[0], sought)

        return await self._fit(exchange)

    async def _fit(self, exchange: Callable[[subprocess.Popen[bytes]], _Result]) -> _Result:
        def asked(process: subprocess.Popen[bytes]) -> _Result | UnfitPictureError:
            # As a value: what is raised there would end the process.
            try:
                return exchange(process)
            except UnfitPictureError as error:
                return error

        answer = await self.ask(asked)
        if isinstance(answer, UnfitPictureError):
            raise CannotMarkError(str(answer))
        return answer
