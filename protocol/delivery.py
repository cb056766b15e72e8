"""What is held for who is away: mailboxes, the marks of their holders, and what is left there.

The owner of a mailbox gives its secret to those who hold for it and to its contacts. What is left
is left under a tag of the day, so that it names nobody; who holds knows of which of its mailboxes
the tag is. What it holds is sealed (docs/spec/holding.md).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto import blob
from ..crypto.blob import CONTENT_ID_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret

SECRET_BYTES: Final = 32
TAG_BYTES: Final = 32
MARK_BYTES: Final = 32
DAY_SECONDS: Final = 86_400

_TAG: Final = b"kinlight/mailbox1\x00"
_MARK: Final = b"kinlight/holder1\x00"


def day_of(now: int) -> int:
    """The day of a time in seconds since 1970."""
    return now // DAY_SECONDS


def mailbox_tag(secret: Secret, owner: bytes, day: int) -> bytes:
    """Under what something is left in a mailbox on a day.

    Contacts of an owner know its secret too: with its identity in the tag, none of them can claim
    the same mailbox at a holder and have what is left for it.
    """
    return hmac.digest(secret.reveal(), _TAG + owner + day.to_bytes(8), "sha256")


def mailbox_tags(secret: Secret, owner: bytes, today: int) -> tuple[bytes, ...]:
    """The tags that count on a day: clocks differ, and a day ends while something is on its way."""
    days = (today - 1, today, today + 1)
    return tuple(mailbox_tag(secret, owner, day) for day in days if day >= 0)


def holder_mark(secret: Secret, identity: bytes) -> bytes:
    """How the owner of a mailbox says that `identity` holds for it: to all who know `identity`."""
    return hmac.digest(secret.reveal(), _MARK + identity, "sha256")


def marks(secret: Secret, identities: Iterable[bytes]) -> bytes:
    """The marks of holders, as a `Mailbox` message has them: in an order that tells nothing."""
    return b"".join(sorted(holder_mark(secret, identity) for identity in identities))


def is_marked(secret: Secret, identity: bytes, marked: bytes) -> bool:
    """Whether one of the marks is that of `identity`."""
    if len(marked) % MARK_BYTES:
        raise MalformedError("marks of holders")
    mark = holder_mark(secret, identity)
    starts = range(0, len(marked), MARK_BYTES)
    return any(hmac.compare_digest(marked[start : start + MARK_BYTES], mark) for start in starts)


@dataclass(frozen=True, slots=True)
class HeldBlob:
    """A blob that is to be held: its name, its length in bytes, and who is to have it."""

    content_id: bytes
    length: int
    token_hash: bytes
    """SHA-256 of its fetch token."""

    @classmethod
    def under(cls, content_id: bytes, length: int, file_key: Secret) -> HeldBlob:
        """A blob of ours that somebody with its file key is to have."""
        return cls(content_id, length, token_hash(blob.fetch_token(file_key).reveal()))

    @classmethod
    def read(cls, item: Value, what: str) -> HeldBlob:
        """The reverse of `to_value`; `MalformedError` names `what`."""
        if not isinstance(item, list):
            raise MalformedError(what)
        reader = Reader(item, what)
        content_id = reader.octets("content id", CONTENT_ID_BYTES)
        length = reader.integer("length", blob.MAX_CIPHERTEXT_BYTES)
        blob.piece_count(length)
        found = cls(content_id, length, reader.octets("token hash", 32))
        reader.end()
        return found

    def to_value(self) -> Value:
        """For a message."""
        return [self.content_id, self.length, self.token_hash]


def token_hash(token: bytes) -> bytes:
    """What a holder keeps of a fetch token."""
    return hashlib.sha256(token).digest()
