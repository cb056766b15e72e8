from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from cryptography.cobblestone import Cobblestone256Encryptor
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import blob
from kinlight.crypto.blob import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAX_CIPHERTEXT_BYTES,
    MAX_CONTENT_BYTES,
    MAX_PIECES,
    PIECE_BYTES,
    TAG_BYTES,
    Kind,
    Manifest,
)
from kinlight.crypto.errors import (
    MalformedError,
    PieceMismatchError,
    SealBrokenError,
    SourceChangedError,
)
from kinlight.crypto.secret import Secret

KEY = Secret(b"k" * 32)
PHOTO_ID = b"p" * 16
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES
STEP = 16 * CHUNK_BYTES

BORDERS = sorted(
    {
        max(0, border + near)
        for border in (0, 8, CHUNK_BYTES, 2 * CHUNK_BYTES, STEP, 2 * STEP)
        for near in (-17, -16, -9, -8, -7, -1, 0, 1)
    }
)


def content_of(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def sealed(content: bytes) -> tuple[Manifest, bytes]:
    sink = io.BytesIO()
    manifest = blob.seal(io.BytesIO(content), len(content), sink, KEY, Kind.ORIGINAL, PHOTO_ID)
    return manifest, sink.getvalue()


def unsealed(
    ciphertext: bytes,
    *,
    key: Secret = KEY,
    kind: Kind = Kind.ORIGINAL,
    photo_id: bytes = PHOTO_ID,
    limit: int = MAX_CONTENT_BYTES,
) -> bytes:
    sink = io.BytesIO()
    length = blob.unseal(io.BytesIO(ciphertext), sink, key, kind, photo_id, limit)
    assert length == len(sink.getvalue())
    return sink.getvalue()


def refused(ciphertext: bytes, **other: object) -> bytes:
    """What was written before the refusal."""
    sink = io.BytesIO()
    arguments = {"key": KEY, "kind": Kind.ORIGINAL, "photo_id": PHOTO_ID} | other
    with pytest.raises(SealBrokenError):
        blob.unseal(
            io.BytesIO(ciphertext),
            sink,
            cast(Secret, arguments["key"]),
            cast(Kind, arguments["kind"]),
            cast(bytes, arguments["photo_id"]),
            cast(int, arguments.get("limit", MAX_CONTENT_BYTES)),
        )
    return sink.getvalue()


def sealed_by_hand(plaintext: bytes) -> bytes:
    """A blob around any plaintext, well formed or not."""
    context = b"kinlight/pb1\x00\x01" + PHOTO_ID
    encryptor = Cobblestone256Encryptor(KEY.reveal(), context=context)
    return encryptor.update(plaintext) + encryptor.finalize()


@pytest.mark.parametrize("length", BORDERS)
def test_a_blob_opens_to_what_was_sealed(length: int) -> None:
    content = content_of(length)
    manifest, ciphertext = sealed(content)
    assert unsealed(ciphertext) == content
    assert manifest.length == len(ciphertext) == blob.sealed_length(length)
    assert manifest.pieces == blob.piece_count(len(ciphertext))
    assert len(manifest.encode()) == blob.manifest_length(len(ciphertext))
    assert Manifest.decode(manifest.encode(), manifest.content_id) == manifest
    assert manifest.header == ciphertext[:HEADER_BYTES]
    pieces = [
        ciphertext[blob.piece_offset(index) :][: manifest.piece_length(index)]
        for index in range(manifest.pieces)
    ]
    assert manifest.header + b"".join(pieces) == ciphertext
    for index, piece in enumerate(pieces):
        manifest.check_piece(index, piece)
        manifest.check_piece(index, memoryview(piece))


class Dripping(io.BytesIO):
    """A source that gives less than was asked, as pipes do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 977) if size and size > 0 else size)


@given(st.integers(0, 3 * CHUNK_BYTES))
def test_short_reads_change_nothing(length: int) -> None:
    content = content_of(length)
    sink = io.BytesIO()
    manifest = blob.seal(Dripping(content), length, sink, KEY, Kind.METADATA, PHOTO_ID)
    opened = io.BytesIO()
    blob.unseal(Dripping(sink.getvalue()), opened, KEY, Kind.METADATA, PHOTO_ID, MAX_CONTENT_BYTES)
    assert opened.getvalue() == content
    assert manifest.length == len(sink.getvalue())


def test_two_seals_of_one_content_differ() -> None:
    (one, first), (two, second) = sealed(b"same"), sealed(b"same")
    assert one.header[:24] != two.header[:24]
    assert one.content_id != two.content_id
    assert first != second


@pytest.mark.parametrize(
    "other",
    [{"key": Secret(b"x" * 32)}, {"kind": Kind.METADATA}, {"photo_id": b"q" * 16}],
    ids=["key", "kind", "photo id"],
)
def test_a_wrong_key_kind_or_photo_is_refused_before_anything_is_written(
    other: dict[str, object],
) -> None:
    _, ciphertext = sealed(content_of(3 * CHUNK_BYTES))
    assert refused(ciphertext, **other) == b""


def test_a_photo_id_has_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16"):
        blob.seal(io.BytesIO(), 0, io.BytesIO(), KEY, Kind.ORIGINAL, b"short")


CHUNKS = 19  # into the second piece


@pytest.fixture(scope="module")
def long_blob() -> bytes:
    return sealed(content_of(CHUNKS * CHUNK_BYTES - 1000))[1]


def test_truncation_at_every_chunk_border_is_refused(long_blob: bytes) -> None:
    assert len(unsealed(long_blob)) == CHUNKS * CHUNK_BYTES - 1000
    for chunks in range(CHUNKS + 1):
        for near in (-1, 0, 1, TAG_BYTES):
            end = HEADER_BYTES + chunks * SEALED_CHUNK + near
            if end < len(long_blob):
                refused(long_blob[:end])
    for end in (0, 1, 24, HEADER_BYTES - 1, len(long_blob) - 1):
        refused(long_blob[:end])


@pytest.mark.parametrize("tail", [1, TAG_BYTES, CHUNK_BYTES, SEALED_CHUNK])
def test_extension_is_refused(long_blob: bytes, tail: int) -> None:
    refused(long_blob + bytes(tail))


def test_a_second_final_chunk_is_refused() -> None:
    _, ciphertext = sealed(b"short")
    refused(ciphertext + ciphertext[HEADER_BYTES:])


def test_swapped_and_repeated_chunks_are_refused(long_blob: bytes) -> None:
    def chunk(index: int) -> bytes:
        return long_blob[HEADER_BYTES + index * SEALED_CHUNK :][:SEALED_CHUNK]

    tail = long_blob[HEADER_BYTES + 2 * SEALED_CHUNK :]
    head = long_blob[:HEADER_BYTES]
    assert head + chunk(0) + chunk(1) + tail == long_blob
    refused(head + chunk(1) + chunk(0) + tail)
    refused(head + chunk(0) + chunk(0) + tail)
    refused(head + chunk(0) + tail)
    refused(head + chunk(0) + chunk(1) + chunk(1) + tail)


@given(st.data())
def test_a_changed_byte_anywhere_is_refused(data: st.DataObject) -> None:
    _, ciphertext = sealed(content_of(100))
    changed = bytearray(ciphertext)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert refused(bytes(changed)) == b""


def test_a_content_larger_than_the_limit_is_refused_before_anything_is_written() -> None:
    _, ciphertext = sealed(content_of(5000))
    assert len(unsealed(ciphertext, limit=5000)) == 5000
    assert refused(ciphertext, limit=4999) == b""


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        bytes(7),
        (101).to_bytes(8) + b"x" * 100,
        (2**64 - 1).to_bytes(8) + b"x" * 100,
        (3).to_bytes(8) + b"abc" + b"\x01" + bytes(3),
        (100).to_bytes(8) + b"x" * 100 + bytes(3) + b"\x01",
        (100).to_bytes(8) + b"x" * 100,
        (100).to_bytes(8) + b"x" * 100 + bytes(3),
        (100).to_bytes(8) + b"x" * 100 + bytes(5),
        (100).to_bytes(8) + b"x" * 100 + bytes(3 * CHUNK_BYTES),
    ],
    ids=[
        "empty",
        "cut prefix",
        "length beyond the end",
        "absurd length",
        "padding not zero",
        "last padding byte not zero",
        "no padding",
        "too little padding",
        "too much padding",
        "chunks of padding",
    ],
)
def test_a_plaintext_that_a_writer_would_not_make_is_refused(plaintext: bytes) -> None:
    assert blob.padme(108) == 112
    assert unsealed(sealed_by_hand((100).to_bytes(8) + b"x" * 100 + bytes(4))) == b"x" * 100
    refused(sealed_by_hand(plaintext))


@pytest.mark.parametrize("change", [-1, 1])
def test_a_source_that_changes_while_it_is_read_is_not_sealed(change: int) -> None:
    source = io.BytesIO(content_of(STEP + 100))
    with pytest.raises(SourceChangedError):
        blob.seal(source, STEP + 100 + change, io.BytesIO(), KEY, Kind.ORIGINAL, PHOTO_ID)


# Manifests and pieces.


def test_a_manifest_is_taken_under_its_content_id_alone() -> None:
    manifest, _ = sealed(content_of(300_000))
    data = manifest.encode()
    for wrong in (data[:-1], data + b"\x00", b"", data[:8], bytes([data[0] ^ 1]) + data[1:]):
        with pytest.raises(MalformedError):
            Manifest.decode(wrong, manifest.content_id)


@pytest.mark.parametrize("length", [0, HEADER_BYTES, HEADER_BYTES + TAG_BYTES - 1, 2**64 - 1])
def test_a_manifest_of_an_impossible_length_is_refused(length: int) -> None:
    lying = Manifest(length, bytes(HEADER_BYTES), bytes(32))
    with pytest.raises(MalformedError):
        Manifest.decode(lying.encode(), lying.content_id)


@pytest.mark.parametrize("hashes", [0, 31, 32, 65, 96])
def test_a_manifest_has_a_hash_for_each_piece(hashes: int) -> None:
    length = HEADER_BYTES + PIECE_BYTES + TAG_BYTES  # two pieces
    lying = Manifest(length, bytes(HEADER_BYTES), bytes(hashes))
    with pytest.raises(MalformedError):
        Manifest.decode(lying.encode(), lying.content_id)


def test_a_manifest_shorter_than_its_header_is_refused() -> None:
    for size in (0, 8, 8 + HEADER_BYTES - 1):
        short = Manifest(0, b"", bytes(max(0, size - 8)))
        with pytest.raises(MalformedError):
            Manifest.decode(short.encode(), short.content_id)


def test_the_number_of_pieces_is_taken_to_the_limit_and_no_further() -> None:
    assert blob.piece_count(HEADER_BYTES + TAG_BYTES) == 1
    assert blob.piece_count(HEADER_BYTES + PIECE_BYTES) == 1
    assert blob.piece_count(HEADER_BYTES + PIECE_BYTES + 1) == 2
    assert blob.piece_count(MAX_CIPHERTEXT_BYTES) == MAX_PIECES == 2**16
    assert blob.manifest_length(MAX_CIPHERTEXT_BYTES) == 8 + HEADER_BYTES + 32 * MAX_PIECES
    for impossible in (MAX_CIPHERTEXT_BYTES + 1, HEADER_BYTES + TAG_BYTES - 1, 0):
        with pytest.raises(MalformedError):
            blob.piece_count(impossible)
        with pytest.raises(MalformedError):
            blob.manifest_length(impossible)


def test_the_largest_content_fits_the_pieces_whatever_its_padding() -> None:
    assert blob.sealed_length(MAX_CONTENT_BYTES) <= MAX_CIPHERTEXT_BYTES


def test_a_longer_content_than_the_largest_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="bytes"):
        blob.seal(io.BytesIO(), MAX_CONTENT_BYTES + 1, io.BytesIO(), KEY, Kind.ORIGINAL, PHOTO_ID)


def test_a_piece_of_another_place_blob_or_size_is_refused() -> None:
    manifest, ciphertext = sealed(content_of(2 * STEP + 5000))
    _, other = sealed(content_of(2 * STEP + 5000))

    def piece(of: bytes, index: int) -> bytes:
        return of[blob.piece_offset(index) :][:PIECE_BYTES]

    manifest.check_piece(0, piece(ciphertext, 0))
    wrong = [
        (1, piece(ciphertext, 0)),
        (0, piece(other, 0)),
        (0, piece(ciphertext, 0)[:-1]),
        (0, piece(ciphertext, 0) + b"\x00"),
        (2, piece(ciphertext, 2)[:-1]),
        (0, b""),
        (3, b""),
        (-1, piece(ciphertext, 2)),
        (2**40, b""),
    ]
    for index, data in wrong:
        with pytest.raises(PieceMismatchError):
            manifest.check_piece(index, data)


def test_a_piece_with_a_changed_byte_is_refused() -> None:
    manifest, ciphertext = sealed(content_of(1000))
    body = bytearray(ciphertext[HEADER_BYTES:])
    for position in range(0, len(body), 37):
        body[position] ^= 1
        with pytest.raises(PieceMismatchError):
            manifest.check_piece(0, bytes(body))
        body[position] ^= 1
    manifest.check_piece(0, bytes(body))


# Padmé.


@given(st.integers(0, 2**40))
def test_padme_adds_at_most_an_eighth_and_keeps_its_own_results(length: int) -> None:
    padded = blob.padme(length)
    assert length <= padded <= length * 1.12 + 1
    assert blob.padme(padded) == padded


def test_padme_of_these_lengths_is_this() -> None:
    lengths = [0, 1, 2, 7, 8, 9, 100, 1000, 1024, 1025, 65_537, 5_000_000]
    assert [blob.padme(length) for length in lengths] == [
        0, 1, 2, 7, 8, 10, 104, 1024, 1024, 1088, 67_584, 5_111_808,
    ]  # fmt: skip


# Memory.


class Zeros:
    """A source of any length that holds nothing."""

    def __init__(self, length: int) -> None:
        self._left = length

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


def test_sealing_and_opening_200_mb_takes_little_memory(tmp_path: Path) -> None:
    length = 200_000_000
    ciphertext = tmp_path / "sealed"
    with ciphertext.open("wb") as sink:
        tracemalloc.start()
        blob.seal(cast(BinaryIO, Zeros(length)), length, sink, KEY, Kind.ORIGINAL, PHOTO_ID)
        _, sealing = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    with ciphertext.open("rb") as source:
        tracemalloc.start()
        nowhere = cast(BinaryIO, Nowhere())
        assert blob.unseal(source, nowhere, KEY, Kind.ORIGINAL, PHOTO_ID, length) == length
        _, opening = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert sealing < 2 * 2**20
    assert opening < 2 * 2**20
