"""Blobs of deposits on their way in, from all links to their depositor together.

As with photos that come (`arrivals`), one `Gathering` owns what is here of a blob. Nothing can be
decrypted: that it is the blob of its content id is all that is checked, and all that who holds
answers for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from ..crypto.blob import Manifest
from ..protocol.delivery import HeldBlob
from ..protocol.errors import GoneError
from ..protocol.transfer import Download
from .blobstore import Incoming
from .fetching import Fetcher, under_token
from .gathering import Gathering
from .held import HeldStore
from .tasks import to_the_end

_ASK: Final = under_token(b"")


class _Pull:
    """One blob of one depositor."""

    def __init__(self, blob: HeldBlob, place: Incoming) -> None:
        download = Download(blob.content_id, blob.length)
        self.gathering: Final = Gathering(download, place, _untold)
        self.turn: Final = asyncio.Lock()
        self.finished = False
        self.users = 0


class Pulls:
    """All that are under way."""

    def __init__(self, held: HeldStore) -> None:
        self._held = held
        self._pulls: dict[tuple[bytes, bytes], _Pull] = {}

    def __len__(self) -> int:
        return len(self._pulls)

    def is_busy(self, depositor: bytes, content_id: bytes) -> bool:
        """Whether a blob is being fetched: who fetches it removes it if it is wanted no more."""
        return (depositor, content_id) in self._pulls

    async def bring(self, fetcher: Fetcher, depositor: bytes, blob: HeldBlob) -> Manifest:
        """Until a blob lies here whole and durably; it counts once its manifest is entered, see
        `HeldStore.complete`.

        Raises what `Fetcher.fetch` does; `GoneError` if no item names it any more.
        """
        async with self._joined(depositor, blob) as pull:
            await fetcher.fetch(_ASK, pull.gathering)
            async with pull.turn:
                if not self._held.is_named(depositor, blob.content_id):
                    raise GoneError
                if not pull.finished:
                    await to_the_end(asyncio.to_thread(pull.gathering.place.finish))
                    pull.finished = True
            return pull.gathering.manifest

    @contextlib.asynccontextmanager
    async def _joined(self, depositor: bytes, blob: HeldBlob) -> AsyncGenerator[_Pull]:
        key = (depositor, blob.content_id)
        pull = self._pulls.get(key)
        if pull is None:
            pull = self._pulls[key] = _Pull(blob, self._held.place(depositor, blob))
        pull.users += 1
        try:
            yield pull
        finally:
            pull.users -= 1
            if not pull.users:
                del self._pulls[key]
                if not self._held.is_named(depositor, blob.content_id):
                    pull.gathering.place.discard()
                    self._held.store(depositor).remove(blob.content_id)


def _untold(_done: int, _total: int) -> None:
    """Nobody watches what is for others."""
