from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from kinlight.crypto import encoding, keystore, wrap
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import KeyFileError, WrongPassphraseError, WrongWordsError
from kinlight.crypto.keystore import MAX_FILE_BYTES, MAX_SLOTS, Argon2Cost, KeyFile
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from nacl.pwhash import argon2id

CHEAP = Argon2Cost(8192, 1, 1)
PASSPHRASE = Secret(b"one two three")
WORDS = RecoveryWords(Secret(b"w" * 32))
CONTENT = b"the device's private keys"


@pytest.fixture(scope="module")
def made() -> tuple[KeyFile, Secret]:
    file, store_key = KeyFile.create(CONTENT, os.urandom)
    file = file.with_passphrase(store_key, PASSPHRASE, os.urandom, CHEAP)
    return file.with_recovery_words(store_key, WORDS), store_key


@pytest.fixture(scope="module")
def file(made: tuple[KeyFile, Secret]) -> KeyFile:
    return made[0]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id fails the test if it is reached."""

    def work(*_: object, **__: object) -> None:
        pytest.fail("Argon2id ran")

    monkeypatch.setattr(keystore, "Argon2id", work)


def test_each_slot_gives_out_the_store_key_and_with_it_the_content(
    made: tuple[KeyFile, Secret],
) -> None:
    file, store_key = made
    again = KeyFile.decode(file.encode())
    assert again == file
    assert again.open_with_passphrase(PASSPHRASE) == store_key
    assert again.open_with_recovery_words(WORDS) == store_key
    assert again.content(store_key) == CONTENT


def test_a_wrong_pass_phrase_or_words_open_nothing(file: KeyFile) -> None:
    for wrong in (b"", b"one two three ", b"One two three", b"\xff\xfe", b"one\x00two"):
        with pytest.raises(WrongPassphraseError):
            file.open_with_passphrase(Secret(wrong))
    with pytest.raises(WrongWordsError):
        file.open_with_recovery_words(RecoveryWords(Secret(b"x" * 32)))
    with pytest.raises(KeyFileError):
        file.content(Secret(bytes(32)))


def test_a_file_without_a_slot_is_opened_by_nothing() -> None:
    file, _ = KeyFile.create(CONTENT, os.urandom)
    with pytest.raises(WrongPassphraseError):
        file.open_with_passphrase(PASSPHRASE)
    with pytest.raises(WrongWordsError):
        file.open_with_recovery_words(WORDS)


def test_a_new_pass_phrase_takes_the_place_of_the_old_one(made: tuple[KeyFile, Secret]) -> None:
    file, store_key = made
    new = file.with_passphrase(store_key, Secret(b"new"), os.urandom, CHEAP)
    assert len(new.slots) == 2
    assert new.open_with_passphrase(Secret(b"new")) == store_key
    assert new.open_with_recovery_words(WORDS) == store_key
    with pytest.raises(WrongPassphraseError):
        new.open_with_passphrase(PASSPHRASE)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("caf\u0065\u0301", "caf\u00e9"), ("\ufb01ne", "fine"), ("\uff11\uff12", "12")],
)
def test_one_pass_phrase_typed_in_two_ways_is_the_same(typed: str, meant: str) -> None:
    file, store_key = KeyFile.create(CONTENT, os.urandom)
    file = file.with_passphrase(store_key, Secret(meant.encode()), os.urandom, CHEAP)
    assert file.open_with_passphrase(Secret(typed.encode())) == store_key


def test_bytes_that_are_no_text_are_a_pass_phrase_too() -> None:
    file, store_key = KeyFile.create(CONTENT, os.urandom)
    file = file.with_passphrase(store_key, Secret(b"\xff\x00"), os.urandom, CHEAP)
    assert file.open_with_passphrase(Secret(b"\xff\x00")) == store_key


# Changes from outside.


def test_a_removed_slot_is_noticed(file: KeyFile) -> None:
    passphrase, recovery = file.slots
    with pytest.raises(KeyFileError, match="slots"):
        replace(file, slots=(passphrase,)).open_with_passphrase(PASSPHRASE)
    with pytest.raises(KeyFileError, match="slots"):
        replace(file, slots=(recovery,)).open_with_recovery_words(WORDS)


def test_an_added_or_moved_slot_is_noticed(file: KeyFile) -> None:
    passphrase, recovery = file.slots
    with pytest.raises(KeyFileError, match="slots"):
        replace(file, slots=(recovery, passphrase)).open_with_passphrase(PASSPHRASE)
    stranger, stranger_key = KeyFile.create(b"other", os.urandom)
    stranger = stranger.with_passphrase(stranger_key, Secret(b"mine"), os.urandom, CHEAP)
    planted = replace(file, slots=(stranger.slots[0], recovery))
    with pytest.raises(KeyFileError):
        planted.open_with_passphrase(Secret(b"mine"))
    with pytest.raises(KeyFileError):
        planted.open_with_recovery_words(WORDS)


def test_a_cheaper_cost_in_the_file_opens_nothing(file: KeyFile) -> None:
    passphrase, recovery = file.slots
    changed = replace(passphrase, cost=Argon2Cost(8193, 1, 1))
    with pytest.raises(WrongPassphraseError):
        replace(file, slots=(changed, recovery)).open_with_passphrase(PASSPHRASE)


def test_the_content_of_another_file_is_noticed(made: tuple[KeyFile, Secret]) -> None:
    file, store_key = made
    other, _ = KeyFile.create(b"other", os.urandom)
    with pytest.raises(KeyFileError):
        replace(file, sealed=other.sealed).open_with_passphrase(PASSPHRASE)
    with pytest.raises(KeyFileError):
        replace(file, sealed=other.sealed).content(store_key)


def test_a_changed_byte_anywhere_opens_nothing_and_breaks_nothing(file: KeyFile) -> None:
    data = file.encode()
    refused = 0
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        try:
            again = KeyFile.decode(bytes(changed))
            if all(slot.cost in (None, CHEAP) for slot in again.slots):
                again.open_with_passphrase(PASSPHRASE)
                pytest.fail(f"byte {position}")
        except (KeyFileError, WrongPassphraseError):
            refused += 1
    assert refused > len(data) - 8  # the rest are costs, which would take long to try


@pytest.mark.parametrize("cut", [0, 1, 10, 100, -1])
def test_a_cut_file_is_damaged(file: KeyFile, cut: int) -> None:
    with pytest.raises(KeyFileError):
        KeyFile.decode(file.encode()[:cut])


def test_a_file_is_read_to_the_limit_and_no_further() -> None:
    def padded(length: int) -> bytes:
        return encoding.encode([1, "keys", [], b"x" * length, bytes(32)])

    spare = MAX_FILE_BYTES - len(padded(60_000)) + 60_000
    assert len(padded(spare)) == MAX_FILE_BYTES
    assert KeyFile.decode(padded(spare))
    with pytest.raises(KeyFileError):
        KeyFile.decode(padded(spare + 1))


def forged(*slots: Value) -> bytes:
    return encoding.encode([1, "keys", list(slots), b"sealed", bytes(32)])


def passphrase_slot(*cost: int, salt: bytes = bytes(16)) -> Value:
    return ["passphrase", salt, list(cost), bytes(104)]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "cost",
    [
        (8191, 1, 1),
        (1024 * 1024 + 1, 1, 1),
        (64 * 2**20, 1, 1),
        (2**64 - 1, 1, 1),
        (8192, 0, 1),
        (8192, 11, 1),
        (8192, 1, 0),
        (8192, 1, 9),
        (0, 0, 0),
    ],
)
def test_a_cost_out_of_bounds_is_refused_before_any_work(cost: tuple[int, int, int]) -> None:
    with pytest.raises(KeyFileError, match="cost"):
        KeyFile.decode(forged(passphrase_slot(*cost)))
    file, store_key = KeyFile.create(CONTENT, os.urandom)
    with pytest.raises(KeyFileError, match="cost"):
        file.with_passphrase(store_key, PASSPHRASE, os.urandom, Argon2Cost(*cost))


@pytest.mark.parametrize("cost", [(8192, 1, 1), (1024 * 1024, 10, 8)])
def test_a_cost_at_its_bounds_is_read(cost: tuple[int, int, int]) -> None:
    assert KeyFile.decode(forged(passphrase_slot(*cost))).slots[0].cost == Argon2Cost(*cost)


IMPOSSIBLE_SLOTS: list[list[Value]] = [
    [passphrase_slot(8192, 1, 1, salt=b"")],
    [passphrase_slot(8192, 1, 1, salt=bytes(7))],
    [passphrase_slot(8192, 1, 1, salt=bytes(17))],
    [passphrase_slot(8192, 1)],
    [passphrase_slot(8192, 1, 1, 1)],
    [["recovery", b"", [8192, 1, 1], bytes(104)]],
    [["recovery", bytes(16), [], bytes(104)]],
    [["fido", b"", [], bytes(104)]],
    [["recovery", b"", [], bytes(257)]],
    [["recovery", b"", [], bytes(104), 1]],
    [["recovery", b"", []]],
    [b"recovery"],
    [passphrase_slot(8192, 1, 1), passphrase_slot(1024 * 1024, 10, 1)],
    [["recovery", b"", [], bytes(104)]] * (MAX_SLOTS + 1),
]


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("slots", IMPOSSIBLE_SLOTS)
def test_a_slot_of_another_shape_is_damage(slots: list[Value]) -> None:
    with pytest.raises(KeyFileError):
        KeyFile.decode(forged(*slots))


@pytest.mark.parametrize(
    "change",
    [
        lambda: encoding.encode([2, "keys", [], b"", bytes(32)]),
        lambda: encoding.encode([1, "other", [], b"", bytes(32)]),
        lambda: encoding.encode([1, "keys", [], b"", bytes(31)]),
        lambda: encoding.encode([1, "keys", [], b"", bytes(32), 0]),
        lambda: encoding.encode([1, "keys", b"", b"", bytes(32)]),
    ],
)
def test_a_file_of_another_shape_is_damage(change: Callable[[], bytes]) -> None:
    with pytest.raises(KeyFileError):
        KeyFile.decode(change())


def test_the_default_cost_is_this() -> None:
    cost = Argon2Cost().check()
    assert (cost.memory_kib, cost.passes, cost.lanes) == (256 * 1024, 3, 4)


def test_the_pass_phrase_key_is_that_of_libsodium() -> None:
    cost, salt = Argon2Cost(16 * 1024, 2, 1), bytes(range(16))
    file, store_key = KeyFile.create(CONTENT, os.urandom)
    file = file.with_passphrase(store_key, PASSPHRASE, lambda _: salt, cost)
    key = argon2id.kdf(32, PASSPHRASE.reveal(), salt, opslimit=2, memlimit=16 * 2**20)
    wrapped = file.slots[0].wrapped
    assert wrap.unwrap(Secret(key), b"kinlight/slot1\x00passphrase", wrapped) == store_key.reveal()


def test_nothing_secret_shows(made: tuple[KeyFile, Secret]) -> None:
    file, store_key = made
    assert store_key.reveal().hex() not in repr(file)
    with pytest.raises(WrongPassphraseError) as caught:
        file.open_with_passphrase(Secret(b"hunter2"))
    assert "hunter2" not in str(caught.value)
