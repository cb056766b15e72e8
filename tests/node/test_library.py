from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.errors import LocalError
from kinlight.crypto.identity import DeviceCertificate, issue_kem
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node import database, schema
from kinlight.node.contact_errors import ContactExistsError, NoSuchContactError
from kinlight.node.database import Database
from kinlight.node.errors import (
    DiskFullError,
    HomeUnusableError,
    LibraryDamagedError,
    LockedError,
    NewerLibraryError,
)
from kinlight.node.library import DEVICES_PER_CONTACT, Contact, Delivery, Library, StoredBlob
from kinlight.node.photo_errors import AmbiguousIdError, NoSuchPhotoError
from kinlight.protocol.capability import Audience, Capability, Caveats
from kinlight.protocol.photo import KINDS, Envelope, Metadata, PhotoRecord
from sqlcipher3 import dbapi2 as sqlcipher

from .nodes import NOW
from .people import chain_of, device_of, seed
from .rlimits import files_at_most

KEY = Secret(b"k" * 32)
ANNA, BOB = device_of("Anna"), device_of("Bob")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


@pytest.fixture
def library(path: Path) -> Generator[Library]:
    opened = Library(Database(path, KEY))
    yield opened
    opened.close()


def reopened(path: Path, library: Library) -> Library:
    library.close()
    return Library(Database(path, KEY))


def add(library: Library, name: str, shown: str | None = None) -> Contact:
    return library.add_contact(chain_of(name), shown or name, Secret(name.encode().ljust(32)), NOW)


def manifest(content: bytes, kind: Kind, key: Secret) -> Manifest:
    return blob.seal(BytesIO(content), len(content), BytesIO(), key, kind, bytes(16))


class Picture:
    """A photo by Anna with its papers, and its envelope to Bob."""

    def __init__(self, label: str = "one") -> None:
        self.keys = {kind: Secret(f"{label} {kind}".encode().ljust(32)) for kind in KINDS}
        content = manifest(label.encode(), Kind.ORIGINAL, self.keys[Kind.ORIGINAL])
        described = manifest(b"about " + label.encode(), Kind.METADATA, self.keys[Kind.METADATA])
        nonce = label.encode().ljust(16)[:16]
        self.record = PhotoRecord.sign(
            ANNA.signing, ANNA.identity, nonce, content, described.content_id
        )
        self.id = self.record.photo_id
        self.metadata = Metadata(f"{label}.jpg", "image/jpeg", 12, 34, bytes(32), "original")
        self.blobs = [
            StoredBlob(part.content_id, kind, self.id, part.encode(), self.keys[kind])
            for kind, part in ((Kind.ORIGINAL, content), (Kind.METADATA, described))
        ]
        self.capability = Capability.grant(
            ANNA.signing,
            ANNA.identity,
            Audience("identity", BOB.identity),
            Caveats(photos=frozenset([self.id]), operations=frozenset(["view"])),
            bytes(16),
        )

    def enter(self, library: Library, fingerprint: bytes = b"f") -> None:
        library.add_photo(self.record, self.metadata, self.blobs, fingerprint, NOW)

    def envelope(self) -> Envelope:
        sealed = Envelope.seal(
            ANNA, BOB.signing.public, BOB.kem.public, self.record, self.capability, self.keys,
            ANNA.chain.certificates,
        )  # fmt: skip
        return Envelope.open(sealed, BOB, ANNA.signing.public)


def delivery(photo: bytes, number: int = 1, **changes: object) -> Delivery:
    made = Delivery(
        envelope_hash=number.to_bytes(32), photo_id=photo, identity=BOB.identity,
        device=BOB.signing.public, envelope=b"sealed", expires=None, state="queued",
        code=None, created=NOW, updated=NOW,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


# Opening


def test_a_new_library_is_at_the_newest_version_and_for_this_user_only(
    library: Library, path: Path
) -> None:
    library.set_setting("x", b"1")
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert raw(path, library).execute("PRAGMA user_version").fetchone()[0] == schema.VERSION


def raw(path: Path, library: Library | None = None) -> sqlcipher.Connection:
    """The database as SQLCipher has it."""
    if library is not None:
        library.close()
    connection = sqlcipher.connect(str(path), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{KEY.reveal().hex()}'\"")
    return connection


@pytest.mark.parametrize("version", range(schema.VERSION))
def test_a_library_of_each_older_version_is_brought_up_to_date(path: Path, version: int) -> None:
    connection = raw(path)
    for step in schema.MIGRATIONS[:version]:
        connection.executescript(step)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    library = Library(Database(path, KEY))
    assert add(library, "Anna").name == "Anna"
    library.close()


def test_the_newest_schema_is_that_of_a_step_by_step_migration(path: Path) -> None:
    connection = raw(path)
    for number, step in enumerate(schema.MIGRATIONS, 1):
        connection.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")
    tables = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    other = path.with_name("other.db")
    Library(Database(other, KEY)).close()
    connection = raw(other)
    assert connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall() == (
        tables
    )
    connection.close()


def test_a_library_of_a_newer_version_is_left_alone(path: Path, library: Library) -> None:
    connection = raw(path, library)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerLibraryError):
        Library(Database(path, KEY))
    assert path.read_bytes() == before


def test_a_wrong_key_looks_like_a_damaged_library(path: Path, library: Library) -> None:
    library.close()
    with pytest.raises(LibraryDamagedError):
        Library(Database(path, Secret(b"x" * 32)))


def test_without_the_key_nothing_can_be_read_in_the_file(path: Path, library: Library) -> None:
    add(library, "Anna", "Annabella")
    library.set_setting("setting-name", b"setting-value")
    library.close()
    content = path.read_bytes()
    for text in (b"SQLite format", b"Annabella", b"contacts", b"setting-value", KEY.reveal()):
        assert text not in content


def filled(path: Path) -> bytes:
    library = Library(Database(path, KEY))
    for number in range(20):
        add(library, f"contact {number}")
        Picture(str(number)).enter(library, bytes(32))
    library.close()
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_library_is_said_to_be_damaged(path: Path, seed: int) -> None:
    """One changed byte at a place in any page; nothing else may come of it than that sentence."""
    content = bytearray(filled(path))
    position = (
        int.from_bytes(os.urandom(8)) % len(content) if seed > 20 else (seed * len(content) // 21)
    )
    content[position] ^= 0xFF
    path.write_bytes(bytes(content))
    try:
        library = Library(Database(path, KEY))
    except LibraryDamagedError:
        return
    try:  # a page that is not in use may change
        library.contacts()
        assert len(library.blob_ids()) == 40
        assert all(library.photo(Picture(str(number)).id) for number in range(20))
    except LibraryDamagedError:
        pass
    finally:
        library.close()


@pytest.mark.parametrize("kept", [100, 4096, 5000, -1])
def test_a_library_that_was_cut_off_is_said_to_be_damaged(path: Path, kept: int) -> None:
    content = filled(path)
    path.write_bytes(content[:kept])
    with pytest.raises(LibraryDamagedError):
        Library(Database(path, KEY)).blob_ids()


@pytest.mark.parametrize("content", [b"not a database" * 1000, bytes(8192)])
def test_a_file_that_is_no_library_is_said_to_be_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LibraryDamagedError):
        Library(Database(path, KEY))
    assert path.read_bytes() == content


def test_a_folder_in_its_place_is_a_home_that_can_not_be_used(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LocalError) as refusal:
        Library(Database(path, KEY))
    assert isinstance(refusal.value, HomeUnusableError | LibraryDamagedError)


def test_a_missing_folder_is_a_home_that_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusableError):
        Library(Database(tmp_path / "missing" / "library.db", KEY))


def test_a_closed_library_is_locked(library: Library) -> None:
    library.close()
    with pytest.raises(LockedError):
        library.contacts()
    with pytest.raises(LockedError):
        library.set_setting("x", b"1")
    library.close()


def test_a_full_disk_is_named_and_nothing_is_half_written(path: Path, library: Library) -> None:
    library.set_setting("x", b"before")
    connection = library._db._db  # pyright: ignore[reportPrivateUsage]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    photo = Picture()
    with pytest.raises(DiskFullError):
        library.set_setting("large", bytes(200_000))
    with pytest.raises(DiskFullError):
        library.add_photo(
            photo.record, photo.metadata, [replace(photo.blobs[0], manifest=bytes(200_000))],
            b"f", NOW,
        )  # fmt: skip
    assert library.setting("x") == b"before"
    assert library.photo(photo.id) is None
    assert library.blob_ids() == []
    library.close()
    again = Library(Database(path, KEY))
    again.set_setting("x", b"after")
    assert again.setting("x") == b"after"
    again.close()


def test_what_was_written_is_there_after_opening_again(path: Path, library: Library) -> None:
    library.set_setting("port", b"\x01\x02")
    library.set_setting("port", b"\x03")
    add(library, "Anna")
    library = reopened(path, library)
    assert library.setting("port") == b"\x03"
    assert library.setting("other") is None
    assert library.contact("Anna").identity == ANNA.identity
    library.close()


# Contacts


def test_a_new_contact_is_asked_for_and_trusted_with_nothing(library: Library) -> None:
    contact = add(library, "Anna")
    assert contact == replace(
        contact, name="Anna", added=NOW, verified=False, muted=False, blocked=False, accept="ask"
    )
    assert contact.pinned.identity == ANNA.identity
    assert library.contact_of(ANNA.identity) == contact
    assert library.contact_of(bytes(32)) is None


def test_contacts_are_found_in_any_case_and_listed_by_name(library: Library) -> None:
    for name in ("carol", "Anna", "bob"):
        add(library, name)
    assert [contact.name for contact in library.contacts()] == ["Anna", "bob", "carol"]
    assert library.contact("ANNA").name == "Anna"
    with pytest.raises(NoSuchContactError, match="Dora"):
        library.contact("Dora")


def test_a_name_that_is_taken_gets_a_number(library: Library) -> None:
    names = [add(library, f"p{number}", name).name for number, name in enumerate(
        ("Anna", "anna", "Anna 2", "ANNA", "Änne", "änne")
    )]  # fmt: skip
    assert len({name.casefold() for name in names}) == len(names)
    assert names[:2] == ["Anna", "anna 2"]


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=12))
@settings(max_examples=25)
def test_no_two_contacts_ever_have_one_name(library: Library, names: list[str]) -> None:
    for name in names:
        number = len(library.contacts())
        add(library, f"p{number}", name)
    listed = [contact.name for contact in library.contacts()]
    assert len({name.casefold() for name in listed}) == len(listed)
    for name in listed:
        assert library.contact(name).name == name


def test_a_rename_to_a_name_in_use_changes_nothing(library: Library) -> None:
    add(library, "Anna")
    bob = add(library, "Bob")
    with pytest.raises(ContactExistsError, match="aNNa"):
        library.update_contact(bob.identity, name="aNNa", verified=True)
    assert library.contact_of(bob.identity) == bob


def test_each_setting_of_a_contact_can_be_changed(library: Library) -> None:
    anna = add(library, "Anna")
    bob = add(library, "Bob")
    changes: list[dict[str, object]] = [
        {"name": "Sister"}, {"verified": True}, {"muted": True}, {"blocked": True},
        {"accept": "always"}, {"blocked": False, "muted": False},
    ]  # fmt: skip
    expected = anna
    for change in changes:
        library.update_contact(anna.identity, **change)
        expected = replace(expected, **change)  # type: ignore[arg-type]
        assert library.contact_of(anna.identity) == expected
    assert library.contact_of(bob.identity) == bob


@pytest.mark.parametrize("field", ["pair_secret", "added", "x = 1 --"])
def test_nothing_else_of_a_contact_can_be_changed(library: Library, field: str) -> None:
    anna = add(library, "Anna")
    with pytest.raises(ValueError, match="no field"):
        library.update_contact(anna.identity, **{field: b"x"})
    assert library.contact_of(anna.identity) == anna


def test_pairing_again_renews_the_secret_and_keeps_the_rest(library: Library) -> None:
    anna = add(library, "Anna")
    library.update_contact(anna.identity, name="Sister", verified=True, accept="always")
    again = library.add_contact(chain_of("Anna", "laptop"), "Anna", Secret(b"n" * 32), NOW + 5)
    assert again == replace(
        anna, name="Sister", verified=True, accept="always", pair_secret=again.pair_secret
    )
    assert again.pair_secret.reveal() == b"n" * 32
    assert len(library.devices(anna.identity)) == 2


def test_a_device_that_shows_new_papers_replaces_the_old(library: Library) -> None:
    anna = add(library, "Anna")
    renewed = chain_of("Anna", until=NOW)
    library.put_device(renewed, NOW + 1)
    assert library.devices(anna.identity) == [renewed]


def test_a_contact_that_tells_of_a_device_of_somebody_else_does_not_take_it_away(
    library: Library,
) -> None:
    """Its key and its statement are in papers that everybody has who knows it."""
    anna, mallory = add(library, "Anna"), add(library, "Mallory")
    device = chain_of("Anna")
    root = SigningKey(RecoveryWords(seed("Mallory")).root_seed())
    certificate = DeviceCertificate.issue(
        root, root.public, device.device, not_before=NOW, seq=9, may_certify=False
    )
    kem = issue_kem(device_of("Anna").signing, device.kem)
    stolen = chain_of("Mallory").of_sibling([certificate], kem)
    library.tell_device(stolen)
    assert library.devices(anna.identity) == [device]
    assert stolen not in library.devices(mallory.identity)


def test_of_a_contacts_devices_the_last_seen_are_kept(library: Library) -> None:
    anna = add(library, "Anna")
    for number in range(DEVICES_PER_CONTACT + 4):
        library.put_device(chain_of("Anna", f"device {number}"), NOW + number)
    kept = {chain.device for chain in library.devices(anna.identity)}
    assert len(kept) == DEVICES_PER_CONTACT
    assert chain_of("Anna", f"device {DEVICES_PER_CONTACT + 3}").device in kept
    assert chain_of("Anna", "device 0").device not in kept


# Photos


def test_a_photo_and_its_blobs_come_back_as_they_were(path: Path, library: Library) -> None:
    photo = Picture()
    photo.enter(library, b"print")
    library = reopened(path, library)
    found = library.photo(photo.id)
    assert found is not None
    assert (found.photo_id, found.author, found.added) == (photo.id, ANNA.identity, NOW)
    assert found.record == photo.record
    assert found.metadata == photo.metadata
    for item in photo.blobs:
        stored = library.blob(item.content_id)
        assert stored is not None
        assert replace(stored, key=item.key) == item
        assert stored.key.reveal() == item.key.reveal()
        assert stored.decoded_manifest().encode() == item.manifest
    assert sorted(library.blob_ids()) == sorted(item.content_id for item in photo.blobs)
    assert library.photo(bytes(16)) is None
    assert library.blob(bytes(32)) is None
    library.close()


def test_photos_are_found_by_their_content(library: Library) -> None:
    one, two = Picture("one"), Picture("two")
    one.enter(library, b"same")
    two.enter(library, b"same")
    found = {photo.photo_id for photo in library.photos_like(b"same", ANNA.identity)}
    assert found == {one.id, two.id}
    assert len(library.photos_like(b"same", BOB.identity)) == 2
    assert library.photos_like(b"other", ANNA.identity) == []


def test_entering_a_photo_twice_changes_nothing(library: Library) -> None:
    photo = Picture()
    photo.enter(library)
    photo.metadata = replace(photo.metadata, name="other.jpg")
    photo.enter(library)
    found = library.photo(photo.id)
    assert found is not None
    assert found.metadata.name == "one.jpg"


def test_a_photo_is_found_by_the_beginning_of_its_id(library: Library) -> None:
    photo = Picture()
    photo.enter(library)
    digits = photo.id.hex()
    for length in (1, 2, 7, 31, 32):
        assert library.find_photo_id(digits[:length]) == photo.id
    assert library.find_photo_id(f" {digits[:9].upper()} ") == photo.id


@pytest.mark.parametrize(
    "text", ["", " ", "%", "_", "%%", "g", "0x", "' OR 1=1 --", "a%", "\0", "é", "\u0661"]
)
def test_what_is_no_beginning_of_an_id_finds_nothing(library: Library, text: str) -> None:
    Picture().enter(library)
    with pytest.raises(NoSuchPhotoError):
        library.find_photo_id(text)


@given(st.text(max_size=40))
def test_no_text_finds_a_photo_whose_id_does_not_begin_with_it(library: Library, text: str) -> None:
    photo = Picture()
    photo.enter(library)
    try:
        assert library.find_photo_id(text) == photo.id
        assert photo.id.hex().startswith(text.strip().lower())
    except NoSuchPhotoError:
        pass


def test_an_unclear_beginning_is_refused(library: Library) -> None:
    pictures = [Picture(str(number)) for number in range(17)]
    for picture in pictures:
        picture.enter(library)
    first = [picture.id.hex()[0] for picture in pictures]
    twice = next(digit for digit in first if first.count(digit) > 1)
    with pytest.raises(AmbiguousIdError):
        library.find_photo_id(twice)


# Deliveries


def test_deliveries_come_back_as_they_were(path: Path, library: Library) -> None:
    photo = Picture()
    photo.enter(library)
    add(library, "Bob")
    one = delivery(photo.id, 1, expires=NOW + 9, envelope=bytes(5000))
    two = delivery(photo.id, 2, state="offered", code="busy", created=NOW + 1, updated=NOW + 2)
    library.add_deliveries([one, two])
    library = reopened(path, library)
    one, two = replace(one, number=1), replace(two, number=2)
    assert library.deliveries(photo.id) == [one, two]
    assert library.delivery(one.envelope_hash) == one
    assert library.delivery(bytes(32)) is None
    library.close()


@pytest.mark.parametrize("state", ["delivered", "refused"])
def test_a_final_state_of_a_delivery_stays(library: Library, state: str) -> None:
    photo = Picture()
    photo.enter(library)
    add(library, "Bob")
    item = delivery(photo.id)
    library.add_deliveries([item])
    library.set_delivery_state(item.envelope_hash, "waiting", None, NOW + 1)
    assert library.open_deliveries(BOB.signing.public)
    library.set_delivery_state(item.envelope_hash, state, "gone", NOW + 2)
    for later in ("queued", "offered", "waiting", "delivered", "refused"):
        library.set_delivery_state(item.envelope_hash, later, None, NOW + 3)
    found = library.delivery(item.envelope_hash)
    assert found == replace(item, state=state, code="gone", updated=NOW + 2, number=1)
    assert library.open_deliveries(BOB.signing.public) == []


def test_open_deliveries_are_those_of_one_device_in_the_order_of_the_queue(
    library: Library,
) -> None:
    photo = Picture()
    photo.enter(library)
    add(library, "Bob")
    items = [delivery(photo.id, number, created=NOW - number) for number in range(1, 5)]
    other = delivery(photo.id, 9, device=bytes(32))
    library.add_deliveries([*items, other])
    queued = [replace(item, number=number) for number, item in enumerate(items, 1)]
    assert library.open_deliveries(BOB.signing.public) == queued
    assert library.open_deliveries(BOB.signing.public, after=1, most=2) == queued[1:3]
    assert library.open_deliveries(BOB.signing.public, after=4) == []


def test_a_delivery_of_a_photo_that_is_not_there_is_refused_as_a_whole(library: Library) -> None:
    photo = Picture()
    photo.enter(library)
    add(library, "Bob")
    with pytest.raises(LibraryDamagedError):
        library.add_deliveries([delivery(photo.id, 1), delivery(bytes(16), 2)])
    assert library.deliveries(photo.id) == []


# Offers


def offer(library: Library, photo: Picture, state: str = "waiting", number: int = 1) -> bytes:
    envelope_hash = number.to_bytes(32)
    library.add_offer(envelope_hash, ANNA.identity, photo.envelope(), state, NOW + number)
    return envelope_hash


def test_an_offer_comes_back_as_it_was(path: Path, library: Library) -> None:
    photo = Picture()
    envelope_hash = offer(library, photo)
    library = reopened(path, library)
    found = library.offer(envelope_hash)
    assert found is not None
    assert found.record == photo.record
    assert found.capability == photo.capability.encoded
    assert found.content_key.reveal() == photo.keys[Kind.ORIGINAL].reveal()
    assert found.metadata_key.reveal() == photo.keys[Kind.METADATA].reveal()
    assert (found.photo_id, found.identity, found.device) == (
        photo.id, ANNA.identity, ANNA.signing.public,
    )  # fmt: skip
    assert (found.state, found.code, found.received) == ("waiting", None, NOW + 1)
    assert library.find_photo_id(photo.id.hex()[:8]) == photo.id
    library.close()


def test_the_same_offer_again_changes_nothing(library: Library) -> None:
    photo = Picture()
    envelope_hash = offer(library, photo)
    library.set_offer_state(envelope_hash, "declined", "declined", NOW + 5)
    offer(library, photo)
    found = library.offer(envelope_hash)
    assert found is not None
    assert (found.state, found.code, found.updated) == ("declined", "declined", NOW + 5)


def test_offers_are_listed_and_counted_by_state(library: Library) -> None:
    pictures = [Picture(str(number)) for number in range(5)]
    states = ["waiting", "accepted", "stored", "declined", "refused"]
    hashes = [
        offer(library, picture, state, number)
        for number, (picture, state) in enumerate(zip(pictures, states, strict=True), 1)
    ]
    assert [item.envelope_hash for item in library.offers()] == hashes
    assert library.has_room_for_offers(ANNA.identity, 3)
    assert not library.has_room_for_offers(ANNA.identity, 2)
    assert library.has_room_for_offers(BOB.identity, 1)
    accepted = [item.envelope_hash for item in library.accepted_offers()]
    assert accepted == [hashes[1]]
    assert [i.envelope_hash for i in library.accepted_offers(ANNA.signing.public)] == accepted
    assert library.accepted_offers(bytes(32)) == []


def test_the_offers_of_a_photo_are_listed_the_latest_first(library: Library) -> None:
    photo = Picture()
    hashes = [offer(library, photo, number=number) for number in (1, 2, 3)]
    assert [item.envelope_hash for item in library.offers_of(photo.id)] == hashes[::-1]


def test_a_photo_and_the_end_of_its_offer_are_one_step(library: Library) -> None:
    photo = Picture()
    envelope_hash = offer(library, photo, "accepted")
    library.add_photo(
        photo.record, photo.metadata, photo.blobs, b"f", NOW, stored_offer=envelope_hash
    )
    found = library.offer(envelope_hash)
    assert found is not None
    assert found.state == "stored"


@pytest.mark.parametrize("state", ["", "lost", "delivered"])
def test_a_state_that_does_not_exist_is_refused(library: Library, state: str) -> None:
    envelope_hash = offer(library, Picture())
    with pytest.raises(LibraryDamagedError):
        library.set_offer_state(envelope_hash, state, None, NOW)


def test_secrets_do_not_show_in_what_is_printed(library: Library) -> None:
    photo = Picture()
    offer(library, photo)
    shown = repr([add(library, "Anna"), library.offers(), photo.blobs])
    for key in photo.keys.values():
        assert repr(key.reveal())[2:-1] not in shown
    assert "b'Anna " not in shown


def test_a_database_that_can_not_be_written_is_named(library: Library) -> None:
    with files_at_most(1000), pytest.raises(HomeUnusableError, match="can't be written"):
        library.set_setting("large", bytes(200_000))
    assert library.setting("large") is None


def test_a_quota_that_is_used_up_is_a_full_disk_to_the_library_too(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over_quota(**_: object) -> None:  # SQLite itself says "disk I/O error" and no more
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(database.tempfile, "TemporaryFile", over_quota)
    with files_at_most(1000), pytest.raises(DiskFullError):
        library.set_setting("large", bytes(200_000))
