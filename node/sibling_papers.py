"""Rules and attributes, as devices of ours tell each other of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..protocol import limits
from ..protocol.attributes import Attestation
from ..protocol.sibling_kinds import ATTESTATION, RULES, SHOWN, octets_of, shown_of, texts_of
from ..protocol.siblings import present
from .database import Database
from .library import Library
from .papers import Papers
from .rules import Rules
from .sibling_tellers import UNSAID, Said, ThereOrNot, WordForWord


class RulesTeller(WordForWord):
    """The owner's rules, which are one text: of two the later one counts, as a whole."""

    kinds = (RULES,)

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here."""
        del kind, subject
        kept = self._rules.kept()
        return UNSAID if kept is None else present(*kept)

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here."""
        del subject
        if value is not None:
            by_key, text = texts_of(value, kind, 2, limits.POLICY_BYTES)
            self._rules.take(by_key, text)


class AttributeTeller(ThereOrNot):
    """What people say of people, and which contacts may know what is said of us."""

    kinds = (ATTESTATION, SHOWN)

    def __init__(
        self,
        *,
        database: Database,
        library: Library,
        papers: Papers,
        own_devices: Callable[[], Mapping[bytes, bytes]],
    ) -> None:
        self._db = database
        self._library = library
        self._papers = papers
        self._own_devices = own_devices

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here. An attestation is not said to be gone: it ends, or is revoked."""
        if kind == ATTESTATION:
            found = self._db.value("SELECT statement FROM attestations WHERE digest = ?", subject)
            return UNSAID if found is None else present(found)
        there = self._db.value(
            "SELECT 1 FROM shown_attributes"
            " WHERE identity = ? AND issuer = ? AND name = ? AND value = ?",
            *shown_of(subject),
        )
        return None if there is None else present()

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here. An attestation is taken if its signer's papers are known here."""
        if kind == ATTESTATION:
            if value is not None:
                self._attest(Attestation.decode(*octets_of(value, kind, 1, 1024)))
            return
        shown = shown_of(subject)
        if value is None:
            self._db.write(
                "DELETE FROM shown_attributes"
                " WHERE identity = ? AND issuer = ? AND name = ? AND value = ?",
                *shown,
            )
        elif self._library.contact_of(shown[0]) is not None:
            self._db.write("INSERT OR IGNORE INTO shown_attributes VALUES (?, ?, ?, ?)", *shown)

    def _attest(self, said: Attestation) -> None:
        devices = {chain.device: said.issuer for chain in self._library.devices(said.issuer)}
        self._papers.take([said], {**devices, **self._own_devices()})
