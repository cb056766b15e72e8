"""Who may have what, and why, as it is shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """What a contact may do with a photo, and in which form it has it.

    `hash` names the grant, `photo` is the id of what went and `of` of the photo it was made of.
    `operations` are of `view` and `reshare`; `max_px` is the longest side (None: as it is) and
    `location` is `kept` or `removed` and `watermarked` says whether it bears a mark, as the grant
    demands it. `until` ends it. `state` is that of
    its delivery, as in `ShareItem`, or `expired` or `revoked`. For a grant to whoever has an
    attribute `to` says what that is and by whose word, `state` is `open` in place of a delivery's,
    and `went_to` names the contacts who were offered the photo by it. `author` is whose photo it
    is: `me`, a contact's name, or the key of somebody else; where it was passed on, `parent` is the
    hash of the grant under which.
    """

    hash: str
    photo: str
    of: str
    name: str
    to: str
    operations: list[str]
    max_px: int | None
    location: str
    until: int | None
    state: str
    created: int
    went_to: list[str] = field(default_factory=list[str])
    author: str = "me"
    parent: str | None = None
    watermarked: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """What `by` says of `who`: contacts' names, `me`, or keys of people who are no contacts.

    `hash` names the statement. `state` is `valid`, `not-yet`, `expired` or `revoked`. `shown_to`
    names the contacts who may know of what is said of us.
    """

    hash: str
    who: str
    name: str
    value: str
    by: str
    since: int
    until: int
    state: str
    shown_to: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Revocation:
    """Something that was taken back; its `hash` stands in our list, which contacts get.

    `kind` is `grant`, `what` then the id of the photo that went and `who` the contact; or `device`,
    `what` then its key.
    """

    hash: str
    kind: str
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class JudgedGrant:
    """A grant that was asked: `code` says why it denies, None that it allows; with what it used."""

    hash: str
    code: str | None
    facts: list[list[str]] = field(default_factory=list[list[str]])


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a contact may have a photo or not.

    `allowed` says what a fetch would come to now; if not, `code` says why: `policy-denied`, that of
    a grant, or `not-granted`. `policy` is what the owner's rules say, `allow` or `deny` (None:
    there are none), by the `rule` of that name (None: no rule allows it), in a form of at most
    `max_px` pixels a side with the `location` `kept` or `removed`, perhaps `watermarked`. `facts`
    are what that rule looked at, name and value; `grants` are all that were given for this photo
    and its copies.
    """

    who: str
    photo: str
    operation: str
    allowed: bool
    code: str | None
    policy: str | None
    rule: str | None
    max_px: int | None
    location: str
    facts: list[list[str]] = field(default_factory=list[list[str]])
    grants: list[JudgedGrant] = field(default_factory=list[JudgedGrant])
    watermarked: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's rules: their text, and their names in its order.

    `missing_albums` are named in them and are not here (yet): the rule waits for them.
    """

    text: str
    rules: list[str] = field(default_factory=list[str])
    missing_albums: list[str] = field(default_factory=list[str])
