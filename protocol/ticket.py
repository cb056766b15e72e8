"""Tickets: a text by which somebody far away can become a contact, until it ends.

    kinlight:ticket/a2jqdj5kmjuw4z3bmnxxe...

It says, signed by a device, who its maker is and where it can be reached, and holds a secret. The
signature and the certificates in it authenticate the maker to whoever reads it, the secret the
reader to the maker. Who has the text has the secret: it is as good as an invitation
(docs/spec/ticket.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto import identity, pairing, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, BadSignatureError, MalformedError, PeerError
from ..crypto.identity import MAX_CERTIFICATE_BYTES, MAX_DEVICE_CERTIFICATES, DeviceCertificate
from ..crypto.secret import Secret
from ..crypto.signing import Signed, SigningKey
from . import limits
from .errors import (
    EarlyTicketError,
    ExpiredTicketError,
    ForgedTicketError,
    InvalidTicketError,
    OtherTicketError,
    UsedUpTicketError,
)

TICKET_DOMAIN: Final = b"kinlight/ticket1"
SECRET_BYTES: Final = pairing.SECRET_BYTES
ID_BYTES: Final = 8
PREFIX: Final = "kinlight:ticket/"
VERSION: Final = 1

_CHECKSUM: Final = b"kinlight/ticket-check1\x00"
_CHECKSUM_BYTES: Final = 4
_RENDEZVOUS: Final = b"kinlight/ticket-rendezvous1"
_ALTERED: Final = "it was cut or altered on the way"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket whose signature was verified. `repr` shows no secret.

    Times are in seconds since 1970. `uses` is how many people it may make contacts. `addresses`
    are where its maker may be reached, `relays` where its whereabouts may be asked for; what each
    means is for whoever dials, and one that is not understood is skipped.
    """

    identity: bytes
    device: bytes
    secret: Secret
    issued: int
    expires: int
    uses: int
    addresses: tuple[str, ...]
    relays: tuple[str, ...]
    signed: Signed

    @classmethod
    def issue(
        cls,
        device: SigningKey,
        certificates: Sequence[DeviceCertificate],
        secret: Secret,
        *,
        issued: int,
        expires: int,
        uses: int,
        addresses: Sequence[str],
        relays: Sequence[str] = (),
    ) -> Ticket:
        """Sign one with a device, whose certificates lead to it from its identity.

        `InvalidTicketError` for what no reader would take.
        """
        body: Value = [
            VERSION, "ticket", [each.signed.to_value() for each in certificates], secret.reveal(),
            issued, expires, uses, list(addresses), list(relays),
        ]  # fmt: skip
        return cls.read(device.sign_value(TICKET_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> Ticket:
        """Check form and signature.

        Raises `OtherTicketError`, `InvalidTicketError` and `ForgedTicketError`.
        """
        try:
            return cls._read(signed)
        except MalformedError:
            raise InvalidTicketError("it is not in the form of one") from None
        except (BadCertificateError, BadSignatureError):
            raise ForgedTicketError from None

    @classmethod
    def _read(cls, signed: Signed) -> Ticket:
        reader = Reader(signed.unverified(), "ticket")
        if reader.integer("version") != VERSION:
            raise OtherTicketError
        reader.literal("ticket")
        papers = reader.array("certificates", MAX_DEVICE_CERTIFICATES)
        secret = Secret(reader.octets("secret", SECRET_BYTES))
        issued, expires = reader.integer("issued"), reader.integer("expires")
        uses = reader.integer("uses", limits.TICKET_USES)
        addresses = _texts(reader, "addresses", limits.TICKET_ADDRESSES)
        relays = _texts(reader, "relays", limits.TICKET_RELAYS)
        reader.end()
        if not 0 < expires - issued <= limits.TICKET_SECONDS:
            raise MalformedError("ticket: expires")
        if uses == 0:
            raise MalformedError("ticket: uses")
        certificates = tuple(
            DeviceCertificate.read(
                Signed.from_value(paper, MAX_CERTIFICATE_BYTES, "device certificate")
            )
            for paper in papers
        )
        if not certificates:
            raise BadCertificateError
        root = certificates[0].identity
        device = identity.device_of(root, certificates)
        # The certificates are under the signature: a device key that somebody else certified, whom
        # nobody asked for it, makes no ticket of theirs out of this one.
        signing.verify(device, TICKET_DOMAIN, signed.body, signed.signature)
        return cls(root, device, secret, issued, expires, uses, addresses, relays, signed)

    # As text.

    def __str__(self) -> str:
        data = self.encode()
        return PREFIX + _base32(data + _checksum(data))

    def encode(self) -> bytes:
        """Canonical bytes, without the checksum."""
        return self.signed.encode()

    @staticmethod
    def matches(text: str) -> bool:
        """Whether `text` is meant as a ticket rather than a code or an invitation."""
        return _bare(text[: limits.TICKET_TEXT_CHARACTERS]).startswith(PREFIX)

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """The reverse of `str`, whatever white space and line breaks came between, in any case.

        Raises `InvalidTicketError` where it was cut, altered or too long, and as `read` does.
        """
        if len(text) > limits.TICKET_TEXT_CHARACTERS:
            raise InvalidTicketError("it is too long")
        bare = _bare(text)
        if not bare.startswith(PREFIX):
            raise InvalidTicketError
        digits = bare.removeprefix(PREFIX)
        if 5 * len(digits) > 8 * limits.TICKET_BYTES + 4:
            raise InvalidTicketError("it is too long")
        try:
            data = base64.b32decode(digits.upper() + "=" * (-len(digits) % 8))
        except (binascii.Error, ValueError):
            raise InvalidTicketError(_ALTERED) from None
        # The last digit has bits to spare: a ticket has one text, but for its case and spaces.
        if _base32(data) != digits:
            raise InvalidTicketError(_ALTERED)
        ticket, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if _checksum(ticket) != checksum:
            raise InvalidTicketError(_ALTERED)
        return cls.decode(ticket)

    @classmethod
    def decode(cls, data: bytes) -> Ticket:
        """The reverse of `encode`; raises as `read` does."""
        try:
            signed = Signed.decode(data, limits.TICKET_BYTES, "ticket")
        except MalformedError:
            raise InvalidTicketError("it is not in the form of one") from None
        return cls.read(signed)

    # What it is good for.

    @property
    def ticket_id(self) -> bytes:
        """8 bytes by which both sides can name it. They do not tell its secret."""
        return self.signed.digest()[:ID_BYTES]

    @property
    def rendezvous_secret(self) -> Secret:
        """From this the tags are derived under which its maker leaves its whereabouts, sealed."""
        return self.secret.derive(_RENDEZVOUS)

    def check(self, now: int) -> None:
        """Raise `EarlyTicketError` or `ExpiredTicketError` unless it is valid now.

        Its maker's clock may be ahead of ours by `limits.CLOCK_SECONDS`.
        """
        if self.issued > now + limits.CLOCK_SECONDS:
            raise EarlyTicketError
        if self.expires <= now:
            raise ExpiredTicketError


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A ticket of ours, as a hello needs it.

    `ended` is why it opens nothing any more. `users` are the identities that used it, where it was
    used as often as it may be, else None: one of them whose connection was cut may come again.
    """

    ticket_id: bytes
    secret: Secret
    ended: type[PeerError] | None = None
    users: Collection[bytes] | None = None

    def begin(self) -> None:
        """Begin a run: raise why the ticket has ended, if it has."""
        if self.ended is not None:
            raise self.ended

    def admit(self, identity: bytes) -> None:
        """Raise `UsedUpTicketError` unless this identity may use it."""
        if self.users is not None and identity not in self.users:
            raise UsedUpTicketError


def recognise_ticket(
    tickets: Iterable[IssuedTicket], tag: bytes, exporter: bytes
) -> IssuedTicket | None:
    """The ticket whose tag this is. Looks at all, so time tells nothing."""
    found = None
    for ticket in tickets:
        if hmac.compare_digest(pairing.ticket_tag(ticket.secret, exporter), tag):
            found = ticket
    return found


def _texts(reader: Reader, name: str, most: int) -> tuple[str, ...]:
    items = Reader(reader.array(name, most), name)
    found: list[str] = []
    while items.more():
        found.append(items.text(name, limits.TICKET_ADDRESS_BYTES))
    return tuple(found)


def _bare(text: str) -> str:
    """Without what mail and chat programs put in: spaces, line breaks, invisible characters."""
    return "".join(char for char in text if unicodedata.category(char)[0] not in "ZC").lower()


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(_CHECKSUM + data).digest()[:_CHECKSUM_BYTES]
