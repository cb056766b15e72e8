"""Renditions are ordered by strictness, and any two have a strictest common one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import MalformedError
from kinlight.protocol import limits
from kinlight.protocol.rendition import ORIGINAL, Rendition, named

RENDITIONS = st.builds(
    Rendition,
    st.none() | st.integers(1, limits.RENDITION_PX),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(RENDITIONS, RENDITIONS, RENDITIONS)
def test_combining_is_a_meet(one: Rendition, two: Rendition, three: Rendition) -> None:
    both = one.combine(two)
    assert both == two.combine(one)
    assert both.combine(three) == one.combine(two.combine(three))
    assert one.combine(one) == one.combine(ORIGINAL) == one
    assert both.at_least_as_strict_as(one)
    assert both.at_least_as_strict_as(two)


@given(RENDITIONS, RENDITIONS, RENDITIONS)
def test_strictness_is_an_order_and_combining_adds_nothing_that_nobody_demanded(
    one: Rendition, two: Rendition, three: Rendition
) -> None:
    if one.at_least_as_strict_as(two) and two.at_least_as_strict_as(one):
        assert one == two
    if three.at_least_as_strict_as(one) and three.at_least_as_strict_as(two):
        assert three.at_least_as_strict_as(one.combine(two))
    assert one.at_least_as_strict_as(ORIGINAL)


def test_each_field_is_as_strict_as_the_strictest() -> None:
    small, faceless = Rendition(2048, location_removed=True), Rendition(4096, faces_hidden=True)
    assert small.combine(faceless) == Rendition(2048, faces_hidden=True, location_removed=True)
    assert not small.at_least_as_strict_as(faceless)
    assert not faceless.at_least_as_strict_as(small)
    assert Rendition(2048).at_least_as_strict_as(Rendition(2049))
    assert not Rendition(2049).at_least_as_strict_as(Rendition(2048))
    assert not ORIGINAL.at_least_as_strict_as(Rendition(limits.RENDITION_PX))


@given(RENDITIONS)
def test_a_rendition_is_read_as_it_was_written(rendition: Rendition) -> None:
    assert Rendition.read(rendition.to_value()) == rendition


@pytest.mark.parametrize("pixels", [0, -1, limits.RENDITION_PX + 1])
def test_a_rendition_has_a_size_that_can_be_written(pixels: int) -> None:
    with pytest.raises(ValueError, match="max_px"):
        Rendition(pixels)


@pytest.mark.parametrize(
    "items",
    [["original", 0], ["copy", 0, 0, 0, 0], ["copy", 1, 0, 0, 0, 0], ["copy", 1, 0, 0, 0, "x"]],
    ids=str,
)
def test_a_known_form_with_something_wrong_is_refused(items: list[int | str]) -> None:
    with pytest.raises(MalformedError):
        Rendition.read(items)


@pytest.mark.parametrize(
    "items",
    [
        [],
        ["preview"],
        [b"original"],
        ["copy"],
        ["copy", "2048", 0, 0, 0],
        ["copy", 2048, 2, 0, 0],
        ["copy", limits.RENDITION_PX + 1, 0, 0, 0],
        [2048, 0, 0, 0],
    ],
    ids=str,
)
def test_a_form_of_a_later_version_is_none_that_is_known(items: list[int | str | bytes]) -> None:
    assert Rendition.read(items) is None


def test_the_name_of_version_0_1_0_is_understood_and_no_other() -> None:
    assert named("original") == ORIGINAL
    assert named("preview") is None
    assert named(Rendition(1)) == Rendition(1)
