"""What becomes of a partial file when those who bring it are cut off."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind
from kinlight.crypto.secret import Secret
from kinlight.node.blobstore import BlobStore, IncomingBlob
from kinlight.node.counters import Counters
from kinlight.node.gathering import Gathering
from kinlight.protocol.transfer import Download

from .nodes import PATIENCE, eventually, random_bytes

KEY = Secret(b"k" * 32)
PHOTO = b"p" * 16
CONTENT = random_bytes("cut off", 900_000)


@dataclass(frozen=True, slots=True)
class Disk:
    """It takes nothing until `go`; `did` is what became of the file."""

    writing: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    did: list[str] = field(default_factory=list[str])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk, write, end = Disk(), IncomingBlob.write_piece, IncomingBlob.end

    def slowly(place: IncomingBlob, index: int, data: bytes) -> None:
        disk.writing.set()
        disk.go.wait(PATIENCE)
        write(place, index, data)
        disk.did.append(f"wrote {index}")

    def noted(place: IncomingBlob) -> None:
        end(place)
        disk.did.append("closed")

    monkeypatch.setattr(IncomingBlob, "write_piece", slowly)
    monkeypatch.setattr(IncomingBlob, "end", noted)
    return disk


class Bringing:
    """A blob that comes to an empty store."""

    def __init__(self, folder: Path) -> None:
        sink = BytesIO()
        self.manifest = blob.seal(BytesIO(CONTENT), len(CONTENT), sink, KEY, Kind.ORIGINAL, PHOTO)
        self._ciphertext = sink.getvalue()
        content_id = self.manifest.content_id
        self.gathering = Gathering(
            Download(content_id, self.manifest.length),
            BlobStore(folder).incoming(PHOTO, content_id),
            lambda _done, _total: None,
        )

    async def bring(self, pieces: int) -> None:
        """Be a source that sends so many of the pieces that it is asked for."""
        async with self.gathering.joined(Counters()) as source:
            while await source.claim():
                source.open(lambda _: None)
                if source.wants_manifest:
                    source.manifest(self.manifest.encode())
                for first, count in source.share.ranges:
                    for index in range(first, min(first + count, pieces)):
                        start = blob.piece_offset(index)
                        end = start + self.manifest.piece_length(index)
                        source.piece(index, self._ciphertext[start:end])
                try:
                    await source.brought()
                finally:
                    source.release()

    async def cut(self, disk: Disk) -> None:
        """Bring a piece, and be cut off for good while it is being written."""
        bringing = asyncio.create_task(self.bring(1))
        await asyncio.to_thread(disk.writing.wait, PATIENCE)
        while not bringing.done():
            bringing.cancel()
            await asyncio.wait({bringing}, timeout=0)


@pytest.fixture
def coming(tmp_path: Path) -> Bringing:
    return Bringing(tmp_path / "blobs")


async def test_a_file_is_closed_after_what_is_being_written(disk: Disk, coming: Bringing) -> None:
    await coming.cut(disk)
    assert disk.did == []
    disk.go.set()
    await eventually(lambda: disk.did == ["wrote 0", "closed"])


async def test_who_comes_while_the_last_piece_of_another_is_written_brings_the_rest(
    disk: Disk, coming: Bringing
) -> None:
    await coming.cut(disk)
    next_one = asyncio.create_task(coming.bring(coming.manifest.pieces))
    await eventually(lambda: coming.gathering.alone)
    disk.go.set()
    await next_one
    assert disk.did == [*(f"wrote {index}" for index in range(coming.manifest.pieces)), "closed"]
    sink = BytesIO()
    coming.gathering.place.unseal(sink, KEY, Kind.ORIGINAL, PHOTO, len(CONTENT))
    assert sink.getvalue() == CONTENT
