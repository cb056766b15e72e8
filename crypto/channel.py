"""The secure channel: TLS 1.3 with no socket, over any pipe (docs/spec/channel.md).

Bytes from the pipe go into `receive`, bytes for the pipe come out of `to_send`. The certificate is
a throwaway that authenticates nothing; who the other side is, the hello inside proves over
`exporter`, the value that only the two ends of this very channel know. The key exchange is
X25519MLKEM768 or the channel is refused: a recorded session stays closed to a later quantum
computer.
"""

from __future__ import annotations

import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from .errors import ChannelError, TruncatedError, UnsupportedCryptoError, WeakChannelError

GROUP: Final = "X25519MLKEM768"
EXPORTER_LABEL: Final = b"EXPORTER-kinlight-v1"
EXPORTER_BYTES: Final = 32

_STEP: Final = 64 * 1024
_RECORD: Final = 16 * 1024
"""The plaintext of one record at most; OpenSSL gives no more at a time."""
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FAR: Final = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)

Role = Literal["dialer", "listener"]


class ChannelSettings:
    """OpenSSL's contexts for both roles, made once per process with a throwaway certificate.

    Raises `UnsupportedCryptoError` where OpenSSL can't do the key exchange: found at start-up by a
    handshake with ourselves, not at the first contact.
    """

    def __init__(self) -> None:
        self._contexts = {"dialer": _context(), "listener": _context()}
        key = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "-")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_EPOCH)
            .not_valid_after(_FAR)
            .sign(key, None)
        )
        self._contexts["listener"].use_certificate(certificate)
        self._contexts["listener"].use_privatekey(key)
        self._check()

    def context(self, role: Role) -> SSL.Context:
        """The context for one end."""
        return self._contexts[role]

    def _check(self) -> None:
        dialer, listener = Channel("dialer", self), Channel("listener", self)
        try:
            for _ in range(4):
                listener.receive(dialer.to_send())
                dialer.receive(listener.to_send())
            if not (dialer.established and listener.established):
                raise UnsupportedCryptoError
        except ChannelError:
            raise UnsupportedCryptoError from None


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    # Both, since either alone leaves tickets on: a resumed session would skip the key exchange.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # The certificate decides nothing, so a wrong clock can't break a channel either.
    context.set_verify(SSL.VERIFY_NONE, _accept)
    return context


def _accept(*_: object) -> bool:
    return True


class Channel:
    """One end of a channel. Not thread-safe: one task drives it."""

    def __init__(self, role: Role, settings: ChannelSettings) -> None:
        self.role: Final[Role] = role
        self.established = False
        self.closed_by_peer = False
        self._connection = SSL.Connection(settings.context(role), None)
        if role == "dialer":
            self._connection.set_connect_state()
            self._handshake()
        else:
            self._connection.set_accept_state()

    def receive(self, data: bytes | memoryview) -> bytes:
        """Feed bytes from the pipe; return the plaintext that they completed.

        Raises `WeakChannelError` before any plaintext if the handshake settled on anything but
        TLS 1.3 and the hybrid group, `ChannelError` for whatever OpenSSL refuses.
        """
        plaintext: list[bytes] = []
        view = memoryview(data)
        for start in range(0, len(view), _STEP):
            step = view[start : start + _STEP]
            while step:
                step = step[self._connection.bio_write(step) :]
            if not self.established:
                self._handshake()
            if self.established:
                plaintext += self._read()
        return b"".join(plaintext)

    def receive_eof(self) -> None:
        """The pipe ended: `TruncatedError` unless the other side had closed the channel first."""
        self._connection.bio_shutdown()
        if not self.closed_by_peer:
            raise TruncatedError

    def send(self, plaintext: bytes | memoryview) -> None:
        """Encrypt; the result waits in `to_send`. `ChannelError` before the handshake is done."""
        if not self.established:  # OpenSSL itself would also speak over a channel found too weak
            raise ChannelError("the handshake is not done")
        view = memoryview(plaintext)
        while view:
            try:
                view = view[self._connection.send(view[:_STEP]) :]
            except SSL.Error:
                raise ChannelError from None

    def to_send(self) -> bytes:
        """Bytes for the pipe, perhaps none."""
        parts: list[bytes] = []
        while True:
            try:
                parts.append(self._connection.bio_read(4 * _STEP))
            except SSL.WantReadError:
                return b"".join(parts)

    def close(self) -> None:
        """Queue the close notice: after it this end sends nothing. Twice is as good as once."""
        if self.established and not self._connection.get_shutdown() & SSL.SENT_SHUTDOWN:
            try:
                self._connection.shutdown()
            except SSL.Error:
                raise ChannelError from None

    @property
    def exporter(self) -> bytes:
        """32 bytes that only the two ends of this channel know (RFC 8446, section 7.5)."""
        if not self.established:
            raise ChannelError("the handshake is not done")
        return self._connection.export_keying_material(EXPORTER_LABEL, EXPORTER_BYTES)

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error:
            # OpenSSL often gives no text here, and what it gives helps nobody but a prober.
            raise ChannelError("the handshake failed") from None
        if (
            self._connection.get_protocol_version_name() != "TLSv1.3"
            or self._connection.get_group_name() != GROUP
        ):
            raise WeakChannelError
        self.established = True

    def _read(self) -> list[bytes]:
        parts: list[bytes] = []
        while not self.closed_by_peer:
            try:
                parts.append(self._connection.recv(_RECORD))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.closed_by_peer = True
            except SSL.Error:
                raise ChannelError from None
        return parts
