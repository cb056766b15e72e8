"""Capabilities: signed chains that say who may do what with which photo, until when.

A chain is one to four links. Each link is a statement signed by a device of its issuer; the first
issuer is the photo's author, every further one is the audience of the link before. A link can
only add conditions (caveats), all of all links must hold, and a condition that this version does
not know denies. Evaluation is linear in the size of the chain (docs/spec/capability.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeVar

from ..crypto import encoding, signing
from ..crypto.blob import PHOTO_ID_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadSignatureError, MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits
from .errors import (
    BrokenGrantError,
    EarlyGrantError,
    ExpiredGrantError,
    OperationDeniedError,
    OtherRenditionError,
    OutOfScopeError,
    UnknownCaveatError,
    UnsupportedGrantError,
    WidenedGrantError,
    WrongAudienceError,
)

CAPABILITY_DOMAIN: Final = b"kinlight/cap1"
NONCE_BYTES: Final = 16
_LINK_BYTES: Final = 4096
_CAVEAT_NAME_BYTES: Final = 32

OPERATIONS: Final = ("view", "reshare", "contribute")
RENDITIONS: Final = ("original",)
LATER: Final = ("album", "attr", "max_depth", "network", "count")
"""Conditions of the vocabulary that this version knows by name but can't check yet."""

AudienceKind = Literal["identity", "device"]

_Item = TypeVar("_Item", bytes, str)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a link is for: an identity (any of its devices) or one device."""

    kind: AudienceKind
    key: bytes


@dataclass(frozen=True, slots=True)
class Caveats:
    """The conditions of one link. None leaves a thing to the other links.

    `photos` are photo ids; `before` and `after` are seconds since 1970, and the grant holds from
    `after` up to but not including `before`.
    """

    photos: frozenset[bytes] | None = None
    operations: frozenset[str] | None = None
    before: int | None = None
    after: int | None = None
    rendition: str | None = None
    unknown: str | None = None
    """A condition that can't be checked here: the link then allows nothing."""

    def to_value(self) -> list[Value]:
        """The caveat list, sorted by name so that equal conditions encode equally."""
        value: list[Value] = []
        if self.after is not None:
            value.append(["after", self.after])
        if self.before is not None:
            value.append(["before", self.before])
        if self.operations is not None:
            value.append(["ops", sorted(self.operations)])
        if self.photos is not None:
            value.append(["photos", sorted(self.photos)])
        if self.rendition is not None:
            value.append(["rendition", self.rendition])
        return value

    @classmethod
    def read(cls, items: Iterable[Value]) -> Caveats:
        """Read a caveat list. Names rise, so none comes twice; unknown ones are kept as such."""
        found: dict[str, Reader] = {}
        last = ""
        for item in items:
            if not isinstance(item, list):
                raise MalformedError("caveat")
            reader = Reader(item, "caveat")
            name = reader.text("name", _CAVEAT_NAME_BYTES)
            if name <= last:
                raise MalformedError("caveats out of order")
            found[name] = reader
            last = name
        photos = operations = before = after = rendition = unknown = None
        for name, reader in found.items():
            match name:
                case "photos":
                    ids = Reader(reader.array("ids", limits.CAVEAT_PHOTOS), "photos")
                    photos = _rising(_octets(ids, PHOTO_ID_BYTES), "photos out of order")
                case "ops":
                    names = Reader(reader.array("names", limits.CAVEATS), "ops")
                    operations = _rising(_texts(names), "ops out of order")
                    if not operations <= set(OPERATIONS):
                        unknown = name
                case "before":
                    before = reader.integer("time")
                case "after":
                    after = reader.integer("time")
                case "rendition":
                    rendition = _rendition(reader)
                    if rendition is None:
                        unknown = name
                        continue
                case _:
                    unknown = name
                    continue
            reader.end()
        return cls(photos, operations, before, after, rendition, unknown)


def _rising(items: Iterable[_Item], complaint: str) -> frozenset[_Item]:
    """The items as a set; `MalformedError` unless they rise, so that one set has one form."""
    found = list(items)
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise MalformedError(complaint)
    return frozenset(found)


def _octets(reader: Reader, length: int) -> Iterable[bytes]:
    while reader.more():
        yield reader.octets("id", length)


def _texts(reader: Reader) -> Iterable[str]:
    while reader.more():
        yield reader.text("name", _CAVEAT_NAME_BYTES)


def _rendition(reader: Reader) -> str | None:
    """`original`, or None for the transformed ones that this version can't make."""
    try:
        name = reader.text("rendition", _CAVEAT_NAME_BYTES)
    except MalformedError:
        return None
    return name if name in RENDITIONS else None


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
        audience_reader = Reader(reader.array("audience", 2), "audience")
        kind = audience_reader.text("kind", 16)
        key = audience_reader.octets("key", signing.KEY_BYTES)
        audience_reader.end()
        caveats = Caveats.read(reader.array("caveats", limits.CAVEATS))
        reader.octets("nonce", NONCE_BYTES)
        reader.end()
        if kind not in ("identity", "device"):
            raise MalformedError("audience")
        return cls(parent, issuer, signer, Audience(kind, key), caveats, signed)


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for what, when. `now` is in seconds since 1970, by the judge's own clock."""

    identity: bytes
    device: bytes
    photo_id: bytes
    operation: str
    rendition: str
    now: int


@dataclass(frozen=True, slots=True)
class Capability:
    """A chain as it travels: read and bounded. `verify` and `allow` judge it."""

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
        if parent is None and (caveats.photos is None or caveats.operations is None):
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
        parent: Link | None = None
        for link in self.links:
            if devices.get(link.signer) != link.issuer:
                raise BrokenGrantError("a signer speaks for nobody known")
            try:
                signing.verify(
                    link.signer, CAPABILITY_DOMAIN, link.signed.body, link.signed.signature
                )
            except BadSignatureError:
                raise BrokenGrantError("a signature is wrong") from None
            if parent is None:
                if link.parent or link.issuer != author:
                    raise BrokenGrantError("it does not begin with the photo's author")
                if link.caveats.photos is None or link.caveats.operations is None:
                    raise BrokenGrantError("it does not say for what it is")
            else:
                _check_succession(parent, link)
            parent = link

    def allow(self, request: Request) -> None:
        """Return if a verified chain allows `request`; else raise the reason, a `DeniedError`."""
        for link in self.links:
            _check_caveats(link.caveats, request)
        audience = self.links[-1].audience
        holder = request.identity if audience.kind == "identity" else request.device
        if audience.key != holder:
            raise WrongAudienceError

    @property
    def expires(self) -> int | None:
        """The earliest `before` of all links, or None."""
        times = [link.caveats.before for link in self.links if link.caveats.before is not None]
        return min(times, default=None)


def _check_succession(parent: Link, link: Link) -> None:
    holder = link.issuer if parent.audience.kind == "identity" else link.signer
    if link.parent != parent.signed.digest() or parent.audience.key != holder:
        raise WidenedGrantError
    operations = parent.caveats.operations
    if operations is None or "reshare" not in operations:
        raise WidenedGrantError("it may not be passed on")


def _check_caveats(caveats: Caveats, request: Request) -> None:
    if caveats.unknown is not None:
        raise UnknownCaveatError(caveats.unknown if caveats.unknown in LATER else "")
    if caveats.after is not None and request.now < caveats.after:
        raise EarlyGrantError
    if caveats.before is not None and request.now >= caveats.before:
        raise ExpiredGrantError
    if caveats.photos is not None and request.photo_id not in caveats.photos:
        raise OutOfScopeError
    if caveats.operations is not None and request.operation not in caveats.operations:
        raise OperationDeniedError
    if caveats.rendition is not None and request.rendition != caveats.rendition:
        raise OtherRenditionError
