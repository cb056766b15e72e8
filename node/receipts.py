"""Receipts that came for what was sent: kept, checked, and shown.

Each is beside the delivery that it is for, and goes with the photo.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..crypto.errors import PeerError
from ..crypto.identity import fingerprint
from ..protocol import limits
from ..protocol.errors import BrokenReceiptError
from ..protocol.receipt import Receipt
from . import views_sharing
from .catalogue import Catalogue
from .database import Database
from .errors import UnreadableFileError
from .library import Delivery, Library, Photo


def fits_clock(receipt: Receipt, sent: int, came: int) -> bool:
    """Whether its time lies between that of the delivery and its own coming, but for the clocks."""
    return sent - limits.CLOCK_SECONDS <= receipt.time <= came + limits.CLOCK_SECONDS


class Receipts:
    """The receipts of an unlocked node."""

    def __init__(
        self,
        *,
        database: Database,
        library: Library,
        catalogue: Catalogue,
        is_hidden: Callable[[Photo], bool],
    ) -> None:
        """`is_hidden` says of a photo of somebody else that it is not to be seen any more."""
        self._db = database
        self._library = library
        self._catalogue = catalogue
        self._is_hidden = is_hidden

    def add(self, envelope_hash: bytes, receipt: Receipt, now: int) -> None:
        """Keep the receipt of a delivery, within a group commit; the first one stays."""
        self._db.execute(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?)", envelope_hash, receipt.encoded, now
        )

    def time_of(self, delivery: Delivery) -> int | None:
        """Since when the device has it, as it signed; None without a receipt."""
        found = self._of(delivery)
        return None if found is None else found[0].time

    def is_lacking(self, photo_id: bytes) -> bool:
        """Whether a photo is said to be delivered and nobody signed that."""
        return bool(
            self._db.value(
                "SELECT 1 FROM deliveries WHERE photo_id = ? AND state = 'delivered'"
                " AND envelope_hash NOT IN (SELECT envelope_hash FROM receipts)",
                photo_id,
            )
        )

    def find(self, photo: str, who: str | None = None) -> list[views_sharing.Receipt]:
        """The receipts for a photo and for the copies of it that went, of all or of one contact.

        `photo` begins the id of what is here; `NoSuchPhotoError`, `NoSuchContactError`.
        """
        photo_id = self._library.find_photo_id(photo)
        identity = None if who is None else self._library.contact(who).identity
        went = [photo_id, *(copy for copy, _ in self._catalogue.copies_of(photo_id))]
        return [
            view
            for photo in map(self._library.photo, went)
            if photo is not None
            for delivery in self._library.deliveries(photo.photo_id)
            if identity in (None, delivery.identity)
            and (view := self._view(photo, delivery)) is not None
        ]

    def of_copy(self, photo_id: bytes, identity: bytes) -> views_sharing.Receipt | None:
        """The first receipt of a contact for a photo; None where there is none any more."""
        photo = self._library.photo(photo_id)
        if photo is None:
            return None
        found = (
            self._view(photo, delivery)
            for delivery in self._library.deliveries(photo_id)
            if delivery.identity == identity
        )
        return min(
            (each for each in found if each is not None), key=lambda each: each.time, default=None
        )

    def _of(self, delivery: Delivery) -> tuple[Receipt, int] | None:
        """The receipt and when it came."""
        row = self._db.row(
            "SELECT receipt, received FROM receipts WHERE envelope_hash = ?", delivery.envelope_hash
        )
        return None if row is None else (Receipt.decode(row["receipt"]), row["received"])

    def _view(self, photo: Photo, delivery: Delivery) -> views_sharing.Receipt | None:
        found = self._of(delivery)
        if found is None:
            return None
        receipt, came = found
        contact = self._library.contact_of(delivery.identity)
        return dataclasses.replace(
            _shown(receipt),
            photo=photo.photo_id.hex(),
            name="" if self._is_hidden(photo) else photo.metadata.name,
            to=contact.name if contact else None,
            fingerprint=fingerprint(delivery.identity),
            received=came,
            clock_differs=not fits_clock(receipt, delivery.created, came),
        )


def in_file(path: Path) -> views_sharing.Receipt:
    """The receipt in a file, its signature checked. Needs no node.

    Raises `BrokenReceiptError` for what is none, `UnreadableFileError`.
    """
    try:
        with path.open("rb") as file:
            encoded = file.read(limits.RECEIPT_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(f"{path}, {error.strerror or type(error).__name__}") from None
    try:
        return _shown(Receipt.decode(encoded))
    except PeerError as error:
        raise BrokenReceiptError(error.detail) from None


def _shown(receipt: Receipt) -> views_sharing.Receipt:
    """What it says itself."""
    return views_sharing.Receipt(
        device=receipt.recipient.hex(),
        sender=receipt.sender.hex(),
        sender_fingerprint=fingerprint(receipt.sender),
        content_id=receipt.content_id.hex(),
        time=receipt.time,
        commitment=receipt.commitment.hex(),
        encoded=receipt.encoded.hex(),
    )
