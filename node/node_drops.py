"""The part of `Node` about drop links."""

from __future__ import annotations

from .client import Client, link_segment
from .views_drops import DropLink


class NodeDrops(Client):
    """Links by which a browser sends photos here; see `node.Node`."""

    async def drop_link(
        self, name: str, *, accept: str = "ask", at: str | None = None, https: bool = False
    ) -> DropLink:
        """Make a lasting link for the browser of `name`, say a phone; whoever has its `url` can
        send photos by it while this node runs, and do nothing else.

        What comes waits in the inbox, or is taken at once with `accept` `always`. The page is
        served at `at` and `https` as for `share_link`. Raises `DropNameTakenError`,
        `TooManyDropsError`, `LinkPageError`, `BadRequestError`.
        """
        body = {"name": name, "accept": accept, "at": at, "https": https}
        return DropLink(**await self._post("drops", **body))

    async def drops(self) -> list[DropLink]:
        """The drop links that were made here, without their URLs, the latest first. One is
        forgotten a day after it was revoked.
        """
        return [DropLink(**item) for item in await self._get("drops")]

    async def drop_accept(self, drop: str) -> DropLink:
        """Accept all that waits by the link of that name, or whose id begins so: its page sends
        the photos when it is open. Raises `NoSuchDropError`.
        """
        return DropLink(**await self._post("drops", link_segment(drop), "accept"))

    async def drop_decline(self, drop: str) -> DropLink:
        """Decline all that waits by a link. Raises `NoSuchDropError`."""
        return DropLink(**await self._post("drops", link_segment(drop), "decline"))

    async def drop_accept_from(self, drop: str, accept: str) -> DropLink:
        """Whether what comes by a link from now on waits (`ask`) or not (`always`). Raises
        `NoSuchDropError`, `BadRequestError`.
        """
        path = link_segment(drop)
        return DropLink(**await self._post("drops", path, "accept-from", accept=accept))

    async def revoke_drop(self, drop: str) -> DropLink:
        """Take a drop link back; what is under way ends, and what came stays. Raises
        `NoSuchDropError`.
        """
        return DropLink(**await self._post("drops", link_segment(drop), "revoke"))
