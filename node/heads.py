"""Heads of devices, ours and those of contacts: kept, told, and compared with what others have.

    ours changed                 -> a new head, signed           -> HeadShown to every contact
    a contact's `Heads`          -> lines of identities that we know too -> what differs: HeadShown
    a head that comes            -> verified, kept               -> two that don't fit: a doubt

Who knows whom is private: lines are readable only to who knows the identity they are about
(docs/spec/heads.md says what that leaks).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from ..crypto.identity import DeviceChain
from ..protocol import heads, limits
from ..protocol.certificates import Certificates
from ..protocol.head_messages import Heads as HeadsMessage
from ..protocol.head_messages import HeadShown
from ..protocol.heads import Head
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.revocation import RevocationList
from .database import Database
from .doubts import Doubts
from .library import Library


class Heads:
    """What is known of heads. It shares the database with `library`."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        doubts: Doubts,
        devices: Callable[[], Iterable[bytes]],
        revoked: Callable[[], RevocationList | None],
        lost: Callable[[bytes, bytes], bool],
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        """`devices` are the keys of our own devices that are live, `revoked` is our list; `lost`
        says whether an identity took a device back: its heads count for nothing any more.
        """
        self._device = device
        self._db = database
        self._library = library
        self._doubts = doubts
        self._devices = devices
        self._revoked = revoked
        self._lost = lost
        self._entropy = entropy
        self._now = now

    # Ours.

    def own(self) -> HeadShown:
        """Our newest head. A new one is signed if there is something new to say, and kept before
        anybody sees it: else a crash would make two of one number.
        """
        us = self._device
        known = self._newest(us.identity, us.signing.public)
        devices = sorted(self._devices())[: limits.HEAD_DEVICES]
        listed = self._revoked()
        revoked = b"" if listed is None else hashlib.sha256(listed.signed.body).digest()
        if known is None or not known.says(devices, revoked):
            known = Head.sign(
                us.signing, us.identity, known, time=self._now(), devices=devices, revoked=revoked
            )
            self._keep(known, Certificates(us.chain.certificates).encode())
        return HeadShown(known.encode(), Certificates(us.chain.certificates).encode())

    # Theirs.

    def _newest(self, identity: bytes, signer: bytes) -> Head | None:
        found = self._db.value(
            "SELECT head FROM heads WHERE identity = ? AND signer = ? ORDER BY seq DESC LIMIT 1",
            identity, signer,
        )  # fmt: skip
        return None if found is None else Head.decode(found)

    def _known(self, identity: bytes, signer: bytes, first: int, last: int) -> list[Head]:
        rows = self._db.rows(
            "SELECT head FROM heads WHERE identity = ? AND signer = ? AND seq BETWEEN ? AND ?",
            identity, signer, first, last,
        )  # fmt: skip
        return [Head.decode(row[0]) for row in rows]

    def _keep(self, head: Head, certificates: bytes) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?, ?)",
                head.identity, head.signer, head.seq, head.encode(), certificates,
            )  # fmt: skip
            self._db.execute(
                "DELETE FROM heads WHERE identity = ?1 AND signer = ?2 AND seq <= ?3",
                head.identity, head.signer,
                self._last(head.identity, head.signer) - limits.HEADS_KEPT,
            )  # fmt: skip

    def _last(self, identity: bytes, signer: bytes) -> int:
        return self._db.value(
            "SELECT max(seq) FROM heads WHERE identity = ? AND signer = ?", identity, signer
        )

    def _is_known(self, identity: bytes) -> bool:
        if identity == self._device.identity:
            return True
        contact = self._library.contact_of(identity)
        return contact is not None and not contact.blocked

    def _has_room(self, head: Head) -> bool:
        signers = self._db.rows(
            "SELECT DISTINCT signer FROM heads WHERE identity = ?", head.identity
        )
        return len(signers) < limits.HEAD_SIGNERS or head.signer in {row[0] for row in signers}

    def take(self, message: HeadShown) -> None:
        """A head came, by whomever: verify it, keep it, and see whether it fits.

        Of who is no contact nothing is kept. Raises `PeerError` for what is no head.
        """
        head = Head.decode(message.head)
        certificates = Certificates.decode(message.certificates)
        head.verify(certificates.devices)
        if not self._is_known(head.identity) or self._lost(head.identity, head.signer):
            return
        way = Certificates(certificates.of({head.signer})).encode()
        around = self._known(head.identity, head.signer, head.seq - 1, head.seq + 1)
        fork = heads.find_fork(around, head)
        if fork is not None:
            self._doubts.forked(fork, way)
        # One of this very device that is not here was made by a copy of it: ours go on from ours.
        if head.signer != self._device.signing.public and self._has_room(head):
            self._keep(head, way)

    # What is told, and compared.

    def _newest_of_all(self) -> Iterator[tuple[Head, bytes]]:
        rows = self._db.rows(
            "SELECT identity, head, certificates, max(seq) FROM heads GROUP BY identity, signer"
        )
        for row in rows:
            if self._is_known(row["identity"]):
                yield Head.decode(row["head"]), row["certificates"]

    def told(self, exporter: bytes) -> HeadsMessage:
        """What a contact is told of the heads that are here."""
        speaker = self._device.signing.public
        lines = (heads.line(head, exporter, speaker) for head, _ in self._newest_of_all())
        return HeadsMessage(heads.join_lines(lines, self._entropy))

    def compare(
        self, message: HeadsMessage, peer: DeviceChain, exporter: bytes
    ) -> Iterator[HeadShown]:
        """What to show a contact of heads that we both know, where it has an older or another one.

        If ours is the older one, it shows us its own. Raises `MalformedError`.
        """
        lines = heads.read_lines(message.lines)
        shown = 0
        for newest, certificates in self._newest_of_all():
            seen = heads.look_up(lines, newest.identity, newest.signer, exporter, peer.device)
            if seen is None or seen == heads.Seen(newest.seq, newest.digest):
                continue
            # Ours from where the two may part, and the newest: what does not fit shows there.
            first, last = min(seen.seq, newest.seq), min(seen.seq + 1, newest.seq)
            here = {
                head.seq: head for head in self._known(newest.identity, newest.signer, first, last)
            }
            here[newest.seq] = newest
            for head in here.values():
                if heads.Seen(head.seq, head.digest) == seen:
                    continue
                yield HeadShown(head.encode(), certificates)
                shown += 1
                if shown >= limits.HEADS_AT_ONCE // 2:
                    return  # more on the next link: the other side takes so many at a time
