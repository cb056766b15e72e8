"""The part of `Node` about tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .client import Client, several, ticket_segment
from .views_contacts import Ticket

TICKET_SECONDS: Final = 3600
"""How long a ticket is valid where nothing is said."""


class NodeTickets(Client):
    """Texts by which somebody far away can become a contact; see `node.Node`."""

    async def new_ticket(
        self,
        *,
        seconds: int = TICKET_SECONDS,
        uses: int = 1,
        name: str | None = None,
        at: Sequence[str] = (),
    ) -> Ticket:
        """Make a ticket; its `text` goes to whoever is to become a contact, by a way that nobody
        else reads. `pair` there uses it.

        It is valid for so many `seconds` (30 days at most) and `uses` (100 at most). `name` is what
        to call the one who uses it. `at` are addresses under which this node can be reached beside
        those of its own interfaces. Raises `TooManyTicketsError`, `BadAddressError`,
        `BadRequestError`.
        """
        body = await self._post("tickets", seconds=seconds, uses=uses, name=name, at=several(at))
        return Ticket(**body)

    async def tickets(self) -> list[Ticket]:
        """The tickets that were made here, without their texts; the latest first. One is forgotten
        30 days after its end.
        """
        return [Ticket(**item) for item in await self._get("tickets")]

    async def revoke_ticket(self, ticket: str) -> Ticket:
        """Take back a ticket by its id, or the beginning of it. Who used it stays a contact.

        Raises `NoSuchTicketError`.
        """
        return Ticket(**await self._post("tickets", ticket_segment(ticket), "revoke"))
