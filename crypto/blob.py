"""Sealed blobs: how a photo's bytes are kept and carried (docs/spec/blob.md).

    plaintext  = u64be(length) || content || zeros, up to Padmé(8 + length)
    ciphertext = Cobblestone-256(file key, plaintext, context = "kinlight/pb1" 00 kind photo_id)
    piece i    = 262,400 bytes of the ciphertext after its 56-byte header: 16 sealed chunks
    manifest   = u64be(len(ciphertext)) || header || SHA-256(piece 0) || SHA-256(piece 1) …
    content id = SHA-256("kinlight/cid1" 00 manifest)

Whoever knows the content id can check the manifest, and with it every piece, without any key.
Whoever has the file key knows that nothing was cut, swapped or repeated (the last chunk is short
and numbered) and that the blob is the one meant for this photo and kind (the context).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .errors import MalformedError, PieceMismatchError, SealBrokenError, SourceChangedError
from .secret import Secret

HEADER_BYTES: Final = 56
CHUNK_BYTES: Final = 16 * 1024
TAG_BYTES: Final = 16
CHUNKS_PER_PIECE: Final = 16
PIECE_BYTES: Final = CHUNKS_PER_PIECE * (CHUNK_BYTES + TAG_BYTES)
MAX_PIECES: Final = 2**16
MAX_CIPHERTEXT_BYTES: Final = HEADER_BYTES + MAX_PIECES * PIECE_BYTES
HASH_BYTES: Final = 32
PHOTO_ID_BYTES: Final = 16
CONTENT_ID_BYTES: Final = 32
FETCH_TOKEN_BYTES: Final = 32
MAX_CONTENT_BYTES: Final = 15 * 2**30
"""The largest photo or clip that is sealed: it fits in `MAX_PIECES` whatever the padding."""

_LENGTH_BYTES: Final = 8
_STEP: Final = CHUNKS_PER_PIECE * CHUNK_BYTES
_CONTEXT: Final = b"kinlight/pb1\x00"
_FETCH_TOKEN: Final = b"kinlight/fetch1"
_CONTENT_ID: Final = b"kinlight/cid1\x00"
_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_SALT_BYTES: Final = 24
_NONCE_BYTES: Final = 12


class Readable(Protocol):
    """Where `seal` and `unseal` read from: a binary file, or something that watches over one."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class Writable(Protocol):
    """Where they write to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take all of `data`."""
        ...


class Kind(IntEnum):
    """What a blob holds; part of the key's context, so one can't stand in for another."""

    ORIGINAL = 1
    METADATA = 2
    RENDITION = 3
    """A picture made from the original. The node that made it keeps it for itself."""
    LIBRARY = 4
    """A node's library in a backup file; the id is the file's."""


def padme(length: int) -> int:
    """`length` rounded up so that few sizes remain, at most 12 % longer.

    Padmé, from Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019.
    """
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return (length + mask) & ~mask


def sealed_length(length: int) -> int:
    """Ciphertext bytes of a content of `length` bytes."""
    padded = padme(_LENGTH_BYTES + length)
    return HEADER_BYTES + padded + TAG_BYTES * (padded // CHUNK_BYTES + 1)


def fetch_token(file_key: Secret) -> Secret:
    """What a blob's sealed bytes are asked for with where they are held: a holder knows its hash
    alone. Who has the file key can make it, and it does not lead to that key.
    """
    return file_key.derive(_FETCH_TOKEN)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The header and the hash of every piece of one ciphertext of `length` bytes."""

    length: int
    header: bytes
    hashes: bytes

    def encode(self) -> bytes:
        """The bytes that travel, and that the content id is made of."""
        return self.length.to_bytes(8) + self.header + self.hashes

    @property
    def content_id(self) -> bytes:
        """32 bytes that name this ciphertext and no other."""
        return hashlib.sha256(_CONTENT_ID + self.encode()).digest()

    @classmethod
    def decode(cls, data: bytes, content_id: bytes) -> Manifest:
        """The manifest that `content_id` names; `MalformedError` if `data` is not it."""
        if hashlib.sha256(_CONTENT_ID + data).digest() != content_id:
            raise MalformedError("the manifest is not the one that was asked for")
        if len(data) < 8 + HEADER_BYTES:
            raise MalformedError("manifest too short")
        manifest = cls(
            int.from_bytes(data[:8]), data[8 : 8 + HEADER_BYTES], data[8 + HEADER_BYTES :]
        )
        if len(manifest.hashes) != HASH_BYTES * piece_count(manifest.length):
            raise MalformedError("the manifest's length and its hashes differ")
        return manifest

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return len(self.hashes) // HASH_BYTES

    def piece_length(self, index: int) -> int:
        """Bytes of piece `index`: all are `PIECE_BYTES` but the last."""
        return min(PIECE_BYTES, self.length - HEADER_BYTES - index * PIECE_BYTES)

    def check_piece(self, index: int, data: bytes | memoryview) -> None:
        """Raise `PieceMismatchError` unless `data` is piece `index`."""
        if not 0 <= index < self.pieces or len(data) != self.piece_length(index):
            raise PieceMismatchError(f"piece {index} has the wrong size")
        digest = hashlib.sha256(data).digest()
        if digest != self.hashes[HASH_BYTES * index : HASH_BYTES * (index + 1)]:
            raise PieceMismatchError(f"piece {index} has other bytes")


def manifest_length(ciphertext_length: int) -> int:
    """Bytes of the manifest of a ciphertext of that many bytes."""
    return 8 + HEADER_BYTES + HASH_BYTES * piece_count(ciphertext_length)


def piece_count(ciphertext_length: int) -> int:
    """Pieces of a ciphertext; `MalformedError` for a length that none can have."""
    body = ciphertext_length - HEADER_BYTES
    if body < TAG_BYTES or body > MAX_PIECES * PIECE_BYTES:
        raise MalformedError("a sealed blob can't have this length")
    return -(-body // PIECE_BYTES)


def piece_offset(index: int) -> int:
    """Where piece `index` begins in the ciphertext."""
    return HEADER_BYTES + index * PIECE_BYTES


def seal(
    source: Readable, length: int, sink: Writable, key: Secret, kind: Kind, photo_id: bytes
) -> Manifest:
    """Seal `length` bytes of `source` into `sink` and return the manifest.

    `key` is used for this blob alone. Memory stays below 2 MiB whatever the length. Raises
    `SourceChangedError` if the source turns out shorter or longer than `length`, `ValueError` for
    more than `MAX_CONTENT_BYTES`.
    """
    if length > MAX_CONTENT_BYTES:
        raise ValueError(f"a blob holds at most {MAX_CONTENT_BYTES} bytes")
    encryptor = Cobblestone256Encryptor(key.reveal(), context=_context(kind, photo_id))
    pieces = _PieceHashes()
    for block in _plaintext(source, length):
        sealed = encryptor.update(block)
        pieces.update(sealed)
        sink.write(sealed)
    sealed = encryptor.finalize()
    pieces.update(sealed)
    sink.write(sealed)
    return pieces.manifest()


def unseal(
    source: Readable, sink: Writable, key: Secret, kind: Kind, photo_id: bytes, limit: int
) -> int:
    """Open the ciphertext in `source` into `sink`; return the content's length, at most `limit`.

    `sink` holds authenticated but perhaps incomplete bytes if this raises `SealBrokenError`, so
    it must be a temporary file until this returns.
    """
    decryptor = Cobblestone256Decryptor(key.reveal(), context=_context(kind, photo_id))
    content = _Content(sink, limit)
    try:
        while block := source.read(PIECE_BYTES):
            content.update(decryptor.update(block))
        content.update(decryptor.finalize())
    except (InvalidTag, ValueError):
        raise SealBrokenError from None
    return content.finish()


def reseal(
    source: Readable,
    length: int,
    manifest: Manifest,
    key: Secret,
    kind: Kind,
    photo_id: bytes,
    wanted: Container[int],
) -> Iterator[tuple[int, bytes]]:
    """The `wanted` pieces of a blob again, from the `length` bytes that it was sealed from.

    Each comes out byte for byte as it was: sealed under the salt of the manifest's header, and
    checked against the manifest. Other content ends this with `PieceMismatchError` (or
    `SourceChangedError` for another length) and nothing of it comes out: the same nonces must
    never be seen with two contents. `SealBrokenError` if the key is another one.
    """
    info = _LABEL + manifest.header[:_SALT_BYTES] + _context(kind, photo_id)
    derived = HKDFExpand(SHA512(), 32 + _NONCE_BYTES + 32, info).derive(key.reveal())
    if not hmac.compare_digest(derived[32 + _NONCE_BYTES :], manifest.header[_SALT_BYTES:]):
        raise SealBrokenError
    aead, base = AESGCM(derived[:32]), int.from_bytes(derived[32 : 32 + _NONCE_BYTES])
    for index, plain in enumerate(_in_pieces(_plaintext(source, length))):
        if index not in wanted:
            continue
        last = len(plain) < _STEP
        piece = b"".join(
            aead.encrypt(
                (base ^ (index * CHUNKS_PER_PIECE + number)).to_bytes(_NONCE_BYTES),
                plain[start : start + CHUNK_BYTES],
                None,
            )
            # The last chunk is short, and empty where the plaintext fills those before it.
            for number, start in enumerate(range(0, len(plain) + last, CHUNK_BYTES))
        )
        manifest.check_piece(index, piece)
        yield index, piece


def _in_pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The plaintext of each piece: `_STEP` bytes, and less (perhaps nothing) for the last."""
    pending = bytearray()
    for block in blocks:
        pending += block
        while len(pending) >= _STEP:
            yield bytes(pending[:_STEP])
            del pending[:_STEP]
    yield bytes(pending)


def _context(kind: Kind, photo_id: bytes) -> bytes:
    if len(photo_id) != PHOTO_ID_BYTES:
        raise ValueError(f"a photo id has {PHOTO_ID_BYTES} bytes")
    return _CONTEXT + bytes([kind]) + photo_id


def _plaintext(source: Readable, length: int) -> Iterator[bytes]:
    """Length prefix, content and padding, in blocks of at most `_STEP` bytes."""
    yield length.to_bytes(_LENGTH_BYTES)
    left = length
    while left:
        block = source.read(min(_STEP, left))
        if not block:
            raise SourceChangedError("it became shorter")
        left -= len(block)
        yield block
    if source.read(1):
        raise SourceChangedError("it became longer")
    padding = padme(_LENGTH_BYTES + length) - _LENGTH_BYTES - length
    while padding:
        zeros = bytes(min(_STEP, padding))
        padding -= len(zeros)
        yield zeros


class _PieceHashes:
    """Cuts a ciphertext that arrives in any portions into the header and hashed pieces."""

    def __init__(self) -> None:
        self._header = b""
        self._length = 0
        self._hashes = bytearray()
        self._piece = hashlib.sha256()
        self._filled = 0

    def update(self, data: bytes) -> None:
        self._length += len(data)
        view = memoryview(data)
        if (missing := HEADER_BYTES - len(self._header)) > 0:
            self._header += view[:missing]
            view = view[missing:]
        while view:
            part = view[: PIECE_BYTES - self._filled]
            self._piece.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == PIECE_BYTES:
                self._close_piece()

    def _close_piece(self) -> None:
        self._hashes += self._piece.digest()
        self._piece = hashlib.sha256()
        self._filled = 0

    def manifest(self) -> Manifest:
        if self._filled:
            self._close_piece()
        return Manifest(self._length, self._header, bytes(self._hashes))


class _Content:
    """Takes the plaintext apart again: length prefix, content, zeros up to Padmé and no further."""

    def __init__(self, sink: Writable, limit: int) -> None:
        self._sink = sink
        self._limit = limit
        self._prefix = b""
        self._length = 0
        self._left = 0
        self._padding = 0

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        if (missing := _LENGTH_BYTES - len(self._prefix)) > 0:
            self._prefix += view[:missing]
            view = view[missing:]
            if len(self._prefix) < _LENGTH_BYTES:
                return
            self._length = self._left = int.from_bytes(self._prefix)
            if self._length > self._limit:
                raise SealBrokenError
        content = view[: self._left]
        if content:
            self._sink.write(content)
            self._left -= len(content)
        padding = bytes(view[len(content) :])
        if padding.strip(b"\x00"):
            raise SealBrokenError
        self._padding += len(padding)

    def finish(self) -> int:
        total = _LENGTH_BYTES + self._length
        if len(self._prefix) < _LENGTH_BYTES or self._left or total + self._padding != padme(total):
            raise SealBrokenError
        return self._length
