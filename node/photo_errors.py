"""What can go wrong with photos, and with what they are granted, put and shared in."""

from __future__ import annotations

from ..crypto.errors import LocalError
from .errors import BadRequestError


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


class NoSuchAlbumError(LocalError):
    """There is no album of that name. `kinlight albums` and `kinlight album list` show them."""

    code = "no-such-album"


class AmbiguousAlbumError(LocalError):
    """More than one album fits. Say how the id of the one begins."""

    code = "ambiguous-album"


class NoSuchDeviceError(LocalError):
    """No one device in the album has a key that begins so. `kinlight album show` names them."""

    code = "no-such-device"


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
