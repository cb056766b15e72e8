"""Who may see what, as the owner asks and says it."""

from __future__ import annotations

from collections.abc import Callable

from ..crypto.errors import MalformedError
from ..crypto.signing import KEY_BYTES
from ..protocol import limits
from ..protocol.attributes import Attestation, AttributeDemand
from ..protocol.devices import may_add
from ..protocol.opening import LocalDevice
from ..protocol.policy_text import ME
from ..protocol.revocation import device_hash
from . import views_access
from .catalogue import Catalogue
from .contact_errors import BlockedContactError, DeviceMayNotError
from .derivations import Derivations
from .errors import BadRequestError
from .following import RANK
from .grants import Grant, Grants
from .library import Library
from .open_grants import OPEN, demands, described, name_and_value
from .outbox import Outbox
from .papers import COUNTING, Papers
from .photo_errors import AmbiguousIdError, NotGrantedError


class Granting:
    """What can be done about access on an unlocked node."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        grants: Grants,
        catalogue: Catalogue,
        derivations: Derivations,
        papers: Papers,
        outbox: Outbox,
        spread: Callable[[], None],
        lost: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """`spread` shows papers that changed; `lost` is called when a device of ours was lost."""
        self._device = device
        self._library = library
        self._grants = grants
        self._catalogue = catalogue
        self._derivations = derivations
        self._papers = papers
        self._outbox = outbox
        self._spread = spread
        self._lost = lost
        self._now = now

    def grants(self, who: str | None, photo: str | None) -> list[views_access.Grant]:
        """What was granted, the oldest first: to a contact, of a photo or of its copies, or all."""
        identity = None if who is None else self._library.contact(who).identity
        wanted = None if photo is None else self._library.find_photo_id(photo)
        given = self._grants.find(identity=identity)
        given += [
            grant
            for grant in self._grants.find_open()
            if identity is None or identity in self._grants.went_to(grant.grant_hash)
        ]
        given.sort(key=lambda grant: (grant.created, grant.grant_hash))
        found = [self._view(grant) for grant in given]
        if wanted is None:
            return found
        return [grant for grant in found if wanted.hex() in (grant.photo, grant.of)]

    # Attributes.

    def attest(self, who: str, attribute: str, until: int | None) -> views_access.Attribute:
        """Say that a contact has an attribute, `NAME=VALUE`, for 90 days if nothing is said."""
        subject = self._library.contact(who).identity
        name, value = name_and_value(attribute)
        end = self._now() + limits.ATTESTATION_SECONDS if until is None else until
        try:
            said = self._papers.attest(subject, name, value, end)
        except MalformedError as error:
            raise BadRequestError(error.detail) from None
        self._spread()
        return self._attribute(said)

    def unattest(self, who: str, attribute: str) -> list[views_access.Attribute]:
        """Take back that a contact has an attribute; `NotGrantedError` if nobody here said so."""
        subject = self._library.contact(who).identity
        wanted = name_and_value(attribute)
        said = [
            found
            for found in self._papers.attestations(subject=subject, issuer=self._device.identity)
            if (found.name, found.value) == wanted and self._papers.counts(found) in COUNTING
        ]
        if not said:
            raise NotGrantedError(attribute)
        self._papers.revoke(found.signed.digest() for found in said)
        self._spread()
        return [self._attribute(found) for found in said]

    def attributes(self, who: str | None) -> list[views_access.Attribute]:
        """What is said of a contact, or of all and of us, the one that ends first first."""
        subject = None if who is None else self._library.contact(who).identity
        return [self._attribute(said) for said in self._papers.attestations(subject=subject)]

    def _attribute(self, said: Attestation) -> views_access.Attribute:
        return views_access.Attribute(
            hash=said.signed.digest().hex(),
            who=self._called(said.subject),
            name=said.name,
            value=said.value,
            by=self._called(said.issuer),
            since=said.not_before,
            until=said.not_after,
            state=self._papers.counts(said),
            shown_to=sorted(map(self._called, self._lookers(said))),
        )

    def _lookers(self, said: Attestation) -> list[bytes]:
        return self._papers.lookers(said) if said.subject == self._device.identity else []

    def show(
        self, attribute: str, to: str, by: str | None, *, off: bool
    ) -> list[views_access.Attribute]:
        """Let a contact know what others say of us, or no longer; see `Node.show_attribute`."""
        contact = self._library.contact(to).identity
        issuer = None if by is None else self._identity(by)
        wanted = name_and_value(attribute)
        said = [
            found
            for found in self._papers.attestations(subject=self._device.identity, issuer=issuer)
            if (found.name, found.value) == wanted
            and found.issuer != contact
            and (off or self._papers.counts(found) in COUNTING)
        ]
        if not said:
            raise NotGrantedError(attribute)
        for found in said:
            (self._papers.hide if off else self._papers.show)(found, contact)
        self._spread()
        return [self._attribute(found) for found in said]

    def whoever(self, having: list[str], by: list[str]) -> tuple[tuple[AttributeDemand, ...], str]:
        """What is demanded of whoever gets a photo, and the same in words."""
        for name in by:
            if name != ME and self._library.contact(name).blocked:
                raise BlockedContactError(name)  # what it takes back would not be heard
        found = demands(having, [self._identity(name) for name in by or [ME]])
        return found, described(found, self._called)

    def _identity(self, name: str) -> bytes:
        """The reverse of `_called`, for contacts and `me`."""
        return self._device.identity if name == ME else self._library.contact(name).identity

    def _called(self, identity: bytes) -> str:
        """A contact's name; `me`; or the key of somebody unknown."""
        if identity == self._device.identity:
            return ME
        contact = self._library.contact_of(identity)
        return contact.name if contact else identity.hex()

    # Taking back.

    def revoke(
        self, *, grant: str | None, who: str | None, photo: str | None, device: str | None
    ) -> list[views_access.Revocation]:
        """Take back a grant by its hash, all of a photo to a contact, or a device of ours.

        Raises `NotGrantedError`, and `BadRequestError` unless exactly one of these is said.
        """
        match grant, who, photo, device:
            case str(), None, None, None:
                return self._revoke_grants(self._one_like(grant))
            case None, str(), str(), None:
                return self._revoke_grants(self._granted(who, photo))
            case None, None, None, str():
                return [self._revoke_device(device)]
            case _:
                raise BadRequestError("say a grant's hash, or a photo and a contact, or a device")

    def _one_like(self, prefix: str) -> list[Grant]:
        found = self._grants.like(prefix)
        if len(found) > 1:
            raise AmbiguousIdError(prefix)
        return found

    def _granted(self, who: str, photo: str) -> list[Grant]:
        """Of a photo, its copies, and its clip: a live photo is one thing to who takes it back."""
        found = self._library.find_photo_id(photo)
        wanted = {found, self._catalogue.clip_of(found)}
        return [
            grant
            for grant in self._grants.find(identity=self._library.contact(who).identity)
            if not wanted.isdisjoint((grant.photo_id, self._derivations.source(grant.photo_id)))
        ]

    def _revoke_grants(self, found: list[Grant]) -> list[views_access.Revocation]:
        standing = [grant for grant in found if self._state(grant) not in ("expired", "revoked")]
        if not standing:
            raise NotGrantedError
        self._papers.revoke(grant.grant_hash for grant in standing)
        for grant in standing:
            self._outbox.withdraw(grant.photo_id, grant.grant_hash)
        self._spread()
        return [
            views_access.Revocation(
                grant.grant_hash.hex(), "grant", grant.photo_id.hex(), self._to(grant)
            )
            for grant in standing
        ]

    def _revoke_device(self, device: str) -> views_access.Revocation:
        try:
            key = bytes.fromhex(device)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise BadRequestError("a device is the 64 hex digits of its key")
        if key == self._device.signing.public:
            raise BadRequestError("that is this very device: it would take back its own word")
        if not may_add(self._device.chain):
            raise DeviceMayNotError
        self._papers.revoke([device_hash(key)])
        self._spread()
        self._lost()
        return views_access.Revocation(device_hash(key).hex(), "device", key.hex(), ME)

    # What a grant looks like.

    def _view(self, grant: Grant) -> views_access.Grant:
        capability = grant.capability
        photo = self._library.photo(grant.photo_id)
        rendition = capability.rendition
        went_to = set[bytes]() if grant.identity else self._grants.went_to(grant.grant_hash)
        return views_access.Grant(
            hash=grant.grant_hash.hex(),
            photo=grant.photo_id.hex(),
            of=self._derivations.source(grant.photo_id).hex(),
            name=photo.metadata.name if photo else "",
            to=self._to(grant),
            operations=sorted(capability.links[-1].caveats.operations or ()),
            max_px=rendition.max_px,
            location="removed" if rendition.location_removed else "kept",
            watermarked=rendition.watermarked,
            until=capability.expires,
            state=self._state(grant),
            created=grant.created,
            went_to=sorted(map(self._called, went_to)),
            author=self._called(capability.links[0].issuer),
            parent=capability.links[-1].parent.hex() or None,
        )

    def _to(self, grant: Grant) -> str:
        if grant.identity is None:
            return described(grant.demands, self._called)
        return self._called(grant.identity)

    def _state(self, grant: Grant) -> str:
        expires = grant.capability.expires
        if expires is not None and expires <= self._now():
            return "expired"
        if grant.capability.revoked(self._papers.revocations) is not None:
            return "revoked"
        if grant.identity is None:
            return OPEN
        states = [
            delivery.state
            for delivery in self._library.deliveries(grant.photo_id)
            if delivery.grant_hash == grant.grant_hash
        ]
        # The best news of its devices counts.
        return max(states, key=RANK.__getitem__, default="queued")
