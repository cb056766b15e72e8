"""Entries of a backup: what is sealed opens with the words, and nothing else is an entry."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    PeerError,
    SealBrokenError,
)
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import KemKey, seal_to
from kinlight.protocol import backup, limits
from kinlight.protocol.backup import (
    BACKUP_DOMAIN,
    CONTACTS_EACH,
    ContactsBackup,
    KeptContact,
    Opened,
    PhotoBackup,
    newest_contacts,
    open_sealed,
)
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.errors import BrokenGrantError
from kinlight.protocol.opening import LocalDevice

from .people import NOW, Person, fixed
from .photos import KEYS, grant_by, record_by

ALICE, BOB = Person.named("Alice"), Person.named("Bob")
PHONE = ALICE.device()
WORDS_KEM = KemKey(ALICE.words.recovery_kem_seed())
LONGEST = "ü" * (limits.NAME_BYTES // 2) + "x"


def certificates_of(*people: Person) -> Certificates:
    return Certificates(
        tuple(each.certificate(each.signing_key("phone").public) for each in people)
    )


def own_photo() -> PhotoBackup:
    return PhotoBackup(record_by(ALICE), KEYS, b"", certificates_of(ALICE))


def bobs_photo() -> PhotoBackup:
    record = record_by(BOB)
    return PhotoBackup(record, KEYS, grant_by(BOB, ALICE, record).encoded, certificates_of(BOB))


def contact(number: int, name: str = "") -> KeptContact:
    key = SigningKey(Secret(fixed(f"contact {number}")))
    secret = Secret(fixed(f"pair secret {number}"))
    return KeptContact(key.public, name or f"contact {number}", secret, bool(number % 2))


def contacts(count: int, name: str = "") -> list[KeptContact]:
    """So many, in the order in which they are backed up."""
    made = [contact(number, name) for number in range(count)]
    return sorted(made, key=lambda each: each.identity)


CONTACTS = contacts(3)


def opened(entry: backup.Entry, time: int = NOW) -> Opened:
    return open_sealed(backup.seal(PHONE, entry, time), WORDS_KEM, ALICE.identity)


@dataclass
class Draft:
    """An entry as it is written by hand, to be changed in one place."""

    fields: list[Value] = field(default_factory=list[Value])
    version: int = 1
    type: str = "bak"
    device: LocalDevice = PHONE
    named: bytes = PHONE.signing.public
    certificates: Value = field(
        default_factory=lambda: [each.signed.to_value() for each in PHONE.chain.certificates]
    )
    time: Value = NOW
    domain: bytes = BACKUP_DOMAIN
    identity: bytes = ALICE.identity
    kem: bytes = WORDS_KEM.public

    @classmethod
    def of(cls, entry: backup.Entry, **changes: Any) -> Draft:
        return replace(cls(entry.to_value()), **changes)

    def padded(self) -> bytes:
        body: Value = [
            self.version, self.type, self.named, self.certificates, self.time, *self.fields,
        ]  # fmt: skip
        signed = self.device.signing.sign_value(self.domain, body).encode()
        prefixed = len(signed).to_bytes(4) + signed
        return prefixed + bytes(-len(prefixed) % 4096)

    def open(self, padded: bytes | None = None) -> Opened:
        kem = hashlib.sha256(self.kem).digest()
        info = encoding.encode(["kinlight/bak1", self.identity, kem])
        sealed = seal_to(self.kem, info, self.padded() if padded is None else padded)
        return open_sealed(sealed, WORDS_KEM, ALICE.identity)


def test_what_is_written_by_hand_as_the_page_says_is_an_entry() -> None:
    for entry in (own_photo(), bobs_photo(), *ContactsBackup.all_of(CONTACTS)):
        assert Draft.of(entry).open() == Opened(PHONE.signing.public, NOW, entry)


@pytest.mark.parametrize("photo", [own_photo, bobs_photo])
def test_a_photo_reads_back_with_keys_and_papers(photo: Any) -> None:
    entry = photo()
    assert opened(entry) == Opened(PHONE.signing.public, NOW, entry)


@settings(max_examples=30)
@given(
    st.dictionaries(st.integers(0, 30), st.text(max_size=60), max_size=20),
    st.integers(0, 2**63 - 1),
)
def test_contacts_read_back_as_they_are(names: dict[int, str], time: int) -> None:
    named = [contact(number, name) for number, name in names.items()]
    (entry,) = ContactsBackup.all_of(named)
    read = opened(entry, time)
    assert (read.time, read.entry) == (time, entry)
    by_identity = sorted(named, key=lambda each: each.identity)
    assert list(newest_contacts([read])) == by_identity


# Whose words open it, and who signed it.


def test_only_the_words_of_that_identity_open_an_entry() -> None:
    sealed = backup.seal(PHONE, own_photo(), NOW)
    bobs = KemKey(BOB.words.recovery_kem_seed())
    for kem, identity in ((bobs, ALICE.identity), (WORDS_KEM, BOB.identity), (bobs, BOB.identity)):
        with pytest.raises(SealBrokenError):
            open_sealed(sealed, kem, identity)


def test_a_device_of_the_identity_does_not_open_its_own_backup() -> None:
    with pytest.raises(SealBrokenError):
        open_sealed(backup.seal(PHONE, own_photo(), NOW), PHONE.kem, ALICE.identity)


def test_an_entry_moved_to_another_identity_with_the_same_key_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        Draft.of(own_photo(), identity=BOB.identity).open()


def test_nobody_else_can_make_an_entry_though_all_contacts_know_the_key() -> None:
    """Who holds a backup knows for whom it is, and could seal false contacts to it."""
    bob = BOB.device()
    entry = ContactsBackup.all_of([contact(7, "Mum")])[0]
    own = [each.signed.to_value() for each in bob.chain.certificates]
    forged = {
        "with its own papers": Draft.of(
            entry, device=bob, named=bob.signing.public, certificates=own
        ),
        "with hers": Draft.of(entry, device=bob, named=bob.signing.public),
        "with both": Draft.of(
            entry, device=bob, named=bob.signing.public,
            certificates=[*own, *(each.signed.to_value() for each in PHONE.chain.certificates)],
        ),
        "without any": Draft.of(
            entry, device=bob, named=bob.signing.public, certificates=[]
        ),
    }  # fmt: skip
    for draft in forged.values():
        with pytest.raises(BadCertificateError):
            draft.open()
    with pytest.raises(BadSignatureError):
        Draft.of(entry, device=bob).open()


def test_a_device_that_another_device_certified_may_sign() -> None:
    phone, laptop = ALICE.signing_key("phone"), ALICE.signing_key("laptop")
    papers = [
        ALICE.certificate(phone.public, may_certify=True),
        ALICE.certificate(laptop.public, issuer=phone),
    ]
    device = replace(PHONE, signing=laptop)
    draft = Draft.of(own_photo(), device=device, named=laptop.public)
    draft.certificates = [each.signed.to_value() for each in papers]
    assert draft.open().device == laptop.public
    draft.certificates = [papers[1].signed.to_value()]
    with pytest.raises(BadCertificateError):
        draft.open()


def test_a_signature_for_another_type_is_none() -> None:
    with pytest.raises(BadSignatureError):
        Draft.of(own_photo(), domain=b"kinlight/envelope1").open()


# Forms.


def changed(entry: backup.Entry, place: int, value: Value) -> list[Value]:
    fields = entry.to_value()
    fields[place] = value
    return fields


def some_contacts(*contacts: Value, whole: bytes = bytes(32), part: int = 0, parts: int = 1) -> Any:
    return ["contacts", whole, part, parts, list(contacts)]


A_CONTACT = contact(1).to_value()
KEY_VALUES: Value = [[int(kind), key.reveal()] for kind, key in sorted(KEYS.items())]
PAPER: Value = PHONE.chain.certificates[0].signed.to_value()

BAD: dict[str, tuple[Draft, type[PeerError]]] = {
    "version 2": (Draft.of(own_photo(), version=2), MalformedError),
    "an envelope": (Draft.of(own_photo(), type="env"), MalformedError),
    "a device that is no key": (Draft.of(own_photo(), named=bytes(32)), MalformedError),
    "three papers": (Draft.of(own_photo(), certificates=[PAPER] * 3), MalformedError),
    "a paper twice": (Draft.of(own_photo(), certificates=[PAPER] * 2), BadCertificateError),
    "a time of 64 bits": (Draft.of(own_photo(), time=2**63), MalformedError),
    "no kind": (Draft([]), MalformedError),
    "a kind that is not known": (Draft(["album", b""]), MalformedError),
    "a kind alone": (Draft(["photo"]), MalformedError),
    "a field too many": (Draft([*own_photo().to_value(), 0]), MalformedError),
    "contacts with a field too many": (Draft([*some_contacts(), 0]), MalformedError),
    "one key": (Draft(changed(own_photo(), 2, [[1, bytes(32)]])), MalformedError),
    "keys out of order": (
        Draft(changed(own_photo(), 2, [[2, bytes(32)], [1, bytes(32)]])),
        MalformedError,
    ),
    "a grant for a photo of one's own": (
        Draft(changed(own_photo(), 3, bobs_photo().capability)),
        MalformedError,
    ),
    "no grant for another's photo": (Draft(changed(bobs_photo(), 3, b"")), MalformedError),
    "a grant by who may not": (
        Draft(changed(bobs_photo(), 3, grant_by(ALICE, ALICE, record_by(BOB)).encoded)),
        BrokenGrantError,
    ),
    "a grant of 8 KiB and a byte": (
        Draft(changed(bobs_photo(), 3, bytes(limits.CAPABILITY_BYTES + 1))),
        MalformedError,
    ),
    "a photo without papers": (Draft(changed(own_photo(), 4, [])), BadCertificateError),
    "a photo with the papers of another": (
        Draft(changed(own_photo(), 4, bobs_photo().to_value()[4])),
        BadCertificateError,
    ),
    "nine papers": (Draft(changed(own_photo(), 4, [PAPER] * 9)), MalformedError),
    "a part beyond the last": (Draft(some_contacts(part=1)), MalformedError),
    "no parts": (Draft(some_contacts(parts=0)), MalformedError),
    "a digest of 31 bytes": (Draft(some_contacts(whole=bytes(31))), MalformedError),
    "a contact that is none": (Draft(some_contacts(b"contact")), MalformedError),
    "a contact without a secret": (Draft(some_contacts(A_CONTACT[:2])), MalformedError),
    "a contact with more": (Draft(some_contacts([*A_CONTACT, 0])), MalformedError),
    "a contact twice": (Draft(some_contacts(A_CONTACT, A_CONTACT)), MalformedError),
    "contacts out of order": (
        Draft(some_contacts(*[each.to_value() for each in reversed(CONTACTS)])),
        MalformedError,
    ),
    "an identity that is no key": (
        Draft(some_contacts([bytes(32), *A_CONTACT[1:]])),
        MalformedError,
    ),
    "a name of 256 bytes": (
        Draft(some_contacts([A_CONTACT[0], "x" * 256, *A_CONTACT[2:]])),
        MalformedError,
    ),
    "a pair secret of 31 bytes": (
        Draft(some_contacts([*A_CONTACT[:2], bytes(31), 1])),
        MalformedError,
    ),
    "verified twice over": (Draft(some_contacts([*A_CONTACT[:3], 2])), MalformedError),
}


@pytest.mark.parametrize("name", BAD)
def test_an_entry_of_another_form_is_refused(name: str) -> None:
    draft, error = BAD[name]
    with pytest.raises(error):
        draft.open()


def test_what_these_were_before_the_change_is_an_entry() -> None:
    for proper in (own_photo().to_value(), bobs_photo().to_value(), some_contacts(A_CONTACT)):
        assert Draft(proper).open()


def test_padding_is_zeros_up_to_the_next_step_and_nothing_else() -> None:
    draft = Draft.of(own_photo())
    good = draft.padded()
    length = int.from_bytes(good[:4])
    assert draft.open(good).entry == own_photo()
    broken = {
        "not zero": good[:-1] + b"\x01",
        "a step too many": good + bytes(4096),
        "none": good[: 4 + length],
        "a length beyond the end": (len(good)).to_bytes(4) + good[4:],
        "a length of less": (length - 1).to_bytes(4) + good[4:],
        "nothing": b"",
    }
    for padded in broken.values():
        with pytest.raises(MalformedError):
            draft.open(padded)


def test_photos_look_alike_by_their_size_whether_they_came_or_were_made() -> None:
    assert {len(backup.seal(PHONE, entry, NOW)) for entry in (own_photo(), bobs_photo())} == {5232}


_ANY = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=33) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(
    st.sampled_from([own_photo().to_value(), bobs_photo().to_value(), some_contacts(A_CONTACT)]),
    st.integers(0, 6),
    st.lists(_ANY, max_size=6),
)
def test_anything_is_an_entry_or_none_and_never_another_error(
    proper: Sequence[Value], kept: int, items: list[Any]
) -> None:
    with contextlib.suppress(PeerError):
        assert Draft([*proper[:kept], *items]).open()


# Limits.


def test_the_contacts_of_one_entry_fit_with_the_longest_names() -> None:
    assert len(LONGEST.encode()) == limits.NAME_BYTES
    (entry,) = ContactsBackup.all_of(contacts(CONTACTS_EACH, LONGEST))
    sealed = backup.seal(PHONE, entry, NOW)
    assert len(sealed) <= limits.ENVELOPE_BYTES
    assert open_sealed(sealed, WORDS_KEM, ALICE.identity).entry == entry


def test_one_contact_more_makes_a_second_part() -> None:
    known = contacts(CONTACTS_EACH + 1, LONGEST)
    parts = ContactsBackup.all_of(known)
    assert [(each.part, each.parts, len(each.contacts)) for each in parts] == [
        (0, 2, CONTACTS_EACH),
        (1, 2, 1),
    ]
    assert len({each.whole for each in parts}) == 1
    found = newest_contacts(opened(each) for each in reversed(parts))
    assert list(found) == known


def test_an_entry_of_more_contacts_is_refused() -> None:
    values = [each.to_value() for each in contacts(CONTACTS_EACH + 1)]
    assert Draft(some_contacts(*values[:-1])).open()
    with pytest.raises(MalformedError):
        Draft(some_contacts(*values)).open()


def test_what_is_longer_than_an_envelope_is_not_even_opened() -> None:
    for length, error in (
        (limits.ENVELOPE_BYTES, SealBrokenError),
        (limits.ENVELOPE_BYTES + 1, MalformedError),
    ):
        with pytest.raises(error):
            open_sealed(bytes(length), WORDS_KEM, ALICE.identity)


def test_the_largest_photo_entry_fits() -> None:
    """A grant as long as one may be, and papers of eight devices, and two of who signs."""
    people = [BOB, *(Person.named(f"Person {number}") for number in range(7))]
    entry = PhotoBackup(
        record_by(BOB), KEYS, bytes(limits.CAPABILITY_BYTES), certificates_of(*people)
    )
    sealed = backup.seal(PHONE, entry, NOW)
    assert len(sealed) < limits.ENVELOPE_BYTES // 2


# Which contacts count.


def parts_at(time: int, known: Sequence[KeptContact]) -> list[Opened]:
    key = PHONE.signing.public
    return [Opened(key, time, entry) for entry in ContactsBackup.all_of(known)]


MANY = contacts(CONTACTS_EACH + 1)


def test_the_newest_contacts_count_in_whatever_order_they_are_found() -> None:
    old, new = parts_at(NOW, CONTACTS), parts_at(NOW + 1, CONTACTS[:1])
    assert newest_contacts([*old, *new]) == tuple(CONTACTS[:1])
    assert newest_contacts([*new, *old]) == tuple(CONTACTS[:1])


def test_newer_contacts_of_which_a_part_is_missing_do_not_count() -> None:
    old, new = parts_at(NOW, CONTACTS), parts_at(NOW + 1, MANY)
    assert len(newest_contacts([*old, *new])) == len(MANY)
    for part in new:
        assert list(newest_contacts([*old, part])) == CONTACTS


def test_a_part_that_was_left_once_more_still_belongs_to_the_others() -> None:
    first, second = parts_at(NOW, MANY)
    again = replace(second, time=NOW + 1000)
    between = parts_at(NOW + 500, CONTACTS)
    assert len(newest_contacts([first, again, *between])) == len(MANY)


def test_parts_of_different_contacts_make_no_whole() -> None:
    first, _ = parts_at(NOW, MANY)
    _, second = parts_at(NOW + 1, [*MANY[:-1], replace(MANY[-1], name="renamed")])
    assert newest_contacts([first, second]) == ()


def test_parts_that_are_not_what_their_digest_says_do_not_count() -> None:
    (good,) = parts_at(NOW, CONTACTS)
    assert isinstance(good.entry, ContactsBackup)
    wrong = replace(good, time=NOW + 1, entry=replace(good.entry, contacts=()))
    assert newest_contacts([wrong]) == ()
    (older,) = parts_at(NOW - 1, CONTACTS[:1])
    assert newest_contacts([wrong, older]) == (CONTACTS[0],)


def test_without_contacts_there_is_one_part_and_it_counts() -> None:
    none = parts_at(NOW + 1, [])
    assert len(none) == 1
    assert newest_contacts([*parts_at(NOW, CONTACTS), *none]) == ()


def test_photos_are_no_contacts() -> None:
    assert newest_contacts([opened(own_photo())]) == ()


def test_what_is_secret_in_an_entry_does_not_show() -> None:
    for entry in (own_photo(), ContactsBackup.all_of(CONTACTS)[0]):
        shown = repr(opened(entry))
        for secret in (*KEYS.values(), *(each.pair_secret for each in CONTACTS)):
            assert secret.reveal().hex() not in shown
            assert repr(secret.reveal()) not in shown
