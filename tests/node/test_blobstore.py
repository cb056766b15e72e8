from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto import blob
from kinlight.crypto.blob import HEADER_BYTES, PIECE_BYTES, Kind, Manifest
from kinlight.crypto.errors import LocalError, SealBrokenError, SourceChangedError
from kinlight.crypto.secret import Secret
from kinlight.node import blobstore
from kinlight.node.blobstore import BlobStore
from kinlight.node.errors import DiskFullError, HomeUnusableError
from kinlight.node.photo_errors import BlobMissingError
from kinlight.protocol.transfer import Bitmap, Download

from .nodes import random_bytes
from .rlimits import files_at_most

KEY = Secret(b"k" * 32)
PHOTO = b"p" * 16
CONTENT = random_bytes("content", 4 * PIECE_BYTES - 100_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(folder: Path) -> BlobStore:
    return BlobStore(folder)


def sealed(content: bytes = CONTENT) -> tuple[Manifest, bytes]:
    sink = BytesIO()
    manifest = blob.seal(BytesIO(content), len(content), sink, KEY, Kind.ORIGINAL, PHOTO)
    return manifest, sink.getvalue()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def piece(manifest: Manifest, ciphertext: bytes, index: int) -> bytes:
    start = blob.piece_offset(index)
    return ciphertext[start : start + manifest.piece_length(index)]


def begun(
    store: BlobStore, manifest: Manifest, ciphertext: bytes, *pieces: int, photo: bytes = PHOTO
) -> None:
    """What a process leaves that ended after it had got these pieces."""
    incoming = store.incoming(photo, manifest.content_id)
    with incoming.writing(manifest, Bitmap(manifest.pieces)):
        for index in pieces:
            incoming.write_piece(index, piece(manifest, ciphertext, index))


def resumed(store: BlobStore, manifest: Manifest, photo: bytes = PHOTO) -> Download:
    download = Download(manifest.content_id, manifest.length)
    store.incoming(photo, manifest.content_id).resume(download)
    return download


def had(download: Download) -> list[int]:
    return [index for index in range(download.have.size) if index in download.have]


# Sealing


def test_what_was_sealed_opens_and_lies_under_its_content_id(
    store: BlobStore, folder: Path
) -> None:
    manifest = store.seal(BytesIO(CONTENT), len(CONTENT), KEY, Kind.ORIGINAL, PHOTO)
    name = manifest.content_id.hex()
    assert files(folder) == {f"{name[:2]}/{name}"}
    assert manifest.content_id in store
    sink = BytesIO()
    length = store.unseal(manifest.content_id, sink, KEY, Kind.ORIGINAL, PHOTO, len(CONTENT))
    assert (length, sink.getvalue()) == (len(CONTENT), CONTENT)


def test_blobs_are_for_this_user_only(store: BlobStore, folder: Path) -> None:
    manifest = store.seal(BytesIO(b"x"), 1, KEY, Kind.ORIGINAL, PHOTO)
    begun(store, *sealed())
    assert stat.S_IMODE(store.path(manifest.content_id).stat().st_mode) == 0o600
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_source_that_is_shorter_than_it_said_leaves_nothing(
    store: BlobStore, folder: Path
) -> None:
    with pytest.raises(SourceChangedError):
        store.seal(BytesIO(b"short"), 6, KEY, Kind.ORIGINAL, PHOTO)
    assert files(folder) == set()


def test_a_disk_that_takes_no_more_while_sealing_leaves_nothing(
    store: BlobStore, folder: Path
) -> None:
    with files_at_most(PIECE_BYTES), pytest.raises(LocalError) as refusal:
        store.seal(BytesIO(CONTENT), len(CONTENT), KEY, Kind.ORIGINAL, PHOTO)
    assert isinstance(refusal.value, DiskFullError | HomeUnusableError)
    assert files(folder) == set()


def test_a_disk_that_takes_no_more_while_fetching_keeps_the_pieces_that_came(
    store: BlobStore,
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0)
    incoming = store.incoming(PHOTO, manifest.content_id)
    with (
        incoming.writing(manifest, Bitmap(manifest.pieces)),
        files_at_most(HEADER_BYTES + PIECE_BYTES + 1000),
        pytest.raises(LocalError) as refusal,
    ):
        incoming.write_piece(1, piece(manifest, ciphertext, 1))
    assert isinstance(refusal.value, DiskFullError | HomeUnusableError)
    assert had(resumed(store, manifest)) == [0]


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeUnusableError):
        BlobStore(tmp_path / "file" / "blobs")


# Opening


def test_a_blob_that_is_not_here_is_missing(store: BlobStore) -> None:
    assert bytes(32) not in store
    with pytest.raises(BlobMissingError):
        store.open(bytes(32))
    store.remove(bytes(32))


@pytest.mark.parametrize("damage", ["cut", "longer", "changed", "empty"])
def test_a_damaged_blob_is_noticed(store: BlobStore, damage: str) -> None:
    manifest = store.seal(BytesIO(CONTENT), len(CONTENT), KEY, Kind.ORIGINAL, PHOTO)
    path = store.path(manifest.content_id)
    data = path.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    spoilt = {"cut": data[:-1], "longer": data + b"\0", "changed": changed, "empty": b""}
    path.write_bytes(spoilt[damage])
    with pytest.raises(SealBrokenError):
        store.unseal(manifest.content_id, BytesIO(), KEY, Kind.ORIGINAL, PHOTO, len(CONTENT))


# Fetching and resuming


def test_nothing_is_resumed_where_nothing_was_begun(store: BlobStore) -> None:
    manifest, _ = sealed()
    assert resumed(store, manifest).manifest is None


@given(st.sets(st.integers(0, 3)))
@settings(max_examples=16)
def test_whatever_pieces_came_they_are_there_again(store: BlobStore, pieces: set[int]) -> None:
    manifest, ciphertext = sealed()
    store.incoming(PHOTO, manifest.content_id).discard()
    begun(store, manifest, ciphertext, *pieces)
    download = resumed(store, manifest)
    assert download.manifest == manifest
    assert had(download) == sorted(pieces)


def test_a_piece_that_was_damaged_on_the_disk_is_fetched_again(
    store: BlobStore, folder: Path
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0, 1, 2)
    (part,) = folder.rglob("*.part")
    content = bytearray(part.read_bytes())
    content[blob.piece_offset(1) + 7] ^= 1
    part.write_bytes(bytes(content))
    assert had(resumed(store, manifest)) == [0, 2]


def test_a_part_that_was_cut_keeps_its_whole_pieces(store: BlobStore, folder: Path) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0, 1, 2)
    (part,) = folder.rglob("*.part")
    part.write_bytes(part.read_bytes()[: blob.piece_offset(2) - 1])
    assert had(resumed(store, manifest)) == [0]


@pytest.mark.parametrize("header", [b"", b"x" * HEADER_BYTES])
def test_a_part_with_another_header_counts_for_nothing(
    store: BlobStore, folder: Path, header: bytes
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0)
    (part,) = folder.rglob("*.part")
    part.write_bytes(header + part.read_bytes()[len(header) or 56 :])
    assert had(resumed(store, manifest)) == []


@pytest.mark.parametrize("kept", [b"", b"not a manifest", bytes(200)])
def test_a_manifest_that_was_damaged_on_the_disk_counts_for_nothing(
    store: BlobStore, folder: Path, kept: bytes
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0, 1)
    (path,) = folder.rglob("*.manifest")
    path.write_bytes(kept)
    assert resumed(store, manifest).manifest is None
    # And the fetch begins anew, to a whole blob.
    begun(store, manifest, ciphertext, *range(manifest.pieces))
    incoming = store.incoming(PHOTO, manifest.content_id)
    incoming.finish()
    incoming.discard()
    assert store.path(manifest.content_id).read_bytes() == ciphertext
    assert files(folder) == {str(store.path(manifest.content_id).relative_to(folder))}


def test_after_a_damaged_manifest_what_is_fetched_is_resumed_again(
    store: BlobStore, folder: Path
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0)
    (path,) = folder.rglob("*.manifest")
    path.write_bytes(b"damaged")
    begun(store, manifest, ciphertext, 0, 1)
    assert had(resumed(store, manifest)) == [0, 1]


def test_a_finished_blob_is_whole_and_nothing_else_stays(store: BlobStore, folder: Path) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 3, 1, 0, 2)
    incoming = store.incoming(PHOTO, manifest.content_id)
    sink = BytesIO()
    assert incoming.unseal(sink, KEY, Kind.ORIGINAL, PHOTO, len(CONTENT)) == len(CONTENT)
    assert manifest.content_id not in store
    incoming.finish()
    incoming.discard()
    assert store.path(manifest.content_id).read_bytes() == ciphertext
    assert len(files(folder)) == 1
    assert sink.getvalue() == CONTENT


def test_a_finished_blob_that_no_row_names_is_taken_back_with_all_its_pieces(
    store: BlobStore,
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0, 1, 2, 3)
    incoming = store.incoming(PHOTO, manifest.content_id)
    incoming.finish()
    assert manifest.content_id in store
    left = store.leftovers([], [])
    assert len(left) == 2
    assert all(map(store.is_at_work, left))  # the doctor need not name them in that moment
    incoming.take_back()
    assert manifest.content_id not in store
    assert resumed(store, manifest).complete


def test_one_content_on_its_way_for_two_photos_is_two_parts(store: BlobStore, folder: Path) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, 0, photo=b"a" * 16)
    begun(store, manifest, ciphertext, 1, photo=b"b" * 16)
    assert had(resumed(store, manifest, b"a" * 16)) == [0]
    store.incoming(b"b" * 16, manifest.content_id).discard()
    assert had(resumed(store, manifest, b"a" * 16)) == [0]
    assert len(files(folder)) == 2


def test_discarding_what_was_never_begun_is_no_error(store: BlobStore) -> None:
    store.incoming(PHOTO, bytes(32)).discard()


def test_a_part_that_vanished_can_not_be_finished(store: BlobStore) -> None:
    with pytest.raises(LocalError):
        store.incoming(PHOTO, bytes(32)).finish()
    with pytest.raises(LocalError):
        store.incoming(PHOTO, bytes(32)).unseal(BytesIO(), KEY, Kind.ORIGINAL, PHOTO, 1)


# Room


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes the disk has free, beside what is left for the library."""

    def say(length: int) -> None:
        found = SimpleNamespace(free=blobstore.RESERVE_BYTES + length)

        def usage(_: Path) -> SimpleNamespace:
            return found

        monkeypatch.setattr(shutil, "disk_usage", usage)

    return say


def test_manifests_without_pieces_keep_no_room_from_others(
    store: BlobStore, free: Callable[[int], None]
) -> None:
    pieces = 60_000
    length = HEADER_BYTES + pieces * PIECE_BYTES
    free(length)
    with ExitStack() as stack:
        for number in range(6):
            manifest = Manifest(length, bytes([number]) * HEADER_BYTES, bytes(32 * pieces))
            free(length + number * blobstore.AHEAD_BYTES)
            incoming = store.incoming(PHOTO, manifest.content_id)
            stack.enter_context(incoming.writing(manifest, Bitmap(pieces)))
        store.seal(BytesIO(CONTENT), len(CONTENT), KEY, Kind.ORIGINAL, PHOTO)


def test_what_can_not_fit_is_refused_before_a_piece_comes(
    store: BlobStore, free: Callable[[int], None]
) -> None:
    manifest, _ = sealed()
    free(manifest.length - 1)
    with pytest.raises(DiskFullError):
        store.incoming(PHOTO, manifest.content_id).begin(manifest, Bitmap(manifest.pieces))


def test_what_does_not_fit_any_more_ends_and_keeps_what_came(
    store: BlobStore, free: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobstore, "AHEAD_BYTES", 2 * PIECE_BYTES)
    manifest, ciphertext = sealed()
    free(manifest.length)
    incoming = store.incoming(PHOTO, manifest.content_id)
    with incoming.writing(manifest, Bitmap(manifest.pieces)):
        for index in range(2):
            incoming.write_piece(index, piece(manifest, ciphertext, index))
        free(PIECE_BYTES)
        with pytest.raises(DiskFullError):
            incoming.write_piece(2, piece(manifest, ciphertext, 2))
        store.check_room(PIECE_BYTES)
    assert had(resumed(store, manifest)) == [0, 1]


def test_holes_in_a_partial_blob_need_room(store: BlobStore, free: Callable[[int], None]) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, manifest.pieces - 1)
    have = resumed(store, manifest).have
    incoming = store.incoming(PHOTO, manifest.content_id)
    free((manifest.pieces - 1) * PIECE_BYTES - 1)
    with pytest.raises(DiskFullError):
        incoming.begin(manifest, have)
    free((manifest.pieces - 1) * PIECE_BYTES)
    with incoming.writing(manifest, have):
        pass


# Leftovers


def test_at_the_start_leftovers_go_and_what_is_known_or_expected_stays(
    store: BlobStore, folder: Path
) -> None:
    known = store.seal(BytesIO(b"known"), 5, KEY, Kind.ORIGINAL, PHOTO)
    forgotten = store.seal(BytesIO(b"forgotten"), 9, KEY, Kind.ORIGINAL, PHOTO)
    expected, ciphertext = sealed(b"expected")
    begun(store, expected, ciphertext, 0)
    unexpected, ciphertext = sealed(b"unexpected")
    begun(store, unexpected, ciphertext, 0)
    begun(store, expected, sealed(b"expected")[1], photo=b"x" * 16)  # the same for another photo
    (folder / "incoming" / "0123.sealing").write_bytes(b"half")
    (folder / "incoming" / ".ab.manifest.1234").write_bytes(b"half")
    removed = store.sweep([known.content_id], [(PHOTO, expected.content_id)])
    assert known.content_id in store
    assert forgotten.content_id not in store
    assert had(resumed(store, expected)) == [0]
    assert resumed(store, unexpected).manifest is None
    assert removed == 7
    assert len(files(folder)) == 3
    assert store.sweep([known.content_id], [(PHOTO, expected.content_id)]) == 0


def test_what_was_whole_before_a_kill_and_in_no_row_has_all_its_pieces_at_the_next_start(
    store: BlobStore, folder: Path
) -> None:
    manifest, ciphertext = sealed()
    begun(store, manifest, ciphertext, *range(manifest.pieces))
    store.incoming(PHOTO, manifest.content_id).finish()
    again = BlobStore(folder)
    assert again.sweep([], [(PHOTO, manifest.content_id)]) == 0
    assert manifest.content_id not in again
    assert had(resumed(again, manifest)) == list(range(manifest.pieces))


def test_what_was_removed_is_not_remembered(store: BlobStore) -> None:
    manifest = store.seal(BytesIO(b"short"), 5, KEY, Kind.ORIGINAL, PHOTO)
    path = store.path(manifest.content_id)
    assert store.is_at_work(path)
    store.remove(manifest.content_id)
    assert not store.is_at_work(path)


def test_more_unknown_photos_than_a_kill_can_leave_stay_as_the_library_may_be_an_old_copy(
    store: BlobStore, folder: Path
) -> None:
    for number in range(blobstore.UNDER_WAY + 1):
        store.seal(BytesIO(b"newer"), 5, KEY, Kind.ORIGINAL, number.to_bytes(16))
    (folder / "incoming" / "0123.sealing").write_bytes(b"half")
    assert store.sweep([], []) == 1
    assert len(files(folder)) == blobstore.UNDER_WAY + 1


def test_folders_of_other_programs_are_left_alone(store: BlobStore, folder: Path) -> None:
    for place in (folder / "incoming" / "@eaDir", folder / "ab" / "@eaDir", folder / "notes"):
        place.mkdir(parents=True)
        (place / "x").write_bytes(b"x")
    store.sweep([], [])
    assert len(files(folder)) == 3
