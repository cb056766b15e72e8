"""Records, metadata, and envelopes that are not what they claim to be."""

from __future__ import annotations

import contextlib
import dataclasses
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import blob, encoding
from kinlight.crypto.blob import MAX_CIPHERTEXT_BYTES, Kind
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    PeerError,
    SealBrokenError,
)
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.capability import Audience, Capability, Caveats, Request
from kinlight.protocol.errors import (
    BrokenGrantError,
    UnsupportedGrantError,
    WrongAudienceError,
)
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import (
    RECORD_DOMAIN,
    Envelope,
    Metadata,
    PhotoRecord,
    photo_id,
)

from .people import NOW, Person, fixed
from .photos import KEYS, Draft, envelope_info, grant_by, manifest_of, record_by

# Records.


def test_a_record_is_read_as_it_was_signed(alice: Person) -> None:
    record = record_by(alice)
    assert PhotoRecord.read(record.signed) == record
    assert record.author == alice.identity
    assert record.nonce == fixed("nonce", 16)
    assert record.photo_id == photo_id(alice.identity, record.nonce)
    assert record.blob_id(Kind.ORIGINAL) == manifest_of(5000).content_id
    assert record.blob_id(Kind.METADATA) == fixed("metadata id")


def test_a_photo_id_is_bound_to_its_author(alice: Person, bob: Person) -> None:
    nonce = fixed("nonce", 16)
    assert photo_id(alice.identity, nonce) != photo_id(bob.identity, nonce)
    assert len(photo_id(alice.identity, nonce)) == 16


def test_nobody_makes_a_record_with_the_photo_id_of_another_author(
    alice: Person, mallory: Person
) -> None:
    """Whoever got Alice's photo knows its id and nonce; neither makes an id of his own hers."""
    record = record_by(alice)
    for known in (record.nonce, record.photo_id):
        copied = PhotoRecord.sign(
            mallory.signing_key("phone"),
            mallory.identity,
            known,
            manifest_of(5000),
            record.metadata_id,
        )
        assert PhotoRecord.read(copied.signed).photo_id != record.photo_id


def test_the_sealed_photo_does_not_open_under_a_record_of_another_author(
    alice: Person, mallory: Person
) -> None:
    """Mallory has Alice's photo and its keys, and names her sealed blob as a photo of his own."""
    nonce, key = fixed("nonce", 16), KEYS[Kind.ORIGINAL]
    ciphertext = io.BytesIO()
    manifest = blob.seal(
        io.BytesIO(b"photo"), 5, ciphertext, key, Kind.ORIGINAL, photo_id(alice.identity, nonce)
    )
    for author, opens in ((alice, True), (mallory, False)):
        record = PhotoRecord.sign(
            author.signing_key("phone"), author.identity, nonce, manifest, fixed("metadata id")
        )
        ciphertext.seek(0)
        with contextlib.nullcontext() if opens else pytest.raises(SealBrokenError):
            blob.unseal(ciphertext, io.BytesIO(), key, Kind.ORIGINAL, record.photo_id, 100)


def test_a_record_signed_by_another_key_is_refused(alice: Person, mallory: Person) -> None:
    record = record_by(alice)
    resigned = Signed(
        record.signed.body, mallory.signing_key("phone").sign(RECORD_DOMAIN, record.signed.body)
    )
    with pytest.raises(BadSignatureError):
        PhotoRecord.read(resigned)


@given(st.data())
def test_a_changed_record_is_refused(data: st.DataObject) -> None:
    signed = record_by(Person.named("Alice")).signed
    position = data.draw(st.integers(0, len(signed.body) - 1))
    body = bytearray(signed.body)
    body[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PeerError):
        PhotoRecord.read(Signed(bytes(body), signed.signature))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, 2),
        (1, "phota"),
        (2, bytes(32)),
        (2, bytes(31)),
        (3, bytes(15)),
        (3, bytes(17)),
        (4, 0),
        (4, 2),
        (4, 3),
        (5, bytes(31)),
        (6, 71),
        (6, MAX_CIPHERTEXT_BYTES + 1),
        (6, b""),
        (7, bytes(33)),
        (8, bytes(31)),
    ],
    ids=str,
)
def test_a_record_of_another_form_is_refused(position: int, value: Value, alice: Person) -> None:
    items = encoding.decode(record_by(alice).signed.body, 1000)
    items[position] = value
    with pytest.raises(MalformedError):
        PhotoRecord.read(alice.signing_key("phone").sign_value(RECORD_DOMAIN, items))


@pytest.mark.parametrize("length", [72, MAX_CIPHERTEXT_BYTES])
def test_a_blob_of_any_size_that_can_be_is_recorded(length: int, alice: Person) -> None:
    items = encoding.decode(record_by(alice).signed.body, 1000)
    items[6] = length
    signed = alice.signing_key("phone").sign_value(RECORD_DOMAIN, items)
    assert PhotoRecord.read(signed).ciphertext_length == length


# Metadata.

META = Metadata("IMG 1.jpg", "image/jpeg", 1_700_000_000_000_000_000, 5, bytes(32), "original")


def test_metadata_is_read_as_it_was_written() -> None:
    assert Metadata.decode(META.encode()) == META


@pytest.mark.parametrize(
    ("at", "past"),
    [
        ({"name": "n" * limits.NAME_BYTES}, {"name": "n" * (limits.NAME_BYTES + 1)}),
        ({"name": "é" * 127}, {"name": "é" * 128}),
        (
            {"media_type": "m" * limits.MEDIA_TYPE_BYTES},
            {"media_type": "m" * (limits.MEDIA_TYPE_BYTES + 1)},
        ),
        ({"modified": 2**63 - 1}, {"modified": 2**63}),
        ({"length": limits.PHOTO_BYTES}, {"length": limits.PHOTO_BYTES + 1}),
        ({"sha256": bytes(32)}, {"sha256": bytes(33)}),
        ({"policy": "no-location"}, {"policy": "most"}),
        ({"policy": "clean"}, {"policy": "x" * 17}),
    ],
    ids=str,
)
def test_metadata_is_taken_to_its_limits_and_no_further(
    at: dict[str, object], past: dict[str, object]
) -> None:
    good = dataclasses.replace(META, **at)  # type: ignore[arg-type]
    assert Metadata.decode(good.encode()) == good
    with pytest.raises(MalformedError):
        Metadata.decode(dataclasses.replace(META, **past).encode())  # type: ignore[arg-type]


def test_metadata_of_another_version_or_type_is_refused() -> None:
    items = encoding.decode(META.encode(), 1000)
    for changed in ([2, *items[1:]], [1, "mete", *items[2:]], items[:-1], [*items, 0]):
        with pytest.raises(MalformedError):
            Metadata.decode(encoding.encode(changed))
    with pytest.raises(MalformedError):
        Metadata.decode(bytes(limits.METADATA_BYTES + 1))


# Envelopes.


@pytest.fixture
def draft(alice: Person, bob: Person) -> Draft:
    """A photo by Alice, from her phone to Bob's."""
    record = record_by(alice)
    certificate = alice.certificate(alice.signing_key("phone").public)
    return Draft.of(alice, bob, record, grant_by(alice, bob, record), [certificate])


def test_an_envelope_brings_record_capability_and_keys(
    alice: Person, bob: Person, carol: Person
) -> None:
    record = record_by(alice)
    phone = bob.device()
    sealed = Envelope.seal(
        alice.device(),
        phone.signing.public,
        phone.kem.public,
        record,
        grant_by(alice, bob, record),
        KEYS,
        (alice.certificate(alice.signing_key("phone").public),),
    )
    envelope = Envelope.open(sealed, phone, alice.signing_key("phone").public)
    assert envelope.record == record
    assert envelope.keys == KEYS
    assert envelope.devices == {alice.signing_key("phone").public: alice.identity}
    asked = Request(bob.identity, phone.signing.public, record.photo_id, "view", "original", NOW)
    envelope.capability.allow(asked)
    with pytest.raises(WrongAudienceError):
        envelope.capability.allow(dataclasses.replace(asked, identity=carol.identity))
    assert "photo key" not in repr(envelope)
    assert KEYS[Kind.ORIGINAL].reveal().hex() not in repr(envelope)


def test_the_specification_alone_makes_an_envelope(draft: Draft) -> None:
    envelope = draft.open()
    assert envelope.sender_device == draft.sender.signing.public
    assert envelope.recipient_device == draft.recipient.signing.public


def test_all_small_envelopes_have_one_size(draft: Draft) -> None:
    size = len(draft.seal())
    draft.capability = draft.capability[:1]
    assert len(draft.seal()) == size
    assert (size - 1136) % 4096 == 0


def test_an_envelope_for_another_device_does_not_open(
    draft: Draft, bob: Person, carol: Person
) -> None:
    sealed = draft.seal()
    for device in (bob.device("laptop"), carol.device()):
        with pytest.raises(SealBrokenError):
            Envelope.open(sealed, device, draft.sender.signing.public)


def test_the_kem_key_of_one_device_does_not_open_for_another(draft: Draft, bob: Person) -> None:
    """Bob's laptop lends its KEM key to nobody: the context names device and key."""
    laptop = bob.device("laptop")
    mixed = LocalDevice(laptop.signing, bob.device().kem, laptop.chain, "")
    with pytest.raises(SealBrokenError):
        Envelope.open(draft.seal(), mixed, draft.sender.signing.public)


def test_an_envelope_handed_over_by_another_device_is_refused(
    draft: Draft, alice: Person, mallory: Person
) -> None:
    sealed = draft.seal()
    for device in (alice.signing_key("laptop"), mallory.signing_key("phone")):
        with pytest.raises(BadSignatureError):
            Envelope.open(sealed, draft.recipient, device.public)


def test_an_envelope_sealed_again_to_another_recipient_is_refused(
    draft: Draft, carol: Person
) -> None:
    """Bob opens Alice's envelope and seals what is inside to Carol, in Alice's name."""
    signed = draft.signed()
    padded = len(signed).to_bytes(4) + signed
    padded += bytes(-len(padded) % 4096)
    draft.recipient = carol.device()
    with pytest.raises(SealBrokenError):
        draft.open(padded)


def test_an_envelope_signed_again_by_another_is_not_the_first_senders(
    draft: Draft, mallory: Person
) -> None:
    draft.signer = mallory.signing_key("phone")
    with pytest.raises(BadSignatureError):
        draft.open()


def test_an_envelope_in_the_name_of_another_is_refused(draft: Draft, mallory: Person) -> None:
    draft.named_sender = mallory.signing_key("phone").public
    with pytest.raises(BadSignatureError):
        draft.open()


def test_an_envelope_that_names_another_recipient_is_refused(draft: Draft, carol: Person) -> None:
    draft.named_recipient = carol.signing_key("phone").public
    with pytest.raises(SealBrokenError):
        draft.open()


def _padded(signed: bytes) -> bytes:
    padded = len(signed).to_bytes(4) + signed
    return padded + bytes(-len(padded) % 4096)


def paddings(signed: bytes) -> dict[str, bytes]:
    """Wrong ways to fill up."""
    good = _padded(signed)
    return {
        "nothing": b"",
        "zeros": bytes(4096),
        "no padding": len(signed).to_bytes(4) + signed,
        "too much padding": good + bytes(4096),
        "padding not zero": good[:-1] + b"\x01",
        "length short": (len(signed) - 1).to_bytes(4) + good[4:],
        "length long": (len(signed) + 1).to_bytes(4) + good[4:],
        "length huge": (2**32 - 1).to_bytes(4) + good[4:],
        "length nought": bytes(4) + good[4:],
    }


@pytest.mark.parametrize("fault", paddings(bytes(100)))
def test_padding_of_another_form_is_refused(fault: str, draft: Draft) -> None:
    with pytest.raises(MalformedError):
        draft.open(paddings(draft.signed())[fault])


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [[1, bytes(32)]],
        [[2, bytes(32)]],
        [[2, bytes(32)], [1, bytes(32)]],
        [[1, bytes(32)], [1, bytes(32)]],
        [[1, bytes(32)], [2, bytes(32)], [2, bytes(32)]],
        [[1, bytes(32)], [3, bytes(32)]],
        [[1, bytes(32)], [2, bytes(32)], [3, bytes(32)]],
        [[0, bytes(32)], [1, bytes(32)]],
        [[1, bytes(31)], [2, bytes(32)]],
        [[1, bytes(32)], [2, bytes(33)]],
        [[1, bytes(32)], [2]],
        [[1, bytes(32)], [2, bytes(32), 0]],
        [[1, bytes(32)], b""],
    ],
    ids=lambda keys: str([len(k) if isinstance(k, bytes) else k[:1] for k in keys]),
)
def test_keys_are_one_of_each_kind_in_order(keys: list[Value], draft: Draft) -> None:
    draft.keys = keys
    with pytest.raises(MalformedError):
        draft.open()


def test_without_a_certificate_nothing_is_believed(draft: Draft) -> None:
    draft.certificates = []
    with pytest.raises(BadCertificateError):
        draft.open()


def test_a_certificate_of_another_identity_for_the_device_is_refused(
    draft: Draft, alice: Person, mallory: Person
) -> None:
    """Mallory certifies Alice's device as a device of Mallory's."""
    phone = alice.signing_key("phone").public
    draft.certificates = [mallory.certificate(phone).signed.to_value()]
    with pytest.raises(BadCertificateError):
        draft.open()
    both = [alice.certificate(phone), mallory.certificate(phone)]
    for order in (both, both[::-1]):
        draft.certificates = [certificate.signed.to_value() for certificate in order]
        with pytest.raises(BadCertificateError):
            draft.open()


def test_a_certificate_by_who_may_not_certify_is_refused(draft: Draft, alice: Person) -> None:
    phone, laptop = alice.signing_key("phone"), alice.signing_key("laptop")
    for may_certify in (False, True):
        first = alice.certificate(laptop.public, may_certify=may_certify)
        second = alice.certificate(phone.public, laptop)
        draft.certificates = [first.signed.to_value(), second.signed.to_value()]
        if may_certify:
            assert draft.open().devices[phone.public] == alice.identity
            draft.certificates.reverse()
        with pytest.raises(BadCertificateError):
            draft.open()


def test_certification_is_two_deep_and_no_deeper(draft: Draft, alice: Person) -> None:
    keys = [alice.signing_key(name) for name in ("one", "two", "phone")]
    first = alice.certificate(keys[0].public, may_certify=True)
    second = alice.certificate(keys[1].public, keys[0], may_certify=True)
    third = alice.certificate(keys[2].public, keys[1])
    draft.certificates = [paper.signed.to_value() for paper in (first, second, third)]
    with pytest.raises(BadCertificateError):
        draft.open()


def test_a_device_that_certifies_for_another_identity_is_refused(
    draft: Draft, alice: Person, mallory: Person
) -> None:
    """Mallory's own device, allowed to certify for Mallory, names Alice as the identity."""
    device = mallory.signing_key("phone")
    draft.certificates = [
        mallory.certificate(device.public, may_certify=True).signed.to_value(),
        alice.certificate(alice.signing_key("phone").public, device).signed.to_value(),
    ]
    with pytest.raises(BadCertificateError):
        draft.open()


@pytest.mark.parametrize("count", [limits.ENVELOPE_CERTIFICATES, limits.ENVELOPE_CERTIFICATES + 1])
def test_certificates_are_taken_to_the_limit_and_no_further(
    count: int, draft: Draft, alice: Person
) -> None:
    names = ["phone", *(f"device {number}" for number in range(count - 1))]
    draft.certificates = [
        alice.certificate(alice.signing_key(name).public).signed.to_value() for name in names
    ]
    if count <= limits.ENVELOPE_CERTIFICATES:
        assert len(draft.open().devices) == count
    else:
        with pytest.raises(MalformedError):
            draft.open()


def test_a_photo_of_another_author_needs_a_grant_from_that_author(
    alice: Person, bob: Person, carol: Person
) -> None:
    """Bob passes Alice's photo on to Carol."""
    record = record_by(alice)
    papers = [person.certificate(person.signing_key("phone").public) for person in (alice, bob)]
    allowed = grant_by(alice, bob, record, "reshare", "view")
    passed_on = Capability.grant(
        bob.signing_key("phone"),
        bob.identity,
        Audience("identity", carol.identity),
        Caveats(operations=frozenset(["view"])),
        fixed("nonce", 16),
        parent=allowed,
    )
    envelope = Draft.of(bob, carol, record, passed_on, papers).open()
    assert envelope.record.author == alice.identity

    of_his_own = grant_by(bob, carol, record)
    with pytest.raises(BrokenGrantError):
        Draft.of(bob, carol, record, of_his_own, papers).open()
    with pytest.raises(BadCertificateError):
        Draft.of(bob, carol, record, passed_on, papers[1:]).open()
    with pytest.raises(BrokenGrantError):
        Draft.of(bob, carol, record, passed_on, papers[:1]).open()


def test_a_record_that_claims_another_author_is_refused(
    alice: Person, bob: Person, mallory: Person
) -> None:
    """Mallory signs with a device of Mallory's and writes Alice as the author."""
    items = encoding.decode(record_by(alice).signed.body, 1000)
    phone = mallory.signing_key("phone")
    items[8] = phone.public
    record = PhotoRecord.read(phone.sign_value(RECORD_DOMAIN, items))
    papers = [mallory.certificate(phone.public)]
    with pytest.raises(BadCertificateError):
        Draft.of(mallory, bob, record, grant_by(mallory, bob, record), papers).open()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("kind", "envelope"),
        ("record", []),
        ("record", [b"", bytes(64)]),
        ("record", [bytes(513), bytes(64)]),
        ("capability", b""),
        ("certificates", [b""]),
        ("extra", [0]),
    ],
)
def test_a_body_of_another_form_is_refused(field: str, value: Value, draft: Draft) -> None:
    with pytest.raises(MalformedError):
        dataclasses.replace(draft, **{field: value}).open()  # type: ignore[arg-type]


def test_an_envelope_is_taken_to_the_limit_and_no_further(draft: Draft) -> None:
    with pytest.raises(SealBrokenError):
        Envelope.open(bytes(limits.ENVELOPE_BYTES), draft.recipient, bytes(32))
    with pytest.raises(MalformedError):
        Envelope.open(bytes(limits.ENVELOPE_BYTES + 1), draft.recipient, bytes(32))


@given(st.data())
def test_a_sealed_envelope_changed_anywhere_does_not_open(data: st.DataObject) -> None:
    alice, bob = Person.named("Alice"), Person.named("Bob")
    record = record_by(alice)
    paper = alice.certificate(alice.signing_key("phone").public)
    sealed = bytearray(Draft.of(alice, bob, record, grant_by(alice, bob, record), [paper]).seal())
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBrokenError):
        Envelope.open(bytes(sealed), bob.device(), alice.signing_key("phone").public)


@pytest.mark.parametrize("length", [0, 1, 1119, 1135, 1136, 5231])
def test_a_sealed_envelope_cut_anywhere_does_not_open(length: int, draft: Draft) -> None:
    with pytest.raises(SealBrokenError):
        Envelope.open(draft.seal()[:length], draft.recipient, draft.sender.signing.public)


def test_the_context_names_the_device_and_its_key(bob: Person) -> None:
    assert len({envelope_info(bob.device()), envelope_info(bob.device("laptop"))}) == 2


def test_more_certificates_than_an_envelope_holds_are_not_sealed(
    alice: Person, bob: Person
) -> None:
    record, phone = record_by(alice), bob.device()
    papers = tuple(
        alice.certificate(alice.signing_key(name).public)
        for name in ("phone", *map(str, range(limits.ENVELOPE_CERTIFICATES)))
    )

    def seal(count: int) -> bytes:
        return Envelope.seal(
            alice.device(), phone.signing.public, phone.kem.public, record,
            grant_by(alice, bob, record), KEYS, papers[:count],
        )  # fmt: skip

    opened = Envelope.open(
        seal(limits.ENVELOPE_CERTIFICATES), phone, alice.signing_key("phone").public
    )
    assert opened.certificates.found == papers[:-1]
    with pytest.raises(UnsupportedGrantError):
        seal(limits.ENVELOPE_CERTIFICATES + 1)
