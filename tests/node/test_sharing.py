from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node import ahead, following, leaving, originals
from kinlight.node.contact_errors import BlockedContactError, NoDeviceError, NoSuchContactError
from kinlight.node.errors import BadRequestError
from kinlight.node.sharing import LOOKED_FIRST
from kinlight.node.views_sharing import ShareItem, ShareProgress

from .conftest import Picture, Two
from .filmed import film
from .nodes import NOW
from .people import chain_of
from .photographs import photograph
from .rlimits import files_at_most


def content(path: Path | str) -> bytes:
    return Path(path).read_bytes()


def digest(path: Path) -> str:
    return hashlib.sha256(content(path)).hexdigest()


def modified(path: Path | str) -> int:
    return Path(path).stat().st_mtime_ns


# The whole way


async def test_a_shared_photo_arrives_and_is_exported_byte_for_byte(
    two: Two, picture: Picture
) -> None:
    await two.bob.engine.update_contact("Anna", accept="always")
    original = picture("beach.jpg", 700_000)
    item = await two.anna.share_one(original, "Bob")
    assert item.state == "delivered"
    assert item.photo_id is not None
    details = two.bob.engine.photo(item.photo_id)
    assert (details.name, details.author, details.own) == ("beach.jpg", "Anna", False)
    assert details.media_type == "image/jpeg"
    assert details.policy == "original"
    exported = await two.bob.engine.export(item.photo_id, original.parent / "out", keep_both=False)
    assert exported.sha256 == item.sha256 == digest(original)
    assert modified(exported.path) == modified(original)


async def test_two_nodes_joined_by_queues_share_without_a_socket(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    item = await joined.anna.share_one(picture(), "Bob")
    assert item.state == "delivered"


async def test_photos_go_both_ways_at_once(joined: Two, picture: Picture) -> None:
    for node, other in ((joined.anna, "Bob"), (joined.bob, "Anna")):
        await node.engine.update_contact(other, accept="always")
    there = [picture(length=400_000) for _ in range(6)]
    back = [picture(length=400_000) for _ in range(6)]
    sent = await joined.anna.share(*there, to="Bob", wait=False)
    answered = await joined.bob.share(*back, to="Anna")
    assert {item.state for item in answered} == {"delivered"}
    await joined.anna.until(
        lambda: all(joined.anna.delivery_state(item.photo_id or "") == "delivered" for item in sent)
    )


async def test_progress_is_told_while_a_photo_is_sealed_and_sent(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fast machine has sealed such a photo before a fifth of a second is over.
    monkeypatch.setattr(ahead, "PROGRESS_SECONDS", 0)
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture(length=1_500_000)
    steps = [
        step
        async for step in joined.anna.engine.share(
            [original], ["Bob"], metadata="original", until=None, wait=True
        )
    ]
    progress = [step for step in steps if isinstance(step, ShareProgress)]
    assert any(step.to is None for step in progress)
    assert any(step.to == "Bob" and step.done == step.total for step in progress)
    assert all(0 <= step.done <= step.total for step in progress)
    states = [step.state for step in steps if isinstance(step, ShareItem)]
    assert states[0] == "queued"
    assert states[-1] == "delivered"


# What can't be shared


async def shared_state(two: Two, path: Path) -> tuple[str, str | None]:
    (item,) = await two.anna.share(path, to="Bob", wait=False)
    return item.state, item.code


async def test_a_file_that_can_not_be_read_fails_and_the_others_go_on(
    joined: Two, picture: Picture, tmp_path: Path
) -> None:
    good, missing = picture(), tmp_path / "missing.jpg"
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    below_a_file = good / "x.jpg"
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    items = await joined.anna.share(
        missing, pipe, Path("/dev/zero"), below_a_file, loop, good, to="Bob", wait=False
    )
    assert [(item.state, item.code) for item in items[:5]] == [("failed", "unreadable")] * 5
    assert all(item.message for item in items[:5])
    assert items[5].state == "queued"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_without_permission_fails(joined: Two, picture: Picture) -> None:
    original = picture()
    original.chmod(0)
    assert await shared_state(joined, original) == ("failed", "unreadable")


async def test_of_a_folder_its_photos_are_shared_and_nothing_hidden(
    joined: Two, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "sub").mkdir(parents=True)
    (folder / ".thumbnails").mkdir()
    for name in ("a.jpg", "sub/b.PNG", "notes.txt", ".hidden.jpg", ".thumbnails/c.jpg"):
        (folder / name).write_bytes(name.encode())
    items = await joined.anna.share(folder, to="Bob", wait=False)
    assert [item.name for item in items] == ["a.jpg", "b.PNG"]


async def test_a_folder_that_can_not_be_read_is_said_and_the_others_go(
    joined: Two, tmp_path: Path
) -> None:
    photograph(tmp_path / "holiday" / "a.jpg")
    closed = tmp_path / "holiday" / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("this user reads every folder")
    items = await joined.anna.share(tmp_path / "holiday", to="Bob", wait=False)
    assert [(item.state, item.code) for item in items] == [
        ("failed", "unreadable"), ("queued", None),
    ]  # fmt: skip
    assert items[0].file == str(closed)


async def test_an_empty_folder_is_nothing_to_share(joined: Two, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert await joined.anna.share(folder, to="Bob") == []


@pytest.mark.parametrize("settled", [False, True])
async def test_a_file_that_changes_while_it_is_sealed_is_not_shared(
    joined: Two, picture: Picture, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = picture(length=2_000_000)
    before = modified(original)
    if settled:  # then it is hashed while it is sealed, and its times must tell
        monkeypatch.setattr(originals, "_SETTLED_SECONDS", -3600)

    def entropy(length: int) -> bytes:
        # It was opened, and hashed or not; the next thing that needs chance is the sealing.
        original.write_bytes(bytes(2_000_000))
        os.utime(original, ns=(before, before))  # as programs do that sync folders
        return secrets.token_bytes(length)

    await joined.anna.restart(entropy=entropy)
    assert await shared_state(joined, original) == ("failed", "file-changed")
    assert not joined.anna.blob_files()


@pytest.mark.parametrize("size_is_known", [False, True])
async def test_a_large_file_is_sealed_in_one_pass_or_two_to_the_same_photo(
    joined: Two, picture: Picture, size_is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "_SETTLED_SECONDS", -3600)
    await joined.bob.engine.update_contact("Anna", accept="always")
    if size_is_known:
        await joined.anna.share(picture("other.jpg", 2_000_000), to="Bob", wait=False)
    original = picture(length=2_000_000)
    item = await joined.anna.share_one(original, "Bob")
    assert (item.state, item.sha256) == ("delivered", digest(original))
    again = await joined.anna.share(original, to="Bob", rehash=True)
    assert [each.photo_id for each in again] == [item.photo_id]


async def test_a_large_file_that_is_here_under_a_size_that_no_file_had_is_no_second_photo(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "_SETTLED_SECONDS", -3600)
    await joined.bob.engine.update_contact("Anna", accept="always")
    item = await joined.anna.share_one(picture(length=1_500_000), "Bob")
    done = await joined.bob.engine.export(
        item.photo_id or "", joined.bob.home.path / "out", keep_both=False
    )
    before = joined.bob.blob_files()
    taken = await joined.bob.parts.importer.take(Path(done.path), "Summer")
    assert (taken.state, taken.id) == ("present", item.photo_id)
    assert joined.bob.blob_files() == before


async def test_a_file_that_is_cut_while_it_is_sealed_is_not_shared(
    joined: Two, picture: Picture
) -> None:
    original = picture(length=2_000_000)

    def entropy(length: int) -> bytes:
        os.truncate(original, 100)
        return secrets.token_bytes(length)

    await joined.anna.restart(entropy=entropy)
    assert await shared_state(joined, original) == ("failed", "file-changed")
    assert not joined.anna.blob_files()


async def test_a_file_that_is_too_large_is_refused_unread(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals.limits, "PHOTO_BYTES", 1000)
    assert await shared_state(joined, picture(length=1001)) == ("failed", "too-large")
    assert (await shared_state(joined, picture(length=1000)))[0] == "queued"


async def test_an_empty_file_arrives_empty(joined: Two, picture: Picture, tmp_path: Path) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    item = await joined.anna.share_one(picture("empty.jpg", 0), "Bob")
    assert item.state == "delivered"
    exported = await joined.bob.engine.export(
        item.photo_id or "", tmp_path / "out", keep_both=False
    )
    assert content(exported.path) == b""


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"caf\xe9.jpg", "caf\ufffd.jpg"),
        (b"x" * 251 + b".jpg", "x" * 251 + ".jpg"),
        (b"\xff" * 251 + b".jpg", None),
        (b"two\nlines\x1b[2J.jpg", "two\nlines\x1b[2J.jpg"),
    ],
)
async def test_any_name_that_a_file_can_have_can_be_shared(
    joined: Two, tmp_path: Path, raw: bytes, sent: str | None
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    path = tmp_path / os.fsdecode(raw)
    path.write_bytes(b"content")
    (item,) = await joined.anna.share(path, to="Bob")
    assert item.state == "delivered"
    name = joined.bob.engine.photo(item.photo_id or "").name
    assert len(name.encode()) <= 255
    assert sent in (None, name)
    exported = await joined.bob.engine.export(
        item.photo_id or "", tmp_path / "out", keep_both=False
    )
    assert content(exported.path) == b"content"


# Once more


async def test_the_same_file_again_is_the_same_photo_and_no_second_delivery(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture()
    first = await joined.anna.share_one(original, "Bob")
    files = joined.anna.blob_files()
    second = await joined.anna.share_one(original, "Bob")
    assert (second.photo_id, second.state) == (first.photo_id, "delivered")
    assert joined.anna.blob_files() == files
    assert len(joined.anna.engine.photo(first.photo_id or "").deliveries) == 1


def changed_unseen(path: Path) -> Path:
    """The same file with another content, and nothing to show it but its bytes."""
    status = path.stat()
    path.write_bytes(secrets.token_bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return path


async def test_a_file_that_looks_as_it_did_is_not_read_again_unless_rehash_says_so(
    joined: Two, picture: Picture
) -> None:
    original = picture()
    (first,) = await joined.anna.share(original, to="Bob", wait=False)
    changed_unseen(original)
    (unread,) = await joined.anna.share(original, to="Bob", wait=False)
    assert (unread.photo_id, unread.sha256) == (first.photo_id, first.sha256)
    (read,) = await joined.anna.share(original, to="Bob", wait=False, rehash=True)
    assert read.sha256 == digest(original)
    assert read.photo_id != first.photo_id


async def test_another_file_of_the_same_name_size_and_time_is_read(
    joined: Two, picture: Picture
) -> None:
    original = picture()
    (first,) = await joined.anna.share(original, to="Bob", wait=False)
    aside = original.rename(original.with_name("aside.jpg"))
    original.write_bytes(aside.read_bytes())
    os.utime(changed_unseen(original), ns=(modified(aside), modified(aside)))
    (other,) = await joined.anna.share(original, to="Bob", wait=False)
    assert other.sha256 == digest(original)
    assert other.photo_id != first.photo_id


RULE = """
[[rule]]
name = "everything"
effect = "allow"
"""


async def test_of_many_originals_none_is_looked_at_before_it_goes_unless_rules_may_ask(
    joined: Two, tmp_path: Path
) -> None:
    for number in range(LOOKED_FIRST + 1):
        photograph(tmp_path / "many" / f"{number}.jpg", position=(48.2, 16.4))
    items = await joined.anna.share(tmp_path / "many", to="Bob", wait=False)
    assert {tuple(item.leaves) for item in items} == {("whatever is in it",)}
    joined.anna.engine.rules.put(RULE)
    items = await joined.anna.share(tmp_path / "many", to="Bob", wait=False)
    assert {item.leaves[0] for item in items} == {"place"}


async def test_of_many_pictures_that_tell_no_place_is_said_that_they_go_as_they_are(
    joined: Two, tmp_path: Path
) -> None:
    for number in range(LOOKED_FIRST + 1):
        photograph(tmp_path / "many" / f"{number}.jpg")
    for _ in range(2):
        items = await joined.anna.share(
            tmp_path / "many", to="Bob", metadata="no-location", wait=False
        )
        assert leaving.line(items) == (
            "Leaves: the pictures. Left out: nothing, there was no place in them."
        )


async def test_the_same_content_under_another_name_is_another_photo(
    joined: Two, picture: Picture
) -> None:
    original = picture()
    renamed = original.with_name("renamed.jpg")
    renamed.write_bytes(original.read_bytes())
    one, two = await joined.anna.share(original, renamed, to="Bob", wait=False)
    assert one.photo_id != two.photo_id


async def test_a_copy_of_the_file_with_another_time_is_the_same_photo(
    joined: Two, picture: Picture, tmp_path: Path
) -> None:
    original = picture("a.jpg")
    await joined.anna.parts.importer.take(original, "Summer")
    copy = tmp_path / "copy" / "a.jpg"
    copy.parent.mkdir()
    copy.write_bytes(original.read_bytes())
    os.utime(copy, (1, 1))
    shared = await joined.anna.share_one(copy, "Bob")
    (here,) = joined.anna.engine.collection.search()
    assert shared.photo_id == here.id


async def test_a_file_that_was_imported_under_another_name_is_no_second_photo(
    joined: Two, picture: Picture
) -> None:
    original = picture("a.jpg")
    renamed = original.with_name("renamed.jpg")
    renamed.write_bytes(original.read_bytes())
    for path in (original, renamed):
        await joined.anna.parts.importer.take(path, "Summer")
    shared = await joined.anna.share_one(renamed, "Bob")
    (here,) = joined.anna.engine.collection.search()
    assert (shared.photo_id, shared.name) == (here.id, "a.jpg")


async def test_f8_a_still_that_is_shared_under_another_name_takes_no_clip_away(
    joined: Two, tmp_path: Path
) -> None:
    pair = photograph(tmp_path / "IMG_1.JPG"), tmp_path / "IMG_1.MOV"
    pair[1].write_bytes(film(container="mov"))
    for path in pair:
        await joined.anna.parts.importer.take(path, "Summer")
    new = tmp_path / "new"
    new.mkdir()
    for path in pair:
        (new / f"IMG_2{path.suffix}").write_bytes(path.read_bytes())
    await joined.anna.share(new / "IMG_2.JPG", to="Bob", wait=False)
    await joined.anna.share(new / "IMG_2.JPG", new / "IMG_2.MOV", to="Bob", wait=False)
    found = {item.name: item.clip for item in joined.anna.engine.collection.search()}
    assert found.keys() == {"IMG_1.JPG", "IMG_2.JPG"}
    assert None not in found.values()


async def test_a_second_share_with_another_end_costs_no_bytes_of_the_photo(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture(length=600_000)
    await joined.anna.share_one(original, "Bob")
    with joined.anna.engine.events.listen() as news:
        again = await joined.anna.share_one(original, "Bob", until=NOW + 3600)
        names = [news.get_nowait().name for _ in range(news.qsize())]
    assert again.state == "delivered"
    assert "sending" not in names
    assert len(joined.anna.engine.photo(again.photo_id or "").deliveries) == 2


async def test_a_photo_that_was_declined_can_be_offered_again(
    joined: Two, picture: Picture
) -> None:
    original = picture()
    item = await joined.anna.share_one(original, "Bob")
    joined.bob.engine.decide(item.photo_id or "", accept=False)
    await joined.anna.until(lambda: joined.anna.delivery_state(item.photo_id or "") == "refused")
    again = await joined.anna.share_one(original, "Bob")
    assert (again.photo_id, again.state) == (item.photo_id, "waiting")


async def test_a_photo_whose_sealed_file_is_gone_is_sealed_anew(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    original = picture()
    first = await joined.anna.share_one(original, "Bob")
    for path in joined.anna.blob_files():
        path.unlink()
    second = await joined.anna.share_one(original, "Bob")
    assert second.state == "delivered"
    assert second.photo_id != first.photo_id


# Requests that can't be met


async def test_a_policy_that_does_not_exist_is_refused(joined: Two, picture: Picture) -> None:
    with pytest.raises(BadRequestError):
        await joined.anna.share(picture(), to="Bob", metadata="everything")
    assert not joined.anna.blob_files()


async def test_a_grant_that_ends_before_it_begins_is_refused(joined: Two, picture: Picture) -> None:
    with pytest.raises(BadRequestError):
        await joined.anna.share_one(picture(), "Bob", until=NOW)


async def test_a_stranger_can_not_be_shared_with(joined: Two, picture: Picture) -> None:
    with pytest.raises(NoSuchContactError):
        await joined.anna.share_one(picture(), "Carol")


async def test_a_blocked_contact_can_not_be_shared_with(joined: Two, picture: Picture) -> None:
    await joined.anna.engine.update_contact("Bob", blocked=True)
    with pytest.raises(BlockedContactError):
        await joined.anna.share_one(picture(), "Bob")
    assert not joined.anna.blob_files()


@pytest.mark.parametrize(("paths", "to"), [([], ["Bob"]), ([Path("x.jpg")], [])])
async def test_nothing_or_nobody_is_a_bad_request(
    joined: Two, paths: list[Path], to: list[str]
) -> None:
    sharing = joined.anna.engine.share(paths, to, metadata="original", until=None, wait=False)
    with pytest.raises(BadRequestError):
        await anext(sharing)


async def test_a_contact_named_twice_gets_a_photo_once(joined: Two, picture: Picture) -> None:
    sharing = joined.anna.engine.share(
        [picture()], ["Bob", "Bob"], metadata="original", until=None, wait=False
    )
    items = [step async for step in sharing if isinstance(step, ShareItem)]
    assert len(items) == 1


async def test_a_contact_is_found_in_any_case(joined: Two, picture: Picture) -> None:
    item = await joined.anna.share_one(picture(), "bOB", wait=False)
    assert item.to == "Bob"


async def test_a_contact_without_a_usable_device_is_named(joined: Two, picture: Picture) -> None:
    library = joined.anna.parts.library
    library.add_contact(chain_of("Carol", until=NOW), "Carol", Secret(bytes(32)), NOW)
    original = picture()
    (item,) = await joined.anna.share(original, to="Carol", wait=False)
    assert (item.state, item.code) == ("failed", NoDeviceError.code)


async def test_who_shares_with_an_absent_contact_waits_only_a_while(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.05)
    await joined.bob.stop()
    await joined.anna.until(lambda: not joined.anna.connected_to(joined.bob))
    item = await joined.anna.share_one(picture(), "Bob")
    assert item.state == "queued"


async def test_sealing_to_a_full_disk_fails_with_that_reason_and_leaves_nothing(
    joined: Two, picture: Picture
) -> None:

    original = picture(length=400_000)
    with files_at_most(300_000):
        state, code = await shared_state(joined, original)
    assert state == "failed"
    assert code in ("disk-full", "home-unusable")
    assert not joined.anna.blob_files()
