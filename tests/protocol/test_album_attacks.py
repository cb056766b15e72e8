"""Every refusal of docs/spec/album.md, by the entry that deserves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import (
    BadSignatureError,
    MalformedError,
    PeerError,
)
from kinlight.crypto.identity import DeviceChain, issue_identity
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.album import Album
from kinlight.protocol.album_authority import Authority
from kinlight.protocol.album_errors import (
    AlbumEpochError,
    AlbumFullError,
    AlbumGapError,
    AlbumGrantError,
    AlbumRefusedError,
    AlbumRemovedError,
    AlbumRoleError,
    AlbumStrangerError,
    OldEpochError,
    OtherAlbumError,
    SeniorAdminError,
    WentBackError,
)
from kinlight.protocol.album_feed import (
    FEED_DOMAIN,
    Act,
    AskDelete,
    Caption,
    Comment,
    Cover,
    FeedEntry,
)
from kinlight.protocol.album_graph import Graph
from kinlight.protocol.album_log import (
    LOG_DOMAIN,
    Device,
    Drop,
    LogEntry,
    Member,
    Name,
    Op,
    Remove,
    Tier,
    Wraps,
)
from kinlight.protocol.album_roles import OPERATIONS, Role
from kinlight.protocol.album_seats import Removals, Seat
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.caveats import Caveats
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import UnsupportedGrantError, wire_code
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.rendition import ORIGINAL

from .albums import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    LAPTOP,
    SMALL,
    Node,
    current,
    device,
    epoch,
    feed_entry,
    log_entry,
    photo,
    record_by,
    with_two,
)
from .independent_albums import Reader
from .people import NOW, Person, fixed

MALLORY = device("Mallory", "phone")
HASH, KEY, PID = fixed("hash"), fixed("key"), fixed("photo", 16)


@pytest.fixture
def alice() -> Node:
    return with_two()


def grant(
    node: Node,
    to: LocalDevice,
    role: Role = "contributor",
    signer: LocalDevice = ALICE,
    parent: Capability | None = None,
    **changes: Any,
) -> Capability:
    fields: dict[str, Any] = {"album": node.album.album_id, "operations": OPERATIONS[role]}
    return Capability.grant(
        signer.signing, signer.identity, Audience("identity", to.identity),
        Caveats(**(fields | changes)), fixed("nonce", 16), parent,
    )  # fmt: skip


def refused(node: Node, entry: LogEntry | FeedEntry, error: type[PeerError]) -> None:
    """It is, and nothing has changed."""
    before = node.album.kept()
    with pytest.raises(error) as caught:
        node.album.take(entry)
    assert type(caught.value) is error
    assert node.album.kept() == before


# What may be in the log.


def test_an_entry_of_another_album_is_refused(alice: Node) -> None:
    other = Node.founding(ALICE)
    refused(alice, log_entry(other, [Tier(SMALL)]), OtherAlbumError)
    refused(alice, log_entry(alice, [Tier(SMALL)], album=bytes(16)), OtherAlbumError)
    refused(alice, feed_entry(other, AskDelete(bytes(16)), ALICE), OtherAlbumError)


def test_an_entry_whose_parents_are_not_here_waits(alice: Node) -> None:
    refused(alice, log_entry(alice, [Tier(SMALL)], parents=[bytes(32)]), AlbumGapError)
    assert alice.album.take_all([log_entry(alice, [Tier(SMALL)], parents=[bytes(32)])]) == []


@pytest.mark.parametrize("seq", [1, 2, 4, 2**63 - 1])
def test_a_wrong_number_is_malformed(alice: Node, seq: int) -> None:
    refused(alice, log_entry(alice, [Tier(SMALL)], seq=seq), MalformedError)


def test_a_parent_before_another_is_malformed(alice: Node) -> None:
    parents = [alice.album.graph.entries[1].digest, *alice.album.graph.heads]
    refused(alice, log_entry(alice, [Tier(SMALL)], parents=parents), MalformedError)


@pytest.mark.parametrize("signer", [CAROL, LAPTOP, MALLORY])
def test_who_was_never_an_admin_writes_nothing(alice: Node, signer: LocalDevice) -> None:
    refused(alice, log_entry(alice, [Tier(SMALL)], signer), AlbumStrangerError)


def test_an_admin_writes_for_no_other_identity(alice: Node) -> None:
    entry = log_entry(alice, [Tier(SMALL)], BOB, identity=ALICE.identity)
    refused(alice, entry, AlbumStrangerError)


def test_an_admin_does_not_write_on_what_was_before_it_was_one(alice: Node) -> None:
    first = alice.album.graph.entries[0].digest
    refused(alice, log_entry(alice, [Tier(SMALL)], BOB, parents=[first]), AlbumStrangerError)


def test_a_signature_by_another_key_is_refused(alice: Node) -> None:
    entry = log_entry(alice, [Tier(SMALL)])
    forged = LogEntry.read(
        Signed(entry.signed.body, BOB.signing.sign(LOG_DOMAIN, entry.signed.body))
    )
    refused(alice, forged, BadSignatureError)
    act = feed_entry(alice, AskDelete(bytes(16)))
    forged_act = FeedEntry.read(
        Signed(act.signed.body, BOB.signing.sign(FEED_DOMAIN, act.signed.body))
    )
    refused(alice, forged_act, BadSignatureError)


def test_a_first_entry_with_another_signature_founds_nothing() -> None:
    first = Node.founding(ALICE).album.graph.entries[0]
    with pytest.raises(BadSignatureError):
        Album(LogEntry.read(Signed(first.signed.body, bytes(64))))
    with pytest.raises(MalformedError):
        Album(log_entry(Node.founding(ALICE), [Tier(SMALL)]))


def test_a_key_does_not_come_again(alice: Node) -> None:
    old = alice.album.graph.entries[0].epoch
    assert old is not None
    refused(alice, log_entry(alice, [replace(old, past=())]), AlbumEpochError)


def test_what_names_a_key_that_is_not_there_is_refused(alice: Node) -> None:
    for op in (Wraps(KEY, HASH, 1), Name(KEY, bytes(80))):
        refused(alice, log_entry(alice, [op]), AlbumEpochError)
    refused(alice, feed_entry(alice, Comment(bytes(16), KEY, bytes(80))), AlbumEpochError)
    refused(alice, feed_entry(alice, replace(photo(alice), key_id=KEY)), AlbumEpochError)


def test_from_join_albums_give_no_earlier_key() -> None:
    alice = Node.founding(ALICE, history="from-join")
    later = replace(epoch(alice), past=((current(alice), bytes(104)),))
    refused(alice, log_entry(alice, [later]), AlbumEpochError)
    refused(alice, log_entry(alice, [Wraps(current(alice), HASH, 1)]), AlbumEpochError)


GRANTS: dict[str, Callable[[Node], tuple[LocalDevice, Capability]]] = {
    "for another album": lambda node: (ALICE, grant(node, DAVE, album=bytes(16))),
    "for more than the role": lambda node: (ALICE, grant(node, DAVE, "admin")),
    "for less than the role": lambda node: (ALICE, grant(node, DAVE, "viewer")),
    "for somebody else": lambda node: (ALICE, grant(node, CAROL)),
    "with a further condition": lambda node: (ALICE, grant(node, DAVE, before=NOW)),
    "for any album": lambda node: (
        ALICE,
        grant(node, DAVE, album=None, photos=frozenset([bytes(16)])),
    ),
    "by another admin": lambda node: (
        ALICE,
        grant(node, DAVE, signer=BOB, parent=node.album.graph.grant_for(BOB.identity)),
    ),
    "by an admin as if it were the owner": lambda node: (BOB, grant(node, DAVE, signer=BOB)),
    "under a grant that is none of the album": lambda node: (
        BOB,
        grant(node, DAVE, signer=BOB, parent=replace_nonce(node)),
    ),
}


def replace_nonce(node: Node) -> Capability:
    """A grant that the owner could have given to Bob, and that is not in the log."""
    return Capability.grant(
        ALICE.signing, ALICE.identity, Audience("identity", BOB.identity),
        Caveats(album=node.album.album_id, operations=OPERATIONS["admin"]), bytes(16),
    )  # fmt: skip


@pytest.mark.parametrize("case", GRANTS)
def test_a_grant_other_than_that_of_the_role_is_refused(alice: Node, case: str) -> None:
    signer, capability = GRANTS[case](alice)
    op = Member(DAVE.identity, "contributor", capability, (DAVE.chain,))
    refused(alice, log_entry(alice, [op], signer), AlbumGrantError)


def test_a_grant_whose_signature_is_wrong_is_refused(alice: Node) -> None:
    good = grant(alice, DAVE)
    (link,) = good.links
    forged = Capability.decode(encoding.encode([[link.signed.body, bytes(64)]]))
    op = Member(DAVE.identity, "contributor", forged, (DAVE.chain,))
    refused(alice, log_entry(alice, [op]), AlbumGrantError)


def test_admins_are_three_deep_at_most(alice: Node) -> None:
    node = alice
    for name in ("Dave", "Erin", "Frank"):
        local = device(name, "phone")
        node.invite("admin", local)
        node = node.joining(local)
    node.invite("viewer", device("Grace", "phone"))
    node.invite("admin", device("Heidi", "phone"))
    heidi = node.joining(device("Heidi", "phone"))
    heidi.rotate()
    with pytest.raises(UnsupportedGrantError):
        heidi.invite("viewer", device("Ivan", "phone"))


def test_a_log_takes_as_many_entries_as_it_may_and_the_owner_s_after_all_others(
    alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ALBUM_OWNER_ENTRIES", 2)
    monkeypatch.setattr(limits, "ALBUM_LOG_ENTRIES", len(alice.album.graph.entries) + 3)
    alice.album.take(log_entry(alice, [Tier(SMALL)], BOB))
    refused(alice, log_entry(alice, [Tier(ORIGINAL)], BOB), AlbumFullError)
    alice.remove(BOB.identity)
    alice.album.take(log_entry(alice, [Tier(ORIGINAL)]))
    refused(alice, log_entry(alice, [Tier(SMALL)]), AlbumFullError)


def test_a_member_writes_no_more_with_two_devices_than_with_one(
    alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    tablet = device("Carol", "tablet")
    alice.invite("contributor", CAROL, tablet)
    monkeypatch.setattr(limits, "ALBUM_FEED_ENTRIES", 2)
    one = feed_entry(alice, AskDelete(bytes(16)))
    two = feed_entry(alice, AskDelete(bytes(16)), tablet)
    alice.album.take_all([one, two])
    more = feed_entry(alice, AskDelete(bytes(16)), seq=1, previous=one.digest)
    refused(alice, more, AlbumFullError)


def test_what_a_member_writes_is_no_larger_than_it_may_be(
    alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = feed_entry(alice, AskDelete(bytes(16)))
    two = feed_entry(alice, AskDelete(bytes(16)), seq=1, previous=one.digest)
    size = len(one.signed.body) + len(two.signed.body)
    monkeypatch.setattr(limits, "ALBUM_MEMBER_BYTES", size - 1)
    alice.album.take(one)
    refused(alice, two, AlbumFullError)
    monkeypatch.setattr(limits, "ALBUM_MEMBER_BYTES", size)
    assert alice.album.take(two)
    other = feed_entry(alice, AskDelete(bytes(16)), BOB)
    assert alice.album.take(other)


def test_a_feed_takes_as_many_entries_as_it_may(
    alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ALBUM_FEED_ENTRIES", 2)
    one = feed_entry(alice, AskDelete(bytes(16)))
    two = feed_entry(alice, AskDelete(bytes(16)), seq=1, previous=one.digest)
    assert alice.album.take_all([two, one]) == [one, two]
    three = feed_entry(alice, AskDelete(bytes(16)), seq=2, previous=two.digest)
    refused(alice, three, AlbumFullError)


# What may be in a feed.


def test_a_feed_goes_on_by_one_on_its_own_entries(alice: Node) -> None:
    first = feed_entry(alice, AskDelete(PID))
    refused(alice, feed_entry(alice, AskDelete(PID), seq=1, previous=first.digest), AlbumGapError)
    alice.album.take(first)
    skipped = feed_entry(alice, AskDelete(PID), seq=2, previous=first.digest)
    refused(alice, skipped, MalformedError)
    others = feed_entry(alice, AskDelete(PID), BOB, seq=1, previous=first.digest)
    refused(alice, others, MalformedError)


def test_a_feed_that_has_seen_what_is_not_here_waits(alice: Node) -> None:
    refused(alice, feed_entry(alice, AskDelete(PID), seen=[bytes(32)]), AlbumGapError)


@pytest.mark.parametrize("signer", [MALLORY, DAVE, LAPTOP])
def test_who_was_never_let_in_adds_nothing(alice: Node, signer: LocalDevice) -> None:
    refused(alice, feed_entry(alice, AskDelete(PID), signer), AlbumStrangerError)
    entry = feed_entry(alice, AskDelete(PID), signer, identity=CAROL.identity)
    refused(alice, entry, AlbumStrangerError)


def test_a_feed_does_not_unlearn_what_it_has_seen(alice: Node) -> None:
    before = sorted(alice.album.graph.heads)
    alice.rotate()
    first = feed_entry(alice, AskDelete(PID))
    alice.album.take(first)
    back = feed_entry(alice, AskDelete(PID), seq=1, previous=first.digest, seen=before)
    refused(alice, back, WentBackError)


def test_a_photo_of_a_device_that_nobody_knows_is_refused(alice: Node) -> None:
    other = device("Carol", "old phone")
    plain = replace(photo(alice), record=record_by(other, bytes(16)))
    refused(alice, feed_entry(alice, plain), MalformedError)
    papers = Certificates.read([other.chain.certificates[0].signed.to_value()])
    alice.album.take(feed_entry(alice, replace(plain, certificates=papers)))
    assert len(alice.album.view.photos) == 1


# What does not count.


def test_a_removed_device_adds_nothing_whatever_it_claims_to_have_seen(alice: Node) -> None:
    before = sorted(alice.album.graph.heads)
    alice.remove(CAROL.identity)
    after = sorted(alice.album.graph.heads)
    old = alice.album.graph.entries[0].epoch
    assert old is not None
    act = replace(photo(alice), key_id=old.key_id)
    for seen in (before, after):
        entry = feed_entry(alice, act, seen=seen)
        alice.album.take(entry)
        assert alice.album.view.void[entry.digest] is AlbumRemovedError
    assert not alice.album.view.photos


def test_who_has_seen_a_removal_seals_under_no_key_of_before(alice: Node) -> None:
    alice.invite("viewer", DAVE)
    act = photo(alice)
    alice.remove(DAVE.identity)
    entry = feed_entry(alice, act)
    alice.album.take(entry)
    assert alice.album.view.void[entry.digest] is OldEpochError
    comment = Comment(act.record.photo_id, act.key_id, bytes(80))
    said = feed_entry(alice, comment, BOB)
    alice.album.take(said)
    assert alice.album.view.void[said.digest] is OldEpochError


def test_a_photo_that_could_not_know_of_the_removal_stays(alice: Node) -> None:
    alice.invite("viewer", DAVE)
    entry = feed_entry(alice, photo(alice))
    alice.remove(DAVE.identity)
    alice.album.take(entry)
    assert len(alice.album.view.photos) == 1


def test_what_the_role_does_not_allow_does_not_count(alice: Node) -> None:
    alice.invite("viewer", DAVE)
    shown = feed_entry(alice, photo(alice))
    alice.album.take(shown)
    (photo_id,) = alice.album.view.photos
    tries: list[tuple[LocalDevice, Act]] = [
        (DAVE, photo(alice, DAVE, "his")),
        (BOB, Cover(photo_id)),
        (DAVE, Cover(photo_id)),
        (DAVE, Caption(photo_id, current(alice), bytes(80))),
    ]
    for signer, act in tries:
        node = Node(signer, Album.load(alice.album.kept()), alice.keys)
        entry = feed_entry(node, act, signer)
        node.album.take(entry)
        expected = None if signer is BOB else AlbumRoleError
        assert node.album.view.void.get(entry.digest) is expected


def test_another_contributor_does_not_write_the_caption(alice: Node) -> None:
    alice.invite("contributor", DAVE)
    alice.album.take(feed_entry(alice, photo(alice)))
    (photo_id,) = alice.album.view.photos
    entry = feed_entry(alice, Caption(photo_id, current(alice), bytes(80)), DAVE)
    alice.album.take(entry)
    assert alice.album.view.void[entry.digest] is AlbumRoleError
    assert alice.album.view.photos[photo_id].caption is None


@pytest.mark.parametrize("target", [ALICE, BOB])
def test_a_junior_s_removal_of_a_senior_has_no_effect(alice: Node, target: LocalDevice) -> None:
    alice.invite("admin", DAVE)
    before = alice.album.view.members
    for op in (Remove(target.identity, ()), Drop(target.chain.device, ())):
        entry = log_entry(alice, [op], DAVE)
        alice.album.take(entry)
        assert alice.album.view.void[entry.digest] is SeniorAdminError
    assert alice.album.view.members == before
    assert target.chain.device in alice.album.view.devices
    assert alice.album.authority.safe_epochs()


def test_a_drop_of_an_identity_s_key_removes_nobody(alice: Node) -> None:
    alice.invite("admin", DAVE)
    alice.album.take(log_entry(alice, [Drop(ALICE.identity, ())], DAVE))
    assert ALICE.identity in alice.album.view.members


def test_who_is_removed_by_a_senior_does_not_remove_it_in_turn(alice: Node) -> None:
    """Neither as if it had been at the same time, nor on an old parent."""
    old = [alice.album.graph.entries[1].digest]
    now = sorted(alice.album.graph.heads)
    alice.remove(BOB.identity)
    for parents in (now, old, sorted(alice.album.graph.heads)):
        op = Remove(ALICE.identity, ())
        entry = log_entry(alice, [op], BOB, parents=parents)
        alice.album.take(entry)
        assert entry.digest in alice.album.view.void
    assert set(alice.album.view.members) == {ALICE.identity, CAROL.identity}


def test_a_removed_admin_lets_nobody_in_again(alice: Node) -> None:
    now = sorted(alice.album.graph.heads)
    parent = alice.album.graph.grant_for(BOB.identity)
    alice.remove(BOB.identity)
    for to, role in ((BOB, "admin"), (MALLORY, "viewer")):
        capability = grant(alice, to, role, BOB, parent)  # type: ignore[arg-type]
        op = Member(to.identity, role, capability, (to.chain,))  # type: ignore[arg-type]
        for parents in (now, sorted(alice.album.graph.heads)):
            entry = log_entry(alice, [op], BOB, parents=parents)
            alice.album.take(entry)
            assert alice.album.view.void[entry.digest] is AlbumRemovedError
        assert to.identity not in alice.album.view.members
        successors = alice.album.authority.successors()
        assert to.identity not in [seat.identity for seat in successors]


def test_an_epoch_of_a_removed_admin_is_used_by_nobody(alice: Node) -> None:
    alice.remove(BOB.identity)
    safe = current(alice)
    alice.album.take(log_entry(alice, [epoch(alice)], BOB))
    assert current(alice) == safe


def test_a_device_given_by_a_junior_gets_no_seat(alice: Node) -> None:
    alice.album.take(log_entry(alice, [Device(LAPTOP.chain)], BOB))
    assert LAPTOP.chain.device in alice.album.view.devices
    successors = alice.album.authority.successors()
    assert LAPTOP.chain.device not in [seat.device for seat in successors]
    refused(alice, log_entry(alice, [Tier(SMALL)], LAPTOP), AlbumStrangerError)


def test_the_owner_s_words_put_a_stolen_founding_device_out(alice: Node) -> None:
    root = Person.named("Alice").root
    graph = alice.album.graph
    heads, seq = sorted(graph.heads), 1 + max(entry.seq for entry in graph.entries)
    ops: list[Op] = [Drop(ALICE.chain.device, ()), Device(LAPTOP.chain), epoch(alice)]
    alice.album.take(LogEntry.sign(root, ALICE.identity, graph.album, seq, heads, NOW, ops))
    theft = log_entry(alice, [Drop(LAPTOP.chain.device, ())], ALICE, parents=heads)
    alice.album.take(theft)
    assert theft.digest in alice.album.view.void
    devices = alice.album.view.devices
    assert LAPTOP.chain.device in devices
    assert ALICE.chain.device not in devices
    assert LAPTOP.chain.device in [seat.device for seat in alice.album.authority.successors()]


def test_a_device_that_is_dropped_and_let_in_by_one_entry_has_a_seat(alice: Node) -> None:
    ops: list[Op] = [Device(LAPTOP.chain), Drop(LAPTOP.chain.device, ()), Device(LAPTOP.chain)]
    alice.album.take(log_entry(alice, ops))
    successors = [seat.device for seat in alice.album.authority.successors()]
    assert successors.count(LAPTOP.chain.device) == 1
    entry = log_entry(alice, [Tier(SMALL)], LAPTOP)
    alice.album.take(entry)
    assert entry.digest not in alice.album.view.void
    assert Reader(alice.album.kept()).void == {}


def claimed(owner: Person, local: LocalDevice) -> DeviceChain:
    """A chain by which somebody claims the device of another: it has the device's own statement."""
    identity, _, kem = encoding.decode(local.chain.encoded, 2**16)
    certificate = owner.certificate(local.chain.device).signed.to_value()
    identity = issue_identity(owner.words).to_value()
    return DeviceChain.decode(encoding.encode([identity, [certificate], kem]))


def test_who_claims_another_s_device_gains_nothing_by_it(alice: Node) -> None:
    """Bob, an admin, claims Alice's tablet, which has no seat, and Carol's phone."""
    tablet = device("Alice", "tablet")
    alice.album.take(log_entry(alice, [Device(tablet.chain)], BOB))
    claims = [claimed(Person.named("Bob"), local) for local in (tablet, CAROL)]
    alice.album.take(log_entry(alice, [Device(chain) for chain in claims], BOB))
    entry = log_entry(alice, [Drop(tablet.chain.device, ())], BOB)
    alice.album.take(entry)
    assert alice.album.view.void[entry.digest] is SeniorAdminError
    assert tablet.chain.device in alice.album.view.devices
    alice.settle()
    carol = alice.joining(CAROL)
    assert carol.publish().digest not in carol.album.view.void
    alice.remove(BOB.identity)
    assert CAROL.chain.device in alice.album.view.devices
    carol = alice.joining(CAROL)
    carol.publish()
    alice.remove(CAROL.identity)
    assert CAROL.chain.device not in alice.album.view.devices


# Forks.


def test_two_entries_of_one_device_that_do_not_know_each_other_are_proof(alice: Node) -> None:
    one, other = log_entry(alice, [Tier(SMALL)], BOB), log_entry(alice, [Tier(ORIGINAL)], BOB)
    alice.album.take_all([one, other])
    (fork,) = alice.album.forks
    assert fork.device == BOB.chain.device
    assert {fork.one, fork.other} == {one, other}
    assert alice.album.view.tier == (SMALL if one.digest < other.digest else ORIGINAL)


def test_two_entries_of_a_feed_with_one_number_are_proof_and_both_count(alice: Node) -> None:
    one, other = (feed_entry(alice, photo(alice, CAROL, label)) for label in ("one", "other"))
    alice.album.take_all([one, other])
    (fork,) = alice.album.forks
    assert (fork.device, fork.one, fork.other) == (CAROL.chain.device, one, other)
    assert len(alice.album.view.photos) == 2


def test_entries_by_two_devices_at_once_are_no_fork(alice: Node) -> None:
    alice.album.take_all([log_entry(alice, [Tier(SMALL)], who) for who in (ALICE, BOB)])
    assert alice.album.forks == []


def test_a_removal_without_a_new_key_leaves_none_that_is_safe(alice: Node) -> None:
    alice.album.take(log_entry(alice, [Remove(CAROL.identity, ())]))
    assert alice.album.authority.safe_epochs() == []
    assert alice.admin.due(NOW) == "removal"


def test_a_key_is_due_by_age_and_by_a_clock_that_was_ahead(alice: Node) -> None:
    first = NOW
    assert alice.admin.due(first + limits.ALBUM_EPOCH_SECONDS - 1) is None
    assert alice.admin.due(first + limits.ALBUM_EPOCH_SECONDS) == "age"
    assert alice.admin.due(first - limits.CLOCK_SECONDS) is None
    assert alice.admin.due(first - limits.CLOCK_SECONDS - 1) == "age"


def test_all_refusals_are_one_on_the_wire() -> None:
    assert {wire_code(kind()) for kind in AlbumRefusedError.__subclasses__()} == {54}


@pytest.mark.parametrize("at_once", [False, True])
def test_an_admin_who_is_let_in_and_taken_out_without_end_costs_no_product_of_both(
    alice: Node, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    """One after the other, or all of it on one entry, as who writes in many places can."""
    many, on = 40, sorted(alice.album.graph.heads)
    seat = Member(DAVE.identity, "admin", grant(alice, DAVE, "admin"), (DAVE.chain,))
    out = Remove(DAVE.identity, ())
    for number in range(many):
        parents = on if at_once else None
        entry = log_entry(alice, [out, seat] * 8, parents=parents, time=NOW + number)
        alice.album.take(entry, verified=True)
    looked = 0
    true = Authority._acting  # pyright: ignore[reportPrivateUsage]
    steps: list[int] = []

    def counted(authority: Authority, removals: Removals, of: Seat) -> int:
        nonlocal looked
        looked += 1
        return true(authority, removals, of)

    def reached(authority: Authority, removals: Removals, acting: int, matters: int) -> int:
        steps.append(matters)
        return whole(authority, removals, acting, matters)

    whole = Authority._reached  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(Authority, "_acting", counted)
    monkeypatch.setattr(Authority, "_reached", reached)
    authority = alice.album.authority
    assert len(authority.removals) == 8 * many
    assert len(authority.seats) > 8 * many
    assert looked < 10 * len(authority.seats)
    assert not any(steps)  # Dave wrote nothing, so nothing was gone through for it
    assert (DAVE.identity in authority.members()) == (not at_once)


def test_a_device_with_many_seats_is_not_asked_about_all_that_it_wrote_once_for_each(
    alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who writes both could make others judge for minutes."""
    seat = Member(BOB.identity, "admin", grant(alice, BOB, "admin"), (BOB.chain,))
    for _ in range(10):
        alice.album.take(log_entry(alice, [seat] * 16))
    written = [log_entry(alice, [Tier(SMALL)], BOB)]
    alice.album.take(written[0])
    for _ in range(99):
        written.append(log_entry(alice, [Tier(SMALL)], BOB))
        alice.album.take(written[-1])
    asked = 0
    true = Graph.is_before

    def counted(graph: Graph, one: int, other: int) -> bool:
        nonlocal asked
        asked += 1
        return true(graph, one, other)

    monkeypatch.setattr(Graph, "is_before", counted)
    authority = alice.album.authority
    assert len(authority.seats) > 160
    assert all(authority.counting >> alice.album.graph.numbers[each.digest] & 1 for each in written)
    assert asked < 160 * 100 / 10
