"""Who passes on what he may not, or more than he may, on whole nodes: nothing comes of it."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.signing import SigningKey
from kinlight.node import lineage
from kinlight.node.fetching import under_grant
from kinlight.node.gathering import Gathering
from kinlight.node.library import Delivery
from kinlight.node.originals import untold
from kinlight.node.outbox import FINAL_STATES
from kinlight.node.sync import Sync
from kinlight.protocol.attributes import encode_shown
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.caveats import Caveats
from kinlight.protocol.errors import RevokedDeviceError
from kinlight.protocol.messages import Papers
from kinlight.protocol.photo import KINDS, Envelope
from kinlight.protocol.rendition import ORIGINAL
from kinlight.protocol.revocation import RevocationList, device_hash
from kinlight.protocol.transfer import Download

from .conftest import Picture, Start
from .nodes import NOW, Clock, TestedNode
from .people import device_of, seed
from .photographs import photograph
from .three import (
    DAY,
    PASS_ON,
    Three,
    delegated,
    ended,
    given,
    given_for,
    grant_of,
    granted,
    imported,
    knows_list_of,
    revoke,
)

VIEW = frozenset(["view"])


def identity(node: TestedNode) -> Audience:
    return Audience("identity", node.identity)


def link(
    node: TestedNode, parent: Capability | None, to: Audience, photo: str, **more: object
) -> Capability:
    """A link by a node that asks nobody whether it may."""
    wanted: dict[str, object] = {"operations": VIEW, "photos": frozenset([bytes.fromhex(photo)])}
    caveats = Caveats(**(wanted | more))  # type: ignore[arg-type]
    return Capability.grant(
        node.parts.device.signing, node.identity, to, caveats, secrets.token_bytes(16), parent
    )


def came(node: TestedNode, photo: str) -> Capability:
    """The grant under which a photo came."""
    offers = node.parts.library.offers_of(bytes.fromhex(photo))
    return Capability.decode(offers[0].capability)


def conversation(node: TestedNode, other: TestedNode) -> Sync:
    (found,) = node.parts.peers.conversations(other.identity)
    assert isinstance(found, Sync)
    return found


async def asked(
    asking: TestedNode, serving: TestedNode, photo: str, capability: Capability, author: TestedNode
) -> str | None:
    """Why a photo is not served under a chain, whatever the asker's own node thinks of it."""
    stored = author.parts.library.photo(bytes.fromhex(photo))
    assert stored is not None
    record = stored.record
    incoming = asking.parts.blobs.incoming(stored.photo_id, record.content_id)
    incoming.discard()
    download = Download(record.content_id, record.ciphertext_length)
    fetcher = conversation(asking, serving)._fetcher  # pyright: ignore[reportPrivateUsage]
    try:
        ask = under_grant(stored.photo_id, capability.encoded)
        await fetcher.fetch(ask, Gathering(download, incoming, untold))
    except KinlightError as error:
        return error.code
    return None


async def handed(
    giving: TestedNode,
    to: TestedNode,
    photo: str,
    capability: Capability,
    certificates: tuple[DeviceCertificate, ...],
) -> tuple[str, str | None]:
    """What becomes of an envelope made by hand: state and code of its delivery."""
    library, outbox, chain = giving.parts.library, giving.parts.outbox, to.parts.device.chain
    stored = library.photo(bytes.fromhex(photo))
    assert stored is not None
    blobs = [library.blob(stored.record.blob_id(kind)) for kind in KINDS]
    envelope = Envelope.seal(
        giving.parts.device, chain.device, chain.kem, stored.record, capability,
        {blob.kind: blob.key for blob in blobs if blob is not None}, certificates,
    )  # fmt: skip
    digest = hashlib.sha256(envelope).digest()
    # Without the hash of a grant it is sent as it is, as nodes of before do.
    delivery = Delivery(
        digest, stored.photo_id, to.identity, chain.device, envelope, None, "queued", None, NOW, NOW
    )
    library.add_deliveries([delivery])
    outbox._tell(chain.device)  # pyright: ignore[reportPrivateUsage]

    def settled() -> bool:
        found = library.delivery(digest)
        return found is not None and found.state in FINAL_STATES

    await giving.until(settled)
    found = library.delivery(digest)
    assert found is not None
    return found.state, found.code


def claim(root: SigningKey, device: bytes) -> DeviceCertificate:
    """What somebody says of a device, without asking it."""
    return DeviceCertificate.issue(
        root, root.public, device, not_before=0, seq=1, may_certify=False
    )


def papers(*nodes: TestedNode) -> tuple[DeviceCertificate, ...]:
    return tuple(paper for node in nodes for paper in node.parts.device.chain.certificates)


# Wider than what one has


async def test_a_later_end_has_no_effect(three: Three, picture: Picture, clock: Clock) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture(), until=NOW + DAY)
    chain = link(bob, came(bob, photo), identity(carol), photo, before=NOW + 9 * DAY)
    assert chain.expires == NOW + DAY
    assert await handed(bob, carol, photo, chain, papers(anna, bob)) == ("delivered", None)
    clock.time = NOW + DAY
    assert ended(carol, photo) == "grant-expired"
    assert await asked(carol, bob, photo, chain, anna) == "grant-expired"


async def test_more_photos_and_more_pixels_have_no_effect(three: Three, tmp_path: Path) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    beach = photograph(tmp_path / "from" / "beach.jpg", size=(600, 400))
    whole = (await granted(anna, await imported(anna, beach), "Bob", operations=["view"])).photo_id
    copy = (await granted(anna, whole or "", "Bob", metadata=None, max_px=300)).photo_id
    assert whole
    assert copy
    both = frozenset([bytes.fromhex(whole), bytes.fromhex(copy)])
    chain = link(bob, came(bob, copy), identity(carol), copy, photos=both, rendition=ORIGINAL)
    assert await asked(carol, bob, whole, chain, anna) == "grant-other-photo"
    assert await asked(carol, bob, copy, chain, anna) is None
    assert chain.rendition == came(bob, copy).rendition
    state, code = await handed(bob, carol, whole, chain, papers(anna, bob))
    assert (state, code) == ("refused", "grant-other-photo")


# Without leave


async def test_without_leave_nothing_is_passed_on(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await anna.pair_with(carol)
    item = await anna.share_one(picture(), "Bob")
    photo = item.photo_id or ""
    chain = link(bob, came(bob, photo), identity(carol), photo)
    assert await handed(bob, carol, photo, chain, papers(anna, bob)) == (
        "refused", "grant-passed-on",
    )  # fmt: skip
    assert carol.engine.inbox() == []
    assert await asked(carol, anna, photo, chain, anna) == "grant-passed-on"
    assert await asked(carol, bob, photo, chain, anna) == "grant-passed-on"


async def test_who_got_it_passed_on_hands_it_to_nobody(
    three: Three, start: Start, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    dora = await start("Dora")
    for node in (bob, carol):
        await node.pair_with(dora)
        await dora.engine.update_contact(node.name, accept="always")
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    chain = link(carol, came(carol, photo), identity(dora), photo)
    assert await handed(carol, dora, photo, chain, papers(anna, bob, carol)) == (
        "refused", "grant-passed-on",
    )  # fmt: skip
    assert await asked(dora, bob, photo, chain, anna) == "grant-broken"
    assert await asked(dora, carol, photo, chain, anna) == "grant-passed-on"


async def test_a_link_to_oneself_uses_up_the_depth(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture())
    own = link(bob, came(bob, photo), identity(bob), photo, operations=frozenset(PASS_ON))
    chain = link(bob, own, identity(carol), photo)
    assert await handed(bob, carol, photo, chain, papers(anna, bob)) == (
        "refused", "grant-passed-on",
    )  # fmt: skip


@pytest.mark.parametrize("there", [True, False])
async def test_nobody_is_given_a_photo_of_his_own(
    three: Three, picture: Picture, there: bool
) -> None:
    """Neither one that is here, nor one that she removed."""
    anna, bob = three.anna, three.bob
    photo = await given(three, picture())
    chain = link(bob, came(bob, photo), identity(anna), photo)
    if not there:
        await anna.engine.remove(photo, force=True)
    assert await handed(bob, anna, photo, chain, papers(anna, bob)) == ("refused", "declined")
    assert anna.engine.inbox() == []
    assert len(anna.engine.collection.search()) == int(there)


# Shown to others


async def test_the_author_serves_it_too_if_all_of_it_holds(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await anna.pair_with(carol)
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    chain = came(carol, photo)
    assert await asked(carol, anna, photo, chain, anna) is None
    anna.engine.rules.put(
        '[[rule]]\nname = "family"\neffect = "allow"\nattributes = { role = ["family"] }\n'
    )
    assert await asked(carol, anna, photo, chain, anna) == "policy-denied"
    anna.engine.rules.put("")
    revoke(bob, who="Carol", photo=photo)
    await anna.until(lambda: knows_list_of(anna, bob))
    assert await asked(carol, anna, photo, chain, anna) == "grant-revoked"


async def test_the_author_serves_nothing_in_the_name_of_who_is_unknown_to_her(
    three: Three, start: Start, picture: Picture
) -> None:
    """What shows who Carol is came to Dora with the photo, and not to Anna."""
    anna, carol = three.anna, three.carol
    dora = await start("Dora")
    for node in (anna, carol):
        await node.pair_with(dora)
    await dora.engine.update_contact("Carol", accept="always")
    photo = await given_for(three, picture(), max_depth=2)
    await delegated(three.bob, photo, "Carol", operations=PASS_ON)
    await delegated(carol, photo, "Dora")
    assert dora.inbox_state(photo) == "stored"
    assert await asked(dora, anna, photo, came(dora, photo), anna) == "grant-broken"


async def test_another_gets_nothing_for_it_on_a_channel_of_his_own(
    three: Three, start: Start, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    eve = await start("Eve")
    for node in (anna, bob):
        await node.pair_with(eve)
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    for node in (anna, bob):
        code = await asked(eve, node, photo, came(carol, photo), anna)
        assert code == "grant-for-another"
    # The link that Bob has himself, longer by one of her own making, is none either.
    longer = link(eve, came(bob, photo), identity(eve), photo)
    assert await asked(eve, bob, photo, longer, anna) == "grant-broken"
    assert await asked(eve, anna, photo, longer, anna) == "grant-passed-on"


async def test_who_has_a_grant_by_the_author_does_not_learn_who_else_has_the_photo(
    three: Three, start: Start, picture: Picture
) -> None:
    """Though Bob passes it on to others."""
    anna, bob = three.anna, three.bob
    dora = await start("Dora")
    for node in (anna, bob):
        await node.pair_with(dora)
    photo = await given(three, picture())
    other = await imported(anna, picture())
    await delegated(bob, photo, "Carol")
    answers = {
        await asked(dora, bob, each, link(anna, None, identity(dora), each), anna)
        for each in (photo, other)
    }
    assert answers == {"grant-broken"}


# What ended above it


async def test_a_new_link_under_an_ended_or_revoked_one_opens_nothing(
    three: Three, picture: Picture, clock: Clock
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo, other = await given(three, picture(), until=NOW + DAY), await given(three, picture())
    above, revoked = came(bob, photo), came(bob, other)
    revoke(anna, grant_of(anna, other).hash)
    await bob.until(lambda: knows_list_of(bob, anna))
    chain = link(bob, revoked, identity(carol), other)
    assert await asked(carol, bob, other, chain, anna) == "grant-revoked"
    clock.time = NOW + DAY
    chain = link(bob, above, identity(carol), photo, before=NOW + 2 * DAY)
    assert await asked(carol, bob, photo, chain, anna) == "grant-expired"
    assert await handed(bob, carol, photo, chain, papers(anna, bob)) == ("refused", "grant-expired")


async def test_what_a_lost_device_passed_on_counts_no_more(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await anna.pair_with(carol)
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    chain = came(carol, photo)
    # Bob says so with another of his devices.
    tablet = SigningKey(seed("tablet of Bob"))
    paper = claim(SigningKey(bob.words.root_seed()), tablet.public)
    hashes = [device_hash(bob.parts.device.signing.public)]
    found = RevocationList.sign(tablet, bob.identity, 1, NOW, hashes)
    for node in (anna, carol):
        node.parts.papers.take_list(found, {paper.device: paper.identity}, certifier=True)
    assert ended(carol, photo) is None
    with pytest.raises(RevokedDeviceError):
        carol.parts.judge.allow_us(chain, bytes.fromhex(photo))
    assert await asked(carol, anna, photo, chain, anna) == "device-revoked"


# Papers that are not what they say


async def test_without_the_papers_of_all_who_signed_it_nothing_is_taken(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture())
    chain = link(bob, came(bob, photo), identity(carol), photo)
    mallory = device_of("Mallory")
    words = SigningKey(RecoveryWords(seed("Mallory")).root_seed())
    false = [claim(words, node.parts.device.signing.public) for node in (anna, bob)]
    wrong: list[tuple[tuple[DeviceCertificate, ...], str]] = [
        ((), "bad-certificate"),
        (papers(bob), "bad-certificate"),
        (papers(anna), "grant-broken"),
        ((*papers(bob), false[0]), "bad-certificate"),
        ((*papers(anna), false[1]), "grant-broken"),
        ((*papers(anna, bob), false[0]), "bad-certificate"),
        ((*mallory.chain.certificates, *papers(bob)), "bad-certificate"),
    ]
    for certificates, code in wrong:
        assert await handed(bob, carol, photo, chain, certificates) == ("refused", code)
    assert carol.engine.inbox() == []
    more = (*papers(anna, bob), *mallory.chain.certificates)
    assert await handed(bob, carol, photo, chain, more) == ("delivered", None)


async def test_a_false_paper_with_one_photo_does_no_harm_to_another(
    three: Three, picture: Picture
) -> None:
    """Carol sends Bob a photo of her own, and with it that Anna's and Bob's devices are hers."""
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture())
    root = SigningKey(carol.words.root_seed())
    false = [claim(root, node.parts.device.signing.public) for node in (anna, bob)]
    own = await imported(carol, picture())
    grant = link(carol, None, identity(bob), own)
    assert (await handed(carol, bob, own, grant, (*papers(carol), *false)))[0] == "delivered"
    assert (await delegated(bob, photo, "Carol")).state == "delivered"
    assert await asked(carol, bob, photo, came(carol, photo), anna) is None


async def test_what_came_before_certificates_were_kept_is_passed_on_by_those_of_the_contact(
    three: Three, picture: Picture
) -> None:
    bob, photo = three.bob, await given(three, picture())
    bob.parts.database.write("UPDATE offers SET certificates = x''")
    assert (await delegated(bob, photo, "Carol")).state == "delivered"
    assert came(three.carol, photo).links[0].issuer == three.anna.identity


async def test_what_nothing_shows_the_author_of_is_not_passed_on(
    three: Three, picture: Picture
) -> None:
    bob, photo = three.bob, await given(three, picture())
    bob.parts.database.write("UPDATE offers SET certificates = x''")
    bob.parts.database.write("DELETE FROM devices WHERE identity = ?", three.anna.identity)
    item = await delegated(bob, photo, "Carol")
    assert (item.state, item.code) == ("failed", "not-for-passing-on")


async def test_it_is_served_by_the_papers_that_came_with_it_alone(
    three: Three, picture: Picture
) -> None:
    """Anna may have gone out of the contacts since."""
    bob, photo = three.bob, await given(three, picture())
    await three.anna.stop()
    await bob.until(lambda: not bob.connected_to(three.anna))
    bob.parts.database.write("DELETE FROM contacts WHERE identity = ?", three.anna.identity)
    bob.parts.database.write("DELETE FROM devices WHERE identity = ?", three.anna.identity)
    assert (await delegated(bob, photo, "Carol")).state == "delivered"
    assert grant_of(bob, photo).author == three.anna.identity.hex()


# Lists of revocations that come by others


def tell(node: TestedNode, sender: TestedNode, found: RevocationList) -> bool:
    contact = node.parts.library.contact_of(sender.identity)
    assert contact is not None
    message = Papers(encode_shown([]), found.signed.encode())
    return node.parts.correspondence.taken(sender.parts.device.chain, contact, message)


async def test_a_list_counts_only_from_who_brought_something_of_its_issuer(
    three: Three, start: Start, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    eve = await start("Eve")
    await carol.pair_with(eve)
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    above = bytes.fromhex(grant_of(anna, photo).hash)
    key = anna.parts.device.signing
    true = RevocationList.sign(key, anna.identity, 1, NOW, [above])
    assert not tell(carol, eve, true)
    forged = RevocationList.sign(bob.parts.device.signing, anna.identity, 2, NOW, [above])
    assert not tell(carol, bob, forged)
    of_carol = RevocationList.sign(carol.parts.device.signing, carol.identity, 9, NOW, [above])
    assert not tell(carol, bob, of_carol)
    assert ended(carol, photo) is None
    assert tell(carol, bob, true)
    assert ended(carol, photo) == "grant-revoked"
    older = RevocationList.sign(key, anna.identity, 1, NOW - 1, [])
    tell(carol, bob, older)
    assert ended(carol, photo) == "grant-revoked"


async def test_lists_of_strangers_are_kept_up_to_a_number(
    three: Three, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    key = anna.parts.device.signing
    monkeypatch.setattr(lineage, "LISTS_OF_STRANGERS", 0)
    assert not tell(carol, bob, RevocationList.sign(key, anna.identity, 1, NOW, []))
    monkeypatch.setattr(lineage, "LISTS_OF_STRANGERS", 1)
    assert tell(carol, bob, RevocationList.sign(key, anna.identity, 1, NOW, []))
    # One that is kept is renewed however many there are.
    monkeypatch.setattr(lineage, "LISTS_OF_STRANGERS", 0)
    assert tell(carol, bob, RevocationList.sign(key, anna.identity, 2, NOW, []))
    # And those of contacts are not counted.
    assert tell(carol, bob, RevocationList.sign(bob.parts.device.signing, bob.identity, 1, NOW, []))


async def test_both_lists_of_a_fork_are_passed_on(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    photo = await given(three, picture())
    await delegated(bob, photo, "Carol")
    key, above = anna.parts.device.signing, bytes.fromhex(grant_of(anna, photo).hash)
    tell(bob, anna, RevocationList.sign(key, anna.identity, 1, NOW, [bytes(32)]))
    tell(bob, anna, RevocationList.sign(key, anna.identity, 1, NOW, [above]))
    conversation(bob, carol).show_papers()
    await carol.until(lambda: carol.parts.papers.forks == [anna.identity])
    assert ended(carol, photo) == "grant-revoked"


# Contacts that are none any more


async def test_who_is_blocked_gets_nothing_of_what_was_passed_on(
    three: Three, picture: Picture
) -> None:
    bob, carol = three.bob, three.carol
    photo = await given(three, picture())
    await carol.engine.update_contact("Bob", accept="ask")
    assert (await delegated(bob, photo, "Carol")).state == "waiting"
    await bob.engine.update_contact("Carol", blocked=True)
    await carol.until(lambda: not carol.connected_to(bob))
    carol.engine.decide(photo, accept=True)
    assert carol.inbox_state(photo) == "accepted"
    assert carol.parts.library.photo(bytes.fromhex(photo)) is None
