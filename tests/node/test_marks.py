"""Tags and sensitivities: what a person says of photos, for searches and for the rules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kinlight.crypto.errors import WrongPassphraseError
from kinlight.crypto.secret import Secret
from kinlight.node.errors import BadRequestError
from kinlight.node.marks import TAGS
from kinlight.node.photo_errors import NoSuchPhotoError
from kinlight.node.rules import FRESH_SECONDS
from kinlight.node.views_library import LibraryItem

from .conftest import Start, Two
from .filmed import film
from .nodes import PASSPHRASE, Clock, TestedNode
from .photographs import photograph
from .test_grants import granted, imported
from .test_revoking import revoke
from .test_rules import EVERYTHING

PRIVATE = """
[[rule]]
name = "private"
effect = "deny"
photo = { tags = ["Private"] }
"""
HARMLESS = """
[[rule]]
name = "harmless"
effect = "allow"
photo = { sensitivity = ["low", "normal"] }
"""
THERE = """
[[rule]]
name = "while I am there"
effect = "allow"
context = { fresh_factor = true }
"""


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


def tag(
    node: TestedNode,
    *photos: str,
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
    sensitivity: str | None = None,
) -> list[LibraryItem]:
    return node.engine.tag(
        list(photos), add=list(add), remove=list(remove), sensitivity=sensitivity
    )


async def taken(node: TestedNode, *paths: Path, album: str | None = None) -> list[str]:
    """Imports files one after the other; their ids."""
    found: list[str] = []
    for path in paths:
        steps = node.engine.collection.import_photos([path], album=album, albums=False)
        found += [step.id or "" async for step in steps if hasattr(step, "id")]  # type: ignore[union-attr]
    return found


# As a person says it


async def test_words_are_given_taken_away_and_found_in_any_case(
    anna: TestedNode, tmp_path: Path
) -> None:
    one, other = await taken(
        anna, photograph(tmp_path / "a.jpg"), photograph(tmp_path / "b.jpg", size=(40, 30))
    )
    (item,) = tag(anna, one[:16], add=("Müller", "beach", "BEACH"))
    assert (item.id, item.tags, item.sensitivity) == (one, ["beach", "Müller"], "normal")
    tag(anna, one, other, add=("Trip",))
    search = anna.engine.collection.search
    assert [found.id for found in search(tag="MÜLLER")] == [one]
    assert {found.id for found in search(tag="trip")} == {one, other}
    assert search(tag="nowhere") == []
    tag(anna, one, remove=("BEACH", "never given"))
    details = anna.engine.photo(one)
    assert (details.tags, details.sensitivity) == (["Müller", "Trip"], "normal")


async def test_what_is_said_is_kept(anna: TestedNode, tmp_path: Path) -> None:
    (photo,) = await taken(anna, photograph(tmp_path / "a.jpg"))
    tag(anna, photo, add=("beach",), sensitivity="high")
    await anna.restart()
    details = anna.engine.photo(photo)
    assert (details.tags, details.sensitivity) == (["beach"], "high")
    await anna.engine.remove(photo, force=False)
    assert anna.parts.database.rows("SELECT * FROM tags") == []


@pytest.mark.parametrize(
    ("add", "sensitivity"),
    [(("two\nlines",), None), (("",), None), (("x" * 81,), None), ((), "secret")],
)
async def test_what_is_no_word_changes_nothing(
    anna: TestedNode, tmp_path: Path, add: tuple[str, ...], sensitivity: str | None
) -> None:
    (photo,) = await taken(anna, photograph(tmp_path / "a.jpg"))
    with pytest.raises(BadRequestError):
        tag(anna, photo, add=("good", *add), sensitivity=sensitivity)
    with pytest.raises(NoSuchPhotoError):
        tag(anna, photo, "ff" * 16, add=("good",))
    with pytest.raises(BadRequestError):
        tag(anna, add=("good",))
    assert anna.engine.photo(photo).tags == []


async def test_a_photo_has_so_many_words_and_no_more(anna: TestedNode, tmp_path: Path) -> None:
    (photo,) = await taken(anna, photograph(tmp_path / "a.jpg"))
    words = tuple(f"word {number}" for number in range(TAGS + 1))
    with pytest.raises(BadRequestError):
        tag(anna, photo, add=words)
    assert anna.engine.photo(photo).tags == []
    assert len(tag(anna, photo, add=words[1:])[0].tags) == TAGS


# In rules


async def test_rules_see_tags_in_any_case_and_explain_them(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    photo = await imported(anna, photograph(tmp_path / "from" / "a.jpg"))
    anna.engine.rules.put(EVERYTHING + PRIVATE)
    assert (await granted(anna, photo, "Bob")).state == "delivered"
    tag(anna, photo, add=("PRIVATE",))
    assert (await granted(anna, photo, "Bob")).code == "policy-denied"
    why = anna.engine.explainer.explain("Bob", photo, "view", None)
    assert (why.code, why.rule, why.facts) == ("policy-denied", "private", [["tags", "private"]])


async def test_a_photo_of_which_nothing_was_said_is_normal(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    photo = await imported(anna, photograph(tmp_path / "from" / "a.jpg"))
    anna.engine.rules.put(HARMLESS)
    assert anna.engine.explainer.explain("Bob", photo, "view", None).facts == [
        ["sensitivity", "normal"]
    ]
    assert (await granted(anna, photo, "Bob")).state == "delivered"
    tag(anna, photo, sensitivity="high")
    assert (await granted(anna, photo, "Bob")).code == "policy-denied"
    tag(anna, photo, sensitivity="low")
    assert (await granted(anna, photo, "Bob", max_px=20)).state == "delivered"


async def test_copies_and_the_same_bytes_under_another_name_have_the_marks(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    path = photograph(tmp_path / "from" / "a.jpg", size=(48, 32))
    photo = await imported(anna, path)
    copy = bytes.fromhex((await granted(anna, photo, "Bob", max_px=20)).photo_id or "")
    shutil.copy(path, tmp_path / "other.jpg")
    (same,) = await anna.share(tmp_path / "other.jpg", to="Bob")
    assert same.photo_id not in (photo, copy.hex(), None)
    tag(anna, photo, add=("private",), sensitivity="high")
    tag(anna, same.photo_id or "", sensitivity="low")
    for alike in (copy, bytes.fromhex(same.photo_id or "")):
        assert anna.parts.marks.tags_alike(alike) == {"private"}
        assert anna.parts.marks.sensitivity_alike(alike) == "high"
    anna.engine.rules.put(EVERYTHING + PRIVATE)
    (denied,) = await anna.share(tmp_path / "other.jpg", to="Bob")
    assert denied.code == "policy-denied"


async def test_a_fresh_factor_is_the_pass_phrase_given_a_while_ago(
    joined: Two, tmp_path: Path, clock: Clock
) -> None:
    anna = joined.anna
    photo = await imported(anna, photograph(tmp_path / "from" / "a.jpg"))
    anna.engine.rules.put(THERE)
    explain = anna.engine.explainer.explain
    clock.time += FRESH_SECONDS - 1
    assert explain("Bob", photo, "view", None).facts == [["fresh_factor", "True"]]
    clock.time += 1
    assert explain("Bob", photo, "view", None).policy == "deny"
    assert (await granted(anna, photo, "Bob")).code == "policy-denied"
    with pytest.raises(WrongPassphraseError):
        await anna.engine.unlock(Secret(b"open sesame"))
    assert explain("Bob", photo, "view", None).policy == "deny"
    await anna.engine.unlock(PASSPHRASE)
    assert explain("Bob", photo, "view", None).policy == "allow"
    assert (await granted(anna, photo, "Bob")).state == "delivered"


# Live photos


async def live(node: TestedNode, folder: Path, album: str | None = None) -> tuple[str, str]:
    """A still, in an album, and its clip, which is in none."""
    still, clip = photograph(folder / "IMG_7.JPG"), folder / "IMG_7.MOV"
    clip.write_bytes(film(container="mov"))
    (photo,) = await taken(node, still, album=album)
    (moving,) = await taken(node, clip)
    assert node.engine.photo(photo).clip == moving
    return photo, moving


async def test_rules_about_a_still_hold_for_its_clip(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    still, clip = await live(anna, tmp_path / "live", album="Diary")
    tag(anna, still, add=("private",), sensitivity="high")
    key = bytes.fromhex(clip)
    assert anna.parts.catalogue.albums_of(key) == ["Diary"]
    assert anna.parts.marks.tags_alike(key) == {"private"}
    assert anna.parts.marks.sensitivity_alike(key) == "high"
    for rules in (EVERYTHING + PRIVATE, HARMLESS):
        anna.engine.rules.put(rules)
        (item,) = await anna.share(tmp_path / "live" / "IMG_7.MOV", to="Bob")
        assert item.code == "policy-denied"


async def test_taking_back_a_still_takes_back_its_clip(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    still, clip = await live(anna, tmp_path / "live")
    await granted(anna, still, "Bob", metadata="original")
    states = {grant.of: grant.state for grant in anna.engine.granting.grants(None, None)}
    assert set(states) == {still, clip}
    taken_back = revoke(anna, who="Bob", photo=still)
    assert {each.what for each in taken_back} == {still, clip}
    states = {grant.of: grant.state for grant in anna.engine.granting.grants(None, None)}
    assert states == {still: "revoked", clip: "revoked"}


async def test_taking_back_a_clip_leaves_its_still(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    still, clip = await live(anna, tmp_path / "live")
    await granted(anna, still, "Bob", metadata="original")
    assert {each.what for each in revoke(anna, who="Bob", photo=clip)} == {clip}
