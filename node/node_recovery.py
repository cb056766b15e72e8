"""The part of `Node` about getting everything back from the 24 words."""

from __future__ import annotations

from collections.abc import Sequence

from . import views_recovery
from .client import Client, several
from .views_recovery import Readiness, Recovery


class NodeRecovery(Client):
    """What contacts keep of this identity's, and how much of it is here; see `node.Node`."""

    async def recovery(self) -> Recovery:
        """What came back, what was found and with whom, and what misses."""
        return views_recovery.recovery(await self._get("recovery"))

    async def recover(self, recovery_words: str, *, without: Sequence[str] = ()) -> Recovery:
        """Ask every contact who is here, or comes, for the backup of this node's identity.

        What is here already stays as it is; what comes is added. It ends by itself when all that
        was found is here. Entries of the devices `without` (64 hex digits each) count for nothing.
        A node for words alone is made by `create`. Raises `MistypedWordsError`, `OtherWordsError`.
        """
        body = await self._post(
            "recovery", "begin", recovery_words=recovery_words, without=several(without)
        )
        return views_recovery.recovery(body)

    async def check_words(self, recovery_words: str) -> Readiness:
        """Show that you have the 24 words of this node's identity; `status` says when that was.

        Raises `MistypedWordsError`, `OtherWordsError`.
        """
        body = await self._post("recovery", "check-words", recovery_words=recovery_words)
        return views_recovery.readiness(body)

    async def stop_recovering(self) -> Recovery:
        """Ask for nothing more. What did not come stays with its holders."""
        return views_recovery.recovery(await self._post("recovery", "stop"))
