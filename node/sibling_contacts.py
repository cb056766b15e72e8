"""Contacts, as devices of ours tell each other of them: who they are, the secrets shared with
them, what a person here said of them, where they were met, and who of them holds what is for us.
"""

from __future__ import annotations

from typing import Final

from ..crypto import signing
from ..crypto.errors import MalformedError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.delivery import SECRET_BYTES, is_marked
from ..protocol.sibling_kinds import (
    CONTACT,
    CONTACT_ADDRESS,
    CONTACT_DEVICE,
    CONTACT_FLAGS,
    CONTACT_NAME,
    CONTACT_WORDS,
    HOLDER,
    MAILBOX,
    ChosenHolder,
    PairedContact,
    assigned,
    flag_of,
    octets_of,
    text_of,
)
from ..protocol.siblings import fields_of, present
from . import names
from .addresses import parse_address
from .database import Database
from .errors import BadAddressError
from .library import DEVICES_PER_CONTACT, Contact, Library
from .mailboxes import Mailboxes
from .sibling_tellers import UNSAID, Said, Told, WordForWord

_KEY: Final = signing.KEY_BYTES
_OF_CONTACT: Final = (CONTACT_NAME, *CONTACT_FLAGS, *CONTACT_WORDS)
_WORDS: Final = {
    "contact-accept": ("ask", "always"),
    "contact-metadata": ("original", "no-location", "clean"),
}
ADDRESSES_TAKEN: Final = 4
"""Places of a contact that are taken from what other devices of ours say."""


class ContactTeller(WordForWord):
    """Contacts, their devices and where they were met."""

    kinds = (CONTACT, *_OF_CONTACT, CONTACT_DEVICE, CONTACT_ADDRESS)

    def __init__(self, database: Database, library: Library, told: Told) -> None:
        self._db = database
        self._library = library
        self._told = told

    # What is here.

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here."""
        contact = self._library.contact_of(subject[:_KEY])
        if contact is None:
            return UNSAID
        match kind:
            case "contact":
                return PairedContact(contact.pair_secret, contact.added).value()
            case "contact-name":
                return present(contact.name)
            case "contact-device":
                chain = self._db.value(
                    "SELECT chain FROM devices WHERE device = ? AND identity = ?",
                    subject[_KEY:], contact.identity,
                )  # fmt: skip
                return UNSAID if chain is None else present(chain)
            case "contact-address":
                return present()
            case _:
                return _mark(contact, kind)

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """A name is the same if it is the one that the contact is called for want of its own."""
        if said is None or told is None or said == told:
            return said == told
        if kind == CONTACT_DEVICE:
            return True  # its papers, whichever were shown last
        if kind != CONTACT_NAME:
            return False
        return present(self._names().get(subject, "")) == said

    def _names(self) -> dict[bytes, str]:
        """What each contact is called, so that no two are called the same."""
        wanted = {contact.identity: contact.name for contact in self._library.contacts()}
        for identity in wanted:
            told = self._told.value(CONTACT_NAME, identity)
            if told is not None:
                wanted[identity] = _name(told)
        return assigned(wanted)

    # What was told.

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here. No contact is ever taken away by this: see `Siblings` for those that
        only a stolen device named.
        """
        identity = signing.check_public_key(subject[:_KEY])
        contact = self._library.contact_of(identity)
        if value is None or (contact is None and kind != CONTACT):
            return
        match kind:
            case "contact":
                self._pin(identity, contact, PairedContact.read(value))
            case "contact-name":
                self._name(identity, value)
            case "contact-device":
                self._put_device(identity, DeviceChain.decode(*octets_of(value, kind, 1, 8192)))
            case "contact-address":
                self._put_address(identity, subject[_KEY:])
            case _ if kind in CONTACT_FLAGS:
                self._set(identity, kind, int(flag_of(value, kind)))
            case _:
                word = text_of(value, kind)
                if word not in _WORDS[kind]:
                    raise MalformedError(kind)
                self._set(identity, kind, word)

    def _pin(self, identity: bytes, known: Contact | None, paired: PairedContact) -> None:
        if known is not None:
            self._db.execute(
                "UPDATE contacts SET pair_secret = ?2 WHERE identity = ?1 AND pair_secret <> ?2",
                identity, paired.pair_secret.reveal(),
            )  # fmt: skip
            return
        told = self._told.value(CONTACT_NAME, identity)
        self._library.restore_contact(
            identity, identity.hex()[:16] if told is None else _name(told), paired.pair_secret,
            verified=False, now=paired.added,
        )  # fmt: skip
        for kind in _OF_CONTACT:
            value = self._told.value(kind, identity)
            if value is not None:
                self.apply(kind, identity, value)
        for kind in (CONTACT_DEVICE, CONTACT_ADDRESS):
            for subject in self._told.subjects(kind, identity):
                self.apply(kind, subject, self._told.value(kind, subject))

    def _set(self, identity: bytes, kind: str, value: object) -> None:
        self._library.update_contact(identity, **{kind.removeprefix("contact-"): value})

    def _name(self, identity: bytes, value: bytes) -> None:
        wanted = _name(value)
        others = {
            contact.name.casefold()
            for contact in self._library.contacts()
            if contact.identity != identity
        }
        if wanted.casefold() not in others:
            self._library.update_contact(identity, name=wanted)
            return
        found = self._names()
        changed = [each for each in self._library.contacts() if found[each.identity] != each.name]
        for contact in changed:  # two may have to change their names with each other
            self._library.update_contact(contact.identity, name=contact.identity.hex())
        for contact in changed:
            self._library.update_contact(contact.identity, name=found[contact.identity])

    def _put_device(self, identity: bytes, chain: DeviceChain) -> None:
        if chain.identity != identity:
            raise MalformedError("a device of another identity")
        self._db.execute(
            "INSERT OR IGNORE INTO devices SELECT ?1, ?2, ?3, added FROM contacts"
            " WHERE identity = ?2 AND (SELECT count(*) FROM devices WHERE identity = ?2) < ?4",
            chain.device, identity, chain.encoded, DEVICES_PER_CONTACT,
        )  # fmt: skip

    def _put_address(self, identity: bytes, place: bytes) -> None:
        host, _, port = place.decode(errors="replace").rpartition(" ")
        try:
            address = parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except BadAddressError:
            return
        self._db.execute(
            "INSERT OR IGNORE INTO addresses SELECT ?1, ?2, ?3, 0"
            " WHERE (SELECT count(*) FROM addresses WHERE identity = ?1) < ?4",
            identity, address.host, address.port, ADDRESSES_TAKEN,
        )  # fmt: skip


class HolderTeller(WordForWord):
    """Whom we let hold for us, our mailbox, and those of contacts."""

    kinds = (MAILBOX, HOLDER)

    def __init__(self, database: Database, library: Library, mailboxes: Mailboxes) -> None:
        self._db = database
        self._library = library
        self._mailboxes = mailboxes

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here; of mailboxes the one without a subject is ours."""
        if kind == HOLDER:
            holder = self._mailboxes.holder(subject)
            if holder is None:
                return UNSAID
            return ChosenHolder(
                holder.quota, holder.seconds, holder.backup, holder.chosen, holder.backed_up
            ).value()
        if not subject:
            secret = self._mailboxes.secret()
            return UNSAID if secret is None else present(secret.reveal(), b"")
        mailbox = self._mailboxes.of(subject)
        if mailbox is None:
            return None
        return present(mailbox.secret.reveal(), mailbox.holders)

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here."""
        if subject and self._library.contact_of(subject) is None:
            return
        if kind == HOLDER:
            if value is not None:
                self._let(subject, ChosenHolder.read(value))
        elif value is None:
            if subject:
                self._mailboxes.forget(subject)
        else:
            self._put(subject, value)

    def _let(self, identity: bytes, holder: ChosenHolder) -> None:
        values = (
            holder.quota, holder.seconds,
            *map(int, (holder.backup, holder.chosen, holder.backed_up)),
        )  # fmt: skip
        self._db.execute(
            "INSERT INTO holdings VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (identity) DO UPDATE"
            " SET quota = ?2, seconds = ?3, backup = ?4, chosen = ?5, backed_up = ?6",
            identity, *values,
        )  # fmt: skip

    def _put(self, identity: bytes, value: bytes) -> None:
        reader = fields_of(value, MAILBOX)
        secret = Secret(reader.octets("secret", SECRET_BYTES))
        holders = reader.octets("holders", maximum=limits.HOLDERS * 32)
        reader.end()
        if identity:
            is_marked(secret, identity, holders)  # raises for what are no marks
            self._mailboxes.put(identity, secret, holders)
        else:
            self._mailboxes.put_own(secret)


def _mark(contact: Contact, kind: str) -> bytes:
    match kind:
        case "contact-verified":
            return present(int(contact.verified))
        case "contact-muted":
            return present(int(contact.muted))
        case "contact-blocked":
            return present(int(contact.blocked))
        case "contact-accept":
            return present(contact.accept)
        case _:
            return present(contact.metadata)


def _name(value: bytes) -> str:
    return names.contact_name(text_of(value, CONTACT_NAME, limits.NAME_BYTES * 4))
