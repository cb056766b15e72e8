"""Drop links and what browsers offer by them: the rows, and every question judged by them.

A photo is known by its content: offered again by the same link it is the same item, whatever has
become of it. One that is in the library by another way is here, too, and comes no second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto import drop_keys
from ..crypto.errors import PeerError
from ..crypto.link_keys import KEY_BYTES, TOKEN_BYTES, Signals
from ..crypto.secret import Secret
from ..protocol import limits, weblink
from ..protocol.drop import Offered
from ..protocol.opening import Entropy
from ..protocol.weblink_errors import (
    LinkBusyError,
    LinkOfferError,
    RevokedLinkError,
    UnknownLinkError,
)
from . import names
from .database import Database, Row
from .errors import BadRequestError
from .photo_errors import DropNameTakenError, NoSuchDropError, TooManyDropsError
from .views_drops import DropLink
from .weblinks import KEPT_SECONDS, Place

ITEM_BYTES: Final = 16
_ID_DIGITS: Final = 4
ASK: Final = "ask"
ALWAYS: Final = "always"
_SELECT: Final = (
    "SELECT drops.*,"
    " (SELECT count(*) FROM drop_items AS i WHERE i.drop_id = drops.drop_id"
    " AND i.state = 'waiting') AS waiting,"
    " (SELECT count(*) FROM drop_items AS i WHERE i.drop_id = drops.drop_id"
    " AND i.state = 'accepted') AS accepted,"
    " (SELECT count(*) FROM drop_items AS i WHERE i.drop_id = drops.drop_id"
    " AND i.state = 'stored') AS stored"
    " FROM drops"
)
_SELECT_ITEMS: Final = (
    "SELECT drop_items.*, drops.name AS drop_name FROM drop_items JOIN drops USING (drop_id)"
)


@dataclass(frozen=True, slots=True)
class MadeDrop:
    """A new drop link: its row's id, and what only its URL holds."""

    drop_id: bytes
    token: bytes
    key: Secret

    @property
    def tail(self) -> str:
        """The end of its URL, after the place."""
        return f"/d/{weblink.text(self.token)}#{weblink.text(self.key.reveal())}"


@dataclass(frozen=True, slots=True)
class DropItem:
    """A photo that a browser offered by a link; `modified` in milliseconds since 1970.

    `state` is `waiting`, `accepted`, `stored` or `declined`; `key` seals what is here of it before
    it is a photo, and `photo_id` names that.
    """

    item_id: bytes
    drop_id: bytes
    drop_name: str
    sha256: bytes
    length: int
    name: str
    modified: int
    key: Secret
    state: str
    received: int
    photo_id: bytes | None


class Drops:
    """Makes drop links, keeps them, and judges who comes with one and what may come."""

    def __init__(self, *, database: Database, entropy: Entropy, now: Callable[[], int]) -> None:
        self._db = database
        self._entropy = entropy
        self._now = now

    # What the user does.

    def new(self, name: str, accept: str, place: Place) -> MadeDrop:
        """A link for the browser of who is called that.

        Raises `BadRequestError`, `DropNameTakenError`, `TooManyDropsError`.
        """
        if not name.strip():
            raise BadRequestError("a drop link needs a name: whose phone it is for")
        name = names.contact_name(name)
        _check_accept(accept)
        self._forget()
        here = self._db.rows("SELECT name FROM drops WHERE revoked IS NULL")
        if len(here) >= limits.DROPS:
            raise TooManyDropsError
        others = [*here, *self._db.rows("SELECT name FROM contacts")]
        if name.casefold() in {row["name"].casefold() for row in others}:
            raise DropNameTakenError(names.shown(name))
        token = self._entropy(TOKEN_BYTES)
        made = MadeDrop(drop_keys.drop_id(token), token, Secret(self._entropy(KEY_BYTES)))
        self._db.write(
            "INSERT INTO drops VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            made.drop_id,
            drop_keys.auth_key(made.key).reveal(),
            name,
            accept,
            place.host,
            place.secure,
            self._now(),
        )
        return made

    def list(self) -> list[DropLink]:
        """All that are remembered, the latest first."""
        self._forget()
        rows = self._db.rows(f"{_SELECT} ORDER BY issued DESC, drop_id")
        return [_view(row) for row in rows]

    def find(self, drop: str) -> bytes:
        """The id of the link of that name, or whose id begins so; `NoSuchDropError`."""
        wanted = drop.strip()
        rows = self._db.rows("SELECT drop_id, name FROM drops ORDER BY revoked IS NOT NULL")
        for row in rows:
            if row["name"].casefold() == wanted.casefold():
                return row["drop_id"]
        digits = wanted.lower()
        found = [row["drop_id"] for row in rows if row["drop_id"].hex().startswith(digits)]
        if len(digits) < _ID_DIGITS or not found:
            raise NoSuchDropError(names.shown(drop))
        if len(found) > 1:
            raise NoSuchDropError("more than one begins so")
        return found[0]

    def view(self, drop_id: bytes) -> DropLink:
        """One of them."""
        row = self._db.row(f"{_SELECT} WHERE drop_id = ?", drop_id)
        if row is None:
            raise NoSuchDropError(drop_id.hex())
        return _view(row)

    def revoke(self, drop_id: bytes) -> list[bytes]:
        """Take one back; the items whose parts are of no use now. What was stored stays."""
        now = self._now()
        open_items = self._items("drop_id = ? AND state IN ('waiting', 'accepted')", drop_id)
        with self._db.transaction():
            self._db.execute(
                "UPDATE drops SET revoked = ? WHERE drop_id = ? AND revoked IS NULL", now, drop_id
            )
            self._db.execute(
                "DELETE FROM drop_items WHERE drop_id = ? AND state IN ('waiting', 'accepted')",
                drop_id,
            )
        return [item.item_id for item in open_items]

    def accept_from(self, drop_id: bytes, accept: str) -> None:
        """Whether what comes by a link waits for a decision."""
        _check_accept(accept)
        self._db.write("UPDATE drops SET accept = ? WHERE drop_id = ?", accept, drop_id)

    def decide(self, items: Iterable[DropItem], *, accept: bool) -> None:
        """Accept or decline items; those that are stored stay so."""
        state = "accepted" if accept else "declined"
        with self._db.transaction():
            for item in items:
                self._db.execute(
                    "UPDATE drop_items SET state = ?, updated = ?"
                    " WHERE item_id = ? AND state <> 'stored'",
                    state, self._now(), item.item_id,
                )  # fmt: skip

    def waiting(self, drop_id: bytes) -> list[DropItem]:
        """What waits for a decision, the oldest first."""
        return self._items("drop_id = ? AND state = 'waiting'", drop_id)

    def unstored(self, drop_id: bytes) -> list[DropItem]:
        """The same, and what was accepted and is not here yet."""
        return self._items("drop_id = ? AND state IN ('waiting', 'accepted')", drop_id)

    def items(self) -> list[DropItem]:
        """All that were offered by any of them, the oldest first."""
        return self._items("1")

    def item(self, item_id: bytes) -> DropItem | None:
        """One of them."""
        found = self._items("item_id = ?", item_id)
        return found[0] if found else None

    def places(self) -> set[Place]:
        """Where pages are to be served."""
        self._forget()
        rows = self._db.rows("SELECT host, secure FROM drops")
        return {Place(row["host"], bool(row["secure"])) for row in rows}

    # What browsers do.

    def known(self, token: bytes) -> Signals | None:
        """How the offers of a link are checked, revoked or not; None if there is no such link."""
        drop_id = drop_keys.drop_id(token)
        row = self._db.row("SELECT auth FROM drops WHERE drop_id = ?", drop_id)
        return None if row is None else drop_keys.signals(Secret(row["auth"]), drop_id)

    def why_not(self, drop_id: bytes) -> PeerError | None:
        """Why a browser would not get in, if so."""
        row = self._db.row("SELECT revoked FROM drops WHERE drop_id = ?", drop_id)
        if row is None:
            return UnknownLinkError()
        return None if row["revoked"] is None else RevokedLinkError()

    def admit(self, drop_id: bytes) -> None:
        """Raise `RevokedLinkError` or `UnknownLinkError` where nothing more may come by a link."""
        why = self.why_not(drop_id)
        if why is not None:
            raise why

    def came(self, drop_id: bytes) -> None:
        """A browser that proved the key is here; raises as `admit`."""
        self.admit(drop_id)
        self._db.write("UPDATE drops SET seen = ? WHERE drop_id = ?", self._now(), drop_id)

    def offered(self, drop_id: bytes, offered: Offered) -> tuple[DropItem, bool]:
        """The item of a photo that is offered, and whether it is a new one.

        Raises as `admit`, `LinkBusyError` where too much waits, and `LinkOfferError` for a content
        that is said to have two lengths.
        """
        self.admit(drop_id)
        known = self._items("drop_id = ? AND sha256 = ?", drop_id, offered.sha256)
        if known:
            if known[0].length != offered.length:
                raise LinkOfferError
            return known[0], False
        row = self._db.row(f"{_SELECT} WHERE drop_id = ?", drop_id)
        if row is None or row["waiting"] + row["accepted"] >= limits.DROP_ITEMS:
            raise LinkBusyError
        item_id = self._entropy(ITEM_BYTES)
        self._db.write(
            "INSERT INTO drop_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            item_id,
            drop_id,
            offered.sha256,
            offered.length,
            names.file_name(offered.name),
            offered.modified,
            self._entropy(KEY_BYTES),
            "accepted" if row["accept"] == ALWAYS else "waiting",
            now := self._now(),
            now,
        )
        return self._items("item_id = ?", item_id)[0], True

    def note_stored(self, item_id: bytes, photo_id: bytes) -> None:
        """An item is a photo of the library; to be called within a transaction."""
        self._db.execute(
            "UPDATE drop_items SET state = 'stored', photo_id = ?, updated = ? WHERE item_id = ?",
            photo_id, self._now(), item_id,
        )  # fmt: skip

    # Rows.

    def _items(self, condition: str, *values: object) -> list[DropItem]:
        rows = self._db.rows(
            f"{_SELECT_ITEMS} WHERE {condition} ORDER BY received, drop_items.name, item_id",
            *values,
        )
        return [
            DropItem(
                row["item_id"], row["drop_id"], row["drop_name"], row["sha256"], row["length"],
                row["name"], row["modified"], Secret(row["key"]), row["state"], row["received"],
                row["photo_id"],
            )
            for row in rows
        ]  # fmt: skip

    def _forget(self) -> None:
        before = self._now() - KEPT_SECONDS
        if self._db.value("SELECT 1 FROM drops WHERE revoked < ?", before):
            self._db.write("DELETE FROM drops WHERE revoked < ?", before)


def _check_accept(accept: str) -> None:
    if accept not in (ASK, ALWAYS):
        raise BadRequestError("photos are accepted `always`, or `ask` says that they wait")


def _view(row: Row) -> DropLink:
    return DropLink(
        id=row["drop_id"].hex(),
        name=row["name"],
        state="open" if row["revoked"] is None else "revoked",
        accept=row["accept"],
        issued=row["issued"],
        seen=row["seen"],
        waiting=row["waiting"],
        coming=row["accepted"],
        stored=row["stored"],
        host=row["host"],
        secure=bool(row["secure"]),
    )
