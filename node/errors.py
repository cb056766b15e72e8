"""What can go wrong on this machine, as the user reads it, and the exit code of each."""

from __future__ import annotations

import errno
from typing import Final

from ..crypto.errors import KinlightError, LocalError, PeerError
from ..protocol import album_errors, weblink_errors
from ..protocol.errors import kind_of


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


class NoSuchContactError(LocalError):
    """There is no contact of that name. `kinlight contacts list` shows them."""

    code = "no-such-contact"


class NoHolderError(LocalError):
    """That contact does not offer to hold anything for you. `kinlight hold` there begins it."""

    code = "no-holder"


class NoBackupError(LocalError):
    """That contact does not keep backups for you. `kinlight hold --backup NAME` there begins it."""

    code = "no-backup"


class KeyInDoubtError(LocalError):
    """Two keys were seen where this contact should have one, so nothing is sent to them. `kinlight
    contacts show NAME` says which and since when; `kinlight contacts verify NAME` once you have
    compared the safety number with them in person or by phone.
    """

    code = "key-in-doubt"


class OtherFingerprintError(LocalError):
    """That is the fingerprint of another key than the contact's, and the doubt stays."""

    code = "other-fingerprint"


class NoShareError(LocalError):
    """No share of that contact's words is kept here. `kinlight guardians list` shows what is."""

    code = "no-share"


class LastBackupError(LocalError):
    """This is the only backup of this library; without it the words bring nothing back. Nothing was
    changed. Let somebody else keep one, or write one with `kinlight backup FILE`; `--yes` ends it.
    """

    code = "last-backup"


class TooManyHoldersError(LocalError):
    """No more contacts can hold things for you. Take it back from another first (`--off`)."""

    code = "too-many-holders"


class ContactExistsError(LocalError):
    """Another contact has that name already."""

    code = "contact-exists"


class NotGrantedError(LocalError):
    """Nothing of that kind was granted or said here. `kinlight grants` shows what was."""

    code = "not-granted"


class NotOursError(LocalError):
    """That photo is somebody else's. `kinlight delegate` passes on what may be passed on."""

    code = "not-ours"


class OwnPhotoError(LocalError):
    """That photo is this node's own. `kinlight grant` grants it."""

    code = "own-photo"


class NotForPassingOnError(LocalError):
    """That photo was not granted for passing on. Its author can: `grant --op view,reshare`."""

    code = "not-for-passing-on"


class PassedOnEnoughError(LocalError):
    """That photo was passed on as often as it may be."""

    code = "passed-on-enough"


class PassedBackError(LocalError):
    """That photo came from there, so it is not passed back."""

    code = "passed-back"


class BlockedContactError(LocalError):
    """That contact is blocked. `kinlight contacts block NAME --off` lets them in again."""

    code = "contact-blocked"


class NoDeviceError(LocalError):
    """No device of that contact can be sealed to. Connect with it once, or pair again."""

    code = "no-device"


class NoSuchAlbumError(LocalError):
    """There is no album of that name. `kinlight albums` and `kinlight album list` show them."""

    code = "no-such-album"


class AmbiguousAlbumError(LocalError):
    """More than one album fits. Say how the id of the one begins."""

    code = "ambiguous-album"


class NoSuchDeviceError(LocalError):
    """No one device in the album has a key that begins so. `kinlight album show` names them."""

    code = "no-such-device"


class NoSuchOwnDeviceError(LocalError):
    """None of your devices is called so. `kinlight device list` shows them."""

    code = "no-such-own-device"


class AmbiguousDeviceError(LocalError):
    """More than one of your devices is called so, or would be. Say 8 or more digits of a key."""

    code = "ambiguous-device"


class DeviceMayNotError(LocalError):
    """This device may not add or revoke others. Do it on the one that it was added from, or give
    the 24 words: `kinlight device allow` lets this one do it from then on.
    """

    code = "device-may-not"


class TooManyDevicesError(LocalError):
    """There are as many devices of this identity as there can be, revoked ones counted."""

    code = "too-many-devices"


class NotADeviceCodeError(LocalError):
    """That is a code for meeting somebody. `kinlight device add` on a device of yours shows one for
    a new device.
    """

    code = "not-a-device-code"


class NoSuchFolderError(LocalError):
    """That folder is not kept up. `kinlight mirror` and `kinlight watch` show those that are."""

    code = "no-such-folder"


class FolderTakenError(LocalError):
    """That folder can't be kept up."""

    code = "folder-taken"


class NoSuchPhotoError(LocalError):
    """There is no photo with that id. `kinlight search` and `kinlight inbox` show those of here."""

    code = "no-such-photo"


class AmbiguousIdError(LocalError):
    """More than one photo begins with that id. Give more of its digits."""

    code = "ambiguous-id"


class OpenDeliveryError(LocalError):
    """The photo is on its way to somebody. `--yes` ends that and removes it all the same."""

    code = "delivery-open"


class UnsignedDeliveryError(LocalError):
    """Somebody who got the photo signed no receipt for it. `--yes` removes it all the same."""

    code = "delivery-unsigned"


class InAlbumError(LocalError):
    """Others keep the photo in an album, and who has not fetched it yet needs it from here; `--yes`
    removes it all the same.
    """

    code = "in-album"


class NoReceiptError(LocalError):
    """Nobody signed a receipt for that photo. `kinlight show ID` says how its deliveries stand."""

    code = "no-receipt"


class NotHereYetError(LocalError):
    """The photo is not here yet."""

    code = "not-here-yet"


class BlobMissingError(LocalError):
    """The photo's sealed file is missing or damaged. `kinlight doctor --repair` may mend it."""

    code = "blob-missing"


class PhotoAwayError(BlobMissingError):
    """The photo was let go from here to make room; `kinlight space fetch` brings it back."""

    code = "photo-away"


class OnlyCopyError(LocalError):
    """Photos that were let go from here are kept by them. `kinlight space fetch --all` first."""

    code = "only-copy"


class PictureRefusedError(LocalError):
    """The picture can't be opened."""

    code = "picture-refused"


class CannotStripError(LocalError):
    """The file can't be changed so that it tells less; the policy `original` takes it as it is."""

    code = "cannot-strip"


class StripFailedError(LocalError):
    """A copy made to tell less is not what it must be, so it was thrown away."""

    code = "strip-failed"


class DecoderDiedError(LocalError):
    """The process that opened the picture ended without an answer; nothing else was touched."""

    code = "decoder-died"


class DecoderUnavailableError(LocalError):
    """Pictures can't be opened at the moment: the service that does it is not there."""

    code = "decoder-unavailable"


class DecoderTimeoutError(LocalError):
    """The picture took too long to open, so it was given up."""

    code = "decoder-timeout"


class SandboxTooWeakError(LocalError):
    """Pictures are not opened: this system's sandbox is weaker than config.toml demands."""

    code = "sandbox-too-weak"


class OldPictureLibraryError(LocalError):
    """Pictures are not opened: a library that opens them is too old to be safe. Update it."""

    code = "picture-library-old"


class CheckUnavailableError(LocalError):
    """Signs of editing can't be looked for here. `pip install "kinlight[ml]"` installs what can."""

    code = "check-unavailable"


class CheckDiedError(LocalError):
    """The process that looks for signs of editing ended without an answer."""

    code = "check-died"


class CheckTimeoutError(LocalError):
    """The check for signs of editing took too long, so it was given up."""

    code = "check-timeout"


class MarkUnavailableError(LocalError):
    """Marks can't be set or read here. `pip install "kinlight[ml]"` installs what can."""

    code = "mark-unavailable"


class MarkFailedError(LocalError):
    """The process that sets and reads marks ended without an answer, or took too long."""

    code = "mark-failed"


class CannotMarkError(LocalError):
    """The picture can't bear an invisible mark."""

    code = "cannot-mark"


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


class NoPhotosError(BadRequestError):
    """There is no photo in those folders."""

    code = "no-photos"


class NotWaitingError(BadRequestError):
    """That photo does not wait for a decision. `kinlight inbox` shows those that do."""

    code = "not-waiting"


class EndedGrantError(BadRequestError):
    """The grant would end before it begins. Give it a later end."""

    code = "grant-ended"


class SharedNameError(BadRequestError):
    """An album and a contact have that name. Rename the contact to tell them apart."""

    code = "name-shared"


class NoSuchNodeError(LocalError):
    """No node with that pairing code was found. Check that both are in the same network."""

    code = "no-such-node"


class PairingOpenError(LocalError):
    """A pairing code is open already. Use it, or wait until it ends."""

    code = "pairing-open"


class PairingOverError(LocalError):
    """Nobody used the code in time, so it is no longer valid. Run `kinlight pair` for a new one."""

    code = "pairing-over"


class PairingSpentError(LocalError):
    """The code was tried three times with wrong words, so it is no longer valid. Make a new one."""

    code = "pairing-spent"


class OwnTicketError(LocalError):
    """That is a ticket of this node itself. Give it to somebody else."""

    code = "own-ticket"


class NoSuchTicketError(LocalError):
    """There is no ticket with that id here. `kinlight ticket list` shows those that were made."""

    code = "no-such-ticket"


class TooManyTicketsError(LocalError):
    """No more tickets can be open. Revoke one of them first: `kinlight ticket list` shows them."""

    code = "too-many-tickets"


class NoSuchLinkError(LocalError):
    """There is no link with that id here. `kinlight links list` shows those that were made."""

    code = "no-such-link"


class TooManyLinksError(LocalError):
    """No more links can be open. Revoke one of them first: `kinlight links list` shows them."""

    code = "too-many-links"


class NoSuchDropError(LocalError):
    """There is no drop link of that name here. `kinlight drop list` shows those that were made."""

    code = "no-such-drop"


class TooManyDropsError(LocalError):
    """No more drop links can be open. Revoke one of them first: `kinlight drop list` shows them."""

    code = "too-many-drops"


class DropNameTakenError(LocalError):
    """A contact or another drop link is called that. Choose another name, or revoke that link."""

    code = "drop-name-taken"


class LinkPageError(LocalError):
    """The page of links can't be served at that address."""

    code = "link-page"


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
    "no-such-drop": EXIT_NOT_FOUND,
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


_OTHERS: Final = (album_errors, weblink_errors)
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


def storage_error(error: OSError) -> LocalError:
    """What a failed write to our own folder means for the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError()
    return HomeUnusableError(error.strerror or "")
