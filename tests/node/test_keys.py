from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest
from kinlight.crypto.errors import KeyFileError, WrongPassphraseError, WrongWordsError
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node import keys
from kinlight.node.errors import HomeExistsError, HomeUnusableError, NoHomeError
from kinlight.node.home import Home

from .nodes import CHEAP, NOW, PASSPHRASE, make_home


def test_the_pass_phrase_opens_what_was_made(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna's laptop")
    opened = keys.unlock(home, PASSPHRASE)
    assert opened.device.name == "Anna's laptop"
    assert opened.device.chain.device == opened.device.signing.public
    assert opened.device.chain.kem == opened.device.kem.public


def test_the_recovery_words_open_the_same(tmp_path: Path) -> None:
    home, words = make_home(tmp_path, "Anna")
    by_words, by_phrase = keys.unlock(home, words), keys.unlock(home, PASSPHRASE)
    assert by_words.device.identity == by_phrase.device.identity
    assert by_words.library_key.reveal() == by_phrase.library_key.reveal()


def test_keys_for_different_uses_differ(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    opened = keys.unlock(home, PASSPHRASE)
    different = {
        opened.store_key.reveal(), opened.library_key.reveal(), opened.fingerprint_key.reveal(),
    }  # fmt: skip
    assert len(different) == 3


def test_a_wrong_phrase_or_other_words_open_nothing_and_change_nothing(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    before = home.keys.read_bytes()
    with pytest.raises(WrongPassphraseError):
        keys.unlock(home, Secret(b"open sesame"))
    with pytest.raises(WrongWordsError):
        keys.unlock(home, RecoveryWords(Secret(bytes(32))))
    assert home.keys.read_bytes() == before


def test_if_the_words_can_not_be_shown_there_is_no_node(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    def fail(_: RecoveryWords) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        keys.create(
            home, PASSPHRASE, "Anna", entropy=secrets.token_bytes, now=NOW, cost=CHEAP, show=fail
        )
    assert not home.exists
    assert not list(home.path.glob(".keys*"))
    make_home(home.path, "Anna")


def test_a_second_node_is_not_made_over_the_first(tmp_path: Path) -> None:
    home, _ = make_home(tmp_path, "Anna")
    before = home.keys.read_bytes()
    with pytest.raises(HomeExistsError):
        make_home(tmp_path, "Bob")
    assert home.keys.read_bytes() == before


def test_the_key_file_is_for_this_user_only_and_tells_nothing(tmp_path: Path) -> None:
    home, words = make_home(tmp_path, "Annabella")
    content = home.keys.read_bytes()
    opened = keys.unlock(home, PASSPHRASE)
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o600
    for text in (
        b"Annabella", PASSPHRASE.reveal(), opened.store_key.reveal(),
        words.root_seed().reveal(), opened.device.identity,
    ):  # fmt: skip
        assert text not in content
    assert "Secret" in repr(opened)
    assert opened.store_key.reveal().hex() not in repr(opened)


def test_without_a_key_file_there_is_no_node(tmp_path: Path) -> None:
    with pytest.raises(NoHomeError):
        keys.unlock(Home(tmp_path), PASSPHRASE)


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_key_file_opens_nothing(tmp_path: Path, seed: int) -> None:
    home, words = make_home(tmp_path, "Anna")
    content = bytearray(home.keys.read_bytes())
    content[seed * len(content) // 12] ^= 0xFF
    home.keys.write_bytes(bytes(content))
    for secret in (PASSPHRASE, words):
        with pytest.raises((KeyFileError, WrongPassphraseError, WrongWordsError)):
            keys.unlock(home, secret)


@pytest.mark.parametrize("content", [b"", b"x", bytes(1000), bytes(70_000)])
def test_a_file_that_is_no_key_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    home, _ = make_home(tmp_path, "Anna")
    home.keys.write_bytes(content)
    with pytest.raises(KeyFileError):
        keys.unlock(home, PASSPHRASE)


def test_a_folder_in_its_place_is_a_home_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "keys.bin").mkdir()
    with pytest.raises(HomeUnusableError):
        keys.unlock(Home(tmp_path), PASSPHRASE)
