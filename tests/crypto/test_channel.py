from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from kinlight.crypto.channel import EXPORTER_BYTES, Channel, ChannelSettings
from kinlight.crypto.errors import ChannelError, TruncatedError, WeakChannelError
from OpenSSL import SSL

if TYPE_CHECKING:
    from conftest import Pair, Pump


def test_the_handshake_gives_both_ends_the_same_exporter(pair: Pair) -> None:
    dialer, listener = pair
    assert dialer.established
    assert listener.established
    assert dialer.exporter == listener.exporter
    assert len(dialer.exporter) == EXPORTER_BYTES


def test_nothing_can_be_said_or_exported_before_the_handshake(
    channel_settings: ChannelSettings,
) -> None:
    for role in ("dialer", "listener"):
        channel = Channel(role, channel_settings)
        with pytest.raises(ChannelError):
            channel.send(b"too early")
        with pytest.raises(ChannelError):
            _ = channel.exporter
        channel.close()


def test_exporters_of_two_channels_differ(
    channel_settings: ChannelSettings, pump: Pump, pair: Pair
) -> None:
    again = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    pump(*again)
    assert again[0].exporter != pair[0].exporter


def test_a_relay_in_the_middle_has_two_channels_with_two_exporters(
    channel_settings: ChannelSettings, pump: Pump
) -> None:
    victim, towards_victim = (
        Channel("dialer", channel_settings),
        Channel("listener", channel_settings),
    )
    towards_peer, peer = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    pump(victim, towards_victim)
    pump(towards_peer, peer)
    victim.send(b"hello")
    _, heard = pump(victim, towards_victim)
    towards_peer.send(heard)
    assert pump(towards_peer, peer)[1] == b"hello"
    assert victim.exporter != peer.exporter


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 65_537, 3 * 2**20 + 7])
def test_bytes_come_out_as_they_went_in_both_ways(pair: Pair, pump: Pump, size: int) -> None:
    up, down = os.urandom(size), os.urandom(size)
    dialer, listener = pair
    dialer.send(up)
    listener.send(memoryview(down))
    assert pump(dialer, listener) == (down, up)


def test_bytes_may_arrive_in_any_portions(channel_settings: ChannelSettings) -> None:
    dialer, listener = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    read = b""
    for _ in range(3):
        for byte in dialer.to_send():
            read += listener.receive(bytes([byte]))
        for byte in listener.to_send():
            dialer.receive(bytes([byte]))
        if dialer.established and not read:
            dialer.send(b"drop by drop")
    assert read == b"drop by drop"


def test_text_sent_with_the_last_handshake_message_is_read(
    channel_settings: ChannelSettings,
) -> None:
    dialer, listener = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    listener.receive(dialer.to_send())
    dialer.receive(listener.to_send())
    dialer.send(b"at once")
    assert listener.receive(dialer.to_send()) == b"at once"


# Ends.


def test_a_close_is_seen_and_the_end_of_the_pipe_then_is_no_cut(pair: Pair) -> None:
    dialer, listener = pair
    dialer.send(b"last words")
    dialer.close()
    assert listener.receive(dialer.to_send()) == b"last words"
    assert listener.closed_by_peer
    listener.receive_eof()
    listener.send(b"answer")
    listener.close()
    assert dialer.receive(listener.to_send()) == b"answer"
    assert dialer.closed_by_peer
    dialer.receive_eof()


def test_the_end_of_the_pipe_without_a_close_is_a_cut(pair: Pair) -> None:
    dialer, listener = pair
    dialer.send(b"half a")
    assert listener.receive(dialer.to_send()) == b"half a"
    for channel in pair:
        with pytest.raises(TruncatedError):
            channel.receive_eof()


def test_the_end_of_the_pipe_in_the_handshake_is_a_cut(channel_settings: ChannelSettings) -> None:
    dialer, listener = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    listener.receive(dialer.to_send()[:100])
    for channel in (dialer, listener):
        with pytest.raises(TruncatedError):
            channel.receive_eof()


def test_nothing_is_sent_after_a_close(pair: Pair) -> None:
    dialer, _ = pair
    dialer.close()
    with pytest.raises(ChannelError):
        dialer.send(b"more")


def test_a_channel_may_be_closed_twice(pair: Pair) -> None:
    dialer, listener = pair
    dialer.close()
    notice = dialer.to_send()
    dialer.close()
    assert dialer.to_send() == b""
    listener.receive(notice)
    assert listener.closed_by_peer


def test_what_follows_a_close_is_not_read(pair: Pair) -> None:
    dialer, listener = pair
    dialer.close()
    assert listener.receive(dialer.to_send() + b"forged") == b""
    assert listener.receive(b"forged") == b""


# Attacks on the bytes.


def fed(channel: Channel, data: bytes, *, end: bool = True) -> bytes | None:
    """What came of `data`, and then perhaps the end of the pipe; None if the channel failed."""
    try:
        plaintext = channel.receive(data)
        assert not plaintext
        if end:
            channel.receive_eof()
    except ChannelError:
        return None
    return plaintext


def test_a_changed_byte_in_a_record_ends_the_channel(
    channel_settings: ChannelSettings, pump: Pump
) -> None:
    for position in (0, 1, 3, 5, 20, 110, -1):
        dialer, listener = (
            Channel("dialer", channel_settings),
            Channel("listener", channel_settings),
        )
        pump(dialer, listener)
        dialer.send(b"x" * 100)
        changed = bytearray(dialer.to_send())
        changed[position % len(changed)] ^= 0x40
        # A length made larger waits for bytes that never come; then the pipe ends.
        assert fed(listener, bytes(changed)) is None


def test_a_changed_byte_in_the_handshake_ends_it(channel_settings: ChannelSettings) -> None:
    for position in range(0, 1200, 97):
        dialer, listener = (
            Channel("dialer", channel_settings),
            Channel("listener", channel_settings),
        )
        hello = bytearray(dialer.to_send())
        hello[position % len(hello)] ^= 0x01
        if fed(listener, bytes(hello), end=False) is not None:
            fed(dialer, listener.to_send(), end=False)
            fed(listener, dialer.to_send())
        assert not listener.established


def test_a_repeated_record_ends_the_channel(pair: Pair) -> None:
    dialer, listener = pair
    dialer.send(b"once")
    record = dialer.to_send()
    assert listener.receive(record) == b"once"
    with pytest.raises(ChannelError):
        listener.receive(record)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" * 100])
def test_noise_ends_the_handshake(channel_settings: ChannelSettings, noise: bytes) -> None:
    for role in ("dialer", "listener"):
        with pytest.raises(ChannelError):
            Channel(role, channel_settings).receive(noise)


# Weak peers.

Contexts = Callable[[int], ssl.SSLContext]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "-")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC))
        .sign(key, None)
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return path


@pytest.fixture
def contexts(certificate: Path) -> Contexts:
    """Contexts of the standard library for the other end."""

    def make(protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if protocol == ssl.PROTOCOL_TLS_SERVER:
            context.load_cert_chain(certificate)
        return context

    return make


class Other:
    """The other end of a channel, made of the standard library."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server)
        self.done = False

    def receive(self, data: bytes) -> bytes:
        """Plaintext that came."""
        self._in.write(data)
        try:
            if not self.done:
                self._tls.do_handshake()
                self.done = True
            return self._tls.read()
        except ssl.SSLError:
            return b""

    def to_send(self) -> bytes:
        return self._out.read()


def meet(channel: Channel, other: Other) -> tuple[bytes, ChannelError]:
    """What our end said to a peer that it has to refuse, and the refusal."""
    said, errors = b"", list[ChannelError]()
    for _ in range(4):
        said += other.receive(channel.to_send())
        try:
            assert channel.receive(other.to_send()) == b""
        except ChannelError as error:
            errors.append(error)
        with pytest.raises(ChannelError):
            channel.send(b"secret")
    said += other.receive(channel.to_send())
    assert not channel.established
    return said, errors[0]


@pytest.mark.parametrize("curve", ["X25519", "prime256v1"])
def test_a_dialer_without_the_hybrid_group_is_refused(
    channel_settings: ChannelSettings, contexts: Contexts, curve: str
) -> None:
    context = contexts(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ecdh_curve(curve)
    other = Other(context, server=False)
    other.receive(b"")
    said, error = meet(Channel("listener", channel_settings), other)
    assert other.done  # TLS alone would have been content
    assert isinstance(error, WeakChannelError)
    assert said == b""


@pytest.mark.parametrize("curve", ["X25519", "prime256v1"])
def test_a_listener_without_the_hybrid_group_is_refused(
    channel_settings: ChannelSettings, contexts: Contexts, curve: str
) -> None:
    context = contexts(ssl.PROTOCOL_TLS_SERVER)
    context.set_ecdh_curve(curve)
    other = Other(context, server=True)
    said, error = meet(Channel("dialer", channel_settings), other)
    assert other.done
    assert isinstance(error, WeakChannelError)
    assert said == b""


def test_a_peer_with_tls_1_2_alone_is_refused(
    channel_settings: ChannelSettings, contexts: Contexts
) -> None:
    client, server = contexts(ssl.PROTOCOL_TLS_CLIENT), contexts(ssl.PROTOCOL_TLS_SERVER)
    for context in (client, server):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    dialing = Other(client, server=False)
    dialing.receive(b"")
    listening = Other(server, server=True)
    for channel, other in (
        (Channel("listener", channel_settings), dialing),
        (Channel("dialer", channel_settings), listening),
    ):
        said, _ = meet(channel, other)
        assert not other.done
        assert said == b""


# No resumption.


def test_the_listener_resumes_nothing(channel_settings: ChannelSettings) -> None:
    # OpenSSL still sends tickets, but they name sessions that were never kept.
    context = SSL.Context(SSL.TLS_METHOD)
    session: SSL.Session | None = None
    dialers: list[SSL.Connection] = []  # one that is dropped without a close forgets its ticket
    hellos, flights = list[int](), list[int]()
    for _ in range(2):
        dialer = SSL.Connection(context, None)
        dialer.set_connect_state()
        if session is not None:
            dialer.set_session(session)
        listener = Channel("listener", channel_settings)
        with pytest.raises(SSL.WantReadError):
            dialer.do_handshake()
        hello = dialer.bio_read(2**16)
        listener.receive(hello)
        flight = listener.to_send()
        dialer.bio_write(flight)
        dialer.do_handshake()
        listener.receive(dialer.bio_read(2**16))
        assert listener.established
        listener.send(b"x")
        dialer.bio_write(listener.to_send())
        assert dialer.recv(10) == b"x"
        session = dialer.get_session()
        dialers.append(dialer)
        hellos.append(len(hello))
        flights.append(len(flight))
    assert hellos[1] > hellos[0]  # the ticket was offered
    assert flights[1] == flights[0]  # and the whole handshake, certificate and all, was made


def test_the_dialer_uses_no_ticket_that_it_was_given(
    channel_settings: ChannelSettings, certificate: Path
) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_file(str(certificate))
    context.use_privatekey_file(str(certificate))
    hellos: list[int] = []
    for _ in range(2):
        listener = SSL.Connection(context, None)
        listener.set_accept_state()
        dialer = Channel("dialer", channel_settings)
        hello = dialer.to_send()
        hellos.append(len(hello))
        listener.bio_write(hello)
        with pytest.raises(SSL.WantReadError):
            listener.do_handshake()
        dialer.receive(listener.bio_read(2**16))
        listener.bio_write(dialer.to_send())
        listener.do_handshake()
        tickets = listener.bio_read(2**16)
        assert tickets
        assert dialer.receive(tickets) == b""
        assert dialer.established
    assert hellos[0] == hellos[1]  # a ticket in it would make it longer


# Floods.


class Flooder:
    """A dialer that can write any TLS 1.3 record, for OpenSSL would not write these."""

    def __init__(self, listener: Channel) -> None:
        secrets: dict[bytes, bytes] = {}
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_keylog_callback(
            lambda _, line: secrets.update(
                {line.split()[0]: bytes.fromhex(line.split()[2].decode())}
            )
        )
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        with pytest.raises(SSL.WantReadError):
            connection.do_handshake()
        listener.receive(connection.bio_read(2**16))
        connection.bio_write(listener.to_send())
        connection.do_handshake()
        listener.receive(connection.bio_read(2**16))
        assert connection.get_cipher_name() == "TLS_AES_256_GCM_SHA384"
        self._secret = secrets[b"CLIENT_TRAFFIC_SECRET_0"]
        self._sequence = 0

    def _expand(self, label: bytes, length: int) -> bytes:
        label = b"tls13 " + label
        info = length.to_bytes(2) + bytes([len(label)]) + label + b"\x00"
        return HKDFExpand(SHA384(), length, info).derive(self._secret)

    def record(self, kind: int, body: bytes) -> bytes:
        header = b"\x17\x03\x03" + (len(body) + 17).to_bytes(2)
        nonce = int.from_bytes(self._expand(b"iv", 12)) ^ self._sequence
        self._sequence += 1
        aead = AESGCM(self._expand(b"key", 32))
        return header + aead.encrypt(nonce.to_bytes(12), body + bytes([kind]), header)

    def key_update(self) -> bytes:
        record = self.record(22, b"\x18\x00\x00\x01\x01")  # it asks for ours in return
        self._secret, self._sequence = self._expand(b"traffic upd", 48), 0
        return record


@pytest.fixture
def flooded(channel_settings: ChannelSettings) -> tuple[Flooder, Channel]:
    listener = Channel("listener", channel_settings)
    return Flooder(listener), listener


def test_a_flood_of_key_updates_is_answered_by_no_more_than_it_sent(
    flooded: tuple[Flooder, Channel],
) -> None:
    flooder, listener = flooded
    listener.to_send()
    came = went = 0
    for _ in range(2000):
        record = flooder.key_update()
        came += len(record)
        assert listener.receive(record) == b""
        went += len(listener.to_send())
    assert went <= came
    assert listener.receive(flooder.record(23, b"still here")) == b"still here"


def test_a_renegotiation_is_refused(flooded: tuple[Flooder, Channel]) -> None:
    flooder, listener = flooded
    client_hello = b"\x01\x00\x00\x26\x03\x03" + bytes(36)
    with pytest.raises(ChannelError):
        listener.receive(flooder.record(22, client_hello))


def test_a_flood_of_empty_records_ends_or_gives_nothing(flooded: tuple[Flooder, Channel]) -> None:
    flooder, listener = flooded
    try:
        for _ in range(2000):
            assert listener.receive(flooder.record(23, b"")) == b""
    except ChannelError:
        pass
    assert len(listener.to_send()) < 1000


def test_a_record_larger_than_tls_allows_ends_the_channel(
    flooded: tuple[Flooder, Channel],
) -> None:
    flooder, listener = flooded
    with pytest.raises(ChannelError):
        listener.receive(flooder.record(23, bytes(17_000)))
