"""What a grant demands, on whole nodes: the form that goes is the only one that goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.crypto.blob import Kind
from kinlight.node.decoder import Decoder
from kinlight.node.errors import BadRequestError
from kinlight.node.facts import Facts
from kinlight.node.fetching import under_grant
from kinlight.node.forms import Form
from kinlight.node.gathering import Gathering
from kinlight.node.grants import Terms
from kinlight.node.originals import untold
from kinlight.node.sync import Sync
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.errors import (
    DeniedError,
    ExpiredGrantError,
    OtherRenditionError,
    UnmadeRenditionError,
)
from kinlight.protocol.rendition import ORIGINAL, Rendition
from kinlight.protocol.transfer import Download

from .conftest import Start, Two
from .nodes import NOW, Clock, TestedNode
from .photographs import photograph

CLUB = Rendition(2048, location_removed=True)


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    """A large photo with a place."""
    return photograph(
        tmp_path / "from" / "beach.jpg", size=(2600, 1950), camera=("Kin", "One"),
        position=(52.5, 13.4),
    )  # fmt: skip


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


async def granted(node: TestedNode, photo: str, to: str, **more: object) -> ShareItem:
    steps = node.engine.grant([photo], [to], **more)  # type: ignore[arg-type]
    return [step async for step in steps if isinstance(step, ShareItem)][-1]


async def imported(node: TestedNode, path: Path) -> str:
    async for _ in node.engine.collection.import_photos([path], album=None, albums=True):
        pass
    (item,) = node.engine.collection.search()
    return item.id


def content(path: Path | str) -> bytes:
    return Path(path).read_bytes()


async def seen(path: str) -> Facts:
    async with Decoder() as looking:
        return await looking.inspect(Path(path))


def keys_on(node: TestedNode) -> set[bytes]:
    """Every file key that a node has, of what is here and of what was offered."""
    library = node.parts.library
    stored = [library.blob(content_id) for content_id in library.blob_ids()]
    keys = {blob.key.reveal() for blob in stored if blob is not None}
    for offer in library.offers():
        keys |= {offer.content_key.reveal(), offer.metadata_key.reveal()}
    return keys


async def test_the_family_gets_the_original_and_the_club_a_smaller_copy_and_no_key_of_more(
    start: Start, beach: Path, tmp_path: Path
) -> None:
    anna, family, club = await start("Anna"), await start("Family"), await start("Club")
    for node in (family, club):
        await anna.pair_with(node)
        await node.engine.update_contact("Anna", accept="always")
    photo = await imported(anna, beach)
    whole = await granted(anna, photo, "Family", metadata="original")
    small = await granted(anna, photo, "Club", max_px=2048)
    assert (whole.state, small.state) == ("delivered", "delivered")

    there = await family.engine.export(whole.photo_id or "", tmp_path / "family", keep_both=False)
    assert content(there.path) == content(beach)
    copy = await club.engine.export(small.photo_id or "", tmp_path / "club", keep_both=False)
    facts = await seen(copy.path)
    assert (facts.upright, facts.location, facts.camera) == ((2048, 1536), False, None)
    assert club.engine.photo(small.photo_id or "").policy == "clean"

    library = anna.parts.library
    original = library.photo(bytes.fromhex(photo))
    assert original is not None
    secret = [
        library.blob(original.record.blob_id(kind)) for kind in (Kind.ORIGINAL, Kind.METADATA)
    ]
    forbidden = {blob.key.reveal() for blob in secret if blob is not None}
    assert len(forbidden) == 2
    assert keys_on(family) >= forbidden
    assert not keys_on(club) & forbidden
    database = [
        row
        for (table,) in club.parts.database.rows(
            "SELECT name FROM sqlite_master WHERE type='table'"
        )
        for row in club.parts.database.rows(f"SELECT * FROM {table}")
    ]
    cells = [cell for row in database for cell in row if isinstance(cell, bytes)]
    assert len(cells) > 20
    assert not [cell for cell in cells if any(key in cell for key in forbidden)]
    assert original.record.content_id not in {bytes(cell) for cell in cells}


async def test_what_goes_out_says_what_was_demanded(joined: Two, beach: Path) -> None:
    anna = joined.anna
    photo = await imported(anna, beach)
    for more in ({"metadata": "original"}, {"metadata": "no-location"}, {"max_px": 100}):
        await granted(anna, photo, "Bob", **more)
    found = anna.engine.granting.grants("Bob", photo)
    forms = {(grant.max_px, grant.location) for grant in found}
    assert forms == {(None, "kept"), (None, "removed"), (100, "removed")}
    assert {grant.of for grant in found} == {photo}
    assert len({grant.photo for grant in found}) == 3
    assert {grant.state for grant in found} == {"delivered"}
    demanded = {
        Capability.decode(offer.capability).rendition for offer in joined.bob.parts.library.offers()
    }
    copies = {Rendition(location_removed=True), Rendition(100, location_removed=True)}
    assert demanded == {ORIGINAL, *copies}


async def test_a_copy_is_made_once_for_each_size(joined: Two, beach: Path) -> None:
    photo = await imported(joined.anna, beach)
    first = await granted(joined.anna, photo, "Bob", max_px=300)
    again = await granted(joined.anna, photo, "Bob", max_px=300)
    other = await granted(joined.anna, photo, "Bob", max_px=200)
    assert (again.photo_id, again.grant) == (first.photo_id, first.grant)
    assert other.photo_id != first.photo_id
    assert [item.id for item in joined.anna.engine.collection.search()] == [photo]


async def test_a_smaller_picture_keeps_its_size(joined: Two, tmp_path: Path) -> None:
    photo = await imported(joined.anna, photograph(tmp_path / "s" / "small.jpg", size=(48, 32)))
    item = await granted(joined.anna, photo, "Bob", max_px=2048)
    there = await joined.bob.engine.export(item.photo_id or "", tmp_path / "b", keep_both=False)
    assert (await seen(there.path)).upright == (48, 32)
    assert "full size" not in item.left_out


@pytest.mark.parametrize(
    "more",
    [
        {"max_px": 0}, {"max_px": 65_536}, {"max_px": 10, "metadata": "original"},
        {"operations": ["reshare"]}, {"operations": ["view", "contribute"]}, {"until": NOW},
    ],
)  # fmt: skip
async def test_what_can_not_be_granted_is_not_understood(
    joined: Two, beach: Path, more: dict[str, object]
) -> None:
    photo = await imported(joined.anna, beach)
    with pytest.raises(BadRequestError):
        await granted(joined.anna, photo, "Bob", **more)


async def test_all_photos_of_an_album_are_granted(joined: Two, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        photograph(tmp_path / "Summer" / name, size=(48, 32), camera=(name, name))
    photograph(tmp_path / "Other" / "c.jpg", size=(48, 32))
    importing = joined.anna.engine.collection.import_photos([tmp_path], album=None, albums=True)
    async for _ in importing:
        pass
    items = {
        step.name: step.state
        async for step in joined.anna.engine.grant([], ["Bob"], album="Summer")
        if isinstance(step, ShareItem)
    }
    assert items == {"a.jpg": "delivered", "b.jpg": "delivered"}


async def test_a_photo_of_somebody_else_is_not_granted(joined: Two, beach: Path) -> None:
    (item,) = await joined.anna.share(beach, to="Bob")
    refused = await granted(joined.bob, item.photo_id or "", "Anna")
    assert (refused.state, refused.code) == ("failed", "not-ours")


# Serving


async def fetched(joined: Two, photo: bytes, capability: Capability) -> None:
    """Bob asks Anna for a photo's original by a grant, whatever his own node thinks of it."""
    anna = joined.anna.parts
    record = anna.library.photo(photo)
    assert record is not None
    (conversation,) = joined.bob.parts.peers.conversations(joined.anna.identity)
    download = Download(record.record.content_id, record.record.ciphertext_length)
    assert isinstance(conversation, Sync)
    fetcher = conversation._fetcher  # pyright: ignore[reportPrivateUsage]
    incoming = joined.bob.parts.blobs.incoming(photo, record.record.content_id)
    await fetcher.fetch(
        under_grant(photo, capability.encoded), Gathering(download, incoming, untold)
    )


def grant_of(
    joined: Two, photo: bytes, rendition: Rendition, until: int | None = None
) -> Capability:
    device = joined.anna.parts.device
    audience = Audience("identity", joined.bob.identity)
    caveats = Terms(rendition, until).caveats(photo)
    return Capability.grant(device.signing, device.identity, audience, caveats, bytes(16))


@pytest.mark.parametrize(
    ("demand", "error"),
    [
        (Rendition(2048), OtherRenditionError),
        (Rendition(location_removed=True), OtherRenditionError),
        (Rendition(faces_hidden=True), UnmadeRenditionError),
        (Rendition(watermarked=True), OtherRenditionError),
    ],
)
async def test_an_original_is_never_served_under_a_grant_that_demands_less(
    joined: Two, beach: Path, demand: Rendition, error: type[DeniedError]
) -> None:
    photo = bytes.fromhex(await imported(joined.anna, beach))
    with pytest.raises(error):
        await fetched(joined, photo, grant_of(joined, photo, demand))
    await fetched(joined, photo, grant_of(joined, photo, ORIGINAL))


async def test_a_copy_is_served_only_under_grants_whose_demand_it_meets(
    joined: Two, beach: Path
) -> None:
    photo = await imported(joined.anna, beach)
    item = await granted(joined.anna, photo, "Bob", max_px=300)
    copy = bytes.fromhex(item.photo_id or "")
    with pytest.raises(OtherRenditionError):
        await fetched(joined, copy, grant_of(joined, copy, Rendition(299)))
    with pytest.raises(UnmadeRenditionError):
        await fetched(joined, copy, grant_of(joined, copy, Rendition(300, faces_hidden=True)))
    with pytest.raises(ExpiredGrantError):
        await fetched(joined, copy, grant_of(joined, copy, Rendition(299, watermarked=True), NOW))


def test_a_demand_is_met_by_the_least_change() -> None:
    none = Form("original")
    assert none.meeting(ORIGINAL) == none
    assert none.meeting(Rendition(location_removed=True)) == Form("no-location")
    assert Form("clean").meeting(Rendition(location_removed=True)) == Form("clean")
    assert none.meeting(Rendition(100)) == Form("clean", 100)
    assert Form("clean", 50).meeting(Rendition(100)) == Form("clean", 50)
    with pytest.raises(UnmadeRenditionError):
        none.meeting(Rendition(faces_hidden=True))


async def test_grants_that_have_ended_say_so(joined: Two, clock: Clock, beach: Path) -> None:
    photo = await imported(joined.anna, beach)
    await granted(joined.anna, photo, "Bob", until=NOW + 10)
    clock.time = NOW + 10
    (grant,) = joined.anna.engine.granting.grants(None, None)
    assert (grant.state, grant.until, grant.operations) == ("expired", NOW + 10, ["view"])
