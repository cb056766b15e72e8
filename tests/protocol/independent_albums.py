"""A second reader of albums, written from docs/spec/album.md alone: it imports nothing of kinlight.

It says what counts among entries that may be in an album; forms and signatures are not its matter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgpack

RANK = {"viewer": 0, "contributor": 1, "admin": 2, "owner": 3}
DEMANDED = {"photo": 1, "caption": 1, "cover": 2, "order": 2}
Place = tuple[bytes, int]
"""An op: the hash of its entry, and its number in it."""
Seat = tuple[tuple[int, int, bytes, bytes], bytes, bytes, Place]
"""Order, identity, device, and the op that gave it."""


def unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, raw=False)


@dataclass
class Log:
    digest: bytes
    seq: int
    parents: list[bytes]
    identity: bytes
    device: bytes
    ops: list[Any]
    past: set[bytes] = field(default_factory=set[bytes])


@dataclass
class Feed:
    digest: bytes
    identity: bytes
    device: bytes
    previous: bytes
    seen: list[bytes]
    op: Any


@dataclass
class Removal:
    place: Place
    seat: Seat
    op: Any


def chain_of(encoded: bytes) -> tuple[bytes, bytes]:
    """Identity and device of a chain."""
    _, certificates, _ = unpack(encoded)
    body = unpack(certificates[-1][0])
    return body[2], body[4]


class Reader:
    """All entries of an album at once, and what they amount to."""

    def __init__(self, entries: list[bytes]) -> None:
        self.log: dict[bytes, Log] = {}
        self.feeds: dict[bytes, Feed] = {}
        for encoded in entries:
            digest, body = hashlib.sha256(encoded).digest(), unpack(unpack(encoded)[0])
            if body[1] == "alog":
                self.log[digest] = Log(digest, body[3], body[4], body[5], body[6], body[8])
            else:
                self.feeds[digest] = Feed(digest, body[3], body[4], body[6], body[7], body[9])
        for entry in sorted(self.log.values(), key=lambda entry: entry.seq):
            for parent in entry.parents:
                entry.past |= {parent} | self.log[parent].past
        self.first = next(entry for entry in self.log.values() if not entry.parents)
        self.counting: set[bytes] = set()
        self.void: dict[bytes, str] = {}
        self.removals: list[Removal] = []
        self.seats: list[Seat] = []
        self.judge_log()
        self.photos = self.judge_feeds()

    def before(self, one: Place, other: Place) -> bool:
        if one[0] == other[0]:
            return one[1] < other[1]
        return one[0] in self.log[other[0]].past

    def targets(self, removal: Removal, identity: bytes, device: bytes) -> bool:
        name, key = removal.op[:2]
        return key == (identity if name == "remove" else device)

    def ends(self, removal: Removal, seat: Seat) -> bool:
        order, identity, device, place = seat
        if not self.targets(removal, identity, device) or self.before(removal.place, place):
            return False
        return removal.seat[0] < order or removal.seat[2] == device

    def papers(self) -> set[tuple[bytes, bytes]]:
        """The devices that were ever let in, and for whom."""
        return {
            chain_of(chain)
            for entry in self.log.values()
            for op in entry.ops
            for chain in self.chains(op)
        }

    def chains(self, op: Any) -> list[bytes]:
        return {"create": op[-1:], "device": op[-1:], "member": op[-1]}.get(op[0], [])

    def judge_log(self) -> None:
        first, papers = self.first, self.papers()
        start = (first.digest, 0)
        waiting: list[Seat] = [
            ((0, 0, first.digest, b""), first.identity, first.identity, start),
            ((0, 0, first.digest, first.device), first.identity, first.device, start),
        ]
        while waiting:
            seat = min(waiting)
            waiting.remove(seat)
            self.seats.append(seat)
            mine = [e for e in self.log.values() if (e.identity, e.device) == seat[1:3]]
            for entry in sorted(mine, key=lambda e: (not self.leaves(e), e.seq, e.digest)):
                given = seat[3][0] in entry.past or seat[3][0] == entry.digest == first.digest
                ended = any(
                    self.ends(removal, seat)
                    and entry.digest != removal.place[0]
                    and entry.digest not in self.log[removal.place[0]].past
                    for removal in self.removals
                )
                if given and not ended and entry.digest not in self.counting:
                    self.counting.add(entry.digest)
                    for number, op in enumerate(entry.ops):
                        waiting += self.do(entry, number, op, seat, papers)
        self.void |= {d: "album-removed" for d in self.log if d not in self.counting}

    def leaves(self, entry: Log) -> bool:
        own = {"remove": entry.identity, "drop": entry.device}
        return any(op[0] in own and own[op[0]] == op[1] for op in entry.ops)

    def do(
        self, entry: Log, number: int, op: Any, seat: Seat, papers: set[tuple[bytes, bytes]]
    ) -> list[Seat]:
        place, found = (entry.digest, number), list[Seat]()
        if op[0] in ("remove", "drop"):
            if any(self.in_the_way(other, seat, op, papers) for other in self.seats):
                self.void[entry.digest] = "album-senior"
            else:
                self.removals.append(Removal(place, seat, op))
        elif op[0] == "member" or op[0] == "device":
            for identity, device in map(chain_of, self.chains(op)):
                if op[2:3] == ["admin"] if op[0] == "member" else identity == entry.identity:
                    order = (seat[0][0] + 1, entry.seq, entry.digest, device)
                    found.append((order, identity, device, place))
        return found

    def in_the_way(
        self, other: Seat, seat: Seat, op: Any, papers: set[tuple[bytes, bytes]]
    ) -> bool:
        order, identity, device, _ = other
        if order >= seat[0] or any(self.ends(removal, other) for removal in self.removals):
            return False
        if not order[3] and identity == seat[1]:
            return False
        if op[0] == "remove":
            return identity == op[1]
        return device == op[1] or (identity != seat[1] and (identity, op[1]) in papers)

    # Who is in, by the entries `seen`.

    def acting(self, place: Place, seen: set[bytes], identity: bytes, device: bytes) -> bool:
        return not any(
            self.targets(removal, identity, device)
            and removal.place[0] in seen
            and not self.before(removal.place, place)
            for removal in self.removals
        )

    def role(self, identity: bytes, seen: set[bytes]) -> str | None:
        found: list[tuple[Place, str]] = []
        for digest in self.counting & seen:
            for number, op in enumerate(self.log[digest].ops):
                place, role = (digest, number), None
                if op[0] == "create" and self.log[digest].identity == identity:
                    role = "owner"
                elif op[0] == "member" and op[1] == identity:
                    role = op[2]
                if role and self.acting(place, seen, identity, b""):
                    found.append((place, role))
        last = [r for p, r in found if not any(self.before(p, other) for other, _ in found)]
        return min(last, key=lambda role: RANK[role], default=None)

    def is_in(self, identity: bytes, device: bytes, seen: set[bytes]) -> bool:
        return self.role(identity, seen) is not None and any(
            (identity, device) in map(chain_of, self.chains(op))
            and self.acting((digest, number), seen, identity, device)
            for digest in self.counting & seen
            for number, op in enumerate(self.log[digest].ops)
        )

    def members(self) -> dict[bytes, str]:
        everything = set(self.log)
        roles = {identity: self.role(identity, everything) for identity, _ in self.papers()}
        return {identity: role for identity, role in roles.items() if role}

    def devices(self) -> set[bytes]:
        everything = set(self.log)
        return {device for identity, device in self.papers()
                if self.is_in(identity, device, everything)}  # fmt: skip

    def successors(self) -> list[bytes]:
        standing = [
            seat
            for seat in self.seats
            if seat[0][3]
            and not any(self.ends(removal, seat) for removal in self.removals)
            and self.is_in(seat[1], seat[2], set(self.log))
        ]
        return [seat[2] for seat in standing]

    # Epochs and feeds.

    def is_safe(self, digest: bytes, seen: set[bytes]) -> bool:
        for removal in self.removals:
            where = removal.place[0]
            own = self.targets(removal, removal.seat[1], removal.seat[2])
            here = where == digest and not own
            if where in seen and not here and where not in self.log[digest].past:
                return False
        return True

    def epochs(self, key_id: bytes | None = None) -> list[tuple[bytes, bytes]]:
        return [
            (digest, op[1])
            for digest, entry in self.log.items()
            for op in entry.ops
            if op[0] == "epoch" and key_id in (None, op[1])
        ]

    def safe(self) -> list[bytes]:
        everything = set(self.log)
        found = [
            (-self.log[digest].seq, digest, key_id)
            for digest, key_id in self.epochs()
            if digest in self.counting and self.is_safe(digest, everything)
        ]
        return [key_id for _, _, key_id in sorted(found)]

    def judge_feeds(self) -> set[bytes]:
        authors: dict[bytes, bytes] = {}
        counting: list[Feed] = []
        for entry in self.feeds.values():
            reason = self.against(entry)
            if reason:
                self.void[entry.digest] = reason
                continue
            counting.append(entry)
            if entry.op[0] == "photo":
                record = unpack(entry.op[1][0])
                raw = hashlib.sha256(b"kinlight/pid1" + record[2] + record[3]).digest()
                authors[raw[:16]] = record[2]
        for entry in counting:
            if entry.op[0] == "caption" and entry.op[1] in authors:
                role = self.role(entry.identity, self.seen(entry))
                admin = role is not None and RANK[role] >= RANK["admin"]
                if not admin and authors[entry.op[1]] != entry.identity:
                    self.void[entry.digest] = "album-role"
        return set(authors)

    def seen(self, entry: Feed) -> set[bytes]:
        return set(entry.seen).union(*(self.log[digest].past for digest in entry.seen))

    def against(self, entry: Feed) -> str | None:
        seen = self.seen(entry)
        for removal in self.removals:
            if not self.targets(removal, entry.identity, entry.device):
                continue
            if removal.place[0] not in seen and entry.digest not in self.cut(removal.op[2]):
                return "album-removed"
        if not self.is_in(entry.identity, entry.device, seen):
            return "album-removed"
        role = self.role(entry.identity, seen)
        if role is None or RANK[role] < DEMANDED.get(entry.op[0], 0):
            return "album-role"
        if entry.op[0] in ("photo", "comment", "caption"):
            named = [digest for digest, _ in self.epochs(entry.op[2]) if digest in seen]
            if not all(self.is_safe(digest, seen) for digest in named):
                return "album-old-epoch"
        return None

    def cut(self, heads: list[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for head in heads:
            while head in self.feeds and head not in found:
                found.add(head)
                head = self.feeds[head].previous
        return found
