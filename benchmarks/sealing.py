"""Sealing and the channel, each beside what the primitives alone take."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind
from kinlight.crypto.channel import Channel, ChannelSettings
from kinlight.crypto.secret import Secret

from benchmarks.figures import MIB, Figure

CONTENT = secrets.token_bytes(64 * MIB)
WRITES = (64 * 1024, 256 * 1024)
ROUNDS = 5


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take it."""
        return len(data)


def best(work: Callable[[], object]) -> float:
    """The fewest seconds of a few runs: what else the machine does only ever adds."""
    seconds: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def speed(seconds: float) -> float:
    """MiB a second for `CONTENT`."""
    return len(CONTENT) / MIB / seconds


def sealing() -> None:
    """Seal and unseal against AES-256-GCM and SHA-256 of the same bytes."""
    cipher, room = AESGCM(secrets.token_bytes(32)), bytearray(blob.CHUNK_BYTES + blob.TAG_BYTES)
    view = memoryview(CONTENT)

    def encrypt() -> None:
        for number in range(len(view) // blob.CHUNK_BYTES):
            start = number * blob.CHUNK_BYTES
            nonce = number.to_bytes(12, "big")
            cipher.encrypt_into(nonce, view[start : start + blob.CHUNK_BYTES], None, room)

    key, photo_id = Secret(secrets.token_bytes(32)), secrets.token_bytes(16)
    sealed = BytesIO()
    blob.seal(BytesIO(CONTENT), len(CONTENT), sealed, key, Kind.ORIGINAL, photo_id)

    def seal() -> None:
        blob.seal(BytesIO(CONTENT), len(CONTENT), Nowhere(), key, Kind.ORIGINAL, photo_id)

    def unseal() -> None:
        sealed.seek(0)
        blob.unseal(sealed, Nowhere(), key, Kind.ORIGINAL, photo_id, len(CONTENT))

    cipher_time, hash_time = best(encrypt), best(lambda: hashlib.sha256(CONTENT))
    seal_time, unseal_time = best(seal), best(unseal)
    Figure("AES-256-GCM alone, 16 KiB a call", speed(cipher_time), "MiB/s").show()
    Figure("SHA-256 alone", speed(hash_time), "MiB/s").show()
    Figure("seal", speed(seal_time), "MiB/s").show()
    floor = cipher_time + hash_time
    Figure("seal: time over AES-256-GCM and SHA-256", seal_time / floor, "x").show()
    Figure("unseal", speed(unseal_time), "MiB/s").show()
    Figure("unseal: time over AES-256-GCM", unseal_time / cipher_time, "x").show()


class Copy:
    """What a channel would be that did nothing: takes bytes, gives bytes."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def send(self, plaintext: bytes | memoryview) -> None:
        """Keep a copy."""
        self._waiting.append(bytes(plaintext))

    def to_send(self) -> bytes:
        """Hand all of it over."""
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)

    def receive(self, data: bytes) -> bytes:
        """Take it at the other end."""
        return bytes(memoryview(data))


def channel() -> None:
    """Handshake, and bulk with both ends in this one thread."""
    settings = ChannelSettings()

    def connect() -> tuple[Channel, Channel]:
        dialer, listener = Channel("dialer", settings), Channel("listener", settings)
        while not (dialer.established and listener.established):
            listener.receive(dialer.to_send())
            dialer.receive(listener.to_send())
        return dialer, listener

    def carry(sender: Channel | Copy, receiver: Channel | Copy, size: int) -> None:
        view = memoryview(CONTENT)
        for start in range(0, len(view), size):
            sender.send(view[start : start + size])
            receiver.receive(sender.to_send())

    handshake = min(best(connect) for _ in range(10))
    Figure("channel: handshake, both ends in one thread", 1000 * handshake, "ms").show()
    dialer, listener = connect()
    for size in WRITES:
        copy_time = best(partial(carry, Copy(), Copy(), size))
        channel_time = best(partial(carry, dialer, listener, size))
        what = f"channel: writes of {size // 1024} KiB, both ends in one thread"
        Figure(what, speed(channel_time), "MiB/s").show()
        Figure("the same: time over copying", channel_time / copy_time, "x").show()


if __name__ == "__main__":
    sealing()
    channel()
