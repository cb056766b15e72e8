"""What was found of a backup: photos, with which holders, and which of our devices left it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from ..crypto.blob import Kind, piece_count
from ..protocol.backup import Opened, PhotoBackup
from .library import StoredBlob


@dataclass(slots=True, eq=False)
class Found:
    """A photo of which there is an entry, the latest that was found, and who has that."""

    opened: Opened
    entry: PhotoBackup
    envelope_hash: bytes
    holders: set[bytes] = field(default_factory=set[bytes])
    failed: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """By holder: the code of why its blobs did not come."""
    reason: str | None = None
    """The code of why it is not to be had whoever brings it."""
    under_way: bool = False
    settled: bool = False
    """It is here, or is not wanted."""

    @property
    def photo_id(self) -> bytes:
        """Of the photo."""
        return self.entry.record.photo_id

    @property
    def is_small(self) -> bool:
        """Whether it comes in one piece."""
        return piece_count(self.entry.record.ciphertext_length) == 1


@dataclass(slots=True)
class AskedHolder:
    """A contact that was asked."""

    entries: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    listing: bool = False
    waiting: dict[bool, deque[bytes]] = field(
        default_factory=lambda: {True: deque(), False: deque()}
    )
    """Ids of photos that it may be asked for: small ones and large ones."""


@dataclass(slots=True)
class EntriesOf:
    """A device of ours that left entries, and the times of the first and the last of them."""

    entries: int
    first: int
    last: int


def stored_blobs(found: Found, manifests: dict[Kind, bytes]) -> list[StoredBlob]:
    """The blobs of a photo whose files are whole."""
    record, keys = found.entry.record, found.entry.keys
    return [
        StoredBlob(record.blob_id(kind), kind, record.photo_id, manifests[kind], keys[kind])
        for kind in (Kind.ORIGINAL, Kind.METADATA)
    ]
