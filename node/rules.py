"""The owner's rules as this node keeps and asks them; the decision is `protocol/policy`.

Without rules nothing is forbidden by them. With rules, what no rule allows is denied, when it is
granted and again each time that it is fetched.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import product
from typing import Final

from ..protocol import policy_text
from ..protocol.errors import BadPolicyError, PolicyDeniedError
from ..protocol.opening import LocalDevice
from ..protocol.policy import NETWORKS, Decision, Facts, Rule, decide
from ..protocol.policy_text import ME
from ..protocol.rendition import ORIGINAL, Rendition
from . import facts as pictures
from . import forms, names, sniffing, views_access
from .catalogue import Catalogue
from .derivations import Derivations
from .forms import Form
from .library import Library
from .marks import Marks
from .papers import Papers

FRESH_SECONDS: Final = 15 * 60
"""How long after the pass phrase was given its owner counts as being there."""
RULES_SETTING: Final = "policy"
TEXT_SETTING: Final = "policy-text"


class Rules:
    """Keeps the rules and asks them about a photo, a person and a moment."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        catalogue: Catalogue,
        marks: Marks,
        derivations: Derivations,
        papers: Papers,
        roles: Callable[[bytes], frozenset[tuple[str, str, bytes]]],
        now: Callable[[], int],
    ) -> None:
        """`roles` are the attributes that somebody has by their roles in albums."""
        self._device = device
        self._library = library
        self._catalogue = catalogue
        self._marks = marks
        self._derivations = derivations
        self._papers = papers
        self._roles = roles
        self._now = now
        self._present = now()
        kept = library.setting(RULES_SETTING)
        self._rules = None if kept is None else policy_text.parse(kept.decode(), {})

    def present(self) -> None:
        """The owner is here: the pass phrase was given just now."""
        self._present = self._now()

    # The text.

    def put(self, text: str) -> tuple[Rule, ...]:
        """Take these rules in place of all others; no rules at all forbid nothing.

        Raises `BadPolicyError` and changes nothing.
        """
        rules = policy_text.parse(text, self._names())
        # By key, so that a contact who is renamed keeps what the rules give.
        by_key = policy_text.write(rules, {}) if rules else ""
        self._library.set_setting(RULES_SETTING, by_key.encode())
        self._library.set_setting(TEXT_SETTING, text.encode())
        self._rules = rules
        return rules

    def kept(self) -> tuple[str, str] | None:
        """The rules by people's keys, and as they were written; None if there never were any."""
        by_key, text = self._library.setting(RULES_SETTING), self._library.setting(TEXT_SETTING)
        return None if by_key is None else (by_key.decode(), (text or b"").decode())

    def take(self, by_key: str, text: str) -> None:
        """Take the rules of another device of ours. Raises `BadPolicyError` and changes nothing."""
        rules = policy_text.parse(by_key, {}) if by_key else ()
        self._library.set_setting(RULES_SETTING, by_key.encode())
        self._library.set_setting(TEXT_SETTING, text.encode())
        self._rules = rules

    def text(self) -> str:
        """The rules as they were written, or by today's names if those are others."""
        kept = (self._library.setting(TEXT_SETTING) or b"").decode()
        names = self._names()
        try:
            same = policy_text.parse(kept, names) == (self._rules or ())
        except BadPolicyError:
            same = False
        return kept if same else policy_text.write(self._rules or (), names)

    def view(self) -> views_access.Policy:
        """The text, the names of the rules, and albums in them that are not here."""
        rules = self._rules or ()
        here = {names.folded(album.name) for album in self._catalogue.albums()}
        named = {album for rule in rules for album in rule.albums or ()}
        missing = sorted(album for album in named if names.folded(album) not in here)
        return views_access.Policy(self.text(), [rule.name for rule in rules], missing)

    def _names(self) -> dict[str, bytes]:
        contacts = {contact.name: contact.identity for contact in self._library.contacts()}
        return {**contacts, ME: self._device.identity}

    @property
    def there(self) -> bool:
        """Whether there are rules."""
        return bool(self._rules)

    def restore(self, by_key: str, text: str) -> bool:
        """Take rules that come back, by the keys of contacts, unless there are rules here; whether
        they were taken. Raises `BadPolicyError`.
        """
        if self._rules is not None or not by_key:
            return False
        rules = policy_text.parse(by_key, {})
        self._library.set_setting(RULES_SETTING, by_key.encode())
        self._library.set_setting(TEXT_SETTING, text.encode())
        self._rules = rules
        return True

    # What they say.

    def form(self, photo_id: bytes, identity: bytes, form: Form, operations: Iterable[str]) -> Form:
        """In which form the rules let somebody have a photo: that of the command, or less.

        Raises `PolicyDeniedError`, and `UnmadeRenditionError` for what can't be made here.
        """
        if not self._rules:
            return form
        for action in sorted(operations):
            form = form.meeting(self._allowed(self.best(photo_id, identity, action)))
        return form

    def demand(self, photo_id: bytes, identity: bytes, actions: Iterable[str]) -> Rendition:
        """The least strict rendition in which the rules let somebody have a photo for all of this.

        Raises `PolicyDeniedError`.
        """
        demand = ORIGINAL
        for action in sorted(actions):
            demand = demand.combine(self._allowed(self.best(photo_id, identity, action)))
        return demand

    def serve(
        self,
        photo_id: bytes,
        identity: bytes,
        device: bytes,
        network: str,
        given: Rendition,
        action: str = "view",
    ) -> None:
        """Return if the rules let somebody have this rendition here and now; else raise why not."""
        if not self._rules:
            return
        demand = self._allowed(self.decide(photo_id, identity, action, network, device))
        if not given.at_least_as_strict_as(demand):
            forms.check_made(demand)
            raise PolicyDeniedError("not in this form")

    @staticmethod
    def _allowed(decision: Decision) -> Rendition:
        if not decision.allowed:
            raise PolicyDeniedError(decision.rule or "no rule allows it")
        return decision.rendition

    def best(
        self,
        photo_id: bytes,
        identity: bytes,
        action: str,
        networks: Collection[str] = NETWORKS,
    ) -> Decision:
        """What the rules say before it is known from where somebody will ask.

        It is allowed if it is on any way and from any device of theirs, in the form that is strict
        enough for all of these; each fetch is then judged by the way that it really comes.
        """
        if not self._rules:
            return Decision(True)
        devices = [chain.device for chain in self._library.devices(identity)] or [None]
        ways = product(networks, devices)
        said = [self.decide(photo_id, identity, action, *way) for way in ways]
        allowed = [decision for decision in said if decision.allowed]
        if not allowed:
            return said[0]
        demand = ORIGINAL
        for decision in allowed:
            demand = demand.combine(decision.rendition)
        first = allowed[0]
        return Decision(True, first.rule, first.facts, demand)

    def decide(
        self,
        photo_id: bytes,
        identity: bytes,
        action: str,
        network: str | None,
        device: bytes | None,
    ) -> Decision:
        """What the rules say; without rules, that it is allowed as it is."""
        if not self._rules:
            return Decision(True)
        facts = self._facts(photo_id, identity, action, network, device)
        return decide([_folded(rule) for rule in self._rules], facts)

    def _facts(
        self,
        photo_id: bytes,
        identity: bytes,
        action: str,
        network: str | None,
        device: bytes | None,
    ) -> Facts:
        now = self._now()
        here = datetime.datetime.fromtimestamp(now)  # noqa: DTZ006 - the owner's own day
        source = self._derivations.source(photo_id)
        looked = self._catalogue.facts(source)
        said = self._papers.valid(identity)
        return Facts(
            action,
            attributes=self._roles(identity).union(
                (each.name, each.value, each.issuer) for each in said
            ),
            albums=frozenset(map(names.folded, self._catalogue.albums_of(photo_id))),
            tags=self._marks.tags_alike(photo_id),
            sensitivity=self._marks.sensitivity_alike(photo_id),
            has_location=_has_location(looked),
            minute=60 * here.hour + here.minute,
            day=here.date(),
            network=network,
            device=device,
            fresh_factor=0 <= now - self._present < FRESH_SECONDS,
        )


def _folded(rule: Rule) -> Rule:
    """The rule with its words as they are compared: albums and tags are the same in any case."""

    def fold(words: frozenset[str] | None) -> frozenset[str] | None:
        return None if words is None else frozenset(map(names.folded, words))

    return replace(rule, albums=fold(rule.albums), tags=fold(rule.tags))


def _has_location(looked: pictures.Facts | None) -> bool | None:
    """Whether a picture tells its place; not known unless it was really read."""
    if looked is None:
        return None
    read = looked.format in sniffing.READ and looked.refused is None
    return looked.location or (False if read else None)
