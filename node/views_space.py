"""What the node shows of the room that it takes; as `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpaceUse:
    """Bytes that this node takes on the disk, without its database but for `previews`.

    `photos` counts photos whose files are here. `own` and `received` are their files, `pictures`
    what was drawn of them to be looked at, `previews` those of shared albums, `held` what is kept
    for others. `away` counts photos that were let go, and `away_bytes` what they took.
    """

    photos: int
    own: int
    received: int
    pictures: int
    previews: int
    held: int
    away: int
    away_bytes: int


@dataclass(frozen=True, slots=True)
class SpaceItem:
    """A photo that was looked at to make room, or is to come back.

    `state` is `gone` or `would-go` (`holder` has shown that they have it), `needed` (it is on its
    way to somebody, in an album with others, or being repaired), `only-copy` (nobody is known who
    keeps it), `nobody-here` (who keeps it is not connected), `not-shown` (they did not show it;
    `code` and `message` say why), or, of those that are to come back, `here`, `coming` or
    `refused`. `what` is `photo`, or `preview` for a picture that is drawn again when it is next
    looked at.
    """

    photo: str
    name: str
    bytes: int
    state: str
    holder: str | None = None
    code: str | None = None
    message: str | None = None
    what: str = "photo"
