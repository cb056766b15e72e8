"""A second reader, written from the page, comes to the same albums as ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kinlight.protocol.album import Album

from . import independent_albums
from .independent_albums import Reader
from .repeatable import repeatable
from .test_album_model import Play
from .test_album_vectors import CASES, DOCUMENT


def agree(album: Album) -> Reader:
    reader = Reader(album.kept())
    view, authority = album.view, album.authority
    assert reader.members() == view.members
    assert reader.devices() == set(view.devices)
    assert reader.successors() == [seat.device for seat in authority.successors()]
    assert reader.safe() == [epoch.key_id for _, epoch in authority.safe_epochs()]
    assert reader.photos == set(view.photos)
    assert reader.void == {digest: error.code for digest, error in view.void.items()}
    return reader


@pytest.mark.parametrize("seed", range(500, 505))
def test_a_second_reader_agrees_on_what_became_of_an_album(seed: int) -> None:
    with repeatable():
        play = Play(seed)
        for _ in range(120):
            play.step()
        agree(play.world.union())
        play.world.heal()
        assert len(agree(play.world.union()).log) > 10


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_second_reader_agrees_on_a_hundred_albums() -> None:
    for seed in range(600, 700):
        test_a_second_reader_agrees_on_what_became_of_an_album(seed)


def test_a_second_reader_agrees_on_the_vectors() -> None:
    tried = 0
    for case in CASES:
        if case["op"] == "album":
            reader = Reader([bytes.fromhex(DOCUMENT["entries"][one]) for one in case["entries"]])
            assert {key.hex(): role for key, role in reader.members().items()} == case["members"]
            assert sorted(device.hex() for device in reader.devices()) == case["devices"]
            assert [device.hex() for device in reader.successors()] == case["seats"]
            assert [key_id.hex() for key_id in reader.safe()] == case["safe"]
            assert sorted(photo_id.hex() for photo_id in reader.photos) == case["photos"]
            assert {key.hex(): code for key, code in reader.void.items()} == case["void"]
            tried += 1
    assert tried > 20


def test_the_second_reader_imports_nothing_of_kinlight() -> None:
    source = Path(independent_albums.__file__).read_text("utf-8")
    imported = re.findall(r"^(?:from|import) ([a-z_]+)", source, re.MULTILINE)
    assert "msgpack" in imported
    assert not any(name.startswith("kinlight") for name in imported)
