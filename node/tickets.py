"""Tickets that this node made: who may become a contact by them, how often, and until when.

It shares the database with `library`, so that a use is counted in the same breath as the contact
is stored: two who come at once, or a kill between the two, can't use a ticket more often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

from ..crypto.errors import PeerError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.errors import (
    ExpiredTicketError,
    InvalidTicketError,
    RevokedTicketError,
    UnknownTicketError,
    UsedUpTicketError,
)
from ..protocol.opening import Acquaintance, Entropy, LocalDevice
from ..protocol.ticket import SECRET_BYTES, IssuedTicket, Ticket
from . import names, views_contacts
from .addresses import places_to_dial
from .contact_errors import NoSuchTicketError, TooManyTicketsError
from .database import Database, Row
from .errors import BadRequestError
from .library import Contact, Library
from .multiaddrs import Multiaddr, parse_any_address

KEPT_SECONDS: Final = 30 * 86_400
"""For so long after its end who comes with a ticket is told why it is of no use."""
KEPT: Final = 256
"""Tickets that are remembered, the open ones included."""
_MOST_DAYS: Final = limits.TICKET_SECONDS // 86_400
_ID_DIGITS: Final = 4
"""With fewer a slip would name another ticket."""
_RELAYED: Final = 4
"""Addresses through relays: they are long, and one that works is enough."""
_SELECT: Final = (
    "SELECT tickets.*, (SELECT count(*) FROM ticket_uses"
    " WHERE ticket_uses.ticket_id = tickets.ticket_id) AS used FROM tickets"
)


class Tickets:
    """Makes tickets, keeps them, and says who may still use one."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._library = library
        self._entropy = entropy
        self._now = now

    # What the user does.

    def new(
        self,
        *,
        seconds: int,
        uses: int,
        name: str | None,
        at: Sequence[str],
        port: int,
        wide: Sequence[str] = (),
    ) -> views_contacts.Ticket:
        """Make one for so long and so many people.

        It names the addresses in `at` first, then those `wide` ones that lead through a relay, then
        those of this machine, with `port` and in the wide area, as many as there is room for.
        Raises `TooManyTicketsError`, `BadAddressError`, and `BadRequestError` for what can't be
        promised.
        """
        if not 0 < seconds <= limits.TICKET_SECONDS:
            raise BadRequestError(f"a ticket is for 1 second to {_MOST_DAYS} days")
        if not 0 < uses <= limits.TICKET_USES:
            raise BadRequestError(f"a ticket is for 1 to {limits.TICKET_USES} uses")
        if name is not None and uses > 1:
            raise BadRequestError("a name is for a ticket of one use: people name themselves")
        now = self._now()
        self._forget(now)
        if sum(_ended(row, now) is None for row in self._db.rows(_SELECT)) >= limits.TICKETS:
            raise TooManyTicketsError
        try:
            ticket = Ticket.issue(
                self._device.signing,
                self._device.chain.certificates,
                Secret(self._entropy(SECRET_BYTES)),
                issued=now,
                expires=now + seconds,
                uses=uses,
                addresses=_own_addresses([str(parse_any_address(text)) for text in at], port, wide),
            )
        except InvalidTicketError:
            raise BadRequestError("these addresses are too long, or too many") from None
        self._db.write(
            "INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            ticket.ticket_id,
            ticket.encode(),
            ticket.secret.reveal(),
            name,
            ticket.issued,
            ticket.expires,
            ticket.uses,
        )
        return self._view(self._row(ticket.ticket_id), now, str(ticket))

    def list(self) -> list[views_contacts.Ticket]:
        """All that are remembered, the latest first."""
        now = self._now()
        self._forget(now)
        rows = self._db.rows(f"{_SELECT} ORDER BY issued DESC, ticket_id")
        return [self._view(row, now) for row in rows]

    def revoke(self, ticket: str) -> views_contacts.Ticket:
        """Take one back, now; `ticket` begins its id. Whom it made a contact stays one."""
        row = self._find(ticket)
        now = self._now()
        self._db.write(
            "UPDATE tickets SET revoked = ? WHERE ticket_id = ? AND revoked IS NULL",
            now,
            row["ticket_id"],
        )
        return self._view(self._row(row["ticket_id"]), now)

    # What callers do.

    def issued(self) -> list[IssuedTicket]:
        """Those that somebody may come with, the ended ones included: he is told that they are."""
        now = self._now()
        return [self._issued(row, now) for row in self._db.rows(_SELECT)]

    def use(self, ticket: IssuedTicket, acquaintance: Acquaintance) -> Contact:
        """Count a use and store the contact, both or neither.

        Raises the `PeerError` for which it can't be: between the hello and now it may have ended.
        Who is blocked is told from nobody, and costs no use.
        """
        identity = acquaintance.chain.identity
        now = self._now()
        with self._db.transaction():
            row = self._db.row(f"{_SELECT} WHERE ticket_id = ?", ticket.ticket_id)
            known = self._library.contact_of(identity)
            if row is None or (known is not None and known.blocked):
                raise UnknownTicketError
            current = self._issued(row, now)
            current.begin()
            current.admit(identity)
            self._db.execute(
                "INSERT OR IGNORE INTO ticket_uses VALUES (?, ?, ?)",
                ticket.ticket_id,
                identity,
                now,
            )
            return self._library.add_contact(
                acquaintance.chain,
                row["name"] or names.contact_name(acquaintance.name),
                acquaintance.pair_secret,
                now,
            )

    # Rows.

    def _issued(self, row: Row, now: int) -> IssuedTicket:
        ended = _ended(row, now)
        users = None
        if ended is UsedUpTicketError:
            ended, users = None, self._users(row["ticket_id"])
        return IssuedTicket(row["ticket_id"], Secret(row["secret"]), ended, users)

    def _users(self, ticket_id: bytes) -> frozenset[bytes]:
        rows = self._db.rows("SELECT identity FROM ticket_uses WHERE ticket_id = ?", ticket_id)
        return frozenset(row["identity"] for row in rows)

    def _row(self, ticket_id: bytes) -> Row:
        row = self._db.row(f"{_SELECT} WHERE ticket_id = ?", ticket_id)
        if row is None:
            raise NoSuchTicketError(ticket_id.hex())
        return row

    def _find(self, ticket: str) -> Row:
        digits = ticket.strip().lower()
        found = [
            row
            for row in self._db.rows(_SELECT)
            if len(digits) >= _ID_DIGITS and row["ticket_id"].hex().startswith(digits)
        ]
        if len(found) > 1:
            raise NoSuchTicketError("more than one begins so")
        if not found:
            raise NoSuchTicketError(names.shown(ticket))
        return found[0]

    def _view(self, row: Row, now: int, text: str | None = None) -> views_contacts.Ticket:
        ended = _ended(row, now)
        ticket = Ticket.decode(row["ticket"])
        users = [self._library.contact_of(identity) for identity in self._users(row["ticket_id"])]
        return views_contacts.Ticket(
            id=row["ticket_id"].hex(),
            state="open" if ended is None else ended.code.removeprefix("ticket-"),
            issued=row["issued"],
            expires=row["expires"],
            uses=row["uses"],
            used=row["used"],
            by=sorted(user.name for user in users if user is not None),
            name=row["name"],
            addresses=list(ticket.addresses),
            relays=list(ticket.relays),
            text=text,
        )

    def _forget(self, now: int) -> None:
        """Those that ended long ago; where many were made and revoked, the oldest of these too."""
        with self._db.transaction():
            self._db.execute("DELETE FROM tickets WHERE expires < ?", now - KEPT_SECONDS)
            for row in self._db.rows(f"{_SELECT} ORDER BY issued DESC, ticket_id")[KEPT - 1 :]:
                if _ended(row, now) is not None:
                    self._db.execute("DELETE FROM tickets WHERE ticket_id = ?", row["ticket_id"])


def _ended(row: Row, now: int) -> type[PeerError] | None:
    """Why a ticket makes no further contacts, if it doesn't."""
    if row["revoked"] is not None:
        return RevokedTicketError
    if row["expires"] <= now:
        return ExpiredTicketError
    return UsedUpTicketError if row["used"] >= row["uses"] else None


def _own_addresses(given: Sequence[str], port: int, wide: Sequence[str]) -> list[str]:
    """Where this node may be dialled: at what its user says, through relays, and directly."""
    if len(given) > limits.TICKET_ADDRESSES:
        raise BadRequestError(f"a ticket has room for {limits.TICKET_ADDRESSES} addresses")
    relayed = [text for text in wide if Multiaddr.parse(text).via is not None][:_RELAYED]
    direct = [text for text in wide if Multiaddr.parse(text).via is None]
    here = [str(address) for address in places_to_dial(port)]
    # By turns, so that neither way is crowded out where there are many interfaces.
    turns = [text for pair in zip_longest(here, direct) for text in pair if text is not None]
    every = list(dict.fromkeys([*given, *relayed, *turns]))[: limits.TICKET_ADDRESSES]
    if not every:
        raise BadRequestError(
            "this machine has no address that others could dial; give one with --at"
        )
    return every
