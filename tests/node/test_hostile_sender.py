"""A contact sends photos that are not what they seem. Nothing of them is kept, and all goes on."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.crypto.blob import Kind
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.secret import Secret
from kinlight.node import inbox
from kinlight.node.blobstore import IncomingBlob
from kinlight.node.mallory import Conversation, Mallory, flip_byte
from kinlight.node.photo_errors import NoSuchPhotoError, NotHereYetError
from kinlight.protocol import limits
from kinlight.protocol.capability import Caveats
from kinlight.protocol.errors import BusyError, ExpiredGrantError, GoneError, from_wire, wire_code
from kinlight.protocol.messages import (
    Credit,
    Delivered,
    Fetch,
    FetchRefused,
    ManifestPart,
    Message,
    Offer,
    OfferRefused,
    OfferTaken,
    PairDone,
    Piece,
)
from kinlight.protocol.photo import KINDS, Envelope, PhotoRecord
from kinlight.protocol.transfer import Depth

from .conftest import Attacked, Picture, Start
from .forging import Forgery
from .nodes import NOW, PATIENCE, Clock, TestedNode, eventually, random_bytes

LARGE = random_bytes("large", 900_000)


def visible(bob: TestedNode, forgery: Forgery) -> bool:
    """Whether anything of the photo can be had."""
    try:
        bob.engine.photo(forgery.photo_id.hex())
    except (NotHereYetError, NoSuchPhotoError):
        return False
    return True


async def assert_well(bob: TestedNode, mallory: Mallory) -> None:
    """The node still takes a proper photo, of the same sender at that."""
    proper = Forgery.by(mallory)
    async with mallory.connected() as conversation:
        conversation.react = proper.serve()
        await conversation.say(proper.offer())
        await conversation.wait_for(Delivered)
    assert visible(bob, proper)


async def refusal(conversation: Conversation) -> str:
    return from_wire((await conversation.wait_for(OfferRefused)).code).code


# Lies about bytes


def spoil(change: Callable[[Piece], Piece]) -> Callable[[Forgery, Fetch], list[Message]]:
    def answer(forgery: Forgery, fetch: Fetch) -> list[Message]:
        return [forgery.manifest(fetch), *(change(piece) for piece in forgery.pieces(fetch))]

    return answer


def a_piece_twice(forgery: Forgery, fetch: Fetch) -> list[Message]:
    first, *_ = forgery.pieces(fetch)
    return [forgery.manifest(fetch), first, first]


def one_piece_as_another(forgery: Forgery, fetch: Fetch) -> list[Message]:
    first, *_ = forgery.pieces(fetch)
    return [forgery.manifest(fetch), Piece(fetch.request, 1, first.data)]


def a_random_manifest(forgery: Forgery, fetch: Fetch) -> list[Message]:
    length = len(forgery.manifest(fetch).data)
    return [ManifestPart(fetch.request, secrets.token_bytes(length))]


def the_manifest_of_the_other_blob(forgery: Forgery, fetch: Fetch) -> list[Message]:
    other = Forgery(forgery.device, forgery.recipient, content=forgery.content)
    other_id = other.sealed_record().content_id
    return [ManifestPart(fetch.request, other.blobs[other_id][0].encode())]


def a_manifest_that_says_more(forgery: Forgery, fetch: Fetch) -> list[Message]:
    return [ManifestPart(fetch.request, forgery.manifest(fetch).data + bytes(32))]


def a_manifest_without_end(_: Forgery, fetch: Fetch) -> list[Message]:
    return [ManifestPart(fetch.request, bytes(limits.MANIFEST_PART_BYTES))] * 4


def empty_parts_of_a_manifest(_: Forgery, fetch: Fetch) -> list[Message]:
    return [ManifestPart(fetch.request, b"")] * 10


LIES = {
    "a flipped byte": (
        spoil(lambda p: Piece(p.request, p.index, flip_byte(p.data))),
        "piece-mismatch",
    ),
    "short pieces": (spoil(lambda p: Piece(p.request, p.index, p.data[:-1])), "piece-mismatch"),
    "empty pieces": (spoil(lambda p: Piece(p.request, p.index, b"")), "piece-mismatch"),
    "pieces past the end": (spoil(lambda p: Piece(p.request, 60_000, p.data)), "piece-mismatch"),
    "a piece twice": (a_piece_twice, "piece-mismatch"),
    "one piece as another": (one_piece_as_another, "piece-mismatch"),
    "a random manifest": (a_random_manifest, "malformed"),
    "the manifest of another blob": (the_manifest_of_the_other_blob, "malformed"),
    "a manifest that says more": (a_manifest_that_says_more, "too-much"),
    "a manifest without end": (a_manifest_without_end, "too-much"),
    "empty parts of a manifest": (empty_parts_of_a_manifest, "malformed"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_who_serves_something_else_is_refused_with_the_reason(
    attacked: Attacked, lie: str
) -> None:
    answer, code = LIES[lie]
    forgery = Forgery.by(attacked.mallory)
    forgery.content = LARGE
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(lambda fetch: answer(forgery, fetch))
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == code
    assert not visible(attacked.bob, forgery)
    await eventually(lambda: not attacked.bob.blob_files())
    (item,) = attacked.bob.engine.inbox()
    assert (item.state, item.code) == ("refused", code)
    await assert_well(attacked.bob, attacked.mallory)


async def test_a_metadata_blob_that_claims_gigabytes_is_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)

    def react(message: Message) -> list[Message]:
        if not isinstance(message, Fetch):
            return []
        if forgery.of_original(message):
            return forgery.truly(message)
        return [ManifestPart(message.request, (2**40).to_bytes(8) + bytes(1000))]

    async with attacked.mallory.connected() as conversation:
        conversation.react = react
        await conversation.say(forgery.offer())
        assert await refusal(conversation) in ("too-much", "malformed")
    assert not visible(attacked.bob, forgery)
    await assert_well(attacked.bob, attacked.mallory)


@pytest.mark.parametrize(
    "unasked",
    [
        Piece(7, 0, b"x"),
        ManifestPart(7, b"x"),
        FetchRefused(7, 20),
    ],
)
async def test_answers_to_what_nobody_asked_end_the_link(
    attacked: Attacked, unasked: Message
) -> None:
    async with attacked.mallory.connected() as conversation:
        await conversation.say(unasked)
        await asyncio.wait_for(conversation.link.ended.wait(), 30)
    await assert_well(attacked.bob, attacked.mallory)


async def test_a_piece_before_its_manifest_is_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(lambda fetch: list(forgery.pieces(fetch)))
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == "unexpected-message"
    assert not visible(attacked.bob, forgery)


async def test_pieces_that_there_was_no_credit_for_end_that_fetch_and_not_the_link(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, so that no further credit is given; Mallory sends all the same."""
    disk, write = threading.Event(), IncomingBlob.write_piece

    def slowly(place: IncomingBlob, index: int, data: bytes) -> None:
        disk.wait(PATIENCE)
        write(place, index, data)

    monkeypatch.setattr(IncomingBlob, "write_piece", slowly)
    forgery = Forgery.by(attacked.mallory)
    forgery.content = random_bytes("larger", 2_500_000)
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        fetch = await conversation.wait_for(Fetch)
        while not forgery.of_original(fetch):
            fetch = await conversation.wait_for(Fetch)
        assert fetch.credit == Depth.FIRST < len(list(forgery.pieces(fetch)))
        await conversation.say(Offer(b""))  # its answer says that all pieces were looked at
        assert await refusal(conversation) in ("seal-broken", "malformed")
        disk.set()
        assert await refusal(conversation) == "too-much"
        assert not visible(attacked.bob, forgery)
        proper = Forgery.by(attacked.mallory)
        conversation.react = proper.serve()
        await conversation.say(proper.offer())
        await conversation.wait_for(Delivered)
    assert visible(attacked.bob, proper)


async def test_who_stops_midway_leaves_a_photo_that_is_not_there_yet(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    forgery.content = LARGE

    def half(fetch: Fetch) -> list[Message]:
        first, second, *_ = forgery.pieces(fetch)
        return [forgery.manifest(fetch), first, second]

    photo = forgery.photo_id.hex()
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(half)
        await conversation.say(forgery.offer())
        await attacked.bob.until(
            lambda: any(item.pieces == 2 for item in attacked.bob.engine.inbox())
        )
        assert not visible(attacked.bob, forgery)
    await attacked.bob.until(lambda: not attacked.bob.parts.peers.connections())
    assert attacked.bob.inbox_state(photo) == "accepted"
    assert all(path.parent.name == "incoming" for path in attacked.bob.blob_files())

    asked: list[Fetch] = []

    def rest(fetch: Fetch) -> list[Message]:
        asked.append(fetch)
        return [piece for piece in forgery.pieces(fetch) if piece.index >= 2]

    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(rest)
        await conversation.wait_for(Delivered)
    (fetch,) = asked
    assert not fetch.manifest
    assert fetch.ranges[0][0] == 2
    assert visible(attacked.bob, forgery)


async def test_what_came_of_a_refused_photo_goes_though_another_record_has_its_id(
    attacked: Attacked,
) -> None:
    waiting = Forgery.by(attacked.mallory)
    lying = Forgery(waiting.device, waiting.recipient, content=LARGE, nonce=waiting.nonce)

    def busy(fetch: Fetch) -> list[Message]:
        return [FetchRefused(fetch.request, wire_code(BusyError()))]

    def lies(fetch: Fetch) -> list[Message]:
        *good, last = lying.pieces(fetch)
        return [lying.manifest(fetch), *good, Piece(fetch.request, last.index, b"")]

    async with attacked.mallory.connected() as conversation:
        conversation.react = waiting.serve(busy)
        await conversation.say(waiting.offer())
        assert await refusal(conversation) == "busy"
        conversation.react = lying.serve(lies)
        await conversation.say(lying.offer())
        assert await refusal(conversation) == "piece-mismatch"
        assert sorted(item.state for item in attacked.bob.engine.inbox()) == ["accepted", "refused"]
    await eventually(lambda: not attacked.bob.blob_files())


@pytest.mark.parametrize(("error", "state"), [(GoneError(), "refused"), (BusyError(), "accepted")])
async def test_a_refused_fetch_ends_the_offer_only_if_it_is_for_good(
    attacked: Attacked, error: KinlightError, state: str
) -> None:
    forgery = Forgery.by(attacked.mallory)

    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(
            lambda fetch: [FetchRefused(fetch.request, wire_code(error))]
        )
        await conversation.say(forgery.offer())
        await conversation.wait_for(OfferRefused)
        (item,) = attacked.bob.engine.inbox()
        assert (item.state, item.code) == (state, error.code)


async def test_after_a_passing_refusal_the_photo_is_fetched_again(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "RETRY_SECONDS", 0.01)
    forgery = Forgery.by(attacked.mallory)
    refusals = iter([True, True])

    def answer(fetch: Fetch) -> list[Message]:
        if next(refusals, False):
            return [FetchRefused(fetch.request, wire_code(BusyError()))]
        return forgery.truly(fetch)

    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve(answer)
        await conversation.say(forgery.offer())
        await conversation.wait_for(Delivered)
    assert visible(attacked.bob, forgery)


# Lies about what it is


async def test_bytes_that_are_not_what_the_metadata_describe_are_refused(
    attacked: Attacked,
) -> None:
    for change in ({"sha256": bytes(32)}, {"length": 7}):
        forgery = Forgery.by(attacked.mallory)
        forgery.describe(**change)
        async with attacked.mallory.connected() as conversation:
            conversation.react = forgery.serve()
            await conversation.say(forgery.offer())
            assert await refusal(conversation) == "malformed"
        assert not visible(attacked.bob, forgery)
    assert not attacked.bob.blob_files()


async def test_metadata_that_can_not_be_read_are_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    original = forgery.seal(forgery.content, Kind.ORIGINAL)
    nonsense = forgery.seal(b"\xc1 nonsense", Kind.METADATA)
    forgery.record = PhotoRecord.sign(
        forgery.device.signing, forgery.device.identity, forgery.nonce, original,
        nonsense.content_id,
    )  # fmt: skip
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == "malformed"
    assert not visible(attacked.bob, forgery)


async def test_keys_that_do_not_fit_are_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    forgery.sealed_record()
    forgery.keys = {kind: Secret(secrets.token_bytes(32)) for kind in KINDS}
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == "seal-broken"
    assert not visible(attacked.bob, forgery)
    assert not attacked.bob.blob_files()


async def test_one_blob_in_both_roles_is_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    original = forgery.seal(forgery.content, Kind.ORIGINAL)
    forgery.record = PhotoRecord.sign(
        forgery.device.signing, forgery.device.identity, forgery.nonce, original,
        original.content_id,
    )  # fmt: skip
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        assert await refusal(conversation) in ("seal-broken", "malformed", "piece-mismatch")
    assert not visible(attacked.bob, forgery)
    await assert_well(attacked.bob, attacked.mallory)


HOSTILE_NAMES = [
    "../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "x\0.jpg",
    "\x1b[1A\x1b[2Kx.jpg", "x\n.jpg", "", ".", "..", ".bashrc", "CON.jpg", "x.jpg:stream",
    "x.jpg. ", "x\u202egpj.exe", "e\u0301.jpg", "\u00e9.jpg", "ä" * 127,
]  # fmt: skip


async def test_a_hostile_name_stays_in_the_metadata_and_the_file_in_the_folder(
    attacked: Attacked, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    folder = outside / "received"
    written: dict[Path, bytes] = {}
    async with attacked.mallory.connected() as conversation:
        for name in HOSTILE_NAMES:
            forgery = Forgery.by(attacked.mallory)
            forgery.content = name.encode() + b" is its name"
            forgery.describe(name=name)
            conversation.react = forgery.serve()
            await conversation.say(forgery.offer())
            await conversation.wait_for(Delivered)
            details = attacked.bob.engine.photo(forgery.photo_id.hex())
            assert details.name == name
            exported = await attacked.bob.engine.export(details.id, folder, keep_both=True)
            path = Path(exported.path)
            assert path.parent == folder
            written[path] = forgery.content
    assert {path: path.read_bytes() for path in folder.iterdir()} == written
    assert len(written) == len(HOSTILE_NAMES)
    assert list(outside.iterdir()) == [folder]


# Envelopes


async def test_an_envelope_said_twice_is_one_offer(attacked: Attacked) -> None:
    await attacked.bob.engine.update_contact("Mallory", accept="ask")
    offer = Forgery.by(attacked.mallory).offer()
    async with attacked.mallory.connected() as conversation:
        for _ in range(3):
            await conversation.say(offer)
            assert (await conversation.wait_for(OfferTaken)).waiting
    assert len(attacked.bob.engine.inbox()) == 1


async def test_an_envelope_of_somebody_else_is_refused(attacked: Attacked) -> None:
    other = Mallory(attacked.bob.parts.listener.port, "Trudy")
    other.victim = attacked.mallory.victim
    async with attacked.mallory.connected() as conversation:
        await conversation.say(Forgery.by(other).offer())
        assert await refusal(conversation) == "bad-signature"
    assert attacked.bob.engine.inbox() == []


async def test_an_envelope_for_somebody_else_is_refused(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    forgery.recipient = attacked.mallory.device.chain
    async with attacked.mallory.connected() as conversation:
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == "seal-broken"
    assert attacked.bob.engine.inbox() == []


@pytest.mark.parametrize("sealed", [b"", b"x", bytes(4096), bytes(limits.ENVELOPE_BYTES)])
async def test_an_envelope_that_is_none_is_refused(attacked: Attacked, sealed: bytes) -> None:
    async with attacked.mallory.connected() as conversation:
        await conversation.say(Offer(sealed))
        assert await refusal(conversation) in ("seal-broken", "malformed")
    await assert_well(attacked.bob, attacked.mallory)


@pytest.mark.parametrize(
    ("caveats", "code"),
    [
        (Caveats(before=NOW), "grant-expired"),
        (Caveats(after=NOW + 1), "grant-not-yet"),
        (Caveats(photos=frozenset([bytes(16)])), "grant-other-photo"),
        (Caveats(operations=frozenset(["reshare"])), "grant-other-operation"),
    ],
)
async def test_an_offer_whose_grant_allows_nothing_is_refused(
    attacked: Attacked, caveats: Caveats, code: str
) -> None:
    forgery = Forgery.by(attacked.mallory)
    forgery.caveats = caveats
    async with attacked.mallory.connected() as conversation:
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == code
    assert attacked.bob.engine.inbox() == []


async def test_a_grant_that_ends_before_the_answer_can_not_be_accepted(
    attacked: Attacked, clock: Clock
) -> None:
    await attacked.bob.engine.update_contact("Mallory", accept="ask")
    forgery = Forgery.by(attacked.mallory)
    forgery.caveats = Caveats(before=NOW + 60)
    async with attacked.mallory.connected() as conversation:
        await conversation.say(forgery.offer())
        await conversation.wait_for(OfferTaken)
        clock.time += 60
        with pytest.raises(ExpiredGrantError):
            attacked.bob.engine.decide(forgery.photo_id.hex(), accept=True)
    assert not attacked.bob.blob_files()


async def test_a_grant_that_ends_on_the_way_ends_the_fetch(
    attacked: Attacked, clock: Clock
) -> None:
    forgery = Forgery.by(attacked.mallory)
    forgery.caveats = Caveats(before=NOW + 60)
    async with attacked.mallory.connected() as conversation:
        await conversation.say(forgery.offer())
        await conversation.wait_for(Fetch)
    await attacked.bob.until(lambda: not attacked.bob.parts.peers.connections())
    clock.time += 60
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        assert await refusal(conversation) == "grant-expired"
    assert not visible(attacked.bob, forgery)


async def test_offers_that_wait_are_bounded(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OFFERS_PER_CONTACT", 3)
    await attacked.bob.engine.update_contact("Mallory", accept="ask")
    async with attacked.mallory.connected() as conversation:
        for _ in range(3):
            await conversation.say(Forgery.by(attacked.mallory).offer())
            await conversation.wait_for(OfferTaken)
        await conversation.say(Forgery.by(attacked.mallory).offer())
        assert await refusal(conversation) == "busy"
        assert len(attacked.bob.engine.inbox()) == 3
        first = attacked.bob.engine.inbox()[0].id
        attacked.bob.engine.decide(first, accept=False)
        await conversation.say(Forgery.by(attacked.mallory).offer())
        assert (await conversation.wait_for(OfferTaken)).waiting


# Ids of others


async def test_a_second_photo_under_the_same_id_does_not_replace_the_first(
    attacked: Attacked,
) -> None:
    first = Forgery.by(attacked.mallory)
    second = Forgery.by(attacked.mallory)
    second.nonce = first.nonce
    second.content = b"something else altogether"
    async with attacked.mallory.connected() as conversation:
        conversation.react = first.serve()
        await conversation.say(first.offer())
        await conversation.wait_for(Delivered)
        before = attacked.bob.engine.photo(first.photo_id.hex())
        conversation.react = second.serve()
        await conversation.say(second.offer())
        assert await refusal(conversation) == "malformed"
    after = attacked.bob.engine.photo(first.photo_id.hex())
    assert (after.sha256, after.content_id) == (before.sha256, before.content_id)


async def test_nobody_can_pass_on_a_photo_of_somebody_else_without_leave(
    attacked: Attacked, start: Start, picture: Picture
) -> None:
    """Mallory was shown Anna's photo, and offers it to Bob with a grant of her own."""
    anna = await start("Anna")
    at_anna = Mallory(anna.parts.listener.port)
    await anna.befriend(at_anna)
    async with at_anna.connected() as conversation:
        await anna.share_one(picture(), "Mallory", wait=False)
        offer = await conversation.wait_for(Offer)
        sender = conversation.link.peer
    envelope = Envelope.open(offer.envelope, at_anna.device, sender.device)
    stolen = Forgery.by(attacked.mallory)
    stolen.record = envelope.record
    stolen.keys = dict(envelope.keys)
    async with attacked.mallory.connected() as conversation:
        await conversation.say(stolen.offer())
        # Her envelope has no papers that say who Anna's device speaks for.
        assert await refusal(conversation) == "bad-certificate"
        await conversation.say(
            Offer(
                Envelope.seal(
                    attacked.mallory.device, stolen.recipient.device, stolen.recipient.kem,
                    envelope.record, stolen.grant(), stolen.keys,
                    (*attacked.mallory.device.chain.certificates, *sender.certificates),
                )
            )
        )  # fmt: skip
        assert await refusal(conversation) == "grant-broken"
    assert attacked.bob.engine.inbox() == []


async def test_a_grant_from_another_photo_does_not_open_this_one(attacked: Attacked) -> None:
    forgery, other = Forgery.by(attacked.mallory), Forgery.by(attacked.mallory)
    forgery.capability = other.grant()
    async with attacked.mallory.connected() as conversation:
        await conversation.say(forgery.offer())
        assert await refusal(conversation) == "grant-other-photo"


async def test_a_record_that_names_a_blob_on_its_way_does_not_disturb_it(
    attacked: Attacked,
) -> None:
    """Trudy learned the content id of what Mallory sends, and claims it for a photo of hers."""
    trudy = Mallory(attacked.bob.parts.listener.port, "Trudy")
    async with attacked.bob.pairing("Trudy") as (code, steps):
        await trudy.pair(code.code)
        await anext(steps)
    await attacked.bob.engine.update_contact("Trudy", accept="always")
    true = Forgery.by(attacked.mallory)
    true.content = LARGE
    record = true.sealed_record()
    false = Forgery.by(trudy)
    described = false.seal(false.true_metadata().encode(), Kind.METADATA)
    false.record = PhotoRecord.sign(
        trudy.device.signing, trudy.device.identity, false.nonce,
        true.blobs[record.content_id][0], described.content_id,
    )  # fmt: skip
    held: list[Fetch] = []

    def first_half(fetch: Fetch) -> list[Message]:
        held.append(fetch)
        return [true.manifest(fetch), *list(true.pieces(fetch))[:2]]

    async with attacked.mallory.connected() as sending, trudy.connected() as meddling:
        sending.react = true.serve(first_half)
        await sending.say(true.offer())
        await attacked.bob.until(
            lambda: any(item.pieces == 2 for item in attacked.bob.engine.inbox())
        )
        meddling.react = lambda message: (
            [
                true.manifest(message),
                *(Piece(p.request, p.index, flip_byte(p.data)) for p in true.pieces(message)),
            ]
            if isinstance(message, Fetch) and false.of_original(message)
            else false.truly(message)
            if isinstance(message, Fetch)
            else []
        )
        await meddling.say(false.offer())
        assert await refusal(meddling) == "piece-mismatch"
        for piece in list(true.pieces(held[0]))[2:]:
            await sending.say(piece)
        await sending.wait_for(Delivered)
    assert visible(attacked.bob, true)
    assert not visible(attacked.bob, false)


# Answers that nobody waits for


@pytest.mark.parametrize(
    "message",
    [
        OfferTaken(bytes(32), waiting=True),
        OfferRefused(bytes(32), 23),
        Credit(99, 1),
    ],
)
async def test_answers_about_what_was_never_offered_change_nothing(
    attacked: Attacked, message: Message
) -> None:
    async with attacked.mallory.connected() as conversation:
        await conversation.say(message)
        forgery = Forgery.by(attacked.mallory)
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        await conversation.wait_for(Delivered)


async def test_nobody_can_say_how_the_photo_of_another_contact_stands(
    attacked: Attacked, start: Start, picture: Picture
) -> None:
    anna = await start("Anna")
    await attacked.bob.pair_with(anna)
    await attacked.bob.until(lambda: attacked.bob.connected_to(anna))
    item = await attacked.bob.share_one(picture(), "Anna")
    assert item.photo_id is not None
    assert item.state == "waiting"
    photo = bytes.fromhex(item.photo_id)
    (delivery,) = attacked.bob.parts.library.deliveries(photo)
    async with attacked.mallory.connected() as conversation:
        await conversation.say(OfferTaken(delivery.envelope_hash, waiting=False))
        await conversation.say(OfferRefused(delivery.envelope_hash, 23))
        forgery = Forgery.by(attacked.mallory)
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        await conversation.wait_for(Delivered)
    assert attacked.bob.delivery_state(item.photo_id) == "waiting"


async def test_a_message_of_the_opening_in_the_middle_ends_the_link(attacked: Attacked) -> None:

    async with attacked.mallory.connected() as conversation:
        conversation.link.session.send(PairDone())
        await conversation.say(OfferTaken(bytes(32), waiting=True))
        await asyncio.wait_for(conversation.link.ended.wait(), 30)
    await assert_well(attacked.bob, attacked.mallory)
