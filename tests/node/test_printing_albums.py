"""What `kinlight album` says to people of albums that are not as they should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinlight.node import printing_albums
from kinlight.node.printing import Output
from kinlight.node.views_albums import (
    AlbumAct,
    AlbumComment,
    AlbumDetails,
    AlbumFork,
    AlbumItem,
    AlbumLogEntry,
    AlbumMember,
    AlbumPhotoItem,
    AlbumSummary,
)

from .nodes import NOW

SUMMER = AlbumSummary(
    id="541a89b6" + 24 * "0", name="Summer", state="joined", role="contributor", owner="Anna",
    invited_by="Anna", members=2, photos=1, here=0, history="from-join", metadata="no-location",
    max_px=None, since=NOW, attribute="album-kq",
)  # fmt: skip
ANNA = AlbumMember("Anna", "aaaa-aaaa", "owner", ["a1" * 32], seniority=1)
PHOTO = AlbumPhotoItem("33" * 16, "coming", "Anna", NOW)
OUT = Output(as_json=False)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capsys


def show(
    capsys: pytest.CaptureFixture[str], album: AlbumSummary = SUMMER, *,
    members: tuple[AlbumMember, ...] = (ANNA,), photos: tuple[AlbumPhotoItem, ...] = (PHOTO,),
    forks: tuple[AlbumFork, ...] = (),
) -> str:  # fmt: skip
    printing_albums.shown(OUT, AlbumDetails(album, list(members), list(photos), list(forks)))
    return capsys.readouterr().out


def test_an_album_is_shown_with_whose_it_is_and_what_newcomers_see(
    shown: pytest.CaptureFixture[str],
) -> None:
    text = show(shown)
    assert "Summer, 541a89b6: 2 members, 1 photo, 0 of them here." in text
    assert "You are a contributor. It was founded by Anna." in text
    assert "Photos are added without their place." in text
    assert "Who comes later sees nothing of what was there before." in text
    assert "a photo, by Anna" in text
    assert "on its way" in text
    assert "seniority" not in text


@pytest.mark.parametrize(
    ("due", "key", "words"),
    [
        (None, "due", "The key has to change before anything is added: an admin's node does that."),
        (None, "coming", "The key was changed, and the new one has not come here yet."),
        ("removal", "due", "Somebody was taken out who knows the key, so it has to change."),
        ("merge", "here", "Two admins changed the key at the same time"),
        ("age", "here", "`kinlight album rotate 541a89b6` does it now."),
        ("newcomers", "here", "The key is to be given to devices that came."),
    ],
)
def test_what_is_to_be_done_for_the_key_is_said(
    shown: pytest.CaptureFixture[str], due: str | None, key: str, words: str
) -> None:
    album = replace(SUMMER, due=due, key=key)
    assert words in show(shown, album)
    printing_albums.listed(OUT, [album])
    assert f"Summer: {words}" in shown.readouterr().out or words.startswith("`")
    assert words not in show(shown, replace(album, state="removed"))


def test_who_lacks_the_key_wants_to_go_or_is_no_contact_is_said(
    shown: pytest.CaptureFixture[str],
) -> None:
    late = AlbumMember("Bob", "bbbb-bbbb", "admin", ["b1" * 32, "b2" * 32], keyless=["b2" * 32])
    going = AlbumMember("cccc-cccc", "cccc-cccc", "viewer", ["c1" * 32], leaving=True)
    text = show(shown, members=(ANNA, replace(late, seniority=2), going))
    assert "not given the newest key yet: b2b2b2b2" in text
    assert "no contact of yours; asked to be taken out" in text
    assert "Admins by seniority: Anna, Bob. None can take out one before them." in text


def test_a_fork_is_shown_as_what_it_may_be(shown: pytest.CaptureFixture[str]) -> None:
    text = show(shown, forks=(AlbumFork("Anna", "a1" * 32, "11" * 32, "22" * 32),))
    assert "Anna's device a1a1a1a1 wrote two things of which neither knows the other" in text
    assert "it was copied, or it lies" in text
    assert "`kinlight album remove 541a89b6 --device a1a1a1a1` takes it out." in text


def test_a_request_to_delete_is_shown_as_a_request(shown: pytest.CaptureFixture[str]) -> None:
    asked = replace(PHOTO, delete_asked_by=["Anna", "me"])
    text = show(shown, photos=(asked,))
    assert "Request: Anna, you ask all to delete it." in text
    assert "`kinlight album hide 541a89b6 33333333` does so here." in text
    assert "album hide" not in show(shown, photos=(replace(asked, state="hidden"),))
    assert "album hide" not in show(shown, photos=(replace(asked, delete_asked_by=["me"]),))


def test_what_others_wrote_can_not_take_over_the_screen(
    shown: pytest.CaptureFixture[str],
) -> None:
    bad = "\x1b[2J\u202e"
    photo = replace(
        PHOTO, by=bad, name=bad, caption=bad, comments=[AlbumComment(bad, NOW, bad)],
        favourite_of=[bad], delete_asked_by=[bad],
    )  # fmt: skip
    album = replace(SUMMER, name=bad, owner=bad, invited_by=bad)
    text = show(shown, album, members=(replace(ANNA, name=bad),), photos=(photo,))
    for state in ("invited", "left", "removed"):
        text += show(shown, replace(album, state=state))
    printing_albums.listed(OUT, [album, replace(album, state="invited")])
    printing_albums.created(OUT, album)
    printing_albums.item(OUT, AlbumItem(bad, bad, "failed", message=bad))
    printing_albums.added(OUT, [AlbumItem(bad, bad, "added", "33" * 16)])
    acts = [AlbumAct("name", value=bad), AlbumAct("member", bad, "admin")]
    printing_albums.log(OUT, [AlbumLogEntry("", 1, NOW, bad, "a1" * 32, acts, counts=True)])
    text += shown.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_who_has_not_joined_is_not_told_that_photos_are_on_their_way(
    shown: pytest.CaptureFixture[str],
) -> None:
    text = show(shown, replace(SUMMER, state="invited"))
    assert "a photo, by Anna" in text
    assert "not here" in text
    assert "on its way" not in text


def test_who_left_is_not_shown_as_taken_out(shown: pytest.CaptureFixture[str]) -> None:
    acts = [AlbumAct("remove", "Bob")]
    printing_albums.log(OUT, [AlbumLogEntry("", 4, NOW, "Bob", "b1" * 32, acts, counts=True)])
    assert shown.readouterr().out.endswith("  Bob left\n")


def test_who_is_alone_in_an_album_waits_for_nobody_when_leaving_it(
    shown: pytest.CaptureFixture[str],
) -> None:
    album = replace(SUMMER, state="left", members=2)
    printing_albums.left(OUT, album)
    assert "as soon as" in shown.readouterr().out
    printing_albums.left(OUT, replace(album, members=1))
    assert shown.readouterr().out == "You left Summer. What came stays here.\n"


def test_a_second_album_of_one_name_is_told_with_its_id(
    shown: pytest.CaptureFixture[str],
) -> None:
    printing_albums.created(OUT, SUMMER, twin=True)
    text = shown.readouterr().out
    assert "Another album is called Summer, too: say 541a89b6 for this one." in text
    assert "`kinlight album add 541a89b6 PATH`" in text


def test_an_entry_that_does_not_count_says_why(shown: pytest.CaptureFixture[str]) -> None:
    entry = AlbumLogEntry(
        "", 3, NOW, "Bob", "b1" * 32, [AlbumAct("remove", "Anna"), AlbumAct("epoch")],
        counts=False, code="album-senior", message="A senior admin can't be removed.",
    )  # fmt: skip
    printing_albums.log(OUT, [entry])
    text = shown.readouterr().out
    assert "Bob took Anna out; changed the key" in text
    assert "This does not count. A senior admin can't be removed." in text


def test_an_album_whose_key_is_not_here_goes_by_its_id(
    shown: pytest.CaptureFixture[str],
) -> None:
    album = replace(SUMMER, name="", state="invited")
    printing_albums.invitations(OUT, [album, SUMMER])
    (line,) = shown.readouterr().out.splitlines()
    assert line == (
        "Anna lets you into album 541a89b6 as a contributor. `kinlight album join 541a89b6` takes"
        " part, `kinlight album leave 541a89b6` declines."
    )
