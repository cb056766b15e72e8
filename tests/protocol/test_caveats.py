"""Each condition of the vocabulary with the facts that it asks about, and what `explain` says."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import MalformedError
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.attributes import Attestation, AttributeDemand, Attributes
from kinlight.protocol.capability import WHOEVER, Audience, Capability, Link, Request
from kinlight.protocol.caveats import NAMES, Caveats
from kinlight.protocol.errors import (
    BrokenGrantError,
    DeniedError,
    MissingAttributeError,
    OperationDeniedError,
    OtherNetworkError,
    OtherRenditionError,
    OutOfScopeError,
    RevokedDeviceError,
    RevokedGrantError,
    StaleRevocationsError,
    UnknownCaveatError,
    UnsupportedGrantError,
    UsedUpGrantError,
    WidenedGrantError,
    WrongAudienceError,
)
from kinlight.protocol.rendition import ORIGINAL, Rendition
from kinlight.protocol.revocation import RevocationList, Revocations, Standing, device_hash

from .people import NOW, Person, fixed
from .test_capability import NONE, OTHER_PHOTO, PHOTO, PHOTOS, SHARE, VIEW, Chain

ALICE, BOB, CAROL, MALLORY = map(Person.named, ("Alice", "Bob", "Carol", "Mallory"))
DEVICES = {
    person.signing_key(device).public: person.identity
    for person in (ALICE, BOB, CAROL, MALLORY)
    for device in ("phone", "laptop")
}
ALBUM = fixed("album", 16)
SMALL = Rendition(2048, location_removed=True)
STRICTEST = Rendition(1, faces_hidden=True, location_removed=True, watermarked=True)
FAMILY = AttributeDemand("role", "family", frozenset([ALICE.identity]))
SCOPE = Caveats(frozenset([PHOTO]), frozenset(["view", "reshare"]))


def granted(
    caveats: Caveats = SCOPE,
    to: Person | Audience = BOB,
    by: Person = ALICE,
    parent: Capability | None = None,
) -> Capability:
    audience = Audience("identity", to.identity) if isinstance(to, Person) else to
    capability = Capability.grant(
        by.signing_key("phone"), by.identity, audience, caveats, fixed("nonce", 16), parent
    )
    capability.verify(ALICE.identity, DEVICES)
    return capability


def scope(**more: Any) -> Caveats:
    return dataclasses.replace(SCOPE, **more)


def asked(person: Person = BOB, **changes: Any) -> Request:
    plain = Request(
        person.identity, person.signing_key("phone").public, PHOTO, "view", STRICTEST, NOW
    )
    return dataclasses.replace(plain, **changes)


def denied(capability: Capability, request: Request, error: type[DeniedError]) -> None:
    with pytest.raises(DeniedError) as caught:
        capability.allow(request)
    assert caught.type is error


def word(
    subject: Person, issuer: Person = ALICE, start: int = NOW, end: int = NOW + 60, **changed: str
) -> Attestation:
    return Attestation.issue(
        issuer.signing_key("phone"), issuer.identity, subject.identity,
        changed.get("name", "role"), changed.get("value", "family"), start, end, bytes(16),
    )  # fmt: skip


def shown(*words: Attestation) -> Attributes:
    return Attributes.verified(words, DEVICES)


def revoked(issuer: Person, *hashes: bytes, as_of: int = NOW, device: str = "phone") -> Revocations:
    found = RevocationList.sign(issuer.signing_key(device), issuer.identity, 1, as_of, hashes)
    return Revocations({issuer.identity: Standing(found)})


# Writing and reading.


def test_every_condition_is_read_as_it_was_written() -> None:
    everything = Caveats(
        photos=frozenset([PHOTO, OTHER_PHOTO]),
        operations=frozenset(["view", "reshare", "contribute"]),
        before=NOW + 1,
        after=NOW - 1,
        rendition=SMALL,
        album=ALBUM,
        attributes=(
            AttributeDemand("club", "chess", frozenset([BOB.identity, ALICE.identity])),
            FAMILY,
        ),
        max_depth=2,
        network="lan",
        count=7,
    )
    value = everything.to_value()
    assert [caveat[0] for caveat in value if isinstance(caveat, list)] == list(NAMES)
    assert Caveats.read(value) == everything
    backwards = dataclasses.replace(everything, attributes=everything.attributes[::-1])
    assert backwards.to_value() == value


def test_a_rendition_without_a_name_is_not_written() -> None:
    with pytest.raises(ValueError, match="no rendition"):
        Caveats(rendition="preview").to_value()


@pytest.mark.parametrize(
    "caveat",
    [
        ["album", bytes(15)],
        ["album", bytes(17)],
        ["album", "summer"],
        ["album"],
        ["attr"],
        ["attr", NONE],
        ["attr", "role"],
        ["attr", ["role", "family", [bytes(32)]]],
        ["attr", [["role", "family", NONE]]],
        ["attr", [["role", "family", [bytes(31)]]]],
        ["attr", [["role", "family", [bytes(32), bytes(32)]]]],
        ["attr", [["role", "", [bytes(32)]]]],
        ["attr", [["Role", "family", [bytes(32)]]]],
        ["attr", [["role", "family", [bytes(32)], 1]]],
        ["attr", [["role", "family", [bytes(32)]], ["role", "family", [b"x" * 32]]]],
        ["attr", [["role", "family", [bytes(32)]], ["club", "x", [bytes(32)]]]],
        ["attr", [["role", "family", [bytes(32)]]], 1],
        ["count", "1"],
        ["count"],
        ["count", 1, 1],
        ["max_depth", limits.CAPABILITY_DEPTH + 1],
        ["max_depth", b""],
        ["network", 1],
        ["network", "lan", "lan"],
        ["network", "l" * 33],
    ],
    ids=str,
)
def test_a_condition_of_another_form_is_refused(caveat: list[Value]) -> None:
    listed: list[Any] = [caveat, SHARE, PHOTOS]
    listed.sort(key=lambda item: item[0])
    with pytest.raises(MalformedError):
        Chain().link(ALICE, BOB, listed).read()


def demands(count: int) -> list[Value]:
    return [[f"a{number}", "x", [bytes(32)]] for number in range(count)]


def issuers(count: int) -> list[Value]:
    return [["role", "family", [bytes([number]) * 32 for number in range(count)]]]


@pytest.mark.parametrize(
    ("write", "limit"),
    [(demands, limits.CAVEAT_ATTRIBUTES), (issuers, limits.ATTRIBUTE_ISSUERS)],
)
def test_demands_and_issuers_are_bounded(write: Callable[[int], list[Value]], limit: int) -> None:
    Caveats.read([["attr", write(limit)]])
    with pytest.raises(MalformedError):
        Caveats.read([["attr", write(limit + 1)]])


_ANY = st.recursive(
    st.integers(0, 2**64 - 1)
    | st.binary(max_size=33)
    | st.sampled_from([*NAMES, "original", "copy", "lan", "view", "role", "x"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=16,
)


@given(st.lists(st.lists(_ANY, min_size=1, max_size=6), max_size=6))
def test_any_list_of_conditions_is_read_or_malformed(items: list[list[Any]]) -> None:
    """Never another exception, and what is understood is written back the same."""
    items.sort(key=lambda item: str(item[0]))
    try:
        found = Caveats.read(items)
    except MalformedError:
        return
    if found.unknown is None:
        assert encoding.encode(found.to_value()) == encoding.encode(items)
    capability = Chain().link(ALICE, BOB, items).read()
    verdict = capability.judge(asked())
    assert found.unknown is None or verdict.code == "grant-unknown-condition"


@given(st.sampled_from(NAMES), st.lists(_ANY, max_size=3))
def test_any_value_of_a_known_condition_is_read_or_malformed(name: str, values: list[Any]) -> None:
    try:
        Caveats.read([[name, *values]])
    except MalformedError:
        return


@given(st.binary(max_size=300), st.lists(_ANY, max_size=10))
def test_any_bytes_are_a_capability_or_malformed(data: bytes, items: list[Any]) -> None:
    body = encoding.encode([1, "cap", *items])
    for encoded in (data, encoding.encode([[body, bytes(64)]])):
        with pytest.raises(MalformedError):
            Capability.decode(encoded)


# Albums, networks, counts.


def test_an_album_is_checked_against_what_the_judge_knows() -> None:
    by_album = granted(Caveats(operations=frozenset(["view"]), album=ALBUM))
    by_album.allow(asked(albums=frozenset([ALBUM, bytes(16)])))
    by_album.allow(asked(albums=frozenset([ALBUM]), photo_id=OTHER_PHOTO))
    denied(by_album, asked(albums=frozenset([bytes(16)])), OutOfScopeError)
    denied(by_album, asked(albums=frozenset[bytes]()), OutOfScopeError)
    denied(by_album, asked(), UnknownCaveatError)


def test_a_grant_for_an_album_and_a_photo_is_for_that_photo_in_that_album() -> None:
    both = granted(scope(album=ALBUM))
    both.allow(asked(albums=frozenset([ALBUM])))
    denied(both, asked(albums=frozenset([ALBUM]), photo_id=OTHER_PHOTO), OutOfScopeError)
    denied(both, asked(albums=frozenset[bytes]()), OutOfScopeError)


def test_a_grant_for_one_album_is_none_for_another_by_delegation() -> None:
    other = fixed("other album", 16)
    one = granted(Caveats(operations=frozenset(["view", "reshare"]), album=ALBUM))
    widened = granted(Caveats(album=other), CAROL, BOB, one)
    denied(widened, asked(CAROL, albums=frozenset([other])), OutOfScopeError)
    widened.allow(asked(CAROL, albums=frozenset([ALBUM, other])))


def test_a_network_is_checked_against_what_the_judge_sees() -> None:
    local = granted(scope(network="lan"))
    local.allow(asked(network="lan"))
    denied(local, asked(network="internet"), OtherNetworkError)
    denied(local, asked(), UnknownCaveatError)


def test_uses_are_counted_only_by_who_counts() -> None:
    twice = granted(scope(count=2))
    for uses in (0, 1):
        twice.allow(asked(uses=uses))
    for uses in (2, 3, 2**64):
        denied(twice, asked(uses=uses), UsedUpGrantError)
    denied(twice, asked(), UnknownCaveatError)
    denied(granted(scope(count=0)), asked(uses=0), UsedUpGrantError)


# Renditions.


def test_what_is_stricter_than_demanded_is_allowed_and_nothing_else() -> None:
    small = granted(scope(rendition=SMALL))
    for given_ in (SMALL, Rendition(2047, location_removed=True), STRICTEST):
        small.allow(asked(rendition=given_))
    for given_ in (ORIGINAL, "original", Rendition(2048), Rendition(2049, location_removed=True)):
        denied(small, asked(rendition=given_), OtherRenditionError)


def test_all_links_together_demand_the_strictest_of_each_field() -> None:
    first = granted(scope(rendition=SMALL))
    hidden = Caveats(operations=frozenset(["view"]), rendition=Rendition(4096, faces_hidden=True))
    both = granted(hidden, CAROL, BOB, first)
    assert both.rendition == Rendition(2048, faces_hidden=True, location_removed=True)
    both.allow(asked(CAROL, rendition=both.rendition))
    for given_ in (SMALL, Rendition(4096, faces_hidden=True), ORIGINAL):
        denied(both, asked(CAROL, rendition=given_), OtherRenditionError)


def test_a_later_link_that_says_original_does_not_give_it() -> None:
    small = granted(scope(rendition=SMALL))
    passed = granted(Caveats(rendition=ORIGINAL), CAROL, BOB, small)
    assert passed.rendition == SMALL
    denied(passed, asked(CAROL, rendition=ORIGINAL), OtherRenditionError)


def test_without_a_demand_the_original_is_allowed_but_no_rendition_without_a_name() -> None:
    plain = granted()
    assert plain.rendition == ORIGINAL
    plain.allow(asked(rendition="original"))
    denied(plain, asked(rendition="preview"), OtherRenditionError)


def test_a_missing_watermark_is_never_served() -> None:
    marked = granted(scope(rendition=Rendition(watermarked=True)))
    denied(marked, asked(rendition=Rendition(1, True, True, False)), OtherRenditionError)


# Depth.


def test_depth_bounds_how_far_a_grant_goes() -> None:
    for allowed, length in itertools.product(range(4), range(1, 5)):
        chain = Chain().link(ALICE, ALICE, [["max_depth", allowed], SHARE, PHOTOS])
        for _ in range(length - 1):
            chain.link(ALICE, ALICE, [SHARE])
        if length - 1 <= allowed:
            chain.verified(ALICE).allow(asked(ALICE))
        else:
            with pytest.raises(WidenedGrantError):
                chain.verified(ALICE)


def test_a_later_link_does_not_deepen() -> None:
    chain = Chain().link(ALICE, BOB, [["max_depth", 1], SHARE, PHOTOS])
    chain.link(BOB, CAROL, [["max_depth", 4], SHARE])
    chain.verified(ALICE)
    chain.link(CAROL, MALLORY, [VIEW])
    with pytest.raises(WidenedGrantError):
        chain.verified(ALICE)


def test_where_no_link_may_follow_resharing_is_denied() -> None:
    ended = granted(scope(max_depth=0))
    ended.allow(asked())
    denied(ended, asked(operation="reshare"), OperationDeniedError)
    open_ = granted(scope(max_depth=1))
    open_.allow(asked(operation="reshare"))
    passed = granted(Caveats(operations=frozenset(["view", "reshare"])), CAROL, BOB, open_)
    denied(passed, asked(CAROL, operation="reshare"), OperationDeniedError)


def test_a_depth_that_no_reader_takes_is_not_written() -> None:
    with pytest.raises(UnsupportedGrantError):
        granted(scope(max_depth=5))


# Attributes.


def test_whoever_meets_the_attributes_may() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    family.allow(asked(BOB, attributes=shown(word(BOB))))
    family.allow(asked(CAROL, attributes=shown(word(BOB), word(CAROL))))
    denied(family, asked(MALLORY, attributes=shown(word(BOB), word(CAROL))), MissingAttributeError)
    denied(family, asked(BOB), MissingAttributeError)


def test_one_may_not_attest_oneself_unless_ones_word_counts() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    own_word = shown(word(MALLORY, MALLORY), word(MALLORY, BOB))
    denied(family, asked(MALLORY, attributes=own_word), MissingAttributeError)


def test_who_passes_on_must_meet_them_and_who_gets_it_need_not() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    passed = granted(Caveats(operations=frozenset(["view"])), CAROL, BOB, family)
    passed.allow(asked(CAROL, attributes=shown(word(BOB))))
    denied(passed, asked(CAROL, attributes=shown(word(CAROL))), MissingAttributeError)
    denied(passed, asked(BOB, attributes=shown(word(BOB))), WrongAudienceError)


def test_an_attribute_may_be_demanded_of_a_named_audience() -> None:
    bob_as_family = granted(scope(attributes=(FAMILY,)))
    bob_as_family.allow(asked(attributes=shown(word(BOB))))
    denied(bob_as_family, asked(), MissingAttributeError)
    denied(bob_as_family, asked(CAROL, attributes=shown(word(CAROL))), WrongAudienceError)


def test_all_demands_must_be_met_and_each_by_its_own_issuers() -> None:
    chess = AttributeDemand("club", "chess", frozenset([CAROL.identity]))
    both = granted(scope(attributes=(FAMILY, chess)), WHOEVER)
    by_carol = word(BOB, CAROL, name="club", value="chess")
    both.allow(asked(attributes=shown(word(BOB), by_carol)))
    for words in (
        [word(BOB)],
        [by_carol],
        [word(BOB, CAROL), by_carol],
        [word(BOB), word(BOB, name="club", value="chess")],
    ):
        denied(both, asked(attributes=shown(*words)), MissingAttributeError)


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOW - 60, NOW), (NOW + 1, NOW + 60), (2**63, 2**63 + 60), (0, 1)],
)
def test_an_attestation_counts_only_in_its_time(start: int, end: int) -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    denied(family, asked(attributes=shown(word(BOB, start=start, end=end))), MissingAttributeError)
    family.allow(asked(now=start, attributes=shown(word(BOB, start=start, end=end))))


def test_a_clock_set_back_ends_what_was_not_valid_then() -> None:
    """Expiry and beginning are judged by one time, so a clock set back does not only help."""
    family = granted(scope(attributes=(FAMILY,), after=NOW), WHOEVER)
    with pytest.raises(DeniedError):
        family.allow(asked(now=NOW - 1, attributes=shown(word(BOB))))


def test_everybody_is_no_audience() -> None:
    for caveats, kind, key in (
        ([SHARE, PHOTOS], "attributes", b""),
        ([["attr", [FAMILY.to_value()]], SHARE, PHOTOS], "attributes", bytes(32)),
        ([["attr", [FAMILY.to_value()]], SHARE, PHOTOS], "identity", b""),
    ):
        body: Value = [
            1, "cap", b"", ALICE.identity, ALICE.signing_key("phone").public, [kind, key],
            caveats, bytes(16),
        ]  # fmt: skip
        signed = ALICE.signing_key("phone").sign_value(b"kinlight/cap1", body)
        with pytest.raises(MalformedError):
            Link.read(signed)


def test_whoever_is_no_audience_of_a_later_link() -> None:
    first = granted()
    with pytest.raises(UnsupportedGrantError):
        granted(scope(attributes=(FAMILY,)), WHOEVER, BOB, first)


def test_the_same_link_begun_anew_is_not_a_middle_one() -> None:
    """A first link for whoever can't be put behind another: it names no parent."""
    first, whoever = granted(), granted(scope(attributes=(FAMILY,)), WHOEVER)
    encoded = encoding.encode([link.signed.to_value() for link in (*first.links, *whoever.links)])
    with pytest.raises(BrokenGrantError):
        Capability.decode(encoded).verify(ALICE.identity, DEVICES)


# Revocation.


def test_a_revoked_link_ends_every_chain_with_it() -> None:
    first = granted()
    second = granted(Caveats(operations=frozenset(["view"])), CAROL, BOB, first)
    root_hash, child_hash = (link.signed.digest() for link in second.links)
    for by, digest in (
        (ALICE, root_hash),
        (ALICE, child_hash),
        (BOB, child_hash),
        (BOB, root_hash),
    ):
        denied(second, asked(CAROL, revocations=revoked(by, digest)), RevokedGrantError)
    for by in (CAROL, MALLORY):
        second.allow(asked(CAROL, revocations=revoked(by, root_hash, child_hash)))
    first.allow(asked(BOB, revocations=revoked(BOB, child_hash)))
    denied(first, asked(BOB, revocations=revoked(ALICE, root_hash)), RevokedGrantError)


def test_a_revoked_parent_ends_a_fresh_child() -> None:
    first = granted(scope(before=NOW + 1000))
    gone = revoked(ALICE, first.links[0].signed.digest(), as_of=0)
    child = granted(Caveats(operations=frozenset(["view"]), after=NOW), CAROL, BOB, first)
    denied(child, asked(CAROL, revocations=gone), RevokedGrantError)


def test_a_revoked_device_neither_asks_nor_grants() -> None:
    plain, phone = granted(), BOB.signing_key("phone").public
    gone = revoked(BOB, device_hash(phone), device="laptop")
    denied(plain, asked(revocations=gone), RevokedDeviceError)
    plain.allow(asked(device=BOB.signing_key("laptop").public, revocations=gone))
    by_gone = revoked(ALICE, device_hash(ALICE.signing_key("phone").public), device="laptop")
    denied(plain, asked(revocations=by_gone), RevokedDeviceError)
    plain.allow(asked(revocations=revoked(ALICE, device_hash(phone))))


def test_a_revoked_attestation_counts_no_more() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    said = word(BOB)
    attributes, digest = shown(said), said.signed.digest()
    gone = revoked(ALICE, digest)
    denied(family, asked(attributes=attributes, revocations=gone), MissingAttributeError)
    family.allow(asked(attributes=attributes, revocations=revoked(CAROL, digest)))
    again = shown(said, word(BOB, end=NOW + 61))
    family.allow(asked(attributes=again, revocations=gone))


@pytest.mark.parametrize(
    "changes",
    [{"rendition": ORIGINAL}, {"operation": "reshare"}, {"operation": "contribute"}],
    ids=str,
)
def test_what_is_sensitive_needs_fresh_lists(changes: dict[str, Any]) -> None:
    every = granted(Caveats(frozenset([PHOTO]), frozenset(["view", "reshare", "contribute"])))
    every.allow(asked(**changes))
    every.allow(asked(revocations=revoked(ALICE), **changes))
    every.allow(asked(revocations=revoked(MALLORY, as_of=0), **changes))
    stale = revoked(ALICE, as_of=NOW - limits.REVOCATIONS_SECONDS)
    denied(every, asked(revocations=stale, **changes), StaleRevocationsError)
    every.allow(asked(revocations=stale))
    mine = dataclasses.replace(stale, own=ALICE.identity)
    every.allow(asked(revocations=mine, **changes))


def test_what_is_sensitive_needs_fresh_lists_of_who_attests() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    by_carol = AttributeDemand("role", "family", frozenset([CAROL.identity, ALICE.identity]))
    either = granted(scope(attributes=(by_carol,)), WHOEVER)
    stale = revoked(CAROL, as_of=0)
    carols = shown(word(BOB, CAROL))
    denied(
        either, asked(attributes=carols, revocations=stale, rendition=ORIGINAL),
        StaleRevocationsError,
    )  # fmt: skip
    either.allow(asked(attributes=carols, revocations=stale))
    both = shown(word(BOB, CAROL), word(BOB))
    either.allow(asked(attributes=both, revocations=stale, rendition=ORIGINAL))
    family.allow(asked(attributes=both, revocations=stale, rendition=ORIGINAL))


# Explaining.


def test_an_answer_names_the_link_the_condition_and_the_facts() -> None:
    first = granted(scope(rendition=SMALL))
    second = granted(Caveats(operations=frozenset(["view"]), before=NOW), CAROL, BOB, first)
    verdict = second.explain(ALICE.identity, DEVICES, asked(CAROL))
    assert (verdict.allowed, verdict.code) == (False, "grant-expired")
    assert (verdict.link, verdict.caveat, verdict.facts) == (1, "before", (("now", NOW),))
    verdict = second.explain(ALICE.identity, DEVICES, asked(CAROL, rendition=ORIGINAL))
    assert (verdict.link, verdict.caveat, verdict.facts) == (
        0, "rendition", (("rendition", ("original",)),),
    )  # fmt: skip


def test_an_allowing_answer_names_all_facts_once() -> None:
    family = granted(scope(attributes=(FAMILY,), before=NOW + 1, after=NOW), WHOEVER)
    verdict = family.judge(asked(attributes=shown(word(BOB))))
    assert verdict.allowed
    assert verdict.facts == (
        ("now", NOW),
        ("photo", PHOTO),
        ("operation", "view"),
        ("role=family", ALICE.identity),
        ("identity", BOB.identity),
    )


def test_why_an_attribute_is_missing_is_said() -> None:
    family = granted(scope(attributes=(FAMILY,)), WHOEVER)
    late, early = word(BOB, start=0, end=1), word(BOB, start=NOW + 1, end=NOW + 2)
    current = word(BOB)
    for words, revocations, reasons in (
        ((), Revocations(), ()),
        ((late, early), Revocations(), ("expired", "not-yet")),
        ((current,), revoked(ALICE, current.signed.digest()), ("revoked",)),
    ):
        request = asked(attributes=shown(*words), revocations=revocations)
        verdict = family.judge(request)
        assert (verdict.caveat, verdict.facts) == ("attr", (("role=family", reasons),))


def test_a_chain_that_is_none_is_explained_too() -> None:
    first = granted()
    stranger = Capability.grant(
        MALLORY.signing_key("phone"), MALLORY.identity, Audience("identity", MALLORY.identity),
        Caveats(operations=frozenset(["view"])), bytes(16), first,
    )  # fmt: skip
    verdict = stranger.explain(ALICE.identity, DEVICES, asked(MALLORY))
    assert (verdict.code, verdict.link, verdict.caveat) == ("grant-passed-on", 1, "succession")
    verdict = first.explain(ALICE.identity, {}, asked())
    assert (verdict.code, verdict.link, verdict.caveat) == ("grant-broken", 0, "signature")
    broken = Capability.decode(
        encoding.encode([Signed(first.links[0].signed.body, bytes(64)).to_value()])
    )
    assert broken.explain(ALICE.identity, DEVICES, asked()).code == "grant-broken"


def test_no_text_of_a_peer_reaches_an_error() -> None:
    evil = Chain().link(ALICE, BOB, [SHARE, PHOTOS, ["zzz-evil", "evil"]]).verified(ALICE)
    with pytest.raises(UnknownCaveatError) as caught:
        evil.allow(asked())
    assert "evil" not in f"{caught.value} {caught.value.args}"
    family = AttributeDemand("evil", "evil", frozenset([ALICE.identity]))
    with pytest.raises(MissingAttributeError) as missing:
        granted(scope(attributes=(family,)), WHOEVER).allow(asked())
    assert "evil" not in f"{missing.value} {missing.value.args}"


def test_a_request_is_judged_the_same_each_time() -> None:
    capability = granted(scope(rendition=SMALL, before=NOW + 5))
    request = asked(rendition=SMALL)
    assert capability.judge(request) == capability.judge(request)
