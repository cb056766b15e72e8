"""A second reader of sealed blobs, written from docs/spec/blob.md alone: it imports no kinlight.

    python tests/crypto/independent_blob.py FOLDER

prints, for each vector in the folder, its name and `success LENGTH SHA-256` or the failure's code.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HEADER, SEALED_CHUNK, PIECE, MAX_PIECES = 56, 16_400, 262_400, 65_536


class Refused(Exception):
    pass


def require(holds: bool, code: str) -> None:
    if not holds:
        raise Refused(code)


def check_pieces(ciphertext: bytes, manifest: bytes, content_id: bytes) -> None:
    found = hashlib.sha256(b"kinlight/cid1\x00" + manifest).digest()
    require(found == content_id and len(manifest) >= 8 + HEADER, "malformed")
    length = int.from_bytes(manifest[:8])
    body = length - HEADER
    require(16 <= body <= MAX_PIECES * PIECE, "malformed")
    hashes = manifest[8 + HEADER :]
    require(len(hashes) == 32 * -(-body // PIECE), "malformed")
    require(length == len(ciphertext), "piece-mismatch")
    require(manifest[8 : 8 + HEADER] == ciphertext[:HEADER], "piece-mismatch")
    for index in range(len(hashes) // 32):
        piece = ciphertext[HEADER + index * PIECE :][:PIECE]
        expected = hashes[32 * index : 32 * index + 32]
        require(hashlib.sha256(piece).digest() == expected, "piece-mismatch")


def open_chunks(ciphertext: bytes, key: bytes, kind: int, photo_id: bytes) -> bytes:
    context = b"kinlight/pb1\x00" + bytes([kind]) + photo_id
    label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
    derived = HKDFExpand(SHA512(), 76, label + ciphertext[:24] + context).derive(key)
    require(derived[44:] == ciphertext[24:HEADER], "seal-broken")
    aead, base = AESGCM(derived[:32]), int.from_bytes(derived[32:44])
    chunks = [
        ciphertext[start : start + SEALED_CHUNK]
        for start in range(HEADER, len(ciphertext), SEALED_CHUNK)
    ]
    require(bool(chunks) and len(chunks[-1]) < SEALED_CHUNK, "seal-broken")
    try:
        return b"".join(
            aead.decrypt((base ^ index).to_bytes(12), chunk, None)
            for index, chunk in enumerate(chunks)
        )
    except InvalidTag:
        raise Refused("seal-broken") from None


def content_of(plaintext: bytes) -> bytes:
    require(len(plaintext) >= 8, "seal-broken")
    end = 8 + int.from_bytes(plaintext[:8])
    require(end <= len(plaintext), "seal-broken")
    bits = end.bit_length() - 1
    step = 2 ** (bits - bits.bit_length())
    require(len(plaintext) == -(-end // step) * step, "seal-broken")
    require(not any(plaintext[end:]), "seal-broken")
    return plaintext[8:end]


def verdict(vector: bytes) -> str:
    header, _, ciphertext = vector.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines())
    try:
        manifest, content_id = bytes.fromhex(fields["manifest"]), fields["content-id"]
        check_pieces(ciphertext, manifest, bytes.fromhex(content_id))
        key, photo_id = bytes.fromhex(fields["key"]), bytes.fromhex(fields["photo-id"])
        content = content_of(open_chunks(ciphertext, key, int(fields["kind"]), photo_id))
    except Refused as refusal:
        return str(refusal)
    return f"success {len(content)} {hashlib.sha256(content).hexdigest()}"


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).iterdir()):
        print(path.name, verdict(path.read_bytes()))
