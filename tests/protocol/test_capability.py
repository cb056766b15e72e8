"""Who may do what with which photo: chains that hold, and every way in which one may not."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import MalformedError
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.protocol import limits
from kinlight.protocol.capability import (
    CAPABILITY_DOMAIN,
    OPERATIONS,
    Audience,
    Capability,
    Caveats,
    Request,
)
from kinlight.protocol.errors import (
    BrokenGrantError,
    DeniedError,
    EarlyGrantError,
    ExpiredGrantError,
    OperationDeniedError,
    OtherRenditionError,
    OutOfScopeError,
    UnknownCaveatError,
    UnsupportedGrantError,
    WidenedGrantError,
    WrongAudienceError,
)
from kinlight.protocol.rendition import ORIGINAL, Rendition

from .people import NOW, Person, fixed

PHOTO, OTHER_PHOTO = fixed("photo", 16), fixed("other photo", 16)
VIEW: list[Value] = ["ops", ["view"]]
SHARE: list[Value] = ["ops", ["reshare", "view"]]
PHOTOS: list[Value] = ["photos", [PHOTO]]
ROOT: list[Value] = [SHARE, PHOTOS]
NONE: list[Value] = []


class Chain:
    """Writes chains link by link, also such as `Capability.grant` would not write."""

    def __init__(self) -> None:
        self.links: list[Signed] = []
        self.devices: dict[bytes, bytes] = {}

    def link(
        self,
        issuer: Person,
        audience: Person,
        caveats: Sequence[Value],
        *,
        signer: SigningKey | None = None,
        kind: str = "identity",
        parent: bytes | None = None,
        domain: bytes = CAPABILITY_DOMAIN,
    ) -> Chain:
        key = signer or issuer.signing_key("phone")
        self.devices.setdefault(key.public, issuer.identity)
        to = audience.identity if kind == "identity" else audience.signing_key("phone").public
        if parent is None:
            parent = self.links[-1].digest() if self.links else b""
        body: Value = [
            1, "cap", parent, issuer.identity, key.public, [kind, to], list(caveats), bytes(16),
        ]  # fmt: skip
        self.links.append(key.sign_value(domain, body))
        return self

    @property
    def encoded(self) -> bytes:
        return encoding.encode([link.to_value() for link in self.links])

    def read(self) -> Capability:
        return Capability.decode(self.encoded)

    def verified(self, author: Person) -> Capability:
        capability = self.read()
        capability.verify(author.identity, self.devices)
        return capability


def request(person: Person, **changes: object) -> Request:
    plain = Request(
        person.identity, person.signing_key("phone").public, PHOTO, "view", "original", NOW
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def root(alice: Person, bob: Person, *caveats: Sequence[Value]) -> Capability:
    """Alice grants Bob; caveats beside `photos` and `ops` in their order."""
    listed: list[Sequence[Value]] = [SHARE, PHOTOS, *caveats]
    ordered = sorted(listed, key=lambda caveat: str(caveat[0]))
    return Chain().link(alice, bob, ordered).verified(alice)


# What is allowed.


def test_a_grant_allows_what_it_says(alice: Person, bob: Person) -> None:
    capability = Capability.grant(
        alice.signing_key("phone"),
        alice.identity,
        Audience("identity", bob.identity),
        Caveats(
            photos=frozenset([PHOTO]),
            operations=frozenset(["view"]),
            before=NOW + 60,
            after=NOW - 60,
            rendition="original",
        ),
        fixed("nonce", 16),
    )
    capability.verify(alice.identity, {alice.signing_key("phone").public: alice.identity})
    capability.allow(request(bob))
    assert capability.expires == NOW + 60
    assert Capability.decode(capability.encoded) == capability


def test_each_condition_is_judged_on_its_own(alice: Person, bob: Person, carol: Person) -> None:
    """All combinations of right and wrong; any wrong one denies, for its own reason."""
    capability = root(alice, bob, ["before", NOW + 1], ["after", NOW], ["rendition", "original"])
    wrong: dict[str, object] = {
        "identity": carol.identity,
        "photo_id": OTHER_PHOTO,
        "operation": "contribute",
        "rendition": "2048",
        "now": NOW + 1,
    }
    reasons = {
        WrongAudienceError,
        OutOfScopeError,
        OperationDeniedError,
        OtherRenditionError,
        ExpiredGrantError,
    }
    seen: set[type[Exception]] = set()
    for count in range(len(wrong) + 1):
        for fields in itertools.combinations(wrong, count):
            asked = request(bob, **{field: wrong[field] for field in fields})
            if not fields:
                capability.allow(asked)
                continue
            with pytest.raises(DeniedError) as caught:
                capability.allow(asked)
            if count == 1:
                seen.add(caught.type)
    assert seen == reasons


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("granted", OPERATIONS)
def test_an_operation_is_allowed_if_it_was_granted(
    granted: str, operation: str, alice: Person, bob: Person
) -> None:
    capability = Chain().link(alice, bob, [["ops", [granted]], PHOTOS]).verified(alice)
    if granted == operation:
        capability.allow(request(bob, operation=operation))
    else:
        with pytest.raises(OperationDeniedError):
            capability.allow(request(bob, operation=operation))


def test_a_grant_ends_exactly_at_before(alice: Person, bob: Person) -> None:
    capability = root(alice, bob, ["before", NOW])
    capability.allow(request(bob, now=NOW - 1))
    with pytest.raises(ExpiredGrantError):
        capability.allow(request(bob, now=NOW))


def test_a_grant_begins_exactly_at_after(alice: Person, bob: Person) -> None:
    capability = root(alice, bob, ["after", NOW])
    capability.allow(request(bob, now=NOW))
    with pytest.raises(EarlyGrantError):
        capability.allow(request(bob, now=NOW - 1))


def test_a_grant_to_an_identity_is_for_all_its_devices(alice: Person, bob: Person) -> None:
    capability = root(alice, bob)
    capability.allow(request(bob, device=bob.signing_key("laptop").public))


def test_a_grant_to_a_device_is_for_that_device_alone(alice: Person, bob: Person) -> None:
    capability = Chain().link(alice, bob, ROOT, kind="device").verified(alice)
    capability.allow(request(bob))
    with pytest.raises(WrongAudienceError):
        capability.allow(request(bob, device=bob.signing_key("laptop").public))


def test_a_device_key_is_no_identity_and_the_other_way_round(alice: Person, bob: Person) -> None:
    phone = bob.signing_key("phone").public
    with pytest.raises(WrongAudienceError):
        root(alice, bob).allow(request(bob, identity=phone, device=bob.identity))
    to_device = Chain().link(alice, bob, ROOT, kind="device").verified(alice)
    with pytest.raises(WrongAudienceError):
        to_device.allow(request(bob, identity=phone, device=bob.identity))


# Conditions that can't be checked here, and such as nobody knows.


@pytest.mark.parametrize(
    "caveat",
    [
        ["album", bytes(16)],
        ["count", 1],
        ["network", "lan"],
        ["network", "moon"],
        ["rendition", 2048, 1, 0, ""],
        ["rendition", "preview"],
        ["rendition", "copy", 2048],
        ["rendition", "copy", 2048, 2, 0, 0],
        ["rendition", "copy", 65_536, 0, 0, 0],
        ["rendition"],
        ["zzz"],
        ["faces", 1, [1, [2]]],
    ],
    ids=str,
)
def test_a_condition_that_can_not_be_checked_denies(
    caveat: list[Value], alice: Person, bob: Person
) -> None:
    capability = root(alice, bob, caveat)
    with pytest.raises(UnknownCaveatError) as caught:
        capability.allow(request(bob))
    named = str(caveat[0])
    assert (named in str(caught.value)) == (len(caveat) == 2 and caveat[1] in (bytes(16), 1, "lan"))


def test_an_operation_that_is_not_known_denies_all(alice: Person, bob: Person) -> None:
    for names in (["comment", "view"], ["a", "b", "c", "d", "view"]):
        capability = Chain().link(alice, bob, [["ops", list(names)], PHOTOS]).verified(alice)
        with pytest.raises(UnknownCaveatError):
            capability.allow(request(bob))


def test_an_unknown_condition_of_any_link_denies(alice: Person, bob: Person, carol: Person) -> None:
    chain = Chain().link(alice, bob, [["network", "lan"], *ROOT]).link(bob, carol, [VIEW])
    with pytest.raises(UnknownCaveatError):
        chain.verified(alice).allow(request(carol))


def test_what_can_not_be_checked_is_not_granted(alice: Person, bob: Person) -> None:
    with pytest.raises(UnsupportedGrantError):
        Capability.grant(
            alice.signing_key("phone"),
            alice.identity,
            Audience("identity", bob.identity),
            Caveats(frozenset([PHOTO]), frozenset(["view"]), unknown="network"),
            bytes(16),
        )


def test_a_first_link_that_is_silent_on_photos_or_operations_is_not_written(
    alice: Person, bob: Person
) -> None:
    for caveats in (
        Caveats(photos=frozenset([PHOTO])),
        Caveats(operations=frozenset(["view"])),
        Caveats(),
    ):
        with pytest.raises(ValueError, match="nothing is allowed tacitly"):
            Capability.grant(
                alice.signing_key("phone"),
                alice.identity,
                Audience("identity", bob.identity),
                caveats,
                bytes(16),
            )


@pytest.mark.parametrize("caveats", [[], [VIEW], [PHOTOS], [["before", NOW + 1], PHOTOS]], ids=str)
def test_a_first_link_that_is_silent_on_photos_or_operations_is_refused(
    caveats: list[Value], alice: Person, bob: Person
) -> None:
    with pytest.raises(BrokenGrantError):
        Chain().link(alice, bob, caveats).verified(alice)


def test_an_empty_list_grants_nothing(alice: Person, bob: Person) -> None:
    none_of_these = Chain().link(alice, bob, [SHARE, ["photos", []]]).verified(alice)
    with pytest.raises(OutOfScopeError):
        none_of_these.allow(request(bob))
    nothing = Chain().link(alice, bob, [["ops", []], PHOTOS]).verified(alice)
    with pytest.raises(OperationDeniedError):
        nothing.allow(request(bob))


# Passing on.


def test_a_grant_may_be_passed_on_and_narrowed(alice: Person, bob: Person, carol: Person) -> None:
    chain = Chain().link(alice, bob, [["before", NOW + 100], *ROOT])
    chain.link(bob, carol, [["before", NOW + 50], VIEW])
    capability = chain.verified(alice)
    capability.allow(request(carol))
    assert capability.expires == NOW + 50
    with pytest.raises(ExpiredGrantError):
        capability.allow(request(carol, now=NOW + 50))
    with pytest.raises(WrongAudienceError):
        capability.allow(request(bob))


def test_grant_writes_a_further_link(alice: Person, bob: Person, carol: Person) -> None:
    first = root(alice, bob)
    second = Capability.grant(
        bob.signing_key("phone"),
        bob.identity,
        Audience("device", carol.signing_key("phone").public),
        Caveats(operations=frozenset(["view"])),
        bytes(16),
        parent=first,
    )
    second.verify(
        alice.identity,
        {
            alice.signing_key("phone").public: alice.identity,
            bob.signing_key("phone").public: bob.identity,
        },
    )
    second.allow(request(carol))


@pytest.mark.parametrize(
    "wider",
    [
        [["before", NOW + 1000]],
        [["after", 0]],
        [["ops", ["contribute", "reshare", "view"]]],
        [["photos", [PHOTO, OTHER_PHOTO]]],
        [["photos", [OTHER_PHOTO]]],
        [["rendition", "original"]],
        [],
    ],
    ids=str,
)
def test_a_further_link_widens_nothing(
    wider: list[Value], alice: Person, bob: Person, carol: Person
) -> None:
    narrow: list[Value] = [
        ["after", NOW - 5],
        ["before", NOW + 5],
        *ROOT,
        ["rendition", "original"],
    ]
    capability = Chain().link(alice, bob, narrow).link(bob, carol, wider).verified(alice)
    for asked in (
        request(carol, now=NOW + 5),
        request(carol, now=NOW - 6),
        request(carol, operation="contribute"),
        request(carol, photo_id=OTHER_PHOTO),
        request(carol, rendition="2048"),
    ):
        with pytest.raises(DeniedError):
            capability.allow(asked)


def test_an_expired_parent_ends_a_fresh_child(alice: Person, bob: Person, carol: Person) -> None:
    chain = Chain().link(alice, bob, [["before", NOW], *ROOT])
    chain.link(bob, carol, [["before", NOW + 1000]])
    with pytest.raises(ExpiredGrantError):
        chain.verified(alice).allow(request(carol))


@pytest.mark.parametrize("operations", [["view"], ["contribute", "view"], []], ids=str)
def test_without_reshare_nothing_is_passed_on(
    operations: list[Value], alice: Person, bob: Person, carol: Person
) -> None:
    chain = Chain().link(alice, bob, [["ops", operations], PHOTOS]).link(bob, carol, [VIEW])
    with pytest.raises(WidenedGrantError):
        chain.verified(alice)


def test_each_link_must_itself_allow_the_next(
    alice: Person, bob: Person, carol: Person, mallory: Person
) -> None:
    """A link silent on operations ends the chain: passing on is never tacit."""
    silent = Chain().link(alice, bob, ROOT).link(bob, carol, []).link(carol, mallory, [VIEW])
    with pytest.raises(WidenedGrantError):
        silent.verified(alice)
    spoken = Chain().link(alice, bob, ROOT).link(bob, carol, [SHARE]).link(carol, mallory, [VIEW])
    spoken.verified(alice).allow(request(mallory))


def test_only_the_audience_passes_on(
    alice: Person, bob: Person, carol: Person, mallory: Person
) -> None:
    with pytest.raises(WidenedGrantError):
        Chain().link(alice, bob, ROOT).link(mallory, carol, [VIEW]).verified(alice)


def test_of_a_grant_to_a_device_only_that_device_passes_on(
    alice: Person, bob: Person, carol: Person
) -> None:
    to_phone = Chain().link(alice, bob, ROOT, kind="device").link(bob, carol, [VIEW])
    to_phone.verified(alice).allow(request(carol))
    by_laptop = Chain().link(alice, bob, ROOT, kind="device")
    by_laptop.link(bob, carol, [VIEW], signer=bob.signing_key("laptop"))
    with pytest.raises(WidenedGrantError):
        by_laptop.verified(alice)


def test_a_chain_back_to_its_beginner_grants_no_more_than_the_first_link(
    alice: Person, bob: Person
) -> None:
    loop = Chain().link(alice, bob, ROOT).link(bob, alice, [SHARE]).link(alice, bob, [SHARE])
    capability = loop.verified(alice)
    capability.allow(request(bob))
    with pytest.raises(OutOfScopeError):
        capability.allow(request(bob, photo_id=OTHER_PHOTO))


def test_a_link_repeated_in_its_own_chain_is_refused(alice: Person) -> None:
    chain = Chain().link(alice, alice, ROOT)
    chain.links.append(chain.links[0])
    with pytest.raises(BrokenGrantError):
        chain.verified(alice)


# Forgery.


def test_only_the_author_begins_a_chain(alice: Person, bob: Person, mallory: Person) -> None:
    with pytest.raises(BrokenGrantError):
        Chain().link(mallory, bob, ROOT).verified(alice)


def test_the_name_of_the_author_under_a_key_of_another_is_refused(
    alice: Person, bob: Person, mallory: Person
) -> None:
    chain = Chain()
    chain.devices[mallory.signing_key("phone").public] = mallory.identity
    chain.link(alice, bob, ROOT, signer=mallory.signing_key("phone"))
    with pytest.raises(BrokenGrantError):
        chain.verified(alice)


def test_a_signer_without_a_certificate_is_refused(alice: Person, bob: Person) -> None:
    chain = Chain().link(alice, bob, ROOT)
    capability = chain.read()
    empty: Mapping[bytes, bytes] = {}
    with pytest.raises(BrokenGrantError):
        capability.verify(alice.identity, empty)


def test_a_changed_link_is_refused(alice: Person, bob: Person) -> None:
    chain = Chain().link(alice, bob, ROOT)
    (link,) = chain.links
    for old, new in ((PHOTO, OTHER_PHOTO), (b"view", b"eiew"), (bob.identity, alice.identity)):
        assert old in link.body
        chain.links = [Signed(link.body.replace(old, new), link.signature)]
        try:
            capability = chain.read()
        except MalformedError:  # `eiew` stands before `reshare`: out of order
            continue
        with pytest.raises(BrokenGrantError):
            capability.verify(alice.identity, chain.devices)


def test_a_link_signed_as_another_type_of_statement_is_refused(alice: Person, bob: Person) -> None:
    with pytest.raises(BrokenGrantError):
        Chain().link(alice, bob, ROOT, domain=b"kinlight/photo1").verified(alice)


def test_a_link_under_another_parent_is_refused(alice: Person, bob: Person, carol: Person) -> None:
    """Bob holds a narrow grant and a wide one, and moves his link from one to the other."""
    wide = Chain().link(alice, bob, [["before", NOW + 9], *ROOT])
    narrow = Chain().link(alice, bob, ROOT).link(bob, carol, [VIEW])
    moved = Chain()
    moved.devices = narrow.devices
    moved.links = [wide.links[0], narrow.links[1]]
    with pytest.raises(WidenedGrantError):
        moved.verified(alice)
    for parent in (b"", bytes(32), wide.links[0].digest()[:31]):
        chain = Chain().link(alice, bob, ROOT).link(bob, carol, [VIEW], parent=parent)
        with pytest.raises(WidenedGrantError):
            chain.verified(alice)


def test_a_first_link_has_no_parent(alice: Person, bob: Person) -> None:
    with pytest.raises(BrokenGrantError):
        Chain().link(alice, bob, ROOT, parent=bytes(32)).verified(alice)


def test_the_end_of_a_chain_is_no_chain(alice: Person, bob: Person, carol: Person) -> None:
    chain = Chain().link(alice, bob, ROOT).link(bob, carol, ROOT)
    chain.links = chain.links[1:]
    for author in (alice, bob):
        with pytest.raises(BrokenGrantError):
            chain.verified(author)


# Size and form.


def test_a_chain_has_one_to_four_links(alice: Person) -> None:
    chain = Chain()
    with pytest.raises(MalformedError):
        chain.read()
    for _ in range(limits.CAPABILITY_DEPTH):
        chain.link(alice, alice, ROOT)
        chain.verified(alice).allow(request(alice))
    chain.link(alice, alice, ROOT)
    with pytest.raises(MalformedError):
        chain.read()


def test_a_link_too_many_is_a_fault_of_who_grants(alice: Person, bob: Person) -> None:
    chain = Chain()
    for _ in range(limits.CAPABILITY_DEPTH):
        chain.link(alice, alice, ROOT)
    with pytest.raises(UnsupportedGrantError):
        Capability.grant(
            alice.signing_key("phone"),
            alice.identity,
            Audience("identity", bob.identity),
            Caveats(),
            bytes(16),
            parent=chain.read(),
        )


def test_a_chain_is_taken_to_8_kib_and_no_further(alice: Person) -> None:
    def of_size(last: int) -> Chain:
        chain = Chain()
        for filler in (3300, 3300, last):
            chain.link(alice, alice, [*ROOT, ["zzz", bytes(filler)]])
        return chain

    spare = limits.CAPABILITY_BYTES - len(of_size(400).encoded)
    assert len(of_size(400 + spare).encoded) == limits.CAPABILITY_BYTES
    assert len(of_size(400 + spare).read().links) == 3
    with pytest.raises(MalformedError):
        of_size(401 + spare).read()


def test_a_link_has_at_most_16_caveats(alice: Person, bob: Person) -> None:
    many: list[Value] = [[f"x{number:02}"] for number in range(limits.CAVEATS - 2)]
    Chain().link(alice, bob, [*ROOT, *many]).verified(alice)
    with pytest.raises(MalformedError):
        Chain().link(alice, bob, [*ROOT, *many, ["x99"]]).read()


def test_a_caveat_lists_at_most_64_photos(alice: Person, bob: Person) -> None:
    ids: list[Value] = [
        bytes(14) + number.to_bytes(2) for number in range(limits.CAVEAT_PHOTOS + 1)
    ]
    capability = Chain().link(alice, bob, [SHARE, ["photos", ids[:-1]]]).verified(alice)
    capability.allow(request(bob, photo_id=ids[-2]))
    with pytest.raises(MalformedError):
        Chain().link(alice, bob, [SHARE, ["photos", ids]]).read()


@pytest.mark.parametrize(
    "caveats",
    [
        [PHOTOS, SHARE],
        [SHARE, SHARE, PHOTOS],
        [*ROOT, ["rendition", "original"], ["rendition", "original"]],
        [*ROOT, ["rendition", "original"], ["rendition", "preview"]],
        [*ROOT, ["rendition", "original", 1]],
        [["before", b"1"], *ROOT],
        [["before", "1"], *ROOT],
        [["before"], *ROOT],
        [["before", 1, 2], *ROOT],
        [["after", NONE], *ROOT],
        [["ops", "view"], PHOTOS],
        [["ops", [1]], PHOTOS],
        [["ops", ["view", "reshare"]], PHOTOS],
        [["ops", ["view", "view"]], PHOTOS],
        [["ops", ["x" * 33]], PHOTOS],
        [["ops", [f"o{n:02}" for n in range(17)]], PHOTOS],
        [SHARE, ["photos", PHOTO]],
        [SHARE, ["photos", [PHOTO[:15]]]],
        [SHARE, ["photos", [PHOTO + b"x"]]],
        [SHARE, ["photos", [PHOTO, PHOTO]]],
        [SHARE, ["photos", sorted([PHOTO, OTHER_PHOTO], reverse=True)]],
        [SHARE, ["photos"]],
        [NONE, *ROOT],
        [[""], *ROOT],
        [["n" * 33], *ROOT],
        [[1], *ROOT],
        [1],
        ["ops"],
    ],
    ids=str,
)
def test_a_caveat_of_another_form_is_refused(
    caveats: list[Value], alice: Person, bob: Person
) -> None:
    with pytest.raises(MalformedError):
        Chain().link(alice, bob, caveats).read()


def body(alice: Person, bob: Person) -> list[Value]:
    key = alice.signing_key("phone").public
    to: Value = ["identity", bob.identity]
    return [1, "cap", b"", alice.identity, key, to, [SHARE, PHOTOS], bytes(16)]


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, 2),
        (1, "cup"),
        (2, bytes(33)),
        (3, bytes(31)),
        (4, bytes(33)),
        (5, ["people", bytes(32)]),
        (5, ["identity", bytes(31)]),
        (5, ["identity"]),
        (5, ["identity", bytes(32), 0]),
        (5, []),
        (6, b""),
        (7, bytes(15)),
        (7, bytes(17)),
    ],
    ids=str,
)
def test_a_link_of_another_form_is_refused(
    position: int, value: Value, alice: Person, bob: Person
) -> None:
    items = body(alice, bob)
    items[position] = value
    signed = alice.signing_key("phone").sign_value(CAPABILITY_DOMAIN, items)
    with pytest.raises(MalformedError):
        Capability.decode(encoding.encode([signed.to_value()]))


def test_a_link_with_items_too_many_or_too_few_is_refused(alice: Person, bob: Person) -> None:
    for items in (body(alice, bob)[:-1], [*body(alice, bob), 0]):
        signed = alice.signing_key("phone").sign_value(CAPABILITY_DOMAIN, items)
        with pytest.raises(MalformedError):
            Capability.decode(encoding.encode([signed.to_value()]))


def test_an_audience_is_never_empty(alice: Person, bob: Person) -> None:
    """A grant to whoever holds it does not exist, in the first link or a later one."""
    items = body(alice, bob)
    for audience in (["identity", b""], ["", b""], []):
        items[5] = list[Value](audience)
        signed = alice.signing_key("phone").sign_value(CAPABILITY_DOMAIN, items)
        with pytest.raises(MalformedError):
            Capability.decode(encoding.encode([signed.to_value()]))


# What was passed on.


def test_a_chain_tells_what_it_was_put_under_and_how_far_it_may_go(
    alice: Person, bob: Person, carol: Person
) -> None:
    first = root(alice, bob, ["max_depth", 2])
    assert (first.parent, first.links_left) == (None, 2)
    second = Capability.grant(
        bob.signing_key("phone"),
        bob.identity,
        Audience("identity", carol.identity),
        Caveats(operations=frozenset(["reshare", "view"])),
        bytes(16),
        first,
    )
    assert (second.parent, second.links_left) == (first, 1)
    narrow = Capability.grant(
        bob.signing_key("phone"),
        bob.identity,
        Audience("identity", carol.identity),
        Caveats(max_depth=0),
        bytes(16),
        first,
    )
    assert narrow.links_left == 0
    assert root(alice, bob).links_left == limits.CAPABILITY_DEPTH - 1


def test_what_a_photo_is_says_its_author_alone(alice: Person, bob: Person, carol: Person) -> None:
    first = root(alice, bob, ["rendition", "copy", 300, 0, 0, 0])
    second = Capability.grant(
        bob.signing_key("phone"),
        bob.identity,
        Audience("identity", carol.identity),
        Caveats(rendition=Rendition(100, location_removed=True)),
        bytes(16),
        first,
    )
    assert second.first_rendition == first.rendition == Rendition(300)
    assert second.rendition == Rendition(100, location_removed=True)
    assert root(alice, bob).first_rendition == ORIGINAL
