"""Sizes as people write them."""

from __future__ import annotations

import re
from typing import Final

from .errors import BadRequestError

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_FORM: Final = re.compile(r"(\d{1,12}(?:\.\d{1,3})?) ?([kmgt]?)b?", re.ASCII | re.IGNORECASE)


def parse(text: str) -> int:
    """Bytes of `500 MB`, `1.5g` or `2000000000`; `BadRequestError` for what is no size."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise BadRequestError("a size is a number and kB, MB, GB or TB: 500 MB, 1.5GB")
    whole, _, part = found[1].partition(".")
    unit = _UNITS[found[2].lower()]
    return int(whole) * unit + int(part.ljust(3, "0") or "0") * unit // 1000
