"""What waits for papers, what a lost device gets no more, and copies of copies, on whole nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import sync
from kinlight.node.contact_errors import NoDeviceError
from kinlight.node.fetching import under_grant
from kinlight.node.forms import ORIGINAL, Form
from kinlight.node.gathering import Gathering
from kinlight.node.grants import Terms
from kinlight.node.link import POST_BYTES
from kinlight.node.originals import untold
from kinlight.node.sync import Sync
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.errors import PolicyDeniedError
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import PhotoRecord
from kinlight.protocol.rendition import ORIGINAL as WHOLE
from kinlight.protocol.revocation import RevocationList, device_hash
from kinlight.protocol.transfer import Download

from .conftest import Picture, Start, Two
from .nodes import NOW, Clock, TestedNode
from .photographs import photograph
from .test_grants import fetched, granted, imported
from .test_revoking import DAY, apart, back, lists_of, revoke
from .test_rules import DIARY, EVERYTHING


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


def conversation(node: TestedNode, other: TestedNode) -> Sync:
    (found,) = node.parts.peers.conversations(other.identity)
    assert isinstance(found, Sync)
    return found


# Copies of copies


async def put_copy_of_a_copy(node: TestedNode, photo: str, copy: str) -> bytes:
    """As versions of this node made them that granted a copy as a photo of its own."""
    copies, library = node.parts.copies, node.parts.library
    source = library.photo(bytes.fromhex(copy))
    assert source is not None
    made = (await copies.under(Form("clean", 100), source, untold)).photo.photo_id
    assert made not in (bytes.fromhex(photo), bytes.fromhex(copy))
    return made


async def test_a_grant_of_a_copy_is_one_of_its_source_in_no_more_than_its_form(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    beach = photograph(tmp_path / "from" / "b.jpg", size=(480, 320), position=(52.5, 13.4))
    photo = await imported(anna, beach)
    one = await granted(anna, photo, "Bob", max_px=200)
    two = await granted(anna, one.photo_id or "", "Bob", max_px=100)
    same = await granted(anna, one.photo_id or "", "Bob", metadata="original")
    assert (same.photo_id, same.grant, same.max_px) == (one.photo_id, one.grant, 200)
    assert len({photo, one.photo_id, two.photo_id}) == 3
    assert {grant.of for grant in anna.engine.granting.grants(None, None)} == {photo}


async def test_the_rules_of_a_source_are_those_of_the_copies_of_its_copies(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    page = photograph(tmp_path / "from" / "page.jpg", size=(480, 320))
    async for _ in anna.engine.collection.import_photos([page], album="Diary", albums=False):
        pass
    photo = await imported(anna, page)
    one = await granted(anna, photo, "Bob", max_px=200)
    two = await put_copy_of_a_copy(anna, photo, one.photo_id or "")
    device = anna.parts.device
    caveats = Terms(Form("clean", 100).rendition).caveats(two)
    audience = Audience("identity", joined.bob.identity)
    grant = Capability.grant(device.signing, device.identity, audience, caveats, bytes(16))
    anna.engine.rules.put(EVERYTHING + DIARY)
    with pytest.raises(PolicyDeniedError):
        await fetched(joined, two, grant)
    refused = await granted(anna, one.photo_id or "", "Bob", max_px=50)
    assert (refused.state, refused.code) == ("failed", "policy-denied")


async def test_the_copies_of_its_copies_go_with_a_photo(joined: Two, tmp_path: Path) -> None:
    anna = joined.anna
    photo = await imported(anna, photograph(tmp_path / "from" / "a.jpg", size=(480, 320)))
    one = await granted(anna, photo, "Bob", max_px=200)
    two = await put_copy_of_a_copy(anna, photo, one.photo_id or "")
    await anna.engine.remove(photo, force=False)
    assert anna.parts.library.photo(two) is None
    assert anna.blob_files() == []


def test_of_two_forms_the_stricter_counts() -> None:
    assert ORIGINAL.within(Form("no-location")) == Form("no-location")
    assert Form("clean").within(Form("no-location")) == Form("clean")
    assert Form("no-location").within(Form("clean", 100)) == Form("clean", 100)
    assert Form("clean", 300).within(Form("clean", 100)) == Form("clean", 100)


# Papers that are too old


async def known_to_revoke(two: Two, picture: Picture) -> None:
    """Bob has a list of Anna's."""
    first = await two.anna.share_one(picture(), "Bob")
    revoke(two.anna, first.grant)
    await two.bob.until(lambda: lists_of(two.bob, two.anna))


async def test_an_accepted_photo_waits_for_the_papers_that_it_needs(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    anna, bob = joined.anna, joined.bob
    await known_to_revoke(joined, picture)
    await bob.engine.update_contact("Anna", accept="ask")
    item = await anna.share_one(picture(), "Bob")
    photo = item.photo_id or ""
    await apart(joined)
    clock.time += 8 * DAY
    await bob.start()
    bob.engine.decide(photo, accept=True)
    await bob.until(lambda: bob.inbox_state(photo) == "stored")
    await anna.until(lambda: anna.delivery_state(photo) == "delivered")


async def test_a_photo_offered_while_our_papers_are_old_comes_with_the_next(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    anna, bob = joined.anna, joined.bob
    await known_to_revoke(joined, picture)
    clock.time += 8 * DAY
    item = await anna.share_one(picture(), "Bob", wait=False)
    photo = item.photo_id or ""
    await bob.until(lambda: [each.code for each in bob.engine.inbox()][-1] == "revocations-stale")
    assert bob.inbox_state(photo) == "accepted"
    await anna.until(lambda: anna.engine.photo(photo).deliveries[0].code == "revocations-stale")
    assert anna.delivery_state(photo) == "offered"
    conversation(anna, bob).show_papers()
    await bob.until(lambda: bob.inbox_state(photo) == "stored")
    await anna.until(lambda: anna.delivery_state(photo) == "delivered")


async def test_papers_are_renewed_and_shown_while_a_link_is_up(
    joined: Two, picture: Picture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    await known_to_revoke(joined, picture)
    await apart(joined)
    monkeypatch.setattr(sync, "PAPERS_SECONDS", 0.01)
    await back(joined)
    clock.time += 8 * DAY
    known = bob.parts.papers
    await bob.until(lambda: not known.revocations.stale(anna.identity, clock()))
    item = await anna.share_one(picture(), "Bob")
    assert item.state == "delivered"


async def test_papers_that_were_shown_are_not_shown_again(joined: Two) -> None:
    joined.anna.engine.granting.attest("Bob", "role=family", None)
    link = conversation(joined.anna, joined.bob)._link  # pyright: ignore[reportPrivateUsage]
    posted: list[object] = []
    link.post = posted.append  # type: ignore[method-assign]
    conversation(joined.anna, joined.bob).show_papers()
    assert posted == []
    joined.anna.engine.granting.attest("Bob", "role=friend", None)
    assert len(posted) == 1


async def test_who_reads_nothing_does_not_keep_a_revocation_from_being_told(
    joined: Two, picture: Picture
) -> None:
    item = await joined.anna.share_one(picture(), "Bob")
    link = conversation(joined.anna, joined.bob)._link  # pyright: ignore[reportPrivateUsage]
    link._queued = POST_BYTES  # pyright: ignore[reportPrivateUsage]
    revoke(joined.anna, item.grant)
    await joined.anna.until(link.ended.is_set)


# Lost devices


def lose(device: LocalDevice, at: TestedNode) -> None:
    """`at` knows that the one device of a contact was revoked, which itself did not say so."""
    key = device.signing
    found = RevocationList.sign(key, device.identity, 1, NOW, [device_hash(key.public)])
    at.parts.papers.take_list(found, {key.public: device.identity}, certifier=True)


async def test_nothing_is_sealed_for_a_lost_device(joined: Two, picture: Picture) -> None:
    anna, path = joined.anna, picture()
    assert (await anna.share_one(path, "Bob")).state == "delivered"
    lose(joined.bob.parts.device, anna)
    for again in (picture(), path):
        item = await anna.share_one(again, "Bob", wait=False)
        assert (item.state, item.code) == ("failed", NoDeviceError.code)


async def test_nothing_is_offered_or_told_to_a_lost_device(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    device = bob.parts.device
    lose(device, anna)  # and the link stays, as if the device were revoked at this very moment
    anna.engine.granting.attest("Bob", "role=family", None)
    assert list(anna.parts.correspondence.for_device(device.chain)) == []
    assert bob.engine.inbox() == []
    assert bob.engine.granting.attributes(None) == []


# Photos of others


async def test_nobody_learns_from_us_whether_we_have_a_photo_of_somebody_else(
    start: Start, picture: Picture
) -> None:
    anna, bob, mal = await start("Anna"), await start("Bob"), await start("Mal")
    for one, other in ((anna, bob), (anna, mal), (bob, mal)):
        await one.pair_with(other)
    await bob.engine.update_contact("Anna", accept="always")
    shared = await anna.share_one(picture(), "Bob")
    kept = await anna.share_one(picture(), "Mal", wait=False)
    assert shared.state == "delivered"
    device, audience = anna.parts.device, Audience("identity", mal.identity)
    answers: list[str] = []
    for item in (shared, kept):
        photo = bytes.fromhex(item.photo_id or "")
        grant = Capability.grant(
            device.signing, device.identity, audience, Terms(WHOLE).caveats(photo), bytes(16)
        )
        answers.append(
            await asked(mal, conversation(mal, bob), record_of(anna, photo), photo, grant)
        )
    assert answers == ["grant-broken", "grant-broken"]


def record_of(node: TestedNode, photo: bytes) -> PhotoRecord:
    found = node.parts.library.photo(photo)
    assert found is not None
    return found.record


async def asked(
    asking: TestedNode, way: Sync, record: PhotoRecord, photo: bytes, grant: Capability
) -> str:
    """What the node at the other end says to a fetch."""
    download = Download(record.content_id, record.ciphertext_length)
    fetcher = way._fetcher  # pyright: ignore[reportPrivateUsage]
    try:
        incoming = asking.parts.blobs.incoming(photo, record.content_id)
        await fetcher.fetch(
            under_grant(photo, grant.encoded), Gathering(download, incoming, untold)
        )
    except KinlightError as error:
        return error.code
    return "served"
