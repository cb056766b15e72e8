"""Capabilities: signed chains that say who may do what with which photo, until when.

A chain is one to four links. Each link is a statement signed by a device of its issuer; the first
issuer is the photo's author, every further one is the audience of the link before. A link can
only add conditions (caveats), all of all links must hold, and a condition that this version does
not know denies. Evaluation is linear in the size of the chain (docs/spec/capability.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final, Literal

from ..crypto import encoding, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadSignatureError, MalformedError
from ..crypto.signing import Signed, SigningKey
from . import judging, limits
from .caveats import OPERATIONS as OPERATIONS
from .caveats import Caveats
from .errors import (
    BrokenGrantError,
    DeniedError,
    OtherRenditionError,
    RevokedDeviceError,
    RevokedGrantError,
    StaleRevocationsError,
    UnsupportedGrantError,
    WidenedGrantError,
    WrongAudienceError,
)
from .judging import Fact, Request, Verdict
from .rendition import ORIGINAL, Rendition, named
from .revocation import Revocations

CAPABILITY_DOMAIN: Final = b"kinlight/cap1"
NONCE_BYTES: Final = 16
_LINK_BYTES: Final = 4096

AudienceKind = Literal["identity", "device", "attributes"]


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a link is for: an identity (any of its devices), one device, or, with an empty key and
    in a first link alone, whoever meets the attributes that the link demands.
    """

    kind: AudienceKind
    key: bytes


WHOEVER: Final = Audience("attributes", b"")


@dataclass(frozen=True, slots=True)
class Link:
    """One statement of a chain, read but not verified."""

    parent: bytes
    issuer: bytes
    signer: bytes
    audience: Audience
    caveats: Caveats
    signed: Signed

    @classmethod
    def read(cls, signed: Signed) -> Link:
        """Read the body of a link."""
        reader = Reader(signed.unverified(), "capability")
        reader.literal(1, "cap")
        parent = reader.octets("parent", maximum=32)
        issuer = reader.octets("issuer", signing.KEY_BYTES)
        signer = reader.octets("signer", signing.KEY_BYTES)
        audience = _read_audience(reader.array("audience", 2))
        caveats = Caveats.read(reader.array("caveats", limits.CAVEATS))
        reader.octets("nonce", NONCE_BYTES)
        reader.end()
        if audience == WHOEVER and (parent or not caveats.attributes):
            raise MalformedError("an audience that is everybody")
        return cls(parent, issuer, signer, audience, caveats, signed)


def _read_audience(items: list[Value]) -> Audience:
    reader = Reader(items, "audience")
    kind = reader.text("kind", 16)
    if kind not in ("identity", "device", "attributes"):
        raise MalformedError("audience")
    key = reader.octets("key", 0 if kind == "attributes" else signing.KEY_BYTES)
    reader.end()
    return Audience(kind, key)


@dataclass(frozen=True, slots=True)
class Capability:
    """A chain as it travels: read and bounded. `verify` and `allow` judge it, in this order."""

    links: tuple[Link, ...]
    encoded: bytes

    @classmethod
    def grant(
        cls,
        signer: SigningKey,
        issuer: bytes,
        audience: Audience,
        caveats: Caveats,
        nonce: bytes,
        parent: Capability | None = None,
    ) -> Capability:
        """A first link by the photo's author, or a further one under `parent`.

        Raises `UnsupportedGrantError` where every reader would refuse it for its size or depth.
        """
        if caveats.unknown is not None:
            raise UnsupportedGrantError(caveats.unknown)
        if parent is None and not caveats.named_scope:
            raise ValueError("a first link names photos and operations: nothing is allowed tacitly")
        body: Value = [
            1, "cap",
            parent.links[-1].signed.digest() if parent else b"",
            issuer, signer.public,
            [audience.kind, audience.key],
            caveats.to_value(),
            nonce,
        ]  # fmt: skip
        signed = signer.sign_value(CAPABILITY_DOMAIN, body)
        before = [link.signed for link in parent.links] if parent else []
        try:
            return cls.decode(encoding.encode([link.to_value() for link in (*before, signed)]))
        except MalformedError as error:
            raise UnsupportedGrantError(error.detail) from None

    @classmethod
    def decode(cls, data: bytes) -> Capability:
        """Read a chain; `MalformedError` if it is none or exceeds a limit."""
        items = encoding.decode(data, limits.CAPABILITY_BYTES)
        if not 1 <= len(items) <= limits.CAPABILITY_DEPTH:
            raise MalformedError("a capability has one to four links")
        links = tuple(
            Link.read(Signed.from_value(item, _LINK_BYTES, "capability")) for item in items
        )
        return cls(links, data)

    def verify(self, author: bytes, devices: Mapping[bytes, bytes]) -> None:
        """Check signatures and succession.

        `author` is the identity whose word counts for the photo. `devices` maps device keys to
        the identities whose certificates for them were verified. Raises `BrokenGrantError`.
        """
        self._fault(author, devices).enforce()

    def allow(self, request: Request) -> None:
        """Return if a verified chain allows `request`; else raise the reason, a `DeniedError`."""
        self.judge(request).enforce()

    def judge(self, request: Request) -> Verdict:
        """What a verified chain says to `request`, with its reasons."""
        revoked = judging.asker(request) or self.revoked(request.revocations)
        if revoked is not None:
            return revoked
        if named(request.rendition) is None:
            return Verdict(OtherRenditionError, None, "rendition", (("rendition", None),))
        used: list[Fact] = []
        last = len(self.links) - 1
        for number, link in enumerate(self.links):
            holder = request.identity if number == last else self.links[number + 1].issuer
            denial, facts = judging.check(link.caveats, request, holder, last - number)
            if denial is not None:
                return Verdict(denial.error, number, denial.caveat, denial.facts, denial.detail)
            used += facts
        audience = self.links[-1].audience
        holder = request.device if audience.kind == "device" else request.identity
        asking: Fact = ("device" if audience.kind == "device" else "identity", holder)
        if audience != WHOEVER and audience.key != holder:
            return Verdict(WrongAudienceError, last, "audience", (asking,))
        if request.sensitive:
            for number, link in enumerate(self.links):
                if request.revocations.stale(link.issuer, request.now):
                    facts = (("now", request.now), ("issuer", link.issuer))
                    return Verdict(StaleRevocationsError, number, "revocation", facts)
        return Verdict(facts=tuple(dict.fromkeys((*used, asking))))

    def explain(self, author: bytes, devices: Mapping[bytes, bytes], request: Request) -> Verdict:
        """What `verify` and then `allow` would say, as a value."""
        fault = self._fault(author, devices)
        return self.judge(request) if fault.allowed else fault

    @property
    def expires(self) -> int | None:
        """The earliest `before` of all links, or None."""
        times = [link.caveats.before for link in self.links if link.caveats.before is not None]
        return min(times, default=None)

    @property
    def rendition(self) -> Rendition:
        """The least strict rendition that all links allow."""
        demanded = (named(link.caveats.rendition or ORIGINAL) for link in self.links)
        return reduce(Rendition.combine, (found for found in demanded if found), ORIGINAL)

    @property
    def first_rendition(self) -> Rendition:
        """The one that the first link names: what the photo is by the word of its author."""
        return named(self.links[0].caveats.rendition or ORIGINAL) or ORIGINAL

    @property
    def issuers(self) -> tuple[bytes, ...]:
        """The identities that any of the links is by: each can revoke the chain."""
        return tuple(dict.fromkeys(link.issuer for link in self.links))

    @property
    def parent(self) -> Capability | None:
        """The chain that the last link was put under."""
        before = self.links[:-1]
        if not before:
            return None
        return Capability(before, encoding.encode([link.signed.to_value() for link in before]))

    @property
    def links_left(self) -> int:
        """How many further links may follow, by all that is said about it."""
        bounds = [
            number + 1 + link.caveats.max_depth
            for number, link in enumerate(self.links)
            if link.caveats.max_depth is not None
        ]
        return min([*bounds, limits.CAPABILITY_DEPTH]) - len(self.links)

    def revoked(self, revocations: Revocations) -> Verdict | None:
        """What was taken back: a link by any of the issuers, or the device that signed one."""
        if not revocations.known:
            return None
        for number, link in enumerate(self.links):
            digest = link.signed.digest()
            for issuer in self.issuers:
                if revocations.revokes(issuer, digest):
                    return _denied(RevokedGrantError, number, ("issuer", issuer))
            if revocations.revokes_device(link.issuer, link.signer):
                return _denied(RevokedDeviceError, number, ("device", link.signer))
        return None

    def _fault(self, author: bytes, devices: Mapping[bytes, bytes]) -> Verdict:
        parent: Link | None = None
        for number, link in enumerate(self.links):
            if devices.get(link.signer) != link.issuer:
                return _broken(number, "signature", "a signer speaks for nobody known")
            try:
                signing.verify(
                    link.signer, CAPABILITY_DOMAIN, link.signed.body, link.signed.signature
                )
            except BadSignatureError:
                return _broken(number, "signature", "a signature is wrong")
            if parent is not None:
                fault = _succession(number, parent, link)
                if fault is not None:
                    return fault
            elif link.parent or link.issuer != author:
                detail = "it does not begin with the photo's author"
                return _broken(number, "succession", detail)
            elif not link.caveats.named_scope:
                return _broken(number, "succession", "it does not say for what it is")
            depth, following = link.caveats.max_depth, len(self.links) - 1 - number
            if depth is not None and following > depth:
                return Verdict(WidenedGrantError, number, "max_depth", (("links", following),))
            parent = link
        return Verdict()


def _broken(link: int, what: str, detail: str) -> Verdict:
    return Verdict(BrokenGrantError, link, what, detail=detail)


def _denied(error: type[DeniedError], link: int, fact: Fact) -> Verdict:
    return Verdict(error, link, "revocation", (fact,))


def _succession(number: int, parent: Link, link: Link) -> Verdict | None:
    audience = parent.audience
    holder = link.signer if audience.kind == "device" else link.issuer
    if link.parent != parent.signed.digest() or (audience != WHOEVER and audience.key != holder):
        return Verdict(WidenedGrantError, number, "succession")
    operations = parent.caveats.operations
    if operations is None or "reshare" not in operations:
        return Verdict(WidenedGrantError, number - 1, "ops", detail="it may not be passed on")
    return None
