from __future__ import annotations

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
