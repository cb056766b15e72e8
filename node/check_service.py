"""The check for signs of editing, as the node sees it: a process of its own, started when needed.

async with CheckService() as service:
await service.start()
seen = await service.check(stored)
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from . import check_wire, decoder_wire, own_python, worker_service
from .check_wire import Seen
from .decoder_wire import Stored
from .picture_errors import CheckDiedError, CheckTimeoutError, CheckUnavailableError
from .worker_service import IDLE_SECONDS, SECONDS, Failures, WorkerService, message, send

NEEDED: Final = ("torch", "numpy", "cv2", "safetensors")
"""What the extra `ml` brings."""
GIVING_WAY: Final = 10
"""Niceness, below the decoder's, where nobody waits."""
_FAILURES: Final = Failures(CheckUnavailableError, CheckDiedError, CheckTimeoutError)


def missing() -> str | None:
    """The name of what is not installed and is needed; looked up, not loaded."""
    return worker_service.missing(NEEDED)


class CheckService(WorkerService):
    """Asks the process. Belongs to one event loop; `close` it, or use it as a context.

    Raises `CheckUnavailableError` where something is not installed, `CheckDiedError`,
    `CheckTimeoutError`.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        niceness: int = GIVING_WAY,
        seconds: float = SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        command: Sequence[str] | None = None,
    ) -> None:
        """`command` is what is run in place of `check_worker`."""
        run = command or own_python.command("check_worker", "main", str(threads), str(niceness))
        super().__init__(
            run, "check", missing, _FAILURES, seconds=seconds, idle_seconds=idle_seconds
        )

    async def check(self, picture: Stored, *, with_map: bool = False) -> Seen:
        """Look at a picture's pixels."""
        size = check_wire.upright(picture)
        most = size[0] * size[1] if with_map else 0
        header = decoder_wire.answer(
            check_wire.request(picture, with_map=with_map), len(picture.data)
        )

        def exchange(process: subprocess.Popen[bytes]) -> Seen:
            send(process, header, picture.data)
            return check_wire.answer(*message(process, most), size)

        return await self.ask(exchange)
