"""Photos for who is away are held by a contact of both, and come once; with a fake clock."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.blob import Manifest
from kinlight.crypto.secret import Secret
from kinlight.node import depositing, deposits
from kinlight.node.collecting import PAGE, Collector
from kinlight.node.contact_errors import BlockedContactError, NoHolderError
from kinlight.node.depositing import AWAY_SECONDS
from kinlight.node.held import HeldStore, Item
from kinlight.node.holding import Hold
from kinlight.node.library import IncomingOffer
from kinlight.protocol import delivery as held_delivery
from kinlight.protocol.errors import HolderFullError
from kinlight.protocol.messages import Mailbox

from .conftest import Picture, Start
from .network import Network
from .nodes import Clock, TestedNode

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Family:
    """Anna shares with Bob, who is often away; Carol holds. All are paired, all take what comes."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode
    clock: Clock

    async def queue(self, path: Path, *, until: int | None = None) -> str:
        """Anna shares a photo while Bob is away, and it is time to leave it with somebody."""
        item = await self.anna.share_one(path, "Bob", until=until, wait=False)
        self.clock.time += AWAY_SECONDS
        self.anna.parts.depositing.tell()
        return item.photo_id or ""

    async def leave(self, path: Path, *, until: int | None = None) -> str:
        """The same, until Carol has it."""
        photo = await self.queue(path, until=until)
        await self.anna.until(lambda: self.anna.delivery_state(photo) == "held")
        return photo

    async def bob_has(self, photo: str) -> None:
        await self.bob.until(lambda: self.bob.inbox_state(photo) == "stored")

    async def carol_holds(self, count: int) -> None:
        """Wait until that is how many items Carol holds."""
        await self.carol.until(lambda: held(self.carol) == count)


def held(holder: TestedNode) -> int:
    """How many items somebody holds, whole or not."""
    count: int = holder.parts.database.value("SELECT count(*) FROM held_items")
    return count


def blobs_held(holder: TestedNode) -> list[Path]:
    return [path for path in holder.home.held.rglob("*") if path.is_file()]


async def hold(holder: TestedNode, owner: TestedNode) -> None:
    """`kinlight hold` at one, `kinlight contacts let-hold` at the other."""
    holder.engine.hold.turn_on([])
    await owner.until(lambda: owner.engine.contact(holder.name).holder == "offered")
    await owner.engine.update_contact(holder.name, holder=True)


async def introduced(*people: TestedNode) -> None:
    """All are paired with all, and take what comes."""
    for number, one in enumerate(people):
        for other in people[:number]:
            if one.connected_to(other):
                continue
            await one.pair_with(other)
            await one.engine.update_contact(other.name, accept="always")
            await other.engine.update_contact(one.name, accept="always")


def knows_mailbox(one: TestedNode, owner: TestedNode) -> bool:
    return one.parts.mailboxes.of(owner.identity) is not None


@pytest.fixture
async def family(network: Network, start: Start, clock: Clock) -> Family:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await introduced(anna, bob, carol)
    await hold(carol, bob)
    for one in (anna, carol):
        await one.until(lambda one=one: knows_mailbox(one, bob))
    return Family(anna, bob, carol, clock)


def _unsaid(_collector: Collector, _offer: IncomingOffer) -> None:
    """Nobody is told."""


async def wake(sleeper: TestedNode, *others: TestedNode) -> None:
    """It starts again, and meets at least those others."""
    await sleeper.start()
    await sleeper.until(lambda: all(sleeper.connected_to(other) for other in others))


async def test_a_photo_is_held_and_comes_while_its_sender_is_away_and_the_sender_hears_of_it(
    family: Family, picture: Picture
) -> None:
    anna, bob, carol = family.anna, family.bob, family.carol
    path = picture(length=600_000)
    await bob.stop()
    photo = await family.leave(path)
    (delivery,) = anna.engine.photo(photo).deliveries
    assert delivery.held_by == ["Carol"]
    assert blobs_held(carol)
    await anna.stop()

    await wake(bob, carol)
    await family.bob_has(photo)
    assert bob.engine.photo(photo).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    await family.carol_holds(0)
    await carol.until(lambda: not blobs_held(carol))
    await bob.stop()

    # Anna and Bob never meet: what she hears is Bob's own word, which Carol kept for her.
    await wake(anna, carol)
    await anna.until(lambda: anna.delivery_state(photo) == "delivered")
    (delivery,) = anna.engine.photo(photo).deliveries
    assert delivery.receipt is not None
    assert delivery.held_by == []


async def test_who_meets_the_sender_first_gets_it_once_and_nobody_holds_it_then(
    family: Family, picture: Picture
) -> None:
    await family.bob.stop()
    photo = await family.leave(picture(length=5_000))
    await family.carol.stop()
    await wake(family.bob, family.anna)
    await family.bob_has(photo)
    await family.anna.until(lambda: family.anna.delivery_state(photo) == "delivered")
    await wake(family.carol, family.anna, family.bob)
    await family.carol_holds(0)
    assert [item.id for item in family.bob.engine.inbox()] == [photo]


async def test_more_photos_than_a_page_are_held_and_come(family: Family, picture: Picture) -> None:
    """And more than may be under way at a time."""
    await family.bob.stop()
    paths = [picture(length=300) for _ in range(PAGE + 6)]
    items = await family.anna.share(*paths, to="Bob", wait=False)
    family.clock.time += AWAY_SECONDS
    family.anna.parts.depositing.tell()
    await family.carol_holds(PAGE + 6)
    photos = {item.photo_id or "" for item in items}
    await family.anna.until(
        lambda: all(family.anna.delivery_state(photo) == "held" for photo in photos)
    )
    await family.anna.stop()
    await wake(family.bob, family.carol)
    await family.bob.until(
        lambda: {item.id for item in family.bob.engine.inbox() if item.state == "stored"} == photos
    )
    await family.carol_holds(0)


async def test_what_is_revoked_or_removed_is_held_no_longer(
    family: Family, picture: Picture
) -> None:
    await family.bob.stop()
    one, other = await family.leave(picture()), await family.leave(picture())
    await family.carol_holds(2)
    await family.anna.parts.remover.remove(bytes.fromhex(one), force=True)
    family.anna.engine.granting.revoke(grant=None, who="Bob", photo=other, device=None)
    await family.carol_holds(0)


async def test_what_is_revoked_while_it_is_being_left_is_held_by_nobody(
    family: Family, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens then that would remind its sender."""
    anna, carol = family.anna, family.carol
    await family.bob.stop()
    comes = asyncio.Event()

    async def slowly(hold: Hold, item: Item, manifests: list[Manifest]) -> None:
        await comes.wait()
        await complete(hold, item, manifests)

    complete = Hold.complete
    monkeypatch.setattr(Hold, "complete", slowly)
    photo = await family.queue(picture())
    await family.carol_holds(1)
    anna.engine.granting.revoke(grant=None, who="Bob", photo=photo, device=None)
    await carol.until(lambda: held(carol) == 0)
    comes.set()
    assert held(carol) == 0


async def test_what_waits_for_a_decision_stays_held_until_it_is_made(
    family: Family, picture: Picture
) -> None:
    bob = family.bob
    await bob.engine.update_contact("Anna", accept="ask")
    await bob.stop()
    photo = await family.leave(picture())
    await family.anna.stop()
    await wake(bob, family.carol)
    await bob.until(lambda: bob.inbox_state(photo) == "waiting")
    assert held(family.carol) == 1
    bob.engine.decide(photo, accept=True)
    await family.bob_has(photo)
    await family.carol_holds(0)


async def test_what_is_declined_is_held_no_longer_and_brings_no_receipt(
    family: Family, picture: Picture
) -> None:
    bob = family.bob
    await bob.engine.update_contact("Anna", accept="ask")
    await bob.stop()
    photo = await family.leave(picture())
    await family.anna.stop()
    await wake(bob, family.carol)
    await bob.until(lambda: bob.inbox_state(photo) == "waiting")
    bob.engine.decide(photo, accept=False)
    await family.carol_holds(0)
    await bob.stop()
    await wake(family.anna, family.carol)
    assert family.anna.delivery_state(photo) != "delivered"


async def test_two_holders_of_one_envelope_bring_it_once(
    family: Family, start: Start, picture: Picture
) -> None:
    dora = await start("Dora")
    await dora.pair_with(family.anna)
    await dora.pair_with(family.bob)
    await hold(dora, family.bob)
    await family.anna.until(
        lambda: any(
            mailbox.identity == family.bob.identity
            for mailbox in family.anna.parts.mailboxes.held_by(dora.identity)
        )
    )
    await dora.until(lambda: knows_mailbox(dora, family.bob))
    await family.bob.stop()
    photo = await family.leave(picture(length=600_000))
    await dora.until(lambda: held(dora) == 1)
    await family.carol_holds(1)
    await family.anna.stop()
    await wake(family.bob, family.carol, dora)
    await family.bob_has(photo)
    await family.carol_holds(0)
    await dora.until(lambda: held(dora) == 0)
    assert [item.id for item in family.bob.engine.inbox()] == [photo]


async def test_what_the_rules_keep_in_the_local_network_is_left_with_nobody(
    family: Family, picture: Picture
) -> None:
    family.anna.engine.rules.put(
        '[[rule]]\nname = "home"\neffect = "allow"\ncontext = { networks = ["lan"] }\n'
    )
    await family.bob.stop()
    photo = await family.queue(picture())
    deposits = family.anna.parts.deposits
    (delivery,) = family.anna.parts.library.deliveries(bytes.fromhex(photo))
    await family.anna.until(
        lambda: deposits.state(delivery.envelope_hash, family.carol.identity) == "refused"
    )
    assert (held(family.carol), family.anna.delivery_state(photo)) == (0, "queued")


async def test_who_is_not_chosen_is_shown_no_mailbox_and_holds_nothing(
    network: Network, start: Start, clock: Clock, picture: Picture
) -> None:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await introduced(anna, bob, carol)
    carol.engine.hold.turn_on([])
    await bob.until(lambda: bob.engine.contact("Carol").holder == "offered")
    await bob.stop()
    family = Family(anna, bob, carol, clock)
    photo = await family.queue(picture())
    assert (knows_mailbox(anna, bob), knows_mailbox(carol, bob)) == (False, False)
    assert (held(carol), anna.delivery_state(photo)) == (0, "queued")


async def test_who_does_not_offer_to_hold_can_not_be_chosen(start: Start) -> None:
    anna, bob = await start("Ada"), await start("Ben")
    await anna.pair_with(bob)
    with pytest.raises(NoHolderError):
        await anna.engine.update_contact("Ben", holder=True)


async def test_who_is_blocked_can_not_be_chosen(family: Family) -> None:
    await family.bob.engine.update_contact("Carol", blocked=True)
    with pytest.raises(BlockedContactError):
        await family.bob.engine.update_contact("Carol", holder=True)


async def test_who_is_chosen_no_longer_gets_nothing_more(family: Family, picture: Picture) -> None:
    await family.bob.engine.update_contact("Carol", holder=False)
    await family.anna.until(lambda: not knows_mailbox(family.anna, family.bob))
    await family.bob.stop()
    photo = await family.queue(picture())
    assert family.anna.delivery_state(photo) == "queued"
    assert held(family.carol) == 0


async def test_what_is_held_too_long_is_dropped_and_waits_at_its_sender_again(
    family: Family, picture: Picture
) -> None:
    await family.bob.stop()
    photo = await family.leave(picture())
    family.clock.time += 31 * DAY
    await family.carol.engine.hold.sweep()
    assert held(family.carol) == 0
    await family.carol.stop()
    await wake(family.bob, family.anna)
    await family.bob_has(photo)


async def test_what_was_held_too_long_is_left_again(family: Family, picture: Picture) -> None:
    await family.bob.stop()
    photo = await family.leave(picture())
    family.clock.time += 31 * DAY
    await family.carol.engine.hold.sweep()
    family.anna.parts.depositing.tell()
    await family.carol_holds(1)
    await family.anna.stop()
    await wake(family.bob, family.carol)
    await family.bob_has(photo)


async def test_a_holder_that_has_no_more_room_for_what_it_dropped_is_not_said_to_hold_it(
    family: Family, picture: Picture
) -> None:
    await family.bob.stop()
    photo = await family.leave(picture())
    family.clock.time += 31 * DAY
    await family.carol.engine.hold.turn_off([], drop=True)
    family.anna.parts.depositing.tell()
    await family.anna.until(lambda: family.anna.delivery_state(photo) == "queued")
    (delivery,) = family.anna.engine.photo(photo).deliveries
    assert delivery.held_by == []


async def test_who_could_not_say_that_it_has_a_photo_says_so_when_it_comes_again(
    family: Family, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await family.bob.stop()
    photo = await family.leave(picture())
    await family.anna.stop()
    with monkeypatch.context() as patch:
        patch.setattr(Collector, "settled", _unsaid)  # as if it was killed just then
        await wake(family.bob, family.carol)
        await family.bob_has(photo)
        await family.bob.stop()
    assert held(family.carol) == 1
    await wake(family.bob, family.carol)
    await family.carol_holds(0)


async def test_twenty_four_hours_offline(family: Family, picture: Picture) -> None:
    """Bob and Anna are never there at the same time."""
    photos: list[str] = []
    await family.bob.stop()
    for _ in range(24):
        photos.append(await family.leave(picture(length=20_000)))
        await family.anna.stop()
        family.clock.time += DAY // 24
        await wake(family.anna, family.carol)
    await family.anna.stop()
    await wake(family.bob, family.carol)
    for photo in photos:
        await family.bob_has(photo)
    await family.carol_holds(0)
    await family.bob.stop()
    await wake(family.anna, family.carol)
    for photo in photos:
        await family.anna.until(
            lambda photo=photo: family.anna.delivery_state(photo) == "delivered"
        )


async def test_nothing_comes_from_a_holder_of_who_was_blocked_meanwhile(
    family: Family, picture: Picture
) -> None:
    anna, bob, carol = family.anna, family.bob, family.carol
    await bob.engine.update_contact("Anna", accept="ask")
    await bob.stop()
    photo = await family.leave(picture())
    await anna.stop()
    await wake(bob, carol)
    await bob.until(lambda: bob.inbox_state(photo) == "waiting")
    await carol.stop()
    bob.engine.decide(photo, accept=True)
    await bob.engine.update_contact("Anna", blocked=True)
    await wake(carol, bob)
    later = await carol.share_one(picture(), "Bob")  # what was accepted before is fetched before
    assert later.state == "delivered"
    assert bob.inbox_state(photo) == "accepted"


async def test_who_is_blocked_holds_nothing_and_knows_no_tag_any_more(family: Family) -> None:
    anna, bob, carol = family.anna, family.bob, family.carol
    before = anna.parts.mailboxes.of(bob.identity)
    assert before is not None
    await bob.engine.update_contact("Carol", blocked=True)
    await anna.until(lambda: not knows_mailbox(anna, bob))
    await bob.engine.update_contact("Carol", blocked=False)
    await anna.until(lambda: knows_mailbox(anna, bob))
    after = anna.parts.mailboxes.of(bob.identity)
    assert after is not None
    assert after.is_held_by(carol.identity)
    assert after.secret != before.secret


async def test_who_has_a_full_mailbox_keeps_nobody_else_s_photos_waiting(
    family: Family, start: Start, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, carol = family.anna, family.carol
    dora = await start("Dora")
    await introduced(anna, carol, dora)
    await hold(carol, dora)
    for one in (anna, carol):
        await one.until(lambda one=one: knows_mailbox(one, dora))
    full, other = sorted((family.bob, dora), key=lambda node: node.identity)  # as they are asked
    check = HeldStore._check  # pyright: ignore[reportPrivateUsage]

    def check_for(store: HeldStore, depositor: bytes, owner: bytes, *more: Any) -> None:
        if owner == full.identity:
            raise HolderFullError
        check(store, depositor, owner, *more)

    monkeypatch.setattr(HeldStore, "_check", check_for)
    monkeypatch.setattr(depositing, "_AT_ONCE", 1)
    await family.bob.stop()
    await dora.stop()
    photos = {
        node.name: [
            (await anna.share_one(picture(), node.name, wait=False)).photo_id or "" for _ in "12"
        ]
        for node in (full, other)
    }
    family.clock.time += AWAY_SECONDS
    anna.parts.depositing.tell()
    for photo in photos[other.name]:
        await anna.until(lambda photo=photo: anna.delivery_state(photo) == "held")
    assert {anna.delivery_state(photo) for photo in photos[full.name]} == {"queued"}


async def test_what_lies_with_a_holder_that_was_dismissed_is_left_with_the_next_one(
    family: Family, start: Start, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another device of Bob says so, say, than the one that the photo is for."""
    monkeypatch.setattr(deposits, "HOLDERS_EACH", 1)
    anna, bob, dora = family.anna, family.bob, await start("Dora")
    await introduced(anna, bob, dora)
    dora.engine.hold.turn_on([])
    await bob.stop()
    photo = await family.leave(picture())
    secret = Secret(bytes(32))
    message = Mailbox(secret.reveal(), held_delivery.marks(secret, [dora.identity]))
    for node in (family.carol, dora, anna):
        node.parts.mailboxes.told(bob.identity, message)
    anna.parts.depositing.told(bob.identity)
    await family.carol_holds(0)
    await anna.until(lambda: anna.engine.photo(photo).deliveries[0].held_by == ["Dora"])
    assert anna.delivery_state(photo) == "held"


async def test_a_holder_that_hears_of_a_mailbox_later_than_its_contacts_is_tried_again(
    family: Family, picture: Picture
) -> None:
    anna, bob, carol = family.anna, family.bob, family.carol
    await bob.stop()
    known = carol.parts.mailboxes.of(bob.identity)
    assert known is not None
    carol.parts.mailboxes.told(bob.identity, Mailbox(b"", b""))
    photo = await family.queue(picture())
    await carol.until(lambda: bool(carol.engine.events.counters.refusals["deposit", "not-holding"]))
    carol.parts.mailboxes.told(bob.identity, Mailbox(known.secret.reveal(), known.holders))
    family.clock.time += int(depositing.LOOK_SECONDS)
    anna.parts.depositing.tell()
    await anna.until(lambda: anna.delivery_state(photo) == "held")


async def test_one_photo_that_can_not_be_read_keeps_no_others_from_being_left(
    family: Family, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = family.anna
    monkeypatch.setattr(depositing, "_AT_ONCE", 1)
    await family.bob.stop()
    items = await anna.share(*[picture() for _ in range(3)], to="Bob", wait=False)
    (first, *others) = [item.photo_id or "" for item in items]
    stored = anna.parts.library.photo(bytes.fromhex(first))
    assert stored is not None
    path = anna.parts.blobs.path(stored.record.content_id)
    path.unlink()
    path.mkdir()  # as on a disk that fails
    family.clock.time += AWAY_SECONDS
    anna.parts.depositing.tell()
    for photo in others:
        await anna.until(lambda photo=photo: anna.delivery_state(photo) == "held")
    assert anna.delivery_state(first) == "queued"
