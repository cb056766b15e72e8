"""Adding a device of one's own: it and one that is there show that they share a code, then the new
one shows its keys and gets papers and the own-device secret (docs/spec/devices.md).

It runs as a pairing does (`opening.PairOpening`), with a key of its own purpose: a code for meeting
somebody adds no device, and the reverse.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ..crypto import encoding
from ..crypto.channel import Role
from ..crypto.encoding import Reader, Value
from ..crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    SealBrokenError,
    WrongCodeError,
)
from ..crypto.identity import (
    MAX_CERTIFICATE_BYTES,
    MAX_DEVICE_CERTIFICATES,
    DeviceCertificate,
    DeviceChain,
    issue_kem,
    read_kem,
)
from ..crypto.pairing import MESSAGE_BYTES, Code, CodeExchange, Invitation, PairingKey
from ..crypto.signing import KEY_BYTES, Signed, SigningKey, check_public_key
from ..crypto.wrap import KemKey
from . import limits
from .device_messages import DeviceGift
from .devices import OwnSecret
from .errors import WrongPeerError
from .messages import PairChain, PairConfirm
from .opening import (
    HELLO_DOMAIN,
    Entropy,
    LocalDevice,
    Transport,
    check_hello,
    check_transport,
    signed_body,
)

MODE: Final = "device"


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device that has keys and no papers yet, and what it calls itself."""

    signing: SigningKey
    kem: KemKey
    name: str

    @property
    def statement(self) -> Signed:
        """Its own word for its KEM key."""
        return issue_kem(self.signing, self.kem.public)


@dataclass(frozen=True, slots=True)
class Joining:
    """What a dialer has that wants to become a device of whoever shows the code: of `identity`
    alone, where it is one of that already.
    """

    secret: Code | Invitation
    device: NewDevice
    identity: bytes | None = None


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A new device as it showed itself: its key, its KEM statement, verified, and its name."""

    device: bytes
    statement: Signed
    name: str
    encoded: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoded request."""
        return hashlib.sha256(self.encoded).digest()

    @classmethod
    def of(cls, device: NewDevice) -> DeviceRequest:
        """As the device itself shows it."""
        body: Value = [
            1, "request", device.signing.public, device.statement.to_value(), device.name,
        ]  # fmt: skip
        return cls.decode(encoding.encode(body))

    @classmethod
    def decode(cls, data: bytes) -> DeviceRequest:
        """Verify one. Raises `MalformedError` and `BadCertificateError`."""
        reader = Reader(encoding.decode(data, limits.SEALED_CHAIN_BYTES), "request")
        reader.literal(1, "request")
        device = check_public_key(reader.octets("device", KEY_BYTES))
        statement = Signed.from_value(
            reader.array("KEM statement", 2), MAX_CERTIFICATE_BYTES, "KEM statement"
        )
        name = reader.text("name", limits.NAME_BYTES)
        reader.end()
        try:
            read_kem(statement, device)
        except BadSignatureError:
            raise BadCertificateError("a signature in it is wrong") from None
        return cls(device, statement, name, data)


@dataclass(frozen=True, slots=True)
class Gift:
    """What a new device gets: the way from the root to it, and what own devices share."""

    certificates: tuple[DeviceCertificate, ...]
    secret: OwnSecret
    name: str
    """What it is called."""

    def encode(self) -> bytes:
        """Canonical bytes."""
        papers = [each.signed.to_value() for each in self.certificates]
        return encoding.encode([1, "gift", papers, self.secret.to_value(), self.name])

    @classmethod
    def decode(cls, data: bytes) -> Gift:
        """The reverse. Raises `MalformedError`, `BadCertificateError`."""
        reader = Reader(encoding.decode(data, limits.DEVICE_GIFT_BYTES), "gift")
        reader.literal(1, "gift")
        papers = reader.array("certificates", MAX_DEVICE_CERTIFICATES)
        secret = OwnSecret.read(reader.array("secret", 2))
        name = reader.text("name", limits.NAME_BYTES)
        reader.end()
        return cls(_certificates(papers), secret, name)


def _certificates(items: Sequence[Value]) -> tuple[DeviceCertificate, ...]:
    try:
        return tuple(
            DeviceCertificate.read(
                Signed.from_value(item, MAX_CERTIFICATE_BYTES, "device certificate")
            )
            for item in items
        )
    except BadSignatureError:
        raise BadCertificateError("a signature in it is wrong") from None


@dataclass(frozen=True, slots=True)
class Joined:
    """What a new device has in the end: its chain, the secret, its name, and who added it."""

    chain: DeviceChain
    secret: OwnSecret = field(repr=False)
    name: str
    by: DeviceChain
    by_name: str


class _Opening:
    """What both sides do alike."""

    def __init__(
        self,
        role: Role,
        exporter: bytes,
        secret: Code | Invitation,
        entropy: Entropy,
        transport: Transport | None,
    ) -> None:
        self._role: Role = role
        self._dialer = role == "dialer"
        self._exporter = exporter
        self._transport = transport
        self._exchange: CodeExchange | None = None
        self._key: PairingKey | None = None
        if isinstance(secret, Code):
            self._exchange = CodeExchange(
                secret, dialer=self._dialer, exporter=exporter, entropy=entropy
            )
        else:
            self._key = PairingKey(secret.secret, exporter, MODE)

    @property
    def mode(self) -> str:
        """`device`."""
        return MODE

    @property
    def method(self) -> str:
        """`code` or `qr`."""
        return "qr" if self._exchange is None else "code"

    def first_message(self) -> bytes:
        """The SPAKE2 message; nothing for a QR code."""
        return b"" if self._exchange is None else self._exchange.message

    def receive_first(self, message: bytes) -> None:
        """The other side's."""
        if self._exchange is None:
            if message:
                raise MalformedError("only a code has a SPAKE2 message")
            return
        if len(message) != MESSAGE_BYTES:
            raise WrongCodeError
        self._key = PairingKey(self._exchange.finish(message), self._exporter, MODE)

    @property
    def key(self) -> PairingKey:
        """What the code made; `WrongCodeError` before it did."""
        if self._key is None:
            raise WrongCodeError
        return self._key

    def _seal(self, body: bytes) -> PairChain:
        return PairChain(self.key.seal_chain(body, dialer=self._dialer))

    def _open(self, message: PairChain) -> bytes:
        try:
            return self.key.open_chain(message.sealed, dialer=not self._dialer)
        except SealBrokenError:
            raise WrongCodeError from None

    def _confirm(self, device: SigningKey, mine: bytes, theirs: bytes, peer: bytes) -> PairConfirm:
        own = self._transport.own if self._transport else b""
        body = signed_body(MODE, self._role, self._exporter, mine, peer, own)
        return PairConfirm(
            self._confirmation(mine, theirs, dialer=self._dialer),
            device.sign(HELLO_DOMAIN, body),
            own,
        )

    def _check(
        self, message: PairConfirm, mine: bytes, theirs: bytes, peer: bytes, own: bytes
    ) -> None:
        """The other side's `PairConfirm`: by the device `peer`, to who is named by `own`."""
        expected = self._confirmation(mine, theirs, dialer=not self._dialer)
        if not hmac.compare_digest(message.confirmation, expected):
            raise WrongCodeError
        check_transport(message.transport, self._transport)
        role: Role = "listener" if self._dialer else "dialer"
        body = signed_body(MODE, role, self._exporter, theirs, own, message.transport)
        check_hello(peer, body, message.signature)

    def _confirmation(self, mine: bytes, theirs: bytes, *, dialer: bool) -> bytes:
        first, second = (mine, theirs) if self._dialer else (theirs, mine)
        return self.key.confirmation(first, second, dialer=dialer)


class JoinOpening(_Opening):
    """The new device's side. It dials."""

    def __init__(
        self,
        joining: Joining,
        exporter: bytes,
        entropy: Entropy,
        transport: Transport | None = None,
    ) -> None:
        super().__init__("dialer", exporter, joining.secret, entropy, transport)
        self._secret = joining.secret
        self._identity = joining.identity
        self._device = joining.device
        self._request = DeviceRequest.of(joining.device)
        self._by: DeviceChain | None = None
        self._by_name = ""

    def chain_message(self) -> PairChain:
        """Our keys and our name."""
        return self._seal(self._request.encoded)

    def receive_chain(self, message: PairChain) -> None:
        """The papers and the name of who adds us; `WrongPeerError` if a QR code named another."""
        reader = Reader(encoding.decode(self._open(message), limits.SEALED_CHAIN_BYTES), "papers")
        chain = DeviceChain.decode(reader.octets("chain", maximum=limits.CHAIN_BYTES))
        self._by_name = reader.text("name", limits.NAME_BYTES)
        reader.end()
        if isinstance(self._secret, Invitation) and not self._secret.expects(chain.identity):
            raise WrongPeerError("it is not the node that showed the QR code")
        if self._identity not in (None, chain.identity):
            raise WrongPeerError("this node belongs to somebody else than that device")
        self._by = chain

    def receive_confirm(self, message: PairConfirm) -> None:
        """Whether it has the same key and view, and the key of its papers."""
        by = self._adder()
        own = self._device.signing.public
        self._check(message, self._request.digest, by.digest, by.device, own)

    def confirm_message(self) -> PairConfirm:
        """The same of ours."""
        by = self._adder()
        return self._confirm(self._device.signing, self._request.digest, by.digest, by.identity)

    def receive_gift(self, message: DeviceGift) -> Joined:
        """Our papers; `BadCertificateError` if they are not ours, or of another identity."""
        by = self._adder()
        try:
            gift = Gift.decode(self.key.open_gift(message.sealed))
        except SealBrokenError:
            raise WrongCodeError from None
        chain = by.of_sibling(list(gift.certificates), self._device.statement)
        return Joined(chain, gift.secret, gift.name, by, self._by_name)

    def _adder(self) -> DeviceChain:
        if self._by is None:
            raise WrongCodeError
        return self._by


class AddOpening(_Opening):
    """The side of the device that is there. It listens."""

    def __init__(
        self,
        device: LocalDevice,
        exporter: bytes,
        secret: Code | Invitation,
        entropy: Entropy,
        transport: Transport | None = None,
    ) -> None:
        super().__init__("listener", exporter, secret, entropy, transport)
        self._device = device
        self._request: DeviceRequest | None = None

    def receive_chain(self, message: PairChain) -> None:
        """What wants to be a device of ours."""
        self._request = DeviceRequest.decode(self._open(message))

    def chain_message(self) -> PairChain:
        """Our papers and our name."""
        return self._seal(encoding.encode([self._device.chain.encoded, self._device.name]))

    def confirm_message(self) -> PairConfirm:
        """Key confirmation and signature, for the new device alone."""
        request, chain = self._asked(), self._device.chain
        return self._confirm(self._device.signing, chain.digest, request.digest, request.device)

    def receive_confirm(self, message: PairConfirm) -> DeviceRequest:
        """The request, if who made it knew the code and has its keys."""
        request, chain = self._asked(), self._device.chain
        self._check(message, chain.digest, request.digest, request.device, chain.identity)
        return request

    def gift(self, gift: Gift) -> DeviceGift:
        """Papers and secret for it."""
        return DeviceGift(self.key.seal_gift(gift.encode()))

    def _asked(self) -> DeviceRequest:
        if self._request is None:
            raise WrongCodeError
        return self._request
