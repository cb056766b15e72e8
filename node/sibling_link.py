"""What goes on over a link with another device of our own."""

from __future__ import annotations

import logging

from ..crypto.errors import LocalError
from ..protocol.messages import Message
from .family import Family, FamilyTalk
from .link import Link

_log = logging.getLogger(__name__)


class SiblingLink:
    """One such link: a `peers.Conversation`. `link.peer` are papers of our own identity."""

    def __init__(self, link: Link, family: Family) -> None:
        self._family = FamilyTalk(link, family)

    def start(self) -> None:
        """Tell it what is known of all of our devices."""
        self._family.tell()

    def tell(self) -> None:
        """There is news of our devices, or of what was taken back."""
        self._family.tell()

    async def handle(self, message: Message) -> None:
        """One message of the sibling. A fault at this side, a full disk say, does not end the link:
        what could not be noted is said again on the next one.
        """
        try:
            self._family.handle(message)
        except LocalError as error:
            _log.warning("what a sibling said was not noted: %s", error.code)

    async def close(self) -> None:
        """The link has ended."""
