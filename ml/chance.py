"""Numbers by chance, of plain types; numpy's generator gives its own."""

from __future__ import annotations

import math
from typing import cast

from numpy.random import Generator


def below(rng: Generator, stop: int) -> int:
    """A whole number from 0 up to but not including `stop`."""
    return integer(rng, 0, stop)


def integer(rng: Generator, start: int, stop: int) -> int:
    """A whole number from `start` up to but not including `stop`."""
    return int(cast("int", rng.integers(start, stop)))


def real(rng: Generator, low: float, high: float) -> float:
    """A number between the two, all as likely."""
    return rng.uniform(low, high)


def logarithmic(rng: Generator, low: float, high: float) -> float:
    """A number between the two, as often twice as half the middle one."""
    return math.exp(real(rng, math.log(low), math.log(high)))
