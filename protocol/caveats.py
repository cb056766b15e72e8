"""Caveats: the conditions that a link of a capability may set. The list is closed.

A link only ever adds conditions, all of them must hold, and one that this version does not know
allows nothing (docs/spec/capability.md). What holds for a request is judged in `judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeVar

from ..crypto import signing
from ..crypto.blob import PHOTO_ID_BYTES
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from . import limits
from .attributes import AttributeDemand, read_name, read_value
from .rendition import Rendition, named

ALBUM_ID_BYTES: Final = 16
OPERATIONS: Final = ("view", "reshare", "contribute")
NETWORKS: Final = ("lan",)
"""What a `network` caveat may ask for."""
NAMES: Final = (
    "after", "album", "attr", "before", "count", "max_depth", "network", "ops", "photos",
    "rendition",
)  # fmt: skip
"""The vocabulary, as it is ordered in a link."""

_NAME_BYTES: Final = 32

_Item = TypeVar("_Item", bytes, str)


@dataclass(frozen=True, slots=True)
class Caveats:
    """The conditions of one link. None leaves a thing to the other links.

    `photos` are photo ids; `before` and `after` are seconds since 1970, and the grant holds from
    `after` up to but not including `before`. `rendition` is the least strict one that is allowed;
    `original` may be said by its name. `max_depth` is how many links may follow, `count` how often
    the grant may be used, `attributes` what whom the link is for must be able to show.
    """

    photos: frozenset[bytes] | None = None
    operations: frozenset[str] | None = None
    before: int | None = None
    after: int | None = None
    rendition: Rendition | str | None = None
    unknown: str | None = None
    """A condition that can't be checked by this version: the link then allows nothing."""
    album: bytes | None = None
    attributes: tuple[AttributeDemand, ...] = field(default=())
    max_depth: int | None = None
    network: str | None = None
    count: int | None = None

    @property
    def named_scope(self) -> bool:
        """Whether it says for which photos and for what: a first link has to."""
        return (self.photos is not None or self.album is not None) and self.operations is not None

    def to_value(self) -> list[Value]:
        """The caveat list, sorted by name so that equal conditions encode equally."""
        value: list[Value] = []
        if self.after is not None:
            value.append(["after", self.after])
        if self.album is not None:
            value.append(["album", self.album])
        if self.attributes:
            demands = sorted(self.attributes, key=_name_and_value)
            value.append(["attr", [demand.to_value() for demand in demands]])
        if self.before is not None:
            value.append(["before", self.before])
        if self.count is not None:
            value.append(["count", self.count])
        if self.max_depth is not None:
            value.append(["max_depth", self.max_depth])
        if self.network is not None:
            value.append(["network", self.network])
        if self.operations is not None:
            value.append(["ops", sorted(self.operations)])
        if self.photos is not None:
            value.append(["photos", sorted(self.photos)])
        if self.rendition is not None:
            rendition = named(self.rendition)
            if rendition is None:
                raise ValueError("there is no rendition of that name")
            value.append(["rendition", *rendition.to_value()])
        return value

    @classmethod
    def read(cls, items: Iterable[Value]) -> Caveats:
        """Read a caveat list. Names rise, so none comes twice; unknown ones are kept as such."""
        found: dict[str, Any] = {}
        last = ""
        for item in items:
            if not isinstance(item, list):
                raise MalformedError("caveat")
            reader = Reader(item, "caveat")
            name = reader.text("name", _NAME_BYTES)
            if name <= last:
                raise MalformedError("caveats out of order")
            last = name
            value: Any = None
            if name == "rendition":
                value = Rendition.read(item[1:])
            elif name in _FORMS:
                value = _FORMS[name](reader)
                reader.end()
            if value is not None:
                found[_FIELDS.get(name, name)] = value
            if value is None or (name == "ops" and not value <= set(OPERATIONS)):
                found["unknown"] = name
        return cls(**found)


def _rising(items: list[_Item], complaint: str) -> list[_Item]:
    """The items; `MalformedError` unless they rise, so that one set has one form."""
    if any(later <= earlier for earlier, later in pairwise(items)):
        raise MalformedError(complaint)
    return items


def _photos(reader: Reader) -> frozenset[bytes]:
    ids = Reader(items := reader.array("ids", limits.CAVEAT_PHOTOS), "photos")
    found = [ids.octets("id", PHOTO_ID_BYTES) for _ in items]
    return frozenset(_rising(found, "photos out of order"))


def _operations(reader: Reader) -> frozenset[str]:
    names = Reader(items := reader.array("names", limits.CAVEATS), "ops")
    found = [names.text("name", _NAME_BYTES) for _ in items]
    return frozenset(_rising(found, "ops out of order"))


def _attributes(reader: Reader) -> tuple[AttributeDemand, ...]:
    demands = [_demand(item) for item in reader.array("demands", limits.CAVEAT_ATTRIBUTES)]
    names = [_name_and_value(demand) for demand in demands]
    if not demands or any(later <= earlier for earlier, later in pairwise(names)):
        raise MalformedError("attr out of order")
    return tuple(demands)


def _demand(item: Value) -> AttributeDemand:
    if not isinstance(item, list):
        raise MalformedError("attr")
    reader = Reader(item, "attr")
    name, value = read_name(reader), read_value(reader)
    issuers = Reader(items := reader.array("issuers", limits.ATTRIBUTE_ISSUERS), "attr")
    reader.end()
    found = [issuers.octets("issuer", signing.KEY_BYTES) for _ in items]
    if not found:  # whose word is not said, nobody's counts
        raise MalformedError("attr")
    return AttributeDemand(name, value, frozenset(_rising(found, "issuers out of order")))


def _name_and_value(demand: AttributeDemand) -> tuple[str, str]:
    return demand.name, demand.value


def _network(reader: Reader) -> str | None:
    name = reader.text("network", _NAME_BYTES)
    return name if name in NETWORKS else None


_FORMS: Final[dict[str, Callable[[Reader], object]]] = {
    "after": lambda reader: reader.integer("time"),
    "album": lambda reader: reader.octets("id", ALBUM_ID_BYTES),
    "attr": _attributes,
    "before": lambda reader: reader.integer("time"),
    "count": lambda reader: reader.integer("uses"),
    "max_depth": lambda reader: reader.integer("links", limits.CAPABILITY_DEPTH),
    "network": _network,
    "ops": _operations,
    "photos": _photos,
}
"""How the value of each caveat is read; None says that this version does not know it."""

_FIELDS: Final = {"attr": "attributes", "ops": "operations"}
