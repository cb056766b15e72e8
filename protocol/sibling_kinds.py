"""The kinds of things that devices of one identity tell each other of, and how their words merge.


Each is read by one function here, so that what reaches the library has the form that it must have.
docs/spec/siblings.md says why each merges as it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..crypto import signing
from ..crypto.blob import PHOTO_ID_BYTES
from ..crypto.encoding import Reader
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from . import limits
from .backup import PAIR_SECRET_BYTES, PhotoBackup
from .sibling_ledger import CUT, Merge
from .siblings import fields_of, present

CONTACT: Final = "contact"
CONTACT_NAME: Final = "contact-name"
CONTACT_FLAGS: Final = ("contact-verified", "contact-muted", "contact-blocked")
CONTACT_WORDS: Final = ("contact-accept", "contact-metadata")
CONTACT_DEVICE: Final = "contact-device"
CONTACT_ADDRESS: Final = "contact-address"
PHOTO: Final = "photo"
TAG: Final = "tag"
SENSITIVITY: Final = "sensitivity"
ALBUM: Final = "album"
RULES: Final = "rules"
ATTESTATION: Final = "attestation"
SHOWN: Final = "shown"
MAILBOX: Final = "mailbox"
HOLDER: Final = "holder"
GRANT: Final = "grant"
SHARED_ALBUM: Final = "shared-album"
ALBUM_KEY: Final = "album-key"
ALBUM_HIDDEN: Final = "album-hidden"

MERGES: Final[dict[str, Merge]] = {
    CUT: Merge.LAST,  # of these the lowest counts: `Ledger.cut`
    CONTACT: Merge.LAST,
    CONTACT_NAME: Merge.LAST,
    **dict.fromkeys(CONTACT_FLAGS, Merge.LAST),
    **dict.fromkeys(CONTACT_WORDS, Merge.LAST),
    CONTACT_DEVICE: Merge.SET,
    CONTACT_ADDRESS: Merge.SET,
    PHOTO: Merge.LAST,
    TAG: Merge.SET,
    SENSITIVITY: Merge.LAST,
    ALBUM: Merge.SET,
    RULES: Merge.LAST,
    ATTESTATION: Merge.SET,
    SHOWN: Merge.LAST,
    MAILBOX: Merge.LAST,
    HOLDER: Merge.LAST,
    GRANT: Merge.SET,
    SHARED_ALBUM: Merge.LAST,
    ALBUM_KEY: Merge.SET,
    ALBUM_HIDDEN: Merge.LAST,
}
"""A kind that is not here is of a later version: its records are kept and passed on."""

MARKS: Final = (TAG, SENSITIVITY, ALBUM)
OF_PHOTOS: Final = (*MARKS, GRANT)
"""Kinds whose subject begins with the id of a photo. They wait for it to be here."""
_TIME: Final = 2**63 - 1
_WORD_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo that this identity has: all that leads from its sealed blobs to the picture.

    `added` is when the first device had it, in seconds since 1970.
    """

    entry: PhotoBackup
    added: int

    def value(self) -> bytes:
        """What is said of it."""
        return present(self.entry.to_value(), self.added)

    @classmethod
    def read(cls, value: bytes, identity: bytes) -> KeptPhoto:
        """The reverse; the papers in it are verified. Raises what `PhotoBackup` raises."""
        reader = fields_of(value, "kept photo")
        inner = Reader(reader.array("entry", 5), "kept photo")
        if inner.text("kind", 16) != "photo":
            raise MalformedError("kept photo: kind")
        entry = PhotoBackup.read(inner)
        inner.end()
        added = reader.integer("added", _TIME)
        reader.end()
        entry.check(identity)
        return cls(entry, added)


@dataclass(frozen=True, slots=True)
class PairedContact:
    """That somebody is a contact, and the secret by which they recognise each other."""

    pair_secret: Secret
    added: int

    def value(self) -> bytes:
        """What is said of it."""
        return present(self.pair_secret.reveal(), self.added)

    @classmethod
    def read(cls, value: bytes) -> PairedContact:
        """The reverse."""
        reader = fields_of(value, CONTACT)
        secret = Secret(reader.octets("pair secret", PAIR_SECRET_BYTES))
        added = reader.integer("added", _TIME)
        reader.end()
        return cls(secret, added)


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A capability that was signed for a contact, or, with none, for whoever has attributes."""

    photo_id: bytes
    identity: bytes
    capability: bytes
    created: int

    def value(self) -> bytes:
        """What is said of it."""
        return present(self.photo_id, self.identity, self.capability, self.created)

    @classmethod
    def read(cls, value: bytes) -> GivenGrant:
        """The reverse."""
        reader = fields_of(value, GRANT)
        photo_id = reader.octets("photo", PHOTO_ID_BYTES)
        identity = reader.octets("identity", maximum=signing.KEY_BYTES)
        capability = reader.octets("capability", maximum=limits.CAPABILITY_BYTES)
        created = reader.integer("created", _TIME)
        reader.end()
        return cls(photo_id, identity, capability, created)


@dataclass(frozen=True, slots=True)
class ChosenHolder:
    """What a contact holds for us, and whether it is let; as `node.mailboxes.Holder`."""

    quota: int
    seconds: int
    backup: bool
    chosen: bool
    backed_up: bool

    def value(self) -> bytes:
        """What is said of it."""
        flags = (int(self.backup), int(self.chosen), int(self.backed_up))
        return present(self.quota, self.seconds, *flags)

    @classmethod
    def read(cls, value: bytes) -> ChosenHolder:
        """The reverse."""
        reader = fields_of(value, HOLDER)
        quota, seconds = reader.integer("quota", _TIME), reader.integer("seconds", 2**32 - 1)
        flags = [bool(reader.integer(name, 1)) for name in ("backup", "chosen", "backed up")]
        reader.end()
        return cls(quota, seconds, *flags)


def text_of(value: bytes, what: str, most: int = _WORD_BYTES) -> str:
    """The one text that a value holds."""
    reader = fields_of(value, what)
    text = reader.text(what, most)
    reader.end()
    return text


def flag_of(value: bytes, what: str) -> bool:
    """The one flag that a value holds."""
    reader = fields_of(value, what)
    flag = bool(reader.integer(what, 1))
    reader.end()
    return flag


def texts_of(value: bytes, what: str, count: int, most: int) -> list[str]:
    """So many texts."""
    reader = fields_of(value, what)
    found = [reader.text(what, most) for _ in range(count)]
    reader.end()
    return found


def octets_of(value: bytes, what: str, count: int, most: int) -> list[bytes]:
    """So many byte strings."""
    reader = fields_of(value, what)
    found = [reader.octets(what, maximum=most) for _ in range(count)]
    reader.end()
    return found


def word_of(subject: bytes) -> tuple[bytes, str]:
    """The photo and the word in the subject of a tag or of an album."""
    photo_id, word = subject[:PHOTO_ID_BYTES], subject[PHOTO_ID_BYTES:]
    try:
        text = word.decode()
    except UnicodeDecodeError:
        raise MalformedError("word") from None
    if len(photo_id) != PHOTO_ID_BYTES or not text:
        raise MalformedError("subject")
    return photo_id, text


def shown_of(subject: bytes) -> tuple[bytes, bytes, str, str]:
    """The contact that may know of an attribute of ours, its issuer, its name and its value."""
    identity, issuer, rest = subject[:32], subject[32:64], subject[64:]
    length, _, words = rest.partition(b" ")
    if len(issuer) != signing.KEY_BYTES or not length.isdigit() or len(length) > 2:
        raise MalformedError(SHOWN)
    try:
        name, value = words[: int(length)].decode(), words[int(length) :].decode()
    except UnicodeDecodeError:
        raise MalformedError(SHOWN) from None
    if len(name.encode()) > limits.ATTRIBUTE_NAME_BYTES:
        raise MalformedError(SHOWN)
    return identity, issuer, name, value


def assigned(wanted: dict[bytes, str]) -> dict[bytes, str]:
    """What contacts are called of whom two devices may have called two the same: of several the one
    with the lowest identity has the name, the next one the name and a 2, and so on.
    """
    found: dict[bytes, str] = {}
    taken: set[str] = set()
    folded = [name.casefold() for name in wanted.values()]
    for identity in sorted(wanted):
        name = wanted[identity]
        candidate, number = name, 1
        while candidate.casefold() in taken or (number > 1 and candidate.casefold() in folded):
            number += 1
            candidate = f"{name} {number}"
        taken.add(candidate.casefold())
        found[identity] = candidate
    return found
