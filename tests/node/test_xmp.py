from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import xmp

from . import blocks

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXIF = "http://ns.adobe.com/exif/1.0/"


def packet(inside: str, spaces: str = f'xmlns:exif="{EXIF}"') -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f"<rdf:Description {spaces}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def test_properties_are_read_as_attributes_and_as_elements():
    assert xmp.read(blocks.xmp_packet(exif__GPSLatitude="51N")).first("exif:GPSLatitude") == "51N"
    assert xmp.read(packet("<exif:GPSLatitude> 51N </exif:GPSLatitude>")).values == {
        "exif:GPSLatitude": ("51N",)
    }


def test_a_namespace_counts_and_not_the_prefix_that_the_packet_gives_it():
    found = xmp.read(packet("<a:GPSLatitude>51N</a:GPSLatitude>", f'xmlns:a="{EXIF}"'))

    assert found.first("exif:GPSLatitude") == "51N"


def test_a_prefix_that_nothing_binds_stands_for_itself():
    assert xmp.read(b"<exif:GPSLatitude>51N</exif:GPSLatitude>").first("exif:GPSLatitude") == "51N"


def test_items_of_lists_and_structures_are_found_by_the_nearest_name():
    found = xmp.read(
        packet(
            "<exif:A><rdf:Bag><rdf:li>1</rdf:li><rdf:li>2</rdf:li></rdf:Bag></exif:A>"
            '<exif:B rdf:parseType="Resource"><exif:C>3</exif:C></exif:B>'
            '<exif:D rdf:resource="4"/>'
        )
    )

    assert found.values == {"exif:A": ("1", "2"), "exif:C": ("3",), "exif:D": ("4",)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_packets_come_in_utf_8_and_utf_16(encoding: str):
    text = packet("<exif:A>Zürich</exif:A>").decode()

    assert xmp.read(text.encode(encoding)).first("exif:A") == "Zürich"


def test_zeros_around_a_packet_and_wrong_bytes_in_it_do_no_harm():
    raw = b"\0\0" + b"junk" + packet("<exif:A>a\0\xff</exif:A>") + b"\0" * 100

    assert (xmp.read(b"junk" + packet("<exif:A>a</exif:A>") + b"\0" * 9).first("exif:A")) == "a"
    assert xmp.read(raw[2:]).first("exif:A") is not None


def test_what_stood_before_a_fault_counts():
    whole = packet("<exif:A>1</exif:A><exif:B>2</exif:B>")

    assert xmp.read(whole[: whole.index(b"<exif:B>")]).values == {"exif:A": ("1",)}


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "boom">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://example.org/x">%p;]>',
    ],
)
def test_a_packet_with_a_document_type_is_not_read(doctype: str):
    assert xmp.read(doctype.encode() + packet("<exif:A>&a;</exif:A>")).values == {}


def test_an_entity_that_nothing_declares_ends_the_reading():
    assert xmp.read(packet("<exif:A>1</exif:A><exif:B>&a;</exif:B>")).values == {"exif:A": ("1",)}


def test_the_five_entities_of_xml_and_numbers_of_characters_are_read():
    assert xmp.read(packet("<exif:A>&lt;&#65;&amp;</exif:A>")).first("exif:A") == "<A&"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("<exif:A>" * 1_000_000, id="deep"),
        pytest.param("<exif:A>1</exif:A>" * 400_000, id="many"),
        pytest.param("<exif:A/>" * 800_000, id="many empty ones"),
        pytest.param("<exif:A " + " ".join(f"a{i}='1'" for i in range(300_000)) + "/>", id="wide"),
        pytest.param("<exif:A>" + "x" * 8_000_000, id="long"),
        pytest.param("<" * 8_000_000, id="open"),
        pytest.param("<exif:A>" + "&#65;" * 1_600_000, id="numbers"),
        pytest.param("<!--" + "-" * 8_000_000, id="comment"),
    ],
)
@pytest.mark.timeout(20)  # it takes a second
def test_a_hostile_packet_costs_little(hostile: str):
    found = xmp.read(packet(hostile))

    assert sum(len(values) for values in found.values.values()) <= xmp.MAX_VALUES
    assert all(len(value) <= xmp.MAX_VALUE for values in found.values.values() for value in values)


@given(st.binary())
def test_any_bytes_give_properties_or_none(raw: bytes):
    xmp.read(raw)
    xmp.read(packet("") + raw)
