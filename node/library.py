"""The library: contacts, sealed photos, what goes out and what came in.

Each method that writes is one durable transaction; see `database`. What is known about the
pictures themselves, and how they are found again, is in `catalogue`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from ..crypto.blob import Kind, Manifest
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..crypto.signing import Signed
from ..protocol.opening import Pinned
from ..protocol.photo import Envelope, Metadata, PhotoRecord
from . import names
from .contact_errors import ContactExistsError, NoSuchContactError
from .database import Database, Row
from .errors import LibraryDamagedError
from .photo_errors import AmbiguousIdError, NoSuchPhotoError

DEVICES_PER_CONTACT: Final = 16
_SIGNED_BYTES: Final = 4096

Accept = Literal["ask", "always"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody we paired with. Times are seconds since 1970; `name` is ours, not theirs.

    `metadata` is the policy for what we send them, one of `photo.POLICIES`.
    """

    identity: bytes
    name: str
    pair_secret: Secret
    added: int
    verified: bool
    muted: bool
    blocked: bool
    accept: Accept
    metadata: str

    @property
    def key(self) -> bytes:
        """What is known of where it is goes by this."""
        return self.identity

    @property
    def pinned(self) -> Pinned:
        """What the hello needs."""
        return Pinned(self.identity, self.pair_secret)


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A whole blob in the blob folder and how to open it."""

    content_id: bytes
    kind: Kind
    photo_id: bytes
    manifest: bytes
    key: Secret

    def decoded_manifest(self) -> Manifest:
        """The manifest, checked against the content id."""
        return Manifest.decode(self.manifest, self.content_id)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that is here whole, our own or received."""

    photo_id: bytes
    author: bytes
    record: PhotoRecord
    metadata: Metadata
    added: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A photo on its way to one device of a contact."""

    envelope_hash: bytes
    photo_id: bytes
    identity: bytes
    device: bytes
    envelope: bytes
    expires: int | None
    state: str
    code: str | None
    created: int
    updated: int
    grant_hash: bytes | None = None
    number: int = 0
    """Rises with each that is queued; given by the library."""


@dataclass(frozen=True, slots=True)
class IncomingOffer:
    """A photo that a contact offered, with what is needed to fetch and open it."""

    envelope_hash: bytes
    photo_id: bytes
    identity: bytes
    device: bytes
    record: PhotoRecord
    capability: bytes
    content_key: Secret
    metadata_key: Secret
    state: str
    code: str | None
    received: int
    updated: int
    certificates: bytes = b""
    """As `Certificates.encode` gives them; empty for what came before version 0.2.0."""
    album: bytes | None = None
    """The album that it is in, if nobody offered it to us alone: any member may bring it."""
    sibling: bool = False
    """Whether it is known from another device of ours. While it waits, only that has it."""


class Library:
    """What the node keeps, as values."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._number = 0

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @property
    def changes(self) -> int:
        """A number that grows with whatever is written, by all who share the database."""
        return self._db.changes

    # Settings.

    def setting(self, name: str) -> bytes | None:
        """A value that belongs to this node and is not for the user to edit."""
        return self._db.value("SELECT value FROM settings WHERE name = ?", name)

    def set_setting(self, name: str, value: bytes) -> None:
        """Set such a value."""
        self._db.write("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    # Contacts.

    def contacts(self) -> list[Contact]:
        """All contacts, by name."""
        return [_contact(row) for row in self._db.rows("SELECT * FROM contacts ORDER BY name")]

    def contact(self, name: str) -> Contact:
        """The contact of that name, in any case; else `NoSuchContactError`."""
        row = self._db.row("SELECT * FROM contacts WHERE name = ?", name)
        if row is None:
            raise NoSuchContactError(name)
        return _contact(row)

    def contact_of(self, identity: bytes) -> Contact | None:
        """The contact with that identity."""
        row = self._db.row("SELECT * FROM contacts WHERE identity = ?", identity)
        return None if row is None else _contact(row)

    def add_contact(self, chain: DeviceChain, name: str, pair_secret: Secret, now: int) -> Contact:
        """Pin a contact, or renew the secret of one that paired again (its settings stay).

        Where another contact has the name already, a number is added to it.
        """
        known = self.contact_of(chain.identity)
        with self._db.transaction():
            if known is None:
                self._db.execute(
                    "INSERT INTO contacts (identity, name, pair_secret, added) VALUES (?, ?, ?, ?)",
                    chain.identity,
                    self._free_name(name),
                    pair_secret.reveal(),
                    now,
                )
            else:
                self._db.execute(
                    "UPDATE contacts SET pair_secret = ? WHERE identity = ?",
                    pair_secret.reveal(),
                    chain.identity,
                )
            self._put_device(chain, now)
        contact = self.contact_of(chain.identity)
        if contact is None:
            raise LibraryDamagedError
        return contact

    def restore_contact(
        self, identity: bytes, name: str, pair_secret: Secret, *, verified: bool, now: int
    ) -> bool:
        """Pin a contact again that a backup names, unless it is one already; whether it is new.

        Its devices are not known before it shows them.
        """
        with self._db.transaction():
            if self.contact_of(identity) is not None:
                return False
            self._db.execute(
                "INSERT INTO contacts (identity, name, pair_secret, added, verified)"
                " VALUES (?, ?, ?, ?, ?)",
                identity, self._free_name(name), pair_secret.reveal(), now, int(verified),
            )  # fmt: skip
        return True

    def _free_name(self, name: str) -> str:
        taken = {row[0].casefold() for row in self._db.rows("SELECT name FROM contacts")}
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name} {number}"
        return candidate

    def update_contact(self, identity: bytes, **fields: object) -> None:
        """Change `name`, `verified`, `muted`, `blocked`, `accept` or `metadata`."""
        changes = ", ".join(f"{name} = ?" for name in _checked_fields(fields))
        try:
            self._db.write(
                f"UPDATE contacts SET {changes} WHERE identity = ?",  # noqa: S608 - checked names
                *fields.values(),
                identity,
            )
        except LibraryDamagedError as error:
            if "UNIQUE" in error.detail:
                raise ContactExistsError(str(fields.get("name", ""))) from None
            raise

    def put_device(self, chain: DeviceChain, now: int) -> None:
        """Remember the papers that a contact's device showed."""
        with self._db.transaction():
            self._put_device(chain, now)

    def tell_device(self, chain: DeviceChain) -> None:
        """Remember the papers of a contact's device that another one of its devices showed: since
        it was never here itself it gives way first where there are too many.

        One that is known as somebody else's stays theirs: whoever knows a device's public papers
        can certify its key as their own, and would take it away from who has it.
        """
        known = self._db.row("SELECT identity, seen FROM devices WHERE device = ?", chain.device)
        if known is None or known["identity"] == chain.identity:
            self.put_device(chain, 0 if known is None else known["seen"])

    def _put_device(self, chain: DeviceChain, now: int) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)",
            chain.device,
            chain.identity,
            chain.encoded,
            now,
        )
        self._db.execute(
            "DELETE FROM devices WHERE identity = ?1 AND device NOT IN (SELECT device FROM devices"
            " WHERE identity = ?1 ORDER BY seen DESC, device = ?2 DESC LIMIT ?3)",
            chain.identity,
            chain.device,
            DEVICES_PER_CONTACT,
        )

    def devices(self, identity: bytes) -> list[DeviceChain]:
        """The known devices of a contact."""
        rows = self._db.rows("SELECT chain FROM devices WHERE identity = ?", identity)
        return [_chain(row[0]) for row in rows]

    def identity_of(self, device: bytes) -> bytes | None:
        """The contact that a device speaks for."""
        return self._db.value("SELECT identity FROM devices WHERE device = ?", device)

    # Photos and their blobs.

    def add_photo(
        self,
        record: PhotoRecord,
        metadata: Metadata,
        blobs: Iterable[StoredBlob],
        fingerprint: bytes,
        now: int,
        stored_offer: bytes | None = None,
    ) -> None:
        """Enter a photo whose blobs lie durably in the blob folder; an offer of it is then done."""
        with self._db.transaction():
            for item in blobs:
                self._db.execute(
                    "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?, ?)",
                    item.content_id, int(item.kind), item.photo_id, item.manifest,
                     item.key.reveal(),
                )  # fmt: skip
            self._db.execute(
                "INSERT OR IGNORE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                record.photo_id, record.author, record.signed.encode(), record.content_id,
                record.metadata_id, metadata.encode(), fingerprint, now,
                names.folded(metadata.name), metadata.modified // 10**9,
            )  # fmt: skip
            # What another device of ours removed came again: what lies in the trash is this.
            self._db.execute("DELETE FROM sibling_trash WHERE photo_id = ?", record.photo_id)
            if stored_offer is not None:
                self._set_offer_state(stored_offer, "stored", None, now)

    def photo(self, photo_id: bytes) -> Photo | None:
        """The photo with exactly that id."""
        row = self._db.row("SELECT * FROM photos WHERE photo_id = ?", photo_id)
        return None if row is None else _photo(row)

    def photos_like(self, fingerprint: bytes, author: bytes) -> list[Photo]:
        """Photos with that content, those by `author` first."""
        rows = self._db.rows(
            "SELECT * FROM photos WHERE fingerprint = ? ORDER BY author <> ?, added, photo_id",
            fingerprint,
            author,
        )
        return [_photo(row) for row in rows]

    def blob(self, content_id: bytes) -> StoredBlob | None:
        """A whole blob."""
        row = self._db.row("SELECT * FROM blobs WHERE content_id = ?", content_id)
        if row is None:
            return None
        return StoredBlob(
            row["content_id"], Kind(row["kind"]), row["photo_id"], row["manifest"],
            Secret(row["file_key"]),
        )  # fmt: skip

    def blob_ids(self) -> list[bytes]:
        """Content ids of all whole blobs."""
        return [row[0] for row in self._db.rows("SELECT content_id FROM blobs")]

    def find_photo_id(self, prefix: str) -> bytes:
        """The id of the one photo, here or offered, whose id in hex begins with `prefix`."""
        digits = prefix.strip().lower()
        if not digits or set(digits) - set("0123456789abcdef"):
            raise NoSuchPhotoError(prefix)
        rows = self._db.rows(
            "SELECT photo_id FROM photos WHERE hex(photo_id) LIKE ?1"
            " UNION SELECT photo_id FROM offers WHERE hex(photo_id) LIKE ?1",
            digits.upper() + "%",
        )
        if not rows:
            raise NoSuchPhotoError(prefix)
        if len(rows) > 1:
            raise AmbiguousIdError(prefix)
        return rows[0][0]

    # Deliveries.

    def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Queue a photo for the devices of a contact."""
        with self._db.transaction():
            for delivery in deliveries:
                # Who sends reads on from a number: that of a removed one must not come again.
                last = self._db.value("SELECT max(number) FROM deliveries") or 0
                self._number = max(self._number, last) + 1
                self._db.execute(
                    "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    *dataclasses.astuple(dataclasses.replace(delivery, number=self._number)),
                )

    def delivery(self, envelope_hash: bytes) -> Delivery | None:
        """One delivery."""
        row = self._db.row("SELECT * FROM deliveries WHERE envelope_hash = ?", envelope_hash)
        return None if row is None else Delivery(*row)

    def deliveries(self, photo_id: bytes) -> list[Delivery]:
        """All deliveries of a photo, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM deliveries WHERE photo_id = ? ORDER BY created", photo_id
        )
        return [Delivery(*row) for row in rows]

    def open_deliveries(self, device: bytes, after: int = 0, most: int = -1) -> list[Delivery]:
        """What a device has not yet stored or refused, in the order in which it was queued.

        Those with a `number` beyond `after`, at most `most` of them (-1: all).
        """
        rows = self._db.rows(
            "SELECT * FROM deliveries WHERE device = ? AND state IN"
            " ('queued', 'offered', 'held', 'waiting') AND number > ? ORDER BY number LIMIT ?",
            device,
            after,
            most,
        )
        return [Delivery(*row) for row in rows]

    def set_delivery_state(
        self, envelope_hash: bytes, state: str, code: str | None, now: int
    ) -> None:
        """Move a delivery on; a final state stays."""
        self._db.write(
            "UPDATE deliveries SET state = ?, code = ?, updated = ? WHERE envelope_hash = ?"
            " AND state NOT IN ('delivered', 'refused')",
            state, code, now, envelope_hash,
        )  # fmt: skip

    # Offers.

    def add_offer(
        self, envelope_hash: bytes, identity: bytes, envelope: Envelope, state: str, now: int
    ) -> IncomingOffer:
        """Keep an offer that a contact made, and give it as `offer` would."""
        keys = envelope.keys
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO offers"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)",
                envelope_hash, envelope.record.photo_id, identity, envelope.sender_device,
                envelope.record.signed.encode(), envelope.capability.encoded,
                keys[Kind.ORIGINAL].reveal(), keys[Kind.METADATA].reveal(), state, None, now, now,
                envelope.certificates.encode(),
            )  # fmt: skip
            for device, signer in envelope.certificates.devices.items():
                if signer != identity:
                    self._db.execute(
                        "INSERT OR IGNORE INTO offer_signers VALUES (?, ?, ?, ?)",
                        identity, signer, device, envelope_hash,
                    )  # fmt: skip
        return IncomingOffer(
            envelope_hash, envelope.record.photo_id, identity, envelope.sender_device,
            envelope.record, envelope.capability.encoded,
            keys[Kind.ORIGINAL], keys[Kind.METADATA], state, None, now, now,
            envelope.certificates.encode(),
        )  # fmt: skip

    def add_sibling_offer(self, offer: IncomingOffer) -> None:
        """Note a photo that another device of ours has, in place of what was noted of it before."""
        self._db.write(
            "INSERT OR REPLACE INTO offers"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 1)",
            offer.envelope_hash, offer.photo_id, offer.identity, offer.device,
            offer.record.signed.encode(), offer.capability, offer.content_key.reveal(),
            offer.metadata_key.reveal(), offer.state, offer.code, offer.received, offer.updated,
            offer.certificates,
        )  # fmt: skip

    def is_at_sibling(self, photo_id: bytes) -> bool:
        """Whether a photo is known from another device of ours and was not removed."""
        return bool(
            self._db.value(
                "SELECT 1 FROM offers WHERE photo_id = ? AND sibling AND state <> 'declined'",
                photo_id,
            )
        )

    def sibling_offers(self, *states: str) -> list[bytes]:
        """By their envelopes the photos that are known from another device of ours and stand so,
        the latest first.
        """
        marks = ", ".join("?" for _ in states)
        rows = self._db.rows(
            f"SELECT envelope_hash FROM offers WHERE sibling AND state IN ({marks})"  # noqa: S608
            " ORDER BY received DESC, envelope_hash",
            *states,
        )
        return [row[0] for row in rows]

    def sibling_offers_count(self, state: str) -> int:
        """How many of these there are."""
        return self._db.value("SELECT count(*) FROM offers WHERE sibling AND state = ?", state)

    def offer(self, envelope_hash: bytes) -> IncomingOffer | None:
        """One offer."""
        row = self._db.row("SELECT * FROM offers WHERE envelope_hash = ?", envelope_hash)
        return None if row is None else _offer(row)

    def offers(self) -> list[IncomingOffer]:
        """All offers that contacts made, oldest first; those that came by another device of ours
        once they are here.
        """
        rows = self._db.rows(
            "SELECT * FROM offers WHERE album IS NULL AND (NOT sibling OR (state = 'stored'"
            " AND identity IN (SELECT identity FROM contacts))) ORDER BY received, photo_id"
        )
        return [_offer(row) for row in rows]

    def coming(self) -> list[tuple[bytes, bytes]]:
        """The (photo id, content id) of all blobs of photos that may still come."""
        rows = self._db.rows("SELECT * FROM offers WHERE state IN ('waiting', 'accepted')")
        return [
            (offer.photo_id, content_id)
            for offer in map(_offer, rows)
            for content_id in (offer.record.content_id, offer.record.metadata_id)
        ]

    def offers_of(self, photo_id: bytes, *, every: bool = False) -> list[IncomingOffer]:
        """The offers that contacts made of one photo, the latest first; `every` also those by which
        it is to be fetched for an album, and as our own from another device.
        """
        rows = self._db.rows(
            "SELECT * FROM offers WHERE photo_id = ?"
            " AND (album IS NULL AND capability <> x'' OR ?) ORDER BY received DESC",
            photo_id, int(every),
        )  # fmt: skip
        return [_offer(row) for row in rows]

    def offer_under(self, photo_id: bytes, capability: bytes) -> IncomingOffer | None:
        """An offer of a photo under exactly that chain; all of them were verified by its signers'
        certificates.
        """
        row = self._db.row(
            "SELECT * FROM offers WHERE photo_id = ? AND capability = ? AND album IS NULL LIMIT 1",
            photo_id,
            capability,
        )
        return None if row is None else _offer(row)

    def chains_with(self, sender: bytes, issuer: bytes, signer: bytes) -> list[tuple[bytes, bytes]]:
        """Some chains, with their certificates, that a contact sent and for which somebody else
        signed by this device.
        """
        rows = self._db.rows(
            "SELECT capability, certificates FROM offer_signers JOIN offers USING (envelope_hash)"
            " WHERE sender = ? AND offer_signers.identity = ? AND offer_signers.device = ?"
            " LIMIT 8",
            sender, issuer, signer,
        )  # fmt: skip
        return [(row["capability"], row["certificates"]) for row in rows]

    def accepted_offers(self, device: bytes | None = None) -> list[IncomingOffer]:
        """Offers to be fetched, of one sending device or of all."""
        rows = self._db.rows(
            "SELECT * FROM offers WHERE state = 'accepted' AND (?1 IS NULL OR device = ?1)"
            " AND album IS NULL ORDER BY received, photo_id",
            device,
        )
        return [_offer(row) for row in rows]

    def has_room_for_offers(self, identity: bytes, most: int) -> bool:
        """Whether fewer than `most` offers of a contact wait for a person or for their bytes."""
        pending = (
            "SELECT count(*) FROM offers WHERE identity = ? AND state IN ('waiting', 'accepted')"
        )
        # The index knows how many there are in all, and nearly always that is the answer.
        return (
            self._db.value(pending, identity) < most
            or self._db.value(f"{pending} AND album IS NULL AND NOT sibling", identity) < most
        )

    def set_offer_state(self, envelope_hash: bytes, state: str, code: str | None, now: int) -> None:
        """Move an offer on."""
        with self._db.transaction():
            self._set_offer_state(envelope_hash, state, code, now)

    def _set_offer_state(
        self, envelope_hash: bytes, state: str, code: str | None, now: int
    ) -> None:
        self._db.execute(
            "UPDATE offers SET state = ?1, code = ?2, updated = ?3 WHERE envelope_hash = ?4"
            " AND (state <> ?1 OR code IS NOT ?2)",
            state, code, now, envelope_hash,
        )  # fmt: skip


_CONTACT_FIELDS: Final = ("name", "verified", "muted", "blocked", "accept", "metadata")


def _checked_fields(fields: dict[str, object]) -> Iterable[str]:
    for name in fields:
        if name not in _CONTACT_FIELDS:
            raise ValueError(f"contacts have no field {name}")
        yield name


def _contact(row: Row) -> Contact:
    return Contact(
        row["identity"], row["name"], Secret(row["pair_secret"]), row["added"],
        bool(row["verified"]), bool(row["muted"]), bool(row["blocked"]), row["accept"],
        row["metadata"],
    )  # fmt: skip


@lru_cache(maxsize=512)
def _record(encoded: bytes) -> PhotoRecord:
    return PhotoRecord.read(Signed.decode(encoded, _SIGNED_BYTES, "photo record"))


# Checking its KEM key alone costs half a millisecond, and each photo for somebody asks for it.
_chain = lru_cache(maxsize=64)(DeviceChain.decode)


def _photo(row: Row) -> Photo:
    return Photo(
        row["photo_id"], row["author"], _record(row["record"]),
        Metadata.decode(row["metadata"]), row["added"],
    )  # fmt: skip


def _offer(row: Row) -> IncomingOffer:
    return IncomingOffer(
        row["envelope_hash"], row["photo_id"], row["identity"], row["device"],
        _record(row["record"]), row["capability"], Secret(row["content_key"]),
        Secret(row["metadata_key"]), row["state"], row["code"], row["received"], row["updated"],
        row["certificates"], row["album"], bool(row["sibling"]),
    )  # fmt: skip
