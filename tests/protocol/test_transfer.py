"""Bookkeeping of pieces: what is missing, what is taken, what may be sent."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import blob
from kinlight.crypto.blob import PIECE_BYTES, Kind, Manifest
from kinlight.crypto.errors import MalformedError, PieceMismatchError
from kinlight.protocol import limits
from kinlight.protocol.errors import TooMuchError, UnexpectedMessageError
from kinlight.protocol.transfer import Bitmap, Depth, Download, ManifestParts, Upload

from .photos import manifest_of, sealed

# Bitmap.


@given(st.integers(0, 200), st.sets(st.integers(0, 199)), st.integers(1, 100))
def test_the_missing_runs_are_what_was_not_added(size: int, added: set[int], most: int) -> None:
    bitmap = Bitmap(size)
    added = {index for index in added if index < size}
    for index in added:
        bitmap.add(index)
        bitmap.add(index)
    assert bitmap.count == len(added)
    runs = bitmap.missing(most)
    assert len(runs) <= most
    listed = [index for first, count in runs for index in range(first, first + count)]
    assert listed == sorted(set(range(size)) - added)[: len(listed)]
    if len(runs) < most:
        assert len(listed) == size - len(added)
    assert all(one[0] + one[1] < other[0] for one, other in pairwise(runs))
    assert bitmap.complete == (len(added) == size)


# Download.


@pytest.fixture(scope="module")
def three() -> tuple[bytes, Manifest]:
    """A blob of three pieces."""
    return sealed(bytes(600_000))


def pieces(ciphertext: bytes) -> list[bytes]:
    return [
        ciphertext[start : start + PIECE_BYTES]
        for start in range(blob.HEADER_BYTES, len(ciphertext), PIECE_BYTES)
    ]


def started(manifest: Manifest) -> Download:
    download = Download(manifest.content_id, manifest.length)
    assert ManifestParts(download).receive(manifest.encode())
    return download


def test_a_blob_is_complete_when_every_piece_was_noted(three: tuple[bytes, Manifest]) -> None:
    ciphertext, manifest = three
    download = started(manifest)
    for index in (2, 0, 1):
        assert not download.complete
        download.check_piece(index, pieces(ciphertext)[index])
        download.have.add(index)
    assert download.complete
    assert download.have.missing(9) == []


@pytest.mark.parametrize("step", [1, 7, 8, 100])
def test_a_manifest_comes_in_parts(step: int, three: tuple[bytes, Manifest]) -> None:
    manifest = three[1]
    encoded = manifest.encode()
    for expected in (manifest.length, None):
        if expected is None:
            manifest = sealed(b"small", Kind.METADATA)[1]
            encoded = manifest.encode()
        download = Download(manifest.content_id, expected)
        parts = [encoded[start : start + step] for start in range(0, len(encoded), step)]
        coming = ManifestParts(download)
        assert [coming.receive(part) for part in parts] == [
            *([False] * (len(parts) - 1)),
            True,
        ]
        assert download.manifest == manifest


def test_a_manifest_too_long_is_refused(three: tuple[bytes, Manifest]) -> None:
    manifest = three[1]
    download = Download(manifest.content_id, manifest.length)
    with pytest.raises(TooMuchError):
        ManifestParts(download).receive(manifest.encode() + b"x")


def test_a_part_behind_the_whole_manifest_is_refused(three: tuple[bytes, Manifest]) -> None:
    coming = ManifestParts(Download(three[1].content_id, three[1].length))
    assert coming.receive(three[1].encode())
    with pytest.raises(UnexpectedMessageError):
        coming.receive(b"x")


def test_a_second_source_sends_the_same_manifest_and_changes_nothing(
    three: tuple[bytes, Manifest],
) -> None:
    download = started(three[1])
    download.have.add(1)
    assert ManifestParts(download).receive(three[1].encode())
    with pytest.raises(MalformedError):
        ManifestParts(download).receive(bytes(len(three[1].encode())))
    assert (download.manifest, download.have.count) == (three[1], 1)


def test_an_empty_part_is_refused(three: tuple[bytes, Manifest]) -> None:
    download = Download(three[1].content_id, three[1].length)
    with pytest.raises(MalformedError):
        ManifestParts(download).receive(b"")


def test_the_manifest_of_another_blob_is_refused(three: tuple[bytes, Manifest]) -> None:
    other = sealed(bytes(600_000))[1]
    download = Download(three[1].content_id, three[1].length)
    with pytest.raises(MalformedError):
        ManifestParts(download).receive(other.encode())
    assert download.manifest is None


def test_a_manifest_whose_length_is_not_the_records_is_refused() -> None:
    manifest = manifest_of(5000)
    for expected in (4999, 5001, blob.HEADER_BYTES + PIECE_BYTES):
        download = Download(manifest.content_id, expected)
        with pytest.raises(MalformedError):
            ManifestParts(download).receive(manifest.encode())


def test_a_blob_without_a_recorded_length_is_small() -> None:
    limit = 2 * limits.METADATA_BYTES
    manifest = manifest_of(limit)
    assert ManifestParts(Download(manifest.content_id, None)).receive(manifest.encode())
    past = manifest_of(limit + 1)
    download = Download(past.content_id, None)
    with pytest.raises(TooMuchError):
        ManifestParts(download).receive(past.encode()[:8])


@pytest.mark.parametrize("length", [0, 71, blob.MAX_CIPHERTEXT_BYTES + 1, 2**64 - 1])
def test_a_length_that_no_blob_has_is_refused_from_its_first_bytes(length: int) -> None:
    coming = ManifestParts(Download(bytes(32), None))
    assert not coming.receive(length.to_bytes(8)[:7])
    with pytest.raises(MalformedError):
        coming.receive(length.to_bytes(8)[7:])


def test_a_metadata_blob_of_the_largest_size_fits() -> None:
    _, manifest = sealed(bytes(limits.METADATA_BYTES), Kind.METADATA)
    assert ManifestParts(Download(manifest.content_id, None)).receive(manifest.encode())


def test_a_wrong_piece_is_refused_and_not_noted(three: tuple[bytes, Manifest]) -> None:
    ciphertext, manifest = three
    download = started(manifest)
    parts = pieces(ciphertext)
    for index, data in (
        (0, parts[1]),
        (1, parts[0]),
        (0, parts[0][:-1]),
        (0, parts[0] + b"x"),
        (0, b""),
        (2, parts[2] + b"\x00"),
        (3, parts[0]),
        (65_535, parts[0]),
        (0, bytes([parts[0][0] ^ 1]) + parts[0][1:]),
    ):
        with pytest.raises(PieceMismatchError):
            download.check_piece(index, data)
    assert download.have.count == 0


def test_a_piece_before_the_manifest_is_refused(three: tuple[bytes, Manifest]) -> None:
    download = Download(three[1].content_id, three[1].length)
    with pytest.raises(UnexpectedMessageError):
        download.check_piece(0, pieces(three[0])[0])
    assert not download.complete


def test_a_download_goes_on_where_it_stopped(three: tuple[bytes, Manifest]) -> None:
    ciphertext, manifest = three
    again = Download(manifest.content_id, manifest.length)
    again.resume(manifest.encode())
    for index, part in enumerate(pieces(ciphertext)[:2]):
        manifest.check_piece(index, part)
        again.have.add(index)
    assert again.have.missing(9) == [(2, 1)]
    again.check_piece(2, pieces(ciphertext)[2])
    with pytest.raises(MalformedError):
        Download(bytes(32), manifest.length).resume(manifest.encode())


# Upload.


def taken(upload: Upload) -> list[int]:
    found: list[int] = []
    while (index := upload.take()) is not None:
        found.append(index)
    return found


def test_pieces_are_sent_in_the_order_asked_for_within_the_credit() -> None:
    upload = Upload(10, ((1, 2), (5, 3)), 2)
    assert taken(upload) == [1, 2]
    assert not upload.done
    upload.add_credit(2)
    assert taken(upload) == [5, 6]
    upload.add_credit(5)
    assert taken(upload) == [7]
    assert upload.done
    assert upload.take() is None


def test_a_fetch_is_done_with_its_last_piece_whatever_credit_is_left() -> None:
    """Else each photo whose credit came out even would keep its place among the open fetches."""
    upload = Upload(3, ((0, 3),), 3)
    assert taken(upload) == [0, 1, 2]
    assert upload.done


@pytest.mark.parametrize(
    ("count", "ranges", "expected"),
    [
        (3, ((0, 65_536),), [0, 1, 2]),
        (3, ((2, 5), (9, 1)), [2]),
        (3, ((3, 1),), []),
        (0, ((0, 1),), []),
        (3, (), []),
    ],
)
def test_ranges_are_cut_to_the_pieces_that_there_are(
    count: int, ranges: tuple[tuple[int, int], ...], expected: list[int]
) -> None:
    upload = Upload(count, ranges, limits.CREDIT)
    assert taken(upload) == expected
    assert upload.done


def test_credit_is_taken_to_the_limit_and_no_further() -> None:
    upload = Upload(1000, ((0, 1000),), limits.CREDIT - 1)
    upload.add_credit(1)
    assert len(taken(upload)) == limits.CREDIT
    upload.add_credit(limits.CREDIT)
    with pytest.raises(TooMuchError):
        upload.add_credit(1)


def test_without_credit_nothing_is_sent() -> None:
    upload = Upload(3, ((0, 3),), 0)
    assert upload.take() is None
    assert not upload.done


# Depth.

ANY = blob.MAX_PIECES


@given(st.integers(1, 200), st.lists(st.tuples(st.booleans(), st.integers(1, 64))))
def test_what_is_under_way_and_unwritten_stays_within_the_credit_of_a_fetch(
    pieces: int, steps: list[tuple[bool, int]]
) -> None:
    depth = Depth()
    credit = depth.open(pieces)
    upload = Upload(pieces, ((0, pieces),), credit)
    allowed, wire, unwritten = credit, 0, 0

    def write(count: int) -> None:
        nonlocal allowed, unwritten
        unwritten -= count
        credit = depth.written(count, pieces - allowed)
        allowed += credit
        upload.add_credit(credit)

    for arrives, count in [*steps, *([(True, 64), (False, 64)] * pieces)]:
        while upload.take() is not None:
            wire += 1
        assert wire + unwritten <= limits.CREDIT
        assert allowed <= pieces
        if arrives:
            for _ in range(min(count, wire)):
                assert depth.take()
                wire -= 1
                unwritten += 1
        elif unwritten:
            write(min(count, unwritten))
    # Whatever has happened, once all that came is written the sender may send on, to the end.
    assert upload.done


def test_a_piece_without_credit_is_noticed() -> None:
    depth = Depth()
    for _ in range(depth.open(ANY)):
        assert depth.take()
    assert not depth.take()


def test_no_more_credit_is_given_than_there_are_pieces_to_come() -> None:
    depth = Depth()
    assert depth.open(3) == 3
    for _ in range(3):
        depth.take()
    assert depth.written(1, most=0) == 0
    assert depth.written(2, most=1) == 1


def test_who_waits_for_the_wire_gets_more_and_who_waits_for_the_disk_gets_less() -> None:
    depth = Depth()
    first = depth.open(ANY)
    for _ in range(first):
        depth.take()
    assert depth.written(first, ANY) == 2 * first
    for _ in range(2 * first):
        depth.take()
    assert depth.written(first // 2, ANY) == 0


def test_a_further_fetch_begins_as_deep_as_the_last_one_ended() -> None:
    depth = Depth()
    for _ in range(depth.open(ANY)):
        depth.take()
    depth.written(depth.FIRST, ANY)
    assert depth.open(ANY) == 2 * depth.FIRST
