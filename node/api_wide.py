"""The local API's part about the wide area."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from . import views
from .engine import Engine

router = APIRouter(prefix="/v1/wide")


class WideBody(BaseModel):
    """See `Node.set_wide`; what is absent stays."""

    on: bool | None = None
    relay: bool | None = None
    lookup: bool | None = None
    bootstraps: list[str] | None = None


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.get("")
async def get_wide(request: Request) -> views.WideArea:
    """How it is."""
    return await _engine(request).wide()


@router.post("")
async def post_wide(request: Request, body: WideBody) -> views.WideArea:
    """Turn it on or off, and relaying in it."""
    return await _engine(request).set_wide(
        on=body.on, relay=body.relay, lookup=body.lookup, bootstraps=body.bootstraps
    )
