"""What the API tells of links to photos; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebLink:
    """A link to photos that any browser opens. `url` is what to pass on; only who made it just now
    sees it.

    `state` is `open`, `used-up`, `expired` or `revoked`; `used` of `count` openings are over.
    With `original` the photos go as they are. Its page is served at `host`, over HTTPS if `secure`;
    `served` says whether it is now, and `reason` why not. `fingerprint` is of the certificate that
    the browser will ask about.
    """

    id: str
    state: str
    issued: int
    expires: int
    count: int
    used: int
    photos: int
    original: bool
    host: str
    secure: bool
    served: bool = False
    reason: str | None = None
    url: str | None = None
    fingerprint: str | None = None

    def __repr__(self) -> str:
        return f"WebLink(id={self.id}, state={self.state})"
