"""Albums: people come and go, add photos, and see the same wherever they are."""

from __future__ import annotations

import pytest
from kinlight.protocol.album_errors import (
    AlbumDeniedError,
    AlbumRemovedError,
    KeyDueError,
    SeniorAdminError,
)

from .albums import Node, device

ALICE, LAPTOP = device("Alice", "phone"), device("Alice", "laptop")
BOB, CAROL, DAVE = device("Bob", "phone"), device("Carol", "phone"), device("Dave", "phone")


@pytest.fixture
def alice() -> Node:
    """Has founded an album."""
    return Node.founding(ALICE)


@pytest.fixture
def bob(alice: Node) -> Node:
    """An admin of Alice's album."""
    alice.invite("admin", BOB)
    return alice.joining(BOB)


@pytest.fixture
def carol(alice: Node, bob: Node) -> Node:
    """A contributor."""
    alice.invite("contributor", CAROL)
    alice.meet(bob)
    return alice.joining(CAROL)


def test_a_contributor_adds_a_photo_that_all_can_open(alice: Node, bob: Node, carol: Node) -> None:
    carol.publish()
    alice.meet(carol)
    alice.meet(bob)
    (photo,) = bob.album.view.photos.values()
    assert bob.opens(photo.photo)
    assert alice.opens(photo.photo)
    assert bob.everything() == alice.everything() == carol.everything()


def test_who_was_removed_opens_nothing_that_was_added_after(
    alice: Node, bob: Node, carol: Node
) -> None:
    bob.publish()
    bob.meet(alice)
    alice.remove(CAROL.identity)
    alice.meet(bob)
    entry = bob.publish()
    bob.give(carol)  # and every wrap that there is
    assert CAROL.identity not in carol.album.view.members
    added = {
        photo.added.digest: carol.opens(photo.photo) for photo in carol.album.view.photos.values()
    }
    assert added.pop(entry.digest) is False
    assert list(added.values()) == [True]


def test_a_removal_counts_what_its_heads_lead_to(alice: Node, carol: Node) -> None:
    carol.publish()
    carol.meet(alice)
    late = carol.publish()
    alice.remove(CAROL.identity)
    carol.give(alice)
    assert len(alice.album.view.photos) == 1
    assert alice.album.view.void[late.digest] is AlbumRemovedError


def test_a_viewer_adds_nothing_and_comments(alice: Node) -> None:
    alice.publish()
    alice.invite("viewer", DAVE)
    dave = alice.joining(DAVE)
    with pytest.raises(AlbumDeniedError):
        dave.publish()
    (photo_id,) = dave.album.view.photos
    dave.author.comment(dave.now(), photo_id, "lovely")
    dave.author.favourite(dave.now(), photo_id)
    dave.give(alice)
    photo = alice.album.view.photos[photo_id]
    (comment,) = photo.comments
    assert comment.act.photo_id == photo_id  # type: ignore[union-attr]
    assert photo.favourite_of == {DAVE.identity}


def test_two_removals_at_once_leave_no_safe_key_until_it_is_changed(
    alice: Node, bob: Node, carol: Node
) -> None:
    alice.invite("contributor", DAVE)
    alice.meet(bob)
    alice.meet(carol)
    alice.remove(DAVE.identity)
    bob.invite("contributor", device("Erin", "phone"))
    bob.remove(device("Erin", "phone").identity)
    alice.meet(bob)
    alice.give(carol)
    with pytest.raises(KeyDueError):
        carol.publish()
    assert alice.admin.due(alice.time) == "removal"
    alice.settle()
    alice.give(carol)
    carol.publish()


def test_a_junior_admin_does_not_remove_a_senior_one(alice: Node, bob: Node) -> None:
    alice.invite("admin", CAROL)
    carol = alice.joining(CAROL)
    for senior in (ALICE, BOB):
        with pytest.raises(AlbumDeniedError):
            carol.remove(senior.identity)
    alice.give(bob)
    bob.remove(CAROL.identity)
    with pytest.raises(AlbumDeniedError):
        bob.remove(ALICE.identity)


def test_what_a_removed_admin_did_unseen_is_void(alice: Node, bob: Node) -> None:
    bob.invite("contributor", CAROL)
    alice.remove(BOB.identity)
    alice.meet(bob)
    assert set(alice.album.view.members) == {ALICE.identity}
    assert alice.everything() == bob.everything()


def test_an_addition_at_the_same_time_as_a_removal_loses(alice: Node, bob: Node) -> None:
    alice.invite("contributor", CAROL)
    alice.meet(bob)
    alice.remove(CAROL.identity)
    bob.invite("contributor", CAROL)
    alice.meet(bob)
    assert CAROL.identity not in alice.album.view.members
    alice.settle()
    alice.invite("viewer", CAROL)
    alice.give(bob)
    assert bob.album.view.members[CAROL.identity] == "viewer"


def test_from_join_shows_nothing_of_before() -> None:
    alice = Node.founding(ALICE, history="from-join")
    before = alice.publish()
    alice.invite("contributor", BOB)
    after = alice.publish()
    bob = alice.joining(BOB)
    opened = {
        photo.added.digest: bob.opens(photo.photo) for photo in bob.album.view.photos.values()
    }
    assert opened == {before.digest: False, after.digest: True}


def test_all_history_is_there_after_any_number_of_keys(alice: Node) -> None:
    for _ in range(5):
        alice.publish()
        alice.rotate()
    alice.invite("viewer", BOB)
    bob = alice.joining(BOB)
    assert len(bob.album.view.photos) == 5
    assert all(bob.opens(photo.photo) for photo in bob.album.view.photos.values())


def test_a_lesser_role_ends_what_the_greater_one_allowed(alice: Node, bob: Node) -> None:
    alice.invite("contributor", BOB)
    bob.invite("viewer", CAROL)
    alice.meet(bob)
    assert alice.album.view.members == {ALICE.identity: "owner", BOB.identity: "contributor"}
    with pytest.raises(AlbumDeniedError):
        bob.rotate()
    bob.publish()


def test_a_dropped_device_leaves_the_others_of_its_person(alice: Node) -> None:
    two = [device("Bob", "phone"), device("Bob", "laptop")]
    alice.invite("contributor", *two)
    phone, laptop = (alice.joining(each) for each in two)
    alice.drop(phone.device)
    alice.meet(laptop)
    entry = laptop.publish()
    laptop.give(phone)
    (photo,) = phone.album.view.photos.values()
    assert photo.added is entry
    assert not phone.opens(photo.photo)
    with pytest.raises(AlbumDeniedError):
        phone.publish()


def test_the_owner_s_second_device_has_a_seat_and_not_the_first(alice: Node) -> None:
    alice.keep(alice.admin.let_in(alice.now(), LAPTOP.chain, alice.key()))
    laptop = alice.joining(LAPTOP)
    laptop.invite("viewer", BOB)
    with pytest.raises(AlbumDeniedError):
        laptop.drop(alice.device)
    alice.drop(laptop.device)
    assert SeniorAdminError not in alice.album.view.void.values()


def test_an_album_goes_on_from_what_was_kept(alice: Node, bob: Node, carol: Node) -> None:
    carol.publish()
    carol.meet(alice)
    before = alice.everything()
    alice.restart()
    assert alice.everything() == before
    alice.publish()
    alice.meet(bob)
    assert bob.everything() == alice.everything()
