"""Which clip belongs to which still (F8): by the id in both, else by their name."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.node.livephotos import Half, pairs, stem


def half(name: str, *, kind: str | None = None, live: str | None = None) -> Half:
    """A photo whose id is its name."""
    pair = None if live is None else f"live:{live}"
    return Half(name.encode(), name, kind, pair)


def joined(*halves: Half) -> dict[str, str]:
    """The pairs by name, which must not depend on the order in which the halves are known."""
    found = pairs(halves)
    assert sorted(pairs(reversed(halves))) == sorted(found)
    return {still.decode(): clip.decode() for still, clip in found}


def test_a_clip_goes_with_the_still_of_its_name() -> None:
    assert joined(half("1.HEIC"), half("1.MOV")) == {"1.HEIC": "1.MOV"}
    assert joined(half("1.jpg"), half("1.mp4")) == {"1.jpg": "1.mp4"}


def test_of_several_stills_the_phone_s_own_gets_the_clip() -> None:
    assert joined(half("1.JPG"), half("1.DNG"), half("1.HEIC"), half("1.MOV")) == {
        "1.HEIC": "1.MOV"
    }


def test_an_id_in_both_is_worth_more_than_the_kind() -> None:
    halves = half("1.HEIC"), half("1.JPG", live="A"), half("1.MOV", live="A")
    assert joined(*halves) == {"1.JPG": "1.MOV"}


def test_a_clip_with_another_id_is_not_the_still_s() -> None:
    assert joined(half("1.HEIC", live="A"), half("1.MOV", live="B")) == {}


@pytest.mark.parametrize(("still", "clip"), [("A", None), (None, "A")])
def test_a_half_that_lost_its_id_is_found_by_its_name(still: str | None, clip: str | None) -> None:
    assert joined(half("1.HEIC", live=still), half("1.MOV", live=clip)) == {"1.HEIC": "1.MOV"}


def test_of_several_clips_one_goes_with_the_still() -> None:
    assert joined(half("1.HEIC"), half("1.MOV"), half("1.mp4")) == {"1.HEIC": "1.MOV"}


def test_each_half_is_in_one_pair_only() -> None:
    halves = [half("1.HEIC", live="A"), half("1 edited.HEIC", live="A")]
    clips = [half("1.MOV", live="A"), half("1 copy.MOV", live="A")]
    found = joined(*halves, *clips)
    assert set(found) == {"1.HEIC", "1 edited.HEIC"}
    assert len(set(found.values())) == 2


def test_the_content_says_what_is_a_clip_and_the_name_only_where_it_tells_nothing() -> None:
    assert joined(half("1.mov", kind="jpeg"), half("1.jpg", kind="mov")) == {"1.mov": "1.jpg"}
    assert joined(half("1.jpg", kind="jpeg"), half("1.mov", kind="unknown")) == {"1.jpg": "1.mov"}
    assert joined(half("1.heic", kind="heif"), half("1.mov", kind="jpeg")) == {}


def test_stills_alone_and_clips_alone_are_no_pairs() -> None:
    assert joined(half("1.HEIC"), half("1.JPG")) == {}
    assert joined(half("1.MOV"), half("1.MP4")) == {}
    assert joined() == {}


def test_names_are_the_same_in_any_case_and_form_but_only_in_one_folder() -> None:
    assert stem(Path("/a/IMG_É.HEIC")) == stem(Path("/a/img_e\u0301.mov"))
    assert stem(Path("/a/1.HEIC")) != stem(Path("/b/1.MOV"))
    assert stem(Path("/a/1.HEIC")) != stem(Path("/A/1.MOV"))
