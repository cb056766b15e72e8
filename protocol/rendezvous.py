"""Whereabouts that two contacts leave for each other, sealed, with somebody whom both can reach.

Each leaves its addresses under a tag of the day that the two alone can make from their pair secret.
Whoever keeps the record can't open it, and can't tell for whom it is before that one asks. What
leads nowhere is refused by the channel: a record is a hint where to dial, and no more
(docs/spec/rendezvous.md).
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError, SealBrokenError
from ..crypto.secret import Secret
from ..crypto.signing import KEY_BYTES
from ..crypto.wrap import WRAP_OVERHEAD, unwrap, wrap
from . import limits
from .delivery import day_of

TAG_BYTES: Final = 32
RECORD_BYTES: Final = 2048
"""Of every record, so that none tells how many addresses are in it."""
VERSION: Final = 1
REQUEST_BYTES: Final = limits.RENDEZVOUS_LEFT * (RECORD_BYTES + 64) + limits.RENDEZVOUS_ASKED * 48
ANSWER_BYTES: Final = limits.RENDEZVOUS_FOUND * (RECORD_BYTES + 16) + 1024

_TAG: Final = b"kinlight/rendezvous1\x00"
_KEY: Final = b"kinlight/rendezvous-key1"
_CONTEXT: Final = b"kinlight/rendezvous-record1\x00"
_NOBODY: Final = b"kinlight/rendezvous-nobody1\x00"
_DAYS: Final = 3
_LENGTH_BYTES: Final = 2
_ROOM: Final = RECORD_BYTES - WRAP_OVERHEAD - _LENGTH_BYTES


@dataclass(frozen=True, slots=True)
class Notice:
    """Where a device of `identity` may be reached, as it said at `issued` (seconds since 1970).

    What each address means is for whoever dials; one that is not understood is skipped.
    """

    identity: bytes
    device: bytes
    issued: int
    addresses: tuple[str, ...]

    def seal(self, pair_secret: Secret) -> bytes:
        """For one contact, to be left under the tag of the day of `issued`.

        As many addresses as there is room for, the first ones first.
        """
        tag = tag_of(pair_secret, day_of(self.issued))
        addresses = [
            text for text in self.addresses if len(text.encode()) <= limits.RENDEZVOUS_ADDRESS_BYTES
        ][: limits.RENDEZVOUS_ADDRESSES]
        while len(data := self._body(addresses)) > _ROOM:
            addresses.pop()
        filled = len(data).to_bytes(_LENGTH_BYTES) + data + bytes(_ROOM - len(data))
        return wrap(pair_secret.derive(_KEY), _CONTEXT + tag, filled)

    def _body(self, addresses: Sequence[str]) -> bytes:
        body: Value = [
            VERSION, "notice", self.identity, self.device, self.issued, list(addresses),
        ]  # fmt: skip
        return encoding.encode(body)

    @classmethod
    def open(cls, record: bytes, pair_secret: Secret, identity: bytes, now: int) -> Notice:
        """What a contact, `identity`, left; asked for on the days around `now`.

        `SealBrokenError` for what was sealed with another secret, for another day, or altered;
        `MalformedError` for another form, for what somebody else says, ourselves included, and for
        a time that is not of the day it was left for.
        """
        if len(record) != RECORD_BYTES:
            raise MalformedError("notice: its length")
        key = pair_secret.derive(_KEY)
        for day in days_around(now):
            try:
                filled = unwrap(key, _CONTEXT + tag_of(pair_secret, day), record)
            except SealBrokenError:
                continue
            found = cls._read(filled)
            if found.identity != identity or day_of(found.issued) != day:
                raise MalformedError("notice: not what was asked for")
            return found
        raise SealBrokenError

    @classmethod
    def _read(cls, filled: bytes) -> Notice:
        length = int.from_bytes(filled[:_LENGTH_BYTES])
        data, fill = filled[_LENGTH_BYTES:][:length], filled[_LENGTH_BYTES:][length:]
        if len(data) != length or any(fill):
            raise MalformedError("notice: the fill")
        reader = Reader(encoding.decode(data, _ROOM), "notice")
        reader.literal(VERSION, "notice")
        identity = reader.octets("identity", KEY_BYTES)
        device = reader.octets("device", KEY_BYTES)
        issued = reader.integer("issued")
        texts = Reader(reader.array("addresses", limits.RENDEZVOUS_ADDRESSES), "addresses")
        reader.end()
        addresses: list[str] = []
        while texts.more():
            addresses.append(texts.text("address", limits.RENDEZVOUS_ADDRESS_BYTES))
        return cls(identity, device, issued, tuple(addresses))


def tag_of(pair_secret: Secret, day: int) -> bytes:
    """Under what the two contacts leave their whereabouts on a day."""
    return hmac.digest(pair_secret.reveal(), _TAG + day.to_bytes(8), "sha256")


def days_around(now: int) -> tuple[int, ...]:
    """The days whose records count now, this one first: clocks differ, and days end."""
    today = day_of(now)
    return tuple(day for day in (today, today - 1, today + 1) if day >= 0)


# What is said to who keeps records.


@dataclass(frozen=True, slots=True)
class Request:
    """`left` are tags and records to be kept, `asked` tags whose records are wanted."""

    left: tuple[tuple[bytes, bytes], ...] = ()
    asked: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Canonical bytes."""
        return encoding.encode([VERSION, "meet", self.left, self.asked])

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """The reverse; `MalformedError`."""
        reader = Reader(encoding.decode(data, REQUEST_BYTES), "request")
        reader.literal(VERSION, "meet")
        pairs = Reader(reader.array("left", limits.RENDEZVOUS_LEFT), "left")
        asked = Reader(reader.array("asked", limits.RENDEZVOUS_ASKED), "asked")
        reader.end()
        left: list[tuple[bytes, bytes]] = []
        while pairs.more():
            pair = Reader(pairs.array("pair", 2), "pair")
            left.append((pair.octets("tag", TAG_BYTES), pair.octets("record", RECORD_BYTES)))
            pair.end()
        tags: list[bytes] = []
        while asked.more():
            tags.append(asked.octets("tag", TAG_BYTES))
        return cls(tuple(left), tuple(tags))


@dataclass(frozen=True, slots=True)
class Answer:
    """`kept` is how many of the records that were left are kept, `found` what others left."""

    kept: int
    found: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Canonical bytes."""
        return encoding.encode([VERSION, "met", self.kept, self.found])

    @classmethod
    def decode(cls, data: bytes) -> Answer:
        """The reverse; `MalformedError`."""
        reader = Reader(encoding.decode(data, ANSWER_BYTES), "answer")
        reader.literal(VERSION, "met")
        kept = reader.integer("kept", limits.RENDEZVOUS_LEFT)
        records = Reader(reader.array("found", limits.RENDEZVOUS_FOUND), "found")
        reader.end()
        found: list[bytes] = []
        while records.more():
            found.append(records.octets("record", RECORD_BYTES))
        return cls(kept, tuple(found))


def requests(
    own: Notice,
    contacts: Iterable[Secret],
    missing: Iterable[Secret],
    now: int,
    filler: Secret,
) -> list[Request]:
    """Leave our whereabouts for `contacts`, and ask for those of who is `missing`.

    Among these are some who don't exist, so that their number tells little. They are made of
    `filler`, which nobody else knows, and stay the same: who is asked again and again would else
    see which tags come back. Everything is in an order that tells nothing, least of all that a tag
    of today and one of tomorrow are of the same contact.
    """
    left = sorted((tag_of(each, day_of(own.issued)), own.seal(each)) for each in contacts)
    secrets = list(missing)
    nobody = range(-len(secrets) % (limits.RENDEZVOUS_STEP // _DAYS))
    secrets += [filler.derive(_NOBODY + bytes([number])) for number in nobody]
    tags = sorted(tag_of(each, day) for each in secrets for day in days_around(now))
    made: list[Request] = []
    while left or tags:
        made.append(
            Request(tuple(left[: limits.RENDEZVOUS_LEFT]), tuple(tags[: limits.RENDEZVOUS_ASKED]))
        )
        left, tags = left[limits.RENDEZVOUS_LEFT :], tags[limits.RENDEZVOUS_ASKED :]
    return made


# Who keeps records.


@dataclass(slots=True)
class _Kept:
    owner: bytes
    record: bytes
    until: float


class Board:
    """Keeps what contacts leave, within bounds, for two days. `now` is of a clock that only grows.

    Of one tag it keeps the latest record of each peer that left one. Tags can't be guessed: who
    knows one is one of the two whose it is, or was asked by them, as this board is.
    """

    def __init__(self) -> None:
        self._tags: dict[bytes, dict[bytes, _Kept]] = {}
        self._count: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return self._count.total()

    def answer(self, request: Request, peer: bytes, owner: bytes, now: float) -> Answer:
        """What is said to `peer`, a device of the contact `owner`."""
        self._forget(now)
        kept = sum(self._keep(*each, peer, owner, now) for each in request.left)
        found = [
            each.record
            for tag in request.asked
            for other, each in self._tags.get(tag, {}).items()
            if other != peer
        ]
        return Answer(kept, tuple(found[: limits.RENDEZVOUS_FOUND]))

    def _keep(self, tag: bytes, record: bytes, peer: bytes, owner: bytes, now: float) -> bool:
        here = self._tags.get(tag, {})
        earlier = here.get(peer)
        if earlier is not None:
            self._count[earlier.owner] -= 1
        elif (
            len(here) >= limits.RENDEZVOUS_PER_TAG
            or self._count[owner] >= limits.RENDEZVOUS_PER_CONTACT
            or len(self) >= limits.RENDEZVOUS_RECORDS
        ):
            return False
        self._count[owner] += 1
        until = now + limits.RENDEZVOUS_SECONDS
        self._tags.setdefault(tag, {})[peer] = _Kept(owner, record, until)
        return True

    def _forget(self, now: float) -> None:
        for tag, here in list(self._tags.items()):
            for peer, each in list(here.items()):
                if each.until <= now:
                    del here[peer]
                    self._count[each.owner] -= 1
            if not here:
                del self._tags[tag]
        self._count += Counter()  # drops the zeros
