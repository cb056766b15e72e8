"""One end's work in a single pass, without a node and without a network."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.networks import Network
from benchmarks.workloads import Cargo

STEP = 256 * 1024


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:  # noqa: ARG001 - no network
    """Seconds to read, encrypt (AES-256-GCM), hash (SHA-256), write and fsync."""
    return await asyncio.to_thread(work, cargo.files[0], folder / "sealed")


def work(source: Path, target: Path) -> float:
    """The same for one file."""
    cipher, digest = AESGCM(secrets.token_bytes(32)), hashlib.sha256()
    room = bytearray(STEP + 16)
    begun = time.perf_counter()
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        number = 0
        while data := reading.read(STEP):
            sealed = memoryview(room)[: len(data) + 16]
            cipher.encrypt_into(number.to_bytes(12, "big"), data, None, sealed)
            digest.update(sealed)
            writing.write(sealed)
            number += 1
        os.fsync(writing.fileno())
    return time.perf_counter() - begun
