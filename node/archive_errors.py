"""What can go wrong with backup files, as the user reads it."""

from __future__ import annotations

from ..crypto.errors import LocalError


class NotAnArchiveError(LocalError):
    """This is no backup that kinlight made."""

    code = "not-an-archive"


class ArchiveVersionError(LocalError):
    """Another version of kinlight wrote this backup. Read it with that version, or a newer one."""

    code = "archive-version"


class ArchiveTornError(LocalError):
    """The backup ends too early: it was not written, or not copied, to its end. Nothing was changed
    here; use another copy of it.
    """

    code = "archive-torn"


class ArchiveDamagedError(LocalError):
    """The backup is damaged, or somebody changed it. Nothing was changed here; use another copy."""

    code = "archive-damaged"


class RestoreUnfinishedError(LocalError):
    """A restore into this home was cut off. `kinlight restore` begins it anew."""

    code = "restore-unfinished"


class WordsNeededError(LocalError):
    """The device in this backup may not certify another one, so the recovery words are needed. Give
    them with `--words` or `--recovery-words-file`.
    """

    code = "words-needed"


class RestoredError(LocalError):
    """It had not arrived yet when the backup was made from which this node was restored. If it did
    not come, share it again.
    """

    code = "restored"
