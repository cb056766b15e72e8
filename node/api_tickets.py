"""The local API's part about tickets."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from . import views_contacts
from .engine import Engine

router = APIRouter(prefix="/v1/tickets")


class TicketBody(BaseModel):
    """See `Node.new_ticket`."""

    seconds: int
    uses: int = 1
    name: str | None = None
    at: list[str] = []


def _engine(request: Request) -> Engine:
    return request.app.state.engine


@router.get("")
async def get_tickets(request: Request) -> list[views_contacts.Ticket]:
    """The tickets that were made here."""
    return _engine(request).tickets.list()


@router.post("")
async def post_ticket(request: Request, body: TicketBody) -> views_contacts.Ticket:
    """Make one."""
    return await _engine(request).new_ticket(
        seconds=body.seconds, uses=body.uses, name=body.name, at=body.at
    )


@router.post("/{ticket}/revoke")
async def post_revoke(request: Request, ticket: str) -> views_contacts.Ticket:
    """Take one back; `ticket` begins its id."""
    return _engine(request).tickets.revoke(ticket)
