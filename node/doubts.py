"""Contacts whose key is in doubt: two were seen where there should be one.

Nothing goes between us and such a contact, in either direction, until a person has verified it
again. What was seen is kept and shown, a fork with its proof.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ..protocol.heads import Fork
from .contact_errors import KeyInDoubtError
from .database import Database, Row
from .events import Events
from .library import Contact, Library

Kind = Literal["secret", "name", "fork"]

SIGHTS_KEPT: Final = 64
"""Keys that are kept as seen while one identity is in doubt: who has its secret makes as many keys
as they like, and calls with each."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What was seen of an identity: another one under its secret or its name, or a fork of one of
    its devices, of which `proof` holds both heads and the certificates, encoded.
    """

    identity: bytes
    kind: Kind
    since: int
    seen: bytes
    proof: tuple[bytes, bytes, bytes] | None


class Doubts:
    """What is in doubt. It shares the database with `library`."""

    def __init__(
        self,
        *,
        database: Database,
        library: Library,
        events: Events,
        changed: Callable[[bytes], None],
        now: Callable[[], int],
    ) -> None:
        """`changed` hears of each identity that is in doubt from now on, or no longer."""
        self._db = database
        self._library = library
        self._events = events
        self._changed = changed
        self._now = now
        rows = self._db.rows("SELECT * FROM doubts WHERE cleared IS NULL ORDER BY since DESC")
        self._known = {row["identity"]: _doubt(row) for row in rows}

    def of(self, identity: bytes) -> Doubt | None:
        """What is in doubt about an identity."""
        return self._known.get(identity)

    def check(self, contact: Contact) -> None:
        """Raise `KeyInDoubtError` if nothing may go to a contact."""
        if contact.identity in self._known:
            raise KeyInDoubtError(contact.name)

    def saw(self, identity: bytes, kind: Kind, seen: bytes) -> None:
        """Another identity was seen in the place of a contact's."""
        if self._library.contact_of(identity) is not None and seen != identity:
            self._put(Doubt(identity, kind, self._now(), seen, None))

    def forked(self, fork: Fork, certificates: bytes) -> None:
        """There is proof that a device of somebody was copied or lies. It is kept once."""
        proof = fork.one.encode(), fork.other.encode(), certificates
        one = fork.one
        self._put(Doubt(one.identity, "fork", self._now(), one.signer, proof))

    def _put(self, doubt: Doubt) -> None:
        first, second, certificates = doubt.proof or (None, None, None)
        if doubt.proof is None and self._is_full(doubt.identity):
            return
        # The first sight of a key counts, also after a person has cleared it.
        if not self._db.write(
            "INSERT OR IGNORE INTO doubts VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            doubt.identity, doubt.kind, doubt.since, doubt.seen, first, second, certificates,
        ):  # fmt: skip
            return
        known = self._known.get(doubt.identity)
        if known is not None and known.proof is not None:
            return  # what there is proof of is shown
        self._known[doubt.identity] = doubt
        contact = self._library.contact_of(doubt.identity)
        if contact is not None:
            self._library.update_contact(doubt.identity, verified=False)
        _log.warning("a key is in doubt: %s", doubt.kind)
        name = "" if contact is None else contact.name
        self._events.publish("key-in-doubt", contact=name, kind=doubt.kind)
        self._changed(doubt.identity)

    def _is_full(self, identity: bytes) -> bool:
        """Whether enough was seen of who is in doubt as it is."""
        seen = self._db.value("SELECT count(*) FROM doubts WHERE identity = ?", identity)
        return identity in self._known and seen >= SIGHTS_KEPT

    def clear(self, identity: bytes) -> None:
        """A person has verified it."""
        if self._known.pop(identity, None) is not None:
            self._db.write(
                "UPDATE doubts SET cleared = ? WHERE identity = ? AND cleared IS NULL",
                self._now(), identity,
            )  # fmt: skip
            self._changed(identity)


def _doubt(row: Row) -> Doubt:
    proof = None
    if row["fork_first"] is not None:
        proof = row["fork_first"], row["fork_second"], row["certificates"]
    return Doubt(row["identity"], row["kind"], row["since"], row["seen"], proof)
