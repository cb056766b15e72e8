"""The local API's part about drop links."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from . import weblink_desk
from .drop_desk import DropDesk
from .engine import Engine
from .views_drops import DropLink
from .weblinks import Place

router = APIRouter(prefix="/v1/drops")


class DropBody(BaseModel):
    """See `Node.drop_link`."""

    name: str
    accept: str
    at: str | None = None
    https: bool = False


class AcceptBody(BaseModel):
    """See `Node.drop_accept_from`."""

    accept: str


def _desk(request: Request) -> DropDesk:
    engine: Engine = request.app.state.engine
    return engine.drops


@router.post("")
async def post_drop(request: Request, body: DropBody) -> DropLink:
    """Make a drop link."""
    place = Place(weblink_desk.where(body.at), body.https)
    return await _desk(request).new(body.name, body.accept, place)


@router.get("")
async def get_drops(request: Request) -> list[DropLink]:
    """The drop links that were made here."""
    return _desk(request).list()


@router.post("/{drop}/revoke")
async def post_revoke(request: Request, drop: str) -> DropLink:
    """Take one back; `drop` is its name, or begins its id."""
    return _desk(request).revoke(drop)


@router.post("/{drop}/accept")
async def post_accept(request: Request, drop: str) -> DropLink:
    """Accept all that waits by it."""
    return _desk(request).decide_all(drop, accept=True)


@router.post("/{drop}/decline")
async def post_decline(request: Request, drop: str) -> DropLink:
    """Decline all that waits by it."""
    return _desk(request).decide_all(drop, accept=False)


@router.post("/{drop}/accept-from")
async def post_accept_from(request: Request, drop: str, body: AcceptBody) -> DropLink:
    """Whether what comes by it waits."""
    return _desk(request).accept_from(drop, body.accept)
