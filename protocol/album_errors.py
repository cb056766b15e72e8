"""Why something of an album is refused, or does not count (docs/spec/album.md).

On the wire each of these is `album-refused`; the reason is for the people on this side.
"""

from __future__ import annotations

from ..crypto.errors import LocalError
from .errors import AlbumRefusedError


class AlbumGapError(AlbumRefusedError):
    """What comes before it in the album is not here yet; it will be asked for."""

    code = "album-gap"


class OtherAlbumError(AlbumRefusedError):
    """It belongs to another album."""

    code = "album-other"


class AlbumStrangerError(AlbumRefusedError):
    """It is by a device that nobody let into the album, or that may not write this."""

    code = "album-stranger"


class WentBackError(AlbumRefusedError):
    """It claims to know less of the album than the same device did before."""

    code = "album-went-back"


class AlbumEpochError(AlbumRefusedError):
    """It names a key of the album that is not there, is there already, or can't be given so."""

    code = "album-epoch"


class AlbumGrantError(AlbumRefusedError):
    """The grant in it is not the one that belongs to the role."""

    code = "album-grant"


class AlbumFullError(AlbumRefusedError):
    """The album holds as much as one can."""

    code = "album-full"


class AlbumWrapError(AlbumRefusedError):
    """The key that came for this device is not the one that the album names."""

    code = "album-wrap-broken"


class AlbumRemovedError(AlbumRefusedError):
    """Who wrote it was removed from the album before, so it does not count."""

    code = "album-removed"


class AlbumRoleError(AlbumRefusedError):
    """Who wrote it has no role in the album that allows it, so it does not count."""

    code = "album-role"


class SeniorAdminError(AlbumRefusedError):
    """A senior admin of the album can't be removed by who came later, so it has no effect."""

    code = "album-senior"


class OldEpochError(AlbumRefusedError):
    """It is under a key that somebody has who was removed before, so it does not count."""

    code = "album-old-epoch"


class AlbumDeniedError(LocalError):
    """Your part in this album does not allow that. `kinlight album show` says what it is."""

    code = "album-not-allowed"


class KeyDueError(LocalError):
    """The key of the album has to change first; an admin's device does that when it is there."""

    code = "album-key-due"


class NoAlbumKeyError(LocalError):
    """The key for this part of the album is not here yet."""

    code = "album-no-key"
