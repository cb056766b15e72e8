from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.names import (
    MAX_CONTACT_CHARS,
    MAX_NAME_BYTES,
    album_name,
    contact_name,
    file_name,
    folded,
    marked,
    numbered,
    shown,
)

WINDOWS_RESERVED = {
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"),
}

hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from('./\\:. \0\n\x1b\u202e\u200b\ud800e\u0301CONcomAUX1~$%*?"<>|'),
    ),
    max_size=80,
)


def assert_harmless(name: str) -> None:
    """One component, on Linux, macOS and Windows, that shows as it is."""
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\<>:"|?*\0')
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name)
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().casefold() not in WINDOWS_RESERVED
    assert unicodedata.is_normalized("NFC", name)
    assert len(name.encode()) <= MAX_NAME_BYTES


@given(hostile)
def test_any_name_becomes_a_harmless_one(name: str) -> None:
    safe = file_name(name)
    assert_harmless(safe)
    assert_harmless(numbered(safe, 12))


@given(hostile)
def test_a_harmless_name_stays_as_it_is(name: str) -> None:
    safe = file_name(name)
    assert file_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../x.jpg", "x.jpg"),
        ("/etc/x.jpg", "x.jpg"),
        ("a/../../x.jpg", "x.jpg"),
        ("..\\x.jpg", "x.jpg"),
        ("C:\\x.jpg", "x.jpg"),
        ("x\0.jpg", "x_.jpg"),
        ("\x1b[1Ax.jpg", "_[1Ax.jpg"),
        ("a\nb.jpg", "a_b.jpg"),
        ("", "photo"),
        (".", "photo"),
        ("..", "photo"),
        ("///", "photo"),
        ("\u202e", "photo"),
        (".bashrc", "bashrc"),
        ("CON.jpg", "_CON.jpg"),
        ("con", "_con"),
        ("COM¹.tar.gz", "_COM¹.tar.gz"),
        ("NUL .txt", "_NUL .txt"),
        ("x.jpg:stream", "x.jpg_stream"),
        ("x.jpg. ", "x.jpg"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("e\u0301.jpg", "\u00e9.jpg"),
        ("Konzert.jpg", "Konzert.jpg"),
        ("IMG 2024 (1).HEIC", "IMG 2024 (1).HEIC"),
    ],
)
def test_f13_names_of_the_field_reports(name: str, safe: str) -> None:
    assert file_name(name) == safe


@pytest.mark.parametrize("char", ["x", "é", "漢", "😀"])
def test_a_long_name_is_cut_and_keeps_its_suffix(char: str) -> None:
    name = file_name(char * 300 + ".jpeg")
    assert_harmless(name)
    assert name.endswith(".jpeg")
    assert len(name.encode()) > MAX_NAME_BYTES - 5


def test_what_only_looks_like_a_suffix_is_cut_as_well() -> None:
    name = file_name("x." + "y" * 300)
    assert_harmless(name)
    assert name.startswith("x.y")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("beach.jpg", "beach (2).jpg"),
        ("beach", "beach (2)"),
        ("a.tar.gz", "a.tar (2).gz"),
        (".jpg", ".jpg (2)"),
    ],
)
def test_a_number_stands_before_the_suffix(name: str, expected: str) -> None:
    assert numbered(name, 2) == expected


# Names of people


@given(hostile)
def test_any_name_of_a_person_fits_a_list_and_a_command_line(name: str) -> None:
    fit = contact_name(name)
    assert 1 <= len(fit) <= MAX_CONTACT_CHARS
    assert fit == fit.strip()
    assert fit.strip(".")
    assert not set(fit) & set("/\\")
    assert "  " not in fit
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in fit)
    assert contact_name(fit) == fit


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("Anna", "Anna"),
        ("  Anna \n Lee ", "Anna Lee"),
        ("", "someone"),
        ("\u200b\u202e", "someone"),
        ("..", "someone"),
        ("a/b\\c", "a b c"),
        ("Zoe\u0308", "Zoë"),
        ("x" * 50, "x" * 40),
        ("x" * 39 + " yz", "x" * 39),
        ("李小龍", "李小龍"),
    ],
)
def test_names_of_people(name: str, fit: str) -> None:
    assert contact_name(name) == fit


# On the screen


@given(hostile)
def test_nothing_that_is_shown_can_steer_a_terminal(text: str) -> None:
    seen = shown(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in seen)
    seen.encode()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain é 漢 😀.jpg", "plain é 漢 😀.jpg"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("x\u202egpj", "x\\u202egpj"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_can_not_be_shown_is_escaped(text: str, seen: str) -> None:
    assert shown(text) == seen


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Italy 2026", "Italy 2026"),
        ("  two\nlines \x1b[2J", "two lines [2J"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\u202egpj.exe", "gpj.exe"),
        ("x" * 100, "x" * 80),
        ("a/b\\c", "a b c"),
        ("", None), (".", None), ("..", None), ("/", None), ("\udcff", None),
    ],
)  # fmt: skip
def test_an_album_is_named_in_one_harmless_line_or_not_at_all(text: str, name: str | None) -> None:
    assert album_name(text) == name
    assert name is None or album_name(name) == name


@given(st.text())
def test_text_is_folded_once_and_in_all_its_forms(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert folded(unicodedata.normalize("NFD", text)) == folded(text)


def test_case_and_form_make_no_difference_to_a_search() -> None:
    assert folded("STRASSE \ufb01 \u00c9") == folded("stra\u00dfe fi e\u0301")


@pytest.mark.parametrize(
    ("name", "marked_name"),
    [
        ("beach.heic", "beach (preview).jpg"),
        ("beach", "beach (preview).jpg"),
        ("2026.07.14 beach.JPG", "2026.07.14 beach (preview).jpg"),
        ("../../etc/x.jpg", "x (preview).jpg"),
        ("", "photo (preview).jpg"),
        ("n" * 255 + ".jpg", "n" * 186 + " (preview).jpg"),
        ("\u00e9" * 150 + ".jpg", "\u00e9" * 93 + " (preview).jpg"),
    ],
)
def test_a_rendition_has_a_name_that_never_passes_for_the_originals(
    name: str, marked_name: str
) -> None:
    made = marked(name, "preview", ".jpg")
    assert made == marked_name
    assert len(made.encode()) <= MAX_NAME_BYTES
    assert file_name(made) == made
