"""Open grants: photos for whoever has certain attributes, offered to each contact who comes to.

    give          a grant is signed, for nobody in particular
    offer         each contact of whom is said what it demands gets an envelope, once
    run           the same whenever papers change, as long as the grant holds

Who has what is judged as for a fetch (`judge`), and the owner's rules are asked for each person. A
form can't be made for each, as the grant is one: whose rules demand a stricter one gets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..crypto.errors import KinlightError, MalformedError
from ..protocol.attributes import Attestation, AttributeDemand
from ..protocol.capability import WHOEVER, Capability, Caveats
from ..protocol.errors import DeniedError
from ..protocol.opening import Entropy, LocalDevice
from .errors import BadRequestError
from .grants import Grant, Grants, Terms
from .judge import Judge
from .library import Contact, Delivery, Library, Photo
from .outbox import Outbox
from .papers import Papers

OPEN: Final = "open"
"""The state of such a grant, beside those of its deliveries."""
LOOK_SECONDS: Final = 3600.0
"""How often it is looked whom the grants are for, beside whenever papers changed: what is said may
begin to count later, and rules and contacts change."""

_log = logging.getLogger(__name__)


def demands(having: Iterable[str], by: Iterable[bytes]) -> tuple[AttributeDemand, ...]:
    """What is demanded: each `NAME=VALUE`, by the word of any of `by`. `BadRequestError`."""
    issuers = frozenset(by)
    asked = {name_and_value(attribute) for attribute in having}
    found = tuple(AttributeDemand(name, value, issuers) for name, value in sorted(asked))
    try:
        Caveats.read(Caveats(attributes=found).to_value())  # as every reader will
    except MalformedError as error:
        raise BadRequestError(error.detail) from None
    return found


def name_and_value(attribute: str) -> tuple[str, str]:
    """The two halves of `NAME=VALUE`. `BadRequestError`."""
    name, mark, value = attribute.partition("=")
    if not (name and mark and value):
        raise BadRequestError("an attribute is NAME=VALUE, as role=family")
    return name, value


def described(demanded: Sequence[AttributeDemand], called: Callable[[bytes], str]) -> str:
    """Demands in words: `role=family by me or Bob`."""
    return " and ".join(
        f"{demand.name}={demand.value} by {' or '.join(sorted(map(called, demand.issuers)))}"
        for demand in demanded
    )


class OpenGrants:
    """Gives such grants, and offers their photos to those whom they are for."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        grants: Grants,
        papers: Papers,
        judge: Judge,
        outbox: Outbox,
        entropy: Entropy,
        now: Callable[[], int],
        queued: Callable[[], None],
    ) -> None:
        self._device = device
        self._library = library
        self._grants = grants
        self._papers = papers
        self._judge = judge
        self._outbox = outbox
        self._entropy = entropy
        self._now = now
        self._queued = queued
        self._nudge = asyncio.Event()

    def give(self, photo: Photo, terms: Terms) -> Grant:
        """A grant of a photo to whoever meets the demands of the terms; one that stands is that."""
        caveats = terms.caveats(photo.photo_id)
        for grant in self._grants.find_open(photo.photo_id):
            if grant.capability.links[-1].caveats == caveats and self._stands(grant):
                return grant
        capability = Capability.grant(
            self._device.signing, self._device.identity, WHOEVER, caveats, self._entropy(16)
        )
        return self._grants.add_open(photo.photo_id, capability, self._now())

    def _stands(self, grant: Grant) -> bool:
        expires = grant.capability.expires
        return (expires is None or self._now() < expires) and not self._papers.revocations.revokes(
            self._device.identity, grant.grant_hash
        )

    # Whom it is for.

    def offer(self, grant: Grant) -> Iterator[tuple[Contact, Delivery | KinlightError]]:
        """Offer the photo, because a person says so, to everybody who meets the demands now.

        Yields for each how it stands, or why it gets nothing; who was offered it before and did
        not refuse it is not asked again.
        """
        standing = {
            delivery.identity: delivery
            for delivery in self._library.deliveries(grant.photo_id)
            if delivery.grant_hash == grant.grant_hash and delivery.state != "refused"
        }
        for contact in self._meeting(grant, self._said()):
            yield contact, standing.get(contact.identity) or self._try(grant, contact)

    def _said(self) -> dict[bytes, tuple[Contact, list[Attestation]]]:
        """All who may be offered something, and what counts of what is said of each."""
        return {
            contact.identity: (contact, self._papers.valid(contact.identity))
            for contact in self._library.contacts()
            if not contact.blocked
        }

    @staticmethod
    def _meeting(
        grant: Grant, said: Mapping[bytes, tuple[Contact, list[Attestation]]]
    ) -> Iterator[Contact]:
        for identity, (contact, attestations) in said.items():
            if all(
                any(demand.met_by(found, identity) for found in attestations)
                for demand in grant.demands
            ):
                yield contact

    def _try(self, grant: Grant, contact: Contact) -> Delivery | KinlightError:
        """Queue the photo for a contact, or why not."""
        photo = self._library.photo(grant.photo_id)
        if photo is None:
            return BadRequestError("the photo was removed")
        try:
            self._check(grant, contact)
            delivery = self._outbox.queue_open(photo, contact, grant.capability)
        except KinlightError as error:
            return error
        self._queued()
        return delivery

    def _check(self, grant: Grant, contact: Contact) -> None:
        """Raise why none of a contact's devices could fetch the photo now."""
        reason: DeniedError | None = None
        for chain in self._library.devices(contact.identity):
            try:
                self._judge.check_offer(grant.capability, chain, grant.photo_id)
            except DeniedError as error:
                reason = reason or error
            else:
                return
        if reason is not None:
            raise reason

    # Those who come to meet the demands.

    def look_again(self) -> None:
        """Papers changed: somebody may meet now what is demanded."""
        self._nudge.set()

    async def run(self) -> None:
        """Offer what is open to all who come to meet the demands, now and from now on."""
        while True:
            self._nudge.clear()
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._nudge.wait()

    async def _look(self) -> None:
        said = self._said()
        for grant in self._grants.find_open():
            await asyncio.sleep(0)  # there may be many
            meeting = list(self._meeting(grant, said))
            if not meeting or not self._stands(grant):
                continue
            offered = self._grants.went_to(grant.grant_hash)
            for contact in meeting:
                if contact.identity in offered:
                    continue
                found = self._try(grant, contact)
                if isinstance(found, KinlightError):
                    _log.info("an open grant gives nothing to somebody: %s", found.code)
