"""The part of `Node` about backup files."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from . import restoring
from .asking_words import parsed
from .client import Client, read_step
from .errors import BadRequestError, InternalError
from .home import Home
from .views_archive import Archived, ArchiveProgress, Restored

Progress = Callable[[ArchiveProgress], None]


class NodeArchive(Client):
    """A whole library in a file; see `node.Node`."""

    async def backup(self, file: Path | str, *, progress: Progress | None = None) -> Archived:
        """Write all of the library into one sealed file, which the pass phrase of this node and its
        recovery words open.

        A file of that name is never written over. The node goes on meanwhile; the file is of the
        moment at which this began. Raises `NameTakenError`, `DiskFullError`.
        """
        path = await asyncio.to_thread(Path(file).absolute)
        async for line in self._stream("backup", file=str(path)):
            step = read_step(line, ArchiveProgress, Archived)
            if isinstance(step, Archived):
                return step
            if progress is not None:
                progress(step)
        raise InternalError

    @staticmethod
    async def verify_backup(
        file: Path | str,
        *,
        passphrase: str | None = None,
        recovery_words: str | None = None,
        progress: Progress | None = None,
    ) -> Archived:
        """Check every byte of a backup file; no node is needed, and nothing is changed.

        Raises `WrongPassphraseError`, `WrongWordsError`, `NotAnArchiveError`, `ArchiveTornError`,
        `ArchiveDamagedError`, `ArchiveVersionError`.
        """
        secret: Secret | RecoveryWords
        if recovery_words is not None:
            secret = parsed(recovery_words)
        elif passphrase is not None:
            secret = Secret(passphrase.encode())
        else:
            raise BadRequestError("a pass phrase or the recovery words are needed")
        return await asyncio.to_thread(
            restoring.verify, Path(file), secret, progress or restoring.untold
        )

    @staticmethod
    async def restore_backup(
        file: Path | str,
        home: Path | str | None = None,
        *,
        passphrase: str,
        recovery_words: str | None = None,
        progress: Progress | None = None,
    ) -> Restored:
        """Make a node in the empty folder `home` from a backup file: a new device of its identity.

        With `recovery_words` the pass phrase is a new one, without them that of the node that was
        backed up. Raises what `verify_backup` does, and `HomeExistsError`, `DiskFullError`,
        `WordsNeededError`.
        """
        place = Home.locate(None if home is None else Path(home))
        return await asyncio.to_thread(
            restoring.restore,
            Path(file),
            place,
            Secret(passphrase.encode()),
            None if recovery_words is None else parsed(recovery_words),
            entropy=secrets.token_bytes,
            now=int(time.time()),
            progress=progress or restoring.untold,
        )
