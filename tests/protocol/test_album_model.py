"""Seven devices of five people keep an album: cut off from each other, removed, let in, started
anew, while devices that were removed try to get in again. When all meet again, the honest ones see
the same, and what was added after a removal does not open for who was removed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from kinlight.crypto.errors import PeerError
from kinlight.crypto.secret import Secret
from kinlight.protocol.album import Album, Entry
from kinlight.protocol.album_admin import Admin
from kinlight.protocol.album_authority import Authority
from kinlight.protocol.album_errors import AlbumDeniedError, KeyDueError, NoAlbumKeyError
from kinlight.protocol.album_feed import FeedEntry, Photo
from kinlight.protocol.album_keys import KeyRing, Recipient, WrapSet
from kinlight.protocol.album_log import Drop, LogEntry, Member, Op, Remove
from kinlight.protocol.album_roles import OPERATIONS, Role
from kinlight.protocol.capability import Audience, Capability
from kinlight.protocol.caveats import Caveats
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import UnsupportedGrantError

from .albums import FILE_KEYS, Node, device, record_by
from .people import FixedEntropy, Person
from .repeatable import repeatable

PLACES = (
    ("Alice", "phone"), ("Alice", "laptop"), ("Bob", "phone"), ("Bob", "laptop"),
    ("Carol", "phone"), ("Dave", "phone"), ("Erin", "phone"),
)  # fmt: skip
COUNT = len(PLACES)
REFUSALS = (AlbumDeniedError, KeyDueError, NoAlbumKeyError, UnsupportedGrantError)
"""What honest software says to a person who asks for what can't be now."""

DONE: Counter[str] = Counter()
"""How often something really happened: a model that does nothing proves nothing."""


@dataclass(frozen=True)
class Forged:
    """What a removed device wrote, and the removal that was there before."""

    entry: Entry
    removal: bytes


class World:
    """All nodes, and what is known to who looks at all of them."""

    def __init__(self, history: str) -> None:
        self.entropy = FixedEntropy("model")
        founder = Node.founding(device(*PLACES[0]), self.entropy, history)  # type: ignore[arg-type]
        first = founder.album.graph.entries[0]
        self.nodes = [founder]
        for place in PLACES[1:]:
            album = Album(first)
            keys = KeyRing(album.album_id)
            self.nodes.append(Node(device(*place), album, keys, entropy=self.entropy))
        self.groups = [0] * COUNT
        self.forged: list[Forged] = []
        alice, laptop, bob, second, carol, dave, _ = (node.local for node in self.nodes)
        founder.keep(founder.admin.let_in(founder.now(), laptop.chain, founder.key()))
        founder.invite("admin", bob, second)
        founder.invite("admin", carol)
        founder.invite("contributor", dave)
        assert founder.device == alice.signing.public
        for node in self.nodes[1:-1]:
            founder.give(node)

    def meet(self, one: int, other: int) -> bool:
        """Each gives to who is in the album as it sees it, and tells others that they are out."""
        found = False
        for giver, taker in ((one, other), (other, one)):
            a, b = self.nodes[giver], self.nodes[taker]
            if b.device in a.album.view.devices:
                before = len(b.sets)
                found |= bool(a.give(b)) or len(b.sets) > before
            else:
                found |= bool(b.album.take_all(a.album.farewell(b.identity, b.device)))
        return found

    def all_meet(self, there: Sequence[int]) -> bool:
        """Everybody once with everybody; whether anything was new."""
        met = [self.meet(one, other) for one in there for other in there if other < one]
        return any(met)

    def heal(self) -> None:
        """All meet until nobody has news, and admins do what is due."""
        self.groups = [0] * COUNT
        for _ in range(10):
            while self.all_meet(range(COUNT)):
                pass
            if not self.settle():
                return
        raise AssertionError("the admins find no end")

    def settle(self) -> bool:
        """The first in the order of seats that has something to do does it."""
        by_device = {node.device: node for node in self.nodes}
        inside = [node for node in self.nodes if node.device in node.album.view.devices]
        seats = inside[0].album.authority.successors() if inside else []
        return any(by_device[seat.device].settle() for seat in seats)

    def union(self) -> Album:
        """An album with all entries that anybody has."""
        album = Album(self.nodes[0].album.graph.entries[0])
        for node in self.nodes:
            album.take_all([*node.album.graph.entries, *node.album.feeds.entries.values()])
        return album

    def check(self) -> None:
        self.heal()
        album = self.union()
        view = album.view
        inside = [node for node in self.nodes if node.device in view.devices]
        self.check_agreement(album, inside)
        for node in self.nodes:
            self.check_shut_out(album, node)
        for forged in self.forged:
            self.check_void(album, forged)

    def check_agreement(self, album: Album, inside: list[Node]) -> None:
        DONE["checked"] += 1
        DONE["inside"] += len(inside)
        DONE["photos"] += len(album.view.photos)
        DONE["void"] += len(album.view.void)
        DONE["removals"] += len(album.authority.removals)
        DONE["forks"] += len(album.forks)
        DONE["merges"] += sum(len(entry.parents) > 1 for entry in album.graph.entries)
        reference = Node(self.nodes[0].local, album, self.nodes[0].keys)
        expected = reference.everything()
        for node in inside:
            assert node.everything() == expected
        safe = album.authority.safe_epochs()
        if any(node.device == seat.device for seat in album.authority.successors()
               for node in inside):  # fmt: skip
            assert safe
            for node in inside:
                assert safe[0][1].key_id in node.keys, "somebody was left without the key"
        if album.graph.created.history == "all" and safe:
            self.check_all_open(album, inside)

    def check_all_open(self, album: Album, inside: list[Node]) -> None:
        admins = {seat.device for seat in album.authority.successors()}
        held = [node for node in inside if node.device in admins]
        for photo in album.view.photos.values():
            if any(photo.photo.key_id in node.keys for node in held):
                assert all(node.opens(photo.photo) for node in inside)

    def check_shut_out(self, album: Album, node: Node) -> None:
        """With every entry and every wrap there is, and all keys it ever had."""
        authority = album.authority
        if node.device in album.view.devices:
            return
        thief = Node(node.local, album, KeyRing(album.album_id, node.keys.keys()))
        for other in self.nodes:
            thief.sets.update(other.sets)
        thief.learn()
        for photo in album.view.photos.values():
            if self.was_shut_out(authority, album, node, photo.added):
                DONE["shut out"] += 1
                assert not thief.opens(photo.photo)

    def was_shut_out(
        self, authority: Authority, album: Album, node: Node, entry: FeedEntry
    ) -> bool:
        """Whether who wrote the entry knew that this device was out, and it never came back."""
        seen, graph = album.feeds.seen[entry.digest], authority.graph
        let_in = graph.let_in.get((node.identity, node.device), [])
        removals = [
            removal.entry
            for removal in authority.removals_of(node.identity, node.device)
            if seen >> removal.entry & 1
        ]
        return any(
            all(graph.is_before(number, removal) for number in let_in) for removal in removals
        )

    def check_void(self, album: Album, forged: Forged) -> None:
        """A forged entry does not count, unless its device was in again and knew of its removal.

        One of the log may, too, if the removal was by a junior and had no right when it was made:
        it got its effect from another, which took the seat of who wrote this later, and saw it.
        """
        view, authority = album.view, album.authority
        graph, entry = authority.graph, forged.entry
        found = [
            removal
            for removal in authority.removals_of(entry.identity, entry.device)
            if graph.entries[removal.entry].digest == forged.removal
        ]
        if not found or entry.digest in view.void or entry.digest not in album:
            return  # or nobody who is left has it
        removal = found[0]
        if isinstance(entry, FeedEntry):
            knew = graph.seen(entry.seen) >> removal.entry & 1
        else:
            knew = graph.is_before(removal.entry, graph.numbers[entry.digest])
            knew |= any(
                seat.device == entry.device and seat < removal.seat for seat in authority.seats
            )
        assert knew


class Play:
    """One world and the steps in it, drawn from a seed.

    What somebody may not do is refused by the software, and then does nothing.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.world = World(self.draw.choice(["all", "all", "from-join"]))
        self.copies: dict[bytes, tuple[list[bytes], list[Secret]]] = {}

    def step(self) -> None:
        names, weights = zip(*STEPS.items(), strict=True)
        (name,) = self.draw.choices(names, weights)
        getattr(self, name)()

    def attempt(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except REFUSALS:
            return
        DONE[what] += 1

    def anybody(self) -> Node:
        return self.draw.choice(self.world.nodes)

    def admin(self) -> Node:
        """One of those that may write the log, as they see it; at times anybody."""
        able = [
            node
            for node in self.world.nodes
            if node.album.authority.seat_of(node.identity, node.device)
        ]
        return self.draw.choice(able) if able and self.draw.random() < 0.95 else self.anybody()

    # What honest people do.

    def invite(self) -> None:
        by, whom = self.admin(), self.anybody()
        if by.identity != whom.identity:
            role: Role = self.draw.choice(ROLES)
            self.attempt("invite", lambda: by.invite(role, whom.local))
            self.pass_on(by, whom)

    def let_in(self) -> None:
        by, whom = self.admin(), self.anybody()
        chain = whom.local.chain
        self.attempt("let in", lambda: by.keep(by.admin.let_in(by.now(), chain, by.key())))
        self.pass_on(by, whom)

    def remove(self) -> None:
        """Somebody else, or oneself: also the owner may go."""
        by, whom = self.admin(), self.anybody()
        if by.identity != whom.identity or self.draw.random() < 0.1:
            self.attempt("remove", lambda: by.remove(whom.identity))

    def drop(self) -> None:
        """As when a device was lost, and its person says so."""
        by, whom = self.admin(), self.anybody()
        if by is not whom:
            self.attempt("drop", lambda: by.drop(whom.device))

    def rotate(self) -> None:
        self.attempt("rotate", self.admin().rotate)

    def settle(self) -> None:
        self.attempt("settle", self.admin().settle)

    def publish(self) -> None:
        self.attempt("publish", self.anybody().publish)

    def say(self) -> None:
        node = self.anybody()
        photos = node.album.view.ordered()
        if not photos:
            return
        photo_id, author = self.draw.choice(photos), node.author
        chosen, place = self.draw.random() < 0.7, bytes([self.draw.randrange(256)])
        acts: dict[str, Callable[[], object]] = {
            "comment": lambda: author.comment(node.now(), photo_id, "lovely"),
            "caption": lambda: author.caption(node.now(), photo_id, "a caption"),
            "favourite": lambda: author.favourite(node.now(), photo_id, chosen=chosen),
            "cover": lambda: author.set_cover(node.now(), photo_id),
            "place": lambda: author.place(node.now(), photo_id, place),
            "ask to delete": lambda: author.ask_delete(node.now(), photo_id),
        }
        what = self.draw.choice(list(acts))
        self.attempt(what, acts[what])

    def leave(self) -> None:
        node = self.anybody()
        self.attempt("leave", lambda: node.author.leave(node.now()))

    # What happens to them.

    def part(self) -> None:
        self.world.groups = [self.draw.randrange(3) for _ in PLACES]

    def meet(self) -> None:
        one, other = self.draw.sample(range(COUNT), 2)
        if self.world.groups[one] == self.world.groups[other]:
            self.world.meet(one, other)

    def gather(self) -> None:
        """All of a group meet."""
        group, groups = self.draw.randrange(3), self.world.groups
        self.world.all_meet([number for number in range(COUNT) if groups[number] == group])

    def restart(self) -> None:
        node = self.anybody()
        before = node.everything()
        node.restart()
        assert node.everything() == before
        DONE["restart"] += 1

    def copy(self) -> None:
        """A backup is made of all that a node has."""
        node = self.anybody()
        self.copies[node.device] = node.album.kept(), node.keys.keys()

    def go_back(self) -> None:
        """A node goes on from its backup: what it wrote since, others may have, and it does not."""
        node = self.anybody()
        if node.device in self.copies:
            kept, keys = self.copies[node.device]
            node.album = Album.load(kept)
            node.keys = KeyRing(node.album.album_id, keys)
            DONE["went back"] += 1

    def use_the_words(self) -> None:
        """Alice types her 24 words on one of her devices, as when the other one was stolen."""
        one, other = self.draw.sample(self.world.nodes[:2], 2)
        words = Admin(one.album, Person.named("Alice").root, one.identity, one.keys)
        if one.device not in one.album.view.devices:
            return  # what the words make there, it knows
        if self.draw.random() < 0.5:
            self.attempt("words", lambda: one.keep(words.drop(one.now(), other.device, one.key())))
        else:
            chain = other.local.chain
            self.attempt("words", lambda: one.keep(words.let_in(one.now(), chain, one.key())))

    def heal(self) -> None:
        self.world.check()

    # What removed devices try: all that they have is signed by a key that was in the album once.

    def slip_a_photo_in(self) -> None:
        if (found := self.thief_and_other()) is None:
            return
        thief, to, removal = found
        feeds, graph = thief.album.feeds, thief.album.graph
        known = [epoch.key_id for _, epoch in graph.all_epochs() if epoch.key_id in thief.keys]
        if not known:
            return
        seen, key_id = self.draw.choice(graph.entries), self.draw.choice(known)
        mine = [each for each in feeds.entries.values() if each.device == thief.device]
        last = self.draw.choice([*mine, None])
        record = record_by(thief.local, self.world.entropy(16))
        wrapped = thief.keys.wrap_photo(key_id, record, FILE_KEYS)
        entry = FeedEntry.sign(
            thief.local.signing, thief.identity, thief.album.album_id,
            last.seq + 1 if last else 0, last.digest if last else b"", [seen.digest], 0,
            Photo(record, key_id, wrapped, Certificates()),
        )  # fmt: skip
        self.slip_in(to, entry, removal)

    def slip_an_entry_of_the_log_in(self) -> None:
        if (found := self.thief_and_other()) is None:
            return
        thief, to, removal = found
        parent = self.draw.choice(thief.album.graph.entries)
        ops = self.evil_ops(thief, parent)
        entry = LogEntry.sign(
            thief.local.signing, thief.identity, thief.album.album_id,
            parent.seq + 1, [parent.digest], 0, ops,
        )  # fmt: skip
        self.slip_in(to, entry, removal)

    def evil_ops(self, thief: Node, parent: LogEntry) -> list[Op]:
        graph, victim = thief.album.graph, self.anybody()
        wraps = WrapSet.seal(
            Secret(self.world.entropy(32)), graph.album, [parent.digest], thief.device,
            [Recipient(each.device, each.local.kem.public) for each in self.world.nodes],
        )  # fmt: skip
        grant = graph.grant_for(thief.identity)
        evil: list[Op] = [Remove(victim.identity, ()), Drop(victim.device, ()), wraps.epoch()]
        if thief.identity == graph.owner or (grant is not None and len(grant.links) < 4):
            again = Capability.grant(
                thief.local.signing, thief.identity, Audience("identity", thief.identity),
                Caveats(album=graph.album, operations=OPERATIONS["admin"]),
                self.world.entropy(16), grant if thief.identity != graph.owner else None,
            )  # fmt: skip
            evil.append(Member(thief.identity, "admin", again, (thief.local.chain,)))
        return [self.draw.choice(evil)]

    def slip_in(self, to: Node, entry: Entry, removal: bytes) -> None:
        try:
            to.album.take(entry)
        except PeerError:
            return
        DONE["slipped in"] += 1
        self.world.forged.append(Forged(entry, removal))

    def thief_and_other(self) -> tuple[Node, Node, bytes] | None:
        """A removed device, another that knows so, and the removal: it is a thief's since then."""
        found: list[tuple[Node, Node, bytes]] = []
        for thief in self.world.nodes:
            for to in self.world.nodes:
                authority = to.album.authority
                removals = authority.removals_of(thief.identity, thief.device)
                if thief is not to and thief.device not in to.album.view.devices:
                    found += [
                        (thief, to, authority.graph.entries[each.entry].digest)
                        for each in list(removals)[-1:]
                    ]
        return self.draw.choice(found) if found else None

    def pass_on(self, by: Node, whom: Node) -> None:
        one, other = self.world.nodes.index(by), self.world.nodes.index(whom)
        if self.world.groups[one] == self.world.groups[other] and one != other:
            self.world.meet(one, other)


STEPS = {
    "invite": 12, "let_in": 8, "remove": 6, "drop": 5, "rotate": 2, "settle": 8,
    "publish": 22, "say": 8, "leave": 1, "part": 3, "meet": 16, "gather": 6, "restart": 4,
    "heal": 3, "copy": 3, "go_back": 2, "use_the_words": 1,
    "slip_a_photo_in": 8, "slip_an_entry_of_the_log_in": 8,
}  # fmt: skip
"""How often each comes, of a hundred or so."""
ROLES: tuple[Role, ...] = ("viewer", "contributor", "contributor", "admin", "admin")


def play(seeds: range, steps: int) -> Counter[str]:
    """So many steps in a world for each seed, and how often what was done."""
    DONE.clear()
    for seed in seeds:
        try:
            with repeatable():
                one = Play(seed)
                for _ in range(steps):
                    one.step()
                one.world.check()
        except Exception as error:
            error.add_note(f"in the world of seed {seed}, after {dict(DONE)}")
            raise
    return DONE


def test_a_thousand_steps_of_seven_devices() -> None:
    done = play(range(10), 100)
    whats = (
        "invite", "let in", "remove", "drop", "words", "publish", "merges", "forks", "shut out",
        "slipped in", "went back", "restart",
    )  # fmt: skip
    assert all(done[what] for what in whats), done


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_twenty_thousand_steps_of_seven_devices() -> None:
    done = play(range(100, 200), 200)
    assert done["slipped in"] > 100


def test_a_seed_makes_the_same_world_again() -> None:
    assert Counter(play(range(1), 60)) == Counter(play(range(1), 60))
