"""People who may not come in: wrong codes, strangers, blocked contacts, and peers who lie."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.crypto import pairing
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.mallory import Mallory, flip_byte
from kinlight.protocol.messages import Fetch, ManifestPart, Message, OfferRefused, Piece

from .conftest import Couple
from .enemies import befriend
from .household import is_well
from .pictures import picture


def other_words(code: str) -> str:
    """A code for the same slot, with words that are wrong."""
    slot, *typed = code.split("-")
    wrong = [word for word in pairing.words() if word not in typed]
    return f"{slot}-{wrong[0]}-{wrong[1]}"


# Meeting.


def test_three_wrong_codes_end_a_pairing_at_both_sides(lasting: Couple) -> None:
    anna, bob = lasting
    showing = anna.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    at = ("--at", f"127.0.0.1:{anna.port}")
    for _ in range(3):
        refused = bob.run("pair", other_words(code), *at, code=3)
        assert refused.error == "wrong-code"
        assert "three wrong tries" in refused.message
    said, _ = showing.communicate()
    assert json.loads(said)["error"]["code"] == "pairing-spent"
    assert showing.returncode == 1
    assert bob.run("pair", code, *at, code=3).error == "not-pairing"
    is_well(anna)
    is_well(bob)


def test_a_wrong_code_can_be_followed_by_the_right_one(lasting: Couple) -> None:
    anna, bob = lasting
    showing = anna.popen("pair")
    assert showing.stdout is not None
    code = json.loads(showing.stdout.readline())["code"]
    at = ("--at", f"127.0.0.1:{anna.port}")
    assert bob.run("pair", other_words(code), *at, code=3).error == "wrong-code"
    assert bob.run("pair", code, *at).value["contact"]["name"] == "Anna"
    assert showing.wait(60) == 0


@pytest.mark.nightly  # it looks for as long as people may take
def test_a_code_that_nobody_shows_is_not_found(lasting: Couple) -> None:
    _, bob = lasting
    refused = bob.run("pair", "99-acid-acorn", code=6)
    assert refused.error == "no-such-node"
    assert "same network" in refused.message


async def test_a_stranger_learns_nothing_and_is_refused(lasting: Couple) -> None:
    anna, _ = lasting
    async with Node.connect(anna.home) as node:
        port = (await node.status()).port
        assert port is not None
        with pytest.raises(KinlightError) as refused:
            await Mallory(port).knock()
        assert refused.value.code == "unknown-peer"
        assert not (await node.status()).locked


def test_a_blocked_contact_is_a_stranger_until_let_in_again(
    lasting: Couple, tmp_path: Path
) -> None:
    anna, bob = lasting
    bob.run("contacts", "block", "Anna")
    photo = picture(tmp_path / "a.jpg", 1)
    words = ("share", photo, "--metadata", "original", "--no-wait")
    item = anna.run(*words, "--with", "Bob").value
    assert item["state"] == "queued"
    assert bob.run("status").value["connections"] == []
    assert bob.run(*words, "--with", "Anna", code=3).error == "contact-blocked"
    bob.run("contacts", "block", "Anna", "--off")
    assert bob.received(item["photo_id"])["name"] == "a.jpg"


# Peers that lie or stop.


def other_order(answers: list[Message]) -> list[Message]:
    """Each piece under the number of another."""
    pieces = [answer for answer in answers if isinstance(answer, Piece)]
    swapped = zip(pieces, reversed(pieces), strict=True)
    return [answers[0], *(Piece(one.request, one.index, two.data) for one, two in swapped)]


def other_manifest(answers: list[Message]) -> list[Message]:
    """A manifest that is not the promised one."""
    first, *pieces = answers
    assert isinstance(first, ManifestPart)
    return [ManifestPart(first.request, first.data[:-32] + bytes(32)), *pieces]


def flipped(answers: list[Message]) -> list[Message]:
    """The first piece with one byte changed."""
    first, second, *more = answers
    assert isinstance(second, Piece)
    return [first, Piece(second.request, second.index, flip_byte(second.data)), *more]


@pytest.mark.parametrize("lie", [flipped, other_order, other_manifest])
async def test_a_peer_that_lies_is_refused_with_the_reason_and_nothing_is_kept(
    lasting: Couple, tmp_path: Path, lie: Callable[[list[Message]], list[Message]]
) -> None:
    _, bob = lasting
    async with Node.connect(bob.home) as node:
        mallory = await befriend(node)
        photo = mallory.photo(os.urandom(1_000_000))
        async with mallory.connected() as conversation:
            serve = photo.serve()

            def react(message: Message) -> list[Message]:
                answers = serve(message)
                if isinstance(message, Fetch) and message.content_id == photo.record.content_id:
                    return lie(answers)
                return answers

            conversation.react = react
            await conversation.say(photo.offer)
            await conversation.wait_for(OfferRefused)
        photo_id = photo.record.photo_id.hex()
        (item,) = (item for item in await node.inbox() if item.id == photo_id)
        assert item.state == "refused"
        assert item.message
        with pytest.raises(KinlightError) as refused:
            await node.export(item.id, tmp_path / "out")
        assert refused.value.code == "not-here-yet"
        assert not (tmp_path / "out").exists()
    assert list((bob.home / "blobs" / "incoming").iterdir()) == []
    is_well(bob)


async def test_a_peer_that_stops_midway_leaves_no_photo_and_no_file(
    lasting: Couple, tmp_path: Path
) -> None:
    _, bob = lasting
    async with Node.connect(bob.home) as node:
        mallory = await befriend(node)
        photo = mallory.photo(os.urandom(4_000_000))
        async with (
            contextlib.aclosing(node.events()) as events,
            mallory.connected() as conversation,
        ):
            serve = photo.serve()

            def half(message: Message) -> list[Message]:
                answers = serve(message)
                return answers[: len(answers) // 2] if len(answers) > 2 else answers

            conversation.react = half
            await conversation.say(photo.offer)
            async for event in events:
                if event.name == "progress" and event.data["pieces"] == 7:
                    break
        photo_id = photo.record.photo_id.hex()
        (item,) = (item for item in await node.inbox() if item.id == photo_id)
        assert (item.state, item.name) == ("accepted", None)
        with pytest.raises(KinlightError) as refused:
            await node.export(item.id, tmp_path / "out")
        assert refused.value.code == "not-here-yet"
        assert not (tmp_path / "out").exists()
        assert (await node.decline(item.id)).state == "declined"
    assert list((bob.home / "blobs" / "incoming").iterdir()) == []
    is_well(bob)
