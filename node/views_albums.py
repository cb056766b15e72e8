"""What the node shows of albums that several people keep; as `views`.

People are called by the name of the contact, `me`, or their fingerprint where they are no contact.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AlbumSummary:
    """An album, as a list shows it.

    `state` is `invited` (somebody let this node in, and nobody here has joined yet), `joined`,
    `left` (it asked to be taken out) or `removed`; what came before stays. `role` is `owner`,
    `admin`, `contributor` or `viewer`, None for who is not in it. `name` is empty as long as the
    key is not here. `history` says what newcomers see, `all` or `from-join`; `metadata` and
    `max_px` in which form photos are added. `photos` counts those in the album, `here` those of
    them that are on this machine, `previews` how many have a preview here, `waiting` those of ours
    that are to be added once the key is here. `due` says why the key has to change, where this is
    so and an admin's node has not done it yet: `removal`, `merge`, `age` or `newcomers`.
    `attribute` is the
    name under which rules may speak of its members, whose value is the role. `key` says whether
    photos can be added by the newest key: `here`, `coming` (it was changed, and the new one has not
    come to this node) or `due` (it has to change first).
    """

    id: str
    name: str
    state: str
    role: str | None
    owner: str
    invited_by: str | None
    members: int
    photos: int
    here: int
    history: str
    metadata: str
    max_px: int | None
    since: int
    attribute: str
    due: str | None = None
    key: str = "here"
    previews: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class AlbumMember:
    """Somebody in an album. `leaving` says that they asked to be taken out.

    `keyless` are those of their devices that the newest key was not given to yet; whether one that
    it was given to has fetched it, nobody knows. `seniority` counts admins from the most senior, 1,
    which no other can take out; None for who is none.
    """

    name: str
    fingerprint: str
    role: str
    devices: list[str]
    leaving: bool = False
    keyless: list[str] = field(default_factory=list[str])
    seniority: int | None = None


@dataclass(frozen=True, slots=True)
class AlbumComment:
    """What somebody said about a photo; `time` is what they say. No text: its key is not here."""

    by: str
    time: int
    text: str | None


@dataclass(frozen=True, slots=True)
class AlbumPhotoItem:
    """A photo in an album.

    `state` is `here`, `away` (it was let go, as somebody else has it), `coming`, `no-key` (its key
    has not come), `hidden` (nobody here wants it) or `refused` (what came was not what was
    promised). `added` is what who added it says. `comments`
    are the newest of each member, and `comments_left_out` counts the others. Who is in
    `delete_asked_by` asks everybody to delete it: a request, of which nobody can know who heeds it.
    Who is in `original_asked_by` asks its author for the original; at the author's, whoever was
    given it asks no more. `preview` says whether `Node.album_preview` can show it, which is so
    before it is here.
    """

    id: str
    state: str
    by: str
    added: int
    name: str | None = None
    bytes: int | None = None
    caption: str | None = None
    comments: list[AlbumComment] = field(default_factory=list[AlbumComment])
    comments_left_out: int = 0
    favourite_of: list[str] = field(default_factory=list[str])
    delete_asked_by: list[str] = field(default_factory=list[str])
    cover: bool = False
    preview: bool = False
    original_asked_by: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class AlbumFork:
    """A device that wrote two things of which neither knows the other: it was copied, or lies.

    `one` and `other` are the hashes of the two entries, and `proof` are the entries themselves,
    signed, in hex: anybody can check them by docs/spec/album.md.
    """

    by: str
    device: str
    one: str
    other: str
    proof: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class AlbumDetails:
    """An album: who is in it and what. `photos` are in their order, as many as were asked for."""

    album: AlbumSummary
    members: list[AlbumMember]
    photos: list[AlbumPhotoItem]
    forks: list[AlbumFork]


@dataclass(frozen=True, slots=True)
class AlbumAct:
    """One thing that an entry of a log does: `what` is the name of the op in docs/spec/album.md."""

    what: str
    who: str | None = None
    role: str | None = None
    device: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class AlbumLogEntry:
    """An entry of an album's log. One that does not `count` says why, as an error's code. `fork` is
    the hash of another entry by the same device of which neither knows the other.
    """

    hash: str
    number: int
    time: int
    by: str
    device: str
    acts: list[AlbumAct]
    counts: bool
    code: str | None = None
    message: str | None = None
    fork: str | None = None


@dataclass(frozen=True, slots=True)
class AlbumItem:
    """A photo that was to be added to an album.

    `state` is `added`, `present` (it was in the album), `waiting` (the album's key has to change or
    to come first; then it is added by itself) or `failed`; `code` and `message` say why.
    `left_out` are words for what it lacks of the original, as in `ShareItem`.
    """

    file: str
    name: str
    state: str
    photo_id: str | None = None
    bytes: int = 0
    left_out: list[str] = field(default_factory=list[str])
    code: str | None = None
    message: str | None = None
