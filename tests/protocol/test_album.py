"""Albums: people come and go, add photos, and see the same wherever they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kinlight.crypto.errors import MalformedError
from kinlight.protocol import album_roles, limits
from kinlight.protocol.album import Album, Heads
from kinlight.protocol.album_admin import Admin
from kinlight.protocol.album_errors import (
    AlbumDeniedError,
    AlbumRemovedError,
    KeyDueError,
    NoAlbumKeyError,
    SeniorAdminError,
)
from kinlight.protocol.album_log import Drop, Member, Remove
from kinlight.protocol.errors import DeniedError
from kinlight.protocol.judging import Request
from kinlight.protocol.rendition import ORIGINAL

from .albums import FILE_KEYS, SMALL, Node, device, epoch, log_entry, record_by
from .people import NOW, Person

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


def test_a_name_is_read_by_who_joins_later_whatever_the_history() -> None:
    for history in ("all", "from-join"):
        alice = Node.founding(ALICE, history=history)  # type: ignore[arg-type]
        alice.keep(alice.admin.set_name(alice.now(), "Küste", alice.key()))
        alice.invite("viewer", BOB)
        bob = alice.joining(BOB)
        name = bob.album.view.name
        assert name is not None
        assert bob.keys.open_text(name.key_id, "name", name.sealed) == "Küste"


def test_the_tier_is_the_last_one_that_was_said(alice: Node, bob: Node) -> None:
    assert bob.album.view.tier == ORIGINAL
    bob.keep(bob.admin.set_tier(bob.now(), SMALL, bob.key()))
    bob.give(alice)
    assert alice.album.view.tier == SMALL


def test_captions_covers_places_and_marks_are_what_was_said_last(alice: Node, carol: Node) -> None:
    carol.publish()
    carol.publish()
    carol.give(alice)
    one, other = carol.album.view.ordered()
    for text in ("first", "second"):
        carol.author.caption(carol.now(), one, text)
    carol.author.favourite(carol.now(), one)
    carol.author.favourite(carol.now(), one, chosen=False)
    carol.author.favourite(carol.now(), other)
    carol.give(alice)
    alice.author.set_cover(alice.now(), one)
    alice.author.set_cover(alice.now(), other)
    alice.author.place(alice.now(), other, b"a")
    alice.author.place(alice.now(), one, b"b")
    alice.give(carol)
    view = carol.album.view
    assert view.ordered() == [other, one]
    assert view.cover == other
    assert view.photos[one].favourite_of == set()
    assert view.photos[other].favourite_of == {CAROL.identity}
    caption = view.photos[one].caption
    assert caption is not None
    assert carol.keys.open_text(caption.key_id, "caption", caption.sealed, one) == "second"
    assert carol.everything() == alice.everything()


def test_two_captions_at_once_are_one_for_everybody(alice: Node, carol: Node) -> None:
    carol.publish()
    carol.give(alice)
    (photo_id,) = alice.album.view.photos
    alice.author.caption(alice.now(), photo_id, "by Alice")
    carol.author.caption(carol.now(), photo_id, "by Carol")
    alice.meet(carol)
    assert alice.everything() == carol.everything()
    carol.author.caption(carol.now(), photo_id, "both")
    carol.give(alice)
    caption = alice.album.view.photos[photo_id].caption
    assert caption is not None
    assert alice.keys.open_text(caption.key_id, "caption", caption.sealed, photo_id) == "both"


def test_a_request_to_delete_is_shown_as_one(alice: Node, carol: Node) -> None:
    alice.publish()
    alice.give(carol)
    (photo_id,) = carol.album.view.photos
    carol.author.ask_delete(carol.now(), photo_id)
    carol.give(alice)
    assert alice.album.view.photos[photo_id].asked_to_delete == {CAROL.identity}


def test_who_asks_to_leave_is_shown_until_an_admin_does_it(alice: Node, carol: Node) -> None:
    carol.author.leave(carol.now())
    carol.give(alice)
    assert alice.album.view.leaving == {CAROL.identity}
    alice.remove(CAROL.identity)
    assert alice.album.view.leaving == set()
    alice.invite("viewer", CAROL)
    assert alice.album.view.leaving == set()


def test_an_owner_who_leaves_is_followed_by_the_next_admin(alice: Node, bob: Node) -> None:
    alice.remove(ALICE.identity)
    alice.give(bob)
    assert bob.album.view.members == {BOB.identity: "admin"}
    assert bob.admin.due(bob.time) == "removal"  # who leaves does not make the next key
    assert [seat.device for seat in bob.album.authority.successors()] == [bob.device]
    bob.invite("viewer", CAROL)
    with pytest.raises(AlbumDeniedError):
        alice.rotate()


def test_the_last_admin_does_not_leave() -> None:
    alice = Node.founding(ALICE)
    alice.invite("contributor", CAROL)
    with pytest.raises(AlbumDeniedError):
        alice.remove(ALICE.identity)
    with pytest.raises(AlbumDeniedError):
        alice.drop(alice.device)


def test_an_owner_who_left_comes_back_by_the_words(alice: Node, bob: Node) -> None:
    alice.remove(ALICE.identity)
    alice.give(bob)
    bob.settle()
    bob.give(alice)
    root = Person.named("Alice").root
    words = Admin(alice.album, root, ALICE.identity, alice.keys)
    with pytest.raises(AlbumDeniedError):
        words.rotate(NOW, alice.key())
    alice.keep(words.invite(NOW, "admin", [ALICE.chain], bytes(16), alice.key()))
    alice.meet(bob)
    assert bob.album.view.members == {BOB.identity: "admin", ALICE.identity: "admin"}
    bob.publish()
    bob.give(alice)
    assert all(alice.opens(photo.photo) for photo in alice.album.view.photos.values())


def test_a_key_made_by_who_leaves_is_not_safe(bob: Node) -> None:
    for op in (Remove(BOB.identity, ()), Drop(BOB.chain.device, ())):
        node = Node(BOB, Album.load(bob.album.kept()), bob.keys)
        entry = log_entry(node, [op, epoch(node)], BOB)
        node.album.take(entry)
        assert node.album.authority.safe_epochs() == []


def test_only_a_member_s_device_is_let_in(alice: Node) -> None:
    with pytest.raises(AlbumDeniedError):
        alice.admin.let_in(alice.now(), DAVE.chain, alice.key())


def test_who_lacks_the_key_of_now_adds_nothing(alice: Node, carol: Node) -> None:
    alice.rotate()
    carol.album.take_all(alice.album.missing(carol.album.heads))
    with pytest.raises(NoAlbumKeyError):
        carol.publish()


def test_an_admin_without_the_key_of_now_changes_it(alice: Node, bob: Node) -> None:
    alice.rotate()
    bob.album.take_all(alice.album.missing(bob.album.heads))
    entry = bob.invite("viewer", DAVE)
    assert entry.epoch is not None


def test_nobody_names_an_album_without_a_safe_key(alice: Node, bob: Node) -> None:
    alice.invite("viewer", CAROL)
    alice.invite("viewer", DAVE)
    alice.meet(bob)
    alice.remove(CAROL.identity)
    bob.remove(DAVE.identity)
    alice.meet(bob)
    with pytest.raises(KeyDueError):
        alice.admin.set_name(alice.now(), "Küste", alice.key())
    assert alice.settle() is not None
    assert alice.settle() is None


def test_who_was_removed_is_told_and_nothing_more(alice: Node, carol: Node) -> None:
    removal = alice.remove(CAROL.identity)
    alice.publish()
    alice.rotate()
    told = alice.album.farewell(CAROL.identity, carol.device)
    assert told[-1] is removal
    assert len(told) == len(alice.album.graph.entries) - 1
    carol.album.take_all(told)
    assert CAROL.identity not in carol.album.view.members
    assert alice.album.farewell(BOB.identity, BOB.chain.device) == []


def test_heads_say_what_is_missing_and_no_more(alice: Node, carol: Node) -> None:
    before = carol.album.heads
    one, two = alice.rotate(), alice.publish()
    assert alice.album.missing(before) == [one, two]
    assert alice.album.missing(alice.album.heads) == []
    ahead = Heads((*before.log, bytes(32)), (*before.feeds, bytes(32)))
    assert alice.album.missing(ahead) == [one, two]


def test_a_role_is_an_attribute_that_grants_can_demand(alice: Node) -> None:
    album = alice.album.album_id
    name = album_roles.attribute(album)
    assert len(name) == limits.ATTRIBUTE_NAME_BYTES
    said = album_roles.attest(
        ALICE.signing, ALICE.identity, BOB.identity, album, "contributor", 0, 10, bytes(16)
    )
    assert (said.subject, said.name, said.value) == (BOB.identity, name, "contributor")
    assert album_roles.attribute(bytes(16)) != name


def test_the_grant_of_a_role_allows_what_it_says_for_photos_of_the_album(alice: Node) -> None:
    alice.invite("contributor", BOB)
    (member,) = [op for op in alice.album.graph.entries[-1].ops if isinstance(op, Member)]
    request = Request(
        BOB.identity, BOB.chain.device, bytes(16), "contribute", ORIGINAL, 0,
        albums=frozenset([alice.album.album_id]),
    )  # fmt: skip
    member.capability.verify(ALICE.identity, {ALICE.chain.device: ALICE.identity})
    member.capability.allow(request)
    for denied in (replace(request, operation="reshare"), replace(request, albums=frozenset())):
        with pytest.raises(DeniedError):
            member.capability.allow(denied)


def test_nobody_adds_the_photo_of_another(carol: Node) -> None:
    with pytest.raises(AlbumDeniedError):
        carol.author.publish(carol.now(), record_by(ALICE, bytes(16)), FILE_KEYS)


def test_a_photo_that_was_added_twice_is_there_once(alice: Node) -> None:
    one, other = (alice.publish(bytes(16)) for _ in range(2))
    (photo,) = alice.album.view.photos.values()
    assert photo.added.digest == min(one.digest, other.digest)


def test_nothing_is_no_album() -> None:
    for kept in ([], [Node.founding(ALICE).publish().signed.encode()]):
        with pytest.raises(MalformedError):
            Album.load(kept)


def test_of_two_new_keys_at_once_all_use_the_same_and_then_one_that_leads_to_both(
    alice: Node, bob: Node, carol: Node
) -> None:
    alice.rotate()
    bob.rotate()
    alice.give(carol)
    bob.give(carol)
    alice.meet(bob)
    used = {node.album.authority.safe_epochs()[0][1].key_id for node in (alice, bob, carol)}
    entries = [alice.album.graph.entries[number] for number, _ in
               alice.album.authority.safe_epochs()[:2]]  # fmt: skip
    assert entries == sorted(entries, key=lambda entry: entry.digest)
    assert {entry.epoch.key_id for entry in entries[:1] if entry.epoch} == used
    assert alice.admin.due(alice.time) == "merge"
    one = alice.settle()
    assert one is not None
    assert one.epoch is not None
    assert len(one.epoch.past) == 2
    alice.invite("viewer", DAVE)
    assert len(alice.joining(DAVE).keys.keys()) == len(alice.keys.keys())


def test_who_was_let_in_while_the_key_changed_is_given_the_new_one(alice: Node, bob: Node) -> None:
    bob.invite("viewer", DAVE)
    alice.rotate()
    alice.meet(bob)
    dave = bob.joining(DAVE)
    assert alice.admin.due(alice.time) == "newcomers"
    given = alice.settle()
    assert given is not None
    assert given.epoch is None
    alice.publish()
    alice.give(dave)
    assert all(dave.opens(photo.photo) for photo in dave.album.view.photos.values())
    assert alice.admin.due(alice.time) is None


def test_of_two_roles_at_once_the_lesser_stands(alice: Node, bob: Node) -> None:
    alice.invite("admin", DAVE)
    bob.invite("contributor", DAVE)
    alice.meet(bob)
    assert alice.album.view.members[DAVE.identity] == "contributor"
    alice.invite("admin", DAVE)
    alice.give(bob)
    assert bob.album.view.members[DAVE.identity] == "admin"


def test_who_was_let_in_again_by_somebody_without_the_right_is_told_why_it_is_out(
    alice: Node, bob: Node, carol: Node
) -> None:
    alice.remove(CAROL.identity)
    alice.meet(bob)
    bob.invite("contributor", CAROL)
    bob.give(carol)
    alice.remove(BOB.identity)
    assert CAROL.identity in carol.album.view.members
    carol.album.take_all(alice.album.farewell(CAROL.identity, carol.device))
    assert CAROL.identity in carol.album.view.members  # nothing there says how it came back
    bob.give(alice)
    carol.album.take_all(alice.album.farewell(CAROL.identity, carol.device))
    assert CAROL.identity not in carol.album.view.members
