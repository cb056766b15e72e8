from __future__ import annotations

import re
from pathlib import Path

import pytest
from kinlight.protocol import limits

ROOT = Path(__file__).parents[2]
NAMES = [name for name in vars(limits) if name.isupper()]
SOURCES = [
    path.read_text()
    for room in ("protocol", "node")
    for path in (ROOT / room).glob("*.py")
    if path.name != "limits.py"
]


def used_by_name(name: str) -> bool:
    """Somewhere in the rooms that know the page of limits."""
    return any(re.search(rf"\blimits\.{name}\b", source) for source in SOURCES)


def used_beside_its_format(name: str) -> bool:
    """In the module of crypto that defines it, which can't know the page of limits."""
    page = (ROOT / "protocol" / "limits.py").read_text()
    place = re.search(rf"^{name}: Final = (\w+)\.(\w+)$", page, re.MULTILINE)
    if place is None:
        return False
    module = (ROOT / "crypto" / f"{place[1]}.py").read_text()
    return len(re.findall(rf"\b{place[2]}\b", module)) > 1


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_bounds_something(name: str) -> None:
    assert used_by_name(name) or used_beside_its_format(name), f"limits.{name} bounds nothing"


def test_no_limit_is_zero_or_beyond_a_disk() -> None:
    for name in NAMES:
        value = getattr(limits, name)
        assert 0 < value <= 2**36
