"""The part of `Node` about guardians of the recovery words."""

from __future__ import annotations

from collections.abc import Sequence

from ..crypto import guardians
from ..crypto.guardians import Share
from . import views_guardians
from .client import Client, contact_segment, several
from .views_guardians import Guarded, Guardians


class NodeGuardians(Client):
    """Contacts who keep a share of the words each; see `node.Node`."""

    async def guardians(self) -> Guardians:
        """Who guards our words, and for whom we do."""
        return views_guardians.guardians(await self._get("guardians"))

    async def split_words(
        self, recovery_words: str, guardians: Sequence[str], *, need: int
    ) -> Guardians:
        """Give each of these contacts a share of the 24 words, `need` of which make them again.

        A share goes when its guardian is next connected, and is kept nowhere here then. It takes
        the place of an earlier split. Raises `OtherWordsError`, `MistypedWordsError`,
        `NoSuchContactError`, `KeyInDoubtError`, `BadRequestError`.
        """
        body = await self._post(
            "guardians", "split",
            recovery_words=recovery_words, guardians=several(guardians), need=need,
        )  # fmt: skip
        return views_guardians.guardians(body)

    async def reveal_share(self, contact: str) -> Guarded:
        """The share that is kept here for a contact, to be read out to them. `NoShareError`."""
        return Guarded(**await self._post("guardians", contact_segment(contact), "reveal"))

    @staticmethod
    def combine_shares(shares: Sequence[str]) -> str:
        """The 24 words that shares make, for `Node.create` and `recover`; no node is needed.

        Raises `BadShareError`, `MixedSharesError`, `RepeatedShareError`, `TooFewSharesError`.
        """
        return guardians.combine(map(Share.parse, shares)).phrase()
