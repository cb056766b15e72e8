"""Two keys where one should be: nothing goes there until a person has verified it again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node import keys
from kinlight.node.contact_errors import KeyInDoubtError, OtherFingerprintError
from kinlight.node.doubts import SIGHTS_KEPT
from kinlight.node.printing_contacts import lines
from kinlight.node.views import Event
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.head_messages import HeadShown
from kinlight.protocol.heads import Fork, Head

from .conftest import Picture, Start
from .network import Network
from .nodes import NOW, PASSPHRASE, TestedNode
from .test_held_delivery import introduced


class Circle:
    """Anna, Bob and Carol, who all know each other."""

    def __init__(self, anna: TestedNode, bob: TestedNode, carol: TestedNode) -> None:
        self.anna, self.bob, self.carol = anna, bob, carol

    def twin(self, *devices: bytes) -> HeadShown:
        """What a copy of Anna's device says at the same time: it never met the original."""
        device = self.anna.parts.device
        head = Head.sign(
            device.signing, device.identity, None, time=NOW, devices=devices, revoked=b""
        )
        certificates = Certificates(device.chain.certificates).encode()
        return HeadShown(head.encode(), certificates)


@pytest.fixture
async def circle(network: Network, start: Start) -> Circle:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await introduced(anna, bob, carol)
    for node in (bob, carol):
        await node.until(lambda node=node: has_head(node, anna))
    return Circle(anna, bob, carol)


def has_head(node: TestedNode, of: TestedNode) -> bool:
    return bool(
        node.parts.database.value("SELECT count(*) FROM heads WHERE identity = ?", of.identity)
    )


def doubt(node: TestedNode, name: str = "Anna") -> str | None:
    return node.engine.contact(name).doubt


async def relinked(one: TestedNode, other: TestedNode) -> None:
    """The two are connected anew, and tell each other what they know."""
    await one.parts.peers.drop(other.identity)
    await one.until(lambda: not one.connected_to(other))
    await one.engine.reach(other.name, other.address)
    await one.until(lambda: one.connected_to(other))


async def test_a_copied_device_is_found_by_two_who_compare_and_nothing_goes_there_any_more(
    circle: Circle, picture: Picture
) -> None:
    """The copy told Carol something else than the original told Bob."""
    anna, bob, carol = circle.anna, circle.bob, circle.carol
    carol.parts.database.write("DELETE FROM heads WHERE identity = ?", anna.identity)
    carol.parts.heads.take(circle.twin(anna.parts.device.signing.public, b"c" * 32))
    assert doubt(bob) is None
    assert doubt(carol) is None
    await relinked(bob, carol)
    await bob.until(lambda: doubt(bob) == "fork")
    await carol.until(lambda: doubt(carol) == "fork")
    shown = bob.engine.contact("Anna")
    assert shown.doubt_since == NOW
    assert shown.doubt_seen == anna.parts.device.signing.public.hex()
    assert not shown.verified

    # Whoever sees the proof can check it, and it is the same at both.
    first, second, certificates = map(bytes.fromhex, shown.doubt_proof)
    devices = Certificates.decode(certificates).devices
    Fork(Head.decode(first), Head.decode(second)).verify(devices)
    assert shown.doubt_proof == carol.engine.contact("Anna").doubt_proof

    with pytest.raises(KeyInDoubtError):
        await bob.share_one(picture(), "Anna")
    await bob.until(lambda: not bob.connected_to(anna))
    await carol.share_one(picture(), "Bob")  # with others all goes on


async def test_one_action_verifies_it_again_and_the_same_proof_raises_no_second_doubt(
    circle: Circle, picture: Picture
) -> None:
    anna, bob = circle.anna, circle.bob
    bob.parts.heads.take(circle.twin(b"c" * 32))
    assert doubt(bob) == "fork"
    await bob.engine.update_contact("Anna", verified=True)
    assert doubt(bob) is None
    await bob.engine.reach("Anna", anna.address)
    await bob.until(lambda: bob.connected_to(anna))
    await anna.engine.update_contact("Bob", accept="always")
    item = await bob.share_one(picture(), "Anna")
    assert item.state == "delivered"
    bob.parts.heads.take(circle.twin(b"c" * 32))
    assert doubt(bob) is None


async def test_what_waits_for_a_contact_in_doubt_goes_once_it_is_verified(
    circle: Circle, picture: Picture
) -> None:
    anna, bob = circle.anna, circle.bob
    await anna.engine.update_contact("Bob", accept="always")
    twin = circle.twin(b"c" * 32)
    await bob.parts.peers.drop(anna.identity)
    await anna.stop()
    item = await bob.share_one(picture(), "Anna", wait=False)
    bob.parts.heads.take(twin)
    await anna.start()
    photo = item.photo_id or ""
    assert bob.delivery_state(photo) == "queued"
    assert not bob.connected_to(anna)
    await bob.engine.update_contact("Anna", verified=True)
    await bob.engine.reach("Anna", anna.address)
    await bob.until(lambda: bob.delivery_state(photo) == "delivered")


async def test_a_doubt_lasts_over_a_start_anew(circle: Circle) -> None:
    circle.bob.parts.heads.take(circle.twin(b"c" * 32))
    await circle.bob.restart()
    assert doubt(circle.bob) == "fork"


async def test_somebody_with_the_secret_and_another_key_is_told_with_their_key(
    circle: Circle, start: Start
) -> None:
    """Eve has what Anna and Bob share, and her own papers: a disk that was read, say."""
    anna, bob = circle.anna, circle.bob
    eve = await start("Eve")
    secret = bob.parts.library.contact("Anna").pair_secret
    eve.parts.library.restore_contact(bob.identity, "Bob", secret, verified=False, now=NOW)
    await bob.parts.peers.drop(anna.identity)
    with pytest.raises(Exception):  # noqa: B017, PT011 - what she sees is no matter
        await eve.engine.reach("Bob", bob.address)
    await bob.until(lambda: doubt(bob) == "secret")
    assert bob.engine.contact("Anna").doubt_seen == eve.engine.identity().fingerprint
    told = "\n".join(line for line, _ in lines(bob.engine.contact("Anna")))
    for part in (
        "another key",
        "since 2027-01-15",
        "a new phone",
        "24 recovery words",
        "in between",
    ):
        assert part in told
    assert "kinlight contacts verify Anna" in told


async def test_a_stranger_without_the_secret_raises_no_doubt(circle: Circle, start: Start) -> None:
    eve, bob = await start("Eve"), circle.bob
    eve.parts.library.restore_contact(
        bob.identity, "Bob", Secret(bytes(32)), verified=False, now=NOW
    )
    with pytest.raises(Exception):  # noqa: B017, PT011
        await eve.engine.reach("Bob", bob.address)
    assert doubt(bob) is None


async def test_somebody_new_of_the_same_name_stops_what_goes_to_who_had_it(
    circle: Circle, start: Start, picture: Picture
) -> None:
    """A new phone set up from nothing, or somebody who says so: a person has to tell which."""
    bob = circle.bob
    again = await start("Anna anew")
    async with bob.pairing() as (code, steps):
        device = dataclasses.replace(again.parts.device, name="Anna")
        again.parts.peers._device = device  # pyright: ignore[reportPrivateUsage]
        await again.engine.join_pairing(code.code, bob.address, None)
        await anext(steps)
    assert doubt(bob, "Anna") == "name"
    assert doubt(bob, "Anna 2") is None
    seen = bob.engine.contact("Anna").doubt_seen
    assert seen == again.engine.identity().fingerprint
    with pytest.raises(KeyInDoubtError):
        await bob.share_one(picture(), "Anna")
    # What they read out decides: their old key ends the doubt, the new one does not.
    with pytest.raises(OtherFingerprintError) as told:
        await bob.engine.update_contact("Anna", fingerprint_seen=seen)
    assert "block the old one" in str(told.value)
    with pytest.raises(OtherFingerprintError):
        await bob.engine.update_contact(
            "Anna", fingerprint_seen=circle.carol.engine.identity().fingerprint
        )
    assert doubt(bob, "Anna") == "name"
    await bob.engine.update_contact(
        "Anna", fingerprint_seen=circle.anna.engine.identity().fingerprint.lower()
    )
    assert doubt(bob, "Anna") is None
    assert bob.engine.contact("Anna").verified


async def test_heads_of_somebody_unknown_are_not_kept_and_forged_ones_refused(
    circle: Circle, start: Start
) -> None:
    eve = await start("Eve")
    shown = eve.parts.heads.own()
    circle.bob.parts.heads.take(shown)
    assert not has_head(circle.bob, eve)
    true = circle.anna.parts.heads.own()
    with pytest.raises(Exception, match="no device of its identity"):
        circle.bob.parts.heads.take(HeadShown(true.head, shown.certificates))


async def test_a_head_of_this_device_that_a_copy_made_is_told_and_never_continued(
    circle: Circle,
) -> None:
    anna = circle.anna
    before = anna.parts.heads.own()
    with anna.engine.events.listen() as news:
        anna.parts.heads.take(circle.twin(b"c" * 32))
        event: Event = await news.get()
        while event.name != "key-in-doubt":
            event = await news.get()
    assert event.data == {"contact": "", "kind": "fork"}
    assert anna.parts.heads.own() == before


async def test_a_device_that_was_taken_back_can_put_nobody_in_doubt(circle: Circle) -> None:
    bob, device = circle.bob, circle.anna.parts.device.signing.public
    heads = bob.parts.heads

    def lost(_: bytes, signer: bytes) -> bool:
        return signer == device

    heads._lost = lost  # pyright: ignore[reportPrivateUsage]
    bob.parts.heads.take(circle.twin(b"c" * 32))
    assert doubt(bob) is None


async def test_nor_can_a_device_that_it_certified_and_nobody_ever_heard_of(circle: Circle) -> None:
    """A thief makes devices as they like, and lets somebody else show their heads."""
    bob, anna = circle.bob, circle.anna.parts.device
    child = SigningKey(Secret(b"c" * 32))
    certificate = DeviceCertificate.issue(
        anna.signing, anna.identity, child.public, not_before=NOW, seq=NOW, may_certify=False
    )
    certificates = Certificates((*anna.chain.certificates, certificate)).encode()

    def lost(_: bytes, signer: bytes) -> bool:
        return signer == anna.signing.public

    bob.parts.heads._lost = lost  # pyright: ignore[reportPrivateUsage]
    for devices in ((child.public,), (b"d" * 32,)):
        head = Head.sign(child, anna.identity, None, time=NOW, devices=devices, revoked=b"")
        bob.parts.heads.take(HeadShown(head.encode(), certificates))
    assert doubt(bob) is None


async def test_who_calls_with_one_key_after_another_fills_no_disk(circle: Circle) -> None:
    bob, identity = circle.bob, circle.anna.identity
    for number in range(2 * SIGHTS_KEPT):
        bob.parts.doubts.saw(identity, "secret", number.to_bytes(32))
    assert doubt(bob) == "secret"
    assert bob.parts.database.value("SELECT count(*) FROM doubts") == SIGHTS_KEPT
    bob.parts.heads.take(circle.twin(b"c" * 32))
    assert doubt(bob) == "fork"  # a proof is kept all the same


async def test_a_further_device_from_the_words_puts_nobody_in_doubt(
    circle: Circle, tmp_path: Path
) -> None:
    """It has a chain of its own, under the same identity."""
    further = TestedNode(tmp_path / "further", "Anna", circle.anna.environment, circle.anna.words)
    device = keys.unlock(further.home, PASSPHRASE).device
    head = Head.sign(
        device.signing,
        device.identity,
        None,
        time=NOW,
        devices=[device.signing.public],
        revoked=b"",
    )
    shown = HeadShown(head.encode(), Certificates(device.chain.certificates).encode())
    circle.bob.parts.heads.take(shown)
    assert doubt(circle.bob) is None
    kept = "SELECT count(DISTINCT signer) FROM heads WHERE identity = ?"
    assert circle.bob.parts.database.value(kept, circle.anna.identity) == 2
