"""Why a link to photos does not open, in the words that its page shows (docs/spec/link.md)."""

from __future__ import annotations

from ..crypto.errors import PeerError


class UnknownLinkError(PeerError):
    """There is no such link here. Perhaps it was cut off when it was copied."""

    code = "link-unknown"


class ExpiredLinkError(PeerError):
    """This link has expired. Ask who sent it for a new one."""

    code = "link-expired"


class RevokedLinkError(PeerError):
    """This link was taken back. Ask who sent it for a new one."""

    code = "link-revoked"


class UsedUpLinkError(PeerError):
    """This link was opened as often as it may be. Ask who sent it for a new one."""

    code = "link-used-up"


class LinkKeyError(PeerError):
    """The end of this link, after the #, is wrong or missing. Copy all of it and try again."""

    code = "link-key"


class LinkOfferError(PeerError):
    """What this browser sent can't be used. Load the page again, or try another browser."""

    code = "link-offer"


class LinkBusyError(PeerError):
    """Too many open this at the moment. Wait a minute and load the page again."""

    code = "link-busy"


class LinkScopeError(PeerError):
    """This link does not lead to what was asked for."""

    code = "link-scope"


class LinkGoneError(PeerError):
    """This photo is not here any more. Ask who sent the link."""

    code = "link-gone"


class LinkDeniedError(PeerError):
    """The rules of who sent the link do not allow this now."""

    code = "link-denied"


class LinkElsewhereError(PeerError):
    """The same photos are being sent in another window of this browser. Go on there."""

    code = "link-elsewhere"
