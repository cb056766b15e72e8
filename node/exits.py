"""The exit code of each error, and the error behind a code."""

from __future__ import annotations

from typing import Final

from ..crypto.errors import KinlightError, LocalError, PeerError
from ..protocol import album_errors, weblink_errors
from ..protocol.errors import kind_of
from . import archive_errors, contact_errors, photo_errors, picture_errors
from .errors import InternalError

# Exit codes: one per kind of trouble, so that a script can tell what to do next.
EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_REFUSED: Final = 3
EXIT_NOT_RUNNING: Final = 4
EXIT_LOCKED: Final = 5
EXIT_NOT_FOUND: Final = 6
EXIT_FILES: Final = 7
EXIT_INTERRUPTED: Final = 130

_EXITS: Final[dict[str, int]] = {
    "not-running": EXIT_NOT_RUNNING,
    "no-node": EXIT_NOT_RUNNING,
    "no-service-system": EXIT_REFUSED,
    "service-foreign": EXIT_FILES,
    "locked": EXIT_LOCKED,
    "wrong-passphrase": EXIT_LOCKED,
    "wrong-words": EXIT_LOCKED,
    "passphrase-needed": EXIT_LOCKED,
    "passphrase-file": EXIT_LOCKED,
    "words-file": EXIT_LOCKED,
    "words-mistyped": EXIT_LOCKED,
    "share-bad": EXIT_LOCKED,
    "share-twice": EXIT_LOCKED,
    "shares-mixed": EXIT_LOCKED,
    "shares-few": EXIT_LOCKED,
    "other-words": EXIT_LOCKED,
    "no-such-contact": EXIT_NOT_FOUND,
    "no-such-album": EXIT_NOT_FOUND,
    "ambiguous-album": EXIT_NOT_FOUND,
    "no-such-device": EXIT_NOT_FOUND,
    "no-such-own-device": EXIT_NOT_FOUND,
    "ambiguous-device": EXIT_NOT_FOUND,
    "device-may-not": EXIT_REFUSED,
    "not-a-device-code": EXIT_USAGE,
    "no-such-folder": EXIT_NOT_FOUND,
    "no-such-photo": EXIT_NOT_FOUND,
    "ambiguous-id": EXIT_NOT_FOUND,
    "no-such-node": EXIT_NOT_FOUND,
    "no-such-link": EXIT_NOT_FOUND,
    "no-such-ticket": EXIT_NOT_FOUND,
    "not-here-yet": EXIT_NOT_FOUND,
    "no-receipt": EXIT_NOT_FOUND,
    "no-share": EXIT_NOT_FOUND,
    "not-granted": EXIT_NOT_FOUND,
    "unreadable": EXIT_FILES,
    "unwritable": EXIT_FILES,
    "disk-full": EXIT_FILES,
    "name-taken": EXIT_FILES,
    "too-large": EXIT_FILES,
    "file-changed": EXIT_FILES,
    "home-unusable": EXIT_FILES,
    "blob-missing": EXIT_FILES,
    "picture-refused": EXIT_FILES,
    "cannot-strip": EXIT_FILES,
    "cannot-mark": EXIT_FILES,
    "cannot-anonymise": EXIT_FILES,
    "no-face": EXIT_NOT_FOUND,
    "no-such-drop": EXIT_NOT_FOUND,
    "unsure-faces": EXIT_REFUSED,
    "strip-failed": EXIT_FILES,
    "decoder-died": EXIT_FILES,
    "decoder-timeout": EXIT_FILES,
    "library-damaged": EXIT_FILES,
    "library-newer": EXIT_FILES,
    "key-file-damaged": EXIT_FILES,
    "not-an-archive": EXIT_FILES,
    "archive-version": EXIT_FILES,
    "archive-torn": EXIT_FILES,
    "archive-damaged": EXIT_FILES,
    "usage": EXIT_USAGE,
    "bad-time": EXIT_USAGE,
    "bad-date": EXIT_USAGE,
    "bad-length": EXIT_USAGE,
    "bad-address": EXIT_USAGE,
    "bad-request": EXIT_USAGE,
    "bad-policy": EXIT_USAGE,
    "no-photos": EXIT_USAGE,
    "not-waiting": EXIT_USAGE,
    "grant-ended": EXIT_USAGE,
    "name-shared": EXIT_USAGE,
    "invalid-code": EXIT_USAGE,
    "invalid-ticket": EXIT_USAGE,
    "own-ticket": EXIT_USAGE,
    "not-in-this-version": EXIT_REFUSED,
    "contact-blocked": EXIT_REFUSED,
    "last-backup": EXIT_REFUSED,
    "key-in-doubt": EXIT_REFUSED,
    "other-fingerprint": EXIT_REFUSED,
    "not-ours": EXIT_REFUSED,
    "own-photo": EXIT_REFUSED,
    "not-for-passing-on": EXIT_REFUSED,
    "passed-on-enough": EXIT_REFUSED,
    "passed-back": EXIT_REFUSED,
}

_OTHERS: Final = (
    album_errors,
    archive_errors,
    contact_errors,
    photo_errors,
    picture_errors,
    weblink_errors,
)
"""Modules with errors of their own: `kind_of` knows only classes that were loaded."""


def exit_code(error: KinlightError) -> int:
    """The command's exit code; every fault of a peer is `EXIT_REFUSED`."""
    if error.code in _EXITS:
        return _EXITS[error.code]
    return EXIT_REFUSED if isinstance(error, PeerError) else EXIT_FAILED


def from_code(code: str, message: str) -> KinlightError:
    """The error that another process reported by its code and its text."""
    kind = kind_of(code)
    if kind is None or kind in (KinlightError, LocalError, PeerError):
        return InternalError(message)
    return kind(kind.detail_of(message))
