"""The local API's part about holding for others."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from . import views_holding
from .engine import Engine

router = APIRouter(prefix="/v1/holding")


class HoldBody(BaseModel):
    """See `Node.hold`; what is absent stays."""

    contacts: list[str] = []
    quota: int | None = None
    per_contact: int | None = None
    days: int | None = None
    backup: list[str] = []


class StopBody(BaseModel):
    """See `Node.stop_holding`."""

    contacts: list[str] = []
    drop: bool = False


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.get("")
async def get_holding(request: Request) -> views_holding.Holding:
    """What is held for others."""
    return _engine(request).hold.view()


@router.post("/on")
async def post_on(request: Request, body: HoldBody) -> views_holding.Holding:
    """Hold for all contacts or for some, on these terms."""
    return _engine(request).hold.turn_on(
        body.contacts,
        quota=body.quota,
        per_contact=body.per_contact,
        days=body.days,
        backup=body.backup,
    )


@router.post("/off")
async def post_off(request: Request, body: StopBody) -> views_holding.Holding:
    """Hold for nobody, or not for some."""
    return await _engine(request).hold.turn_off(body.contacts, drop=body.drop)
