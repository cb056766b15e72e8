"""What can go wrong with the node itself, as the user reads it.

The modules `*_errors` have what can go wrong with the rest, and `exits` the exit code of each.
"""

from __future__ import annotations

import errno

from ..crypto.errors import LocalError


class NoHomeError(LocalError):
    """There is no kinlight node here yet. Run `kinlight up` to make one."""

    code = "no-node"


class HomeExistsError(LocalError):
    """There is a kinlight node here already; nothing was changed."""

    code = "node-exists"


class HomeUnusableError(LocalError):
    """The node's folder can't be used. Check its owner, its permissions and `--home`."""

    code = "home-unusable"


class BadConfigError(LocalError):
    """The settings in config.toml can't be used."""

    code = "bad-config"


class NotRunningError(LocalError):
    """The daemon is not running. Start it with `kinlight up`."""

    code = "not-running"


class AlreadyRunningError(LocalError):
    """Another kinlight process uses this home. End it with `kinlight down`."""

    code = "already-running"


class StartFailedError(LocalError):
    """The daemon did not start."""

    code = "start-failed"


class NoServiceSystemError(LocalError):
    """No service can be installed here: only systemd and launchd are known. Have `kinlight up
    --locked` run at login, by the Task Scheduler or what this system has for that.
    """

    code = "no-service-system"


class ForeignServiceError(LocalError):
    """Another service has this one's place; it was left alone."""

    code = "service-foreign"


class ServiceFailedError(LocalError):
    """The service is installed, but the system did not do what it was asked."""

    code = "service-failed"


class LockedError(LocalError):
    """The node is locked. Unlock it with `kinlight unlock`."""

    code = "locked"


class PassphraseNeededError(LocalError):
    """A pass phrase is needed and there is no terminal to ask for it. Use `--passphrase-file`."""

    code = "passphrase-needed"


class BadPassphraseFileError(LocalError):
    """The pass phrase file can't be used."""

    code = "passphrase-file"


class BadWordsFileError(LocalError):
    """The recovery words file can't be used."""

    code = "words-file"


class MistypedWordsError(LocalError):
    """These are not 24 recovery words as they were shown. Nothing was made or changed."""

    code = "words-mistyped"


class OtherWordsError(LocalError):
    """These words are of another identity than this node's. Nothing was changed."""

    code = "other-words"


class LibraryDamagedError(LocalError):
    """The library is damaged. Restore library.db from a copy; blobs and keys are untouched."""

    code = "library-damaged"


class NewerLibraryError(LocalError):
    """A newer version of kinlight wrote this library. Install that version again."""

    code = "library-newer"


class DiskFullError(LocalError):
    """The disk is full. Nothing was lost; make room and try again."""

    code = "disk-full"


class UnreadableFileError(LocalError):
    """A file can't be read."""

    code = "unreadable"


class FileTooLargeError(LocalError):
    """A file is too large to be taken."""

    code = "too-large"


class UnwritableFolderError(LocalError):
    """The folder can't be written to; nothing was written."""

    code = "unwritable"


class NameTakenError(LocalError):
    """Another file of that name is there and was left alone. Choose another name; with `export` and
    `strip` `--keep-both` adds a number.
    """

    code = "name-taken"


class UsageError(LocalError):
    """The command was not understood."""

    code = "usage"


class BadAddressError(LocalError):
    """This is not an address. Write name:port, 192.0.2.7:4711 or [fe80::1%eth0]:4711."""

    code = "bad-address"


class BadTimeError(LocalError):
    """That is not a time. Say 30d, 12h, 45m, 10s, or a date like 2026-12-31."""

    code = "bad-time"


class BadDayError(BadTimeError):
    """That is not a date. Say 2026, 2026-07, 2026-07-14, or one with a time: 2026-07-14T09:30."""

    code = "bad-date"


class BadLengthError(BadTimeError):
    """That is not a length of time. Say 30d, 12h, 45m or 10s."""

    code = "bad-length"


class BadRequestError(LocalError):
    """The request can't be understood."""

    code = "bad-request"


class UnreachableError(LocalError):
    """That address did not answer."""

    code = "unreachable"


class WideAreaOffError(LocalError):
    """That address is of the wide area, which is off. `kinlight wide --on` turns it on."""

    code = "wide-area-off"


class ForeignRequestError(LocalError):
    """The local API answers programs of this machine only, not web pages."""

    code = "foreign-request"


class TokenNeededError(LocalError):
    """The token of api.json is needed."""

    code = "token-needed"


class InternalError(LocalError):
    """Something unexpected went wrong in the daemon; its log names the place."""

    code = "internal"


def storage_error(error: OSError) -> LocalError:
    """What a failed write to our own folder means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError()
    return HomeUnusableError(error.strerror or "")
