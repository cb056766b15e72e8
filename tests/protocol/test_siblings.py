"""What devices of one person tell each other: they agree in the end, whoever met whom when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto.errors import BadCertificateError, BadSignatureError, MalformedError
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import TooMuchError
from kinlight.protocol.sibling_kinds import assigned
from kinlight.protocol.sibling_ledger import CUT, Taken, cut_value
from kinlight.protocol.siblings import (
    SiblingRecord,
    absent,
    dots_of,
    moment_of,
    next_moment,
    present,
    seconds_of,
)

from .people import NOW, Person
from .siblings import ALICE, KEYS, NAMES, Device, Family, gather, sibling_record

things = st.sampled_from([("rules", b"a"), ("rules", b"b"), ("tag", b"a"), ("tag", b"b")])
indices = st.integers(0, len(NAMES) - 1)
steps = st.one_of(
    st.tuples(st.just("add"), indices, things, st.text(max_size=3)),
    st.tuples(st.just("remove"), indices, things, st.just("")),
    st.tuples(st.just("hear"), indices, indices, st.integers(0, 3)),
    st.tuples(st.just("meet"), indices, indices, st.just(10_000)),
)


def lived(devices: list[Device], course: list[Any]) -> None:
    """What people do on their devices, and who meets whom in between; a clock for each."""
    clocks = [NOW + 200 * number - 300 for number in range(len(devices))]
    for number, (what, who, first, second) in enumerate(course):
        device, now = devices[int(who)], clocks[int(who)] + number
        if what == "add":
            device.add(*first, second, now=now)
        elif what == "remove":
            device.remove(*first, now=now)
        elif first != who:
            device.hear(devices[int(first)], most=second, now=now)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=40))
def test_all_devices_agree_whoever_met_whom_when_and_wherever_links_broke(
    course: list[Any],
) -> None:
    devices = [Device(name, Family()) for name in NAMES]
    lived(devices, course)
    gather(devices, NOW + 1000)
    first = devices[0].state()
    assert all(device.state() == first for device in devices)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25), st.lists(steps, max_size=15))
def test_those_that_are_left_agree_when_one_was_revoked_whatever_it_went_on_to_say(
    before: list[Any], after: list[Any]
) -> None:
    family = Family()
    devices = [Device(name, family) for name in NAMES]
    lived(devices, before)
    thief, revoker, *others = devices
    revoker.hear(thief, now=NOW + 400)
    lived(devices, after)
    family.revoked.add(thief.key.public)
    revoker.cut(thief)
    left = [revoker, *others]
    gather(left, NOW + 1000)
    cut = revoker.ledger.cut(thief.key.public)
    assert cut is not None
    assert all(device.state() == revoker.state() for device in left)
    for device in left:
        assert device.kept.heads().get(thief.key.public, 0) <= cut


def test_the_later_word_counts() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("rules", b"", "old", now=NOW)
    laptop.add("rules", b"", "new", now=NOW + 1)
    gather([phone, laptop])
    assert phone.value("rules", b"") == laptop.value("rules", b"") == present("new")


def test_who_has_seen_a_word_and_says_another_one_counts_also_with_a_slow_clock() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("rules", b"", "from a fast clock", now=NOW + 200)
    laptop.hear(phone)
    laptop.add("rules", b"", "seen and changed", now=NOW - 200)
    gather([phone, laptop])
    assert phone.value("rules", b"") == present("seen and changed")


def test_a_word_that_two_gave_stays_when_one_of_them_takes_its_own_away() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("tag", b"beach")
    laptop.add("tag", b"beach")
    phone.remove("tag", b"beach", now=NOW + 50)
    gather([phone, laptop])
    assert phone.value("tag", b"beach") is not None


def test_a_word_is_gone_when_who_takes_it_away_has_seen_all_who_gave_it() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("tag", b"beach")
    laptop.add("tag", b"beach")
    gather([phone, laptop])
    phone.remove("tag", b"beach")
    gather([phone, laptop])
    assert phone.value("tag", b"beach") is None
    assert laptop.value("tag", b"beach") is None


def test_a_word_from_the_future_waits_until_it_is_its_time() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("rules", b"", "tomorrow", now=NOW + 86_400)
    assert laptop.hear(phone) == [Taken.LATER]
    assert laptop.value("rules", b"") is None
    assert laptop.hear(phone, now=NOW + 86_400) == [Taken.NEW]


def test_a_word_five_minutes_ahead_is_taken_and_one_further_is_not() -> None:
    device = Device("laptop", Family())
    there = sibling_record("phone", moment=moment_of(NOW + limits.CLOCK_SECONDS + 1) - 1)
    beyond = sibling_record("phone", b"other", moment=moment_of(NOW + limits.CLOCK_SECONDS + 1))
    assert device.ledger.take(there, NOW) is Taken.NEW
    assert device.ledger.take(beyond, NOW) is Taken.LATER


def test_what_a_stolen_device_said_after_it_was_last_trusted_is_void_also_where_it_got_to() -> None:
    family = Family()
    thief, revoker, other = (Device(name, family) for name in NAMES[:3])
    thief.add("rules", b"", "the owner's")
    gather([thief, revoker, other])
    thief.add("rules", b"", "the thief's", now=NOW + 250)
    other.hear(thief)
    assert other.value("rules", b"") == present("the thief's")
    family.revoked.add(thief.key.public)
    revoker.cut(thief)
    gather([revoker, other])
    assert other.value("rules", b"") == present("the owner's")


def test_a_revoked_device_says_nothing_new_also_before_it_is_known_up_to_where_it_counts() -> None:
    family = Family()
    thief, other = Device("phone", family), Device("laptop", family)
    thief.add("rules", b"", "before")
    other.hear(thief)
    family.revoked.add(thief.key.public)
    thief.add("rules", b"", "after", now=NOW + 1)
    assert other.hear(thief) == [Taken.LATER]
    assert other.value("rules", b"") == present("before")


def test_a_device_can_not_say_itself_up_to_where_it_counts() -> None:
    family = Family()
    thief, other = Device("phone", family), Device("laptop", family)
    thief.write(CUT, thief.key.public, cut_value(2**62))
    other.hear(thief)
    family.revoked.add(thief.key.public)
    assert other.ledger.cut(thief.key.public) is None


def test_of_two_that_say_up_to_where_a_device_counts_the_lower_one_is_believed() -> None:
    family = Family()
    thief, one, two = (Device(name, family) for name in NAMES[:3])
    family.revoked.add(thief.key.public)
    one.write(CUT, thief.key.public, cut_value(5))
    two.write(CUT, thief.key.public, cut_value(3), now=NOW + 9)
    gather([one, two])
    assert one.ledger.cut(thief.key.public) == two.ledger.cut(thief.key.public) == 3


def test_a_device_that_claims_that_all_was_sent_is_believed_only_as_far_as_it_was() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    phone.add("rules", b"", "one")
    laptop.hear(phone)
    laptop.ledger.complete({KEYS["phone"].public: 2**62, KEYS["tablet"].public: 2**62}, {})
    phone.add("rules", b"", "two", now=NOW + 1)
    assert laptop.hear(phone) == [Taken.NEW]


def test_a_device_goes_on_after_its_state_was_set_back_without_using_a_moment_again() -> None:
    phone, laptop = Device("phone", Family()), Device("laptop", Family())
    for number in range(5):
        phone.add("rules", b"", str(number))
    laptop.hear(phone)
    restored = Device("phone", Family())
    restored.add("rules", b"", "after the restore", now=NOW + 60)
    gather([restored, laptop], NOW + 60)
    assert laptop.value("rules", b"") == present("after the restore")


def test_records_of_a_device_are_taken_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIBLING_RECORDS", 2)
    device = Device("laptop", Family())
    for number, subject in enumerate((b"a", b"b")):
        made = sibling_record("phone", subject, moment=number + 1)
        assert device.ledger.take(made, NOW) is Taken.NEW
    with pytest.raises(TooMuchError):
        device.ledger.take(sibling_record("phone", b"c", moment=3), NOW)


def test_so_many_devices_may_have_told_something_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SIBLING_DEVICES", 2)
    device = Device("laptop", Family())
    for name in NAMES[:2]:
        device.ledger.take(sibling_record(name), NOW)
    with pytest.raises(TooMuchError):
        device.ledger.take(sibling_record("tablet"), NOW)


# The form.


def papers(*names: str) -> Certificates:
    return Certificates(tuple(ALICE.device(name).chain.certificates[-1] for name in names))


def test_a_record_reads_back_and_verifies() -> None:
    made = sibling_record("phone", b"thing", present("word", 5), moment=77)
    read = SiblingRecord.decode(made.encoded)
    assert read == made
    assert read.dot == (KEYS["phone"].public, 77)
    read.verify(ALICE.identity, papers("phone"))


def test_a_record_by_a_device_without_papers_is_refused() -> None:
    with pytest.raises(BadCertificateError):
        sibling_record("phone").verify(ALICE.identity, papers("laptop"))


def test_a_record_of_another_identity_is_refused() -> None:
    bob = Person.named("Bob")
    with pytest.raises(BadCertificateError):
        sibling_record("phone").verify(bob.identity, papers("phone"))
    made = SiblingRecord.sign(KEYS["phone"], bob.identity, 1, "rules", b"", present())
    with pytest.raises(BadCertificateError):
        Device("laptop", Family()).ledger.take(made, NOW)


def test_a_record_that_somebody_else_signed_is_refused() -> None:
    made = sibling_record("phone")
    forged = Signed(made.signed.body, KEYS["laptop"].sign(b"kinlight/sibling1", made.signed.body))
    with pytest.raises(BadSignatureError):
        SiblingRecord.read(forged).verify(ALICE.identity, papers("phone", "laptop"))


@given(st.data())
def test_a_record_with_any_byte_changed_is_none(data: st.DataObject) -> None:
    encoded = bytearray(sibling_record("phone").encoded)
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedError, BadSignatureError, BadCertificateError)):
        SiblingRecord.decode(bytes(encoded)).verify(ALICE.identity, papers("phone"))


@pytest.mark.parametrize("moment", [0, 2**63])
def test_moments_have_bounds(moment: int) -> None:
    body = [1, "sib", ALICE.identity, KEYS["phone"].public, moment, "rules", b"", present()]
    with pytest.raises(MalformedError):
        SiblingRecord.read(KEYS["phone"].sign_value(b"kinlight/sibling1", body))  # type: ignore[arg-type]


def test_a_value_is_taken_up_to_its_bound_and_no_further() -> None:
    sibling_record("phone", value=bytes(limits.SIBLING_VALUE_BYTES))
    with pytest.raises(MalformedError):
        sibling_record("phone", value=bytes(limits.SIBLING_VALUE_BYTES + 1))


@given(st.integers(0, 2**40), st.lists(st.integers(0, 2**60), max_size=3))
def test_a_moment_is_never_behind_the_clock_nor_behind_what_it_follows(
    now: int, earlier: list[int]
) -> None:
    moment = next_moment(now, *earlier)
    assert seconds_of(moment) >= now
    assert all(moment > each for each in earlier)


def test_what_is_taken_back_is_named() -> None:
    dots = [(KEYS[name].public, 5) for name in NAMES]
    assert dots_of(absent(*dots)) == frozenset(dots)
    assert dots_of(present()) == frozenset()


# Names.

identities = st.binary(min_size=1, max_size=2)


@given(st.dictionaries(identities, st.sampled_from(["Bob", "bob", "Bob 2", "Eve"]), max_size=6))
def test_contacts_are_called_apart_and_everywhere_the_same(wanted: dict[bytes, str]) -> None:
    found = assigned(wanted)
    assert len({name.casefold() for name in found.values()}) == len(wanted)
    assert assigned(dict(reversed(list(wanted.items())))) == found
    for identity, name in wanted.items():
        if sum(other.casefold() == name.casefold() for other in wanted.values()) == 1:
            assert found[identity] == name
