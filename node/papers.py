"""Papers: what people say about people, and what they took back. Signed, kept, shown to contacts.

It shares the database with `library`. What is in here was verified before it came in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ..crypto.identity import DeviceCertificate
from ..crypto.signing import SigningKey
from ..protocol import limits
from ..protocol.attributes import Attestation, Attributes
from ..protocol.capability import Capability
from ..protocol.devices import may_add
from ..protocol.errors import RevocationsFullError, RevokedDeviceError, TooMuchError
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.revocation import RevocationList, Revocations, Standing
from .database import Database, Row, where
from .errors import BadRequestError

KEPT_PER_ISSUER: Final = 256
"""Attestations of somebody else about us that are kept, the latest: nobody fills this disk with
words."""
KEPT_OF_OTHERS: Final = 64
"""The same about anybody else."""
CERTIFIED_KEPT: Final = 4 * limits.OWN_DEVICES
"""Devices of one certifier that are known to go with it: more has nobody who means well."""
LAST_SECOND: Final = 2**63 - 1
"""That the database can hold; the format goes further."""
COUNTING: Final = ("valid", "not-yet")
"""How an attestation stands that counts, now or later."""


class Papers:
    """Attestations and lists of revocations, ours and those of others."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._entropy = entropy
        self._now = now
        self._revocations = Revocations(
            {row["issuer"]: _standing(row) for row in database.rows("SELECT * FROM revocations")},
            own=device.identity,
            certified_by={
                (row["identity"], row["device"]): row["issuer"]
                for row in database.rows("SELECT * FROM certified_by")
            },
        )
        self.note(device.chain.certificates)

    # Attestations.

    def attest(self, subject: bytes, name: str, value: str, until: int) -> Attestation:
        """Say that somebody has an attribute. `MalformedError` for what nobody could read."""
        now = self._now()
        if not 0 < until - now <= limits.ATTESTATION_SECONDS:
            days = limits.ATTESTATION_SECONDS // 86_400
            raise BadRequestError(
                f"its end is ahead, at most {days} days; it can be said again then"
            )
        said = Attestation.issue(
            self._device.signing,
            self._device.identity,
            subject,
            name,
            value,
            now,
            until,
            self._entropy(16),
        )
        self._put(said)
        return said

    def attestations(
        self, *, subject: bytes | None = None, issuer: bytes | None = None
    ) -> list[Attestation]:
        """What is said of somebody or by somebody, valid or not, the latest end last."""
        condition, values = where(subject=subject, issuer=issuer)
        rows = self._db.rows(
            f"SELECT statement FROM attestations WHERE {condition}"  # noqa: S608
            " ORDER BY not_after, digest",
            *values,
        )
        return [Attestation.decode(row[0]) for row in rows]

    def counting(self, subject: bytes) -> list[Attestation]:
        """What is said of somebody by those whose word may count: of a contact who is blocked
        nothing is heard any more, so what it took back would not be known.
        """
        rows = self._db.rows("SELECT identity FROM contacts WHERE blocked")
        blocked = {row[0] for row in rows}
        return [said for said in self.attestations(subject=subject) if said.issuer not in blocked]

    def valid(self, subject: bytes) -> list[Attestation]:
        """What is said of somebody that counts now."""
        return [said for said in self.counting(subject) if self.counts(said) == "valid"]

    def attributes(self, subject: bytes) -> Attributes:
        """What is said of somebody, for a judgement."""
        return Attributes(tuple(self.counting(subject)))

    def counts(self, said: Attestation) -> str:
        """`valid`, or why an attestation does not count: `not-yet`, `expired`, `revoked`."""
        now = self._now()
        if now < said.not_before:
            return "not-yet"
        if not said.holds(now):
            return "expired"
        known = self._revocations
        if known.revokes(said.issuer, said.signed.digest()) or known.revokes_device(
            said.issuer, said.signer
        ):
            return "revoked"
        return "valid"

    def take(self, shown: Iterable[Attestation], devices: Mapping[bytes, bytes]) -> bool:
        """Keep those that are by who they say; whether any is news."""
        before = self._count()
        for said in Attributes.verified(shown, devices).attestations:
            self._put(said)
        return self._count() != before

    def _count(self) -> int:
        return self._db.value("SELECT count(*) FROM attestations")

    def _put(self, said: Attestation) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO attestations VALUES (?, ?, ?, ?, ?)",
                said.signed.digest(), said.issuer, said.subject,
                min(said.not_after, LAST_SECOND), said.signed.encode(),
            )  # fmt: skip
            if said.issuer == self._device.identity:
                return  # a denying rule may rest on any of our own words
            self._db.execute(
                "DELETE FROM attestations WHERE issuer = ?1 AND subject = ?2 AND digest NOT IN"
                " (SELECT digest FROM attestations WHERE issuer = ?1 AND subject = ?2"
                " ORDER BY not_after DESC, digest LIMIT ?3)",
                said.issuer, said.subject,
                KEPT_PER_ISSUER if said.subject == self._device.identity else KEPT_OF_OTHERS,
            )  # fmt: skip

    # What others say of us, and whom we let know it.

    def show(self, said: Attestation, identity: bytes) -> None:
        """Let a contact know that its issuer says this of us, now and whenever it is said again."""
        self._db.write(
            "INSERT OR IGNORE INTO shown_attributes VALUES (?, ?, ?, ?)",
            identity, said.issuer, said.name, said.value,
        )  # fmt: skip

    def hide(self, said: Attestation, identity: bytes) -> None:
        """Don't let it know any more. What it was told it knows."""
        self._db.write(
            "DELETE FROM shown_attributes"
            " WHERE identity = ? AND issuer = ? AND name = ? AND value = ?",
            identity, said.issuer, said.name, said.value,
        )  # fmt: skip

    def shown_to(self, identity: bytes) -> list[Attestation]:
        """What others say of us that a contact may know."""
        rows = self._db.rows(
            "SELECT issuer, name, value FROM shown_attributes WHERE identity = ?", identity
        )
        shown = {(row["issuer"], row["name"], row["value"]) for row in rows}
        about_us = self.attestations(subject=self._device.identity) if shown else []
        return [said for said in about_us if (said.issuer, said.name, said.value) in shown]

    def lookers(self, said: Attestation) -> list[bytes]:
        """The contacts that may know this of us."""
        rows = self._db.rows(
            "SELECT identity FROM shown_attributes WHERE issuer = ? AND name = ? AND value = ?",
            said.issuer, said.name, said.value,
        )  # fmt: skip
        return [row[0] for row in rows]

    # Revocations.

    @property
    def revocations(self) -> Revocations:
        """All lists that are known."""
        return self._revocations

    def own_list(self) -> RevocationList | None:
        """Our own list, signed again if it is a day old; None if nothing was ever taken back."""
        standing = self._revocations.known.get(self._device.identity)
        if standing is None:
            return None
        try:
            return self._renewed(standing)
        except RevocationsFullError:  # the highest number: it says what it says, and gets stale
            return standing.newest

    def _renewed(
        self, standing: Standing, add: Iterable[bytes] = (), drop: Iterable[bytes] = ()
    ) -> RevocationList:
        """Our next list, kept. A device that was revoked signs none."""
        certifier = self._certifier
        if self._revocations.revokes_chain(self._device.chain):
            return standing.newest
        renewed = standing.renewed(
            self._device.signing, self._now(), certifier=certifier, add=add, drop=drop
        )
        after = standing.take(renewed, certifier=certifier)
        if after is not standing:
            self._keep(after)
        return renewed

    @property
    def _certifier(self) -> bool:
        return may_add(self._device.chain)

    def own_lists(self) -> list[RevocationList]:
        """All that a sibling, or a contact, has to see to know what we took back."""
        if self.own_list() is None:
            return []
        return list(self._revocations.known[self._device.identity].lists)

    def revoke(self, hashes: Iterable[bytes]) -> RevocationList:
        """Take back what the hashes name. Raises `RevocationsFullError`.

        A full list first loses what it need not say any more.
        """
        signing, identity = self._device.signing, self._device.identity
        standing = self._revocations.known.get(identity)
        if standing is None:
            first = RevocationList.sign(signing, identity, 1, self._now(), hashes)
            self._keep(Standing.of(first, certifier=self._certifier))
            return first
        added = frozenset(hashes)
        try:
            return self._renewed(standing, add=added)
        except RevocationsFullError:
            return self._renewed(standing, add=added, drop=self._over())

    def revoke_by_root(
        self, root: SigningKey, hashes: Iterable[bytes], drop: Iterable[bytes] = ()
    ) -> None:
        """Take back what the hashes name by the root key, and let what `drop` names count again.

        Its number is the time: devices count, so theirs follow it. Ours follows at once, since
        older nodes know no list of a root key.
        """
        standing = self._revocations.known.get(self._device.identity)
        known = frozenset[bytes]() if standing is None else standing.hashes
        listed = (known | frozenset(hashes)) - frozenset(drop)
        before = 0 if standing is None or standing.root is None else standing.root.seq
        now = self._now()
        found = RevocationList.sign(root, self._device.identity, max(now, before + 1), now, listed)
        self._keep(Standing(found, root=found))
        self.revoke(())

    def _over(self) -> set[bytes]:
        """Hashes of what we said and granted that ended so long ago that no clock revives it."""
        then = self._now() - limits.REVOCATIONS_SECONDS
        said = self._db.rows(
            "SELECT digest FROM attestations WHERE issuer = ? AND not_after <= ?",
            self._device.identity, then,
        )  # fmt: skip
        given = self._db.rows(
            "SELECT grant_hash, capability FROM grants"
            " UNION ALL SELECT grant_hash, capability FROM open_grants"
        )
        over = {row["digest"] for row in said}
        for row in given:
            expires = Capability.decode(row["capability"]).expires
            if expires is not None and expires <= then:
                over.add(row["grant_hash"])
        return over

    def take_list(
        self, found: RevocationList, devices: Mapping[bytes, bytes], *, certifier: bool
    ) -> bool:
        """Keep a list that came if it is by who it says, and newer; whether it is news. `certifier`
        says whether its signer may certify devices.

        Raises `BrokenRevocationsError`, and what `Standing.take` raises.
        """
        found.verify(devices)
        certifies = self._revocations.certified_by.get((found.issuer, found.signer), b"")
        if self._revocations.revokes_device(found.issuer, certifies):
            raise RevokedDeviceError
        standing = self._revocations.known.get(found.issuer)
        after = (
            Standing.of(found, certifier=certifier)
            if standing is None
            else standing.take(found, certifier=certifier)
        )
        if after is standing:
            return False
        self._keep(after)
        return True

    def join_in(self, hashes: Iterable[bytes]) -> None:
        """Devices of ours that did not know of each other took back different things: our next list
        has what both did.
        """
        known = self._revocations.known.get(self._device.identity)
        missing = frozenset(hashes) - (known.hashes if known else frozenset()) - self._over()
        if missing:
            self.revoke(missing)

    def note(self, certificates: Iterable[DeviceCertificate]) -> None:
        """Remember which device certified which, anybody's: they go with it. All were verified.

        Where two certified the same, one that is not revoked counts. Raises `TooMuchError`: what
        a device beyond all bounds signed is not to be taken, as it would go with nobody.
        """
        known = self._revocations.certified_by
        changes: dict[tuple[bytes, bytes], bytes | None] = {}
        for each in certificates:
            whose = each.identity, each.device
            earlier = changes.get(whose, known.get(whose))
            if each.issuer == each.identity:
                if earlier is not None:
                    changes[whose] = None  # by the root key: it goes with nobody
            elif earlier is None or self._revocations.revokes_device(each.identity, earlier):
                changes[whose] = each.issuer
        changes = {whose: by for whose, by in changes.items() if by != known.get(whose)}
        if not changes:
            return
        # Of each certifier: a stolen one takes no room from the others.
        for issuer in {by for by in changes.values() if by is not None}:
            new = sum(by == issuer for by in changes.values())
            if new + sum(by == issuer for by in known.values()) > CERTIFIED_KEPT:
                raise TooMuchError("devices by one certifier")
        after = dict(known)
        with self._db.transaction():
            for whose, issuer in changes.items():
                after.pop(whose, None)
                self._db.execute(
                    "DELETE FROM certified_by WHERE identity = ? AND device = ?", *whose
                )
                if issuer is not None:
                    after[whose] = issuer
                    self._db.execute("INSERT INTO certified_by VALUES (?, ?, ?)", *whose, issuer)
        self._revocations = dataclasses.replace(self._revocations, certified_by=after)

    def _keep(self, standing: Standing) -> None:
        issuer = standing.newest.issuer
        first, second = standing.fork or (None, None)
        self._db.write(
            "INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?, ?, ?, ?)",
            issuer,
            standing.newest.signed.encode(),
            first and first.signed.encode(),
            second and second.signed.encode(),
            standing.root and standing.root.signed.encode(),
            standing.minor and standing.minor.signed.encode(),
            int(standing.decides),
        )
        known = {**self._revocations.known, issuer: standing}
        self._revocations = dataclasses.replace(self._revocations, known=known)

    @property
    def forks(self) -> list[bytes]:
        """Identities of which a device signed two lists of one number: it lied."""
        return [issuer for issuer, found in self._revocations.known.items() if found.is_lie]


def _standing(row: Row) -> Standing:
    newest = RevocationList.decode(row["newest"])
    root = None if row["root"] is None else RevocationList.decode(row["root"])
    if root is not None and root.signed.body == newest.signed.body:
        root = newest
    minor = None if row["minor"] is None else RevocationList.decode(row["minor"])
    fork = None
    if row["fork_first"] is not None:
        fork = RevocationList.decode(row["fork_first"]), RevocationList.decode(row["fork_second"])
    return Standing(newest, fork, root, minor, bool(row["decides"]))
