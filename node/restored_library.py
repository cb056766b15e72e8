"""The library of a backup file becomes that of a new device.

What belongs to the device that was before does not come along: where it listened, what it was
sending, what it held for others and whose files are in no backup. What it had left with holders is
left anew.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto.recovery import RecoveryWords
from ..crypto.signing import SigningKey
from ..protocol.certificates import Certificates
from ..protocol.opening import Entropy
from ..protocol.photo import Metadata
from . import album_seats
from .album_shelf import Shelf
from .album_storage import AlbumStore
from .archive_errors import RestoredError
from .database import Database
from .events import Events
from .keys import UnlockedKeys
from .library import Library
from .own_devices import OwnDevices
from .removing import forget
from .roster import Roster
from .watermarks import Watermarks

_OF_THE_DEVICE: Final = (
    "port", "wide-port", "transport-seed", "holding", "archive-last",
    "recovery", "recovery-parts", "recovery-result",
)  # fmt: skip
_OPEN: Final = "('queued', 'offered', 'held', 'waiting')"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What is in the library now, and of how many photos it is not known whether they arrived."""

    photos: int
    contacts: int
    albums: int
    waiting: int
    undelivered: int


async def take_over(
    database: Database,
    former: UnlockedKeys,
    new: UnlockedKeys,
    removed: Iterable[bytes],
    *,
    words: RecoveryWords | None,
    entropy: Entropy,
    now: int,
) -> TakenOver:
    """Make it the library of the device `new`, without the photos `removed`."""
    library = Library(database)
    with database.transaction():
        undelivered = _leave_behind(database, now)
        for photo_id in removed:
            forget(database, photo_id, now)
        _find_again(database, new)
        Watermarks(database=database, library=library, entropy=entropy, now=lambda: now).retire()
        papers = Certificates(former.device.chain.certificates)
        roster = Roster(device=new.device, database=database, lost=lambda _: False, now=lambda: now)
        OwnDevices(new.device, library, roster).keep(former.device.signing.public, papers)
    seats = await _seats(database, former, new, words, entropy, now)
    return TakenOver(
        photos=int(database.value("SELECT count(*) FROM photos")),
        contacts=int(database.value("SELECT count(*) FROM contacts")),
        albums=seats.taken,
        waiting=seats.waiting,
        undelivered=undelivered,
    )


def _leave_behind(database: Database, now: int) -> int:
    for name in _OF_THE_DEVICE:
        database.execute("DELETE FROM settings WHERE name = ?", name)
    for table in ("held_items", "held_receipts"):  # triggers and keys do the rest
        database.execute(f"DELETE FROM {table}")  # noqa: S608 - named here
    # Since then a holder may have lost any of it: as in `Backups.over_all`.
    database.execute("UPDATE backups SET subject = envelope_hash, envelope = NULL")
    undelivered = int(
        database.value(
            f"SELECT count(DISTINCT photo_id) FROM deliveries WHERE state IN {_OPEN}"  # noqa: S608
        )
    )
    database.execute(
        f"UPDATE deliveries SET state = 'refused', code = ?, updated = ? WHERE state IN {_OPEN}",  # noqa: S608
        RestoredError.code, now,
    )  # fmt: skip
    return undelivered


def _find_again(database: Database, new: UnlockedKeys) -> None:
    """Contents are found by a hash under a key of the store, which may be another one now."""
    key = new.fingerprint_key.reveal()
    for row in database.rows("SELECT photo_id, metadata FROM photos"):
        sha256 = Metadata.decode(row["metadata"]).sha256
        database.execute(
            "UPDATE photos SET fingerprint = ? WHERE photo_id = ?",
            hmac.digest(key, sha256, "sha256"), row["photo_id"],
        )  # fmt: skip


async def _seats(
    database: Database,
    former: UnlockedKeys,
    new: UnlockedKeys,
    words: RecoveryWords | None,
    entropy: Entropy,
    now: int,
) -> album_seats.Seats:
    shelf = Shelf(
        device=new.device,
        database=database,
        store=AlbumStore(database),
        events=Events(),
        now=lambda: now,
        changed=lambda _: None,
    )
    await shelf.load()
    # The root first: what it writes is no fork of what the former device may write meanwhile.
    signers = [] if words is None else [SigningKey(words.root_seed())]
    signers.append(former.device.signing)
    return album_seats.take(shelf, new.device, signers, entropy=entropy, now=lambda: now)
