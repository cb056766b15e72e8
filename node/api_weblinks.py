"""The local API's part about links to photos."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from . import forms, weblink_desk
from .api_lines import lines
from .engine import Engine
from .errors import BadRequestError
from .forms import ORIGINAL
from .sharing import WITHOUT_PLACE
from .views_weblinks import WebLink
from .weblink_desk import WebLinkDesk
from .weblinks import Terms

router = APIRouter(prefix="/v1/links")

MAX_PX = 2048
"""The longest side of what goes by a link where nothing is said."""


class LinkBody(BaseModel):
    """`paths` are absolute paths on this machine; see `Node.share_link`."""

    paths: list[Path]
    seconds: int
    count: int = 1
    original: bool = False
    metadata: str | None = None
    max_px: int | None = None
    at: str | None = None
    https: bool = False
    rehash: bool = False


def _desk(request: Request) -> WebLinkDesk:
    engine: Engine = request.app.state.engine
    return engine.weblinks


@router.post("")
async def post_link(request: Request, body: LinkBody) -> StreamingResponse:
    """Make a link; a line for each file, progress, and the link at last."""
    desk = _desk(request)
    if body.original and (body.metadata, body.max_px) != (None, None):
        raise BadRequestError("originals go as they are: say --original, or what is to be changed")
    forms.check(body.metadata, body.max_px)
    form = ORIGINAL
    if not body.original:
        # A policy that is said without a size is kept to at full size; nothing said is small.
        px = body.max_px if body.metadata or body.max_px else MAX_PX
        form = forms.asked(body.metadata or WITHOUT_PLACE, px)
    if form == ORIGINAL and not body.original:
        raise BadRequestError("originals go by a link with --original alone")
    terms = Terms(body.seconds, body.count, body.original, weblink_desk.where(body.at), body.https)
    return lines(desk.make(body.paths, terms, form, rehash=body.rehash))


@router.get("")
async def get_links(request: Request) -> list[WebLink]:
    """The links that were made here."""
    return _desk(request).list()


@router.post("/{link}/revoke")
async def post_revoke(request: Request, link: str) -> WebLink:
    """Take one back; `link` begins its id."""
    return _desk(request).revoke(link)
