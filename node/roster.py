"""The devices of our own identity, and what they share. It shares the database with `library`.

What is in here was verified before it came in. Which of them are revoked is in `papers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.devices import OwnDevice, OwnSecret
from ..protocol.opening import Entropy, LocalDevice, Pinned
from .database import Database

EARLIER_SECRETS: Final = 8
"""That are kept beside the one that counts, for siblings who have been away."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another device of ours that is to be called; `calling.Wanted`."""

    key: bytes
    """Its device key."""
    name: str
    pinned: Pinned
    pair_secret: Secret
    identity: bytes


class Roster:
    """This device, its siblings, and the secret that they share."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        lost: Callable[[DeviceChain], bool],
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._lost = lost
        self._now = now
        self.put([OwnDevice(device.chain, device.name, 0)])

    # Devices.

    def devices(self) -> list[OwnDevice]:
        """All that are known, this one and revoked ones among them; the first one first."""
        rows = self._db.rows("SELECT chain, name, named FROM own_devices")
        found = [OwnDevice(DeviceChain.decode(row[0]), row[1], row[2]) for row in rows]
        return sorted(found, key=_age)

    def device(self, key: bytes) -> OwnDevice | None:
        """One of them."""
        row = self._db.row("SELECT chain, name, named FROM own_devices WHERE device = ?", key)
        return None if row is None else OwnDevice(DeviceChain.decode(row[0]), row[1], row[2])

    def live(self) -> list[OwnDevice]:
        """Those that are not revoked."""
        return [each for each in self.devices() if not self._lost(each.chain)]

    def put(self, devices: Iterable[OwnDevice]) -> bool:
        """Take in what is said of devices of ours; whether anything of it is news.

        No more than `limits.OWN_DEVICES` are kept: more than that says nobody who means well. A
        name from the future would count for ever, so it counts for nothing.
        """
        news = False
        latest = self._now() + limits.CLOCK_SECONDS
        with self._db.transaction():
            for each in devices:
                known = self.device(each.device)
                said = OwnDevice(each.chain, "", 0) if each.named > latest else each
                merged = said if known is None else self._merged(known, said)
                if merged == known:
                    continue
                if known is None and self._count() >= limits.OWN_DEVICES:
                    continue
                self._db.execute(
                    "INSERT INTO own_devices VALUES (?1, ?2, ?3, ?4, NULL) ON CONFLICT (device)"
                    " DO UPDATE SET chain = ?2, name = ?3, named = ?4",
                    merged.device, merged.chain.encoded, merged.name, merged.named,
                )  # fmt: skip
                news = True
        return news

    def _merged(self, known: OwnDevice, said: OwnDevice) -> OwnDevice:
        """Papers that lead through a revoked device give way to any that don't."""
        merged = known.merged(said)
        for chain in (known.chain, said.chain):
            if self._lost(merged.chain) and not self._lost(chain):
                return dataclasses.replace(merged, chain=chain)
        return merged

    def _count(self) -> int:
        return self._db.value("SELECT count(*) FROM own_devices")

    def seen(self, device: bytes, now: int) -> None:
        """A sibling was here until now."""
        self._db.write("UPDATE own_devices SET seen = ? WHERE device = ?", now, device)

    def last_seen(self) -> dict[bytes, int | None]:
        """When each was here last."""
        rows = self._db.rows("SELECT device, seen FROM own_devices")
        return {row["device"]: row["seen"] for row in rows}

    # The secret.

    def secret(self) -> OwnSecret | None:
        """The one that counts; None before there was a second device."""
        known = self._secrets()
        return known[0] if known else None

    def _secrets(self) -> list[OwnSecret]:
        rows = self._db.rows("SELECT * FROM own_secrets ORDER BY generation DESC, secret DESC")
        return [OwnSecret(row[0], Secret(row[1])) for row in rows]

    def make_secret(self, entropy: Entropy) -> OwnSecret:
        """The one that counts; the first one, where there is none."""
        known = self.secret()
        if known is None:
            known = OwnSecret.first(entropy)
            self.take_secret(known)
        return known

    def renew_secret(self, entropy: Entropy) -> None:
        """Another one counts from now on: a device that had it is no longer ours."""
        known = self.secret()
        if known is not None:
            self.take_secret(known.next(entropy))

    def take_secret(self, found: OwnSecret) -> bool:
        """Keep one that a sibling has; whether another one counts now.

        A number that jumps is not taken: else one device could use all of them up.
        """
        known = self.secret()
        if known is not None and found.generation > known.generation + limits.OWN_GENERATION_STEP:
            return False
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO own_secrets VALUES (?, ?)",
                found.generation, found.secret.reveal(),
            )  # fmt: skip
            self._db.execute(
                "DELETE FROM own_secrets WHERE (generation, secret) NOT IN (SELECT generation,"
                " secret FROM own_secrets ORDER BY generation DESC, secret DESC LIMIT ?)",
                1 + EARLIER_SECRETS,
            )
        return known is None or found.outranks(known)

    # Who calls and is called.

    def pinned(self) -> list[Pinned]:
        """By what this device is called by its siblings, also those that have been away while the
        secret changed: who has an earlier one still has to prove that it is not revoked.
        """
        chain = self._device.chain
        return [each.listener(chain.identity, chain.device) for each in self._secrets()]

    def siblings(self) -> list[Sibling]:
        """The other devices of ours that are not revoked."""
        secret, us = self.secret(), self._device.chain
        if secret is None:
            return []
        return [
            Sibling(
                each.device,
                each.name,
                secret.listener(us.identity, each.device),
                secret.pair(us.device, each.device),
                us.identity,
            )
            for each in self.live()
            if each.device != us.device
        ]


def _age(found: OwnDevice) -> tuple[int, int, bytes]:
    """When it was added, and who added comes before whom it added."""
    certificates = found.chain.certificates
    return certificates[-1].not_before, len(certificates), found.device
