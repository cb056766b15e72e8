"""Metadata policies: what of a picture leaves, decided in one place.

    original      the file as it is
    no-location   the same coded picture; of its metadata what tells no place (`stripping`)
    clean         the picture's pixels the right way up, its colour profile, its date

A changed copy is made by processes that can do nothing else, and is looked at by a fresh one that
never saw the original before anybody gets it.
"""

from __future__ import annotations

from ..protocol.photo import POLICIES
from .errors import BadRequestError


def check(policy: str) -> str:
    """The policy, if there is one of that name."""
    if policy not in POLICIES:
        raise BadRequestError(f"metadata is one of {', '.join(POLICIES)}")
    return policy
