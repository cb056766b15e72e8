from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import jpeg
from kinlight.node.facts import PictureError
from kinlight.node.jpeg import Segment, segments

APP1 = b"\xff\xe1\x00\x06Exif"
SCAN = b"\xff\xda\x00\x03\x01"
EOI = b"\xff\xd9"


def test_the_segments_come_in_order_with_their_payloads():
    data = b"\xff\xd8" + APP1 + SCAN + b"coded" + EOI

    found = list(segments(data))

    assert [segment.marker for segment in found] == [jpeg.SOI, jpeg.APP1, jpeg.SOS, jpeg.EOI]
    assert data[found[1].body : found[1].end] == b"Exif"
    assert found[2].end == found[3].start - len(b"coded")


def test_stuffed_zeros_and_restart_markers_are_coded_data():
    data = b"\xff\xd8" + SCAN + b"\xff\x00\xff\xd0\xff\xd7\x01" + EOI

    assert [segment.marker for segment in segments(data)] == [jpeg.SOI, jpeg.SOS, jpeg.EOI]


def test_a_progressive_picture_is_walked_through_all_its_scans():
    data = b"\xff\xd8" + SCAN + b"one" + APP1 + SCAN + b"two" + EOI + b"after"

    assert [segment.marker for segment in segments(data)][1:4] == [jpeg.SOS, jpeg.APP1, jpeg.SOS]
    assert list(segments(data))[-1].end == len(data) - len(b"after")


def test_fill_bytes_and_junk_before_a_marker_are_passed_over():
    data = b"\xff\xd8" + b"junk\xff\x00\xff\xff\xff" + APP1 + EOI

    assert [segment.marker for segment in segments(data)] == [jpeg.SOI, jpeg.APP1, jpeg.EOI]


def test_a_segment_cut_short_ends_with_the_file_and_says_so():
    data = b"\xff\xd8\xff\xe1\x10\x00Exif"

    assert list(segments(data))[-1] == Segment(jpeg.APP1, 2, 6, 10, whole=False)


def test_a_picture_inside_a_file_is_walked_from_its_own_start():
    data = b"before\xff\xd8" + APP1 + EOI + b"after"

    assert list(segments(data, 6))[-1].end == len(data) - len(b"after")


def test_bytes_that_do_not_begin_with_soi_are_no_jpeg():
    with pytest.raises(PictureError):
        list(segments(b"\x89PNG"))


def test_a_flood_of_segments_is_refused():
    with pytest.raises(PictureError):
        list(segments(b"\xff\xd8" + b"\xff\x01" * (jpeg.MAX_SEGMENTS + 1)))


@given(st.lists(st.sampled_from([b"\xff", b"\x00", b"\xd8", b"\xda", b"\xe1", b"\x04", b"A"])))
def test_any_bytes_give_segments_that_lie_in_order_inside_the_file(pieces: list[bytes]):
    data = b"\xff\xd8" + b"".join(pieces)

    position = 0
    for segment in segments(data):
        assert position <= segment.start < segment.body <= segment.end <= len(data)
        position = segment.end
