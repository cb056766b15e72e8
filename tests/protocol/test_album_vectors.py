"""The vectors of albums (tests/vectors/album), through our code and the generator."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.errors import KinlightError, PieceMismatchError
from kinlight.crypto.secret import Secret
from kinlight.crypto.wrap import KemKey
from kinlight.protocol.album import Album, Entry, read_entry
from kinlight.protocol.album_feed import FeedEntry, Photo, Preview
from kinlight.protocol.album_keys import KeyRing, OneWrap
from kinlight.protocol.album_log import Epoch, LogEntry

VECTORS = Path(__file__).parents[1] / "vectors"
Case = dict[str, Any]
_un = bytes.fromhex

DOCUMENT: dict[str, Any] = json.loads((VECTORS / "album" / "vectors.json").read_text("utf-8"))
CASES: list[Case] = DOCUMENT["cases"]


def entry_of(digest: str) -> Entry:
    entry = read_entry(_un(DOCUMENT["entries"][digest]))
    assert entry.digest == _un(digest)
    return entry


def log_entry(encoded: bytes) -> LogEntry:
    entry = read_entry(encoded)
    assert isinstance(entry, LogEntry)
    return entry


def album_of(case: Case, shuffled: int = 0) -> Album:
    """The album of a case, its entries in one of many orders."""
    first = entry_of(case["first"])
    assert isinstance(first, LogEntry)
    album = Album(first)
    digests = list(case["entries"])
    if shuffled:
        random.Random(shuffled).shuffle(digests)
    album.take_all(map(entry_of, digests))
    assert len(album.kept()) == len(digests)
    return album


def check_album(case: Case) -> None:
    for shuffled in range(8):
        album = album_of(case, shuffled)
        view, authority = album.view, album.authority
        assert {key.hex(): role for key, role in view.members.items()} == case["members"]
        assert sorted(device.hex() for device in view.devices) == case["devices"]
        assert [seat.device.hex() for seat in authority.successors()] == case["seats"]
        assert [epoch.key_id.hex() for _, epoch in authority.safe_epochs()] == case["safe"]
        assert sorted(photo_id.hex() for photo_id in view.photos) == case["photos"]
        assert {key.hex(): error.code for key, error in view.void.items()} == case["void"]
        assert view.tier.to_value() == case["tier"]
        assert sorted(fork.device.hex() for fork in album.forks) == case["forks"]


def check_entry(case: Case) -> None:
    album = album_of(case)
    album.take(read_entry(_un(case["entry"])))


def check_wrap(case: Case) -> None:
    wrap, kem = OneWrap.decode(_un(case["wrap"])), KemKey(Secret(_un(case["kem_seed"])))
    entry = log_entry(_un(case["entry"]))
    key = wrap.open(kem, _un(case["device"]), entry, _un(case["key_id"]))
    assert key.reveal() == _un(case["key"]) == kem.open(_un(case["info"]), _un(case["sealed"]))


def ring_of(case: Case) -> KeyRing:
    return KeyRing(_un(case["album"]), [Secret(_un(case["key"]))])


def check_photo(case: Case) -> None:
    entry = read_entry(_un(case["entry"]))
    assert isinstance(entry, FeedEntry)
    assert isinstance(entry.act, Photo)
    keys = ring_of(case).unwrap_photo(entry.act)
    assert [key.reveal().hex() for key in keys.values()] == case["file_keys"]


def check_text(case: Case) -> None:
    ring = ring_of(case)
    key_id = next(epoch for epoch in EPOCHS if epoch in ring)
    what, sealed, photo_id = case["what"], _un(case["wrapped"]), _un(case["photo_id"])
    assert ring.open_text(key_id, what, sealed, photo_id) == case["text"]


def check_preview(case: Case) -> None:
    ring, sealed = ring_of(case), _un(case["wrapped"])
    if Preview.of(sealed) != Preview(_un(case["digest"]), case["length"]):
        raise PieceMismatchError
    key_id = next(epoch for epoch in EPOCHS if epoch in ring)
    assert ring.open_preview(key_id, _un(case["photo_id"]), sealed) == _un(case["picture"])


def check_past(case: Case) -> None:
    ring, earlier = ring_of(case), _un(case["earlier"])
    ring.learn([Epoch(_un(case["key_id"]), bytes(32), 1, ((earlier, _un(case["wrapped"])),))])
    assert ring.get(earlier).reveal() == _un(case["found"])


EPOCHS = {
    entry.epoch.key_id
    for entry in map(entry_of, DOCUMENT["entries"])
    if isinstance(entry, LogEntry) and entry.epoch is not None
}
CHECKS: dict[str, Callable[[Case], None]] = {
    "album": check_album,
    "album-entry": check_entry,
    "album-wrap": check_wrap,
    "album-photo": check_photo,
    "album-text": check_text,
    "album-past": check_past,
    "album-preview": check_preview,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['op']}: {case['name']}")
def test_a_vector_comes_out_as_it_says(case: Case) -> None:
    check = CHECKS[case["op"]]
    assert (case["expect"] == "success") == (case["class"] == "valid")
    if case["expect"] == "success":
        check(case)
        return
    with pytest.raises(KinlightError) as caught:
        check(case)
    assert caught.value.code == case["expect"]


def test_every_check_has_vectors_and_every_refusal_one() -> None:
    assert {case["op"] for case in CASES} == set(CHECKS)
    said = {case["expect"] for case in CASES}
    said |= {code for case in CASES if case["op"] == "album" for code in case["void"].values()}
    named = {
        "album-gap", "album-other", "album-stranger", "album-went-back", "album-epoch",
        "album-grant", "album-wrap-broken", "album-removed", "album-role", "album-senior",
        "album-old-epoch", "malformed", "bad-signature", "seal-broken",
    }  # fmt: skip
    assert named <= said


def test_the_generator_writes_the_same_vectors_again(tmp_path: Path) -> None:
    command = [sys.executable, str(VECTORS / "generate_album.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    written = (tmp_path / "album" / "vectors.json").read_bytes()
    assert written == (VECTORS / "album" / "vectors.json").read_bytes()
