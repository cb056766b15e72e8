"""Photos, as devices of ours tell each other of them: those that are ours or came to us, those that
were removed, and what a person said of them.

What is told of a photo is what leads from its sealed blobs to the picture. The blobs are fetched
from whichever device has them: a row of `offers` says that they are to come, or that they stay
where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Final

from ..crypto.blob import PHOTO_ID_BYTES, Kind
from ..crypto.errors import MalformedError
from ..protocol.backup import PhotoBackup
from ..protocol.capability import Capability
from ..protocol.certificates import Certificates
from ..protocol.opening import LocalDevice
from ..protocol.policy import SENSITIVITIES
from ..protocol.sibling_kinds import (
    GRANT,
    MARKS,
    PHOTO,
    SENSITIVITY,
    TAG,
    GivenGrant,
    KeptPhoto,
    text_of,
    word_of,
)
from ..protocol.siblings import present
from . import names
from .backing_up import BackingUp
from .catalogue import Catalogue
from .database import Database
from .library import IncomingOffer, Library, Photo
from .marks import Marks
from .own_devices import OwnDevices
from .sibling_tellers import UNSAID, Said, ThereOrNot, Told, WordForWord
from .sibling_trash import SiblingTrash

_ROW: Final = b"kinlight/sibling-photo1\x00"


def row_of(photo_id: bytes) -> bytes:
    """By what the row of a photo from another device of ours is found, in the place of the hash of
    an envelope: none was sealed to this one.
    """
    return hashlib.sha256(_ROW + photo_id).digest()


class PhotoTeller(ThereOrNot):
    """That a photo is kept, or was removed. Each device may have it by other papers."""

    kinds = (PHOTO,)

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        backing_up: BackingUp,
        own_devices: OwnDevices,
        told: Told,
        is_wanted: Callable[[bytes], bool],
        removed: Callable[[bytes, Collection[bytes]], None],
        drop_preview: Callable[[bytes], object],
        trash: SiblingTrash,
        accepted: Callable[[IncomingOffer], None],
        now: Callable[[], int],
    ) -> None:
        """`is_wanted` says whether the original of a photo is to be here. `removed` takes a photo
        out but for some of its blobs, `drop_preview` what is shown of one elsewhere, and `accepted`
        hears of an offer of the same photo to this device; all within the transaction.
        """
        self._device = device
        self._library = library
        self._backing_up = backing_up
        self._own_devices = own_devices
        self._told = told
        self._is_wanted = is_wanted
        self._removed = removed
        self._drop_preview = drop_preview
        self._trash = trash
        self._accepted = accepted
        self._now = now

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here. What was offered and could not be had is not said to be gone."""
        photo = self._library.photo(subject)
        if photo is not None:
            return self._kept(photo)
        offers = self._offers(subject)
        if any(offer.sibling and offer.state != "declined" for offer in offers):
            return self._told.value(kind, subject) or UNSAID
        for offer in offers:
            if offer.state == "accepted" and offer.certificates:
                return KeptPhoto(_entry(offer), offer.received).value()
        if any(offer.state in ("waiting", "accepted", "refused") for offer in offers):
            return UNSAID
        return None

    def _offers(self, photo_id: bytes) -> list[IncomingOffer]:
        """Those that are not of albums, which say themselves what is in them."""
        offers = self._library.offers_of(photo_id, every=True)
        return [offer for offer in offers if offer.album is None]

    def _kept(self, photo: Photo) -> Said:
        if photo.author == self._device.identity and photo.metadata.policy != "original":
            return UNSAID  # a copy for sharing, which each device makes when it needs it
        found = self._backing_up.photo(photo)
        return UNSAID if found is None else KeptPhoto(found[0], photo.added).value()

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Note that its blobs are to come, or take it out."""
        del kind
        if value is None:
            self._take_out(subject)
            return
        kept = KeptPhoto.read(value, self._device.identity)
        record = kept.entry.record
        if record.photo_id != subject:
            raise MalformedError("a record of another photo")
        if record.author == self._device.identity:
            self._own_devices.keep(record.device, kept.entry.certificates)
        if self._library.photo(subject) is None and not self._library.is_at_sibling(subject):
            if self._trash.take_back(subject):
                state = "stored"
            else:
                state = "accepted" if self._is_wanted(record.photo_id) else "waiting"
            self._library.add_sibling_offer(self.row(kept, state))
        for offer in self._offers(subject):
            if offer.state == "waiting" and not offer.sibling:
                self._library.set_offer_state(offer.envelope_hash, "accepted", None, self._now())
                self._accepted(offer)

    def row(self, kept: KeptPhoto, state: str) -> IncomingOffer:
        """The row of a photo that another device has."""
        entry, record = kept.entry, kept.entry.record
        identity, device = record.author, record.device
        if entry.capability:
            last = Capability.decode(entry.capability).links[-1]
            identity, device = last.issuer, last.signer
        return IncomingOffer(
            envelope_hash=row_of(record.photo_id),
            photo_id=record.photo_id,
            identity=identity,
            device=device,
            record=record,
            capability=entry.capability,
            content_key=entry.keys[Kind.ORIGINAL],
            metadata_key=entry.keys[Kind.METADATA],
            state=state,
            code=None,
            received=kept.added,
            updated=self._now(),
            certificates=entry.certificates.encode(),
            sibling=True,
        )

    def _take_out(self, photo_id: bytes) -> None:
        photo = self._library.photo(photo_id)
        self._drop_preview(photo_id)
        if photo is not None:
            kept = self._kept(photo)
            self._removed(photo_id, self._trash.put(photo, kept) if isinstance(kept, bytes) else ())
        for offer in self._offers(photo_id):
            if offer.state in ("waiting", "accepted"):
                self._library.set_offer_state(offer.envelope_hash, "declined", None, self._now())


def _entry(offer: IncomingOffer) -> PhotoBackup:
    """What leads from the blobs of an offer to the picture."""
    keys = {Kind.ORIGINAL: offer.content_key, Kind.METADATA: offer.metadata_key}
    certificates = Certificates.decode(offer.certificates)
    return PhotoBackup(offer.record, keys, offer.capability, certificates)


class MarkTeller(WordForWord):
    """Words that a person gave photos, how delicate they are, and in which albums they lie.

    Words and albums are the same in any case, so they go by how they are compared.
    """

    kinds = MARKS

    def __init__(
        self, library: Library, catalogue: Catalogue, marks: Marks, now: Callable[[], int]
    ) -> None:
        self._library = library
        self._catalogue = catalogue
        self._marks = marks
        self._now = now

    def thing(self, kind: str, subject: bytes) -> bytes:
        """By the word as it is compared."""
        if kind == SENSITIVITY:
            return subject
        photo_id, word = word_of(subject)
        return photo_id + names.folded(word).encode()

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here; nothing of photos that are not here."""
        photo_id = subject[:PHOTO_ID_BYTES]
        if self._library.photo(photo_id) is None:
            return UNSAID
        if kind == SENSITIVITY:
            said = self._marks.said(photo_id)
            return UNSAID if said is None else present(said)
        _, wanted = word_of(subject)
        words = self._marks.tags(photo_id) if kind == TAG else self._catalogue.lies_in(photo_id)
        spelled = [word for word in words if names.folded(word) == wanted]
        return present(spelled[0]) if spelled else None

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """How a word is spelled does not matter."""
        del subject
        if kind == SENSITIVITY:
            return said == told
        return (said is None) == (told is None)

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here, if the photo is; else that is done when it comes."""
        photo_id = subject[:PHOTO_ID_BYTES]
        here = self._library.photo(photo_id) is not None
        if here and kind == SENSITIVITY and value is not None:
            said = text_of(value, kind)
            if said not in SENSITIVITIES:
                raise MalformedError(kind)
            self._marks.change([photo_id], add=(), remove=(), sensitivity=said)
        elif here and kind != SENSITIVITY:
            self._put(kind, subject, value)

    def _put(self, kind: str, subject: bytes, value: bytes | None) -> None:
        photo_id, folded = word_of(subject)
        if value is None:
            word = None
        else:
            word = text_of(value, kind)
            if word != names.album_name(word) or names.folded(word) != folded:
                raise MalformedError(kind)
        if kind == TAG:
            self._marks.put(photo_id, folded, word)
        else:
            self._catalogue.put(photo_id, folded, word, self._now())


class GrantTeller(ThereOrNot):
    """What was granted, so that each device of ours can serve it, and take it back."""

    kinds = (GRANT,)

    def __init__(self, database: Database, library: Library) -> None:
        self._db = database
        self._library = library

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here. What was granted is not said to be gone: it is taken back by a list."""
        del kind
        grant_hash = subject[PHOTO_ID_BYTES:]
        row = self._db.row(
            "SELECT photo_id, identity, capability, created FROM grants WHERE grant_hash = ?1"
            " UNION ALL SELECT photo_id, x'', capability, created FROM open_grants"
            " WHERE grant_hash = ?1",
            grant_hash,
        )
        return UNSAID if row is None else GivenGrant(*row).value()

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Note it, if photo and contact are here; else that is done when the photo comes."""
        del kind
        if value is None:
            return
        given = GivenGrant.read(value)
        grant_hash = Capability.decode(given.capability).links[-1].signed.digest()
        if given.photo_id + grant_hash != subject:
            raise MalformedError("a grant of another hash")
        if self._library.photo(given.photo_id) is None:
            return
        if not given.identity:
            self._db.execute(
                "INSERT OR IGNORE INTO open_grants VALUES (?, ?, ?, ?)",
                grant_hash, given.photo_id, given.capability, given.created,
            )  # fmt: skip
        elif self._library.contact_of(given.identity) is not None:
            self._db.execute(
                "INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?, ?)",
                grant_hash, given.photo_id, given.identity, given.capability, given.created,
            )  # fmt: skip
