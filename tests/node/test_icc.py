from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import icc


def profile(tag: bytes, size: int | None = None) -> bytes:
    head = bytes(36) + b"acsp" + bytes(88)
    entry = struct.pack(">I4sII", 1, b"desc", 144, len(tag) if size is None else size)
    return head + entry + tag


def languages(**names: str) -> bytes:
    head = b"mluc" + struct.pack(">III", 0, len(names), 12)
    at, table, texts = 16 + 12 * len(names), b"", b""
    for language, name in names.items():
        raw = name.encode("utf-16-be")
        table += struct.pack(">2s2sII", language.encode(), b"XX", len(raw), at + len(texts))
        texts += raw
    return head + table + texts


def test_a_version_2_profile_names_itself_in_ascii():
    assert icc.description(profile(b"desc\0\0\0\0\0\0\0\x05sRGB\0rest")) == "sRGB"


def test_a_version_4_profile_is_named_in_english_where_it_can_be():
    assert icc.description(profile(languages(de="Anzeige", en="Display"))) == "Display"
    assert icc.description(profile(languages(de="Anzeige"))) == "Anzeige"


def test_a_name_is_one_line_without_control_characters():
    assert icc.description(profile(b"text\0\0\0\0a\x1b[2J\n\tb\0")) == "a [2J b"


def test_a_profile_without_a_name_or_cut_off_has_none():
    assert icc.description(b"") is None
    assert icc.description(profile(b"")) is None
    assert icc.description(profile(languages(en="Display"))[:150]) is None
    assert icc.description(bytes(36) + b"acsp" + bytes(88) + b"\xff\xff\xff\xff") is None


@given(st.binary(max_size=300))
def test_any_bytes_have_a_name_or_none(raw: bytes):
    icc.description(profile(raw, 1 << 31))
    icc.description(profile(b"mluc" + raw, 1 << 31))
