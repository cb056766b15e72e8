from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from kinlight.protocol.opening import LocalDevice

from .people import Person

settings.register_profile(
    "protocol",
    max_examples=100,
    deadline=None,  # a busy machine must not fail a test
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("protocol")

Multiply = Callable[[Any, int], Any]


@pytest.fixture(scope="session", autouse=True)
def _products() -> Iterator[None]:
    """SPAKE2's group is plain Python, and most tests multiply the same points by the same numbers:
    each product is reckoned once.
    """
    group: Any = importlib.import_module("spake2.ed25519_basic")
    with pytest.MonkeyPatch.context() as patched:
        for kind in (group.Element, group.ElementOfUnknownGroup):
            patched.setattr(kind, "scalarmult", _reckoned_once(kind, kind.scalarmult))
        yield


def _reckoned_once(kind: Any, multiply: Multiply) -> Multiply:
    @lru_cache(maxsize=4096)
    def product(coordinates: tuple[int, ...], number: int) -> Any:
        return multiply(kind(coordinates), number)

    def multiplied(point: Any, number: int) -> Any:
        return product(point.XYTZ, number)

    return multiplied


@pytest.fixture(scope="session")
def alice() -> Person:
    return Person.named("Alice")


@pytest.fixture(scope="session")
def bob() -> Person:
    return Person.named("Bob")


@pytest.fixture(scope="session")
def carol() -> Person:
    return Person.named("Carol")


@pytest.fixture(scope="session")
def mallory() -> Person:
    return Person.named("Mallory")


@pytest.fixture(scope="session")
def phone(alice: Person) -> LocalDevice:
    """Alice's."""
    return alice.device()


@pytest.fixture(scope="session")
def laptop(bob: Person) -> LocalDevice:
    """Bob's."""
    return bob.device("laptop")
