"""Every message of holding and of receipts, from a contact, at any moment: none breaks anything."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.protocol import limits
from kinlight.protocol.delivery import HeldBlob
from kinlight.protocol.messages import (
    Collect,
    Delivered,
    Deposit,
    FetchHeld,
    Held,
    HeldDone,
    HeldEnd,
    HeldGone,
    HeldItem,
    HeldNews,
    HeldReceipt,
    HeldRefused,
    Holding,
    Mailbox,
    Message,
)

from .holders import Friend, Household, Left, collect
from .nodes import NOW

BIG = 2**63 - 1


class Odd:
    """Messages as they may come, about what is here, what was, and what never was."""

    def __init__(self, seed: int, household: Household, friend: Friend) -> None:
        self._random = random.Random(seed)
        self._tags = [friend.tag(), household.owner.tag(), bytes(32)]
        self._left = [Left.make(str(number), *[b"a", b"b"][: number % 3]) for number in range(4)]
        self.kinds: list[Callable[[], Message]] = [
            lambda: Delivered(self.hash(), self.octets(0, 200, limits.RECEIPT_BYTES)),
            lambda: FetchHeld(
                self.number(2**32 - 1), self.content_id(), self.octets(0, 32), self.flag(),
                ((0, 1),), self.number(limits.CREDIT),
            ),
            lambda: Mailbox(self.octets(0, 32), self.octets(0, 31, 32, 256)),
            lambda: Holding(self.number(BIG), self.number(2**32 - 1), backup=self.flag()),
            lambda: Deposit(
                self._random.choice(self._tags), self.envelope(), self.number(2**32 - 1),
                self.blobs(),
            ),
            lambda: Held(self.hash()),
            lambda: HeldRefused(self.hash(), self.number(60)),
            lambda: Collect(self.number(BIG), self.number(limits.COLLECTED), own=self.flag()),
            lambda: HeldItem(self.number(BIG), self.envelope()),
            lambda: HeldEnd(self.number(BIG), more=self.flag()),
            lambda: HeldDone(self.hash(), self.octets(0, 200, limits.RECEIPT_BYTES)),
            lambda: HeldGone(self.hash()),
            lambda: HeldReceipt(self.hash(), self.octets(0, 200)),
            HeldNews,
        ]  # fmt: skip

    def message(self) -> Message:
        return self._random.choice(self.kinds)()

    def octets(self, *lengths: int) -> bytes:
        return self._random.randbytes(self._random.choice(lengths))

    def number(self, most: int) -> int:
        return min(most, self._random.choice([0, 1, 2, NOW // 86_400, most]))

    def flag(self) -> bool:
        return self._random.random() < 0.5

    def envelope(self) -> bytes:
        return self._random.choice([b"", *(each.envelope for each in self._left)])

    def hash(self) -> bytes:
        return hashlib.sha256(self.envelope()).digest()

    def content_id(self) -> bytes:
        sealed = [each.content_id for left in self._left for each in left.blobs]
        return self._random.choice([bytes(32), *sealed])

    def blobs(self) -> tuple[HeldBlob, ...]:
        told = [each.told for left in self._left for each in left.blobs]
        return tuple(self._random.choices(told, k=self._random.randrange(3)))


@pytest.mark.parametrize("seed", range(4))
async def test_no_message_of_a_contact_breaks_anything_but_its_own_link(
    household: Household, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    holder, friend = household.holder, household.other
    odd = Odd(seed, household, friend)
    for _ in range(25):
        async with friend.mallory.connected() as conversation:
            with contextlib.suppress(KinlightError):  # the holder may end it at any of them
                while odd.flag() or odd.flag():
                    await conversation.say(odd.message())
        if holder.engine.contact("Other").holder == "offered":
            await holder.engine.update_contact("Other", holder=True)
    async with household.sender.mallory.connected() as conversation:
        await collect(conversation)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
