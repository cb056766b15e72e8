"""The store of what is held: sums, limits, positions, what is removed and what is left of it."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from kinlight.crypto.blob import CONTENT_ID_BYTES, sealed_length
from kinlight.crypto.errors import MalformedError
from kinlight.crypto.secret import Secret
from kinlight.node import held
from kinlight.node.blobstore import IncomingBlob
from kinlight.node.database import Database
from kinlight.node.errors import DiskFullError
from kinlight.node.held import HeldStore, Item, Removed, Total
from kinlight.node.holding_terms import Terms
from kinlight.node.library import Library
from kinlight.protocol import limits
from kinlight.protocol.delivery import HeldBlob
from kinlight.protocol.errors import BusyError, GoneError, HolderFullError, TooMuchError
from kinlight.protocol.transfer import Bitmap, Download

from .holders import Sealed
from .nodes import NOW
from .people import chain_of

ANNA, BOB, CAROL = (chain_of(name).identity for name in ("Anna", "Bob", "Carol"))
LATER = NOW + 86_400
ENVELOPE = b"envelope"
ROOMY = Terms(everybody=True)


class Kept:
    """A store in a library that knows Anna, Bob and Carol."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path / "library.db", Secret(bytes(32)))
        self.folder = path / "held"
        library = Library(self.database)
        for name in ("Anna", "Bob", "Carol"):
            library.add_contact(chain_of(name), name, Secret(secrets.token_bytes(32)), NOW)
        self.store = self.again()

    def again(self) -> HeldStore:
        """As after a start."""
        return HeldStore(self.database, self.folder, Secret(bytes(32)))

    def add(
        self,
        *blobs: HeldBlob,
        depositor: bytes = ANNA,
        owner: bytes = BOB,
        envelope: bytes = b"",
        expires: int = LATER,
        terms: Terms = ROOMY,
        now: int = NOW,
    ) -> Item:
        sealed = envelope or secrets.token_bytes(100)
        with self.database.transaction():
            return self.store.add(
                depositor, owner, sealed, blobs, expires=expires, terms=terms, now=now
            )

    def bring(self, *blobs: Sealed, depositor: bytes = ANNA) -> None:
        for each in blobs:
            self.store.store(depositor).keep(each.content_id, each.ciphertext)

    def complete(self, item: Item, *blobs: Sealed) -> Item:
        with self.database.transaction():
            return self.store.complete(item, [each.manifest for each in blobs])

    def hold(self, *blobs: Sealed, depositor: bytes = ANNA, owner: bytes = BOB) -> Item:
        item = self.add(*(each.told for each in blobs), depositor=depositor, owner=owner)
        self.bring(*blobs, depositor=depositor)
        return self.complete(item, *blobs)

    def done(self, identity: bytes, item: Item, receipt: bytes = b"") -> Removed:
        with self.database.transaction():
            return self.store.done(identity, item.envelope_hash, receipt, NOW)

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def take_out(self, removed: Removed) -> None:
        for path in self.store.take_out(removed.blobs, idle):
            path.unlink()


def idle(_depositor: bytes, _content_id: bytes) -> bool:
    """Nothing is being fetched."""
    return False


@pytest.fixture
def kept(tmp_path: Path) -> Generator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.database.close()


def a_blob(length: int = 1000) -> HeldBlob:
    return HeldBlob(secrets.token_bytes(32), sealed_length(length), secrets.token_bytes(32))


# What counts.


def test_a_blob_counts_once_however_many_items_name_it(kept: Kept) -> None:
    blob = a_blob()
    first, second = kept.add(blob), kept.add(blob)
    assert kept.store.total_of(ANNA, "depositor") == Total(2, 200 + blob.length)
    assert kept.store.total_of(BOB, "owner") == Total(2, 200 + blob.length)
    kept.done(ANNA, first)
    assert kept.store.total_of(ANNA, "depositor") == Total(1, 100 + blob.length)
    kept.done(ANNA, second)
    assert kept.store.total() == Total(0, 0)
    assert kept.store.total_of(BOB, "owner") == Total(0, 0)


def test_a_blob_of_two_depositors_counts_for_both(kept: Kept) -> None:
    blob = a_blob()
    kept.add(blob)
    kept.add(blob, depositor=CAROL)
    assert kept.store.total() == Total(2, 200 + 2 * blob.length)
    assert kept.store.total_of(BOB, "owner") == Total(2, 200 + 2 * blob.length)


def test_a_blob_has_one_length_whatever_is_said_of_it_later(kept: Kept) -> None:
    blob = a_blob(1000)
    kept.add(blob)
    with pytest.raises(MalformedError):
        kept.add(HeldBlob(blob.content_id, sealed_length(10**9), blob.token_hash))
    kept.add(HeldBlob(blob.content_id, sealed_length(10**9), blob.token_hash), depositor=CAROL)


def test_a_deposit_that_names_a_blob_twice_or_has_no_envelope_is_none(kept: Kept) -> None:
    blob = a_blob()
    with pytest.raises(MalformedError):
        kept.add(blob, blob)
    with pytest.raises(MalformedError), kept.database.transaction():
        kept.store.add(ANNA, BOB, b"", (), expires=LATER, terms=ROOMY, now=NOW)
    assert kept.store.total() == Total(0, 0)


# How much fits.


def test_all_of_the_quota_can_be_held_and_not_one_byte_more(kept: Kept) -> None:
    terms = Terms(everybody=True, quota=400, per_contact=300)
    kept.add(terms=terms, envelope=bytes(200))
    kept.add(terms=terms, envelope=bytes(199), depositor=CAROL, owner=ANNA)
    with pytest.raises(HolderFullError):
        kept.add(terms=terms, envelope=bytes(2), depositor=BOB, owner=CAROL)
    kept.add(terms=terms, envelope=bytes(1), depositor=BOB, owner=CAROL)
    assert kept.store.total().bytes == terms.quota


@pytest.mark.parametrize("role", ["depositor", "owner"])
def test_nobody_has_more_held_than_there_is_for_one_contact(kept: Kept, role: str) -> None:
    terms = Terms(everybody=True, quota=10_000, per_contact=300)
    depositor, owner = (ANNA, CAROL) if role == "depositor" else (CAROL, BOB)
    kept.add(terms=terms, envelope=bytes(200))
    with pytest.raises(HolderFullError):
        kept.add(terms=terms, envelope=bytes(101), depositor=depositor, owner=owner)
    kept.add(terms=terms, envelope=bytes(100), depositor=depositor, owner=owner)


def test_a_second_device_of_an_owner_needs_room_for_its_envelope_alone(kept: Kept) -> None:
    blob = a_blob(1000)
    terms = Terms(everybody=True, quota=blob.length + 300, per_contact=blob.length + 300)
    kept.add(blob, terms=terms)
    kept.add(blob, terms=terms)
    with pytest.raises(HolderFullError):
        kept.add(a_blob(1000), terms=terms)
    with pytest.raises(HolderFullError):
        kept.add(blob, terms=terms, depositor=CAROL)


def test_what_is_larger_than_there_is_for_one_contact_never_fits(kept: Kept) -> None:
    terms = Terms(everybody=True, quota=1000, per_contact=300)
    with pytest.raises(TooMuchError):
        kept.add(terms=terms, envelope=bytes(301))
    kept.add(terms=terms, envelope=bytes(300))


@pytest.mark.parametrize(("name", "error"), [
    ("HELD_ITEMS", HolderFullError), ("HELD_PER_CONTACT", HolderFullError),
    ("HELD_PARTIAL", BusyError),
])  # fmt: skip
def test_no_more_envelopes_are_held_than_the_limits_say(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(limits, name, 3)
    items = [kept.add() for _ in range(3)]
    with pytest.raises(error):
        kept.add()
    kept.done(ANNA, items[0])
    kept.add()


def test_what_would_leave_too_little_on_the_disk_is_not_taken_in(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "RESERVE_BYTES", 2**62)
    with pytest.raises(DiskFullError):
        kept.add(a_blob())
    assert kept.store.total() == Total(0, 0)


# Whole, and in which order.


def test_what_is_not_whole_is_not_shown_and_not_served(kept: Kept) -> None:
    blobs = Sealed.of(b"one"), Sealed.of(b"two")
    item = kept.add(*(each.told for each in blobs))
    kept.bring(*blobs)
    with pytest.raises(BusyError):
        kept.complete(item, blobs[0])
    assert kept.store.items_for(BOB, 0, 10) == []
    with pytest.raises(GoneError):
        kept.store.blob_for(BOB, blobs[0].content_id, blobs[0].token)
    assert kept.complete(item, *blobs).position == 1
    assert kept.store.blob_for(BOB, blobs[0].content_id, blobs[0].token)[0] == ANNA


def test_what_comes_whole_later_has_the_higher_position(kept: Kept) -> None:
    """Else who collected what is behind it would never see it."""
    slow, quick = kept.add(), kept.add()
    assert kept.complete(quick).position == 1
    assert kept.complete(slow).position == 2
    assert kept.complete(slow).position == 2


def test_positions_are_counted_for_each_owner_and_not_given_again(kept: Kept) -> None:
    first = kept.complete(kept.add())
    kept.complete(kept.add(owner=CAROL))
    assert kept.complete(kept.add()).position == 2, "Carol's is no business of Bob's"
    kept.done(BOB, first)
    assert kept.complete(kept.add()).position == 3
    assert kept.store.last(BOB) == 3


def test_an_item_that_was_removed_does_not_come_whole(kept: Kept) -> None:
    item = kept.add()
    kept.done(ANNA, item)
    with pytest.raises(GoneError):
        kept.complete(item)
    again = kept.add(a_blob(), envelope=b"again")
    kept.done(ANNA, again)
    kept.add(envelope=b"again")
    with pytest.raises(GoneError):
        kept.complete(again)


# Who has what.


def test_a_blob_is_for_its_owner_with_its_token_and_for_nobody_else(kept: Kept) -> None:
    sealed, other = Sealed.of(b"photo"), Sealed.of(b"other")
    kept.hold(sealed, other)
    kept.hold(Sealed.of(b"Carol's"), owner=CAROL)
    depositor, manifest = kept.store.blob_for(BOB, sealed.content_id, sealed.token)
    with kept.store.open(depositor, manifest.content_id) as file:
        assert file.read() == sealed.ciphertext
    for who, content_id, token in (
        (CAROL, sealed.content_id, sealed.token),
        (ANNA, sealed.content_id, sealed.token),
        (BOB, sealed.content_id, other.token),
        (BOB, sealed.content_id, bytes(32)),
        (BOB, sealed.content_id, b""),
        (BOB, bytes(CONTENT_ID_BYTES), sealed.token),
    ):
        with pytest.raises(GoneError):
            kept.store.blob_for(who, content_id, token)


def test_only_its_owner_and_its_depositor_remove_an_item(kept: Kept) -> None:
    item = kept.hold(Sealed.of(b"photo"))
    assert kept.done(CAROL, item) == Removed(0, frozenset())
    assert kept.store.find(ANNA, item.envelope_hash) is not None
    assert kept.done(BOB, item).items == 1
    assert kept.store.find(ANNA, item.envelope_hash) is None


def test_what_two_left_goes_for_its_owner_at_once_and_for_who_withdraws_alone(kept: Kept) -> None:
    for _ in range(2):
        mine = kept.add(envelope=ENVELOPE)
        kept.add(envelope=ENVELOPE, depositor=CAROL)
        assert kept.done(ANNA, mine).items == 1
        assert kept.done(BOB, mine).items == 1
        assert kept.store.total() == Total(0, 0)


# Files.


def test_a_file_goes_with_the_last_item_that_names_it(kept: Kept) -> None:
    sealed = Sealed.of(b"photo")
    first, second = kept.hold(sealed), kept.hold(sealed)
    kept.take_out(kept.done(BOB, first))
    assert [path.name for path in kept.files()] == [sealed.content_id.hex()]
    kept.take_out(kept.done(BOB, second))
    assert kept.files() == []
    assert not kept.store.is_here(ANNA, sealed.content_id)


def test_a_blob_that_one_left_is_not_here_for_another(kept: Kept) -> None:
    sealed = Sealed.of(b"photo")
    kept.hold(sealed)
    item = kept.add(sealed.told, depositor=CAROL)
    assert kept.store.missing(item) == [sealed.told]
    kept.bring(sealed, depositor=CAROL)
    kept.complete(item, sealed)
    assert len(kept.files()) == 2
    kept.take_out(kept.done(CAROL, item))
    assert len(kept.files()) == 1


def test_a_file_that_another_item_wants_again_stays(kept: Kept) -> None:
    sealed = Sealed.of(b"photo")
    removed = kept.done(BOB, kept.hold(sealed))
    kept.add(sealed.told)
    kept.take_out(removed)
    assert kept.files() != []


def test_a_start_removes_what_no_row_names_and_nothing_else(kept: Kept) -> None:
    kept.hold(Sealed.of(b"photo"))
    kept.hold(Sealed.of(b"Carol's"), depositor=CAROL)
    coming = Sealed.of(bytes(600_000))
    kept.add(coming.told)
    place = kept.store.place(ANNA, coming.told)
    assert isinstance(place, IncomingBlob)
    with place.writing(coming.manifest, Bitmap(coming.manifest.pieces)):
        place.write_piece(1, coming.piece(1))
    (folder,) = [path for path in kept.folder.iterdir() if list(path.glob("incoming/*"))]
    left = [
        folder / "ab" / ("ab" * 32),
        folder / "incoming" / f"{bytes(16).hex()}-{'cd' * 32}.part",
    ]
    stranger = kept.folder / "of nobody" / "ab"
    for path in (*left, stranger / ("ab" * 32)):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"left over")
    before = len(kept.files())
    assert kept.again().sweep()() == 3
    assert len(kept.files()) == before - 3
    assert not stranger.parent.exists()
    assert kept.again().sweep()() == 0
    download = Download(coming.content_id, coming.manifest.length)
    place.resume(download)
    assert download.have.missing(9) == [(0, 1), (2, 1)]


# Time.


def test_what_is_over_is_removed_at_that_second(kept: Kept) -> None:
    item = kept.hold()
    for now, gone in ((LATER - 1, 0), (LATER, 1)):
        with kept.database.transaction():
            assert kept.store.remove_over(now).items == gone
    assert kept.store.find(ANNA, item.envelope_hash) is None


def test_what_does_not_come_whole_in_two_days_is_removed(kept: Kept) -> None:
    kept.complete(kept.add(expires=NOW + 90 * 86_400))
    kept.add(expires=NOW + 90 * 86_400)
    for now, gone in ((NOW + held.PARTIAL_SECONDS - 1, 0), (NOW + held.PARTIAL_SECONDS, 1)):
        with kept.database.transaction():
            assert kept.store.remove_over(now).items == gone
    assert kept.store.total().items == 1


# At any size.


class Planned:
    """A database that notes how each statement finds its rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.plans: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        def noted(sql: str, *values: object) -> object:
            steps = self._database.rows(f"EXPLAIN QUERY PLAN {sql}", *values)
            self.plans += [(sql, row[3]) for row in steps]
            return getattr(self._database, name)(sql, *values)

        return noted


def test_no_statement_about_one_item_goes_through_all_of_somebody_s(kept: Kept) -> None:
    """With 50,000 items that took seconds for each, with three of them nobody notices."""
    sealed = Sealed.of(b"photo")
    planned = Planned(kept.database)
    kept.store = HeldStore(planned, kept.folder, Secret(bytes(32)))  # type: ignore[arg-type]
    item = kept.hold(sealed)
    kept.store.blob_for(BOB, sealed.content_id, sealed.token)
    kept.store.items_for(BOB, 0, 10)
    kept.store.has_more(BOB, 0)
    kept.store.depositors_of(BOB, item.envelope_hash)
    kept.store.oldest_for(BOB)
    kept.done(BOB, item, b"receipt")
    kept.store.receipts_for(ANNA, b"", 10)
    assert len(planned.plans) > 20
    through_all = [
        (sql, step)
        for sql, step in planned.plans
        if re.search(r"SCAN held_(items|blobs|manifests|receipts)", step)
        or (
            re.search(r"MULTI-INDEX OR|held_items .*\((owner|depositor)=\?\)$", step)
            and "position" not in sql
        )
    ]
    assert through_all == []


# Receipts.


def test_a_receipt_waits_for_who_left_the_item(kept: Kept) -> None:
    item = kept.hold()
    kept.done(BOB, item, b"receipt")
    assert kept.store.receipts_for(ANNA, b"", 10) == [(item.envelope_hash, b"receipt")]
    kept.done(CAROL, item)
    kept.done(BOB, item, b"another")
    assert kept.store.receipts_for(ANNA, b"", 10) == [(item.envelope_hash, b"receipt")]
    kept.done(ANNA, item)
    assert kept.store.receipts_for(ANNA, b"", 10) == []


def test_nobody_leaves_a_receipt_for_what_is_not_his(kept: Kept) -> None:
    item = kept.hold()
    kept.done(ANNA, item, b"of the depositor")
    kept.done(BOB, item, b"of what is gone")
    kept.done(CAROL, kept.hold(), b"of somebody else")
    assert kept.store.receipts_for(ANNA, b"", 10) == []


def test_receipts_are_few_and_the_oldest_go_first(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELD_RECEIPTS", 2)
    items = [kept.hold() for _ in range(3)]
    for number, item in enumerate(items):
        with kept.database.transaction():
            kept.store.done(BOB, item.envelope_hash, b"receipt", NOW + number)
    found = {envelope_hash for envelope_hash, _ in kept.store.receipts_for(ANNA, b"", 10)}
    assert found == {item.envelope_hash for item in items[1:]}
    assert kept.store.remove_old_receipts(NOW + 1 + limits.HELD_SECONDS) == 1


# Whatever happens in whatever order, the sums are those of the rows.


class Sums(RuleBasedStateMachine):
    """Adds and removes at random; a blob may be named by many."""

    def __init__(self) -> None:
        super().__init__()
        self.path = tempfile.TemporaryDirectory()
        self.kept = Kept(Path(self.path.name))
        self.blobs = [a_blob(length) for length in (0, 1000, 100_000)]

    people = st.sampled_from([ANNA, BOB, CAROL])

    @rule(depositor=people, owner=people, named=st.sets(st.integers(0, 2)), whole=st.booleans())
    def add(self, depositor: bytes, owner: bytes, named: set[int], whole: bool) -> None:
        item = self.kept.add(
            *(self.blobs[index] for index in named), depositor=depositor, owner=owner
        )
        if whole and not named:
            self.kept.complete(item)

    @rule(who=people, choice=st.integers(0, 1000))
    def done(self, who: bytes, choice: int) -> None:
        rows = self.kept.database.rows("SELECT envelope_hash FROM held_items")
        if rows:
            chosen: bytes = rows[choice % len(rows)][0]
            with self.kept.database.transaction():
                self.kept.store.done(who, chosen, b"", NOW)

    @rule(who=people, from_it=st.booleans())
    def forget(self, who: bytes, from_it: bool) -> None:
        with self.kept.database.transaction():
            self.kept.store.remove_of(who, from_it=from_it)

    @invariant()
    def sums_are_those_of_the_rows(self) -> None:
        for who in (ANNA, BOB, CAROL):
            for role in ("depositor", "owner"):
                items, envelopes = self.kept.database.rows(
                    f"SELECT count(*), coalesce(sum(length(envelope)), 0) FROM held_items"
                    f" WHERE {role} = ?",
                    who,
                )[0]
                blobs = self.kept.database.value(
                    "SELECT coalesce(sum(length), 0) FROM (SELECT DISTINCT depositor, content_id,"
                    f" length FROM held_blobs WHERE {role} = ?)",
                    who,
                )
                assert self.kept.store.total_of(who, role) == Total(items, envelopes + blobs)

    def teardown(self) -> None:
        self.kept.database.close()
        self.path.cleanup()


TestSums = Sums.TestCase
TestSums.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
