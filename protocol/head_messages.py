"""What contacts say to each other of heads (docs/spec/heads.md).

They belong to version 4 of the protocol; a session of an earlier one carries none of them.
"""

from __future__ import annotations

from typing import Final

from . import limits
from .heads import LINE_BYTES
from .messages import (
    Message,
    _message,  # pyright: ignore[reportPrivateUsage] - one registry of messages, in several modules
    _octets,  # pyright: ignore[reportPrivateUsage]
)

SINCE: Final = 4


@_message(110, since=SINCE)
class Heads(Message):
    """The newest heads that the speaker has, veiled, as `heads.join_lines` gives them."""

    lines: bytes = _octets(maximum=limits.HEAD_LINES * LINE_BYTES)


@_message(111, since=SINCE)
class HeadShown(Message):
    """A head, of the speaker itself or one that its `Heads` and the other's tell apart, with the
    certificates of who signed it.
    """

    head: bytes = _octets(maximum=limits.HEAD_BYTES)
    certificates: bytes = _octets(maximum=limits.HEAD_CERTIFICATES_BYTES)


HEAD_WORK: Final[tuple[type[Message], ...]] = (Heads, HeadShown)
"""Of an established session."""
