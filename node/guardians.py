"""Guardians: contacts who keep a share of our words each, and those for whom we keep one.

    split(words) -> a share for each, in the library -> at the next link, sealed to the device that
    is there -> GuardianKept -> the share is forgotten here

The words are there while they are split and kept nowhere. It shares the database with `library`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence

from ..crypto import guardians
from ..crypto.guardians import Share
from ..crypto.identity import DeviceChain
from ..crypto.recovery import RecoveryWords
from ..crypto.signing import SigningKey
from ..protocol import guardian
from ..protocol.guardian_messages import GuardianKept, GuardianShare
from ..protocol.opening import LocalDevice
from .contact_errors import BlockedContactError, NoShareError
from .database import Database
from .doubts import Doubts
from .errors import BadRequestError, OtherWordsError
from .events import Events
from .library import Contact, Library
from .views_guardians import Guarded, GuardedFor, Guardian, Guardians

_log = logging.getLogger(__name__)


class Guarding:
    """What is split, who has which share, and which shares are kept here."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        doubts: Doubts,
        events: Events,
        changed: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """`changed` is called when there are shares to be sent."""
        self._device = device
        self._db = database
        self._library = library
        self._doubts = doubts
        self._events = events
        self._changed = changed
        self._now = now
        self._sent: dict[bytes, tuple[bytes, str]] = {}

    # Ours.

    def split(self, words: RecoveryWords, names: Sequence[str], need: int) -> Guardians:
        """Split the words of this identity among contacts, in place of an earlier split.

        Raises `OtherWordsError`, `NoSuchContactError`, `BlockedContactError`, `KeyInDoubtError`,
        and `BadRequestError` for numbers that are none.
        """
        if SigningKey(words.root_seed()).public != self._device.identity:
            raise OtherWordsError
        contacts = {contact.identity: contact for contact in map(self._library.contact, names)}
        for contact in contacts.values():
            if contact.blocked:
                raise BlockedContactError(contact.name)
            self._doubts.check(contact)
        if len(contacts) != len(names):
            raise BadRequestError("each guardian gets one share")
        try:
            shares = guardians.split(words, len(contacts), need)
        except ValueError as error:
            raise BadRequestError(str(error)) from None
        now = self._now()
        with self._db.transaction():
            self._db.execute("DELETE FROM guardians")
            for identity, share in zip(contacts, shares, strict=True):
                self._db.execute(
                    "INSERT INTO guardians VALUES (?, ?, ?, ?, ?, ?)",
                    identity, share.number, len(shares), need, share.words, now,
                )  # fmt: skip
        self._changed()
        return self.view()

    def to_send(self, peer: DeviceChain) -> GuardianShare | None:
        """The share that a guardian does not have yet, for the device that is there."""
        row = self._db.row(
            "SELECT share, count FROM guardians WHERE identity = ? AND share IS NOT NULL",
            peer.identity,
        )
        if row is None:
            return None
        share = Share.parse(row["share"])
        sealed = guardian.seal(self._device, peer, share, row["count"], self._now())
        self._sent[peer.identity] = hashlib.sha256(sealed).digest(), share.words
        return GuardianShare(sealed)

    def kept(self, peer: DeviceChain, message: GuardianKept) -> None:
        """A guardian has its share: nothing of it stays here. Of an earlier split it says nothing
        of the one that is here now.
        """
        share_hash, words = self._sent.get(peer.identity, (b"", ""))
        if message.share_hash == share_hash and self._db.write(
            "UPDATE guardians SET share = NULL WHERE identity = ? AND share = ?",
            peer.identity, words,
        ):  # fmt: skip
            contact = self._library.contact_of(peer.identity)
            name = "" if contact is None else contact.name
            self._events.publish("guardian", contact=name, what="kept")

    # Others'.

    def take(self, message: GuardianShare, contact: Contact) -> GuardianKept:
        """Keep a share of a contact's words, in place of an older one. Raises `PeerError`."""
        found = guardian.open_sealed(message.sealed, self._device, contact.identity)
        share = found.share
        known = self._db.row("SELECT share FROM guarded WHERE identity = ?", contact.identity)
        if known is None or known["share"] != share.words:
            self._db.write(
                "INSERT OR REPLACE INTO guarded VALUES (?, ?, ?, ?, ?, ?)",
                contact.identity, share.number, found.count, share.need, share.words, self._now(),
            )  # fmt: skip
            self._events.publish("guardian", contact=contact.name, what="given")
        return GuardianKept(hashlib.sha256(message.sealed).digest())

    def reveal(self, name: str) -> Guarded:
        """The share of a contact's words, to be read out to them; else `NoShareError`."""
        contact = self._library.contact(name)
        row = self._db.row("SELECT * FROM guarded WHERE identity = ?", contact.identity)
        if row is None:
            raise NoShareError(contact.name)
        _log.warning("a share of somebody's words was shown")
        return Guarded(
            contact.name, row["number"] + 1, row["count"], row["need"], row["since"], row["share"]
        )

    # For people.

    def view(self) -> Guardians:
        """Who guards what."""
        ours = self._db.rows(
            "SELECT name, guardians.* FROM guardians JOIN contacts USING (identity) ORDER BY number"
        )
        theirs = self._db.rows(
            "SELECT name, guarded.* FROM guarded JOIN contacts USING (identity) ORDER BY name"
        )
        return Guardians(
            need=ours[0]["need"] if ours else 0,
            guardians=[
                Guardian(row["name"], row["number"] + 1, row["share"] is None, row["since"])
                for row in ours
            ],
            guarded=[
                GuardedFor(row["name"], row["number"] + 1, row["count"], row["need"], row["since"])
                for row in theirs
            ],
        )
