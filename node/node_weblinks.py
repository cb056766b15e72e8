"""The part of `Node` about links to photos."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Final

from . import errors
from .client import Client, Paths, absolute, link_segment, read_step, several
from .views_sharing import ShareItem, ShareProgress
from .views_weblinks import WebLink

LINK_SECONDS: Final = 86_400
"""How long a link is valid where nothing is said."""


class NodeWebLinks(Client):
    """Links to photos that any browser opens; see `node.Node`."""

    async def share_link(
        self,
        paths: Paths,
        *,
        seconds: int = LINK_SECONDS,
        count: int = 1,
        original: bool = False,
        metadata: str | None = None,
        max_px: int | None = None,
        at: str | None = None,
        https: bool = False,
        rehash: bool = False,
        progress: Callable[[ShareProgress], None] | None = None,
    ) -> WebLink:
        """Make a link to photos; whoever has its `url` can open it in a browser, `count` browsers
        (100 at most) within `seconds` (30 days at most), while this node runs.

        Copies go, 2,048 pixels at most and without what else the file tells, or as `metadata` and
        `max_px` say; with `original` the files as they are. The page is served at `at`, an address
        of this machine or `localhost` (default: the first in the local network), over HTTPS with
        the node's own certificate if `https`. A file that can't go is left out. Raises
        `NoPhotosError`, `TooManyLinksError`, `LinkPageError`, `BadRequestError`.
        """
        steps = self.share_link_steps(
            paths, seconds=seconds, count=count, original=original, metadata=metadata,
            max_px=max_px, at=at, https=https, rehash=rehash,
        )  # fmt: skip
        made: WebLink | None = None
        async for step in steps:
            if isinstance(step, WebLink):
                made = step
            elif isinstance(step, ShareProgress) and progress is not None:
                progress(step)
        if made is None:
            raise errors.InternalError
        return made

    async def share_link_steps(
        self,
        paths: Paths,
        *,
        seconds: int = LINK_SECONDS,
        count: int = 1,
        original: bool = False,
        metadata: str | None = None,
        max_px: int | None = None,
        at: str | None = None,
        https: bool = False,
        rehash: bool = False,
    ) -> AsyncGenerator[ShareItem | ShareProgress | WebLink]:
        """As `share_link`, but yields an item for each file, progress, and the link at last."""
        async for line in self._stream(
            "links",
            paths=[absolute(path) for path in several(paths)],
            seconds=seconds,
            count=count,
            original=original,
            metadata=metadata,
            max_px=max_px,
            at=at,
            https=https,
            rehash=rehash,
        ):
            yield read_step(line, ShareItem, ShareProgress, WebLink)

    async def links(self) -> list[WebLink]:
        """The links that were made here, without their URLs, the latest first. One is forgotten a
        day after its end.
        """
        return [WebLink(**item) for item in await self._get("links")]

    async def revoke_link(self, link: str) -> WebLink:
        """Take back a link by its id, or the beginning of it; what is under way ends. What a
        browser has by then it keeps. Raises `NoSuchLinkError`.
        """
        return WebLink(**await self._post("links", link_segment(link), "revoke"))
