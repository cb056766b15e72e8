"""Judging: what a verified chain says to a request, and which of its conditions decided.

A `Request` holds the facts as the judge knows them. A condition about a fact that isn't known
denies. The answer is a `Verdict`, a value; sentences are made elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .attributes import Attestation, AttributeDemand, Attributes
from .caveats import Caveats
from .errors import (
    DeniedError,
    EarlyGrantError,
    ExpiredGrantError,
    MissingAttributeError,
    OperationDeniedError,
    OtherNetworkError,
    OtherRenditionError,
    OutOfScopeError,
    RevokedDeviceError,
    StaleRevocationsError,
    UnknownCaveatError,
    UsedUpGrantError,
)
from .rendition import ORIGINAL, Rendition, named
from .revocation import Revocations

Fact: TypeAlias = "tuple[str, int | str | bytes | tuple[str, ...] | tuple[bytes, ...] | None]"
"""What was looked at, and what it was."""

SENSITIVE: Final = ("reshare", "contribute")
"""Operations that need to know that nothing was revoked lately; viewing the original is another."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for what, when, and what the judge knows besides.

    `now` is in seconds since 1970, by the judge's own clock. `rendition` is the one that would be
    given. `albums` are those that the photo is in, `network` is `lan` or another name, `uses` is
    how often the grant was used before; None where the judge can't tell.
    """

    identity: bytes
    device: bytes
    photo_id: bytes
    operation: str
    rendition: Rendition | str
    now: int
    albums: frozenset[bytes] | None = None
    network: str | None = None
    uses: int | None = None
    attributes: Attributes = field(default=Attributes())
    revocations: Revocations = field(default=Revocations())

    @property
    def sensitive(self) -> bool:
        """Whether it may only be allowed on fresh knowledge of what was revoked."""
        return self.operation in SENSITIVE or named(self.rendition) in (ORIGINAL, None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed, if `error` is None. Otherwise which link, counted from 0, and which of its caveats
    (or `audience`, `signature`, `succession`, `revocation`, `unknown`) denied, by which facts.
    """

    error: type[DeniedError] | None = None
    link: int | None = None
    caveat: str = ""
    facts: tuple[Fact, ...] = ()
    detail: str = ""

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return self.error is None

    @property
    def code(self) -> str:
        """The error's code, or nothing."""
        return self.error.code if self.error else ""

    def enforce(self) -> None:
        """Raise the reason, if it is denied."""
        if self.error is not None:
            raise self.error(self.detail)


@dataclass(frozen=True, slots=True)
class Denial:
    """Which condition of a link does not hold, and why."""

    error: type[DeniedError]
    caveat: str
    facts: tuple[Fact, ...] = ()
    detail: str = ""


def check(
    caveats: Caveats, request: Request, holder: bytes, following: int
) -> tuple[Denial | None, Sequence[Fact]]:
    """The first condition of a link that does not hold, and the facts that were used.

    `holder` is the identity that the link is for: who asks, or who wrote the next link.
    `following` is how many links come after it.
    """
    facts: list[Fact] = []
    for error, caveat, fact in _failures(caveats, request, holder, following):
        facts.append(fact)
        if error is not None:
            known = caveat if error is UnknownCaveatError and caveat != "unknown" else ""
            return Denial(error, caveat, (fact,), known), facts
    return None, facts


_Finding: TypeAlias = "tuple[type[DeniedError] | None, str, Fact]"


def _failures(
    caveats: Caveats, request: Request, holder: bytes, following: int
) -> Iterator[_Finding]:
    """Each condition in the order of the specification, with what speaks against it if anything."""

    def unless(holds: bool, error: type[DeniedError]) -> type[DeniedError] | None:
        return None if holds else error

    if caveats.unknown is not None:
        yield UnknownCaveatError, "unknown", ("unknown", None)
    now: Fact = ("now", request.now)
    if caveats.after is not None:
        yield unless(request.now >= caveats.after, EarlyGrantError), "after", now
    if caveats.before is not None:
        yield unless(request.now < caveats.before, ExpiredGrantError), "before", now
    if caveats.album is not None:
        if request.albums is None:
            yield UnknownCaveatError, "album", ("albums", None)
        else:
            albums: Fact = ("albums", tuple(sorted(request.albums)))
            yield unless(caveats.album in request.albums, OutOfScopeError), "album", albums
    if caveats.photos is not None:
        photo: Fact = ("photo", request.photo_id)
        yield unless(request.photo_id in caveats.photos, OutOfScopeError), "photos", photo
    operation: Fact = ("operation", request.operation)
    if caveats.operations is not None:
        granted = request.operation in caveats.operations
        yield unless(granted, OperationDeniedError), "ops", operation
    if caveats.max_depth is not None:
        spent = request.operation == "reshare" and following >= caveats.max_depth
        yield unless(not spent, OperationDeniedError), "max_depth", operation
    if caveats.rendition is not None:
        demanded, given = named(caveats.rendition), named(request.rendition)
        strict = (
            demanded is not None and given is not None and given.at_least_as_strict_as(demanded)
        )
        yield unless(strict, OtherRenditionError), "rendition", ("rendition", _shown(given))
    if caveats.network is not None:
        if request.network is None:
            yield UnknownCaveatError, "network", ("network", None)
        else:
            here = request.network == caveats.network
            yield unless(here, OtherNetworkError), "network", ("network", request.network)
    if caveats.count is not None:
        if request.uses is None:
            yield UnknownCaveatError, "count", ("uses", None)
        else:
            left = request.uses < caveats.count
            yield unless(left, UsedUpGrantError), "count", ("uses", request.uses)
    for demand in caveats.attributes:
        yield _attribute(demand, request, holder)


def _shown(rendition: Rendition | None) -> tuple[str, ...] | None:
    return None if rendition is None else tuple(str(item) for item in rendition.to_value())


def _attribute(demand: AttributeDemand, request: Request, holder: bytes) -> _Finding:
    """Whether somebody whose word counts says now that the holder has the attribute."""
    reasons: list[str] = []
    errors: list[type[DeniedError]] = []
    for found in request.attributes.about(holder, demand):
        against = standing(found, request)
        if against is None:
            return None, "attr", (f"{demand.name}={demand.value}", found.issuer)
        reasons.append(against)
        errors.append(StaleRevocationsError if against == "stale" else MissingAttributeError)
    # One that would count but for an old list is nearest to being enough.
    error = StaleRevocationsError if StaleRevocationsError in errors else MissingAttributeError
    return error, "attr", (f"{demand.name}={demand.value}", tuple(reasons))


def standing(attestation: Attestation, request: Request) -> str | None:
    """Why a verified attestation does not count now, or None if it does."""
    issuer, revocations = attestation.issuer, request.revocations
    if not attestation.holds(request.now):
        return "not-yet" if request.now < attestation.not_before else "expired"
    if revocations.revokes(issuer, attestation.signed.digest()):
        return "revoked"
    if revocations.revokes_device(issuer, attestation.signer):
        return "signer-revoked"
    if request.sensitive and revocations.stale(issuer, request.now):
        return "stale"
    return None


def asker(request: Request) -> Verdict | None:
    """What speaks against the asking device itself."""
    if request.revocations.revokes_device(request.identity, request.device):
        facts: tuple[Fact, ...] = (("device", request.device),)
        return Verdict(RevokedDeviceError, None, "revocation", facts)
    return None
