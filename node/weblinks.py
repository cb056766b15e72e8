"""Links to photos that any browser opens: who may open one, how often, until when, and what of it.

Every question is answered by the rows as they are now: a link that is taken back, or a photo that
is removed, ends what is under way with the next piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto import link_keys
from ..crypto.errors import KinlightError, PeerError
from ..crypto.link_keys import KEY_BYTES, TOKEN_BYTES, Signals
from ..crypto.secret import Secret
from ..protocol import limits, weblink
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.weblink import Listed, Listing
from ..protocol.weblink_errors import (
    ExpiredLinkError,
    LinkDeniedError,
    LinkGoneError,
    LinkScopeError,
    RevokedLinkError,
    UnknownLinkError,
    UsedUpLinkError,
)
from . import names
from .copies import Copies
from .database import Database, Row
from .errors import BadRequestError
from .library import Library, Photo, StoredBlob
from .photo_errors import NoSuchLinkError, TooManyLinksError
from .rules import Rules
from .sharing import NOBODY
from .views_weblinks import WebLink

KEPT_SECONDS: Final = 86_400
"""For so long after its end who opens a link is told why it is of no use, and the page served."""
NETWORK: Final = "lan"
_MOST_DAYS: Final = limits.LINK_SECONDS // 86_400
_ID_DIGITS: Final = 4
_SELECT: Final = (
    "SELECT weblinks.*,"
    " (SELECT count(*) FROM weblink_visits AS v WHERE v.link_id = weblinks.link_id) AS used,"
    " (SELECT count(*) FROM weblink_photos AS p WHERE p.link_id = weblinks.link_id) AS photos"
    " FROM weblinks"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a link is to be: for how many seconds and openings, and where its page is served."""

    seconds: int
    count: int
    original: bool
    host: str
    secure: bool

    def check(self) -> None:
        """Raise `BadRequestError` for what can't be promised."""
        if not 0 < self.seconds <= limits.LINK_SECONDS:
            raise BadRequestError(f"a link is for 1 second to {_MOST_DAYS} days")
        if not 0 < self.count <= limits.LINK_COUNT:
            raise BadRequestError(f"a link is for 1 to {limits.LINK_COUNT} openings")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page of a link is served."""

    host: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A new link: its row's id, and what only its URL holds."""

    link_id: bytes
    token: bytes
    key: Secret

    @property
    def tail(self) -> str:
        """The end of its URL, after the place."""
        return f"/l/{weblink.text(self.token)}#{weblink.text(self.key.reveal())}"


class WebLinks:
    """Makes links, keeps them, and judges who comes with one."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        database: Database,
        library: Library,
        copies: Copies,
        rules: Rules,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._db = database
        self._library = library
        self._copies = copies
        self._rules = rules
        self._entropy = entropy
        self._now = now

    # What the user does.

    def check_room(self) -> None:
        """Raise `TooManyLinksError` if no more can be open."""
        now = self._now()
        self._forget(now)
        if sum(_ended(row, now) is None for row in self._db.rows(_SELECT)) >= limits.LINKS:
            raise TooManyLinksError

    def new(self, photos: Sequence[Photo], terms: Terms) -> Made:
        """A link to these photos, as they are: they are the copies that may go.

        Raises `BadRequestError` for more photos than a link leads to, and `TooManyLinksError`.
        """
        terms.check()
        self.check_room()
        if not 0 < len(photos) <= limits.LINK_PHOTOS:
            raise BadRequestError(f"a link leads to 1 to {limits.LINK_PHOTOS} photos")
        now = self._now()
        made_token = self._entropy(TOKEN_BYTES)
        made = Made(link_keys.link_id(made_token), made_token, Secret(self._entropy(KEY_BYTES)))
        listed = tuple(map(self._listed, photos))
        if weblink.size_of_list(listed) > limits.LINK_LIST_BYTES:
            raise BadRequestError("these photos are too large for one link")
        listing = Listing(
            self._device.name, now + terms.seconds, terms.count, terms.original, listed
        )
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO weblinks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                made.link_id,
                Signals.of(made.key, made.link_id).auth.reveal(),
                link_keys.seal_list(made.key, made.link_id, listing.encode()),
                terms.host,
                terms.secure,
                terms.original,
                now,
                now + terms.seconds,
                terms.count,
            )
            for number, photo in enumerate(photos):
                self._db.execute(
                    "INSERT INTO weblink_photos VALUES (?, ?, ?)",
                    made.link_id,
                    number,
                    photo.photo_id,
                )
        return made

    def _listed(self, photo: Photo) -> Listed:
        stored = self._blob(photo)
        metadata = photo.metadata
        return Listed(
            metadata.name, metadata.media_type, metadata.length,
            photo.photo_id, stored.kind, stored.key, stored.manifest,
        )  # fmt: skip

    def list(self) -> list[WebLink]:
        """All that are remembered, the latest first."""
        now = self._now()
        self._forget(now)
        rows = self._db.rows(f"{_SELECT} ORDER BY issued DESC, link_id")
        return [_view(row, now) for row in rows]

    def view(self, link_id: bytes) -> WebLink:
        """One of them."""
        return _view(self._row(link_id), self._now())

    def revoke(self, link: str) -> WebLink:
        """Take one back, now; `link` begins its id. What a browser has by then it keeps."""
        digits = link.strip().lower()
        found = [
            row["link_id"]
            for row in self._db.rows(_SELECT)
            if len(digits) >= _ID_DIGITS and row["link_id"].hex().startswith(digits)
        ]
        if len(found) > 1:
            raise NoSuchLinkError("more than one begins so")
        if not found:
            raise NoSuchLinkError(names.shown(link))
        self._db.write(
            "UPDATE weblinks SET revoked = ? WHERE link_id = ? AND revoked IS NULL",
            self._now(),
            found[0],
        )
        return self.view(found[0])

    def places(self) -> set[Place]:
        """Where pages are to be served: of links that are open, or ended a short while ago."""
        self._forget(self._now())
        return {Place(row["host"], bool(row["secure"])) for row in self._db.rows(_SELECT)}

    # What browsers do.

    def known(self, token: bytes) -> Signals | None:
        """How the offers of a link are checked, ended or not; None if there is no such link.

        It is looked for by a hash of the token: how long that takes tells nothing of others.
        """
        link_id = link_keys.link_id(token)
        row = self._db.row("SELECT auth FROM weblinks WHERE link_id = ?", link_id)
        return None if row is None else Signals(Secret(row["auth"]), link_id)

    def why_not(self, link_id: bytes) -> PeerError | None:
        """Why a new visitor would not get in, if so."""
        row = self._db.row(f"{_SELECT} WHERE link_id = ?", link_id)
        if row is None:
            return UnknownLinkError()
        ended = _ended(row, self._now())
        return None if ended is None else ended()

    def visit(self, link_id: bytes, visit: bytes) -> None:
        """Count an opening by a browser that proved the key; one that was here counts no more.

        Raises `ExpiredLinkError`, `RevokedLinkError`, `UsedUpLinkError`, `UnknownLinkError`.
        """
        now = self._now()
        with self._db.transaction():
            self._admit(link_id, visit, now)
            self._db.execute(
                "INSERT OR IGNORE INTO weblink_visits VALUES (?, ?, ?)", link_id, visit, now
            )

    def listing(self, link_id: bytes, visit: bytes) -> bytes:
        """The sealed list, for a visit that was counted; raises as `visit`."""
        return self._admit(link_id, visit, self._now())["listing"]

    def served(self, link_id: bytes, visit: bytes, number: int) -> StoredBlob:
        """The blob of a photo of that link, for a visit that was counted.

        Raises as `visit`, and `LinkScopeError`, `LinkGoneError`, `LinkDeniedError`.
        """
        self._admit(link_id, visit, self._now())
        photo_id = self._db.value(
            "SELECT photo_id FROM weblink_photos WHERE link_id = ? AND number = ?", link_id, number
        )
        if photo_id is None:
            raise LinkScopeError
        photo = self._library.photo(photo_id)
        if photo is None:
            raise LinkGoneError
        try:
            given = self._copies.rendition(photo)
            self._rules.serve(photo_id, NOBODY, NOBODY, NETWORK, given)
        except KinlightError:  # which rule says so is for the owner alone
            raise LinkDeniedError from None
        return self._blob(photo)

    def _admit(self, link_id: bytes, visit: bytes, now: int) -> Row:
        row = self._db.row(f"{_SELECT} WHERE link_id = ?", link_id)
        if row is None:
            raise UnknownLinkError
        ended = _ended(row, now)
        if ended is UsedUpLinkError and self._came_before(link_id, visit):
            ended = None
        if ended is not None:
            raise ended
        return row

    def _came_before(self, link_id: bytes, visit: bytes) -> bool:
        return bool(
            self._db.value(
                "SELECT 1 FROM weblink_visits WHERE link_id = ? AND visit = ?", link_id, visit
            )
        )

    # Rows.

    def _blob(self, photo: Photo) -> StoredBlob:
        stored = self._library.blob(photo.record.content_id)
        if stored is None:
            raise LinkGoneError
        return stored

    def _row(self, link_id: bytes) -> Row:
        row = self._db.row(f"{_SELECT} WHERE link_id = ?", link_id)
        if row is None:
            raise NoSuchLinkError(link_id.hex())
        return row

    def _forget(self, now: int) -> None:
        ended = now - KEPT_SECONDS
        if self._db.value("SELECT 1 FROM weblinks WHERE expires < ?1 OR revoked < ?1", ended):
            self._db.write("DELETE FROM weblinks WHERE expires < ?1 OR revoked < ?1", ended)


def _ended(row: Row, now: int) -> type[PeerError] | None:
    """Why a link is opened by nobody new, if it isn't."""
    if row["revoked"] is not None:
        return RevokedLinkError
    if row["expires"] <= now:
        return ExpiredLinkError
    return UsedUpLinkError if row["used"] >= row["count"] else None


def _view(row: Row, now: int) -> WebLink:
    ended = _ended(row, now)
    return WebLink(
        id=row["link_id"].hex(),
        state="open" if ended is None else ended.code.removeprefix("link-"),
        issued=row["issued"],
        expires=row["expires"],
        count=row["count"],
        used=row["used"],
        photos=row["photos"],
        original=bool(row["original"]),
        host=row["host"],
        secure=bool(row["secure"]),
    )
