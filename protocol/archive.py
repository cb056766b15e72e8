"""The head of a backup file: what leads from the pass phrase to all that is in it.

    file = "kinlight-backup1" || u32be || key file || u32be || head || library || blob…

The key file is the node's own, so what opens the node opens its backup. The library is a sealed
blob of its own key, which the head holds; photos follow as they lie in the home, sealed already, in
the order of their content ids, each after one byte that says whether it is there. Which they are,
and what each piece of them is, the library says (docs/spec/archive.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ..crypto import encoding, wrap
from ..crypto.blob import MAX_CONTENT_BYTES, PHOTO_ID_BYTES
from ..crypto.encoding import Reader
from ..crypto.errors import MalformedError
from ..crypto.keystore import MAX_FILE_BYTES
from ..crypto.secret import Secret

NAME: Final = b"kinlight-backup"
VERSION: Final = b"1"
MAGIC: Final = NAME + VERSION
LENGTH_BYTES: Final = 4
ID_BYTES: Final = PHOTO_ID_BYTES
KEY_BYTES: Final = 32
CONFIG_BYTES: Final = MAX_FILE_BYTES
HEAD_BYTES: Final = CONFIG_BYTES + 4096

_PURPOSE: Final = b"archive"
_CONTEXT: Final = b"kinlight/archive1"


class Presence(IntEnum):
    """Whether a blob that the library names is in the file."""

    MISSING = 0
    """It was damaged or gone when the file was written."""
    HERE = 1
    REMOVED = 2
    """A person removed its photo while the file was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is said first, sealed. `time` is in seconds since 1970, `length` in bytes."""

    archive_id: bytes
    time: int
    library_key: Secret = field(repr=False)
    length: int
    """Of the library, before it was sealed."""
    config: bytes

    def seal(self, store_key: Secret) -> bytes:
        """Under the store key of the key file that stands before it."""
        value = encoding.encode(
            [1, "archive", self.archive_id, self.time, self.library_key.reveal(), self.length,
             self.config]
        )  # fmt: skip
        return wrap.wrap(store_key.derive(_PURPOSE), _CONTEXT, value)

    @classmethod
    def open(cls, store_key: Secret, sealed: bytes) -> Head:
        """The reverse; `SealBrokenError` for another key or any change, `MalformedError`."""
        if len(sealed) > HEAD_BYTES:
            raise MalformedError("archive head too long")
        opened = wrap.unwrap(store_key.derive(_PURPOSE), _CONTEXT, sealed)
        reader = Reader(encoding.decode(opened, HEAD_BYTES), "archive head")
        reader.literal(1, "archive")
        archive_id = reader.octets("id", ID_BYTES)
        time = reader.integer("time", 2**63 - 1)
        key = Secret(reader.octets("library key", KEY_BYTES))
        length = reader.integer("length", MAX_CONTENT_BYTES)
        config = reader.octets("config", maximum=CONFIG_BYTES)
        reader.end()
        return cls(archive_id, time, key, length, config)
