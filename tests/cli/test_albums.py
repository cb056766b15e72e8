"""`kinlight album` with --json, and as a person reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import Household, Person, Value, sha256, together
from ..scenario.pictures import picture
from ..scenario.test_albums import here, shows

Neighbours = tuple[Person, Person]

ALBUM = {
    *("id", "name", "state", "role", "owner", "invited_by", "members", "photos", "here"),
    *("history", "metadata", "max_px", "since", "attribute", "due", "key", "previews", "waiting"),
}
DETAILS = {"album", "members", "photos", "forks"}
MEMBER = {"name", "fingerprint", "role", "devices", "leaving", "keyless", "seniority"}
PHOTO = {
    *("id", "state", "by", "added", "name", "bytes", "caption", "comments"),
    *("comments_left_out", "favourite_of", "delete_asked_by", "original_asked_by", "cover"),
    "preview",
}
ITEM = {"file", "name", "state", "photo_id", "bytes", "left_out", "code", "message"}
LOG_ENTRY = {
    *("hash", "number", "time", "by", "device", "acts", "counts", "code", "message", "fork"),
}
ACT = {"what", "who", "role", "device", "value"}


@pytest.fixture
def album(neighbours: Neighbours, request: pytest.FixtureRequest) -> Value:
    """An album of Anna's for one test, by the name of it."""
    anna, _ = neighbours
    return anna.run("album", "create", request.node.name[:60], "--metadata", "original").value


@pytest.fixture
def added(neighbours: Neighbours, album: Value, tmp_path: Path) -> Value:
    """A photo in it."""
    seed = abs(hash(tmp_path)) % 2**32
    return neighbours[0].run("album", "add", album["id"], picture(tmp_path / "a.jpg", seed)).value


@pytest.fixture(scope="module")
def kept(neighbours: Neighbours, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The ids of an album of Anna's and of the photo in it."""
    anna, _ = neighbours
    path = picture(tmp_path_factory.mktemp("kept") / "kept.jpg", 99)
    album = anna.run("album", "create", "Kept", "--metadata", "original").value["id"]
    return album, anna.run("album", "add", album, path).value["photo_id"]


@pytest.mark.timeout(600)
def test_three_people_keep_an_album_and_one_is_taken_out(
    household: Household, tmp_path: Path
) -> None:
    anna, bob, carol = (household.person(name) for name in ("Anna", "Bob", "Carol"))
    together(anna.make, bob.make, carol.make)
    for host, guest in ((anna, bob), (anna, carol), (bob, carol)):
        household.introduce(host, guest)

    founded = anna.screen("album", "create", "Summer", "--metadata", "original")
    assert "You are its owner. Photos are added as they are." in founded
    assert "`kinlight album invite Summer NAME`" in founded
    beach = picture(tmp_path / "beach.jpg", 1)
    first = anna.run("album", "add", "Summer", beach).value
    assert set(first) == ITEM
    assert (first["state"], first["name"]) == ("added", "beach.jpg")
    told = anna.screen("album", "invite", "summer", "bob", "--role", "admin")
    assert "Bob is an admin of Summer. They add photos, let people in and take them out." in told
    assert "Who comes now sees all photos in it." in told
    anna.run("album", "invite", "Summer", "Carol")

    # Whom it waits for sees it where they look.
    for person in (bob, carol):
        shows(person, lambda found: found.album.state == "invited")
        assert person.run("status").value["invitations"] == 1
    assert "An album waits for you to join: `kinlight album list`." in bob.screen("status")
    offered = bob.screen("inbox")
    assert "Anna lets you into Summer as an admin. `kinlight album join" in offered
    assert bob.run("inbox").values == []
    assert "asked to join" in bob.screen("album", "list")
    assert "Its photos come from whichever member" in bob.screen("album", "join", "Summer")
    assert carol.run("album", "join", "Summer").value["state"] == "joined"
    assert bob.run("status").value["invitations"] == 0
    assert "lets you into" not in bob.screen("inbox")

    # Each adds and says something.
    second = carol.run("album", "add", "Summer", picture(tmp_path / "lake.jpg", 2)).value
    for person in (anna, bob, carol):
        shows(person, here(first["photo_id"], second["photo_id"]))
    exported = carol.exported(first["photo_id"], tmp_path / "carol")
    assert sha256(exported) == sha256(beach)
    of_lake = second["photo_id"][:8]
    assert "Carol, " in anna.screen("album", "show", "Summer")
    bob.run("album", "comment", "Summer", of_lake, "lovely")
    bob.run("album", "favourite", "Summer", of_lake)
    carol.run("album", "caption", "Summer", of_lake, "at the lake")
    bob.run("album", "cover", "Summer", of_lake)
    asked = carol.screen("album", "ask-delete", "Summer", of_lake)
    assert "Request: you ask all to delete it." in asked
    assert "Nothing was deleted by that" in asked
    shows(anna, lambda found: any(photo.delete_asked_by for photo in found.photos))
    shows(anna, lambda found: any(photo.cover for photo in found.photos))
    shown = anna.screen("album", "show", "Summer")
    assert "“at the lake”" in shown
    assert "A favourite of Bob." in shown
    assert ": lovely" in shown
    assert "the cover" in shown
    assert "Request: Carol asks all to delete it. `kinlight album hide" in shown
    assert "Admins by seniority: you, Bob." in shown
    assert "3 members, 2 photos, 2 of them here" in shown

    # Anna does what Carol asks for, for herself.
    assert "It is deleted here" in anna.screen("album", "hide", "Summer", of_lake)
    assert "hidden here" in anna.screen("album", "show", "Summer")
    assert anna.run("show", of_lake, code=6).error == "not-here-yet"
    assert bob.run("show", of_lake).value["author"] == "Carol"

    # Carol is taken out while she is away.
    carol.stop()
    out = bob.screen("album", "remove", "Summer", "carol")
    assert "carol is out of Summer, and its key has changed" in out
    assert "What was there before they keep." in out
    third = bob.run("album", "add", "Summer", picture(tmp_path / "later.jpg", 3)).value
    shows(anna, here(third["photo_id"]))
    carol.start()
    shows(carol, lambda found: found.album.state == "removed")
    shown = carol.screen("album", "show", "Summer")
    assert "You were taken out. What came stays here, and nothing more comes." in shown
    assert third["photo_id"][:8] not in shown
    refused = carol.run("album", "add", "Summer", picture(tmp_path / "no.jpg", 4), code=1)
    assert refused.error == "album-not-allowed"

    # What admins did.
    lines = anna.screen("album", "log", "Summer")
    for words in (
        "you founded the album; changed the key",
        "you made Bob an admin",
        "you made Carol a contributor",
        "Bob took Carol out; changed the key",
    ):
        assert words in lines

    # Bob goes.
    assert "You left Summer. What came stays here." in bob.screen("album", "leave", "Summer")
    shows(anna, lambda found: len(found.members) == 1 and found.album.due is None)
    assert "left" in bob.screen("album", "list")


def test_an_album_and_all_that_is_in_it_have_their_fields(
    neighbours: Neighbours, album: Value, added: Value
) -> None:
    anna, bob = neighbours
    assert set(album) == ALBUM
    assert (album["owner"], album["role"], album["state"]) == ("me", "owner", "joined")
    assert (album["history"], album["metadata"], album["max_px"]) == ("all", "original", None)
    assert (album["due"], album["key"]) == (None, "here")
    invited = anna.run("album", "invite", album["id"], "Bob", "--role", "viewer").value
    assert set(invited) == DETAILS
    photo = added["photo_id"]
    commented = anna.run("album", "comment", album["id"], photo, "look").value
    assert set(commented) == DETAILS
    shown = anna.run("album", "show", album["name"].upper()).value
    assert set(shown["album"]) == ALBUM
    assert [set(member) for member in shown["members"]] == [MEMBER, MEMBER]
    me, member = shown["members"]
    assert (me["name"], me["role"], me["seniority"]) == ("me", "owner", 1)
    assert (member["name"], member["role"], member["seniority"]) == ("Bob", "viewer", None)
    assert me["devices"] == [anna.run("id").value["device"]]
    assert member["keyless"] == []
    (item,) = shown["photos"]
    assert set(item) == PHOTO
    assert (item["id"], item["state"], item["by"], item["name"]) == (photo, "here", "me", "a.jpg")
    assert [set(comment) for comment in item["comments"]] == [{"by", "time", "text"}]
    assert shown["forks"] == []
    entries = anna.run("album", "log", album["id"][:10]).values
    assert {frozenset(entry) for entry in entries} == {frozenset(LOG_ENTRY)}
    assert {frozenset(act) for entry in entries for act in entry["acts"]} == {frozenset(ACT)}
    assert all(entry["counts"] for entry in entries)
    assert anna.run("album", "show", album["id"], "--limit", "0").value["photos"] == []
    known = {each["id"]: each for each in anna.run("album", "list").values}
    assert set(known[album["id"]]) == ALBUM
    # The library's own albums are others.
    assert album["name"] not in [each["name"] for each in anna.run("albums").values]
    bob.until(
        lambda node: node.album_list(),
        lambda found: any(each.id == album["id"] for each in found),
    )
    declined = bob.run("album", "leave", album["id"]).value
    assert declined["state"] == "left"


def test_previews_are_written_and_room_is_counted(
    neighbours: Neighbours, kept: tuple[str, str], tmp_path: Path
) -> None:
    anna, _ = neighbours
    album, photo = kept
    (written,) = anna.run("album", "previews", album, tmp_path / "small").values
    path = tmp_path / "small" / f"{photo}.jpg"
    assert (written["id"], written["path"], written["already"]) == (photo, str(path), False)
    assert path.read_bytes()[:2] == b"\xff\xd8"
    use = anna.run("space", "show").value
    assert set(use) == {
        "photos", "own", "received", "pictures", "previews", "held", "away", "away_bytes",
    }  # fmt: skip
    assert use["previews"] > 0
    items = anna.run("space", "clean", "--older-than", "0d", "--own", "--dry-run").values
    assert {item["state"] for item in items} == {"only-copy"}
    assert set(items[0]) == {
        "photo", "name", "bytes", "state", "holder", "code", "message", "what",
    }  # fmt: skip
    assert "of 1 file." in anna.screen("space", "clean", "--keep", "0")  # what was drawn just now
    assert "Nothing went." in anna.screen("space", "clean", "--keep", "0")
    assert anna.run("space", "clean", code=2).error == "usage"
    assert anna.run("space", "fetch", "--all").values == []


def test_an_album_is_changed_by_its_admins(
    neighbours: Neighbours, album: Value, added: Value, tmp_path: Path
) -> None:
    anna, _ = neighbours
    wanted = album["id"][:8]
    assert anna.run("album", "rename", wanted, "Snow 雪").value["name"] == "Snow 雪"
    small = anna.run("album", "form", "snow 雪", "--max-px", "640").value
    assert (small["metadata"], small["max_px"]) == ("clean", 640)
    assert "copies of at most 640 pixels a side" in anna.screen(
        "album", "form", wanted, "--max-px", "640"
    )
    copy = anna.run("album", "add", wanted, picture(tmp_path / "b.jpg", 5)).value
    assert copy["state"] == "added"
    again = anna.screen("album", "add", wanted, "--photo", copy["photo_id"])
    assert "1 in it already." in again
    assert "at most 640 pixels a side" in anna.screen("album", "form", wanted)
    changed = anna.screen("album", "form", wanted, "--metadata", "no-location")
    assert "without their place" in changed
    assert "has another key from now on" in anna.screen("album", "rotate", wanted)
    placed = anna.run("album", "place", wanted, copy["photo_id"], "010").value
    assert [each["id"] for each in placed["photos"]] == [copy["photo_id"], added["photo_id"]]
    covered = anna.run("album", "cover", wanted, added["photo_id"][:12]).value
    assert [each["cover"] for each in covered["photos"]] == [False, True]
    fond = anna.run("album", "favourite", wanted, copy["photo_id"]).value
    assert fond["photos"][0]["favourite_of"] == ["me"]
    fond = anna.run("album", "favourite", wanted, copy["photo_id"], "--off").value
    assert fond["photos"][0]["favourite_of"] == []
    hidden = anna.screen("album", "hide", wanted, added["photo_id"])
    assert "It is yours, so it stays in your library" in hidden
    assert anna.run("show", added["photo_id"]).value["own"] is True
    assert "It is wanted again" in anna.screen("album", "hide", wanted, added["photo_id"], "--off")


def test_a_role_stays_unless_another_one_is_said(neighbours: Neighbours, album: Value) -> None:
    anna, _ = neighbours

    def role(*words: str) -> str:
        found = anna.run("album", "invite", album["id"], "Bob", *words).value
        return next(each["role"] for each in found["members"] if each["name"] == "Bob")

    assert role() == "contributor"
    assert role("--role", "admin") == "admin"
    assert role() == "admin"
    assert role("--role", "viewer") == "viewer"
    assert role() == "viewer"


def test_a_device_is_taken_out_alone(neighbours: Neighbours, album: Value) -> None:
    anna, bob = neighbours
    anna.run("album", "invite", album["id"], "Bob")
    device = bob.run("id").value["device"]
    out = anna.run("album", "remove", album["id"], "--device", device[:16]).value
    members = {each["name"]: each["devices"] for each in out["members"]}
    assert device not in [key for devices in members.values() for key in devices]
    again = anna.run("album", "remove", album["id"], "--device", device, code=6)
    assert again.error == "no-such-device"


def test_of_albums_of_one_name_the_candidates_are_told(neighbours: Neighbours) -> None:
    anna, _ = neighbours
    one, other = (anna.run("album", "create", "Twice").value["id"] for _ in range(2))
    refused = anna.run("album", "show", "twice", code=6)
    assert refused.error == "ambiguous-album"
    for album in (one, other):
        assert f"{album[:8]} (Twice, owner: me)" in refused.message
        assert anna.run("album", "show", album[:8]).value["album"]["id"] == album
    anna.run("album", "leave", one)
    assert anna.run("album", "show", "twice").value["album"]["id"] == other


def test_albums_of_the_library_and_those_kept_with_others_are_told_apart(
    neighbours: Neighbours, tmp_path: Path
) -> None:
    _, bob = neighbours
    assert "`kinlight album list` shows those that you keep with others." in bob.screen("albums")
    assert bob.run("album", "show", "Italy", code=6).error == "no-such-album"
    bob.run("import", picture(tmp_path / "rome.jpg", 6), "--album", "Italy")
    refused = bob.run("album", "show", "Italy", code=6)
    assert refused.error == "no-such-album"
    assert "`kinlight albums` and `kinlight album list` show them" in refused.message
    bob.run("album", "create", "Italy", "--metadata", "original")
    lake = bob.run("album", "add", "Italy", picture(tmp_path / "como.jpg", 7)).value
    assert [each["name"] for each in bob.run("albums").values] == ["Italy"]
    assert {each["name"] for each in bob.run("search", "--album", "Italy").values} >= {"como.jpg"}
    assert [each["id"] for each in bob.run("search", "como").values] == [lake["photo_id"]]


def test_what_can_not_be_added_is_said_and_the_others_go(
    neighbours: Neighbours, album: Value, tmp_path: Path
) -> None:
    anna, _ = neighbours
    well = picture(tmp_path / "well.jpg", 8)
    answer = anna.run("album", "add", album["id"], tmp_path / "gone.jpg", well, code=1)
    states = {item["name"]: (item["state"], item["code"]) for item in answer.values}
    assert states == {"gone.jpg": ("failed", "unreadable"), "well.jpg": ("added", None)}
    (tmp_path / "empty").mkdir()
    assert anna.run("album", "add", album["id"], tmp_path / "empty", code=2).error == "no-photos"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ((), 2, "usage"),
        (("show", "Nowhere"), 6, "no-such-album"),
        (("show", ""), 6, "no-such-album"),
        (("show", "{album}", "--limit", "-1"), 2, "bad-request"),
        (("log", ".."), 6, "no-such-album"),
        (("create", " \n"), 2, "bad-request"),
        (("create", "😀" * 80), 2, "bad-request"),
        (("create", "X", "--history", "some"), 2, "bad-request"),
        (("create", "X", "--metadata", "clean"), 2, "bad-request"),
        (("create", "X", "--max-px", "0"), 2, "bad-request"),
        (("rename", "{album}", ""), 2, "bad-request"),
        (("invite", "{album}", "Dora"), 6, "no-such-contact"),
        (("invite", "{album}", "Bob", "--role", "owner"), 2, "bad-request"),
        (("remove", "{album}"), 2, "usage"),
        (("remove", "{album}", "Bob", "--device", "00"), 2, "usage"),
        (("remove", "{album}", "Bob"), 6, "no-such-contact"),
        (("remove", "{album}", "me"), 2, "bad-request"),
        (("remove", "{album}", "--device", "zz"), 6, "no-such-device"),
        (("add", "{album}"), 2, "usage"),
        (("add", "{album}", "--photo", "zz"), 6, "no-such-photo"),
        (("comment", "{album}", "zz", "hello"), 6, "no-such-photo"),
        (("comment", "{album}", "{photo}", ""), 2, "bad-request"),
        (("comment", "{album}", "{photo}", "x" * 4097), 2, "bad-request"),
        (("place", "{album}", "{photo}", ""), 2, "bad-request"),
        (("place", "{album}", "{photo}", "x" * 33), 2, "bad-request"),
        (("hide", "{album}", "{photo}0"), 6, "no-such-photo"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    neighbours: Neighbours, kept: tuple[str, str], words: tuple[str, ...], code: int, error: str
) -> None:
    anna, _ = neighbours
    album, photo = kept
    every = anna.ask(lambda node: node.album_list())
    before = anna.ask(lambda node: node.album_show(album))
    typed = [word.format(album=album, photo=photo) for word in words]
    assert anna.run("album", *typed, code=code).error == error
    assert anna.ask(lambda node: node.album_show(album)) == before
    assert anna.ask(lambda node: node.album_list()) == every


def test_who_is_only_invited_or_only_looks_is_told_what_that_allows(
    neighbours: Neighbours, album: Value, added: Value, tmp_path: Path
) -> None:
    anna, bob = neighbours
    anna.run("album", "invite", album["id"], "Bob", "--role", "viewer")
    bob.until(
        lambda node: node.album_list(),
        lambda found: any(each.id == album["id"] for each in found),
    )
    path = picture(tmp_path / "mine.jpg", 9)
    early = bob.run("album", "add", album["id"], path, code=1)
    assert (early.error, "join it first" in early.message) == ("album-not-allowed", True)
    bob.run("album", "join", album["id"])
    assert bob.run("album", "add", album["id"], path, code=1).error == "album-not-allowed"
    assert bob.run("album", "rotate", album["id"], code=1).error == "album-not-allowed"
    assert bob.run("album", "remove", album["id"], "Anna", code=1).error == "album-not-allowed"
    refused = bob.run("album", "cover", album["id"], added["photo_id"], code=1)
    assert refused.error == "album-not-allowed"
    said = bob.run("album", "comment", album["id"], added["photo_id"], "nice").value
    assert [each["text"] for each in said["photos"][0]["comments"]] == ["nice"]
