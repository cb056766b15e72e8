"""A lost piece is sealed again, byte for byte, or not at all."""

from __future__ import annotations

import io

import pytest
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.errors import PieceMismatchError, SealBrokenError, SourceChangedError
from kinlight.crypto.secret import Secret

from .test_blob import BORDERS, KEY, PHOTO_ID, STEP, content_of, sealed


def resealed(
    content: bytes,
    manifest: Manifest,
    *,
    wanted: range | None = None,
    key: Secret = KEY,
    kind: Kind = Kind.ORIGINAL,
) -> dict[int, bytes]:
    pieces = range(manifest.pieces) if wanted is None else wanted
    return dict(
        blob.reseal(io.BytesIO(content), len(content), manifest, key, kind, PHOTO_ID, pieces)
    )


@pytest.mark.parametrize("length", BORDERS)
def test_every_piece_comes_out_as_it_was(length: int) -> None:
    content = content_of(length)
    manifest, ciphertext = sealed(content)
    pieces = resealed(content, manifest)
    assert manifest.header + b"".join(pieces.values()) == ciphertext


def test_only_the_pieces_that_are_wanted_come() -> None:
    content = content_of(3 * STEP)
    manifest, _ = sealed(content)
    assert list(resealed(content, manifest, wanted=range(1, 3))) == [1, 2]


def test_of_another_content_nothing_comes_out_that_differs() -> None:
    content = bytearray(content_of(3 * STEP))
    manifest, ciphertext = sealed(bytes(content))
    content[STEP + 100] ^= 1
    found: list[bytes] = []
    with pytest.raises(PieceMismatchError):
        found.extend(
            piece
            for _, piece in blob.reseal(
                io.BytesIO(content), len(content), manifest, KEY, Kind.ORIGINAL, PHOTO_ID, range(9)
            )
        )
    assert manifest.header + b"".join(found) == ciphertext[: len(manifest.header) + len(found[0])]


@pytest.mark.parametrize("change", [-1, 1])
def test_a_content_of_another_length_is_refused(change: int) -> None:
    content = content_of(STEP)
    manifest, _ = sealed(content)
    source = io.BytesIO(content_of(STEP + change))
    with pytest.raises((SourceChangedError, PieceMismatchError)):
        list(blob.reseal(source, STEP, manifest, KEY, Kind.ORIGINAL, PHOTO_ID, range(9)))


def test_another_key_or_kind_is_refused_before_anything_is_sealed() -> None:
    content = content_of(100)
    manifest, _ = sealed(content)
    with pytest.raises(SealBrokenError):
        resealed(content, manifest, key=Secret(b"x" * 32))
    with pytest.raises(SealBrokenError):
        resealed(content, manifest, kind=Kind.METADATA)
