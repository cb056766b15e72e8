"""Addresses of the wide area: multiaddrs, which say how a node is reached and by which key.

    /ip4/192.0.2.7/tcp/4711/p2p/12D3Koo…                               direct
    /ip4/192.0.2.7/tcp/4711/p2p/12D3Koo…/p2p-circuit/p2p/12D3Koo…      through a relay

They are read here without libp2p, which is imported only where the wide area is on.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from .addresses import Address, is_host_name, parse_address
from .errors import BadAddressError

PEER_ID_PREFIX: Final = bytes.fromhex("002408011220")
"""Of the peer id of an Ed25519 key: identity multihash, 36 bytes, key type 1, a key of 32 bytes."""
PEER_ID_BYTES: Final = len(PEER_ID_PREFIX) + 32
MULTIADDR_CHARACTERS: Final = 512

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, order=True)
class Multiaddr(Address):
    """One way to one node of the wide area. `host` is the whole text, and `port` is 0.

    Read with `parse`, which checks the form.
    """

    @property
    def peer(self) -> bytes:
        """The peer id of the node at the end of the way, as bytes."""
        return peer_id_bytes(self.host.rpartition("/")[2])

    @property
    def via(self) -> Multiaddr | None:
        """The relay through which it goes, as an address of its own; None for a direct way."""
        relay, circuit, _ = self.host.partition("/p2p-circuit/")
        return Multiaddr(relay, 0) if circuit else None

    def onward_to(self, peer: bytes) -> Multiaddr:
        """The way to a node through the one at this address."""
        return Multiaddr(f"{self.host}/p2p-circuit/p2p/{peer_id_text(peer)}", 0)

    @property
    def endpoint(self) -> Address:
        """Where the first connection of the way goes: host or name, and TCP port."""
        _, _, host, _, port, *_ = self.host.split("/")
        return Address(host, int(port))

    def __str__(self) -> str:
        return self.host

    @staticmethod
    def parse(text: str) -> Multiaddr:
        """Read a multiaddr; `BadAddressError` says what is wrong with it."""
        text = text.strip()
        if len(text) > MULTIADDR_CHARACTERS:
            raise BadAddressError(f"it is longer than {MULTIADDR_CHARACTERS} characters")
        start, *parts = text.split("/")
        if start or len(parts) not in (6, 9):
            raise BadAddressError("it is not of the form /ip4/192.0.2.7/tcp/4711/p2p/12D3Koo…")
        kind, host, transport, port, *rest = parts
        if transport != "tcp" or not (port.isascii() and port.isdigit() and 1 <= int(port) < 65536):
            raise BadAddressError("after the host belong /tcp/ and a port from 1 to 65535")
        if rest[0] != "p2p" or rest[2:4] not in ([], ["p2p-circuit", "p2p"]):
            raise BadAddressError("only /p2p/… and /p2p-circuit/p2p/… may follow the port")
        for peer in rest[1::3]:
            peer_id_bytes(peer)
        return Multiaddr(
            "/".join(["", kind, _checked_host(kind, host), "tcp", str(int(port)), *rest]), 0
        )


def stored_address(host: str, port: int) -> Address:
    """The address that was stored as these two."""
    return Multiaddr(host, port) if host.startswith("/") else Address(host, port)


def parse_any_address(text: str) -> Address:
    """A multiaddr, or what `parse_address` reads; `BadAddressError` for neither."""
    return Multiaddr.parse(text) if text.strip().startswith("/") else parse_address(text)


def leads_from_afar(address: Address) -> bool:
    """Whether it may lead here from beyond the local network: by a name, or a global address."""
    host = (address.endpoint if isinstance(address, Multiaddr) else address).host
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return True


def multiaddr(host: str, port: int, peer: bytes) -> Multiaddr:
    """The direct address of a node at this IP address."""
    kind = f"ip{ipaddress.ip_address(host).version}"
    return Multiaddr(f"/{kind}/{host}/tcp/{port}/p2p/{peer_id_text(peer)}", 0)


def peer_id_text(peer: bytes) -> str:
    """A peer id as people see it, in base 58."""
    number, text = int.from_bytes(peer), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return _BASE58[0] * (len(peer) - len(peer.lstrip(b"\0"))) + text


def peer_id_bytes(text: str) -> bytes:
    """The bytes of a peer id in base 58; `BadAddressError` if it is not that of an Ed25519 key."""
    number = 0
    for character in text[: 2 * PEER_ID_BYTES]:
        digit = _BASE58.find(character)
        if digit < 0:
            raise BadAddressError(f"{character!r} does not occur in a peer id")
        number = number * 58 + digit
    if number.bit_length() > 8 * PEER_ID_BYTES:
        raise BadAddressError("the peer id is too long")
    peer = number.to_bytes(PEER_ID_BYTES)
    if not peer.startswith(PEER_ID_PREFIX) or peer_id_text(peer) != text:
        raise BadAddressError("the peer id is not that of an Ed25519 key (12D3Koo…)")
    return peer


def _checked_host(kind: str, host: str) -> str:
    if kind in ("dns", "dns4", "dns6"):
        if not is_host_name(host):
            raise BadAddressError("that is not the name of a host")
        return host
    if kind not in ("ip4", "ip6"):
        raise BadAddressError("it begins with /ip4/, /ip6/ or /dns/")
    try:
        address = ipaddress.ip_address(host.replace("%", "/"))  # a scope means nothing elsewhere
    except ValueError:
        raise BadAddressError(f"{host} is not an IP address") from None
    if kind != f"ip{address.version}":
        raise BadAddressError(f"{host} is not of the kind {kind}")
    return str(address)
