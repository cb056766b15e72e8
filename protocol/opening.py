"""Proving who one is inside a fresh channel: to a contact, or to somebody who is to become one.

Every proof covers X, the channel's exporter value, so it is worth nothing on another channel: a
relay can pass bytes on but can't be either end. Decisions are made here; when each message is
allowed is the session table's matter (channel.md, pairing.md and ticket.md in docs/spec).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..crypto import encoding, pairing, signing
from ..crypto.channel import Role
from ..crypto.encoding import Reader
from ..crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    PeerError,
    SealBrokenError,
    WrongCodeError,
)
from ..crypto.identity import DeviceChain
from ..crypto.pairing import Code, CodeExchange, Invitation, PairingKey, Purpose
from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from ..crypto.wrap import KemKey
from . import limits
from .errors import (
    NotPairingError,
    OtherKeyError,
    UnknownPeerError,
    UnknownTicketError,
    WrongPeerError,
    WrongTransportError,
)
from .messages import PairChain, PairConfirm, Prove
from .ticket import IssuedTicket, Ticket

HELLO_DOMAIN: Final = b"kinlight/hello1"

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Transport:
    """The ids by which a pipe knows its two ends before they know each other, where it does."""

    own: bytes
    peer: bytes


@dataclass(frozen=True, slots=True)
class LocalDevice:
    """This device: its keys, its papers, and the name that it gives itself when pairing."""

    signing: SigningKey
    kem: KemKey
    chain: DeviceChain
    name: str

    @property
    def identity(self) -> bytes:
        """The root public key that this device speaks for."""
        return self.chain.identity


@dataclass(frozen=True, slots=True)
class Pinned:
    """A contact as the hello needs it: the identity, and the secret from the pairing."""

    identity: bytes
    pair_secret: Secret


@dataclass(slots=True)
class PairingWindow:
    """An open code and its QR twin. Each run over the code is counted when it begins.

    Counting at the start, not at failure, is what bounds guessing: many connections at once get
    no more tries than one after the other. A QR secret can't be guessed: its runs are not counted,
    and go on when those over the code are spent.
    """

    code: Code
    invitation: Invitation
    purpose: Purpose = "pair"
    runs_left: int = limits.PAIRING_RUNS
    closed: bool = False
    """No run may begin any more: the time is over, or it was used."""
    used: bool = False

    @property
    def spent(self) -> bool:
        """Whether no further run over the code may begin; the last one may still be under way."""
        return self.runs_left == 0

    def begin(self, method: str) -> None:
        """Begin a run by `code` or `qr`; `NotPairingError` if none of that kind may begin."""
        if self.closed or (method == "code" and self.spent):
            raise NotPairingError
        if method == "code":
            self.runs_left -= 1

    def finish(self) -> None:
        """One code, one contact: `NotPairingError` to a run that another one outran."""
        if self.used:
            raise NotPairingError
        self.used = self.closed = True


def signed_body(
    mode: str, role: Role, exporter: bytes, chain_digest: bytes, peer: bytes, transport: bytes
) -> bytes:
    """What a device signs in a hello: in which role, on which channel, showing what, to whom."""
    last = [transport] if transport else []
    return encoding.encode([1, "hello", mode, role, exporter, chain_digest, peer, *last])


def check_transport(shown: bytes, transport: Transport | None) -> None:
    """Whether the id that a device certifies is the one by which the pipe knows it."""
    if transport is None:
        if shown:
            raise MalformedError("this pipe knows no transport ids")
    elif shown != transport.peer:
        raise WrongTransportError


def check_hello(device: bytes, body: bytes, signature: bytes) -> None:
    """Whether the key of a device signed it; else `WrongPeerError`."""
    try:
        signing.verify(device, HELLO_DOMAIN, body, signature)
    except BadSignatureError:
        raise WrongPeerError("it has no key for the papers that it showed") from None


def _other(role: Role) -> Role:
    return "listener" if role == "dialer" else "dialer"


def dial_tags(contacts: Sequence[Pinned], exporter: bytes, entropy: Entropy) -> bytes:
    """The tags of all contacts that a listener may turn out to be, filled up with random ones.

    One connection thus asks for many contacts at once. To anybody else the tags are random
    bytes, and their number says only the next step of `limits.TAG_STEP`.
    """
    tags = [pairing.dial_tag(contact.pair_secret, exporter) for contact in contacts]
    fill = -len(tags) % limits.TAG_STEP
    tags += [entropy(pairing.TAG_BYTES) for _ in range(fill)]
    return b"".join(sorted(tags))


def recognise(contacts: Iterable[Pinned], tags: bytes, exporter: bytes) -> Pinned | None:
    """The contact one of whose dial tags is among `tags`. Looks at all, so time tells nothing."""
    size = pairing.TAG_BYTES
    if not tags or len(tags) % (limits.TAG_STEP * size):
        raise MalformedError("the number of dial tags")
    shown = {tags[start : start + size] for start in range(0, len(tags), size)}
    found = None
    for contact in contacts:
        if pairing.dial_tag(contact.pair_secret, exporter) in shown:
            found = contact
    return found


def recognise_answer(contacts: Iterable[Pinned], tag: bytes, exporter: bytes) -> Pinned:
    """The contact that answered; `UnknownPeerError` if it is none of those that were asked for."""
    found = None
    for contact in contacts:
        if hmac.compare_digest(pairing.accept_tag(contact.pair_secret, exporter), tag):
            found = contact
    if found is None:
        raise UnknownPeerError
    return found


class ContactOpening:
    """Two contacts that recognised each other by tags show their papers and sign."""

    def __init__(
        self,
        device: LocalDevice,
        role: Role,
        exporter: bytes,
        peer: Pinned,
        transport: Transport | None = None,
    ) -> None:
        self._device = device
        self._role: Role = role
        self._exporter = exporter
        self._transport = transport
        self.peer: Final = peer

    def accept_tag(self) -> bytes:
        """What our welcome shows to this contact."""
        return pairing.accept_tag(self.peer.pair_secret, self._exporter)

    def prove(self) -> Prove:
        """Our papers and our signature, for this contact on this channel only."""
        chain = self._device.chain
        own = self._transport.own if self._transport else b""
        body = signed_body(
            "contact", self._role, self._exporter, chain.digest, self.peer.identity, own
        )
        return Prove(chain.encoded, self._device.signing.sign(HELLO_DOMAIN, body), own)

    def check_proof(self, proof: Prove) -> DeviceChain:
        """The contact's device; `WrongPeerError` if the papers are not this contact's, and
        `WrongTransportError` if the pipe leads to another transport key than they certify.
        """
        chain = DeviceChain.decode(proof.chain)
        check_transport(proof.transport, self._transport)
        body = signed_body(
            "contact",
            _other(self._role),
            self._exporter,
            chain.digest,
            self._device.identity,
            proof.transport,
        )
        check_hello(chain.device, body, proof.signature)
        if chain.identity != self.peer.identity:
            raise OtherKeyError.between(self.peer.identity, chain.identity)
        return chain


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What a pairing yields: the other's papers, the name it gives itself, the shared secret."""

    chain: DeviceChain
    name: str
    pair_secret: Secret = field(repr=False)


PairSecret = Code | Invitation | Ticket | IssuedTicket
"""What two strangers share; of a ticket the dialer has the whole, the listener its own record."""


class PairOpening:
    """Two strangers who share a code or another secret show that they do, then who they are."""

    def __init__(
        self,
        device: LocalDevice,
        role: Role,
        exporter: bytes,
        secret: PairSecret,
        entropy: Entropy,
        transport: Transport | None = None,
    ) -> None:
        self._device = device
        self._role: Role = role
        self._dialer = role == "dialer"
        self._exporter = exporter
        self._transport = transport
        self._secret = secret
        self._exchange: CodeExchange | None = None
        self._key: PairingKey | None = None
        self._peer: DeviceChain | None = None
        self._peer_name = ""
        if isinstance(secret, Code):
            self._exchange = CodeExchange(
                secret, dialer=self._dialer, exporter=exporter, entropy=entropy
            )
        else:
            self._key = PairingKey(secret.secret, exporter)

    @property
    def mode(self) -> str:
        """`pair` or `ticket`."""
        return "ticket" if isinstance(self._secret, Ticket | IssuedTicket) else "pair"

    @property
    def method(self) -> str:
        """`code` or `qr`; nothing for a ticket."""
        if self.mode == "ticket":
            return ""
        return "qr" if self._exchange is None else "code"

    def first_message(self) -> bytes:
        """The SPAKE2 message, a dialer's tag of its ticket, or nothing where none is needed."""
        if isinstance(self._secret, Ticket):
            return pairing.ticket_tag(self._secret.secret, self._exporter)
        return b"" if self._exchange is None else self._exchange.message

    def receive_first(self, message: bytes) -> None:
        """The other side's SPAKE2 message. By a dialer's tag the listener found its ticket."""
        if isinstance(self._secret, IssuedTicket):
            return
        if self._exchange is None:
            if message:
                raise MalformedError("only a pairing by code has a SPAKE2 message")
            return
        if len(message) != pairing.MESSAGE_BYTES:
            raise WrongCodeError
        self._key = PairingKey(self._exchange.finish(message), self._exporter)

    def chain_message(self) -> PairChain:
        """Our papers and name, readable only with the code."""
        body = encoding.encode([self._device.chain.encoded, self._device.name])
        return PairChain(self._shared_key().seal_chain(body, dialer=self._dialer))

    def receive_chain(self, message: PairChain) -> None:
        """The other side's papers; `WrongCodeError` if it did not know the code."""
        try:
            body = self._shared_key().open_chain(message.sealed, dialer=not self._dialer)
        except SealBrokenError:
            raise self._mismatch from None
        reader = Reader(encoding.decode(body, limits.SEALED_CHAIN_BYTES), "papers")
        chain = DeviceChain.decode(reader.octets("chain", maximum=limits.CHAIN_BYTES))
        self._peer_name = reader.text("name", limits.NAME_BYTES)
        reader.end()
        if self._dialer:
            self._check_expected(chain.identity)
        if chain.identity == self._device.identity:
            raise BadCertificateError("that is this node itself")
        if isinstance(self._secret, IssuedTicket):
            self._secret.admit(chain.identity)
        self._peer = chain

    def _check_expected(self, identity: bytes) -> None:
        """`WrongPeerError` if a QR code or a ticket names somebody else."""
        match self._secret:
            case Invitation() as scanned if not scanned.expects(identity):
                raise WrongPeerError("it is not the node that showed the QR code")
            case Ticket() as ticket if ticket.identity != identity:
                raise WrongPeerError("it is not the node that made the ticket")
            case _:
                pass

    @property
    def _mismatch(self) -> type[PeerError]:
        """Why the other side's key is not ours. Of a ticket it showed that it knows the secret."""
        return UnknownTicketError if self.mode == "ticket" else WrongCodeError

    def confirm_message(self) -> PairConfirm:
        """Key confirmation over both chains, and our signature."""
        mine, theirs = self._device.chain.digest, self._peer_chain().digest
        own = self._transport.own if self._transport else b""
        peer = self._peer_chain().identity
        body = signed_body(self.mode, self._role, self._exporter, mine, peer, own)
        return PairConfirm(
            self._confirmation(mine, theirs, dialer=self._dialer),
            self._device.signing.sign(HELLO_DOMAIN, body),
            own,
        )

    def receive_confirm(self, message: PairConfirm) -> Acquaintance:
        """The finished pairing, if the other side confirms the same key, papers and channel."""
        chain = self._peer_chain()
        expected = self._confirmation(
            self._device.chain.digest, chain.digest, dialer=not self._dialer
        )
        if not hmac.compare_digest(message.confirmation, expected):
            raise self._mismatch
        check_transport(message.transport, self._transport)
        body = signed_body(
            self.mode,
            _other(self._role),
            self._exporter,
            chain.digest,
            self._device.identity,
            message.transport,
        )
        check_hello(chain.device, body, message.signature)
        secret = self._shared_key().pair_secret(self._device.identity, chain.identity)
        return Acquaintance(chain, self._peer_name, secret)

    def _confirmation(self, mine: bytes, theirs: bytes, *, dialer: bool) -> bytes:
        first, second = (mine, theirs) if self._dialer else (theirs, mine)
        return self._shared_key().confirmation(first, second, dialer=dialer)

    def _shared_key(self) -> PairingKey:
        if self._key is None:
            raise WrongCodeError
        return self._key

    def _peer_chain(self) -> DeviceChain:
        if self._peer is None:
            raise WrongCodeError
        return self._peer
