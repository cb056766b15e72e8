"""Why somebody may or may not have a photo: the rules, the grants, and the facts that were used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, cast

from ..protocol.judging import Fact
from ..protocol.opening import LocalDevice
from ..protocol.policy import ACTIONS, NETWORKS
from ..protocol.policy_text import ME
from . import views_access
from .derivations import Derivations
from .errors import BadRequestError
from .grants import Grants
from .judge import Judge
from .library import Library
from .photo_errors import NotHereYetError
from .rules import Rules

NOT_GRANTED: Final = "not-granted"


class Explainer:
    """Asks the same questions as a fetch does, and tells what was answered."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        grants: Grants,
        derivations: Derivations,
        judge: Judge,
        rules: Rules,
    ) -> None:
        self._device = device
        self._library = library
        self._grants = grants
        self._derivations = derivations
        self._judge = judge
        self._rules = rules

    def explain(
        self, who: str, photo: str, operation: str, network: str | None
    ) -> views_access.Explanation:
        """What would be said to a contact who asks now; see `Node.explain`."""
        if operation not in ACTIONS:
            raise BadRequestError(f"op is one of {', '.join(ACTIONS)}")
        if network not in (None, *NETWORKS):
            raise BadRequestError(f"network is one of {', '.join(NETWORKS)}")
        contact = self._library.contact(who)
        photo_id = self._library.find_photo_id(photo)
        if self._library.photo(photo_id) is None:
            raise NotHereYetError
        identity = contact.identity
        networks = NETWORKS if network is None else (network,)
        decision = self._rules.best(photo_id, identity, operation, networks)
        judged = self._judged(photo_id, identity, operation, networks)
        granted = any(code is None for _, code in judged.values())
        if not decision.allowed:
            code: str | None = "policy-denied"
        elif granted:
            code = None
        else:
            code = next((code for _, code in judged.values()), NOT_GRANTED)
        return views_access.Explanation(
            who=contact.name,
            photo=photo_id.hex(),
            operation=operation,
            allowed=code is None,
            code=code,
            policy=("allow" if decision.allowed else "deny") if self._rules.there else None,
            rule=decision.rule,
            max_px=decision.rendition.max_px,
            location="removed" if decision.rendition.location_removed else "kept",
            watermarked=decision.rendition.watermarked,
            facts=self._shown(decision.facts),
            grants=[
                views_access.JudgedGrant(digest, code, self._shown(facts))
                for digest, (facts, code) in judged.items()
            ],
        )

    def _judged(
        self, photo_id: bytes, identity: bytes, operation: str, networks: Collection[str]
    ) -> dict[str, tuple[Sequence[Fact], str | None]]:
        """Each grant of the photo or of a copy of it, to this contact or to whoever has something:
        the facts, and why it denies if it does.
        """
        devices = [chain.device for chain in self._library.devices(identity)] or [identity]
        found: dict[str, tuple[Sequence[Fact], str | None]] = {}
        for grant in (*self._grants.find(identity=identity), *self._grants.find_open()):
            given = self._library.photo(grant.photo_id)
            of_it = photo_id in (grant.photo_id, self._derivations.source(grant.photo_id))
            if given is None or not of_it:
                continue
            verdict = self._judge.explain(
                grant.capability, identity, devices, given, operation, networks
            )
            found[grant.grant_hash.hex()] = verdict.facts, verdict.code or None
        return found

    def _shown(self, facts: Sequence[Fact]) -> list[list[str]]:
        return [[name, self._called(value) or _text(value)] for name, value in facts]

    def _called(self, value: object) -> str | None:
        """Who a fact is about, if it is somebody known: whose word it was, say."""
        if not isinstance(value, bytes):
            return None
        if value == self._device.identity:
            return ME
        contact = self._library.contact_of(value)
        return contact.name if contact else None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in cast("tuple[object, ...]", value))
    return "not known" if value is None else str(value)
