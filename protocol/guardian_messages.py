"""How a share of somebody's words comes to a guardian (docs/spec/guardians.md).

They belong to version 4 of the protocol; a session of an earlier one carries none of them.
"""

from __future__ import annotations

from typing import Final

from . import limits
from .messages import (
    Message,
    _message,  # pyright: ignore[reportPrivateUsage] - one registry of messages, in several modules
    _octets,  # pyright: ignore[reportPrivateUsage]
)

SINCE: Final = 4


@_message(112, since=SINCE)
class GuardianShare(Message):
    """A share for this device to keep, in place of one that it had from the speaker."""

    sealed: bytes = _octets(maximum=limits.GUARDIAN_BYTES)


@_message(113, since=SINCE)
class GuardianKept(Message):
    """The share with this SHA-256, as it was sealed, is kept durably."""

    share_hash: bytes = _octets(32)


GUARDIAN_WORK: Final[tuple[type[Message], ...]] = (GuardianShare, GuardianKept)
"""Of an established session."""
