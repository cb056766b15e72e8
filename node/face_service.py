"""Faces, as the node sees them: found and hidden in a process of its own.

async with FaceService() as service:
pixels, seen = await service.hide(pixels, method="blur")
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from . import decoder_wire, face_wire, own_python, worker_service
from .decoder_wire import CHANNELS, Pixels
from .face_wire import LARGEST, Box, SeenFaces
from .mark_wire import UnfitPictureError
from .picture_errors import CannotAnonymiseError, FacesFailedError, FacesUnavailableError
from .worker_service import IDLE_SECONDS, Failures, WorkerService, message, send

NEEDED: Final = ("numpy", "cv2")
"""Of what the extra `ml` brings."""
NICENESS: Final = 5
SECONDS: Final = 300.0
"""For one picture by the clock: twelve megapixels take one or two."""
_FAILURES: Final = Failures(FacesUnavailableError, FacesFailedError, FacesFailedError)


def missing() -> str | None:
    """The name of what is not installed and is needed; looked up, not loaded."""
    return worker_service.missing(NEEDED)


class FaceService(WorkerService):
    """Asks the process. Belongs to one event loop; `close` it, or use it as a context.

    Raises `FacesUnavailableError` where something is not installed, `FacesFailedError`, and
    `CannotAnonymiseError` for what is no picture to look at, and boxes or numbers that are none.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        niceness: int = NICENESS,
        idle_seconds: float = IDLE_SECONDS,
        command: Sequence[str] | None = None,
    ) -> None:
        """`command` is what is run in place of `face_worker`."""
        run = command or own_python.command("face_worker", "main", str(threads), str(niceness))
        super().__init__(
            run, "face", missing, _FAILURES, seconds=SECONDS, idle_seconds=idle_seconds
        )

    async def hide(
        self,
        picture: Pixels,
        *,
        method: str | None,
        boxes: Sequence[Box] = (),
        keep: Sequence[int] = (),
    ) -> tuple[Pixels, SeenFaces]:
        """The same picture with its faces hidden, and which those are. Without a `method` nothing
        is hidden: it says what would be.
        """
        if picture.width * picture.height > LARGEST:  # before its process takes the memory for it
            raise CannotAnonymiseError(f"it has more than {LARGEST // 1_000_000} megapixels")
        size = picture.width * picture.height * CHANNELS[picture.mode]
        request = face_wire.to_hide(picture, boxes, keep, method)
        header = decoder_wire.answer(request, len(picture.data))

        def exchange(
            process: subprocess.Popen[bytes],
        ) -> tuple[Pixels, SeenFaces] | UnfitPictureError:
            # As a value: what is raised there would end the process.
            send(process, header, picture.data)
            try:
                return face_wire.hidden(*message(process, size), picture, method)
            except UnfitPictureError as error:
                return error

        answer = await self.ask(exchange)
        if isinstance(answer, UnfitPictureError):
            raise CannotAnonymiseError(str(answer))
        return answer
