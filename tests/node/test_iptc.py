from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import iptc
from kinlight.node.iptc import Resource

from . import blocks


def test_resources_come_with_their_numbers():
    block = blocks.resource(0x0404, b"one") + blocks.resource(0x0409, b"four")

    assert list(iptc.resources(block)) == [Resource(0x0404, b"one"), Resource(0x0409, b"four")]


def test_a_named_resource_is_read_behind_its_name():
    block = b"8BIM\x04\x04\x04name\0\0\0\0\x03one\0" + blocks.resource(1, b"2")

    assert list(iptc.resources(block)) == [Resource(0x0404, b"one"), Resource(1, b"2")]


def test_bytes_between_resources_are_stepped_over():
    block = blocks.resource(1, b"one") + b"junk" + blocks.resource(2, b"two")

    assert [each.id for each in iptc.resources(block)] == [1, 2]


def test_a_resource_cut_short_is_given_as_far_as_it_goes():
    block = blocks.resource(1, b"0123456789")[:-4]

    assert list(iptc.resources(block)) == [Resource(1, b"012345")]


def test_the_first_of_two_datasets_counts():
    found = iptc.datasets(blocks.iptc(n90="Budapest") + blocks.iptc(n90="Wien", n101="Hungary"))

    assert found == {iptc.CITY: "Budapest", iptc.COUNTRY: "Hungary"}


def test_datasets_are_utf_8_or_else_latin_1():
    assert iptc.datasets(blocks.iptc(n90="Zürich"))[iptc.CITY] == "Zürich"
    assert iptc.datasets(b"\x1c\x02\x5a\0\x06Z\xfcrich")[iptc.CITY] == "Zürich"


def test_a_long_dataset_tells_the_size_of_its_size():
    found = iptc.datasets(b"\x1c\x02\x5a\x80\x04\0\0\0\x03abc" + blocks.iptc(n101="d"))

    assert found == {iptc.CITY: "abc", iptc.COUNTRY: "d"}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_their_end(raw: bytes):
    iptc.datasets(b"\x1c" + raw)
    list(iptc.resources(b"8BIM" + raw))
