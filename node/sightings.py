"""What announcements on the local network claim, read from the mDNS cache.

Every record is a hint from anybody on the link. So all is parsed strictly and bounded, and an
announcement can't make a node dial far away: only addresses on its own links, or private ones.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

# pyright: reportPrivateImportUsage=false
# zeroconf's __all__ lacks the record classes that its public cache and listener hand out.
from zeroconf import (
    DNSAddress,
    DNSCache,
    DNSPointer,
    DNSRecord,
    DNSService,
    DNSText,
    current_time_millis,
)

from ..crypto.pairing import SLOTS
from .addresses import Address, Interface, IPAddress

SERVICE_TYPE = "_kinlight._tcp.local."
TXT_VERSION = 1

MAX_SIGHTINGS = 64
MAX_CANDIDATES = 256
"""Announced names looked at in one reading of the cache."""
MAX_ADDRESSES = 8
MAX_SERVICES = 4
"""Places that one announced name may have at a time."""
MAX_TXT_BYTES = 256

# RFC 1035, section 3.2, and RFC 2782; python-zeroconf keeps these numbers to itself.
TYPE_A, TYPE_PTR, TYPE_TXT, TYPE_AAAA, TYPE_SRV = 1, 12, 16, 28, 33
CLASS_IN = 1

FLUSHED_TTL = 1
"""RFC 6762, sections 10.1 and 10.2: what python-zeroconf sets instead of removing a record."""

_INSTANCE = re.compile(r"[0-9a-f]{16}")
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one announcement claims: who (a random name), where, and which pairing slot is open."""

    instance: str
    addresses: tuple[Address, ...]
    version: int
    slot: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A node is announced that was not before."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Changed:
    """A known node has other addresses, or its pairing slot opened or closed."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Gone:
    """A node said goodbye, or was not heard for as long as its announcement counts."""

    instance: str


Event = Seen | Changed | Gone
Sightings = Mapping[str, Sighting]


def differences(before: Sightings, after: Sightings) -> Iterator[Event]:
    """The events that lead from one list to the other."""
    for instance in before:
        if instance not in after:
            yield Gone(instance)
    for instance, sighting in after.items():
        if instance not in before:
            yield Seen(sighting)
        elif before[instance] != sighting:
            yield Changed(sighting)


def encode_txt(slot: int | None) -> bytes:
    """The TXT record (RFC 6763, section 6): `v=1`, and `slot=N` while pairing is open."""
    pairs = [f"v={TXT_VERSION}"] + ([] if slot is None else [f"slot={slot}"])
    return b"".join(bytes([len(pair)]) + pair.encode() for pair in pairs)


def decode_txt(text: bytes) -> tuple[int, int | None] | None:
    """Version and slot of a TXT record, or None if it is not one of ours.

    Unknown keys and a senseless slot are passed over; of a repeated key the first one counts
    (RFC 6763, section 6.4).
    """
    if len(text) > MAX_TXT_BYTES:
        return None
    values: dict[bytes, bytes] = {}
    rest = text
    while rest:
        pair, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        key, equals, value = pair.partition(b"=")
        if equals:
            values.setdefault(key.lower(), value)
    version, slot = _number(values.get(b"v")), _number(values.get(b"slot"))
    return None if version is None else (version, slot if slot in SLOTS else None)


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None


def read_sightings(
    cache: DNSCache,
    known: Mapping[str, Sighting],
    interfaces: Sequence[Interface],
    own_instance: str,
    own_port: int,
) -> dict[str, Sighting]:
    """What the cache holds now, by instance, at most MAX_SIGHTINGS.

    What is `known` keeps its place, instances and addresses alike, so a flood of new ones pushes
    nobody out. `interfaces` are those in use; the addresses on them with `own_port` are our own and
    are left out.
    """
    own = {Address(host, own_port) for each in interfaces for host in each.scoped_addresses}
    hosts: dict[str, list[str]] = {}
    sightings: dict[str, Sighting] = {}
    for instance in _candidates(cache, known, own_instance):
        name = f"{instance}.{SERVICE_TYPE}"
        text = _newest(_live(cache, name, TYPE_TXT))
        claims = decode_txt(text.text) if isinstance(text, DNSText) else None
        if claims is None:
            continue
        claimed: list[list[Address]] = []
        for service in _services(cache, name):
            # Read once for all: many names may point to one host with thousands of addresses.
            server = service.server.lower()
            if server not in hosts:
                hosts[server] = _hosts(cache, server, interfaces)
            claimed.append([Address(host, service.port) for host in hosts[server]])
        before = known[instance].addresses if instance in known else ()
        addresses = _bounded([each for each in _in_turns(claimed) if each not in own], before)
        if addresses:
            sightings[instance] = Sighting(instance, addresses, *claims)
            if len(sightings) == MAX_SIGHTINGS:
                break
    return sightings


def _services(cache: DNSCache, name: str) -> list[DNSService]:
    """All that say where a service is, the newest first: one of them may be somebody else's lie."""
    services = [
        record
        for record in _live(cache, name, TYPE_SRV)
        if isinstance(record, DNSService) and record.port
    ]
    return sorted(services, key=lambda record: record.created, reverse=True)[:MAX_SERVICES]


def _in_turns(claimed: Iterable[Sequence[Address]]) -> list[Address]:
    """The first of each, then the second of each, and so on, without doubles."""
    return [
        address
        for row in itertools.zip_longest(*claimed)
        for address in dict.fromkeys(row)
        if address is not None
    ]


def _bounded(claimed: Sequence[Address], before: Sequence[Address]) -> tuple[Address, ...]:
    """At most MAX_ADDRESSES of those that are claimed, in their order; known ones go first in."""
    unique = dict.fromkeys(claimed)
    chosen = dict.fromkeys([each for each in before if each in unique])
    for address in unique:
        if len(chosen) >= MAX_ADDRESSES:
            break
        chosen[address] = None
    return tuple(address for address in unique if address in chosen)


def _candidates(cache: DNSCache, known: Iterable[str], own: str) -> list[str]:
    instances = dict.fromkeys(known)
    for pointer in _live(cache, SERVICE_TYPE, TYPE_PTR):
        if len(instances) >= MAX_CANDIDATES:
            break
        if isinstance(pointer, DNSPointer):
            instance = pointer.alias.lower().removesuffix("." + SERVICE_TYPE)
            if _INSTANCE.fullmatch(instance) and instance != own:
                instances[instance] = None
    return list(instances)


def _live(cache: DNSCache, name: str, kind: int) -> Iterator[DNSRecord]:
    """The records that count. One that was flushed or said goodbye stays in the cache with a TTL
    of one second, and each further flush makes it look new again.
    """
    now = current_time_millis()
    for record in cache.async_all_by_details(name, kind, CLASS_IN):
        if record.ttl > FLUSHED_TTL and not record.is_expired(now):
            yield record


def _newest(records: Iterable[DNSRecord]) -> DNSRecord | None:
    return max(records, key=lambda record: record.created, default=None)


def _hosts(cache: DNSCache, server: str, interfaces: Sequence[Interface]) -> list[str]:
    """The addresses of a host that are worth dialling: link-local ones last, then by number."""
    hosts: set[tuple[bool, int, int, str]] = set()
    for kind in (TYPE_A, TYPE_AAAA):
        for record in _live(cache, server, kind):
            if isinstance(record, DNSAddress) and len(record.address) in (4, 16):
                address = ipaddress.ip_address(record.address)
                host = _dialable(address, record.scope_id, interfaces)
                if host is not None:
                    hosts.add((address.is_link_local, address.version, int(address), host))
    return [host for *_, host in sorted(hosts)]


def _dialable(address: IPAddress, scope: int | None, interfaces: Sequence[Interface]) -> str | None:
    """How to dial an announced address, or None where that makes no sense or leads far away."""
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return None
    if address.is_loopback:
        return str(address) if any(each.loopback for each in interfaces) else None
    if address.version == 6 and address.is_link_local:
        # The link is known if the announcement came over IPv6, or if there is only one.
        real = [each for each in interfaces if not each.loopback]
        links = [each for each in real if each.index == scope] or real
        return f"{address}%{links[0].name}" if len(links) == 1 else None
    on_link = any(address in network for each in interfaces for network in each.networks)
    return str(address) if on_link or not address.is_global else None
