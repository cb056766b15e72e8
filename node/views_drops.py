"""What the API tells of drop links; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DropLink:
    """A link by which a browser sends photos here. `url` is what to pass on; only who made it just
    now sees it.

    `state` is `open` or `revoked`. `accept` is `ask` or `always`: whether what comes by it waits to
    be accepted. `seen` is when a browser was here last, None for never. `waiting`, `coming` and
    `stored` count photos. Its page is served at `host`, over HTTPS if `secure`; `served` says
    whether it is now, and `reason` why not. `fingerprint` is of the certificate that the browser
    will ask about.
    """

    id: str
    name: str
    state: str
    accept: str
    issued: int
    seen: int | None
    waiting: int
    coming: int
    stored: int
    host: str
    secure: bool
    served: bool = False
    reason: str | None = None
    url: str | None = None
    fingerprint: str | None = None

    def __repr__(self) -> str:
        return f"DropLink(id={self.id}, state={self.state})"
