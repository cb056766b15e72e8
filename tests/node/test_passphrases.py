from __future__ import annotations

import stat
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node.errors import BadPassphraseFileError, BadWordsFileError
from kinlight.node.passphrases import FILE_VARIABLE, given, save_words, words_in

WORDS = RecoveryWords(Secret(bytes(range(32))))


def phrase(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    secret = given(path)
    assert secret is not None
    return secret.reveal().decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "phrase"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"open sesame", "open sesame"),
        (b"open sesame\n", "open sesame"),
        (b"open sesame\r\n", "open sesame"),
        (b" spaces \n", " spaces "),
        (b"two\nlines\n", "two\nlines"),
        ("schön\n".encode(), "schön"),
        (b"x" * 4096, "x" * 4096),
    ],
)
def test_the_phrase_is_what_stands_in_the_file_without_its_last_line_end(
    path: Path, content: bytes, expected: str
) -> None:
    assert phrase(path, content) == expected


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"x" * 4097, b"\xff"])
def test_a_file_without_a_usable_phrase_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(BadPassphraseFileError) as refusal:
        phrase(path, content)
    assert "xxx" not in str(refusal.value)


def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BadPassphraseFileError):
            given(path)


def test_the_option_comes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    assert given(None) is None
    named = tmp_path / "named"
    named.write_bytes(b"from the variable")
    monkeypatch.setenv(FILE_VARIABLE, str(named))
    secret = given(None)
    assert secret is not None
    assert secret.reveal() == b"from the variable"
    assert phrase(tmp_path / "option", b"from the option") == "from the option"


# Recovery words


def test_words_that_were_saved_are_read_back_and_are_for_this_user_only(path: Path) -> None:
    save_words(path, WORDS)
    assert words_in(path).phrase() == WORDS.phrase()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_words_are_never_written_over_a_file(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(BadWordsFileError):
        save_words(path, WORDS)
    assert path.read_text() == "mine"
    link = path.with_name("link")
    link.symlink_to(path.with_name("nowhere"))
    with pytest.raises(BadWordsFileError):
        save_words(link, WORDS)
    assert not path.with_name("nowhere").exists()


def test_words_that_can_not_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWordsFileError):
        save_words(tmp_path / "missing" / "words", WORDS)


@pytest.mark.parametrize("content", [b"", b"one two three", b"\xff\xfe", b"abandon " * 24])
def test_a_file_without_words_is_refused_and_not_quoted(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(KinlightError) as refusal:
        words_in(path)
    assert "three" not in str(refusal.value)


def test_a_words_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BadWordsFileError):
            words_in(path)
