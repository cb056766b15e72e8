"""A home whose files were damaged: what is wrong is named, and nothing is made worse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Couple
from .household import is_well, sha256
from .pictures import noise


def damage(path: Path, offset: int) -> None:
    """Change 64 bytes of a file."""
    content = bytearray(path.read_bytes())
    content[offset : offset + 64] = bytes(byte ^ 0xA5 for byte in content[offset : offset + 64])
    path.write_bytes(content)


@pytest.mark.parametrize("offset", [0, 4096 * 3 + 100])
def test_a_damaged_library_is_named_and_left_as_it_is(couple: Couple, offset: int) -> None:
    anna, _ = couple
    library = anna.home / "library.db"
    whole = library.read_bytes()
    damage(library, offset)
    damaged = library.read_bytes()
    keys = (anna.home / "keys.bin").read_bytes()
    refused = anna.run("up", "--passphrase-file", anna.passphrase_file, code=7)
    assert refused.error == "library-damaged"
    assert "Restore library.db from a copy" in refused.message
    anna.run("status", code=4)  # what it started has ended
    assert library.read_bytes() == damaged
    assert (anna.home / "keys.bin").read_bytes() == keys
    library.write_bytes(whole)
    assert anna.start().value["locked"] is False
    assert len(anna.run("contacts", "list").values) == 1


def test_a_library_of_zeros_is_not_taken_for_a_new_one(couple: Couple) -> None:
    anna, _ = couple
    library = anna.home / "library.db"
    library.write_bytes(bytes(library.stat().st_size))
    assert anna.run("up", "--passphrase-file", anna.passphrase_file, code=7).error == (
        "library-damaged"
    )


@pytest.mark.parametrize("how", ["cut", "empty", "other", "changed"])
def test_a_damaged_key_file_is_named_and_left_as_it_is(couple: Couple, how: str) -> None:
    anna, _ = couple
    keys = anna.home / "keys.bin"
    whole = keys.read_bytes()
    match how:
        case "cut":
            keys.write_bytes(whole[:-10])
        case "empty":
            keys.write_bytes(b"")
        case "other":
            keys.write_bytes(b"\x89PNG\r\n\x1a\n" * 400)
        case _:
            damage(keys, len(whole) - 80)
    damaged = keys.read_bytes()
    refused = anna.run("up", "--passphrase-file", anna.passphrase_file, code=7)
    assert refused.error == "key-file-damaged"
    anna.run("status", code=4)  # what it started has ended
    assert keys.read_bytes() == damaged
    keys.write_bytes(whole)
    assert anna.start().value["locked"] is False


@pytest.mark.parametrize("how", ["missing", "changed", "cut"])
def test_a_sealed_file_that_is_gone_or_damaged_is_named_and_nothing_is_exported(
    running: Couple, tmp_path: Path, how: str
) -> None:
    anna, bob = running
    photo = noise(tmp_path / "large.jpg", 900_000, 1)
    (item,) = anna.share([photo], bob)
    content_id = bob.run("show", item["photo_id"]).value["content_id"]
    (sealed,) = (path for path in bob.files() if path.name == content_id)
    match how:
        case "missing":
            sealed.unlink()
        case "changed":
            damage(sealed, 700_000)
        case _:
            os.truncate(sealed, 500_000)
    out = tmp_path / "out"
    refused = bob.run("export", item["photo_id"], out, code=7)
    assert refused.error == "blob-missing"
    assert "kinlight doctor --repair" in refused.message
    assert list(out.iterdir()) == []
    assert sha256(anna.exported(item["photo_id"], out)) == sha256(photo)
    is_well(bob)
