"""What there is to get everything back with, and the guard before the last of it goes.

Ways back are the words on paper together with a backup: at a holder, or in a file. Whether the
paper and the file are still there nobody here can see: it is told when they were last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..crypto.recovery import RecoveryWords
from ..crypto.signing import SigningKey
from ..protocol.opening import LocalDevice
from . import views_recovery
from .archiving import Archiver
from .backing_up import Backups
from .contact_errors import LastBackupError
from .database import Database
from .errors import OtherWordsError
from .events import Events
from .library import Library
from .mailboxes import Mailboxes

_WORDS: Final = "words-checked"
_WHOLE: Final = "backed-up-"


class Readiness:
    """Answers whether this node could be lost today."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        mailboxes: Mailboxes,
        backups: Backups,
        archiver: Archiver,
        events: Events,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._library = library
        self._mailboxes = mailboxes
        self._backups = backups
        self._archiver = archiver
        self._events = events
        self._now = now

    def check_words(self, words: RecoveryWords) -> None:
        """Note that a person has the words of this identity; `OtherWordsError` if they are not."""
        if SigningKey(words.root_seed()).public != self._device.identity:
            raise OtherWordsError
        self._library.set_setting(_WORDS, self._now().to_bytes(8))

    def completed(self, holder: bytes) -> None:
        """A holder said that it has all of what is here now."""
        self._library.set_setting(_WHOLE + holder.hex(), self._now().to_bytes(8))
        contact = self._library.contact_of(holder)
        name = "" if contact is None else contact.name
        self._events.publish("backed-up", contact=name, photos=self._backups.count(holder))

    def _time(self, setting: str) -> int | None:
        kept = self._library.setting(setting)
        return int.from_bytes(kept) if kept else None

    def view(self) -> views_recovery.Readiness:
        """For people."""
        return views_recovery.Readiness(
            words_checked=self._time(_WORDS),
            file=self._archiver.last,
            photos=int(self._db.value("SELECT count(*) FROM photos")),
            holders=[
                views_recovery.ReadyHolder(
                    contact.name,
                    self._backups.count(contact.identity),
                    self._time(_WHOLE + contact.identity.hex()),
                )
                for contact in self._library.contacts()
                if self._is_backup(contact.identity)
            ],
        )

    def _is_backup(self, identity: bytes) -> bool:
        holder = self._mailboxes.holder(identity)
        return holder is not None and holder.chosen and holder.backed_up

    def guard(self, holder: bytes) -> None:
        """`LastBackupError` if nothing but the words would be left without this holder.

        A file that was once written counts: a person has it, and `status` says of when it is.
        """
        if not self._is_backup(holder) or not self._backups.count(holder):
            return
        others = (each.identity for each in self._library.contacts() if each.identity != holder)
        if self._archiver.last is None and not any(
            self._is_backup(other) and self._backups.count(other) for other in others
        ):
            raise LastBackupError
