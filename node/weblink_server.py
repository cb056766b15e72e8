"""The listeners of the page of links: open while a link is, at its address, and at no other.

The port stays the same as long as it is free, so that links outlive the daemon. Over HTTPS the
certificate is the node's own: made once, kept in the library, known to no authority, so a browser
asks about it and a person compares its fingerprint.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import hashlib
import ipaddress
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from .http_server import GOODBYE_SECONDS, BoundedHttp, Server, settings
from .library import Library
from .views_drops import DropLink
from .views_weblinks import WebLink
from .weblinks import Place

CONNECTIONS_EACH: Final = 24
"""HTTP connections from one address at a time; a browser makes six."""
ANSWER_SECONDS: Final = 30.0
"""How long one may last: who reads an answer slower than that is cut off."""
_PORT: Final = "link-port"
_CERTIFICATE: Final = "link-certificate"
_YEARS: Final = 10

_log = logging.getLogger(__name__)
_Link = TypeVar("_Link", WebLink, DropLink)

Site = Callable[[Place, list[str]], Any]
"""The application for a place, and the names by which it is reached."""


class _PageHttp(BoundedHttp):
    """HTTP for whoever is in the network: bounded for each address too, and in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        client = self.client
        others = sum(
            isinstance(each, _PageHttp) and (each.client or ("",))[0] == (client or ("",))[0]
            for each in self.connections
        )
        if others > CONNECTIONS_EACH:
            transport.abort()
        else:
            self.loop.call_later(ANSWER_SECONDS, transport.abort)


@dataclass(slots=True)
class _Listening:
    server: Server
    task: asyncio.Task[None]
    sockets: list[socket.socket]
    port: int

    async def close(self) -> None:
        self.server.should_exit = True
        _, pending = await asyncio.wait({self.task}, timeout=2 * GOODBYE_SECONDS)
        for task in pending:
            task.cancel()
        for listening in self.sockets:
            listening.close()


class Listeners:
    """Opens and closes them."""

    def __init__(self, library: Library, port: int, now: Callable[[], int]) -> None:
        """`port` 0: the one of last time, else any free one."""
        self._library = library
        self._port = port
        self._now = now
        self._open: dict[Place, _Listening] = {}
        self._failed: dict[Place, str] = {}
        self._turn = asyncio.Lock()

    async def serve(self, places: set[Place], site: Site) -> None:
        """Listen at these places alone. Where that can't be, `told` says why."""
        async with self._turn:
            for place in self._open.keys() - places:
                await self._open.pop(place).close()
            self._failed = {at: why for at, why in self._failed.items() if at in places}
            for place in sorted(places - self._open.keys(), key=lambda each: each.secure):
                try:
                    self._open[place] = await self._listen(place, site)
                    self._failed.pop(place, None)
                except OSError as error:
                    if place not in self._failed:
                        _log.warning("the page of links can't be served: %s", error.strerror)
                    self._failed[place] = error.strerror or "the address can't be used"

    async def close(self) -> None:
        """End all of them."""
        async with self._turn:
            while self._open:
                _, listening = self._open.popitem()
                await listening.close()

    def told(self, link: _Link, tail: str | None) -> _Link:
        """A link, and how its page is served; with the end of its URL, all of that."""
        place = Place(link.host, link.secure)
        listening = self._open.get(place)
        if listening is None:
            return dataclasses.replace(link, reason=self._failed.get(place))
        authority = f"{_shown(place.host)}:{listening.port}"
        scheme = "https" if place.secure else "http"
        return dataclasses.replace(
            link,
            served=True,
            url=None if tail is None else f"{scheme}://{authority}{tail}",
            fingerprint=self.fingerprint() if place.secure else None,
        )

    async def _listen(self, place: Place, site: Site) -> _Listening:
        listening = self._socket(place)
        port: int = listening.getsockname()[1]
        hosts = [_shown(place.host)]
        if ipaddress.ip_address(place.host).is_loopback:
            hosts.append("localhost")
        config = settings(site(place, [f"{host}:{port}" for host in hosts]), _PageHttp)
        if place.secure:
            config.load()
            config.ssl = self._tls()
        server = Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        return _Listening(server, task, [listening], port)

    def _socket(self, place: Place) -> socket.socket:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        name = f"{_PORT}-{'https' if place.secure else 'http'}"
        last = self._port or int.from_bytes(self._library.setting(name) or b"")
        for port in dict.fromkeys((last, 0)):
            try:
                found = socket.create_server((place.host, port), family=family)
            except OSError:
                if port == 0:
                    raise
                continue
            self._library.set_setting(name, found.getsockname()[1].to_bytes(2))
            return found
        raise OSError("no port")

    # The certificate.

    def fingerprint(self) -> str:
        """SHA-256 of it, as browsers show it."""
        digest = hashlib.sha256(x509.load_pem_x509_certificate(self._pem()).public_bytes(
            Encoding.DER
        )).hexdigest().upper()  # fmt: skip
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    def _pem(self) -> bytes:
        """Key and certificate. The addresses are not in it: they change, and nobody checks them
        who has to be asked about the certificate anyway.
        """
        kept = self._library.setting(_CERTIFICATE)
        if kept is None:
            kept = _certificate(self._now())
            self._library.set_setting(_CERTIFICATE, kept)
        load_pem_private_key(kept, None)
        return kept

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # OpenSSL reads it from a file alone; that one is ours, 0600, and there for a moment.
        descriptor, name = tempfile.mkstemp()
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._pem())
            context.load_cert_chain(name)
        finally:
            Path(name).unlink(missing_ok=True)
        return context


def _certificate(now: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    # It names nobody: whoever is in the network can read it.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kinlight")])
    begin = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
