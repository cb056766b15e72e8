"""Albums: how a key changes for 1,000 devices, how large that is, and how fast a log is read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.identity import DeviceCertificate, DeviceChain, issue_identity, issue_kem
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.protocol.album import Album, read_entry
from kinlight.protocol.album_admin import Admin, found
from kinlight.protocol.album_keys import KeyRing
from kinlight.protocol.album_log import LogEntry, Member, Op, Tier
from kinlight.protocol.album_roles import OPERATIONS
from kinlight.protocol.album_writing import Author
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.caveats import Caveats
from kinlight.protocol.photo import PhotoRecord
from kinlight.protocol.rendition import ORIGINAL, Rendition

from benchmarks.figures import Figure

NOW: Final = 1_900_000_000
DEVICES: Final = 1_000
ENTRIES: Final = 10_000
AUTHORS: Final = 20
"""Members whose feeds hold the photos."""
SMALL: Final = Rendition(2048, location_removed=True)


class Somebody:
    """An identity with one device, made at random."""

    def __init__(self) -> None:
        words = RecoveryWords(Secret(secrets.token_bytes(32)))
        root = SigningKey(words.root_seed())
        self.key: Final = SigningKey(Secret(secrets.token_bytes(32)))
        self.kem: Final = KemKey(Secret(secrets.token_bytes(32)))
        self.identity: Final = root.public
        certificate = DeviceCertificate.issue(
            root, root.public, self.key.public, not_before=NOW, seq=1, may_certify=False
        )
        self.chain: Final = DeviceChain.assemble(
            issue_identity(words), [certificate], issue_kem(self.key, self.kem.public)
        )

    def record(self) -> PhotoRecord:
        """Of a photo that nobody has."""
        content = Manifest(5000, secrets.token_bytes(56), secrets.token_bytes(32))
        nonce, metadata = secrets.token_bytes(16), secrets.token_bytes(32)
        return PhotoRecord.sign(self.key, self.identity, nonce, content, metadata)


def new_key() -> Secret:
    """32 random bytes."""
    return Secret(secrets.token_bytes(32))


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes, at best of three."""
    taken: list[float] = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def rotation(admin: Admin, one: Somebody) -> None:
    """One key for all devices, and what one of them does with its wrap."""
    written = [admin.rotate(NOW, new_key())]
    seconds = timed(lambda: written.append(admin.rotate(NOW, new_key())))
    entry, wraps = written[-1].entry, written[-1].wraps
    if wraps is None or len(wraps.wraps) != DEVICES:
        raise RuntimeError("a device was left out")
    size = len(entry.signed.encode()) + sum(len(wrap.encode()) for wrap in wraps.wraps.values())
    mine = wraps.wraps[one.key.public]
    Figure(f"an album's key changed for {DEVICES:,} devices", seconds, "s", 1).show()
    Figure("the same: the entry, all wraps and their proofs", size / 1e6, "MB", 1.5).show()
    Figure("what one device fetches of it", len(mine.encode()), "bytes").show()
    again = timed(lambda: mine.open(one.kem, one.key.public, entry, wraps.key_id))
    Figure("the same: checked alone, and opened", 1000 * again, "ms").show()


def reading(what: str, kept: list[bytes]) -> None:
    """From the bytes of strangers to who is in the album and which photos are."""

    def work() -> None:
        entries = [read_entry(encoded) for encoded in kept]
        album = Album(entries[0])  # type: ignore[arg-type] - the first one is of the log
        album.take_all(entries)
        if len(album.view.devices) != DEVICES or len(album.kept()) != len(kept):
            raise RuntimeError("something is missing")

    begun, used = time.perf_counter(), time.process_time()
    work()
    taken, used = time.perf_counter() - begun, time.process_time() - used
    Figure(f"{what} ({used:.1f} s of the processor)", taken, "s", 3).show()
    loaded = timed(lambda: Album.load(kept).view)
    Figure("the same, which this node had verified and kept", loaded, "s").show()


def append(album: Album, by: Somebody, op: Op) -> None:
    """One more entry of the log, as an admin writes it, without looking at what it amounts to."""
    last = album.graph.entries[-1]
    album.take(
        LogEntry.sign(by.key, by.identity, album.album_id, last.seq + 1, [last.digest], NOW, [op])
    )


def member(album: Album, by: Somebody, one: Somebody) -> Member:
    """Lets somebody in, as a contributor."""
    grant = Capability.grant(
        by.key, by.identity, Audience("identity", one.identity),
        Caveats(album=album.album_id, operations=OPERATIONS["contributor"]),
        secrets.token_bytes(16),
    )  # fmt: skip
    return Member(one.identity, "contributor", grant, (one.chain,))


def main() -> None:
    """One album of 1,000 people, grown twice."""
    people = [Somebody() for _ in range(DEVICES)]
    owner = people[0]
    nonce = secrets.token_bytes(16)
    founded = found(owner.key, owner.chain, NOW, nonce, new_key(), tier=ORIGINAL)
    album, keys = founded.album, founded.keys
    for one in people[1:]:
        append(album, owner, member(album, owner, one))
    members = album.kept()
    rotation(Admin(album, owner.key, owner.identity, keys), people[-1])

    shared, ring = Album.load(members), KeyRing(album.album_id, keys.keys())
    file_keys = {kind: new_key() for kind in (Kind.ORIGINAL, Kind.METADATA)}
    authors = [(Author(shared, one.key, one.identity, ring), one) for one in people[:AUTHORS]]
    begun = time.perf_counter()
    for number in range(ENTRIES - len(members)):
        author, one = authors[number % AUTHORS]
        author.publish(NOW, one.record(), file_keys)
    each = (time.perf_counter() - begun) / (ENTRIES - len(members))
    Figure("one photo more in an album of thousands, record and all", 1000 * each, "ms").show()
    reading(f"{ENTRIES:,} entries of strangers: {DEVICES:,} devices, else photos", shared.kept())

    governed = Album.load(members)
    for number in range(ENTRIES - len(members)):
        append(governed, owner, Tier(SMALL if number % 2 else ORIGINAL))
    reading(f"{ENTRIES:,} entries of strangers, all of one log", governed.kept())


if __name__ == "__main__":
    main()
