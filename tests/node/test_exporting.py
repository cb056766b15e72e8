"""F9, F10 and F13 of the field reports: what is written, what is never touched, and where."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import stat
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
from kinlight.crypto.blob import Kind
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.secret import Secret
from kinlight.node import exporting
from kinlight.node.blobstore import BlobStore
from kinlight.node.errors import DiskFullError, NameTakenError, UnwritableFolderError
from kinlight.node.exporting import Exported
from kinlight.node.library import StoredBlob
from kinlight.node.photo_errors import BlobMissingError
from kinlight.protocol.photo import Metadata

from .nodes import random_bytes

KEY = Secret(b"k" * 32)
PHOTO = b"p" * 16
CONTENT = random_bytes("photo", 600_000)
MODIFIED = 1_234_567_890_123_456_789


@dataclass
class Stored:
    """A photo in a blob store, and the folder to export it to."""

    blobs: BlobStore
    stored: StoredBlob
    metadata: Metadata
    folder: Path

    def export(self, *, keep_both: bool = False, **metadata: object) -> Exported:
        changed = replace(self.metadata, **metadata)  # type: ignore[arg-type]
        return exporting.export(self.blobs, self.stored, changed, self.folder, keep_both=keep_both)

    def files(self) -> dict[str, bytes]:
        """All that lies in the folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def photo(tmp_path: Path) -> Stored:
    return stored_in(tmp_path, CONTENT)


def stored_in(path: Path, content: bytes) -> Stored:
    blobs = BlobStore(path / "blobs")
    manifest = blobs.seal(BytesIO(content), len(content), KEY, Kind.ORIGINAL, PHOTO)
    stored = StoredBlob(manifest.content_id, Kind.ORIGINAL, PHOTO, manifest.encode(), KEY)
    metadata = Metadata(
        "beach.jpg", "image/jpeg", MODIFIED, len(content),
        hashlib.sha256(content).digest(), "original",
    )  # fmt: skip
    return Stored(blobs, stored, metadata, path / "out")


def test_a_photo_is_written_with_its_bytes_its_name_and_its_time(photo: Stored) -> None:
    exported = photo.export()
    assert exported == Exported(
        photo.folder / "beach.jpg", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), already=False
    )
    assert photo.files() == {"beach.jpg": CONTENT}
    assert exported.path.stat().st_mtime_ns == MODIFIED


@pytest.mark.parametrize("modified", [0, 1, 2**62, 2**63 - 1])
def test_any_time_that_a_photo_may_have_can_be_written(photo: Stored, modified: int) -> None:
    photo.export(modified=modified)
    assert photo.files() == {"beach.jpg": CONTENT}


def test_a_folder_is_made_if_need_be(photo: Stored) -> None:
    photo.folder = photo.folder / "deep" / "below"
    assert photo.export().path == photo.folder / "beach.jpg"


# F9: "transferred" although nothing was written


def test_f9_a_different_file_of_that_name_is_named_and_untouched(photo: Stored) -> None:
    photo.folder.mkdir()
    (photo.folder / "beach.jpg").write_bytes(b"an older beach")
    with pytest.raises(NameTakenError, match=r"beach\.jpg"):
        photo.export()
    assert photo.files() == {"beach.jpg": b"an older beach"}


def test_f9_the_same_photo_twice_is_there_already(photo: Stored) -> None:
    first = photo.export()
    os.utime(first.path, (5, 5))
    second = photo.export()
    assert second == replace(first, already=True)
    assert photo.files() == {"beach.jpg": CONTENT}
    assert first.path.stat().st_mtime == 5
    assert photo.export(keep_both=True).already


def test_f9_a_folder_that_can_not_be_written_is_named(photo: Stored) -> None:
    photo.folder.mkdir()
    photo.folder.chmod(0o500)
    for folder in [Path("/proc"), photo.blobs.path(photo.stored.content_id) / "below", *(
        [photo.folder] if os.geteuid() else []
    )]:  # fmt: skip
        photo.folder = folder
        with pytest.raises(UnwritableFolderError):
            photo.export()


@contextmanager
def tmpfs(path: Path, size: str) -> Generator[None]:
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program")
    if done.returncode:
        pytest.skip("a file system can't be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_f9_a_full_disk_is_named_and_leaves_no_part(photo: Stored) -> None:
    with tmpfs(photo.folder, "256k"):
        (photo.folder / "other.jpg").write_bytes(b"mine")
        with pytest.raises(DiskFullError):
            photo.export()
        assert photo.files() == {"other.jpg": b"mine"}


def test_f9_a_file_that_may_not_grow_leaves_no_part(photo: Stored) -> None:
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises((DiskFullError, UnwritableFolderError)):
            photo.export()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert photo.files() == {}


# F10: saying "do not overwrite" cut the file


def test_f10_a_longer_file_of_that_name_keeps_its_length(tmp_path: Path) -> None:
    short = stored_in(tmp_path, b"short")
    short.folder.mkdir()
    (short.folder / "beach.jpg").write_bytes(CONTENT)
    with pytest.raises(NameTakenError):
        short.export()
    exported = short.export(keep_both=True)
    assert exported.path.name == "beach (2).jpg"
    assert short.files() == {"beach.jpg": CONTENT, "beach (2).jpg": b"short"}


def test_f10_a_file_that_appears_at_the_last_moment_is_not_replaced(
    photo: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def race(source: Path, target: Path) -> None:
        if not target.exists():
            target.write_bytes(b"somebody was faster")
        link(source, target)

    monkeypatch.setattr(os, "link", race)
    with pytest.raises(NameTakenError):
        photo.export()
    assert photo.files() == {"beach.jpg": b"somebody was faster"}


def test_f10_numbers_go_on_until_one_is_free(photo: Stored) -> None:
    photo.folder.mkdir()
    taken = {"beach.jpg": b"1", "beach (2).jpg": b"2", "beach (3).jpg": b"3"}
    for name, content in taken.items():
        (photo.folder / name).write_bytes(content)
    assert photo.export(keep_both=True).path.name == "beach (4).jpg"
    again = photo.export(keep_both=True)
    assert (again.path.name, again.already) == ("beach (4).jpg", True)
    assert photo.files() == {**taken, "beach (4).jpg": CONTENT}


def test_f10_a_blob_that_is_damaged_writes_nothing(photo: Stored) -> None:
    path = photo.blobs.path(photo.stored.content_id)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BlobMissingError):
        photo.export()
    path.unlink()
    with pytest.raises(BlobMissingError):
        photo.export()
    assert photo.files() == {}


def test_f10_bytes_that_are_not_those_of_the_metadata_are_not_written(photo: Stored) -> None:
    with pytest.raises(BlobMissingError):
        photo.export(sha256=bytes(32))
    assert photo.files() == {}


# A file system without hard links


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_a_photo_is_written_too(photo: Stored) -> None:
    assert photo.export().path.stat().st_mtime_ns == MODIFIED
    assert photo.export().already
    assert photo.files() == {"beach.jpg": CONTENT}


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_nothing_is_replaced_either(photo: Stored) -> None:
    photo.folder.mkdir()
    (photo.folder / "beach.jpg").write_bytes(b"older")
    (photo.folder / "beach (2).jpg").symlink_to("nowhere")
    with pytest.raises(NameTakenError):
        photo.export()
    assert photo.export(keep_both=True).path.name == "beach (3).jpg"
    assert (photo.folder / "beach.jpg").read_bytes() == b"older"
    assert (photo.folder / "beach (2).jpg").is_symlink()


# F13: the sender picks the path


def test_f13_a_link_of_that_name_is_neither_followed_nor_replaced(
    photo: Stored, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"mine")
    photo.folder.mkdir()
    for name, target in (("beach.jpg", outside), ("beach (2).jpg", tmp_path / "missing")):
        (photo.folder / name).symlink_to(target)
    with pytest.raises(NameTakenError):
        photo.export()
    assert photo.export(keep_both=True).path.name == "beach (3).jpg"
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "missing").exists()


def test_f13_a_folder_of_that_name_is_left_alone(photo: Stored) -> None:
    (photo.folder / "beach.jpg").mkdir(parents=True)
    with pytest.raises(NameTakenError):
        photo.export()
    assert photo.export(keep_both=True).path.name == "beach (2).jpg"


@pytest.mark.parametrize(
    "name",
    [
        *("../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "x\0.jpg"),
        *("\x1b[1Ax.jpg", "x\n.jpg", "n" * 300, "", ".", "..", ".bashrc", "CON.jpg"),
        *("x.jpg:stream", "x.jpg. ", "x\u202egpj.exe", "~/x.jpg", "$HOME.jpg", "-rf"),
    ],
)
def test_f13_whatever_the_name_the_file_lies_in_the_folder(photo: Stored, name: str) -> None:
    path = photo.export(name=name).path
    assert path.parent == photo.folder
    assert photo.files() == {path.name: CONTENT}


def test_f13_two_forms_of_one_name_are_two_files(photo: Stored, tmp_path: Path) -> None:
    other = stored_in(tmp_path / "other", b"another photo")
    other.folder = photo.folder
    photo.export(name="\u00e9.jpg")
    with pytest.raises(NameTakenError):
        other.export(name="e\u0301.jpg")
    other.export(name="e\u0301.jpg", keep_both=True)
    assert sorted(photo.files().values()) == sorted([CONTENT, b"another photo"])


def test_f13_names_that_differ_in_case_only_never_share_a_file(
    photo: Stored, tmp_path: Path
) -> None:
    other = stored_in(tmp_path / "other", b"another photo")
    other.folder = photo.folder
    photo.export(name="Beach.JPG")
    other.export(name="beach.jpg", keep_both=True)  # a number, where the disk sees no difference
    assert sorted(photo.files().values()) == sorted([CONTENT, b"another photo"])


def test_the_name_outlasts_a_cut_of_power(photo: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, list[str]]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append((is_folder, [name for name in photo.files() if not name.endswith(".part")]))

    monkeypatch.setattr(os, "fsync", watched)
    photo.export()
    assert synced == [(False, []), (True, ["beach.jpg"])]


def test_no_part_stays_after_any_error(photo: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in ("fsync", "utime", "link"):
        for number in (errno.EIO, errno.ENOSPC):
            with monkeypatch.context() as patch:

                def fail(*_: object, number: int = number, **__: object) -> None:
                    raise OSError(number, os.strerror(number))

                patch.setattr(os, function, fail)
                if function == "link":
                    patch.setattr(Path, "rename", fail)
                with pytest.raises(KinlightError) as refusal:
                    photo.export()
            expected = DiskFullError if number == errno.ENOSPC else UnwritableFolderError
            assert isinstance(refusal.value, expected)
            assert photo.files() == {}
